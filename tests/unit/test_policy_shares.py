"""Work divided among processes finds what one process finds."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

from governance.policy.bundle import load_bundle
from governance.policy.impact import prove as proving
from governance.policy.impact.shares import in_shares, shares_of
from tests.bundles import ALLOW, one_policy


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_item_is_in_one_share(count: int) -> None:
    """Shares come back in order and together hold each item once, in processes of their own but for the first."""
    found = in_shares(lambda start, step: {"items": [*range(start, 17, step)], "pid": os.getpid()}, count)
    assert [[*range(start, 17, count)] for start in range(count)] == [one["items"] for one in found]
    assert (os.getpid(), count) == (found[0]["pid"], len({one["pid"] for one in found}))


def test_share_whose_process_dies_is_done_here() -> None:
    """A process that ends without an answer costs time, and nothing is missing."""
    here = os.getpid()

    def work(start: int, step: int) -> dict[str, Any]:
        if os.getpid() != here:
            os._exit(9)
        return {"items": [*range(start, 9, step)]}

    assert [{"items": [0, 3, 6]}, {"items": [1, 4, 7]}, {"items": [2, 5, 8]}] == in_shares(work, 3)


def test_failure_ends_all_shares() -> None:
    """What goes wrong in the first share reaches the caller, who is left with the collector as it was."""

    def work(start: int, _: int) -> dict[str, Any]:
        if not start:
            raise ValueError("no")
        return {}

    with pytest.raises(ValueError, match="no"):
        in_shares(work, 2)
    assert gc.isenabled()


def test_few_items_are_not_divided() -> None:
    """A process is worth a thousand items; nobody's processors are all taken."""
    assert (1, 1) == (shares_of(0), shares_of(1_999))
    assert 1 <= shares_of(10**9) <= 16


def test_proof_is_the_same_however_it_is_divided(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Verdicts, counterexamples, counts and unused rules of three processes are those of one."""
    monkeypatch.setattr(proving.shutil, "which", lambda _: None)
    bundles = [one_policy(tmp_path, f"effects contains {ALLOW}"), load_bundle(["builtin"])]
    for bundle, budget in zip(bundles, (400, 60), strict=True):
        reports = []
        for count in (1, 3):
            monkeypatch.setattr(proving, "shares_of", lambda _, count=count: count)
            report = proving.prove(bundle, budget=budget)
            reports.append((report.verdicts, report.dead_rules, report.never_winning, report.coverage))
        assert reports[0] == reports[1]
