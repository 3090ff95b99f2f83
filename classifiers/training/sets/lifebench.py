"""lifebench-pii: messages, calls, notes and notices of seven invented people, with names, places and firms marked.

A record is several entries ("[SMS] ...", "[Note] ..."); an entry is a row, half of them without their bracket. One
person's records are one group. Dates, ages and health are not marked; a place is marked with its whole address, which
is parted here. Of the identifiers the order and booking numbers stay; endings of cards and flight numbers do not.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from classifiers.training import guideline, obvious
from classifiers.training.cutting import LINES, pieces, shifted
from classifiers.training.rows import Row, Span, distinct, tidy

SOURCE: Final = "lifebench-pii"

_ENTRY: Final = re.compile(r"\n\n(?=\[)")
_BRACKET: Final = re.compile(r"\[(?:SMS|Note|Calendar|Photo|Call|Push)[^\]]*\]\s*")
_SPEAKER: Final = re.compile(r"^(?:User|Assistant): ")
_IDENTIFIER: Final = re.compile(r"[A-Z]{0,6}-?\d[\dA-Z-]{5,}")
_CARE_OF: Final = re.compile(r"[^()]*\(([A-Z][^()]*)\)$")
_AT_HOME: Final = re.compile(
    r"(?:(?:.*\b|^)(?:a|an|the|near|by|home|house|apartment|room|study|studio|kitchen|balcony|inside|living|bedroom"
    r"|lounge|residence|front)\b"
    r"(?:.*?\s(?:in|at|of|on)\s(?=[A-Z])|.*))",
    re.IGNORECASE,
)
_NOT_NAMES: Final = frozenset(
    "keep health joyrun system home crown fitness here app community bank hospital company school supermarket".split()
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The entries of every record, cut between lines where they are long."""
    for file in sorted(directory.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield from _rows(json.loads(line))


def _rows(record: dict[str, Any]) -> Iterator[Row]:
    text = record["data_to_answer"]
    spans = tidy(text, (span for mark in record["pii_spans"] for span in _spans(text, mark)))
    spans = guideline.addresses_joined(text, spans)
    for entry, inside in pieces(text, spans, at=_ENTRY, longest=0):
        for part, found in pieces(entry, inside, at=LINES, longest=500):
            plain, kept = _without_bracket(part, found)
            yield _row(plain, kept, record["user"])


def _row(text: str, spans: tuple[Span, ...], person: str) -> Row:
    spans = obvious.marked(text, spans, types=("DATE_TIME", "AGE"))
    return Row(
        text=text,
        spans=spans,
        unmarked=obvious.doubtful(text, spans, ("DATE_TIME", "AGE", "NRP", "MEDICAL", "ID", "ADDRESS")),
        topics={"source_code": False},
        group=f"{SOURCE}/{person}",
        source=SOURCE,
        language="en",
    )


def _without_bracket(text: str, spans: tuple[Span, ...]) -> tuple[str, tuple[Span, ...]]:
    """The entry without its "[SMS]" or "User:", for every other entry by its digest."""
    match = _BRACKET.match(text) or _SPEAKER.match(text)
    if match is None or match.end() == len(text) or blake2b(text.encode(), digest_size=1).digest()[0] % 2:
        return text, spans
    return text[match.end() :], shifted(spans, match.end(), len(text))


def _spans(text: str, mark: dict[str, Any]) -> Iterator[Span]:
    start, end = mark["start"], mark["end"]
    value = text[start:end]
    match mark["type"]:
        case "PERSON" if not value.islower():
            yield from _person(text, start, end)
        case "LOCATION" if not value.islower():
            yield from _place(text, start, end)
        case "ORG" if not value.islower() and not _is_word(text, start, end):
            yield from guideline.trimmed(text, start, end, "ORGANIZATION")
        case "ID":
            for found in _IDENTIFIER.finditer(value):
                yield start + found.start(), start + found.end(), "ID"


def _person(text: str, start: int, end: int) -> Iterator[Span]:
    """The name; of "Mom (Chen Meiling)" the one in brackets."""
    if match := _CARE_OF.match(text[start:end]):
        start, end = start + match.start(1), start + match.end(1)
    yield from guideline.person(text, start, end)


def _place(text: str, start: int, end: int) -> Iterator[Span]:
    """The parts of an address, without the room it begins with ("Study at Home in ...")."""
    for left, right, kind in guideline.place(text, start, end):
        match = _AT_HOME.match(text, left, right) if kind == "LOCATION" else None
        if match is None:
            yield left, right, kind
        elif match.end() < right:
            yield match.end(), right, kind


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether a name that is also a word ("Keep") stands in a sentence as the word ("Keep up the good work")."""
    return text[start:end].lower() in _NOT_NAMES and re.match(r"\s[a-z]", text[end : end + 2]) is not None
