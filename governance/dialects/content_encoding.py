"""Content codings (RFC 9110, section 8.4) undone under a limit: no stage ever holds more than the limit and one chunk."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NoReturn

import brotli  # type: ignore[import-untyped]
import zstandard

from governance.errors import MalformedRequest, RequestTooLarge

MAX_CODINGS: Final = 2
# Input goes in by windows, so that what a decoder hands back as unused is never more than one of them.
_WINDOW: Final = 16 * 1024
_CHUNK: Final = 64 * 1024
# zstandard takes no limit on output. A block needs three bytes and yields at most 128 KiB: 128 bytes give under 6 MiB.
_ZSTD_WINDOW: Final = 128
# RFC 9659: decoders of the `zstd` coding need not support windows above 8 MiB. Bounds the decoder's own memory.
_ZSTD_HISTORY: Final = 8 << 20
# Concatenated members are legal in gzip (RFC 1952) and zstd (RFC 8878); more than this many are an attack on time.
_MEMBERS: Final = 1024


def decode(raw: bytes, encoding: str | None, *, limit: int) -> bytes:
    """`raw` with the codings of the header value `encoding` undone, the last one first.

    Raises RequestTooLarge when a stage yields more than `limit` bytes; MalformedRequest for data that is corrupt,
    truncated or followed by anything, and with code `unsupported_encoding` for an unknown coding or a third one.
    """
    codings = [name for name in _names(encoding) if name != "identity"]
    if len(codings) > MAX_CODINGS or not all(name in _DECODERS for name in codings):
        raise MalformedRequest("unsupported content-encoding", code="unsupported_encoding")
    for name in reversed(codings):
        raw = _collect(_DECODERS[name](raw), limit)
    if len(raw) > limit:
        raise RequestTooLarge("body too large", limit=limit)
    return raw


def _names(encoding: str | None) -> list[str]:
    return [] if encoding is None else [name.strip(" \t").lower() for name in encoding.split(",")]


def _collect(chunks: Iterator[bytes], limit: int) -> bytes:
    decoded = bytearray()
    for chunk in chunks:
        if len(decoded) + len(chunk) > limit:
            raise RequestTooLarge("decoded body too large", limit=limit)
        decoded += chunk
    return bytes(decoded)


def _windows(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[at : at + size] for at in range(0, len(raw), size))


def _gzip(raw: bytes) -> Iterator[bytes]:
    return _zlib(raw, zlib.MAX_WBITS | 16, members=_MEMBERS)


def _deflate(raw: bytes) -> Iterator[bytes]:
    """`deflate` names the zlib format (RFC 1950), and some clients send it bare (RFC 1951)."""
    wrapped = len(raw) >= 2 and raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2], "big") % 31 == 0
    return _zlib(raw, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, members=1)


def _zlib(raw: bytes, wbits: int, *, members: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits)
    for window in _windows(raw, _WINDOW):
        rest = window
        while rest:
            if decoder.eof:
                members -= 1
                if members < 1:
                    _corrupt("data after the end")
                decoder = zlib.decompressobj(wbits)
            try:
                chunk = decoder.decompress(rest, _CHUNK)
                # A full chunk may leave output inside the decoder, with or without input left over.
                while len(chunk) == _CHUNK and not decoder.eof:
                    yield chunk
                    chunk = decoder.decompress(decoder.unconsumed_tail, _CHUNK)
            except zlib.error:
                _corrupt("corrupt data")
            yield chunk
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if not decoder.eof:
        _corrupt("truncated data")


def _brotli(raw: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    try:
        for window in _windows(raw, _WINDOW):
            chunk = decoder.process(window, output_buffer_limit=_CHUNK)
            # Output can wait inside the decoder even when it would accept more input.
            while chunk or not decoder.can_accept_more_data():
                yield chunk
                chunk = decoder.process(b"", output_buffer_limit=_CHUNK)
    except brotli.error:
        _corrupt("corrupt data")
    if not decoder.is_finished():
        _corrupt("truncated data")


def _zstd(raw: bytes) -> Iterator[bytes]:
    members = _MEMBERS
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_HISTORY)
    decoder = decompressor.decompressobj()
    for window in _windows(raw, _ZSTD_WINDOW):
        rest = window
        while rest:
            if decoder.eof:
                members -= 1
                if members < 1:
                    _corrupt("data after the end")
                decoder = decompressor.decompressobj()
            try:
                yield decoder.decompress(rest)
            except zstandard.ZstdError:
                _corrupt("corrupt data")
            rest = decoder.unused_data if decoder.eof else b""
    if not decoder.eof:
        _corrupt("truncated data")


def _corrupt(reason: str) -> NoReturn:
    raise MalformedRequest(f"content-encoding: {reason}") from None


_DECODERS: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = MappingProxyType(
    {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
)
