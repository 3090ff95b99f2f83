"""A worker's view of the fleet: asks the control process to route to a pool, once, and keeps it alive after that."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Self

import aiohttp
import structlog

from governance.errors import PlacementUnavailable
from governance.frozen import frozen
from governance.nodes.node import Node, Pool, pool_of
from sidecar.pools import IDLE_POOL_S, KEEP_ALIVE_S
from sidecar.sites import MAX_REQUEST_BYTES

_LOG = structlog.get_logger("ringfence.placement")
# A pool nobody asked for in this time is left to the control process to collect.
_IDLE_S = 600.0
_MOST_KNOWN = 4096
# Half of what the control process reads at once: a registration is little more than its pools.
_BATCH_BYTES = MAX_REQUEST_BYTES // 2
_ROUTED = 200
# Routed, routed for requests to come, waiting for Envoy: in each case the control process has taken up every pool.
_TAKEN_UP = (_ROUTED, 202, 504)


@frozen
class _Live:
    """A pool that Envoy was said to route to: last asked for at `used_s`, last taken up by the control process at `kept_s`."""

    pool: Pool
    used_s: float
    kept_s: float


class Placement:
    """Implements `governance.interfaces.Fleet` over the control process's Unix socket.

    A control process whose configuration is not of `version` refuses every pool.
    """

    def __init__(self, nodes: Sequence[Node], socket_path: str, *, version: str, wait_ms: int = 1_000) -> None:
        self._nodes = tuple(nodes)
        self._version = version
        self._socket_path = socket_path
        self._wait_s = wait_ms / 1_000
        self._live: dict[str, _Live] = {}
        self._known: dict[str, Pool] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Learns the pools that are live, and starts keeping its own alive."""
        await self._learn()
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
        """The pool of that name if it was live since this process started, or None. Long answers outlive their pool."""
        return self._known.get(name)

    async def ensure(self, pool: Pool) -> None:
        """Returns once Envoy routes to `pool`. Raises PlacementUnavailable after the bounded wait."""
        now = time.monotonic()
        live = self._live.get(pool.name)
        if live is not None:
            self._live[pool.name] = replace(live, used_s=now)
            return
        task = self._pending.get(pool.name)
        if task is None:
            task = asyncio.create_task(self._register(pool))
            self._pending[pool.name] = task
            task.add_done_callback(lambda _: self._pending.pop(pool.name, None))
        try:
            await asyncio.wait_for(asyncio.shield(task), self._wait_s)
        except (TimeoutError, aiohttp.ClientError, OSError):
            raise PlacementUnavailable("the pool is not routed yet") from None
        self._live[pool.name] = _Live(pool=pool, used_s=now, kept_s=now)
        self._remember(pool)

    async def _keep_alive(self) -> None:
        """Runs for ever: tells the control process which pools are in use, so that a restarted one routes to them."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            now = time.monotonic()
            self._live = {name: live for name, live in self._live.items() if now - live.used_s < _IDLE_S}
            for pools in _batches([live.pool for live in self._live.values()]):
                await self._keep(pools)

    async def _keep(self, pools: Sequence[Pool]) -> None:
        """Names `pools` again. Those that the control process may have given up are asked for anew when they are next used."""
        now = time.monotonic()
        taken_up, patience_s = False, 0.0
        try:
            taken_up = await self._post(pools) in _TAKEN_UP
        except aiohttp.ClientConnectorError:
            patience_s = math.inf  # Nobody is there to give up a pool, and Envoy goes on with what it has.
        except (aiohttp.ClientError, OSError, TimeoutError):
            patience_s = IDLE_POOL_S
        if not taken_up:
            _LOG.warning("pools_not_kept_alive", pools=len(pools))
        for live in [self._live[pool.name] for pool in pools if pool.name in self._live]:
            if taken_up:
                self._live[live.pool.name] = replace(live, kept_s=now)
            elif now - live.kept_s >= patience_s:
                del self._live[live.pool.name]

    async def _learn(self) -> None:
        """A worker that takes over from a dead one is told the outcomes of requests that it did not release."""
        nodes = {node.id: node for node in self._nodes}
        try:
            async with self._http().get("http://control/pools") as response:
                for ids in (await response.json())["pools"]:
                    self._remember(pool_of(nodes[node] for node in ids))
        except (aiohttp.ClientError, OSError, TimeoutError, KeyError):
            _LOG.warning("pools_not_learned")

    def _remember(self, pool: Pool) -> None:
        self._known.pop(pool.name, None)
        self._known[pool.name] = pool
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.UnixConnector(path=self._socket_path)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10))
        return self._session

    async def _register(self, pool: Pool) -> None:
        status = await self._post([pool])
        if status != _ROUTED:
            raise PlacementUnavailable(f"the control process answered {status}")

    async def _post(self, pools: Sequence[Pool]) -> int:
        registration = {"version": self._version, "pools": [pool.nodes for pool in pools]}
        async with self._http().post("http://control/pools", json=registration) as response:
            return response.status


def _batches(pools: Iterable[Pool]) -> Iterator[list[Pool]]:
    batch: list[Pool] = []
    held = 0
    for pool in pools:
        size = len(json.dumps(pool.nodes))
        if batch and held + size > _BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(pool)
        held += size
    if batch:
        yield batch
