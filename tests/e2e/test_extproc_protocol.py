"""What Envoy does under our configuration when an ext_proc server breaks the protocol: who receives what.

One data plane serves the module. Its ext_proc server plays the script of each test; the nodes count what reaches them.
A body that declares its length is played whole, in one message; the others come in pieces.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import grpc.aio
import pytest
import pytest_asyncio
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingResponse

from governance.nodes.node import Node, Pool, pool_of
from sidecar.dataplane import KIB
from tests.e2e.envoy import DEFAULTS, WAYS, Rig, rig, until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

LIMIT = 64 * KIB
TIMEOUT_MS = 500
# The longest exchange is a second and the message timeout on top.
LONGEST_S = 1.5
BODY = b'{"model":"m","messages":[{"role":"user","content":"the original"}]}'
# Declared, and too long for one message.
LONG = b'{"model":"m","pad":"' + b"x" * (LIMIT * 2) + b'"}'
NEEDLE = "needle-in-the-cause"
DEVICE = ("device",)
CUT_BYTES = 48 * 1024


class Stream:
    """One ext_proc stream: what Envoy says next, and a way to answer it."""

    def __init__(self, context: Any, pool: Pool) -> None:
        self._context = context
        self.pool = pool
        self.streamed = False
        self.body = b""

    async def hear(self) -> Any:
        """The next message, or gRPC's EOF."""
        return await self._context.read()

    async def request(self) -> None:
        """Hears a whole request; `streamed` and `body` say what came."""
        message = await self.hear()
        self.streamed = message.HasField("request_headers")
        if not self.streamed:
            self.body = message.request_body.body
            return
        while not message.request_body.end_of_stream:
            message = await self.hear()
            self.body += message.request_body.body

    async def say(self, **response: Any) -> None:
        """One answer."""
        await self._context.write(ProcessingResponse(**response))

    async def place(self, body: bytes | None = None, **changes: Any) -> None:
        """Answers a whole request so that it goes to the pool, as it came or with `body`."""
        if not self.streamed:
            mutation = {} if body is None else {"body_mutation": {"body": body}}
            await self.say(**{"request_body": self.verdict(**mutation), "dynamic_metadata": self.marks(), **changes})
            return
        await self.place_head(**changes)
        await self.send(self.body if body is None else body)

    async def place_head(self, **changes: Any) -> None:
        """Answers a head so that it goes to the pool."""
        await self.say(**{"request_headers": self.verdict(), "dynamic_metadata": self.marks(), **changes})

    async def send(self, body: bytes) -> None:
        """Sends a body on, in pieces."""
        for start in range(0, len(body), CUT_BYTES):
            await self.piece(body[start : start + CUT_BYTES], end_of_stream=start + CUT_BYTES >= len(body))

    async def piece(self, body: bytes, *, end_of_stream: bool) -> None:
        """Sends one piece of a body on."""
        piece = {"streamed_response": {"body": body, "end_of_stream": end_of_stream}}
        await self.say(request_body={"response": {"body_mutation": piece}})

    async def rest(self) -> None:
        """Reads until Envoy is done."""
        while await self.hear() is not grpc.aio.EOF:
            pass

    async def fail(self) -> None:
        """Ends the stream with a gRPC error."""
        await self._context.abort(grpc.StatusCode.INTERNAL, NEEDLE)

    def verdict(self, **response: Any) -> dict[str, Any]:
        """The fields of an answer that places the request in the pool; `response` goes into the common response."""
        return {"response": {"clear_route_cache": True, "header_mutation": {}, **response}}

    def marks(self) -> dict[str, Any]:
        """The metadata of the verdict."""
        return {
            "envoy.lb": {"pool": self.pool.name},
            "ringfence": {"decision_id": "decision-1", "action": "allow", "worker": "0", "cell": self.pool.cell},
        }


Script = Callable[[Stream], Awaitable[None]]


class Scripted(external_processor_pb2_grpc.ExternalProcessorServicer):  # type: ignore[misc]
    """An ext_proc server on the rig's socket that plays `script`, once for each request."""

    def __init__(self, path: str, pool: Pool) -> None:
        self.path = path
        self.pool = pool
        self.script: Script = well
        self._server = grpc.aio.server(options=[("grpc.http2.max_ping_strikes", 0)])

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


# --- scripts for both ways -------------------------------------------------------------------------------------------


async def well(stream: Stream) -> None:
    """As it should be: the whole request, then the verdict."""
    await stream.request()
    await stream.place()


async def raises_at_once(stream: Stream) -> None:
    await stream.fail()


