"""Decisions that let a request go and whose outcome is not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from governance.decision import Action
from governance.record import DecisionRecord, OutcomeRecord, Record


def opens(record: Record) -> str | None:
    """The decision id that `record` opens: a request is about to go to a node."""
    if isinstance(record, DecisionRecord) and record.action is not Action.DENY and record.route is not None:
        return record.id
    return None


def closes(record: Record) -> str | None:
    """The decision id whose outcome `record` states."""
    return record.ref if isinstance(record, OutcomeRecord) else None


class Intents:
    """Open decision ids with their seq, oldest first; at most `limit` after `excess` was closed."""

    __slots__ = ("_limit", "_open")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[str, int] = {}

    def note(self, opened: str | None, closed: str | None, seq: int) -> None:
        """Takes in what a durable record did."""
        if opened is not None:
            self._open[opened] = seq
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
        return next(iter(self._open.values()), None)

    def __len__(self) -> int:
        """How many decisions are open."""
        return len(self._open)

    @property
    def seqs(self) -> Mapping[str, int]:
        """All open decisions and their seqs, oldest first."""
        return dict(self._open)

    def excess(self) -> tuple[str, ...]:
        """Decisions to give up on, oldest first: those beyond the limit."""
        over = len(self._open) - self._limit
        return tuple(islice(self._open, max(0, over)))
