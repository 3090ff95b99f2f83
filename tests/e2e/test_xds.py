"""What a real Envoy makes of our control plane: both protocols, refusals, reconnects, removal and loss."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from governance.errors import ConfigInvalid
from governance.nodes.node import SYSTEM_CA_FILE, Node, Pool, Tls, pool_of
from governance.residency import Tier
from sidecar.ads import AdsServer
from sidecar.bootstrap import Protocol
from sidecar.pools import PoolTable
from sidecar.resources import build
from sidecar.snapshot import Snapshot, XdsType
from tests.e2e.envoy import READY_S, Envoy, Rig, free_port, rig, stamp, until

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("protocol", ["delta", "sotw"])
UPDATES = "(cluster_manager.cds|listener_manager.lds|rds|eds|cluster.cell).*update_(success|rejected)"


def base(nodes: Mapping[str, Node]) -> Sequence[Pool]:
    """One pool over the EU."""
    return [pool_of(nodes[name] for name in ("device", "edge", "gpu", "cloud"))]


def eu(r: Rig) -> Pool:
    """The base pool."""
    return r.pool("device", "edge", "gpu", "cloud")


def untrusted(table: PoolTable, name: str, ca_file: str = "/nonexistent/ca.pem") -> PoolTable:
    """`table` with a trust store for the node `name` that Envoy cannot read, so that it refuses the clusters with it."""
    tls = Tls(server_name="node.example", ca_file=ca_file)
    return replace(table, nodes={**table.nodes, name: replace(table.nodes[name], tls=tls)})


@BOTH
async def test_accepted_pool_is_routable_at_once(protocol: Protocol) -> None:
    """Every pool, in an old cell or a new one, serves the first request after Envoy's acknowledgement."""
    async with rig(base=base, protocol=protocol) as r:
        served = []
        for names in (["device"], ["edge"], ["device", "edge"], ["us-gpu"], ["device", "us-gpu"], ["gpu"], ["cloud"]):
            pool = r.pool(*names)
            assert await r.add(pool)
            r.worker.stamp = stamp(pool)
            served.append((await r.ask())[0])
        r.worker.stamp = stamp(eu(r))

        assert [200] * 8 == [*served, (await r.ask())[0]]


@BOTH
async def test_same_content_is_not_pushed(protocol: Protocol) -> None:
    """A snapshot built anew from the same inputs has the same version and moves none of Envoy's counters."""
    async with rig(base=base, protocol=protocol) as r:
        before = await r.envoy.stats(UPDATES)
        again = build(r.settings, r.table.cells, {})
        r.ads.publish(again)
        await asyncio.sleep(0.3)

        assert before == await r.envoy.stats(UPDATES)
        assert before != {}
        assert await r.ads.wait_acked(again.version, 1)


@BOTH
async def test_refused_cluster_is_reported_and_the_old_keeps_serving(protocol: Protocol) -> None:
    """Envoy refuses a cluster with an unreadable trust store: the wait ends false, and requests go on as before."""
    async with rig(base=base, protocol=protocol) as r:
        r.worker.stamp = stamp(eu(r))
        good = r.table
        refused = await r.serve(untrusted(good, "device"))
        nacks = [(nack.type, "ca.pem" in nack.message) for one in r.ads.status().streams for nack in one.nacks]
        kept, _, _ = await r.ask()
        repaired = await r.serve(good)

        assert (False, [(XdsType.CLUSTER, True)], 200, True) == (refused, nacks, kept, repaired)


@BOTH
async def test_refused_listener_leaves_the_old_one_serving(protocol: Protocol) -> None:
    """A listener that cannot bind is refused; the one before it goes on."""
    async with rig(base=base, protocol=protocol) as r:
        r.worker.stamp = stamp(eu(r))
        url = r.url
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", free_port()))
            taken.listen()
            refused = await r.serve(r.table, settings=replace(r.settings, listen_port=taken.getsockname()[1]))
            nacks = [nack.type for one in r.ads.status().streams for nack in one.nacks]
            async with (
                aiohttp.ClientSession() as session,
                session.post(url + "/v1/chat/completions", data=b"{}") as answer,
            ):
                status = answer.status

        assert (False, [XdsType.LISTENER], 200) == (refused, nacks, status)


@BOTH
async def test_good_cluster_beside_a_refused_one_is_applied(protocol: Protocol) -> None:
    """A refusal is not atomic: of two new cells the good one is applied, and the next snapshot mends the rest."""
    async with rig(protocol=protocol) as r:
        table = r.table.add(r.pool("device"), now_s=0).add(r.pool("us-gpu"), now_s=0)
        whole = build(r.settings, table.cells, {})
        mixed = build(r.settings, untrusted(table, "us-gpu").cells, {})
        r.ads.publish(mixed)
        accepted = await r.ads.wait_acked(mixed.version, 5)
        others = await r.ads.wait_acked(mixed.version, 5, beside={"cell-us"})
        clusters = await _dynamic_clusters(r.envoy)
        r.ads.publish(whole)
        mended = await r.ads.wait_acked(whole.version, 5)

        # Only resources that can be sent alone tell which of them was refused.
        assert (False, protocol == "delta", True) == (accepted, others, mended)
        assert ("cell-de" in clusters, "cell-us" in clusters) == (True, False)
        assert {"cell-de", "cell-us"} <= await _dynamic_clusters(r.envoy)


