"""What the generated configuration does on a real Envoy: limits, headers, local replies, streams, logs and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from governance.headers import FIXED, FIXED_PREFIXES, may_change, may_hold
from governance.nodes.node import Node, Pool, Tls, pool_of
from governance.residency import Tier
from sidecar.clusters import cell_cluster
from sidecar.dataplane import BUFFER_SLACK_BYTES, MIB
from sidecar.headers import READ
from sidecar.outcomes import broken_off
from sidecar.pools import PoolTable
from sidecar.resources import build
from sidecar.snapshot import Snapshot, XdsType, resource
from tests.e2e import http2
from tests.e2e.envoy import DEFAULTS, READY_S, WAYS, Backend, Rig, edit, rig, stamp, until

pytestmark = pytest.mark.e2e

SMALL = replace(DEFAULTS, max_body_bytes=2 * MIB, message_timeout_ms=5_000)
IDENTITY = {"x-ringfence-decision-id": "decision-1", "x-ringfence-action": "allow"}


def base(nodes: Mapping[str, Node]) -> Sequence[Pool]:
    """One pool over everything."""
    return [pool_of(nodes.values())]


def everywhere(r: Rig) -> Pool:
    """The base pool."""
    return r.pool(*r.nodes)


def error(body: bytes) -> dict[str, Any]:
    """The error object of an answer in the OpenAI shape."""
    document = json.loads(body)
    assert ["error"] == list(document)
    assert {"message", "type", "param", "code", "decision_id"} == set(document["error"])
    return dict(document["error"])


def ours(headers: Mapping[str, str]) -> dict[str, str]:
    """Our headers on an answer."""
    return {key.lower(): value for key, value in headers.items() if key.lower().startswith("x-ringfence")}


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1])
async def test_body_of_exactly_the_limit_comes_whole_and_a_longer_one_in_pieces(more: int) -> None:
    """The largest body that fits is one message; with one byte more it is several. The node receives the same bytes."""
    body = bytes(range(256)) * (2 * MIB // 256) + b"x" * more
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r))
        status, _, _ = await r.ask(body)

        assert (200, [len(body)], 1 - more) == (status, [len(one) for one in r.worker.bodies], r.worker.wholes)
        assert body == r.backends["device"].received[0].body


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "undeclared"])
async def test_larger_body_arrives_in_pieces(chunked: bool) -> None:
    """20 MiB, with or without a content-length, reach the worker in pieces and the node whole."""
    body = b"0123456789abcdef" * (20 * MIB // 16)
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r))
        status, headers, _ = await r.ask(body, chunked=chunked)

        assert (200, IDENTITY) == (status, ours(headers))
        assert (1 < len(r.worker.chunks), [len(body)]) == (True, [len(one) for one in r.worker.bodies])
        # A piece is what Envoy's buffer holds and the last read on top: the worker's message limit is above that.
        assert max(r.worker.chunks) <= r.settings.buffer_bytes + MIB // 2
        assert body == r.backends["device"].received[0].body


@pytest.mark.parametrize("size", [10, 5 * MIB])
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "undeclared"])
async def test_body_can_be_refused_at_its_end(chunked: bool, size: int) -> None:
    """A refusal is the worker's own answer, and no node has seen a byte."""
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r), refuse=413)
        status, headers, answer = await r.ask(b"x" * size, chunked=chunked)

        assert (413, b'{"error":{"message":"ours"}}', {}) == (status, answer, r.served())
        assert "application/json" == headers["Content-Type"]


async def test_long_body_of_any_method_is_read_to_its_end_by_the_worker() -> None:
    """What is no POST is streamed as well: there is no limit of Envoy's own that would cut a caller off."""
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r), refuse=404)
        statuses = [
            (await r.ask(b"x" * (5 * MIB), method=method, chunked=chunked))[0]
            for method in ("PUT", "GET", "DELETE")
            for chunked in (False, True)
        ]

        assert ([404] * 6, [5 * MIB] * 6, {}) == (statuses, [len(one) for one in r.worker.bodies], r.served())


async def test_slow_upload_is_no_late_message() -> None:
    """Envoy times the worker, not the caller: a body that takes longer than the message timeout is served."""

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"0123456789"
            await asyncio.sleep(0.7)

    async with rig(base=base, settings=replace(DEFAULTS, message_timeout_ms=2_000)) as r:
        r.worker.stamp = stamp(everywhere(r))
        streamed, _, _ = await r.ask(slowly())
        whole, _, _ = await r.ask(slowly(), headers={"content-length": "40"})

        assert ([200, 200], 1) == ([streamed, whole], r.worker.wholes)
        assert [b"0123456789" * 4] * 2 == [one.body for one in r.backends["device"].received]


