"""One input of the policies, made of the values that were chosen for its fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

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
    UninspectedCount,
)
from governance.finding import Category, DetectionStatus
from governance.policy.sample import plain
from governance.residency import Level, Tier
from governance.segment import Role

SAMPLE = "sample"
CERTAIN = 1000
_PRIOR = Prior(action="allow", decision_id=SAMPLE, pin=(), response="none")
_SERVED = Served(finish="stop", model=SAMPLE, node=SAMPLE, region=SAMPLE, tier=Tier.DEVICE)

T = TypeVar("T")
# What is chosen by the path of the part that it belongs to, then by the name of the field.
Chosen = Mapping[str, Mapping[str, Any]]


def facts_of(values: Mapping[str, Any], levels: Mapping[str, Level]) -> Facts:
    """The plain sample with `values` laid over it, by dotted path; after the request it has an answer too.

    `entity`, `entity.second`, `subject`, `subject.second` and `label` are findings, whose details stand below the first.
    """
    chosen: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for name, value in values.items():
        part, _, field = name.rpartition(".")
        chosen[part][field] = value
    facts = plain()
    phase = chosen[""].get("phase", facts.phase)
    answered = phase != "request"
    time = _laid_over(facts.context.time, chosen["context.time"])
    return replace(
        facts,
        phase=phase,
        classification=_classification(facts.classification, chosen, levels),
        context=replace(facts.context, time=time, **chosen["context"]),
        origin=_origin(facts.origin, chosen),
        principal=_laid_over(facts.principal, chosen["principal"]),
        prior=_laid_over(_PRIOR, chosen["prior"]) if answered else None,
        request=_request(facts.request, chosen),
        response=_laid_over(_SERVED, chosen["response"]) if answered else None,
    )


def _laid_over(plainest: T, fields: Mapping[str, Any]) -> T:
    # Most inputs differ from the plainest in few parts.
    return replace(plainest, **fields) if fields else plainest  # type: ignore[type-var]


def _request(plainest: Request, chosen: Chosen) -> Request:
    fields = dict(chosen["request"])
    unread = fields.pop("uninspected", None)
    parse = _laid_over(plainest.parse, chosen["request.parse"])
    return replace(
        plainest,
        parse=parse if parse.status == "ok" else replace(parse, reason=SAMPLE),
        uninspected=() if unread is None else (UninspectedCount(count=1, reason=unread),),
        **fields,
    )


def _origin(plainest: Origin, chosen: Chosen) -> Origin:
    first, second = chosen[""].get("subject"), chosen["subject"].get("second")
    permille = {} if second is None else {second: CERTAIN}
    if first is not None:
        permille[first] = chosen["subject"].get("permille", CERTAIN)
    subjects = tuple(
        SubjectJurisdiction(basis="content", code=code, permille=permille[code]) for code in sorted(permille)
    )
    return replace(plainest, subject_jurisdictions=subjects, **chosen["origin"])


def _classification(plainest: Classification, chosen: Chosen, levels: Mapping[str, Level]) -> Classification:
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
