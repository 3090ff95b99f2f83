"""Regular expressions: RE2, as in OPA, so that no pattern takes more than linear time. Matches follow Go's regexp.

LIMIT: a pattern whose program is larger than _MAX_MEMORY is an error here, where OPA would compile it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import re2

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import (
    MAX_SIZE,
    Builtin,
    bounded,
    guarded,
    integer,
    text,
    within,
)
from governance.policy.plan.values import Value

_MAX_PATTERN: Final = 10_000
_MAX_MEMORY: Final = 8 << 20
_REFERENCE: Final = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>[0-9A-Za-z_]+)|\{(?P<braced>[0-9A-Za-z_]+)\})", re.ASCII)
# An escape, or text between \Q and \E in which there is none.
_ESCAPE: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """The RE2 object of `pattern`. Raises BuiltinError where it is none, or too large."""
    if len(pattern) > _MAX_PATTERN:
        raise BuiltinError("pattern too large")
    # A single byte, which Go's regexp does not know.
    if "\\C" in _ESCAPE.findall(pattern):
        raise BuiltinError("not a pattern")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise BuiltinError("not a pattern") from None


def found_in(pattern: str, searched: str) -> bool:
    """Whether `pattern` matches anywhere."""
    within(len(searched))
    return compiled(pattern).search(searched) is not None


def _matches(pattern: str, searched: str) -> Iterator[Any]:
    """The matches from left to right, without the empty ones that touch the match before."""
    within(len(searched))
    end = -1
    for found in compiled(pattern).finditer(searched):
        if not found.start() == found.end() == end:
            yield found
        end = found.end()


def is_valid(a: Value) -> Value:
    """Whether a value is a pattern."""
    try:
        compiled(text(a))
    except BuiltinError:
        return False
    return True


def match(a: Value, b: Value) -> Value:
    """Whether the pattern matches anywhere in the string."""
    return found_in(text(a, 1), text(b, 2))


def _first(pattern: Value, searched: Value, limit: Value) -> list[Any]:
    most = integer(limit, 3)
    found: list[Any] = []
    for one in _matches(text(pattern, 1), text(searched, 2)):
        if 0 <= most <= len(found):
            break
        found.append(one)
    return bounded(found)


def find_n(a: Value, b: Value, c: Value) -> Value:
    """The first `c` matches, or all where it is negative."""
    return [one[0] for one in _first(a, b, c)]


def find_groups(a: Value, b: Value, c: Value) -> Value:
    """The first `c` matches with their groups, or all where it is negative; a group without a match is empty."""
    found = _first(a, b, c)
    within(len(found) * (1 + compiled(a).groups))
    return [[one[0], *(group or "" for group in one.groups())] for one in found]


def replace(a: Value, b: Value, c: Value) -> Value:
    """The string with every match by the third, in which $1 or ${name} stands for a group and $$ for a dollar."""
    searched, pattern, put = text(a, 1), text(b, 2), text(c, 3)
    pieces = _pieces(put)
    out: list[str] = []
    size = end = 0
    for found in _matches(pattern, searched):
        new = "".join(piece if literal else _group(found, piece) for literal, piece in pieces)
        out += (searched[end : found.start()], new)
        end = found.end()
        size += len(out[-1]) + len(out[-2])
        within(size)
    return "".join((*out, searched[end:]))


def _pieces(put: str) -> list[tuple[bool, str]]:
    """A replacement as literals (true) and names of groups (false)."""
    pieces: list[tuple[bool, str]] = []
    end = 0
    for found in _REFERENCE.finditer(put):
        pieces.append((True, put[end : found.start()]))
        name = found["name"] or found["braced"]
        pieces.append((False, name) if name else (True, "$"))
        end = found.end()
    pieces.append((True, put[end:]))
    return pieces


def _group(found: Any, name: str) -> str:
    try:
        return found[int(name) if name.isdecimal() else name] or ""
    except (IndexError, KeyError):
        return ""


def split(a: Value, b: Value) -> Value:
    """The parts between the matches."""
    pattern, searched = text(a, 1), text(b, 2)
    if not searched and pattern:
        compiled(pattern)
        return [""]
    parts: list[str] = []
    start = end = 0
    for found in _matches(pattern, searched):
        end = found.start()
        if found.end() != 0:
            parts.append(searched[start:end])
        start = found.end()
    if end != len(searched):
        parts.append(searched[start:])
    return bounded(parts)


def template_match(a: Value, b: Value, c: Value, d: Value) -> Value:
    """Whether the string is the template `a`, whose parts between the delimiters `c` and `d` are patterns."""
    template, searched, opening, closing = text(a, 1), text(b, 2), text(c, 3), text(d, 4)
    if len(opening.encode()) != 1 or len(closing.encode()) != 1:
        raise BuiltinError("a delimiter has to be exactly one character long")
    return found_in(_of_template(template, opening, closing), searched)


@lru_cache(maxsize=256)
def _of_template(template: str, opening: str, closing: str) -> str:
    out = ["^"]
    depth = start = end = 0
    for index, char in enumerate(template):
        if char == opening:
            depth += 1
            if depth == 1:
                start = index
        elif char == closing:
            depth -= 1
            if depth == 0:
                compiled(f"^{template[start + 1 : index]}$")
                out.append(f"{re2.escape(template[end:start])}({template[start + 1 : index]})")
                end = index + 1
        if depth < 0:
            break
    if depth:
        raise BuiltinError("unbalanced braces")
    return f"{''.join(out)}{re2.escape(template[end:])}$"


def globs_match(a: Value, b: Value) -> Value:
    """Whether some string, not an empty one, is matched by both globs, made of characters, `.`, `[a-z]`, `*` and `+`.

    LIMIT: exact, where OPA can miss a string if parts of both globs repeat (`a*` and `a*b*`).
    """
    left, right = _parts(text(a, 1)), _parts(text(b, 2))
    within(len(left) * len(right))
    end = (len(left), len(right), bool(left or right))
    seen, open_ = {(0, 0, False)}, [(0, 0, False)]
    while open_:
        here = open_.pop()
        if here == end:
            return True
        for step in _steps(left, right, *here):
            if step not in seen:
                seen.add(step)
                open_.append(step)
    return False


_Part = tuple[frozenset[str] | None, bool]  # the characters, None for any; whether it repeats


def _steps(left: list[_Part], right: list[_Part], i: int, j: int, some: bool) -> Iterator[tuple[int, int, bool]]:
    """Where two globs can be after `i` and `j` parts; `some` once a character was matched."""
    one = left[i] if i < len(left) else None
    two = right[j] if j < len(right) else None
    if one is not None and one[1]:
        yield i + 1, j, some
    if two is not None and two[1]:
        yield i, j + 1, some
    if one is not None and two is not None and (one[0] is None or two[0] is None or one[0] & two[0]):
        yield i + (not one[1]), j + (not two[1]), True


_GLOB: Final = re.compile(r"\\(?P<escaped>.)|\[(?P<range>(?:\\.|[^\]\\])+)\]|(?P<one>[^\\\[\]*+])", re.DOTALL)
_RANGE: Final = re.compile(r"(?P<low>\\.|[^\\])-(?P<high>\\.|[^\\])|\\(?P<escaped>.)|(?P<one>.)", re.DOTALL)


def _parts(pattern: str) -> list[_Part]:
    """What a glob is made of; `x+` is `x` and then `x*`."""
    parts: list[_Part] = []
    end = 0
    while end < len(pattern):
        found = _GLOB.match(pattern, end)
        if found is None:
            raise BuiltinError("not a glob")
        chars = _characters(found)
        end = found.end()
        flag = pattern[end : end + 1]
        if flag in ("*", "+"):
            parts += [(chars, False), (chars, True)] if flag == "+" else [(chars, True)]
            end += 1
        else:
            parts.append((chars, False))
    return parts


def _characters(found: re.Match[str]) -> frozenset[str] | None:
    if found["range"] is None:
        return None if found["one"] == "." else frozenset(found["escaped"] or found["one"])
    chars: set[str] = set()
    for item in _RANGE.finditer(found["range"]):
        if item["low"] is None:
            chars.add(item["escaped"] or item["one"])
            continue
        low, high = ord(item["low"][-1]), ord(item["high"][-1])
        if low > high or high - low > MAX_SIZE:
            raise BuiltinError("not a glob")
        chars.update(map(chr, range(low, high + 1)))
    return frozenset(chars)


BUILTINS: Final[Mapping[str, Builtin]] = {
    "regex.is_valid": is_valid,
    "regex.match": guarded(match),
    "re_match": guarded(match),
    "regex.find_n": guarded(find_n),
    "regex.find_all_string_submatch_n": guarded(find_groups),
    "regex.replace": guarded(replace),
    "regex.split": guarded(split),
    "regex.template_match": guarded(template_match),
    "regex.globs_match": guarded(globs_match),
}
