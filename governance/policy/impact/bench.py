"""What a decision costs: twenty policies over twenty entity types, on every engine that is there, in one run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import os
import platform
import random
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import orjson
from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from governance.facts import EntityFact, Facts, SubjectJurisdiction
from governance.frozen import frozen
from governance.machine import machine
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.engine import Decider
from governance.policy.plan.build import build_plan
from governance.policy.sample import plain
from governance.segment import Role

POLICIES = ENTITIES = 20
_START_S = 20.0
# A rule gives every finding of its own one of a few scores; a model gives any.
_SCORES = (400, 550, 700, 850, 950, 1000)
_ANY_SCORE = range(1001)
_AHEAD = 256
# What users send stands in their messages, and may be repeated in others.
_USUAL = ((Role.USER,), (Role.ASSISTANT, Role.USER), (Role.SYSTEM, Role.USER))
_ANY_WHERE = (*_USUAL, (Role.ASSISTANT,), (Role.SYSTEM,), (Role.TOOL,), (Role.ASSISTANT, Role.TOOL))
_COUNTRIES = ("BR", "DE", "FR", "US")

_POLICY = """# METADATA
# title: A policy of the bench
# custom:
#   id: bench_{number}
#   version: "1.0.0"
package ringfence.policy.bench_{number}

effects contains {{"effect": "allow", "rule": "allow", "code": "allowed"}}

effects contains {{"effect": "redact", "rule": "replace", "code": "replaced", "params": {{"entity": type, "operator": "replace"}}}} if {{
	some type in _found
}}

effects contains {{"effect": "pin", "rule": "eea", "code": "pinned", "params": {{"countries": {{"any": ["EEA"]}}}}}} if {{
	count(_found) > 0
	some subject in input.origin.subject_jurisdictions
	data.bench.eea[subject.code]
}}

