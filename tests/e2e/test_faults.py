"""The whole product while its parts fail: what every node received, what callers saw, what is on record.

One installation serves most of the module. Each test breaks one part, looks at its own requests, and leaves the
installation whole; the fixture `s` proves that before the next one starts. Tests that end nodes have nodes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest
import pytest_asyncio
import yaml
from aiohttp import web
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from governance.audit.verify import verify
from governance.errors import PlacementUnavailable
from governance.nodes.node import pool_of
from sidecar import sockets
from sidecar.demo.nodes import DemoNode
from sidecar.placement import Placement
from tests.builders import node as declared
from tests.bundles import policy, write
from tests.e2e.stack import HOST, Answer, Stack, chat, configuration, kill, stack, until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

LIMITS = {"message_timeout_ms": 2_000, "detection_deadline_ms": 1_500}
AUDIT_BYTES = 64 << 20
# A worker imports for seconds on a busy machine.
RECOVERY_S = 40.0
HEALTH = "Patientin mit Diabetes, Krankenversichertennummer A123456780: fasse den Befund zusammen."
NUMBERED = re.compile(rb"request number (\d+) of")
FAULTS = ("error-500", "error-503", "reset", "down", "broken-stream", "silent")


# --- nodes that fail -------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Node(DemoNode):
    """A demo node that keeps the decision id of each request, and fails as `fault` says."""

    fault: str = ""
    pace_s: float = 0.0
    ids: list[str] = field(default_factory=list)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.ids.append(request.headers.get("x-ringfence-decision-id", ""))
        match self.fault:
            case "":
                return await self._answer(request)
            case "broken-stream":
                return await self._break(request)
        self.received.append(await request.read())
        if self.fault == "reset":
            assert request.transport is not None
            request.transport.abort()
        if self.fault == "silent":
            await asyncio.sleep(20)
        return web.json_response({"error": {"message": "node"}}, status=int(self.fault.removeprefix("error-") or 500))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not self.pace_s:
            return await DemoNode._chat(self, request)
        self.received.append(await request.read())
        response = await self._events(request)
        for _ in range(5):
            await response.write(b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n')
            await asyncio.sleep(self.pace_s)
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _break(self, request: web.Request) -> web.StreamResponse:
        self.received.append(await request.read())
        response = await self._events(request)
        await response.write(b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n')
        await asyncio.sleep(0.1)
        assert request.transport is not None
        request.transport.abort()
        return response

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        return response


def good_nodes() -> tuple[Node, ...]:
    """Nodes that do not fail; `slow` streams for as long as its pace says."""
    models = ("m", "denied", *PINNED)
    return (
        Node(id="device-de", country="DE", tier="device", models=models),
        Node(id="onprem-de", country="DE", tier="on_prem", models=models),
        Node(id="cloud-fr", country="FR", tier="cloud", models=models),
        Node(id="cloud-us", country="US", tier="cloud", models=("m", "us-only")),
        Node(id="slow-de", country="DE", tier="device", models=("slow",), pace_s=0.4),
    )


def failing_nodes() -> tuple[Node, ...]:
    """For each fault a device and an on-prem node in DE that fail so, and a cloud node in US that does not."""
    return tuple(
        Node(id=f"{fault}-{place}", country=country, tier=tier, models=(fault,), fault=fault if country == "DE" else "")
        for fault in FAULTS
        for place, country, tier in (("device", "DE", "device"), ("onprem", "DE", "on_prem"), ("us", "US", "cloud"))
    )


# Models that a policy of the test pins, each to another set of nodes.
PINNED = {
    "pin-before": ["device-de"],
    "pin-after": ["onprem-de"],
    "pin-again": ["device-de", "cloud-fr"],
    "pin-envoy": ["onprem-de", "cloud-fr"],
    "pin-sotw": ["cloud-fr"],
}


def pinning_policy() -> str:
    """Pins each model of PINNED to its nodes."""
    return policy(
        "pinned",
        "\n\n".join(
            f'effects contains {{"effect": "pin", "rule": "{model.replace("-", "_")}", "code": "pinned", '
            f'"params": {{"nodes": {{"any": {json.dumps(nodes)}}}}}}} if {{ input.request.model == "{model}" }}'
            for model, nodes in PINNED.items()
        ),
    )


def denying_policy(code: str) -> str:
    """Denies the model `denied` with `code`."""
    effect = f'{{"effect": "deny", "rule": "probe", "code": "{code}", "params": {{"status": 403}}}}'
    return policy("probe", f'effects contains {effect} if {{ input.request.model == "denied" }}')


# --- the installation ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(at: Path, size: int) -> Iterator[bool]:
    """A disk of `size` bytes at `at`; False where this user may not mount one."""
    at.mkdir(parents=True, mode=0o700)
    options = f"size={size},mode=0700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(at)], capture_output=True, check=False)
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(at)], check=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Stack, bool]]:
    directory = tmp_path_factory.mktemp("faults")
    write(directory / "policies", {"pinned.rego": pinning_policy(), "probe.rego": denying_policy("first")})
    (directory / "var").mkdir(mode=0o700)
    with small_disk(directory / "var" / "audit", AUDIT_BYTES) as limited:
        async with stack(
            directory,
            good_nodes() + failing_nodes(),
            limits={**LIMITS, "streamed_body_bytes": 16 << 20, "max_held_bytes": 24 << 20},
            policy={"directories": ["builtin", "policies"]},
        ) as running:
            yield running, limited


@pytest_asyncio.fixture(loop_scope="module")
async def s(shared: tuple[Stack, bool]) -> Stack:
    """The installation, proved to serve, with nothing received yet."""
    running, _ = shared
    await until(lambda: serves(running), RECOVERY_S)
    clear(running)
    return running


def clear(s: Stack) -> None:
    """Forgets what nodes received."""
    for node in nodes(s):
        node.received.clear()
        node.ids.clear()


def nodes(s: Stack) -> tuple[Node, ...]:
    """The nodes as what they are here."""
    return tuple(node for node in s.nodes if isinstance(node, Node))


async def serves(s: Stack) -> bool:
    """Whether a chat is answered."""
    return (await s.say("hello")).status == 200


def child(s: Stack, name: str) -> list[int]:
    """Process ids of a part: `control`, `worker` or `envoy`."""
    return s.children("--config-path") if name == "envoy" else s.children(name)


async def replaced(s: Stack, name: str, old: list[int]) -> bool:
    """Whether every process of a part is a new one."""
    now = child(s, name)
    return len(now) == len(old) and not set(now) & set(old)


def refused(answer: Answer) -> tuple[int, str]:
    """Status and code of an answer, once its body proved to have the API's shape."""
    error = json.loads(answer.body)["error"]
    assert {"message", "type", "param", "code", "decision_id"} >= set(error) >= {"message", "type", "code"}
    return answer.status, error["code"]


