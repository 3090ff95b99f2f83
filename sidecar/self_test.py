"""Proof at start and every hour that Envoy asks us before it forwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

_VALID_S = 3600.0
_PATH = "/.ringfence/self-test"


class SelfTest:
    """Proof that the path inspects: a request through Envoy must come back with a decision id of ours.

    Envoy has failed open silently when it could not create its ext_proc client (envoyproxy/envoy#45220). The proof is
    kept for an hour; each one is a refused decision in the log.
    """

    def __init__(self, address: str, port: int, *, tested: Callable[[bool], None]) -> None:
        """`tested` is told the result of every probe."""
        self._tested = tested
        self._url = f"http://{address}:{port}{_PATH}"
        self._proved_s: float | None = None

    async def passed(self) -> bool:
        """True when a worker has answered through Envoy, now or within the last hour."""
        now = asyncio.get_running_loop().time()
        if self._proved_s is not None and now - self._proved_s < _VALID_S:
            return True
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.post(self._url, data=b"{}") as response,
            ):
                inspected = response.status == 404 and "x-ringfence-decision-id" in response.headers
        except (aiohttp.ClientError, TimeoutError):
            inspected = False
        self._tested(inspected)
        self._proved_s = now if inspected else None
        return inspected