@BOTH
async def test_cluster_that_was_refused_is_taken_once_its_file_is_mended(protocol: Protocol) -> None:
    """Offered again, without any other change: the same bytes mean something else by then."""
    async with rig(base=base, protocol=protocol) as r:
        file = r.folder / "ca.pem"
        file.write_text("not a certificate")
        refused = await r.serve(untrusted(r.table, "device", str(file)))
        shutil.copy(SYSTEM_CA_FILE, file)
        r.ads.offer_again()

        assert (False, True) == (refused, await r.ads.wait_acked(r.ads.status().version, READY_S))


async def _dynamic_clusters(envoy: Envoy) -> set[str]:
    dump = await envoy.config_dump()
    found: set[str] = set()
    for part in dump["configs"]:
        for one in part.get("dynamic_active_clusters", []):
            found.add(one["cluster"]["name"])
    return found


@BOTH
async def test_cell_without_a_resolved_endpoint_does_not_hold_up_the_rest(protocol: Protocol) -> None:
    """A node whose name has no address yet: its cell is accepted empty and answers 503, other cells serve."""
    nodes = [
        Node(id="named", address="inference.example:443", country="US", region="us", tier=Tier.DEVICE, models=("m",)),
    ]
    async with rig(base=base, protocol=protocol) as r:
        table = PoolTable.of([*r.nodes.values(), *nodes], base=[eu(r), pool_of(nodes)])
        accepted = await r.serve(table)
        r.worker.stamp = stamp(pool_of(nodes))
        named, _, body = await r.ask()
        r.worker.stamp = stamp(eu(r))
        other, _, _ = await r.ask()

        assert (True, 503, 200) == (accepted, named, other)
        assert "no_node_available" == json.loads(body)["error"]["code"]


@BOTH
async def test_removed_cell_is_closed_and_gone(protocol: Protocol) -> None:
    """A cell that is no longer served: its route goes first, then its cluster; a request for it is refused."""
    async with rig(base=base, protocol=protocol) as r:
        small = r.pool("us-gpu")
        assert await r.add(small)
        assert await r.serve(PoolTable.of(r.nodes.values(), base=[eu(r)]))
        r.worker.stamp = stamp(small)

        async def gone() -> bool:
            return small.cell not in await _dynamic_clusters(r.envoy)

        await until(gone, what="the cluster was not removed")
        status, _, body = await r.ask()

        assert (503, "not_placed", {}) == (status, json.loads(body)["error"]["code"], r.served())


async def test_cluster_removed_while_a_route_names_it_is_closed() -> None:
    """Should a route outlive its cluster, the answer is 503 and no other cluster is asked."""
    async with rig(base=base) as r:
        small = r.pool("us-gpu")
        assert await r.add(small)
        whole = build(r.settings, r.table.cells, {})
        without = Snapshot.of(one for one in whole.all() if one.name != small.cell)
        r.ads.publish(without)

        async def gone() -> bool:
            return small.cell not in await _dynamic_clusters(r.envoy)

        await until(gone, what="the cluster was not removed")
        r.worker.stamp = stamp(small)
        status, _, body = await r.ask()

        assert (503, "no_node_available", {}) == (status, json.loads(body)["error"]["code"], r.served())


async def test_first_request_of_a_new_cell_is_served_when_its_route_was_there_before() -> None:
    """A request keeps the routes it began with: with the route in place, a cluster added on its way serves it."""
    async with rig(base=base) as r:
        new = r.pool("us-gpu")
        r.ads.publish(build(r.settings, r.table.cells, {}, routed=(new.cell,)))
        assert await r.ads.wait_acked(r.ads.status().version, 5)
        r.worker.stamp = stamp(new)
        early, _, body = await r.ask()
        table = r.table.add(new, now_s=0)

        async def place() -> None:
            assert await r.ads.wait_acked(r.ads.publish(build(r.settings, table.cells, {}, routed=(new.cell,))), 5)

        r.worker.before_verdict = place
        served, _, _ = await r.ask()

        assert (503, "no_node_available") == (early, json.loads(body)["error"]["code"])
        assert (200, {"us-gpu": 1}) == (served, r.served())


@BOTH
async def test_envoy_keeps_serving_without_its_control_plane(protocol: Protocol) -> None:
    """With the control plane gone the last configuration holds, refusals included."""
    async with rig(base=base, protocol=protocol) as r:
        await r.ads.stop()
        r.worker.stamp = stamp(eu(r))
        served = await r.ask_times(3)
        r.worker.stamp = stamp(r.pool("us-gpu"))
        refused, _, _ = await r.ask()

        assert ([200] * 3, 503, {"device": 3}) == (served, refused, r.served())