def unfinished(s: Stack) -> set[str]:
    """Decisions of earlier runs of a worker that let a request go and have no outcome."""
    boots = {record["origin"]: record["boot"] for record in s.records("start")}
    closed = {record["ref"] for record in s.records("outcome")}
    return {
        record["id"]
        for record in s.records()
        if record.get("route") is not None and record["boot"] != boots[record["origin"]] and record["id"] not in closed
    }


# --- load while workers die ------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Load:
    """Requests from many connections, each with a number and an address that must be replaced."""

    s: Stack
    numbers: Iterator[int] = field(default_factory=itertools.count)
    answers: list[tuple[int, Answer]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, clients: int) -> None:
        """Sends until stopped."""
        connector = aiohttp.TCPConnector(limit=clients)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as http:
            await asyncio.gather(*(self._client(http) for _ in range(clients)))

    async def _client(self, http: aiohttp.ClientSession) -> None:
        while not self.stopped.is_set():
            number = next(self.numbers)
            body = chat(f"This is request number {number} of many, from person{number}@example.com.", "us-only")
            try:
                async with http.post(self.s.url, json=body) as got:
                    answer = Answer(status=got.status, headers=dict(got.headers), body=await got.read())
            except (aiohttp.ClientError, TimeoutError) as error:
                self.broken.append(type(error).__name__)
                continue
            self.answers.append((number, answer))
            if answer.status != 200:
                await asyncio.sleep(0.25)

    def served(self) -> int:
        """How many were answered with 200 so far."""
        return sum(answer.status == 200 for _, answer in self.answers)

    async def goes_on(self, more: int) -> None:
        """Returns when `more` further requests were served."""
        target = self.served() + more

        async def reached() -> bool:
            return self.served() >= target

        await until(reached, RECOVERY_S)


async def load_while_workers_die(s: Stack, *, clients: int, kills: int, between: int) -> Load:
    """The load, after `kills` workers were killed, with at least `between` requests served around each kill."""
    load = Load(s=s)
    running = asyncio.ensure_future(load.run(clients))
    try:
        await load.goes_on(between)
        for _ in range(kills):
            before = child(s, "worker")
            kill(before[:1])
            await until(lambda before=before: replaced(s, "worker", before[:1]), RECOVERY_S)
            await load.goes_on(between)
    finally:
        load.stopped.set()
        await running
    await until(lambda: serves(s), RECOVERY_S)
    return load


