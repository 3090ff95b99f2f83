"""What `ringfence policy check` does: static checks that need no OPA, and those of OPA and Regal where they are there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.authoring.cases import read_cases
from governance.policy.authoring.checks_effects import check_effects
from governance.policy.authoring.checks_finding import Finding, Severity, Unit, World
from governance.policy.authoring.checks_input import check_input
from governance.policy.authoring.checks_metadata import check_metadata, check_tested
from governance.policy.authoring.checks_names import check_names, check_unused_rules
from governance.policy.authoring.checks_variables import check_variables
from governance.policy.authoring.cursor import UnreadError
from governance.policy.authoring.parse import rules_of
from governance.policy.bundle import BUILTIN, CASES, library, load_bundle
from governance.policy.source import read_module

OURS = "ringfence"
_SECONDS = 120
# What cannot be said while a module is not read, which may define or use the name.
_OF_ALL_MODULES = frozenset({"unknown-reference", "unknown-function", "unused-rule"})
_MAX_BYTES = 4 * 1024 * 1024


@frozen
class Checked:
    """All findings, by file and line, and the tools that ran and that did not."""

    findings: tuple[Finding, ...]
    ran: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)


def check_policies(directories: Sequence[str]) -> Checked:
    """What is wrong with the policies in `directories`; `builtin` names the library.

    Raises ConfigInvalid where a directory or a tool cannot be read or run.
    """
    tops = tuple(library() if name == BUILTIN else Path(name) for name in directories)
    files = [path for top in tops for path in _rego(top)]
    findings: list[Finding] = []
    units = tuple(unit for path in files for unit in _unit(path, findings))
    world = World.of(units, _data(tops))
    cases = _cases(files, findings)
    for unit in units:
        findings += check_names(unit, world)
        findings += check_variables(unit, world)
        findings += check_metadata(unit, world)
        findings += check_tested(unit, world, cases)
        if not unit.test:
            findings += check_input(unit)
            findings += check_effects(unit)
    findings += check_unused_rules(world)
    if len(units) < len(files):
        findings = [one for one in findings if one.rule not in _OF_ALL_MODULES]
    findings += _loading(directories, findings)
    ran, missing = [OURS], []
    for tool, ask in (("opa", _opa), ("regal", _regal)):
        found = shutil.which(tool)
        if found is None:
            missing.append(tool)
        else:
            ran.append(tool)
            findings += ask(found, files)
    ordered = sorted(set(findings), key=lambda one: (one.file, one.line, one.tool, one.rule, one.message))
    return Checked(findings=tuple(ordered), ran=tuple(ran), missing=tuple(missing))


def check_command(directories: Sequence[str], *, strict: bool, as_json: bool) -> int:
    """Reports every finding; 1 when one is an error, or with `strict` when there is one at all, else 0."""
    checked = check_policies(directories)
    code = 1 if checked.errors or (strict and checked.findings) else 0
    if as_json:
        report = [
            {
                "file": one.file,
                "line": one.line,
                "rule": one.rule,
                "severity": one.severity,
                "message": one.message,
                "instead": one.instead,
                "tool": one.tool,
            }
            for one in checked.findings
        ]
        print(json.dumps({"findings": report, "ran": checked.ran, "missing": checked.missing}))
        return code
    from rich.console import Console  # noqa: PLC0415  (slow to import, and not needed for --json)
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    for one in checked.findings:
        color = "red" if one.severity is Severity.ERROR else "yellow"
        tool = "" if one.tool == OURS else f" ({one.tool})"
        console.print(
            Text(f"{one.file}:{one.line}:"), Text(str(one.severity), color), Text(f"{one.message} [{one.rule}]{tool}")
        )
        if one.instead:
            console.print(Text(f"    instead: {one.instead}"))
    warnings = len(checked.findings) - checked.errors
    console.print(f"{_count(checked.errors, 'error')}, {_count(warnings, 'warning')} by {', '.join(checked.ran)}")
    for tool in checked.missing:
        console.print(f"`{tool}` is not on the path: its checks were left out")
    return code


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- files ---------------------------------------------------------------------------------------------------------


def _rego(top: Path) -> list[Path]:
    if not top.is_dir():
        raise ConfigInvalid("policy directory not found", file=str(top))
    modules = top / "policies" if (top / "policies").is_dir() else top
    found = sorted(path for path in modules.rglob("*.rego") if path.is_file())
    if not found:
        raise ConfigInvalid("no policy found", file=str(top))
    return found


def _unit(path: Path, findings: list[Finding]) -> Iterator[Unit]:
    """The module in `path`; nothing, and a finding, where it cannot be read."""
    file = str(path)
    try:
        text = path.read_bytes()[: _MAX_BYTES + 1].decode()
        module = read_module(name=file, file=file, text=text)
        yield Unit(module=module, rules=rules_of(text, file), test=file.endswith("_test.rego"))
    except ConfigInvalid as invalid:
        findings.append(_of(invalid, file))
    except UnreadError as unread:
        findings.append(
            Finding(
                file=file,
                line=unread.line,
                rule="not-understood",
                severity=Severity.WARNING,
                message="this is not understood, so the file was not checked any further",
                instead="a simpler form, if `opa check` accepts the file",
            )
        )
    except (OSError, UnicodeDecodeError):
        findings.append(
            Finding(file=file, line=1, rule="load", severity=Severity.ERROR, message="cannot be read as UTF-8")
        )


def _of(invalid: ConfigInvalid, file: str) -> Finding:
    text = str(invalid)
    place, line = invalid.file or file, invalid.line or 1
    message = text.removeprefix(f"{place}:{line}: ").removeprefix(f"{place}: ")
    return Finding(file=place, line=line, rule="load", severity=Severity.ERROR, message=message)


def _loading(directories: Sequence[str], findings: Sequence[Finding]) -> list[Finding]:
    """What loading the bundle refuses, where nothing was found on that line yet."""
    try:
        load_bundle(directories)
    except ConfigInvalid as invalid:
        found = _of(invalid, ", ".join(directories))
        errors = {(one.file, one.line) for one in findings if one.severity is Severity.ERROR}
        return [] if (found.file, found.line) in errors else [found]
    return []


def _data(tops: Sequence[Path]) -> Mapping[str, Any] | None:
    """The names in the data of all directories together; None where a file cannot be read."""
    merged: dict[str, Any] = {}
    try:
        for top in tops:
            root = top / "data" if (top / "data").is_dir() else top
            pattern = "*" if root != top else "data.*"
            for path in sorted(root.rglob(pattern)):
                if path.suffix in {".json", ".yaml", ".yml"} and path.is_file():
                    _lay(merged, path.parent.relative_to(root).parts, yaml.safe_load(path.read_text("utf-8")))
            for path in sorted(top.rglob("params.json")):
                _lay(merged, ("ringfence", "params", path.parent.name), json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    return merged


def _lay(into: dict[str, Any], folders: Sequence[str], document: object) -> None:
    for folder in folders:
        into = into.setdefault(folder, {})
    if not isinstance(document, dict):
        raise ValueError("a data document is an object")  # noqa: TRY004  (caught with what the parsers raise)
    for key, value in document.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _lay(into[key], (), value)
        else:
            into[key] = value


def _cases(files: Sequence[Path], findings: list[Finding]) -> Mapping[Path, int]:
    """How many rows each directory's `cases.yaml` has; a finding for one that cannot be used."""
    counts = {}
    for folder in sorted({path.parent for path in files}):
        path = folder / CASES
        if not path.is_file():
            continue
        try:
            counts[folder] = len(read_cases(path))
        except ConfigInvalid as invalid:
            findings.append(_of(invalid, str(path)))
            counts[folder] = 1
    return counts


