"""How two decisions on one input differ, in words that a person can weigh: `replay` counts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType

from governance.decision import Action, EffectKind, Obligations, Operator, Pin, Redact
from governance.frozen import frozen
from governance.policy.components import join_pins
from governance.segment import Role

NEW_ALLOWS = ("deny -> allow", "deny -> allow_modified")
NEW_DENIALS = ("allow -> deny", "allow_modified -> deny")
LOOSER = (*NEW_ALLOWS, "pin widened", "pin moved", "redaction weaker", "redaction changed")
# Every way in which a decision can change, the most dangerous first.
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "deny -> allow": "refused before, let through now",
        "deny -> allow_modified": "refused before, let through with obligations now",
        "pin widened": "may go to more nodes than before",
        "redaction weaker": "less is taken out than before",
        "pin moved": "may go to other nodes than before",
        "redaction changed": "something else is taken out than before",
        "allow_modified -> allow": "no obligation any more",
        "allow -> deny": "let through before, refused now",
        "allow_modified -> deny": "let through with obligations before, refused now",
        "allow -> allow_modified": "obligations are new",
        "pin narrowed": "may go to fewer nodes than before",
        "redaction stronger": "more is taken out than before",
        "refusal changed": "refused as before, with another status or code",
        "route changed": "another model, provider or limit",
        "response changed": "the answer is inspected otherwise",
        "audit changed": "retention, detail or alert differ",
        "headers changed": "other headers are set or removed",
    }
)
_EFFECT_OF: Mapping[str, EffectKind] = MappingProxyType(
    {
        "pin": "pin",
        "redaction": "redact",
        "refusal": "deny",
        "route": "route",
        "response": "respond",
        "audit": "audit",
        "headers": "header",
    }
)


@frozen
class Answer:
    """What one side says to one input. `number` is the same for equal answers of that side, and for no others.

    `obligations` is None where only a record is known; `shaping` are policy and effect of what won.
    """

    number: int
    action: Action
    refusal: str
    rules: frozenset[str]
    shaping: frozenset[tuple[str, str]] = frozenset()
    obligations: Obligations | None = None
    failed: bool = False


@frozen
class Change:
    """How two answers differ: keys of CHANGES in their order, and the policies that this is the doing of."""

    kinds: tuple[str, ...]
    policies: tuple[str, ...] = ()


def compare(before: Answer, after: Answer) -> Change:
    """How `after` differs from `before`."""
    kinds = {f"{before.action} -> {after.action}"} if before.action is not after.action else set()
    if before.refusal and after.refusal and before.refusal != after.refusal:
        kinds.add("refusal changed")
    old, new = before.obligations, after.obligations
    # Obligations of a refused request bind nobody.
    if old is not None and new is not None and Action.DENY not in (before.action, after.action):
        kinds.update(_obligations(old, new))
    if not kinds:
        return Change(kinds=())
    differing = {rule.partition("/")[0] for rule in before.rules ^ after.rules}
    shaping = before.shaping | after.shaping
    # Once nothing refuses any more, the policy that opens the gate wins: that is not its doing.
    opening = {policy for policy, _ in shaping} - {policy for policy, effect in shaping if effect != "allow"}
    differing = differing - opening or differing
    if not differing:
        effects = {_EFFECT_OF.get(kind.partition(" ")[0]) for kind in kinds}
        differing = {policy for policy, effect in shaping if effect in effects}
    policies = tuple(sorted(name or "ringfence" for name in differing))
    return Change(kinds=tuple(kind for kind in CHANGES if kind in kinds), policies=policies)


def _obligations(old: Obligations, new: Obligations) -> Iterator[str]:
    if old.pin != new.pin:
        yield from _pins(old.pin, new.pin)
    if old.redact != new.redact:
        yield from _redactions(old.redact, new.redact)
    for name, was, is_now in (
        ("route", old.route, new.route),
        ("response", old.response, new.response),
        ("audit", old.audit, new.audit),
        ("headers", old.headers, new.headers),
    ):
        if was != is_now:
            yield f"{name} changed"


def _pins(old: Pin, new: Pin) -> Iterator[str]:
    was, is_now, both = join_pins([old]), join_pins([new]), join_pins([old, new])
    if was != is_now:
        yield "pin narrowed" if both == is_now else "pin widened" if both == was else "pin moved"


def _redactions(old: Sequence[Redact], new: Sequence[Redact]) -> Iterator[str]:
    entities = sorted({row.entity for row in (*old, *new)})
    cells = list(product(entities, Role, ("request", "response", "log")))
    was = [_strength(old, *cell) for cell in cells]
    is_now = [_strength(new, *cell) for cell in cells]
    weaker = any(a > b for a, b in zip(was, is_now, strict=True))
    stronger = any(a < b for a, b in zip(was, is_now, strict=True))
    if weaker and stronger:
        yield "redaction changed"
    elif weaker:
        yield "redaction weaker"
    elif stronger:
        yield "redaction stronger"
    elif _keys(old) != _keys(new):
        yield "redaction changed"


def _strength(rows: Sequence[Redact], entity: str, role: Role, apply: str) -> tuple[int, int]:
    """Rank of the strongest operator on a value of `entity`, and below that how few characters it leaves."""
    return max(
        (
            (row.operator.rank, -(row.params.last or 0))
            for row in rows
            if row.entity in (entity, "*") and row.apply == apply and (not row.where or role in row.where)
        ),
        default=(Operator.KEEP.rank, 0),
    )


def _keys(rows: Sequence[Redact]) -> set[tuple[str, str | None, str | None]]:
    return {(row.entity, row.params.key_id, row.params.format) for row in rows if row.operator is not Operator.KEEP}