async def assert_only_recorded_and_redacted_requests_left(s: Stack, load: Load) -> None:
    """The promise: whatever a node received was inspected, decided and on disk before."""
    records = {record["id"]: record for record in s.records() if record["action"] in ("allow", "allow_modified")}
    key = bytes.fromhex((s.directory / "var" / "keys" / "audit.key").read_text().strip())
    key = hmac.digest(key, b"commitment", "sha256")
    received = [(id_, body) for node in nodes(s) for id_, body in zip(node.ids, node.received, strict=True)]
    numbered = [(id_, body) for id_, body in received if NUMBERED.search(body)]

    assert [] == [id_ for id_, _ in numbered if id_ not in records]
    assert [] == [
        id_
        for id_, body in numbered
        if records[id_]["commit_out"] != hashlib.blake2b(body, key=key, digest_size=32).hexdigest()
    ]
    assert [] == [body for _, body in numbered if b"@example.com" in body or b"<EMAIL_ADDRESS_1>" not in body]
    twice = Counter(int(found[1]) for _, body in numbered if (found := NUMBERED.search(body)))
    assert [] == [number for number, count in twice.items() if count > 1]
    served = {number for number, answer in load.answers if answer.status == 200}
    assert set() == served - set(twice)

    assert [] == load.broken
    assert {200, 503} >= {answer.status for _, answer in load.answers}
    assert set() == {answer.decision_id for _, answer in load.answers if answer.status == 200} - set(records)
    assert {"inspection_unavailable", "node_unreachable"} >= {
        refused(answer)[1] for _, answer in load.answers if answer.status != 200
    }
    assert (True, set()) == (verify(s.audit).ok, unfinished(s))


@pytest.mark.slow
async def test_a_worker_killed_in_the_middle_of_load_lets_nothing_unrecorded_through(s: Stack) -> None:
    """64 connections, two kills: nodes saw only recorded, redacted requests; callers saw 200 or 503; it recovers."""
    load = await load_while_workers_die(s, clients=64, kills=2, between=800)

    await assert_only_recorded_and_redacted_requests_left(s, load)
    statuses = Counter(record["status"] for record in s.records("outcome"))
    assert (True, True) == (statuses["unknown"] > 0, load.served() >= 1_200)
    crashes = [record for record in s.records("start") if record.get("code") == "after_crash"]
    assert len(crashes) >= 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_workers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("two")
    policies = write(directory / "policies", {"pinned.rego": pinning_policy()})
    changes: dict[str, Any] = {
        "workers": 2,
        "envoy": {"xds": "sotw"},
        "policy": {"directories": ["builtin", str(policies)]},
        "limits": LIMITS,
    }
    async with stack(directory, good_nodes(), **changes) as running:
        yield running


async def test_state_of_the_world_updates_serve_and_pin_as_well(two_workers: Stack) -> None:
    """With `envoy.xds: sotw` requests are served and a pool nobody had before is routed on demand, from each worker."""
    clear(two_workers)

    answers = [await two_workers.say("hello", model="pin-sotw") for _ in range(8)]

    assert [200] * 8 == [answer.status for answer in answers]
    assert ["cloud-fr"] == list(two_workers.received())
    assert (await two_workers.say("hello")).status == 200


@pytest.mark.slow
async def test_one_of_two_workers_killed_in_the_middle_of_load_leaves_the_other_serving(two_workers: Stack) -> None:
    """The same promise holds with two workers and two logs, and the load goes on before the dead one is back."""
    clear(two_workers)

    load = await load_while_workers_die(two_workers, clients=64, kills=1, between=400)

    await assert_only_recorded_and_redacted_requests_left(two_workers, load)


# --- inspection that is gone -----------------------------------------------------------------------------------------


async def test_a_worker_that_hangs_is_a_503_and_nothing_goes_by_it(s: Stack) -> None:
    """A stopped process answers nobody: refused after the message timeout, not ready, and served again when it goes on."""
    workers = child(s, "worker")
    kill(workers, signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(s.say(f"hello {number}") for number in range(4)))
        streamed = await s.send(chat("x" * (9 << 20)))
        listing = await s.send(b"", path="/v1/models", method="GET")
        ready = await s.is_ready()
    finally:
        kill(workers, signal.SIGCONT)

    assert not ready
    assert [(503, "inspection_unavailable")] * 6 == [refused(answer) for answer in (*answers, streamed, listing)]
    await asyncio.sleep(0.3)
    assert {} == s.received()
    await until(lambda: serves(s))
    assert await s.is_ready()


