"""Facts from what the dialect read and the detector found. Pure: time, caller and levels come in as values."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from governance.facts import (
    Basis,
    Classification,
    DetectorFact,
    EntityFact,
    Facts,
    LabelFact,
    Origin,
    Parse,
    Phase,
    Principal,
    Request,
    SubjectJurisdiction,
    Surroundings,
    Time,
    UninspectedCount,
)
from governance.finding import Detection, DetectionStatus, Finding
from governance.frozen import frozen
from governance.inference import InferenceRequest
from governance.nodes.node import Node
from governance.residency import Level
from governance.segment import TextSegment

# Bytes of English text per token, the rule of thumb of https://help.openai.com/en/articles/4936856 (about 4).
_BYTES_PER_TOKEN = 4
# When policies are asked: before a request goes anywhere. Answers and streams are not facts yet.
PHASE: Final[Phase] = "request"


@frozen
class Caller:
    """Who asks, from where, through which installation, and what for: a configured purpose, `unknown` or empty.

    `basis` is what says from where.
    """

    principal: Principal
    jurisdiction: str
    env: str
    purpose: str = ""
    basis: Basis = "default"


def providers(nodes: Iterable[Node]) -> Mapping[str, str]:
    """Models and the one provider of all nodes that serve them. A model that several serve, or one unnamed, has none."""
    named: dict[str, set[str]] = {}
    for node in nodes:
        for model in node.models:
            named.setdefault(model, set()).add(node.provider)
    return {model: next(iter(found)) for model, found in named.items() if len(found) == 1 and found != {""}}


def gather(
    request: InferenceRequest,
    detection: Detection,
    caller: Caller,
    levels: Mapping[str, Level],
    now_us: int,
    *,
    provider: str = "",
) -> Facts:
    """The policy input for one request. Equal arguments give equal facts; `now_us` is UTC in microseconds.

    `provider` is the one that every node for the model names, empty where there is no such one.
    """
    return Facts(
        schema="ringfence.input/1",
        phase=PHASE,
        principal=caller.principal,
        origin=Origin(
            jurisdiction=caller.jurisdiction,
            subject_jurisdictions=tuple(
                SubjectJurisdiction(code=found.code, permille=found.permille, basis="content")
                for found in sorted(detection.jurisdictions, key=lambda found: found.code)
            ),
            basis=caller.basis,
        ),
        request=_request(request, provider, caller.purpose),
        classification=_classification(request, detection, levels),
        context=Surroundings(env=caller.env, route=request.operation.value, time=_time(now_us // 60_000_000)),
    )


def _request(request: InferenceRequest, provider: str, purpose: str) -> Request:
    # Most requests have no such part, and counting nothing costs as much as the rest.
    reasons = Counter(part.reason for part in request.uninspected) if request.uninspected else {}
    size = len(request.body)
    return Request(
        protocol=request.protocol,
        operation=request.operation,
        model=request.model,
        provider=provider,
        purpose=purpose,
        stream=request.stream,
        tools=tuple(sorted(set(request.tools))) if request.tools else (),
        bytes=size,
        tokens_est=size // _BYTES_PER_TOKEN,
        messages=request.messages,
        parse=Parse(status="partial" if reasons else "ok", reason=min(reasons).value if reasons else ""),
        media=tuple(sorted(set(request.media))) if request.media else (),
        uninspected=tuple(UninspectedCount(reason=reason, count=reasons[reason]) for reason in sorted(reasons)),
    )


def _classification(request: InferenceRequest, detection: Detection, levels: Mapping[str, Level]) -> Classification:
    entities = _entities(request.segments, detection.findings)
    labels = tuple(
        LabelFact(name=label.name, permille=label.permille)
        for label in sorted(detection.labels, key=lambda label: label.name)
    )
    read = detection.status is DetectionStatus.COMPLETE and not request.uninspected
    # What was not read is not public.
    level = _level(entities, labels, levels) if read else Level.UNKNOWN
    return Classification(
        status=detection.status,
        level=level,
        level_rank=level.rank,
        entities=entities,
        labels=labels,
        residency_labels=tuple(sorted(set(detection.residency_labels))),
        detectors=tuple(DetectorFact(id=run.id, version=run.version, status=run.status) for run in detection.detectors),
    )


def _entities(segments: tuple[TextSegment, ...], findings: tuple[Finding, ...]) -> tuple[EntityFact, ...]:
    rows: dict[str, list[Finding]] = {}
    for finding in findings:
        rows.setdefault(finding.entity_type, []).append(finding)
    return tuple(
        EntityFact(
            category=found[0].category,
            type=entity,
            count=len(found),
            max_permille=max(finding.permille for finding in found),
            validated=any(finding.validated for finding in found),
            where=tuple(sorted({segments[finding.segment].role for finding in found})),
        )
        for entity, found in sorted(rows.items())
    )


def _level(entities: Iterable[EntityFact], labels: Iterable[LabelFact], levels: Mapping[str, Level]) -> Level:
    """The highest level of a type, or of its category where the type has none, and of a label; internal by default."""
    found = [levels.get(row.type) or levels.get(row.category, Level.INTERNAL) for row in entities]
    found += [levels.get(row.name, Level.INTERNAL) for row in labels]
    return max(found, key=lambda level: level.rank, default=Level.PUBLIC)


@functools.lru_cache(maxsize=2)
def _time(utc_minute: int) -> Time:
    now = datetime.fromtimestamp(utc_minute * 60, UTC)
    return Time(
        utc_minute=utc_minute,
        hour=now.hour,
        weekday=now.isoweekday(),
        date=now.date().isoformat(),
    )
