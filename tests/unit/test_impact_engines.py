"""Which engine `explain` and `policy replay` take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from governance.cli import exit_code
from governance.errors import ConfigInvalid
from governance.policy.impact.engines import planned
from tests.bundles import bundle_of, facts_with, policy
from tests.decided import log, records_of

FILES = {"p.rego": policy("p")}


@pytest.mark.parametrize("engine", ["auto", "embedded"])
def test_without_opa_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """The bundle stays as it is, and the embedded engine takes it."""
    monkeypatch.setenv("PATH", "")
    bundle = bundle_of(tmp_path, FILES)

    assert bundle is planned(bundle, engine)


def test_a_plan_that_is_asked_for_is_not_replaced_by_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither silently by another engine, nor where the bundle brings a plan by one of ours."""
    monkeypatch.setenv("PATH", "")
    bundle = bundle_of(tmp_path, FILES)
    carried = replace(bundle, plan=b"{}")

    with pytest.raises(ConfigInvalid, match="no plan: `opa` is not on the path"):
        planned(bundle, "plan")
    assert carried is planned(carried, "plan")


@pytest.mark.opa
def test_opa_makes_a_plan_for_whoever_can_use_one(tmp_path: Path) -> None:
    """The embedded engine is asked as it is."""
    bundle = bundle_of(tmp_path, FILES)

    assert (True, True, False) == tuple(
        planned(bundle, engine).plan is not None for engine in ("auto", "plan", "embedded")
    )


@pytest.mark.opa
def test_what_opa_refuses_is_an_error_only_where_a_plan_was_asked_for(tmp_path: Path) -> None:
    """regopy takes some policies that OPA's compiler does not."""
    bundle = bundle_of(tmp_path, FILES)
    broken = replace(bundle, modules=(*bundle.modules, replace(bundle.modules[0], name="0/q.rego", text="nonsense")))

    assert broken is planned(broken, "auto")
    with pytest.raises(ConfigInvalid, match="refuses the policies"):
        planned(broken, "plan")


@pytest.mark.opa
@pytest.mark.parametrize(("engine", "expected"), [("auto", "plan"), ("plan", "plan"), ("embedded", "embedded")])
def test_both_commands_name_the_engine_they_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str, expected: str
) -> None:
    """In JSON; and for people in the tree."""
    source = str(tmp_path / "policies")
    audit = str(log(tmp_path / "audit", records_of(bundle_of(Path(source), FILES), facts_with())))

    assert 0 == exit_code(["explain", "d0", "--policy", source, "--audit", audit, "--engine", engine, "--json"])
    explained = json.loads(capsys.readouterr().out)
    assert 0 == exit_code(["explain", "d0", "--policy", source, "--audit", audit, "--engine", engine])
    shown = capsys.readouterr().out
    assert 0 == exit_code(["policy", "replay", "--to", source, "--audit", audit, "--engine", engine, "--json"])
    replayed = json.loads(capsys.readouterr().out)

    assert (expected, True, expected) == (
        explained["policies"]["engine"],
        f"decided again on engine {expected}" in shown,
        replayed["to"]["engine"],
    )


def test_explain_asks_the_policies_of_the_configuration_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where `ringfence up` runs nothing needs to be named; with policies or an audit log named, the file is left alone."""
    bundle = bundle_of(tmp_path / "house", FILES)
    log(tmp_path / "var" / "audit", records_of(bundle, facts_with()))
    node = "{id: n, address: '10.0.0.5:8000', country: DE, region: eu, tier: on_prem, models: [m]}"
    (tmp_path / "ringfence.yaml").write_text(f"nodes: [{node}]\npolicy: {{directories: [house]}}\n")
    monkeypatch.chdir(tmp_path)

    assert 0 == exit_code(["explain", "d0", "--engine", "embedded", "--json"])
    assert "p" in capsys.readouterr().out
    assert 1 == exit_code(
        ["explain", "d0", "--engine", "embedded", "--policy", "builtin", "--audit", "var/audit", "--json"]
    )
