"""The aggregated discovery server: a thin edge between gRPC streams and `sidecar.subscription`.

Use: `server = AdsServer("unix:/run/ringfence/ads.sock")`, `await server.start()`, `server.publish(snapshot)`,
`await server.wait_acked(snapshot.version, timeout_s=1)`, `await server.stop()`. One event loop per process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import structlog
from envoy.service.discovery.v3 import ads_pb2_grpc
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)

from governance.errors import ConfigInvalid
from governance.frozen import frozen
from sidecar.lint import lint
from sidecar.snapshot import Snapshot, XdsType
from sidecar.subscription import DeltaRequest, DeltaStream, Nack, Push, SotwRequest, SotwStream

_TYPES = {kind.value: kind for kind in XdsType}
_MAX_NODE_ID = 256
_MAX_ERROR = 2_000
_log = structlog.get_logger("sidecar.ads")


@frozen
class StreamStatus:
    """One connected Envoy. `node` is what it says of itself; `accepted` refers to the published snapshot."""

    node: str
    protocol: str
    accepted: bool
    nacks: tuple[Nack, ...]


@frozen
class AdsStatus:
    """The server at one moment. `version` is empty until the first snapshot is published."""

    version: str
    streams: tuple[StreamStatus, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class _Connection:
    stream: DeltaStream | SotwStream
    answered: Callable[[str, bool], None]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    node: str = ""
    closed: bool = False


class AdsServer:
    """Serves one snapshot to every Envoy that connects to `address` (`unix:/path` or `host:port`)."""

    def __init__(self, address: str, *, answered: Callable[[str, bool], None] | None = None) -> None:
        """`answered` is told of every ACK (True) and NACK, with the type's URL."""
        self.address = address
        self.answered = answered or (lambda _url, _accepted: None)
        self.port = 0
        self._snapshot: Snapshot | None = None
        self._published: deque[str] = deque(maxlen=1024)
        self._connections: set[_Connection] = set()
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listens. A `host:0` address takes a free port, which is then in `port`. Raises ConfigInvalid."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(_Servicer(self), server)
        try:
            self.port = server.add_insecure_port(self.address)
        except RuntimeError:
            raise ConfigInvalid(f"cannot listen on `{self.address}`") from None
        await server.start()
        self._server = server

    async def stop(self, *, grace_s: float = 0.5) -> None:
        """Ends every stream. Envoys keep what they have."""
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    def publish(self, snapshot: Snapshot) -> str:
        """The version now offered to every Envoy. Raises ConfigInvalid, and keeps the old one, when lint refuses it."""
        problems = snapshot.inconsistencies() + lint(one.message for one in snapshot.all())
        if problems:
            raise ConfigInvalid("refused to publish: " + "; ".join(problems[:10]))
        if self._snapshot is None or self._snapshot.version != snapshot.version:
            self._snapshot = snapshot
            self._published.append(snapshot.version)
            for connection in self._connections:
                connection.stream.publish(snapshot)
                connection.wake.set()
        return snapshot.version

    def offer_again(self) -> None:
        """Sends what an Envoy refused of the published snapshot once more: a file that it names may be mended by now."""
        for connection in self._connections:
            if self._snapshot is not None and connection.stream.nacks:
                connection.stream.publish(self._snapshot)
                connection.wake.set()

    async def wait_acked(self, version: str, timeout_s: float, *, beside: Collection[str] = ()) -> bool:
        """True once every connected Envoy (at least one) has accepted all of snapshot `version` or of its successor.

        False on a refusal, after `timeout_s`, or when `version` was not published lately. What becomes of the resources
        named `beside` makes no difference.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    changed = self._changed
                    outcome = self._outcome(version, beside)
                    if outcome is not None:
                        return outcome
                    await changed.wait()
        except TimeoutError:
            return False

    @property
    def snapshot(self) -> Snapshot | None:
        """What is offered now."""
        return self._snapshot

    def status(self) -> AdsStatus:
        """Who is connected, and who has accepted what is offered."""
        return AdsStatus(
            version=self._snapshot.version if self._snapshot is not None else "",
            streams=tuple(
                StreamStatus(
                    node=one.node,
                    protocol="delta" if isinstance(one.stream, DeltaStream) else "sotw",
                    accepted=one.stream.accepted,
                    nacks=tuple(one.stream.nacks),
                )
                for one in self._connections
            ),
        )

    def _outcome(self, version: str, beside: Collection[str]) -> bool | None:
        if version not in self._published:
            return False
        outcomes = {one.stream.outcome(beside) for one in self._connections}
        if False in outcomes:
            return False
        return True if outcomes == {True} else None

    def _progress(self) -> None:
        # Waiters hold the event they saw before looking; a new one per change loses no wake-up.
        self._changed.set()
        self._changed = asyncio.Event()

    async def converse(
        self,
        context: Any,
        stream: DeltaStream | SotwStream,
        receive: Callable[[_Connection, Any], None],
        encode: Callable[[Push], Any],
    ) -> None:
        """Carries `stream` over one gRPC call until the client ends it."""
        connection = _Connection(stream=stream, answered=self.answered)
        if self._snapshot is not None:
            stream.publish(self._snapshot)
        self._connections.add(connection)
        reader = asyncio.create_task(self._read(context, connection, receive))
        try:
            while not connection.closed:
                await connection.wake.wait()
                connection.wake.clear()
                while (push := stream.next()) is not None:
                    await context.write(encode(push))
                self._progress()
        finally:
            self._connections.discard(connection)
            self._progress()
            reader.cancel()
            # A cancelled call ends its reader with an error that says nothing more.
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, context: Any, connection: _Connection, receive: Callable[[_Connection, Any], None]) -> None:
        try:
            while (request := await context.read()) is not grpc.aio.EOF:
                receive(connection, request)
                connection.wake.set()
        finally:
            connection.closed = True
            connection.wake.set()


class _Servicer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    def __init__(self, server: AdsServer) -> None:
        self._server = server

    async def StreamAggregatedResources(self, _: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        await self._server.converse(context, SotwStream(), _receive_sotw, _encode_sotw)

    async def DeltaAggregatedResources(self, _: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        await self._server.converse(context, DeltaStream(), _receive_delta, _encode_delta)


def _introduce(connection: _Connection, request: Any) -> XdsType | None:
    # The node is on the first request of a stream only. It is a claim, good for display.
    connection.node = connection.node or request.node.id[:_MAX_NODE_ID]
    if request.response_nonce:
        connection.answered(request.type_url, not request.HasField("error_detail"))
    if request.error_detail.message:
        # Envoy's message is about our own configuration: it holds no request's content.
        _log.warning(
            "xds_refused",
            node=connection.node,
            type=request.type_url[-60:],
            error=request.error_detail.message[:_MAX_ERROR],
        )
    return _TYPES.get(request.type_url)


def _error(request: Any) -> str | None:
    return request.error_detail.message[:_MAX_ERROR] if request.HasField("error_detail") else None


def _receive_sotw(connection: _Connection, request: DiscoveryRequest) -> None:
    kind = _introduce(connection, request)
    if kind is not None and isinstance(connection.stream, SotwStream):
        connection.stream.receive(
            SotwRequest(
                type=kind,
                version=request.version_info,
                nonce=request.response_nonce,
                names=tuple(request.resource_names),
                error=_error(request),
            )
        )


def _receive_delta(connection: _Connection, request: DeltaDiscoveryRequest) -> None:
    kind = _introduce(connection, request)
    if kind is not None and isinstance(connection.stream, DeltaStream):
        connection.stream.receive(
            DeltaRequest(
                type=kind,
                nonce=request.response_nonce,
                subscribe=tuple(request.resource_names_subscribe),
                unsubscribe=tuple(request.resource_names_unsubscribe),
                initial_versions=dict(request.initial_resource_versions),
                error=_error(request),
            )
        )


def _encode_sotw(push: Push) -> DiscoveryResponse:
    response = DiscoveryResponse(version_info=push.version, type_url=push.type.value, nonce=push.nonce)
    for one in push.resources:
        response.resources.add(type_url=push.type.value, value=one.body)
    return response


def _encode_delta(push: Push) -> DeltaDiscoveryResponse:
    response = DeltaDiscoveryResponse(
        system_version_info=push.version, type_url=push.type.value, nonce=push.nonce, removed_resources=push.removed
    )
    for one in push.resources:
        added = response.resources.add(name=one.name, version=one.version)
        added.resource.type_url, added.resource.value = push.type.value, one.body
    return response
