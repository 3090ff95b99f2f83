"""Real requests through a real Envoy: what the caller gets, what the nodes received, what is on record.

One installation serves the module; every test looks at the requests it sent itself.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import brotli
import openai
import pytest
import pytest_asyncio
import zstandard

from tests.e2e.stack import HOST, Answer, Stack, chat, stack

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

MAX_BODY = 1 << 20
STREAMED = 32 << 20
MAIL = "please write to anna.schmidt@example.com today"
GERMAN_HEALTH = "Patientin mit Diabetes, Krankenversichertennummer A123456780: fasse den Befund zusammen."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    limits = {"max_body_bytes": MAX_BODY, "streamed_body_bytes": STREAMED, "max_decoded_bytes": 64 << 20}
    async with stack(tmp_path_factory.mktemp("stack"), limits=limits) as running:
        yield running


@pytest.fixture
def s(shared: Stack) -> Stack:
    for node in shared.nodes:
        node.received.clear()
        node.heads.clear()
    return shared


def only(received: dict[str, list[bytes]]) -> tuple[str, bytes]:
    """The one node that received one body."""
    [(node, bodies)] = received.items()
    [body] = bodies
    return node, body


# --- forwarding ----------------------------------------------------------------------------------------------------


async def test_a_clean_request_reaches_the_nearest_node_byte_for_byte(s: Stack) -> None:
    """Odd spelling of numbers, escapes, order and blanks survive."""
    body = b'{ "messages":[{"content":"h\\u0069 \\/ there","role":"user"}] , "temperature":1.0e0,"model":"m"}'

    answer = await s.send(body)

    assert (answer.status, answer.headers["x-ringfence-action"]) == (200, "allow")
    assert only(s.received()) == ("device-de", body)


async def test_the_official_client_works_unstreamed_and_streamed(s: Stack) -> None:
    """The SDK's own types come back, and every event of a stream arrives."""
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with s.sdk as client:
        whole = await client.chat.completions.create(**ask)
        parts = [part async for part in await client.chat.completions.create(**ask, stream=True)]
        models = [model.id async for model in client.models.list()]

    assert whole.choices[0].message.content == "This is a demo node."
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "This is a demo node."
    assert models == ["m", "us-only"]


async def test_a_stream_is_not_held_back(s: Stack) -> None:
    """The first event of an answer arrives before the last one was sent."""
    async with s.http.post(s.url, json=chat("hello", stream=True)) as got:
        first = await got.content.readany()
        rest = await got.content.read()

    assert b"[DONE]" not in first
    assert rest.endswith(b"data: [DONE]\n\n")


async def test_the_outcome_names_node_tokens_and_containment(s: Stack) -> None:
    """Envoy's own account of the request is on record."""
    answer = await s.say("hello")
    streamed = await s.send(chat("hello", stream=True))

    for got in (answer, streamed):
        outcome = await s.outcome(got)
        assert {key: outcome[key] for key in ("status", "code", "node", "tier", "country", "contained")} == {
            "status": "served",
            "code": 200,
            "node": "device-de",
            "tier": "device",
            "country": "DE",
            "contained": True,
        }
        assert (outcome["tokens_in"] > 0, outcome["tokens_out"]) == (True, 5)


# --- redaction, pinning, refusal -----------------------------------------------------------------------------------


async def test_an_address_is_replaced_before_it_leaves(s: Stack) -> None:
    """The node sees the placeholder; the length is right; everything else is as it was sent."""
    answer = await s.say(MAIL, model="us-only")

    node, body = only(s.received())
    assert (answer.headers["x-ringfence-action"], node) == ("allow_modified", "cloud-us")
    assert body == json.dumps(chat(MAIL.replace("anna.schmidt@example.com", "<EMAIL_ADDRESS_1>"), "us-only")).encode()
    assert s.decision(answer)["redaction"] == [{"n": 1, "operator": "replace", "type": "EMAIL_ADDRESS"}]


async def test_german_health_data_stays_on_own_machines_in_the_eea(s: Stack) -> None:
    """It is served, and by no node outside."""
    answer = await s.say(GERMAN_HEALTH)

    record = s.decision(answer)
    assert (answer.status, list(s.received())) == (200, ["device-de"])
    assert (record["route"]["allowed"], record["jurisdictions"]) == (["device-de", "onprem-de"], ["DE"])


async def test_german_health_data_is_refused_where_only_a_us_node_could_serve(s: Stack) -> None:
    """No admissible node means no node."""
    answer = await s.say(GERMAN_HEALTH, model="us-only")

    assert (answer.status, answer.code, s.received()) == (403, "placement_impossible", {})