async def raises_at_the_first_message(stream: Stream) -> None:
    await stream.hear()
    await stream.fail()


async def raises_when_it_has_all(stream: Stream) -> None:
    await stream.request()
    await stream.fail()


async def is_late_with_the_first_answer(stream: Stream) -> None:
    await stream.hear()
    await asyncio.sleep(LONGEST_S * 2)


async def is_late_with_the_verdict(stream: Stream) -> None:
    await stream.request()
    await asyncio.sleep(LONGEST_S * 2 if stream.streamed else TIMEOUT_MS / 1000 * 2)
    await stream.place()


async def closes_at_once(stream: Stream) -> None:
    del stream


async def closes_at_the_first_message(stream: Stream) -> None:
    await stream.hear()


async def closes_when_it_has_all(stream: Stream) -> None:
    await stream.request()


async def closes_after_metadata_alone(stream: Stream) -> None:
    await stream.request()
    await stream.say(dynamic_metadata=stream.marks())


async def says_go_on_and_nothing_else(stream: Stream) -> None:
    await stream.request()
    await stream.say(**{"request_headers" if stream.streamed else "request_body": {}})
    if stream.streamed:
        await stream.send(stream.body)


async def places_without_asking_for_a_route(stream: Stream) -> None:
    await stream.request()
    kind = "request_headers" if stream.streamed else "request_body"
    await stream.place(**{kind: {"response": {}}})


async def answers_the_other_phase(stream: Stream) -> None:
    await stream.request()
    kind = "request_body" if stream.streamed else "request_headers"
    await stream.say(**{kind: stream.verdict()}, dynamic_metadata=stream.marks())
    await stream.rest()


async def answers_trailers(stream: Stream) -> None:
    await stream.request()
    await stream.say(request_trailers={}, dynamic_metadata=stream.marks())
    await stream.rest()


async def answers_a_phase_nobody_asked_about(stream: Stream) -> None:
    await stream.request()
    await stream.say(response_headers=stream.verdict(), dynamic_metadata=stream.marks())
    await stream.rest()


async def answers_with_nothing(stream: Stream) -> None:
    await stream.request()
    await stream.say()
    await stream.rest()


async def answers_with_metadata_alone(stream: Stream) -> None:
    await stream.request()
    await stream.say(dynamic_metadata=stream.marks())
    await stream.rest()


async def asks_to_see_no_more_of_the_request(stream: Stream) -> None:
    await stream.request()
    mode = ProcessingMode(request_header_mode="SKIP", request_body_mode="NONE")
    await stream.say(mode_override=mode, dynamic_metadata=stream.marks())
    await stream.rest()


# What the caller is told: where a body is whole, and where it came in pieces.
REFUSED: Sequence[tuple[Script, str, str]] = (
    (raises_at_once, "inspection_unavailable", "inspection_unavailable"),
    (raises_at_the_first_message, "inspection_unavailable", "inspection_unavailable"),
    (raises_when_it_has_all, "inspection_unavailable", "inspection_unavailable"),
    (is_late_with_the_first_answer, "inspection_unavailable", "inspection_unavailable"),
    (is_late_with_the_verdict, "inspection_unavailable", "inspection_unavailable"),
    (closes_at_once, "not_placed", "not_placed"),
    (closes_at_the_first_message, "not_placed", "not_placed"),
    (closes_when_it_has_all, "not_placed", "not_placed"),
    (closes_after_metadata_alone, "gateway_error", "gateway_error"),
    (says_go_on_and_nothing_else, "not_placed", "not_placed"),
    (places_without_asking_for_a_route, "not_placed", "not_placed"),
    (answers_the_other_phase, "gateway_error", "gateway_error"),
    (answers_trailers, "gateway_error", "not_placed"),
    (answers_a_phase_nobody_asked_about, "gateway_error", "gateway_error"),
    (answers_with_nothing, "gateway_error", "gateway_error"),
    (answers_with_metadata_alone, "gateway_error", "gateway_error"),
    (asks_to_see_no_more_of_the_request, "gateway_error", "gateway_error"),
)


# --- scripts for one way ---------------------------------------------------------------------------------------------


async def streams_a_body_that_was_whole(stream: Stream) -> None:
    await stream.request()
    piece = {"streamed_response": {"body": b"piece", "end_of_stream": True}}
    await stream.place(request_body=stream.verdict(body_mutation=piece))
    await stream.rest()


async def raises_in_the_stream(stream: Stream) -> None:
    await stream.hear()
    await stream.hear()
    await stream.fail()


