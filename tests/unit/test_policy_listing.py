"""`ringfence policy list`: a row for each policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from governance.decision import Mode
from governance.policy.authoring.listing import Listed, list_command, list_policies
from tests.bundles import policy, write


def directory(top: Path) -> str:
    """Two policies in two areas, one with all that can be said."""
    custom = {"severity": "high", "phases": "[request, response]", "references": "[Law 1, '[Law] 2']"}
    return str(write(top, {"b/q/q.rego": policy("q", **custom), "a/p/p.rego": policy("p", mode="shadow")}))


def test_policies_are_listed_by_area(tmp_path: Path) -> None:
    """What the METADATA says, and the mode in effect."""
    top = directory(tmp_path)

    assert (
        Listed(
            id="p",
            version="1.0.0",
            mode=Mode.OFF,
            phases=("request",),
            area="a",
            severity="medium",
            title="The policy p",
            references=(),
            file=f"{top}/a/p/p.rego",
        ),
        Listed(
            id="q",
            version="1.0.0",
            mode=Mode.ENFORCE,
            phases=("request", "response"),
            area="b",
            severity="high",
            title="The policy q",
            references=("Law 1", "[Law] 2"),
            file=f"{top}/b/q/q.rego",
        ),
    ) == list_policies([top], modes={"p": Mode.OFF})


def test_the_table_has_a_line_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a reference are text, and no line is broken."""
    assert list_command([directory(tmp_path)], as_json=False) == 0

    head, first, second, end = capsys.readouterr().out.splitlines()
    assert ["id", "version", "mode", "phases", "area", "severity", "title", "references", "file"] == head.split()
    assert (["p", "1.0.0", "shadow"], "Law 1; [Law] 2" in second, "2 policies") == (first.split()[:3], True, end)


def test_the_list_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object for each policy."""
    list_command([directory(tmp_path)], as_json=True)

    assert [("p", "shadow", "a"), ("q", "enforce", "b")] == [
        (one["id"], one["mode"], one["area"]) for one in json.loads(capsys.readouterr().out)
    ]