async def test_a_credential_is_refused_with_the_sdk_error_of_its_status(s: Stack) -> None:
    """The official client raises its own exception with our stable code, the decision id and what to change."""
    async with s.sdk as client:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "key AKIAIOSFODNN7EXAMPLE leaked"}]
            )

    error: Any = caught.value.body
    remedy = "Remove the credential, put a placeholder in its place, and revoke it if it was real."
    assert (caught.value.code, s.received()) == ("credentials_found", {})
    assert f"Decision id: {error['decision_id']}. {remedy}" in str(caught.value)
    assert error["decision_id"] == caught.value.response.headers["x-ringfence-decision-id"]
    assert "AKIA" not in json.dumps(error)


async def test_an_image_stays_on_own_machines(s: Stack) -> None:
    """What cannot be read goes to a device or on-prem node, or nowhere."""
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]

    near = await s.send({"model": "m", "messages": [{"role": "user", "content": parts}]})
    far = await s.send({"model": "us-only", "messages": [{"role": "user", "content": parts}]})

    assert (near.status, far.status, far.code) == (200, 403, "placement_impossible")
    assert list(s.received()) == ["device-de"]


ELSEWHERE = {
    "an unknown field": {"model": "us-only", "messages": [{"role": "user", "content": "hi"}], "brand_new": "x"},
    "an unknown part": {"model": "us-only", "messages": [{"role": "user", "content": [{"type": "hologram"}]}]},
}


@pytest.mark.parametrize("body", ELSEWHERE.values(), ids=ELSEWHERE.keys())
async def test_what_was_not_read_does_not_leave_for_the_cloud(s: Stack, body: dict[str, Any]) -> None:
    """An unread part is a fact, and the default policies keep it near."""
    answer = await s.send(body)

    assert (answer.status, answer.code, s.received()) == (403, "placement_impossible", {})


async def test_a_query_string_is_not_read_and_does_not_leave_for_the_cloud(s: Stack) -> None:
    """Text hidden in the query is as unread as an unknown field."""
    answer = await s.send(chat("hi", "us-only"), path="/v1/chat/completions?note=anna@example.com")

    assert (answer.status, answer.code, s.received()) == (403, "placement_impossible", {})


ARGUMENTS = json.dumps({"to": "anna.schmidt@example.com", "n": 1})
FIELDS: dict[str, dict[str, Any]] = {
    "system": {"messages": [{"role": "system", "content": MAIL}]},
    "developer": {"messages": [{"role": "developer", "content": [{"type": "text", "text": MAIL}]}]},
    "assistant": {"messages": [{"role": "assistant", "content": MAIL}]},
    "tool result": {"messages": [{"role": "tool", "tool_call_id": "c", "content": MAIL}]},
    "tool arguments": {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ARGUMENTS}}],
            }
        ]
    },
    "tool description": {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "description": MAIL}}],
    },
    "metadata": {"messages": [{"role": "user", "content": "hi"}], "metadata": {"note": MAIL}},
    "user": {"messages": [{"role": "user", "content": "hi"}], "user": "anna.schmidt@example.com"},
    "prediction": {
        "messages": [{"role": "user", "content": "hi"}],
        "prediction": {"type": "content", "content": MAIL},
    },
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS.keys())
async def test_every_text_bearing_field_is_redacted(s: Stack, fields: dict[str, Any]) -> None:
    """An address is replaced wherever the API lets text stand."""
    answer = await s.send({"model": "us-only", **fields})

    assert answer.status == 200
    _, body = only(s.received())
    assert b"anna.schmidt" not in body
    assert b"<EMAIL_ADDRESS_1>" in body
    json.loads(body)


# --- bodies that are wrong -----------------------------------------------------------------------------------------

