"""Rego's builtins, by the name that OPA gives them, over the values of `governance.policy.plan.values`.

A builtin takes values and returns one, or UNDEFINED, or raises BuiltinError; it changes none of its operands, does no
I/O, and gives the same answer every time. What it goes through and what it returns is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.policy.plan.builtins import (
    collections,
    comparison,
    documents,
    encoding,
    formats,
    globs,
    graphs,
    hashes,
    networks,
    numbers,
    objects,
    regexes,
    schemas,
    strings,
    times,
    tokens,
    yamls,
)
from governance.policy.plan.builtins.error import UNDEFINED, BuiltinError
from governance.policy.plan.builtins.operand import Builtin

__all__ = ["BUILTINS", "UNDEFINED", "BuiltinError"]

_FAMILIES: Final = (
    comparison,
    numbers,
    collections,
    objects,
    strings,
    regexes,
    globs,
    encoding,
    yamls,
    documents,
    schemas,
    times,
    hashes,
    tokens,
    networks,
    graphs,
    formats,
)

BUILTINS: Final[Mapping[str, Builtin]] = {
    name: builtin for family in _FAMILIES for name, builtin in family.BUILTINS.items()
}
