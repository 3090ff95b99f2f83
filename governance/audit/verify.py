"""Whether a log is whole and unchanged, as far as the log itself can tell.

Reported: every changed byte, every removed, doubled or moved record or segment, records that are not canonical, and,
against an earlier verdict, everything that this verdict saw and that is gone or different: a verdict holds the Merkle
root over the records it saw.

LIMIT: without signed checkpoints a log alone cannot betray that its newest records were cut off cleanly, nor that
someone who may write to it changed records and made their checksums anew. Keep verdicts elsewhere and verify against
them; what was changed before the first verdict, or is newer than the last, stays within this limit.
LIMIT: a verdict taken beside a running writer may have seen records that were not yet acknowledged. Where a crash
undid them, they are gone to it.
LIMIT: damage inside the very last batch looks like a crash before its records were acknowledged. It is reported as an
incomplete tail, and opening the log would cut it.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import orjson

from governance.audit.canonical import VERSION, decode, is_canonical
from governance.audit.frame import Frame, leaf_hash
from governance.audit.merkle import Frontier
from governance.audit.reader import logs
from governance.audit.segment import (
    FIRST_LEAF,
    Header,
    next_frame,
    read_header,
    segment_names,
    walk,
)
from governance.audit.storage import WAL, DiskFiles, Files
from governance.frozen import frozen

PROBLEMS_MAX = 1_000

# A writer between write and sync shows half a batch for an instant: look again before calling it a problem.
_SETTLE_S = 0.05
_SETTLE_TRIES = 4
_KNOWN = frozenset({"lock", "reserve"})

# Bytes read so far and bytes in all.
Progress = Callable[[int, int], None]


class Fault(StrEnum):
    """What is wrong; the value is stable, the meaning is in `Problem.meaning`."""

    UNREADABLE = "unreadable"
    HEADER = "header"
    STRAY = "stray"
    MISSING = "missing"
    CHAIN = "chain"
    ORIGIN = "origin"
    LENGTH = "length"
    DAMAGED = "damaged"
    MISPLACED = "misplaced"
    INCOMPLETE_TAIL = "incomplete_tail"
    RECORD = "record"
    SHORTER = "shorter"
    REWRITTEN = "rewritten"


@frozen
class Problem:
    """One fault: where it is (file, byte offset, seq of the first record concerned) and what it means."""

    segment: str
    offset: int
    seq: int
    fault: Fault
    meaning: str


@frozen
class Seen:
    """What an earlier verdict knew of a log. Without `root`, as older verdicts are, it speaks of its last record alone."""

    last_seq: int
    last_leaf: str
    root: str | None = None


@frozen
class LogVerdict:
    """One log. Without a record `last_seq` is -1. `problems` holds the first 1,000, `more_problems` counts the rest.

    `root` is the Merkle root (RFC 6962, hex) over all records that could be read; `last_leaf` the hash of the last one.
    """

    log: str
    origin: str
    segments: int
    records: int
    first_seq: int
    last_seq: int
    last_leaf: str
    root: str
    problems: tuple[Problem, ...]
    more_problems: int = 0

    @property
    def seen(self) -> Seen:
        """What a later verification should still find."""
        return Seen(last_seq=self.last_seq, last_leaf=self.last_leaf, root=self.root)


@frozen
class Verdict:
    """All logs under one root."""

    logs: tuple[LogVerdict, ...]

    @property
    def ok(self) -> bool:
        """Whether no log has a problem."""
        return not any(log.problems for log in self.logs)


def verify(root: Path, *, against: Mapping[str, Seen] | None = None, progress: Progress | None = None) -> Verdict:
    """The verdict on every log under `root`; read-only, safe beside a running writer. Raises OSError.

    `against` holds, by log name, what an earlier verdict saw.
    """
    against = against or {}
    # `.` has no name, and a verdict knows a log by the name of its directory wherever it is verified from.
    directories = [(_legible(log.absolute().name), DiskFiles(log / WAL)) for log in logs(root)]
    sizes = [sum(map(files.size, _segments(files))) for _, files in directories]
    verdicts: list[LogVerdict] = []
    done = 0
    for (name, files), size in zip(directories, sizes, strict=True):
        advance = partial(_advance, progress, done, sum(sizes)) if progress else None
        verdicts.append(verify_log(files, name, seen=against.get(name), progress=advance))
        done += size
    gone = [_gone(name) for name in sorted(against.keys() - {name for name, _ in directories})]
    return Verdict(logs=tuple(_with_namesakes(verdicts) + gone))


def _segments(files: Files) -> tuple[str, ...]:
    return tuple(name for name in segment_names(files) if files.regular(name))


def _legible(name: str) -> str:
    """A file name as text that can be written anywhere; a byte that is not UTF-8 stands in it as its number."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _with_namesakes(verdicts: Sequence[LogVerdict]) -> list[LogVerdict]:
    """The verdicts, with a problem for each log whose origin another one has too."""
    origins = Counter(verdict.origin for verdict in verdicts)
    return [
        _namesake(verdict, origins[verdict.origin]) if verdict.origin and origins[verdict.origin] > 1 else verdict
        for verdict in verdicts
    ]