async def test_without_a_worker_nothing_is_forwarded(s: Stack) -> None:
    """The worker is dead and nobody restarts it: 503, in every mode of sending a body; served again once it is back."""
    workers = child(s, "worker")
    kill([s.process.pid], signal.SIGSTOP)
    try:
        kill(workers)
        await asyncio.sleep(0.2)
        short = await s.say("hello")
        long = await s.send(chat("x" * (9 << 20)))
        pinned = await s.say(HEALTH)
        listing = await s.send(b"", path="/v1/models", method="GET")
    finally:
        kill([s.process.pid], signal.SIGCONT)

    answers = (short, long, pinned, listing)
    assert [(503, "inspection_unavailable")] * 4 == [refused(answer) for answer in answers]
    assert {} == s.received()
    await until(lambda: serves(s), RECOVERY_S)


# --- a configuration that changes meanwhile --------------------------------------------------------------------------


async def test_a_worker_that_is_started_again_knows_the_nodes_that_envoy_knows(s: Stack) -> None:
    """The file says by now that a node of the cloud is on premises, and elsewhere: what may not go there is still refused."""
    before = await s.say(HEALTH, model="pin-sotw")
    file, workers = s.directory / "ringfence.yaml", child(s, "worker")
    text = file.read_text()
    settings = yaml.safe_load(text)
    [moved] = [node for node in settings["nodes"] if node["id"] == "cloud-fr"]
    moved |= {"tier": "on_prem", "address": f"{HOST}:9"}
    file.write_text(yaml.safe_dump(settings))
    try:
        kill(workers)
        await until(lambda: replaced(s, "worker", workers), RECOVERY_S)
        await until(lambda: serves(s), RECOVERY_S)
        clear(s)
        after = await s.say(HEALTH, model="pin-sotw")
    finally:
        file.write_text(text)

    assert [(403, "placement_impossible")] * 2 == [refused(answer) for answer in (before, after)]
    assert {} == s.received()
    assert s.decision(before)["config_version"] == s.decision(after)["config_version"]


async def test_pools_of_another_configuration_are_refused(s: Stack) -> None:
    """A control process does not take node ids from a worker to which they may mean other machines, and says so."""
    nodes = [declared("cloud-fr")]
    async with Placement(nodes, str(sockets.control(s.directory / "var")), version="0" * 64) as placement:
        with pytest.raises(PlacementUnavailable, match="409"):
            await placement.ensure(pool_of(nodes))

    assert "another configuration than Envoy" in s.log()


# --- the control process and Envoy -----------------------------------------------------------------------------------


async def test_requests_go_on_while_the_control_process_is_gone_and_new_pools_work_afterwards(s: Stack) -> None:
    """Envoy keeps its configuration; the new control process offers every pool that is in use, and takes new ones."""
    assert (await s.say("hello", model="pin-before")).status == 200
    control = child(s, "control")
    kill([s.process.pid], signal.SIGSTOP)
    try:
        kill(control)
        meanwhile = [await s.say("hello"), await s.say("hello", model="pin-before")]
        unroutable = await s.say("hello", model="pin-after")
    finally:
        kill([s.process.pid], signal.SIGCONT)
    await until(lambda: replaced(s, "control", control), RECOVERY_S)
    await s.ready(RECOVERY_S)

    assert [200, 200] == [answer.status for answer in meanwhile]
    assert (503, "placement_pending") == refused(unroutable)
    known = await s.say("hello", model="pin-before")
    new = await s.say("hello", model="pin-again")
    assert [200, 200] == [known.status, new.status], (known.body, new.body)
    assert {"device-de": 5} == {node: len(bodies) for node, bodies in s.received().items()}


async def test_envoy_killed_is_started_again_with_every_pool(s: Stack) -> None:
    """Once it is back it has its configuration again: pinned pools serve, and every node is where it was."""
    assert (await s.say("hello", model="pin-envoy")).status == 200
    envoy = child(s, "envoy")
    kill(envoy)
    await until(lambda: replaced(s, "envoy", envoy), RECOVERY_S)

    async def pinned_serves() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            return (await s.say("hello", model="pin-envoy")).status == 200
        return False

    await until(pinned_serves, RECOVERY_S)
    assert {"onprem-de"} == {name for name in s.received() if name != "device-de"}


