"""A real Envoy, nodes that count what they receive, and an ext_proc worker that stamps what the test says."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest
from aiohttp import web
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as ext_proc_pb2_grpc

from governance.nodes.node import Node, Pool, pool_of
from governance.residency import Tier
from sidecar.ads import AdsServer
from sidecar.bootstrap import EnvoyProcess, Protocol, bootstrap, command, write
from sidecar.dataplane import DataPlane, HealthCheck
from sidecar.envoy_binary import locate
from sidecar.pools import PoolTable
from sidecar.resources import build
from sidecar.routes import EXT_PROC, HEADERS, METHOD, PATH

READY_S = 60.0


def free_port() -> int:
    """A loopback port that nothing listens on now, outside the range the kernel hands out to others by itself."""
    for _ in range(100):
        port = random.randrange(12_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


async def until(condition: Callable[[], bool | Awaitable[bool]], *, timeout_s: float = 30.0, what: str = "") -> None:
    """Returns once `condition` holds. Raises TimeoutError naming `what` otherwise."""
    end = time.monotonic() + timeout_s
    while True:
        outcome = condition()
        if await outcome if isinstance(outcome, Awaitable) else outcome:
            return
        if time.monotonic() > end:
            raise TimeoutError(what or "the condition did not come true")
        await asyncio.sleep(0.02)


# --- Envoy -----------------------------------------------------------------------------------------------------------


class Envoy:
    """One Envoy process in a session of its own, with its admin interface on a Unix socket."""

    def __init__(self, folder: Path, ads_socket: str, *, protocol: Protocol = "delta", name: str = "envoy") -> None:
        self.process = EnvoyProcess(
            node_id=name,
            ads_socket=ads_socket,
            admin_socket=str(folder / f"{name}-admin.sock"),
            protocol=protocol,
            concurrency=1,
            drain_s=1,
            log_level=os.environ.get("RINGFENCE_TEST_ENVOY_LOG", "warning"),
        )
        self.folder = folder
        self.name = name
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the process and waits until its admin interface answers."""
        file = self.folder / f"{self.name}.json"
        write(file, bootstrap(self.process))
        log = (self.folder / f"{self.name}.log").open("ab")
        with log:
            self._child = await asyncio.create_subprocess_exec(
                *command(locate(), file, self.process), stdout=log, stderr=log, start_new_session=True
            )
        await until(self._answers, timeout_s=READY_S, what="envoy's admin did not answer")

    async def _answers(self) -> bool:
        assert self._child is not None
        assert self._child.returncode is None, self.log()
        try:
            await self.admin("/server_info")
        except (OSError, aiohttp.ClientError):
            return False
        return True

    async def admin(self, path: str, *, method: str = "GET") -> str:
        """Body of the admin interface's answer."""
        connector = aiohttp.UnixConnector(path=str(self.process.admin_socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://admin{path}") as response,
        ):
            return await response.text()

    async def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression `pattern`."""
        text = await self.admin(f"/stats?format=json&filter={pattern}")
        return {one["name"]: one["value"] for one in json.loads(text)["stats"] if "value" in one}

    async def config_dump(self) -> Any:
        """The configuration Envoy runs, endpoints included."""
        return json.loads(await self.admin("/config_dump?include_eds"))

    def log(self) -> str:
        """Everything Envoy has logged."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    async def stop(self) -> None:
        """Ends the process by its id, gently first."""
        if self._child is None or self._child.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._child.wait()
                    return


# --- nodes -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Received:
    """What a node was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


async def _ok(request: web.Request, body: bytes) -> web.StreamResponse:
    return web.json_response({"ok": True})


class Backend:
    """A node on a loopback port. `answer` makes its answers; `/healthz` answers `healthy` and is not counted."""

    def __init__(self, name: str, *, address: str = "127.0.0.1") -> None:
        self.name = name
        self.address = address
        self.port = 0
        self.healthy = True
        self.received: list[Received] = []
        self.answer: Answer = _ok
        self._runner: web.AppRunner | None = None

    async def start(self, *, tls: ssl.SSLContext | None = None) -> None:
        """Listens: on a free port the first time, on the same one after a stop."""
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, self.port, ssl_context=tls).start()
        self.port = self._runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/healthz":
            return web.Response(status=200 if self.healthy else 503)
        body = await request.read()
        self.received.append(
            Received(method=request.method, path=request.raw_path, headers=dict(request.headers), body=body)
        )
        response = await self.answer(request, body)
        if not response.prepared:
            response.headers["x-served-by"] = self.name
        return response

    async def stop(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fail(self, status: int) -> None:
        """Every answer is `status` from now on."""

        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            return web.json_response({"error": {"message": "node failed"}}, status=status)

        self.answer = answer


# --- worker ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the worker says to every request. `metadata` is by namespace; without `mutation` Envoy ignores `clear_route`."""

    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clear_route: bool = True
    mutation: bool = True
    set_headers: Mapping[str, str] = field(default_factory=dict)
    remove_headers: tuple[str, ...] = ()
    body: bytes | None = None
    refuse: int | None = None
    details: str = "ringfence_refused"
    close_before_verdict: bool = False
    hang: bool = False


def stamp(pool: Pool, *, cell: str | None = None, **changes: Any) -> Stamp:
    """What a real worker says to place a request in `pool`."""
    marks = {"decision_id": "decision-1", "action": "allow", "worker": "0", "cell": cell or pool.cell}
    return replace(Stamp(metadata={"envoy.lb": {"pool": pool.name}, "ringfence": marks}), **changes)


def edit(
    pool: Pool, *, remove: Sequence[str] = (), put: Mapping[str, str] | None = None, body: bytes | None = None
) -> Stamp:
    """What a real worker says to place a request in `pool` with changes to its head."""
    said = stamp(pool)
    marks = {key: value for key, value in said.metadata["ringfence"].items() if key != "cell"}
    marks |= {"edited_cell": pool.cell}
    marks |= {key: value for key, value in (("remove", list(remove)), ("set", dict(put or {}))) if value}
    return replace(said, metadata={**said.metadata, "ringfence": marks}, body=body)


def _attributed(message: Any) -> list[tuple[str, str]]:
    fields = message.attributes[EXT_PROC].fields
    named = {":method": METHOD, ":path": PATH, **HEADERS}
    return [(name, fields[key].string_value) for name, key in named.items() if key in fields]


class Worker(ext_proc_pb2_grpc.ExternalProcessorServicer, als_pb2_grpc.AccessLogServiceServicer):
    """An ext_proc server and access log sink on a Unix socket. `stamp` is what it says; it keeps what it was sent.

    `lines` is the head of each request, as far as it came; `headers` is the same by name; `wholes` counts those that came
    in one message.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stamp = Stamp()
        self.before_verdict: Callable[[], Awaitable[None]] | None = None
        self.lines: list[list[tuple[str, str]]] = []
        self.bodies: list[bytes] = []
        self.chunks: list[int] = []
        self.wholes = 0
        self.entries: list[Any] = []
        self._server: grpc.aio.Server | None = None

    @property
    def headers(self) -> list[Mapping[str, str]]:
        """The head of each request, by name."""
        return [dict(one) for one in self.lines]

    async def start(self) -> None:
        """Listens on the worker's socket."""
        Path(self.path).unlink(missing_ok=True)
        unlimited = [
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.max_send_message_length", 64 << 20),
            ("grpc.http2.max_ping_strikes", 0),
        ]
        self._server = grpc.aio.server(options=unlimited)
        ext_proc_pb2_grpc.add_ExternalProcessorServicer_to_server(self, self._server)
        als_pb2_grpc.add_AccessLogServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self.path}")
        await self._server.start()

    async def stop(self) -> None:
        """Ends at once; what is on its streams breaks."""
        server, self._server = self._server, None
        if server is not None:
            # A handler that stops its own server is cancelled while it waits, and the stopping goes on without it.
            await asyncio.shield(server.stop(None))

    async def Process(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - gRPC's name
        """Hears a request to its end, then says the verdict."""
        held = bytearray()
        kind = "request_headers"
        async for message in request_iterator:
            match message.WhichOneof("request"):
                case "request_headers":
                    sent = message.request_headers
                    self.lines.append([(one.key, one.raw_value.decode("latin-1")) for one in sent.headers.headers])
                    if not sent.end_of_stream:
                        kind = "stream"
                        continue
                case "request_body" if kind == "stream":
                    held += message.request_body.body
                    self.chunks.append(len(message.request_body.body))
                    if not message.request_body.end_of_stream:
                        continue
                case "request_body":
                    kind = "request_body"
                    self.wholes += 1
                    self.lines.append(_attributed(message))
                    held += message.request_body.body
                case "request_trailers":
                    pass
            if kind != "request_headers":
                self.bodies.append(bytes(held))
            if self.stamp.hang:
                await asyncio.sleep(60)
            if self.stamp.close_before_verdict:
                return
            if self.before_verdict is not None:
                await self.before_verdict()
            verdict = self._verdict("request_headers" if kind == "stream" else kind)
            yield verdict
            if kind == "stream" and verdict.WhichOneof("response") != "immediate_response":
                for one in self._streamed(bytes(held)):
                    yield one
            return

    def _streamed(self, body: bytes) -> Iterator[Any]:
        body = body if self.stamp.body is None else self.stamp.body
        cut = 48 * 1024
        for start in range(0, max(len(body), 1), cut):
            piece = ext_proc_pb2.StreamedBodyResponse(
                body=body[start : start + cut], end_of_stream=start + cut >= len(body)
            )
            yield ext_proc_pb2.ProcessingResponse(
                request_body={"response": {"body_mutation": {"streamed_response": piece}}}
            )

    def _verdict(self, kind: str) -> Any:
        said = self.stamp
        response = ext_proc_pb2.ProcessingResponse()
        for namespace, values in said.metadata.items():
            response.dynamic_metadata.get_or_create_struct(namespace).update(values)
        if said.refuse is not None:
            immediate = response.immediate_response
            immediate.status.code = said.refuse
            immediate.body = b'{"error":{"message":"ours"}}'
            immediate.details = said.details
            immediate.headers.set_headers.add(header={"key": "content-type", "raw_value": b"application/json"})
            immediate.headers.set_headers.add(header={"key": "x-ringfence-action", "raw_value": b"deny"})
            return response
        common = getattr(response, kind).response
        common.clear_route_cache = said.clear_route
        if said.mutation:
            common.header_mutation.SetInParent()
        for key, value in said.set_headers.items():
            common.header_mutation.set_headers.add(
                header={"key": key, "raw_value": value.encode()}, append_action="OVERWRITE_IF_EXISTS_OR_ADD"
            )
        if said.remove_headers:
            common.header_mutation.remove_headers.extend(said.remove_headers)
        if said.body is not None and kind == "request_body":
            common.body_mutation.body = said.body
        return response

    async def StreamAccessLogs(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Keeps the entries."""
        async for message in request_iterator:
            self.entries.extend(message.http_logs.log_entry)
        return als_pb2.StreamAccessLogsResponse()


# --- all of it -------------------------------------------------------------------------------------------------------

NODES = (
    ("device", "DE", Tier.DEVICE),
    ("edge", "FR", Tier.EDGE),
    ("gpu", "DE", Tier.ON_PREM),
    ("cloud", "FR", Tier.CLOUD),
    ("us-gpu", "US", Tier.ON_PREM),
    ("us-cloud", "US", Tier.CLOUD),
)


@dataclass(slots=True, kw_only=True)
class Rig:
    """A whole data plane on loopback: Envoy under our control plane, workers that stamp, nodes that count."""

    folder: Path
    settings: DataPlane
    backends: dict[str, Backend]
    nodes: dict[str, Node]
    workers: list[Worker]
    ads: AdsServer
    envoy: Envoy
    table: PoolTable

    @property
    def worker(self) -> Worker:
        """The first worker."""
        return self.workers[0]

    @property
    def url(self) -> str:
        """Where Envoy listens."""
        return f"http://{self.settings.listen_address}:{self.settings.listen_port}"

    def pool(self, *names: str) -> Pool:
        """The pool of the named nodes."""
        return pool_of(self.nodes[name] for name in names)

    async def serve(self, table: PoolTable, *, settings: DataPlane | None = None) -> bool:
        """Publishes `table`; true once Envoy has accepted it."""
        self.table = table
        self.settings = settings or self.settings
        version = self.ads.publish(build(self.settings, table.cells, {}, previous=self.ads.snapshot))
        return await self.ads.wait_acked(version, 10)

    async def add(self, *pools: Pool) -> bool:
        """Publishes further pools."""
        table = self.table
        for pool in pools:
            table = table.add(pool, now_s=0)
        return await self.serve(table)

    async def ask(
        self,
        body: bytes | None = b'{"model":"m"}',
        *,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        chunked: bool = False,
        **kwargs: Any,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of Envoy's answer to one request on a connection of its own.

        `chunked` leaves out the length of the body, so that it is streamed to the worker.
        """
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            session.request(
                method, self.url + path, data=_pieces(body) if chunked and body else _file(body), **kwargs
            ) as response,
        ):
            return response.status, dict(response.headers), await response.read()

    async def ask_times(self, count: int, **kwargs: Any) -> list[int]:
        """Statuses of `count` requests, one after the other."""
        return [(await self.ask(**kwargs))[0] for _ in range(count)]

    def served(self) -> dict[str, int]:
        """How many requests each node received, nodes without any left out."""
        return {name: len(one.received) for name, one in self.backends.items() if one.received}

    async def entry(self, *, worker: int = 0) -> Any:
        """The first access log entry that reaches the worker."""
        await until(lambda: bool(self.workers[worker].entries), what="no access log entry")
        return self.workers[worker].entries[0]


def _file(body: Any) -> Any:
    return io.BytesIO(body) if isinstance(body, bytes) else body


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


# Both ways in: a body with a length that fits comes to the worker in one message, any other in pieces.
WAYS = pytest.mark.parametrize("chunked", [False, True], ids=["whole", "streamed"])

DEFAULTS = DataPlane(
    worker_sockets=("unset",),
    message_timeout_ms=2_000,
    upstream_connect_timeout_ms=500,
    health_check=None,
    outliers=None,
)
CHECKED = HealthCheck(path="/healthz", interval_ms=100, timeout_ms=100, unhealthy_threshold=1, healthy_threshold=1)


@contextlib.asynccontextmanager
async def rig(
    *,
    settings: DataPlane = DEFAULTS,
    nodes: Sequence[tuple[str, str, Tier]] = NODES,
    base: Callable[[Mapping[str, Node]], Sequence[Pool]] = lambda nodes: [],
    workers: int = 1,
    protocol: Protocol = "delta",
) -> AsyncIterator[Rig]:
    """A running data plane that serves the `base` pools; everything is stopped at the end."""
    backends = {name: Backend(name) for name, _, _ in nodes}
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="rf-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for backend in backends.values():
            stack.push_async_callback(backend.stop)
            await backend.start()
        declared = {
            name: Node(
                id=name,
                address=f"127.0.0.1:{backends[name].port}",
                country=country,
                region=country.lower(),
                tier=tier,
                models=("m",),
            )
            for name, country, tier in nodes
        }
        sockets = tuple(str(folder / f"worker-{index}.sock") for index in range(workers))
        made = Rig(
            folder=folder,
            settings=replace(settings, worker_sockets=sockets, listen_port=free_port()),
            backends=backends,
            nodes=declared,
            workers=[Worker(path) for path in sockets],
            ads=AdsServer(f"unix:{folder}/ads.sock"),
            envoy=Envoy(folder, f"{folder}/ads.sock", protocol=protocol),
            table=PoolTable.of(declared.values(), base=base(declared)),
        )
        for worker in made.workers:
            stack.push_async_callback(worker.stop)
            await worker.start()
        # Looked up at the end: a test may have put another control plane in its place.
        stack.push_async_callback(lambda: made.ads.stop())  # noqa: PLW0108 - see above
        await made.ads.start()
        version = made.ads.publish(build(made.settings, made.table.cells, {}))
        stack.push_async_callback(made.envoy.stop)
        await made.envoy.start()
        assert await made.ads.wait_acked(version, READY_S), (made.ads.status(), made.envoy.log())
        yield made
