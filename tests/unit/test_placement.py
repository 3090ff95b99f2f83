"""A worker's pools: kept alive whatever their size, and asked for again once the control process may have given them up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from governance.errors import PlacementUnavailable
from governance.nodes.node import Node, Pool, pool_of
from governance.residency import Tier
from sidecar.placement import Placement
from sidecar.sites import serving

NODES = [
    Node(
        id=f"{n:03d}-{'x' * 200}", address=f"127.0.0.1:{n}", country="DE", region="r", tier=Tier.ON_PREM, models=("m",)
    )
    for n in range(1, 401)
]


class Control:
    """Answers each registration with `status`, with None not at all, and counts how often each pool was named."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.named: Counter[tuple[str, ...]] = Counter()

    async def register(self, request: web.Request) -> web.Response:
        """As the control process does; it reads no more than it says."""
        self.named.update(tuple(ids) for ids in (await request.json())["pools"])
        if self.status is None:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({}, status=self.status or 500)

    async def live(self, _: web.Request) -> web.Response:
        """None, as after a start."""
        return web.json_response({"pools": []})


@asynccontextmanager
async def placed(control: Control, directory: Path) -> AsyncIterator[Placement]:
    """A worker's placement that is served by `control`."""
    socket = directory / "control.sock"
    routes = [
        web.post("/pools", control.register),
        web.get("/pools", control.live),
    ]
    async with serving(routes, socket), Placement(NODES, str(socket), version="v") as placement:
        yield placement


async def until(holds: Callable[[], bool]) -> None:
    """Returns once `holds`. Raises TimeoutError after half a minute."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  the loop of the keep-alive says nothing when it has turned
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.placement.KEEP_ALIVE_S", 0.01)


async def test_pools_of_any_size_are_kept_alive(tmp_path: Path) -> None:
    """What is more than the control process reads at once is named in parts."""
    large = [pool_of(NODES[n:]) for n in range(16)]
    control = Control()
    async with placed(control, tmp_path) as placement:
        for pool in large:
            await placement.ensure(pool)
        control.named.clear()

        await until(lambda: all(control.named[pool.nodes] for pool in large))


async def given_up(placement: Placement, pool: Pool) -> None:
    async with asyncio.timeout(30):
        while True:
            await placement.ensure(pool)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("status", [503, 409, 413])
async def test_a_pool_whose_keep_alive_is_refused_is_asked_for_again(tmp_path: Path, status: int) -> None:
    """The control process may have given it up; once it is taken up again requests go on."""
    pool = pool_of(NODES[:2])
    control = Control()
    async with placed(control, tmp_path) as placement:
        await placement.ensure(pool)
        control.status = status
        with pytest.raises(PlacementUnavailable):
            await given_up(placement, pool)

        control.status = 200
        await placement.ensure(pool)


@pytest.mark.parametrize("status", [202, 504, None])
async def test_a_pool_that_is_not_given_up_stays_routed(tmp_path: Path, status: int | None) -> None:
    """While Envoy is slow to accept it, or the control process to answer, requests go on."""
    pool = pool_of(NODES[:2])
    control = Control()
    async with placed(control, tmp_path) as placement:
        await placement.ensure(pool)
        control.status = status
        control.named.clear()
        await until(lambda: control.named[pool.nodes] >= 3)

        await placement.ensure(pool)


async def test_a_pool_that_was_not_answered_for_too_long_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then the control process has collected it."""
    monkeypatch.setattr("sidecar.placement.IDLE_POOL_S", 0.0)
    pool = pool_of(NODES[:2])
    control = Control()
    async with placed(control, tmp_path) as placement:
        await placement.ensure(pool)
        control.status = None
        with pytest.raises(PlacementUnavailable):
            await given_up(placement, pool)