DEEP = b'{"model":"m","messages":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
MALFORMED = {
    "not JSON": b"{",
    "empty": b"",
    "two documents": b'{"model":"m","messages":[]}{}',
    "duplicate keys": b'{"model":"m","model":"us-only","messages":[{"role":"user","content":"hi"}]}',
    "invalid UTF-8": b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
    "lone surrogate": b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    "NaN": b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":NaN}',
    "not an object": b"[]",
    "no messages": b'{"model":"m"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_body_that_cannot_be_read_in_one_way_is_a_bad_request(s: Stack, body: bytes) -> None:
    """400 in the API's shape, a decision id, a record, and nothing at any node."""
    answer = await s.send(body)

    assert (answer.status, s.received()) == (400, {})
    assert s.decision(answer)["action"] == "deny"
    assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"


async def test_a_depth_bomb_is_refused(s: Stack) -> None:
    """Depth is bounded before anything recurses."""
    answer = await s.send(DEEP)

    assert (answer.status in (400, 413), s.received()) == (True, {})
    assert s.decision(answer)["action"] == "deny"


async def test_a_hundred_thousand_keys_are_decided(s: Stack) -> None:
    """A wide document is decided in bounded time."""
    keys = {f"k{number}": number for number in range(100_000)}

    answer = await s.send({**chat("hi", "us-only"), "metadata": keys})

    assert answer.decision_id
    assert s.decision(answer)["action"] in ("allow", "allow_modified", "deny")


async def test_a_megabyte_of_digits_is_decided_and_does_not_leave_unread(s: Stack) -> None:
    """A text that detection could not finish is not sent to the cloud."""
    answer = await s.say("1" * (MAX_BODY - 200), "us-only")

    assert answer.decision_id
    assert s.decision(answer)["detection"] == "complete" or s.received() == {}


# --- size and encoding ---------------------------------------------------------------------------------------------


async def test_a_body_over_every_limit_is_413_and_the_client_reads_it(s: Stack) -> None:
    """The refusal is ours, in shape, although the client was still sending."""
    async with s.sdk as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x" * (STREAMED + 1)}]
            )

    assert (caught.value.status_code, caught.value.code, s.received()) == (413, "request_too_large", {})


async def test_a_long_body_is_streamed_whole_to_the_node(s: Stack) -> None:
    """Twenty megabytes in FULL_DUPLEX_STREAMED mode arrive as they were sent."""
    body = json.dumps(chat("lorem ipsum " * 1_700_000)).encode()

    answer = await s.send(body)

    assert answer.status == 200, answer.body
    node, got = only(s.received())
    assert (node, got == body) == ("device-de", True)


async def test_a_long_body_is_redacted_too(s: Stack) -> None:
    """An address in the middle of two megabytes is replaced."""
    text = "lorem ipsum " * 100_000 + MAIL + " dolor sit" * 10_000

    answer = await s.say(text, "us-only")

    assert answer.status == 200, answer.body
    _, got = only(s.received())
    assert json.loads(got)["messages"][0]["content"] == text.replace("anna.schmidt@example.com", "<EMAIL_ADDRESS_1>")


async def test_a_chunked_body_of_unknown_length_is_inspected(s: Stack) -> None:
    """Without a content-length the body is streamed to us, and redacted."""

    async def pieces() -> AsyncIterator[bytes]:
        raw = json.dumps(chat(MAIL, "us-only")).encode()
        for start in range(0, len(raw), 10):
            yield raw[start : start + 10]

    async with s.http.post(s.url, data=pieces(), headers={"content-type": "application/json"}) as got:
        assert got.status == 200
    _, body = only(s.received())
    assert b"<EMAIL_ADDRESS_1>" in body


ENCODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["hello there", MAIL], ids=["clean", "redacted"])
async def test_an_encoded_body_is_inspected_and_goes_on_decoded(s: Stack, encoding: str, text: str) -> None:
    """The node gets identity bytes with the right length; the address in them is gone."""
    raw = json.dumps(chat(text, "us-only")).encode()

    answer = await s.send(ENCODINGS[encoding](raw), content_encoding=encoding)

    assert answer.status == 200, answer.body
    _, got = only(s.received())
    assert got == raw.replace(b"anna.schmidt@example.com", b"<EMAIL_ADDRESS_1>")


async def test_an_encoded_body_may_unfold_to_more_than_a_message_holds(s: Stack) -> None:
    """A short upload that becomes twelve megabytes reaches the node whole."""
    raw = json.dumps(chat("lorem ipsum " * (1 << 20))).encode()

    answer = await s.send(gzip.compress(raw), content_encoding="gzip")

    assert answer.status == 200, answer.body
    _, got = only(s.received())
    assert got == raw


