"""The state of one xDS stream: acknowledgements, refusals, interest, order and removal, in both protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.snapshot import Resource, Snapshot, XdsType, resource
from sidecar.subscription import DeltaRequest, DeltaStream, Push, SotwRequest, SotwStream, Stream

CDS, EDS, LDS, RDS = XdsType.CLUSTER, XdsType.ENDPOINT, XdsType.LISTENER, XdsType.ROUTE


def one(kind: XdsType, name: str, revision: int = 0) -> Resource:
    """A resource whose content is its name and revision."""
    if kind is CDS:
        return resource(kind, name, Cluster(name=name, alt_stat_name=str(revision)))
    if kind is EDS:
        made = ClusterLoadAssignment(cluster_name=name)
        if revision:
            made.endpoints.add(priority=revision)
        return resource(kind, name, made)
    if kind is LDS:
        return resource(kind, name, Listener(name=name, stat_prefix=str(revision)))
    return resource(kind, name, RouteConfiguration(name=name, ignore_port_in_host_matching=bool(revision)))


def snapshot(cells: Mapping[str, int], *, clusters: int = 0, routes: int = 0, listeners: int = 0) -> Snapshot:
    """A cluster and its endpoints (at the given revision) per cell, a listener and its routes."""
    return Snapshot.of(
        [
            *(one(CDS, name, clusters) for name in cells),
            *(one(EDS, name, revision) for name, revision in cells.items()),
            one(LDS, "listener", listeners),
            one(RDS, "routes", routes),
        ]
    )


def drain(stream: Stream) -> list[Push]:
    """Every push that is due."""
    out = []
    while (push := stream.next()) is not None:
        out.append(push)
        assert len(out) < 20
    return out


def shown(pushes: Iterable[Push]) -> list[tuple[str, list[str], list[str]]]:
    """Type, names and removed names of pushes."""
    return [(push.type.name, [r.name for r in push.resources], list(push.removed)) for push in pushes]


class DeltaClient:
    """Envoy's side of an incremental stream: accepts or refuses, and subscribes to what clusters and listeners name."""

    def __init__(self, stream: DeltaStream, *, has: Mapping[XdsType, Mapping[str, str]] | None = None) -> None:
        self.stream = stream
        self.has: dict[XdsType, dict[str, str]] = {kind: dict((has or {}).get(kind, {})) for kind in XdsType}
        self.log: list[Push] = []
        for kind in (CDS, LDS):
            stream.receive(DeltaRequest(type=kind, initial_versions=self.has[kind]))
        for kind in (EDS, RDS):
            if self.has[kind]:
                names = tuple(self.has[kind])
                stream.receive(DeltaRequest(type=kind, subscribe=names, initial_versions=self.has[kind]))

    def run(self, *, refuse: frozenset[XdsType] = frozenset(), bad: str = "") -> list[Push]:
        """Takes pushes until there are none, answering each; those of a type in `refuse`, or with a cluster `bad`, with no."""
        taken = []
        while (push := self.stream.next()) is not None:
            taken.append(push)
            assert len(taken) < 50
            spoilt = push.type is CDS and any(one.name == bad for one in push.resources)
            error = "refused" if push.type in refuse or spoilt else None
            if error is None:
                self._apply(push)
            self.stream.receive(DeltaRequest(type=push.type, nonce=push.nonce, error=error))
        self.log += taken
        return taken

    def _apply(self, push: Push) -> None:
        held = self.has[push.type]
        held.update({r.name: r.version for r in push.resources})
        for name in push.removed:
            held.pop(name, None)
        if push.type is CDS:
            new = tuple(r.name for r in push.resources)
            gone = push.removed
            if new or gone:
                self.stream.receive(DeltaRequest(type=EDS, subscribe=new, unsubscribe=gone))
            for name in gone:
                self.has[EDS].pop(name, None)
        if push.type is LDS and push.resources:
            self.stream.receive(DeltaRequest(type=RDS, subscribe=("routes",)))


def versions(of: Snapshot) -> dict[XdsType, dict[str, str]]:
    """What a client that has all of `of` has."""
    return {kind: {name: r.version for name, r in of.resources[kind].items()} for kind in XdsType}


# --- incremental -----------------------------------------------------------------------------------------------------


