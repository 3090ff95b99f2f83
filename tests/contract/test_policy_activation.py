"""A signed bundle over HTTP on its way into force: what does not pass changes nothing and says why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from governance.config import load
from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, configured
from governance.policy.distribution.acceptance import Candidate
from governance.policy.distribution.bundle_commands import build
from governance.policy.distribution.signing import read_key
from sidecar import worker
from sidecar.policies import Policies
from tests.bundles import policy, write

NODE = "nodes: [{id: a, address: '127.0.0.1:1', country: DE, region: x, tier: device, models: [m]}]\n"
# A machine under load takes its time to start a process.
PATIENCE_S = 240.0
pytestmark = pytest.mark.timeout(900)


class Publisher:
    """Makes signed bundles of one policy and serves the newest over HTTP."""

    def __init__(self, top: Path) -> None:
        self.top, self.raw, self.url = top, b"", ""
        self.secret = top / "policy.key"
        self.secret.write_text(secrets.token_hex(24))
        self.secret.chmod(0o600)

    def publish(self, revision: str, expected: str) -> None:
        """From now on a bundle whose own case expects `expected`."""
        files = {"p/policy.rego": policy("p"), "p/cases.yaml": f"- name: any\n  effects: [{expected}]\n"}
        source, out = write(self.top / revision, files), self.top / "b.tar.gz"
        build([source], out, key=read_key(self.secret), revision=revision)
        self.raw = out.read_bytes()

    def policies(self, directories: Sequence[Path] = ()) -> Policies:
        """Those of a worker that watches this server, and has `directories` beside it."""
        file = self.top / "ringfence.yaml"
        bundle = f"{{url: '{self.url}', key_file: policy.key, poll_s: 1}}"
        beside = json.dumps([str(directory) for directory in directories])
        file.write_text(f"policy: {{directories: {beside}, engine: embedded, bundle: {bundle}}}\n{NODE}")
        return Policies(load(file), self.top / "state")

    async def answer(self, _: web.Request) -> web.Response:
        return web.Response(body=self.raw, headers={"Content-Type": "application/gzip"})


@pytest.fixture
async def publisher(tmp_path: Path) -> AsyncIterator[Publisher]:
    """A server on a loopback port."""
    found = Publisher(tmp_path)
    app = web.Application()
    app.router.add_get("/b.tar.gz", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/b.tar.gz"
    try:
        yield found
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def following(policies: Policies) -> AsyncIterator[list[str]]:
    """The revisions that are put in force, as they are."""
    swapped: list[str] = []

    async def swap(bundle: Bundle) -> None:
        swapped.append(bundle.revision)

    follower = asyncio.create_task(policies.follow(swap))
    try:
        yield swapped
    finally:
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower
        await policies.close()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE_S / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the condition did not come true in time")


async def test_a_bundle_whose_own_case_fails_is_not_put_in_force(publisher: Publisher) -> None:
    """The last good one stays, the status names policy and case, and the next good one is taken."""
    publisher.publish("first", "allow/all")
    policies = publisher.policies()
    first = await policies.start()

    async with following(policies) as swapped:
        publisher.publish("second", "deny/all")
        await until(lambda: bool(policies.status and policies.status.failing))
        refused = policies.status
        assert refused is not None
        assert ("first", [], "config_invalid", True, True) == (
            refused.revision,
            swapped,
            refused.code,
            refused.signed,
            "policy `p` fails its own case on embedded: `any`" in refused.reason,
        )

        publisher.publish("third", "allow/all")
        await until(lambda: swapped == ["third"])
        await until(lambda: policies.status is not None and policies.status.failing == 0)

    well = policies.status
    assert well is not None
    assert ("first", "third", 0, "", 2) == (first.revision, well.revision, well.failing, well.reason, well.activations)
    described = policies.described(policies.load())
    assert ("third", 1, "embedded", "third") == (
        described["revision"],
        described["policies"],
        described["engine"],
        described["watched"]["revision"],
    )


async def test_what_did_not_pass_is_not_tested_with_every_question(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An origin offers it again and again; each time it is refused for the reason of before."""
    asked: list[str] = []

    async def refuse(candidate: Candidate) -> None:
        asked.append(candidate.bundle.revision)
        if candidate.bundle.revision == "second":
            raise ConfigInvalid("takes more than 60 seconds")

    monkeypatch.setattr("sidecar.policies.accept", refuse)
    publisher.publish("first", "allow/all")
    policies = publisher.policies()
    await policies.start()

    async with following(policies):
        publisher.publish("second", "allow/all")
        await until(lambda: policies.status is not None and policies.status.failing > 2)

    assert policies.status is not None
    assert (["first", "second"], "takes more than 60 seconds") == (asked, policies.status.reason)


