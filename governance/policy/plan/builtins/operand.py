"""The checks of what a builtin was given, and the bounds of what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from functools import wraps
from typing import Any, Final, TypeVar

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.values import Key, Set, Value, sorted_values

Builtin = Callable[..., Value]
S = TypeVar("S", bound=Sized)

MAX_SIZE: Final = 1_000_000  # items or characters of one result, and what one call may go through
MAX_BITS: Final = 13_000  # of a number: below the 4300 digits that Python writes
MAX_DEPTH: Final = 200  # of a document that is read, below Python's own bound

_NAMES: Final = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def type_name(value: Value) -> str:
    """What Rego calls the type of `value`."""
    if value is None:
        return "null"
    return _NAMES.get(type(value), "set")


def wrong(position: int, expected: str, value: Value) -> BuiltinError:
    """The error of an operand that has another type than `expected`."""
    return BuiltinError(f"operand {position} must be {expected} but got {type_name(value)}")


def text(value: Value, position: int = 1) -> str:
    """`value`, a string."""
    if type(value) is not str:
        raise wrong(position, "string", value)
    return value


def number(value: Value, position: int = 1) -> int | float:
    """`value`, a number."""
    if type(value) is not int and type(value) is not float:
        raise wrong(position, "number", value)
    return value


def integer(value: Value, position: int = 1) -> int:
    """`value`, a whole number."""
    if type(value) is not int:
        raise wrong(position, "integer", value)
    return value


def array(value: Value, position: int = 1) -> list[Value]:
    """`value`, an array."""
    if type(value) is not list:
        raise wrong(position, "array", value)
    return value


def mapping(value: Value, position: int = 1) -> dict[str | Key, Value]:
    """`value`, an object."""
    if type(value) is not dict:
        raise wrong(position, "object", value)
    return value


def members(value: Value, position: int = 1) -> Set:
    """`value`, a set."""
    if type(value) is not Set:
        raise wrong(position, "set", value)
    return value


def elements(value: Value, position: int = 1) -> list[Value]:
    """The items of `value`, an array or a set; a set's in the order of Rego."""
    if type(value) is Set:
        return sorted_values(value)
    if type(value) is not list:
        raise wrong(position, "one of {array, set}", value)
    return value


def texts(value: Value, position: int = 1) -> list[str]:
    """The items of `value`, an array or a set of strings."""
    found = elements(value, position)
    for item in found:
        if type(item) is not str:
            raise BuiltinError(f"operand {position} must hold strings but holds {type_name(item)}")
    return found


def bounded(result: S) -> S:
    """`result`, unless it is too large to go on with."""
    if len(result) > MAX_SIZE:
        raise BuiltinError("result too large")
    return result


def within(cost: int) -> None:
    """Raises where a call would go through more than MAX_SIZE items or characters."""
    if cost > MAX_SIZE:
        raise BuiltinError("operands too large")


def whole(value: int) -> int:
    """`value`, unless it has more bits than a number may have."""
    if value.bit_length() > MAX_BITS:
        raise BuiltinError("number too large")
    return value


def real(value: float) -> int | float:
    """A float as Rego's number: whole ones are ints."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  # the one test for a NaN
        raise BuiltinError("number too large")
    return int(value) if value.is_integer() else value


def collected(values: Iterable[Value]) -> Set:
    """`values` as a set of bounded size."""
    found = Set()
    for value in values:
        found.add(value)
        if len(found) > MAX_SIZE:
            raise BuiltinError("result too large")
    return found


def guarded(builtin: Builtin) -> Builtin:
    """`builtin` with what the library below it raises as a BuiltinError that quotes nothing."""

    @wraps(builtin)
    def call(*operands: Value) -> Any:
        try:
            return builtin(*operands)
        except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError, AttributeError, MemoryError):
            raise BuiltinError("not a value that this builtin takes") from None

    return call