def test_delta_sends_clusters_endpoints_listeners_routes_in_that_order() -> None:
    """A new client is sent everything, make before break, and has then accepted the snapshot."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0}))
    client = DeltaClient(stream)

    pushes = client.run()

    assert [
        ("CLUSTER", ["a", "b"], []),
        ("ENDPOINT", ["a", "b"], []),
        ("LISTENER", ["listener"], []),
        ("ROUTE", ["routes"], []),
    ] == shown(pushes)
    assert stream.accepted


def test_delta_sends_only_what_changed() -> None:
    """One changed cell is one endpoint resource on the wire."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 0, "b": 1}))

    assert [("ENDPOINT", ["b"], [])] == shown(client.run())
    assert stream.accepted


def test_delta_same_content_is_silence() -> None:
    """A snapshot with the same content pushes nothing and stays accepted."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 0}))

    assert [] == client.run()
    assert stream.accepted


def test_delta_removes_a_cluster_only_after_the_routes_are_accepted() -> None:
    """A removed cell stays until the client has accepted routes that no longer name it."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 0}, routes=1))

    (routes,) = drain(stream)
    assert [("ROUTE", ["routes"], [])] == shown([routes])
    stream.receive(DeltaRequest(type=RDS, nonce=routes.nonce))
    assert [("CLUSTER", [], ["b"])] == shown(drain(stream))[:1]


def test_delta_keeps_a_cluster_while_the_routes_are_refused() -> None:
    """Routes that are refused leave the old ones in force, so nothing they name is taken away."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 0}, routes=1))

    assert [("ROUTE", ["routes"], [])] == shown(client.run(refuse=frozenset({RDS})))
    assert "b" in client.has[CDS]


def test_delta_first_wildcard_request_is_answered_even_when_empty() -> None:
    """A client that asks for all clusters learns that there are none; nothing else is said about them."""
    stream = DeltaStream(Snapshot.of([]))
    stream.receive(DeltaRequest(type=CDS))

    assert [("CLUSTER", [], [])] == shown(drain(stream))


@pytest.mark.parametrize("first", [DeltaRequest(type=CDS), DeltaRequest(type=CDS, subscribe=("*",))])
def test_delta_knows_both_wildcards(first: DeltaRequest) -> None:
    """No names at all, and the name `*`, ask for every cluster."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0}))
    stream.receive(first)

    assert [("CLUSTER", ["a", "b"], [])] == shown(drain(stream))


def test_delta_no_names_is_no_wildcard_for_endpoints() -> None:
    """Endpoints are asked for by name; a request without names asks for none."""
    stream = DeltaStream(snapshot({"a": 0}))
    stream.receive(DeltaRequest(type=EDS))

    assert [] == drain(stream)


def test_delta_leaving_the_wildcard_keeps_the_named() -> None:
    """After `*` is unsubscribed only the names asked for are updated."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0}))
    stream.receive(DeltaRequest(type=CDS, subscribe=("*", "a")))
    drain(stream)
    stream.receive(DeltaRequest(type=CDS, unsubscribe=("*",)))
    stream.publish(snapshot({"a": 0, "b": 0}, clusters=1))

    assert [("CLUSTER", ["a"], [])] == shown(drain(stream))


def test_delta_reconnect_with_current_versions_is_sent_nothing_but_the_first_answers() -> None:
    """A client that says it has all of the snapshot has accepted it before anything is sent."""
    current = snapshot({"a": 0, "b": 0})
    stream = DeltaStream(current)
    client = DeltaClient(stream, has=versions(current))

    assert stream.accepted
    assert [("CLUSTER", [], []), ("LISTENER", [], [])] == shown(client.run())


def test_delta_reconnect_is_sent_changes_and_removals() -> None:
    """What changed while the client was away is sent, what is gone is named."""
    stream = DeltaStream(snapshot({"a": 1, "c": 0}, routes=1))
    client = DeltaClient(stream, has=versions(snapshot({"a": 0, "b": 0})))

    client.run()

    assert versions(snapshot({"a": 1, "c": 0}, routes=1)) == client.has
    assert stream.accepted


def test_delta_unsubscribed_resource_is_not_sent() -> None:
    """A change that was due is dropped when the client loses interest before it was taken."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 1}))
    stream.receive(DeltaRequest(type=EDS, unsubscribe=("a",)))

    assert [] == drain(stream)


