"""The generated Envoy configuration: who is in which cell, in which order, reached how, within which limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import ConfigInvalid, PlacementUnavailable
from governance.nodes.node import Node, Pool, Tls, pool_of
from governance.residency import Tier
from sidecar.bootstrap import EnvoyProcess, bootstrap, command, write
from sidecar.clusters import authority, load_assignment, split_address
from sidecar.dataplane import BUFFER_SLACK_BYTES, MIB, DataPlane
from sidecar.lint import lint
from sidecar.pools import Cell, Member, PoolTable
from sidecar.resources import build
from sidecar.snapshot import Snapshot, XdsType

SETTINGS = DataPlane(worker_sockets=("/run/w0.sock", "/run/w1.sock"))


def node(name: str, country: str = "DE", tier: Tier = Tier.DEVICE, **changes: Any) -> Node:
    """A node on a port of its own."""
    port = 9_000 + sum(name.encode())
    made = Node(id=name, address=f"127.0.0.1:{port}", country=country, region="r", tier=tier, models=("m",))
    return replace(made, **changes)


FLEET = [
    node("device"),
    node("rack", tier=Tier.ON_PREM),
    node("cloud", tier=Tier.CLOUD),
    node("us", "US", Tier.CLOUD),
]


def table(*pools: list[str]) -> PoolTable:
    """The fleet with the named pools."""
    known = {one.id: one for one in FLEET}
    return PoolTable.of(FLEET, base=[pool_of(known[name] for name in names) for names in pools])


def made(*pools: list[str], plane: DataPlane = SETTINGS) -> Snapshot:
    """The snapshot of these pools."""
    return build(plane, table(*pools).cells, {})


def placed(assignment: Any) -> list[tuple[int, str, list[str]]]:
    """Priority, node and pools of each endpoint."""
    return [
        (
            locality.priority,
            endpoint.metadata.filter_metadata["ringfence"]["node"],
            list(endpoint.metadata.filter_metadata["envoy.lb"]["pool"]),
        )
        for locality in assignment.endpoints
        for endpoint in locality.lb_endpoints
    ]


# --- cells and pools -------------------------------------------------------------------------------------------------


def test_cell_holds_the_nodes_of_its_countries_by_tier() -> None:
    """Priorities are contiguous in the order of tiers, and each endpoint lists exactly the pools that hold it."""
    known = {one.id: one for one in FLEET}
    small, large = pool_of([known["device"]]), pool_of([known["device"], known["cloud"]])
    assignment = made(["device"], ["device", "cloud"], ["us"]).resources[XdsType.ENDPOINT]["cell-de"].message

    assert [(0, "device", sorted([small.name, large.name])), (1, "rack", []), (2, "cloud", [large.name])] == placed(
        assignment
    )


def test_node_in_no_pool_is_health_checked_in_its_cell_and_in_no_subset() -> None:
    """A pool that is made later finds its nodes checked; until then no pool name leads to them, nor a cell elsewhere."""
    pool = made(["device"]).resources[XdsType.ENDPOINT]

    assert ["cell-de"] == list(pool)
    assert {"device": 1, "rack": 0, "cloud": 0} == {
        name: len(pools) for _, name, pools in placed(pool["cell-de"].message)
    }


def test_pool_over_two_countries_has_a_cell_of_its_own() -> None:
    """The cell of a mixed pool is another cluster than those of its countries."""
    snapshot = made(["device"], ["us"], ["device", "us"])

    assert ["cell-de", "cell-de-us", "cell-us"] == list(snapshot.resources[XdsType.ENDPOINT])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([one.id for one in FLEET]), min_size=1, max_size=4, unique=True),
        min_size=1,
        max_size=6,
    )
)
def test_no_endpoint_is_outside_the_countries_of_its_cell(pools: list[list[str]]) -> None:
    """Whatever pools are live: each cell holds nodes of its countries only, each pool exactly its nodes; lint agrees."""
    known = {one.id: one for one in FLEET}
    live = table(*pools)
    snapshot = build(SETTINGS, live.cells, {})
    for name, one in snapshot.resources[XdsType.ENDPOINT].items():
        countries = set(name.removeprefix("cell-").upper().split("-"))
        endpoints = placed(one.message)
        assert all(known[held].country in countries for _, held, _ in endpoints)
        for pool in (entry.pool for entry in live.live.values() if entry.pool.cell == name):
            assert set(pool.nodes) == {held for _, held, names in endpoints if pool.name in names}

    assert [] == snapshot.inconsistencies() + lint(one.message for one in snapshot.all())


def test_adding_a_pool_to_a_cell_rebuilds_its_endpoints_alone() -> None:
    """Every other resource is the very object of the snapshot before."""
    before = table(["device"], ["us"])
    first = build(SETTINGS, before.cells, {})
    known = {one.id: one for one in FLEET}
    after = before.add(pool_of([known["device"], known["cloud"]]), now_s=1)
    second = build(SETTINGS, after.cells, {}, previous=first)

    old = {id(one) for one in first.all()}
    assert [(XdsType.ENDPOINT, "cell-de")] == [(one.type, one.name) for one in second.all() if id(one) not in old]


def test_incremental_build_equals_a_whole_one() -> None:
    """What is taken over from the snapshot before makes no difference to the result."""
    known = {one.id: one for one in FLEET}
    before = table(["device"], ["us"])
    after = before.add(pool_of([known["device"], known["us"]]), now_s=1)
    first = build(SETTINGS, before.cells, {"x": ("192.0.2.1",)})
    plane = replace(SETTINGS, upstream_timeout_ms=1_000)

    assert build(plane, after.cells, {}).version == build(plane, after.cells, {}, previous=first).version


def test_pool_that_is_not_what_its_nodes_lead_to_is_refused() -> None:
    """A pool comes from another process: its name and cell are computed again, not believed."""
    good = pool_of([FLEET[3]])
    for wrong in (
        replace(good, cell="cell-de"),
        replace(good, name="pool-mine"),
        replace(good, nodes=("nobody",)),
        Pool(name="p", cell="c", nodes=()),
    ):
        with pytest.raises(PlacementUnavailable):
            table(["device"]).add(wrong, now_s=0)


def test_full_cell_gives_up_its_longest_unused_pool_but_never_a_base_pool() -> None:
    """Room is made by the pool unused for longest; base pools stay, and a cell full of them takes no more."""
    nodes = [node(name) for name in "abcd"]
    one, two, three, four = (pool_of([each]) for each in nodes)
    live = PoolTable.of(nodes, base=[one], max_pools_per_cell=3).add(two, now_s=1).add(three, now_s=2)
    live = live.add(two, now_s=3)

    assert {one.name, two.name, four.name} == set(live.add(four, now_s=100).live)
    with pytest.raises(PlacementUnavailable):
        PoolTable.of(nodes, base=[one, two], max_pools_per_cell=2).add(three, now_s=0)


def test_full_cell_gives_up_no_pool_that_a_worker_counts_on() -> None:
    """A pool named within two keep-alive periods stays, and the new one is refused."""
    nodes = [node(name) for name in "abc"]
    one, two, three = (pool_of([each]) for each in nodes)
    live = PoolTable.of(nodes, max_pools_per_cell=2).add(one, now_s=0).add(two, now_s=30)

    with pytest.raises(PlacementUnavailable):
        live.add(three, now_s=40)
    assert {two.name, three.name} == set(live.add(three, now_s=41).live)


def test_number_of_cells_is_bounded() -> None:
    """A new set of countries is refused once the limit is reached; known cells still take pools."""
    nodes = [node("a", "DE"), node("b", "FR"), node("c", "US"), node("d", "DE")]
    live = PoolTable.of(nodes, base=[pool_of([nodes[0]]), pool_of([nodes[1]])], max_cells=2)

    assert 3 == len(live.add(pool_of([nodes[3]]), now_s=0).live)
    with pytest.raises(PlacementUnavailable):
        live.add(pool_of([nodes[2]]), now_s=0)


def test_idle_pools_are_collected_and_base_pools_are_not() -> None:
    """After the idle time only base pools and those in use are left."""
    nodes = [node(name) for name in "abc"]
    one, two, three = (pool_of([each]) for each in nodes)
    live = PoolTable.of(nodes, base=[one]).add(two, now_s=0).add(three, now_s=90)

    assert {one.name, three.name} == set(live.collect(now_s=100, idle_s=60).live)
    assert live is live.collect(now_s=100, idle_s=200)


# --- endpoints -------------------------------------------------------------------------------------------------------


def test_named_node_is_reached_at_the_given_addresses_under_its_own_name() -> None:
    """A name becomes its IP addresses; Host and health checks use the name; without addresses there is no endpoint."""
    named = node("n", address="api.example:443", tls=Tls(server_name="api.example"))
    cell = Cell(name="cell-de", members=(Member(node=named, pools=("p",)),))
    found = load_assignment(cell, {"n": ("192.0.2.2", "192.0.2.1")})
    endpoints = found.endpoints[0].lb_endpoints

    assert ["192.0.2.1", "192.0.2.2"] == [one.endpoint.address.socket_address.address for one in endpoints]
    assert {"api.example"} == {one.endpoint.hostname for one in endpoints}
    assert [] == list(load_assignment(cell, {}).endpoints[0].lb_endpoints)


def test_two_nodes_on_one_address_do_not_share_their_pins() -> None:
    """Envoy would take them for one host: only the first has an endpoint, so that no pin covers the other."""
    first, second = node("a", address="127.0.0.1:9"), node("b", address="127.0.0.1:9")
    members = (Member(node=first, pools=("p1",)), Member(node=second, pools=("p2",)))

    assert [(0, "a", ["p1"])] == placed(load_assignment(Cell(name="c", members=members), {}))


@pytest.mark.parametrize(
    ("address", "tls", "expected"),
    [
        ("api.example:443", True, "api.example"),
        ("api.example:80", False, "api.example"),
        ("api.example:8443", True, "api.example:8443"),
        ("10.0.0.1:11434", False, "10.0.0.1:11434"),
        ("[::1]:80", False, "[::1]"),
    ],
)
def test_node_is_asked_for_under_its_own_address(address: str, tls: bool, expected: str) -> None:
    """The Host of a request is the node's, without the port its scheme implies."""
    assert expected == authority(node("n", address=address, tls=Tls(server_name="x") if tls else None))


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:0", "host:65536", "host:x", "host:\u0661"])
def test_address_that_is_not_host_and_port_is_refused(address: str) -> None:
    """Nothing is guessed about an address."""
    with pytest.raises(ConfigInvalid):
        split_address(address)


