"""A pinned request is served by a node of its pool or by none: the rows of the pinning table, on a real Envoy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from governance.nodes.node import Node, Pool, pool_of
from sidecar.dataplane import Outliers
from tests.e2e.envoy import CHECKED, DEFAULTS, WAYS, Rig, Stamp, rig, stamp, until

pytestmark = pytest.mark.e2e

EU = ("device", "edge", "gpu", "cloud")
US = ("us-gpu", "us-cloud")


def base(nodes: Mapping[str, Node]) -> Sequence[Pool]:
    """A pool over the EU, one over the US, and two small ones inside the EU's cell or beside it."""
    return [
        pool_of(nodes[name] for name in EU),
        pool_of(nodes[name] for name in US),
        pool_of(nodes[name] for name in ("device", "edge")),
        pool_of(nodes[name] for name in ("edge", "gpu")),
        pool_of([nodes["device"]]),
        pool_of(nodes.values()),
    ]


def code(body: bytes) -> str:
    """The code of an error in the OpenAI shape."""
    return str(json.loads(body)["error"]["code"])


@WAYS
async def test_request_goes_to_the_nearest_tier_of_its_pool(chunked: bool) -> None:
    """Twelve requests for the EU pool are all served by the device."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(r.pool(*EU))

        statuses = await r.ask_times(12, chunked=chunked)

        assert [200] * 12 == statuses
        assert ({"device": 12}, 0 if chunked else 12) == (r.served(), r.worker.wholes)


NOWHERE: dict[str, Any] = {
    "unknown pool": {"envoy.lb": {"pool": "pool-unknown"}},
    "key without a selector": {"envoy.lb": {"node": "device"}},
    "no pool": {},
    "an extra key": {"envoy.lb": {"pool": "$pool", "node": "us-gpu"}},
    "another namespace": {"elsewhere": {"pool": "$pool"}},
    "a list of pools": {"envoy.lb": {"pool": ["$pool", "$us"]}},
    "fallback list": {"envoy.lb": {"fallback_list": [{"pool": "$pool"}]}},
    "the pool of another cell": {"envoy.lb": {"pool": "$us"}},
}


@WAYS
@pytest.mark.parametrize("metadata", NOWHERE.values(), ids=NOWHERE.keys())
async def test_metadata_that_names_no_pool_of_the_cell_reaches_no_node(
    metadata: Mapping[str, Any], chunked: bool
) -> None:
    """Whatever is written instead of one known pool, the answer is 503 and no node hears of it."""
    async with rig(base=base) as r:
        eu, us = r.pool(*EU), r.pool(*US)
        text = json.dumps(metadata).replace("$pool", eu.name).replace("$us", us.name)
        good = stamp(eu)
        r.worker.stamp = replace(good, metadata={"ringfence": good.metadata["ringfence"], **json.loads(text)})

        status, headers, body = await r.ask(chunked=chunked)

        assert (503, "no_node_available", "decision-1") == (status, code(body), headers["x-ringfence-decision-id"])
        assert {} == r.served()


CELLS: dict[str, Mapping[str, Any]] = {
    "nothing is said": {"metadata": {}, "mutation": False},
    "nothing but a clear is said": {"metadata": {}},
    "the cell is unknown": {"cell": "cell-none"},
    "the route is not cleared": {"clear_route": False},
    "cleared without a header mutation": {"mutation": False},
    "the stream ends before the verdict": {"close_before_verdict": True},
}


@WAYS
@pytest.mark.parametrize("changes", CELLS.values(), ids=CELLS.keys())
async def test_request_without_a_cell_is_refused_by_the_default_route(
    changes: Mapping[str, Any], chunked: bool
) -> None:
    """Without a cell in the metadata, and a route that was looked up again, the default route answers 503."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(r.pool(*EU), **changes) if "metadata" not in changes else Stamp(**changes)

        status, _, body = await r.ask(chunked=chunked)

        assert (503, "not_placed") == (status, code(body))
        assert {} == r.served()