LENGTHS = {b"short": "5", b"a body that is longer than the one before": "41", b"": "0"}


@pytest.mark.parametrize(("body", "length"), LENGTHS.items(), ids=["shorter", "longer", "empty"])
async def test_replaced_body_reaches_the_node_with_its_own_length(body: bytes, length: str) -> None:
    """Envoy writes the length of what goes on: the node receives exactly that, framed as one request."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r), body=body)
        status, _, _ = await r.ask(b"twenty-one characters")
        received = r.backends["device"].received

        assert (200, [(body, length, None)]) == (
            status,
            [(one.body, one.headers["Content-Length"], one.headers.get("Transfer-Encoding")) for one in received],
        )


@pytest.mark.parametrize("size", [2, 2 * MIB])
@pytest.mark.parametrize("more", [0, 1])
async def test_replaced_body_in_one_message_has_the_length_that_envoy_holds_at_most(size: int, more: int) -> None:
    """The limit that the worker keeps is where Envoy begins to refuse by itself, however long the body was before."""
    async with rig(base=base, settings=SMALL) as r:
        longest = SMALL.max_body_bytes + BUFFER_SLACK_BYTES
        r.worker.stamp = stamp(everywhere(r), body=b"y" * (longest + more))
        status, _, _ = await r.ask(b"x" * size)

        assert (413 if more else 200, 1) == (status, r.worker.wholes)
        assert [longest] * (1 - more) == [len(one.body) for one in r.backends["device"].received]


async def test_coded_body_comes_in_pieces_and_may_be_replaced_by_any() -> None:
    """What a few bytes unfold to fits no message."""
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = edit(everywhere(r), remove=["content-encoding"], body=b"y" * (8 * MIB))
        status, _, _ = await r.ask(headers={"content-encoding": "gzip"})

        assert (200, 0) == (status, r.worker.wholes)
        assert [8 * MIB] == [len(one.body) for one in r.backends["device"].received]


async def test_replaced_body_of_unknown_length_reaches_the_node_in_chunks() -> None:
    """A body that came in pieces goes on in pieces, without a length that could be wrong."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r), body=b"short")
        statuses = [(await r.ask(b"x" * size, chunked=size < 100))[0] for size in (50, r.settings.max_body_bytes + 1)]

        assert ([200, 200], [(b"short", None, "chunked")] * 2) == (
            statuses,
            [
                (one.body, one.headers.get("Content-Length"), one.headers["Transfer-Encoding"])
                for one in r.backends["device"].received
            ],
        )


