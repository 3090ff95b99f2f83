"""Envoy's ext_proc messages to and from the exchange's events and reactions. Pure translation."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import (
    BodyMutation,
    BodyResponse,
    CommonResponse,
    HeaderMutation,
    HeadersResponse,
    HttpHeaders,
    ImmediateResponse,
    ProcessingRequest,
    ProcessingResponse,
    StreamedBodyResponse,
)
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.struct_pb2 import Struct, Value

from governance.decision import Action
from governance.dialects.routes import Reply
from governance.inference import RequestHead
from governance.nodes.node import Pool
from sidecar.dataplane import ANSWERED_DETAILS, DECISION_NAMESPACE, POOL_KEY, POOL_NAMESPACE, REFUSED_DETAILS
from sidecar.exchange import BodyChunk, Event, ExchangeBroken, Head, Place, Release, Respond, Trailers, Whole
from sidecar.headers import READ, attribute
from sidecar.routes import EXT_PROC

# Larger single answers have been refused (gateway-api-inference-extension#854).
_CHUNK_BYTES = 60_000

_HEADERS = tuple((attribute(name), name) for name in READ)

READ_ON = ProcessingResponse(request_headers=HeadersResponse(response=CommonResponse()))


def event(message: ProcessingRequest) -> Event:
    """The event that `message` is. Raises ExchangeBroken for phases that were not asked for."""
    match message.WhichOneof("request"):
        case "request_headers":
            mode = message.protocol_config.request_body_mode
            return Head(
                head=_head(message.request_headers),
                end_of_stream=message.request_headers.end_of_stream,
                duplex=mode == ProcessingMode.FULL_DUPLEX_STREAMED,
            )
        case "request_body" if message.attributes:
            return Whole(head=_attributed(message.attributes[EXT_PROC]), body=message.request_body.body)
        case "request_body":
            return BodyChunk(data=message.request_body.body, end_of_stream=message.request_body.end_of_stream)
        case "request_trailers":
            return Trailers()
        case phase:
            raise ExchangeBroken(f"unexpected phase {phase}")


def _head(message: HttpHeaders) -> RequestHead:
    pairs = tuple((row.key, (row.raw_value or row.value.encode()).decode("latin-1")) for row in message.headers.headers)
    pseudo = {key: value for key, value in pairs if key.startswith(":")}
    headers = tuple(pair for pair in pairs if not pair[0].startswith(":"))
    return _named(pseudo.get(":method", ""), pseudo.get(":path", ""), headers)


def _attributed(attributes: Struct) -> RequestHead:
    """The head in a whole message: of a header that came twice the values are one, with a comma between them."""
    fields = attributes.fields
    method, path = fields["request.method"].string_value, fields["request.path"].string_value
    return _named(method, path, tuple((name, fields[key].string_value) for key, name in _HEADERS if key in fields))


def _named(method: str, target: str, headers: tuple[tuple[str, str], ...]) -> RequestHead:
    path, _, query = target.partition("?")
    return RequestHead(method=method, path=path, query=query, headers=headers)


def responses(verdict: Release | Respond, *, worker: str) -> Iterator[ProcessingResponse]:
    """What to send to Envoy, in order. The first message is the answer to the message that is open."""
    match verdict:
        case Respond(reply=reply):
            yield _immediate(reply)
        case Release():
            yield from _release(verdict, worker)


def _immediate(reply: Reply) -> ProcessingResponse:
    return ProcessingResponse(
        immediate_response=ImmediateResponse(
            status=HttpStatus(code=reply.status),
            headers=HeaderMutation(set_headers=[_header(name, value) for name, value in reply.headers]),
            body=reply.body,
            # The local reply rules leave answers with these details as they are.
            details=REFUSED_DETAILS if reply.status >= 400 else ANSWERED_DETAILS,
        )
    )


def _release(release: Release, worker: str) -> Iterator[ProcessingResponse]:
    forward, body = release.forward, release.forward.body
    response = ProcessingResponse()
    response.CopyFrom(_template(release.place, forward.pool, release.action, worker))
    fields = response.dynamic_metadata.fields[DECISION_NAMESPACE].struct_value.fields
    fields["decision_id"].string_value = release.decision_id
    common = response.request_body.response if release.place is Place.BODY else response.request_headers.response
    mutation = common.header_mutation
    mutation.set_headers.append(_header("x-ringfence-decision-id", release.decision_id))
    mutation.set_headers.extend(_header(name, value) for name, value in forward.set_headers)
    mutation.remove_headers.extend(forward.remove_headers)
    if body is not None:
        mutation.remove_headers.append("content-encoding")
        if release.place is Place.BODY:
            # Without the new length Envoy refuses; with a length but no new body the upstream would be smuggled to.
            mutation.set_headers.append(_header("content-length", str(len(body))))
            common.body_mutation.body = body.reveal()
    yield response
    if release.place is Place.STREAM:
        yield from _streamed((body or release.body).reveal())


@functools.lru_cache(maxsize=1024)
def _template(place: Place, pool: Pool, action: Action, worker: str) -> ProcessingResponse:
    """A release without what is of one request. It is copied: building the metadata costs more than all the rest.

    The route is chosen anew by the metadata; Envoy ignores the request to do so without a header mutation
    (envoyproxy/envoy#26388), which every release has.
    """
    common = CommonResponse(clear_route_cache=True)
    metadata = Struct(
        fields={
            POOL_NAMESPACE: _fields(**{POOL_KEY: pool.name}),
            DECISION_NAMESPACE: _fields(action=action.value, worker=worker, cell=pool.cell),
        }
    )
    if place is Place.BODY:
        return ProcessingResponse(request_body=BodyResponse(response=common), dynamic_metadata=metadata)
    return ProcessingResponse(request_headers=HeadersResponse(response=common), dynamic_metadata=metadata)


def _streamed(body: bytes) -> Iterator[ProcessingResponse]:
    for start in range(0, max(len(body), 1), _CHUNK_BYTES):
        chunk = StreamedBodyResponse(
            body=body[start : start + _CHUNK_BYTES], end_of_stream=start + _CHUNK_BYTES >= len(body)
        )
        yield ProcessingResponse(
            request_body=BodyResponse(response=CommonResponse(body_mutation=BodyMutation(streamed_response=chunk)))
        )


def _fields(**values: str) -> Value:
    return Value(struct_value=Struct(fields={name: Value(string_value=value) for name, value in values.items()}))


def _header(name: str, value: str) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, raw_value=value.encode("latin-1", "replace")),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
