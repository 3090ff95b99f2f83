"""The pieces of text in a document (JSON, JSON lines, CSV), each with where it stands and what names it.

JSON is read more loosely here than on the path: equal names, lone surrogates and numbers of any size are no reason not to
look inside. What cannot be read as its format is read as text, so that nothing is passed over.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Final


class Format(StrEnum):
    """How a document is read. `auto` goes by the suffix."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


_SUFFIXES: Final = {
    ".json": Format.JSON,
    ".geojson": Format.JSON,
    ".har": Format.JSON,
    ".ipynb": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
}
_MAX_DEPTH: Final = 512
_MAX_CONTEXT: Final = 96
# Of a pointer: there is one for each finding, however long keys are and however deep they lie.
MAX_POINTER: Final = 512
_CUT: Final = "\N{HORIZONTAL ELLIPSIS}"
# Shorter numbers identify nobody.
_LEAST_DIGITS: Final = 4


class NotInFormat(Exception):
    """The document is not in the format it was taken for; nothing of it is quoted."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where in a document a value stands: the way down to it, keys and positions, from the inside out."""

    above: Node | None
    key: str | int

    def pointer(self, masks: Mapping[str, str]) -> str:
        """The JSON Pointer (RFC 6901); a key in which something was found stands there as its mask.

        Of a long key the beginning is shown, of a long pointer the end, with `…` for the rest.
        """
        keys: list[str] = []
        length = 0
        node: Node | None = self
        while node is not None:
            key = str(node.key)
            shown = masks.get(key, key)
            shown = shown if len(shown) <= _MAX_CONTEXT else f"{shown[:_MAX_CONTEXT]}{_CUT}"
            keys.append("/" + shown.replace("~", "~0").replace("/", "~1"))
            length += len(keys[-1])
            node = node.above
            if length > MAX_POINTER and node is not None:
                keys.append(_CUT)
                break
        return "".join(reversed(keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A text that begins at `start` of the document and is named by `context` (a key, the heading of a column).

    `shifts` are (offset in `text`, by how much the document is ahead from there on). A key or heading (`is_key`) has the
    node of what it names, a cell that of the number of its column; a `number` has no quotes around it. A `stray` one is not in the format of the document.
    """

    text: str
    start: int = 0
    context: str = ""
    node: Node | None = None
    shifts: tuple[tuple[int, int], ...] = ()
    is_key: bool = False
    number: bool = False
    stray: bool = False

    def place(self, offset: int) -> int:
        """The offset in the document of `offset` in `text`."""
        at = bisect_right(self.shifts, offset, key=lambda shift: shift[0]) if self.shifts else 0
        return self.start + offset + (self.shifts[at - 1][1] if at else 0)


def format_of(wanted: Format, path: PurePath) -> Format:
    """The format that was asked for, or the one the suffix says."""
    return _SUFFIXES.get(path.suffix.lower(), Format.TEXT) if wanted is Format.AUTO else wanted


def pieces(text: str, kind: Format, *, tabs: bool = False) -> Iterator[Piece]:
    """The pieces of `text`, in order. Raises NotInFormat, perhaps after some of them."""
    if kind is Format.JSON:
        yield from json_pieces(text, 0, len(text))
    elif kind is Format.JSONL:
        yield from _line_pieces(text)
    elif kind is Format.CSV:
        yield from _cells(text, tabs=tabs)
    else:
        yield Piece(text=text)


# --- JSON ----------------------------------------------------------------------------------------------------------

# Possessive throughout: linear on any input.
_TOKEN: Final = re.compile(
    r"""[ \t\n\r,]*+(?:
        "([^"\\]*+(?:\\.[^"\\]*+)*+)"([ \t\n\r]*+:)?+
      | ([{}\[\]])
      | ([-+.0-9A-Za-z]++)
      | (.)
      | \Z
    )""",
    re.VERBOSE | re.DOTALL,
)
_STRING, _NAME, _BRACKET, _SCALAR = 1, 2, 3, 4
_WORDS: Final = frozenset({"true", "false", "null", "NaN", "Infinity", "-Infinity"})
_NUMBER: Final = re.compile(r"[-+]?+[0-9]++(?:\.[0-9]++)?+(?:[eE][-+]?+[0-9]++)?+")
_ESCAPE: Final = re.compile(
    r"\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[0-9a-fA-F]{4})|.)", re.DOTALL
)
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def json_pieces(source: str, start: int, end: int) -> Iterator[Piece]:
    """The strings, names and longer numbers of the one JSON value in `source[start:end]`. Raises NotInFormat."""
    stack: list[tuple[bool, Node | None, str, int]] = []
    # Of the container: whether it is an object, the way to it, the nearest name, and how many values it has so far.
    in_object, way, named, count = False, None, "", 0
    name: str | None = None
    for token in _TOKEN.finditer(source, start, end):
        kind = token.lastindex
        if kind == _NAME:
            if name is not None or not in_object:
                raise NotInFormat
            piece = _string(source, token, None)
            name = piece.text
            yield Piece(text=name, start=piece.start, shifts=piece.shifts, node=Node(way, name), is_key=True)
            continue
        if kind is None:
            break
        closing = kind == _BRACKET and token[_BRACKET] in "}]"
        if not closing:
            if (name is None) if in_object else (not stack and count > 0):
                raise NotInFormat
            key: str | int = name if name is not None else count
            node = Node(way, key) if stack else None
            context, name, count = named if name is None else name[:_MAX_CONTEXT], None, count + 1
        if kind == _STRING:
            yield _string(source, token, node, context)
        elif kind == _SCALAR:
            number = _scalar(token)
            if number is not None:
                yield Piece(text=number, start=token.start(_SCALAR), context=context, node=node, number=True)
        elif closing:
            if not stack or name is not None or in_object is not (token[_BRACKET] == "}"):
                raise NotInFormat
            in_object, way, named, count = stack.pop()
        elif kind == _BRACKET:
            if len(stack) >= _MAX_DEPTH:
                raise NotInFormat
            stack.append((in_object, way, named, count))
            in_object, way, named, count = token[_BRACKET] == "{", node, context, 0
        else:
            raise NotInFormat
    if stack or count != 1:
        raise NotInFormat


def _scalar(token: re.Match[str]) -> str | None:
    word = token[_SCALAR]
    if word in _WORDS:
        return None
    if _NUMBER.fullmatch(word) is None:
        raise NotInFormat
    return word if sum(map(str.isdigit, word)) >= _LEAST_DIGITS else None


def _string(source: str, token: re.Match[str], node: Node | None, context: str = "") -> Piece:
    start, end = token.span(_STRING)
    raw = source[start:end]
    if "\\" not in raw:
        return Piece(text=raw, start=start, context=context, node=node)
    written: list[str] = []
    shifts: list[tuple[int, int]] = []
    done, length, ahead = 0, 0, 0
    for escape in _ESCAPE.finditer(raw):
        said = _said(escape[0])
        written += (raw[done : escape.start()], said)
        length += escape.start() - done + len(said)
        ahead += escape.end() - escape.start() - len(said)
        done = escape.end()
        shifts.append((length, ahead))
    written.append(raw[done:])
    return Piece(text="".join(written), start=start, context=context, node=node, shifts=tuple(shifts))


def _said(escape: str) -> str:
    """The one character that `escape` stands for; what is no escape stands for itself."""
    if len(escape) == 12:
        high, low = int(escape[2:6], 16), int(escape[8:], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    if len(escape) == 6:
        return chr(int(escape[2:], 16))  # noqa: FURB166  it does not say 0x
    return _SHORT.get(escape[1], escape[1])


# Read twice, for its pieces take more than a hundred times its memory.
_LONG_LINE: Final = 1 << 20


def _line_pieces(text: str) -> Iterator[Piece]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        try:
            # All of a line or nothing: what its pieces leave out would be passed over if the rest is not JSON.
            found: Iterable[Piece] = json_pieces(text, start, end)
            if end - start > _LONG_LINE:
                deque(found, maxlen=0)
                found = json_pieces(text, start, end)
            else:
                found = list(found)
        except NotInFormat:
            line = text[start:end]
            found = [Piece(text=line, start=start, stray=bool(line.strip()))]
        yield from found
        start = end + 1


# --- CSV -----------------------------------------------------------------------------------------------------------

_DELIMITERS: Final = ",;\t|"
# A first row of more cells is none of headings.
_MOST_HEADINGS: Final = 4_096
# One such cell, and the row is none of headings.
_NO_HEADING: Final = re.compile(r"@|[0-9]{5}")
_NAMED: Final = re.compile(r"[A-Za-z\u00aa-\U0010ffff]")
# Rows of nothing, and among them the line in which Excel is told the delimiter.
_BEGINNING: Final = re.compile(
    r"""(?:[ ,;\t|]*+[\r\n])*+(?:"?+sep=([^\w\s"]|\t)"?+(?:[\r\n]|\Z)(?:[ ,;\t|]*+[\r\n])*+)?+""", re.IGNORECASE
)


def _delimiter(text: str, start: int) -> str:
    """What stands most often in the line that begins at `start`."""
    end = text.find("\n", start)
    line = text[start : min(end if end >= 0 else len(text), start + 65_536)]
    return max(_DELIMITERS, key=line.count)


def _cells(text: str, *, tabs: bool) -> Iterator[Piece]:
    begun = _BEGINNING.match(text)
    assert begun is not None  # noqa: S101 - all of it may be missing
    delimiter = begun[1] or ("\t" if tabs else _delimiter(text, begun.end()))
    between = re.escape(delimiter)
    # A quote that is never closed is part of a plain cell.
    cell = re.compile(
        rf'(?:"([^"]*+(?:""[^"]*+)*+)"(?={between}|\r?\n|\r|\Z)|([^{between}\r\n]*+))({between}|\r\n|\n|\r|\Z)'
    )
    headings: list[str] = []
    first: list[Piece] | None = []
    column = 0
    for match in cell.finditer(text, begun.end()):
        if match.start() == match.end() == len(text) and column == 0:
            break
        heading = headings[column] if column < len(headings) else ""
        piece = _cell(match, heading[:_MAX_CONTEXT], Node(None, column + 1))
        ends_row = match[3] != delimiter
        if first is not None:
            first.append(piece)
            if ends_row or len(first) == _MOST_HEADINGS:
                if ends_row and all(_NO_HEADING.search(each.text) is None for each in first):
                    headings = [each.text if _NAMED.search(each.text) else "" for each in first]
                    first = [replace(each, is_key=True) for each in first]
                yield from first
                first = None
        elif piece.text:
            yield piece
        column = 0 if ends_row else column + 1
    yield from first or ()


def _cell(match: re.Match[str], context: str, node: Node) -> Piece:
    quoted = match[1]
    if quoted is None:
        return Piece(text=match[2], start=match.start(2), context=context, node=node)
    shifts: list[tuple[int, int]] = []
    at = quoted.find('""')
    while at >= 0:
        shifts.append((at + 1 - len(shifts), len(shifts) + 1))
        at = quoted.find('""', at + 2)
    return Piece(text=quoted.replace('""', '"'), start=match.start(1), context=context, node=node, shifts=tuple(shifts))