# --- tools ---------------------------------------------------------------------------------------------------------


def _opa(opa: str, files: Sequence[Path]) -> list[Finding]:
    schemas = str(library() / "schemas")
    done = _run([opa, "check", "--strict", "--format", "json", "--schema", schemas, *map(str, files)])
    report = _json(done, "opa check") if done.returncode else {}
    return [
        Finding(
            file=str(one.get("location", {}).get("file", "")),
            line=int(one.get("location", {}).get("row", 1)),
            rule=str(one.get("code", "check")),
            severity=Severity.ERROR,
            message=str(one.get("message", "")),
            tool="opa",
        )
        for one in report.get("errors", ())
    ]


def _regal(regal: str, files: Sequence[Path]) -> list[Finding]:
    done = _run([regal, "lint", "--format", "json", *map(str, files)])
    report = _json(done, "regal lint")
    return [
        Finding(
            file=str(one.get("location", {}).get("file", "")),
            line=int(one.get("location", {}).get("row", 1)),
            rule=str(one.get("title", "lint")),
            severity=Severity.ERROR if one.get("level") == "error" else Severity.WARNING,
            message=str(one.get("description", "")),
            tool="regal",
        )
        for one in report.get("violations", ())
    ]


def _json(done: subprocess.CompletedProcess[str], what: str) -> dict[str, Any]:
    # `opa check` writes its errors to standard error.
    for text in (done.stdout, done.stderr):
        try:
            report = json.loads(text)
        except ValueError:
            continue
        if isinstance(report, dict):
            return report
    raise ConfigInvalid(f"`{what}` cannot be understood")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        raise ConfigInvalid(f"`{Path(command[0]).name}` cannot be run") from None
