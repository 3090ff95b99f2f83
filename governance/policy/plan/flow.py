"""What a function of a plan reads and writes, so that only the locals that need it start as undefined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from governance.policy.plan.ir import Block, Operand, Statement
from governance.policy.plan.simplify import taken_or_made

_READ: Final = {
    "ArrayAppendStmt": ("value", "array"),
    "AssignVarOnceStmt": ("source", "target"),
    "AssignVarStmt": ("source",),
    "CallDynamicStmt": ("args", "path"),
    "CallStmt": ("args",),
    "DotStmt": ("source", "key"),
    "EqualStmt": ("a", "b"),
    "IsArrayStmt": ("source",),
    "IsDefinedStmt": ("source",),
    "IsObjectStmt": ("source",),
    "IsSetStmt": ("source",),
    "IsUndefinedStmt": ("source",),
    "LenStmt": ("source",),
    "NotEqualStmt": ("a", "b"),
    "ObjectInsertOnceStmt": ("key", "value", "object"),
    "ObjectInsertStmt": ("key", "value", "object"),
    "ObjectMergeStmt": ("a", "b"),
    "ResultSetAddStmt": ("value",),
    "ReturnLocalStmt": ("source",),
    "ScanStmt": ("source",),
    "SetAddStmt": ("value", "set"),
    "WithStmt": ("local", "value"),
}
_WRITTEN: Final = ("target", "result")


def reads(statement: Statement) -> Iterator[int]:
    """The locals that `statement` itself reads, without its blocks."""
    for name in _READ.get(statement.kind, ()):
        field = statement[name]
        for one in field if isinstance(field, tuple) else (field,):
            local = one.local if isinstance(one, Operand) else one
            if local is not None:
                yield local


def writes(statement: Statement) -> Iterator[int]:
    """The locals that `statement` itself assigns, without its blocks."""
    if statement.kind == "ScanStmt":
        yield statement["key"]
        yield statement["value"]
    elif statement.kind == "WithStmt":
        yield statement["local"]
    else:
        yield from (statement[name] for name in _WRITTEN if name in statement.fields)


def everything(blocks: tuple[Block, ...]) -> Iterator[Statement]:
    """All statements of `blocks`, those inside others too."""
    for block in blocks:
        for statement in block:
            yield statement
            yield from everything(statement.blocks)


def needed(blocks: tuple[Block, ...], after: Iterable[int]) -> set[int]:
    """The locals that are read by something but an assignment nobody reads the target of; those in `after` are read."""
    assigned = [one for one in everything(blocks) if one.kind == "AssignVarStmt"]
    found = set(after).union(*(reads(one) for one in everything(blocks) if one.kind != "AssignVarStmt"))
    while more := [one for one in assigned if one["target"] in found]:
        assigned = [one for one in assigned if one["target"] not in found]
        found.update(*(reads(one) for one in more))
    return found


def unassigned(blocks: tuple[Block, ...], known: frozenset[int]) -> set[int]:
    """The locals that may be read before they were assigned, where those in `known` are assigned at the start."""
    found: set[int] = set()
    for block in blocks:
        assigned = set(known)
        for statement in block:
            found.update(local for local in reads(statement) if local not in assigned)
            inside = statement.blocks
            if statement.kind in {"ScanStmt", "WithStmt"}:
                found |= unassigned(inside, frozenset(assigned.union(writes(statement))))
            else:
                found |= unassigned(inside, frozenset(assigned))
            # A scan may not run at all, and with it nothing is assigned.
            if statement.kind != "ScanStmt":
                assigned.update(writes(statement))
    return found


CHANGED: Final = {
    "ArrayAppendStmt": "array",
    "ObjectInsertOnceStmt": "object",
    "ObjectInsertStmt": "object",
    "SetAddStmt": "set",
}
"""The statements that change a collection, and which field names it."""


def changes_foreign(blocks: tuple[Block, ...], foreign: frozenset[int]) -> bool:
    """Whether a collection may be changed that was not made here, where `foreign` locals hold others at the start.

    Input, data, constants and memoised results are shared: a plan that changed one would change other decisions.
    """
    shared = set(foreign)
    for block in blocks:
        now = set(shared)
        for statement in block:
            if statement.kind in CHANGED and statement[CHANGED[statement.kind]] in now:
                return True
            inside = set(_assigned(statement.blocks))
            if statement.kind == "ScanStmt":
                now |= inside
            now |= set(_assigned(((statement,),))) - inside
            if changes_foreign(statement.blocks, frozenset(now)):
                return True
            now |= inside
            if (owned := taken_or_made(statement)) is not None:
                now -= set(writes(owned[1]))
            if statement.kind.startswith("Make"):
                now -= set(writes(statement))
        shared |= set(_assigned((block,)))
    return False


def _assigned(blocks: tuple[Block, ...]) -> Iterator[int]:
    for one in everything(blocks):
        if not one.kind.startswith("Make") and one.kind != "ResetLocalStmt":
            yield from writes(one)
