"""Each property the promise rests on: the generated configuration has it, and a configuration without it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.extensions.filters.http.buffer.v3.buffer_pb2 import BufferPerRoute
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor, ExtProcPerRoute
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext

from governance.nodes.node import Node, Tls, pool_of
from governance.residency import Tier
from sidecar.dataplane import MIB, DataPlane
from sidecar.lint import lint
from sidecar.pools import PoolTable
from sidecar.resources import build
from sidecar.routes import BUFFER, EXT_PROC
from sidecar.snapshot import XdsType

NODES = [
    Node(id="a", address="127.0.0.1:9001", country="DE", region="de", tier=Tier.DEVICE, models=("m",)),
    Node(
        id="b",
        address="api.example:443",
        country="DE",
        region="de",
        tier=Tier.CLOUD,
        models=("m",),
        tls=Tls(server_name="api.example"),
    ),
]


CLAIMS = {"trusted_proxies": ("10.0.0.7/32",), "claim_headers": ("x-forwarded-groups", "x-purpose")}


def good(**more: Any) -> dict[XdsType, Any]:
    """One message of each type, of a configuration with TLS and large bodies; the cell's for clusters and endpoints."""
    settings = DataPlane(worker_sockets=("/run/w0.sock",), streamed_body_bytes=64 * MIB, **more)
    snapshot = build(settings, PoolTable.of(NODES, base=[pool_of(NODES)]).cells, {"b": ("192.0.2.1",)})
    return {
        XdsType.CLUSTER: snapshot.resources[XdsType.CLUSTER]["cell-de"].message,
        XdsType.ENDPOINT: snapshot.resources[XdsType.ENDPOINT]["cell-de"].message,
        XdsType.LISTENER: snapshot.resources[XdsType.LISTENER]["ringfence"].message,
        XdsType.ROUTE: snapshot.resources[XdsType.ROUTE]["ringfence"].message,
    }


def test_generated_configuration_is_clean() -> None:
    """Nothing is wrong with what we generate ourselves."""
    assert [] == lint(good().values())


Mutate = Callable[[Any], None]


