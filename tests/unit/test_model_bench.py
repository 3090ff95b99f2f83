"""The bench of models: what it runs is what it says it ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifiers.model.bench import Cost, cost_table
from governance.cli import exit_code
from tests.model_directories import write


def test_every_cell_is_measured_and_a_missing_gpu_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row for a client alone, six for clients at once; each has requests, and the GPU a line of its own."""
    directory = write(tmp_path / "tiny")

    code = exit_code(["bench", "model", str(directory), "--seconds", "0.05", "--json"])

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cost, *loads, skipped = rows
    assert (0, "cost", "tiny@1", "cpu") == (code, cost["kind"], cost["model"].partition("+")[0], cost["device"])
    assert [(1, False), (1, True), (32, False), (32, True), (256, False), (256, True)] == [
        (load["clients"], load["batched"]) for load in loads
    ]
    assert all(load["requests_s"] > 0 and load["p50_ms"] <= load["p99_ms"] for load in loads)
    assert loads[2]["pieces_in_run"] < loads[3]["pieces_in_run"]
    assert ["tiny on cuda: did not run"] == [reason.partition(" (")[0] for reason in skipped["reasons"]]


def cost(model: str, **pieces_s: int) -> Cost:
    """Of a model on a CPU, by shape."""
    return Cost(
        model=model, device="cpu", provider="cpu", precision="int8", pieces_s=pieces_s, prompt_ms=1.0, of_peak=0.0
    )


def test_models_of_different_windows_stand_under_their_own_headings() -> None:
    """A shape that a model does not read has no figure."""
    table = cost_table([cost("short", a=11, b=1200), cost("long", a=21, c=22)])

    assert {
        "model": ["short", "long"],
        "on": ["cpu int8", "cpu int8"],
        "a": ["11", "21"],
        "b": ["1,200", "-"],
        "c": ["-", "22"],
        "500 pieces ms": ["1.0", "1.0"],
        "of fp32 peak": ["-", "-"],
    } == {column.header: list(column.cells) for column in table.columns}
