"""Long texts in pieces of the length of a message, with their spans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from classifiers.training.rows import Span, tidy

LINES = re.compile(r"\n+")
SENTENCES = re.compile(r"\n+|(?<=[.!?])\s+(?=[^\W\d_])")

_EDGES = " \t\r\n\ufeff\u00a0"


def pieces(
    text: str, spans: Sequence[Span], *, at: re.Pattern[str], longest: int
) -> Iterator[tuple[str, tuple[Span, ...]]]:
    """`text` in order, in pieces of at most `longest` code points, each cut where `at` matches outside every span.

    A piece is longer where nothing can be cut. Pieces begin and end with neither white space nor a byte order mark.
    """
    begin = 0
    ends = [*_cuts(text, spans, at), len(text)]
    for end, following in zip(ends, [*ends[1:], None], strict=True):
        if following is None or following - begin > longest:
            if (inner := text[begin:end]).strip(_EDGES):
                yield _piece(inner, begin, spans)
            begin = end


def shifted(spans: Sequence[Span], begin: int, end: int) -> tuple[Span, ...]:
    """Those of `spans` that lie within `begin` and `end`, counted from `begin`."""
    return tuple((left - begin, right - begin, kind) for left, right, kind in spans if begin <= left and right <= end)


def _piece(inner: str, begin: int, spans: Sequence[Span]) -> tuple[str, tuple[Span, ...]]:
    begin += len(inner) - len(inner.lstrip(_EDGES))
    inner = inner.strip(_EDGES)
    return inner, tidy(inner, shifted(spans, begin, begin + len(inner)))


def _cuts(text: str, spans: Sequence[Span], at: re.Pattern[str]) -> Iterator[int]:
    for match in at.finditer(text):
        if all(match.end() <= left or right <= match.start() for left, right, _ in spans):
            yield match.end()