# --- nodes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"), [("error-500", 500), ("error-503", 503), ("reset", 503)], ids=["500", "503", "reset"]
)
async def test_a_node_that_fails_is_retried_inside_the_pool_only(s: Stack, fault: str, expected: int) -> None:
    """A pinned request ends with the failure of its own nodes; the US node that would have answered hears nothing."""
    answer = await s.say(HEALTH, model=fault)
    outcome = await s.outcome(answer)

    assert (expected, set()) == (answer.status, set(s.received()) - {f"{fault}-device", f"{fault}-onprem"})
    # A 500 is the node's answer, and a node that resets may have acted on the request: only 502 to 504 are tried again.
    assert ((2, 3) if fault == "error-503" else (1, 1)) == (
        len(s.received()),
        sum(len(bodies) for bodies in s.received().values()),
    )
    assert outcome["attempts"] == sum(len(bodies) for bodies in s.received().values())
    assert ("failed", expected, True) == (outcome["status"], outcome["code"], outcome["contained"])


async def test_a_pinned_request_with_all_its_nodes_down_is_refused(s: Stack) -> None:
    """503 in shape under its decision, an outcome on record, and nothing at the US node, which serves others."""
    down = [node for node in nodes(s) if node.fault == "down"]
    for node in down:
        await node.stop()
    try:
        at_once = await s.say(HEALTH, model="down")
        # Until the health checks have failed often enough each attempt still names the node it was made on.
        for _ in range(50):
            await asyncio.sleep(0.2)
            later = await s.say(HEALTH, model="down")
            outcome = await s.outcome(later)
            if not outcome["node"]:
                break
        other = await s.say("hello", model="down")
    finally:
        for node in down:
            await node.start()

    assert [(503, "node_unreachable"), (503, "no_node_available")] == [refused(at_once), refused(later)]
    assert (200, {"down-us": 1}) == (other.status, {node: len(bodies) for node, bodies in s.received().items()})
    assert ("failed", "", True) == (outcome["status"], outcome["node"], outcome["contained"])


async def test_a_node_that_breaks_off_in_a_stream_is_a_broken_stream_and_a_failed_outcome(s: Stack) -> None:
    """The caller gets no proper end; the record does not say that the request was served."""
    async with s.http.post(s.url, json=chat(HEALTH, "broken-stream", stream=True)) as got:
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()
    outcome = await s.outcome(Answer(status=got.status, headers=dict(got.headers), body=b""))

    assert (200, {"broken-stream-device": 1}) == (
        got.status,
        {node: len(bodies) for node, bodies in s.received().items()},
    )
    assert ("failed", "broken-stream-device", True) == (outcome["status"], outcome["node"], outcome["contained"])


# --- callers that go away --------------------------------------------------------------------------------------------


async def test_a_caller_that_leaves_before_the_answer_is_an_aborted_outcome(s: Stack) -> None:
    """The request had been forwarded: decision and outcome are both on record."""
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(1):
            await s.say(HEALTH, model="silent")

    [decision] = [record for record in s.records() if record["model"] == "silent"]
    outcome = await s.outcome(_answered(decision))
    assert ("aborted", True, ["silent-device"]) == (outcome["status"], outcome["contained"], list(s.received()))


async def test_a_caller_that_leaves_in_a_stream_is_an_aborted_outcome(s: Stack) -> None:
    """Two events of five were read; the record says that the caller broke off."""
    async with s.http.post(s.url, json=chat("hello", "slow", stream=True)) as got:
        headers = dict(got.headers)
        await got.content.readany()
        got.close()

    outcome = await s.outcome(Answer(status=200, headers=headers, body=b""))
    assert ("aborted", "slow-de") == (outcome["status"], outcome["node"])


# --- callers that take their time ------------------------------------------------------------------------------------

Upload = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def upload(s: Stack, size: int) -> Upload:
    """A chat whose body begins with `size` bytes, and goes on for ever."""
    reader, writer = await asyncio.open_connection(HOST, s.port)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
    writer.write(head + b"content-type: application/json\r\n\r\n")
    while size > 0:
        piece = b"x" * min(size, 1 << 16)
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        size -= len(piece)
        await writer.drain()
    return reader, writer


