"""`ringfence policy init`: what it writes passes check and test, and it overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.errors import ConfigInvalid
from governance.policy.authoring.check import check_command
from governance.policy.authoring.run import test_command as run_tests
from governance.policy.authoring.starter import init_command, write_starter


def test_a_starter_passes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check without any warning, and every case, with every rule reached."""
    monkeypatch.setenv("PATH", "")
    directory = tmp_path / "my_policy"

    assert init_command(directory) == 0
    assert (0, 0) == (
        check_command([str(directory)], strict=True, as_json=False),
        run_tests([str(directory)], as_json=False, threshold=100),
    )


@pytest.mark.opa
def test_a_starter_passes_on_opa_and_beside_the_library(tmp_path: Path) -> None:
    """The same with OPA's checks and its run of the tests, and with every line reached."""
    directory = tmp_path / "my_policy"
    write_starter(directory)

    assert (0, 0) == (
        check_command([str(directory)], strict=True, as_json=False),
        run_tests([str(directory)], as_json=False, threshold=100),
    )
    assert 0 == check_command(["builtin", str(directory)], strict=True, as_json=False)


@pytest.mark.parametrize("name", ["policy.rego", "policy_test.rego", "cases.yaml"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """One file that is there, and none is written."""
    directory = tmp_path / "my_policy"
    directory.mkdir()
    (directory / name).write_text("mine", encoding="utf-8")

    with pytest.raises(ConfigInvalid, match="is there already"):
        write_starter(directory)
    assert [(name, "mine")] == [(path.name, path.read_text("utf-8")) for path in directory.iterdir()]


@pytest.mark.parametrize("name", ["My-Policy", "1st", "a b", "import", "x_test", "é", "a" * 64])
def test_a_name_that_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    """The last part of the directory becomes the package, so it is a name of Rego."""
    with pytest.raises(ConfigInvalid, match="the policy's id"):
        write_starter(tmp_path / name)
    assert [] == list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ConfigInvalid, match="cannot be written"):
        write_starter(tmp_path / "file" / "my_policy")