def test_delta_asking_again_sends_again() -> None:
    """A name subscribed once more is sent once more, though its version is known."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.receive(DeltaRequest(type=EDS, subscribe=("a",)))

    assert [("ENDPOINT", ["a"], [])] == shown(drain(stream))


def test_delta_unknown_name_is_said_to_be_absent_once() -> None:
    """A name that does not exist is answered, once, so that a warming cluster need not wait for it."""
    stream = DeltaStream(snapshot({"a": 0}))
    stream.receive(DeltaRequest(type=EDS, subscribe=("a", "nowhere")))

    assert [("ENDPOINT", ["a"], ["nowhere"])] == shown(drain(stream))
    assert [] == drain(stream)


def test_delta_absent_name_is_sent_when_it_appears() -> None:
    """A name that was absent is pushed as soon as a snapshot has it."""
    stream = DeltaStream(snapshot({}))
    stream.receive(DeltaRequest(type=EDS, subscribe=("a",)))
    drain(stream)
    stream.publish(snapshot({"a": 0}))

    assert [("ENDPOINT", ["a"], [])] == shown(drain(stream))


def test_delta_changed_cluster_has_its_endpoints_sent_again() -> None:
    """A changed cluster warms anew and waits for endpoints that did not change."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 0}, clusters=1))

    assert ("ENDPOINT", ["a"], []) in shown(drain(stream))


def test_delta_refusal_is_reported_and_not_sent_again() -> None:
    """A refused push is on record with its reason, and the same version is not sent again."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run(refuse=frozenset({LDS}))

    assert [(LDS, "refused")] == [(nack.type, nack.message) for nack in stream.nacks]
    assert not stream.accepted
    assert [] == drain(stream)


def test_delta_refused_push_is_tried_again_with_the_next_snapshot() -> None:
    """Part of a refused push may have been applied, so all of it is sent with the next snapshot, and then accepted."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run(refuse=frozenset({CDS}))
    stream.publish(snapshot({"a": 0}, routes=1))
    client.run()

    assert stream.accepted
    assert [] == stream.nacks


def test_delta_refused_push_is_tried_again_when_asked_to() -> None:
    """The same snapshot published again brings what was refused, and nothing else."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run(refuse=frozenset({LDS}))
    stream.publish(snapshot({"a": 0}))

    assert [("LISTENER", ["listener"], [])] == shown(client.run())[:1]
    assert stream.accepted
    assert [] == stream.nacks


def test_delta_resources_that_were_refused_together_are_sent_alone() -> None:
    """The one to blame is on record, the others are accepted, and so is what comes after."""
    stream = DeltaStream(snapshot({"a": 0, "b": 0, "c": 0}))
    client = DeltaClient(stream)
    client.run(bad="b")
    outcomes = [stream.outcome(beside) for beside in ((), ("a",), ("b",))]
    stream.publish(snapshot({"a": 0, "b": 0, "c": 0, "d": 0}))
    client.run(bad="b")

    assert [False, False, True] == outcomes
    assert [(CDS, {"b"})] == [(nack.type, nack.names) for nack in stream.nacks]
    assert {"a", "c", "d"} == client.has[CDS].keys()
    assert (False, True) == (stream.outcome(()), stream.outcome({"b"}))


def test_delta_refusal_that_comes_after_the_next_snapshot_is_not_lost() -> None:
    """What it was about is due again: it may be as bad as before, and has not been accepted."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 0}, listeners=1))
    (refused,) = drain(stream)
    stream.publish(snapshot({"a": 1}, listeners=1))
    drain(stream)
    stream.receive(DeltaRequest(type=LDS, nonce=refused.nonce, error="refused"))

    assert [("LISTENER", ["listener"], [])] == shown(client.run(refuse=frozenset({LDS})))
    assert [(LDS, {"listener"})] == [(nack.type, nack.names) for nack in stream.nacks]


def test_delta_stale_nonce_acknowledges_nothing() -> None:
    """A nonce that was never sent, or was answered before, does not count as acceptance."""
    stream = DeltaStream(snapshot({"a": 0}))
    stream.receive(DeltaRequest(type=CDS))
    (clusters,) = drain(stream)
    stream.receive(DeltaRequest(type=CDS, nonce="made-up"))
    assert not stream._accepted(CDS, snapshot({"a": 0}))
    stream.receive(DeltaRequest(type=CDS, nonce=clusters.nonce))
    stream.receive(DeltaRequest(type=CDS, nonce=clusters.nonce, error="too late"))

    assert stream._accepted(CDS, snapshot({"a": 0}))
    assert [] == stream.nacks


