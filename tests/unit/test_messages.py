"""Envoy's messages as events, and a verdict as the messages that carry it out."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from google.protobuf.json_format import MessageToDict

from governance.decision import Action
from governance.enforcement import Forward
from governance.inference import RequestHead
from governance.judgement import Arrival
from governance.nodes.node import pool_of
from governance.sensitive import SensitiveBytes
from sidecar.exchange import BodyChunk, ExchangeBroken, Head, Release, Shape, Trailers, Whole
from sidecar.messages import event, responses
from sidecar.routes import EXT_PROC, HEADERS, METHOD, PATH, header_attribute
from tests.builders import node

POOL = pool_of([node()])
WHOLE = {"request_body_mode": ProcessingMode.BUFFERED}
STREAMED = {"request_body_mode": ProcessingMode.FULL_DUPLEX_STREAMED}
HEAD = RequestHead(method="POST", path="/v1/chat/completions", query="a=1", headers=(("content-type", "x/y"),))


def whole(**attributes: str) -> ProcessingRequest:
    """A request in one message with these attributes, by what they stand for."""
    names = {"method": METHOD, "path": PATH} | {name.replace("-", "_"): key for name, key in HEADERS.items()}
    message = ProcessingRequest(request_body={"body": b"{}", "end_of_stream": True}, protocol_config=WHOLE)
    message.attributes[EXT_PROC].update({names[name]: value for name, value in attributes.items()})
    return message


def head(*pairs: tuple[str, bytes], mode: dict[str, Any] = STREAMED) -> ProcessingRequest:
    """Request headers that a body follows."""
    headers = [{"key": key, "raw_value": value} for key, value in pairs]
    return ProcessingRequest(request_headers={"headers": {"headers": headers}}, protocol_config=mode)


def test_a_whole_request_is_named_by_its_attributes() -> None:
    """Method, path and query, and the headers that were there."""
    message = whole(method="POST", path="/v1/chat/completions?a=1", content_type="x/y")

    assert event(message) == Whole(head=HEAD, body=b"{}")


def test_headers_beyond_those_always_read_come_with_a_whole_request() -> None:
    """By the expression that was asked for; an attribute that is no header is none."""
    message = whole(method="POST", path="/v1/chat/completions?a=1", content_type="x/y")
    more = {header_attribute("x-purpose"): "care", header_attribute("x-groups"): "a,b", "request.id": "1"}
    message.attributes[EXT_PROC].update(more)

    found = event(message)

    assert isinstance(found, Whole)
    assert (("content-type", "x/y"), ("x-groups", "a,b"), ("x-purpose", "care")) == found.head.headers


def test_no_header_is_missed_where_another_attribute_is_absent() -> None:
    """A claim that is not seen could be the one that a policy refuses."""
    message = whole()
    message.attributes[EXT_PROC].update({header_attribute("x-groups"): "a"})

    found = event(message)

    assert isinstance(found, Whole)
    assert (("x-groups", "a"),) == found.head.headers


def test_a_whole_request_without_attributes_names_no_endpoint() -> None:
    """Nothing is guessed about a head that did not come."""
    message = ProcessingRequest(request_body={"body": b"{}"}, protocol_config=WHOLE)

    assert event(message) == Whole(head=RequestHead(method="", path="", headers=()), body=b"{}")


def test_a_head_keeps_every_header_line_and_byte() -> None:
    """Repeated lines stay apart, and what is not ASCII is text of the same bytes."""
    message = head((":method", b"POST"), (":path", b"/v1/chat/completions?a=1"), ("a", b"1"), ("a", b"\xff"))
    expected = RequestHead(method="POST", path="/v1/chat/completions", query="a=1", headers=(("a", "1"), ("a", "\xff")))

    assert event(message) == Head(head=expected, end_of_stream=False)


def test_what_follows_a_head_is_its_body_and_its_trailers() -> None:
    """Only the first message of a stream names its mode."""
    pieces = [
        ProcessingRequest(request_body={"body": b"a", "end_of_stream": True}),
        ProcessingRequest(request_trailers={}),
    ]

    assert [event(piece) for piece in pieces] == [BodyChunk(data=b"a", end_of_stream=True), Trailers()]


@pytest.mark.parametrize(
    "message",
    [
        head(mode=WHOLE),
        head(mode={}),
        ProcessingRequest(request_body={}, protocol_config=STREAMED),
        ProcessingRequest(request_body={}, protocol_config={"request_body_mode": ProcessingMode.STREAMED}),
        ProcessingRequest(response_headers={}),
        ProcessingRequest(),
    ],
    ids=["head to be buffered", "head alone", "body without a head", "another mode", "response", "nothing"],
)
def test_a_phase_or_mode_that_was_not_asked_for_breaks_the_exchange(message: ProcessingRequest) -> None:
    """What the configuration rules out is not interpreted."""
    with pytest.raises(ExchangeBroken):
        event(message)


def said(shape: Shape, forward: Forward, *headers: tuple[str, str]) -> list[ProcessingResponse]:
    """The messages of a release."""
    arrived = Arrival(
        head=RequestHead(method="POST", path="/", headers=headers), body=SensitiveBytes(b"as it came" * 10_000)
    )
    release = Release(decision_id="d", action=Action.ALLOW, forward=forward, shape=shape, arrival=arrived)
    return list(responses(release, worker="3"))


def marks(message: ProcessingResponse) -> Any:
    """The metadata of a message, by namespace."""
    return MessageToDict(message.dynamic_metadata)


PLACED = {
    "envoy.lb": {"pool": POOL.name},
    "ringfence": {"action": "allow", "worker": "3", "cell": POOL.cell, "decision_id": "d"},
}


def test_a_whole_request_goes_on_as_it_came() -> None:
    """One message, in which nothing but the metadata says anything; it asks for another route."""
    [message] = said(Shape.WHOLE, Forward(pool=POOL))
    common = message.request_body.response

    assert (PLACED, True, True, False) == (
        marks(message),
        common.clear_route_cache,
        common.HasField("header_mutation"),
        common.HasField("body_mutation"),
    )


def test_a_whole_request_goes_on_with_the_body_that_replaces_its_own() -> None:
    """No length is said: Envoy writes it."""
    [message] = said(Shape.WHOLE, Forward(pool=POOL, body=SensitiveBytes(b"new")))
    common = message.request_body.response

    assert (b"new", 0, PLACED) == (common.body_mutation.body, common.header_mutation.ByteSize(), marks(message))


@pytest.mark.parametrize(("body", "expected"), [(None, b"as it came" * 10_000), (SensitiveBytes(b""), b"")])
def test_a_streamed_request_goes_on_in_pieces(body: SensitiveBytes | None, expected: bytes) -> None:
    """The head is answered first; no piece is too large for Envoy, and the last one says so."""
    first, *rest = said(Shape.STREAM, Forward(pool=POOL, body=body))
    pieces = [one.request_body.response.body_mutation.streamed_response for one in rest]

    assert (PLACED, expected) == (marks(first), b"".join(piece.body for piece in pieces))
    assert first.request_headers.response.clear_route_cache
    assert [False] * (len(pieces) - 1) + [True] == [piece.end_of_stream for piece in pieces]
    assert max(len(piece.body) for piece in pieces) < 65_536


def test_a_request_without_a_body_is_answered_once() -> None:
    """There is no body to send on."""
    assert [PLACED] == [marks(one) for one in said(Shape.HEAD, Forward(pool=POOL))]


@pytest.mark.parametrize(
    ("forward", "keys"),
    [
        (Forward(pool=POOL, remove_headers=("accept",)), {"remove"}),
        (Forward(pool=POOL, set_headers=(("x-team", "a"),)), {"set"}),
    ],
    ids=["removed", "set"],
)
def test_no_key_without_a_value_is_said(forward: Forward, keys: set[str]) -> None:
    """Envoy ends itself over a value that is of no kind (1.40, read by a script)."""
    [message] = said(Shape.HEAD, forward)
    fields = message.dynamic_metadata.fields["ringfence"].struct_value.fields

    assert {"action", "worker", "edited_cell", "decision_id"} | keys == set(fields)
    assert None not in {value.WhichOneof("kind") for value in fields.values()}


@pytest.mark.parametrize("shape", Shape)
def test_changes_to_the_head_hold_the_cell_back(shape: Shape) -> None:
    """The cell is where no route reads it, until Envoy has made the changes."""
    forward = Forward(pool=POOL, set_headers=(("x-team", "a"),), remove_headers=("accept",))
    message, *_ = said(shape, forward)
    expected = {key: value for key, value in PLACED["ringfence"].items() if key != "cell"}

    assert marks(message)["ringfence"] == expected | {
        "remove": ["accept"],
        "set": {"x-team": "a"},
        "edited_cell": POOL.cell,
    }


def test_a_body_that_was_decoded_goes_on_without_its_coding() -> None:
    """The header is removed where the body was replaced, and only there."""
    replaced = Forward(pool=POOL, body=SensitiveBytes(b"new"))
    coded = ("content-encoding", "gzip")
    [message], [same] = said(Shape.WHOLE, replaced, coded), said(Shape.WHOLE, Forward(pool=POOL), coded)

    assert (["content-encoding"], PLACED) == (marks(message)["ringfence"]["remove"], marks(same))
