"""What `ringfence policy list` shows: which policies there are and what each is for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from governance.decision import Mode
from governance.frozen import frozen
from governance.policy.bundle import Policy, load_known


@frozen
class Listed:
    """A policy as its METADATA describes it; `mode` is the one in effect, `area` the folder that holds its own."""

    id: str
    version: str
    mode: Mode
    phases: tuple[str, ...]
    area: str
    severity: str
    title: str
    references: tuple[str, ...]
    file: str


def list_policies(directories: Sequence[str], *, modes: Mapping[str, Mode] | None = None) -> tuple[Listed, ...]:
    """The policies in `directories`, by area and id. Raises ConfigInvalid where they cannot be loaded."""
    bundle = load_known(directories, modes=modes)
    found = [_listed(policy) for policy in bundle.policies]
    return tuple(sorted(found, key=lambda one: (one.area, one.id)))


def list_command(directories: Sequence[str], *, as_json: bool, modes: Mapping[str, Mode] | None = None) -> int:
    """Writes one row for each policy; 0."""
    listed = list_policies(directories, modes=modes)
    if as_json:
        print(json.dumps([_row(one) for one in listed]))
        return 0
    from rich.console import Console  # noqa: PLC0415  (slow to import, and not needed for --json)
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    names = ("id", "version", "mode", "phases", "area", "severity", "title", "references", "file")
    rows = [
        (one.id, one.version, str(one.mode), " ".join(one.phases), one.area, one.severity, one.title,
         "; ".join(one.references), one.file)
        for one in listed
    ]  # fmt: skip
    # The table is as wide as it is: a terminal wraps it, and `grep` and `less -S` see whole rows.
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for at, row in enumerate((names, *rows)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(Text(line, "bold" if at == 0 else ""))
    console.print(f"{len(listed)} {'policy' if len(listed) == 1 else 'policies'}")
    return 0


def _listed(policy: Policy) -> Listed:
    return Listed(
        id=policy.id,
        version=policy.version,
        mode=policy.mode,
        phases=policy.phases,
        area=Path(policy.file).parent.parent.name,
        severity=policy.severity,
        title=policy.title,
        references=policy.references,
        file=policy.file,
    )


def _row(one: Listed) -> dict[str, object]:
    return {
        "id": one.id,
        "version": one.version,
        "mode": one.mode,
        "phases": one.phases,
        "area": one.area,
        "severity": one.severity,
        "title": one.title,
        "references": one.references,
        "file": one.file,
    }
