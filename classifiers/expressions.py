"""From a rule's expression to what the engine looks for: a superset, with few events, that the engine can hold.

The form drops lookaround, but for the characters that stand around a whole match; where it would run on for too long, it
ends before that. It cuts a last repeat without a boundary to its minimum (every further character would be a further event),
and opens upper bounds where the engine would need too many states. Whatever the expression matches from some place on, the
form matches from that place on, too; the expression itself then decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

# The parser of `re` is not documented; this module alone depends on it, and its tests compare the forms with `re`.
_sre: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")

_Nodes = list[tuple[Any, Any]]
_REPEATS = frozenset({_sre.MAX_REPEAT, _sre.MIN_REPEAT, _sre.POSSESSIVE_REPEAT})
_CATEGORIES = {
    _sre.CATEGORY_DIGIT: rb"0-9",
    _sre.CATEGORY_SPACE: rb"\x09-\x0d\x20",
    _sre.CATEGORY_WORD: rb"0-9A-Z_a-z",
    _sre.CATEGORY_NOT_DIGIT: rb"\x00-\x2f\x3a-\xff",
    _sre.CATEGORY_NOT_SPACE: rb"\x00-\x08\x0e-\x1f\x21-\xff",
    _sre.CATEGORY_NOT_WORD: rb"\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xff",
}
_BOUNDARIES = {_sre.AT_BOUNDARY: rb"\b", _sre.AT_NON_BOUNDARY: rb"\B"}
UNBOUNDED = 1 << 16


# The engine tells where a match ends; where the start may lie farther apart than this, it has to keep account of it,
# which costs more than looking for the start again.
_WIDEST_GUESS = 192


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A superset of an expression: where a match of it ends, one of the expression starts `least` to `most` before."""

    text: str
    least: int
    most: int

    @property
    def told(self) -> bool:
        """Whether the engine has to tell where the match starts."""
        return self.most - self.least > _WIDEST_GUESS


def widest(expression: str) -> int:
    """The longest match that `expression` can have, at most UNBOUNDED."""
    return _width(_parsed(expression))[1]


def forms(expression: str) -> Iterator[Form]:
    """Forms of `expression`, the best first. Empty where nothing remains to look for."""
    nodes = _parsed(expression)
    if not nodes:
        return
    before = _others(nodes[0], direction=-1)
    lead = b"(?:^|%s)" % before if before else b""
    bare = _bare(nodes)
    near, whole = _near(bare, _WIDEST_GUESS)
    end = _end(nodes[-1]) if whole else None
    if end is not None:
        low, high = (each + bool(end) for each in _width(near))
        if low:
            yield Form(text=(lead + _written(near, UNBOUNDED) + end).decode("ascii"), least=low, most=high)
    if not whole and _width(near)[0] < _FEWEST:
        near = bare
    seen = set()
    for tried, bounds in _narrowest_first(_cut(near)):
        low, high = _width(tried)
        for bound in bounds if low else ():
            text = (lead + _written(tried, bound)).decode("ascii")
            if text not in seen:
                seen.add(text)
                yield Form(text=text, least=low, most=high)


# A beginning shorter than this is in every text.
_FEWEST = 4
# Of a repeated group, so many characters are certain enough.
_CERTAIN = 16


