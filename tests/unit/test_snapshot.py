"""Snapshots: versions by content, and references that do not dangle."""

from __future__ import annotations

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.nodes.node import Node, pool_of
from governance.residency import Tier
from sidecar.dataplane import DataPlane
from sidecar.pools import PoolTable
from sidecar.resources import build
from sidecar.snapshot import Snapshot, XdsType, resource, version_of

NODES = [
    Node(id="a", address="127.0.0.1:9001", country="DE", region="de", tier=Tier.DEVICE, models=("m",)),
    Node(id="b", address="127.0.0.1:9002", country="US", region="us", tier=Tier.CLOUD, models=("m",)),
]
SETTINGS = DataPlane(worker_sockets=("/run/w0.sock",))


def whole() -> Snapshot:
    """A data plane of two cells."""
    return build(SETTINGS, PoolTable.of(NODES, base=[pool_of([one]) for one in NODES]).cells, {})


def test_version_follows_content_alone() -> None:
    """Two builds from the same inputs have the same version, byte for byte; another input has another."""
    assert [(one.name, one.version, one.body) for one in whole().all()] == [
        (one.name, one.version, one.body) for one in whole().all()
    ]
    assert whole().version == whole().version
    fewer = build(SETTINGS, PoolTable.of(NODES, base=[pool_of(NODES[:1])]).cells, {})
    assert whole().version != fewer.version


@settings(max_examples=30, deadline=None)
@given(st.permutations(["a", "b", "c", "d"]))
def test_version_does_not_depend_on_order(names: list[str]) -> None:
    """Resources given in any order make the same snapshot."""
    made = Snapshot.of(resource(XdsType.CLUSTER, name, Cluster(name=name)) for name in names)
    ordered = Snapshot.of(resource(XdsType.CLUSTER, name, Cluster(name=name)) for name in sorted(names))

    assert ordered.version == made.version
    assert sorted(names) == [one.name for one in made.all()]


def test_version_depends_on_names_and_types() -> None:
    """The same bytes under another name are another set."""
    body = Cluster(name="x")

    assert version_of([resource(XdsType.CLUSTER, "a", body)]) != version_of([resource(XdsType.CLUSTER, "b", body)])


def test_generated_snapshot_is_consistent() -> None:
    """What we generate names no more and no less than it holds."""
    assert [] == whole().inconsistencies()


def test_every_dangling_reference_is_found() -> None:
    """Endpoints and routes that are missing or left over are each named."""
    everything = whole().all()
    without = Snapshot.of(one for one in everything if one.type not in (XdsType.ENDPOINT, XdsType.ROUTE))
    extra = Snapshot.of(
        [
            *everything,
            resource(XdsType.ENDPOINT, "left", ClusterLoadAssignment(cluster_name="left")),
            resource(XdsType.ROUTE, "over", RouteConfiguration(name="over")),
        ]
    )

    assert [
        "endpoints `cell-de` are named but absent",
        "endpoints `cell-us` are named but absent",
        "routes `ringfence` are named but absent",
    ] == without.inconsistencies()
    assert ["endpoints `left` are named by nothing", "routes `over` are named by nothing"] == extra.inconsistencies()


def test_order_of_types_is_make_before_break() -> None:
    """Clusters, endpoints, listeners, routes."""
    assert ["CLUSTER", "ENDPOINT", "LISTENER", "ROUTE"] == [kind.name for kind in XdsType]
    kinds = [one.type for one in whole().all()]
    assert sorted(kinds, key=list(XdsType).index) == kinds