@WAYS
async def test_cell_of_another_pool_holds_no_host_of_it(chunked: bool) -> None:
    """The EU pool in the US cell finds no host: the two rings have to agree."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(r.pool(*EU), cell=r.pool(*US).cell)

        status, _, body = await r.ask(chunked=chunked)

        assert (503, "no_node_available") == (status, code(body))
        assert {} == r.served()


@WAYS
async def test_markers_sent_by_the_caller_choose_nothing(chunked: bool) -> None:
    """Every internal header a caller sends is gone before the worker sees it, and pins nothing."""
    async with rig(base=base) as r:
        us = r.pool(*US)
        spoofed = {
            "x-ringfence-cell": us.cell,
            "X-RingFence-Pool": us.name,
            "x-envoy-max-retries": "9",
            "x-envoy-retry-on": "5xx",
            "x-envoy-upstream-rq-timeout-ms": "1",
            "x-envoy-original-dst-host": f"127.0.0.1:{r.backends['us-gpu'].port}",
            "x-forwarded-for": "203.0.113.7",
        }
        unsaid, _, _ = await r.ask(headers=spoofed, chunked=chunked)
        r.worker.stamp = stamp(r.pool(*EU))
        said, _, _ = await r.ask(headers=spoofed, chunked=chunked)

        assert (503, 200) == (unsaid, said)
        assert {"device": 1} == r.served()
        seen = {key for headers in r.worker.headers for key in headers if key.startswith(("x-ringfence", "x-envoy"))}
        # Envoy's own, which comes with a head that is sent as it is.
        assert seen == ({"x-envoy-external-address"} if chunked else set())
        received = {key.lower(): value for key, value in r.backends["device"].received[0].headers.items()}
        assert {"x-ringfence-decision-id": "decision-1"} == {
            key: value
            for key, value in received.items()
            if key.startswith(("x-ringfence", "x-envoy", "x-forwarded-for"))
        }


async def test_unhealthy_nodes_are_passed_over_and_never_left_for_another_pool() -> None:
    """A device that fails its checks gives way to the edge; with all of the EU down the answer is 503, never the US."""
    async with rig(base=base, settings=replace(DEFAULTS, health_check=CHECKED)) as r:
        r.worker.stamp = stamp(r.pool(*EU))
        r.backends["device"].healthy = False
        await _healthy(r, r.pool(*EU).cell, 3)
        first = await r.ask_times(12)
        for name in EU:
            r.backends[name].healthy = False
        await _healthy(r, r.pool(*EU).cell, 0)
        then = await r.ask_times(6)

        assert ([200] * 12, [503] * 6) == (first, then)
        assert {"edge": 12} == r.served()


async def _healthy(r: Rig, cell: str, count: int) -> None:
    async def reached() -> bool:
        return (await r.envoy.stats("membership_healthy")).get(f"cluster.{cell}.membership_healthy") == count

    await until(reached, what=f"{cell} has not {count} healthy hosts")


@WAYS
async def test_retry_stays_in_the_pool_and_goes_to_the_next_tier(chunked: bool) -> None:
    """A device that answers 503 is followed by the edge; a pool that fails as a whole ends in its own 503.

    Each node gets the whole body that the verdict let go, under the same decision.
    """
    async with rig(base=base) as r:
        r.worker.stamp = stamp(r.pool(*EU), body=b"y" * 100_000)
        r.backends["device"].fail(503)
        first, _, _ = await r.ask(b"x" * 90_000, chunked=chunked)
        assert (200, {"device": 1, "edge": 1}) == (first, r.served())
        for name in EU:
            r.backends[name].fail(503)

        status, headers, _ = await r.ask(b"x" * 90_000, chunked=chunked)

        assert (503, "decision-1") == (status, headers["x-ringfence-decision-id"])
        assert {"device": 2, "edge": 2, "gpu": 1} == r.served()
        received = [one for backend in r.backends.values() for one in backend.received]
        assert [(True, "decision-1")] * 5 == [
            (one.body == b"y" * 100_000, one.headers["x-ringfence-decision-id"]) for one in received
        ]


async def test_refused_connections_move_on_inside_the_pool_and_end_closed() -> None:
    """Dead nodes are skipped by retries in their pool; a pool of dead nodes only is a 503."""
    async with rig(base=base) as r:
        small = r.pool("device", "edge")
        r.worker.stamp = stamp(small)
        await r.backends["device"].stop()
        first = await r.ask_times(3)
        await r.backends["edge"].stop()
        then, _, body = await r.ask()

        assert ([200] * 3, 503, "node_unreachable") == (first, then, code(body))
        assert {"edge": 3} == r.served()


async def test_a_pool_never_spills_into_a_larger_one_of_the_same_cell() -> None:
    """A node in several pools serves all of them, and a pool of one node ends with that node."""
    async with rig(base=base) as r:
        small, other = r.pool("device", "edge"), r.pool("edge", "gpu")
        assert small.cell == other.cell
        r.worker.stamp = stamp(other)
        assert [200] * 4 == await r.ask_times(4)
        assert {"edge": 4} == r.served()
        for name in ("edge", "gpu"):
            await r.backends[name].stop()

        status, _, _ = await r.ask()

        assert 503 == status
        assert {"edge": 4} == r.served()


async def test_ejected_node_is_passed_over_until_its_time_is_up() -> None:
    """Two failures eject the device; it serves again after the base ejection time."""
    outliers = Outliers(consecutive=2, interval_ms=50, base_ejection_ms=500)
    settings = replace(DEFAULTS, outliers=outliers, retries=replace(DEFAULTS.retries, attempts=1))
    async with rig(base=base, settings=settings) as r:
        device, answer = r.backends["device"], r.backends["device"].answer
        r.worker.stamp = stamp(r.pool(*EU))
        device.fail(503)
        failed = await r.ask_times(2)
        device.answer = answer
        device.received.clear()
        ejected = await r.ask_times(4)
        assert [] == device.received
        await until(lambda: _served_by(r, "device"), what="the device did not come back")

        assert ([200] * 2, [200] * 4) == (failed, ejected)
        assert set() == set(r.served()) & set(US)


async def _served_by(r: Rig, name: str) -> bool:
    _, headers, _ = await r.ask()
    return headers.get("x-served-by") == name


async def test_all_nodes_ejected_is_refused() -> None:
    """With every node of the pool ejected there is no panic: the answer is 503 and nothing outside is asked."""
    outliers = Outliers(consecutive=1, interval_ms=50, base_ejection_ms=30_000)
    async with rig(base=base, settings=replace(DEFAULTS, outliers=outliers)) as r:
        r.worker.stamp = stamp(r.pool("device", "edge"))
        for name in EU:
            r.backends[name].fail(503)
        await r.ask_times(2)
        for backend in r.backends.values():
            backend.received.clear()

        status, _, body = await r.ask()

        assert (503, "no_node_available") == (status, code(body))
        assert {} == r.served()


async def test_request_without_a_body_needs_a_verdict_as_well() -> None:
    """A GET is served with a pool and refused without one."""
    async with rig(base=base) as r:
        refused, _, _ = await r.ask(None, method="GET", path="/v1/models")
        r.worker.stamp = stamp(r.pool(*EU))
        served, _, _ = await r.ask(None, method="GET", path="/v1/models")

        assert (503, 200) == (refused, served)
        assert {"device": 1} == r.served()


@WAYS
@pytest.mark.parametrize("fault", ["hangs", "is gone", "is killed while it judges", "refuses"])
async def test_worker_that_gives_no_verdict_lets_nothing_through(fault: str, chunked: bool) -> None:
    """A worker that hangs, is gone or refuses: an error to the caller, and no node was asked."""
    # A streamed request that hangs is ended by its own timeout, a whole one by that of the message.
    settings = replace(DEFAULTS, message_timeout_ms=500, request_timeout_ms=3_000)
    async with rig(base=base, settings=settings) as r:
        r.worker.stamp = stamp(r.pool(*EU), hang=fault == "hangs", refuse=403 if fault == "refuses" else None)
        if fault == "is gone":
            await r.worker.stop()
        if fault == "is killed while it judges":
            r.worker.before_verdict = r.worker.stop

        status, _, _ = await r.ask(chunked=chunked)

        assert (403 if fault == "refuses" else 503) == status
        assert {} == r.served()


async def test_dead_worker_is_left_out_while_another_lives() -> None:
    """With one of two workers dead, requests go on with the other once the first failed connect was seen."""
    async with rig(base=base, workers=2) as r:
        for worker in r.workers:
            worker.stamp = stamp(r.pool(*EU))
        await r.workers[1].stop()

        async def one_left() -> bool:
            return (await r.envoy.stats("membership_healthy")).get("cluster.ringfence-workers.membership_healthy") == 1

        await until(one_left, what="the dead worker was not noticed")
        statuses = await r.ask_times(8)

        assert [200] * 8 == statuses


async def test_node_taken_from_the_fleet_serves_no_more() -> None:
    """A node that leaves a pool's cell is gone at once, however healthy it is."""
    async with rig(base=base, settings=replace(DEFAULTS, health_check=CHECKED)) as r:
        eu, rest = r.pool(*EU), r.pool("edge", "gpu", "cloud")
        r.worker.stamp = stamp(eu)
        assert [200] == await r.ask_times(1)
        fewer = type(r.table).of(r.nodes.values(), base=[rest, r.pool(*US)])
        assert await r.serve(fewer)
        gone, _, _ = await r.ask()
        r.worker.stamp = stamp(rest)
        served, _, _ = await r.ask()

        assert (503, 200) == (gone, served)
        assert {"device": 1, "edge": 1} == r.served()
