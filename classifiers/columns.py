"""Tables in a text, as CSV, TSV or between bars: what stands in a column is read beside the name of the column.

A name at the head of a column is far from all values but the first. Where it tells something, each row is read as
`name: value`, which is what the rules for fields look for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from classifiers.decoding import Budget
from classifiers.view import Draft, View

_DELIMITERS = (b",", b"\t", b";", b"|")
# Four words at most, and no full stop behind them: lines of prose have equally many commas now and then.
_WORD = rb"[A-Za-z0-9_./()#\x80-\xff-]{0,39}[A-Za-z0-9_()#\x80-\xff-]"
_NAME = re.compile(rb"[\"'*#\s]*([A-Za-z\x80-\xff](?:%s)?(?: %s){0,3})[\"'*\s]*" % (_WORD, _WORD))
# What is between quotes is one cell, whatever stands in it.
_QUOTED = re.compile(rb'"[^"\n]*"')
# What stands around a value, and the rule below the heads of a table between bars.
_EDGES = b" \t\r\"'*`"
_RULE = b"-:"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz " + bytes(range(128, 256))
_SECRET = re.compile(rb"pass|pwd|secret|token|key|pin", re.IGNORECASE)
_SHORTEST, _LONGEST = 3, 128
_LONGEST_NAME = 40

# (start and end of a value, name of its column)
_Cell = tuple[int, int, bytes]
_Line = tuple[int, int]
# Of a range of the scan: yes or no.
Asked = Callable[[int, int], bool]


def everywhere(_start: int, _end: int) -> bool:
    """Yes."""
    return True


def nowhere(_start: int, _end: int) -> bool:
    """No."""
    return False


def columns(view: View, budget: Budget, *, tells: Asked, known: Asked) -> View | None:
    """The values of `view` that stand in columns with a telling name, each beside it.

    `tells` says whether any rule has a word in a range, `known` whether a value needs no word beside it. Words alone are
    no values: names of people and towns are not looked for by what stands beside them.
    """
    scan = view.scan
    delimiters = [each for each in _DELIMITERS if scan.count(each) > 1]
    if b"\n" not in scan or not delimiters:
        return None
    lines = _lines(scan)
    budget.charge(len(lines) * len(delimiters) // 4)
    plain = _QUOTED.sub(lambda match: b'"' * len(match[0]), scan) if b'"' in scan else scan
    cells = sorted(cell for delimiter in delimiters for cell in _cells(scan, plain, lines, delimiter, tells))
    budget.charge(len(cells))
    draft = Draft(view)
    done = 0
    for start, end, name in cells:
        if start >= done and not known(start, end):
            draft.part()
            draft.put(name + b": ", start, start + 1)
            draft.keep(start, end)
            done = end
    return draft.view("column")


def _lines(scan: bytes) -> list[_Line]:
    lines, start = [], 0
    for line in scan.split(b"\n"):
        lines.append((start, start + len(line)))
        start += len(line) + 1
    return lines


def _cells(
    scan: bytes,
    plain: bytes,
    lines: Sequence[_Line],
    delimiter: bytes,
    tells: Asked,
) -> Iterator[_Cell]:
    """The telling cells of all tables with `delimiter`: lines that have it equally often, the first one names alone."""
    counts = [plain.count(delimiter, start, end) for start, end in lines]
    last = 0
    for at, count in enumerate(counts[:-1]):
        if at < last or not count or counts[at + 1] != count:
            continue
        names = _names(scan, plain, lines[at], delimiter, tells)
        if names is None:
            continue
        if count == 1 and counts[at + 2 : at + 3] != [1]:
            continue
        last = at + 1
        while last < len(lines) and counts[last] == count:
            parts = _parts(plain, lines[last], delimiter)
            for number, name in names:
                start, end = _trimmed(scan, *parts[number])
                if _SHORTEST <= end - start <= _LONGEST and scan[start:end].translate(None, _LETTERS).strip(_RULE):
                    yield start, end, name
            last += 1


def _names(scan: bytes, plain: bytes, line: _Line, delimiter: bytes, tells: Asked) -> list[tuple[int, bytes]] | None:
    """The number and the name of each telling column, if `line` holds nothing but names."""
    names = []
    for number, (start, end) in enumerate(_parts(plain, line, delimiter)):
        match = _NAME.fullmatch(scan, start, end) if end - start <= _LONGEST_NAME else None
        if match is not None:
            if tells(*match.span(1)) or _SECRET.search(match[1]):
                names.append((number, match[1]))
        elif scan[start:end].strip(_EDGES):
            return None
    return names or None


def _parts(plain: bytes, line: _Line, delimiter: bytes) -> list[_Line]:
    parts, (start, end) = [], line
    for part in plain[start:end].split(delimiter):
        parts.append((start, start + len(part)))
        start += len(part) + 1
    return parts


def _trimmed(scan: bytes, start: int, end: int) -> _Line:
    """Without blanks and quotes at its edges."""
    value = scan[start:end]
    return end - len(value.lstrip(_EDGES)), start + len(value.rstrip(_EDGES))
