"""What policies read of their input, over-approximated from the references in their modules.

A library holds policies that are off. What only they read must not make one request another than the next, so what
counts is what the policies in force reach, through however many modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from governance.frozen import frozen
from governance.policy.source import Module

Path = tuple[str, ...]


@frozen
class ReadSet:
    """Paths of the input that some rule refers to, sorted, none below another. None means everything."""

    paths: tuple[Path, ...] | None


def reachable(modules: Sequence[Module], packages: Iterable[Path]) -> tuple[Module, ...]:
    """Those of `modules` that lie in `packages` or are referred to from there, however far; in their order."""
    known: set[Path] = set()
    found: set[str] = set()
    wanted = set(packages)
    while wanted:
        known |= wanted
        chosen = [module for module in modules if any(_touches(module.package, path) for path in wanted)]
        found |= {module.name for module in chosen}
        wanted = {path[1:] for path in _paths(chosen) if path[0] == "data"} - known
    return tuple(module for module in modules if module.name in found)


def read_set(modules: Sequence[Module], more: Iterable[Path] = ()) -> ReadSet:
    """What `modules` read of the input, and the paths `more`."""
    paths = {path[1:] for path in _paths(modules) if path[0] == "input"} | set(more)
    if () in paths:
        return ReadSet(paths=None)
    return ReadSet(paths=tuple(sorted(p for p in paths if not any(p[:n] in paths for n in range(1, len(p))))))


def _paths(modules: Sequence[Module]) -> set[Path]:
    return {module.absolute(reference) for module in modules for reference in module.references}


def _touches(package: Path, path: Path) -> bool:
    """Whether a reference to `path` can reach what `package` defines: one is the beginning of the other."""
    return package[: len(path)] == path or path[: len(package)] == package
