"""Which functions Rego has, and those that an engine of ours has too."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache

from regopy import Interpreter

# Families of builtins that OPA has and an engine of ours has not.
_UNSUPPORTED = ("graphql.", "net.", "rego.", "providers.")


def is_builtin(name: str) -> bool:
    """Whether the embedded engine has it."""
    return bool(_embedded().is_builtin(name))


def is_everywhere(name: str) -> bool:
    """Whether every engine has it."""
    return is_builtin(name) and name in _compiled()


def is_somewhere(name: str) -> bool:
    """Whether OPA or one of ours has it."""
    return is_builtin(name) or name in _compiled() or name.startswith(_UNSUPPORTED)


@cache
def arities(name: str) -> tuple[int, ...]:
    """How many arguments a builtin takes; empty where that is not known."""
    builtin = _compiled().get(name)
    if builtin is None:
        return ()
    parameters = inspect.signature(builtin).parameters.values()
    if any(one.kind not in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} for one in parameters):
        return ()
    needed = sum(one.default is one.empty for one in parameters)
    return tuple(range(needed, len(parameters) + 1))


@cache
def _embedded() -> Interpreter:
    return Interpreter()


def _compiled() -> Mapping[str, Callable[..., object]]:
    from governance.policy.plan.builtins import BUILTINS  # noqa: PLC0415  (hundreds of them)

    return BUILTINS
