"""The Protocols between the path and the parts that do I/O. Real parts and fakes pass the same tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from governance.decision import Decision
from governance.facts import Facts
from governance.finding import Detection
from governance.frozen import frozen
from governance.nodes.node import Node, Pool
from governance.record import Record
from governance.residency import Level
from governance.segment import TextSegment


class Detector(Protocol):
    """Finds; never decides and never edits."""

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What was found in `segments`; a deadline or failure shows in the status. Raises DetectorUnavailable."""
        ...


class PolicyEngine(Protocol):
    """Decides; never edits. INVARIANT: who reads `levels` and decides without waiting in between has both of one bundle."""

    @property
    def levels(self) -> Mapping[str, Level]:
        """How sensitive each entity type, category and label is, by the policies in force."""
        ...

    async def decide(self, facts: Facts, *, decision_id: str) -> Decision:
        """The decision on `facts`. A failing policy denies inside the decision. Raises PolicyUnavailable."""
        ...


@frozen
class Receipt:
    """Proof that a record is durable: its log and position. Only an AuditSink makes one."""

    origin: str
    seq: int


class AuditSink(Protocol):
    """The write-ahead log of decisions."""

    async def append(self, record: Record) -> Receipt:
        """Returns once `record` is durable (fdatasync succeeded). Raises AuditUnavailable; then nothing may proceed."""
        ...

    def enqueue(self, record: Record) -> None:
        """Takes a record that nothing waits for, to be durable soon. Raises AuditUnavailable."""
        ...


class Fleet(Protocol):
    """The nodes, and the data plane's readiness to route to a set of them."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every declared node."""
        ...

    async def ensure(self, pool: Pool) -> None:
        """Returns once Envoy routes to `pool`. Raises PlacementUnavailable after a bounded wait."""
        ...
