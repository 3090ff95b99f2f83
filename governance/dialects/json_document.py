"""JSON (RFC 8259) read so that it can be edited in place: every string and number keeps its span in the text.

What two parsers could read differently is refused: equal names in one object, numbers that do not survive 64 bits,
lone surrogates, byte order marks, invalid UTF-8. orjson judges the grammar; the one pass of our own keeps the spans
and the limits, and runs first so that a hostile body is refused before a tree of it exists.

Spans are code points of the decoded document. UTF-8 decodes and encodes without loss, so a code point outside an edit
is a byte outside the edit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
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
_ESCAPE: Final = re.compile(
    r"""\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
          | u(?![dD][89a-fA-F])[0-9a-fA-F]{4}
          | ["\\/bfnrt])""",
    re.VERBOSE,
)


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
        return _ESCAPE.sub(lambda escape: _unescape(escape[0]), self.source)


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


def _places(scalar: String | LooseString, wanted: Sequence[int]) -> list[int]:
    """Positions in the source of the ascending code point positions `wanted` of the text."""
    found: list[int] = []
    escapes = _ESCAPE.finditer(scalar.source, scalar.start, scalar.end)
    escape = next(escapes, None)
    shift = scalar.start
    previous = 0
    for place in wanted:
        if place < previous:
            raise ValueError("edits overlap")
        while escape is not None and escape.start() < place + shift:
            shift += escape.end() - escape.start() - 1
            escape = next(escapes, None)
        if place + shift > scalar.end:
            raise ValueError("edit outside the text")
        found.append(place + shift)
        previous = place
    return found


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
