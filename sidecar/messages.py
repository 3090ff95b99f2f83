"""Envoy's ext_proc messages to and from the exchange's events and reactions. Pure translation."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

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
from sidecar.dataplane import (
    ANSWERED_DETAILS,
    CELL_KEY,
    DECISION_NAMESPACE,
    POOL_KEY,
    POOL_NAMESPACE,
    REFUSED_DETAILS,
)
from sidecar.edits import EDITED_CELL_KEY, REMOVE_KEY, SET_KEY
from sidecar.exchange import BodyChunk, Event, ExchangeBroken, Head, Release, Respond, Shape, Trailers, Whole
from sidecar.routes import EXT_PROC, HEADERS, METHOD, PATH, attributed_header

# Larger single answers have been refused (gateway-api-inference-extension#854).
_CHUNK_BYTES = 60_000


def event(message: ProcessingRequest) -> Event:
    """The event that `message` is. Raises ExchangeBroken for phases and modes that were not asked for."""
    mode = message.protocol_config.request_body_mode
    match message.WhichOneof("request"):
        case "request_headers" if mode == ProcessingMode.FULL_DUPLEX_STREAMED:
            headers = message.request_headers
            return Head(head=_head(headers), end_of_stream=headers.end_of_stream)
        # Only the first message of a stream names its mode.
        case "request_body" if mode == ProcessingMode.BUFFERED:
            return Whole(head=_attributed(message.attributes[EXT_PROC]), body=message.request_body.body)
        case "request_body" if mode == ProcessingMode.NONE:
            return BodyChunk(data=message.request_body.body, end_of_stream=message.request_body.end_of_stream)
        case "request_trailers":
            return Trailers()
        case phase:
            raise ExchangeBroken(f"unexpected phase {phase} in mode {mode}")


def _head(message: HttpHeaders) -> RequestHead:
    pairs = tuple((row.key, (row.raw_value or row.value.encode()).decode("latin-1")) for row in message.headers.headers)
    pseudo = {key: value for key, value in pairs if key.startswith(":")}
    headers = tuple(pair for pair in pairs if not pair[0].startswith(":"))
    return _named(pseudo.get(":method", ""), pseudo.get(":path", ""), headers)


def _attributed(attributes: Struct) -> RequestHead:
    """The head in a whole message: of a header that came twice the values are one, with a comma between them."""
    fields = attributes.fields
    headers = tuple((name, fields[key].string_value) for name, key in HEADERS.items() if key in fields)
    if len(fields) > len(headers) + (METHOD in fields) + (PATH in fields):
        headers += tuple(_further(fields))
    return _named(fields[METHOD].string_value, fields[PATH].string_value, headers)


def _further(fields: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """Headers beyond those that are always read, in the order of their names."""
    for key in sorted(fields):
        name = attributed_header(key)
        if name is not None and name not in HEADERS:
            yield name, fields[key].string_value


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
    forward = release.forward
    response = ProcessingResponse()
    response.CopyFrom(_template(release.shape is Shape.WHOLE, forward.pool, release.action, worker))
    decision = response.dynamic_metadata.fields[DECISION_NAMESPACE].struct_value
    decision.fields["decision_id"].string_value = release.decision_id
    _edit(decision, release)
    if release.shape is Shape.WHOLE and forward.body is not None:
        # Envoy has taken the length off and writes the one of what goes on.
        response.request_body.response.body_mutation.body = forward.body.reveal()
    yield response
    if release.shape is Shape.STREAM:
        body = release.arrival.body if forward.body is None else forward.body
        yield from _streamed(body.reveal())


def _edit(decision: Struct, release: Release) -> None:
    """Writes what changes in the head beside the decision, and moves the cell to where the changes have been made."""
    forward = release.forward
    removed = list(forward.remove_headers)
    if forward.body is not None and release.arrival.head.header("content-encoding") is not None:
        removed.append("content-encoding")
    if not removed and not forward.set_headers:
        return
    # A key whose value is nothing at all would end Envoy where the script reads it.
    if removed:
        decision.fields[REMOVE_KEY].list_value.extend(removed)
    if forward.set_headers:
        decision.fields[SET_KEY].struct_value.update(dict(forward.set_headers))
    decision.fields[EDITED_CELL_KEY].string_value = decision.fields.pop(CELL_KEY).string_value


@functools.lru_cache(maxsize=1024)
def _template(whole: bool, pool: Pool, action: Action, worker: str) -> ProcessingResponse:
    """A release without what is of one request. It is copied: building the metadata costs more than all the rest.

    The route is chosen anew by the metadata; Envoy ignores the request to do so in an answer that has no header mutation,
    be it an empty one (envoyproxy/envoy#26388).
    """
    common = CommonResponse(clear_route_cache=True, header_mutation=HeaderMutation())
    metadata = Struct(
        fields={
            POOL_NAMESPACE: _fields(**{POOL_KEY: pool.name}),
            DECISION_NAMESPACE: _fields(action=action.value, worker=worker, **{CELL_KEY: pool.cell}),
        }
    )
    if whole:
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
