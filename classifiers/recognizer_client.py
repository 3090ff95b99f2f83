"""The parent's side of `classifiers.recognizer_host`: a child process, texts in, findings out, and an end at the deadline."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, final

from classifiers.recognizer_host import LOADING_S, MAX_FOUND
from classifiers.registry_file import OwnPattern
from governance.errors import ConfigInvalid
from governance.finding import Category, DetectionStatus, DetectorRun, Finding
from governance.frozen import frozen
from governance.segment import Span

MAX_LINE_BYTES: Final = 8 << 20
_ENTITY = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_START = "from classifiers.recognizer_host import serve; serve()"


@frozen
class Extra:
    """What recognisers found in one text; `segment` of the findings is 0. One run for each recogniser, in order."""

    findings: tuple[Finding, ...]
    runs: tuple[DetectorRun, ...]


@final
class RecognizerClient:
    """Recognisers in a child process. Safe between threads; one text at a time.

    A child that overruns is killed, and the next text waits for its successor until its own deadline.
    LIMIT: importing Presidio takes the successor seconds, and what is asked meanwhile ends as `timeout`. A class that can
    be hung by a text is so a way to keep requests out; it is never one to get them past.
    """

    def __init__(self, *, patterns: Sequence[OwnPattern], classes: Sequence[str], floor_permille: int) -> None:
        """Starts the child and returns once all is loaded. Raises ConfigInvalid, which names the entry."""
        self._plan = _line({"patterns": [asdict(each) for each in patterns], "classes": list(classes)})
        self._entries = [*(each.recognizer for each in patterns), *classes]
        self._floor = floor_permille
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._described: tuple[tuple[str, str], ...] = ()
        try:
            self._ready(time.monotonic() + LOADING_S)
        except _Overrun:
            self._drop()
            raise ConfigInvalid(f"the recognisers were not loaded within {LOADING_S:.0f} seconds") from None

    @property
    def version(self) -> str:
        """Names the recognisers and their versions."""
        return " ".join(f"{name}={version}" for name, version in self._described)

    def find(self, text: str, *, deadline: float) -> Extra:
        """What the recognisers find in `text` until `deadline` (`time.monotonic`). Raises nothing that quotes it."""
        answers: list[Any] = []
        left = deadline - time.monotonic()
        if left > 0 and self._lock.acquire(timeout=left):
            try:
                self._ask(text, deadline, answers)
            except _StillLoading:
                pass
            except (OSError, ValueError, ConfigInvalid, _Overrun):
                self._replace()
            finally:
                self._lock.release()
        findings: list[Finding] = []
        runs: list[DetectorRun] = []
        for number, (name, version) in enumerate(self._described):
            status = DetectionStatus.TIMEOUT
            if number < len(answers):
                status, found = self._read(answers[number], name, len(text))
                findings += found
            runs.append(DetectorRun(id=name, version=version, status=status))
        return Extra(findings=tuple(findings), runs=tuple(runs))

    def close(self) -> None:
        """Ends the child."""
        with self._lock:
            self._drop()

    def _ask(self, text: str, deadline: float, answers: list[Any]) -> None:
        child = self._ready(deadline)
        left_ms = max(1, round((deadline - time.monotonic()) * 1000))
        child.send(_line({"text": text, "left_ms": left_ms}), deadline)
        for _ in self._described:
            answers.append(json.loads(child.receive(deadline)))  # noqa: PERF401 - what came before an end is kept

    def _ready(self, deadline: float) -> _Child:
        """The child, started if there is none. What was loaded once is what is loaded again."""
        if self._child is None:
            self._child = _Child(self._plan)
        if not self._child.loaded:
            try:
                answer = json.loads(self._child.receive(deadline))
            except _Overrun:
                if time.monotonic() < deadline:
                    self._drop()
                    raise ConfigInvalid("the recognisers' process ended while it loaded them") from None
                raise _StillLoading from None
            if "ready" not in answer:
                self._drop()
                entry = self._entries[answer["bad"]]
                raise ConfigInvalid(f"recogniser `{entry}` cannot be loaded: {answer['error']}")
            self._child.loaded = True
            self._described = tuple((f"own:{each['name']}"[:64], each["version"][:64]) for each in answer["ready"])
        return self._child

    def _replace(self) -> None:
        """Ends the child and starts the next one, which loads while nobody waits for it."""
        self._drop()
        with suppress(OSError):
            self._child = _Child(self._plan)

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _read(self, answer: Any, name: str, length: int) -> tuple[DetectionStatus, tuple[Finding, ...]]:
        """The status and findings in an answer; what is no finding in this text makes it partial."""
        status = DetectionStatus(answer["status"])
        found: list[Finding] = []
        for entity, start, end, permille, country in answer["found"][:MAX_FOUND]:
            if not (0 <= start < end <= length and _ENTITY.fullmatch(entity) and 0 <= permille <= 1000):
                status = max(status, DetectionStatus.PARTIAL, key=SEVERITY.index)
                continue
            if permille >= self._floor:
                found.append(
                    Finding(
                        segment=0,
                        entity_type=entity,
                        span=Span(start=start, end=end),
                        permille=permille,
                        detector=name,
                        country=country,
                        validated=permille == 1000,
                        category=Category.PERSONAL,
                    )
                )
        return status, tuple(found)


SEVERITY: Final = (
    DetectionStatus.COMPLETE,
    DetectionStatus.SKIPPED,
    DetectionStatus.PARTIAL,
    DetectionStatus.TIMEOUT,
    DetectionStatus.FAILED,
)


class _Overrun(Exception):
    """The deadline passed, or the child is gone."""


class _StillLoading(_Overrun):
    """The deadline passed while a new child was loading: it goes on loading."""


def _environment() -> dict[str, str]:
    """Where modules are found here they are found there; our own variables hold keys and are nobody else's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RINGFENCE_")}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


@final
class _Child:
    """The process and its pipes. Neither side is ever waited for beyond a deadline."""

    def __init__(self, plan: bytes) -> None:
        self.loaded = False
        self._unsent = memoryview(plan)
        self._buffer = bytearray()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_environment(),
        )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        # As much as the pipe takes; nobody is waited for here.
        with suppress(BlockingIOError):
            self._unsent = self._unsent[os.write(self._to, self._unsent) :]

    def send(self, line: bytes, deadline: float) -> None:
        """Writes `line`, after what is left of the plan. Raises _Overrun."""
        self._write(self._unsent, deadline)
        self._unsent = self._unsent[:0]
        self._write(memoryview(line), deadline)

    def _write(self, left: memoryview, deadline: float) -> None:
        while left:
            _wait(deadline, writable=self._to)
            try:
                left = left[os.write(self._to, left[: 1 << 16]) :]
            except BrokenPipeError:
                raise _Overrun from None

    def receive(self, deadline: float) -> bytes:
        """The next line. Raises _Overrun."""
        self.send(b"", deadline)
        while (end := self._buffer.find(b"\n")) < 0:
            _wait(deadline, readable=self._from)
            chunk = os.read(self._from, 1 << 16)
            if not chunk or len(self._buffer) > MAX_LINE_BYTES:
                raise _Overrun
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def kill(self) -> None:
        """Ends the process and closes the pipes."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _wait(deadline: float, *, readable: int | None = None, writable: int | None = None) -> None:
    poll = select.poll()
    if readable is not None:
        poll.register(readable, select.POLLIN)
    if writable is not None:
        poll.register(writable, select.POLLOUT)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _Overrun
