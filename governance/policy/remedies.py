"""What the caller of a refused request can change: the words of the policies that refused it, or our own by code.

`custom.remedy` of a policy is the text of its author, checked when the bundle is loaded: one printable line of bounded
length. Nothing of a request can be in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

from governance import denial
from governance.decision import MOST_REMEDIES, Decision, Deny, Mode, Reason
from governance.policy.metadata import Policy

# Denials of the join itself: what to do about them is ours to say, whichever policy they are in the name of.
_OURS = frozenset({"no_policy_allows", "placement_impossible", "policy_error", "route_conflict", "header_conflict"})


def remedies_of(policies: Iterable[Policy]) -> Mapping[str, str]:
    """The remedy of each of `policies` that has one, by its id."""
    return MappingProxyType({policy.id: policy.remedy for policy in policies if policy.remedy})


def with_remedies(decision: Decision, remedies: Mapping[str, str]) -> Decision:
    """`decision` with what its caller can change: for the reason that won, then for the others that refuse.

    `remedies` are those of policies by id. A decision that does not deny is returned as it is; one that does has at
    least one remedy, at most MOST_REMEDIES, and none twice.
    """
    if decision.deny is None:
        return decision
    sentences = dict.fromkeys(_sentences(decision.deny, decision.reasons, remedies))
    return replace(decision, deny=replace(decision.deny, remedies=tuple(islice(sentences, MOST_REMEDIES))))


def _sentences(deny: Deny, reasons: Sequence[Reason], remedies: Mapping[str, str]) -> Iterator[str]:
    own = "" if deny.code in _OURS else remedies.get(deny.policy, "")
    yield own or denial.remedy_of(deny.message_id)
    enforced = [reason for reason in reasons if reason.mode is Mode.ENFORCE]
    if deny.code == "placement_impossible":
        # No policy refused: those that together leave no node did, each by its pin.
        yield from (
            remedies[one.policy] for one in enforced if one.effect == "pin" and one.winning and one.policy in remedies
        )
    # A policy that failed says nothing about the request: who changes it cannot mend that.
    lost = [one for one in enforced if one.effect == "deny" and not one.winning and one.code != "policy_error"]
    for reason in lost:
        own = "" if reason.code in _OURS else remedies.get(reason.policy, "")
        known = own or denial.REMEDIES.get(reason.code)
        if known:
            yield known
