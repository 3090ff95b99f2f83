"""Comparison, type tests, casts and membership."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from governance.policy.plan.builtins.error import UNDEFINED
from governance.policy.plan.builtins.operand import Builtin, elements, guarded, type_name, wrong
from governance.policy.plan.values import Set, Value, compare, equal, key_of


def different(a: Value, b: Value) -> Value:
    """Whether two values are not one."""
    return not equal(a, b)


def less(a: Value, b: Value) -> Value:
    """Whether `a` comes before `b`."""
    return compare(a, b) < 0


def at_most(a: Value, b: Value) -> Value:
    """Whether `a` comes before `b` or is it."""
    return compare(a, b) <= 0


def more(a: Value, b: Value) -> Value:
    """Whether `a` comes after `b`."""
    return compare(a, b) > 0


def at_least(a: Value, b: Value) -> Value:
    """Whether `a` comes after `b` or is it."""
    return compare(a, b) >= 0


def named(a: Value) -> Value:
    """The name of a value's type."""
    return type_name(a)


def member(a: Value, b: Value) -> Value:
    """Whether `a` is in the collection `b`: false where `b` is none."""
    if type(b) is Set:
        return a in b
    if type(b) is list:
        return any(equal(a, item) for item in b)
    return type(b) is dict and any(equal(a, item) for item in b.values())


def member_at(a: Value, b: Value, c: Value) -> Value:
    """Whether the collection `c` has `b` at `a`: false where it is none."""
    if type(c) is Set:
        return a in c and equal(a, b)
    found = at(c, a)
    return found is not UNDEFINED and equal(found, b)


def at(collection: Value, key: Value) -> Value:
    """What `collection` has at `key`: UNDEFINED where it has nothing or is no collection."""
    if type(collection) is dict:
        return collection.get(key_of(key), UNDEFINED)
    if type(collection) is list and type(key) is int and 0 <= key < len(collection):
        return collection[key]
    if type(collection) is Set:
        return collection.members.get(key_of(key), UNDEFINED)
    return UNDEFINED


def _is(*names: str) -> Builtin:
    def call(a: Value) -> Value:
        return type_name(a) in names

    return call


def _cast(name: str) -> Builtin:
    def call(a: Value) -> Value:
        if type_name(a) != name:
            raise wrong(1, name, a)
        return a

    return call


def to_array(a: Value) -> Value:
    """An array, or the members of a set in order."""
    return elements(a)


def to_set(a: Value) -> Value:
    """A set, or the items of an array as one."""
    return a if type(a) is Set else Set(elements(a))


_compared: Final[Mapping[str, Callable[[Value, Value], Value]]] = {
    "equal": equal,
    "eq": equal,
    "neq": different,
    "lt": less,
    "lte": at_most,
    "gt": more,
    "gte": at_least,
}

BUILTINS: Final[Mapping[str, Builtin]] = {
    **{name: guarded(builtin) for name, builtin in _compared.items()},
    "type_name": named,
    **{f"is_{name}": _is(name) for name in ("array", "boolean", "null", "number", "object", "set", "string")},
    **{f"cast_{name}": _cast(name) for name in ("boolean", "null", "object", "string")},
    "cast_array": guarded(to_array),
    "cast_set": guarded(to_set),
    "internal.member_2": guarded(member),
    "internal.member_3": guarded(member_at),
}
