"""What measurements ran on."""

from __future__ import annotations

import platform
from pathlib import Path

from governance.machine import machine


def test_the_processor_is_named_by_its_maker(tmp_path: Path) -> None:
    """As the first processor of the list calls itself."""
    cpus = tmp_path / "cpuinfo"
    cpus.write_text("processor\t: 0\nmodel name\t: Fast: 9000\n\nprocessor\t: 1\nmodel name\t: other\n")

    assert "Fast: 9000" == machine(cpus)


def test_a_processor_that_nothing_names_is_told_by_its_kind(tmp_path: Path) -> None:
    """No list (not Linux, or a sandbox), or one without names (ARM)."""
    nameless = tmp_path / "cpuinfo"
    nameless.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")

    assert [platform.machine()] * 2 == [machine(tmp_path / "none"), machine(nameless)]
