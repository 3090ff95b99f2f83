"""The live pools and what Envoy is offered for them; nodes given by name are resolved here."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from governance.errors import ConfigInvalid, PlacementUnavailable
from governance.frozen import frozen
from governance.nodes.node import Node, Pool, pool_of, possible_cells
from governance.settings import Config
from sidecar import sockets
from sidecar.ads import AdsServer
from sidecar.clusters import ip_of, split_address
from sidecar.dataplane import DataPlane, HealthCheck, Retries
from sidecar.pools import IDLE_POOL_S, MAX_CELLS, PoolTable
from sidecar.resources import build

_LOG = structlog.get_logger("ringfence.fleet")
_ACK_S = 5.0
_RESOLVE_S = 30.0
_ANSWER_S = 5.0


@frozen
class _Kept:
    """What the next control process goes on with: node ids of each pool, IP addresses by host.

    By host, as a node of the same id may be another machine there.
    """

    pools: list[list[str]]
    addresses: dict[str, tuple[str, ...]]


_KEPT = TypeAdapter(_Kept)


@frozen
class _Offered:
    """What the snapshot that Envoy was given last was made of: names of cells and pools, IP addresses by host."""

    cells: frozenset[str]
    pools: frozenset[str]
    addresses: Mapping[str, tuple[str, ...]]


class NotAcknowledged(PlacementUnavailable):
    """The pools are live, and Envoy has not accepted the configuration that holds them."""


class FleetState:
    """The pools that are live, and the snapshot Envoy was given. Used on one event loop."""

    def __init__(self, config: Config, ads: AdsServer) -> None:
        self._config = config
        self._settings = data_plane(config)
        self._ads = ads
        self._nodes: Mapping[str, Node] = {node.id: node for node in config.nodes}
        self._table = PoolTable.of(config.nodes, base=_base_pools(config.nodes))
        self._routed = possible_cells(config.nodes, most=MAX_CELLS)
        self._hosts = {node.id: host for node in config.nodes if ip_of(host := split_address(node.address)[0]) is None}
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._lookups: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._offered = _Offered(cells=frozenset(), pools=frozenset(), addresses={})
        self._file = config.state_directory / "pools.json"

    def restore(self) -> None:
        """Takes up the pools and addresses of the control process before this one: workers and Envoy count on them.

        To be called before the first `publish`. What cannot be read, or names a node or host that is gone, is left out, and
        so are addresses of one that ended long ago: they may be another machine's by now.
        """
        now = asyncio.get_running_loop().time()
        with suppress(OSError, ValidationError):
            kept = _KEPT.validate_json(self._file.read_bytes())
            lately = time.time() - self._file.stat().st_mtime < IDLE_POOL_S
            hosts = kept.addresses.keys() & self._hosts.values() if lately else ()
            self._addresses = {host: kept.addresses[host] for host in hosts if all(map(ip_of, kept.addresses[host]))}
            for ids in kept.pools:
                with suppress(PlacementUnavailable):
                    self._table = self._table.add(self._pool(ids), now_s=now)

    async def register(self, pools: Sequence[Sequence[str]]) -> bool:
        """True when Envoy routes to every pool, False when it will for requests that begin from now on.

        Raises PlacementUnavailable for unknown nodes, for pools that a full table has no room for, the others being taken
        up all the same, and NotAcknowledged for a missing ACK.
        """
        now = asyncio.get_running_loop().time()
        asked = [self._pool(ids) for ids in pools]
        before = self._offered.cells | set(self._routed)
        table = self._table
        for pool in asked:
            with suppress(PlacementUnavailable):
                table = table.add(pool, now_s=now)
        self._table = table
        # A snapshot takes time that grows with nodes and pools: those who register at once share one.
        await asyncio.sleep(0)
        version = self._offer()
        if any(pool.name not in table.live for pool in asked):
            raise PlacementUnavailable("too many pools or cells are in use")
        cells = self._offered.cells
        # What Envoy refuses of other cells, such as one whose trust store was broken, is no reason to refuse these pools.
        beside = cells - {pool.cell for pool in asked}
        # A later change may take this version's place before Envoy has answered; it then holds these pools as well.
        while not await self._ads.wait_acked(version, _ACK_S, beside=beside):
            if self._ads.snapshot is None or self._ads.snapshot.version == version:
                raise NotAcknowledged("Envoy has not acknowledged the configuration")
            version = self._ads.snapshot.version
        return cells <= before

    async def publish(self) -> None:
        """Resolves names and offers the snapshot of now to Envoy. Raises ConfigInvalid when lint refuses it."""
        self._addresses = await self._resolve()
        # Also where nothing changed: when the file was written is when this process was there last.
        self._keep()
        self._offer()

    async def _resolve(self) -> dict[str, tuple[str, ...]]:
        """IP addresses by host. A name that does not resolve, or not in time, keeps its last addresses."""
        for host in self._hosts.values():
            # One that is still being asked for is not asked for twice: lookups wait for few threads while DNS is out.
            if host not in self._lookups:
                self._lookups[host] = asyncio.create_task(_addresses(host))
        found = dict(self._addresses)
        if self._lookups:
            await asyncio.wait(self._lookups.values(), timeout=_ANSWER_S)
        for node, host in self._hosts.items():
            lookup = self._lookups[host]
            if lookup.done() and lookup.exception() is None:
                found[host] = lookup.result()
            else:
                _LOG.warning("node_not_resolved", node=node)
        self._lookups = {host: lookup for host, lookup in self._lookups.items() if not lookup.done()}
        return found

    def _offer(self) -> str:
        """The version that Envoy is offered, which is of the pools and addresses of now. Raises ConfigInvalid."""
        live, known = self._table.live, self._ads.snapshot
        pools = frozenset(live)
        if known is not None and (pools, self._addresses) == (self._offered.pools, self._offered.addresses):
            return known.version
        if pools != self._offered.pools:
            self._keep()
        version = self._ads.publish(
            build(
                self._settings,
                self._table.cells,
                {node: self._addresses[host] for node, host in self._hosts.items() if host in self._addresses},
                routed=self._routed,
                previous=known,
            )
        )
        cells = frozenset(one.pool.cell for one in live.values())
        self._offered = _Offered(cells=cells, pools=pools, addresses=self._addresses)
        return version

    def _keep(self) -> None:
        # A pool that is not kept is registered again by the workers that use it, and names are asked for again; no reason
        # to refuse anything now.
        draft = self._file.with_suffix(".tmp")
        try:
            pools = [live.pool.nodes for live in self._table.live.values() if not live.base]
            draft.write_bytes(orjson.dumps({"pools": pools, "addresses": self._addresses}))
            os.replace(draft, self._file)  # noqa: PTH105  one name over another, on the event loop's own small file
        except OSError as error:
            _LOG.warning("pools_not_kept", reason=error.strerror)

    async def refresh(self) -> None:
        """Runs for ever: resolves names again, drops idle pools and offers again what Envoy refused."""
        while True:
            await asyncio.sleep(_RESOLVE_S)
            now = asyncio.get_running_loop().time()
            self._table = self._table.collect(now_s=now, idle_s=IDLE_POOL_S)
            try:
                await self.publish()
            except ConfigInvalid as error:
                _LOG.error("configuration_refused", reason=str(error))
            self._ads.offer_again()

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools that are live."""
        return tuple(live.pool for live in self._table.live.values())

    def _pool(self, ids: Sequence[str]) -> Pool:
        unknown = [node for node in ids if node not in self._nodes]
        if unknown or not ids:
            raise PlacementUnavailable("the pool holds a node that is not declared")
        return pool_of(self._nodes[node] for node in ids)


