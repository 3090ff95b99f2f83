"""Rego values as Python values, and the one order and equality over them.

    null, boolean, string   None, bool, str
    number                  int, or float where it is not whole (5.0 is the int 5)
    array                   list
    object                  dict from `key_of(name)` to the value; JSON documents are such dicts as they are
    set                     Set

Nobody changes a value once it was handed on; only the code that makes a collection adds to it. Python takes `True`, `1`
and `1.0` for one key: whatever is no string is therefore kept under a Key, which knows its type. Source of the order:
https://www.openpolicyagent.org/docs/policy-reference (null < boolean < number < string < array < object < set).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Final, final

Value = Any  # None | bool | int | float | str | list[Value] | dict[str | Key, Value] | Set


@final
class Key:
    """What a value that is no string is kept under in an object or set."""

    __slots__ = ("_form", "_hash", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self._form = form = _form(value)
        self._hash = hash(form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._form == other._form

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Key({self.value!r})"


@final
class Set:
    """A set: `members` maps the key of each member to it."""

    __slots__ = ("members",)

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self.members: dict[str | Key, Value] = {key_of(value): value for value in values}

    def add(self, value: Value) -> None:
        """Takes `value` in."""
        self.members[key_of(value)] = value

    def __contains__(self, value: Value) -> bool:
        return key_of(value) in self.members

    def __iter__(self) -> Iterator[Value]:
        return iter(self.members.values())

    def __len__(self) -> int:
        return len(self.members)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self.members.keys() == other.members.keys()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Set({ordered(self)!r})"


def key_of(value: Value) -> str | Key:
    """What `value` is kept under: itself for a string."""
    return value if type(value) is str else Key(value)


def name_of(key: str | Key) -> Value:
    """The value that `key` stands for."""
    return key if type(key) is str else key.value  # type: ignore[union-attr]  # mypy does not narrow by type()


def equal(a: Value, b: Value) -> bool:
    """Whether `a` and `b` are one value: 1 equals 1.0, and true equals neither."""
    kind = type(a)
    if kind is str or type(b) is str or (kind is int and type(b) is int):
        return bool(a == b)
    return _form(a) == _form(b)


_NULL, _BOOLEAN, _NUMBER, _STRING, _ARRAY, _OBJECT, _SET = range(7)
_RANKS: Final = {
    type(None): _NULL,
    bool: _BOOLEAN,
    int: _NUMBER,
    float: _NUMBER,
    str: _STRING,
    list: _ARRAY,
    dict: _OBJECT,
    Set: _SET,
}


def _form(value: Value) -> Hashable:
    # A string inside another value stands for itself; whatever else is a tuple that starts with its rank.
    kind = type(value)
    if kind is str:
        return (_STRING, value)
    rank = _RANKS[kind]
    if rank == _ARRAY:
        return (rank, *[item if type(item) is str else _form(item) for item in value])
    if rank == _OBJECT:
        return rank, frozenset([(key, item if type(item) is str else _form(item)) for key, item in value.items()])
    if rank == _SET:
        return rank, frozenset(value.members)
    return rank, value


def compare(a: Value, b: Value) -> int:
    """Negative, zero or positive, as `a` comes before, at or after `b`."""
    rank, other = _RANKS[type(a)], _RANKS[type(b)]
    if rank != other:
        return rank - other
    if rank == _NULL:
        return 0
    if rank in (_BOOLEAN, _NUMBER, _STRING):
        return int(a > b) - int(a < b)
    if rank == _OBJECT:
        return _compare_objects(a, b)
    left, right = (a, b) if rank == _ARRAY else (ordered(a), ordered(b))
    for one, two in zip(left, right, strict=False):
        if difference := compare(one, two):
            return difference
    return len(left) - len(right)


def _compare_objects(a: dict[str | Key, Value], b: dict[str | Key, Value]) -> int:
    left, right = sorted_values(map(name_of, a)), sorted_values(map(name_of, b))
    for one, two in zip(left, right, strict=False):
        if difference := compare(one, two) or compare(a[key_of(one)], b[key_of(two)]):
            return difference
    return len(left) - len(right)


@final
class _Sortable:
    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __lt__(self, other: _Sortable) -> bool:
        return compare(self.value, other.value) < 0


def sorted_values(values: Iterable[Value]) -> list[Value]:
    """`values` in the order of Rego."""
    found = list(values)
    if all(type(value) is str for value in found):
        return sorted(found)
    return sorted(found, key=_Sortable)


def ordered(value: Set) -> list[Value]:
    """The members of a set in the order of Rego."""
    return sorted_values(value)
