"""What regopy accepts and must not: checks of modules before one of them is compiled.

An unknown function and a misspelt path are undefined to regopy, so that `not` of them is true: a typo becomes a
permission. OPA's compiler refuses both; here they are refused for every engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regopy import Interpreter
from regopy.rego_shared import LogLevel, RegoError

from governance.policy.forbidden import DIVERGENT, is_forbidden
from governance.policy.metadata import at
from governance.policy.source import Module, Reference, position


def check(modules: Sequence[Module], data: Mapping[str, Any]) -> None:
    """Raises ConfigInvalid for what regopy would take for undefined or for true (a typo is not a permission)."""
    engine = Interpreter()
    engine.log_level = LogLevel.NONE
    rules = {(*module.package, *rule.split(".")) for module in modules for rule in module.rules}
    # First of all: what a module defines that cannot be read is missed elsewhere.
    for module in modules:
        _check_syntax(module)
    for module in modules:
        if module.overrides:
            raise at(module, "`with` belongs to tests", module.overrides[0])
        for reference in module.references:
            name = ".".join(reference.path)
            if is_forbidden(name):
                hint = ": use `input.context.time`" if name == "time.now_ns" else ""
                raise at(module, f"`{name}` is not allowed in a policy{hint}", reference.line)
            if reference.called and name in DIVERGENT:
                raise at(module, f"`{name}` is not the same on every engine", reference.line)
            if reference.called and not _is_function(module, reference, rules, engine):
                raise at(module, f"unknown function `{name}`", reference.line)
            path = module.absolute(reference)
            if path[0] == "data" and not _is_defined(path[1:], rules, data):
                raise at(module, f"nothing is defined at `{'.'.join(path)}`", reference.line)


def _check_syntax(module: Module) -> None:
    # An interpreter for each: its parser reports the first bad module again for every later one.
    parser = Interpreter()
    parser.log_level = LogLevel.NONE
    try:
        parser.add_module("module.rego", module.text)
    except RegoError as error:
        message, line = position(str(error), module.text)
        raise at(module, message, line) from None


def _is_function(module: Module, reference: Reference, rules: set[tuple[str, ...]], engine: Any) -> bool:
    path = module.absolute(reference)
    if path[0] == "data":
        return path[1:] in rules
    return (*module.package, *path) in rules or bool(engine.is_builtin(".".join(path)))


def _is_defined(path: tuple[str, ...], rules: set[tuple[str, ...]], data: Mapping[str, Any]) -> bool:
    if any(path[: len(rule)] == rule or rule[: len(path)] == path for rule in rules):
        return True
    value: object = data
    for part in path:
        if not isinstance(value, dict):
            return True
        if part not in value:
            return False
        value = value[part]
    return True