async def ended(upload: Upload) -> bytes:
    """The answer to an upload that ends here."""
    reader, writer = upload
    with contextlib.suppress(ConnectionError):
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("uploads", "size", "more"), [(2, 11 << 20, 3 << 20), (800, 1, 1)], ids=["by bytes", "by number"]
)
async def test_slow_uploads_take_a_room_of_their_own(s: Stack, uploads: int, size: int, more: int) -> None:
    """One more is told to come again, on record; requests in one message are served; what is closed makes room."""
    before = {record["id"] for record in s.records()}
    slow = [await upload(s, size) for _ in range(uploads)]
    try:
        await asyncio.sleep(1)
        refusal = await ended(await upload(s, more))
        meanwhile = await s.say("hello")
    finally:
        for _, writer in slow:
            writer.close()

    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert (True, True) == (b"\r\nretry-after: 1\r\n" in refusal, b'"overloaded"' in refusal)
    assert 200 == meanwhile.status
    fresh = [record for record in s.records() if record["id"] not in before]
    assert ("deny", 503) in {(record["action"], record["status"]) for record in fresh if record["code"] == "overloaded"}

    async def has_room() -> bool:
        return b'"malformed_request"' in await ended(await upload(s, more))

    await until(has_room)


@pytest.mark.parametrize("framing", ["content-length: 1000", "transfer-encoding: chunked"])
async def test_an_upload_that_stops_half_way_is_a_recorded_refusal(s: Stack, framing: str) -> None:
    """The caller closes before the body is whole: nothing is forwarded, and a record says why."""
    before = {record["id"] for record in s.records()}
    reader, writer = await asyncio.open_connection(HOST, s.port)
    piece = b'{"model":"m","messages":[{"role":"user","content":"half'
    framed = piece if "length" in framing else b"%x\r\n%s\r\n" % (len(piece), piece)
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{framing}\r\ncontent-type: application/json\r\n\r\n".encode()
    )
    writer.write(framed)
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.close()
    await writer.wait_closed()
    del reader

    async def recorded() -> bool:
        return any(record["id"] not in before for record in s.records())

    await until(recorded)
    # Longer than the access log is held back, which may tell the same again.
    await asyncio.sleep(0.5)
    [record] = [record for record in s.records() if record["id"] not in before]
    assert ("deny", "exchange_aborted", None) == (record["action"], record["code"], record.get("route"))
    assert {} == s.received()


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "streamed"])
async def test_a_caller_that_leaves_while_it_is_judged_is_on_record_once(s: Stack, chunked: bool) -> None:
    """The worker has all of the request: the record is its own, and the access log adds none."""
    before = {record["id"] for record in s.records()}
    # Long enough to be judged for a while.
    body = json.dumps(chat("lorem ipsum dolor sit amet " * 250_000)).encode()
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {len(body)}"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{framing}\r\ncontent-type: application/json\r\n\r\n"
    _, writer = await asyncio.open_connection(HOST, s.port)
    writer.write(head.encode() + (b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body))
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await writer.wait_closed()

    async def recorded() -> bool:
        return any(record["id"] not in before for record in s.records())

    await until(recorded)
    await asyncio.sleep(0.5)
    [record] = [record for record in s.records() if record["id"] not in before]
    if record.get("route") is None:
        assert ("exchange_aborted", {}) == (record["code"], s.received())
    else:
        assert "aborted" == (await s.outcome(_answered(record)))["status"]


def _answered(decision: dict[str, Any]) -> Answer:
    return Answer(status=0, headers={"x-ringfence-decision-id": decision["id"]}, body=b"")


# --- the worker's own protocol ---------------------------------------------------------------------------------------

STREAMED = {"request_body_mode": "FULL_DUPLEX_STREAMED"}
HEAD: dict[str, Any] = {
    "protocol_config": STREAMED,
    "request_headers": {
        "headers": {
            "headers": [
                {"key": key, "raw_value": value.encode()}
                for key, value in {
                    ":method": "POST",
                    ":path": "/v1/chat/completions",
                    "content-type": "application/json",
                    "content-length": "10",
                }.items()
            ]
        }
    },
}
BODY = {"request_body": {"body": b"{}", "end_of_stream": True}}
ODD_STREAMS: dict[str, list[dict[str, Any]]] = {
    "says nothing": [],
    "ends before the body": [HEAD],
    "ends in the body": [HEAD, {"request_body": {"body": b"{"}}],
    "body first": [BODY],
    "body first, in pieces": [{**BODY, "protocol_config": STREAMED}],
    "trailers first": [{"request_trailers": {}}],
    "headers twice": [HEAD, HEAD],
    "a whole request after its headers": [HEAD, {**BODY, "protocol_config": {"request_body_mode": "BUFFERED"}}],
    "headers of a body that is to be whole": [{**HEAD, "protocol_config": {"request_body_mode": "BUFFERED"}}],
    "headers of a body that is not to come": [{**HEAD, "protocol_config": {}}],
    "a phase nobody asked for": [HEAD, {"response_headers": {}}],
    "an empty message": [HEAD, {}],
}


