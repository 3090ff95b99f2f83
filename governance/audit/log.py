"""The audit log as the path sees it: `await append(record)` returns once the record is durable.

Group commit: what is appended until the loop runs out of other work, for PLUG_S at most, is one batch; a loop with
nothing else to do does not wait. While the disk answers quickly the loop's own thread writes and syncs it, which costs less
than to wake another thread and be woken by it. After a slow answer the committer thread does so for a while, whatever is
appended during one sync being its next batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from governance.audit.canonical import Clock, system_clock
from governance.audit.intents import closes, opens
from governance.audit.journal import Entry, Journal, Limits, batches
from governance.audit.storage import WAL, Disk, Storage
from governance.errors import AuditUnavailable
from governance.interfaces import Receipt
from governance.record import EventRecord, OutcomeRecord, OutcomeStatus, Record

_RETRY_S = 1.0
# How long a record that nobody waits for may wait for company: most commits then carry decisions and outcomes together.
LAZY_S = 0.1

# How long a commit may be put off for the sake of requests that are being judged, and a turn of the loop in which none was.
PLUG_S = 0.002
_IDLE_TURN_S = 0.000_05

# What the loop may stand still for, and how long it leaves the disk to the committer after it had to wait longer.
QUICK_S = 0.002
_SLOW_FOR_S = 1.0

_Waiter = asyncio.Future[None] | None


class AuditLog:
    """An AuditSink on disk. Belongs to one event loop; `open` and `close` it in the same process."""

    def __init__(
        self, journal: Journal, *, limits: Limits, queue: int, heartbeat_s: float | None, quick_s: float
    ) -> None:
        self._journal = journal
        self._limits = limits
        self._queue_limit = queue
        self._heartbeat_s = heartbeat_s
        self._quick_s = quick_s
        # Held by the thread that writes: the loop's or the committer. Guards the journal and the three below it.
        self._writing = threading.Lock()
        self._taken: list[tuple[Entry, _Waiter]] = []  # what is being written
        self._cured_at = float("-inf")  # when an attempt was last made to go on after a fault
        self._bug: Exception | None = None  # raised on the loop's thread while it wrote; ends the committer
        # Guards all below it; held for microseconds, by the loop's thread and the committer.
        self._lock = threading.Lock()
        self._queue: list[tuple[Entry, _Waiter]] = []
        self._next_seq = journal.next_seq
        self._refusal: str | None = None  # a stable code: why appends are refused
        self._refused = 0  # appends refused since the last gap record
        self._overflowed = 0  # appends refused because the queue was full, not yet in a gap record
        self._closing = False
        # A token per reason to look: queue no longer empty, closing.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._roused = False  # a token was put into `_wake` since the committer last took the queue
        # The loop's alone: a wake-up that is on its way, after this turn or after LAZY_S.
        self._rousing = False
        self._asked_at = self._looked_at = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._slow_until = float("-inf") if quick_s > 0 else float("inf")
        self._active = False  # something was written here since the committer last looked
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: AuditUnavailable | None = None
        self._thread = threading.Thread(target=self._run, name="audit-committer", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        origin: str,
        digest: str = "",
        limits: Limits | None = None,
        queue: int = 4_096,
        heartbeat_s: float | None = None,
        quick_s: float = QUICK_S,
        clock: Clock = system_clock,
        open_storage: Callable[[Path], Storage] = Disk,
    ) -> AuditLog:
        """The log in `directory`/wal, recovered, with its `start` record durable. Blocks; takes a second per 64 MiB.

        `digest` names software and configuration in the `start` record; `queue` bounds appends that wait; the loop's
        thread writes for as long as a commit takes less than `quick_s`, with 0 never. Raises AuditUnavailable with codes `audit_locked`, `audit_unwritable`, `audit_foreign`, `audit_corrupt`.
        """
        limits = limits or Limits()
        try:
            storage = open_storage(directory / WAL)
        except OSError as error:
            raise AuditUnavailable(
                f"audit directory `{directory}` cannot be written: {error.strerror}", code="audit_unwritable"
            ) from error
        try:
            journal = Journal.open(storage, origin=origin, digest=digest, limits=limits, clock=clock)
        except AuditUnavailable as error:
            raise AuditUnavailable(f"audit directory `{directory}`: {error}", code=error.code) from error
        return cls(journal, limits=limits, queue=queue, heartbeat_s=heartbeat_s, quick_s=quick_s)

    @property
    def refusal(self) -> str | None:
        """The stable code of what keeps the log from taking records; None while it works. For health and metrics."""
        return self._refusal

    @property
    def open_decisions(self) -> int:
        """Released decisions whose outcome is not recorded yet."""
        return self._journal.open_decisions

    async def append(self, record: Record) -> Receipt:
        """Returns once `record` is durable. Raises AuditUnavailable at once while the log is faulty, closed or full.

        A cancelled caller's record is written all the same.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._bind(loop)
        waiter: asyncio.Future[None] = loop.create_future()
        with self._lock:
            seq = self._put(record, waiter)
        if not self._rousing:
            self._rousing = True
            self._asked_at = self._looked_at = time.monotonic()
            loop.call_soon(self._rouse_when_idle, loop)
        await waiter
        return Receipt(origin=self._journal.encoder.origin, seq=seq)

    def enqueue(self, record: Record) -> None:
        """Takes a record that nobody waits for: durable with the next commit, after LAZY_S at the latest.

        Raises AuditUnavailable as `append` does. Must be called on the log's event loop.
        """
        with self._lock:
            self._put(record, None)
        if self._later is None and not self._rousing:
            self._later = asyncio.get_running_loop().call_later(LAZY_S, self._rouse_now)

    async def close(self) -> None:
        """Commits what waits, closes open decisions as unknown, writes `stop`. Raises AuditUnavailable if it cannot."""
        with self._lock:
            self._closing = True
            self._refusal = self._refusal or "audit_closed"
        self._wake.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- the loop's thread -----------------------------------------------------------------------------------------

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None:
            raise RuntimeError("an audit log belongs to one event loop")
        self._loop = loop

    def _rouse(self) -> None:
        """Wakes the committer unless it is about to look. Caller holds the lock."""
        if not self._roused:
            self._roused = True
            self._wake.put(None)

    def _rouse_when_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        if now - self._looked_at > _IDLE_TURN_S and now - self._asked_at < PLUG_S:
            self._looked_at = now
            loop.call_soon(self._rouse_when_idle, loop)
        else:
            self._rouse_now()

    def _rouse_now(self) -> None:
        self._rousing, self._later = False, None
        if self._write_here():
            return
        with self._lock:
            if self._queue:
                self._rouse()

    def _write_here(self) -> bool:
        """Commits what waits, unless the disk is slow, the log faulty or the committer at work."""
        started = time.monotonic()
        if started < self._slow_until or self._refusal is not None or not self._writing.acquire(blocking=False):
            return False
        try:
            self._active = True
            self._write()
        except Exception as error:  # noqa: BLE001  # the committer makes it known
            self._bug = error
        finally:
            self._writing.release()
        if self._bug is not None or self._refusal is not None:
            self._wake.put(None)
        if (ended := time.monotonic()) - started > self._quick_s:
            self._slow_until = ended + _SLOW_FOR_S
        return True

    def _put(self, record: Record, waiter: _Waiter) -> int:
        """The seq given to `record`. Caller holds the lock, so that seqs lie in the queue in their order.

        A record that cannot be encoded leaves a `gap` record in its place.
        """
        if self._refusal is not None:
            self._refused += 1
            raise AuditUnavailable(code=self._refusal)
        if len(self._queue) >= self._queue_limit and threading.current_thread() is not self._thread:
            self._overflowed += 1
            raise AuditUnavailable("too many records wait for the disk", code="audit_queue_full")
        try:
            return self._take(record, waiter)
        except AuditUnavailable as error:
            self._take(EventRecord(kind="gap", code=error.code, count=1), None)
            self._rouse()
            raise

    def _take(self, record: Record, waiter: _Waiter) -> int:
        seq = self._next_seq
        payload = self._journal.encoder.encode(record, seq)
        self._next_seq = seq + 1
        self._queue.append((Entry(seq, payload, opens(record), closes(record)), waiter))
        return seq

    # --- the committer's thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
            with self._writing:
                self._finish()
        except Exception as error:  # noqa: BLE001  # the edge of a thread: nothing may be taken that nobody writes
            self._break(error)

    def _turn(self) -> bool:
        """One look at the queue. False once the log is closing and nothing waits."""
        faulty = self._refusal is not None and not self._closing
        try:
            self._wake.get(timeout=_RETRY_S if faulty else self._heartbeat_s)
        except Empty:
            if faulty:
                # Unasked, too: a process that is taken out of service for this gets no appends that could ask.
                with self._writing:
                    self._attempt(self._journal.restore)
            elif not self._active:
                self._note(EventRecord(kind="heartbeat"))
            self._active = False
        with self._writing:
            if self._bug is not None:
                raise self._bug
            self._write()
        with self._lock:
            return not self._closing or bool(self._queue)

    # --- whichever thread writes -----------------------------------------------------------------------------------

    def _write(self) -> None:
        with self._lock:
            self._taken, self._queue = self._queue, []
            self._roused = False
        if self._taken:
            self._commit(self._taken)
            self._taken = []

    def _commit(self, taken: Sequence[tuple[Entry, _Waiter]]) -> None:
        done = 0
        for batch in batches([entry for entry, _ in taken], self._limits.batch_bytes):
            try:
                self._journal.commit(batch)
            except AuditUnavailable as error:
                self._fail([waiter for _, waiter in taken[done:]], error)
                return
            self._resolve(_acknowledge, [waiter for _, waiter in taken[done : done + len(batch)]])
            done += len(batch)
        for ref in self._journal.excess():
            self._note(OutcomeRecord(ref=ref, status=OutcomeStatus.UNKNOWN))
        if self._overflowed:
            self._note_overflow()

    def _fail(self, waiters: list[_Waiter], error: AuditUnavailable) -> None:
        # Refuse first: an append that slips in between would carry a seq that never comes.
        with self._lock:
            self._refusal = error.code
            waiters += [waiter for _, waiter in self._queue]
            self._queue = []
            self._refused += len(waiters)
        code, message = error.code, str(error)
        self._resolve(lambda failed: _reject(failed, message, code), waiters)
        if time.monotonic() - self._cured_at >= _RETRY_S:
            self._attempt(self._journal.settle)

    def _attempt(self, cure: Callable[[int], None]) -> None:
        self._cured_at = time.monotonic()
        with self._lock:
            refused = self._refused
        cured = True
        try:
            cure(refused)
        except AuditUnavailable:
            cured = False
        with self._lock:
            if cured:
                self._refused -= refused
            self._next_seq = self._journal.next_seq
            self._refusal = "audit_closed" if self._closing else self._journal.fault

    def _note(self, record: Record) -> None:
        # While the log refuses, the gap record speaks for what is not noted here.
        with self._lock:
            if self._refusal is None:
                self._put(record, None)
                self._rouse()

    def _note_overflow(self) -> None:
        with self._lock:
            if self._refusal is None:
                self._put(EventRecord(kind="gap", code="audit_queue_full", count=self._overflowed), None)
                self._rouse()
                self._overflowed = 0

    def _finish(self) -> None:
        try:
            self._journal.close(self._refused + self._overflowed)
        except AuditUnavailable as error:
            self._failure = error

    def _break(self, error: Exception) -> None:
        with self._lock:
            self._refusal = "audit_broken"
            waiters = [waiter for _, waiter in (*self._taken, *self._queue)]
            self._queue = []
        self._failure = AuditUnavailable(f"the committer failed: {type(error).__name__}", code="audit_broken")
        self._resolve(lambda failed: _reject(failed, "the committer failed", "audit_broken"), waiters)

    def _resolve(self, act: Callable[[list[_Waiter]], None], waiters: list[_Waiter]) -> None:
        """One wake-up of the loop for a whole batch; none where it is the loop that writes."""
        if threading.current_thread() is not self._thread:
            act(waiters)
        elif self._loop is not None and any(waiter is not None for waiter in waiters):
            # A loop that is closed has nobody left who waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(act, waiters)


def require_writable(directory: Path) -> None:
    """Nothing, when a log can be opened in `directory`, which is made. Raises AuditUnavailable as `AuditLog.open` does."""
    try:
        storage = Disk(directory / WAL)
        try:
            storage.lock()
        finally:
            storage.close()
    except BlockingIOError:
        raise AuditUnavailable(
            f"audit directory `{directory}`: another process writes to this audit log", code="audit_locked"
        ) from None
    except OSError as error:
        raise AuditUnavailable(
            f"audit directory `{directory}` cannot be written: {error.strerror}", code="audit_unwritable"
        ) from None


def _acknowledge(waiters: list[_Waiter]) -> None:
    for waiter in waiters:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _reject(waiters: list[_Waiter], message: str, code: str) -> None:
    for waiter in waiters:
        if waiter is not None and not waiter.done():
            waiter.set_exception(AuditUnavailable(message, code=code))
