"""The state directory and the keys in it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from governance.config import Config, load
from governance.errors import ConfigInvalid
from governance.sensitive import SensitiveBytes
from governance.state import Key, key, prepare

NODE = "nodes: [{id: a, address: 'a:1', country: DE, region: r, tier: device, models: [m]}]\n"


def configured(directory: Path, text: str = "") -> Config:
    """A configuration whose state lies in `directory`."""
    path = directory / "ringfence.yaml"
    path.write_text(NODE + text)
    return load(path, environ={})


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """A second start, and a second process, get the key of the first; the file is private."""
    config = configured(tmp_path)
    made = key(config, Key.AUDIT, environ={})
    stored = tmp_path / "var" / "keys" / "audit.key"

    assert made == key(config, Key.AUDIT, environ={})
    assert made != key(config, Key.REDACTION, environ={})
    assert 32 == len(made)
    assert (0o600, 0o700) == (stored.stat().st_mode & 0o777, stored.parent.stat().st_mode & 0o777)
    assert ["audit.key", "redaction.key"] == sorted(path.name for path in stored.parent.iterdir())


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    """Whoever loses the race uses the winner's key."""
    config = configured(tmp_path)
    found: list[SensitiveBytes] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        found.append(key(config, Key.AUDIT, environ={}))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 == len(found)
    assert 1 == len(set(found))


def test_a_key_comes_from_the_environment_before_the_file(tmp_path: Path) -> None:
    """Nothing is written when the operator brings the key."""
    config = configured(tmp_path)

    assert SensitiveBytes(b"\x01" * 32) == key(config, Key.AUDIT, environ={"RINGFENCE_AUDIT_KEY": "01" * 32})
    assert not (tmp_path / "var").exists()


def test_a_key_file_of_the_operator_is_read(tmp_path: Path) -> None:
    """The path is relative to the configuration."""
    (tmp_path / "my.key").write_text("02" * 32 + "\n")
    (tmp_path / "my.key").chmod(0o600)

    config = configured(tmp_path, "redaction: {key_file: my.key}\n")
    assert SensitiveBytes(b"\x02" * 32) == key(config, Key.REDACTION, environ={})


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ("02" * 32, 0o640, "others may read this key; run `chmod 600` on it and own it"),
        ("02" * 32, 0o604, "others may read this key; run `chmod 600` on it and own it"),
        ("02" * 31, 0o600, "is not a key; write 64 hexadecimal digits, such as `openssl rand -hex 32` prints"),
        ("02" * 33, 0o600, "is not a key; write 64 hexadecimal digits, such as `openssl rand -hex 32` prints"),
        ("", 0o600, "is not a key; write 64 hexadecimal digits, such as `openssl rand -hex 32` prints"),
        (None, 0, "cannot be read: no such file or directory"),
    ],
)
def test_a_key_that_is_no_secret_is_refused(tmp_path: Path, content: str | None, mode: int, message: str) -> None:
    """Permissions, length, and absence: a named key is never replaced by a made one. Its digits are not shown."""
    path = tmp_path / "my.key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(ConfigInvalid) as caught:
        key(configured(tmp_path, "audit: {key_file: my.key}\n"), Key.AUDIT, environ={})

    assert f"{path}: {message}" == str(caught.value)


def test_a_bad_key_in_the_environment_is_refused_without_showing_it(tmp_path: Path) -> None:
    """An empty or cut secret must not lead to a made key."""
    for text in ("", "abc", "zz" * 32):
        with pytest.raises(ConfigInvalid) as caught:
            key(configured(tmp_path), Key.AUDIT, environ={"RINGFENCE_AUDIT_KEY": text})

        assert (
            "RINGFENCE_AUDIT_KEY: is not a key; write 64 hexadecimal digits, such as `openssl rand -hex 32` prints"
            == str(caught.value)
        )


def test_a_state_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """Whoever can write there can replace sockets and keys."""
    config = configured(tmp_path)
    config.state_directory.mkdir()
    config.state_directory.chmod(0o770)

    with pytest.raises(ConfigInvalid, match="can be written by others; run `chmod 700` on it"):
        prepare(config)


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in its place is named, not overwritten."""
    config = configured(tmp_path)
    config.state_directory.write_text("")

    with pytest.raises(ConfigInvalid, match="cannot be used: file exists"):
        prepare(config)
