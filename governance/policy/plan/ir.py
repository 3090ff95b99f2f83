"""The plan of a bundle as OPA 1.22 writes it (`plan.json`), read strictly.

What is read here is code to be: every name, index and nesting is checked before any of it is compiled, and all sizes
have a limit. Source of the format: https://www.openpolicyagent.org/docs/ir
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Final

import orjson

from governance.errors import ConfigInvalid
from governance.frozen import frozen

_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_STATEMENTS: Final = 300_000
_MAX_FUNCTIONS: Final = 20_000
_MAX_STRINGS: Final = 500_000
_MAX_LOCAL: Final = 10_000_000
# Each level is a level of indentation in Python, which has 100.
_MAX_DEPTH: Final = 80
_MAX_PARAMETERS: Final = 64

INPUT: Final = 0
DATA: Final = 1


class OperandKind(Enum):
    """What an operand is: a local variable, a string of the table, or a constant."""

    LOCAL = "local"
    STRING = "string_index"
    BOOL = "bool"


@frozen
class Operand:
    """What a statement works on: `value` is the number of a local or string, or the boolean itself."""

    kind: OperandKind
    value: int

    @property
    def local(self) -> int | None:
        """The number of the local variable, None for a constant."""
        return self.value if self.kind is OperandKind.LOCAL else None


@frozen
class Statement:
    """One statement: `fields` holds what its kind needs, by the names of the format."""

    kind: str
    fields: Mapping[str, Any]
    file: int
    row: int

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks inside, in order."""
        if self.kind == "BlockStmt":
            found: tuple[Block, ...] = self.fields["blocks"]
            return found
        return (self.fields["block"],) if "block" in self.fields else ()


Block = tuple[Statement, ...]


@frozen
class Function:
    """One function; `params` are its locals in order, the input and the data first."""

    name: str
    params: tuple[int, ...]
    result: int
    blocks: tuple[Block, ...]
    path: tuple[str, ...]


@frozen
class EntryPlan:
    """The blocks that answer one entrypoint."""

    name: str
    blocks: tuple[Block, ...]


@frozen
class Plan:
    """All of it. Names of functions and of plans are unique, and every reference in it leads somewhere."""

    strings: tuple[str, ...]
    builtins: tuple[str, ...]
    files: tuple[str, ...]
    plans: tuple[EntryPlan, ...]
    functions: tuple[Function, ...]


def read_plan(raw: bytes) -> Plan:
    """The plan in `raw`. Raises ConfigInvalid for whatever OPA would not have written."""
    if len(raw) > _MAX_BYTES:
        raise ConfigInvalid(f"the plan is larger than {_MAX_BYTES} bytes")
    try:
        document = orjson.loads(raw)
    except ValueError:
        raise ConfigInvalid("the plan is not JSON") from None
    top = _object(document, required={"static", "plans"}, optional={"funcs", "unplanned_rules"})
    static = _object(top["static"], optional={"strings", "builtin_funcs", "files"})
    strings = tuple(_string_constants(static.get("strings")))
    builtins = tuple(_name(_object(one, loose=True).get("name")) for one in _list(static.get("builtin_funcs") or []))
    files = tuple(_string_constants(static.get("files")))
    reader = _Reader(len(strings))
    funcs = _object(top.get("funcs") or {"funcs": []}, required={"funcs"})["funcs"] or []
    plans = _object(top["plans"], required={"plans"})["plans"] or []
    if len(_list(funcs)) + len(_list(plans)) > _MAX_FUNCTIONS:
        raise ConfigInvalid(f"the plan has more than {_MAX_FUNCTIONS} functions")
    plan = Plan(
        strings=strings,
        builtins=builtins,
        files=files,
        plans=tuple(reader.plan(one) for one in plans),
        functions=tuple(reader.function(one) for one in funcs),
    )
    _unique([one.name for one in plan.plans], "entrypoint")
    _unique([one.name for one in plan.functions], "function")
    return plan