async def closes_in_the_stream(stream: Stream) -> None:
    await stream.hear()
    await stream.hear()


async def answers_a_streamed_body_in_one_piece(stream: Stream) -> None:
    await stream.request()
    await stream.place_head()
    await stream.say(request_body={"response": {"body_mutation": {"body": b"piece"}}})
    await stream.rest()


async def raises_after_it_placed_the_head(stream: Stream) -> None:
    await stream.hear()
    await stream.place_head()
    await stream.hear()
    await stream.fail()


async def closes_after_it_placed_the_head(stream: Stream) -> None:
    await stream.hear()
    await stream.place_head()


async def closes_after_it_placed_the_head_of_what_it_has_all(stream: Stream) -> None:
    await stream.request()
    await stream.place_head()


async def asks_not_to_see_the_body(stream: Stream) -> None:
    await stream.hear()
    await stream.place_head(mode_override=ProcessingMode(request_body_mode="NONE"))
    message = await stream.hear()
    if message is grpc.aio.EOF or not message.HasField("request_body"):
        return
    await stream.fail()


async def replaces_the_request_at_its_head(stream: Stream) -> None:
    await stream.hear()
    verdict = stream.verdict(status="CONTINUE_AND_REPLACE")
    await stream.place_head(request_headers=verdict)
    await asyncio.sleep(0.05)
    await stream.fail()


async def raises_half_way_through_the_answer(stream: Stream) -> None:
    await _half(stream)
    await asyncio.sleep(0.05)
    await stream.fail()


async def closes_half_way_through_the_answer(stream: Stream) -> None:
    await _half(stream)


async def _half(stream: Stream) -> None:
    await stream.request()
    await stream.place_head()
    await stream.piece(b"half of it", end_of_stream=False)


CUT: Sequence[Script] = (
    raises_in_the_stream,
    closes_in_the_stream,
    answers_a_streamed_body_in_one_piece,
    raises_after_it_placed_the_head,
    asks_not_to_see_the_body,
    raises_half_way_through_the_answer,
    closes_half_way_through_the_answer,
)

