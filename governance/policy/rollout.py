"""How far each policy reaches for one request: its mode, its share of tenants or principals, its jurisdictions.

METADATA `custom` of a policy may say

    jurisdictions: [DE, EEA, US-CA]          asked only where one of them is the caller's or a data subject's
    rollout: {permille: 50, key: tenant}     enforced for 5 % of tenants (or of `principal` ids), shadow for the others

A share is a stable hash of policy and key: the same tenant stays in it on every host and across restarts, and raising
`permille` adds tenants without taking any out. Both fail closed: an unknown jurisdiction asks the policy, and whoever
cannot be told apart (an empty key) is in every share that is not empty.
LIMIT: who may choose its own principal id may choose its share; `tenant` comes from configuration and claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from governance.decision import Mode
from governance.facts import Facts, Phase
from governance.frozen import frozen
from governance.policy.bundle import Bundle, Policy
from governance.policy.metadata import WHOLE, Share
from governance.residency import COUNTRIES, expand

# One for each policy that may be asked in the phase, in their order; `off` is one that is left out for this request.
Modes = tuple[Mode, ...]


@frozen
class Terms:
    """On what terms policies are asked for one request. `key` tells `modes` from others; None where they are the usual ones.

    `asked` are the ids of those to evaluate and `effective` their modes, in one order; `described` names `policy:mode` for
    each that is not enforced on this request, sorted; `off` where it was not asked.
    """

    key: Modes | None
    asked: tuple[str, ...]
    effective: Modes
    described: tuple[str, ...]


@frozen
class Reach:
    """The policies of one phase with the terms on which they are asked."""

    policies: tuple[Policy, ...]
    modes: Callable[[Facts], Modes] | None
    """None where they are the same for every request."""
    usual: Terms

    def terms(self, facts: Facts) -> Terms:
        """The terms for the request that `facts` are about."""
        return self.usual if self.modes is None else _terms(self.policies, modes := self.modes(facts), modes)


def reach_of(bundle: Bundle, phase: Phase) -> Reach:
    """How far the policies of `bundle` reach in `phase`."""
    policies = bundle.applicable(phase)
    usual = _terms(policies, tuple(policy.mode for policy in policies), None)
    if not any(policy.jurisdictions or policy.rollout for policy in policies):
        return Reach(policies=policies, modes=None, usual=usual)
    lands = tuple((policy, expand(policy.jurisdictions)) for policy in policies)
    selective = any(policy.jurisdictions for policy in policies)

    def modes(facts: Facts) -> Modes:
        codes = _codes(facts) if selective else None
        return tuple(_mode(policy, wanted, facts, codes) for policy, wanted in lands)

    return Reach(policies=policies, modes=modes, usual=usual)


def _terms(policies: Sequence[Policy], modes: Modes, key: Modes | None) -> Terms:
    pairs = list(zip(policies, modes, strict=True))
    return Terms(
        key=key,
        asked=tuple(policy.id for policy, mode in pairs if mode is not Mode.OFF),
        effective=tuple(mode for mode in modes if mode is not Mode.OFF),
        described=tuple(f"{policy.id}:{mode.value}" for policy, mode in pairs if mode is not Mode.ENFORCE),
    )


def reaches(share: Share, policy: str, facts: Facts) -> bool:
    """Whether `policy` is enforced for who asks. The answer depends on nothing but `policy`, `share` and the key."""
    key = facts.principal.tenant if share.key == "tenant" else facts.principal.id
    return share.permille > 0 if not key else share_of(policy, key) < share.permille


def share_of(policy: str, key: str) -> int:
    """Where `key` stands in the rollout of `policy`: 0 to 999, evenly spread and different for each policy."""
    # The id of a policy is a Rego name: it holds no NUL, so no two pairs are spelt alike.
    text = f"{policy}\0{key}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) % WHOLE


# --- one request ---------------------------------------------------------------------------------------------------


def _mode(policy: Policy, wanted: frozenset[str], facts: Facts, codes: frozenset[str] | None) -> Mode:
    if wanted and codes is not None and not _concerns(wanted, codes):
        return Mode.OFF
    # A mode that somebody set below enforce stays: a rollout never raises it.
    if policy.mode is Mode.ENFORCE and policy.rollout and not reaches(policy.rollout, policy.id, facts):
        return Mode.SHADOW
    return policy.mode


def _codes(facts: Facts) -> frozenset[str] | None:
    """The jurisdictions that a request concerns; None where one of them is unknown, so that it concerns all."""
    origin = facts.origin
    codes = expand(code.upper() for code in (origin.jurisdiction, *(row.code for row in origin.subject_jurisdictions)))
    return codes if all(_country(code) in COUNTRIES for code in codes) else None


def _concerns(wanted: frozenset[str], codes: frozenset[str]) -> bool:
    # A country without its subdivision may be any of them, and a subdivision lies in its country.
    return any(code in wanted or _country(code) in wanted for code in codes) or any(
        _country(code) in codes for code in wanted if code not in COUNTRIES
    )


def _country(code: str) -> str:
    return code.partition("-")[0]
