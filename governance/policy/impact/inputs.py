"""One input of the policies, made of the values that were chosen for its fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar, final

from governance.facts import (
    Classification,
    EntityFact,
    Facts,
    LabelFact,
    Origin,
    Prior,
    Request,
    Served,
    SubjectJurisdiction,
    Surroundings,
    UninspectedCount,
)
from governance.finding import Category, DetectionStatus
from governance.policy.impact.covering import Row
from governance.policy.sample import plain
from governance.residency import Level, Tier
from governance.segment import Role

SAMPLE = "sample"
CERTAIN = 1000
_PRIOR = Prior(action="allow", decision_id=SAMPLE, pin=(), response="none")
_SERVED = Served(finish="stop", model=SAMPLE, node=SAMPLE, region=SAMPLE, tier=Tier.DEVICE)

_MISSING = object()
_MOST_MADE = 65_536
T = TypeVar("T")
# What is chosen by the path of the part that it belongs to, then by the name of the field.
Chosen = Mapping[str, Mapping[str, Any]]


@final
class Inputs:
    """Inputs by the place of each value on its axis; the plain sample holds where no axis says anything.

    Axes are named by the dotted path of their field. `entity`, `entity.second`, `subject`, `subject.second` and `label` are
    findings, whose details stand below the first. What is the same in many inputs is made once.
    """

    def __init__(self, axes: Sequence[tuple[str, Sequence[Any]]], levels: Mapping[str, Level]) -> None:
        self._levels = levels
        self._values = [values for _, values in axes]
        self._fields = [name.rpartition(".")[::2] for name, _ in axes]
        self._parts: dict[str, list[int]] = {part: [] for part in _PARTS}
        for at, (name, _) in enumerate(axes):
            head = name.partition(".")[0]
            self._parts[_FINDINGS.get(head, head)].append(at)
        self._made: dict[tuple[str, tuple[int, ...]], Any] = {}

    def facts(self, row: Row) -> Facts:
        """The input that takes the value at `row[i]` of axis `i`; after the request it has an answer too."""
        parts = {part: self._part(part, tuple([row[at] for at in axes])) for part, axes in self._parts.items()}
        if parts["phase"] == "request":
            parts["prior"] = parts["response"] = None
        return replace(plain(), **parts)

    def _part(self, part: str, places: tuple[int, ...]) -> Any:
        made = self._made.get((part, places), _MISSING)
        if made is _MISSING:
            chosen: defaultdict[str, dict[str, Any]] = defaultdict(dict)
            for at, place in zip(self._parts[part], places, strict=True):
                above, field = self._fields[at]
                chosen[above][field] = self._values[at][place]
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            made = self._made[part, places] = _PARTS[part](chosen, self._levels)
        return made


def _context(chosen: Chosen, _: Mapping[str, Level]) -> Surroundings:
    plainest = plain().context
    return replace(plainest, time=_laid_over(plainest.time, chosen["context.time"]), **chosen["context"])


def _laid_over(plainest: T, fields: Mapping[str, Any]) -> T:
    # Most inputs differ from the plainest in few parts.
    return replace(plainest, **fields) if fields else plainest  # type: ignore[type-var]


def _request(chosen: Chosen, _: Mapping[str, Level]) -> Request:
    plainest = plain().request
    fields = dict(chosen["request"])
    unread = fields.pop("uninspected", None)
    parse = _laid_over(plainest.parse, chosen["request.parse"])
    return replace(
        plainest,
        parse=parse if parse.status == "ok" else replace(parse, reason=SAMPLE),
        uninspected=() if unread is None else (UninspectedCount(count=1, reason=unread),),
        **fields,
    )


def _origin(chosen: Chosen, _: Mapping[str, Level]) -> Origin:
    first, second = chosen[""].get("subject"), chosen["subject"].get("second")
    permille = {} if second is None else {second: CERTAIN}
    if first is not None:
        permille[first] = chosen["subject"].get("permille", CERTAIN)
    subjects = tuple(
        SubjectJurisdiction(basis="content", code=code, permille=permille[code]) for code in sorted(permille)
    )
    return replace(plain().origin, subject_jurisdictions=subjects, **chosen["origin"])


def _classification(chosen: Chosen, levels: Mapping[str, Level]) -> Classification:
    plainest = plain().classification
    fields = dict(chosen["classification"])
    label = chosen[""].get("label")
    rows = _entities(chosen[""].get("entity"), **chosen["entity"])
    status = fields.get("status", plainest.status)
    level = _level(status, rows, label, levels, fields.pop("level", plainest.level))
    return replace(
        plainest,
        entities=rows,
        labels=() if label is None else (LabelFact(name=label, permille=chosen["label"].get("permille", CERTAIN)),),
        level=level,
        level_rank=level.rank,
        **fields,
    )


def _entities(
    first: tuple[str, Category] | None,
    *,
    second: tuple[str, Category] | None = None,
    permille: int = CERTAIN,
    count: int = 1,
    validated: bool = False,
    where: tuple[Role, ...] = (Role.USER,),
) -> tuple[EntityFact, ...]:
    """The rows of both, by type; the details are those of the first, which wins over a second of its type."""
    rows = {}
    if second is not None:
        name, category = second
        rows[name] = EntityFact(
            category=category, count=1, max_permille=CERTAIN, type=name, validated=True, where=(Role.USER,)
        )
    if first is not None:
        name, category = first
        rows[name] = EntityFact(
            category=category, count=count, max_permille=permille, type=name, validated=validated, where=where
        )
    return tuple(rows[name] for name in sorted(rows))


def _level(
    status: DetectionStatus, rows: Iterable[EntityFact], label: str | None, levels: Mapping[str, Level], least: Level
) -> Level:
    """The level that such findings have, or `least` where that is more: whoever finds may know better."""
    if status is not DetectionStatus.COMPLETE:
        return Level.UNKNOWN
    found = [levels.get(row.type) or levels.get(row.category, Level.INTERNAL) for row in rows]
    found += [levels.get(label, Level.INTERNAL)] if label is not None else []
    return max((*found, least), key=lambda level: level.rank)


# The parts of an input that have axes, and how each is made of the values chosen for it.
_PARTS: Mapping[str, Callable[[Chosen, Mapping[str, Level]], Any]] = MappingProxyType(
    {
        "phase": lambda chosen, _: chosen[""].get("phase", plain().phase),
        "classification": _classification,
        "context": _context,
        "origin": _origin,
        "principal": lambda chosen, _: _laid_over(plain().principal, chosen["principal"]),
        "prior": lambda chosen, _: _laid_over(_PRIOR, chosen["prior"]),
        "request": _request,
        "response": lambda chosen, _: _laid_over(_SERVED, chosen["response"]),
    }
)
_FINDINGS: Mapping[str, str] = MappingProxyType(
    {"entity": "classification", "label": "classification", "subject": "origin"}
)
