"""Runs one target under atheris: `python -m tests.fuzz.NAME -max_total_time=30`, options as libFuzzer's.

atheris is no dependency: install it beside what `requirements.lock` names. An optional folder behind the options keeps
what was tried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

Target = Callable[[bytes], None]


def run(load: Callable[[], Target]) -> None:
    """Fuzzes what `load` returns until an option of the command line or a failure ends it.

    `load` imports what is fuzzed, so that it is instrumented.
    """
    try:
        import atheris
    except ModuleNotFoundError:
        raise SystemExit("atheris is not installed here; no dependency of ours brings it") from None
    with atheris.instrument_imports(include=["classifiers", "governance"]):
        target = load()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


def text_of(data: bytes) -> str:
    """Any text, lone surrogates included, of which most bytes are still ASCII."""
    return data.decode("utf-8", "surrogateescape")
