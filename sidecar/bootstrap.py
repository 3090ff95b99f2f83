"""Envoy's bootstrap file and command line: everything that cannot come over xDS.

Use: `write(path, bootstrap(EnvoyProcess(...)))`, then start `command(binary, path, process)` in its own session: Envoy
takes the SIGTERM of the shell that started it otherwise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from governance.frozen import frozen
from sidecar.dataplane import MIB

Protocol = Literal["delta", "sotw"]


@frozen
class EnvoyProcess:
    """`ads_socket` is the control process's Unix socket. Envoy's admin interface listens on `admin_socket`, or, where
    that is None, on a free loopback port that Envoy writes to `admin_address_file`. `concurrency` None is one per core.
    """

    node_id: str
    ads_socket: str
    admin_socket: str | None = None
    admin_address_file: str | None = None
    cluster: str = "ringfence"
    protocol: Protocol = "delta"
    concurrency: int | None = None
    base_id: int | None = None
    max_heap_bytes: int = 1024 * MIB
    max_connections: int = 50_000
    drain_s: int = 10
    log_level: str = "warning"


# Envoy takes no expression of more than 100 instructions by default; ours for unknown header names has more, and the ones
# a policy or a caller could bring do not exist.
_RUNTIME = {"re2.max_program_size.error_level": 10_000, "re2.max_program_size.warn_level": 10_000}


def bootstrap(process: EnvoyProcess) -> Mapping[str, object]:
    """The bootstrap as JSON values: one ADS source over a Unix socket, admin, overload limits, nothing static beside."""
    return {
        "node": {"id": process.node_id, "cluster": process.cluster},
        "admin": {"address": _admin_address(process)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if process.protocol == "delta" else "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "ringfence-control"}}],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {"clusters": [_control_cluster(process)]},
        "overload_manager": _overload(process),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _RUNTIME}]},
    }


def _admin_address(process: EnvoyProcess) -> Mapping[str, object]:
    if process.admin_socket is not None:
        return {"pipe": {"path": process.admin_socket, "mode": 0o600}}
    return {"socket_address": {"address": "127.0.0.1", "port_value": 0}}


def _control_cluster(process: EnvoyProcess) -> Mapping[str, object]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": process.ads_socket}}}}
    return {
        "name": "ringfence-control",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}
                },
            }
        },
        "load_assignment": {
            "cluster_name": "ringfence-control",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def _overload(process: EnvoyProcess) -> Mapping[str, object]:
    heap = "envoy.resource_monitors.fixed_heap"
    connections = "envoy.resource_monitors.global_downstream_max_connections"
    prefix = "type.googleapis.com/envoy.extensions.resource_monitors"

    def at(value: float) -> list[Mapping[str, object]]:
        return [{"name": heap, "threshold": {"value": value}}]

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": {
                    "@type": f"{prefix}.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": process.max_heap_bytes,
                },
            },
            {
                "name": connections,
                "typed_config": {
                    "@type": f"{prefix}.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": process.max_connections,
                },
            },
        ],
        # Under pressure requests are refused, never passed on with less inspection.
        "actions": [
            {"name": "envoy.overload_actions.shrink_heap", "triggers": at(0.90)},
            {"name": "envoy.overload_actions.stop_accepting_requests", "triggers": at(0.95)},
        ],
    }


def write(path: Path, content: Mapping[str, object]) -> None:
    """`path` holds `content` as JSON, readable by the owner alone; a reader sees the old file or the new one, whole."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
    temporary.replace(path)


def command(binary: Path, bootstrap_file: Path, process: EnvoyProcess) -> tuple[str, ...]:
    """Arguments that start Envoy. A `base_id` is the identity of a hot restart; without one there is none, and no shared
    memory, so that any number of Envoys fits on one machine.
    """
    restart = ("--disable-hot-restart",) if process.base_id is None else ("--base-id", str(process.base_id))
    concurrency = () if process.concurrency is None else ("--concurrency", str(process.concurrency))
    admin = () if process.admin_address_file is None else ("--admin-address-path", process.admin_address_file)
    return (
        str(binary),
        "--config-path",
        str(bootstrap_file),
        "--log-level",
        process.log_level,
        "--drain-time-s",
        str(process.drain_s),
        *restart,
        *concurrency,
        *admin,
    )
