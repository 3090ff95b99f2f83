"""Keeps a set of child processes running: starts them in stages, restarts what dies, stops them in reverse.

What the children are is the caller's business. Each runs in a session of its own, so that a terminal's Ctrl-C reaches
the supervisor alone, and dies with the supervisor, however that ends. Children are signalled by process id only.

LIMIT: a child that hangs without dying is not noticed here; readiness of the whole is asked of the control process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from typing import Final

import structlog

from governance.errors import GovernanceError
from governance.frozen import frozen
from governance.logs import Event

_LOG = structlog.get_logger("ringfence.supervisor")

_POLL_S: Final = 0.05
_PROBE_S: Final = 5.0
_TAIL_LINES: Final = 15
_LINE_BYTES: Final = 16 * 1024
# How long output may follow the end of a child: a grandchild that holds the pipe open must not hold us.
_OUTPUT_S: Final = 1.0

# Runs before the child's own program, and becomes it. PR_SET_PDEATHSIG (1) survives execve (prctl(2)); it is bound to
# the *thread* that forked, hence the rule that the supervisor runs in the main thread. A wrapper, because Python code
# between fork and exec (preexec_fn) can deadlock where threads exist. The parent may be gone before prctl: asked after.
# What is ignored stays so through execve: SIGHUP ends no child before it has a handler, whoever sends it.
_GUARD: Final = """
import ctypes, os, signal, sys
if ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != int(sys.argv[1]):
    sys.exit("the supervisor is gone")
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"cannot run {sys.argv[2]}: {error.strerror}")
"""


class ChildFailed(GovernanceError):
    """A child did not start, or dies again and again. The message names it and ends with what it last wrote."""

    code = "child_failed"


@frozen
class Child:
    """A process to keep running.

    `env` is added to the supervisor's environment. `ready` says whether it serves; raising OSError means not yet. The
    first start fails after `ready_s`. To stop it, `drain` is awaited for at most `drain_s`, then `stop_signal` is sent,
    and SIGKILL after `grace_s`. SIGHUP is passed on to children with `reloads`, as soon as they are ready.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    drain: Callable[[], Awaitable[None]] | None = None
    drain_s: float = 30.0
    reloads: bool = False


@frozen
class Backoff:
    """How deaths are answered: a child that was ready for `stable_s` starts from the beginning."""

    first_s: float = 0.2
    longest_s: float = 5.0
    stable_s: float = 30.0
    give_up_after: int = 8

    def deaths(self, before: int, lived_s: float) -> int:
        """Deaths in a row, the one after `lived_s` seconds of readiness included."""
        return 1 if lived_s >= self.stable_s else before + 1

    def delay_s(self, deaths: int) -> float:
        """The wait after that many deaths in a row; doubles up to the longest."""
        return min(self.longest_s, self.first_s * 2.0 ** min(deaths - 1, 30))


