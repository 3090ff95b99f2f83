"""The few acts on a directory that the log's promises rest on, so that a test can fail, tear and lose each of them."""

# ruff: noqa: D102  # the Protocols say what the methods of Disk do

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Protocol

# Where a log keeps its segments, below its own directory.
WAL = "wal"

# A link planted in the directory must not lead the log elsewhere, nor a pipe keep it waiting.
_WARY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Files(Protocol):
    """The files of one directory, for reading."""

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        ...

    def regular(self, name: str) -> bool:
        """Whether the name is that of a regular file: no link, no pipe, no device. Only such a file can be read."""
        ...

    def size(self, name: str) -> int:
        """Length in bytes. Raises OSError where the file is not regular."""
        ...

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only where the file ends. Raises OSError where it is not regular; never waits."""
        ...


class Storage(Files, Protocol):
    """The same directory, for its one writer. Every method raises OSError, and then may or may not have acted."""

    def lock(self) -> None:
        """Returns as the only writer, until `close`; raises BlockingIOError where another one is at work."""
        ...

    def create(self, name: str) -> int:
        """A handle to a new, empty file. Raises FileExistsError."""
        ...

    def open(self, name: str) -> int:
        """A handle to an existing file."""
        ...

    def write(self, handle: int, data: bytes, offset: int) -> int:
        """How many bytes were written; may be fewer than given. Nothing is durable before `sync`."""
        ...

    def sync(self, handle: int) -> None:
        """Data and length durable. After a failure the file's content is unknown, and a later success proves nothing."""
        ...

    def truncate(self, handle: int, size: int) -> None:
        """The file cut to `size`; durable after `sync`."""
        ...

    def release(self, handle: int) -> None:
        """The handle closed."""
        ...

    def rename(self, old: str, new: str) -> None:
        """`new` replaced atomically; durable after `sync_directory`."""
        ...

    def unlink(self, name: str) -> None:
        """The name removed; durable after `sync_directory`."""
        ...

    def sync_directory(self) -> None:
        """Created, renamed and removed names durable."""
        ...

    def evict(self, name: str) -> None:
        """The file's clean pages dropped from the cache (best effort), so that `read` shows what the device holds."""
        ...

    def close(self) -> None:
        """The lock given back."""
        ...


class DiskFiles:
    """A directory of the machine, for reading. Needs no lock; safe beside a writer."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(entry.name for entry in self._directory.iterdir()))

    def regular(self, name: str) -> bool:
        return stat.S_ISREG((self._directory / name).lstat().st_mode)

    def size(self, name: str) -> int:
        return self._checked((self._directory / name).lstat(), name).st_size

    def read(self, name: str, offset: int, size: int) -> bytes:
        handle = os.open(self._directory / name, os.O_RDONLY | _WARY)
        try:
            self._checked(os.fstat(handle), name)
            parts: list[bytes] = []
            while size and (part := os.pread(handle, size, offset)):
                parts.append(part)
                offset += len(part)
                size -= len(part)
            return b"".join(parts)
        finally:
            os.close(handle)

    def _checked(self, status: os.stat_result, name: str) -> os.stat_result:
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(self._directory / name))
        return status


class Disk(DiskFiles):
    """A directory of the machine, for its one writer; made with mode 0700 where it does not exist."""

    __slots__ = ("_at", "_lock")

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        _make(directory)
        self._at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._lock = -1

    def lock(self) -> None:
        handle = self._open("lock", os.O_RDWR | os.O_CREAT)
        try:
            # The kernel gives the lock back when the process dies, however it dies.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        self._lock = handle

    def create(self, name: str) -> int:
        return self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def open(self, name: str) -> int:
        return self._open(name, os.O_RDWR)

    # Static methods: they name no path, and the hot ones stay one call deep.
    write = staticmethod(os.pwrite)
    sync = staticmethod(os.fdatasync)
    truncate = staticmethod(os.ftruncate)
    release = staticmethod(os.close)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._at, dst_dir_fd=self._at)

    def unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self._at)

    def sync_directory(self) -> None:
        os.fsync(self._at)

    def evict(self, name: str) -> None:
        handle = self._open(name, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)

    def close(self) -> None:
        for handle in (self._lock, self._at):
            if handle >= 0:
                os.close(handle)
        self._lock = self._at = -1

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | _WARY, 0o600, dir_fd=self._at)


def _make(directory: Path) -> None:
    # A directory is durable once its parent is synced: crash before that, and the log inside it is gone with it.
    if directory.is_dir():
        return
    _make(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
