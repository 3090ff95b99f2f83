"""Runs the demo: nodes, Ringfence, the script by the official `openai` client, the table, the verified log.

It checks itself: what the client got, what was decided and which bytes reached which node are compared with the script.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any

import openai
import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from governance.audit.reader import read
from governance.audit.verify import verify
from governance.frozen import frozen
from sidecar.demo import show
from sidecar.demo.nodes import DemoNode, running
from sidecar.demo.script import CLOUD_US, DEVICE_DE, EVERYWHERE, ON_PREM_DE, STEPS, US_ONLY, Step
from sidecar.launch import launched
from sidecar.probes import free_port

_OUTCOMES_S = 5.0


@frozen
class Seen:
    """What became of one step: the client's view, the bytes the nodes received for it, and the nodes that received none."""

    step: Step
    status: int
    code: str
    decision_id: str
    received: tuple[tuple[str, bytes], ...] = field(repr=False)
    untouched: tuple[str, ...]


async def demo(console: Console, *, keep: bool, as_json: bool, steps: Sequence[Step] = STEPS) -> int:
    """0 when every request ended as its step expects and the log verifies, else 1. `keep` waits for Ctrl-C first."""
    nodes = (
        DemoNode(id=DEVICE_DE, country="DE", tier="device", models=(EVERYWHERE,)),
        DemoNode(id=ON_PREM_DE, country="DE", tier="on_prem", models=(EVERYWHERE,)),
        DemoNode(id=CLOUD_US, country="US", tier="cloud", models=(EVERYWHERE, US_ONLY)),
    )
    with tempfile.TemporaryDirectory(prefix="ringfence-demo-") as directory:
        audit = Path(directory) / "var" / "audit"
        async with running(nodes):
            port, admin = free_port("127.0.0.1"), free_port("127.0.0.1")
            config = _write_config(Path(directory), nodes, port, admin)
            console.print(
                f"[dim]Envoy, the control process and a worker on 127.0.0.1:{port}; three demo nodes that serve no model[/]"
            )
            with _progress(console, len(steps) + 1) as advance:
                async with AsyncExitStack() as stack:
                    advance("starting Envoy, the control process and a worker")
                    started = launched(config, admin_port=admin, log=Path(directory) / "ringfence.log")
                    await stack.enter_async_context(started)
                    seen = []
                    for step in steps:
                        advance(step.title)
                        seen.append(await _send(step, nodes, port))
                    running_on = stack.pop_all()
            async with running_on:
                records = await _records(audit, seen)
                rows = [show.row(entry, records.get(entry.decision_id), _differences(entry, records)) for entry in seen]
                verdict = verify(audit)
                show.outcome(console, rows, verdict, as_json=as_json)
                if keep:
                    await _keep(console, nodes, port, admin, directory)
                else:
                    console.print("[dim]stopping; `ringfence demo --keep` leaves it running for you[/]")
    return 0 if verdict.ok and not any(row["unexpected"] for row in rows) else 1


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[str], None]]:
    """A function that says what is being done now; the bar is drawn on terminals only, and goes when all is done."""
    columns = (SpinnerColumn(), MofNCompleteColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, completed=-1)
        yield lambda what: bar.update(task, description=escape(what), advance=1)


def _differences(entry: Seen, records: Mapping[str, dict[str, Any]]) -> tuple[str, ...]:
    record = records.get(entry.decision_id)
    if record is None:
        return ("there is no decision record",)
    outcome = record.get("outcome", {})
    found = entry.step.expected.differences(
        status=entry.status, action=record["action"], code=entry.code, received=entry.received
    )
    if "route" in record and not outcome:
        found += ("there is no outcome record",)
    if not outcome.get("contained", True):
        found += ("it was served outside its allow-set",)
    return found


def _write_config(directory: Path, nodes: tuple[DemoNode, ...], port: int, admin: int) -> Path:
    path = directory / "ringfence.yaml"
    settings = {
        "state_directory": str(directory / "var"),
        "listen": {"address": "127.0.0.1", "port": port},
        "admin": {"address": "127.0.0.1", "port": admin},
        "origin": {"tenant": "demo", "env": "demo"},
        "health_check": {"path": "/health", "interval_ms": 500, "timeout_ms": 500},
        "nodes": [
            {
                "id": node.id,
                "address": f"127.0.0.1:{node.port}",
                "country": node.country,
                "region": f"{node.country.lower()}-demo",
                "tier": node.tier,
                "models": list(node.models),
                "protocol": "openai",
            }
            for node in nodes
        ],
    }
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


async def _send(step: Step, nodes: tuple[DemoNode, ...], port: int) -> Seen:
    for node in nodes:
        if node.id in step.stop:
            await node.stop()
    before = {node.id: len(node.received) for node in nodes}
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="demo", max_retries=0) as client:
        status, headers, code = await _ask(client, step)
    received = tuple((node.id, raw) for node in nodes for raw in node.received[before[node.id] :])
    return Seen(
        step=step,
        status=status,
        code=code,
        decision_id=headers.get("x-ringfence-decision-id", ""),
        received=received,
        untouched=tuple(node.id for node in nodes if len(node.received) == before[node.id]),
    )


async def _ask(client: openai.AsyncOpenAI, step: Step) -> tuple[int, Mapping[str, str], str]:
    """Status, headers and the code of an error; the answer is read to its end."""
    messages: Any = [{"role": "user", "content": step.content}]
    try:
        raw = await client.chat.completions.with_raw_response.create(
            model=step.model, messages=messages, stream=step.stream
        )
        parsed: Any = raw.parse()
        if step.stream:
            async for _ in parsed:
                pass
    except openai.APIStatusError as error:
        return error.status_code, error.response.headers, str(error.code)
    return raw.status_code, raw.headers, ""


async def _records(audit: Path, seen: list[Seen]) -> dict[str, dict[str, Any]]:
    """Decision records by id, each with its outcome under `outcome` once Envoy has reported it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _OUTCOMES_S
    while True:
        decisions: dict[str, dict[str, Any]] = {}
        for record in read(audit):
            if record["kind"] == "decision":
                decisions[record["id"]] = record
            elif record["kind"] == "outcome" and record["ref"] in decisions:
                decisions[record["ref"]]["outcome"] = record
        open_ones = [entry for entry in seen if _is_open(decisions.get(entry.decision_id))]
        if not open_ones or loop.time() > deadline:
            return decisions
        await asyncio.sleep(0.1)


def _is_open(decision: dict[str, Any] | None) -> bool:
    return decision is None or ("route" in decision and "outcome" not in decision)


async def _keep(console: Console, nodes: tuple[DemoNode, ...], port: int, admin: int, directory: str) -> None:
    for node in nodes:
        if node.runner is None:
            await node.start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    show.instructions(console, port=port, admin=admin, directory=directory)
    await stopped.wait()
    console.print("[dim]stopping[/]")
