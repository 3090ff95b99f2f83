"""Compiled rules on disk, so that only the first start pays for compiling them.

One file for each set of rules: a line with the digest of the rest, then the rest. Nothing here fails: what cannot be read,
is damaged, or lies where somebody else can write is as good as not there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

_FILE = "compiled"
_DIGEST = 64
_KEPT = 6
_MAX_BYTES = 512 << 20
# Another process that compiles is waited for this long; it may have been stopped in the middle.
_PATIENCE_S = 120.0
_POLL_S = 0.05


def default_directory() -> Path | None:
    """Where the cache of this user lies; None where the user has no home."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "ringfence" / "rules"


@final
class RuleCache:
    """Payloads by key (64 hexadecimal digits) below `directory`; None keeps nothing."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def load(self, key: str) -> bytes | None:
        """The payload stored under `key`, whole, by this user."""
        if self._directory is None or not (_is_ours(self._directory) and _is_ours(self._directory / key)):
            return None
        try:
            with (self._directory / key / _FILE).open("rb") as file:
                if not _is_own_file(file.fileno()):
                    return None
                digest, payload = file.read(_DIGEST + 1), file.read(_MAX_BYTES)
        except OSError:
            return None
        return payload if hashlib.sha256(payload).hexdigest().encode("ascii") + b"\n" == digest else None

    def store(self, key: str, payload: bytes) -> None:
        """Keeps `payload` under `key`. After a crash either all of it is there or nothing of it is."""
        if self._directory is None or not _is_ours(self._directory):
            return
        with suppress(OSError):
            folder = self._directory / key
            folder.mkdir(mode=0o700, exist_ok=True)
            if not _is_ours(folder):
                return
            descriptor, name = tempfile.mkstemp(dir=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(payload).hexdigest().encode("ascii") + b"\n")
                    file.write(payload)
                Path(name).replace(folder / _FILE)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._prune(key)

    @contextmanager
    def building(self, key: str) -> Iterator[None]:
        """Holds the lock of `key` where there can be one, so that two processes do not both compile."""
        descriptor = self._locked(key)
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _locked(self, key: str) -> int | None:
        if self._directory is None:
            return None
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._directory):
                return None
            flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._directory / f"{key}.lock", flags, 0o600)
        except OSError:
            return None
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_POLL_S)
            except OSError:
                break
            else:
                return descriptor
        os.close(descriptor)
        return None

    def _prune(self, key: str) -> None:
        """Removes all but the newest few, with their locks."""
        if self._directory is None:
            return
        entries = [each for each in self._directory.iterdir() if _is_key(each.name) and each.name != key]
        entries.sort(key=lambda each: each.lstat().st_mtime, reverse=True)
        for entry in entries[_KEPT - 1 :]:
            shutil.rmtree(entry, ignore_errors=True)
            (self._directory / f"{entry.name}.lock").unlink(missing_ok=True)


def _is_key(name: str) -> bool:
    return len(name) == _DIGEST and set(name) <= set("0123456789abcdef")


def _is_ours(folder: Path) -> bool:
    """Whether `folder` is a real directory of this user that nobody else can write to or read."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _is_own_file(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
