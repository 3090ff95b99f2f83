"""Proof at start and every hour that Envoy asks us before it forwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from sidecar import probes

_VALID_S = 3600.0
# How soon a path that did not inspect is asked again, unless somebody asks before.
_AGAIN_S = 60.0
_PATH = "/.ringfence/self-test"


# A body reaches the worker in another way than a request without one; both have to be seen working.
_PROBES = (("GET", None), ("POST", b"{}"))


class SelfTest:
    """Proof that the path inspects: requests through Envoy must come back with a decision id of ours.

    Envoy has failed open silently when it could not create its ext_proc client (envoyproxy/envoy#45220). The proof is
    kept for an hour; each probe is a refused decision in the log.
    """

    def __init__(self, address: str, port: int, *, tested: Callable[[bool], None], valid_s: float = _VALID_S) -> None:
        """`tested` is told the result of every probe; a proof holds for `valid_s`."""
        self._tested = tested
        self._valid_s = valid_s
        self._url = probes.url(address, port) + _PATH
        self._proved_s: float | None = None
        # Whoever asks while a probe is under way waits for that one.
        self._probing = asyncio.Lock()

    async def passed(self) -> bool:
        """True when a worker has answered through Envoy, now or within the last hour."""
        async with self._probing:
            if self._left_s() > 0:
                return True
            now = asyncio.get_running_loop().time()
            inspected = await self._inspects()
            self._tested(inspected)
            self._proved_s = now if inspected else None
            return inspected

    async def keep(self) -> None:
        """Proves it now and whenever the last proof has run out, until cancelled."""
        while True:  # noqa: ASYNC110  the clock's state
            await asyncio.sleep(self._left_s() if await self.passed() else _AGAIN_S)

    def _left_s(self) -> float:
        """How long the last proof still holds; 0 without one."""
        if self._proved_s is None:
            return 0.0
        return max(0.0, self._proved_s + self._valid_s - asyncio.get_running_loop().time())

    async def _inspects(self) -> bool:
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
                return all([await self._refused(session, method, body) for method, body in _PROBES])
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _refused(self, session: aiohttp.ClientSession, method: str, body: bytes | None) -> bool:
        async with session.request(method, self._url, data=body) as response:
            return response.status == 404 and "x-ringfence-decision-id" in response.headers
