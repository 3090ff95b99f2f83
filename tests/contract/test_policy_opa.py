"""Pushes to a real OPA server by several at once, and what an engine takes for an answer meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from aiohttp import web

from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.policy import opa_push
from governance.policy.bundle import Bundle
from governance.policy.engine import Decider
from governance.policy.opa import OpaEngine
from governance.policy.opa_push import Held, held_of, identity, push
from governance.policy.sample import plain
from tests.bundles import ALLOW, bundle_of, policy
from tests.servers import running_opa

pytestmark = pytest.mark.opa

# For what comes about by itself, on a machine of any speed.
HANG_S = 120
DENY = '{"effect": "deny", "rule": "no", "code": "no", "params": {}}'
FAILS = f"effects contains {ALLOW} if to_number(input.y) == 1"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_opa() as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    """A server that holds nothing."""
    for name in modules(server):
        requests.delete(f"{server}/v1/policies/{name}", timeout=HANG_S).raise_for_status()
    requests.put(f"{server}/v1/data", json={}, timeout=HANG_S).raise_for_status()
    return server


def modules(url: str) -> list[str]:
    return [one["id"] for one in requests.get(f"{url}/v1/policies", timeout=HANG_S).json()["result"]]


def data(url: str, path: str = "") -> Any:
    return requests.get(f"{url}/v1/data{path}", timeout=HANG_S).json().get("result")


def held(url: str) -> Held | None:
    return held_of(data(url, "/ringfence/policy/_held"))


def mark(url: str, **said: object) -> Held:
    """The marker of somebody else, as it lies on the server from now on."""
    marker = {"somebody": {"bundle": "", "pushing": False, "data": [], **said}}
    requests.put(f"{url}/v1/data/ringfence/policy/_held", json=marker, timeout=HANG_S).raise_for_status()
    found = held(url)
    assert found is not None
    return found


def bundle_with(top: Path, name: str, *, policies: int = 4, **tables: object) -> Bundle:
    files = {
        f"policies/{n}/p.rego": policy(f"p{n}", f'effects contains {ALLOW} if "{name}" != ""') for n in range(policies)
    }
    files |= {f"data/{table}/data.json": json.dumps(value) for table, value in tables.items()}
    return bundle_of(top / name, files)


@contextlib.asynccontextmanager
async def started(bundle: Bundle, url: str) -> AsyncIterator[OpaEngine]:
    engine = await OpaEngine(bundle, url=url, deadline_ms=60_000).start()
    try:
        yield engine
    finally:
        await engine.close()


async def answered(engine: OpaEngine, *policies: str) -> list[str | None]:
    return [one.failure for one in await engine.evaluate(policies, b"{}")]


async def answered_at_last(engine: OpaEngine, *policies: str) -> list[str | None]:
    async with asyncio.timeout(HANG_S):
        while True:
            with contextlib.suppress(PolicyUnavailable):
                return await answered(engine, *policies)
            await asyncio.sleep(0.02)


def together(*works: Callable[[], object]) -> list[Exception]:
    """What was raised by works that ran on threads of their own."""
    raised: list[Exception] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  (all of it is what is asserted on)
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.mark.parametrize(
    "marker",
    [
        None,
        "x",
        {},
        {"a": 1},
        {"a": {}, "b": {}},
        {"a": {"bundle": "", "pushing": False}},
        {"a": {"bundle": 1, "pushing": False, "data": []}},
        {"a": {"bundle": "x", "pushing": 0, "data": []}},
        {"digest": "x"},
    ],
)
def test_what_is_no_marker_says_nothing(marker: object) -> None:
    """Whatever else lies in its place names no bundle."""
    assert held_of(marker) is None


def test_a_marker_says_which_bundle_is_whole() -> None:
    """And what paths of data belong to it; what is no path is left out."""
    marker = {"t": {"bundle": "x", "pushing": True, "data": ["/a", 1]}}

    assert Held(turn="t", bundle="x", pushing=True, data=("/a",)) == held_of(marker)


def test_workers_that_start_together_push_together(url: str, tmp_path: Path) -> None:
    """Pushes of one bundle at the same time converge, on a server that holds another one as well."""
    first, second = bundle_with(tmp_path, "first", policies=9), bundle_with(tmp_path, "second", policies=8)
    raised = together(*[lambda: push(first, url)] * 4)
    raised += together(*[lambda: push(second, url)] * 4)

    assert [] == raised
    assert {f"ringfence/{n}" for n in range(8)} == set(modules(url))
    assert identity(second) == getattr(held(url), "bundle", None)


def test_pushes_of_different_bundles_at_once_leave_one_of_them_whole(url: str, tmp_path: Path) -> None:
    """Modules and data on the server are those of the bundle that the marker names, and of no other."""
    bundles = [
        bundle_with(tmp_path, f"b{n}", policies=n + 3, table={"n": n}, **{f"only{n}": {"n": n}}) for n in range(3)
    ]
    for _ in range(3):
        assert [] == together(*[lambda bundle=bundle: push(bundle, url) for bundle in bundles])  # type: ignore[misc]
        whole = {identity(bundle): bundle for bundle in bundles}[getattr(held(url), "bundle", "")]
        found = requests.get(f"{url}/v1/policies", timeout=HANG_S).json()["result"]

        assert {f"ringfence/{n}": one.text for n, one in enumerate(whole.modules)} == {
            one["id"]: one["raw"] for one in found
        }
        assert dict(whole.data) == {name: value for name, value in data(url).items() if name != "ringfence"}


def test_the_same_policies_with_other_data_are_pushed(url: str, tmp_path: Path) -> None:
    """And data of the bundle before is gone, that in `ringfence` too; what is not ours stays."""
    requests.put(f"{url}/v1/data/theirs", json={"x": 1}, timeout=HANG_S).raise_for_status()
    push(bundle_with(tmp_path, "first", gone={"x": 1}, kept={"x": 1, "y": 2}, ringfence={"fleet": {"n": 1}}), url)
    before = {name: data(url, f"/{name}") for name in ("gone", "kept", "theirs", "ringfence/fleet")}
    push(bundle_with(tmp_path, "second", kept={"x": 3}), url)
    after = {name: data(url, f"/{name}") for name in ("gone", "kept", "theirs", "ringfence/fleet")}

    assert {"gone": {"x": 1}, "kept": {"x": 1, "y": 2}, "theirs": {"x": 1}, "ringfence/fleet": {"n": 1}} == before
    assert {"gone": None, "kept": {"x": 3}, "theirs": {"x": 1}, "ringfence/fleet": None} == after


def test_modules_of_an_earlier_release_go(url: str, tmp_path: Path) -> None:
    """Among them its marker, which was a module."""
    text = 'package ringfence.policy._bundle\n\ndigest := "x"\n'
    requests.put(f"{url}/v1/policies/ringfence/_bundle", data=text, timeout=HANG_S).raise_for_status()
    push(bundle_with(tmp_path, "b", policies=2), url)

    assert {"ringfence/0", "ringfence/1"} == set(modules(url))


def test_data_of_any_name_arrives(url: str, tmp_path: Path) -> None:
    """A name that means something in a path is still one name."""
    tables = {name: {"x": name} for name in ("a/b", "~1", "~", "%2F", "é ü", "a.b", "?x=1#y")}
    bundle = bundle_of(tmp_path, {"p.rego": policy("p"), "data/data.json": json.dumps(tables)})
    push(bundle, url)

    assert tables == {name: value for name, value in data(url).items() if name != "ringfence"}


def test_a_document_in_the_place_of_the_marker_is_left_alone(url: str, tmp_path: Path) -> None:
    """Nothing is pushed over it."""
    requests.put(f"{url}/v1/data/ringfence/policy/_held", json={"x": 1}, timeout=HANG_S).raise_for_status()

    with pytest.raises(ConfigInvalid, match="none of ours"):
        push(bundle_with(tmp_path, "b"), url)
    assert ([], {"x": 1}) == (modules(url), data(url, "/ringfence/policy/_held"))


def test_one_that_dies_in_the_middle_of_a_push_is_waited_for_and_then_replaced(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it may be alive nothing is written; a push that is given up leaves its marker alone."""
    stop = threading.Event()
    left = mark(url, pushing=True)
    bundle = bundle_with(tmp_path, "b")
    waiting = threading.Timer(0.5, stop.set)
    waiting.start()
    with pytest.raises(PolicyUnavailable, match="given up"):
        push(bundle, url, stop=stop)
    assert ([], left) == (modules(url), held(url))

    monkeypatch.setattr(opa_push, "_QUIET_S", 0.2)
    push(bundle, url)

    assert identity(bundle) == getattr(held(url), "bundle", None)