def test_every_tls_node_is_verified_against_its_name_and_trust_store() -> None:
    """Each node's transport verifies its own name; an IP address is verified as one."""
    nodes = [
        node("a", address="192.0.2.1:443", tls=Tls(server_name="a.example")),
        node("b", address="192.0.2.2:443", tls=Tls(server_name="192.0.2.2", ca_file="/etc/own.pem")),
        node("c"),
    ]
    cluster: Any = (
        build(SETTINGS, PoolTable.of(nodes, base=[pool_of(nodes)]).cells, {})
        .resources[XdsType.CLUSTER]["cell-de"]
        .message
    )
    seen = {}
    for match in cluster.transport_socket_matches:
        context = UpstreamTlsContext()
        if match.transport_socket.typed_config.Unpack(context):
            verified = context.common_tls_context.validation_context
            name = verified.match_typed_subject_alt_names[0]
            seen[context.sni] = (verified.trusted_ca.filename, name.matcher.exact, name.san_type)

    dns, ip = 2, 4
    assert {
        "a.example": (SETTINGS.system_ca_file, "a.example", dns),
        "192.0.2.2": ("/etc/own.pem", "192.0.2.2", ip),
    } == seen
    matched = {str(one.match["tls"]) for one in cluster.transport_socket_matches}
    used = {
        one.metadata.filter_metadata["envoy.transport_socket_match"]["tls"]
        for locality in load_assignment(PoolTable.of(nodes, base=[pool_of(nodes)]).cells[0], {}).endpoints
        for one in locality.lb_endpoints
    }
    assert used == matched


