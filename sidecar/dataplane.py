"""Settings of the data plane: everything the generated Envoy configuration depends on beside nodes and pools.

Use: `DataPlane(worker_sockets=("/run/ringfence/worker-0.sock",), listen_port=8080)`; values are checked on creation.
"""

from __future__ import annotations

from dataclasses import field

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from governance.nodes.node import SYSTEM_CA_FILE

KIB = 1024
MIB = 1024 * KIB

# Namespaces of dynamic metadata. `envoy.lb` holds the key `pool` and nothing else: one more key and no subset matches.
POOL_NAMESPACE = "envoy.lb"
POOL_KEY = "pool"
DECISION_NAMESPACE = "ringfence"
CELL_KEY = "cell"
USAGE_NAMESPACE = "ringfence.usage"

# Envoy's code details of an ImmediateResponse are its `details`; only replies that carry these go out with their own body.
REFUSED_DETAILS = "ringfence_refused"
ANSWERED_DETAILS = "ringfence_answered"

# Room for what surrounds a body in a buffer, so that a body of exactly `max_body_bytes` reaches the worker; Envoy's 413 is
# the backstop.
BUFFER_SLACK_BYTES = 64 * KIB


@frozen
class HealthCheck:
    """Active checks of nodes. `path` None means a TCP connect, else a GET that must answer 200."""

    path: str | None = None
    interval_ms: int = 5_000
    timeout_ms: int = 1_000
    unhealthy_threshold: int = 2
    healthy_threshold: int = 1


@frozen
class Outliers:
    """Ejection of nodes that answer 5xx or fail, `consecutive` times in a row, for `base_ejection_ms`."""

    consecutive: int = 5
    interval_ms: int = 5_000
    base_ejection_ms: int = 30_000


@frozen
class Retries:
    """Further attempts, always on other nodes of the same pool. `statuses` are answers worth another attempt."""

    attempts: int = 2
    statuses: tuple[int, ...] = (502, 503, 504)


@frozen
class DataPlane:
    """`worker_sockets[n]` is the Unix socket of worker n: ext_proc and its own access log.

    A POST that declares a body of up to `max_body_bytes` reaches the worker in one message; anything else is streamed to
    it, and the worker bounds it: by `streamed_body_bytes`, or None to take nothing longer.
    `system_ca_file` is the trust store for nodes that name none.
    `claim_headers` say who asks; they reach the worker from `trusted_proxies` (CIDR ranges) alone, and no node.
    """

    worker_sockets: tuple[str, ...]
    listen_address: str = "127.0.0.1"
    listen_port: int = 8080
    max_body_bytes: int = 8 * MIB
    streamed_body_bytes: int | None = None
    message_timeout_ms: int = 10_000
    request_timeout_ms: int = 60_000
    max_request_headers_kib: int = 60
    upstream_connect_timeout_ms: int = 2_000
    upstream_timeout_ms: int = 600_000
    stream_idle_timeout_ms: int = 300_000
    health_check: HealthCheck | None = field(default_factory=HealthCheck)
    outliers: Outliers | None = field(default_factory=Outliers)
    retries: Retries = field(default_factory=Retries)
    access_log_flush_ms: int = 200
    system_ca_file: str = SYSTEM_CA_FILE
    trusted_proxies: tuple[str, ...] = ()
    claim_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.worker_sockets:
            raise ConfigInvalid("at least one worker socket is needed")
        if len(set(self.worker_sockets)) != len(self.worker_sockets):
            raise ConfigInvalid("each worker needs a socket of its own")
        if not 0 < self.listen_port < 65_536:
            raise ConfigInvalid(f"`{self.listen_port}` is not a port")
        if not 0 < self.max_body_bytes <= 1024 * MIB:
            raise ConfigInvalid("max_body_bytes must lie between 1 B and 1 GiB")
        if self.streamed_body_bytes is not None and self.streamed_body_bytes <= self.max_body_bytes:
            raise ConfigInvalid("streamed_body_bytes must exceed max_body_bytes")
        if min(self.message_timeout_ms, self.request_timeout_ms, self.upstream_timeout_ms) <= 0:
            raise ConfigInvalid("timeouts must be positive")

    @property
    def buffer_bytes(self) -> int:
        """Envoy's per-connection buffer limit."""
        return self.max_body_bytes + BUFFER_SLACK_BYTES