def test_a_push_that_is_given_up_says_that_no_bundle_is_whole(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes next need not wait for it."""
    stop = threading.Event()
    documents = opa_push._documents

    def then_stopped(bundle: Bundle) -> dict[str, Any]:
        stop.set()
        return documents(bundle)

    bundle = bundle_with(tmp_path, "b")
    with monkeypatch.context() as patched:
        patched.setattr(opa_push, "_documents", then_stopped)
        with pytest.raises(PolicyUnavailable, match="given up"):
            push(bundle, url, stop=stop)
    said = held(url)
    push(bundle, url, restoring=True)

    assert ("", False) == (getattr(said, "bundle", None), getattr(said, "pushing", None))
    assert identity(bundle) == getattr(held(url), "bundle", None)


def test_a_server_is_not_restored_over_another_bundle(url: str, tmp_path: Path) -> None:
    """What is whole there was put there after the one that would be restored."""
    first, second = bundle_with(tmp_path, "first"), bundle_with(tmp_path, "second")
    push(second, url)
    before = held(url)
    push(first, url, restoring=True)

    assert (before, identity(second)) == (held(url), getattr(before, "bundle", None))


@pytest.mark.parametrize("said", [{"pushing": True}, {"bundle": "another"}], ids=["being pushed", "whole"])
async def test_an_engine_leaves_a_server_alone_that_another_bundle_is_for(
    url: str, tmp_path: Path, said: dict[str, Any]
) -> None:
    """It refuses, does not push its own bundle again, and closes at once all the same."""
    async with asyncio.timeout(HANG_S), started(bundle_with(tmp_path, "b"), url) as engine:
        left = await asyncio.to_thread(mark, url, **said)
        for _ in range(5):
            with pytest.raises(PolicyUnavailable, match="another bundle"):
                await answered(engine, "p0")
            await asyncio.sleep(0.1)

    assert left == held(url)


async def test_a_push_that_broke_off_is_repaired_by_those_that_hold_a_good_bundle(url: str, tmp_path: Path) -> None:
    """Somebody's bundle is refused by the server: another worker gives it back what it held before."""
    good = bundle_with(tmp_path, "good")
    bad = bundle_of(tmp_path / "bad", {"p.rego": policy("p0", f"effects contains {ALLOW} if not x == 1")})
    async with started(good, url) as engine:
        with pytest.raises(ConfigInvalid):
            await asyncio.to_thread(push, bad, url)
        found = await answered_at_last(engine, "p0", "p1")

    assert ([None, None], identity(good)) == (found, getattr(held(url), "bundle", None))


async def test_an_engine_that_closes_ends_its_push(url: str, tmp_path: Path) -> None:
    """The server lost all, the engine restores it, and is closed: from then on it writes nothing."""
    bundle = bundle_with(tmp_path, "b", policies=12)
    async with started(bundle, url) as engine:
        await asyncio.to_thread(requests.put, f"{url}/v1/data", json={}, timeout=HANG_S)
        with pytest.raises(PolicyUnavailable):
            await answered(engine, "p0")
    said = held(url)
    await asyncio.sleep(0.3)

    assert (False, said) == (getattr(said, "pushing", False), held(url))


async def test_a_start_that_is_cancelled_ends_its_push(url: str, tmp_path: Path) -> None:
    """It waits for somebody else's push and is cancelled: once it is over, it does not go on when the server is free."""
    await asyncio.to_thread(mark, url, pushing=True)
    starting = asyncio.create_task(OpaEngine(bundle_with(tmp_path, "b"), url=url).start())
    await asyncio.sleep(0.2)
    starting.cancel()
    async with asyncio.timeout(HANG_S):
        await asyncio.wait([starting])
    free = await asyncio.to_thread(mark, url)
    await asyncio.sleep(0.5)

    assert (True, free, []) == (starting.cancelled(), held(url), modules(url))


@contextlib.asynccontextmanager
async def with_a_turn_before(
    path: str, url: str, turn: Callable[[], Awaitable[web.Response | None]]
) -> AsyncIterator[str]:
    """The URL of a server that is the one at `url`, but that `turn` is awaited before the first request for `path`.

    What it returns is the answer to that one.
    """
    seen: list[str] = []
    async with aiohttp.ClientSession() as session:

        async def reply(request: web.Request) -> web.Response:
            if request.path == path and not seen:
                seen.append(path)
                if (said := await turn()) is not None:
                    return said
            body = await request.read()
            kept = {
                name: request.headers[name] for name in ("content-type", "if-none-match") if name in request.headers
            }
            async with session.request(request.method, url + request.path_qs, data=body, headers=kept) as answer:
                return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", reply)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/policies/", '{"result": null}'),
        ("/v1/policies/", '{"result": [{"id": 1}]}'),
        ("/v1/policies/ringfence/0", '"bad gateway"'),
        ("/v1/policies/", "bad gateway"),
    ],
)
async def test_answers_that_opa_does_not_give_are_those_of_no_server(
    url: str, tmp_path: Path, path: str, answer: str
) -> None:
    """What a proxy says for it is no error of the worker: the engine says so, and who starts it may try again."""

    async def turn() -> web.Response:
        return web.Response(text=answer, status=502 if "bad" in answer else 200, content_type="application/json")

    bundle = bundle_with(tmp_path, "b")
    async with with_a_turn_before(path, url, turn) as proxied:
        with pytest.raises(PolicyUnavailable):
            await OpaEngine(bundle, url=proxied, deadline_ms=60_000).start()
        async with started(bundle, proxied) as engine:
            assert [None] == await answered(engine, "p0")