@pytest.mark.parametrize("said", ODD_STREAMS.values(), ids=ODD_STREAMS.keys())
async def test_the_worker_never_ends_a_stream_in_good_order_before_its_verdict(
    s: Stack, said: list[dict[str, Any]]
) -> None:
    """Envoy forwards the original body after a normal end: whatever is said to the worker, it ends with an error."""
    async with grpc.aio.insecure_channel(f"unix:{sockets.worker(s.directory / 'var', 0)}") as channel:
        call = external_processor_pb2_grpc.ExternalProcessorStub(channel).Process()
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for one in said:
                await call.write(ProcessingRequest(**one))
            await call.done_writing()
            while await call.read() is not grpc.aio.EOF:
                pass
        async with asyncio.timeout(5):
            code = await call.code()

    assert grpc.StatusCode.FAILED_PRECONDITION == code


# --- policies --------------------------------------------------------------------------------------------------------


async def test_a_broken_policy_keeps_the_last_good_ones_and_a_good_one_takes_effect_on_record(s: Stack) -> None:
    """SIGHUP with a broken file changes nothing and says so; with a good one the next request is decided by it."""
    file = s.directory / "policies" / "probe.rego"
    original = file.read_text()

    async def decided_by(code: str) -> bool:
        return refused(await s.say("hello", model="denied")) == (403, code)

    async def logged(event: str, more_than: int) -> bool:
        return s.log().count(event) > more_than

    assert await decided_by("first")
    loads, refusals = len(s.records("policy_load")), s.log().count("policy_reload_refused")
    assert loads
    try:
        file.write_text(original.replace("effects contains", "effects contain("))
        kill([s.process.pid], signal.SIGHUP)
        await until(lambda: logged("policy_reload_refused", refusals))
        assert await decided_by("first")
        assert loads == len(s.records("policy_load"))

        file.write_text(denying_policy("second"))
        kill([s.process.pid], signal.SIGHUP)
        await until(lambda: decided_by("second"))
        assert (loads + 1, True) == (len(s.records("policy_load")), await serves(s))
    finally:
        file.write_text(original)
        kill([s.process.pid], signal.SIGHUP)
        await until(lambda: decided_by("first"))


# --- the audit log ---------------------------------------------------------------------------------------------------


async def test_a_full_audit_disk_refuses_everything_until_there_is_space(s: Stack, shared: tuple[Stack, bool]) -> None:
    """What cannot be recorded does not leave: 503, nothing at a node; served again, with a gap record, when space returns."""
    if not shared[1]:
        pytest.skip("needs the right to mount a small disk (root)")
    ballast = s.audit / "ballast"
    answers: list[Answer] = []

    async def is_refused() -> bool:
        answers.append(await s.say("hello"))
        return answers[-1].status != 200

    try:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))
        await until(is_refused)
        clear(s)
        later = [await s.say("hello"), await s.say(HEALTH), await s.send(b"", path="/v1/models", method="GET")]
        assert {} == s.received()
    finally:
        ballast.unlink()
    await until(lambda: serves(s))

    assert {(503, "audit_disk_full")} == {refused(answer) for answer in (answers[-1], *later)}
    assert (True, True) == (verify(s.audit).ok, bool(s.records("gap")))


# --- starting --------------------------------------------------------------------------------------------------------


