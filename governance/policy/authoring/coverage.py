"""What the tests of a policy reach: its lines where OPA is there, else which of its rules spoke in a case.

OPA is asked about copies in a temporary directory: exactly the modules, tests and data of the bundle, and one generated
test for each row of `cases.yaml`.
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.policy.authoring.cases import Case, laid_over
from governance.policy.authoring.checks_effects import written_effects
from governance.policy.authoring.checks_finding import Unit
from governance.policy.authoring.cursor import UnreadError
from governance.policy.authoring.parse import rules_of
from governance.policy.bundle import ROOT, Bundle, canonical, library

_SECONDS = 120
_CASES = "ringfence_cases"
_TESTS = "ringfence_case_tests"


@frozen
class Coverage:
    """How much of a policy its tests reach. `unit` says of what: lines (by OPA) or rules; `missed` names the rest."""

    policy: str
    percent: int
    unit: str
    missed: tuple[str, ...]


@frozen
class OpaResult:
    """How one test ended on OPA. `case` is the index of a row, `actual` what the policy said to it."""

    rule: str
    passed: bool
    policy: str = ""
    case: int | None = None
    actual: frozenset[str] | None = None


# The lines of each module that were reached and those that were not, by the name of the module.
Lines = Mapping[str, tuple[int, tuple[int, ...]]]


def coverage_of(bundle: Bundle, said: Mapping[str, frozenset[str]], lines: Lines | None) -> tuple[Coverage, ...]:
    """The coverage of each policy, by id. `said` is what each said to any case, `lines` what OPA counted."""
    return tuple(
        _rules_reached(bundle, policy.id, said.get(policy.id, frozenset()))
        if lines is None
        else _lines_reached(bundle, policy.id, lines)
        for policy in bundle.policies
    )


def _rules_reached(bundle: Bundle, policy: str, said: frozenset[str]) -> Coverage:
    written: set[str] = set()
    for module in bundle.modules:
        if module.package == (*ROOT, policy):
            try:
                rules = rules_of(module.text, module.file)
            except UnreadError:
                continue
            written |= {name for name, _, _ in written_effects(Unit(module=module, rules=rules))}
    percent = 100 * len(written & said) // len(written) if written else 100 if said else 0
    return Coverage(policy=policy, percent=percent, unit="rules", missed=tuple(sorted(written - said)))


def _lines_reached(bundle: Bundle, policy: str, lines: Lines) -> Coverage:
    reached, missed, total = 0, [], 0
    for module in bundle.modules:
        if module.package == (*ROOT, policy):
            covered, not_covered = lines.get(module.name, (0, ()))
            reached += covered
            total += covered + len(not_covered)
            missed += [f"{Path(module.file).name}:{span}" for span in _spanned(not_covered)]
    return Coverage(policy=policy, percent=100 * reached // total if total else 0, unit="lines", missed=tuple(missed))


def _spanned(lines: Sequence[int]) -> Iterator[str]:
    """Lines that follow each other as `first-last`."""
    first = 0
    for at, line in enumerate(lines):
        if at == 0 or lines[at - 1] != line - 1:
            first = line
        if at + 1 == len(lines) or lines[at + 1] != line + 1:
            yield str(line) if first == line else f"{first}-{line}"


def on_opa(opa: str, bundle: Bundle, rows: Mapping[str, Sequence[Case]]) -> tuple[list[OpaResult], Lines | None]:
    """The static checks, the `test_` rules and the rows on OPA, and the lines that they reached.

    OPA counts no lines where a test fails: they are None then. Raises ConfigInvalid where OPA cannot read the modules.
    """
    with tempfile.TemporaryDirectory(prefix="ringfence-") as folder:
        top = Path(folder)
        names = _write(top, bundle, rows)
        check = _run(opa, "check", "--strict", "--schema", str(library() / "schemas"), str(top / "modules"))
        tests = _report(_run(opa, "test", "--verbose", "--format", "json", folder))
        results = [OpaResult(rule="check", passed=check.returncode == 0), *map(_result, tests or ())]
        if not all(result.passed for result in results[1:]):
            return results, None
        covered = _report(_run(opa, "test", "--coverage", "--format", "json", folder))
    files = covered.get("files", {}) if isinstance(covered, dict) else {}
    return results, {names[name]: _counted(one) for path, one in files.items() if (name := Path(path).name) in names}


def _write(top: Path, bundle: Bundle, rows: Mapping[str, Sequence[Case]]) -> dict[str, str]:
    """Writes what OPA is asked about; the names of the bundle's modules by the names of their copies."""
    (top / "modules").mkdir()
    texts = [(module.name, module.text) for module in bundle.modules] + list(bundle.tests)
    names = {}
    for at, (name, text) in enumerate(texts):
        copy = f"{at}_test.rego" if name.endswith("_test.rego") else f"{at}.rego"
        names[copy] = name
        (top / "modules" / copy).write_text(text, encoding="utf-8")
    defaults = bundle.data.get("ringfence", {}).get("params", {})
    documents = {
        policy: [
            {
                "input": json.loads(row.document),
                "params": laid_over(defaults.get(policy, {}), row.params or {}),
                "effects": sorted(row.effects),
            }
            for row in cases
        ]
        for policy, cases in rows.items()
    }
    (top / "data.json").write_bytes(canonical({**bundle.data, _CASES: documents}))
    for policy, cases in rows.items():
        text = f"package {_TESTS}.{policy}\n\n" + "\n".join(_test(policy, at, row) for at, row in enumerate(cases))
        (top / f"{policy}_cases_test.rego").write_text(text, encoding="utf-8")
    return names


