"""Records out of a log, oldest first, beside a running writer. Reads and decodes; judges nothing: that is `verify`."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from governance.audit.segment import read_header, segment_names, walk
from governance.audit.storage import WAL, DiskFiles, Files
from governance.errors import AuditUnavailable
from governance.frozen import frozen


@frozen
class Query:
    """Which records are wanted: all conditions hold. None is any.

    `decision` matches a decision and its outcome, `action` decisions alone; `since` is UTC in microseconds.
    """

    decision: str | None = None
    action: str | None = None
    kind: str | None = None
    since: int | None = None

    def admits(self, record: dict[str, Any]) -> bool:
        """Whether `record` is wanted."""
        return (
            (self.decision is None or self.decision in (record.get("id"), record.get("ref")))
            and (self.action is None or self.action == record.get("action"))
            and (self.kind is None or self.kind == record.get("kind"))
            and (self.since is None or self.since <= record.get("ts", 0))
        )


EVERYTHING = Query()


def logs(root: Path) -> tuple[Path, ...]:
    """The log directories under `root`: itself, or one for each worker. Raises OSError."""
    if (root / WAL).is_dir():
        return (root,)
    return tuple(sorted(child for child in root.iterdir() if (child / WAL).is_dir()))


def read(root: Path, query: Query = EVERYTHING) -> Iterator[dict[str, Any]]:
    """The records of all logs under `root` that `query` admits.

    Order within a log is that of its seqs; between logs by time, for display only. Memory: one chunk per log. A tail
    that is not whole (a writer at work, or a crash) ends a log silently. Raises AuditUnavailable (`audit_corrupt`)
    where an earlier place is damaged, after the records before it, and OSError.
    """
    streams = [read_log(DiskFiles(log / WAL), query) for log in logs(root)]
    return heapq.merge(*streams, key=lambda record: (record.get("ts", 0), record.get("origin", ""), record["seq"]))


def read_log(files: Files, query: Query = EVERYTHING) -> Iterator[dict[str, Any]]:
    """The records of one log, in the order of their seqs."""
    names = segment_names(files)
    for position, name in enumerate(names):
        found = read_header(files, name)
        if found is None:
            raise AuditUnavailable(f"segment `{name}` is damaged at offset 0", code="audit_corrupt")
        header, at = found
        successor = read_header(files, names[position + 1]) if position + 1 < len(names) else None
        claimed_end = successor[0].prev_end if successor else None
        yield from _segment(files, name, query, at=at, seq=header.first, claimed_end=claimed_end)


def _segment(
    files: Files, name: str, query: Query, *, at: int, seq: int, claimed_end: int | None
) -> Iterator[dict[str, Any]]:
    end = files.size(name) if claimed_end is None else claimed_end
    for frame in walk(files, name, at=at, end=end):
        if frame.seq != seq:
            raise AuditUnavailable(f"segment `{name}` is damaged at offset {at} (record {seq})", code="audit_corrupt")
        at, seq = frame.end, seq + 1
        record = orjson.loads(frame.payload)
        if query.admits(record):
            yield record
    if claimed_end is not None and at != claimed_end:
        raise AuditUnavailable(f"segment `{name}` is damaged at offset {at} (record {seq})", code="audit_corrupt")
