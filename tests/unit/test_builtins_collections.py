"""Collections, objects, comparison and types."""

from __future__ import annotations

import pytest

from governance.policy.plan.builtins import BUILTINS, UNDEFINED, BuiltinError
from governance.policy.plan.values import Set, Value

VALUES = [
    ("count", ("héllo",), 5),
    ("count", (Set([1, 1.0]),), 1),
    ("max", (["a", None, 3],), "a"),
    ("max", ([],), UNDEFINED),
    ("min", (Set(),), UNDEFINED),
    ("sort", (Set([3, "a", None]),), [None, 3, "a"]),
    ("all", ([True, 1],), False),
    ("any", (Set([False, True]),), True),
    ("array.concat", ([1], [2]), [1, 2]),
    ("array.flatten", ([1, [2, [3]]],), [1, 2, [3]]),
    ("array.slice", ([1, 2, 3], -1, 2), [1, 2]),
    ("array.slice", ([1, 2, 3], 2, 1), []),
    ("array.reverse", ([1, 2],), [2, 1]),
    ("and", (Set([1, 2]), Set([2, 3])), Set([2])),
    ("or", (Set([1]), Set([2])), Set([1, 2])),
    ("set_diff", (Set([1, 2]), Set([2])), Set([1])),
    ("intersection", (Set([Set([1, 2]), Set([2, 3])]),), Set([2])),
    ("intersection", (Set(),), Set()),
    ("union", (Set([Set([1]), Set([2])]),), Set([1, 2])),
    ("object.get", ({"a": {"b": [5]}}, ["a", "b", 0], 1), 5),
    ("object.get", ({"a": False}, "a", 1), False),
    ("object.get", ({"a": 1}, ["a", "b"], "default"), "default"),
    ("object.keys", ({"a": 1},), Set(["a"])),
    ("object.union", ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}), {"a": {"b": 3, "c": 2}}),
    ("object.union_n", ([{"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 3}}],), {"a": {"b": 3, "c": 2}}),
    ("object.union_n", ([{"a": {"b": 1}}, {"a": 2}, {"a": {"c": 3}}],), {"a": {"c": 3}}),
    ("object.remove", ({"a": 1, "b": 2}, Set(["a"])), {"b": 2}),
    ("object.filter", ({"a": 1, "b": 2}, {"a": None}), {"a": 1}),
    ("object.subset", ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}), True),
    ("object.subset", ([1, 2, 3], [1, 3]), False),
    ("object.subset", ([1, 2], Set([2])), True),
    ("equal", (1, 1.0), True),
    ("equal", (True, 1), False),
    ("lt", (None, False), True),
    ("lte", ({"a": 1}, {"a": 1}), True),
    ("gt", (Set(), {}), True),
    ("gte", ("a", 1), True),
    ("neq", ([1], [1]), False),
    ("type_name", (Set(),), "set"),
    ("is_number", (True,), False),
    ("is_object", ({},), True),
    ("cast_array", (Set([2, 1]),), [1, 2]),
    ("cast_set", ([1, 1],), Set([1])),
    ("internal.member_2", ("x", {"a": "x"}), True),
    ("internal.member_2", (1, "1"), False),
    ("internal.member_3", (0, "x", ["x"]), True),
    ("internal.member_3", (1, 1, Set([1])), True),
]  # fmt: skip
ERRORS = [
    ("count", (5,)),
    ("max", ("secret",)),
    ("array.concat", ([1], "secret")),
    ("array.slice", ([1], 0.5, 1)),
    ("and", (Set(), [])),
    ("union", (Set([1]),)),
    ("object.get", ([1], 0, 1)),
    ("object.union", ({}, "secret")),
    ("object.union_n", ([1],)),
    ("object.remove", ({"a": 1}, "secret")),
    ("object.subset", ({}, [])),
    ("cast_string", (1,)),
    ("cast_array", ({},)),
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


def test_operands_stay_as_they_are() -> None:
    """A join of objects changes neither them nor what they hold."""
    one, two = {"a": {"b": 1}}, {"a": {"c": 2}}

    BUILTINS["object.union"](one, two)
    BUILTINS["object.union_n"]([one, two, {"a": {"b": 9}}])

    assert ({"a": {"b": 1}}, {"a": {"c": 2}}) == (one, two)


def test_results_are_bounded() -> None:
    """What would be larger than a million items is an error."""
    half = list(range(600_000))

    with pytest.raises(BuiltinError, match="too large"):
        BUILTINS["array.concat"](half, half)