async def test_caller_that_waits_for_leave_to_send_gets_it() -> None:
    """`Expect: 100-continue` is Envoy's to answer, in both ways; the node is not asked to."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        answers = [
            await raw(
                r, f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n{framing}\r\n\r\n", body
            )
            for framing, body in (("content-length: 2", b"{}"), ("transfer-encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"))
        ]
        received = r.backends["device"].received

        assert [(True, True)] * 2 == [
            (one.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"), b"HTTP/1.1 200" in one) for one in answers
        ]
        assert [(b"{}", None)] * 2 == [(one.body, one.headers.get("Expect")) for one in received]


async def raw(r: Rig, head: str | bytes, *more: bytes) -> bytes:
    """What comes back for bytes as they stand; each piece of `more` is sent a moment after the one before."""
    reader, writer = await asyncio.open_connection(r.settings.listen_address, r.settings.listen_port)
    received = b""
    try:
        writer.write(head.encode() if isinstance(head, str) else head)
        for piece in more:
            await asyncio.sleep(0.2)
            writer.write(piece)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while piece := await reader.read(65_536):
                    received += piece
    finally:
        writer.close()
        await writer.wait_closed()
    return received


class _nothing:  # noqa: N801  stands for an empty stream, and can be read more than once
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in ():
            yield piece


BARE: dict[str, tuple[dict[str, Any], int]] = {
    "GET": ({"method": "GET"}, 0),
    "HEAD": ({"method": "HEAD"}, 0),
    "OPTIONS": ({"method": "OPTIONS"}, 0),
    "DELETE": ({"method": "DELETE"}, 0),
    "POST with length 0": ({"method": "POST", "headers": {"content-length": "0"}}, 0),
    "POST with an empty chunked body": ({"method": "POST", "body": _nothing()}, 1),
}


@pytest.mark.parametrize(("request_", "bodies"), BARE.values(), ids=BARE.keys())
async def test_request_without_a_body_is_judged_once(request_: dict[str, Any], bodies: int) -> None:
    """Its head reaches the worker, with the end of a body if there was one, and the node once there is a verdict."""
    async with rig(base=base) as r:
        refused, _, _ = await r.ask(**{"body": None, **request_})
        r.worker.stamp = stamp(everywhere(r))
        served, _, _ = await r.ask(**{"body": None, **request_})

        assert (503, 200, 2, 0) == (refused, served, len(r.worker.headers), r.worker.wholes)
        assert [b""] * bodies * 2 == r.worker.bodies
        assert [(request_["method"], b"")] == [(one.method, one.body) for one in r.backends["device"].received]


# --- HTTP/2 from the caller ------------------------------------------------------------------------------------------

H2_HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/v1/chat/completions"), (b":authority", b"x")]
H2_LENGTH = (b"content-length", b"2")
SECRET = [(b"x-secret", b"needle-in-a-trailer")]


async def h2(r: Rig, head: http2.Pairs, body: bytes = b"", trailers: http2.Pairs = ()) -> bool:
    """Whether a request with prior knowledge ends in good order."""
    ended, _ = await http2.ask(r.settings.listen_address, r.settings.listen_port, head, body, trailers)
    return ended


async def test_http2_comes_both_ways_as_well() -> None:
    """A caller with prior knowledge: declared bodies come whole, undeclared ones in pieces, and a GET as a head."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        ended = [
            await h2(r, [*H2_HEAD, H2_LENGTH], b"{}"),
            await h2(r, H2_HEAD, b"{}"),
            await h2(r, [(b":method", b"GET"), *H2_HEAD[1:]]),
        ]

        assert ([True] * 3, 1, [b"{}", b"{}"]) == (ended, r.worker.wholes, r.worker.bodies)
        assert [b"{}", b"{}", b""] == [one.body for one in r.backends["device"].received]


async def test_http2_trailers_reach_no_node() -> None:
    """Behind a whole body they are dropped; behind a body in pieces the worker has them, and refuses."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        assert await h2(r, [*H2_HEAD, H2_LENGTH, (b"te", b"trailers")], b"{}", SECRET)
        r.worker.stamp = stamp(everywhere(r), refuse=400)
        assert await h2(r, [*H2_HEAD, (b"te", b"trailers")], b"{}", SECRET)

        received = r.backends["device"].received
        assert [(b"{}", "2")] == [(one.body, one.headers["Content-Length"]) for one in received]
        assert "needle" not in str(received)


@pytest.mark.parametrize("body", [b"", b"{", b"{}{}"], ids=["no body", "less", "more"])
async def test_http2_body_of_another_length_than_declared_reaches_nobody(body: bytes) -> None:
    """Above all a declared body that does not come: its head is not sent to the worker, and does not go on either."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
            assert not await h2(r, [*H2_HEAD, H2_LENGTH], body)

        assert ([], {}) == (r.worker.headers, r.served())


# --- callers that leave ----------------------------------------------------------------------------------------------


async def test_upload_that_stops_half_way_is_told_apart_by_its_log_entry() -> None:
    """The worker never hears of it but from the access log: the route, and fewer bytes than declared."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        reader, writer = await asyncio.open_connection(r.settings.listen_address, r.settings.listen_port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await writer.wait_closed()
        del reader
        entry = await r.entry()

        assert (True, 1, [], {}) == (broken_off(entry), len(r.worker.entries), r.worker.headers, r.served())


async def test_caller_that_leaves_while_it_is_judged_did_not_break_off() -> None:
    """The worker has the whole request and records it; the log entry must not lead to a second record."""
    async with rig(base=base) as r:
        judging = asyncio.Event()

        async def judge() -> None:
            judging.set()
            await asyncio.sleep(1)

        r.worker.before_verdict = judge
        r.worker.stamp = stamp(everywhere(r))
        asking = asyncio.ensure_future(r.ask())
        await judging.wait()
        asking.cancel()
        entry = await r.entry()
        await asyncio.sleep(1.2)

        assert (False, 1, 1, {}) == (broken_off(entry), len(r.worker.entries), r.worker.wholes, r.served())


# --- headers ---------------------------------------------------------------------------------------------------------


async def test_answer_carries_our_headers_and_never_the_nodes_copies() -> None:
    """Headers of ours that a node sends are replaced; its load report is taken off."""

    async def answer(_: web.Request, __: bytes) -> web.StreamResponse:
        spoofed = {"x-ringfence-decision-id": "forged", "x-ringfence-action": "deny", "endpoint-load-metrics": "cpu=1"}
        return web.json_response({}, headers=spoofed)

    async with rig(base=base) as r:
        r.backends["device"].answer = answer
        r.worker.stamp = stamp(everywhere(r))
        status, headers, _ = await r.ask()

        assert (200, IDENTITY, False) == (status, ours(headers), "endpoint-load-metrics" in headers)


@WAYS
async def test_node_learns_nothing_of_the_caller_or_of_us_but_the_decision(chunked: bool) -> None:
    """Neither the caller's address nor our markers nor Envoy's own headers go upstream; Host is the node's."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        await r.ask(
            headers={"x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9", "forwarded": "for=203.0.113.9"},
            chunked=chunked,
        )
        received = {key.lower(): value for key, value in r.backends["device"].received[0].headers.items()}

        assert r.nodes["device"].address == received["host"]
        assert ["x-ringfence-decision-id"] == [
            key for key, value in received.items() if "203.0.113.9" in value or key.startswith(("x-envoy", "x-ring"))
        ]