async def up(directory: Path, config: Path, timeout_s: float = 60.0) -> tuple[int | None, str]:
    """Exit code and standard error of `ringfence up`, which is to end by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "governance.cli", "up", "-c", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return process.returncode, said.decode()


def _unused() -> tuple[DemoNode, ...]:
    return (DemoNode(id="never", country="DE", tier="device", models=("m",), port=9),)


def _edited(config: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    settings = yaml.safe_load(config.read_text())
    edit(settings)
    config.write_text(yaml.safe_dump(settings, sort_keys=False))


def _bad_key(directory: Path) -> tuple[Path, str]:
    config = configuration(directory, _unused())
    lines = ["worker: 2", *config.read_text().splitlines()]
    config.write_text("\n".join(lines))
    return config, "ringfence.yaml:1: "


def _no_nodes(directory: Path) -> tuple[Path, str]:
    return configuration(directory, []), "nodes"


def _no_binary(directory: Path) -> tuple[Path, str]:
    return configuration(directory, _unused(), envoy={"binary": str(directory / "no-envoy")}), "no-envoy"


def _empty_policies(directory: Path) -> tuple[Path, str]:
    (directory / "policies").mkdir()
    return configuration(directory, _unused(), policy={"directories": [str(directory / "policies")]}), "policies"


def _broken_policy(directory: Path) -> tuple[Path, str]:
    top = write(directory / "policies", {"broken.rego": policy("broken", "effects contains {")})
    return configuration(directory, _unused(), policy={"directories": ["builtin", str(top)]}), "broken.rego:"


def _audit_is_a_file(directory: Path) -> tuple[Path, str]:
    (directory / "audit").write_text("")
    return configuration(directory, _unused(), audit={"directory": str(directory / "audit")}), "audit"


WRONG: dict[str, Callable[[Path], tuple[Path, str]]] = {
    "a bad key": _bad_key,
    "no nodes": _no_nodes,
    "no Envoy": _no_binary,
    "an empty policy directory": _empty_policies,
    "a broken policy": _broken_policy,
    "an audit directory that is a file": _audit_is_a_file,
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
async def test_a_setup_that_cannot_work_is_one_message_and_exit_code_2(
    make: Callable[[Path], tuple[Path, str]], tmp_path: Path
) -> None:
    """No traceback, no child started: one line that names the place."""
    config, named = make(tmp_path)

    code, said = await up(tmp_path, config)

    assert (2, True) == (code, named in said), said
    assert ("Traceback" in said, "child_started" in said) == (False, False), said


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """The setting and the port are in the message."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        code, said = await up(tmp_path, configuration(tmp_path, _unused(), listen={"port": port}))

    assert (2, True, True) == (code, "listen.port" in said, str(port) in said), said


async def test_a_read_only_audit_directory_refuses_to_start(tmp_path: Path) -> None:
    """On a disk that takes no writes there is no service."""
    audit = tmp_path / "audit"
    with small_disk(audit, 4 << 20) as mounted:
        if not mounted:
            pytest.skip("needs the right to mount a read-only disk (root)")
        subprocess.run(["mount", "-o", "remount,ro", str(audit)], check=True)  # noqa: ASYNC221  nothing else runs
        code, said = await up(tmp_path, configuration(tmp_path, _unused(), audit={"directory": str(audit)}))

    assert (2, True, False) == (code, str(audit) in said.replace("\n", ""), "Traceback" in said), said


async def test_a_second_installation_on_one_audit_directory_refuses_and_harms_nobody(s: Stack, tmp_path: Path) -> None:
    """The first one goes on, with new pools as well."""
    code, said = await up(tmp_path, configuration(tmp_path, _unused(), audit={"directory": str(s.audit)}))

    assert (2, True) == (code, "audit_locked" in said), said
    assert await serves(s)


async def test_a_second_installation_in_one_state_directory_refuses_and_harms_nobody(s: Stack, tmp_path: Path) -> None:
    """Sockets, keys and generated files belong to one installation: the first one keeps them."""
    config = configuration(tmp_path, _unused(), state_directory=str(s.directory / "var"))
    before = {path.name: path.stat().st_ino for path in (s.directory / "var").iterdir()}

    code, said = await up(tmp_path, config)

    assert (2, True) == (code, str(s.directory / "var") in said.replace("\n", "")), said
    assert before == {path.name: path.stat().st_ino for path in (s.directory / "var").iterdir()}
    assert await serves(s)


# --- stopping --------------------------------------------------------------------------------------------------------


async def refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_sigterm_finishes_what_is_under_way_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A stream ends whole, nobody new gets in, every process is gone, every log has its `stop` record, exit code 0."""
    async with stack(tmp_path, good_nodes()) as s:
        pids = [pid for name in ("control", "worker", "envoy") for pid in child(s, name)]
        async with s.http.post(s.url, json=chat("hello", "slow", stream=True)) as got:
            await got.content.readany()
            s.process.send_signal(signal.SIGTERM)
            await until(lambda: refuses_connections(s.port))
            rest = await got.read()
        async with asyncio.timeout(60):
            code = await s.process.wait()

        assert (0, True) == (code, rest.endswith(b"data: [DONE]\n\n"))
        assert (3, []) == (len(pids), [pid for pid in pids if Path(f"/proc/{pid}").exists()])
        assert (1, True) == (len(s.records("stop")), verify(s.audit).ok)
        assert ["served"] == [record["status"] for record in s.records("outcome") if record["node"] == "slow-de"]
