"""`ringfence policy status`: what a running installation says of its policies."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from governance.errors import PolicyUnavailable
from governance.policy.distribution.status_command import status_command
from sidecar.probes import free_port

WATCHED = {
    "origin": "https://bundles.example/b.tar.gz",
    "signed": True,
    "kept": True,
    "revision": "7",
    "digest": "d",
    "activations": 1,
    "failures": 2,
    "failing": 2,
    "asked_unix_s": 0,
    "succeeded_unix_s": 0,
    "activated_unix_s": 0,
    "code": "config_invalid",
    "reason": "policy `p` fails its own case on plan: `a\x1b[2J`",
}
WORKER = {"revision": "7", "digest": "abcdef0123456789", "data_digest": "d", "policies": 3, "engine": "plan"}


@contextlib.asynccontextmanager
async def admin(body: str) -> AsyncIterator[int]:
    """The port of an admin address that answers `body`."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/policy", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def asked(body: str, *, as_json: bool = False) -> int:
    async with admin(body) as port:
        return await asyncio.to_thread(status_command, "0.0.0.0", port, as_json=as_json)


def says(**workers: dict[str, Any] | None) -> str:
    return json.dumps({"workers": {name.removeprefix("w"): worker for name, worker in workers.items()}})


async def test_each_worker_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Revision, engine, origin and the reason of a refusal; what the reason holds cannot speak to the terminal."""
    body = says(w0=WORKER | {"watched": WATCHED}, w1=WORKER | {"watched": None}, w2=None)

    code = await asked(body)

    assert (1, [
        "worker 0: revision 7, digest abcdef012345, 3 policies on engine plan",
        "    from https://bundles.example/b.tar.gz (signed, the last good one from disk)",
        "    put in force never; asked never, with success never",
        "    2 failures in a row: config_invalid: policy `p` fails its own case on plan: `a\ufffd[2J`",
        "worker 1: revision 7, digest abcdef012345, 3 policies on engine plan",
        "    no bundle is watched",
        "worker 2: does not answer",
    ]) == (code, capsys.readouterr().out.splitlines())  # fmt: skip


async def test_the_exit_code_is_that_of_the_worst_worker(capsys: pytest.CaptureFixture[str]) -> None:
    """0 only where all answer and no question to the origin fails; as JSON it is what the workers said."""
    well = says(w0=WORKER | {"watched": WATCHED | {"failing": 0}}, w1=WORKER | {"watched": None})

    assert (0, 1) == (await asked(well, as_json=True), await asked(says(w1=None)))
    assert json.loads(well) == json.loads(capsys.readouterr().out.splitlines()[0])


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"workers": 3}'])
async def test_something_else_at_the_address_is_told_apart(body: str) -> None:
    """Another program's answer is no status."""
    with pytest.raises(PolicyUnavailable, match="is not Ringfence"):
        await asked(body)


def test_nothing_at_the_address_is_an_error() -> None:
    """The command says where it asked."""
    port = free_port("127.0.0.1")

    with pytest.raises(PolicyUnavailable, match=f"nothing answers at 127.0.0.1:{port}"):
        status_command("127.0.0.1", port, as_json=False)
