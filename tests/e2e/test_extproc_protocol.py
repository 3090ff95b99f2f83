"""What Envoy does under our configuration when an ext_proc server breaks the protocol: who receives what.

One data plane serves the module. Its ext_proc server plays the script of each test; the nodes count what reaches them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse

from governance.nodes.node import Node, Pool, pool_of
from sidecar.dataplane import KIB
from tests.e2e.envoy import DEFAULTS, Rig, rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

LIMIT = 64 * KIB
TIMEOUT_MS = 500
BODY = b'{"model":"m","messages":[{"role":"user","content":"the original"}]}'
LONG = b'{"model":"m","pad":"' + b"x" * (LIMIT * 2) + b'"}'
NEEDLE = "needle-in-the-cause"
DEVICE = ("device",)


class Stream:
    """One ext_proc stream: what Envoy says next, and a way to answer it."""

    def __init__(self, context: Any, pool: Pool) -> None:
        self._context = context
        self.pool = pool

    async def hear(self) -> Any:
        """The next message, or gRPC's EOF."""
        return await self._context.read()

    async def say(self, **response: Any) -> None:
        """One answer."""
        await self._context.write(ProcessingResponse(**response))

    async def rest(self) -> None:
        """Reads until Envoy is done."""
        while await self.hear() is not grpc.aio.EOF:
            pass

    async def fail(self) -> None:
        """Ends the stream with a gRPC error."""
        await self._context.abort(grpc.StatusCode.INTERNAL, NEEDLE)

    def verdict(self, **response: Any) -> dict[str, Any]:
        """The fields of an answer that places the request in the pool; `response` goes into the common response."""
        mutation = response.pop("header_mutation", {"set_headers": [header("x-ringfence-cell", self.pool.cell)]})
        return {"response": {"clear_route_cache": True, "header_mutation": mutation, **response}}

    def marks(self) -> dict[str, Any]:
        """The metadata of the verdict."""
        return {
            "envoy.lb": {"pool": self.pool.name},
            "ringfence": {"decision_id": "decision-1", "action": "allow", "worker": "0", "cell": self.pool.cell},
        }


Script = Callable[[Stream], Awaitable[None]]


