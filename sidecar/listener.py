"""The listener: connection limits, header hygiene, the filter chain with exactly one ext_proc filter, and the access logs.

Pure: settings in, a protobuf out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig
from envoy.extensions.filters.http.buffer.v3.buffer_pb2 import Buffer
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import HeaderMutation
from google.protobuf.message import Message

from sidecar.clusters import WORKERS, log_name, milliseconds, pack
from sidecar.dataplane import DECISION_NAMESPACE, POOL_NAMESPACE, DataPlane
from sidecar.edits import EDITS, edits_filter
from sidecar.headers import ANSWERED_HEADERS, DECLARED, KNOWN, KNOWN_PREFIXES, others
from sidecar.local_replies import local_replies
from sidecar.routes import BUFFER, EXT_PROC, HEADERS, METHOD, PATH, ROUTES, header_attribute
from sidecar.usage import USAGE, usage_filter

LISTENER = "ringfence"
LOG_NAME = "ringfence"
ROUTER = "envoy.filters.http.router"

# An address of TEST-NET-1, which no peer has: with no range at all Envoy takes private addresses for internal ones.
_NOBODY = {"address_prefix": "192.0.2.0", "prefix_len": {"value": 32}}


def listener(settings: DataPlane) -> Listener:
    """The one listener; its routes come by RDS."""
    return Listener(
        name=LISTENER,
        address={"socket_address": {"address": settings.listen_address, "port_value": settings.listen_port}},
        per_connection_buffer_limit_bytes={"value": settings.buffer_bytes},
        filter_chains=list(_chains(settings)),
    )


def _chains(settings: DataPlane) -> Iterator[dict[str, object]]:
    """One chain for all, and one before it for trusted proxies: there alone do headers that say who asks stay.

    Envoy takes the chain by the peer of the connection, which no header can change.
    """
    if settings.claim_headers and settings.trusted_proxies:
        networks = [ipaddress.ip_network(text) for text in settings.trusted_proxies]
        ranges = [
            {"address_prefix": str(one.network_address), "prefix_len": {"value": one.prefixlen}} for one in networks
        ]
        yield {
            "filter_chain_match": {"source_prefix_ranges": ranges},
            **_chain(settings, believed=settings.claim_headers),
        }
    yield _chain(settings, believed=())


def _chain(settings: DataPlane, *, believed: Sequence[str]) -> dict[str, object]:
    manager = pack(_manager(settings, believed))
    return {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}


def _manager(settings: DataPlane, believed: Sequence[str]) -> HttpConnectionManager:
    return HttpConnectionManager(
        stat_prefix="ringfence",
        rds={"route_config_name": ROUTES, "config_source": {"ads": {}, "resource_api_version": "V3"}},
        http_filters=[
            _ext_proc(settings),
            _hold(settings),
            _filter(EDITS, edits_filter()),
            _filter(USAGE, usage_filter()),
            _filter(ROUTER, _router()),
        ],
        access_log=[_access_log(settings, worker) for worker in range(len(settings.worker_sockets))],
        local_reply_config=local_replies(),
        early_header_mutation_extensions=[_strip_unread_headers(settings.claim_headers, believed)],
        # The peer is the caller; no address is believed to be internal, so no x-envoy-* request header is ever obeyed.
        use_remote_address={"value": True},
        internal_address_config={"cidr_ranges": [_NOBODY]},
        skip_xff_append=True,
        server_header_transformation="PASS_THROUGH",
        # Paths are matched exactly by the worker: what it read is, byte for byte, what a node is asked for. Normalising
        # would answer for a path that nobody sent; not normalising leaves any odd path to the worker's refusal.
        normalize_path={"value": False},
        merge_slashes=False,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        request_timeout=milliseconds(settings.request_timeout_ms),
        request_headers_timeout=milliseconds(min(10_000, settings.request_timeout_ms)),
        stream_idle_timeout=milliseconds(settings.stream_idle_timeout_ms),
        max_request_headers_kb={"value": settings.max_request_headers_kib},
        common_http_protocol_options={
            "idle_timeout": milliseconds(300_000),
            "max_headers_count": {"value": 100},
            # Some servers read `x_ringfence_pool` as `x-ringfence-pool`.
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        http2_protocol_options={"max_concurrent_streams": {"value": 1024}},
    )


def _filter(name: str, config: Message) -> dict[str, object]:
    return {"name": name, "typed_config": pack(config)}


def _router() -> Router:
    return Router(suppress_envoy_headers=True)


def _strip_unread_headers(claims: Sequence[str], believed: Sequence[str]) -> TypedExtensionConfig:
    # Before routing and before ext_proc: nothing behind this sees a client's copy of an internal header.
    unread = {"key_matcher": {"safe_regex": {"regex": others((*KNOWN, *believed), KNOWN_PREFIXES)}}}
    # By name as well, whatever the table of known ones holds.
    spoofed = [{"remove": name} for name in claims if name not in believed]
    # The length itself is gone once ext_proc may replace the body, and the access log has to tell what was declared.
    declared = {"header": {"key": DECLARED, "value": "%REQ(content-length)%"}}
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=pack(HeaderMutation(mutations=[{"remove_on_match": unread}, *spoofed, {"append": declared}])),
    )


def _hold(settings: DataPlane) -> dict[str, object]:
    """The buffer filter, off but on the route that turns it on."""
    limit = {"value": settings.buffer_bytes}
    return {**_filter(BUFFER, Buffer(max_request_bytes=limit)), "disabled": True}


def _ext_proc(settings: DataPlane) -> dict[str, object]:
    config = ExternalProcessor(
        grpc_service={"envoy_grpc": {"cluster_name": WORKERS}},
        failure_mode_allow=False,
        processing_mode={
            "request_header_mode": "SEND",
            "request_body_mode": "FULL_DUPLEX_STREAMED",
            "request_trailer_mode": "SEND",
            "response_header_mode": "SKIP",
            "response_body_mode": "NONE",
            "response_trailer_mode": "SKIP",
        },
        message_timeout=milliseconds(settings.message_timeout_ms),
        max_message_timeout=milliseconds(settings.message_timeout_ms),
        # What a verdict changes in a head is said in its metadata; only Envoy writes what frames a request. The rules are
        # those of refusals as well, so what an answer of ours carries is let through.
        mutation_rules={
            "disallow_all": {"value": True},
            "allow_expression": {"regex": ANSWERED_HEADERS},
            "disallow_is_error": {"value": True},
        },
        allow_mode_override=False,
        # They come with the first message of an exchange, whichever it is; a route cannot ask for its own.
        request_attributes=[METHOD, PATH, *HEADERS.values(), *map(header_attribute, settings.claim_headers)],
        route_cache_action="DEFAULT",
        metadata_options={"receiving_namespaces": {"untyped": [POOL_NAMESPACE, DECISION_NAMESPACE]}},
        status_on_error={"code": "ServiceUnavailable"},
        stat_prefix="ringfence",
    )
    return _filter(EXT_PROC, config)


def _access_log(settings: DataPlane, worker: int) -> dict[str, object]:
    config = HttpGrpcAccessLogConfig(
        common_config={
            "log_name": LOG_NAME,
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": log_name(worker)}},
            "buffer_flush_interval": milliseconds(settings.access_log_flush_ms),
            "buffer_size_bytes": {"value": 65_536},
            # Envoy names a host by IP and port; the node's own id says which node it was.
            "custom_tags": [
                {
                    "tag": "node",
                    "metadata": {
                        "kind": {"host": {}},
                        "metadata_key": {"key": DECISION_NAMESPACE, "path": [{"key": "node"}]},
                    },
                }
            ],
        },
        additional_request_headers_to_log=[DECLARED],
    )
    return {
        "name": "envoy.access_loggers.http_grpc",
        "typed_config": pack(config),
        "filter": {
            "metadata_filter": {
                "matcher": {
                    "filter": DECISION_NAMESPACE,
                    "path": [{"key": "worker"}],
                    "value": {"string_match": {"exact": str(worker)}},
                },
                # What no worker decided on is still somebody's to count: the first one's.
                "match_if_key_not_found": {"value": worker == 0},
            }
        },
    }
