"""`ringfence decide` and `ringfence policy test`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from governance.decision import Action
from governance.errors import ConfigInvalid
from governance.policy.contract import facts_bytes
from governance.policy.run import decide_command, decide_file
from governance.policy.run import test_command as run_tests
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
    assert (code, failed, [{"engine": "embedded", "rule": "p: one", "passed": not failed}]) == (
        found,
        report["failed"],
        report["results"],
    )


def test_a_directory_without_tests_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No test is no success."""
    monkeypatch.setenv("PATH", "")
    write(tmp_path, {"p.rego": policy("p")})

    assert run_tests([str(tmp_path)], as_json=False) == 1
    assert "0 passed, 0 failed on no engine" in capsys.readouterr().out
