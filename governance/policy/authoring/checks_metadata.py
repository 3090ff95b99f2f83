"""Checks of what a policy says about itself: its METADATA, and that it has cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from governance.decision import LONGEST_REMEDY, Mode
from governance.gather import PHASE
from governance.policy.authoring.checks_finding import Finding, Unit, World, error, nearest, warning
from governance.policy.authoring.syntax import Constant, Object
from governance.policy.authoring.typed import seen_in
from governance.policy.metadata import is_line, line_of

_SEVERITIES = ("critical", "high", "medium", "low")
_FIELDS = frozenset("id version owner severity mode on_error phases references jurisdictions rollout remedy".split())
_EXPECTED = {
    "owner": "`owner: security`: the team that answers for it",
    "severity": "`severity: high`: one of " + ", ".join(f"`{one}`" for one in _SEVERITIES),
    "references": "`references:` with the law, standard or rule of the house that asks for it",
}
_REMEDY = f"`remedy:` with what to change or whom to ask: one sentence, one line, at most {LONGEST_REMEDY} characters"


def is_policy(unit: Unit) -> bool:
    """Whether the module is the one that declares a policy."""
    package = unit.module.package
    return not unit.test and len(package) == 3 and package[:2] == ("ringfence", "policy")


def check_metadata(unit: Unit, world: World) -> Iterator[Finding]:
    """What the METADATA of a policy lacks or cannot mean."""
    if not is_policy(unit):
        return
    if unit.module.annotations is None:
        if not any(is_policy(one) and _declares(one, unit) for one in world.units):
            yield error(
                unit, unit.module.package_line, "metadata-missing", "the policy has no METADATA",
                "the block that `ringfence policy init` writes above `package`",
            )  # fmt: skip
        return
    if not unit.module.annotations.get("title"):
        yield warning(unit, _line(unit, ""), "metadata-missing", "no `title`", "`title:` with what it ensures")
    custom = unit.module.annotations.get("custom")
    if not isinstance(custom, Mapping):
        yield error(unit, _line(unit, ""), "metadata-missing", "no `custom` block", "`custom:` with id and version")
        return
    yield from _custom(unit, custom)
    yield from _remedy(unit, custom, world)


def _custom(unit: Unit, custom: Mapping[str, object]) -> Iterator[Finding]:
    name = unit.module.package[2]
    here = _line(unit, "custom")
    if custom.get("id") != name:
        fault = "no `id`" if "id" not in custom else "`id` is not the last part of the package"
        yield error(unit, _line(unit, "id", here), "metadata-missing", fault, f"`id: {name}`")
    version = custom.get("version")
    if not isinstance(version, str) or not version:
        fault = "no `version`" if version is None else "`version` is not a string"
        yield error(unit, _line(unit, "version", here), "metadata-missing", fault, '`version: "1.0.0"`, with quotes')
    for field, instead in _EXPECTED.items():
        if not custom.get(field):
            yield warning(unit, here, "metadata-missing", f"no `{field}`", instead)
    if custom.get("severity") not in (None, *_SEVERITIES):
        yield warning(
            unit, _line(unit, "severity", here), "metadata-value", "unknown `severity`", _EXPECTED["severity"]
        )
    # YAML reads `off` as false.
    if custom.get("mode") not in (None, False, *Mode):
        yield error(
            unit, _line(unit, "mode", here), "metadata-value", "unknown `mode`", nearest(str(custom["mode"]), Mode)
        )
    phases = custom.get("phases")
    for phase in phases if isinstance(phases, list) else ():
        if phase != PHASE:
            yield warning(
                unit,
                _line(unit, "phases", here),
                "unsupported-phase",
                f"this version asks no policy in the phase `{phase}`",
                f"`phases: [{PHASE}]`",
            )
    for field in custom:
        if field not in _FIELDS:
            instead = nearest(str(field), _FIELDS) or "a comment, or no such line"
            yield warning(
                unit, _line(unit, str(field), here), "metadata-unknown", f"`{field}` means nothing here", instead
            )


def _remedy(unit: Unit, custom: Mapping[str, object], world: World) -> Iterator[Finding]:
    """What the caller of a refused request is told to do has to be there, and to fit into a refusal."""
    here, remedy = _line(unit, "custom"), custom.get("remedy")
    if remedy is not None and not is_line(remedy, LONGEST_REMEDY):
        fault = "`remedy` does not fit into a refusal"
        yield error(unit, _line(unit, "remedy", here), "metadata-value", fault, _REMEDY)
    elif not str(remedy or "").strip() and any(map(_denies, _parts(unit, world))):
        fault = "no `remedy`: who is refused is told nothing of this policy"
        yield warning(unit, here, "metadata-missing", fault, _REMEDY)


def _parts(unit: Unit, world: World) -> Iterator[Unit]:
    """All modules of the policy that `unit` declares."""
    return (one for one in world.units if not one.test and one.module.package == unit.module.package)


def _denies(unit: Unit) -> bool:
    """Whether a rule of the module writes out an effect that refuses."""
    return any(
        isinstance(key, Constant) and isinstance(value, Constant) and (key.value, value.value) == ("effect", "deny")
        for rule in unit.rules
        for seen in seen_in(rule, unit.module.imports)
        if isinstance(seen.term, Object)
        for key, value in seen.term.pairs
    )


def check_tested(unit: Unit, world: World, cases: Mapping[Path, int]) -> Iterator[Finding]:
    """Whether a policy has a case somewhere. `cases` counts the rows of `cases.yaml` by directory."""
    if not is_policy(unit) or unit.module.annotations is None:
        return
    wanted = (*unit.module.package[:2], unit.module.package[2] + "_test")
    if cases.get(Path(unit.module.file).parent) or any(
        one.test and one.module.package == wanted and _has_cases(one) for one in world.units
    ):
        return
    yield warning(
        unit, unit.module.package_line, "tests-missing", "no case shows what the policy says",
        "a `cases.yaml` beside it, as `ringfence policy init` writes",
    )  # fmt: skip


def _has_cases(unit: Unit) -> bool:
    return any(rule.name[0] == "cases" or rule.name[0].startswith("test_") for rule in unit.rules)


def _declares(one: Unit, other: Unit) -> bool:
    return one.module.package == other.module.package and one.module.annotations is not None


def _line(unit: Unit, field: str, otherwise: int | None = None) -> int:
    """The line of a field in the comments above `package`; without a name or where there is none, `otherwise`."""
    return (line_of(unit.module, field) if field else 0) or otherwise or unit.module.package_line