# --- settings --------------------------------------------------------------------------------------------------------


def test_buffer_limits_hold_a_whole_body() -> None:
    """Listener and clusters buffer the largest body and what surrounds it."""
    snapshot = made(["device"], plane=replace(SETTINGS, max_body_bytes=3 * MIB))
    limits = {
        one.message.per_connection_buffer_limit_bytes.value
        for kind in (XdsType.LISTENER, XdsType.CLUSTER)
        for one in snapshot.resources[kind].values()
    }

    assert {3 * MIB + BUFFER_SLACK_BYTES} == limits


def test_bodies_that_fit_the_buffer_begin_on_a_route_of_their_own_that_refuses() -> None:
    """From the first byte to the last that fits; like every other request such a one starts on a refusal."""
    found: Any = made(["device"], plane=replace(SETTINGS, max_body_bytes=MIB)).resources[XdsType.ROUTE]["ringfence"]
    routes = found.message.virtual_hosts[0].routes
    lengths = [
        (one.name, header.range_match.start, header.range_match.end)
        for one in routes
        for header in one.match.headers
        if header.name == "content-length"
    ]

    assert ["cell-de", "refuse-whole", "refuse"] == [one.name for one in routes]
    assert [("refuse-whole", 1, MIB + 1)] == lengths
    assert [False, True, True] == [one.HasField("direct_response") for one in routes]


