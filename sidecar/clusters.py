"""Envoy clusters and their endpoints: one EDS cluster per cell, one static cluster for the workers, one per access log.

Pure: settings and cells in, protobufs out. The inner ring of pinning is here: a subset per pool, no fallback, no panic.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2 import RawBuffer
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import CertificateValidationContext
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from governance.errors import ConfigInvalid
from governance.nodes.node import Node, Tls
from sidecar.dataplane import DECISION_NAMESPACE, POOL_KEY, POOL_NAMESPACE, DataPlane
from sidecar.pools import Cell, Member

WORKERS = "ringfence-workers"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TRANSPORT = "tls"
_PLAIN = "plain"
# No bound worth having is below what a machine can hold open: long streamed answers keep their ext_proc stream.
_MAX_STREAMS = 65_536
UNREACHABLE = CertificateValidationContext(verify_certificate_hash=["00" * 32])
"""What no certificate passes: none has this SHA-256. It reads no trust store, which a machine of plain nodes may not have."""

Addresses = Mapping[str, tuple[str, ...]]
"""IP addresses by node id, for nodes whose address is a name. A name without an entry has no endpoint."""


def pack(message: Message) -> AnyMessage:
    """`message` as an Any whose bytes are the same for equal messages."""
    return AnyMessage(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )


def struct(values: Mapping[str, object]) -> Struct:
    """`values` as a protobuf Struct."""
    made = Struct()
    made.update(values)
    return made


def milliseconds(count: int) -> timedelta:
    """A duration as protobuf takes it."""
    return timedelta(milliseconds=count)


def log_name(worker: int) -> str:
    """Name of the cluster that takes the access log entries of worker `worker`."""
    return f"ringfence-log-{worker}"


# --- clusters of our own processes -----------------------------------------------------------------------------------


def workers_cluster(settings: DataPlane) -> Cluster:
    """The cluster of all workers' ext_proc sockets."""
    cluster = _unix_cluster(WORKERS, settings.worker_sockets, buffer_bytes=settings.buffer_bytes)
    # Envoy times no message of a request that comes in pieces. A worker whose process stands still is found by its pings;
    # one that never answers is given up once the longest upload and the longest verdict are over.
    longest = settings.request_timeout_ms + settings.message_timeout_ms
    ping = milliseconds(max(settings.message_timeout_ms // 2, 100))
    options = HttpProtocolOptions(
        explicit_http_config={"http2_protocol_options": {"connection_keepalive": {"interval": ping, "timeout": ping}}},
        common_http_protocol_options={"max_stream_duration": milliseconds(longest)},
    )
    cluster.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(pack(options))
    return cluster


def log_cluster(settings: DataPlane, worker: int) -> Cluster:
    """The cluster of one worker's access log: a worker sees the outcomes of its own decisions only."""
    return _unix_cluster(log_name(worker), (settings.worker_sockets[worker],), buffer_bytes=settings.buffer_bytes)


def _unix_cluster(name: str, paths: Iterable[str], *, buffer_bytes: int) -> Cluster:
    return Cluster(
        name=name,
        type="STATIC",
        lb_policy="LEAST_REQUEST",
        connect_timeout=milliseconds(1_000),
        per_connection_buffer_limit_bytes={"value": buffer_bytes},
        circuit_breakers=_thresholds(retries=_MAX_STREAMS),
        common_lb_config={"healthy_panic_threshold": {"value": 0}},
        # A worker that died takes no request after the first failed connect; the others carry on.
        health_checks=[
            {
                "timeout": milliseconds(1_000),
                "interval": milliseconds(1_000),
                # Else a minute passes between checks until the first request.
                "no_traffic_interval": milliseconds(1_000),
                "unhealthy_threshold": {"value": 1},
                "healthy_threshold": {"value": 1},
                "tcp_health_check": {},
            }
        ],
        typed_extension_protocol_options={
            _HTTP_OPTIONS: pack(HttpProtocolOptions(explicit_http_config={"http2_protocol_options": {}}))
        },
        load_assignment={
            "cluster_name": name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": path}}}} for path in paths]},
            ],
        },
    )


def _thresholds(*, retries: int | None = None) -> dict[str, object]:
    limits: dict[str, object] = {
        "max_connections": {"value": _MAX_STREAMS},
        "max_pending_requests": {"value": _MAX_STREAMS},
        "max_requests": {"value": _MAX_STREAMS},
    }
    if retries is None:
        limits["retry_budget"] = {"budget_percent": {"value": 20}, "min_retry_concurrency": {"value": 16}}
    else:
        limits["max_retries"] = {"value": retries}
    return {"thresholds": [limits]}


# --- cells -----------------------------------------------------------------------------------------------------------


def cell_cluster(settings: DataPlane, name: str, tls: tuple[Tls, ...], *, plain: bool) -> Cluster:
    """The cluster of the cell `name`; its endpoints come by EDS. `tls` and `plain` are the transports its nodes use."""
    cluster = Cluster(
        name=name,
        type="EDS",
        eds_cluster_config={"eds_config": {"ads": {}, "resource_api_version": "V3"}},
        lb_policy="LEAST_REQUEST",
        connect_timeout=milliseconds(settings.upstream_connect_timeout_ms),
        per_connection_buffer_limit_bytes={"value": settings.buffer_bytes},
        circuit_breakers=_thresholds(),
        lb_subset_config={
            "fallback_policy": "NO_FALLBACK",
            "subset_selectors": [{"keys": [POOL_KEY], "fallback_policy": "NO_FALLBACK"}],
            "list_as_any": True,
        },
        common_lb_config={
            "healthy_panic_threshold": {"value": 0},
            "ignore_new_hosts_until_first_hc": True,
            # Else Envoy accepts a pool, an ejection or a failed check and balances on it up to a second later.
            "update_merge_window": milliseconds(0),
        },
        # Else a node taken out of the fleet keeps serving for as long as it passes its health checks.
        ignore_health_on_host_removal=True,
        transport_socket_matches=[_tls_match(settings, one) for one in tls] + ([_plain_match()] if plain else []),
        # An endpoint that matches no transport must not fall back to plain text.
        transport_socket=_tls_transport(UpstreamTlsContext(common_tls_context={"validation_context": UNREACHABLE})),
        typed_extension_protocol_options={
            _HTTP_OPTIONS: pack(
                HttpProtocolOptions(
                    explicit_http_config={"http_protocol_options": {}},
                    common_http_protocol_options={"idle_timeout": milliseconds(60_000)},
                )
            )
        },
    )
    _observe(cluster, settings)
    return cluster


def _observe(cluster: Cluster, settings: DataPlane) -> None:
    check, outliers = settings.health_check, settings.outliers
    if check is not None:
        added = cluster.health_checks.add(
            timeout=milliseconds(check.timeout_ms),
            interval=milliseconds(check.interval_ms),
            interval_jitter_percent=20,
            initial_jitter=milliseconds(min(200, check.interval_ms)),
            no_traffic_interval=milliseconds(check.interval_ms),
            unhealthy_threshold={"value": check.unhealthy_threshold},
            healthy_threshold={"value": check.healthy_threshold},
        )
        if check.path is None:
            added.tcp_health_check.SetInParent()
        else:
            added.http_health_check.path = check.path
    if outliers is not None:
        cluster.outlier_detection.MergeFrom(
            type(cluster.outlier_detection)(
                consecutive_5xx={"value": outliers.consecutive},
                consecutive_gateway_failure={"value": outliers.consecutive},
                enforcing_consecutive_gateway_failure={"value": 100},
                enforcing_success_rate={"value": 0},
                interval=milliseconds(outliers.interval_ms),
                base_ejection_time=milliseconds(outliers.base_ejection_ms),
                # All of a pool may be ejected: the answer is then 503, never a node outside it.
                max_ejection_percent={"value": 100},
            )
        )


def _tls_key(tls: Tls | None) -> str:
    if tls is None:
        return _PLAIN
    return "tls-" + hashlib.sha256(f"{tls.server_name}\n{tls.ca_file or ''}".encode()).hexdigest()[:16]


def _plain_match() -> dict[str, object]:
    socket = {"name": "envoy.transport_sockets.raw_buffer", "typed_config": pack(RawBuffer())}
    return {"name": _PLAIN, "match": struct({_TRANSPORT: _PLAIN}), "transport_socket": socket}


def _tls_match(settings: DataPlane, tls: Tls) -> dict[str, object]:
    key = _tls_key(tls)
    return {
        "name": key,
        "match": struct({_TRANSPORT: key}),
        "transport_socket": _tls_socket(tls, settings.system_ca_file),
    }


def _tls_socket(tls: Tls, system_ca_file: str) -> dict[str, object]:
    context = UpstreamTlsContext(
        sni=tls.server_name,
        common_tls_context={
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "alpn_protocols": ["http/1.1"],
            "validation_context": {
                "trusted_ca": {"filename": tls.ca_file or system_ca_file},
                "match_typed_subject_alt_names": [
                    {"san_type": _san_type(tls.server_name), "matcher": {"exact": tls.server_name}}
                ],
            },
        },
    )
    return _tls_transport(context)


def _tls_transport(context: UpstreamTlsContext) -> dict[str, object]:
    return {"name": "envoy.transport_sockets.tls", "typed_config": pack(context)}


def _san_type(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "DNS"
    return "IP_ADDRESS"


# --- endpoints -------------------------------------------------------------------------------------------------------


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ConfigInvalid."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65_536:
        raise ConfigInvalid(f"`{address}` is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def ip_of(host: str) -> str | None:
    """`host` in canonical form when it is an IP address, else None."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def load_assignment(cell: Cell, addresses: Addresses) -> ClusterLoadAssignment:
    """Endpoints of `cell` by tier, nearest first; priorities are contiguous as Envoy spills over them in order.

    Envoy identifies a host by IP and port: where two nodes share both, the first by id is taken and the other has no
    endpoint, so that its pools answer 503 rather than carry the pins of both.
    """
    assignment = ClusterLoadAssignment(cluster_name=cell.name)
    taken: set[tuple[str, int]] = set()
    priorities = sorted({member.node.tier.priority for member in cell.members})
    for priority, tier in enumerate(priorities):
        locality = assignment.endpoints.add(priority=priority)
        for member in cell.members:
            if member.node.tier.priority == tier:
                _add_endpoints(locality, member, addresses, taken)
    return assignment


def _add_endpoints(locality: Any, member: Member, addresses: Addresses, taken: set[tuple[str, int]]) -> None:
    host, port = split_address(member.node.address)
    literal = ip_of(host)
    ips = (literal,) if literal is not None else tuple(sorted(set(addresses.get(member.node.id, ()))))
    name = authority(member.node)
    for ip in ips:
        if (ip, port) in taken:
            continue
        taken.add((ip, port))
        locality.lb_endpoints.add(
            endpoint={
                "address": {"socket_address": {"address": ip, "port_value": port}},
                "hostname": name,
                "health_check_config": {"hostname": name},
            },
            metadata={
                "filter_metadata": {
                    POOL_NAMESPACE: struct({POOL_KEY: list(member.pools)}),
                    "envoy.transport_socket_match": struct({_TRANSPORT: _tls_key(member.node.tls)}),
                    DECISION_NAMESPACE: struct({"node": member.node.id}),
                }
            },
        )


def authority(node: Node) -> str:
    """The Host a node is asked for: its address, without the port its scheme implies."""
    _, port = split_address(node.address)
    default = 443 if node.tls is not None else 80
    return node.address.rpartition(":")[0] if port == default else node.address
