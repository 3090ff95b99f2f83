"""Records out of a log, oldest first, beside a running writer. Reads and decodes; judges nothing: that is `verify`."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from governance.audit.canonical import decode
from governance.audit.frame import Frame, leaf_hash
from governance.audit.segment import FIRST_LEAF, Header, next_frame, read_header, segment_names, walk
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


def lost(root: Path) -> Iterator[str]:
    """Which logs under `root` do not begin with their first record, and what is missing there. Raises OSError.

    Records have a retention, and whoever removes the oldest segments leaves a log that can be read from there on.
    """
    for log in logs(root):
        files = DiskFiles(log / WAL)
        oldest, *_ = (*segment_names(files), "")
        found = read_header(files, oldest) if oldest else None
        if not oldest:
            yield f"`{log}`: there is no segment"
        elif found is not None and found[0].first:
            yield f"`{log}`: records 0 to {found[0].first - 1} are missing before segment `{oldest}`"


def read(root: Path, query: Query = EVERYTHING) -> Iterator[dict[str, Any]]:
    """The records of all logs under `root` that `query` admits.

    Order within a log is that of its seqs; between logs by time, for display only. Memory: one chunk per log. A tail
    that is not whole (a writer at work, or a crash) ends a log silently, and one whose oldest segments were removed begins
    where it begins now: `lost` tells. Raises AuditUnavailable (`audit_corrupt`) where any other place is damaged or records
    between two segments are missing, after the records before it, and OSError.
    """
    streams = [read_log(DiskFiles(log / WAL), query) for log in logs(root)]
    return heapq.merge(*streams, key=lambda record: (record.get("ts", 0), record.get("origin", ""), record["seq"]))


def read_log(files: Files, query: Query = EVERYTHING) -> Iterator[dict[str, Any]]:
    """The records of one log, in the order of their seqs."""
    names = segment_names(files)
    seq, leaf = 0, FIRST_LEAF
    for position, name in enumerate(names):
        found = read_header(files, name)
        if found is None:
            raise _damaged(name, 0, seq)
        header, at = found
        if position == 0 and header.first:
            # Nothing is left that could be held against the link.
            seq, leaf = header.first, header.prev
        if header.first > seq:
            raise AuditUnavailable(
                f"records {seq} to {header.first - 1} are missing before segment `{name}`", code="audit_corrupt"
            )
        if header.first < seq or header.prev != leaf:
            raise AuditUnavailable(f"segment `{name}` does not follow the one before it", code="audit_corrupt")
        successor = read_header(files, names[position + 1]) if position + 1 < len(names) else None
        last = yield from _segment(files, name, query, at=at, seq=seq, successor=successor[0] if successor else None)
        if last is not None:
            seq, leaf = last.seq + 1, leaf_hash(last.payload).hex()


def _segment(
    files: Files, name: str, query: Query, *, at: int, seq: int, successor: Header | None
) -> Generator[dict[str, Any], None, Frame | None]:
    """The wanted records of one segment; returns its last frame."""
    end = files.size(name)
    if successor is not None and successor.abandoned:
        end = min(end, successor.prev_end)
    last: Frame | None = None
    for frame in walk(files, name, at=at, end=end):
        if frame.seq != seq:
            raise _damaged(name, at, seq)
        try:
            record = decode(frame.payload)
        except ValueError:
            raise _damaged(name, at, seq) from None
        if query.admits(record):
            yield record
        at, seq, last = frame.end, seq + 1, frame
    # What the newest segment ends with may be a write under way, unless a later batch proves that it was whole once.
    if at != end and (successor is not None or next_frame(files, name, at=at + 1, end=end, batch_after=seq)):
        raise _damaged(name, at, seq)
    return last


def _damaged(name: str, at: int, seq: int) -> AuditUnavailable:
    return AuditUnavailable(f"segment `{name}` is damaged at offset {at} (record {seq})", code="audit_corrupt")
