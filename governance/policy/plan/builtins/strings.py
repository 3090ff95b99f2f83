"""Strings, counted in code points. Case is mapped character by character, as Go does: no special casing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import (
    MAX_SIZE,
    Builtin,
    array,
    bounded,
    guarded,
    integer,
    mapping,
    text,
    texts,
    within,
)
from governance.policy.plan.builtins.sprintf import sprintf
from governance.policy.plan.builtins.writing import shown
from governance.policy.plan.values import Set, Value

_SPACE: Final = (
    "\t\n\v\f\r \u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)


def joined(a: Value, b: Value) -> Value:
    """Strings in a row with `a` between them."""
    between, parts = text(a, 1), texts(b, 2)
    within(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def contains(a: Value, b: Value) -> Value:
    """Whether the first string holds the second."""
    return text(b, 2) in text(a, 1)


def occurrences(a: Value, b: Value) -> Value:
    """How often the second string is in the first, without overlap."""
    return text(a, 1).count(text(b, 2))


def starts(a: Value, b: Value) -> Value:
    """Whether the first string begins with the second."""
    return text(a, 1).startswith(text(b, 2))


def ends(a: Value, b: Value) -> Value:
    """Whether the first string ends with the second."""
    return text(a, 1).endswith(text(b, 2))


def _searched(value: Value) -> str:
    if not text(value, 2):
        raise BuiltinError("empty search character")
    return str(value)


def index(a: Value, b: Value) -> Value:
    """Where the second string is first in the first: -1 where it is not."""
    return text(a, 1).find(_searched(b))


def indexes(a: Value, b: Value) -> Value:
    """Every place of the second string in the first, overlaps included."""
    whole, part = text(a, 1), _searched(b)
    found, start = [], whole.find(part)
    while start >= 0:
        found.append(start)
        start = whole.find(part, start + 1)
    return found


def substring(a: Value, b: Value, c: Value) -> Value:
    """`c` characters from offset `b`: all of them where `c` is negative."""
    whole, start, length = text(a, 1), integer(b, 2), integer(c, 3)
    if start < 0:
        raise BuiltinError("negative offset")
    return whole[start:] if length < 0 else whole[start : start + length]


def lower(a: Value) -> Value:
    """The lower case of each character."""
    return text(a).lower() if text(a).isascii() else "".join(map(_lower, a))


def upper(a: Value) -> Value:
    """The upper case of each character."""
    return text(a).upper() if text(a).isascii() else "".join(map(_upper, a))


def _lower(char: str) -> str:
    return char.lower()[0]  # only U+0130 has two, and its simple mapping is the first


def _upper(char: str) -> str:
    for mapped in (char.upper(), char.title()):
        if len(mapped) == 1:
            return mapped
    return char


def split(a: Value, b: Value) -> Value:
    """The parts between the delimiters: the characters where the delimiter is empty."""
    whole, delimiter = text(a, 1), text(b, 2)
    return bounded(whole.split(delimiter) if delimiter else list(whole))


def split_n(a: Value, b: Value, c: Value) -> Value:
    """The first `c` parts, or the last where `c` is negative."""
    parts, limit = split(a, b), integer(c, 3)
    return parts[:limit] if limit >= 0 else parts[max(len(parts) + limit, 0) :]


def replace(a: Value, b: Value, c: Value) -> Value:
    """The first string with the third for every second."""
    whole, old, new = text(a, 1), text(b, 2), text(c, 3)
    within(len(whole) + whole.count(old) * len(new))
    return whole.replace(old, new)


def replace_n(a: Value, b: Value) -> Value:
    """The string with every name of the object by its value; of several at one place, the first in order."""
    pairs, whole = mapping(a, 1), text(b, 2)
    if not all(type(key) is str and type(value) is str for key, value in pairs.items()):
        raise BuiltinError("operand 1 must hold strings by strings")
    if not pairs:
        return whole
    within(len(whole) * len(pairs))
    size = 0

    def put(found: re.Match[str]) -> str:
        nonlocal size
        new = str(pairs[found[0]])
        size += len(new)
        if size > MAX_SIZE:
            raise BuiltinError("result too large")
        return new

    return _any_of(tuple(sorted(map(str, pairs)))).sub(put, whole)


@lru_cache(maxsize=128)
def _any_of(literals: tuple[str, ...]) -> re.Pattern[str]:
    """Literals only: Python tries them in order at each place, and never goes back."""
    return re.compile("|".join(map(re.escape, literals)))


def trim(a: Value, b: Value) -> Value:
    """The string without the characters of the second at its ends."""
    return text(a, 1).strip(text(b, 2))


def trim_left(a: Value, b: Value) -> Value:
    """The string without the characters of the second at its start."""
    return text(a, 1).lstrip(text(b, 2))


def trim_right(a: Value, b: Value) -> Value:
    """The string without the characters of the second at its end."""
    return text(a, 1).rstrip(text(b, 2))


def trim_prefix(a: Value, b: Value) -> Value:
    """The string without the second before it."""
    return text(a, 1).removeprefix(text(b, 2))


def trim_suffix(a: Value, b: Value) -> Value:
    """The string without the second after it."""
    return text(a, 1).removesuffix(text(b, 2))


def trim_space(a: Value) -> Value:
    """The string without white space at its ends."""
    return text(a).strip(_SPACE)


def reverse(a: Value) -> Value:
    """The characters from last to first."""
    return text(a)[::-1]


def _any_affix(matches: Callable[[str, tuple[str, ...]], bool]) -> Builtin:
    def call(a: Value, b: Value) -> Value:
        strings = [a] if type(a) is str else texts(a, 1)
        affixes = (b,) if type(b) is str else tuple(texts(b, 2))
        within(len(strings) * len(affixes))
        return any(matches(one, affixes) for one in strings)

    return call


def template(a: Value) -> Value:
    """The parts of a template string in a row. What is no literal comes in a set, empty where it is undefined."""
    return "".join(bounded(list(map(_part, array(a)))))


def _part(value: Value) -> str:
    if type(value) is not Set:
        return shown(value)
    if len(value) > 1:
        raise BuiltinError("template strings must not produce multiple outputs")
    return next((shown(one) for one in value), "<undefined>")


def silent(_: Value) -> Value:
    """true: prints nothing, which is what a policy's `print` does here."""
    return True


BUILTINS: Final[Mapping[str, Builtin]] = {
    "concat": joined,
    "contains": contains,
    "strings.count": occurrences,
    "startswith": starts,
    "endswith": ends,
    "indexof": index,
    "indexof_n": indexes,
    "substring": substring,
    "lower": lower,
    "upper": upper,
    "split": split,
    "strings.split_n": split_n,
    "replace": replace,
    "strings.replace_n": replace_n,
    "trim": trim,
    "trim_left": trim_left,
    "trim_right": trim_right,
    "trim_prefix": trim_prefix,
    "trim_suffix": trim_suffix,
    "trim_space": trim_space,
    "strings.reverse": reverse,
    "strings.any_prefix_match": _any_affix(str.startswith),
    "strings.any_suffix_match": _any_affix(str.endswith),
    "sprintf": guarded(sprintf),
    "internal.template_string": guarded(template),
    "internal.print": silent,
    "internal.test_case": silent,
}
