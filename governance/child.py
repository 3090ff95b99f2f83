"""A process of its own for what nobody can stop from inside: a request, its answers, and an end at the deadline.

The parent's side is `Children`, the child's is `Calls`; they speak frames over two pipes. A request is its length, its number
and the milliseconds it has, four bytes each and big-endian, then its bytes; an answer is its length, the number of its request
and the KiB that the child has grown by since it had loaded, then its bytes. Before the first request lies the plan, a file
that the child inherits: what to load, answered once as number 0. What the bytes mean is between the two that use this module.

A child ends when its parent does: its pipe is closed, and a call that it is in is ended by the kernel. What the child prints
goes nowhere. What it forks has no part in the pipes, and is ended with it, as is all it started that stayed in its group.
Standard library only, so that a child starts as fast as what it loads.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, final

from governance.breaker import Breaker

# How Python is started by us: what lies in the current directory, which may be anybody's, is no module.
PYTHON: Final = (sys.executable, "-P")
MAX_FRAME_BYTES: Final = 64 << 20
_REQUEST: Final = struct.Struct(">III")
_ANSWER: Final = struct.Struct(">III")
_NUMBERS: Final = 1 << 32
_CHUNK: Final = 1 << 16
# The kernel ends a call that went on this much longer than allowed, should the parent no longer be there to do it.
_GRACE_S: Final = 1.0
# A child that has grown too much is not replaced more often: loading has its price too.
_RENEWAL_PAUSE_S: Final = 5.0
_STATM: Final = "/proc/self/statm"
_MOST_KIB: Final = 2**32 - 1
# Of two processes that hold much memory, the one that serves is the other one.
_TAKEN_FIRST: Final = b"800"


class Overrun(Exception):
    """The deadline passed before the answer."""


class Loading(Overrun):
    """The deadline passed while a child was loading: it goes on loading."""


class Ended(Overrun):
    """There is no child to answer. `signal` is the one that ended it while it loaded, else 0."""

    def __init__(self, signal: int = 0) -> None:
        super().__init__()
        self.signal = signal


# --- the parent's side ---------------------------------------------------------------------------------------------


@final
class Children:
    """One child after another, each with the same plan: what overruns is killed, and its successor loads meanwhile.

    `entry` is the module whose `serve` the child runs. `accept` is given the answer to the plan, and raises what that
    means; it is asked of every child, in the call that waits for it. Used by one thread at a time. Deadlines are on the
    clock of `time.monotonic`.

    After five children in a row that ended while loading, the next ones are started with pauses between them. With `spare`,
    once a child had to be replaced, one more is kept loaded: for a process more, nobody waits for loading again.

    A child that has grown by more than `max_growth_bytes` since it had loaded goes on answering while its successor loads,
    and is ended between two requests once that one is ready. There is one successor at most, and five seconds lie between two
    of them; while none can be loaded, the child stays. `renewed` is told both: the bytes, and whether the child was replaced.
    """

    def __init__(
        self,
        entry: str,
        plan: bytes,
        *,
        accept: Callable[[bytes], None],
        loading_s: float,
        max_answer_bytes: int,
        spare: bool = False,
        max_growth_bytes: int | None = None,
        renewed: Callable[[int, bool], None] = lambda _grown_bytes, _replaced: None,
    ) -> None:
        self._entry, self._plan, self._accept = entry, plan, accept
        self._loading_s, self._max_answer_bytes = loading_s, max_answer_bytes
        self._max_growth_bytes, self._renewed = max_growth_bytes, renewed
        self._not_renewed_before = 0.0
        self._starts = Breaker(time.monotonic)
        self._with_spare, self._replaced = spare, False
        self._child: _Child | None = None
        self._spare: _Child | None = None

    @property
    def pid(self) -> int | None:
        """The process that is asked; None while there is none."""
        return None if self._child is None else self._child.pid

    def ready(self, deadline: float) -> None:
        """Returns when a child is loaded. Raises Loading, Ended, OSError where none can be started, and as `accept`."""
        if self._child is not None and self._child.loaded:
            if not self._child.gone:
                self._renew(self._child)
                return
            # Ended by somebody else, while it had nothing to do.
            self.replace()
        if self._child is None:
            if not self._starts.admits():
                raise Ended
            self._child = self._started()
        try:
            self._accept(self._child.receive(deadline))
        except Ended:
            self._starts.failed()
            ended_by = self._child.ended_by()
            self._drop()
            raise Ended(ended_by) from None
        except Overrun:
            raise Loading from None
        except BaseException:
            self._starts.failed()
            self._drop()
            raise
        self._starts.succeeded()
        self._child.loaded = True
        self._keep_spare()

    def send(self, request: bytes, deadline: float) -> None:
        """Gives `request` to the child, once it is loaded. Raises as `ready`, and Overrun when the child was replaced."""
        self.ready(deadline)
        assert self._child is not None  # noqa: S101 - of `ready`
        try:
            self._child.send(request, deadline)
        except Overrun:
            self.replace()
            raise

    def receive(self, deadline: float) -> bytes:
        """The next answer. Raises Overrun when the child was replaced: by then it has no more answers."""
        if self._child is None:
            raise Ended
        try:
            return self._child.receive(deadline)
        except Overrun:
            self.replace()
            raise

    def replace(self) -> None:
        """Ends the child; the next one loads while nobody waits for it."""
        self._drop()
        self._replaced = True
        self._child, self._spare = self._spare, None
        if self._child is None:
            with suppress(OSError):
                self._child = self._started()

    def close(self) -> None:
        """Ends what runs."""
        self._drop()
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.end()

    def _renew(self, child: _Child) -> None:
        """Puts the spare in the place of `child`, which has nothing to do, where that grew too much and the spare is loaded.

        Starts it where there is none. Never waits for it.
        """
        limit, now = self._max_growth_bytes, time.monotonic()
        if limit is None or child.grown_bytes <= limit or now < self._not_renewed_before:
            return
        try:
            if self._spare is None:
                self._spare = self._started()
                return
            self._take_over(self._spare, now)
        except Exception as error:  # noqa: BLE001 - whatever `accept` raises: one that serves is not given up for one it refuses
            if isinstance(error, Overrun) and not isinstance(error, Ended):
                return
            self._not_renewed_before = now + _RENEWAL_PAUSE_S
            spare, self._spare = self._spare, None
            if spare is not None:
                spare.end()
            self._renewed(child.grown_bytes, False)
            return
        self._not_renewed_before = now + _RENEWAL_PAUSE_S
        child.end()
        self._keep_spare()
        self._renewed(child.grown_bytes, True)

    def _take_over(self, spare: _Child, deadline: float) -> None:
        """Makes `spare` the child. Raises Overrun while it loads, Ended, and as `accept`."""
        self._accept(spare.receive(deadline))
        if spare.gone:
            raise Ended
        spare.loaded = True
        self._child, self._spare = spare, None

    def _keep_spare(self) -> None:
        if self._with_spare and self._replaced and self._spare is None:
            with suppress(OSError):
                self._spare = self._started()

    def _started(self) -> _Child:
        return _Child(self._entry, self._plan, loading_s=self._loading_s, max_answer_bytes=self._max_answer_bytes)

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


def _request(body: bytes, number: int, left_s: float) -> bytes:
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a request of more than {MAX_FRAME_BYTES} bytes")
    return _REQUEST.pack(len(body), number, max(1, round(left_s * 1000))) + body


def _environment() -> dict[str, str]:
    """Where modules are found here they are found there; our own variables hold keys and are nobody else's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RINGFENCE_")}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _in_memory(content: bytes) -> BinaryIO:
    """A file with `content`, at its start."""
    file = os.fdopen(os.memfd_create("plan"), "w+b") if hasattr(os, "memfd_create") else TemporaryFile()  # noqa: SIM115
    file.write(content)
    file.seek(0)
    return file


