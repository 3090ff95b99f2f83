"""The proof that the path inspects, against a real server in Envoy's place."""

from __future__ import annotations

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

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    port, told = free_port(address), list[bool]()
    await web.TCPSite(runner, address, port).start()
    try:
        assert proved is await SelfTest(address, port, tested=told.append).passed()
        assert [proved] == told
    finally:
        await runner.cleanup()
