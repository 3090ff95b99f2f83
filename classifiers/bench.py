"""`ringfence bench detection`: how fast text is read, beside Presidio's AnalyzerEngine in the same run, and what floods cost.

All times are those of one thread, the best of several. Presidio runs with its default English recognisers, once with an NLP engine that
does nothing (no tokens, so no context words) and once with a blank spaCy pipeline (tokens and context words, no model).
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import orjson
from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from classifiers.bench_texts import FLOODS, LISTS, dense, flood, mixed_chat
from classifiers.compiled import PHONE
from classifiers.reading import Reader
from governance.child import PYTHON
from governance.finding import DetectionStatus
from governance.frozen import frozen
from governance.machine import machine

SIZES = (200, 2_000, 20_000, 200_000)
KB_64, MB_1 = 65_536, 1_048_576
_NEVER = 600.0
_STARTS = 5
_SHOWN = 5
_COLD = "from classifiers.compiled import load_compiled; load_compiled()"
_WARM = "from classifiers.detector import PatternDetector; PatternDetector()"


@frozen
class Speed:
    """One size. Milliseconds for a text: the whole catalogue, Presidio's entities alone, and Presidio itself, twice."""

    size: int
    catalogue_ms: float
    same_ms: float
    no_op_ms: float
    blank_ms: float

    @property
    def mb_s(self) -> float:
        """Of the whole catalogue."""
        return self.size / self.catalogue_ms / 1000


@frozen
class Cost:
    """One text of `size` characters that is made to cost much, or that is dense."""

    name: str
    size: int
    ms: float
    status: DetectionStatus
    findings: int


@frozen
class Start:
    """Milliseconds of a process until the detector stands, beyond those of a bare interpreter."""

    cold_ms: float
    warm_ms: float


def measure(console: Console, *, seconds: float, as_json: bool) -> int:
    """Prints the tables; each cell is repeated for `seconds`. 0, since a slow machine is no failure."""
    with console.status("starting a process with a cold and with a warm cache"):
        start = _start()
    whole = Reader()
    with console.status("loading Presidio"):
        recognised, no_op, blank = _presidio()
    known = {PHONE, *whole.entities}
    same = Reader(entities=sorted(known.intersection(recognised)))
    speeds = []
    for size in SIZES:
        with console.status(f"reading {size} characters of chat"):
            speeds.append(_speed(size, (whole, same), (no_op, blank), seconds))
    costs = []
    for name, size, text in _dear():
        with console.status(f"reading {size} characters of `{name}`"):
            costs.append(_cost(whole, name, text))
    if as_json:
        _print_json(speeds, costs, start, seconds)
    else:
        _print(console, speeds, costs, start)
    return 0


def _best_ms(work: Callable[[], object], seconds: float) -> float:
    """Of one run of `work`, in the time of this thread; repeated for `seconds`, at least once."""
    best, until = float("inf"), time.monotonic() + seconds
    while True:
        started = time.thread_time()
        work()
        best = min(best, time.thread_time() - started)
        if time.monotonic() >= until:
            return best * 1000


def _speed(
    size: int,
    ours: tuple[Reader, Reader],
    theirs: tuple[Callable[[str], object], Callable[[str], object]],
    seconds: float,
) -> Speed:
    text = mixed_chat(size)
    (whole, same), (no_op, blank) = ours, theirs

    def reading(reader: Reader) -> Callable[[], object]:
        return lambda: reader.read(text, deadline=time.monotonic() + _NEVER)

    for reader in (whole, same):
        reader.read(text, deadline=time.monotonic() + _NEVER)
    return Speed(
        size=size,
        catalogue_ms=_best_ms(reading(whole), seconds),
        same_ms=_best_ms(reading(same), seconds),
        no_op_ms=_best_ms(lambda: no_op(text), seconds),
        blank_ms=_best_ms(lambda: blank(text), seconds),
    )


def _dear() -> list[tuple[str, int, str]]:
    """(name, size, text) of the floods in two sizes and of the dense lists."""
    return [
        *((repr(piece), size, flood(piece, size)) for size in (KB_64, MB_1) for piece in FLOODS),
        *((name, KB_64, dense(line, KB_64)) for name, line in LISTS.items()),
    ]


def _cost(reader: Reader, name: str, text: str) -> Cost:
    best = float("inf")
    for _ in range(2):
        started = time.thread_time()
        reading = reader.read(text, deadline=time.monotonic() + _NEVER)
        best = min(best, time.thread_time() - started)
    return Cost(name=name, size=len(text), ms=best * 1000, status=reading.status, findings=len(reading.findings))