def header(key: str, value: str) -> dict[str, Any]:
    """A header that is set, whatever was there."""
    return {"header": {"key": key, "raw_value": value.encode()}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


class Scripted(external_processor_pb2_grpc.ExternalProcessorServicer):  # type: ignore[misc]
    """An ext_proc server on the rig's socket that plays `script`, once for each request."""

    def __init__(self, path: str, pool: Pool) -> None:
        self.path = path
        self.pool = pool
        self.script: Script = well
        self.bodies = 0
        self._server = grpc.aio.server()

    async def start(self) -> None:
        """Listens."""
        Path(self.path).unlink(missing_ok=True)
        external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self.path}")
        await self._server.start()

    async def stop(self) -> None:
        """Ends at once."""
        await self._server.stop(None)

    async def Process(self, _: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        """Plays the script."""
        await self.script(Stream(context, self.pool))


# --- scripts ---------------------------------------------------------------------------------------------------------


async def well(stream: Stream) -> None:
    """As it should be: headers, body, verdict."""
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    await stream.say(request_body=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.rest()


async def raises_at_headers(stream: Stream) -> None:
    await stream.hear()
    await stream.fail()


async def raises_at_the_body(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    await stream.fail()


async def raises_after_it_placed_the_request_at_the_headers(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.hear()
    await stream.fail()


async def is_late_with_the_headers(stream: Stream) -> None:
    await stream.hear()
    await asyncio.sleep(TIMEOUT_MS / 1000 * 2)


async def is_late_with_the_body(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    await asyncio.sleep(TIMEOUT_MS / 1000 * 2)
    await stream.say(request_body=stream.verdict(), dynamic_metadata=stream.marks())


async def closes_at_the_headers(stream: Stream) -> None:
    await stream.hear()


async def closes_at_the_body(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()


async def answers_headers_with_a_body(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_body=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.rest()


async def answers_the_body_with_headers(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    await stream.say(request_headers=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.rest()


async def answers_a_phase_nobody_asked_about(stream: Stream) -> None:
    await stream.hear()
    await stream.say(response_headers=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.rest()


async def answers_with_nothing(stream: Stream) -> None:
    await stream.hear()
    await stream.say()
    await stream.rest()


async def answers_the_body_with_nothing(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    await stream.say(dynamic_metadata=stream.marks())
    await stream.rest()


async def replaces_the_body_without_its_length(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    verdict = stream.verdict(body_mutation={"body": b"short"})
    await stream.say(request_body=verdict, dynamic_metadata=stream.marks())
    await stream.rest()


async def streams_a_body_that_was_buffered(stream: Stream) -> None:
    await stream.hear()
    await stream.say(request_headers={})
    await stream.hear()
    piece = {"streamed_response": {"body": b"piece", "end_of_stream": True}}
    await stream.say(request_body=stream.verdict(body_mutation=piece), dynamic_metadata=stream.marks())
    await stream.rest()


async def asks_not_to_see_the_body(stream: Stream) -> None:
    await stream.hear()
    mode = ProcessingMode(request_body_mode="NONE")
    await stream.say(request_headers=stream.verdict(), mode_override=mode, dynamic_metadata=stream.marks())
    message = await stream.hear()
    if message is grpc.aio.EOF or not message.HasField("request_body"):
        return
    await stream.fail()


REFUSED: Sequence[tuple[Script, str]] = (
    (raises_at_headers, "inspection_unavailable"),
    (raises_at_the_body, "inspection_unavailable"),
    (raises_after_it_placed_the_request_at_the_headers, "inspection_unavailable"),
    (is_late_with_the_headers, "inspection_unavailable"),
    (is_late_with_the_body, "inspection_unavailable"),
    (closes_at_the_headers, "not_placed"),
    (closes_at_the_body, "not_placed"),
    (answers_headers_with_a_body, "gateway_error"),
    (answers_the_body_with_headers, "gateway_error"),
    (answers_a_phase_nobody_asked_about, "gateway_error"),
    (answers_with_nothing, "gateway_error"),
    (answers_the_body_with_nothing, "gateway_error"),
    (replaces_the_body_without_its_length, "gateway_error"),
    (streams_a_body_that_was_buffered, "gateway_error"),
    (asks_not_to_see_the_body, "inspection_unavailable"),
)


async def raises_in_the_stream(stream: Stream) -> None:
    await stream.hear()
    await stream.hear()
    await stream.fail()


async def closes_in_the_stream(stream: Stream) -> None:
    await stream.hear()
    await stream.hear()


async def answers_a_streamed_body_in_one_piece(stream: Stream) -> None:
    await _read_all(stream)
    await stream.say(request_headers=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.say(request_body={"response": {"body_mutation": {"body": b"piece"}}})
    await stream.rest()


async def raises_half_way_through_the_answer(stream: Stream) -> None:
    await _half(stream)
    await asyncio.sleep(0.05)
    await stream.fail()


async def closes_half_way_through_the_answer(stream: Stream) -> None:
    await _half(stream)


async def _read_all(stream: Stream) -> None:
    await stream.hear()
    while not (await stream.hear()).request_body.end_of_stream:
        pass


async def _half(stream: Stream) -> None:
    await _read_all(stream)
    await stream.say(request_headers=stream.verdict(), dynamic_metadata=stream.marks())
    piece = {"body": b"half of it", "end_of_stream": False}
    await stream.say(request_body={"response": {"body_mutation": {"streamed_response": piece}}})


CUT: Sequence[Script] = (
    raises_in_the_stream,
    closes_in_the_stream,
    answers_a_streamed_body_in_one_piece,
    raises_half_way_through_the_answer,
    closes_half_way_through_the_answer,
)


# --- tests -----------------------------------------------------------------------------------------------------------


def base(nodes: Mapping[str, Node]) -> Sequence[Pool]:
    """One pool of the device alone, one of everything."""
    return [pool_of([nodes["device"]]), pool_of(nodes.values())]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane() -> AsyncIterator[tuple[Rig, Scripted]]:
    settings = replace(
        DEFAULTS,
        message_timeout_ms=TIMEOUT_MS,
        max_body_bytes=LIMIT,
        streamed_body_bytes=LIMIT * 16,
        stream_idle_timeout_ms=1_500,
    )
    async with rig(settings=settings, base=base) as running:
        await running.worker.stop()
        server = Scripted(running.worker.path, running.pool(*DEVICE))
        await server.start()
        try:
            yield running, server
        finally:
            await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def r(plane: tuple[Rig, Scripted]) -> Rig:
    """The rig, proved to serve with a well-behaved server before each test."""
    running, server = plane
    server.script = well

    async def serves() -> bool:
        return (await running.ask(BODY))[0] == 200

    await until(serves, timeout_s=10, what="a well-behaved server is not served")
    for backend in running.backends.values():
        backend.received.clear()
    return running


@pytest.mark.parametrize(("script", "code"), REFUSED, ids=[script.__name__ for script, _ in REFUSED])
async def test_broken_answer_to_a_buffered_request_reaches_no_node(
    r: Rig, plane: tuple[Rig, Scripted], script: Script, code: str
) -> None:
    """Whatever the server gets wrong: 503 in the API's shape, without the cause's text, and no node was asked."""
    plane[1].script = script

    status, _, body = await r.ask(BODY)

    assert (503, code, {}) == (status, json.loads(body)["error"]["code"], r.served())
    assert NEEDLE.encode() not in body


@pytest.mark.parametrize("script", CUT, ids=[script.__name__ for script in CUT])
async def test_broken_answer_to_a_streamed_request_completes_no_request_at_a_node(
    r: Rig, plane: tuple[Rig, Scripted], script: Script
) -> None:
    """A node may see the beginning of a request that was placed; it never sees the end of one, nor a byte of the original."""
    plane[1].script = script

    status, _, body = await r.ask(LONG)
    await asyncio.sleep(0.1)

    # 504: a server that closes in good order in the middle leaves Envoy waiting for the rest, until it is idle too long.
    assert (True, {}) == (status in (503, 504), r.served())
    assert {"message", "type", "param", "code", "decision_id"} == set(json.loads(body)["error"])


async def test_server_that_is_cut_off_by_the_client_is_not_asked_again(r: Rig, plane: tuple[Rig, Scripted]) -> None:
    """A late server answers into the void: its verdict, given after Envoy's own answer, places nothing."""
    plane[1].script = is_late_with_the_body

    status, _, _ = await r.ask(BODY)
    await asyncio.sleep(TIMEOUT_MS / 1000 * 1.5)

    assert (503, {}) == (status, r.served())


async def test_second_answer_to_one_message_stays_inside_the_pool(r: Rig, plane: tuple[Rig, Scripted]) -> None:
    """Envoy acts on the first verdict; a second one is an error that may come too late to take the request back."""

    async def twice(stream: Stream) -> None:
        await stream.hear()
        await stream.say(request_headers={})
        await stream.hear()
        for _ in range(2):
            await stream.say(request_body=stream.verdict(), dynamic_metadata=stream.marks())
        await stream.rest()

    plane[1].script = twice

    status, _, _ = await r.ask(BODY)

    assert (True, True) == (status in (200, 500, 503), r.served() in ({}, {"device": 1}))
    assert [BODY] * len(r.backends["device"].received) == [one.body for one in r.backends["device"].received]


@pytest.mark.parametrize("pool", [None, "", "pool-unknown"], ids=["no pool", "an empty name", "an unknown name"])
async def test_node_of_the_cell_that_is_in_no_pool_is_asked_by_nobody(
    r: Rig, plane: tuple[Rig, Scripted], pool: str | None
) -> None:
    """The cell holds a second node that no live pool has: nothing but a pool's name leads to any of them."""

    async def vague(stream: Stream) -> None:
        await stream.hear()
        await stream.say(request_headers={})
        await stream.hear()
        marks = {**stream.marks(), "envoy.lb": {} if pool is None else {"pool": pool}}
        await stream.say(request_body=stream.verdict(), dynamic_metadata=marks)
        await stream.rest()

    plane[1].script = vague
    [cell] = [cell for cell in r.table.cells if cell.name == r.pool(*DEVICE).cell]

    status, _, body = await r.ask(BODY)

    assert {"device": 1, "gpu": 0} == {member.node.id: len(member.pools) for member in cell.members}
    assert (503, "no_node_available", {}) == (status, json.loads(body)["error"]["code"], r.served())


async def test_stream_that_closes_after_placing_at_the_headers_delivers_the_original_body(
    r: Rig, plane: tuple[Rig, Scripted]
) -> None:
    """The protocol's own hole, and the reason why the worker places nothing before its verdict on the body."""

    async def careless(stream: Stream) -> None:
        await stream.hear()
        await stream.say(request_headers=stream.verdict(), dynamic_metadata=stream.marks())

    plane[1].script = careless

    status, _, _ = await r.ask(BODY)

    assert (200, [BODY]) == (status, [one.body for one in r.backends["device"].received])
    assert {"device": 1} == r.served()


async def test_length_without_a_body_desynchronises_the_node(r: Rig, plane: tuple[Rig, Scripted]) -> None:
    """The smuggling row, and the reason why only the worker writes content-length, and only with a body."""

    async def shorter(stream: Stream) -> None:
        await stream.hear()
        await stream.say(request_headers={})
        await stream.hear()
        mutation = {"set_headers": [header("content-length", "5"), header("x-ringfence-cell", stream.pool.cell)]}
        await stream.say(request_body=stream.verdict(header_mutation=mutation), dynamic_metadata=stream.marks())
        await stream.rest()

    plane[1].script = shorter

    status, _, _ = await r.ask(BODY)

    # Whether the node answers five bytes or fails on what follows them depends on how they were cut on the way.
    assert (True, True) == (status in (200, 400), set(r.served()) <= {"device"})
    assert set() == {one.body for one in r.backends["device"].received} - {BODY[:5]}
