"""A plan as functions: control flow, undefined, conflicts, `with`, the budget, and what a plan may not do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from governance.errors import ConfigInvalid
from governance.policy.plan import runtime
from governance.policy.plan.compile import Builtin, RuleExit, compile_plan
from governance.policy.plan.ir import read_plan
from governance.policy.plan.values import Set
from tests.plans import Raw, answer, block, boolean, call, function, local, plan, stmt, string


def ask(raw: bytes, document: Any = None, *, budget: int = 1000, builtins: Mapping[str, Builtin] | None = None) -> Any:
    """The value of each result of the entrypoint."""
    compiled = compile_plan(read_plan(raw), builtins or {})
    state = runtime.fresh(compiled.memos, budget)
    return [one["result"] for one in compiled.entrypoints["test"](state, document, {"d": 1})]


def number(target: int, value: int) -> Raw:
    return stmt("MakeNumberInt", value=value, target=target)


def test_a_missing_key_leaves_the_block() -> None:
    """What comes after an undefined statement does not happen, the next block does."""
    raw = plan(
        block(stmt("Dot", source=local(0), key=string(1), target=2), *answer(2)),
        block(number(3, 7), *answer(3)),
        strings=["a"],
    )

    assert [7] == ask(raw, {})
    assert [5, 7] == ask(raw, {"a": 5})


@pytest.mark.parametrize(
    ("document", "key", "expected"),
    [
        ([10, 20], 1, [20]),
        ([10, 20], 2, []),
        ([10, 20], -1, []),
        ([10, 20], True, []),
        ({"a": 1}, "a", [1]),
        ("text", 0, []),
        (None, "a", []),
        ({"a": None}, "a", [None]),
    ],
)
def test_a_lookup_is_undefined_or_a_value(document: Any, key: Any, expected: list[Any]) -> None:
    """Null is a value, a boolean is no index, and there is nothing before the first item."""
    raw = plan(
        block(
            stmt("Dot", source=local(0), key=string(1), target=2),
            stmt("Dot", source=local(0), key=string(2), target=3),
            stmt("Dot", source=local(2), key=local(3), target=4),
            *answer(4),
        ),
        strings=["of", "key"],
    )

    assert expected == ask(raw, {"of": document, "key": key})


def test_a_break_leaves_as_many_blocks_as_it_says() -> None:
    """Zero is the block itself, one the block around it, and a scan counts as two: its turn and itself."""

    def scan(levels: int) -> bytes:
        inner = block(stmt("SetAdd", value=local(5), set=2), stmt("Break", index=levels), *answer(1))
        body = block(stmt("Block", blocks=[inner]), stmt("SetAdd", value=string(1), set=2))
        return plan(
            block(
                stmt("MakeSet", target=2),
                stmt("Scan", source=0, key=4, value=5, block=body),
                stmt("SetAdd", value=string(2), set=2),
            ),
            block(*answer(2)),
            strings=["turn", "scan"],
        )

    assert [Set([10, 20, "turn", "scan"])] == ask(scan(0), [10, 20])
    assert [Set([10, 20, "scan"])] == ask(scan(1), [10, 20])
    assert [Set([10, "scan"])] == ask(scan(2), [10, 20])
    assert [Set([10])] == ask(scan(3), [10, 20])


def test_not_is_the_opposite_of_its_block() -> None:
    """What the block defines is undefined outside, and the other way round."""
    raw = plan(
        block(
            stmt("Not", block=block(stmt("Dot", source=local(0), key=string(1), target=2))),
            number(3, 1),
            *answer(3),
        ),
        strings=["a"],
    )

    assert [] == ask(raw, {"a": False})
    assert [1] == ask(raw, {})


def test_many_nested_scans_compile() -> None:
    """Python has a limit of 20 loops inside each other; a plan has none below its own limit of depth."""
    depth = 35
    body = block(stmt("SetAdd", value=local(3 + depth), set=2))
    for level in reversed(range(depth)):
        body = block(stmt("Scan", source=3 + level, key=80, value=4 + level, block=body))
    raw = plan(
        block(stmt("MakeSet", target=2), stmt("AssignVar", source=local(0), target=3), *body["stmts"]),
        block(*answer(2)),
    )
    document: Any = 7
    for _ in range(depth):
        document = [document]

    assert [Set([7])] == ask(raw, document)


def test_two_values_for_one_rule_are_an_error() -> None:
    """The same value twice is none."""
    raw = plan(
        block(
            stmt("ResetLocal", target=2),
            stmt("Scan", source=0, key=3, value=4, block=block(stmt("AssignVarOnce", source=local(4), target=2))),
            *answer(2),
        )
    )

    assert [5] == ask(raw, [5, 5])
    with pytest.raises(runtime.EvaluationError):
        ask(raw, [5, 6])


def test_with_holds_inside_its_block_only() -> None:
    """Rules are evaluated anew under it, and what they were before is what they are after."""
    rule = function(
        "f",
        block(stmt("Dot", source=local(0), key=string(1), target=2)),
        block(stmt("IsDefined", source=2), stmt("ReturnLocal", source=2)),
    )
    under = block(call("f", 4), stmt("SetAdd", value=local(4), set=7))
    raw = plan(
        block(
            stmt("MakeSet", target=7),
            call("f", 3),
            stmt("SetAdd", value=local(3), set=7),
            stmt("With", local=0, path=[1], value=string(2), block=under),
            call("f", 5),
            stmt("SetAdd", value=local(5), set=7),
            stmt("Dot", source=local(0), key=string(3), target=6),
            stmt("SetAdd", value=local(6), set=7),
            *answer(7),
        ),
        functions=[rule],
        strings=["a", "mocked", "b"],
    )
    document = {"a": "real", "b": "kept"}

    assert [Set(["real", "mocked", "kept"])] == ask(raw, document)
    assert {"a": "real", "b": "kept"} == document


def test_an_undefined_block_under_with_is_undefined() -> None:
    """And the document is what it was for the block that comes next."""
    raw = plan(
        block(
            stmt("With", local=0, path=[], value=string(1), block=block(stmt("IsArray", source=local(0)))),
            *answer(0),
        ),
        block(*answer(0)),
        strings=["mocked"],
    )

    assert ["real"] == ask(raw, "real")


def test_a_rule_is_evaluated_once() -> None:
    """Also one that is undefined."""
    asked: list[Any] = []

    def builtin(value: Any) -> Any:
        asked.append(value)
        return False

    rule = function(
        "f",
        block(stmt("Call", func="seen", args=[local(0)], result=3), stmt("NotEqual", a=local(3), b=boolean(False))),
        block(stmt("Break", index=0)),
    )
    raw = plan(block(call("f", 3)), block(call("f", 3)), functions=[rule], builtins=["seen"])

    assert [] == ask(raw, 7, builtins={"seen": builtin})
    assert [7] == asked


def test_arrays_from_sets_are_in_the_order_of_rego() -> None:
    """Whatever the order was in which the set was made."""
    raw = plan(
        block(
            stmt("MakeSet", target=2),
            stmt("Scan", source=0, key=3, value=4, block=block(stmt("SetAdd", value=local(4), set=2))),
            stmt("MakeArray", capacity=0, target=5),
            stmt("Scan", source=2, key=6, value=7, block=block(stmt("ArrayAppend", value=local(7), array=5))),
            *answer(5),
        )
    )

    assert [[None, True, 1, 2, "a", [0], {"k": 0}]] == ask(raw, ["a", {"k": 0}, 2, True, [0], 1, None, 2])


def test_the_budget_ends_a_loop() -> None:
    """Every turn counts, and so does every call."""
    inner = block(stmt("Scan", source=0, key=6, value=7, block=block(stmt("Nop"))))
    raw = plan(block(stmt("Scan", source=0, key=3, value=4, block=inner)), block(number(8, 1), *answer(8)))

    assert [1] == ask(raw, list(range(10)), budget=200)
    with pytest.raises(runtime.BudgetExceeded):
        ask(raw, list(range(100)), budget=5000)


def test_the_budget_ends_calls_that_double() -> None:
    """Thirty functions that each call the next one twice are a billion calls."""
    functions = [
        function(f"f{at}", block(call(f"f{at + 1}", 4, local(3)), call(f"f{at + 1}", 4, local(3))), params=(0, 1, 3))
        for at in range(30)
    ]
    last = function("f30", block(stmt("ReturnLocal", source=3)), params=(0, 1, 3))
    blocks = [{**f, "blocks": [*f["blocks"], block(stmt("ReturnLocal", source=4))]} for f in functions]
    raw = plan(block(call("f0", 2, string(0))), functions=[*blocks, last])

    with pytest.raises(runtime.BudgetExceeded):
        ask(raw, None, budget=10_000)


def test_a_large_result_of_a_builtin_is_charged() -> None:
    """A loop that asks a builtin for much each time ends sooner."""
    body = block(stmt("Call", func="large", args=[local(0)], result=5))
    raw = plan(block(stmt("Scan", source=0, key=3, value=4, block=body)), builtins=["large"])

    assert [] == ask(raw, list(range(100)), budget=5000, builtins={"large": lambda _: "x"})
    with pytest.raises(runtime.BudgetExceeded):
        ask(raw, list(range(100)), budget=5000, builtins={"large": lambda _: "x" * 1000})


def test_the_clock_ends_steps_that_are_long() -> None:
    """Where the budget would still hold."""
    state = runtime.fresh(0, 10**9, deadline=0.0)

    with pytest.raises(runtime.BudgetExceeded):
        runtime.charge(state, 1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ([1, "a"], [1.0, "a"], True),
        ([["a"]], ["a"], False),
        ({"k": [1]}, {"k": [True]}, False),
        (Set([1, "a"]), Set(["a", 1]), True),
        (Set([1]), [1], False),
        (Set([Set([1])]), Set([Set([1.0])]), True),
    ],
)
def test_values_are_equal_as_in_rego(a: Any, b: Any, expected: bool) -> None:
    """By type and value, whatever Python thinks of `True == 1`; and as members of a set alike."""
    raw = plan(
        block(
            stmt("Dot", source=local(0), key=string(1), target=2),
            stmt("Dot", source=local(0), key=string(2), target=3),
            stmt("Equal", a=local(2), b=local(3)),
            *answer(2),
        ),
        strings=["a", "b"],
    )

    assert expected == bool(ask(raw, {"a": a, "b": b}))
    assert expected == (1 == len(Set([a, b])))


def test_rule_exits_are_noted_when_asked_for() -> None:
    """Rule, file and row of each rule that became true, and nothing otherwise."""
    rule = function(
        "f",
        block(stmt("MakeSet", target=2)),
        block(stmt("IsArray", source=local(0)), stmt("SetAdd", value=string(0), set=2)),
        block(stmt("ReturnLocal", source=2)),
    )
    raw = read_plan(plan(block(call("f", 3), *answer(3)), functions=[rule]))
    compiled = compile_plan(raw, {}, traced=True)

    def trail(document: Any) -> set[int]:
        seen: set[int] = set()
        compiled.entrypoints["test"](runtime.fresh(compiled.memos, 100, trail=seen), document, {})
        return seen

    assert (RuleExit(rule="f", file="policy.rego", row=7),) == compiled.exits
    assert ({0}, set()) == (trail([]), trail({}))
    assert () == compile_plan(raw, {}).exits


UNSOUND = {
    "an unknown function": plan(block(call("nowhere", 2))),
    "a builtin that is not supported": plan(builtins=["http.send"]),
    "a function that calls itself": plan(functions=[function("f", block(call("f", 3)))]),
    "two that call each other": plan(functions=[function("f", block(call("g", 3))), function("g", block(call("f", 3)))]),
    "the wrong number of arguments": plan(block(call("f", 3, local(0))), functions=[function("f")]),
    "other documents for a rule": plan(
        block(stmt("Call", func="f", args=[local(1), local(0)], result=3)), functions=[function("f")]
    ),
    "a break out of nowhere": plan(block(stmt("Break", index=4))),
    "a return from an entrypoint": plan(block(stmt("ReturnLocal", source=2))),
    "a return inside a loop": plan(
        functions=[function("f", block(stmt("Scan", source=0, key=3, value=4, block=block(stmt("ReturnLocal", source=2)))))]
    ),
    "a result in a function": plan(functions=[function("f", block(stmt("ResultSetAdd", value=2)))]),
    "a change of the input": plan(block(stmt("ObjectInsert", key=string(0), value=string(0), object=0))),
    "a change of the data": plan(block(stmt("SetAdd", value=string(0), set=1))),
    "a change of what the data holds": plan(
        block(
            stmt("Dot", source=local(1), key=string(0), target=3),
            stmt("ObjectInsert", key=string(0), value=string(0), object=3),
        )
    ),
    "a change of an alias": plan(
        block(
            stmt("MakeObject", target=3),
            stmt("AssignVar", source=local(1), target=3),
            stmt("ObjectInsert", key=string(0), value=string(0), object=3),
        )
    ),
    "a number that is none": plan(block(stmt("MakeNumberRef", index=1, target=2)), strings=["__import__('os')"]),
    "a number with too many digits": plan(block(stmt("MakeNumberRef", index=1, target=2)), strings=["0.1234567890123456789"]),
}  # fmt: skip


@pytest.mark.parametrize("raw", UNSOUND.values(), ids=UNSOUND)
def test_an_unsound_plan_is_refused(raw: bytes) -> None:
    """At load: ConfigInvalid."""
    with pytest.raises(ConfigInvalid):
        ask(raw, {})


def test_text_of_a_policy_is_never_source() -> None:
    """A string that would be Python stays the string it is."""
    hostile = '\'); raise SystemExit #\n\x00\\u0000"""'
    raw = plan(block(stmt("AssignVar", source=string(1), target=2), *answer(2)), strings=[hostile])

    assert [hostile] == ask(raw)
