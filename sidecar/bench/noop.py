"""The baseline: an ext_proc server that answers every message with nothing, in the process model of a worker.

Run as `python -m sidecar.bench.noop SOCKET`; stops at SIGTERM.
"""

from __future__ import annotations

import sys
from typing import Any

import grpc
import uvloop
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    CommonResponse,
    HeadersResponse,
    ProcessingRequest,
    ProcessingResponse,
)

from sidecar.signals import stop_asked

_REQUEST = ProcessingResponse(request_headers=HeadersResponse(response=CommonResponse()))
_RESPONSE = ProcessingResponse(response_headers=HeadersResponse(response=CommonResponse()))


class Noop(external_processor_pb2_grpc.ExternalProcessorServicer):
    """Lets request headers and response headers go on unchanged."""

    async def Process(self, request_iterator: Any, context: Any) -> None:  # noqa: ARG002, N802  gRPC's signature
        """Answers until Envoy ends the stream."""
        message: ProcessingRequest
        while (message := await context.read()) is not grpc.aio.EOF:
            await context.write(_REQUEST if message.HasField("request_headers") else _RESPONSE)


async def serve(path: str) -> None:
    """Serves on the Unix socket `path` until SIGTERM."""
    server = grpc.aio.server()
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(Noop(), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    await stop_asked().wait()
    await server.stop(1.0)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