class _Reader:
    """Reads functions and plans, counting statements over all of them."""

    def __init__(self, strings: int) -> None:
        self._strings = strings
        self._left = _MAX_STATEMENTS

    def plan(self, raw: object) -> EntryPlan:
        found = _object(raw, required={"name", "blocks"})
        return EntryPlan(name=_name(found["name"]), blocks=self._blocks(found["blocks"], 0))

    def function(self, raw: object) -> Function:
        found = _object(raw, required={"name", "params", "return", "blocks"}, optional={"path"})
        params = tuple(_local(one) for one in _list(found["params"]))
        if params[:2] != (INPUT, DATA) or len(set(params)) != len(params) or len(params) > _MAX_PARAMETERS:
            raise _invalid("the parameters of a function")
        return Function(
            name=_name(found["name"]),
            params=params,
            result=_local(found["return"]),
            blocks=self._blocks(found["blocks"], 0),
            path=tuple(_name(part) for part in _list(found.get("path") or [])),
        )

    def _blocks(self, raw: object, depth: int) -> tuple[Block, ...]:
        return tuple(self._block(one, depth) for one in _list(raw or []))

    def _block(self, raw: object, depth: int) -> Block:
        if depth > _MAX_DEPTH:
            raise ConfigInvalid(f"the plan nests deeper than {_MAX_DEPTH} blocks")
        return tuple(self._statement(one, depth) for one in _list(_object(raw, required={"stmts"})["stmts"] or []))

    def _statement(self, raw: object, depth: int) -> Statement:
        self._left -= 1
        if self._left < 0:
            raise ConfigInvalid(f"the plan has more than {_MAX_STATEMENTS} statements")
        found = _object(raw, required={"type", "stmt"})
        shape = _SHAPES.get(found["type"]) if isinstance(found["type"], str) else None
        if shape is None:
            raise ConfigInvalid("the plan holds a statement that is not known")
        body = _object(found["stmt"], required=set(shape), optional=_POSITION)
        return Statement(
            kind=found["type"],
            fields={name: self._read(kind, body[name], depth) for name, kind in shape.items()},
            file=_integer(body.get("file", 0), 0, _MAX_STRINGS),
            row=_integer(body.get("row", 0), 0, _MAX_LOCAL),
        )

    def _read(self, kind: str, raw: object, depth: int) -> Any:
        if kind == "block":
            return self._block(raw, depth + 1)
        if kind == "blocks":
            return self._blocks(raw, depth + 1)
        if kind == "operand":
            return self._operand(raw)
        if kind == "operands":
            return tuple(self._operand(one) for one in _list(raw or []))
        if kind == "string":
            return _integer(raw, 0, self._strings - 1)
        if kind == "strings":
            return tuple(_integer(one, 0, self._strings - 1) for one in _list(raw or []))
        return _SIMPLE[kind](raw)

    def _operand(self, raw: object) -> Operand:
        found = _object(raw, required={"type", "value"})
        kind, value = found["type"], found["value"]
        if kind == "local":
            return Operand(kind=OperandKind.LOCAL, value=_local(value))
        if kind == "string_index":
            return Operand(kind=OperandKind.STRING, value=_integer(value, 0, self._strings - 1))
        if kind == "bool" and isinstance(value, bool):
            return Operand(kind=OperandKind.BOOL, value=value)
        raise _invalid("an operand")


