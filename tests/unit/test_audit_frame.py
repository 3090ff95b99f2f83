"""Frames: exact bytes, and nothing else accepted."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from governance.audit.frame import Frame, leaf_hash, pack, search, unpack

PAYLOADS = st.lists(st.binary(min_size=1, max_size=40).map(lambda tail: b'{"' + tail), min_size=1, max_size=5)


def test_a_frame_has_its_stated_layout() -> None:
    """u16 length, u16 position, u32 CRC, u64 seq, payload, little-endian; the CRC covers all but itself."""
    crc = zlib.crc32(b"\x04\x00" + b"\x01\x00" + b"\x08" + b"\x00" * 7 + b'{"b"')

    assert struct.pack("<HHIQ", 4, 1, crc, 8) + b'{"b"' == pack([(7, b'{"a"'), (8, b'{"b"')])[20:]


def test_the_leaf_hash_is_that_of_rfc_6962() -> None:
    """The test vector of Certificate Transparency for the empty leaf."""
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@given(payloads=PAYLOADS, seq=st.integers(0, 2**53))
def test_a_batch_reads_back_as_written(payloads: list[bytes], seq: int) -> None:
    """Seqs and positions count on; every frame names the first seq of its batch."""
    data = pack(list(enumerate(payloads, seq)))
    frames = []
    at = 0
    while frame := unpack(data, at):
        frames.append(frame)
        at = frame.end

    assert [(seq + i, i, payload, seq) for i, payload in enumerate(payloads)] == [
        (frame.seq, frame.position, frame.payload, frame.batch) for frame in frames
    ]
    assert len(data) == at


@given(payload=st.binary(min_size=1, max_size=60), where=st.integers(0), change=st.integers(1, 255))
def test_a_changed_byte_is_no_frame(payload: bytes, where: int, change: int) -> None:
    """In the head as in the payload."""
    data = bytearray(pack([(5, payload)]))
    data[where % len(data)] ^= change

    assert unpack(bytes(data), 0) is None


def test_zeros_are_no_frame() -> None:
    """A hole in a file is never a record."""
    assert unpack(bytes(64), 0) is None


@given(before=st.binary(max_size=30), after=st.binary(max_size=30))
def test_a_frame_is_found_behind_any_rubbish(before: bytes, after: bytes) -> None:
    """Wherever it starts."""
    data = pack([(3, b'{"a":{"b":1}}')])

    assert Frame(100 + len(before), 3, 0, b'{"a":{"b":1}}') in list(search(before + data + after, 100))