async def test_directories_read_again_during_a_swap_stand_beside_the_new_bundle(publisher: Publisher) -> None:
    """SIGHUP while a bundle is put in force does not bring back the one before it."""
    swapping, goes_on = asyncio.Event(), asyncio.Event()
    swapped: list[str] = []

    async def swap(bundle: Bundle) -> None:
        swapping.set()
        await goes_on.wait()
        swapped.append(bundle.revision)

    publisher.publish("first", "allow/all")
    policies = publisher.policies()
    await policies.start()
    publisher.publish("second", "allow/all")
    follower = asyncio.create_task(policies.follow(swap))
    async with asyncio.timeout(PATIENCE_S):
        await swapping.wait()
        again = asyncio.create_task(policies.again(swap))
        await asyncio.sleep(0)
        goes_on.set()
        await again
    follower.cancel()
    await policies.close()

    assert ["second", "second"] == swapped


async def test_a_failure_of_ours_at_sighup_is_told(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the reload: what is not logged is lost. Of an unknown error its kind is, and no content."""

    def fail(*_: Any) -> Bundle:
        raise RuntimeError("content")

    monkeypatch.setattr("sidecar.policies.configured", fail)
    nobody: Any = None
    with structlog.testing.capture_logs() as said:
        await worker._Reload(publisher.policies(), nobody, nobody).again()

    assert [
        {"event": "policy_reload_refused", "log_level": "error", "code": "internal_error", "reason": "RuntimeError"}
    ] == said


async def test_the_event_loop_goes_on_while_directories_are_read_again(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading takes seconds where there are many rules, and requests do not wait for it."""
    publisher.publish("first", "allow/all")
    policies = publisher.policies()
    await policies.start()
    goes_on = threading.Event()
    swapped: list[str] = []

    def slow(*sources: Any) -> Bundle:
        assert goes_on.wait(30)
        return configured(*sources)

    async def swap(bundle: Bundle) -> None:
        swapped.append(bundle.revision)

    monkeypatch.setattr("sidecar.policies.configured", slow)
    again = asyncio.create_task(policies.again(swap))
    await asyncio.sleep(0)
    goes_on.set()
    await again
    await policies.close()

    assert ["first"] == swapped


async def test_a_change_beside_a_bundle_that_is_tested_is_not_undone(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was read before the tests ran is not put in force; the next question takes the directory as it is."""
    own = write(tmp_path / "own", {"mine.rego": policy("mine")})
    swapped: list[dict[str, str]] = []

    def versions(bundle: Bundle) -> dict[str, str]:
        return {"revision": bundle.revision, **{one.id: one.version for one in bundle.policies}}

    async def swap(bundle: Bundle) -> None:
        swapped.append(versions(bundle))

    async def accept(candidate: Candidate) -> None:
        if candidate.bundle.revision == "second" and not swapped:
            write(own, {"mine.rego": policy("mine", version="9.0.0")})
            await policies.again(swap)

    monkeypatch.setattr("sidecar.policies.accept", accept)
    publisher.publish("first", "allow/all")
    policies = publisher.policies([own])
    before = versions(await policies.start())
    publisher.publish("second", "allow/all")
    follower = asyncio.create_task(policies.follow(swap))
    await until(lambda: len(swapped) > 1)
    follower.cancel()
    await policies.close()

    assert policies.status is not None
    assert (
        {"revision": "first", "mine": "1.0.0", "p": "1.0.0"},
        [
            {"revision": "first", "mine": "9.0.0", "p": "1.0.0"},
            {"revision": "second", "mine": "9.0.0", "p": "1.0.0"},
        ],
        1,
    ) == (before, swapped, policies.status.failures)


async def test_a_start_with_a_bundle_that_fails_takes_the_last_good_one(publisher: Publisher) -> None:
    """And without a last good one there is no start."""
    publisher.publish("wrong", "deny/all")
    none = publisher.policies()
    with pytest.raises(ConfigInvalid, match="policy `p` fails its own case"):
        await none.start()
    await none.close()
    publisher.publish("good", "allow/all")
    before = publisher.policies()
    await before.start()
    await before.close()

    publisher.publish("wrong", "deny/all")
    policies = publisher.policies()
    bundle = await policies.start()
    await policies.close()

    assert policies.status is not None
    assert ("good", True, 1) == (bundle.revision, policies.status.kept, policies.status.failing)
