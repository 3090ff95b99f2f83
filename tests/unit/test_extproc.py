"""What the ext_proc service leaves behind of an exchange that ends early."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from google.protobuf.message import Message

from governance.audit.journal import Limits
from governance.audit.log import AuditLog
from governance.audit.reader import read
from governance.dialects import routes
from governance.nodes.node import pool_of
from governance.pipeline import Runtime
from governance.telemetry import WorkerMetrics
from sidecar.extproc import ExternalProcessor
from sidecar.intake import Intake
from sidecar.outcomes import AccessLog
from tests.builders import CALLER, decision, detection, node
from tests.fakes import FakeDetector, FakeFleet, FakePolicy

HEAD = {":method": b"POST", ":path": b"/v1/chat/completions", "content-type": b"application/json"}
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
POOL = pool_of([node()])


class Stream:
    """Envoy's end of a stream: what it sends, and what it took before the write that brought it was cancelled."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self.taken: list[ProcessingResponse] = []

    async def read(self) -> object:
        return self._messages.pop(0) if self._messages else grpc.aio.EOF

    async def write(self, response: ProcessingResponse) -> None:
        self.taken.append(response)
        raise asyncio.CancelledError


def request() -> list[Message]:
    """A streamed request in two messages."""
    head = ProcessingRequest()
    head.protocol_config.request_body_mode = ProcessingMode.FULL_DUPLEX_STREAMED
    for key, value in HEAD.items():
        head.request_headers.headers.headers.add(key=key, raw_value=value)
    body = ProcessingRequest()
    body.request_body.body, body.request_body.end_of_stream = BODY, True
    return [head, body]


def served(decision_id: str) -> StreamAccessLogsMessage:
    """What Envoy tells of a request that the pool's node served."""
    entry = HTTPAccessLogEntry()
    entry.response.response_code.value = 200
    entry.common_properties.upstream_remote_address.socket_address.address = "127.0.0.1"
    entry.common_properties.custom_tags["node"] = "a"
    metadata = entry.common_properties.metadata.filter_metadata
    metadata["ringfence"].update({"decision_id": decision_id})
    metadata["envoy.lb"].update({"pool": POOL.name})
    told = StreamAccessLogsMessage()
    told.http_logs.log_entry.append(entry)
    return told


async def until_open(log: AuditLog, count: int) -> None:
    """Returns once `count` decisions wait for their outcome."""
    for _ in range(3_000):
        if log.open_decisions == count:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{log.open_decisions} decisions are open")


async def test_a_release_whose_write_was_cancelled_has_the_one_outcome_that_is_true(tmp_path: Path) -> None:
    """It may have been delivered: Envoy's word counts where it comes, and where none comes the outcome is unknown."""
    now, limits = 0, Limits(outcome_s=10)
    log = AuditLog.open(tmp_path, origin="o", limits=limits, heartbeat_s=0.01, clock=lambda: (now, now))
    metrics = WorkerMetrics()
    runtime = Runtime(
        version="1",
        detector=FakeDetector(detection()),
        policy=FakePolicy(decision()),
        audit=log,
        fleet=FakeFleet((node(),)),
        identify=lambda head: CALLER,
        limits=routes.Limits(),
        detection_deadline_ms=1_000,
        redaction_key=b"r" * 32,
        commitment_key=b"k" * 32,
    )
    processor = ExternalProcessor(
        runtime,
        worker="0",
        max_body_bytes=1 << 20,
        max_streamed_bytes=None,
        intake=Intake(max_bytes=1 << 20, max_streams=64),
        metrics=metrics,
    )
    access_log = AccessLog(log, {"a": node()}, lambda name: POOL, metrics, processor.abandoned)
    released = []
    for _ in range(2):
        stream = Stream(*request())
        with pytest.raises(asyncio.CancelledError):
            await processor.Process(None, stream)
        [verdict] = stream.taken
        released.append(verdict.dynamic_metadata.fields["ringfence"].struct_value.fields["decision_id"].string_value)
    await access_log.StreamAccessLogs(None, Stream(served(released[0])))
    await until_open(log, 1)
    now = limits.outcome_s * 1_000_000
    await until_open(log, 0)
    await log.close()
    outcomes = [(record["ref"], record["status"]) for record in read(tmp_path) if record["kind"] == "outcome"]

    assert 2 == processor.released
    assert [(released[0], "served"), (released[1], "unknown")] == outcomes