# A server that places a head and then says no more, in good order.
PLACED: Sequence[Script] = (
    closes_after_it_placed_the_head,
    closes_after_it_placed_the_head_of_what_it_has_all,
    replaces_the_request_at_its_head,
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
        request_timeout_ms=int(LONGEST_S * 1000) - TIMEOUT_MS,
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
    """The rig, proved to serve in both ways with a well-behaved server before each test."""
    running, server = plane
    server.script = well

    async def serves() -> bool:
        return [(await running.ask(BODY, chunked=chunked))[0] for chunked in (False, True)] == [200, 200]

    await until(serves, timeout_s=10, what="a well-behaved server is not served")
    for backend in running.backends.values():
        backend.received.clear()
    return running


def bodies(r: Rig) -> list[bytes]:
    """Every body that reached a node as the end of a request."""
    return [one.body for backend in r.backends.values() for one in backend.received]


@WAYS
@pytest.mark.parametrize("row", REFUSED, ids=[script.__name__ for script, *_ in REFUSED])
async def test_broken_answer_to_a_request_reaches_no_node(
    r: Rig, plane: tuple[Rig, Scripted], row: tuple[Script, str, str], chunked: bool
) -> None:
    """Whatever the server gets wrong: 503 in the API's shape, without the cause's text, and no node was asked."""
    plane[1].script, *codes = row

    status, _, body = await r.ask(BODY, chunked=chunked)

    assert (503, codes[chunked], []) == (status, json.loads(body)["error"]["code"], bodies(r))
    assert NEEDLE.encode() not in body


async def test_pieces_in_answer_to_a_whole_body_are_dropped_and_the_original_goes_on(
    r: Rig, plane: tuple[Rig, Scripted]
) -> None:
    """Envoy's own hole, and the reason why a release takes the shape in which its request came, and never another."""
    plane[1].script = streams_a_body_that_was_whole

    status, _, _ = await r.ask(BODY)

    assert (200, [BODY], {"device": 1}) == (status, bodies(r), r.served())


@pytest.mark.parametrize("sent", ["declared", "undeclared", "short and undeclared"])
@pytest.mark.parametrize("script", CUT, ids=[script.__name__ for script in CUT])
async def test_broken_answer_to_a_streamed_request_completes_no_request_at_a_node(
    r: Rig, plane: tuple[Rig, Scripted], script: Script, sent: Literal["declared", "undeclared", "short and undeclared"]
) -> None:
    """A node may see the beginning of a request that was placed; it never sees the end of one, nor a byte of the original."""
    plane[1].script = script

    status, _, body = await r.ask(BODY if sent == "short and undeclared" else LONG, chunked=sent != "declared")
    await asyncio.sleep(0.1)

    # 504: a server that closes in good order in the middle leaves Envoy waiting for the rest, until it is idle too long.
    assert (True, []) == (status in (503, 504), bodies(r))
    assert {"message", "type", "param", "code", "decision_id"} == set(json.loads(body)["error"])


@pytest.mark.parametrize("sent", ["declared", "undeclared", "short and undeclared"])
@pytest.mark.parametrize("script", PLACED, ids=[script.__name__ for script in PLACED])
async def test_head_that_was_placed_by_itself_goes_where_it_was_placed_and_nowhere_else(
    r: Rig, plane: tuple[Rig, Scripted], script: Script, sent: Literal["declared", "undeclared", "short and undeclared"]
) -> None:
    """It takes no body with it, or all of the original where the server had closed before the body came.

    The worker therefore answers no head before its verdict, and never closes before it.
    """
    plane[1].script = script
    body = BODY if sent == "short and undeclared" else LONG

    await r.ask(body, chunked=sent != "declared")
    await asyncio.sleep(0.1)

    closes_early = script is closes_after_it_placed_the_head
    assert bodies(r) == [b""] or (closes_early and bodies(r) == [body])
    assert {"device": 1} == r.served()


@WAYS
async def test_server_that_is_cut_off_by_the_client_is_not_asked_again(
    r: Rig, plane: tuple[Rig, Scripted], chunked: bool
) -> None:
    """A late server answers into the void: its verdict, given after Envoy's own answer, places nothing."""
    plane[1].script = is_late_with_the_verdict

    status, _, _ = await r.ask(BODY, chunked=chunked)
    await asyncio.sleep(LONGEST_S * 1.5)

    assert (503, []) == (status, bodies(r))


@WAYS
async def test_second_answer_to_one_message_stays_inside_the_pool(
    r: Rig, plane: tuple[Rig, Scripted], chunked: bool
) -> None:
    """Envoy acts on the first verdict; a second one is an error that may come too late to take the request back."""

    async def twice(stream: Stream) -> None:
        await stream.request()
        await stream.place()
        await stream.place(body=b"the second")
        await stream.rest()

    plane[1].script = twice

    status, _, _ = await r.ask(BODY, chunked=chunked)

    assert (True, True) == (status in (200, 500, 503), r.served() in ({}, {"device": 1}))
    assert [BODY] * len(r.backends["device"].received) == bodies(r)


@WAYS
@pytest.mark.parametrize("pool", [None, "", "pool-unknown"], ids=["no pool", "an empty name", "an unknown name"])
async def test_node_of_the_cell_that_is_in_no_pool_is_asked_by_nobody(
    r: Rig, plane: tuple[Rig, Scripted], pool: str | None, chunked: bool
) -> None:
    """The cell holds a second node that no live pool has: nothing but a pool's name leads to any of them."""

    async def vague(stream: Stream) -> None:
        await stream.request()
        marks = {**stream.marks(), "envoy.lb": {} if pool is None else {"pool": pool}}
        await stream.place(dynamic_metadata=marks)

    plane[1].script = vague
    [cell] = [cell for cell in r.table.cells if cell.name == r.pool(*DEVICE).cell]

    status, _, body = await r.ask(BODY, chunked=chunked)

    assert {"device": 1, "gpu": 0} == {member.node.id: len(member.pools) for member in cell.members}
    assert (503, "no_node_available", []) == (status, json.loads(body)["error"]["code"], bodies(r))


@WAYS
@pytest.mark.parametrize("length", ["5", "500"])
async def test_length_that_the_server_says_is_not_believed(
    r: Rig, plane: tuple[Rig, Scripted], length: str, chunked: bool
) -> None:
    """A length without its body would be smuggling: what a node receives is one request, whole."""

    async def other_length(stream: Stream) -> None:
        await stream.request()
        row = {"header": {"key": "content-length", "raw_value": length.encode()}}
        verdict = stream.verdict(header_mutation={"set_headers": [row]})
        await stream.place(**{"request_headers" if stream.streamed else "request_body": verdict})

    plane[1].script = other_length

    status, _, _ = await r.ask(BODY, chunked=chunked)

    assert (200, [BODY]) == (status, bodies(r))
    assert (None if chunked else str(len(BODY))) == r.backends["device"].received[0].headers.get("Content-Length")
