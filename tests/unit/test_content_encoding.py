"""Content codings: every one round trips, nothing passes the limit, nothing follows the end."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from governance.dialects.content_encoding import decode
from governance.errors import MalformedRequest, RequestTooLarge

PLAIN = b'{"messages":[' + bytes(range(256)) * 600 + b"]}"
MIB = 1 << 20


def bare_deflate(plain: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(plain) + compressor.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda plain: brotli.compress(plain, quality=5),
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("name", ENCODERS)
def test_a_coding_is_undone(name: str) -> None:
    """What went in comes out, for text, for nothing and for incompressible bytes, and the name ignores case."""
    encode = ENCODERS[name]

    assert (PLAIN, b"", b"x") == tuple(
        decode(encode(plain), f" {name.upper()} ", limit=MIB) for plain in (PLAIN, b"", b"x")
    )


def test_no_coding_and_identity_leave_the_bytes_alone() -> None:
    """Absent and `identity` are the same."""
    assert [b"abc"] * 2 == [decode(b"abc", encoding, limit=3) for encoding in (None, "identity")]


def test_deflate_is_accepted_without_its_wrapper() -> None:
    """Some clients send RFC 1951 under the name of RFC 1950."""
    assert PLAIN == decode(bare_deflate(PLAIN), "deflate", limit=MIB)


def test_members_are_concatenated() -> None:
    """gzip and zstd allow several members; zstd skippable frames hold nothing."""
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"

    assert (b"one two", b"one two") == (
        decode(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", limit=100),
        decode(zstandard.compress(b"one ") + skippable + zstandard.compress(b"two"), "zstd", limit=100),
    )


def test_stacked_codings_are_undone_from_the_last() -> None:
    """The header lists them in the order in which they were applied."""
    assert PLAIN == decode(brotli.compress(gzip.compress(PLAIN)), "gzip, identity ,br", limit=MIB)


@pytest.mark.parametrize("encoding", ["", "compress", "gzip;q=1", "gzip,,br", "gzip, br, zstd", "gzip\n", "x"])
def test_other_codings_are_unsupported(encoding: str) -> None:
    """An unknown name, an empty one, or a third coding."""
    with pytest.raises(MalformedRequest) as refused:
        decode(b"abc", encoding, limit=10)

    assert "unsupported_encoding" == refused.value.code


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"",
        lambda raw: raw + b"x",
        lambda raw: raw + b"\x00" * 20_000,
        lambda raw: b"\xff" * 100,
    ],
    ids=["short", "half", "empty", "trailing", "trailing-zeros", "garbage"],
)
def test_damaged_data_is_malformed(name: str, spoil: Callable[[bytes], bytes]) -> None:
    """Truncated, empty, corrupt, or followed by anything."""
    with pytest.raises(MalformedRequest):
        decode(spoil(ENCODERS[name](PLAIN)), name, limit=MIB)


def test_a_wrong_checksum_is_malformed() -> None:
    """gzip carries a CRC of the content."""
    raw = bytearray(gzip.compress(PLAIN))
    raw[-6] ^= 1

    with pytest.raises(MalformedRequest):
        decode(bytes(raw), "gzip", limit=MIB)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_limit_is_exact(name: str) -> None:
    """A body of the limit passes, one byte more does not."""
    raw = ENCODERS[name](PLAIN)

    assert PLAIN == decode(raw, name, limit=len(PLAIN))
    with pytest.raises(RequestTooLarge) as refused:
        decode(raw, name, limit=len(PLAIN) - 1)
    assert len(PLAIN) - 1 == refused.value.limit


# Run in a process of its own: the peak of this one belongs to every test before. Not ru_maxrss, which outlives exec.
BOMB = """
import sys
from pathlib import Path
from governance.dialects.content_encoding import decode
from governance.errors import RequestTooLarge

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

raw = sys.stdin.buffer.read()
before = peak()
try:
    decode(raw, sys.argv[1], limit=8 << 20)
except RequestTooLarge:
    print(peak() - before)
"""


@pytest.mark.parametrize("name", [*ENCODERS, "gzip,gzip"])
def test_a_bomb_is_refused_in_bounded_memory(name: str) -> None:
    """128 MiB of zeros behind a few bytes: the peak of a process grows by little more than the limit."""
    zeros = bytes(128 * MIB)
    raw = gzip.compress(gzip.compress(zeros)) if "," in name else ENCODERS[name](zeros)
    del zeros

    ran = subprocess.run([sys.executable, "-c", BOMB, name], input=raw, capture_output=True, check=True)

    assert int(ran.stdout) < 40 * 1024  # KiB


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("gzip", gzip.compress(b"") * (8 * MIB // 20)),
        ("zstd", zstandard.compress(b"") * (8 * MIB // 9)),
        ("zstd", bytes.fromhex("28b52ffd0058") + bytes(3) * (8 * MIB // 3)),
    ],
    ids=["gzip-members", "zstd-frames", "zstd-empty-blocks"],
)
def test_many_empty_members_are_refused_in_bounded_time(name: str, raw: bytes) -> None:
    """No output means no limit is reached, so the number of members has one of its own."""
    started = time.process_time()
    with pytest.raises(MalformedRequest):
        decode(raw, name, limit=8 * MIB)

    assert time.process_time() - started < 20


def test_a_huge_zstd_window_is_refused() -> None:
    """A frame may ask for gigabytes of history; RFC 9659 lets a server decline beyond 8 MiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=False, write_content_size=0)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    raw = compressor.compress(b"abc") + compressor.flush()

    with pytest.raises(MalformedRequest):
        decode(raw, "zstd", limit=8 * MIB)
