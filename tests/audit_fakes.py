"""A disk in memory that keeps what is durable apart from what is only in the cache, and can fail on purpose."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SECTOR = 512


class Outcome(StrEnum):
    """What a call that reports failure did all the same."""

    FAILED = "failed"
    HALF = "failed, half of it done"
    DONE = "failed, but done"


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of one call."""

    errno: int
    outcome: Outcome = Outcome.FAILED

    def error(self) -> OSError:
        return OSError(self.errno, errno.errorcode[self.errno])


# The kind of a call and how many of that kind came before; None lets it pass.
Plan = Callable[[str, int], Failure | None]


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes

    def apply(self, content: bytearray, size: int | None = None) -> None:
        data = self.data if size is None else self.data[:size]
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(data)] = data


@dataclass(frozen=True, slots=True)
class _Truncate:
    size: int

    def apply(self, content: bytearray, size: int | None = None) -> None:
        del content[self.size :]


@dataclass(slots=True)
class _Inode:
    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[_Write | _Truncate] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Rename:
    old: str
    new: str
    inode: int


@dataclass(frozen=True, slots=True)
class _Link:
    name: str
    inode: int


@dataclass(frozen=True, slots=True)
class _Unlink:
    name: str


class FailingStorage:
    """A Storage in memory. `plan` decides which calls fail; `after` is told the kind of every call that changes the disk."""

    def __init__(self, image: Mapping[str, bytes] | None = None, *, plan: Plan = lambda kind, count: None) -> None:
        self.plan = plan
        self.after: Callable[[str], None] = lambda kind: None
        self.locked = False
        self.held_elsewhere = False
        self.room: int | None = None
        self.counts: dict[str, int] = {}
        self._inodes: list[_Inode] = []
        self._names: dict[str, int] = {}
        self._durable_names: dict[str, int] = {}
        self._pending_names: list[_Link | _Rename | _Unlink] = []
        self._handles: dict[int, int] = {}
        self._next_handle = 3
        for name, content in (image or {}).items():
            self._inodes.append(_Inode(cached=bytearray(content), durable=bytearray(content)))
            self._names[name] = self._durable_names[name] = len(self._inodes) - 1

    # --- Storage ---------------------------------------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._names))

    def regular(self, name: str) -> bool:
        return name in self._names

    def size(self, name: str) -> int:
        return len(self._inodes[self._names[name]].cached)

    def read(self, name: str, offset: int, size: int) -> bytes:
        return bytes(self._inodes[self._names[name]].cached[offset : offset + size])

    def lock(self) -> None:
        if self.held_elsewhere:
            raise BlockingIOError(errno.EAGAIN, "locked")
        self.locked = True

    def create(self, name: str) -> int:
        if name in self._names:
            raise FileExistsError(errno.EEXIST, "exists")
        failure = self._failure("create")
        if failure is None or failure.outcome is Outcome.DONE:
            self._inodes.append(_Inode())
            self._names[name] = len(self._inodes) - 1
            self._pending_names.append(_Link(name, len(self._inodes) - 1))
        self._raise(failure, "create")
        return self.open(name)

    def open(self, name: str) -> int:
        self._next_handle += 1
        self._handles[self._next_handle] = self._names[name]
        return self._next_handle

    def write(self, handle: int, data: bytes, offset: int) -> int:
        inode = self._inodes[self._handles[handle]]
        failure = self._failure("write")
        size = len(data)
        if self.room is not None:
            size = min(size, self.room - self._used() + max(0, len(inode.cached) - offset))
            if size <= 0 and data:
                failure = failure or Failure(errno.ENOSPC)
        if failure is not None:
            size = {Outcome.FAILED: 0, Outcome.HALF: size // 2, Outcome.DONE: size}[failure.outcome]
        if size:
            self._change(inode, _Write(offset, bytes(data[:size])))
        self._raise(failure, "write")
        return size

    def sync(self, handle: int) -> None:
        inode = self._inodes[self._handles[handle]]
        failure = self._failure("sync")
        kept = len(inode.pending)
        if failure is not None:
            # The kernel marks the pages clean: what was lost stays visible in the cache, and no later sync writes it.
            kept = {Outcome.FAILED: 0, Outcome.HALF: kept // 2, Outcome.DONE: kept}[failure.outcome]
        for change in inode.pending[:kept]:
            change.apply(inode.durable)
        if failure is not None and failure.outcome is Outcome.HALF and inode.pending[kept:]:
            last = inode.pending[kept]
            last.apply(inode.durable, len(last.data) // 2 if isinstance(last, _Write) else None)
        inode.pending.clear()
        self._raise(failure, "sync")

    def truncate(self, handle: int, size: int) -> None:
        failure = self._failure("truncate")
        if failure is None or failure.outcome is Outcome.DONE:
            self._change(self._inodes[self._handles[handle]], _Truncate(size))
        self._raise(failure, "truncate")

    def release(self, handle: int) -> None:
        del self._handles[handle]

    def rename(self, old: str, new: str) -> None:
        failure = self._failure("rename")
        if failure is None or failure.outcome is Outcome.DONE:
            inode = self._names.pop(old)
            self._names[new] = inode
            self._pending_names.append(_Rename(old, new, inode))
        self._raise(failure, "rename")

    def unlink(self, name: str) -> None:
        if name not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        failure = self._failure("unlink")
        if failure is None or failure.outcome is Outcome.DONE:
            del self._names[name]
            self._pending_names.append(_Unlink(name))
        self._raise(failure, "unlink")

    def sync_directory(self) -> None:
        failure = self._failure("sync_directory")
        if failure is None or failure.outcome is Outcome.DONE:
            self._durable_names = _applied(self._durable_names, self._pending_names)
            self._pending_names.clear()
        self._raise(failure, "sync_directory")

    def evict(self, name: str) -> None:
        inode = self._inodes[self._names[name]]
        inode.cached = bytearray(inode.durable)
        for change in inode.pending:
            change.apply(inode.cached)

    def close(self) -> None:
        self.locked = False

    # --- crashes ---------------------------------------------------------------------------------------------------

    def crash_states(self, rng: random.Random, *, losses: int = 2) -> Iterator[dict[str, bytes]]:
        """Every state that a power cut at this moment can leave, sampled where they are too many.

        All subsets of unsynced names; the unsynced changes of a file cut after each of them, the last write torn at
        every byte, and `losses` samples in which any 512-byte sectors never reached the device.
        """
        for names in self._name_states():
            states = {name: list(self._content_states(inode, rng, losses)) for name, inode in names.items()}
            plain = {name: contents[0] for name, contents in states.items()}
            yield plain
            for name, contents in states.items():
                for content in contents[1:]:
                    yield {**plain, name: content}

    def settled(self) -> dict[str, bytes]:
        """What is left when nothing unsynced survives."""
        return {name: bytes(self._inodes[inode].durable) for name, inode in self._durable_names.items()}

    def _name_states(self) -> Iterator[dict[str, int]]:
        pending = self._pending_names
        seen: list[dict[str, int]] = []
        for chosen in itertools.product((True, False), repeat=len(pending)):
            state = _applied(
                self._durable_names, [change for change, kept in zip(pending, chosen, strict=True) if kept]
            )
            if state not in seen:
                seen.append(state)
                yield state

    def _content_states(self, number: int, rng: random.Random, losses: int) -> Iterator[bytes]:
        inode = self._inodes[number]
        content = bytearray(inode.durable)
        yield bytes(content)
        for change in inode.pending:
            if isinstance(change, _Write):
                for size in range(1, len(change.data)):
                    torn = bytearray(content)
                    change.apply(torn, size)
                    yield bytes(torn)
            change.apply(content)
            yield bytes(content)
        if inode.pending:
            for _ in range(losses):
                yield _with_lost_sectors(bytes(inode.durable), bytes(content), rng)

    # --- within ----------------------------------------------------------------------------------------------------

    def _change(self, inode: _Inode, change: _Write | _Truncate) -> None:
        change.apply(inode.cached)
        inode.pending.append(change)

    def _used(self) -> int:
        return sum(len(self._inodes[inode].cached) for inode in set(self._names.values()))

    def _failure(self, kind: str) -> Failure | None:
        count = self.counts.get(kind, 0)
        self.counts[kind] = count + 1
        return self.plan(kind, count)

    def _raise(self, failure: Failure | None, kind: str) -> None:
        self.after(kind)
        if failure is not None:
            raise failure.error()


def _applied(names: Mapping[str, int], changes: list[_Link | _Rename | _Unlink]) -> dict[str, int]:
    state = dict(names)
    for change in changes:
        match change:
            case _Link(name, inode):
                state[name] = inode
            case _Rename(old, new, inode):
                state.pop(old, None)
                state[new] = inode
            case _Unlink(name):
                state.pop(name, None)
    return state


def _with_lost_sectors(before: bytes, after: bytes, rng: random.Random) -> bytes:
    size = rng.choice((len(after), rng.randint(min(len(before), len(after)), max(len(before), len(after)))))
    old = before.ljust(size, b"\0")[:size]
    new = after.ljust(size, b"\0")[:size]
    sectors = (rng.choice((old, new))[at : at + SECTOR] for at in range(0, size, SECTOR))
    return b"".join(sectors)
