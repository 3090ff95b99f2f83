"""What the generated configuration does on a real Envoy: limits, headers, local replies, streams, logs and TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import itertools
import json
import ssl
import time
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

from governance.nodes.node import Node, Pool, Tls, pool_of
from governance.residency import Tier
from sidecar.dataplane import MIB
from sidecar.pools import PoolTable
from tests.e2e.envoy import DEFAULTS, Backend, Rig, rig, stamp, until

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


async def test_body_of_exactly_the_limit_is_buffered_whole() -> None:
    """The worker sees the largest body in one piece, and the node receives the same bytes."""
    body = bytes(range(256)) * (2 * MIB // 256)
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r))
        status, _, _ = await r.ask(body)

        assert (200, [2 * MIB], []) == (status, [len(one) for one in r.worker.bodies], r.worker.chunks)
        assert body == r.backends["device"].received[0].body


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
async def test_larger_body_arrives_in_pieces(declared: bool) -> None:
    """20 MiB, with or without a content-length, reach the worker in pieces and the node whole."""
    body = b"0123456789abcdef" * (20 * MIB // 16)
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r))
        status, headers, _ = await r.ask(body if declared else _pieces(body))

        assert (200, IDENTITY) == (status, ours(headers))
        assert (1 < len(r.worker.chunks), [len(body)]) == (True, [len(one) for one in r.worker.bodies])
        # A piece is what Envoy's buffer holds and the last read on top: the worker's message limit is above that.
        assert max(r.worker.chunks) <= r.settings.buffer_bytes + MIB // 2
        assert body == r.backends["device"].received[0].body


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
async def test_body_in_pieces_can_be_refused_at_its_end(declared: bool) -> None:
    """A refusal of a streamed body is the worker's own answer, and no node has seen a byte."""
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r), refuse=413)
        body = b"x" * (5 * MIB)
        status, headers, answer = await r.ask(body if declared else _pieces(body))

        assert (413, b'{"error":{"message":"ours"}}', {}) == (status, answer, r.served())
        assert "application/json" == headers["Content-Type"]


async def test_body_that_outgrows_the_buffer_is_refused_with_413() -> None:
    """A body of unknown length that is to be buffered (it is no POST) ends at the limit, in the caller's shape."""
    async with rig(base=base, settings=SMALL) as r:
        r.worker.stamp = stamp(everywhere(r))
        # As much as Envoy and the sockets take without reading on: a longer one may end in a reset instead.
        status, _, answer = await r.ask(_pieces(b"x" * (2 * MIB + 512 * 1024)), method="PUT")

        assert (413, "request_too_large", {}) == (status, error(answer)["code"], r.served())


async def test_replaced_body_reaches_the_node_with_its_own_length() -> None:
    """A body of another length with its content-length is what the node receives, framed as one request."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(
            everywhere(r), body=b"short", set_headers={"content-length": "5", "x-ringfence-cell": "c"}
        )
        status, _, _ = await r.ask(b"a much longer body than that")
        received = r.backends["device"].received

        assert (200, 1, b"short", "5") == (
            status,
            len(received),
            received[0].body,
            received[0].headers["Content-Length"],
        )


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


async def test_node_learns_nothing_of_the_caller_or_of_us() -> None:
    """Neither the caller's address nor our markers nor Envoy's own headers go upstream; Host is the node's."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r))
        await r.ask(
            headers={"x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9", "forwarded": "for=203.0.113.9"}
        )
        received = {key.lower(): value for key, value in r.backends["device"].received[0].headers.items()}

        assert r.nodes["device"].address == received["host"]
        assert [] == [
            key for key, value in received.items() if "203.0.113.9" in value or key.startswith(("x-envoy", "x-ring"))
        ]


FORBIDDEN = {
    "host": {"set_headers": {"host": "elsewhere"}},
    "path": {"set_headers": {":path": "/v1/other"}},
    "authority": {"set_headers": {":authority": "elsewhere"}},
    "transfer-encoding": {"set_headers": {"transfer-encoding": "chunked"}},
    "connection": {"set_headers": {"connection": "upgrade"}},
    "envoy's own": {"set_headers": {"x-envoy-retry-on": "5xx"}},
    "removal of host": {"remove_headers": ("host",)},
}


@pytest.mark.parametrize("changes", FORBIDDEN.values(), ids=FORBIDDEN.keys())
async def test_header_that_could_reroute_or_smuggle_is_an_error(changes: Mapping[str, Any]) -> None:
    """A mutation of framing or routing headers is not dropped in silence: the request ends, and no node was asked."""
    async with rig(base=base) as r:
        r.worker.stamp = stamp(everywhere(r), **changes)
        status, _, body = await r.ask()

        assert (503, "gateway_error", {}) == (status, error(body)["code"], r.served())


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

    async def stream(request: web.Request, _: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for _ in range(4):
            await response.write(
                b'data: {"choices":[{"delta":{"content":"\\"prompt_tokens\\": 999"}}],"usage":null}\n\n'
            )
            await asyncio.sleep(0.15)
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
            times = [time.monotonic() async for _ in answer.content.iter_chunks()]

        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert 3 <= len([gap for gap in gaps if gap > 0.1])
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
