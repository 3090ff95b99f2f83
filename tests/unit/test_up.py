"""The processes of `ringfence up`, as they are started."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from governance import state
from governance.config import load
from sidecar.envoy_binary import locate
from sidecar.up import stages

NODE = {"id": "a", "address": "127.0.0.1:1", "country": "DE", "region": "r", "tier": "on_prem", "models": ["m"]}


def test_the_current_directory_holds_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder that `up` is started from is not run by the processes that hold the keys."""
    file = tmp_path / "ringfence.yaml"
    file.write_text(yaml.safe_dump({"state_directory": "var", "nodes": [NODE]}))
    config = load(file, environ={})
    state.prepare(config)
    (tmp_path / "typer.py").write_text("raise SystemExit('a foreign typer')")
    monkeypatch.chdir(tmp_path)

    for child in [child for stage in stages(config, locate()) for child in stage if child.name != "envoy"]:
        command = [*child.argv, "--no-such-option"]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

        assert "no such option: --no-such-option" in said.stderr
