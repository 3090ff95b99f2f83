"""Decisions that let a request go and whose outcome is not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from governance.decision import Action
from governance.record import DecisionRecord, OutcomeRecord, Record

# All that an Envoy held is late at once when it died; their outcomes must not fill the queue before records of requests.
_LATE_AT_ONCE = 256


def opens(record: Record) -> str | None:
    """The decision id that `record` opens: a request is about to go to a node."""
    if isinstance(record, DecisionRecord) and record.action is not Action.DENY and record.route is not None:
        return record.id
    return None


def closes(record: Record) -> str | None:
    """The decision id whose outcome `record` states."""
    return record.ref if isinstance(record, OutcomeRecord) else None


class Intents:
    """Open decision ids, oldest first, with their seqs and the monotonic microseconds at which they were durable."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[str, tuple[int, int]] = {}

    def note(self, opened: str | None, closed: str | None, seq: int, at: int = 0) -> None:
        """Takes in what a durable record did."""
        if opened is not None:
            self._open[opened] = seq, at
        elif closed is not None:
            self._open.pop(closed, None)

    def note_stored(self, fields: Mapping[str, Any], seq: int) -> None:
        """The same for a record as it is stored."""
        kind = fields.get("kind")
        if kind == "decision" and fields.get("action") != Action.DENY and fields.get("route") is not None:
            self.note(str(fields.get("id")), None, seq)
        elif kind == "outcome":
            self.note(None, str(fields.get("ref")), seq)

    @property
    def oldest(self) -> int | None:
        """The seq from which a scan finds every open decision."""
        return next((seq for seq, _ in self._open.values()), None)

    def __len__(self) -> int:
        """How many decisions are open."""
        return len(self._open)

    @property
    def seqs(self) -> Mapping[str, int]:
        """All open decisions and their seqs, oldest first."""
        return {ref: seq for ref, (seq, _) in self._open.items()}

    def excess(self, limit: int, until: int) -> tuple[str, ...]:
        """Decisions to give up on, oldest first: those beyond `limit`, and some of those durable at `until` or before."""
        late = 0
        for _, at in self._open.values():
            if at > until or late == _LATE_AT_ONCE:
                break
            late += 1
        return tuple(islice(self._open, max(late, len(self._open) - limit)))
