"""`ringfence decide` and `ringfence policy test`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from governance.decision import Action
from governance.errors import ConfigInvalid
from governance.policy.authoring.coverage import Coverage
from governance.policy.authoring.run import decide_command, decide_file
from governance.policy.authoring.run import run_tests as run_all
from governance.policy.authoring.run import test_command as run_tests
from governance.policy.contract import facts_bytes
from tests.bundles import facts_with, policy, write


def written(top: Path, raw: bytes) -> Path:
    path = top / "input.json"
    path.write_bytes(raw)
    return path


def test_a_file_is_decided(tmp_path: Path) -> None:
    """A card in the facts is an obligation in the decision."""
    decision = decide_file(written(tmp_path, facts_bytes(facts_with({"CREDIT_CARD": (1000, True)}))))

    assert (
        decision.action,
        [redact.entity for redact in decision.obligations.redact],
    ) == (Action.ALLOW_MODIFIED, ["CREDIT_CARD"])


@pytest.mark.parametrize(("permille", "code", "action"), [(900, 1, "deny"), (100, 0, "allow")])
def test_the_command_writes_the_decision_and_exits_by_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], permille: int, code: int, action: str
) -> None:
    """One line of JSON, and exit code 1 when the request would be refused."""
    path = written(tmp_path, facts_bytes(facts_with({"API_KEY": (permille, False)})))

    found = decide_command(path, ["builtin"], engine="embedded", opa_url=None)

    out = json.loads(capsys.readouterr().out)
    assert (code, action, "ringfence.decision/1") == (found, out["action"], out["schema"])


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` stands for standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(facts_bytes(facts_with()))))

    assert decide_file(Path("-")).action == Action.ALLOW


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"schema": "ringfence.input/2"}', b'{"a": 1, "a": 2}', b"\xff"])
def test_a_document_that_is_no_input_is_refused(tmp_path: Path, raw: bytes) -> None:
    """The file is named."""
    path = written(tmp_path, raw)

    with pytest.raises(ConfigInvalid) as caught:
        decide_file(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The file is named, and why it cannot be read."""
    with pytest.raises(ConfigInvalid, match="cannot be read: no such file or directory"):
        decide_file(tmp_path / "none.json")


@pytest.mark.parametrize(("rules", "code", "failed"), [('{["allow", "all"]}', 0, 0), ('{["deny", "all"]}', 1, 1)])
def test_cases_of_a_directory_are_run(  # noqa: PLR0917 (pytest names its fixtures by parameter)
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rules: str,
    code: int,
    failed: int,
) -> None:
    """Exit code 1 when a case does not hold; without `opa` on the path regopy alone is asked."""
    monkeypatch.setenv("PATH", "")
    test = f'package ringfence.policy.p_test\n\ncases := {{"one": {{"input": {{}}, "rules": {rules}}}}}\n'
    write(tmp_path, {"p.rego": policy("p"), "p_test.rego": test})

    found = run_tests([str(tmp_path)], as_json=True)

    report = json.loads(capsys.readouterr().out)
    result: dict[str, object] = {"engine": "embedded", "rule": "p: one", "passed": not failed}
    if failed:
        result |= {"expected": ["deny/all"], "actual": ["allow/all"], "place": ""}
    reached = {"coverage_percent": 100, "coverage_of": "rules", "missed": []}
    expected = {
        "results": [result],
        "failed": failed,
        "policies": [{"policy": "p", "cases": 1, "tests": 0, **reached}],
        "engines": ["embedded"],
    }
    assert (code, expected) == (found, report)


def test_a_directory_without_tests_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No test is no success."""
    monkeypatch.setenv("PATH", "")
    write(tmp_path, {"p.rego": policy("p")})

    assert run_tests([str(tmp_path)], as_json=False) == 1
    assert "0 passed, 0 failed on no engine" in capsys.readouterr().out


PARAMETERS = """\
effects contains {"effect": "deny", "rule": "many", "code": "many", "params": {}} if {
	input.request.messages > data.ringfence.params.p.most
}

effects contains {"effect": "note", "rule": "few", "code": "few", "params": {}} if input.request.messages == 0
"""
ROWS = """\
- name: as many as allowed
  input: {request: {messages: 3}}
  effects: []
- name: more than allowed
  input: {request: {messages: 4}}
  effects: [deny/many]
- name: more than allowed here
  input: {request: {messages: 3}}
  params: {most: 2}
  effects: [deny/many]
"""


def with_rows(top: Path, rows: str = ROWS) -> Path:
    """A policy with a parameter and these rows."""
    data = '{"ringfence": {"params": {"p": {"most": 3}}}}'
    return write(top, {"p.rego": policy("p", PARAMETERS), "cases.yaml": rows, "data.json": data})


def test_rows_are_run_with_their_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row is a case, and the parameters of one row hold for no other."""
    monkeypatch.setenv("PATH", "")

    run = run_all([str(with_rows(tmp_path))])

    assert [("p: as many as allowed", True), ("p: more than allowed", True), ("p: more than allowed here", True)] == [
        (one.rule, one.passed) for one in run.results
    ]
    assert (Coverage(policy="p", percent=50, unit="rules", missed=("note/few",)),) == run.coverage


@pytest.mark.parametrize(("threshold", "code"), [(0, 0), (50, 0), (51, 1)])
def test_coverage_below_the_threshold_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], threshold: int, code: int
) -> None:
    """Half of the rules spoke."""
    monkeypatch.setenv("PATH", "")

    assert code == run_tests([str(with_rows(tmp_path))], as_json=False, threshold=threshold)
    assert ("below the threshold" in capsys.readouterr().out) == bool(code)


def test_a_row_that_fails_shows_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Expected and actual effects, and where the row stands."""
    monkeypatch.setenv("PATH", "")
    with_rows(tmp_path, "- name: wrong\n  input: {request: {messages: 9}}\n  effects: [note/few]\n")

    assert run_tests([str(tmp_path)], as_json=False) == 1
    out = capsys.readouterr().out
    assert f"failed p: wrong on embedded ({tmp_path}/cases.yaml:1)" in out
    assert "    expected: note/few\n    actual:   deny/many\n" in out


def test_a_policy_that_fails_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that expects nothing does not pass where the policy could not be evaluated."""
    monkeypatch.setenv("PATH", "")
    body = 'effects contains {"effect": "nonsense", "rule": "a", "code": "a"} if input.request.messages == 9'
    rows = "- name: broken\n  input: {request: {messages: 9}}\n  effects: []\n"
    write(tmp_path, {"p.rego": policy("p", body), "cases.yaml": rows})

    (result,) = run_all([str(tmp_path)]).results
    assert (False, {"failure/schema"}) == (result.passed, result.actual)


@pytest.mark.opa
def test_every_engine_is_asked(tmp_path: Path) -> None:
    """The rows run on three engines, a failing one shows what OPA said, and lines are counted."""
    rows = ROWS + "- name: wrong\n  input: {request: {messages: 9}}\n  effects: []\n"

    run = run_all([str(with_rows(tmp_path, rows))])

    assert ("embedded", "plan", "opa") == run.engines
    assert [(name, {"deny/many"}, set()) for name in ("embedded", "plan", "opa")] == [
        (one.engine, one.actual, one.expected) for one in run.results if not one.passed
    ]


@pytest.mark.opa
def test_lines_are_counted_by_opa(tmp_path: Path) -> None:
    """The lines of the rule that no row reaches are named."""
    (coverage,) = run_all([str(with_rows(tmp_path))]).coverage

    assert ("lines", 66, ("p.rego:12",)) == (coverage.unit, coverage.percent, coverage.missed)
