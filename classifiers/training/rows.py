"""What everything that trains or measures reads: a text, what is marked in it, and how much of that is known.

A set marks only its own types. A word without a span therefore says one of two things: "none of the ten types", or
"none of those this set marks". `Row.unmarked` names the types for which it says the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Literal

from classifiers.model.manifest import LABELS, TOPICS, TYPES
from governance.frozen import frozen

__all__ = ["LABELS", "TOPICS", "TYPES", "Loader", "Row", "Span", "Split", "distinct", "split_of", "tidy"]

Span = tuple[int, int, str]
Split = Literal["train", "dev", "test"]
Loader = Callable[[Path], "Iterator[Row]"]


@frozen
class Row:
    """One text.

    INVARIANT: spans are (start, end, type) in code points, half open, in order, disjoint, inside the text, and neither
    begin nor end with white space. Topics that are not in `topics` are unknown. `group` is what a split never tears
    apart (a template, a persona, a document) and begins with the source, so that two sets cannot share one.
    """

    text: str
    spans: tuple[Span, ...] = ()
    unmarked: frozenset[str] = frozenset()
    topics: Mapping[str, bool]
    group: str
    source: str
    language: str

    def __post_init__(self) -> None:
        """Raises ValueError where the invariant does not hold; the message quotes no text."""
        if not self.group.startswith(f"{self.source}/"):
            raise ValueError(f"group of source `{self.source}` does not begin with it")
        if unknown := (self.unmarked - set(TYPES)) | (self.topics.keys() - set(TOPICS)):
            raise ValueError(f"not a type or a topic: {', '.join(sorted(unknown))}")
        for start, end, kind in self.spans:
            if kind not in TYPES:
                raise ValueError(f"not a type: {kind}")
            if not 0 <= start < end <= len(self.text):
                raise ValueError(f"{kind} at {start} to {end} of a text of {len(self.text)}")
            if self.text[start].isspace() or self.text[end - 1].isspace():
                raise ValueError(f"{kind} at {start} to {end} has white space at its edge")
        for (_, left, _), (right, _, kind) in pairwise(self.spans):
            if right < left:
                raise ValueError(f"{kind} at {right} begins before the end of the one before, {left}")


def tidy(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """`spans` as a row wants them: without white space at the edges, in order, the longer of two that overlap."""
    kept: list[Span] = []
    for start, end, kind in sorted((_trimmed(text, span) for span in spans), key=_longest_first):
        if start < end and all(end <= left or right <= start for left, right, _ in kept):
            kept.append((start, end, kind))
    return tuple(sorted(kept))


def distinct(loader: Loader) -> Loader:
    """`loader` without the rows whose text came before: a repeat would stand on both sides of a split."""

    @wraps(loader)
    def rows(directory: Path) -> Iterator[Row]:
        seen: set[str] = set()
        for row in loader(directory):
            if row.text not in seen:
                seen.add(row.text)
                yield row

    return rows


def split_of(row: Row) -> Split:
    """The part `row` belongs to, the same for the whole group, on every machine and for good: 80, 10, 10 of 100."""
    bucket = int.from_bytes(blake2b(row.group.encode(), digest_size=8).digest()) % 100
    if bucket < 80:
        return "train"
    return "dev" if bucket < 90 else "test"


def _trimmed(text: str, span: Span) -> Span:
    start, end, kind = span
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip()), kind


def _longest_first(span: Span) -> tuple[int, int]:
    start, end, _ = span
    return start - end, start