@BOTH
async def test_reconnect_with_the_same_snapshot_sends_nothing(protocol: Protocol) -> None:
    """A new control plane with what Envoy already has counts as accepted without one resource sent."""
    async with rig(base=base, protocol=protocol) as r:
        before = await r.envoy.stats(UPDATES)
        snapshot = r.ads.snapshot
        assert snapshot is not None
        await _replace_control_plane(r)
        r.ads.publish(build(r.settings, r.table.cells, {}))

        assert await r.ads.wait_acked(snapshot.version, READY_S)
        resources = {key: value for key, value in (await r.envoy.stats(UPDATES)).items() if "rejected" not in key}
        moved = {key for key, value in resources.items() if value != before.get(key)}
        # A wildcard subscription has its first answer even when that is empty.
        assert moved <= {"cluster_manager.cds.update_success", "listener_manager.lds.update_success"}


@BOTH
async def test_reconnect_catches_up_with_what_changed_meanwhile(protocol: Protocol) -> None:
    """Pools added and cells removed while Envoy was alone are applied on reconnect."""
    async with rig(base=base, protocol=protocol) as r:
        old, new = r.pool("us-gpu"), r.pool("gpu")
        assert await r.add(old)
        await _replace_control_plane(r)
        table = PoolTable.of(r.nodes.values(), base=[eu(r), new])
        accepted = await r.ads.wait_acked(r.ads.publish(build(r.settings, table.cells, {})), READY_S)
        r.worker.stamp = stamp(new)
        served, _, _ = await r.ask()
        r.worker.stamp = stamp(old)
        refused, _, _ = await r.ask()

        assert (True, 200, 503, {"gpu": 1}) == (accepted, served, refused, r.served())


async def _replace_control_plane(r: Rig) -> None:
    await r.ads.stop()
    r.ads = AdsServer(r.ads.address)
    await r.ads.start()


async def test_starting_without_a_control_plane_serves_nothing() -> None:
    """An Envoy that never reached its control plane has no listener at all."""
    async with rig(base=base) as r:
        await r.envoy.stop()
        alone = Envoy(r.folder, str(r.folder / "nobody.sock"), name="alone")
        try:
            await alone.start()
            listeners = await alone.admin("/listeners")
            with pytest.raises(aiohttp.ClientConnectorError):
                await r.ask()
        finally:
            await alone.stop()

        assert "" == listeners


async def test_a_snapshot_counts_as_accepted_once_every_envoy_has_it() -> None:
    """Two Envoys with different protocols converge on one snapshot; both show in the status."""
    async with rig(base=base) as r:
        other = Envoy(r.folder, f"{r.folder}/ads.sock", protocol="sotw", name="other")
        # One listener port, two Envoys of one machine: SO_REUSEPORT is Envoy's default.
        try:
            await other.start()
            await until(lambda: len(r.ads.status().streams) == 2, what="the second envoy did not connect")
            accepted = await r.add(r.pool("gpu"))
        finally:
            await other.stop()
        status = sorted((one.node, one.protocol, one.accepted) for one in r.ads.status().streams if one.node == "envoy")

        assert (True, [("envoy", "delta", True)]) == (accepted, status)


async def _more(statuses: list[int], count: int) -> None:
    wanted = len(statuses) + count
    await until(lambda: len(statuses) >= wanted)


@BOTH
async def test_pushes_under_load_lose_no_request(protocol: Protocol) -> None:
    """While pools and cells come and go, a pool that stays is served without one error."""
    async with rig(base=base, protocol=protocol) as r:
        r.worker.stamp = stamp(eu(r))
        statuses: list[int] = []
        over = False

        async def ask() -> None:
            async with aiohttp.ClientSession() as session:
                while not over:
                    async with session.post(r.url + "/v1/chat/completions", data=b"{}") as answer:
                        await answer.read()
                        statuses.append(answer.status)

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        for names in (["device"], ["us-gpu"], ["device", "us-gpu"], ["gpu"], ["us-cloud"]):
            assert await r.add(r.pool(*names))
            await _more(statuses, 5)
        assert await r.serve(PoolTable.of(r.nodes.values(), base=[eu(r)]))
        over = True
        await asyncio.gather(*asking)

        assert {200} == set(statuses)
        assert 20 < len(statuses)


async def test_publish_refuses_what_lint_refuses_and_keeps_the_old() -> None:
    """A snapshot that could leak is not published, and the version offered stays."""
    async with rig(base=base) as r:
        before = r.ads.status().version
        snapshot = build(r.settings, r.table.cells, {})
        cluster: Any = snapshot.resources[XdsType.CLUSTER][eu(r).cell].message
        cluster.lb_subset_config.panic_mode_any = True

        with pytest.raises(ConfigInvalid, match="panic_mode_any"):
            r.ads.publish(snapshot)

        assert before == r.ads.status().version
