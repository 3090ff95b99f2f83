"""Objects: reading, joining, filtering, and whether one holds another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.policy.plan.builtins.comparison import at
from governance.policy.plan.builtins.error import UNDEFINED, BuiltinError
from governance.policy.plan.builtins.operand import Builtin, array, guarded, mapping, within, wrong
from governance.policy.plan.values import Key, Set, Value, equal, key_of, name_of

Object = dict[str | Key, Value]


def get(a: Value, b: Value, c: Value) -> Value:
    """What an object has at a name, or at a path that is an array; the default `c` where it has nothing."""
    found = mapping(a)
    if type(b) is not list:
        return found.get(key_of(b), c)
    here: Value = found
    for step in b:
        here = at(here, step)
        if here is UNDEFINED:
            return c
    return here


def names(a: Value) -> Value:
    """The names of an object, as a set."""
    return Set(map(name_of, mapping(a)))


def union(a: Value, b: Value) -> Value:
    """Two objects as one: the second wins, and objects under one name are joined in turn."""
    left, right = mapping(a, 1), mapping(b, 2)
    joined: Object = dict(left)
    for key, value in right.items():
        before = left.get(key)
        joined[key] = union(before, value) if type(before) is dict and type(value) is dict else value
    return joined


def union_of(a: Value) -> Value:
    """The objects of an array as one: later ones win."""
    objects = [mapping(item) for item in array(a)]
    within(sum(map(len, objects)))
    joined: Object = {}
    made: dict[int, Object] = {}
    for one in objects:
        _lay(one, joined, made)
    return joined


def _lay(above: Object, below: Object, made: dict[int, Object]) -> None:
    """Lays `above` over `below`. What is changed was made here: `made` keeps it, so that its id stays its own."""
    for key, value in above.items():
        before = below.get(key)
        if type(before) is dict and type(value) is dict:
            if id(before) not in made:
                before = dict(before)
                made[id(before)] = below[key] = before
            _lay(value, before, made)
        else:
            below[key] = value


def _keys(value: Value) -> set[str | Key]:
    if type(value) is dict:
        return set(value)
    if type(value) is Set:
        return set(value.members)
    if type(value) is list:
        return set(map(key_of, value))
    raise wrong(2, "one of {object, set, array}", value)


def without(a: Value, b: Value) -> Value:
    """An object without the names that `b` holds."""
    gone = _keys(b)
    return {key: value for key, value in mapping(a).items() if key not in gone}


def only(a: Value, b: Value) -> Value:
    """An object with the names that `b` holds, and no others."""
    kept = _keys(b)
    return {key: value for key, value in mapping(a).items() if key in kept}


def holds(a: Value, b: Value) -> Value:
    """Whether `b` is a part of `a`: objects name by name, sets member by member, arrays as a run of items."""
    if type(a) is dict and type(b) is dict:
        return all(key in a and _within(a[key], value) for key, value in b.items())
    if type(a) is Set and type(b) is Set:
        return b.members.keys() <= a.members.keys()
    if type(a) is list and type(b) is list:
        return _is_run(a, b)
    if type(a) is list and type(b) is Set:
        return bool(a) and b.members.keys() <= set(map(key_of, a))
    raise BuiltinError("both arguments must be of the same type or array and set")


def _within(whole: Value, part: Value) -> bool:
    if equal(whole, part):
        return True
    return type(whole) is type(part) and type(whole) in (dict, Set, list) and bool(holds(whole, part))


def _is_run(whole: list[Value], part: list[Value]) -> bool:
    within(len(whole) * len(part))
    left, right = list(map(key_of, whole)), list(map(key_of, part))
    return any(left[start : start + len(right)] == right for start in range(len(left) - len(right) + 1))


BUILTINS: Final[Mapping[str, Builtin]] = {
    "object.get": get,
    "object.keys": names,
    "object.union": guarded(union),
    "object.union_n": guarded(union_of),
    "object.remove": guarded(without),
    "object.filter": guarded(only),
    "object.subset": guarded(holds),
}