def _start() -> Start:
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as cache:
        Path(cache).chmod(0o700)
        # As installed: with bytecode, which the cold start leaves.
        environment = {**os.environ, "XDG_CACHE_HOME": cache, "PYTHONPYCACHEPREFIX": f"{cache}/bytecode"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        bare = min(_process_ms("pass", environment) for _ in range(_STARTS))
        cold = _process_ms(_COLD, environment)
        warm = min(_process_ms(_WARM, environment) for _ in range(_STARTS))
    return Start(cold_ms=cold - bare, warm_ms=warm - bare)


def _process_ms(program: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([*PYTHON, "-c", program], env=environment, check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def _presidio() -> tuple[Collection[str], Callable[[str], object], Callable[[str], object]]:
    """The entities of Presidio's default English recognisers, and its engine with either NLP engine.

    Its suffix list is the bundled one, so that nothing is fetched in the middle of a measurement.
    """
    import tldextract  # noqa: PLC0415
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415

    from classifiers.evaluation.presidio_side import BLANK, NONE, nlp_engine  # noqa: PLC0415

    tldextract.extract = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
    blank = nlp_engine(BLANK)
    blank.nlp["en"].max_length = 10 * MB_1
    engines = [AnalyzerEngine(nlp_engine=each, supported_languages=["en"]) for each in (nlp_engine(NONE), blank)]
    modelled = {"SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer"}
    entities = {
        entity
        for each in engines[0].registry.recognizers
        if type(each).__name__ not in modelled
        for entity in each.supported_entities
    }

    def analyzing(engine: Any) -> Callable[[str], object]:
        return lambda text: engine.analyze(text, language="en", entities=sorted(entities))

    return entities, analyzing(engines[0]), analyzing(engines[1])


# --------------------------------------------------------------------------------------------------------- printing


def _print(console: Console, speeds: list[Speed], costs: list[Cost], start: Start) -> None:
    table = _table("Reading mixed chat; ms of one thread", "characters", *("catalogue", "MB/s", "Presidio's entities"))
    for name in ("Presidio, no-op NLP", "ratio", "Presidio, blank spaCy", "ratio"):
        table.add_column(name, justify="right")
    for each in speeds:
        table.add_row(
            *(str(each.size), f"{each.catalogue_ms:.2f}", f"{each.mb_s:.1f}", f"{each.same_ms:.2f}"),
            *(f"{each.no_op_ms:.1f}", f"{each.no_op_ms / each.same_ms:.0f}"),
            *(f"{each.blank_ms:.1f}", f"{each.blank_ms / each.same_ms:.0f}"),
        )
    console.print(table)
    console.print("ratio: Presidio's time to ours for the same entities, telephone numbers included", highlight=False)
    table = _table("Floods, the dearest, and dense lists", "characters", "ms", "findings")
    table.add_column("status")
    table.add_column("text")
    lists = [each for each in costs if each.name in LISTS]
    for cost in (*_dearest(costs, KB_64), *_dearest(costs, MB_1), *lists):
        table.add_row(str(cost.size), f"{cost.ms:.0f}", str(cost.findings), cost.status.value, cost.name)
    console.print(table)
    console.print(
        f"growth from 20 kB to 200 kB: {_growth(speeds):.1f} times",
        f"start beyond the bare interpreter: {start.warm_ms:.0f} ms with a warm cache, {start.cold_ms / 1000:.1f} s with none",
        f"{machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {_versions()}",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=HORIZONTALS, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _dearest(costs: list[Cost], size: int) -> list[Cost]:
    floods = [each for each in costs if each.size == size and each.name not in LISTS]
    return sorted(floods, key=lambda each: -each.ms)[:_SHOWN]


def _growth(speeds: list[Speed]) -> float:
    by_size = {each.size: each.catalogue_ms for each in speeds}
    return by_size[200_000] / by_size[20_000]


def _print_json(speeds: list[Speed], costs: list[Cost], start: Start, seconds: float) -> None:
    rows: list[dict[str, object]] = [
        {
            "characters": each.size,
            "catalogue_ms": round(each.catalogue_ms, 3),
            "mb_s": round(each.mb_s, 2),
            "presidios_entities_ms": round(each.same_ms, 3),
            "presidio_no_op_ms": round(each.no_op_ms, 1),
            "presidio_blank_ms": round(each.blank_ms, 1),
            "ratio_no_op": round(each.no_op_ms / each.same_ms),
            "ratio_blank": round(each.blank_ms / each.same_ms),
        }
        for each in speeds
    ]
    rows += [
        {
            "text": each.name,
            "characters": each.size,
            "ms": round(each.ms, 1),
            "status": each.status.value,
            "findings": each.findings,
        }
        for each in costs
    ]
    rows.append({"growth_20_to_200_kb": round(_growth(speeds), 2)})
    rows.append({"warm_start_ms": round(start.warm_ms), "cold_start_ms": round(start.cold_ms)})
    rows.append(
        {
            "machine": machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "versions": _versions(),
            "seconds": seconds,
        }
    )
    for row in rows:
        print(orjson.dumps(row).decode())


def _versions() -> str:
    names = ("hyperscan", "presidio-analyzer", "spacy", "phonenumbers")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