async def test_a_body_that_redaction_makes_too_long_is_a_recorded_refusal(s: Stack) -> None:
    """Nine thousand addresses become placeholders that are longer; what came in one message cannot go on like that."""
    addresses = " ".join(f"u{number}@ex.com" for number in range(9_000))
    body = chat(addresses + " lorem" * ((MAX_BODY - len(addresses) - 200) // 6))

    answer = await s.send(body)

    assert (413, "request_too_large", {}) == (answer.status, answer.code, s.received())
    record = s.decision(answer)
    assert ("deny", "request_too_large", 413) == (record["action"], record["code"], record["status"])


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_compression_bomb_is_refused(s: Stack, encoding: str) -> None:
    """A few kilobytes that unfold to 128 MiB cost bounded memory and are refused."""
    answer = await s.send(ENCODINGS[encoding](b"[" * (128 << 20)), content_encoding=encoding)

    assert (answer.status, answer.code, s.received()) == (413, "request_too_large", {})


async def test_an_unknown_encoding_is_refused(s: Stack) -> None:
    """What cannot be decoded cannot be read."""
    answer = await s.send(chat("hi"), content_encoding="compress")

    assert (answer.status, answer.code, s.received()) == (400, "unsupported_encoding", {})


# --- endpoints and headers -----------------------------------------------------------------------------------------

PATHS = (
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/chat/completions/"),
    ("POST", "//v1/chat/completions"),
    ("POST", "/v1/chat/%63ompletions"),
    ("POST", "/v1/x/../chat/completions"),
    ("GET", "/v1/chat/completions"),
    ("GET", "/"),
    ("DELETE", "/v1/models/m"),
)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_an_unknown_endpoint_is_refused_in_shape(s: Stack, method: str, path: str) -> None:
    """Only exact paths are known; everything else ends at us."""
    answer = await raw(s, f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")

    assert (answer.status in (400, 404), s.received()) == (True, {})
    assert answer.code in ("unsupported_operation", "bad_request")


async def test_an_upgrade_is_refused_at_once(s: Stack) -> None:
    """A request that would leave HTTP is answered before its body, which may never end."""
    answer = await raw(
        s,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    )

    assert (answer.status >= 400, s.received()) == (True, {})


@pytest.mark.parametrize(
    "name", ["x-ringfence-cell", "x-ringfence-pool", "x-ringfence-decision-id", "x-envoy-retry-on"]
)
async def test_a_callers_copy_of_an_internal_header_changes_nothing(s: Stack, name: str) -> None:
    """Pins cannot be spoofed: German health data stays where it belongs, under our own decision id."""
    answer = await s.send(chat(GERMAN_HEALTH), **{name.replace("-", "_"): "cell-us"})

    assert (answer.status, list(s.received())) == (200, ["device-de"])
    assert answer.decision_id != "cell-us"


async def test_a_header_that_nobody_reads_does_not_reach_the_node(s: Stack) -> None:
    """What a node needs goes on; a header that could carry anything does not."""
    await s.send(chat("hi"), x_note="anna.schmidt@example.com", authorization="Bearer key")

    [headers] = s.headers()
    assert ("x-note" in headers, headers["authorization"]) == (False, "Bearer key")


async def test_a_model_that_nobody_serves_is_not_found(s: Stack) -> None:
    """404 in the API's shape, on record."""
    answer = await s.say("hi", model="other")

    assert (answer.status, answer.code, s.received()) == (404, "model_not_found", {})


async def test_the_log_of_it_all_verifies_and_holds_every_decision_once(s: Stack) -> None:
    """Sequence numbers are contiguous and ids are unique."""
    from governance.audit.verify import verify

    await s.say("hello")

    assert verify(s.audit).ok
    ids = [record["id"] for record in s.records()]
    assert len(ids) == len(set(ids))


async def test_no_content_reaches_a_log_a_metric_or_a_record(s: Stack) -> None:
    """Canaries planted in every kind of request are nowhere but at the node that may see them."""
    canary = "canary-7f3a9c"
    await s.say(f"{canary} anna.schmidt@example.com", "us-only")
    await s.say(f"{canary} AKIAIOSFODNN7EXAMPLE")
    await s.send(b'{"model": "m", "messages": "' + canary.encode() + b'"}')
    await s.send({**chat(canary), canary: canary, "metadata": {canary: canary}})
    await s.send(chat("hi", f"{canary} bad model"))
    await s.send(chat("hi"), path=f"/{canary}", authorization=f"Bearer {canary}")
    await asyncio.sleep(0.5)

    places = {path.name: path.read_bytes() for path in Path(s.directory).rglob("*") if path.is_file()}
    found = [name for name, content in places.items() if canary.encode() in content or b"anna.schmidt" in content]
    assert found == []
    assert canary not in await s.metrics()


async def raw(s: Stack, request: str) -> Answer:
    """Bytes as they stand, for what no client library would send."""

    def exchange() -> bytes:
        with socket.create_connection((HOST, s.port), timeout=10) as connection:
            connection.sendall(request.encode())
            received = b""
            while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < length(received):
                piece = connection.recv(65_536)
                if not piece:
                    break
                received += piece
            return received

    def length(received: bytes) -> int:
        lines = received.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
        return next((int(line[16:]) for line in lines if line.startswith(b"content-length: ")), 0)

    received = await asyncio.to_thread(exchange)
    start, _, body = received.partition(b"\r\n\r\n")
    lines = start.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return Answer(status=int(lines[0].split()[1]), headers=headers, body=body)
