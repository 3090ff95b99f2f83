"""The whole product under test: `ringfence up` with a real Envoy, and demo nodes that keep every byte they receive."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import openai
import yaml

from governance.audit.reader import read
from sidecar.demo.nodes import DemoNode
from sidecar.launch import launched
from sidecar.probes import free_port

HOST = "127.0.0.1"


def fleet() -> tuple[DemoNode, ...]:
    """A device and an on-prem node in DE, a cloud node in US; `m` is on all of them."""
    return (
        DemoNode(id="device-de", country="DE", tier="device", models=("m",)),
        DemoNode(id="onprem-de", country="DE", tier="on_prem", models=("m",)),
        DemoNode(id="cloud-us", country="US", tier="cloud", models=("m", "us-only")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller got."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The code of an error in the API's shape."""
        return str(json.loads(self.body)["error"]["code"])

    @property
    def decision_id(self) -> str:
        """The decision's id, from the header."""
        return self.headers.get("x-ringfence-decision-id", "")


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running installation."""

    port: int
    admin: int
    directory: Path
    process: asyncio.subprocess.Process
    nodes: tuple[DemoNode, ...]
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """Where applications send chats."""
        return f"http://{HOST}:{self.port}/v1/chat/completions"

    @property
    def audit(self) -> Path:
        """The audit directory."""
        return self.directory / "var" / "audit"

    @property
    def sdk(self) -> openai.AsyncOpenAI:
        """The official client, pointed here, without retries of its own."""
        return openai.AsyncOpenAI(base_url=f"http://{HOST}:{self.port}/v1", api_key="key", max_retries=0)

    async def send(
        self, body: bytes | str | dict[str, Any], *, path: str = "", method: str = "POST", **headers: str
    ) -> Answer:
        """One request; a dict goes as JSON, underscores in header names stand for hyphens."""
        raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        url = f"http://{HOST}:{self.port}{path}" if path else self.url
        async with self.http.request(method, url, data=io.BytesIO(raw) if raw else None, headers=named) as got:
            return Answer(status=got.status, headers=dict(got.headers), body=await got.read())

    async def say(self, text: str, model: str = "m", **headers: str) -> Answer:
        """One chat with one user message."""
        return await self.send(chat(text, model), **headers)

    def received(self) -> dict[str, list[bytes]]:
        """Every body each node has received, by node."""
        return {node.id: list(node.received) for node in self.nodes if node.received}

    def headers(self) -> list[dict[str, str]]:
        """The headers of every request the nodes have received, names in lower case."""
        return [headers for node in self.nodes for headers in node.heads]

    def records(self, kind: str = "decision") -> list[dict[str, Any]]:
        """Records of one kind, oldest first."""
        return [record for record in read(self.audit) if record["kind"] == kind]

    def decision(self, answer: Answer) -> dict[str, Any]:
        """The decision record of `answer`."""
        [found] = [record for record in self.records() if record["id"] == answer.decision_id]
        return found

    async def outcome(self, answer: Answer) -> dict[str, Any]:
        """The outcome record of `answer`, once Envoy has reported it."""
        for _ in range(600):
            for record in self.records("outcome"):
                if record["ref"] == answer.decision_id:
                    return record
            await asyncio.sleep(0.05)
        raise AssertionError("no outcome within half a minute")

    def children(self, *names: str) -> list[int]:
        """Process ids of the children whose command line holds all of `names`."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [
            int(pid)
            for pid in listed
            if {name.encode() for name in names} <= set(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        ]

    async def ready(self, timeout_s: float = 120.0) -> None:
        """Returns when the readiness endpoint says yes."""
        await until(self.is_ready, timeout_s)

    async def is_ready(self) -> bool:
        """What the readiness endpoint says."""
        try:
            async with self.http.get(f"http://{HOST}:{self.admin}/readyz") as got:
                return got.status == 200
        except aiohttp.ClientError:
            return False

    def log(self) -> str:
        """All output of all processes."""
        return (self.directory / "log").read_text()

    async def metrics(self) -> str:
        """The metrics page."""
        async with self.http.get(f"http://{HOST}:{self.admin}/metrics") as got:
            return await got.text()


def chat(text: str, model: str = "m", **more: Any) -> dict[str, Any]:
    """The body of a chat with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def until(condition: Any, timeout_s: float = 30.0) -> None:
    """Returns once the awaited `condition` holds; fails the test otherwise."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not await condition():
        assert loop.time() < end, "the condition did not come true in time"
        await asyncio.sleep(0.05)


def kill(pids: Iterable[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Signals processes of the stack, by id."""
    for pid in pids:
        os.kill(pid, number)


def configuration(directory: Path, nodes: Iterable[DemoNode], **changes: Any) -> Path:
    """A configuration file for `nodes`; `changes` replace top-level settings."""
    path = directory / "ringfence.yaml"
    settings = {
        "state_directory": str(directory / "var"),
        "listen": {"port": free_port(HOST)},
        "admin": {"port": free_port(HOST)},
        # The nodes share the event loop of the tests, which large bodies and a busy machine stop for seconds: a few
        # late answers in a row do not make a node unhealthy.
        "health_check": {"path": "/health", "interval_ms": 300, "timeout_ms": 300, "unhealthy_threshold": 15},
        "nodes": [
            {
                "id": node.id,
                "address": f"{HOST}:{node.port}",
                "country": node.country,
                "region": "test",
                "tier": node.tier,
                "models": list(node.models),
            }
            for node in nodes
        ],
        # What a shipped model finds changes with it; the tests that are about one name it.
        "classifiers": {"model": "off"},
        **changes,
        # How long detection may take is no question of these tests, and a busy machine reads twenty megabytes in seconds.
        "limits": {"message_timeout_ms": 60_000, "detection_deadline_ms": 30_000, **changes.get("limits", {})},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


@asynccontextmanager
async def stack(directory: Path, nodes: tuple[DemoNode, ...] | None = None, **changes: Any) -> AsyncIterator[Stack]:
    """The product, ready; everything is stopped at the end."""
    nodes = nodes if nodes is not None else fleet()
    async with AsyncExitStack() as running:
        for node in nodes:
            await node.start()
            running.push_async_callback(node.stop)
        config = configuration(directory, nodes, **changes)
        settings = yaml.safe_load(config.read_text())
        process = await running.enter_async_context(
            launched(config, admin_port=settings["admin"]["port"], log=directory / "log")
        )
        http = await running.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))
        yield Stack(
            port=settings["listen"]["port"],
            admin=settings["admin"]["port"],
            directory=directory,
            process=process,
            nodes=nodes,
            http=http,
        )
