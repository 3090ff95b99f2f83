"""A signed bundle over HTTP on its way into force: what does not pass changes nothing and says why."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from governance.config import load
from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle
from governance.policy.distribution.acceptance import Candidate
from governance.policy.distribution.bundle_commands import build
from governance.policy.distribution.signing import read_key
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

    def policies(self) -> Policies:
        """Those of a worker that watches this server."""
        file = self.top / "ringfence.yaml"
        bundle = f"{{url: '{self.url}', key_file: policy.key, poll_s: 1}}"
        file.write_text(f"policy: {{directories: [], engine: embedded, bundle: {bundle}}}\n{NODE}")
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