@final
class _Child:
    """The process and its pipes. Neither side is ever waited for beyond a deadline."""

    def __init__(self, entry: str, plan: bytes, *, loading_s: float, max_answer_bytes: int) -> None:
        self.loaded = False
        self.grown_bytes = 0
        self._max_answer_bytes = max_answer_bytes
        self._asked = 0
        self._buffer = bytearray()
        # A pipe would have to be filled by somebody while the child loads.
        with _in_memory(plan) as file:
            inherited = file.fileno()
            self._process = subprocess.Popen(
                [*PYTHON, "-c", f"from {entry} import serve; serve()", str(inherited), str(loading_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=_environment(),
                pass_fds=(inherited,),
                start_new_session=True,
            )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self.pid = self._process.pid
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._to, select.POLLOUT)
        self._readable.register(self._from, select.POLLIN)

    @property
    def gone(self) -> bool:
        """Whether the process ended."""
        return self._process.poll() is not None

    def send(self, body: bytes, deadline: float) -> None:
        """Writes a request. Raises Overrun and Ended; then there is nothing to ask it any more."""
        number = (self._asked + 1) % _NUMBERS
        left = memoryview(_request(body, number, deadline - time.monotonic()))
        self._asked = number
        while left:
            _wait(self._writable, deadline)
            try:
                left = left[os.write(self._to, left[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise Ended from None

    def receive(self, deadline: float) -> bytes:
        """The next answer. Raises Overrun, after which it can be asked for again, and Ended, for one to another request too."""
        self._fill(_ANSWER.size, deadline)
        size, number, grown_kib = _ANSWER.unpack_from(self._buffer)
        if size > self._max_answer_bytes or number != self._asked:
            raise Ended
        whole = _ANSWER.size + size
        self._fill(whole, deadline)
        body = bytes(self._buffer[_ANSWER.size : whole])
        del self._buffer[:whole]
        self.grown_bytes = grown_kib << 10
        return body

    def ended_by(self) -> int:
        """The signal that ended the process, 0 where none did. Its pipe was closed: it is about to be gone."""
        with suppress(subprocess.TimeoutExpired):
            return max(0, -self._process.wait(timeout=1.0))
        return 0

    def end(self) -> None:
        """Ends the process and what it started, and closes the pipes."""
        # Where it was waited for already its group may live on, or be gone.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _fill(self, size: int, deadline: float) -> None:
        while len(self._buffer) < size:
            _wait(self._readable, deadline)
            chunk = os.read(self._from, _CHUNK)
            if not chunk:
                raise Ended
            self._buffer += chunk


def _wait(poll: select.poll, deadline: float) -> None:
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Overrun


# --- the child's side ----------------------------------------------------------------------------------------------


@final
class Calls:
    """What the parent asks: the plan, then one request after another. Made once, by the only thread, before anything is loaded."""

    def __init__(self) -> None:
        self._requests = os.fdopen(os.dup(0), "rb")
        self._answers = os.fdopen(os.dup(1), "wb")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        # What cannot be written must not fail there: it goes nowhere anyway.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        # They are for the parent, which may need answers until it has ended.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_bytes(_TAKEN_FIRST)
        self._loaded_bytes: int | None = None
        self._grown_kib = 0
        self._number = 0
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self) -> None:
        """Of a process that was forked off: it neither reads requests nor keeps the pipes open, and ends as others do."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Not closed: somebody else's file would get the number.
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for pipe in (self._requests, self._answers):
            os.dup2(nowhere, pipe.fileno(), inheritable=False)
        os.close(nowhere)

    def _end_copy(self) -> None:
        """What was forked off, by C code too, and came back here would answer beside the one that was asked."""
        if os.getpid() != self._pid:
            os._exit(0)

    def plan(self) -> bytes:
        """What to load. The kernel ends a child that takes too long for it."""
        inherited, loading_s = sys.argv[1:]
        signal.setitimer(signal.ITIMER_REAL, float(loading_s) + _GRACE_S)
        with os.fdopen(int(inherited), "rb") as file:
            return file.read()

    def next(self) -> tuple[bytes, float] | None:
        """The next request and its deadline on the clock of `time.monotonic`; None when there will be none."""
        self._end_copy()
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Now, as nobody waits for it.
        self._grown_kib = self._growth_kib()
        header = self._requests.read(_REQUEST.size)
        if len(header) < _REQUEST.size:
            return None
        size, self._number, left_ms = _REQUEST.unpack(header)
        if size > MAX_FRAME_BYTES:
            return None
        left_s = left_ms / 1000
        deadline = time.monotonic() + left_s
        signal.setitimer(signal.ITIMER_REAL, left_s + _GRACE_S)
        body = self._requests.read(size)
        return (body, deadline) if len(body) == size else None

    def answer(self, body: bytes) -> None:
        """Gives `body` to the parent. Where that is gone, so is this process."""
        self._end_copy()
        try:
            self._answers.write(_ANSWER.pack(len(body), self._number, self._grown_kib))
            self._answers.write(body)
            self._answers.flush()
        except BrokenPipeError:
            os._exit(0)

    def _growth_kib(self) -> int:
        """KiB of this process beyond those it had when it was first asked for the next request."""
        own = resident_bytes()
        if self._loaded_bytes is None:
            self._loaded_bytes = own
        return min(_MOST_KIB, max(0, own - self._loaded_bytes) >> 10)


def resident_bytes() -> int:
    """The memory of this process (proc_pid_statm(5), second field); the most it ever had where the system does not say."""
    try:
        with open(_STATM, "rb", buffering=0) as file:  # noqa: PTH123 - a path object costs as much as the reading
            return int(file.read(256).split()[1]) * resource.getpagesize()
    except OSError:
        # getrusage(2): KiB, and on macOS bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10