def test_worker_that_hangs_is_given_up_once_a_request_must_have_been_read_and_judged() -> None:
    """Envoy has no timeout for a body in pieces: pings, and the longest upload and verdict, bound the exchange."""
    plane = replace(SETTINGS, request_timeout_ms=7_000, message_timeout_ms=2_000)
    workers: Any = made(["device"], plane=plane).resources[XdsType.CLUSTER]["ringfence-workers"].message
    options = HttpProtocolOptions()
    [packed] = workers.typed_extension_protocol_options.values()
    packed.Unpack(options)

    pings = options.explicit_http_config.http2_protocol_options.connection_keepalive

    assert (9_000, 1_000, 1_000) == (
        options.common_http_protocol_options.max_stream_duration.ToMilliseconds(),
        pings.interval.ToMilliseconds(),
        pings.timeout.ToMilliseconds(),
    )


def test_claims_reach_no_node_and_come_as_text_alone() -> None:
    """Every route removes them, and one that is not ASCII has its whole head sent."""
    plane = replace(SETTINGS, claim_headers=("x-groups",), trusted_proxies=("10.0.0.7/32",))
    host: Any = made(["device"], plane=plane).resources[XdsType.ROUTE]["ringfence"]
    [virtual] = host.message.virtual_hosts
    whole = next(one for one in virtual.routes if one.name == "refuse-whole")

    assert "x-groups" in virtual.request_headers_to_remove
    assert "x-groups" in [header.name for header in whole.match.headers]


def test_cell_may_be_routed_before_it_has_nodes() -> None:
    """A cell named ahead has a route and no cluster; it changes nothing else, and lint agrees."""
    plain = made(["device"])
    ahead = build(SETTINGS, table(["device"]).cells, {}, routed=("cell-us", "cell-de"))
    routes: Any = ahead.resources[XdsType.ROUTE]["ringfence"].message

    assert ["cell-de", "cell-us"] == [
        one.route.cluster for one in routes.virtual_hosts[0].routes if one.HasField("route")
    ]
    assert list(plain.resources[XdsType.CLUSTER]) == list(ahead.resources[XdsType.CLUSTER])
    assert [] == ahead.inconsistencies() + lint(one.message for one in ahead.all())


