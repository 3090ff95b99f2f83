"""Values taken apart by what stands around their fragments: markup, quotes, fields, brackets, list items, words.

`4111</b><b>1111`, `"4111" + "1111"`, `"part1": "4111", "part2": "1111"`, `[4][1][1][1]`, `4111, then 1111`: the glue
between fragments is left out, if all the fragments together are as long as a value and look like one. Rows that go on are
tables and lists, not values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from classifiers.decoding import Budget
from classifiers.view import Change, View, changed, disjoint
from governance.frozen import frozen

MOST_FRAGMENTS = 40
LONGEST_FRAGMENT = 40
LONGEST_VALUE = 160
FEWEST_DIGITS = 8
MOST_DIGITS = 34
# A token without a word for it has so many characters, and a digit.
SHORTEST_TOKEN = 16
_PLACE_MICROS = 3

_VALUE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._+=-"
_DIGITS = b"0123456789"
_COMPLETE = re.compile(rb"[^@]@[^@]+\.[A-Za-z]{2}")
_BEHIND = rb"(?=[0-9A-Za-z@.+_-])"
# Digits as 0, the marks of emphasis as `*`: what a glance at a text looks for.
_SHAPE = bytes(0x30 if chr(each) in "0123456789" else 0x2A if each == 0x60 else each for each in range(256))


@frozen
class _Glue:
    """One way to take a value apart. `cues` are substrings of which one has to be there; in the shape if they hold a 0 or a `*`.

    A pattern begins with one certain byte, which is found fastest; `before` are the bytes in front of it that are glue too.
    `even`: fragments of equal length, the last one aside. A group `stem` has to read alike between all fragments.
    """

    cues: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    before: bytes = b""
    even: bool = False
    shaped: bool = False


# (start, end, what is common to all glues of a value)
_Place = tuple[int, int, bytes]


def _glue(expression: bytes, *cues: bytes, before: bytes = b"", even: bool = False, shaped: bool = False) -> _Glue:
    pattern = re.compile(expression + _BEHIND)
    return _Glue(cues=cues, pattern=pattern, before=before, even=even, shaped=shaped)


def _after(sign: bytes) -> bytes:
    """`sign`, and then a look at what stands before it."""
    return sign + rb"(?<=[0-9A-Za-z@.+_-]%s)" % sign


_ELEMENT = rb"/?(?:b|i|u|s|em|strong|span|font|code|mark|small|big|su[bp]|wbr|br|a|tt|kbd|bdi|[A-Za-z]{1,12}[0-9]{1,2})(?:[ /][^<>]{0,60})?>"
_TAG = rb"(?:%s|!--[^<>]{0,60}-->)" % _ELEMENT
_QUOTES = (b'"', b"'", b"`")
_BRACKETS = ((b"[", b"]"), (b"(", b")"), (b"{", b"}"))
_ORDINALS = rb"second|third|fourth|fifth|sixth|next|last|zweitens|drittens|viertens"
_NEXT = (b"then", b"and then", b"followed by", b"dann", b"puis", b"luego", b"poi")
_GLUES = (
    _glue(_after(b"<") + rb"%s(?:<%s){0,4}" % (_TAG, _TAG), b"</", b"<b", b"<s", b"<w", b"<!"),
    *(
        _glue(
            _after(quote)
            + rb"(?:%s|[ ]{0,3}(?:[+.&]|\|\||\\)?[ ]{0,3}(?:\r?\n[ \t]{0,16})?(?:[+.&][ ]{0,3})?%s"
            rb"|\}\$?\{%s|[ ]?;?[ \n]{0,8}[A-Za-z_$]\w{0,15} ?[+.]= ?%s)" % ((quote,) * 4),
            quote,
        )
        for quote in _QUOTES
    ),
    *(
        _glue(_after(quote) + rb"[ ]?,\s{0,12}%s(?![^%s]{0,40}%s ?:)" % ((quote,) * 3), quote, even=True)
        for quote in _QUOTES[:2]
    ),
    *(
        _glue(
            sign + rb"\s{0,12}[\"']?(?P<stem>[A-Za-z_]{1,16}?)[-_ ]?[0-9]{1,2}[\"']?\s?[:=]\s?[\"']?",
            b'0":', b"0':", b"0: ", b"0=", before=b"\"'",
        )
        for sign in (b",", b";", b"&", b"\n")
    ),
    _glue(
        rb"\*(?:(?<=[0-9A-Za-z@.+-].)\*{1,5} ?|(?<=[0-9A-Za-z@.+-].) |(?<=[0-9A-Za-z@.+-] .)\*{0,2})",
        b"**", b"*0", b"0*", before=b" ", shaped=True,
    ),
    _glue(_after(rb"\\") + rb"(?:[,;:! ]|(?=[.@_+()-])|\n)", b"\\"),
    _glue(rb"\\(?:text|math)[a-z]{2,4}\{", b"\\text", b"\\math", before=b"}"),
    _glue(_after(b"~"), b"~"),
    _glue(_after(b"{") + rb"\}", b"{}"),
    *(_glue(_after(re.escape(closing)) + b"[ -]?" + re.escape(opening), closing) for opening, closing in _BRACKETS),
    _glue(rb"\n(?<=[0-9A-Za-z@.+_\r-]\n)[ \t]{0,8}(?:(?:[-*+|]|>{1,3})[ ]|[0-9]{1,2}[.)][ ])?", b"\n", before=b"-\r", even=True),
    *(_glue(word + rb"(?<=[ ,;.]%s)[,:]? " % word, word, before=b" ,;.") for word in _NEXT),
    *(
        _glue(sign + rb"[ ](?:the )?(?:%s)(?: (?:part|group|four))?(?: is)?[,:]? " % _ORDINALS, b"second", b"zweite")
        for sign in (b",", b";", b"\\.")
    ),
    _glue(rb"\.\.\.[ ]?", b"...", before=b" "),
)  # fmt: skip


def rejoined(view: View, budget: Budget) -> View | None:
    """`view` with values put together whose fragments stand apart."""
    scan = view.scan
    shape = scan.translate(_SHAPE)
    if b"0" not in shape and b"@" not in shape:
        return None
    changes: list[Change] = []
    there: dict[bytes, bool] = {}
    for glue in _GLUES:
        if any(_is_there(cue, scan, shape, there) for cue in glue.cues):
            changes += _changes(glue, scan, shape if glue.shaped else scan, budget)
    return changed(view, disjoint(sorted(changes)), "fragments") if changes else None


def _is_there(cue: bytes, scan: bytes, shape: bytes, there: dict[bytes, bool]) -> bool:
    if cue not in there:
        there[cue] = cue in (shape if b"0" in cue or b"*" in cue else scan)
    return there[cue]


def _changes(glue: _Glue, scan: bytes, searched: bytes, budget: Budget) -> Iterator[Change]:
    chain: list[_Place] = []
    for match in budget.counted(glue.pattern.finditer(searched)):
        budget.charge(_PLACE_MICROS)
        place = _place(glue, match, scan)
        if place is None:
            continue
        if chain and not _follows(chain[-1], place, scan):
            yield from _joined(glue, chain, scan)
            chain = []
        chain.append(place)
    yield from _joined(glue, chain, scan)


def _place(glue: _Glue, match: re.Match[bytes], scan: bytes) -> _Place | None:
    """Where the glue begins, if a fragment ends there."""
    start, end = match.span()
    if glue.before:
        beside = scan[max(0, start - 3) : start]
        start -= len(beside) - len(beside.rstrip(glue.before))
    if not start or scan[start - 1] not in _VALUE:
        return None
    return start, end, match["stem"] if match.re.groups else b""


def _follows(left: _Place, right: _Place, scan: bytes) -> bool:
    """Whether nothing but a fragment stands between two glues."""
    if not 0 < right[0] - left[1] <= LONGEST_FRAGMENT or left[2] != right[2]:
        return False
    return not scan[left[1] : right[0]].translate(None, _VALUE)


def _joined(glue: _Glue, chain: Sequence[_Place], scan: bytes) -> Iterator[Change]:
    if not glue.even < len(chain) < MOST_FRAGMENTS or not _named_alike(chain[0], scan):
        return
    if _is_value(_fragments(chain, scan), even=glue.even):
        for start, end, _ in chain:
            yield start, end, b"", 0


def _named_alike(first: _Place, scan: bytes) -> bool:
    """Whether the name of the field before the first glue is like the one behind it, if these are fields."""
    return not first[2] or first[2] in scan[max(0, first[0] - LONGEST_FRAGMENT) : first[0]]


def _fragments(chain: Sequence[_Place], scan: bytes) -> list[bytes]:
    """What the glues of `chain` hold together, with the ends of the value on both sides."""
    first, last = chain[0][0], chain[-1][1]
    head, tail = scan[max(0, first - LONGEST_FRAGMENT) : first], scan[last : last + LONGEST_FRAGMENT]
    return [
        head[len(head.rstrip(_VALUE)) :],
        *(scan[left[1] : right[0]] for left, right in zip(chain, chain[1:], strict=False)),  # noqa: RUF007 - no import for it
        tail[: len(tail) - len(tail.lstrip(_VALUE))].rstrip(b"."),
    ]


def _is_value(fragments: Sequence[bytes], *, even: bool) -> bool:
    """Whether `fragments` may make a number, an address or a token together, and none of them is an address by itself."""
    value = b"".join(fragments)
    digits = len(value) - len(value.translate(None, _DIGITS))
    if len(value) > LONGEST_VALUE or not (digits or b"@" in value):
        return False
    if even and (len({len(fragment) for fragment in fragments[:-1]}) > 1 or len(fragments[-1]) > len(fragments[0])):
        return False
    if b"@" in value:
        return value.count(b"@") == 1 and not any(_COMPLETE.search(fragment) for fragment in fragments)
    if value.translate(None, _DIGITS + b"+-."):
        return digits >= FEWEST_DIGITS or len(value) >= SHORTEST_TOKEN
    return FEWEST_DIGITS <= digits <= MOST_DIGITS