def _namesake(verdict: LogVerdict, count: int) -> LogVerdict:
    meaning = f"{count} logs here have this origin, which only one can have: another one was put in its place"
    first = Problem(segment="", offset=0, seq=0, fault=Fault.ORIGIN, meaning=meaning)
    problems = (first, *verdict.problems)
    more = verdict.more_problems + len(problems[PROBLEMS_MAX:])
    return replace(verdict, problems=problems[:PROBLEMS_MAX], more_problems=more)


def _advance(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _gone(name: str) -> LogVerdict:
    problem = Problem(segment="", offset=0, seq=0, fault=Fault.MISSING, meaning="the whole log is gone")
    return LogVerdict(
        log=name,
        origin="",
        segments=0,
        records=0,
        first_seq=0,
        last_seq=-1,
        last_leaf=FIRST_LEAF,
        root=Frontier().root().hex(),
        problems=(problem,),
    )


def verify_log(
    files: Files, log: str = "", *, seen: Seen | None = None, progress: Callable[[int], None] | None = None
) -> LogVerdict:
    """The verdict on one log. Memory: one chunk."""
    return _Verification(files=files, seen=seen, progress=progress).run(log)


@dataclass(slots=True, kw_only=True)
class _Verification:
    """One pass over a log. Goes on behind each fault, so that one fault does not hide another."""

    files: Files
    seen: Seen | None
    progress: Callable[[int], None] | None
    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    origin: str = ""
    records: int = 0
    first: int | None = None
    expected: int = 0
    last_leaf: str = FIRST_LEAF
    tree: Frontier = field(default_factory=Frontier)
    seen_leaf: str | None = None
    seen_root: str = ""
    bytes_read: int = 0
    name: str = ""

    def run(self, log: str) -> LogVerdict:
        # Listed first: a segment that a writer starts in between is no stranger.
        listed = self.files.names()
        names = _segments(self.files)
        for stray in listed:
            if stray not in names and stray not in _KNOWN and not stray.endswith(".seg.tmp"):
                self.name = _legible(stray)
                self.report(0, Fault.STRAY, "not a file that the log wrote; links, pipes and devices are not read")
        if not names:
            self.report(0, Fault.MISSING, "there is no segment")
        headers = {name: read_header(self.files, name) for name in names}
        end_before: int | None = None
        for position, name in enumerate(names):
            successor = headers[names[position + 1]] if position + 1 < len(names) else None
            newest = position == len(names) - 1
            end_before = self.segment(name, headers[name], successor[0] if successor else None, end_before, newest)
        self.compare()
        return LogVerdict(
            log=log,
            origin=self.origin,
            segments=len(names),
            records=self.records,
            first_seq=self.first or 0,
            last_seq=self.expected - 1,
            last_leaf=self.last_leaf,
            root=self.tree.root().hex(),
            problems=tuple(self.problems),
            more_problems=self.more,
        )

    def segment(
        self,
        name: str,
        found: tuple[Header, int] | None,
        successor: Header | None,
        end_before: int | None,
        newest: bool,
    ) -> int | None:
        """Checks one segment; the offset where its records end."""
        self.name = name
        size = self.files.size(name)
        if found is None:
            self.report(0, Fault.HEADER, "the header is damaged or is that of another file; its records are not read")
            self.expected = successor.first if successor else self.expected
            self.last_leaf = successor.prev if successor else self.last_leaf
            return None
        header, at = found
        self.link(header, end_before)
        if self.first is None:
            self.first = header.first
        end = size
        if successor is not None and successor.prev_end != size:
            if successor.prev_end < size and successor.abandoned:
                end = successor.prev_end
            else:
                self.report(
                    min(size, successor.prev_end),
                    Fault.LENGTH,
                    f"the segment has {size} bytes and had {successor.prev_end} when the next one was started",
                )
        end_of_records = self.records_of(at, end, newest)
        self.bytes_read += size
        if self.progress is not None:
            self.progress(self.bytes_read)
        return end_of_records

    def link(self, header: Header, end_before: int | None) -> None:
        if not self.origin:
            self.origin = header.origin
        if header.origin != self.origin:
            self.report(0, Fault.CHAIN, f"the segment is from the log `{header.origin}`")
        if header.first > self.expected:
            self.report(0, Fault.MISSING, f"records {self.expected} to {header.first - 1} are missing")
        elif header.first < self.expected:
            self.report(0, Fault.MISPLACED, f"the segment starts again at record {header.first}")
        elif header.prev != self.last_leaf:
            self.report(0, Fault.CHAIN, f"record {header.first - 1} is not the one that this segment follows")
        elif end_before is not None and header.prev_end != end_before and not self.problems:
            self.report(0, Fault.LENGTH, f"the segment before ends at {end_before}, not at {header.prev_end}")
        self.expected = header.first

    def records_of(self, at: int, end: int, newest: bool) -> int:
        tries = _SETTLE_TRIES
        while True:
            at, misplaced = self.valid(at, end)
            if at >= end:
                return at
            if newest and not misplaced and tries:
                tries -= 1
                time.sleep(_SETTLE_S)
                end = self.files.size(self.name)
                continue
            behind = next_frame(self.files, self.name, at=at if misplaced else at + 1, end=end)
            self.report_flaw(at, end, behind, misplaced=misplaced, newest=newest)
            if behind is None:
                return at
            at, self.expected = behind.offset, behind.seq

    def valid(self, at: int, end: int) -> tuple[int, bool]:
        """Takes in the records from `at` on; where they end, and whether a whole frame with another number follows."""
        for frame in walk(self.files, self.name, at=at, end=end):
            if frame.seq != self.expected:
                return at, True
            self.record(frame)
            at, self.expected = frame.end, frame.seq + 1
        return at, False

    def report_flaw(self, at: int, end: int, behind: Frame | None, *, misplaced: bool, newest: bool) -> None:
        seq = self.expected
        if misplaced and behind is not None:
            what = "is missing" if behind.seq > seq else "is followed by an older one"
            self.report(at, Fault.MISPLACED, f"record {seq} {what}: record {behind.seq} stands in its place")
        elif behind is not None:
            self.report(at, Fault.DAMAGED, f"record {seq} is damaged; reading goes on at record {behind.seq}")
        elif newest:
            self.report(
                at,
                Fault.INCOMPLETE_TAIL,
                f"{end - at} bytes are no record: a crash before they were acknowledged, or damage to the newest"
                " record; opening the log will cut them",
            )
        else:
            self.report(at, Fault.DAMAGED, f"record {seq} and all behind it in this segment are damaged")

    def record(self, frame: Frame) -> None:
        self.records += 1
        leaf = leaf_hash(frame.payload)
        self.last_leaf = leaf.hex()
        if self.seen is not None and not self.seen_root:
            if frame.seq > self.seen.last_seq:
                self.seen_root = self.tree.root().hex()
            elif frame.seq == self.seen.last_seq:
                self.seen_leaf = leaf.hex()
        self.tree.add(leaf)
        if fault := self.irregular(frame):
            self.report(frame.offset, Fault.RECORD, fault, seq=frame.seq)

    def irregular(self, frame: Frame) -> str:
        try:
            fields = decode(frame.payload)
            if not is_canonical(frame.payload, fields):
                return "the record is not in canonical form"
        except (orjson.JSONDecodeError, TypeError, RecursionError):
            return "the record is not canonical JSON"
        except ValueError as error:
            return str(error)
        if fields["seq"] != frame.seq or fields["origin"] != self.origin or fields["v"] != VERSION:
            return "the record's envelope names another place, log or version"
        return ""

    def compare(self) -> None:
        if self.seen is None or self.seen.last_seq < 0:
            return
        if self.expected <= self.seen.last_seq:
            self.report(
                0,
                Fault.SHORTER,
                f"records {self.expected} to {self.seen.last_seq} were there when this log was last verified",
            )
        elif self.seen.root is not None:
            # Without a record behind those that were seen, the whole tree is what there is of them.
            if self.seen.root != (self.seen_root or self.tree.root().hex()):
                self.report(
                    0,
                    Fault.REWRITTEN,
                    f"records 0 to {self.seen.last_seq} are not all those that were there when this log was last verified",
                    seq=0,
                )
        elif self.seen_leaf != self.seen.last_leaf:
            self.report(
                0,
                Fault.REWRITTEN,
                f"record {self.seen.last_seq} is not the one that was there when this log was last verified",
                seq=self.seen.last_seq,
            )

    def report(self, offset: int, fault: Fault, meaning: str, *, seq: int | None = None) -> None:
        if len(self.problems) >= PROBLEMS_MAX:
            self.more += 1
            return
        at = self.expected if seq is None else seq
        self.problems.append(Problem(segment=self.name, offset=offset, seq=at, fault=fault, meaning=meaning))
