"""What every test can count on: the programs that its marks name."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import pytest


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Skips tests that are marked `opa`, and says so, where there is none."""
    if shutil.which("opa") is None:
        for item in items:
            if item.get_closest_marker("opa"):
                item.add_marker(pytest.mark.skip(reason="no `opa` on the path: OPA itself is not asked"))
