"""Arithmetic as Rego has it: exact whole numbers, decimals without binary noise."""

from __future__ import annotations

import pytest

from governance.policy.plan.builtins import BUILTINS, BuiltinError
from governance.policy.plan.values import Set, Value

VALUES = [
    ("plus", (0.1, 0.2), 0.3),
    ("plus", (2**80, 1), 2**80 + 1),
    ("plus", (1.5, 1.5), 3),
    ("minus", (0.3, 0.1), 0.2),
    ("minus", (Set([1, 2]), Set([2])), Set([1])),
    ("mul", (2**40, 2**40), 2**80),
    ("mul", (0.1, 3), 0.3),
    ("div", (6, 3), 2),
    ("div", (7, 2), 3.5),
    ("mul", (BUILTINS["div"](1, 3), 3), 1),
    ("rem", (-7, 3), -1),
    ("rem", (7, -3), 1),
    ("abs", (-2.5,), 2.5),
    ("round", (2.5,), 3),
    ("round", (-2.5,), -3),
    ("ceil", (1.1,), 2),
    ("ceil", (-1.1,), -1),
    ("floor", (-1.1,), -2),
    ("bits.and", (12, 10), 8),
    ("bits.or", (12, 10), 14),
    ("bits.xor", (12, 10), 6),
    ("bits.negate", (5,), -6),
    ("bits.lsh", (1, 10), 1024),
    ("bits.rsh", (1024, 3), 128),
    ("numbers.range", (3, 1), [3, 2, 1]),
    ("numbers.range_step", (0, 10, 4), [0, 4, 8]),
    ("format_int", (-255, 16), "-ff"),
    ("format_int", (15.9, 10), "15"),
    ("to_number", ("1e3",), 1000),
    ("to_number", (True,), 1),
    ("sum", ([0.1, 0.2],), 0.3),
    ("product", (Set([2, 3]),), 6),
]  # fmt: skip
ERRORS = [
    ("plus", ("secret", 1)),
    ("plus", (True, 1)),
    ("div", (1, 0)),
    ("div", (1, 0.0)),
    ("rem", (1, 0)),
    ("rem", (1.5, 1)),
    ("mul", (2**9000, 2**9000)),
    ("bits.lsh", (1, 10**9)),
    ("bits.lsh", (1, -1)),
    ("bits.and", (1.5, 1)),
    ("numbers.range", (0, 10**9)),
    ("numbers.range_step", (0, 1, 0)),
    ("format_int", (1, 3)),
    ("to_number", ("secret",)),
    ("to_number", ("inf",)),
    ("to_number", ("1e99999",)),
    ("sum", (["secret"],)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "expected"), VALUES)
def test_value(name: str, operands: tuple[Value, ...], expected: Value) -> None:
    """A call has the documented value."""
    actual = BUILTINS[name](*operands)

    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize(("name", "operands"), ERRORS)
def test_error(name: str, operands: tuple[Value, ...]) -> None:
    """A call that has no answer is an error, whose text holds no operand."""
    with pytest.raises(BuiltinError) as raised:
        BUILTINS[name](*operands)

    assert "secret" not in str(raised.value)
