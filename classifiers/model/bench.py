"""`ringfence bench model`: what a model costs on one thread, what batches across clients gain, and the same on a GPU.

Pieces a second are those of the model alone, at window lengths that traffic has; a prompt is read as a request reads it, from
text to findings. The baseline of the clients is the same model with one window in each run, in the same process.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.metadata
import itertools
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from classifiers.bench_texts import mixed_chat
from classifiers.model.batching import BatchCounts, BatchLimits
from classifiers.model.detector import ModelDetector, limits_for
from classifiers.model.manifest import ModelFiles, read_model
from classifiers.model.pieces import piece_reader
from classifiers.model.session import Batch, Execution, ModelSession, Provider
from governance.errors import GovernanceError
from governance.frozen import frozen
from governance.machine import machine
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

_LENGTHS: Final = ((32, 8), (128, 8), (512, 1))
_PROMPT_PIECES: Final = 500
_PROMPTS: Final = 32
_CLIENTS: Final = (1, 32, 256)
_CLIENT_CHARS: Final = (80, 300, 900)
_TEXTS: Final = 256
_TURNS: Final = 4
_DEADLINE_MS: Final = 60_000
_MATRIX: Final = 1_024


@frozen
class Cost:
    """Of one model on one device. `prompt_ms` is the median of a prompt of 500 pieces, from text to findings.

    `pieces_s` are by (length of a window, windows in a run); `of_peak` is the best of them as a fraction of what a product of
    large fp32 matrices reaches on one thread of the same CPU, 0 on a GPU.
    """

    model: str
    device: str
    provider: str
    precision: str
    pieces_s: dict[str, int]
    prompt_ms: float
    of_peak: float


@frozen
class Load:
    """So many clients at once, each with texts of its own: requests a second, and milliseconds of one."""

    model: str
    device: str
    clients: int
    batched: bool
    requests_s: float
    pieces_s: int
    p50_ms: float
    p99_ms: float
    pieces_in_run: float


def measure(models: Sequence[Path], console: Console, *, seconds: float, as_json: bool) -> int:
    """Prints the tables; each cell runs for `seconds`. 0, since a slow machine is no failure."""
    costs: list[Cost] = []
    loaded: list[Load] = []
    skipped: list[str] = []
    with console.status("multiplying matrices"):
        peak = _peak_flops(seconds)
    for directory in models:
        files = read_model(directory)
        for provider in (Provider.CPU, Provider.CUDA):
            try:
                session = ModelSession(files, piece_reader(files), Execution(provider=provider))
            except GovernanceError as error:
                skipped.append(f"{files.manifest.name} on {provider}: did not run ({error})")
                continue
            with console.status(f"{files.manifest.name} on {provider}, one client"):
                costs.append(_cost(files, session, peak if provider is Provider.CPU else 0.0, seconds))
            for clients in _CLIENTS:
                with console.status(f"{files.manifest.name} on {provider}, {clients} clients"):
                    loaded += loads(files, session, clients, seconds)
    if as_json:
        rows: list[Cost | Load] = [*costs, *loaded]
        for row in rows:
            print(orjson.dumps({"kind": type(row).__name__.lower(), **_fields(row)}).decode())
        print(orjson.dumps({"kind": "skipped", "reasons": skipped, **_machine()}).decode())
    else:
        _print(console, costs, loaded, skipped)
    return 0


# --- one client ----------------------------------------------------------------------------------------------------


def _cost(files: ModelFiles, session: ModelSession, peak: float, seconds: float) -> Cost:
    rates: dict[str, int] = {}
    for length, rows in _LENGTHS:
        size = min(length, files.manifest.window)
        batch = random_batch(rows, size, files)
        rates[f"{size}x{rows}"] = round(rows * size / median_s(lambda batch=batch: session.run(batch), seconds))  # type: ignore[misc]
    # Weights that a piece is multiplied with, as the manifest states them: what is looked up costs nothing.
    stated = files.manifest.metrics.get("multiplied", 0)
    flops = 2 * stated if isinstance(stated, int) else 0
    with _detector(files, session, limits_for(session.report)) as detector:
        # Nothing is remembered: a text that comes again is read again.
        prompts = itertools.cycle([*itertools.islice(_prompts(files), _PROMPTS)])
        prompt = median_s(lambda: _read_now(detector, next(prompts)), seconds)
    ran = session.report
    return Cost(
        model=files.version,
        device=ran.device,
        provider=ran.provider,
        precision=ran.precision,
        pieces_s=rates,
        prompt_ms=prompt * 1000,
        of_peak=max(rates.values()) * flops / peak if peak else 0.0,
    )


def _read_now(detector: ModelDetector, text: str) -> None:
    detector.detect_now([_segment(text)], deadline_ms=_DEADLINE_MS)


def _prompts(files: ModelFiles) -> Iterator[str]:
    """Texts of about 500 pieces, none of which was read before."""
    reader = piece_reader(files)
    number = 0
    while True:
        number += 1
        text = mixed_chat(4_000, seed=number)
        pieces = reader.read(text, deadline=float("inf"))
        last = min(len(pieces), _PROMPT_PIECES) - 1
        yield text[: int(pieces.ends[last])]


def random_batch(rows: int, size: int, files: ModelFiles) -> Batch:
    """So many windows of random pieces of the vocabulary."""
    ids = np.random.default_rng(0).integers(0, piece_reader(files).vocabulary, (rows, size), dtype=np.int64)
    return Batch(ids=ids, mask=np.ones_like(ids), case=np.zeros_like(ids))


def _peak_flops(seconds: float) -> float:
    """Floating point operations a second of a product of two large fp32 matrices on one thread."""
    left = np.ones((_MATRIX, _MATRIX), dtype=np.float32)
    best = float("inf")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.process_time()
        left @ left
        best = min(best, time.process_time() - started)
    return 2 * _MATRIX**3 / best


def median_s(work: Callable[[], object], seconds: float) -> float:
    """Seconds of one run of `work`, repeated for `seconds` after a first that does not count."""
    work()
    taken: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(taken) < 3:
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


# --- many clients --------------------------------------------------------------------------------------------------


def loads(files: ModelFiles, session: ModelSession, clients: int, seconds: float) -> tuple[Load, ...]:
    """What `clients` at once get of a model in `seconds`, one window in each run and in batches, which take turns."""
    texts = [mixed_chat(_CLIENT_CHARS[number % len(_CLIENT_CHARS)], seed=number) for number in range(_TEXTS)]
    ways = {False: BatchLimits(max_pieces=1), True: limits_for(session.report)}
    with ExitStack() as stack:
        detectors = {batched: stack.enter_context(_detector(files, session, each)) for batched, each in ways.items()}
        taken: dict[bool, list[float]] = {batched: [] for batched in ways}
        for _ in range(_TURNS):
            for batched, detector in detectors.items():
                taken[batched] += asyncio.run(_ask(detector, texts, clients, seconds / _TURNS))
        counts = {batched: detector.counts for batched, detector in detectors.items()}
    return tuple(_load(files, session, clients, taken[each], counts[each], batched=each) for each in ways)


def _load(
    files: ModelFiles,
    session: ModelSession,
    clients: int,
    taken: Sequence[float],
    counts: BatchCounts,
    *,
    batched: bool,
) -> Load:
    # What ran before the last answer came counts with it.
    elapsed = sum(taken) / clients
    return Load(
        model=files.version,
        device=session.report.device,
        clients=clients,
        batched=batched,
        requests_s=len(taken) / elapsed,
        pieces_s=round((counts.pieces - counts.padding) / elapsed),
        p50_ms=statistics.median(taken) * 1000,
        p99_ms=sorted(taken)[int(len(taken) * 0.99)] * 1000,
        pieces_in_run=counts.pieces / max(1, counts.batches),
    )


async def _ask(detector: ModelDetector, texts: Sequence[str], clients: int, seconds: float) -> list[float]:
    """Seconds of each request of `clients`, each of which asks again as soon as it is answered."""
    taken: list[float] = []
    until = time.monotonic() + seconds

    async def client(number: int) -> None:
        turn = 0
        while time.monotonic() < until or not turn:
            turn += 1
            text = texts[(number * 7 + turn) % len(texts)]
            started = time.perf_counter()
            await detector.detect([_segment(text)], deadline_ms=_DEADLINE_MS)
            taken.append(time.perf_counter() - started)

    await asyncio.gather(*(client(number) for number in range(clients)))
    return taken


@contextmanager
def _detector(files: ModelFiles, session: ModelSession, limits: BatchLimits) -> Iterator[ModelDetector]:
    """A detector without a memory."""
    detector = ModelDetector(files, piece_reader(files), session, limits=limits, report=session.report, max_bytes=0)
    try:
        yield detector
    finally:
        detector.close()


def _segment(text: str) -> TextSegment:
    return TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))


# --- showing -------------------------------------------------------------------------------------------------------


def cost_table(costs: Sequence[Cost]) -> Table:
    """A row for each of `costs`, a column for each shape of a run that any of them has."""
    from rich.box import HORIZONTALS  # noqa: PLC0415 - as classifiers.bench
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        title="One client, pieces a second by pieces x windows in a run", box=HORIZONTALS, title_justify="left"
    )
    shapes = list(dict.fromkeys(shape for row in costs for shape in row.pieces_s))
    for name in ("model", "on", *shapes, "500 pieces ms", "of fp32 peak"):
        table.add_column(name, justify="left" if name in {"model", "on"} else "right")
    for row in costs:
        rates = [f"{row.pieces_s[shape]:,}" if shape in row.pieces_s else "-" for shape in shapes]
        of_peak = f"{row.of_peak:.2f}" if row.of_peak else "-"
        table.add_row(row.model, f"{row.device} {row.precision}", *rates, f"{row.prompt_ms:.1f}", of_peak)
    return table


def _print(console: Console, costs: Sequence[Cost], loads: Sequence[Load], skipped: Sequence[str]) -> None:
    from rich.box import HORIZONTALS  # noqa: PLC0415 - as classifiers.bench
    from rich.table import Table  # noqa: PLC0415

    console.print(cost_table(costs))
    table = Table(title="Clients at once, texts of 80 to 900 characters", box=HORIZONTALS, title_justify="left")
    for name in ("model", "on", "clients", "runs", "requests/s", "pieces/s", "p50 ms", "p99 ms", "pieces in a run"):
        table.add_column(name, justify="left" if name in {"model", "on", "runs"} else "right")
    for each in loads:
        table.add_row(
            each.model,
            each.device,
            str(each.clients),
            "batched" if each.batched else "one by one",
            f"{each.requests_s:.0f}",
            f"{each.pieces_s:,}",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            f"{each.pieces_in_run:.0f}",
        )
    console.print(table)
    for reason in skipped:
        console.print(reason, markup=False)
    console.print(", ".join(f"{name} {value}" for name, value in _machine().items()), markup=False)


def _machine() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in ("ringfence", "onnxruntime", "tokenizers", "numpy")}
    return {"python": platform.python_version(), "machine": machine(), **versions}


def _fields(row: Cost | Load) -> dict[str, Any]:
    return dataclasses.asdict(row)
