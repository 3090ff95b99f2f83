"""Refuses an Envoy configuration that could route, retry or pass a request past its pin or past inspection.

Use: `problems = lint(one.message for one in snapshot.all())`; empty means good. Pure. Whoever writes the configuration,
these are the properties the promise rests on, so they are checked on what is published, not on what made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_components_pb2 import FilterChainMatch
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.buffer.v3.buffer_pb2 import BufferPerRoute
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor, ExtProcPerRoute
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import HeaderMutation
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf import symbol_database
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct

from governance.nodes.node import CELL_PREFIX
from sidecar.clusters import UNREACHABLE
from sidecar.dataplane import CELL_KEY, DECISION_NAMESPACE, POOL_KEY, POOL_NAMESPACE
from sidecar.edits import EDITS, edits_filter
from sidecar.headers import ANSWERED_HEADERS
from sidecar.routes import BUFFER, EXT_PROC, HEADERS, METHOD, PATH, attributed_header

ROUTER = "envoy.filters.http.router"
_SUBSET = Cluster.LbSubsetConfig
_SELECTOR = Cluster.LbSubsetConfig.LbSubsetSelector
# Clusters of our own processes; no route may name one.
_OWN = "ringfence-"

# Fields that must be absent (or false) wherever they occur, and why.
_FORBIDDEN_FIELDS = {
    "cluster_header": "lets a header name the cluster",
    "original_dst_lb_config": "lets a header name the host",
    "use_original_dst": "lets the caller name the host",
    "panic_mode_any": "routes outside the subset",
    "failure_mode_allow": "passes requests on uninspected",
    "observability_mode": "passes requests on before the verdict",
    "disable_immediate_response": "ignores refusals",
    "request_mirror_policies": "sends a copy elsewhere",
    "weighted_clusters": "leaves the cluster to chance",
    "cluster_specifier_plugin": "leaves the cluster to a plugin",
    "inline_cluster_specifier_plugin": "leaves the cluster to a plugin",
    "internal_redirect_policy": "lets a node choose the next one",
    "hedge_policy": "sends a second copy",
    "retry_policy_typed_config": "retries in ways that are not checked",
    "retry_options_predicates": "may change the host set between attempts",
    "upgrade_configs": "opens a tunnel past inspection",
    "load_balancing_policy": "replaces the subset balancer",
    "cluster_type": "replaces endpoint discovery",
}


def lint(messages: Iterable[Message]) -> list[str]:
    """What is wrong with this configuration, as sentences; each begins with the resource it is about."""
    return [problem for message in messages for problem in _resource(message)]


def _resource(message: Message) -> Iterator[str]:
    where = str(getattr(message, "name", "") or getattr(message, "cluster_name", "")) or "?"
    yield from (f"{where}: {problem}" for problem in _anywhere(message))
    checks: Iterator[str] = iter(())
    if isinstance(message, Cluster):
        checks = _cluster(message)
    elif isinstance(message, ClusterLoadAssignment):
        checks = _assignment(message)
    elif isinstance(message, Listener):
        checks = _listener(message)
    elif isinstance(message, RouteConfiguration):
        checks = _routes(message)
    yield from (f"{where}: {problem}" for problem in checks)


# --- everywhere ------------------------------------------------------------------------------------------------------


def _anywhere(message: Message) -> Iterator[str]:
    for one in _walk(message):
        for descriptor, value in one.ListFields():
            reason = _FORBIDDEN_FIELDS.get(descriptor.name)
            if reason is not None and value is not False:
                yield f"`{descriptor.name}` {reason}"
            if descriptor.enum_type is not None and not descriptor.is_repeated:
                name = descriptor.enum_type.values_by_number[value].name
                if name in ("ANY_ENDPOINT", "FALLBACK_LIST", "ORIGINAL_DST", "CLUSTER_PROVIDED"):
                    yield f"`{descriptor.name}` is `{name}`"
        if isinstance(one, Struct) and "fallback_list" in one.fields:
            yield "`fallback_list` lets metadata widen the subset"


def _walk(message: Message) -> Iterator[Message]:
    yield message
    if isinstance(message, AnyMessage):
        inner = _unpacked(message)
        if inner is not None:
            yield from _walk(inner)
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            yield from (found for one in value.values() if isinstance(one, Message) for found in _walk(one))
        elif descriptor.is_repeated:
            yield from (found for one in value for found in _walk(one))
        else:
            yield from _walk(value)


def _unpacked(message: AnyMessage) -> Message | None:
    try:
        made: Message = symbol_database.Default().GetSymbol(message.TypeName())()
        made.ParseFromString(message.value)
    except (KeyError, DecodeError):
        return None
    return made


# --- clusters and endpoints ------------------------------------------------------------------------------------------


def _cluster(cluster: Cluster) -> Iterator[str]:
    if not cluster.HasField("per_connection_buffer_limit_bytes"):
        yield "the buffer limit is not set"
    if not cluster.HasField("connect_timeout"):
        yield "the connect timeout is not set"
    panic = cluster.common_lb_config
    if not panic.HasField("healthy_panic_threshold") or panic.healthy_panic_threshold.value != 0:
        yield "the panic threshold is not 0"
    if cluster.name.startswith(_OWN):
        return
    if cluster.type != Cluster.EDS:
        yield "the endpoints do not come by EDS"
    if not cluster.ignore_health_on_host_removal:
        yield "a removed node would serve while it is healthy"
    yield from _subset(cluster.lb_subset_config)
    yield from _transport(cluster)


def _subset(subset: Cluster.LbSubsetConfig) -> Iterator[str]:
    if [list(selector.keys) for selector in subset.subset_selectors] != [[POOL_KEY]]:
        yield f"the subset is not selected by `{POOL_KEY}` alone"
    policies = [subset.fallback_policy, subset.metadata_fallback_policy, len(subset.default_subset.fields)]
    if policies != [_SUBSET.NO_FALLBACK, _SUBSET.METADATA_NO_FALLBACK, 0]:
        yield "the subset has a fallback"
    if any(
        one.fallback_policy not in (_SELECTOR.NO_FALLBACK, _SELECTOR.NOT_DEFINED) for one in subset.subset_selectors
    ):
        yield "a subset selector has a fallback"


def _transport(cluster: Cluster) -> Iterator[str]:
    if not cluster.HasField("transport_socket"):
        yield "an endpoint that matches no transport would be spoken to in plain text"
    for one in _walk(cluster):
        if isinstance(one, UpstreamTlsContext):
            context = one.common_tls_context.validation_context
            verified = context.HasField("trusted_ca") and len(context.match_typed_subject_alt_names) > 0
            verified = verified and not context.trust_chain_verification and not context.allow_expired_certificate
            if not verified and context != UNREACHABLE:
                yield "TLS to a node is not verified against a trust store and its name"


def _assignment(assignment: ClusterLoadAssignment) -> Iterator[str]:
    priorities = {locality.priority for locality in assignment.endpoints}
    if priorities != set(range(len(priorities))):
        yield "the priorities have a gap"
    for locality in assignment.endpoints:
        for endpoint in locality.lb_endpoints:
            keys = list(endpoint.metadata.filter_metadata[POOL_NAMESPACE].fields)
            if keys != [POOL_KEY]:
                yield f"an endpoint carries other keys than `{POOL_KEY}` in `{POOL_NAMESPACE}`"


# --- listener --------------------------------------------------------------------------------------------------------


def _listener(listener: Listener) -> Iterator[str]:
    if not listener.HasField("per_connection_buffer_limit_bytes"):
        yield "the buffer limit is not set"
    if listener.listener_filters or listener.HasField("default_filter_chain"):
        yield "a connection may take another path than the one that is checked"
    for chain in listener.filter_chains:
        manager = HttpConnectionManager()
        if len(chain.filters) != 1 or not chain.filters[0].typed_config.Unpack(manager):
            yield "a filter chain is not one HTTP connection manager"
            continue
        yield from _manager(manager)
        yield from _claims(chain.filter_chain_match, manager)


def _claims(match: FilterChainMatch, manager: HttpConnectionManager) -> Iterator[str]:
    """What says who asks is left to the peers of a chain for them alone; anywhere else it is removed before all else."""
    if any(not one.prefix_len.value for one in match.source_prefix_ranges):
        yield "a filter chain believes every peer"
    if match.source_prefix_ranges:
        return
    removed = set()
    for extension in manager.early_header_mutation_extensions:
        early = HeaderMutation()
        if extension.typed_config.Unpack(early):
            removed |= {one.remove for one in early.mutations}
    for one in manager.http_filters:
        processor = ExternalProcessor()
        if one.typed_config.Is(ExternalProcessor.DESCRIPTOR) and one.typed_config.Unpack(processor):
            for name in map(attributed_header, processor.request_attributes):
                if name is not None and name not in HEADERS and name not in removed:
                    yield f"ext_proc is sent the header `{name}` of any peer"


def _manager(manager: HttpConnectionManager) -> Iterator[str]:
    if not manager.HasField("rds") or not manager.rds.config_source.HasField("ads"):
        yield "the routes do not come over ADS"
    for name in ("request_timeout", "request_headers_timeout", "stream_idle_timeout"):
        if not manager.HasField(name) or not getattr(manager, name).ToMilliseconds():
            yield f"`{name}` is not set"
    yield from _filters(manager)


def _filters(manager: HttpConnectionManager) -> Iterator[str]:
    names = [one.name for one in manager.http_filters]
    configs = [one.typed_config for one in manager.http_filters if one.typed_config.Is(ExternalProcessor.DESCRIPTOR)]
    if len(configs) != 1 or names.count(EXT_PROC) != 1:
        yield "there is not exactly one ext_proc filter"
    if not names or names[-1] != ROUTER:
        yield "the router is not the last filter"
    if any("decompressor" in name for name in names):
        yield "ext_proc beside a decompressor hangs"
    if any(one.is_optional or one.HasField("config_discovery") for one in manager.http_filters):
        yield "a filter is optional or discovered"
    if any(one.disabled != (one.name == BUFFER) for one in manager.http_filters):
        yield "a filter is disabled, or the buffer filter is not, so that it holds what ext_proc streams"
    if [name for name in names if name in (EXT_PROC, BUFFER, EDITS)] != [EXT_PROC, BUFFER, EDITS]:
        yield "ext_proc, the buffer filter and the filter for edits do not stand once each in this order"
    scripts = [one.typed_config for one in manager.http_filters if one.name == EDITS]
    for script in scripts:
        made = Lua()
        if not script.Unpack(made) or made != edits_filter():
            yield "the filter for edits is not ours"
    for config in configs:
        processor = ExternalProcessor()
        config.Unpack(processor)
        yield from _ext_proc(processor)


def _ext_proc(processor: ExternalProcessor) -> Iterator[str]:
    mode = processor.processing_mode
    if mode.request_header_mode != ProcessingMode.SEND:
        yield "ext_proc does not see the request headers"
    if mode.request_body_mode != ProcessingMode.FULL_DUPLEX_STREAMED:
        yield "ext_proc does not take the request body in pieces, to its end"
    if mode.request_trailer_mode != ProcessingMode.SEND:
        yield "ext_proc takes a streamed body without its trailers"
    fixed = [METHOD, PATH, *HEADERS.values()]
    further = processor.request_attributes[len(fixed) :]
    if list(processor.request_attributes[: len(fixed)]) != fixed or None in map(attributed_header, further):
        yield "ext_proc is not sent exactly the attributes that stand for a head"
    for name in ("message_timeout", "max_message_timeout"):
        if not processor.HasField(name) or not getattr(processor, name).ToMilliseconds():
            yield f"ext_proc `{name}` is not set"
    namespaces = set(processor.metadata_options.receiving_namespaces.untyped)
    if namespaces != {POOL_NAMESPACE, DECISION_NAMESPACE}:
        yield "ext_proc does not receive exactly the pool and the decision as metadata"
    if processor.disable_clear_route_cache or processor.route_cache_action == ExternalProcessor.RETAIN:
        yield "ext_proc cannot clear the route"
    if not processor.mutation_rules.disallow_is_error.value:
        yield "ext_proc header mutations that are not allowed would be dropped in silence"
    rules = processor.mutation_rules
    if not rules.disallow_all.value or rules.allow_expression.regex != ANSWERED_HEADERS:
        yield "ext_proc may change headers by itself"
    if processor.allow_mode_override and not processor.allowed_override_modes:
        yield "ext_proc mode override is allowed without a list of modes"


# --- routes ----------------------------------------------------------------------------------------------------------


def _routes(configuration: RouteConfiguration) -> Iterator[str]:
    if configuration.HasField("vhds") or configuration.typed_per_filter_config:
        yield "routes come from somewhere else, or filters are changed for all"
    for host in configuration.virtual_hosts:
        yield from _virtual_host(host)


def _virtual_host(host: VirtualHost) -> Iterator[str]:
    if host.typed_per_filter_config or host.HasField("matcher") or host.HasField("retry_policy"):
        yield "the virtual host changes filters, matching or retries"
    if not host.routes or not _refuses_everything(host.routes[-1]):
        yield "the default route does not refuse"
    for route in host.routes:
        if route.HasField("route"):
            yield from _forwarding(route)
        elif not route.HasField("direct_response") or route.direct_response.status < 400:
            yield f"route `{route.name}` neither forwards to a cell nor refuses"
        yield from _per_route(route)


def _refuses_everything(route: Route) -> bool:
    match = route.match
    conditional = match.headers or match.query_parameters or match.dynamic_metadata or match.filter_state
    special = match.HasField("runtime_fraction") or match.HasField("grpc") or match.HasField("tls_context")
    refuses = route.HasField("direct_response") and route.direct_response.status >= 400
    return bool(match.prefix == "/" and not conditional and not special and refuses)


def _forwarding(route: Route) -> Iterator[str]:
    action, name = route.route, route.name
    cells = [
        one.value.string_match.exact
        for one in route.match.dynamic_metadata
        if one.filter == DECISION_NAMESPACE and [step.key for step in one.path] == [CELL_KEY] and not one.invert
    ]
    if not action.cluster or cells != [action.cluster]:
        yield f"route `{name}` is not chosen by the cell it leads to"
    # A cell may get its cluster later than its route; until then Envoy answers 503.
    if not action.cluster.startswith(CELL_PREFIX):
        yield f"route `{name}` leads to no cell"
    if action.HasField("metadata_match"):
        yield f"route `{name}` adds to the pool's metadata"
    if not action.HasField("timeout") or not action.timeout.ToMilliseconds() or not action.HasField("idle_timeout"):
        yield f"route `{name}` has no timeouts"


def _per_route(route: Route) -> Iterator[str]:
    """A route changes no filter, but for the one that takes a request whole: ext_proc and the buffer filter, together."""
    name, configs = route.name, route.typed_per_filter_config
    if not configs:
        return
    override, hold = ExtProcPerRoute(), BufferPerRoute()
    if set(configs) - {EXT_PROC, BUFFER} or EXT_PROC not in configs or not configs[EXT_PROC].Unpack(override):
        yield f"route `{name}` changes or disables a filter"
        return
    if {descriptor.name for descriptor, _ in override.overrides.ListFields()} != {"processing_mode"}:
        yield f"route `{name}` changes more of ext_proc than its mode, or disables it"
    mode = override.overrides.processing_mode
    if mode.request_header_mode != ProcessingMode.SKIP or mode.request_body_mode != ProcessingMode.BUFFERED:
        yield f"route `{name}` does not take a request in one message"
    if BUFFER not in configs or not configs[BUFFER].Unpack(hold) or not hold.HasField("buffer"):
        yield f"route `{name}` does not hold the head until the verdict"
    if not _has_body(route):
        yield f"route `{name}` takes in one message what may have no body, and so would send none"
    if not _says_no_coding(route):
        yield f"route `{name}` takes in one message what may be coded, and the worker is not told"
    if not route.HasField("direct_response"):
        yield f"route `{name}` would go on without a verdict"


def _has_body(route: Route) -> bool:
    """Whether only a POST that declares a body gets here."""
    headers = {one.name: one for one in route.match.headers if not one.invert_match}
    method, length = headers.get(":method"), headers.get("content-length")
    return bool(
        method
        and method.string_match.exact == "POST"
        and length
        and length.HasField("range_match")
        and length.range_match.start > 0
    )


def _says_no_coding(route: Route) -> bool:
    """Whether only what has no content-encoding gets here."""
    return any(
        one.name == "content-encoding" and one.HasField("present_match") and one.present_match == one.invert_match
        for one in route.match.headers
    )