def test_delta_late_acknowledgement_does_not_count_for_a_newer_version() -> None:
    """Accepting an older push does not accept what was sent after it."""
    stream = DeltaStream(snapshot({"a": 0}))
    client = DeltaClient(stream)
    client.run()
    stream.publish(snapshot({"a": 1}))
    (older,) = drain(stream)
    stream.publish(snapshot({"a": 2}))
    (newer,) = drain(stream)
    stream.receive(DeltaRequest(type=EDS, nonce=older.nonce))

    assert not stream.accepted
    stream.receive(DeltaRequest(type=EDS, nonce=newer.nonce))
    assert stream.accepted


def test_nothing_is_said_before_the_first_snapshot() -> None:
    """A client that is early is answered once there is something to say."""
    stream = DeltaStream()
    stream.receive(DeltaRequest(type=CDS))
    assert [] == drain(stream)
    stream.publish(snapshot({"a": 0}))

    assert [("CLUSTER", ["a"], [])] == shown(drain(stream))


CHANGES = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4),
        st.integers(0, 2),
        st.integers(0, 1),
        st.sets(st.sampled_from(list(XdsType)), max_size=2),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES)
def test_delta_converges_whatever_was_refused_on_the_way(
    changes: list[tuple[dict[str, int], int, int, set[XdsType]]],
) -> None:
    """After any history of snapshots and refusals, one snapshot that is accepted leaves the client with exactly it."""
    stream = DeltaStream()
    client = DeltaClient(stream)
    for cells, clusters, routes, refused in changes:
        stream.publish(snapshot(cells, clusters=clusters, routes=routes))
        client.run(refuse=frozenset(refused))
    last = snapshot({"a": 9, "z": 9}, clusters=9, listeners=9, routes=1)
    stream.publish(last)
    client.run()

    assert versions(last) == client.has
    assert stream.accepted


# --- state of the world ----------------------------------------------------------------------------------------------


def sotw(current: Snapshot, names: tuple[str, ...]) -> SotwStream:
    """A stream that has asked for everything, in the order in which Envoy asks."""
    stream = SotwStream(current)
    for kind in (CDS, LDS):
        stream.receive(SotwRequest(type=kind))
    stream.receive(SotwRequest(type=EDS, names=names))
    stream.receive(SotwRequest(type=RDS, names=("routes",)))
    return stream


def accept(stream: SotwStream, pushes: Iterable[Push], names: tuple[str, ...] = ()) -> None:
    """Accepts `pushes`; for endpoints the request names `names`."""
    for push in pushes:
        asked = {EDS: names, RDS: ("routes",)}.get(push.type, ())
        stream.receive(SotwRequest(type=push.type, version=push.version, nonce=push.nonce, names=asked))


def test_sotw_sends_everything_in_order_and_named_resources_only() -> None:
    """All clusters and listeners, and of the endpoints those that were named."""
    stream = sotw(snapshot({"a": 0, "b": 0}), ("b",))

    assert [
        ("CLUSTER", ["a", "b"], []),
        ("ENDPOINT", ["b"], []),
        ("LISTENER", ["listener"], []),
        ("ROUTE", ["routes"], []),
    ] == shown(drain(stream))


def test_sotw_growing_list_of_names_is_answered_at_the_same_version() -> None:
    """More names on the last nonce bring another answer, though the snapshot is the same."""
    stream = sotw(snapshot({"a": 0, "b": 0}), ("a",))
    pushes = drain(stream)
    accept(stream, pushes, ("a", "b"))

    assert [("ENDPOINT", ["a", "b"], [])] == shown(drain(stream))


def test_sotw_stale_nonce_is_ignored() -> None:
    """A request that answers any but the latest response changes nothing, names included."""
    stream = sotw(snapshot({"a": 0, "b": 0}), ("a",))
    first = {push.type: push for push in drain(stream)}
    stream.publish(snapshot({"a": 1, "b": 0}))
    drain(stream)
    stream.receive(SotwRequest(type=EDS, nonce=first[EDS].nonce, names=("a", "b")))

    assert [] == drain(stream)
    assert not stream.accepted


