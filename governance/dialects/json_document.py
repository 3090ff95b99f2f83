"""JSON (RFC 8259) read so that it can be edited in place: every string and number keeps its span in the text.

What two parsers could read differently is refused: equal names in one object, numbers that do not survive 64 bits,
lone surrogates, byte order marks, invalid UTF-8. orjson judges the grammar; the one pass of our own keeps the spans
and the limits, and runs first so that a hostile body is refused before a tree of it exists.

Spans are code points of the decoded document. UTF-8 decodes and encodes without loss, so a code point outside an edit
is a byte outside the edit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, NoReturn, final

import orjson

from governance.errors import MalformedRequest, RequestTooLarge

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000

# Every alternative is possessive or one character, and the last two leave no position unmatched: linear on any input.
# A lone match of `.` is a fault that the grammar has no place for. Commas and colons are left to orjson.
# A string whose first quote follows no backslash ends there, which a scan for one character finds faster.
_TOKEN: Final = re.compile(
    r"""[ \t\n\r,]*+(?:
        "([^"]*+(?<!\\)(?=")|[^"\\]*+(?:\\.[^"\\]*+)*+)"([ \t\n\r]*+:)?+
      | ([{}\[\]])
      | ([-+.0-9A-Za-z]++)
      | (.)
      | \Z
    )""",
    re.VERBOSE | re.DOTALL,
)
_STRING, _NAME, _BRACKET, _SCALAR, _FAULT = 1, 2, 3, 4, 5
_LITERALS: Final = {"true": True, "false": False, "null": None}
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*+))(\.[0-9]++)?+([eE][-+]?[0-9]++)?+")
# Longer spellings exist only to probe parsers: the longest shortest form of a double has 24 characters.
_NUMBER_MAX: Final = 128
_HIGH: Final = "u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = "u[dD][c-fC-F][0-9a-fA-F]{2}"
# What makes an escape of the backslash in front of it.
_ESCAPED: Final = rf'(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{{4}}|{_HIGH}\\{_LOW})'
# One character of a text, an escape counting as what it stands for; no position is without one.
_CHARACTER: Final = rf"(?:[^\\]|\\{_ESCAPED}|\\(?!{_ESCAPED}))"
# Texts are read by pieces and passed over by runs: a call for each escape costs ten times what the escape does.
_PIECE: Final = re.compile(rf"(?:[^\\]{{1,16}}+|{_CHARACTER}){{1,4096}}+")
# Where no two backslashes are neighbours: one that begins no escape and is not in the middle of one.
_STRAY: Final = re.compile(rf"\\(?!{_ESCAPED}|(?<=\\{_HIGH}\\){_LOW})")
_TOLERANT: Final = json.JSONDecoder(strict=False)


def _runs(*factors: int) -> Iterator[tuple[int, re.Pattern[str]]]:
    """Patterns of exactly so many characters, each the one before so many times; the first is of one character."""
    size, run = 1, _CHARACTER
    yield size, re.compile(run)
    for factor in factors:
        size *= factor
        run = rf"(?:[^\\]{{{size}}}|{run}{{{factor}}}+)"
        yield size, re.compile(run)


# The longest first.
_RUNS: Final = tuple(_runs(8, 8, 8))[::-1]


@final
class String:
    """A string or an object's name: `source[start:end]` lies between its quotes, escapes included."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    def text(self) -> str:
        """What the string says."""
        raw = self.source[self.start : self.end]
        return _unescape(raw) if "\\" in raw else raw


@final
class LooseString:
    """JSON-like text that is not JSON: escapes are read as its reader would, whatever else it holds stays."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: str) -> None:
        self.source = source
        self.start = 0
        self.end = len(source)

    def text(self) -> str:
        """The source with its valid escapes resolved."""
        return _PIECE.sub(_unescape_valid, self.source) if "\\" in self.source else self.source


@final
class Number:
    """A number in the spelling it arrived in."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    def text(self) -> str:
        """The spelling."""
        return self.source[self.start : self.end]


@final
class Object:
    """An object; `members` maps each name to its own string and its value, in order of arrival."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: dict[str, tuple[String, Value]] = {}

    def get(self, name: str) -> Value:
        """The value of `name`, None where it is missing."""
        member = self.members.get(name)
        return None if member is None else member[1]


@final
class Array:
    """An array."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[Value] = []


Value = Object | Array | String | Number | bool | None
Scalar = String | LooseString | Number


class Cut(NamedTuple):
    """Replace `[start, end)` by `text`, in code points of whatever text it is applied to."""

    start: int
    end: int
    text: str


def decode(body: bytes) -> str:
    """The document as text. Raises MalformedRequest for anything but UTF-8 without a byte order mark."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise MalformedRequest("body starts with a byte order mark")
    try:
        return body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise MalformedRequest("body is not UTF-8") from None


def read(source: str, *, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES) -> Value:
    """The one value in `source`; linear time, iterative.

    Raises MalformedRequest for what is not JSON or not read alike by all parsers, RequestTooLarge for more than
    `max_depth` nested containers or more than `max_values` names and values.
    """
    return read_counted(source, max_depth=max_depth, max_values=max_values)[0]


def read_counted(source: str, *, max_depth: int, max_values: int) -> tuple[Value, int]:
    """As `read`, with the number of names and values, so that several documents can share one limit."""
    value, count = _scan(source, max_depth, max_values)
    try:
        orjson.loads(source)
    except orjson.JSONDecodeError:
        raise MalformedRequest("body is not JSON") from None
    return value, count


def _scan(source: str, max_depth: int, max_values: int) -> tuple[Value, int]:
    document = Array()
    stack: list[tuple[Array | Object, str, String | None]] = []
    container: Array | Object = document
    key = ""
    name: String | None = None
    room = max_values
    value: Value
    for token in _TOKEN.finditer(source):
        kind = token.lastindex
        if kind == _NAME:
            if name is not None or type(container) is not Object:
                _refuse("a name where none belongs")
            start, end = token.span(_STRING)
            key = source[start:end]
            if "\\" in key:
                key = _unescape(key)
            if key in container.members:
                raise MalformedRequest("two equal names in one object", code="duplicate_key")
            name = String(source, start, end)
            room -= 1
            continue
        if kind == _STRING:
            value = String(source, *token.span(_STRING))
        elif kind == _SCALAR:
            value = _scalar(source, token)
        elif kind == _BRACKET:
            bracket = token[_BRACKET]
            if bracket in "}]":
                if not stack or name is not None or (type(container) is Object) is not (bracket == "}"):
                    _refuse("unbalanced brackets")
                value = container
                container, key, name = stack.pop()
            else:
                if len(stack) >= max_depth:
                    raise RequestTooLarge("nested too deep", limit=max_depth)
                stack.append((container, key, name))
                container = Object() if bracket == "{" else Array()
                name = None
                continue
        elif kind is None:
            break
        else:
            _refuse("a character that JSON has no place for")
        room -= 1
        if room < 0:
            raise RequestTooLarge("too many values", limit=max_values)
        if type(container) is Array:
            container.items.append(value)
        elif name is not None:
            container.members[key] = (name, value)
            name = None
        else:
            _refuse("a value without a name")
    if stack or len(document.items) != 1:
        _refuse("not one value")
    return document.items[0], max_values - room


def _refuse(reason: str) -> NoReturn:
    raise MalformedRequest(f"body is not JSON: {reason}")


def _scalar(source: str, token: re.Match[str]) -> Value:
    start, end = token.span(_SCALAR)
    if end - start > _NUMBER_MAX:
        _refuse("a number is too long")
    raw = source[start:end]
    if raw in _LITERALS:
        return _LITERALS[raw]
    number = _NUMBER.fullmatch(raw)
    if number is None:
        _refuse("an unknown word")
    if number.end() == number.end(1):
        if not -(1 << 63) <= int(raw) < 1 << 64:
            _refuse("an integer beyond 64 bits")
    elif not math.isfinite(float(raw)) or orjson.loads(raw) != float(raw):
        _refuse("a number beyond a double")
    return Number(source, start, end)


def _unescape(raw: str) -> str:
    try:
        return str(orjson.loads(f'"{raw}"'))
    except orjson.JSONDecodeError:
        raise MalformedRequest("body is not JSON: a string has an invalid escape") from None


def _unescape_valid(piece: re.Match[str]) -> str:
    # Spelled with `u`, an escaped backslash leaves every other one alone: it begins an escape, or is stray.
    raw = _STRAY.sub(r"\\u005c", piece[0].replace("\\\\", r"\u005c"))
    return str(_TOLERANT.decode('"' + raw.replace(r"\"", '"').replace('"', r"\"") + '"'))


def quote(text: str) -> str:
    """`text` as the inside of a JSON string: the fewest escapes, everything else as it is."""
    return orjson.dumps(text).decode()[1:-1]


def cuts(scalar: Scalar, edits: Iterable[Cut]) -> list[Cut]:
    """`edits` of `scalar.text()` as cuts of `scalar.source`, in order. An edited number becomes a string.

    Raises ValueError for edits that overlap or lie outside the text: they would be ours.
    """
    ordered = sorted(edits)
    if isinstance(scalar, Number):
        return [Cut(scalar.start, scalar.end, f'"{quote(splice(scalar.text(), ordered))}"')]
    places = _places(scalar, [place for edit in ordered for place in (edit.start, edit.end)])
    starts, ends = places[::2], places[1::2]
    return [Cut(start, end, quote(edit.text)) for start, end, edit in zip(starts, ends, ordered, strict=True)]


def _places(scalar: String | LooseString, wanted: Iterable[int]) -> list[int]:
    """Positions in the source of the ascending code point positions `wanted` of the text."""
    found: list[int] = []
    at = scalar.start
    previous = 0
    for place in wanted:
        if place < previous:
            raise ValueError("edits overlap")
        at = _ahead(scalar, at, place - previous)
        found.append(at)
        previous = place
    return found


def _ahead(scalar: String | LooseString, at: int, count: int) -> int:
    """The position `count` code points of the text behind `at`. Raises ValueError where that lies outside."""
    source, end = scalar.source, scalar.end
    for size, run in _RUNS:
        if source.find("\\", at, min(at + count, end)) < 0:
            break
        while count >= size:
            passed = run.match(source, at, end)
            if passed is None:
                raise ValueError("edit outside the text")
            at = passed.end()
            count -= size
    if at + count > end:
        raise ValueError("edit outside the text")
    return at + count


def splice(text: str, ordered: Sequence[Cut]) -> str:
    """`text` with `ordered` cuts made; everything outside them is unchanged. Raises ValueError if they overlap."""
    pieces: list[str] = []
    at = 0
    for cut in ordered:
        if not at <= cut.start <= cut.end <= len(text):
            raise ValueError("edits overlap or lie outside the text")
        pieces += (text[at : cut.start], cut.text)
        at = cut.end
    pieces.append(text[at:])
    return "".join(pieces)
