"""The library on both engines: every case on regopy, every test rule and the static checks on a real OPA."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from governance.policy.authoring.run import run_tests
from governance.policy.bundle import library, load_bundle
from tests.bundles import policy, write

SOURCES = (str(library() / "policies"), str(library() / "data"))


# Every YAML and JSON file is data to OPA, and these are none.
APART = ("--ignore", "cases.yaml", "--ignore", "params*.json")


def opa(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["opa", *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_every_policy_has_cases_that_hold_on_regopy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each policy of the library lists cases, and regopy answers all of them as they say."""
    monkeypatch.setenv("PATH", "")
    results = run_tests(["builtin"]).results

    assert {result.engine for result in results} == {"embedded"}
    assert [result for result in results if not result.passed] == []
    assert {one.id for one in load_bundle(["builtin"]).policies} == {result.policy for result in results}


@pytest.mark.parametrize("word", ["threshold", "incomplete"])
def test_cases_name_boundaries_and_incomplete_classification(word: str) -> None:
    """Every policy with a threshold has a case on it and one below; every policy has one for a failed detection."""
    tests = {name: text for name, text in load_bundle(["builtin"]).tests if "/lib/" not in name}
    wanted = {
        "threshold": lambda name: not any(plain in name for plain in ("baseline", "uninspected")),
        "incomplete": lambda name: "baseline" not in name,
    }[word]

    assert [name for name, text in tests.items() if wanted(name) and word not in text] == []


def test_a_case_that_does_not_hold_is_reported(tmp_path: Path) -> None:
    """A wrong expectation fails on regopy: the runner can fail."""
    test = 'package ringfence.policy.p_test\n\ncases := {"wrong": {"input": {}, "rules": {["deny", "all"]}}}\n'
    write(tmp_path, {"p.rego": policy("p"), "p_test.rego": test})

    failed = [
        result.rule
        for result in run_tests([str(tmp_path)]).results
        if not result.passed and result.engine == "embedded"
    ]

    assert failed == ["p: wrong"]


@pytest.mark.opa
def test_every_test_rule_passes_on_opa() -> None:
    """OPA runs the same cases through its own test runner."""
    done = opa("test", *APART, *SOURCES, "--verbose", "--format", "json")
    report = json.loads(done.stdout)
    names = {one["package"].removeprefix("data.ringfence.policy.").removesuffix("_test") for one in report}

    assert (0, [], {one.id for one in load_bundle(["builtin"]).policies}) == (
        done.returncode,
        [one["name"] for one in report if one.get("fail") or one.get("error")],
        names,
    )


@pytest.mark.opa
def test_a_case_that_does_not_hold_is_reported_by_opa(tmp_path: Path) -> None:
    """A wrong expectation fails on OPA too."""
    text = (
        (library() / "policies/baseline/baseline/policy_test.rego")
        .read_text()
        .replace('["allow", "inspected"]', '["x", "y"]')
    )
    write(tmp_path, {"wrong_test.rego": text})
    sources = [str(path) for path in Path(SOURCES[0]).rglob("*.rego") if path.parent.name != "baseline"]
    sources.append(str(library() / "policies/baseline/baseline/policy.rego"))

    done = opa("test", *APART, *sources, SOURCES[1], str(tmp_path / "wrong_test.rego"), "--format", "json")

    assert done.returncode == 2


@pytest.mark.opa
def test_the_library_is_formatted() -> None:
    """`opa fmt` has nothing to change."""
    assert opa("fmt", "--list", SOURCES[0]).stdout == ""


@pytest.mark.opa
def test_the_library_fits_the_input_schema() -> None:
    """`opa check --strict` knows every path that a rule reads, by the schema that the engine writes."""
    done = opa("check", "--strict", "--schema", str(library() / "schemas"), *APART, *SOURCES)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.opa
def test_the_schema_catches_a_misspelt_field(tmp_path: Path) -> None:
    """Without this a typo would be undefined, and the rule silent: the schema annotation is in force."""
    text = (library() / "policies/lib/content.rego").read_text().replace("request.operation", "request.opration")
    write(tmp_path, {"content.rego": text})

    done = opa("check", "--strict", "--schema", str(library() / "schemas"), str(tmp_path))

    assert "undefined ref: input.request.opration" in done.stderr


@pytest.mark.opa
def test_the_command_runs_both_engines() -> None:
    """`ringfence policy test` reports regopy's cases, OPA's tests and its static checks, all passed."""
    results = run_tests(["builtin"]).results

    assert ({"embedded", "opa", "plan"}, [], True) == (
        {result.engine for result in results},
        [result for result in results if not result.passed],
        any(result.rule == "check" for result in results),
    )
