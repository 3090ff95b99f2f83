"""What compiled plans call: lookups, scans, conflicts, and the budget that ends a runaway.

The state of one evaluation is a list: the budget, the trail of rule exits (None where nobody asks), then one memo for
each function of input and data alone. `with` makes another list with the same budget and trail.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from governance.policy.plan.builtins.error import UNDEFINED
from governance.policy.plan.values import Key, Set, Value, equal, key_of, name_of, ordered, sorted_values

State = list[Any]
BUDGET: Final = 0
TRAIL: Final = 1
MEMOS: Final = 2
_MAX_DIGITS: Final = 308
STEPS_BETWEEN_LOOKS: Final = 500


class EvaluationError(Exception):
    """A policy ended in an error: two values for one rule or key. Its text holds no value."""


class BudgetExceeded(Exception):
    """A policy took more steps than it may."""


class _Missing:
    __slots__ = ()


# A memo that is not there yet: undefined is a result like another.
MISSING: Final = _Missing()


def fresh(memos: int, budget: int, *, trail: set[int] | None = None, deadline: float = math.inf) -> State:
    """The state of a new evaluation of at most `budget` steps, that ends at `deadline` of the monotonic clock."""
    return [[0, budget, deadline], trail, *[MISSING] * memos]


def forget(state: State) -> State:
    """The same evaluation without its memos: under `with` rules have other values."""
    charge(state, 1 + len(state) // 8)
    return [*state[:MEMOS], *[MISSING] * (len(state) - MEMOS)]


def charge(state: State, steps: int) -> None:
    """Takes `steps` off the budget. Raises BudgetExceeded where it is spent or the time is over."""
    budget = state[BUDGET]
    budget[0] -= steps
    if budget[0] < 0:
        _refill(budget)


def _refill(budget: list[Any]) -> None:
    # The clock is asked once in so many steps: a step may be long, where it compares large values.
    while budget[0] < 0:
        portion = min(STEPS_BETWEEN_LOOKS, budget[1])
        if portion <= 0:
            raise BudgetExceeded
        budget[0] += portion
        budget[1] -= portion
    if time.monotonic() > budget[2]:
        raise BudgetExceeded


def spend(state: State, *values: Value) -> None:
    """Charges for a builtin by the size of what it took and gave."""
    steps = 1
    for value in values:
        if type(value) in _SIZED:
            steps += len(value) >> 3
    budget = state[BUDGET]
    budget[0] -= steps
    if budget[0] < 0:
        _refill(budget)


_SIZED: Final = frozenset({str, list, dict, Set})


def same(state: State, a: Value, b: Value) -> bool:
    """Whether `a` and `b` are one value. Charges for collections by their size."""
    if type(a) is not type(b):
        return equal(a, b)
    if type(a) in _COLLECTIONS:
        charge(state, 1 + (len(a) >> 3))
    return equal(a, b)


_COLLECTIONS: Final = frozenset({list, dict, Set})


def dot(source: Value, key: Value) -> Value:
    """What `source` holds under `key`, else UNDEFINED."""
    kind = type(source)
    if kind is dict:
        return source.get(key if type(key) is str else Key(key), UNDEFINED)
    if kind is list:
        if type(key) is float and key.is_integer():
            key = int(key)
        return source[key] if type(key) is int and 0 <= key < len(source) else UNDEFINED
    if kind is Set:
        return source.members.get(key_of(key), UNDEFINED)
    return UNDEFINED


def dot_data(source: Value, key: Value) -> Value:
    """The same in the data document: OPA finds what is under `data.x["2"]` by `data.x[2]` too."""
    found = dot(source, key)
    if found is UNDEFINED and type(source) is dict and type(key) is int:
        return source.get(str(key), UNDEFINED)
    return found


def copied(state: State, source: Value) -> Value:
    """`source`, or a copy that may be changed. Charges for it."""
    kind = type(source)
    if kind is dict:
        charge(state, 1 + len(source) // 8)
        return dict(source)
    if kind is Set:
        charge(state, 1 + len(source) // 8)
        copy = Set()
        copy.members.update(source.members)
        return copy
    return source


def length(source: Value) -> int:
    """How many items `source` has."""
    if type(source) not in _SIZED:
        raise EvaluationError("the length of a scalar")
    return len(source)


def items(state: State, source: Value) -> Iterable[Value]:
    """The items of `source` in any order, none for a scalar. Charges for all of them."""
    kind = type(source)
    found: Collection[Value]
    if kind is list:
        found = source
    elif kind is dict:
        found = source.values()
    elif kind is Set:
        found = source.members.values()
    else:
        return ()
    budget = state[BUDGET]
    budget[0] -= len(found) + 1
    if budget[0] < 0:
        _refill(budget)
    return found


def pairs(state: State, source: Value) -> Iterable[tuple[Value, Value]]:
    """Keys (of an object: as they are kept) and items of `source` in any order. Charges for all of them."""
    kind = type(source)
    if kind is list:
        charge(state, len(source) + 1)
        return enumerate(source)
    if kind is dict:
        charge(state, len(source) + 1)
        found: Iterable[tuple[Value, Value]] = source.items()
        return found
    if kind is Set:
        charge(state, len(source) + 1)
        return [(item, item) for item in source.members.values()]
    return ()


def ordered_pairs(state: State, source: Value) -> Iterable[tuple[Value, Value]]:
    """The same in the order of Rego, for a loop whose order can be seen."""
    kind = type(source)
    if kind is dict:
        charge(state, len(source) + 1)
        return [(key, source[key_of(key)]) for key in sorted_values(map(name_of, source))]
    if kind is Set:
        charge(state, len(source) + 1)
        return [(item, item) for item in ordered(source)]
    return pairs(state, source)


def once(known: Value, value: Value) -> None:
    """Raises EvaluationError where a rule that is `known` would become another `value`."""
    if not equal(known, value):
        raise EvaluationError("a rule has two values")


def insert_once(into: dict[str | Key, Value], key: Value, value: Value) -> None:
    """Puts `value` under `key`. Raises EvaluationError where another is there."""
    kept = key_of(key)
    if kept in into and not equal(into[kept], value):
        raise EvaluationError("an object has two values for one key")
    into[kept] = value


def merge(a: Value, b: Value) -> Value:
    """Both objects in one, recursively; `a` stays where the two differ."""
    if a is UNDEFINED:
        return b
    if type(a) is not dict or type(b) is not dict:
        return a
    merged = {key: merge(value, b[key]) if key in b else value for key, value in a.items()}
    return merged | {key: value for key, value in b.items() if key not in merged}


def replaced(root: Value, path: Sequence[str], value: Value) -> Value:
    """`root` with `value` at `path`; what is no object on the way becomes one."""
    if not path:
        return value
    copy = dict(root) if type(root) is dict else {}
    copy[path[0]] = replaced(copy.get(path[0]), path[1:], value)
    return copy


def number(text: str) -> int | float:
    """The number that JSON writes as `text`. Raises ValueError for one that a float would not hold exactly enough."""
    if not re.fullmatch(r"-?(\d{1,4000}(\.\d{1,4000})?|\.\d{1,4000})([eE][+-]?\d{1,4})?", text):
        raise ValueError("not a number")
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    exact = Decimal(text)
    if exact == exact.to_integral_value() and exact.adjusted() < _MAX_DIGITS:
        return int(exact)
    value = float(text)
    if Decimal(repr(value)) != exact:
        raise ValueError("more digits than a number has here")
    return value


def member(state: State, item: Value, collection: Value) -> bool:
    """Whether `item` is among the values of `collection`: `x in xs`. Charges by its size."""
    kind = type(collection)
    if kind is Set:
        return item in collection
    if kind is dict:
        collection = collection.values()
    elif kind is not list:
        return False
    charge(state, 1 + (len(collection) >> 3))
    if type(item) is str:
        return item in collection
    return any(equal(item, one) for one in collection)


def plain(value: Value, nodes: int, depth: int) -> Any:
    """`value` as JSON knows it, a set as a sorted list. Raises ValueError beyond the limits, or for other keys than strings."""
    left = nodes

    def walk(one: Value, level: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or level > depth:
            raise ValueError("a result beyond the limits")
        kind = type(one)
        if kind is dict:
            if not all(type(key) is str for key in one):
                raise ValueError("a key that is no string")
            return {key: walk(item, level + 1) for key, item in one.items()}
        if kind is list:
            return [walk(item, level + 1) for item in one]
        if kind is Set:
            return [walk(item, level + 1) for item in ordered(one)]
        if kind is float and one.is_integer():
            return int(one)
        return one

    return walk(value, 0)