_POSITION: Final = {"file", "col", "row", "end_col", "end_row", "Index"}
_SHAPES: Final[Mapping[str, Mapping[str, str]]] = {
    "ArrayAppendStmt": {"value": "operand", "array": "local"},
    "AssignIntStmt": {"value": "number", "target": "local"},
    "AssignVarOnceStmt": {"source": "operand", "target": "local"},
    "AssignVarStmt": {"source": "operand", "target": "local"},
    "BlockStmt": {"blocks": "blocks"},
    "BreakStmt": {"index": "count"},
    "CallDynamicStmt": {"args": "locals", "result": "local", "path": "operands"},
    "CallStmt": {"func": "name", "args": "operands", "result": "local"},
    "DotStmt": {"source": "operand", "key": "operand", "target": "local"},
    "EqualStmt": {"a": "operand", "b": "operand"},
    "IsArrayStmt": {"source": "operand"},
    "IsDefinedStmt": {"source": "local"},
    "IsObjectStmt": {"source": "operand"},
    "IsSetStmt": {"source": "operand"},
    "IsUndefinedStmt": {"source": "local"},
    "LenStmt": {"source": "operand", "target": "local"},
    "MakeArrayStmt": {"capacity": "count", "target": "local"},
    "MakeNullStmt": {"target": "local"},
    "MakeNumberIntStmt": {"value": "number", "target": "local"},
    "MakeNumberRefStmt": {"index": "string", "target": "local"},
    "MakeObjectStmt": {"target": "local"},
    "MakeSetStmt": {"target": "local"},
    "NopStmt": {},
    "NotEqualStmt": {"a": "operand", "b": "operand"},
    "NotStmt": {"block": "block"},
    "ObjectInsertOnceStmt": {"key": "operand", "value": "operand", "object": "local"},
    "ObjectInsertStmt": {"key": "operand", "value": "operand", "object": "local"},
    "ObjectMergeStmt": {"a": "local", "b": "local", "target": "local"},
    "ResetLocalStmt": {"target": "local"},
    "ResultSetAddStmt": {"value": "local"},
    "ReturnLocalStmt": {"source": "local"},
    "ScanStmt": {"source": "local", "key": "local", "value": "local", "block": "block"},
    "SetAddStmt": {"value": "operand", "set": "local"},
    "WithStmt": {"local": "local", "path": "strings", "value": "operand", "block": "block"},
}


# --- parts ---------------------------------------------------------------------------------------------------------


def _invalid(what: str) -> ConfigInvalid:
    return ConfigInvalid(f"the plan is damaged: {what}")


def _object(
    raw: object,
    *,
    required: AbstractSet[str] = frozenset(),
    optional: AbstractSet[str] = frozenset(),
    loose: bool = False,
) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _invalid("an object is missing")
    if not loose and not (required <= raw.keys() <= required | optional):
        raise _invalid("an object has other keys than expected")
    return raw


def _list(raw: object) -> list[Any]:
    if not isinstance(raw, list):
        raise _invalid("a list is missing")
    return raw


def _integer(raw: object, low: int, high: int) -> int:
    if type(raw) is not int or not low <= raw <= high:
        raise _invalid("a number is missing or out of range")
    return raw


def _local(raw: object) -> int:
    return _integer(raw, 0, _MAX_LOCAL)


def _name(raw: object) -> str:
    if not isinstance(raw, str) or not 0 < len(raw) <= 4096:
        raise _invalid("a name is missing")
    return raw


def _string_constants(raw: object) -> list[str]:
    found = _list(raw or [])
    if len(found) > _MAX_STRINGS:
        raise ConfigInvalid(f"the plan has more than {_MAX_STRINGS} strings")
    values = [_object(one, required={"value"})["value"] for one in found]
    if not all(isinstance(value, str) for value in values):
        raise _invalid("a constant is no string")
    return values


def _unique(names: list[str], what: str) -> None:
    if len(set(names)) != len(names):
        raise _invalid(f"two {what}s have one name")


_SIMPLE: Final[Mapping[str, Callable[[object], Any]]] = {
    "local": _local,
    "locals": lambda raw: tuple(_local(one) for one in _list(raw or [])),
    "name": _name,
    "number": lambda raw: _integer(raw, -(2**63), 2**63 - 1),
    "count": lambda raw: _integer(raw, 0, 2**31),
}
