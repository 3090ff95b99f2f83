"""What a log directory holds when it is opened: where to go on, what to cut, what was left open. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from governance.audit.canonical import decode
from governance.audit.frame import Frame, leaf_hash
from governance.audit.intents import Intents
from governance.audit.segment import FlawKind, Header, Scan, read_header, scan, segment_names
from governance.audit.storage import Files
from governance.errors import AuditUnavailable
from governance.frozen import frozen

_MEANING = {
    FlawKind.TORN: "its end is missing, although a later segment follows",
    FlawKind.DAMAGED: "valid records follow, so this one was durable and has been changed",
    FlawKind.MISPLACED: "a record with another number stands there",
}


@frozen
class Recovered:
    """The end of a log.

    `end` is the offset after the last valid record of segment `name`, `torn` the number of bytes behind it, to be cut;
    `last` is the payload of that record, None where the segment holds none. `clean` means that the log was closed;
    else `open_seqs` has the decisions without outcome and their seqs, oldest first.
    """

    name: str
    header: Header
    end: int
    torn: int
    next_seq: int
    last: bytes | None
    clean: bool
    open_seqs: Mapping[str, int]


def recover(files: Files) -> Recovered | None:
    """The end of the log, None where there is no segment. Raises AuditUnavailable (`audit_corrupt`) with the place.

    The headers of all segments are read, and the records of the last two, and of those further back that may hold an
    open decision. `verify` reads everything.
    """
    names = segment_names(files)
    if not names:
        return None
    headers = _headers(files, names)
    since = headers[names[-1]][0].open_since
    start = max(0, len(names) - 2)
    while since is not None and start and headers[names[start]][0].first > since:
        start -= 1
    return _scan_from(files, names, headers, start)


def _headers(files: Files, names: tuple[str, ...]) -> dict[str, tuple[Header, int]]:
    headers: dict[str, tuple[Header, int]] = {}
    for name in names:
        found = read_header(files, name)
        if found is None:
            _corrupt(name, 0, None, "its header cannot be read")
        headers[name] = found
    return headers


def _scan_from(files: Files, names: tuple[str, ...], headers: dict[str, tuple[Header, int]], start: int) -> Recovered:
    pending = Intents()

    def note(name: str, frame: Frame) -> None:
        try:
            fields = decode(frame.payload)
        except ValueError:
            _corrupt(name, frame.offset, frame.seq, "what stands there is not a record")
        pending.note_stored(fields, frame.seq)

    for position, name in enumerate(names[start:], start):
        header, at = headers[name]
        size = files.size(name)
        newest = position == len(names) - 1
        end = size if newest else _claimed_end(headers[names[position + 1]][0], name, size)
        found = scan(files, name, at=at, seq=header.first, end=end, visit=partial(note, name))
        if found.flaw and not (newest and found.flaw.kind is FlawKind.TORN):
            _corrupt(name, found.flaw.offset, found.flaw.seq, _MEANING[found.flaw.kind])
        if not newest:
            last_leaf = leaf_hash(found.last).hex() if found.last is not None else header.prev
            _check_link(names[position + 1], headers[names[position + 1]][0], found, last_leaf)
    clean = found.flaw is None and found.last is not None and decode(found.last)["kind"] == "stop"
    return Recovered(
        name=name,
        header=header,
        end=found.end,
        torn=size - found.end,
        next_seq=found.next_seq,
        last=found.last,
        clean=clean,
        open_seqs={} if clean else pending.seqs,
    )


def _claimed_end(successor: Header, name: str, size: int) -> int:
    if size < successor.prev_end or (size > successor.prev_end and not successor.abandoned):
        _corrupt(name, min(size, successor.prev_end), None, f"it has {size} bytes and had {successor.prev_end}")
    return successor.prev_end


def _check_link(name: str, header: Header, before: Scan, last_leaf: str) -> None:
    if header.first != before.next_seq or header.prev != last_leaf:
        _corrupt(name, 0, None, f"it does not continue the segment before, which ends before record {before.next_seq}")


def _corrupt(name: str, offset: int, seq: int | None, meaning: str) -> NoReturn:
    record = f" (record {seq})" if seq is not None else ""
    raise AuditUnavailable(
        f"segment `{name}` is damaged at offset {offset}{record}: {meaning}; the log stays closed", code="audit_corrupt"
    )
