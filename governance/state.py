"""The state directory: private to one user, and the secret keys in it.

A key comes from the environment, from the file named in the configuration, or from `keys/` in the state directory, where
it is made on first use. It never changes by itself: records made under a lost key cannot be linked to later ones.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from governance.errors import ConfigInvalid
from governance.sensitive import SensitiveBytes
from governance.settings import Config

KEY_BYTES: Final = 32
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_HOW_TO = "write 64 hexadecimal digits, such as `openssl rand -hex 32` prints"


class Key(StrEnum):
    """What a key is for. One key serves one purpose."""

    AUDIT = "audit"
    REDACTION = "redaction"


def prepare(config: Config) -> Path:
    """The state directory, made with mode 0700 if missing. Raises ConfigInvalid when others may write there."""
    path = config.state_directory
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise ConfigInvalid(f"state_directory: `{path}` cannot be used: {_reason(error)}") from None
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigInvalid(f"state_directory: `{path}` can be written by others; run `chmod 700` on it")
    return path


@contextmanager
def owned(config: Config) -> Iterator[None]:
    """The state directory is this process's alone until the block ends. Raises ConfigInvalid where another one has it.

    A second installation would take the sockets of the first away from it. The kernel gives the lock back when the
    process dies, however it dies.
    """
    path = prepare(config)
    try:
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigInvalid(f"state_directory: `{path}` cannot be used: {_reason(error)}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigInvalid(f"state_directory: `{path}` is in use by another `ringfence up`") from None
    finally:
        os.close(descriptor)


def key(config: Config, purpose: Key, *, environ: Mapping[str, str] | None = None) -> SensitiveBytes:
    """The 32 bytes for `purpose`. Processes that ask at the same time get the same key. Raises ConfigInvalid."""
    named = named_key(config, purpose, environ=environ)
    if named is not None:
        return named
    own = prepare(config) / "keys" / f"{purpose}.key"
    try:
        return _read(own) if own.exists() else _make(own)
    except OSError as error:
        raise ConfigInvalid(f"cannot be made: {_reason(error)}", file=str(own)) from None


def named_key(config: Config, purpose: Key, *, environ: Mapping[str, str] | None = None) -> SensitiveBytes | None:
    """The key that the environment or the configuration names; None where it is left to us. Raises ConfigInvalid."""
    variable = f"RINGFENCE_{purpose.upper()}_KEY"
    text = (os.environ if environ is None else environ).get(variable)
    if text is not None:
        return _decoded(text, variable)
    configured = config.audit.key_file if purpose is Key.AUDIT else config.redaction.key_file
    return None if configured is None else _read(configured)


def _read(path: Path) -> SensitiveBytes:
    try:
        with path.open("rb") as stream:
            # Asked of the open file, not of its name: what is checked is what is read.
            found = os.fstat(stream.fileno())
            raw = stream.read(KEY_BYTES * 2 + 3)
    except OSError as error:
        raise ConfigInvalid(f"cannot be read: {_reason(error)}", file=str(path)) from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o077:
        raise ConfigInvalid("others may read this key; run `chmod 600` on it and own it", file=str(path))
    return _decoded(raw.decode("ascii", "replace"), str(path))


def _decoded(text: str, source: str) -> SensitiveBytes:
    digits = text.strip()
    if not _HEX_KEY.fullmatch(digits):
        raise ConfigInvalid(f"is not a key; {_HOW_TO}", file=source)
    return SensitiveBytes(bytes.fromhex(digits))


def _make(path: Path) -> SensitiveBytes:
    """A new key, durable under `path` before it is used. A crash leaves at most a stray file beside it.

    `link` does not replace: of two processes the second finds the key of the first.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    stray = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(stray, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_hex(KEY_BYTES).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(stray, path)
    finally:
        stray.unlink()
    _sync_directory(path.parent)
    _sync_directory(path.parent.parent)
    return _read(path)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or "unknown reason").lower()