def _near(nodes: _Nodes, room: int) -> tuple[_Nodes, bool]:
    """As much of the beginning of `nodes` as leaves its start within `room` characters, and whether that is all.

    What follows would only have the engine keep account of where matches start.
    """
    kept: _Nodes = []
    for op, value in _inlined(nodes):
        low, high = _width([(op, value)])
        if op in _REPEATS and _is_certain(value):
            return [*kept, _repeated(_CERTAIN // _width(value[2])[1], value[2])], False
        if high - low > room:
            return [*kept, *_beginning(op, value, room)], False
        room -= high - low
        kept.append((op, value))
    return kept, True


def _beginning(op: Any, value: Any, room: int) -> _Nodes:
    """What of a node with a far start, or a far end, is certain and near."""
    if op is _sre.BRANCH:
        beginnings = [_near(each, room)[0] for each in value[1]]
        return [(op, (None, beginnings))] if all(_width(each)[0] for each in beginnings) else []
    if op not in _REPEATS or not value[0]:
        return []
    low, high = _width(value[2])
    return [_repeated(value[0], value[2])] if (high - low) * value[0] <= room else _near(value[2], room)[0]


def _is_certain(repeat: tuple[int, int, _Nodes]) -> bool:
    """Whether a repeat is of a short group whose length varies, which costs states each time, and certain without all of them."""
    low, high = _width(repeat[2])
    return low < high <= _CERTAIN < repeat[0] * high


def _repeated(times: int, inner: _Nodes) -> tuple[Any, Any]:
    return _sre.MAX_REPEAT, (times, times, inner)


def _inlined(nodes: _Nodes) -> Iterator[tuple[Any, Any]]:
    """`nodes` without the groups that only hold others together."""
    for op, value in nodes:
        if op is _sre.SUBPATTERN and not value[1]:
            yield from _inlined(value[3])
        else:
            yield op, value


def _narrowest_first(body: _Nodes) -> Iterator[tuple[_Nodes, tuple[int, ...]]]:
    """(beginning of the expression, upper bounds to try): what is given up until the engine can hold the form."""
    yield body, (65_535, 63, 15, 3, 0)
    for most in (16, 4):
        yield _short(body, most), (15, 0)
    for length in range(len(body) - 1, 0, -1):
        yield _cut(body[:length]), (15, 0)


def plain(expression: str) -> str:
    """The widest useful superset for an engine that reports no places: everything but the lookaround."""
    return _written(_cut(_bare(_parsed(expression))), 255).decode("ascii")


def _parsed(expression: str) -> _Nodes:
    tree = _parser.parse(expression.encode("ascii"))
    if tree.state.flags & re.IGNORECASE:
        return [(_sre.SUBPATTERN, (None, re.IGNORECASE, 0, list(tree)))]
    return list(tree)


def _width(nodes: Sequence[tuple[Any, Any]]) -> tuple[int, int]:
    low = high = 0
    for op, value in nodes:
        least, most = 1, 1
        if op in (_sre.AT, _sre.ASSERT, _sre.ASSERT_NOT):
            least, most = 0, 0
        elif op in _REPEATS:
            least, most = _width(value[2])
            least, most = least * int(value[0]), most * min(int(value[1]), UNBOUNDED)
        elif op is _sre.SUBPATTERN:
            least, most = _width(value[3])
        elif op is _sre.ATOMIC_GROUP:
            least, most = _width(value)
        elif op is _sre.BRANCH:
            widths = [_width(each) for each in value[1]]
            least, most = min(each[0] for each in widths), max(each[1] for each in widths)
        low, high = low + least, min(UNBOUNDED, high + most)
    return low, high


def _others(node: tuple[Any, Any], *, direction: int) -> bytes:
    """The class of the bytes that `node`, if it is a `(?<!...)` or `(?!...)` of one character, lets stand there."""
    op, assertion = node
    if op is not _sre.ASSERT_NOT or assertion[0] != direction or len(assertion[1]) != 1:
        return b""
    op, value = assertion[1][0]
    if op is _sre.LITERAL:
        return b"[^%s]" % _byte(value)
    return b"[^%s]" % _members(value) if op is _sre.IN and value[0][0] is not _sre.NEGATE else b""


def _end(node: tuple[Any, Any]) -> bytes | None:
    """What has to stand behind an expression that ends with `node`, beside what is in it; None where that is not certain.

    A byte always stands there: at the end of a text, the line feed that the scanner puts there.
    """
    if node[0] is _sre.AT and node[1] in _BOUNDARIES:
        return b""
    others = _others(node, direction=1)
    return others if others and re.match(others, b"\n") else None


def _bare(nodes: Sequence[tuple[Any, Any]]) -> _Nodes:
    """Without lookaround and without the ends of the text, at any depth."""
    kept: _Nodes = []
    for op, value in nodes:
        if op in (_sre.ASSERT, _sre.ASSERT_NOT) or (op is _sre.AT and value not in _BOUNDARIES):
            continue
        if op in _REPEATS:
            low, high, inner = value
            kept.append((_sre.MAX_REPEAT, (low, high, _bare(inner))))
        elif op is _sre.SUBPATTERN:
            _, add, remove, inner = value
            if remove or add & ~re.IGNORECASE:
                raise re.error("only the flag `i` may be set inside an expression")
            kept.append((op, (None, add, 0, _bare(inner))))
        elif op is _sre.ATOMIC_GROUP:
            kept.append((_sre.SUBPATTERN, (None, 0, 0, _bare(value))))
        elif op is _sre.BRANCH:
            kept += _widened([_bare(each) for each in value[1]])
        else:
            kept.append((op, value))
    return kept


# So many codes are a list.
_MANY = 4


def _widened(alternatives: list[_Nodes]) -> _Nodes:
    """The choice itself; of many codes in capitals, all of one length, any capitals: a list of them is a state for each."""
    lengths = {len(each) for each in alternatives}
    codes = all(op is _sre.LITERAL and chr(value).isupper() for each in alternatives for op, value in each)
    if codes and len(lengths) == 1 and len(alternatives) >= _MANY:
        return [(_sre.MAX_REPEAT, (*lengths, *lengths, [(_sre.IN, [(_sre.RANGE, (65, 90))])]))]
    return [(_sre.BRANCH, (None, alternatives))]


def _cut(nodes: _Nodes) -> _Nodes:
    """With the last repeat at its minimum, and without a boundary behind what was cut."""
    nodes = list(nodes)
    while nodes:
        op, value = nodes[-1]
        if op is _sre.AT:
            if _cut(nodes[:-1]) == nodes[:-1]:
                break
            nodes.pop()
        elif op in _REPEATS and value[0] != value[1]:
            nodes.pop()
            if value[0]:
                nodes.extend(_fewest(value[0], value[2]))
                break
        elif op is _sre.SUBPATTERN:
            inner = _cut(value[3])
            nodes.pop()
            if inner:
                nodes.append((op, (None, value[1], 0, inner)))
                break
        elif op is _sre.BRANCH:
            alternatives = [_cut(each) for each in value[1]]
            nodes.pop()
            if all(_width(each)[0] for each in alternatives):
                nodes.append((op, (None, alternatives)))
                break
        else:
            break
    return nodes


def _short(nodes: _Nodes, most: int) -> _Nodes:
    """With repeats at the end of `nodes` cut to `most`."""
    if not nodes:
        return nodes
    op, value = nodes[-1]
    if op in _REPEATS and value[0] == value[1] and value[0] > most:
        return [*nodes[:-1], (_sre.MAX_REPEAT, (most, most, value[2]))]
    if op is _sre.SUBPATTERN:
        return [*nodes[:-1], (op, (None, value[1], 0, _short(value[3], most)))]
    if op is _sre.BRANCH:
        return [*nodes[:-1], (op, (None, [_short(each, most) for each in value[1]]))]
    return nodes


def _fewest(times: int, inner: _Nodes) -> _Nodes:
    """`inner` so many times, the last one cut."""
    before: _Nodes = [(_sre.MAX_REPEAT, (times - 1, times - 1, inner))] if times > 1 else []
    last = _cut(inner)
    return [(_sre.MAX_REPEAT, (times, times, inner))] if last == inner and times > 1 else [*before, *last]


def _written(nodes: Sequence[tuple[Any, Any]], bound: int) -> bytes:
    return b"".join(_one(op, value, bound) for op, value in nodes)


def _one(op: Any, value: Any, bound: int) -> bytes:
    if op is _sre.LITERAL:
        return _byte(value)
    if op is _sre.NOT_LITERAL:
        return b"[^%s]" % _byte(value)
    if op is _sre.ANY:
        return rb"[^\x0a]"
    if op is _sre.IN:
        return _class(value)
    if op is _sre.AT:
        return _BOUNDARIES[value]
    if op is _sre.SUBPATTERN:
        return b"(?%s:%s)" % (b"i" if value[1] else b"", _written(value[3], bound))
    if op is _sre.BRANCH:
        return b"(?:%s)" % b"|".join(_written(each, bound) for each in value[1])
    if op in _REPEATS:
        return b"(?:%s)%s" % (_written(value[2], bound), _times(value[0], value[1], bound))
    raise re.error(f"`{str(op).lower()}` is not supported in an expression")


def _times(low: int, high: int, bound: int) -> bytes:
    if low == high:
        return b"{%d}" % low
    if high is _sre.MAXREPEAT or high > bound:
        return b"{%d,}" % low
    return b"{%d,%d}" % (low, high)


def _class(members: Sequence[tuple[Any, Any]]) -> bytes:
    if members[0][0] is _sre.NEGATE:
        return b"[^%s]" % _members(members[1:])
    return b"[%s]" % _members(members)


def _members(members: Sequence[tuple[Any, Any]]) -> bytes:
    written = []
    for op, value in members:
        if op is _sre.LITERAL:
            written.append(_byte(value))
        elif op is _sre.RANGE:
            written.append(_byte(value[0]) + b"-" + _byte(value[1]))
        else:
            written.append(_CATEGORIES[value])
    return b"".join(written)


def _byte(value: int) -> bytes:
    return rb"\x%02x" % value
