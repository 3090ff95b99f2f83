"""Aggregates, arrays and sets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Final

from governance.policy.plan.builtins.error import UNDEFINED
from governance.policy.plan.builtins.numbers import difference, plus, times
from governance.policy.plan.builtins.operand import (
    Builtin,
    array,
    bounded,
    elements,
    guarded,
    integer,
    members,
    within,
    wrong,
)
from governance.policy.plan.values import Set, Value, sorted_values


def count(a: Value) -> Value:
    """How many items, names or characters there are."""
    if type(a) in (str, list, dict, Set):
        return len(a)
    raise wrong(1, "one of {array, object, set, string}", a)


def total(a: Value) -> Value:
    """The sum of a collection of numbers: 0 of none."""
    return reduce(plus, elements(a), 0)


def product(a: Value) -> Value:
    """The product of a collection of numbers: 1 of none."""
    return reduce(times, elements(a), 1)


def largest(a: Value) -> Value:
    """The last item in the order of Rego: undefined of none."""
    found = sorted_values(elements(a))
    return found[-1] if found else UNDEFINED


def smallest(a: Value) -> Value:
    """The first item in the order of Rego: undefined of none."""
    found = sorted_values(elements(a))
    return found[0] if found else UNDEFINED


def in_order(a: Value) -> Value:
    """The items in the order of Rego."""
    return sorted_values(elements(a))


def every(a: Value) -> Value:
    """Whether each item is true."""
    return all(item is True for item in elements(a))


def some(a: Value) -> Value:
    """Whether an item is true."""
    return any(item is True for item in elements(a))


def joined(a: Value, b: Value) -> Value:
    """Two arrays in a row."""
    return bounded([*array(a, 1), *array(b, 2)])


def flattened(a: Value) -> Value:
    """The items, with those of an array among them in its place, one level deep."""
    found: list[Value] = []
    for item in array(a):
        found.extend(item if type(item) is list else (item,))
        bounded(found)
    return found


def reverse(a: Value) -> Value:
    """The items from last to first."""
    return array(a)[::-1]


def part(a: Value, b: Value, c: Value) -> Value:
    """The items from index `b` up to `c`, both cut to what there is."""
    items, stop = array(a, 1), max(integer(c, 3), 0)
    return items[max(integer(b, 2), 0) : stop]


def common(a: Value, b: Value) -> Value:
    """The members that two sets share."""
    left, right = members(a, 1).members, members(b, 2).members
    found = Set()
    found.members.update((key, value) for key, value in left.items() if key in right)
    return found


def either(a: Value, b: Value) -> Value:
    """The members of two sets."""
    found = Set()
    found.members.update(members(a, 1).members)
    found.members.update(members(b, 2).members)
    bounded(found)
    return found


def common_of(a: Value) -> Value:
    """The members that all sets of a set share: none of no sets."""
    sets = list(members(a))
    return reduce(common, sets[1:], members(sets[0])) if sets else Set()


def union_of(a: Value) -> Value:
    """The members of all sets of a set."""
    found = Set()
    within(sum(len(members(one)) for one in members(a)))
    for one in members(a):
        found.members.update(one.members)
    return found


BUILTINS: Final[Mapping[str, Builtin]] = {
    "count": count,
    "sum": total,
    "product": product,
    "max": guarded(largest),
    "min": guarded(smallest),
    "sort": guarded(in_order),
    "all": guarded(every),
    "any": guarded(some),
    "array.concat": joined,
    "array.flatten": flattened,
    "array.reverse": reverse,
    "array.slice": part,
    "and": common,
    "or": either,
    "set_diff": difference,
    "intersection": common_of,
    "union": union_of,
}
