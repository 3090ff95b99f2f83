"""Reading a plan: whatever OPA would not have written is refused before anything of it is compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.errors import ConfigInvalid
from governance.policy.plan.ir import Operand, OperandKind, Statement, read_plan
from tests.plans import POSITION, answer, block, boolean, function, local, plan, stmt, string


def test_a_plan_is_read_whole() -> None:
    """Strings, files, functions and the fields of a statement are as written."""
    raw = plan(
        block(stmt("Dot", source=local(0), key=string(1), target=3), *answer(3)),
        functions=[function("f", block(stmt("ReturnLocal", source=2)))],
        strings=["es"],
    )

    found = read_plan(raw)

    assert ("result", "es") == found.strings
    assert ("policy.rego",) == found.files
    assert [("f", (0, 1), 2, ("g0", "f"))] == [(f.name, f.params, f.result, f.path) for f in found.functions]
    assert found.plans[0].blocks[0][0] == Statement(
        kind="DotStmt",
        fields={
            "source": Operand(kind=OperandKind.LOCAL, value=0),
            "key": Operand(kind=OperandKind.STRING, value=1),
            "target": 3,
        },
        file=0,
        row=7,
    )


def _deep(levels: int) -> Any:
    inner = block(stmt("Nop"))
    for _ in range(levels):
        inner = block(stmt("Not", block=inner))
    return inner


def _with(raw: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(raw), **changes}).encode()


DAMAGED = {
    "no JSON": b"{",
    "no object": b"[]",
    "nothing": b"{}",
    "a key more": _with(plan(), extra=1),
    "an unknown statement": plan(block({"type": "EvalStmt", "stmt": POSITION})),
    "a statement of no type": plan(block({"type": 7, "stmt": POSITION})),
    "a field less": plan(block(stmt("Dot", source=local(0), key=string(0)))),
    "a field more": plan(block(stmt("Nop", code="import os"))),
    "a string that is not there": plan(block(stmt("MakeNumberRef", index=1, target=2))),
    "a negative string": plan(block(stmt("MakeNumberRef", index=-1, target=2))),
    "a negative local": plan(block(stmt("ResetLocal", target=-1))),
    "a local that is text": plan(block(stmt("ResetLocal", target="2; import os"))),
    "a local that is a boolean": plan(block(stmt("ResetLocal", target=True))),
    "a huge local": plan(block(stmt("ResetLocal", target=10**12))),
    "an operand of no kind": plan(block(stmt("IsArray", source={"type": "code", "value": 1}))),
    "a boolean that is a number": plan(block(stmt("IsArray", source={"type": "bool", "value": 1}))),
    "too deep": plan(_deep(90)),
    "deep JSON": b'{"static":' + b"[" * 100_000,
    "two functions of one name": plan(functions=[function("f"), function("f")]),
    "a function without input": plan(functions=[function("f", params=(3, 4))]),
    "a parameter twice": plan(functions=[function("f", params=(0, 1, 3, 3))]),
    "a name that is no text": plan(functions=[{**function("f"), "name": 1}]),
    "statics that are no list": _with(plan(), static={"strings": {"value": "x"}}),
    "a constant that is no text": _with(plan(), static={"strings": [{"value": 1}]}),
    "plans that are no list": _with(plan(), plans={"plans": {"a": 1}}),
}


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_plan_is_refused(raw: bytes) -> None:
    """ConfigInvalid, whatever is wrong; nothing else escapes."""
    with pytest.raises(ConfigInvalid):
        read_plan(raw)


def test_a_boolean_operand_is_one() -> None:
    """A constant is no local."""
    found = read_plan(plan(block(stmt("IsArray", source=boolean(True)))))

    assert found.plans[0].blocks[0][0]["source"].local is None
