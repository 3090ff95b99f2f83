"""What a measurement ran on, which stands beside its figures."""

from __future__ import annotations

import platform
from pathlib import Path


def machine(cpus: Path = Path("/proc/cpuinfo")) -> str:
    """The processor in its maker's words, or its kind where `cpus` does not name it."""
    try:
        lines = cpus.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
