"""Builders of plans in OPA's format, for what OPA itself would not write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Raw = dict[str, Any]
POSITION = {"file": 0, "col": 1, "row": 7, "end_col": 1, "end_row": 7}


def local(number: int) -> Raw:
    return {"type": "local", "value": number}


def string(index: int) -> Raw:
    return {"type": "string_index", "value": index}


def boolean(value: bool) -> Raw:
    return {"type": "bool", "value": value}


def stmt(kind: str, **fields: Any) -> Raw:
    return {"type": f"{kind}Stmt", "stmt": {**fields, **POSITION}}


def block(*statements: Raw) -> Raw:
    return {"stmts": list(statements)}


def function(name: str, *blocks: Raw, params: Sequence[int] = (0, 1), result: int = 2) -> Raw:
    return {"name": name, "params": list(params), "return": result, "blocks": list(blocks), "path": ["g0", name]}


def call(name: str, result: int, *arguments: Raw) -> Raw:
    return stmt("Call", func=name, args=[local(0), local(1), *arguments], result=result)


def answer(source: int) -> tuple[Raw, ...]:
    """What an entrypoint ends with: `source` becomes its result, by way of local 90."""
    return (
        stmt("MakeObject", target=90),
        stmt("ObjectInsert", key=string(0), value=local(source), object=90),
        stmt("ResultSetAdd", value=90),
    )


def plan(
    *blocks: Raw,
    functions: Sequence[Raw] = (),
    strings: Sequence[str] = (),
    builtins: Sequence[str] = (),
    entrypoint: str = "test",
) -> bytes:
    """A plan with one entrypoint; string 0 is `result`."""
    document = {
        "static": {
            "strings": [{"value": text} for text in ("result", *strings)],
            "builtin_funcs": [{"name": name, "decl": {}} for name in builtins],
            "files": [{"value": "policy.rego"}],
        },
        "plans": {"plans": [{"name": entrypoint, "blocks": list(blocks)}]},
        "funcs": {"funcs": list(functions)},
    }
    return json.dumps(document).encode()
