"""A load on loopback: keep-alive connections in a closed loop, and a node that answers at once.

Both live in the bench's own process, so that their cost is in no figure.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Callable

from governance.frozen import frozen

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ANSWER_BODY = (
    b'{"id":"bench","object":"chat.completion","created":0,"model":"bench","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_ANSWER_BODY),
    _ANSWER_BODY,
)


@frozen
class Load:
    """What a run saw. Latencies are in milliseconds, sorted."""

    requests: int
    failures: int
    seconds: float
    latencies_ms: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """The latency below which `share` of the requests lie."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))]


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1])) if length else b""


async def node(port: int = 0) -> asyncio.Server:
    """A node on loopback that answers every request with the same completion."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _read(reader)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


async def run(port: int, body: Callable[[int], bytes], *, clients: int, seconds: float) -> Load:
    """Requests with `body(n)` for the n-th one, from `clients` connections for `seconds`."""
    count, failures = itertools.count(), 0
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < end:
                content = body(next(count))
                started = time.perf_counter()
                writer.write(
                    b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%b" % (len(content), content)
                )
                head, _ = await _read(reader)
                latencies.append((time.perf_counter() - started) * 1_000)
                failures += not head.startswith(b"HTTP/1.1 200")
        finally:
            writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(
        requests=len(latencies),
        failures=failures,
        seconds=time.perf_counter() - started,
        latencies_ms=tuple(sorted(latencies)),
    )