def test_each_worker_has_its_own_access_log() -> None:
    """Entries go to the worker that decided; what nobody decided goes to the first."""
    from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
        HttpConnectionManager,
    )

    snapshot = made(["device"])
    manager = HttpConnectionManager()
    listener: Any = snapshot.resources[XdsType.LISTENER]["ringfence"].message
    listener.filter_chains[0].filters[0].typed_config.Unpack(manager)
    logs = [
        (
            log.filter.metadata_filter.matcher.value.string_match.exact,
            log.filter.metadata_filter.match_if_key_not_found.value,
        )
        for log in manager.access_log
    ]
    paths = {
        name: [
            endpoint.endpoint.address.pipe.path
            for locality in one.message.load_assignment.endpoints
            for endpoint in locality.lb_endpoints
        ]
        for name, one in snapshot.resources[XdsType.CLUSTER].items()
        if name.startswith("ringfence-")
    }

    assert [("0", True), ("1", False)] == logs
    assert {
        "ringfence-log-0": ["/run/w0.sock"],
        "ringfence-log-1": ["/run/w1.sock"],
        "ringfence-workers": ["/run/w0.sock", "/run/w1.sock"],
    } == paths


@pytest.mark.parametrize(
    "changes",
    [
        {"worker_sockets": ()},
        {"worker_sockets": ("/a", "/a")},
        {"listen_port": 0},
        {"listen_port": 65_536},
        {"max_body_bytes": 0},
        {"max_body_bytes": 2 << 30},
        {"streamed_body_bytes": 8 * MIB},
        {"message_timeout_ms": 0},
        {"upstream_timeout_ms": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    """Limits that contradict each other, or switch a timeout off, are errors at once."""
    with pytest.raises(ConfigInvalid):
        replace(SETTINGS, **changes)


# --- bootstrap -------------------------------------------------------------------------------------------------------


def test_bootstrap_has_one_source_of_configuration() -> None:
    """Clusters and listeners come over ADS from the control socket; nothing else is static, admin is on a socket."""
    process = EnvoyProcess(node_id="n1", ads_socket="/run/ads.sock", admin_socket="/run/admin.sock")
    content: Any = bootstrap(process)

    assert "DELTA_GRPC" == content["dynamic_resources"]["ads_config"]["api_type"]
    assert ["ringfence-control"] == [one["name"] for one in content["static_resources"]["clusters"]]
    assert {"pipe": {"path": "/run/admin.sock", "mode": 0o600}} == content["admin"]["address"]
    sotw: Any = bootstrap(replace(process, protocol="sotw"))
    assert "GRPC" == sotw["dynamic_resources"]["ads_config"]["api_type"]


def test_admin_without_a_socket_listens_on_loopback_alone() -> None:
    """The admin interface can stop Envoy and show its configuration: it is never on another interface."""
    process = EnvoyProcess(node_id="n1", ads_socket="/run/ads.sock", admin_address_file="/run/admin.addr")
    content: Any = bootstrap(process)

    assert {"address": "127.0.0.1", "port_value": 0} == content["admin"]["address"]["socket_address"]
    assert "--admin-address-path" in command(Path("/envoy"), Path("/b.json"), process)


def test_command_line_names_the_restart_identity_only_when_there_is_one() -> None:
    """Without a base id Envoy uses no shared memory at all."""
    process = EnvoyProcess(node_id="n1", ads_socket="/run/ads.sock", admin_socket="/run/admin.sock", concurrency=2)
    alone = command(Path("/envoy"), Path("/b.json"), process)
    named = command(Path("/envoy"), Path("/b.json"), replace(process, base_id=7))

    assert ("/envoy", "--config-path", "/b.json") == alone[:3]
    assert ("--disable-hot-restart" in alone, "--base-id" in alone) == (True, False)
    assert ("--disable-hot-restart" in named, named[named.index("--base-id") + 1]) == (False, "7")


def test_bootstrap_file_is_the_owners_alone(tmp_path: Path) -> None:
    """The file appears whole, is readable JSON, and nobody else may read it."""
    file = tmp_path / "envoy.json"
    write(file, {"a": 1})

    assert ({"a": 1}, 0o600) == (json.loads(file.read_text()), file.stat().st_mode & 0o777)
    assert [file] == list(tmp_path.iterdir())
