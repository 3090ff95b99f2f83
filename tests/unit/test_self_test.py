"""The proof that the path inspects, against a real server in Envoy's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sidecar.probes import free_port
from sidecar.self_test import SelfTest

INSPECTED = {"x-ringfence-decision-id": "1"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("status", "headers", "proved"), [(404, INSPECTED, True), (404, {}, False), (200, INSPECTED, False)]
)
async def test_a_refusal_with_a_decision_is_the_proof(
    address: str, status: int, headers: dict[str, str], proved: bool
) -> None:
    """On an address of either kind; and every result is told."""
    told = list[bool]()
    async with answering(address, status, headers) as port:
        assert proved is await SelfTest(address, port, tested=told.append).passed()

    assert [proved] == told


async def test_who_asks_at_the_same_time_is_told_by_one_probe() -> None:
    """And who asks later, for as long as the proof holds."""
    told = list[bool]()
    async with answering("127.0.0.1", 404, INSPECTED) as port:
        probe = SelfTest("127.0.0.1", port, tested=told.append)
        assert [True, True] == await asyncio.gather(probe.passed(), probe.passed())
        assert await probe.passed()

    assert [True] == told


async def test_a_proof_is_renewed_when_it_has_run_out() -> None:
    """Without anybody who asks."""
    told, renewed = list[bool](), asyncio.Event()

    def tell(passed: bool) -> None:
        told.append(passed)
        if len(told) == 3:
            renewed.set()

    async with answering("127.0.0.1", 404, INSPECTED) as port:
        keeping = asyncio.create_task(SelfTest("127.0.0.1", port, tested=tell, valid_s=0.001).keep())
        await asyncio.wait_for(renewed.wait(), 30)
        keeping.cancel()

    assert [True, True, True] == told[:3]


@asynccontextmanager
async def answering(address: str, status: int, headers: dict[str, str]) -> AsyncIterator[int]:
    """The port of a server that answers everything so."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        port = free_port(address)
        await web.TCPSite(runner, address, port).start()
        yield port
    finally:
        await runner.cleanup()