_found contains entity.type if {{
	some entity in input.classification.entities
	data.bench.types[entity.type] == {number}
	entity.max_permille >= {floor}
	"user" in entity.where
}}
"""


@frozen
class Cost:
    """Milliseconds that one decision took."""

    subject: str
    decisions: int
    p50_ms: float
    p99_ms: float


def policy(console: Console, *, seconds: float, as_json: bool) -> int:
    """Prints the table; 0, as a machine that is slow is no fault. Engines that are not there are named."""
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as name, console.status("measuring"):
        costs, missing = asyncio.run(_measure(Path(name), seconds))
    _print(console, costs, missing, as_json=as_json)
    return 0


async def _measure(directory: Path, seconds: float) -> tuple[list[Cost], list[str]]:
    bundle = _bundle(directory)
    opa = shutil.which("opa")
    costs = [await _cost("embedded", bundle, "embedded", seconds)]
    if opa is None:
        return [await _cached(bundle, "embedded", seconds), *costs], ["plan and OPA server: no `opa` on the path"]
    planned = replace(bundle, plan=await asyncio.to_thread(build_plan, bundle, opa))
    with _server(opa) as url:
        costs.append(await _cost("OPA server", bundle, "opa", seconds, url=url))
    plans = [
        await _cached(planned, "plan", seconds),
        await _cost("plan", planned, "plan", seconds),
        await _cost("plan, nothing alike", planned, "plan", seconds, scores=_ANY_SCORE),
    ]
    return [*plans, *costs], []


async def _cached(bundle: Bundle, engine: str, seconds: float) -> Cost:
    async with Decider.open(bundle, engine) as decider:
        facts = next(_inputs(_SCORES))
        await decider.decide(facts, decision_id="warm")
        return await _timed("cached", decider, repeat(facts), seconds)


async def _cost(
    subject: str,
    bundle: Bundle,
    engine: str,
    seconds: float,
    *,
    url: str | None = None,
    scores: Sequence[int] = _SCORES,
) -> Cost:
    async with Decider.open(bundle, engine, url, cache_size=0, deadline_ms=10_000) as decider:
        return await _timed(subject, decider, _inputs(scores), seconds)


async def _timed(subject: str, decider: Decider, inputs: Iterator[Facts], seconds: float) -> Cost:
    taken: list[float] = []
    gc.collect()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        # Made ahead: making one costs more than deciding on it, and would leave nothing of the decider in the caches.
        for facts in list(islice(inputs, _AHEAD)):
            started = time.perf_counter()
            await decider.decide(facts, decision_id="d")
            taken.append((time.perf_counter() - started) * 1_000)
            if time.perf_counter() > end:
                break
    taken.sort()
    return Cost(
        subject=subject,
        decisions=len(taken),
        p50_ms=taken[len(taken) // 2],
        p99_ms=taken[min(len(taken) - 1, int(len(taken) * 0.99))],
    )


def _bundle(directory: Path) -> Bundle:
    for number in range(POLICIES):
        (directory / f"bench_{number}.rego").write_text(_POLICY.format(number=number, floor=number * 10))
    types = {_type(number): number for number in range(ENTITIES)}
    data = {"bench": {"types": types, "eea": {"DE": True, "FR": True}}}
    (directory / "data.json").write_bytes(orjson.dumps(data))
    return load_bundle([directory])


def _inputs(scores: Sequence[int]) -> Iterator[Facts]:
    """Inputs with every entity type, no two alike in counts; the same ones each time."""
    dice, plain_ = random.Random(20), plain()  # noqa: S311  (no secret)
    alike = scores is _SCORES

    def entity(at: int) -> EntityFact:
        where = dice.choice(_USUAL if alike else _ANY_WHERE)
        return EntityFact(
            type=_type(at),
            count=dice.randint(1, 50),
            max_permille=dice.choice(scores),
            validated=dice.random() < 0.5,
            where=where,
        )

    while True:
        subject = SubjectJurisdiction(code=dice.choice(_COUNTRIES), permille=900, basis="content")
        origin = replace(plain_.origin, subject_jurisdictions=(subject,))
        classification = replace(plain_.classification, entities=tuple(map(entity, range(ENTITIES))))
        yield replace(plain_, origin=origin, classification=classification)


def _type(number: int) -> str:
    return f"BENCH_{number:02}"


@contextlib.contextmanager
def _server(opa: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [opa, "run", "--server", "--addr", address, "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + _START_S
            while time.monotonic() < end and not _answers(f"http://{address}/health"):
                time.sleep(0.05)
            yield f"http://{address}"
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  our own address on loopback
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True


def _print(console: Console, costs: Sequence[Cost], missing: Sequence[str], *, as_json: bool) -> None:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("ringfence", "regopy", "orjson"))
    if as_json:
        for cost in costs:
            row = {
                "subject": cost.subject,
                "decisions": cost.decisions,
                "p50_ms": round(cost.p50_ms, 4),
                "p99_ms": round(cost.p99_ms, 4),
            }
            print(orjson.dumps(row).decode())
        print(orjson.dumps({"missing": list(missing), "cores": os.cpu_count(), "versions": versions}).decode())
        return
    table = Table(
        title=f"Cost of a decision: {POLICIES} policies, {ENTITIES} entity types, one thread",
        title_justify="left",
        box=HORIZONTALS,
        padding=(0, 1, 0, 0),
    )
    for name in ("engine", "decisions", "p50 ms", "p99 ms", "to plan"):
        table.add_column(name, justify="left" if name == "engine" else "right", no_wrap=True)
    base = next((cost.p50_ms for cost in costs if cost.subject == "plan"), None)
    for cost in costs:
        ratio = f"{cost.p50_ms / base:.2f}" if base else "-"
        table.add_row(cost.subject, str(cost.decisions), f"{cost.p50_ms:.3f}", f"{cost.p99_ms:.3f}", ratio)
    console.print(table)
    for line in missing:
        console.print(f"left out: {line}", highlight=False)
    console.print(
        f"{machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}",
        highlight=False,
        soft_wrap=True,
    )
