"""The ext_proc gRPC service: a thin edge around `Exchange` and the pipeline."""

from __future__ import annotations

import time
from typing import Any

import grpc
import structlog
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc

from governance.inference import RequestHead
from governance.judgement import Admission, Arrival, Unrecorded
from governance.pipeline import Runtime, abandon, admit
from governance.sensitive import SensitiveBytes
from governance.telemetry import WorkerMetrics
from sidecar import messages
from sidecar.dataplane import BUFFER_SLACK_BYTES
from sidecar.exchange import Exchange, ExchangeBroken, Judge, Release
from sidecar.intake import Intake

_LOG = structlog.get_logger("ringfence.extproc")


async def _fail(context: Any, reason: str) -> None:
    """Ends the stream with an error, which refuses the request. Always raises."""
    _LOG.warning("exchange_broken", reason=reason)
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "exchange broken")


class ExternalProcessor(external_processor_pb2_grpc.ExternalProcessorServicer):
    """Serves one stream per request."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        worker: str,
        max_body_bytes: int,
        max_streamed_bytes: int | None,
        intake: Intake,
        metrics: WorkerMetrics,
    ) -> None:
        self._runtime = runtime
        self._worker = worker
        self._max_body_bytes = max_streamed_bytes or max_body_bytes
        # What Envoy holds of one request: it refuses a longer body itself, and knows no decision.
        self._max_whole_bytes = max_body_bytes + BUFFER_SLACK_BYTES
        self._intake = intake
        self._metrics = metrics
        self.released = 0

    async def Process(self, _: Any, context: Any) -> None:  # noqa: N802  gRPC's name
        """Speaks for one request, and ends its stream normally once the verdict was sent, never before.

        A stream that ends normally before the verdict lets Envoy go on with what it has, by protocol; so every
        other end is an error, and Envoy then refuses, as failure_mode_allow is false.
        """
        exchange = Exchange(
            max_body_bytes=self._max_body_bytes, max_whole_bytes=self._max_whole_bytes, intake=self._intake
        )
        try:
            while (message := await context.read()) is not grpc.aio.EOF:
                reaction = exchange.receive(messages.event(message))
                # It may hold a whole body, and the next one may be long in coming.
                del message
                if isinstance(reaction, Judge):
                    verdict = exchange.conclude(await self._admit(reaction.arrival))
                    self.released += isinstance(verdict, Release)
                    # Envoy ends a stream as soon as it has the verdict, which may cancel the very write that brought it. So
                    # no outcome is recorded here: Envoy tells it, or none comes and the log gives up.
                    for response in messages.responses(verdict, worker=self._worker):
                        await context.write(response)
                    # Nothing more is asked for; waiting for Envoy to say so costs as much as a message.
                    return
            await _fail(context, "the stream ended before its request")
        except ExchangeBroken as broken:
            await _fail(context, str(broken))
        finally:
            exchange.close()
            if exchange.is_reading and exchange.head is not None:
                self.abandoned(exchange.head)

    def abandoned(self, head: RequestHead) -> None:
        """Records the refusal of a request whose caller left before it was whole."""
        abandon(Arrival(head=head, body=SensitiveBytes(b"")), self._runtime)

    async def _admit(self, arrival: Arrival) -> Admission | Unrecorded:
        started = time.perf_counter()
        verdict = await admit(arrival, self._runtime)
        self._metrics.decided(verdict, seconds=time.perf_counter() - started)
        return verdict
