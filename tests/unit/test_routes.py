"""Endpoints, headers that say how a body is to be read, and answers in the API's own shape."""

from __future__ import annotations

import gzip
import json

import httpx2 as httpx
import openai
import pytest

from governance.denial import Denial, of_error
from governance.dialects.routes import Limits, Reply, Route, classify, listing, read, refusal
from governance.errors import MalformedRequest, RequestTooLarge, UnsupportedOperation
from governance.inference import InferenceRequest, Operation, RequestHead

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
LIMITS = Limits()
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def head(method: str = "POST", path: str = "/v1/chat/completions", *headers: tuple[str, str]) -> RequestHead:
    return RequestHead(method=method, path=path, headers=headers)


def read_with(*headers: tuple[str, str], body: bytes = BODY, limits: Limits = LIMITS) -> InferenceRequest:
    sent = head("POST", "/v1/chat/completions", *headers)
    return read(classify(sent), sent, body, limits)


@pytest.mark.parametrize(
    ("method", "path", "operation", "model"),
    [
        ("POST", "/v1/chat/completions", Operation.CHAT, ""),
        ("GET", "/v1/models", Operation.LIST_MODELS, ""),
        ("GET", "/v1/models/gpt-4o:2024@x+y", Operation.LIST_MODELS, "gpt-4o:2024@x+y"),
        ("GET", "/v1/models/meta/llama-3.1", Operation.LIST_MODELS, "meta/llama-3.1"),
    ],
)
def test_a_known_endpoint_is_named(method: str, path: str, operation: Operation, model: str) -> None:
    """Only a chat has a body."""
    expected = Route(protocol="openai", operation=operation, needs_body=operation is Operation.CHAT, model=model)

    assert expected == classify(head(method, path))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("post", "/v1/chat/completions"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "//v1/chat/completions"),
        ("POST", "/v1//chat/completions"),
        ("POST", "/v1/chat%2Fcompletions"),
        ("POST", "/v1/chat/./completions"),
        ("POST", "/v1/x/../chat/completions"),
        ("POST", "/V1/chat/completions"),
        ("POST", "/v1/chat/completions?x=1"),
        ("POST", "/v1/chat/completions;x"),
        ("POST", "/v1/chat/completions\n"),
        ("POST", "v1/chat/completions"),
        ("POST", "*"),
        ("POST", ""),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/models"),
        ("HEAD", "/v1/models"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/.."),
        ("GET", "/v1/models/../files"),
        ("GET", "/v1/models/a/../b"),
        ("GET", "/v1/models/a/."),
        ("GET", "/v1/models/a//b"),
        ("GET", "/v1/models/a/"),
        ("GET", "/v1/models/a%20b"),
        ("GET", "/v1/models/a\n"),
        ("GET", "/v1/models/" + "a" * 129),
        ("GET", "/v1/models/" + "a/" * 100_000),
    ],
)
def test_any_other_endpoint_is_unsupported(method: str, path: str) -> None:
    """Variants that some server might clean up into a known path included."""
    with pytest.raises(UnsupportedOperation) as refused:
        classify(head(method, path))

    assert "unsupported_operation" == refused.value.code


@pytest.mark.parametrize(
    "sent",
    [
        head("CONNECT", "/v1/chat/completions"),
        head("GET", "/v1/models", ("upgrade", "websocket")),
        head("GET", "/v1/models", ("connection", "keep-alive, Upgrade")),
        head("GET", "/v1/models", ("connection", "upgrade"), ("connection", "close")),
        head("GET", "/v1/models", (":protocol", "websocket")),
    ],
)
def test_an_upgrade_is_refused_on_every_path(sent: RequestHead) -> None:
    """After an upgrade nobody could inspect anything."""
    with pytest.raises(UnsupportedOperation) as refused:
        classify(sent)

    assert "upgrade_refused" == refused.value.code


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json ;charset="UTF8"'],
)
def test_json_in_utf8_is_read(content_type: str) -> None:
    """Also where the header is missing."""
    assert ("m", "m") == (read_with().model, read_with(("content-type", content_type)).model)


@pytest.mark.parametrize(
    "content_types",
    [
        ["text/plain"],
        ["application/json; charset=latin-1"],
        ["application/json; charset=utf-16"],
        ["application/json-seq"],
        ["application/json, text/plain"],
        [""],
        ["application/json", "multipart/form-data"],
        ["multipart/form-data", "application/json"],
    ],
)
def test_any_other_media_type_is_refused(content_types: list[str]) -> None:
    """A second header line cannot hide behind the first."""
    with pytest.raises(MalformedRequest) as refused:
        read_with(*(("content-type", value) for value in content_types))

    assert "unsupported_media_type" == refused.value.code


