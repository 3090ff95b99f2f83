"""The control process's pools: what is taken up after a restart, and what is left out."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Collection
from itertools import combinations
from pathlib import Path

import orjson
import pytest
import yaml

from governance import state
from governance.config import load
from governance.errors import ConfigInvalid, PlacementUnavailable
from governance.settings import Config
from sidecar.ads import AdsServer
from sidecar.fleet import FleetState, NotAcknowledged
from sidecar.pools import MAX_POOLS_PER_CELL
from sidecar.snapshot import Snapshot, XdsType


def config(directory: Path, *, a: str = "127.0.0.1:1", b: str = "127.0.0.1:2", c: str = "DE", more: int = 0) -> Config:
    """Nodes at `a` and `b`, one in the country `c` that is alone with its model, and `more` like the first two."""
    shared = {"country": "DE", "region": "r", "tier": "on_prem"}
    nodes = [
        {"id": "a", "address": a, "models": ["m"], **shared},
        {"id": "b", "address": b, "models": ["m"], **shared},
        {"id": "c", "address": "127.0.0.1:3", "models": ["n"], **shared, "country": c},
    ]
    nodes += [{"id": f"more{n}", "address": f"127.0.0.1:{10 + n}", "models": ["m"], **shared} for n in range(more)]
    path = directory / "ringfence.yaml"
    path.write_text(yaml.safe_dump({"state_directory": "var", "nodes": nodes}))
    loaded = load(path, environ={})
    state.prepare(loaded)
    return loaded


def pools(fleet: FleetState) -> set[tuple[str, ...]]:
    return {pool.nodes for pool in fleet.pools}


BASE = {("a", "b"), ("c",)}


class Acknowledged(AdsServer):
    """An Envoy that accepts everything; `beside` is what the last wait did not ask for."""

    beside: Collection[str] = ()

    async def wait_acked(self, version: str, timeout_s: float, *, beside: Collection[str] = ()) -> bool:
        """At once."""
        self.beside = beside
        return True


class Counting(Acknowledged):
    """Counts what it is offered, and refuses the first `refused` offers."""

    offers = 0
    refused = 0

    def publish(self, snapshot: Snapshot) -> str:
        """The version of `snapshot`. Raises ConfigInvalid."""
        self.offers += 1
        if self.offers <= self.refused:
            raise ConfigInvalid("refused to publish")
        return super().publish(snapshot)


class Silent(AdsServer):
    """An Envoy that never answers."""

    async def wait_acked(self, version: str, timeout_s: float, *, beside: Collection[str] = ()) -> bool:
        """Not in any time."""
        return False


async def test_a_fleet_starts_with_the_nodes_of_each_model(tmp_path: Path) -> None:
    """An unpinned request finds its pool without asking for it."""
    assert pools(FleetState(config(tmp_path), AdsServer("unix:/none"))) == BASE


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (orjson.dumps({"pools": [["a"], ["b", "c"]], "addresses": {}}), BASE | {("a",), ("b", "c")}),
        (orjson.dumps({"pools": [["a"], ["gone"], []], "addresses": {}}), BASE | {("a",)}),
        (b"[[", BASE),
        (b"[]", BASE),
        (orjson.dumps({"pools": [7], "addresses": {}}), BASE),
    ],
    ids=["pools", "a node that is gone", "not JSON", "not an object", "not a pool"],
)
async def test_pools_of_the_process_before_are_taken_up(
    tmp_path: Path, kept: bytes, expected: set[tuple[str, ...]]
) -> None:
    """What names declared nodes is live again; what does not, or cannot be read, is left out."""
    settings = config(tmp_path)
    (settings.state_directory / "pools.json").write_bytes(kept)
    fleet = FleetState(settings, AdsServer("unix:/none"))

    fleet.restore()

    assert pools(fleet) == expected


class Names:
    """A resolver: the names in `known` have their address, those in `silent` no answer in any time, the others none at all."""

    def __init__(self, known: dict[str, str], *, silent: Collection[str] = ()) -> None:
        self.known, self.silent = known, silent
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        """As the event loop's. Raises OSError."""
        self.asked.append(host)
        if host in self.silent:
            await asyncio.Event().wait()
        if host not in self.known:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.known[host], 0))]


def endpoints(ads: AdsServer) -> set[str]:
    assert ads.snapshot is not None
    return {
        endpoint.endpoint.address.socket_address.address
        for resource in ads.snapshot.resources[XdsType.ENDPOINT].values()
        for locality in resource.message.endpoints
        for endpoint in locality.lb_endpoints
    }


