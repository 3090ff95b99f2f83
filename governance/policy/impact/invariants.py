"""What must hold for every input, whatever the policies say: the invariants that are built in.

Each is judged on an input and the decision on it. Certain means at least 900 permille or a verified value: what policies
call likely is their business, and an invariant that took their thresholds would hold of any.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from governance.decision import Action, Decision, Operator, Pin, Redact
from governance.facts import EntityFact, Facts
from governance.finding import Category
from governance.frozen import frozen
from governance.nodes.node import Node
from governance.pinning import admissible
from governance.residency import EEA, Tier

CERTAIN_PERMILLE = 900
_MODEL = "sample"
# One country for each side of the border, and one that the EU found adequate.
_COUNTRIES = ("DE", "NO", "CH", "US", "CN")
_REDACTED = Operator.PSEUDONYMISE.rank


@frozen
class Judged:
    """One input and the decision on it; `current` is the decision of the bundle that a candidate is compared with."""

    facts: Facts
    decision: Decision
    current: Decision | None = None


@frozen
class Invariant:
    """`broken` is asked where `speaks` holds; together with how often it did, silence can be told from agreement."""

    id: str
    title: str
    speaks: Callable[[Judged], bool]
    broken: Callable[[Judged], bool]


def built_in(*, compared: bool, nodes: Sequence[Node] | None = None) -> tuple[Invariant, ...]:
    """The invariants that come with Ringfence. With `nodes` places are those of a fleet, else any that a pin admits."""
    found = [
        Invariant(
            id="health_stays_in_eea",
            title="health data of EU and EEA subjects never reaches a node outside the EU and the EEA",
            speaks=lambda judged: _health(judged.facts) and _subject_in_eea(judged.facts),
            broken=lambda judged: any(node.country not in EEA for node in reachable(judged.decision, nodes)),
        ),
        Invariant(
            id="credentials_stay",
            title="no request with credentials leaves the device unredacted",
            speaks=lambda judged: bool(_credentials(judged.facts)) or _label(judged.facts, "credentials"),
            broken=lambda judged: _exposed(judged, nodes),
        ),
        Invariant(
            id="no_policy_fails",
            title="no policy fails to evaluate",
            speaks=lambda _: True,
            broken=lambda judged: bool(judged.decision.errors),
        ),
    ]
    if compared:
        found.append(
            Invariant(
                id="no_new_allow",
                title="the candidate never allows what the current one denies",
                speaks=lambda judged: judged.current is not None and judged.current.action is Action.DENY,
                broken=lambda judged: judged.decision.action is not Action.DENY,
            )
        )
    return tuple(found)


# --- what they speak of --------------------------------------------------------------------------------------------


def reachable(decision: Decision, nodes: Sequence[Node] | None = None) -> tuple[Node, ...]:
    """The nodes that an allowed request may be served by; none for one that is refused."""
    if decision.action is Action.DENY:
        return ()
    pin = decision.obligations.pin
    if nodes is None:
        return admissible(pin, tuple(_conceivable(pin)), model=_MODEL)
    return tuple(node for model in {m for n in nodes for m in n.models} for node in admissible(pin, nodes, model=model))


def _conceivable(pin: Pin) -> Iterator[Node]:
    """A node in each country and tier that has whatever else `pin` asks for: a label of a node proves no place."""
    ids = pin.nodes.any if pin.nodes else ("any",)
    regions = pin.regions.any if pin.regions else ("any",)
    providers = pin.providers.any if pin.providers else ("any",)
    asked = pin.certifications.any if pin.certifications else ()
    for id_, region, provider in itertools.product(ids, regions, providers):
        for country, tier in itertools.product(_COUNTRIES, Tier):
            yield Node(
                id=id_,
                address="",
                country=country,
                region=region,
                tier=tier,
                models=(_MODEL,),
                provider=provider,
                certifications=tuple(name for name in asked if name not in pin.exclude.certifications),
            )


def _certain(row: EntityFact) -> bool:
    return row.validated or row.max_permille >= CERTAIN_PERMILLE


def _label(facts: Facts, name: str) -> bool:
    return any(row.name == name and row.permille >= CERTAIN_PERMILLE for row in facts.classification.labels)


def _health(facts: Facts) -> bool:
    rows = facts.classification.entities
    return _label(facts, "health") or any(row.category is Category.HEALTH and _certain(row) for row in rows)


def _subject_in_eea(facts: Facts) -> bool:
    subjects = facts.origin.subject_jurisdictions
    return any(row.code.partition("-")[0] in EEA and row.permille >= CERTAIN_PERMILLE for row in subjects)


def _credentials(facts: Facts) -> list[EntityFact]:
    return [row for row in facts.classification.entities if row.category is Category.CREDENTIAL and _certain(row)]


def _exposed(judged: Judged, nodes: Sequence[Node] | None) -> bool:
    if all(node.tier is Tier.DEVICE for node in reachable(judged.decision, nodes)):
        return False
    found = _credentials(judged.facts)
    # A label names no place that could be redacted.
    return not found or not all(_redacted(row, judged.decision.obligations.redact) for row in found)


def _redacted(row: EntityFact, orders: Sequence[Redact]) -> bool:
    """Whether every place of `row` is redacted by an operator that leaves nothing of the value readable."""
    fitting = [
        order
        for order in orders
        if order.apply == "request" and order.entity in (row.type, "*") and order.operator.rank >= _REDACTED
    ]
    return any(not order.where for order in fitting) or set(row.where) <= {
        role for order in fitting for role in order.where
    }
