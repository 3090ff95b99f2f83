"""Outcomes from Envoy's gRPC access log: who really served a request, and whether that node was allowed to.

The access log is Envoy's own account of the request after retries and failover. It is buffered and may be lost with
the process; a decision whose entry never comes is closed as `unknown` by the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import structlog
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogCommon, HTTPAccessLogEntry, ResponseFlags
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc
from google.protobuf.struct_pb2 import Struct, Value

from governance.errors import AuditUnavailable
from governance.inference import RequestHead
from governance.interfaces import AuditSink
from governance.nodes.node import Node, Pool
from governance.record import OutcomeRecord, OutcomeStatus
from governance.telemetry import WorkerMetrics
from sidecar.dataplane import DECISION_NAMESPACE, POOL_KEY, POOL_NAMESPACE, USAGE_NAMESPACE
from sidecar.headers import DECLARED
from sidecar.routes import WHOLE

_LOG = structlog.get_logger("ringfence.outcomes")


def outcome(
    entry: HTTPAccessLogEntry, nodes: Mapping[str, Node], pool_of: Callable[[str], Pool | None]
) -> OutcomeRecord | None:
    """The outcome that `entry` tells, or None when it belongs to no decision that was released.

    `contained` is False when a node outside the pool served, or when the pool or the node is not known.
    """
    properties = entry.common_properties
    metadata = properties.metadata.filter_metadata
    decision_id = _text(metadata, DECISION_NAMESPACE, "decision_id")
    if not decision_id:
        return None
    node = nodes.get(properties.custom_tags.get("node", ""))
    pool = pool_of(_text(metadata, POOL_NAMESPACE, POOL_KEY))
    code = entry.response.response_code.value
    usage = metadata[USAGE_NAMESPACE].fields if USAGE_NAMESPACE in metadata else {}
    return OutcomeRecord(
        ref=decision_id,
        status=_status(properties, code, node),
        code=code,
        node=node.id if node else "",
        tier=node.tier if node else None,
        country=node.country if node else "",
        contained=_contained(entry, node, pool),
        attempts=properties.upstream_request_attempt_count,
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
        size_out=entry.response.response_body_bytes,
        us_total=properties.time_to_last_downstream_tx_byte.ToMicroseconds(),
    )


def reached_upstream(entry: HTTPAccessLogEntry) -> bool:
    """True when Envoy picked an upstream host for the request."""
    return entry.common_properties.upstream_remote_address.WhichOneof("address") is not None


def broken_off(entry: HTTPAccessLogEntry) -> bool:
    """True when the caller left before the body was whole, so that it was never sent to a worker in one message."""
    declared = entry.request.request_headers.get(DECLARED, "")
    if entry.common_properties.route_name != WHOLE or not (declared.isascii() and declared.isdigit()):
        return False
    return int(entry.request.request_body_bytes) < int(declared[:19])


def _head(entry: HTTPAccessLogEntry) -> RequestHead:
    method = RequestMethod.Name(entry.request.request_method)
    return RequestHead(method=method, path=entry.request.path.partition("?")[0], headers=())


def _contained(entry: HTTPAccessLogEntry, node: Node | None, pool: Pool | None) -> bool:
    if not reached_upstream(entry):
        return True
    return node is not None and pool is not None and node.id in pool.nodes


def _status(properties: AccessLogCommon, code: int, node: Node | None) -> OutcomeStatus:
    # Envoy sets it only where there is one.
    if properties.HasField("response_flags"):
        flags = properties.response_flags
        if flags.downstream_connection_termination:
            return OutcomeStatus.ABORTED
        if _broken(flags):
            return OutcomeStatus.FAILED
    return OutcomeStatus.FAILED if node is None or code >= 500 else OutcomeStatus.SERVED


def _broken(flags: ResponseFlags) -> bool:
    # A node that breaks off in a stream has said 200 long before.
    return bool(
        flags.upstream_connection_termination
        or flags.upstream_remote_reset
        or flags.upstream_protocol_error
        or flags.upstream_request_timeout
        or flags.stream_idle_timeout
    )


def _text(metadata: Mapping[str, Struct], namespace: str, key: str) -> str:
    fields = metadata[namespace].fields if namespace in metadata else {}
    return fields[key].string_value if key in fields else ""


def _count(fields: Mapping[str, Value], key: str) -> int | None:
    if key not in fields:
        return None
    value = fields[key]
    number = value.number_value if value.HasField("number_value") else float(value.string_value or 0)
    return min(int(number), 2**53 - 1) if number >= 0 else None


class AccessLog(als_pb2_grpc.AccessLogServiceServicer):
    """Receives the entries of this worker's decisions and appends an outcome record for each."""

    def __init__(
        self,
        audit: AuditSink,
        nodes: Mapping[str, Node],
        pool_of: Callable[[str], Pool | None],
        metrics: WorkerMetrics,
        abandon: Callable[[RequestHead], None],
    ) -> None:
        """`abandon` is told of a request that its caller left before it was whole, and that so no worker saw."""
        self._abandon = abandon
        self._audit = audit
        self._nodes = nodes
        self._pool_of = pool_of
        self._metrics = metrics
        self.forwarded = 0

    async def StreamAccessLogs(self, _: Any, context: Any) -> als_pb2.StreamAccessLogsResponse:  # noqa: N802
        """Reads until Envoy closes the stream. An entry that cannot be recorded is counted, not retried."""
        while (message := await context.read()) is not grpc.aio.EOF:
            for entry in message.http_logs.log_entry:
                self._take(entry)
        return als_pb2.StreamAccessLogsResponse()

    def _take(self, entry: HTTPAccessLogEntry) -> None:
        record = outcome(entry, self._nodes, self._pool_of)
        escaped = reached_upstream(entry)
        self.forwarded += record is not None or escaped
        if record is None:
            self._metrics.unmatched(reached_upstream=escaped)
            if broken_off(entry):
                self._abandon(_head(entry))
            if escaped:
                _LOG.error("request_reached_upstream_without_decision")
            return
        self._metrics.outcome(record)
        if not record.contained:
            _LOG.error("served_outside_allow_set", decision_id=record.ref, node=record.node)
        try:
            self._audit.enqueue(record)
        except AuditUnavailable:
            _LOG.warning("outcome_not_recorded", decision_id=record.ref)
