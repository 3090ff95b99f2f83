"""Arithmetic, rounding, bits and ranges.

OPA reads a number as decimal and calculates with 64 bits of mantissa, so that 0.1 + 0.2 is 0.3. Ours are floats: a
result that has at most 15 digits in decimal is that decimal, any other is the float's. Whole numbers are exact.
LIMIT: OPA keeps how a number was written (1.50, 1e3); we keep its value.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import (
    MAX_BITS,
    MAX_SIZE,
    Builtin,
    guarded,
    integer,
    members,
    number,
    real,
    whole,
    wrong,
)
from governance.policy.plan.values import Set, Value

_DIGITS: Final = 15  # every decimal of so many digits survives a float
_PRECISION: Final = 400  # holds any float beside any other; Decimal is exact up to here
_BASES: Final = {2: "b", 8: "o", 10: "d", 16: "x"}
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)
_JSON: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
Number = int | float


def plus(a: Value, b: Value) -> Value:
    """The sum of two numbers."""
    if type(a) is int and type(b) is int:
        return whole(a + b)
    return _calculated(Context.add, operator.add, number(a, 1), number(b, 2))


def minus(a: Value, b: Value) -> Value:
    """The difference of two numbers, or of two sets."""
    if type(a) is int and type(b) is int:
        return whole(a - b)
    if type(a) is Set:
        return difference(a, b)
    return _calculated(Context.subtract, operator.sub, number(a, 1), number(b, 2))


def difference(a: Value, b: Value) -> Value:
    """The members of the first set that the second has not."""
    left, right = members(a, 1).members, members(b, 2).members
    found = Set()
    found.members.update((key, value) for key, value in left.items() if key not in right)
    return found


def times(a: Value, b: Value) -> Value:
    """The product of two numbers."""
    if type(a) is int and type(b) is int:
        if a.bit_length() + b.bit_length() > MAX_BITS:
            raise BuiltinError("number too large")
        return a * b
    return _calculated(Context.multiply, operator.mul, number(a, 1), number(b, 2))


def divided(a: Value, b: Value) -> Value:
    """The quotient of two numbers: whole where it is exact."""
    if number(b, 2) == 0:
        raise BuiltinError("divide by zero")
    if type(a) is int and type(b) is int and a % b == 0:
        return a // b
    return _calculated(Context.divide, operator.truediv, number(a, 1), b)


def remainder(a: Value, b: Value) -> Value:
    """What is left of a whole number, with its sign, after a division by another."""
    dividend, divisor = number(a, 1), number(b, 2)
    if type(dividend) is not int or type(divisor) is not int:
        raise BuiltinError("modulo on floating-point number")
    if divisor == 0:
        raise BuiltinError("modulo by zero")
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


def _calculated(
    exact: Callable[[Context, Decimal, Decimal], Decimal],
    rough: Callable[[Number, Number], Number],
    a: Number,
    b: Number,
) -> Number:
    try:
        found = exact(Context(prec=40), Decimal(repr(a)), Decimal(repr(b)))
        if len(found.normalize(Context(prec=60)).as_tuple().digits) <= _DIGITS:
            return _number_of(found)
        return real(rough(float(a), float(b)))
    except ArithmeticError:
        raise BuiltinError("number too large") from None


def _number_of(value: Decimal) -> Number:
    if value.adjusted() > MAX_BITS // 4:
        raise BuiltinError("number too large")
    return whole(int(value)) if value == value.to_integral_value() else real(float(value))


def number_of(written: str) -> Number:
    """The number that a decimal stands for; its exponent is bounded. Raises BuiltinError where it is none."""
    if _NUMBER.fullmatch(written) is None or len(written) > MAX_BITS // 4:
        raise BuiltinError("not a number")
    return _number_of(Decimal(written)) if any(char in ".eE" for char in written) else int(written)


def magnitude(a: Value) -> Value:
    """The absolute value."""
    return abs(number(a))


def rounded(a: Value) -> Value:
    """The nearest whole number, halves away from zero."""
    value = number(a)
    if type(value) is int:
        return value
    return int(Decimal(repr(value)).to_integral_value(ROUND_HALF_UP, Context(prec=_PRECISION)))


def raised(a: Value) -> Value:
    """The whole number at or above. 1 between -1 and 0, as in OPA: policies answer alike on every engine."""
    value = number(a)
    if type(value) is int:
        return value
    cut = int(value)
    return cut if cut < 0 else cut + 1


def lowered(a: Value) -> Value:
    """The whole number at or below. Between -1 and 0 it is 0: OPA's answer, see `raised`."""
    value = number(a)
    if type(value) is int:
        return value
    cut = int(value)
    return cut if cut >= 0 else cut - 1


def _bits(combine: Callable[[int, int], int]) -> Builtin:
    def call(a: Value, b: Value) -> Value:
        return combine(integer(a, 1), integer(b, 2))

    return call


def negated(a: Value) -> Value:
    """The bits of a whole number turned over."""
    return ~integer(a)


def shifted_left(a: Value, b: Value) -> Value:
    """The bits moved up, within the bound of a number."""
    value, by = integer(a, 1), integer(b, 2)
    if by < 0:
        raise BuiltinError("operand 2 must be an unsigned integer number but got a negative integer")
    if value.bit_length() + by > MAX_BITS:
        raise BuiltinError("number too large")
    return value << by


def shifted_right(a: Value, b: Value) -> Value:
    """The bits moved down."""
    value, by = integer(a, 1), integer(b, 2)
    if by < 0:
        raise BuiltinError("operand 2 must be an unsigned integer number but got a negative integer")
    return value >> min(by, MAX_BITS)


def stepped(a: Value, b: Value, c: Value = 1) -> Value:
    """The whole numbers from `a` to `b`, down where `b` is smaller, in steps of `c`."""
    start, end, step = integer(a, 1), integer(b, 2), integer(c, 3)
    if step <= 0:
        raise BuiltinError("step must be a positive integer")
    if abs(end - start) // step >= MAX_SIZE:
        raise BuiltinError("result too large")
    return list(range(start, end + 1, step) if start <= end else range(start, end - 1, -step))


def in_base(a: Value, b: Value) -> Value:
    """A number, cut to a whole one, in base 2, 8, 10 or 16."""
    value, base = int(number(a, 1)), number(b, 2)
    form = _BASES.get(int(base)) if type(base) is int else None
    if form is None:
        raise BuiltinError("operand 2 must be one of {2, 8, 10, 16}")
    return format(whole(value), form)


def to_number(a: Value) -> Value:
    """0 for null and false, 1 for true, and a number as JSON writes it, within the range of a float, as that."""
    if a is None or type(a) is bool:
        return int(bool(a))
    if type(a) is str:
        if _JSON.fullmatch(a) is None or math.isinf(float(a)):
            raise BuiltinError("not a number")
        return number_of(a)
    if type(a) is int or type(a) is float:
        return a
    raise wrong(1, "one of {null, boolean, number, string}", a)


BUILTINS: Final[Mapping[str, Builtin]] = {
    "plus": plus,
    "minus": minus,
    "mul": times,
    "div": divided,
    "rem": remainder,
    "abs": magnitude,
    "round": guarded(rounded),
    "ceil": raised,
    "floor": lowered,
    "bits.and": _bits(operator.and_),
    "bits.or": _bits(operator.or_),
    "bits.xor": _bits(operator.xor),
    "bits.negate": negated,
    "bits.lsh": shifted_left,
    "bits.rsh": shifted_right,
    "numbers.range": stepped,
    "numbers.range_step": stepped,
    "format_int": guarded(in_base),
    "to_number": guarded(to_number),
}
