"""The control process: ADS for Envoy, pool registration for the workers, health and metrics for people."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import structlog
import uvloop
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from governance import telemetry, yaml_source
from governance.config import parse
from governance.errors import PlacementUnavailable
from governance.frozen import frozen
from governance.settings import Config
from sidecar import sockets
from sidecar.ads import AdsServer
from sidecar.fleet import FleetState, NotAcknowledged
from sidecar.self_test import SelfTest
from sidecar.signals import stop_asked
from sidecar.sites import serving

_LOG = structlog.get_logger("ringfence.control")
_POLL_S = 0.5


@frozen
class Registration:
    """What a worker sends: node ids, one list per pool, and the digest of the configuration that says what they stand for."""

    version: str
    pools: list[list[str]]


_REGISTRATION = TypeAdapter(Registration)


def main(config_file: Path, content: Path) -> None:
    """Runs the control process until SIGTERM, as if `config_file` held what `content` does. Raises GovernanceError when it cannot start."""
    telemetry.configure_logging("control")
    uvloop.run(_serve(parse(yaml_source.text(content), config_file)))


async def _serve(config: Config) -> None:
    metrics = telemetry.ControlMetrics()
    async with AsyncExitStack() as stack:
        ads = AdsServer(
            f"unix:{sockets.clear(sockets.ads(config.state_directory))}",
            answered=lambda url, accepted: metrics.acked(url, accepted=accepted),
        )
        fleet = FleetState(config, ads)
        fleet.restore()
        await fleet.publish()
        await ads.start()
        stack.push_async_callback(ads.stop)
        refresh = asyncio.create_task(fleet.refresh())
        stack.callback(refresh.cancel)
        probe = SelfTest(
            config.listen.address, config.listen.port, tested=lambda passed: metrics.self_tested(passed=passed)
        )
        metrics.nodes.set(len(config.nodes))
        metrics.pools.follow(lambda: len(fleet.pools))
        metrics.xds_streams.follow(lambda: len(ads.status().streams))
        stopped = stop_asked()
        await stack.enter_async_context(
            serving(_pool_routes(config, fleet, metrics), sockets.control(config.state_directory))
        )
        await stack.enter_async_context(
            serving(_admin_routes(config, ads, probe, metrics), (config.admin.address, config.admin.port))
        )
        proof = asyncio.create_task(_prove(ads, probe))
        stack.callback(proof.cancel)
        _LOG.info("control_ready", nodes=len(config.nodes))
        await stopped.wait()


async def _prove(ads: AdsServer, probe: SelfTest) -> None:
    """Keeps the proof that the path inspects, from the first Envoy on: before it, there is no path that could fail to."""
    while not _configured(ads):  # noqa: ASYNC110  another process's state
        await asyncio.sleep(_POLL_S)
    await probe.keep()


def _configured(ads: AdsServer) -> bool:
    return any(stream.accepted for stream in ads.status().streams)


async def alive(_: web.Request) -> web.Response:
    """200 for as long as the event loop turns."""
    return web.json_response({"status": "alive"})


def _pool_routes(config: Config, fleet: FleetState, metrics: telemetry.ControlMetrics) -> list[web.RouteDef]:
    async def register(request: web.Request) -> web.Response:
        try:
            registration = _REGISTRATION.validate_json(await request.read())
        except ValidationError:
            return web.json_response({"error": "not a registration"}, status=400)
        if registration.version != config.config_digest:
            # The same ids may be other machines there.
            reason = "the worker runs another configuration than Envoy"
            _LOG.error("registration_refused", reason=reason)
            metrics.registered(ready=False)
            return web.json_response({"error": reason}, status=409)
        pools = registration.pools
        try:
            routed = await fleet.register(pools)
        except PlacementUnavailable as error:
            metrics.registered(ready=False)
            status = 504 if isinstance(error, NotAcknowledged) else 503
            return web.json_response({"error": str(error)}, status=status)
        metrics.registered(ready=True)
        return web.json_response({"pools": len(pools)}, status=200 if routed else 202)

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"pools": [pool.nodes for pool in fleet.pools]})

    return [web.post("/pools", register), web.get("/pools", live), web.get("/healthz", alive)]


def _admin_routes(
    config: Config, ads: AdsServer, probe: SelfTest, metrics: telemetry.ControlMetrics
) -> list[web.RouteDef]:
    workers = range(config.workers)

    async def from_worker(index: int, page: str) -> bytes:
        return await _from_worker(sockets.metrics(config.state_directory, index), page)

    async def ready(_: web.Request) -> web.Response:
        checks = {
            "envoy_configured": _configured(ads),
            # What the path proved within the hour says nothing of a worker that has stopped since.
            "worker_answers": any(await asyncio.gather(*(from_worker(index, "metrics") for index in workers))),
            "path_inspects": await probe.passed(),
        }
        return web.json_response(
            {"status": "ready" if all(checks.values()) else "not ready", **checks},
            status=200 if all(checks.values()) else 503,
        )

    async def scrape(_: web.Request) -> web.Response:
        parts = {"control": telemetry.render(metrics.registry)}
        for index in workers:
            parts[f"worker-{index}"] = await from_worker(index, "metrics")
        return web.Response(body=telemetry.merge(parts), headers={"content-type": telemetry.CONTENT_TYPE})

    async def policies(_: web.Request) -> web.Response:
        """Null for a worker that does not answer."""
        pages = {str(index): await from_worker(index, "policy") for index in workers}
        return web.json_response({"workers": {index: _json(page) for index, page in pages.items()}})

    return [
        web.get("/healthz", alive),
        web.get("/readyz", ready),
        web.get("/metrics", scrape),
        web.get("/policy", policies),
    ]


def _json(page: bytes) -> object:
    try:
        return json.loads(page)
    except ValueError:
        return None


async def _from_worker(path: Path, page: str) -> bytes:
    """A page of the worker; empty when it does not answer, which the merged page says of it."""
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=str(path)), timeout=aiohttp.ClientTimeout(total=2)
            ) as session,
            session.get(f"http://worker/{page}") as response,
        ):
            return await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return b""
