"""A real OPA server with regopy behind it: the server goes away in the middle of a run, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from governance.policy.bundle import Bundle
from governance.policy.fallback import Answer, Fallback, answered
from governance.policy.opa import OpaEngine
from governance.policy.sample import samples
from governance.policy.watched import Watched
from tests.bundles import ALLOW, bundle_of, policy

pytestmark = pytest.mark.opa


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def opa_server(address: str) -> Iterator[subprocess.Popen[bytes]]:
    command = ["opa", "run", "--server", "--addr", address, "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(urllib.error.URLError, ConnectionError):
                    urllib.request.urlopen(f"http://{address}/health", timeout=1).close()
                    break
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def started(bundle: Bundle, address: str, *, deadline_ms: int = 10_000) -> AsyncIterator[Fallback]:
    async def server() -> OpaEngine:
        return await OpaEngine(bundle, url=f"http://{address}", deadline_ms=deadline_ms).start()

    second = await Watched.start(bundle, deadline_ms=20_000, rehearsals=samples())
    engine = await Fallback(OpaEngine.name, server, second).start()
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    body = f'effects contains {ALLOW} if "sample" in input.principal.groups'
    return bundle_of(tmp_path, {"p.rego": policy("p", body), "q.rego": policy("q")})


async def asked(engine: Fallback) -> Answer:
    return await answered(engine, ["p", "q"], samples()[1], rows=0)


async def until_answered_by(engine: Fallback, name: str) -> list[Answer]:
    """All answers up to the first one of the engine `name`, within a minute or so."""
    found: list[Answer] = []
    for _ in range(600):
        found.append(await asked(engine))
        if found[-1].engine == name:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"the engine `{name}` never answered")


async def test_a_server_that_dies_in_the_middle_of_a_run_is_not_missed(bundle: Bundle) -> None:
    """Every request is answered, with the same contributions, by who the answer says; then the server is asked again."""
    address = free_address()
    found: list[Answer] = []

    async def run() -> None:
        while not stopped.is_set():
            found.append(await asked(engine))

    stopped = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        with opa_server(address):
            engine = await stack.enter_async_context(started(bundle, address))
            running = [asyncio.create_task(run()) for _ in range(4)]
            await until_answered_by(engine, "opa")
        away = await until_answered_by(engine, "embedded")
        stopped.set()
        await asyncio.gather(*running)
        with opa_server(address):
            back = await until_answered_by(engine, "opa")

    everything = [*found, *away, *back]
    contributions = found[0].contributions
    assert [(None, 1), (None, 1)] == [(one.failure, len(one.effects)) for one in contributions]
    assert [contributions] * len(everything) == [one.contributions for one in everything]
    assert {("opa", "opa"), ("embedded", "regopy")} == {
        (one.engine, one.engine_version.partition(" ")[0]) for one in everything
    }


async def test_a_server_that_hangs_is_one_that_cannot_be_reached(bundle: Bundle) -> None:
    """While it is stopped the second engine answers after the deadline of the first; when it goes on, it answers again."""
    address = free_address()
    async with contextlib.AsyncExitStack() as stack:
        process = stack.enter_context(opa_server(address))
        engine = await stack.enter_async_context(started(bundle, address, deadline_ms=3000))
        before = await until_answered_by(engine, "opa")
        process.send_signal(signal.SIGSTOP)
        # All its threads have stopped: until then one may still answer.
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        hung = [await asked(engine) for _ in range(2)]
        process.send_signal(signal.SIGCONT)
        back = await until_answered_by(engine, "opa")

    assert ["embedded"] * 2 == [one.engine for one in hung]
    answers = [one.contributions for one in (*before, *hung, *back)]
    assert [answers[0]] * len(answers) == answers


async def test_a_server_that_is_away_at_the_start_is_given_the_bundle_when_it_comes(bundle: Bundle) -> None:
    """The second engine answers from the first request on."""
    address = free_address()
    async with started(bundle, address) as engine:
        away = await asked(engine)
        with opa_server(address):
            back = await until_answered_by(engine, "opa")

    assert ("embedded", away.contributions) == (away.engine, back[-1].contributions)
