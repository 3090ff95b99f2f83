"""An HTTP/2 caller with prior knowledge, as small as it can be: one request, with or without trailers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable

_DATA, _HEADERS, _RST, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
Pairs = Iterable[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _length(value: int) -> bytes:
    """A string's length with a prefix of 7 bits, not Huffman coded (RFC 7541, section 5.1)."""
    if value < 127:
        return bytes((value,))
    rest, out = value - 127, bytearray((127,))
    while rest >= 128:
        out.append(rest % 128 | 128)
        rest //= 128
    return bytes((*out, rest))


def _block(pairs: Pairs) -> bytes:
    """Literal fields that are never indexed (RFC 7541, section 6.2.3)."""
    return b"".join(b"\x10" + _length(len(k)) + k + _length(len(v)) + v for k, v in pairs)


async def ask(
    host: str, port: int, head: Pairs, body: bytes = b"", trailers: Pairs = (), *, timeout_s: float = 10.0
) -> tuple[bool, bytes]:
    """Whether the stream ended in good order, and the answer's body. What is sent is one DATA frame at most."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(_SETTINGS, 0, 0))
        bare = not body and not trailers
        writer.write(frame(_HEADERS, _END_HEADERS | (_END_STREAM if bare else 0), 1, _block(head)))
        if body:
            writer.write(frame(_DATA, 0 if trailers else _END_STREAM, 1, body))
        if trailers:
            writer.write(frame(_HEADERS, _END_HEADERS | _END_STREAM, 1, _block(trailers)))
        async with asyncio.timeout(timeout_s):
            return await _answer(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bool, bytes]:
    received = bytearray()
    while True:
        start = await reader.readexactly(9)
        kind, flags, payload = start[3], start[4], await reader.readexactly(int.from_bytes(start[:3]))
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(frame(_SETTINGS, _ACK, 0))
        if kind in (_RST, _GOAWAY):
            return False, bytes(received)
        if kind == _DATA:
            received += payload
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            return True, bytes(received)
