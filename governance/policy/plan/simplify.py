"""Plans without the blocks that OPA's planner leaves around a reference with a single source.

Such a pair of blocks says: where the inner one is undefined, so is the block around both. Its statements can stand in
that block themselves, and Python has two loops less to enter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from governance.policy.plan.ir import Block, Statement

# How many labels a statement puts between its block and the block it stands in.
_LABELS: Final = {"ScanStmt": 2}
_DYNAMIC_EXIT: Final = 3


def simplified(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """`blocks` with the same meaning."""
    return tuple(_block(block) for block in blocks)


def _block(block: Block) -> Block:
    found: list[Statement] = []
    for statement in block:
        if statement.kind == "BlockStmt":
            inner = replace(statement, fields={"blocks": simplified(statement["blocks"])})
            body = _only_source(inner)
            found += [inner] if body is None else body
        elif statement.blocks:
            found.append(replace(statement, fields={**statement.fields, "block": _block(statement["block"])}))
        else:
            found.append(statement)
    return tuple(found)


def _only_source(statement: Statement) -> Block | None:
    """The statements of the one block inside, where it alone decides whether the block around is undefined."""
    if len(statement["blocks"]) != 1:
        return None
    outer: Block = statement["blocks"][0]
    if [one.kind for one in outer] != ["BlockStmt", "BreakStmt"] or outer[1]["index"] != 1:
        return None
    if len(outer[0]["blocks"]) != 1:
        return None
    inner: Block = outer[0]["blocks"][0]
    if not inner or inner[-1].kind != "BreakStmt" or inner[-1]["index"] != 1:
        return None
    body = inner[:-1]
    return None if leaves(body, 0) else body


def leaves(block: Block, depth: int) -> bool:
    """Whether something in `block` goes further out than the end of the block `depth` levels up."""
    for one in block:
        if one.kind == "BreakStmt" and one["index"] > depth:
            return True
        if one.kind == "CallDynamicStmt" and depth < _DYNAMIC_EXIT:
            return True
        if any(leaves(inner, depth + _LABELS.get(one.kind, 1)) for inner in one.blocks):
            return True
    return False


def taken_or_made(statement: Statement) -> tuple[Statement, Statement] | None:
    """The lookup and the making of a collection, where `statement` does one and, if there is none, the other."""
    if statement.kind != "BlockStmt" or len(statement["blocks"]) != 1 or len(statement["blocks"][0]) != 2:
        return None
    attempt, made = statement["blocks"][0]
    if attempt.kind != "BlockStmt" or not made.kind.startswith("Make") or len(attempt["blocks"]) != 1:
        return None
    lookup = attempt["blocks"][0]
    if [one.kind for one in lookup] != ["DotStmt", "BreakStmt"] or lookup[1]["index"] != 1:
        return None
    return (lookup[0], made) if lookup[0]["target"] == made["target"] else None
