"""A user's own labelled texts: one JSON object a line.

    {"text": "Ask Jane Roe.", "spans": [[4, 12, "PERSON"]], "topics": {"health": false}, "language": "en", "group": "ask"}

`text` alone is needed. `spans` are [start, end, type] in code points, half open, and must not overlap; a line without
`spans` says nothing about types, one with an empty list says that there is nothing of any type. Types are those of
detection (`PERSON`, `EMAIL_ADDRESS`, ...). `types` lists those that a line marks, where it is not every type of the file, or for
an empty list every type there is.
`topics` is an object of known topics, or a list of those that hold while all others do not. `group` says which lines
resemble each other; a line without one stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

from classifiers.evaluation.names import same_name, trimmed
from classifiers.evaluation.scores import EVERY_KIND, Labelled, Mark
from classifiers.training.rows import TOPICS
from governance.errors import ConfigInvalid
from governance.frozen import frozen

MAX_LINES: Final = 200_000
MAX_LINE_BYTES: Final = 8 << 20
MAX_TEXT: Final = 1_000_000
MAX_SPANS: Final = 10_000

_KEYS: Final = frozenset({"text", "spans", "topics", "types", "language", "group"})
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_UNKNOWN_LANGUAGE = "und"


class _Wrong(Exception):
    """What is wrong with a line; the message quotes nothing of its text."""


@frozen
class _Line:
    number: int
    text: str
    marks: tuple[Mark, ...]
    kinds: frozenset[str] | None
    says_spans: bool
    topics: Mapping[str, bool]
    language: str
    group: str


def own_texts(path: Path) -> list[Labelled]:
    """The texts of the file, in its order. Raises ConfigInvalid with file and line."""
    lines = list(_read(path))
    if not lines:
        raise ConfigInvalid("holds no labelled text", file=str(path))
    everywhere = frozenset(mark.kind for line in lines for mark in line.marks)
    source = path.stem or str(path)
    return [
        Labelled(
            text=line.text,
            marks=line.marks,
            kinds=_kinds(line, everywhere),
            topics=line.topics,
            group=f"{source}/{line.group or line.number}",
            source=source,
            language=line.language,
        )
        for line in lines
    ]


def _kinds(line: _Line, everywhere: frozenset[str]) -> frozenset[str] | None:
    if not line.says_spans:
        return frozenset()
    if line.kinds is not None:
        return line.kinds
    return everywhere if line.marks else EVERY_KIND


def _read(path: Path) -> Iterator[_Line]:
    try:
        with path.open("rb") as stream:
            number = 0
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                try:
                    if line := _line(raw, number):
                        yield line
                except _Wrong as wrong:
                    raise ConfigInvalid(str(wrong), file=str(path), line=number) from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a path").lower()
        raise ConfigInvalid(f"cannot be read: {reason}", file=str(path)) from None


def _line(raw: bytes, number: int) -> _Line | None:
    """None for an empty line."""
    if number > MAX_LINES:
        raise _Wrong(f"the file has more than {MAX_LINES:,} lines")
    if len(raw) > MAX_LINE_BYTES:
        raise _Wrong(f"the line is over {MAX_LINE_BYTES:,} bytes")
    if not raw.strip():
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _Wrong("the line is not a JSON document") from None
    if not isinstance(value, dict):
        raise _Wrong("the line is not a JSON object")
    if unknown := sorted(value.keys() - _KEYS):
        raise _Wrong(f"unknown key `{_shown(unknown[0])}`; the keys are {', '.join(sorted(_KEYS))}")
    text = value.get("text")
    if not isinstance(text, str):
        raise _Wrong("`text` is not a string" if "text" in value else "`text` is missing")
    if len(text) > MAX_TEXT:
        raise _Wrong(f"`text` is over {MAX_TEXT:,} characters")
    kinds = _types(value["types"]) if "types" in value else None
    return _Line(
        number=number,
        text=text,
        marks=_marks(text, value.get("spans", []), kinds),
        kinds=kinds,
        says_spans="spans" in value or "types" in value,
        topics=_topics(value.get("topics", {})),
        language=_language(value.get("language", _UNKNOWN_LANGUAGE)),
        group=_group(value.get("group", "")),
    )


def _marks(text: str, value: Any, kinds: frozenset[str] | None) -> tuple[Mark, ...]:
    if not isinstance(value, list):
        raise _Wrong("`spans` is not a list")
    if len(value) > MAX_SPANS:
        raise _Wrong(f"`spans` has more than {MAX_SPANS:,} entries")
    spans = sorted((_span(text, each, at) for at, each in enumerate(value)), key=lambda span: span[:2])
    for (_, left, _), (right, end, _) in pairwise(spans):
        if right < left:
            raise _Wrong(f"the span at {right} to {end} overlaps another")
    marks = []
    for start, end, kind in spans:
        if kinds is not None and kind not in kinds:
            raise _Wrong(f"`types` lacks `{kind}`, which a span has")
        left, right = trimmed(text, start, end, kind)
        marks.append(Mark(start=left, end=right, kind=kind))
    return tuple(marks)


def _span(text: str, value: Any, at: int) -> tuple[int, int, str]:
    if not (isinstance(value, list) and len(value) == 3):
        raise _Wrong(f"span {at + 1} is not [start, end, type]")
    start, end, kind = value
    if not (type(start) is int and type(end) is int):
        raise _Wrong(f"start and end of span {at + 1} are not integers")
    if not 0 <= start < end <= len(text):
        raise _Wrong(f"span {at + 1} is {start} to {end} of a text of {len(text)} characters")
    return start, end, _type(kind)


def _type(value: Any) -> str:
    if not (isinstance(value, str) and _TYPE.fullmatch(value)):
        raise _Wrong("a type is not a name such as `PERSON`")
    return same_name(value)


def _types(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise _Wrong("`types` is not a list")
    return frozenset(_type(each) for each in value)


def _topics(value: Any) -> Mapping[str, bool]:
    if isinstance(value, list):
        _known(value)
        return {name: name in value for name in TOPICS}
    if not isinstance(value, dict) or not all(isinstance(truth, bool) for truth in value.values()):
        raise _Wrong("`topics` is neither an object of topics that are true or false nor a list of topics")
    _known(list(value))
    return value


def _known(names: Sequence[Any]) -> None:
    for name in names:
        if name not in TOPICS:
            raise _Wrong(f"no topic `{_shown(name)}`; the topics are {', '.join(TOPICS)}")


def _language(value: Any) -> str:
    if not (isinstance(value, str) and _LANGUAGE.fullmatch(value)):
        raise _Wrong("`language` is not a code such as `en`")
    return value


def _group(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 256:
        raise _Wrong("`group` is not a string of up to 256 characters")
    return value


def _shown(value: object) -> str:
    """What a user wrote where a name should stand, cut short."""
    return str(value)[:40]