def to_stderr(name: str, line: str) -> None:
    """Writes one line of a child's output behind its name. A line that cannot be written is lost."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{name} | {line}\n")
        sys.stderr.flush()


class Supervisor:
    """Runs `stages` of children: those of one stage start together, the next stage when all of them are ready.

    All state belongs to the event loop that `run` is awaited in.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Child]],
        *,
        backoff: Backoff | None = None,
        output: Callable[[str, str], None] = to_stderr,
    ) -> None:
        self._stages = tuple(tuple(stage) for stage in stages)
        self._backoff = backoff or Backoff()
        self._output = output
        self._running: dict[str, _Process] = {}
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self.started = asyncio.Event()

    def stop(self) -> None:
        """Ends `run`: the first call drains and stops in order, the second kills what is left."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def run(self) -> None:
        """Returns after SIGTERM, SIGINT or `stop`, when no child is left. Raises ChildFailed, after stopping the others."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("children die with the thread that started them; run the supervisor in the main thread")
        with self._signals():
            work = asyncio.ensure_future(self._work())
            stop = asyncio.ensure_future(self._stop.wait())
            try:
                await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stop.set()
                for task in (work, stop):
                    task.cancel()
                await asyncio.wait({work, stop})
                await self._shut()
            if not work.cancelled():
                work.result()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        actions = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self._reload}
        for number, action in actions.items():
            loop.add_signal_handler(number, action)
        try:
            yield
        finally:
            for number in actions:
                loop.remove_signal_handler(number)

    def _reload(self) -> None:
        for child in (child for stage in self._stages for child in stage if child.reloads):
            if child.name in self._running:
                self._running[child.name].reload()

    # --- keeping -------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Never returns by itself: it is cancelled, or raises the ChildFailed of one child."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for stage in self._stages:
                    ready = [asyncio.Event() for _ in stage]
                    for child, event in zip(stage, ready, strict=True):
                        tasks.create_task(self._keep(child, event))
                    for event in ready:
                        await event.wait()
                self.started.set()
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _keep(self, child: Child, ready: asyncio.Event) -> None:
        process = await self._launch(child)
        if not await self._became_ready(child, process):
            if not process.ended.is_set():
                raise _failure(child, f"is not ready after {child.ready_s:g} s", process)
            await process.closed()
            raise _failure(child, _how(process.returncode), process)
        ready.set()
        deaths = 0
        while True:
            await process.ended.wait()
            await process.closed()
            deaths = self._backoff.deaths(deaths, process.lived_s())
            _LOG.warning(Event.CHILD_DIED, child=child.name, how=_how(process.returncode), deaths=deaths)
            if deaths > self._backoff.give_up_after:
                raise _failure(child, f"{_how(process.returncode)}, {deaths} times in a row", process)
            await asyncio.sleep(self._backoff.delay_s(deaths))
            process = await self._launch(child)
            if not await self._became_ready(child, process):
                await self._end(child, process)

    async def _launch(self, child: Child) -> _Process:
        loop = asyncio.get_running_loop()
        _, process = await loop.subprocess_exec(
            lambda: _Process(child.name, self._output),
            *(sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *child.argv),
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, **child.env},
            start_new_session=True,
        )
        self._running[child.name] = process
        _LOG.info(Event.CHILD_STARTED, child=child.name, pid=process.pid)
        return process

    async def _became_ready(self, child: Child, process: _Process) -> bool:
        """False when it died or is late."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + child.ready_s
        while not process.ended.is_set() and loop.time() < deadline:
            if await _answers(child.ready, min(_PROBE_S, deadline - loop.time())) and not process.ended.is_set():
                process.became_ready()
                _LOG.info(Event.CHILD_READY, child=child.name)
                return True
            await _either(process.ended, within_s=_POLL_S)
        return False

    # --- stopping ------------------------------------------------------------------------------------------------

    async def _shut(self) -> None:
        for stage in reversed(self._stages):
            await asyncio.gather(
                *(self._retire(child, self._running[child.name]) for child in stage if child.name in self._running)
            )

    async def _retire(self, child: Child, process: _Process) -> None:
        if child.drain is not None and process.ready_at is not None and not process.ended.is_set():
            _LOG.info(Event.DRAIN_STARTED, child=child.name)
            if not await self._drained(child, child.drain, process):
                _LOG.warning(Event.DRAIN_FAILED, child=child.name)
        await self._end(child, process)

    async def _drained(self, child: Child, drain: Callable[[], Awaitable[None]], process: _Process) -> bool:
        """Whether the drain came to its end in time. No failure of it keeps a process alive."""
        draining = asyncio.ensure_future(drain())
        over = asyncio.ensure_future(_either(process.ended, self._hurry, within_s=child.drain_s))
        await asyncio.wait({draining, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, over):
            task.cancel()
        await asyncio.wait({draining, over})
        return not draining.cancelled() and draining.exception() is None

    async def _end(self, child: Child, process: _Process) -> None:
        """Returns when the process is gone: asked first, killed after its grace or when there is hurry."""
        process.send(child.stop_signal)
        await _either(process.ended, self._hurry, within_s=child.grace_s)
        if not process.ended.is_set():
            _LOG.warning(Event.CHILD_KILLED, child=child.name)
            process.send(signal.SIGKILL)
            await process.ended.wait()
        await process.closed()
        _LOG.info(Event.CHILD_STOPPED, child=child.name, how=_how(process.returncode))


class _Process(asyncio.SubprocessProtocol):
    """One run of a child: its output line by line, and the moment it ends."""

    def __init__(self, name: str, output: Callable[[str, str], None]) -> None:
        self._name = name
        self._output = output
        self._partial: dict[int, bytes] = {}
        self._transport: asyncio.SubprocessTransport | None = None
        self._lost = asyncio.Event()
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.ended = asyncio.Event()
        self.ended_at: float | None = None
        self.ready_at: float | None = None
        self._reload_owed = False

    @property
    def pid(self) -> int:
        return self._transport.get_pid() if self._transport else 0

    @property
    def returncode(self) -> int | None:
        return self._transport.get_returncode() if self._transport else None

    def lived_s(self) -> float:
        """Seconds from readiness to the end; 0 when it never was ready."""
        return (self.ended_at or time.monotonic()) - self.ready_at if self.ready_at is not None else 0.0

    def send(self, number: signal.Signals) -> None:
        if self._transport is not None and not self.ended.is_set():
            with suppress(ProcessLookupError):
                self._transport.send_signal(number)

    def reload(self) -> None:
        """Sends SIGHUP once the process is ready: until then it may have read the old and not be able to hear of the new."""
        if self.ready_at is None:
            self._reload_owed = True
        else:
            self.send(signal.SIGHUP)

    def became_ready(self) -> None:
        self.ready_at = time.monotonic()
        if self._reload_owed:
            self.send(signal.SIGHUP)

    async def closed(self) -> None:
        """Returns when the output was read to its end, or nobody ends it."""
        await _either(self._lost, within_s=_OUTPUT_S)
        if self._transport is not None:
            self._transport.close()

    # asyncio.SubprocessProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101  what subprocess_exec makes
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, rest = (self._partial.get(fd, b"") + data).split(b"\n")
        if len(rest) > _LINE_BYTES:
            lines, rest = [*lines, rest], b""
        self._partial[fd] = rest
        for line in lines:
            self._write(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        if rest := self._partial.pop(fd, b""):
            self._write(rest)

    def process_exited(self) -> None:
        self.ended_at = time.monotonic()
        self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._lost.set()

    def _write(self, line: bytes) -> None:
        text = line[:_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        self.tail.append(text)
        self._output(self._name, text)


def _failure(child: Child, how: str, process: _Process) -> ChildFailed:
    tail = "".join(f"\n  {line}" for line in process.tail) or "\n  (nothing)"
    return ChildFailed(f"`{child.name}` {how}; it last wrote:{tail}")


def _how(returncode: int | None) -> str:
    if returncode is None:
        return "is running"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"was ended by signal {-returncode}"


async def _answers(ready: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            return await ready()
    except OSError:  # TimeoutError is one
        return False


async def _either(*events: asyncio.Event, within_s: float) -> None:
    """Returns when one of `events` is set or the time is over."""
    waits = {asyncio.ensure_future(event.wait()) for event in events}
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