@pytest.mark.parametrize("back", [False, True], ids=["another", "another and back"])
async def test_policies_that_are_asked_one_by_one_answer_from_one_bundle(url: str, tmp_path: Path, back: bool) -> None:
    """One fails, so each is asked; another bundle comes between two of them, and may be gone again: no answer."""
    own = bundle_of(tmp_path / "own", {"p.rego": policy("p", f"effects contains {DENY}"), "q.rego": policy("q", FAILS)})
    other = bundle_of(tmp_path / "other", {"p.rego": policy("p"), "q.rego": policy("q", FAILS)})

    async def turn() -> None:
        await asyncio.to_thread(push, other, url)
        if back:
            await asyncio.to_thread(push, own, url)

    path = "/v1/data/ringfence/policy/p/effects"
    async with with_a_turn_before(path, url, turn) as address, started(own, address) as engine:
        with pytest.raises(PolicyUnavailable):
            await engine.evaluate(["p", "q"], b'{"y": "one"}')
        await asyncio.to_thread(push, own, url)
        found = await engine.evaluate(["p", "q"], b'{"y": "one"}')

    assert [(None, 1), ("eval", 0)] == [(one.failure, len(one.effects)) for one in found]


@pytest.mark.parametrize("waits", [0, 1, 3])
async def test_requests_of_an_engine_that_closes_are_refused(url: str, tmp_path: Path, waits: int) -> None:
    """Those about to be sent, those that wait for a connection and those that wait for an answer."""
    engine = await OpaEngine(bundle_with(tmp_path, "b"), url=url, deadline_ms=60_000).start()
    asking = [asyncio.create_task(engine.evaluate(["p0"], b"{}")) for _ in range(150)]
    for _ in range(waits):
        await asyncio.sleep(0)
    await engine.close()
    async with asyncio.timeout(HANG_S):
        found = await asyncio.gather(*asking, return_exceptions=True)

    assert {PolicyUnavailable} == {type(one) for one in found if not isinstance(one, tuple)}


