"""Runs the demo: nodes, Ringfence, the script by the official `openai` client, the table, the verified log."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import yaml
from rich.console import Console

from governance.audit.reader import read
from governance.audit.verify import verify
from sidecar.demo import show
from sidecar.demo.nodes import DemoNode, running
from sidecar.demo.script import EVERYWHERE, STEPS, US_ONLY, Step
from sidecar.launch import launched
from sidecar.probes import free_port

_OUTCOMES_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one step: the client's view, and the bytes the nodes received for it."""

    step: Step
    status: int
    answer: str = field(repr=False)
    decision_id: str
    received: tuple[tuple[str, bytes], ...] = field(repr=False)


async def demo(console: Console, *, keep: bool, as_json: bool) -> int:
    """0 when every request has its record and the log verifies, else 1. `keep` waits for Ctrl-C before the end."""
    nodes = (
        DemoNode(id="demo-device-de", country="DE", tier="device", models=(EVERYWHERE,)),
        DemoNode(id="demo-onprem-de", country="DE", tier="on_prem", models=(EVERYWHERE,)),
        DemoNode(id="demo-cloud-us", country="US", tier="cloud", models=(EVERYWHERE, US_ONLY)),
    )
    with tempfile.TemporaryDirectory(prefix="ringfence-demo-") as directory:
        audit = Path(directory) / "var" / "audit"
        async with running(nodes):
            port, admin = free_port("127.0.0.1"), free_port("127.0.0.1")
            config = _write_config(Path(directory), nodes, port, admin)
            console.print(f"[dim]starting Envoy, the control process and a worker on 127.0.0.1:{port}[/]")
            async with launched(config, admin_port=admin, log=Path(directory) / "ringfence.log"):
                seen = [await _send(step, nodes, port) for step in STEPS]
                records = await _records(audit, seen)
                verdict = verify(audit)
                show.outcome(console, seen, records, verdict, as_json=as_json)
                if keep:
                    await _keep(console, nodes, port, admin, directory)
    return 0 if verdict.ok and all(entry.decision_id in records for entry in seen) else 1


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
        status, headers, answer = await _ask(client, step)
    received = tuple((node.id, raw) for node in nodes for raw in node.received[before[node.id] :])
    return Seen(
        step=step,
        status=status,
        answer=answer,
        decision_id=headers.get("x-ringfence-decision-id", ""),
        received=received,
    )


async def _ask(client: openai.AsyncOpenAI, step: Step) -> tuple[int, Mapping[str, str], str]:
    messages: Any = [{"role": "user", "content": step.content}]
    try:
        raw = await client.chat.completions.with_raw_response.create(
            model=step.model, messages=messages, stream=step.stream
        )
        parsed: Any = raw.parse()
        if step.stream:
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in parsed])
        else:
            text = parsed.choices[0].message.content
    except openai.APIStatusError as error:
        return error.status_code, error.response.headers, str(error.code)
    return raw.status_code, raw.headers, text


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
    show.instructions(console, port=port, admin=admin, directory=directory)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    await stopped.wait()