async def published(settings: Config, names: Names, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The endpoints that a control process offers once it has started."""
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.getaddrinfo)
    ads = AdsServer("unix:/none")
    fleet = FleetState(settings, ads)
    fleet.restore()
    await fleet.publish()
    return endpoints(ads)


async def test_addresses_outlive_the_process_that_resolved_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control process that starts while DNS is out takes no node away; one that now has another name is not meant."""
    settings = config(tmp_path, a="a.example:1", b="b.example:1")
    dns = Names({"a.example": "192.0.2.1", "b.example": "192.0.2.2"})

    assert {"192.0.2.1", "192.0.2.2", "127.0.0.1"} == await published(settings, dns, monkeypatch)
    assert {"192.0.2.1", "192.0.2.2", "127.0.0.1"} == await published(settings, Names({}), monkeypatch)
    moved = config(tmp_path, a="a.example:1", b="other.example:1")
    assert {"192.0.2.1", "127.0.0.1"} == await published(moved, Names({}), monkeypatch)
    # Addresses of long ago may be another machine's by now.
    os.utime(settings.state_directory / "pools.json", (0, 0))
    assert {"127.0.0.1"} == await published(moved, Names({}), monkeypatch)


async def test_what_is_kept_and_no_address_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Envoy would refuse the endpoints of the whole cell."""
    settings = config(tmp_path, a="a.example:1")
    (settings.state_directory / "pools.json").write_bytes(
        orjson.dumps({"pools": [], "addresses": {"a.example": ["b.example"]}})
    )

    assert {"127.0.0.1"} == await published(settings, Names({}), monkeypatch)


async def test_a_name_without_an_answer_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are asked for at once and for a bounded time; one that is still being asked for is not asked for again."""
    monkeypatch.setattr("sidecar.fleet._ANSWER_S", 0.05)
    names = Names({"b.example": "192.0.2.2"}, silent={"a.example"})
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.getaddrinfo)
    ads = AdsServer("unix:/none")
    fleet = FleetState(config(tmp_path, a="a.example:1", b="b.example:1"), ads)

    async with asyncio.timeout(30):
        await fleet.publish()
        await fleet.publish()

    assert {"192.0.2.2", "127.0.0.1"} == endpoints(ads)
    assert ["a.example", "b.example", "b.example"] == names.asked


async def test_a_pool_waits_for_its_own_cell_alone(tmp_path: Path) -> None:
    """A cluster elsewhere that Envoy refuses takes no other pool out of service."""
    ads = Acknowledged("unix:/none")
    fleet = FleetState(config(tmp_path, c="FR"), ads)

    assert await fleet.register([["a"]])
    assert {"cell-fr"} == ads.beside
    assert await fleet.register([["a"], ["c"]])
    assert set() == ads.beside


async def test_registrations_of_one_moment_share_a_snapshot(tmp_path: Path) -> None:
    """One is made for all of them, and none for pools that Envoy was offered already."""
    ads = Counting("unix:/none")
    fleet = FleetState(config(tmp_path, more=7), ads)
    await fleet.publish()
    asked = [[f"more{n}"] for n in range(7)]

    assert [True] * 7 == await asyncio.gather(*(fleet.register([pool]) for pool in asked))
    assert await fleet.register(asked)
    assert {tuple(pool) for pool in asked} < pools(fleet)
    assert 2 == ads.offers


async def test_a_pool_whose_snapshot_was_refused_is_offered_again(tmp_path: Path) -> None:
    """It is live, and nobody is told that Envoy routes to it."""
    ads = Counting("unix:/none")
    fleet = FleetState(config(tmp_path), ads)
    await fleet.publish()
    ads.refused = 2

    with pytest.raises(ConfigInvalid):
        await fleet.register([["a"]])
    assert await fleet.register([["a"]])
    assert 3 == ads.offers


async def test_a_pool_that_envoy_has_not_acknowledged_is_live(tmp_path: Path) -> None:
    """The refusal says so by its class: a worker that counts on the pool may go on."""
    fleet = FleetState(config(tmp_path), Silent("unix:/none"))

    with pytest.raises(NotAcknowledged):
        await fleet.register([["a"]])
    assert {("a",)} | BASE == pools(fleet)


async def test_a_full_cell_refuses_what_it_has_no_room_for(tmp_path: Path) -> None:
    """No pool that was answered for is gone after the answer; those that found room are taken up."""
    settings = config(tmp_path, more=7)
    fleet = FleetState(settings, Acknowledged("unix:/none"))
    ids = sorted(node.id for node in settings.nodes)
    few = [[one] for one in ids if one != "c"]
    many = [list(pool) for size in (2, 3, 4) for pool in combinations(ids, size)][:MAX_POOLS_PER_CELL]

    assert await fleet.register(few)
    with pytest.raises(PlacementUnavailable):
        await fleet.register(many)
    assert pools(fleet) >= {tuple(pool) for pool in few}
    assert MAX_POOLS_PER_CELL == len(fleet.pools)
    assert await fleet.register(few)


def test_a_state_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    """The second is refused with the directory's name; after the first is done it may have it."""
    settings = config(tmp_path)

    with state.owned(settings), pytest.raises(ConfigInvalid, match="in use by another"), state.owned(settings):
        pass
    with state.owned(settings):
        pass