UNKNOWN = {
    "x-note": "needle",
    "Cookie": "needle=1",
    "x-envoy-retry-on": "needle",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-ringfence-cell": "needle",
    "x-ringfence-decision-id": "needle",
    "x-ringfence-action": "needle",
    "x-ringfence-declared": "needle",
    "Referer": "http://needle",
    "accept-": "needle",
    "authorizatio": "needle",
    "authorization2": "needle",
    "x-stainles": "needle",
    "x-stainless-note": "needle",
    "x-forwarded-for": "needle",
    "x-forwarded-user": "needle",
    "x-forwarded-email": "needle",
    "x-forwarded-access-token": "needle",
    "x-forwarded-client-cert": "needle",
    "proxy-authorization": "needle",
    "x!#$%&'*+.^`|~": "needle",
}
PASSED = {
    "authorization": "Bearer key",
    "x-api-key": "key",
    "user-agent": "client/1",
    "accept": "application/json",
    "content-type": "application/json",
    "openai-organization": "org",
    "idempotency-key": "1",
    "traceparent": "00-1-2-01",
    "x-stainless-lang": "python",
}


@WAYS
async def test_header_that_nobody_reads_is_gone_before_the_worker_and_the_node(chunked: bool) -> None:
    """Unknown names, cookies and copies of internal ones are removed by Envoy; what a node needs passes unchanged."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        status, _, _ = await r.ask(headers={**UNKNOWN, **PASSED}, chunked=chunked)
        received = {key.lower(): value for key, value in r.backends["device"].received[0].headers.items()}

        assert (200, PASSED) == (status, {name: received.get(name) for name in PASSED})
        assert "needle" not in str(r.worker.headers) + str(received)
        assert set(received) - set(PASSED) <= {
            "host",
            "accept-encoding",
            "content-length",
            "transfer-encoding",
            "x-forwarded-proto",
            "x-request-id",
            "x-ringfence-decision-id",
        }


@WAYS
@pytest.mark.parametrize("name", READ)
async def test_no_header_line_hides_another_from_the_worker(name: str, chunked: bool) -> None:
    """Two lines of one name are both seen, in order, whether they come as one or as two."""
    framing = "transfer-encoding: chunked" if chunked else "content-length: 2"
    body = b"2\r\n{}\r\n0\r\n\r\n" if chunked else b"{}"
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        head = f"POST /v1/chat/completions?a=1 HTTP/1.1\r\nhost: x\r\n{name}: one\r\n{name}: two\r\n{framing}\r\n\r\n"
        await raw(r, head, body)

        seen = [value for one in r.worker.lines for key, value in one if key == name]
        assert ("one,two", 0 if chunked else 1) == (",".join(seen), r.worker.wholes)
        assert "/v1/chat/completions?a=1" == r.worker.headers[0][":path"]


@pytest.mark.parametrize("name", READ)
async def test_header_that_is_no_text_comes_with_its_bytes(name: str) -> None:
    """Attributes are text: a header beyond ASCII has its whole head sent, and the worker and the node see its bytes."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{name}: ".encode() + b"\xc3\xa9\xff"
        await raw(r, head + b"\r\ncontent-length: 2\r\n\r\n{}")

        assert (0, ["\xc3\xa9\xff"]) == (r.worker.wholes, [one[name] for one in r.worker.headers])
        assert [b"{}"] == [one.body for one in r.backends["device"].received]