def _test(policy: str, at: int, row: Case) -> str:
    # The policy's id is a name of Rego, as its package is; no text of the row gets here.
    replaced = "" if row.params is None else f" with data.ringfence.params.{policy} as case.params"
    return f"""test_{at} if {{
	case := data.{_CASES}.{policy}[{at}]
	actual := {{name |
		some effect in data.ringfence.policy.{policy}.effects
		name := concat("/", [effect.effect, effect.rule])
	}} with input as case.input{replaced}
	print(json.marshal(actual))
	actual == {{name | some name in case.effects}}
}}
"""


def _result(one: Mapping[str, Any]) -> OpaResult:
    passed = not (one.get("fail") or one.get("error") or one.get("skip"))
    package, name = str(one["package"]).removeprefix("data."), str(one["name"])
    if not package.startswith(f"{_TESTS}."):
        policy = package.rpartition(".")[2].removesuffix("_test")
        return OpaResult(rule=f"{package}.{name}", passed=passed, policy=policy)
    return OpaResult(
        rule=name,
        passed=passed,
        policy=package.removeprefix(f"{_TESTS}."),
        case=int(name.removeprefix("test_")),
        actual=_printed(one),
    )


def _printed(one: Mapping[str, Any]) -> frozenset[str]:
    """What the generated test wrote; nothing where the evaluation ended before."""
    if one.get("error") or "output" not in one:
        return frozenset({"failure/eval"})
    try:
        return frozenset(json.loads(base64.b64decode(one["output"])))
    except ValueError:
        return frozenset({"failure/eval"})


def _counted(one: Mapping[str, Any]) -> tuple[int, tuple[int, ...]]:
    """How many lines were reached whole, and the others."""
    missed = set(_spans(one, "not_covered"))
    return len(set(_spans(one, "covered")) - missed), tuple(sorted(missed))


def _spans(one: Mapping[str, Any], kind: str) -> Iterator[int]:
    for span in one.get(kind, ()):
        yield from range(span["start"]["row"], span["end"]["row"] + 1)


def _report(done: subprocess.CompletedProcess[str]) -> Any:
    try:
        return json.loads(done.stdout or "[]")
    except ValueError:
        raise ConfigInvalid("`opa test` cannot read the policies") from None


def _run(opa: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([opa, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        raise ConfigInvalid("`opa` cannot be run") from None
