"""A frame: one record as it lies in a segment, and how to tell it from anything else. Pure.

    u16 length | u16 position | u32 CRC-32 | u64 seq | payload        all little-endian

`length` is that of the payload. `position` counts the frames before this one in its batch (one write, one fdatasync).
A batch is written only after the one before it is durable; so a frame of a later batch proves that everything before
its batch was durable, and a frame of the same batch proves nothing. Recovery lives on that difference. The CRC covers
length, position, seq and payload.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# A tlog-tiles entry has a u16 length, and an entry is the payload.
PAYLOAD_MAX = 65_535
# Frames per write: `position` is a u16, with room to spare.
BATCH_FRAMES = 4_096
# The seq of a header frame: no record reaches it.
HEADER_SEQ = 2**64 - 1

_HEAD = struct.Struct("<HHIQ")
_COVERED = struct.Struct("<HHQ")
HEAD_BYTES = _HEAD.size
FRAME_MAX = HEAD_BYTES + PAYLOAD_MAX
# Where a payload may start: a JSON object behind the high byte of a seq below 2^56. JSON itself holds no NUL byte, so
# nested objects are passed over at the speed of the search. A checksum is only made of what also ends as an object does.
_CLOSE = ord("}")
_START = re.compile(rb'\x00\{"')


class Frame(NamedTuple):
    """A valid frame. `offset` is where it starts in its file. (A tuple: a scan makes a million of them.)"""

    offset: int
    seq: int
    position: int
    payload: bytes

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.offset + HEAD_BYTES + len(self.payload)

    @property
    def batch(self) -> int:
        """The seq of the first frame of its batch."""
        return self.seq - self.position


def leaf_hash(payload: bytes) -> bytes:
    """The Merkle leaf hash of a record (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + payload).digest()


def pack(records: Iterable[tuple[int, bytes]]) -> bytes:
    """One batch: the frames of (seq, payload) pairs in order, at most BATCH_FRAMES of them."""
    parts: list[bytes] = []
    crc32, head, covered = zlib.crc32, _HEAD.pack, _COVERED.pack
    for position, (seq, payload) in enumerate(records):
        length = len(payload)
        crc = crc32(payload, crc32(covered(length, position, seq)))
        parts.append(head(length, position, crc, seq))
        parts.append(payload)
    return b"".join(parts)


def unpack(buffer: bytes, at: int, base: int = 0) -> Frame | None:
    """The frame that starts at `buffer[at]`, or None where no whole and valid one does. `base` is added to offsets."""
    start = at + HEAD_BYTES
    if start > len(buffer):
        return None
    length, position, crc, seq = _HEAD.unpack_from(buffer, at)
    payload = buffer[start : start + length]
    if not length or len(payload) != length:
        return None
    if zlib.crc32(payload, zlib.crc32(_COVERED.pack(length, position, seq))) != crc:
        return None
    return Frame(base + at, seq, position, payload)


def search(buffer: bytes, base: int = 0) -> Iterator[Frame]:
    """Every valid frame of a record that starts anywhere in `buffer`, overlapping ones included."""
    for match in _START.finditer(buffer):
        start = match.start() + 1
        at = start - HEAD_BYTES
        if at < 0:
            continue
        last = start + int.from_bytes(buffer[at : at + 2], "little") - 1
        if last < len(buffer) and buffer[last] == _CLOSE and (frame := unpack(buffer, at, base)):
            yield frame
