"""Fakes of our own Protocols. Each can fail on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from governance.decision import Decision
from governance.errors import AuditUnavailable, DetectorUnavailable, PlacementUnavailable, PolicyUnavailable
from governance.facts import Facts
from governance.finding import Detection
from governance.interfaces import Receipt
from governance.nodes.node import Node, Pool
from governance.record import Record
from governance.residency import Level
from governance.segment import TextSegment


@dataclass(slots=True)
class FakeDetector:
    """Answers with `detection`, or fails."""

    detection: Detection
    broken: Exception | None = None
    gate: asyncio.Event | None = None
    seen: list[tuple[TextSegment, ...]] = field(default_factory=list)

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        self.seen.append(tuple(segments))
        if self.gate is not None:
            await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        return self.detection


@dataclass(slots=True)
class FakePolicy:
    """Answers with `decision`, or fails."""

    decision: Decision
    broken: Exception | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    seen: list[Facts] = field(default_factory=list)

    async def decide(self, facts: Facts, *, decision_id: str) -> Decision:
        self.seen.append(facts)
        if self.broken is not None:
            raise self.broken
        return replace(self.decision, decision_id=decision_id)


@dataclass(slots=True)
class FakeAudit:
    """Keeps records in memory; `broken` refuses, `persists_before_failing` keeps the record and refuses all the same."""

    broken: bool = False
    persists_before_failing: bool = False
    gate: asyncio.Event | None = None
    records: list[Record] = field(default_factory=list)

    async def append(self, record: Record) -> Receipt:
        if self.gate is not None:
            await self.gate.wait()
        if not self.broken or self.persists_before_failing:
            self.records.append(record)
        if self.broken:
            raise AuditUnavailable("the disk is gone")
        return Receipt(origin="fake", seq=len(self.records) - 1)

    def enqueue(self, record: Record) -> None:
        if self.broken:
            raise AuditUnavailable("the disk is gone")
        self.records.append(record)


@dataclass(slots=True)
class FakeFleet:
    """Routes to every pool at once, or to none."""

    nodes: tuple[Node, ...]
    broken: bool = False
    ensured: list[Pool] = field(default_factory=list)

    async def ensure(self, pool: Pool) -> None:
        if self.broken:
            raise PlacementUnavailable("not yet")
        self.ensured.append(pool)


FAILURES = (DetectorUnavailable("no detector"), PolicyUnavailable("no policy"), RuntimeError("canary-in-a-bug"))
