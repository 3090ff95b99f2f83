"""A worker's view of the fleet: asks the control process to route to a pool, once, and keeps it alive after that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

import aiohttp
import structlog

from governance.errors import PlacementUnavailable
from governance.nodes.node import Node, Pool

_LOG = structlog.get_logger("ringfence.placement")
_KEEP_ALIVE_S = 20.0
# A pool nobody asked for in this time is left to the control process to collect.
_IDLE_S = 600.0


class Placement:
    """Implements `governance.interfaces.Fleet` over the control process's Unix socket."""

    def __init__(self, nodes: Sequence[Node], socket_path: str, *, wait_ms: int = 1_000) -> None:
        self._nodes = tuple(nodes)
        self._socket_path = socket_path
        self._wait_s = wait_ms / 1_000
        self._live: dict[str, tuple[Pool, float]] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Starts keeping pools alive."""
        self._keeper = asyncio.create_task(self._keep_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeper.cancel()
        if self._session is not None:
            await self._session.close()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every declared node."""
        return self._nodes

    def pool(self, name: str) -> Pool | None:
        """The live pool of that name, or None."""
        live = self._live.get(name)
        return live[0] if live else None

    async def ensure(self, pool: Pool) -> None:
        """Returns once Envoy routes to `pool`. Raises PlacementUnavailable after the bounded wait."""
        now = asyncio.get_running_loop().time()
        if pool.name in self._live:
            self._live[pool.name] = (pool, now)
            return
        task = self._pending.get(pool.name)
        if task is None:
            task = asyncio.create_task(self._register([pool]))
            self._pending[pool.name] = task
            task.add_done_callback(lambda _: self._pending.pop(pool.name, None))
        try:
            await asyncio.wait_for(asyncio.shield(task), self._wait_s)
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise PlacementUnavailable("the pool is not routed yet") from None
        self._live[pool.name] = (pool, now)

    async def _keep_alive(self) -> None:
        """Runs for ever: tells the control process which pools are in use, so that a restarted one routes to them."""
        while True:
            await asyncio.sleep(_KEEP_ALIVE_S)
            now = asyncio.get_running_loop().time()
            self._live = {name: live for name, live in self._live.items() if now - live[1] < _IDLE_S}
            try:
                await self._register([pool for pool, _ in self._live.values()])
            except (PlacementUnavailable, aiohttp.ClientError, OSError, TimeoutError):
                _LOG.warning("pools_not_kept_alive", pools=len(self._live))

    async def _register(self, pools: Sequence[Pool]) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=self._socket_path))
        async with self._session.post(
            "http://control/pools", json={"pools": [list(pool.nodes) for pool in pools]}
        ) as response:
            if response.status != 200:
                raise PlacementUnavailable(f"the control process answered {response.status}")