def cluster(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the cell's cluster."""
    return lambda parts: change(parts[XdsType.CLUSTER])


def endpoints(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the cell's endpoints."""
    return lambda parts: change(parts[XdsType.ENDPOINT])


def listener(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the listener."""
    return lambda parts: change(parts[XdsType.LISTENER])


def manager(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the HTTP connection manager."""

    def apply(parts: dict[XdsType, Any]) -> None:
        packed = parts[XdsType.LISTENER].filter_chains[0].filters[0].typed_config
        made = HttpConnectionManager()
        packed.Unpack(made)
        change(made)
        packed.Pack(made)

    return apply


def ext_proc(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the ext_proc filter."""

    def apply(made: Any) -> None:
        packed = made.http_filters[0].typed_config
        processor = ExternalProcessor()
        packed.Unpack(processor)
        change(processor)
        packed.Pack(processor)

    return manager(apply)


def routes(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the virtual host; its routes are the cell's, that of whole requests and the refusal."""
    return lambda parts: change(parts[XdsType.ROUTE].virtual_hosts[0])


def per_route(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the override of ext_proc on the route of whole requests."""

    def apply(host: Any) -> None:
        packed = host.routes[1].typed_per_filter_config[EXT_PROC]
        override = ExtProcPerRoute()
        packed.Unpack(override)
        change(override)
        packed.Pack(override)

    return routes(apply)


def whole(index: int, change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to a header condition of the route of whole requests: 0 is the method, 1 the length."""
    return routes(lambda host: change(host.routes[1].match.headers[index]))


def tls(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the TLS settings towards the node `b`."""
    return _verified(lambda made: made.transport_socket_matches[0].transport_socket, change)


def unmatched(change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    """A change to the TLS settings towards an endpoint that matches no transport."""
    return _verified(lambda made: made.transport_socket, change)


def _verified(socket: Callable[[Any], Any], change: Mutate) -> Callable[[dict[XdsType, Any]], None]:
    def apply(made: Any) -> None:
        packed = socket(made).typed_config
        context = UpstreamTlsContext()
        packed.Unpack(context)
        change(context.common_tls_context.validation_context)
        packed.Pack(context)

    return cluster(apply)


def put(path: str, value: Any) -> Mutate:
    """A change that sets the field at a dotted path."""
    *steps, last = path.split(".")

    def change(message: Any) -> None:
        for step in steps:
            message = message[int(step)] if step.isdigit() else getattr(message, step)
        if isinstance(value, dict):
            getattr(message, last).MergeFrom(type(getattr(message, last))(**value))
        elif isinstance(value, list):
            field = getattr(message, last)
            del field[:]
            field.extend(value)
        else:
            setattr(message, last, value)

    return change


def drop(path: str) -> Mutate:
    """A change that clears the field at a dotted path."""
    *steps, last = path.split(".")

    def change(message: Any) -> None:
        for step in steps:
            message = message[int(step)] if step.isdigit() else getattr(message, step)
        message.ClearField(last)

    return change


def cut(path: str, index: int) -> Mutate:
    """A change that deletes one item of the list at a path."""

    def change(message: Any) -> None:
        for step in path.split("."):
            message = message[int(step)] if step.isdigit() else getattr(message, step)
        del message[index]

    return change


def _fallback_list(assignment: Any) -> None:
    metadata = assignment.endpoints[0].lb_endpoints[0].metadata.filter_metadata["envoy.lb"]
    metadata.update({"fallback_list": [{"pool": "x"}]})


def _swap(one: int, other: int) -> Mutate:
    def change(made: Any) -> None:
        filters = list(made.http_filters)
        filters[one], filters[other] = filters[other], filters[one]
        del made.http_filters[:]
        made.http_filters.extend(filters)

    return change


def _other_edits(made: Any) -> None:
    made.http_filters[2].typed_config.Pack(Lua(default_source_code={"inline_string": "-- nothing"}))


def _repeat_ext_proc(made: Any) -> None:
    made.http_filters.insert(0, made.http_filters[0])


RULES: dict[str, tuple[Callable[[dict[XdsType, Any]], None], str]] = {
    # the inner ring
    "any endpoint as fallback": (cluster(put("lb_subset_config.fallback_policy", 1)), "ANY_ENDPOINT"),
    "default subset as fallback": (cluster(put("lb_subset_config.fallback_policy", 2)), "has a fallback"),
    "selector falls back": (cluster(put("lb_subset_config.subset_selectors.0.fallback_policy", 2)), "ANY_ENDPOINT"),
    "selector falls back to fewer keys": (
        cluster(put("lb_subset_config.subset_selectors.0.fallback_policy", 4)),
        "selector has a fallback",
    ),
    "metadata falls back": (cluster(put("lb_subset_config.metadata_fallback_policy", 1)), "FALLBACK_LIST"),
    "panic mode any": (cluster(put("lb_subset_config.panic_mode_any", True)), "panic_mode_any"),
    "panic threshold unset": (cluster(drop("common_lb_config.healthy_panic_threshold")), "panic threshold"),
    "panic threshold 50": (cluster(put("common_lb_config.healthy_panic_threshold.value", 50)), "panic threshold"),
    "no subset": (cluster(drop("lb_subset_config")), "not selected by `pool`"),
    "another selector": (
        cluster(put("lb_subset_config.subset_selectors.0.keys", ["region"])),
        "not selected by `pool`",
    ),
    "two keys": (cluster(put("lb_subset_config.subset_selectors.0.keys", ["pool", "x"])), "not selected by `pool`"),
    "another balancer": (cluster(put("load_balancing_policy", {"policies": [{}]})), "load_balancing_policy"),
    "fallback list in metadata": (endpoints(_fallback_list), "fallback_list"),
    "gap in the priorities": (endpoints(put("endpoints.1.priority", 5)), "gap"),
    # hosts
    "original destination": (cluster(put("type", 4)), "ORIGINAL_DST"),
    "original destination by header": (
        cluster(put("original_dst_lb_config", {"use_http_header": True})),
        "original_dst_lb_config",
    ),
    "names resolved by envoy": (cluster(put("type", 1)), "EDS"),
    "custom cluster": (cluster(put("cluster_type", {"name": "envoy.clusters.aggregate"})), "cluster_type"),
    "removed nodes linger": (cluster(put("ignore_health_on_host_removal", False)), "removed node"),
    "plain text by default": (cluster(drop("transport_socket")), "plain text"),
    "unverified tls": (tls(drop("trusted_ca")), "TLS to a node"),
    "some certificate in place of none": (unmatched(put("verify_certificate_hash", ["11" * 32])), "TLS to a node"),
    "any name in tls": (tls(drop("match_typed_subject_alt_names")), "TLS to a node"),
    "untrusted chain accepted": (tls(put("trust_chain_verification", 1)), "TLS to a node"),
    # limits
    "cluster without a buffer limit": (cluster(drop("per_connection_buffer_limit_bytes")), "buffer limit"),
    "cluster without a connect timeout": (cluster(drop("connect_timeout")), "connect timeout"),
    "listener without a buffer limit": (listener(drop("per_connection_buffer_limit_bytes")), "buffer limit"),
    "no request timeout": (manager(drop("request_timeout")), "request_timeout"),
    "no header timeout": (manager(drop("request_headers_timeout")), "request_headers_timeout"),
    "no idle timeout": (manager(drop("stream_idle_timeout")), "stream_idle_timeout"),
    # inspection
    "no ext_proc": (manager(cut("http_filters", 0)), "exactly one ext_proc"),
    "two ext_proc": (manager(_repeat_ext_proc), "exactly one ext_proc"),
    "disabled filter": (manager(put("http_filters.0.disabled", True)), "a filter is disabled"),
    "buffer filter everywhere": (manager(put("http_filters.1.disabled", False)), "a filter is disabled, or the buffer"),
    "no buffer filter": (manager(cut("http_filters", 1)), "once each in this order"),
    "buffer filter before ext_proc": (manager(_swap(0, 1)), "once each in this order"),
    "edits before the verdict": (manager(_swap(1, 2)), "once each in this order"),
    "no edits": (manager(cut("http_filters", 2)), "once each in this order"),
    "edits of somebody else": (manager(_other_edits), "edits is not ours"),
    "optional filter": (manager(put("http_filters.0.is_optional", True)), "optional or discovered"),
    "router not last": (manager(cut("http_filters", 4)), "router is not the last"),
    "decompressor": (manager(put("http_filters.3.name", "envoy.filters.http.decompressor")), "decompressor"),
    "upgrades": (
        manager(put("upgrade_configs", [HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")])),
        "upgrade_configs",
    ),
    "routes inline": (manager(drop("rds")), "do not come over ADS"),
    "original destination listener": (listener(put("use_original_dst.value", True)), "use_original_dst"),
    "a second way in": (listener(put("default_filter_chain.name", "x")), "another path"),
    "fails open": (ext_proc(put("failure_mode_allow", True)), "failure_mode_allow"),
    "observes only": (ext_proc(put("observability_mode", True)), "observability_mode"),
    "refusals ignored": (ext_proc(put("disable_immediate_response", True)), "disable_immediate_response"),
    "headers skipped": (ext_proc(put("processing_mode.request_header_mode", 2)), "request headers"),
    "headers by default": (ext_proc(put("processing_mode.request_header_mode", 0)), "request headers"),
    "body not sent": (ext_proc(put("processing_mode.request_body_mode", 0)), "request body"),
    "body partly buffered": (ext_proc(put("processing_mode.request_body_mode", 3)), "request body"),
    "body in one message everywhere": (ext_proc(put("processing_mode.request_body_mode", 2)), "request body"),
    "body streamed": (ext_proc(put("processing_mode.request_body_mode", 1)), "request body"),
    "body without its trailers": (ext_proc(put("processing_mode.request_trailer_mode", 2)), "trailers"),
    "trailers by default": (ext_proc(put("processing_mode.request_trailer_mode", 0)), "trailers"),
    "no attributes": (ext_proc(drop("request_attributes")), "attributes"),
    "a further attribute": (
        ext_proc(lambda made: made.request_attributes.append("request.headers['cookie']")),
        "attributes",
    ),
    "no message timeout": (ext_proc(drop("message_timeout")), "message_timeout"),
    "no longest message timeout": (ext_proc(drop("max_message_timeout")), "max_message_timeout"),
    "no namespaces": (ext_proc(drop("metadata_options")), "metadata"),
    "a further namespace": (
        ext_proc(put("metadata_options.receiving_namespaces.untyped", ["envoy.lb", "ringfence", "x"])),
        "metadata",
    ),
    "route cannot be cleared": (ext_proc(put("route_cache_action", 2)), "clear the route"),
    "mutations dropped in silence": (ext_proc(put("mutation_rules.disallow_is_error.value", False)), "silence"),
    "further headers may be changed": (ext_proc(put("mutation_rules.allow_expression.regex", ".*")), "by itself"),
    "headers may be changed": (ext_proc(put("mutation_rules.disallow_all.value", False)), "headers by itself"),
    "any mode override": (ext_proc(put("allow_mode_override", True)), "mode override"),
    # the outer ring
    "default route forwards": (routes(cut("routes", 2)), "default route"),
    "default route answers 200": (routes(put("routes.2.direct_response.status", 200)), "default route"),
    "default route has a condition": (routes(put("routes.2.match.prefix", "/v1")), "default route"),
    "no routes": (routes(put("routes", [])), "default route"),
    "cluster from a header": (routes(put("routes.0.route.cluster_header", "x-cluster")), "cluster_header"),
    "weighted clusters": (
        routes(put("routes.0.route.weighted_clusters", {"clusters": [{"name": "cell-de"}]})),
        "weighted_clusters",
    ),
    "cell without metadata": (routes(drop("routes.0.match.dynamic_metadata")), "not chosen by the cell"),
    "cell by another namespace": (
        routes(put("routes.0.match.dynamic_metadata.0.filter", "envoy.lb")),
        "not chosen by the cell",
    ),
    "cell inverted": (routes(put("routes.0.match.dynamic_metadata.0.invert", True)), "not chosen by the cell"),
    "another cell's cluster": (routes(put("routes.0.route.cluster", "cell-us")), "is not chosen by the cell"),
    "our own cluster": (routes(put("routes.0.route.cluster", "ringfence-workers")), "leads to no cell"),
    "mirror": (
        routes(lambda host: host.routes[0].route.request_mirror_policies.add(cluster="cell-de")),
        "request_mirror_policies",
    ),
    "hedge": (routes(put("routes.0.route.hedge_policy.hedge_on_per_try_timeout", True)), "hedge_policy"),
    "redirect": (
        routes(put("routes.0.route.internal_redirect_policy.allow_cross_scheme_redirect", True)),
        "internal_redirect_policy",
    ),
    "retry by a plugin": (
        routes(put("routes.0.route.retry_policy_typed_config.type_url", "x")),
        "retry_policy_typed_config",
    ),
    "route metadata joins the pool's": (
        routes(lambda host: host.routes[0].route.metadata_match.filter_metadata["envoy.lb"].update({"x": "y"})),
        "adds to the pool's metadata",
    ),
    "no route timeout": (routes(drop("routes.0.route.timeout")), "no timeouts"),
    "retries for all routes": (routes(put("retry_policy.retry_on", "5xx")), "virtual host"),
    "filters changed for all routes": (
        routes(lambda host: host.typed_per_filter_config[EXT_PROC].Pack(ExtProcPerRoute(disabled=True))),
        "virtual host",
    ),
    # per route
    "ext_proc disabled on a route": (per_route(put("disabled", True)), "disables it"),
    "fails open on a route": (per_route(put("overrides.failure_mode_allow.value", True)), "failure_mode_allow"),
    "head and body apart on a route": (
        per_route(put("overrides.processing_mode.request_header_mode", 1)),
        "in one message",
    ),
    "head alone on a route": (per_route(put("overrides.processing_mode.request_body_mode", 0)), "in one message"),
    "body in pieces on a route": (per_route(put("overrides.processing_mode.request_body_mode", 4)), "in one message"),
    "head not held": (
        routes(lambda host: host.routes[1].typed_per_filter_config.pop(BUFFER)),
        "does not hold the head",
    ),
    "buffer filter disabled on a route": (
        routes(lambda host: host.routes[1].typed_per_filter_config[BUFFER].Pack(BufferPerRoute(disabled=True))),
        "does not hold the head",
    ),
    "whole without conditions": (routes(drop("routes.1.match.headers")), "may have no body"),
    "whole without a length": (routes(cut("routes.1.match.headers", 1)), "may have no body"),
    "whole from 0 on": (whole(1, put("range_match.start", 0)), "may have no body"),
    "whole by any length but some": (whole(1, put("invert_match", True)), "may have no body"),
    "whole by another method": (whole(0, put("string_match.exact", "GET")), "may have no body"),
    "whole by any method but one": (whole(0, put("invert_match", True)), "may have no body"),
    "whole with any coding": (routes(cut("routes.1.match.headers", 4)), "what may be coded"),
    "whole with a coding": (whole(4, put("present_match", True)), "what may be coded"),
    "whole without no coding": (whole(4, put("invert_match", True)), "what may be coded"),
    "whole and forwarded": (
        routes(lambda host: host.routes[1].route.CopyFrom(host.routes[0].route)),
        "without a verdict",
    ),
    "held where it is streamed": (
        routes(lambda host: host.routes[2].typed_per_filter_config[BUFFER].Pack(BufferPerRoute())),
        "changes or disables a filter",
    ),
    "another server on a route": (
        per_route(put("overrides.grpc_service.envoy_grpc.cluster_name", "x")),
        "more of ext_proc than its mode",
    ),
    "another filter changed on a route": (
        routes(lambda host: host.routes[0].typed_per_filter_config["envoy.filters.http.lua"].Pack(ExtProcPerRoute())),
        "changes or disables a filter",
    ),
}


@pytest.mark.parametrize(("mutate", "problem"), RULES.values(), ids=RULES.keys())
def test_configuration_without_the_property_is_refused(
    mutate: Callable[[dict[XdsType, Any]], None], problem: str
) -> None:
    """One property taken away, one problem that names it."""
    parts = good()
    mutate(parts)

    assert any(problem in found for found in lint(parts.values())), lint(parts.values())


@pytest.mark.parametrize("claims", [CLAIMS, {**CLAIMS, "trusted_proxies": ()}], ids=["trusted", "nobody trusted"])
def test_configuration_with_claims_is_clean(claims: dict[str, Any]) -> None:
    """A chain for trusted proxies, and one for everybody else; without a proxy there is the other alone."""
    parts = good(**claims)

    assert [] == lint(parts.values())
    assert 1 + bool(claims["trusted_proxies"]) == len(parts[XdsType.LISTENER].filter_chains)


def _no_range(made: Any) -> None:
    made.filter_chains[0].ClearField("filter_chain_match")


def _every_peer(made: Any) -> None:
    made.filter_chains[0].filter_chain_match.source_prefix_ranges[0].prefix_len.value = 0


def _not_removed(made: Any) -> None:
    manager = HttpConnectionManager()
    made.filter_chains[1].filters[0].typed_config.Unpack(manager)
    del manager.early_header_mutation_extensions[:]
    made.filter_chains[1].filters[0].typed_config.Pack(manager)


@pytest.mark.parametrize(
    ("mutate", "problem"),
    [
        (_no_range, "the header `x-purpose` of any peer"),
        (_every_peer, "believes every peer"),
        (_not_removed, "the header `x-forwarded-groups` of any peer"),
    ],
)
def test_claims_of_any_peer_are_refused(mutate: Mutate, problem: str) -> None:
    """A chain that would believe whoever connects is found, whatever made it."""
    parts = good(**CLAIMS)
    mutate(parts[XdsType.LISTENER])

    assert any(problem in found for found in lint(parts.values())), lint(parts.values())
