"""The fuzz targets hold for a few bodies and texts without a fuzzer, so that they stay runnable."""

from __future__ import annotations

import gzip
from importlib import import_module

import pytest

BODY = b'{"model":"m","messages":[{"role":"user","content":"mail jane@example.com"}],"seed":1.50e+1}'
SEEDS = (
    b"",
    b"\x00",
    b"\xff\xfe",
    BODY,
    b"\x00" + BODY,
    b"\x08" + gzip.compress(BODY),
    b"\x08" + gzip.compress(BODY)[:-4],
    b'{"a":1,"a":2}',
    b"[1, 18446744073709551616]",
    b"Passaporte FZ123456",
    b"j o h n @ e x . c o, 4111\n1111 1111 1111, %2540, amFuZUBleGFtcGxlLmNvbSwgNDExMSAxMTEx",
    "\u202ecba \U000e0041 \uff41\uff11".encode(),
)


@pytest.mark.parametrize("name", ["dialects", "json_document", "scanner", "views"])
def test_a_fuzz_target_takes_any_bytes(name: str) -> None:
    """No exception and no failed law, whatever the bytes."""
    target = import_module(f"tests.fuzz.{name}").load()

    assert [None] * len(SEEDS) == [target(seed) for seed in SEEDS]
