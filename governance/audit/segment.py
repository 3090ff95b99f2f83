"""A segment: a header frame that ties it to the segment before, then frames with contiguous seqs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum

import orjson

from governance.audit.canonical import canonical
from governance.audit.frame import FRAME_MAX, HEADER_SEQ, Frame, pack, search, unpack
from governance.audit.storage import Files
from governance.frozen import frozen

FORMAT = 1
FIRST_LEAF = "0" * 64

_CHUNK = 1 << 20
_INTEGERS = 2**53
_NAME = re.compile(r"[0-9]{20}\.seg")


def segment_name(first: int) -> str:
    """The file name of the segment whose first record is `first`; names sort as seqs do."""
    return f"{first:020d}.seg"


def segment_names(files: Files) -> tuple[str, ...]:
    """The segments of a log, oldest first."""
    return tuple(name for name in files.names() if _NAME.fullmatch(name))


@frozen
class Header:
    """What a segment says of itself and of the one before it.

    `prev` is the leaf hash of the last record before this segment and `prev_end` the length of the valid part of the
    segment before. With `abandoned`, that segment failed to sync: what lies behind `prev_end` in it is void.
    `open_since` is the seq of the oldest decision without outcome: recovery starts to look there.
    """

    origin: str
    first: int
    prev: str = FIRST_LEAF
    prev_end: int = 0
    abandoned: bool = False
    open_since: int | None = None

    def pack(self) -> bytes:
        """The header frame."""
        fields = {
            "abandoned": int(self.abandoned),
            "first": self.first,
            "format": FORMAT,
            "origin": self.origin,
            "prev": self.prev,
            "prev_end": self.prev_end,
        }
        if self.open_since is not None:
            fields["open_since"] = self.open_since
        return pack([(HEADER_SEQ, canonical(fields))])


def read_header(files: Files, name: str) -> tuple[Header, int] | None:
    """The header of a segment and the offset of its first record; None where it is damaged or not of this format."""
    frame = unpack(files.read(name, 0, FRAME_MAX), 0)
    if frame is None or frame.seq != HEADER_SEQ:
        return None
    header = _parse(frame.payload)
    return (header, frame.end) if header is not None and name == segment_name(header.first) else None


def _parse(payload: bytes) -> Header | None:
    try:
        fields = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    match fields:
        case {
            "abandoned": 0 | 1 as abandoned,
            "first": int(first),
            "format": 1,
            "origin": str(origin),
            "prev": str(prev),
            "prev_end": int(prev_end),
        } if len(prev) == len(FIRST_LEAF) and 0 <= first < _INTEGERS and 0 <= prev_end < _INTEGERS:
            since = fields.get("open_since")
            header = Header(
                origin=origin,
                first=first,
                prev=prev,
                prev_end=prev_end,
                abandoned=bool(abandoned),
                open_since=since if isinstance(since, int) and 0 <= since < _INTEGERS else None,
            )
            return header if header.pack()[-len(payload) :] == payload else None
        case _:
            return None


class FlawKind(StrEnum):
    """Why a scan stopped before the end."""

    TORN = "torn"  # nothing after it proves that this place was ever durable: the mark of a crash
    DAMAGED = "damaged"  # a later batch exists, so this place was durable and has been changed
    MISPLACED = "misplaced"  # a whole frame with the wrong seq: removed, doubled or moved records


@frozen
class Flaw:
    """Where the valid part ends, and the seq that was expected there."""

    kind: FlawKind
    offset: int
    seq: int


@frozen
class Scan:
    """The valid part of a segment: where it ends, which seq comes next, its last payload (None without a record)."""

    end: int
    next_seq: int
    last: bytes | None
    flaw: Flaw | None


def walk(files: Files, name: str, *, at: int, end: int) -> Iterator[Frame]:
    """Valid frames from offset `at`, until one is not valid or `end` is reached. Memory: one chunk."""
    buffer, base, spot = b"", at, 0
    while True:
        if len(buffer) - spot < FRAME_MAX and (room := end - base - len(buffer)) > 0:
            buffer = buffer[spot:] + files.read(name, base + len(buffer), min(_CHUNK, room))
            base, spot = base + spot, 0
        frame = unpack(buffer, spot, base)
        if frame is None:
            return
        yield frame
        spot = frame.end - base


def next_frame(files: Files, name: str, *, at: int, end: int, batch_after: int = -1) -> Frame | None:
    """The first valid frame that starts at `at` or later and whose batch began after the seq `batch_after`."""
    while at < end:
        buffer = files.read(name, at, min(_CHUNK + FRAME_MAX, end - at))
        for frame in search(buffer, at):
            if frame.batch > batch_after:
                return frame
        if len(buffer) <= FRAME_MAX:
            return None
        at += len(buffer) - FRAME_MAX
    return None


def scan(files: Files, name: str, *, at: int, seq: int, end: int, visit: Callable[[Frame], None] | None = None) -> Scan:
    """What is valid from offset `at`, where `seq` is expected, up to `end`. `visit` sees each frame."""
    last: bytes | None = None
    for frame in walk(files, name, at=at, end=end):
        if frame.seq != seq:
            return Scan(end=at, next_seq=seq, last=last, flaw=Flaw(kind=FlawKind.MISPLACED, offset=at, seq=seq))
        if visit is not None:
            visit(frame)
        at, seq, last = frame.end, seq + 1, frame.payload
    if at >= end:
        return Scan(end=at, next_seq=seq, last=last, flaw=None)
    proof = next_frame(files, name, at=at + 1, end=end, batch_after=seq)
    kind = FlawKind.TORN if proof is None else FlawKind.DAMAGED
    return Scan(end=at, next_seq=seq, last=last, flaw=Flaw(kind=kind, offset=at, seq=seq))