async def test_path_that_is_no_text_is_refused_or_comes_with_its_bytes() -> None:
    """HTTP/1.1 has no such path; over HTTP/2 the worker sees what was sent."""
    async with rig(base=base) as r:
        answer = await raw(r, b"POST /v1/\xc3\xa9 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        r.worker.stamp = stamp(everywhere(r), refuse=404)
        path = (b":path", b"/v1/\xc3\xa9")
        assert await h2(
            r, [(b":method", b"POST"), (b":scheme", b"http"), path, (b":authority", b"x"), H2_LENGTH], b"{}"
        )

        assert (b"HTTP/1.1 400", 0, ["/v1/\xc3\xa9"]) == (
            answer[:12],
            r.worker.wholes,
            [one[":path"] for one in r.worker.headers],
        )


MUTATIONS = {
    "host": {"set_headers": {"host": "elsewhere"}},
    "path": {"set_headers": {":path": "/v1/other"}},
    "authority": {"set_headers": {":authority": "elsewhere"}},
    "transfer-encoding": {"set_headers": {"transfer-encoding": "chunked"}},
    "connection": {"set_headers": {"connection": "upgrade"}},
    "envoy's own": {"set_headers": {"x-envoy-retry-on": "5xx"}},
    "anything": {"set_headers": {"x-team": "a"}},
    "removal of host": {"remove_headers": ("host",)},
    "removal of anything": {"remove_headers": ("accept",)},
}


@WAYS
@pytest.mark.parametrize("changes", MUTATIONS.values(), ids=MUTATIONS.keys())
async def test_header_mutation_of_ext_proc_changes_nothing_that_goes_on(
    changes: Mapping[str, Any], chunked: bool
) -> None:
    """Where the head was sent it is an error and no node is asked; where it was not, Envoy drops it without a word."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r), **changes)
        status, _, body = await r.ask(chunked=chunked)
        received = r.backends["device"].received

        if chunked:
            assert (503, "gateway_error", {}) == (status, error(body)["code"], r.served())
        else:
            r.worker.stamp = stamp(everywhere(r))
            await r.ask()
            plain = [{**one.headers, "X-Request-ID": ""} for one in received]
            assert (200, 2, plain[0], received[1].path) == (status, len(received), plain[1], received[0].path)


@WAYS
async def test_changes_to_a_head_are_made_before_it_goes_on(chunked: bool) -> None:
    """Removed, set anew and added, with the body as it was; and the decision's id is its own."""
    async with rig(base=base) as r:
        r.worker.stamp = edit(
            everywhere(r),
            remove=["user-agent", "accept-language", "x-absent"],
            put={"accept": "text/plain", "x-team": "a b"},
        )
        status, _, _ = await r.ask(headers={"accept-language": "de"}, chunked=chunked)
        [received] = r.backends["device"].received
        headers = {key.lower(): value for key, value in received.headers.items()}

        assert (200, b'{"model":"m"}', "text/plain", "a b", "decision-1") == (
            status,
            received.body,
            headers["accept"],
            headers["x-team"],
            headers["x-ringfence-decision-id"],
        )
        assert set() == {"user-agent", "accept-language", "x-absent"} & set(headers)


FIXED_EDITS = {
    "host": {"put": {"host": "elsewhere"}},
    "path": {"put": {":path": "/v1/other"}},
    "content-length": {"put": {"content-length": "5"}},
    "transfer-encoding": {"put": {"transfer-encoding": "chunked"}},
    "connection": {"put": {"connection": "upgrade"}},
    "proxy-connection": {"put": {"proxy-connection": "close"}},
    "expect": {"put": {"expect": "100-continue"}},
    "envoy's own": {"put": {"x-envoy-retry-on": "5xx"}},
    "ours": {"put": {"x-ringfence-decision-id": "forged"}},
    "in upper case": {"put": {"X-Team": "a"}},
    "no name": {"put": {"x team": "a"}},
    "two lines": {"put": {"x-team": "a\r\nx-other: b"}},
    "removal of host": {"remove": ["host"]},
    "removal of content-length": {"remove": ["content-length"]},
    "no text": {"put": {"x-team": {"a": "b"}}},
}
# Names to set, and values to set to: what can be, then what cannot.
NAMES = ["x-team", "a", "!#$%&'*+-.^_`|~0", "user-agent", "content-encoding", "te2", "x-forwarded"]
NAMES += [*FIXED, *(f"{prefix}a" for prefix in FIXED_PREFIXES), "", ":path", "X-Team", "x team", "x,y", "x-t\xe9am"]
VALUES = ["", "a", "a\tb", "a b", "t\xe9am \u20ac", "\x80", "a\r\nx-other: b", "a\nb", "a\0b", "\x1f", "\x7f"]


@WAYS
@pytest.mark.parametrize("changes", FIXED_EDITS.values(), ids=FIXED_EDITS.keys())
async def test_change_that_nobody_may_make_leaves_the_request_without_a_route(
    changes: Mapping[str, Any], chunked: bool
) -> None:
    """Framing, routing and markers stay as they are: whoever asks for more is refused as a whole, as is a broken ask."""
    async with rig(base=base) as r:
        r.worker.stamp = edit(everywhere(r), **changes)
        status, _, body = await r.ask(chunked=chunked)

        assert (503, "not_placed", {}) == (status, error(body)["code"], r.served())


async def test_envoy_makes_the_changes_that_enforcement_does_not_refuse_and_no_others() -> None:
    """One by one: what `governance.headers` lets through reaches the node, and nothing else does."""
    tried = [(name, "a") for name in NAMES] + [("x-team", value) for value in VALUES]
    async with rig(base=base) as r:
        received = r.backends["device"].received
        for name, value in tried:
            received.clear()
            r.worker.stamp = edit(everywhere(r), put={name: value})
            status, _, _ = await r.ask()

            made = [{key.lower(): held for key, held in one.headers.items()}.get(name) for one in received]
            may = may_change(name) and may_hold(value)
            assert (200 if may else 503, [value] if may else []) == (status, made), (name, value)


ODD: dict[str, tuple[dict[str, Any], int]] = {
    "upgrade": ({"method": "GET", "body": None, "headers": {"connection": "upgrade", "upgrade": "websocket"}}, 403),
    "underscore in a header name": ({"headers": {"x_ringfence_pool": "1"}}, 400),
    "a header section too large": (
        {"headers": {"x-long": "x" * 8_000, **{f"x-{i}": "y" * 7_000 for i in range(9)}}},
        431,
    ),
    "too many headers": ({"headers": {f"x-{i}": "y" for i in range(120)}}, 431),
}


@pytest.mark.parametrize(("request_", "expected"), ODD.values(), ids=ODD.keys())
async def test_odd_request_is_refused_before_any_node_and_in_shape(request_: dict[str, Any], expected: int) -> None:
    """Upgrades and header tricks end in Envoy, with a body that an OpenAI client can read."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        status, _, body = await r.ask(**request_)

        assert (expected, {}) == (status, r.served())
        if body:
            assert "bad_request" == error(body)["code"]


async def test_escaped_slash_in_a_path_is_refused() -> None:
    """A path that two readers would split differently reaches nobody."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        reader, writer = await asyncio.open_connection(r.settings.listen_address, r.settings.listen_port)
        writer.write(b"GET /v1%2Fmodels HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert (b"HTTP/1.1 400", [], {}) == (answer[:12], r.worker.headers, r.served())


async def test_path_is_not_rewritten_between_the_caller_and_the_worker() -> None:
    """Dots and double slashes arrive as they were sent, for the worker to refuse."""
    async with rig(base=base) as r:
        reader, writer = await asyncio.open_connection(r.settings.listen_address, r.settings.listen_port)
        writer.write(b"GET /v1/../admin//x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()

        assert ["/v1/../admin//x"] == [one[":path"] for one in r.worker.headers]


# --- local replies ---------------------------------------------------------------------------------------------------


async def test_workers_own_answers_pass_unchanged() -> None:
    """Refusals and answers of the worker keep status, body and headers."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r), refuse=403)
        refused = await r.ask()
        r.worker.stamp = stamp(everywhere(r), refuse=200, details="ringfence_answered")
        answered = await r.ask()

        assert [(403, "deny"), (200, "deny")] == [(one[0], one[1]["x-ringfence-action"]) for one in (refused, answered)]
        assert {b'{"error":{"message":"ours"}}'} == {refused[2], answered[2]}


async def test_caller_cannot_pass_for_the_worker() -> None:
    """Any other code details get Envoy's reply, whatever its body was."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r), refuse=403, details="something_else")
        status, _, body = await r.ask()

        assert (403, "bad_request", "decision-1") == (status, error(body)["code"], error(body)["decision_id"])


async def test_node_that_is_too_slow_is_a_504_with_the_decision() -> None:
    """The upstream timeout ends in the caller's shape, with the headers of the decision."""

    async def slow(_: web.Request, __: bytes) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.json_response({})

    async with rig(base=base, settings=replace(DEFAULTS, upstream_timeout_ms=300)) as r:
        for backend in r.backends.values():
            backend.answer = slow
        r.worker.stamp = stamp(everywhere(r))
        status, headers, body = await r.ask()

        assert (504, IDENTITY, "node_timeout", "decision-1") == (
            status,
            ours(headers),
            error(body)["code"],
            error(body)["decision_id"],
        )


async def test_request_that_never_ends_is_a_408() -> None:
    """A body that does not come is given up after the request timeout, before any node."""
    async with rig(base=base, settings=replace(DEFAULTS, request_timeout_ms=400)) as r:
        reader, writer = await asyncio.open_connection(r.settings.listen_address, r.settings.listen_port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert (b"HTTP/1.1 408", {}) == (answer[:12], r.served())
        assert "request_timeout" == error(answer.split(b"\r\n\r\n", 1)[1])["code"]


async def test_worker_that_is_gone_is_a_503_that_says_so() -> None:
    """Inspection that cannot happen has a code of its own."""
    async with rig(base=base) as r:
        await r.worker.stop()
        status, _, body = await r.ask()

        assert (503, "inspection_unavailable", None) == (status, error(body)["code"], error(body)["decision_id"])


# --- answers and the access log --------------------------------------------------------------------------------------


async def test_streamed_answer_arrives_event_by_event_and_is_counted() -> None:
    """Each event is passed on as the node sends it; the token counts of the last one reach the worker."""

    arrived = asyncio.Semaphore(0)

    async def stream(request: web.Request, _: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for _ in range(4):
            await response.write(
                b'data: {"choices":[{"delta":{"content":"\\"prompt_tokens\\": 999"}}],"usage":null}\n\n'
            )
            # The next one is not sent before this one is there.
            await asyncio.wait_for(arrived.acquire(), 60)
        await response.write(b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5}}\n\n')
        await response.write(b"data: [DONE]\n\n")
        return response

    async with rig(base=base) as r:
        r.backends["device"].answer = stream
        r.worker.stamp = stamp(everywhere(r))
        async with (
            aiohttp.ClientSession() as session,
            session.post(r.url + "/v1/chat/completions", data=b"{}") as answer,
        ):
            pieces = []
            async for piece, _ in answer.content.iter_chunks():
                pieces.append(piece)
                arrived.release()

        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
        assert {"prompt_tokens": 11.0, "completion_tokens": 5.0} == await _usage(r)


async def _usage(r: Rig) -> dict[str, float]:
    found = (await r.entry()).common_properties.metadata.filter_metadata
    return {key: value.number_value for key, value in found["ringfence.usage"].fields.items()}


def _document(size: int) -> bytes:
    choices = [{"message": {"content": 'z"prompt_tokens": 1 ' * (size // 20)}}]
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 0}}
    return json.dumps({"choices": choices, "usage": usage, "system_fingerprint": "fp"}).encode()


@pytest.mark.parametrize("size", [100, 5_000_000, 20_000_000])
async def test_answer_of_any_size_passes_unchanged_and_is_counted(size: int) -> None:
    """Answers above every buffer limit pass whole; the counts are read from their end, never from their text."""
    document = _document(size)

    async def answer(_: web.Request, __: bytes) -> web.StreamResponse:
        return web.Response(body=document, content_type="application/json")

    async with rig(base=base, settings=SMALL) as r:
        r.backends["device"].answer = answer
        r.worker.stamp = stamp(everywhere(r))
        status, _, body = await r.ask()

        assert (200, True) == (status, document == body)
        assert {"prompt_tokens": 7.0, "completion_tokens": 9.0} == await _usage(r)


async def test_answer_that_is_not_json_is_left_alone() -> None:
    """Other kinds of answers, and those without a body, pass and count nothing."""

    async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(status=204)
        return web.Response(text='"prompt_tokens": 3')

    async with rig(base=base) as r:
        r.backends["device"].answer = answer
        r.worker.stamp = stamp(everywhere(r))
        statuses = [(await r.ask())[0], (await r.ask(None, method="GET"))[0]]
        await until(lambda: len(r.worker.entries) == 2, what="no access log entries")

        assert [200, 204] == statuses
        assert [False, False] == [
            "ringfence.usage" in one.common_properties.metadata.filter_metadata for one in r.worker.entries
        ]


async def test_outcome_names_the_node_and_the_decision_and_no_content() -> None:
    """The log entry has what the outcome record needs: decision, pool, node, address, status; no header, no body."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        await r.ask(b'{"secret":"needle-in-body"}', headers={"x-note": "needle-in-header"})
        entry = await r.entry()
        properties = entry.common_properties
        address = properties.upstream_remote_address.socket_address

        assert "device" == properties.custom_tags["node"]
        assert r.nodes["device"].address == f"{address.address}:{address.port_value}"
        assert everywhere(r).name == properties.metadata.filter_metadata["envoy.lb"]["pool"]
        assert "decision-1" == properties.metadata.filter_metadata["ringfence"]["decision_id"]
        assert (200, everywhere(r).cell) == (entry.response.response_code.value, properties.upstream_cluster)
        assert "needle" not in str(entry)


async def test_outcome_reaches_the_worker_that_decided_and_undecided_ones_the_first() -> None:
    """Entries are split by the worker's mark; what bears none is the first worker's to count."""
    async with rig(base=base, workers=2) as r:
        marked = stamp(everywhere(r))
        marks = {**marked.metadata["ringfence"], "worker": "1"}
        for worker in r.workers:
            worker.stamp = replace(marked, metadata={**marked.metadata, "ringfence": marks})
        await r.ask()
        await r.ask(headers={"x_y": "refused by envoy itself"})
        await until(lambda: all(worker.entries for worker in r.workers), what="an entry is missing")

        assert [[400], [200]] == [[one.response.response_code.value for one in worker.entries] for worker in r.workers]


# --- TLS -------------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(
            self.name, self.key.public_key(), x509.BasicConstraints(ca=True, path_length=None)
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject: x509.Name, key: Any, *extensions: Any) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, *names: str) -> ssl.SSLContext:
        """A server's TLS settings with a certificate for `names`."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [
            x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(subject, key.public_key(), x509.SubjectAlternativeName(alternatives))
        file = self.folder / f"{names[0]}.both.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


TRANSPORTS = {
    "right name and trust": ("node.example", "own", True),
    "a name the certificate lacks": ("other.example", "own", False),
    "an authority we do not trust": ("node.example", "foreign", False),
    "plain text to a TLS node": (None, "own", False),
}


@pytest.mark.parametrize(("name", "issuer", "works"), TRANSPORTS.values(), ids=TRANSPORTS.keys())
async def test_node_is_spoken_to_only_over_a_verified_connection(
    name: str | None, issuer: str, works: bool, tmp_path: Path
) -> None:
    """Trust store and name both have to match; otherwise the answer is 503 and the node saw no request."""
    own, foreign = Authority(tmp_path, "own"), Authority(tmp_path, "foreign")
    backend = Backend("secure")
    await backend.start(tls=(own if issuer == "own" else foreign).server("node.example"))
    try:
        async with rig(base=base) as r:
            tls = Tls(server_name=name, ca_file=str(own.file)) if name is not None else None
            node = Node(
                id="secure",
                address=f"127.0.0.1:{backend.port}",
                country="DE",
                region="de",
                tier=Tier.ON_PREM,
                models=("m",),
                tls=tls,
            )
            assert await r.serve(PoolTable.of([node], base=[pool_of([node])]))
            r.worker.stamp = stamp(pool_of([node]))
            status, _, _ = await r.ask()
    finally:
        await backend.stop()

    assert (200 if works else 503, 1 if works else 0) == (status, len(backend.received))


@pytest.mark.parametrize("secure", [True, False], ids=["over TLS", "plain"])
async def test_endpoint_that_matches_no_transport_is_not_spoken_to(secure: bool, tmp_path: Path) -> None:
    """Whatever it presents; and a machine without a trust store of its own has this for its plain nodes."""
    backend = Backend("node")
    await backend.start(tls=Authority(tmp_path, "own").server("node.example") if secure else None)
    try:
        async with rig(base=base, settings=replace(DEFAULTS, system_ca_file="/none.crt", health_check=None)) as r:
            address = f"127.0.0.1:{backend.port}"
            node = Node(id="n", address=address, country="DE", region="de", tier=Tier.ON_PREM, models=("m",))
            whole = build(r.settings, PoolTable.of([node], base=[pool_of([node])]).cells, {})
            bare = cell_cluster(r.settings, "cell-de", (), plain=False)
            r.ads.publish(
                Snapshot.of(
                    resource(one.type, one.name, bare) if (one.type, one.name) == (XdsType.CLUSTER, "cell-de") else one
                    for one in whole.all()
                )
            )
            assert await r.ads.wait_acked(r.ads.status().version, READY_S)
            r.worker.stamp = stamp(pool_of([node]))
            status, _, _ = await r.ask()
    finally:
        await backend.stop()

    assert (503, []) == (status, backend.received)