def test_sotw_refusal_keeps_the_version_and_is_not_answered_with_the_same() -> None:
    """A refusal (last good version, this nonce, an error) is on record, and the refused version is not sent again."""
    stream = sotw(snapshot({"a": 0}), ("a",))
    accept(stream, drain(stream), ("a",))
    stream.publish(snapshot({"a": 0}, listeners=1))
    (push,) = drain(stream)
    stream.receive(SotwRequest(type=LDS, version="old", nonce=push.nonce, error="no"))

    assert [] == drain(stream)
    assert [(LDS, "no")] == [(nack.type, nack.message) for nack in stream.nacks]
    stream.publish(snapshot({"a": 0}, listeners=2))
    accept(stream, drain(stream), ("a",))
    assert stream.accepted


def test_sotw_refused_push_is_tried_again_when_asked_to() -> None:
    """The same snapshot published again brings the type that was refused, and no other."""
    stream = sotw(snapshot({"a": 0}), ("a",))
    accept(stream, drain(stream), ("a",))
    stream.publish(snapshot({"a": 0}, listeners=1))
    (push,) = drain(stream)
    stream.receive(SotwRequest(type=LDS, version="old", nonce=push.nonce, error="no"))
    stream.publish(snapshot({"a": 0}, listeners=1))
    again = drain(stream)
    accept(stream, again, ("a",))

    assert [("LISTENER", ["listener"], [])] == shown(again)
    assert stream.accepted
    assert [] == stream.nacks


def test_sotw_removed_cluster_stays_in_the_set_until_the_routes_are_accepted() -> None:
    """The full set holds a removed cluster until no accepted route can name it."""
    stream = sotw(snapshot({"a": 0, "b": 0}), ("a", "b"))
    accept(stream, drain(stream), ("a", "b"))
    stream.publish(snapshot({"a": 0, "c": 0}, routes=1))
    pushes = drain(stream)
    assert [("CLUSTER", ["a", "c", "b"], []), ("ROUTE", ["routes"], [])] == shown(pushes)
    accept(stream, pushes, ("a", "b"))

    assert [("CLUSTER", ["a", "c"], ["b"])] == shown(drain(stream))[:1]


def test_sotw_changed_cluster_has_its_endpoints_sent_again() -> None:
    """A changed cluster waits for endpoints, so they follow it though unchanged."""
    stream = sotw(snapshot({"a": 0}), ("a",))
    accept(stream, drain(stream), ("a",))
    stream.publish(snapshot({"a": 0}, clusters=1))

    assert [("CLUSTER", ["a"], []), ("ENDPOINT", ["a"], [])] == shown(drain(stream))


def test_sotw_reconnect_with_the_current_version_is_silent() -> None:
    """A client whose versions are those of the snapshot has accepted it and is sent nothing."""
    first = sotw(snapshot({"a": 0}), ("a",))
    had = {push.type: push.version for push in drain(first)}
    again = SotwStream(snapshot({"a": 0}))
    for kind, names in ((CDS, ()), (LDS, ()), (EDS, ("a",)), (RDS, ("routes",))):
        again.receive(SotwRequest(type=kind, version=had[kind], names=names))

    assert [] == drain(again)
    assert again.accepted


def test_sotw_reconnect_with_more_names_is_answered() -> None:
    """The same version for fewer names is not what the client needs now."""
    first = sotw(snapshot({"a": 0, "b": 0}), ("a",))
    had = {push.type: push.version for push in drain(first)}
    again = SotwStream(snapshot({"a": 0, "b": 0}))
    again.receive(SotwRequest(type=EDS, version=had[EDS], names=("a", "b")))

    assert [("ENDPOINT", ["a", "b"], [])] == shown(drain(again))


def test_sotw_name_no_longer_asked_for_is_not_sent() -> None:
    """A name dropped from the list is in no later answer."""
    stream = sotw(snapshot({"a": 0, "b": 0}), ("a", "b"))
    accept(stream, drain(stream), ("a",))
    stream.publish(snapshot({"a": 1, "b": 1}))

    assert [("ENDPOINT", ["a"], [])] == shown(drain(stream))


def test_sotw_unchanged_subset_is_not_pushed() -> None:
    """A change to endpoints nobody on this stream asked for is no push."""
    stream = sotw(snapshot({"a": 0, "b": 0}), ("a",))
    accept(stream, drain(stream), ("a",))
    stream.publish(snapshot({"a": 0, "b": 1}))

    assert [] == drain(stream)
