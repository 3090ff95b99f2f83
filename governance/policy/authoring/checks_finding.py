"""What a check of a policy found, and what the checks work on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from governance.frozen import frozen
from governance.policy.authoring.syntax import Rule
from governance.policy.source import Module, Path


class Severity(StrEnum):
    """An error makes `policy check` fail; a warning does with `--strict`."""

    ERROR = "error"
    WARNING = "warning"


@frozen
class Finding:
    """One thing to change. `rule` is a stable name, `instead` says what to write."""

    file: str
    line: int
    rule: str
    severity: Severity
    message: str
    instead: str = ""
    tool: str = "ringfence"


@frozen
class Unit:
    """A module with its rules as trees; `test` for a `*_test.rego`."""

    module: Module
    rules: tuple[Rule, ...]
    test: bool = False

    def path(self, name: Path) -> Path:
        """Where `name` stands below `data`, as seen from the module; empty for what is no document."""
        root = self.module.imports.get(name[0])
        if root is not None:
            return (*root[1:], *name[1:]) if root[0] == "data" else ()
        return name[1:] if name[0] == "data" else (*self.module.package, *name)


@frozen
class World:
    """All modules that are checked together, and their data. `data` is None where it could not be read.

    `rules` are those of the modules by their path below `data`.
    """

    units: tuple[Unit, ...]
    data: Mapping[str, Any] | None
    rules: Mapping[Path, Sequence[Rule]]

    @classmethod
    def of(cls, units: tuple[Unit, ...], data: Mapping[str, Any] | None) -> World:
        """The world of these modules and this data."""
        rules: dict[Path, list[Rule]] = {}
        for unit in units:
            for rule in unit.rules:
                rules.setdefault((*unit.module.package, *rule.name), []).append(rule)
        return cls(units=units, data=data, rules=rules)


def error(unit: Unit, line: int, rule: str, message: str, instead: str = "") -> Finding:
    """A finding that makes the check fail."""
    return Finding(
        file=unit.module.file, line=line, rule=rule, severity=Severity.ERROR, message=message, instead=instead
    )


def warning(unit: Unit, line: int, rule: str, message: str, instead: str = "") -> Finding:
    """A finding that makes the check fail with `--strict` only."""
    return Finding(
        file=unit.module.file, line=line, rule=rule, severity=Severity.WARNING, message=message, instead=instead
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """What to write for a misspelt `word`: the closest known one, or all of a few."""
    choices = sorted(set(known))
    close = difflib.get_close_matches(word, choices, 1)
    if close:
        return f"`{close[0]}`"
    return "one of " + ", ".join(f"`{one}`" for one in choices) if 0 < len(choices) <= 16 else ""