def test_the_coding_of_the_content_is_undone() -> None:
    """Several header lines are one list; what is kept is the plain body."""
    raw = gzip.compress(gzip.compress(BODY))

    assert BODY == read_with(("content-encoding", "gzip"), ("content-encoding", "gzip"), body=raw).body.reveal()
    with pytest.raises(MalformedRequest) as refused:
        read_with(("content-encoding", "gzip"), ("content-encoding", "identity"), ("content-encoding", "x"), body=raw)
    assert "unsupported_encoding" == refused.value.code


def test_sizes_are_limited_before_and_after_decoding() -> None:
    """The wire and the memory have a limit each."""
    bomb = gzip.compress(bytes(10_000))
    for limits, body, limit in (
        (Limits(max_body_bytes=10), BODY, 10),
        (Limits(max_decoded_bytes=1000), bomb, 1000),
    ):
        with pytest.raises(RequestTooLarge) as refused:
            read_with(("content-encoding", "gzip"), body=body, limits=limits)
        assert limit == refused.value.limit


def test_a_listing_has_no_body() -> None:
    """A body that nobody reads is refused."""
    sent = head("GET", "/v1/models/m")
    expected = InferenceRequest(protocol="openai", operation=Operation.LIST_MODELS, model="m")

    assert expected == read(classify(sent), sent, b"", Limits())
    with pytest.raises(MalformedRequest):
        read(classify(sent), sent, b"x", Limits())


def served(reply: Reply) -> openai.OpenAI:
    """The official client in front of a server that always gives `reply`."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(reply.status, headers=list(reply.headers), content=reply.body)
    )
    return openai.OpenAI(
        api_key="test", base_url="http://test/v1", max_retries=0, http_client=httpx.Client(transport=transport)
    )


@pytest.mark.parametrize(
    ("status", "error_type", "kind"),
    [
        (400, "invalid_request_error", openai.BadRequestError),
        (401, "authentication_error", openai.AuthenticationError),
        (403, "permission_error", openai.PermissionDeniedError),
        (404, "invalid_request_error", openai.NotFoundError),
        (413, "invalid_request_error", openai.APIStatusError),
        (429, "rate_limit_error", openai.RateLimitError),
        (503, "server_error", openai.InternalServerError),
    ],
)
def test_the_official_client_understands_a_refusal(
    status: int, error_type: str, kind: type[openai.APIStatusError]
) -> None:
    """Its own exception, with code, type, message and the decision id."""
    remedies = ('Ask "Größe" {at} 100 %', "Send less.")
    denial = Denial(status=status, code="some_code", message="A message.", retry_after_s=3, remedies=remedies)
    reply = refusal(head(), denial, ID)
    with pytest.raises(kind) as refused:
        served(reply).chat.completions.create(model="m", messages=[])

    said = f'A message. Decision id: {ID}. Ask "Größe" {{at}} 100 %. Send less.'
    expected = {"message": said, "type": error_type, "param": None, "code": "some_code", "decision_id": ID}
    assert 'Ask "Größe" {at} 100 %. Send less.' in refused.value.message
    assert (expected, "some_code", error_type) == (refused.value.body, refused.value.code, refused.value.type)
    assert (
        ("content-type", "application/json"),
        ("x-ringfence-decision-id", ID),
        ("x-ringfence-action", "deny"),
        ("retry-after", "3"),
    ) == reply.headers


def test_a_refusal_holds_nothing_of_the_request() -> None:
    """Not even its path: the head only chooses the shape."""
    reply = refusal(head("POST", "/v1/anna@example.com", ("x", "secret")), of_error(UnsupportedOperation()), ID)

    assert 404 == reply.status
    assert b"anna" not in reply.body + repr(reply.headers).encode()


def test_the_official_client_lists_the_models() -> None:
    """Sorted, each once, owned by us."""
    reply = listing(head("GET", "/v1/models"), ("b", "a", "b"), ID)

    assert [("a", "ringfence"), ("b", "ringfence")] == [(m.id, m.owned_by) for m in served(reply).models.list()]
    assert ("x-ringfence-action", "allow") in reply.headers


def test_the_official_client_gets_one_model() -> None:
    """A model that no node serves is a 404 in the API's shape."""
    known = listing(head("GET", "/v1/models/a"), ("a",), ID)
    unknown = listing(head("GET", "/v1/models/z"), ("a",), ID)

    assert "a" == served(known).models.retrieve("a").id
    with pytest.raises(openai.NotFoundError):
        served(unknown).models.retrieve("z")
    assert ("model_not_found", "deny") == (
        json.loads(unknown.body)["error"]["code"],
        dict(unknown.headers)["x-ringfence-action"],
    )
