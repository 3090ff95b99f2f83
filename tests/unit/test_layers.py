"""The layer rule, as import-linter reads it from pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from importlinter.cli import EXIT_STATUS_ERROR, EXIT_STATUS_SUCCESS

ROOT = Path(__file__).parents[2]

# In a process of its own: import-linter registers its plugins and its cache for the whole process that runs it.
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, config_filename=sys.argv[1]))"


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, str(config)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_layers_hold() -> None:
    """Every contract in pyproject.toml is kept."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    done = lint(ROOT / "pyproject.toml")

    assert (EXIT_STATUS_SUCCESS, f"Contracts: {len(contracts)} kept, 0 broken.") == (
        done.returncode,
        next((line for line in done.stdout.splitlines() if line.startswith("Contracts:")), done.stdout + done.stderr),
    )


def test_an_import_against_the_layers_is_found(tmp_path: Path) -> None:
    """The same rules without the exception for the composition root are broken: the check can fail."""
    text = (ROOT / "pyproject.toml").read_text()
    strict = [line for line in text.splitlines() if not line.startswith("ignore_imports")]
    (tmp_path / "pyproject.toml").write_text("\n".join(strict))

    done = lint(tmp_path / "pyproject.toml")

    assert EXIT_STATUS_ERROR == done.returncode
    assert "governance.cli -> sidecar.up" in done.stdout
