"""Demo nodes: small OpenAI-compatible servers that answer with a fixed text and keep what they received.

They serve no model. They exist so that a person can see which bytes arrived where.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

_WORDS = ("This ", "is ", "a ", "demo ", "node.")


@dataclass(slots=True, kw_only=True)
class DemoNode:
    """One node on a loopback port, and the bodies and headers it received, in order."""

    id: str
    country: str
    tier: str
    models: tuple[str, ...]
    port: int = 0
    received: list[bytes] = field(default_factory=list, repr=False)
    heads: list[dict[str, str]] = field(default_factory=list, repr=False)
    runner: web.AppRunner | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listens; the port is chosen when it is 0."""
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/health", _healthy)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        """Closes the port: the node is down from here on."""
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.received.append(raw)
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        body = orjson.loads(raw)
        if not body.get("stream"):
            return web.json_response(self._completion(body))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for word in _WORDS:
            await response.write(_event(self._chunk(body, {"content": word})))
            await asyncio.sleep(0.02)
        await response.write(_event({**self._chunk(body, {}), "usage": _usage(body)}))
        await response.write(b"data: [DONE]\n\n")
        return response

    def _completion(self, body: dict[str, object]) -> dict[str, object]:
        message = {"role": "assistant", "content": "".join(_WORDS)}
        return {
            "id": f"demo-{len(self.received)}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage(body),
            "system_fingerprint": self.id,
        }

    def _chunk(self, body: dict[str, object], delta: dict[str, str]) -> dict[str, object]:
        return {
            "id": f"demo-{len(self.received)}",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}],
            "system_fingerprint": self.id,
        }


def _usage(body: dict[str, object]) -> dict[str, int]:
    prompt = len(orjson.dumps(body.get("messages"))) // 4
    return {"prompt_tokens": prompt, "completion_tokens": len(_WORDS), "total_tokens": prompt + len(_WORDS)}


def _event(payload: dict[str, object]) -> bytes:
    return b"data: " + orjson.dumps(payload) + b"\n\n"


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


@asynccontextmanager
async def running(nodes: tuple[DemoNode, ...]) -> AsyncIterator[tuple[DemoNode, ...]]:
    """The nodes, listening; all are stopped at the end."""
    try:
        for node in nodes:
            await node.start()
        yield nodes
    finally:
        for node in nodes:
            await node.stop()
