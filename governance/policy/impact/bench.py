"""What a decision costs: twenty policies over twenty entity types, on every engine that is there, in one run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
from rich.box import HORIZONTALS
from rich.console import Console
from rich.table import Table

from governance.facts import EntityFact, Facts
from governance.frozen import frozen
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.engine import Decider
from governance.policy.plan.build import build_plan
from governance.policy.sample import plain
from governance.segment import Role

POLICIES = ENTITIES = 20
_START_S = 20.0

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
        costs.append(await _cost("OPA server", bundle, "opa", seconds, url))
    return [await _cached(planned, "plan", seconds), await _cost("plan", planned, "plan", seconds), *costs], []


async def _cached(bundle: Bundle, engine: str, seconds: float) -> Cost:
    async with Decider.open(bundle, engine) as decider:
        facts = _facts(0)
        await decider.decide(facts, decision_id="warm")
        return await _timed("cached", decider, [facts], seconds)


async def _cost(subject: str, bundle: Bundle, engine: str, seconds: float, url: str | None = None) -> Cost:
    async with Decider.open(bundle, engine, url, cache_size=0, deadline_ms=10_000) as decider:
        return await _timed(subject, decider, [_facts(number) for number in range(64)], seconds)


async def _timed(subject: str, decider: Decider, facts: Sequence[Facts], seconds: float) -> Cost:
    taken: list[float] = []
    gc.collect()
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        await decider.decide(facts[len(taken) % len(facts)], decision_id="d")
        taken.append((time.perf_counter() - started) * 1_000)
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


def _facts(number: int) -> Facts:
    """An input with every entity type; equal numbers give equal inputs."""
    facts = plain()
    entities = tuple(
        EntityFact(type=_type(at), count=1 + number, max_permille=500 + number, validated=True, where=(Role.USER,))
        for at in range(ENTITIES)
    )
    return replace(facts, classification=replace(facts.classification, entities=entities))


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
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}",
        highlight=False,
        soft_wrap=True,
    )