def data_plane(config: Config) -> DataPlane:
    """The data plane's settings that the configuration leads to."""
    return DataPlane(
        worker_sockets=tuple(str(sockets.worker(config.state_directory, index)) for index in range(config.workers)),
        listen_address=config.listen.address,
        listen_port=config.listen.port,
        max_body_bytes=config.limits.max_body_bytes,
        streamed_body_bytes=config.limits.streamed_body_bytes,
        message_timeout_ms=config.limits.message_timeout_ms,
        upstream_timeout_ms=config.limits.request_timeout_ms,
        health_check=HealthCheck(
            path=config.health_check.path,
            interval_ms=config.health_check.interval_ms,
            timeout_ms=config.health_check.timeout_ms,
            unhealthy_threshold=config.health_check.unhealthy_threshold,
            healthy_threshold=config.health_check.healthy_threshold,
        ),
        retries=Retries(attempts=config.retries),
        trusted_proxies=config.identity.trusted_proxies,
        claim_headers=config.identity.headers,
    )


def _base_pools(nodes: Sequence[Node]) -> list[Pool]:
    """For each model the pool of all nodes that serve it: what an unpinned request goes to."""
    models = sorted({model for node in nodes for model in node.models})
    pools = {pool_of([node for node in nodes if model in node.models]) for model in models}
    return sorted(pools, key=lambda pool: pool.name)


async def _addresses(host: str) -> tuple[str, ...]:
    """Raises OSError for a name that does not resolve."""
    rows = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(sorted({str(row[4][0]) for row in rows}))