async def test_a_request_that_is_cancelled_is_cancelled(url: str, tmp_path: Path) -> None:
    """Also when the engine is closed at the same time."""
    engine = await OpaEngine(bundle_with(tmp_path, "b"), url=url, deadline_ms=60_000).start()
    asking = [asyncio.create_task(engine.evaluate(["p0"], b"{}")) for _ in range(100)]
    await asyncio.sleep(0)
    for one in asking:
        one.cancel()
    await engine.close()
    found = await asyncio.gather(*asking, return_exceptions=True)

    assert {asyncio.CancelledError} == {type(one) for one in found}


async def test_a_large_input_is_sent_without_a_warning(url: str, tmp_path: Path) -> None:
    """Facts may have up to 4 MiB; a warning is an error here."""
    body = f"effects contains {ALLOW} if count(input.text) == {3 << 20}"
    async with started(bundle_of(tmp_path, {"p.rego": policy("p", body)}), url) as engine:
        (found,) = await engine.evaluate(["p"], json.dumps({"text": "x" * (3 << 20)}).encode())

    assert (None, 1) == (found.failure, len(found.effects))


async def test_a_worker_that_reloads_later_is_refused_until_then(url: str, tmp_path: Path) -> None:
    """Two workers on one server: the one that still has the bundle before gets no answer of the next one."""
    first, second = bundle_with(tmp_path, "first"), bundle_with(tmp_path, "second")
    async with (
        Decider.open(first, "opa", url, deadline_ms=60_000, cache_size=0) as early,
        Decider.open(first, "opa", url, deadline_ms=60_000, cache_size=0) as late,
    ):
        before = [await one.decide(plain(), decision_id="d") for one in (early, late)]
        await early.reload(second)
        with pytest.raises(PolicyUnavailable, match="another bundle"):
            await late.decide(plain(), decision_id="d")
        between = await early.decide(plain(), decision_id="d")
        turn = held(url)
        await late.reload(second)
        after = [await one.decide(plain(), decision_id="d") for one in (early, late)]

    assert [first.digest] * 2 == [one.provenance.digest for one in before]
    assert [second.digest] * 3 == [one.provenance.digest for one in (between, *after)]
    # Nobody pushes what is there already: no request was refused because of that.
    assert turn == held(url)
