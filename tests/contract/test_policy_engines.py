"""The same questions to regopy and to a real OPA server: equal contributions, equal decisions."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.decision import Action, Contribution, Decision, Provenance
from governance.errors import AuditUnavailable, ConfigInvalid, PolicyUnavailable
from governance.facts import EntityFact, Facts, LabelFact, Parse, SubjectJurisdiction, UninspectedCount
from governance.finding import DetectionStatus
from governance.inference import Media, Operation, Unread
from governance.policy.bundle import Bundle, canonical, load_bundle
from governance.policy.contract import facts_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.engine import Decider
from governance.policy.lattice import combine
from governance.policy.opa import OpaEngine
from governance.policy.sample import full, plain
from governance.segment import Role
from tests.bundles import ALLOW, bundle_of, facts_with, policy

pytestmark = pytest.mark.opa

CASES: list[tuple[str, Facts, Action, set[tuple[str, str]]]] = [
    ("clean", plain(), Action.ALLOW, {("baseline", "inspected")}),
    ("model listing", facts_with(operation=Operation.LIST_MODELS, status=DetectionStatus.SKIPPED), Action.ALLOW, {("baseline", "model_listing")}),
    ("mail of nobody known", facts_with({"EMAIL_ADDRESS": (900, False)}), Action.ALLOW_MODIFIED, {("baseline", "inspected"), ("personal_data_third_country", "outside_eea")}),
    ("mail of an American", facts_with({"EMAIL_ADDRESS": (900, False)}, subjects={"US": 900}), Action.ALLOW_MODIFIED, {("baseline", "inspected"), ("personal_data_third_country", "outside_eea")}),
    ("mail of a German", facts_with({"EMAIL_ADDRESS": (900, False)}, subjects={"DE": 900}), Action.ALLOW_MODIFIED, {("baseline", "inspected"), ("personal_data_third_country", "eea_or_adequate")}),
    ("health of a German", facts_with({"PERSON": (900, False)}, {"health": 900}, {"DE": 900}), Action.ALLOW_MODIFIED, {("baseline", "inspected"), ("personal_data_third_country", "eea_or_adequate"), ("health_data", "own_machines"), ("health_data", "eea_subject")}),
    ("card", facts_with({"CREDIT_CARD": (1000, True)}), Action.ALLOW_MODIFIED, {("baseline", "inspected"), ("payment_cards", "replace_card"), ("payment_cards", "alert_card")}),
    ("key", facts_with({"API_KEY": (900, True)}), Action.DENY, {("baseline", "inspected"), ("credentials", "certain")}),
    ("weak key", facts_with({"API_KEY": (100, False)}), Action.ALLOW, {("baseline", "inspected"), ("credentials", "doubtful")}),
    ("image", facts_with(media=(Media.IMAGE,)), Action.ALLOW_MODIFIED, {("uninspected_content", "own_machines")}),
    ("detection timed out", facts_with(status=DetectionStatus.TIMEOUT), Action.DENY, {("uninspected_content", "not_classified")}),
    ("body unreadable", facts_with(parse=Parse(status="failed")), Action.DENY, {("uninspected_content", "not_parsed")}),
    ("unknown operation", facts_with(operation=Operation.UNKNOWN), Action.DENY, {("", "no_policy_allows")}),
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def opa_server(address: str, *arguments: str) -> Iterator[None]:
    command = ["opa", "run", "--server", "--addr", address, "--log-level", "error", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def wait_until_healthy(url: str) -> None:
    for _ in range(200):
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/health", timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError("the OPA server did not start in ten seconds")


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    with opa_server(address):
        wait_until_healthy(f"http://{address}")
        yield f"http://{address}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that each test pushes its own bundle to."""
    with running_server() as address:
        yield address


@pytest.fixture(scope="module")
def library_url() -> Iterator[str]:
    """A server that holds the library for as long as the module runs."""
    with running_server() as address:
        yield address


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(["builtin"])


@pytest.fixture(scope="module")
def asked(library_url: str, bundle: Bundle) -> Iterator[Any]:
    """A function that asks both engines; the session of the server lives on one loop for the whole module."""
    runner = asyncio.Runner()
    server = runner.run(OpaEngine(bundle, url=library_url, deadline_ms=5000).start())
    embedded = EmbeddedEngine(bundle)
    ids = [one.id for one in bundle.policies]

    def ask(facts: Facts) -> tuple[tuple[Contribution, ...], tuple[Contribution, ...]]:
        document = facts_bytes(facts)
        return embedded.evaluate(ids, document), runner.run(server.evaluate(ids, document))

    yield ask
    runner.run(server.close())
    runner.close()


def decided(contributions: tuple[Contribution, ...]) -> Decision:
    return combine(contributions, decision_id="d", phase="request", provenance=Provenance())


@pytest.mark.parametrize(("facts", "action", "rules"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_both_engines_decide_as_expected(asked: Any, facts: Facts, action: Action, rules: set[tuple[str, str]]) -> None:
    """The library says the same on regopy and on OPA, and it is what a person would expect."""
    embedded, opa = asked(facts)
    decision = decided(embedded)

    assert (embedded, action, rules) == (opa, decision.action, {(one.policy, one.rule) for one in decision.reasons})


permille = st.sampled_from([0, 1, 299, 300, 499, 500, 699, 700, 799, 800, 900, 1000])
entities = st.lists(
    st.builds(
        EntityFact,
        type=st.sampled_from(["API_KEY", "CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "JWT", "PERSON", "US_SSN", "LOCATION", 'X"\\Y', "é\n"]),
        count=st.integers(1, 9),
        max_permille=permille,
        validated=st.booleans(),
        where=st.just((Role.USER,)),
    ),
    max_size=4,
    unique_by=lambda one: one.type,
)  # fmt: skip
labels = st.lists(
    st.builds(LabelFact, name=st.sampled_from(["health", "credentials", "financial", "\u2028"]), permille=permille),
    max_size=3,
    unique_by=lambda one: one.name,
)
codes = st.sampled_from(["DE", "NO", "US", "CH", "EU", "EEA", "DE-BY", "unknown", "", "-", "de", "ÐE"])
subjects = st.lists(st.builds(SubjectJurisdiction, code=codes, permille=permille, basis=st.just("content")), max_size=3)


@st.composite
def facts_strategy(draw: st.DrawFn) -> Facts:
    facts = plain()
    classification = replace(
        facts.classification,
        status=draw(st.sampled_from([*[DetectionStatus.COMPLETE] * 4, *DetectionStatus])),
        entities=tuple(draw(entities)),
        labels=tuple(draw(labels)),
    )
    request = replace(
        facts.request,
        operation=draw(st.sampled_from([*[Operation.CHAT] * 4, *Operation])),
        parse=Parse(status=draw(st.sampled_from(["ok", "ok", "partial", "failed", "unsupported"])), truncated=draw(st.booleans())),
        media=tuple(draw(st.lists(st.sampled_from(Media), max_size=1))),
        uninspected=tuple(UninspectedCount(reason=reason, count=1) for reason in draw(st.lists(st.sampled_from(Unread), max_size=1))),
    )  # fmt: skip
    origin = replace(facts.origin, jurisdiction=draw(codes), subject_jurisdictions=tuple(draw(subjects)))
    return replace(facts, classification=classification, request=request, origin=origin)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=facts_strategy())
def test_engines_contribute_alike_to_any_facts(asked: Any, facts: Facts) -> None:
    """For random facts, thresholds and strange names among them, both engines contribute the same and never fail."""
    embedded, opa = asked(facts)

    assert (embedded, set()) == (opa, {one.failure for one in embedded if one.failure})


async def test_decider_on_opa_has_the_servers_version(url: str, bundle: Bundle) -> None:
    """The engine that decided is in the provenance, with its version."""
    async with Decider.open(bundle, "opa", url) as decider:
        decision = await decider.decide(full(), decision_id="d")

    assert (
        decision.provenance.engine,
        decision.provenance.engine_version.startswith("opa 1."),
        decision.action,
    ) == ("opa", True, Action.DENY)


@contextlib.asynccontextmanager
async def on_both(url: str, bundle: Bundle) -> AsyncIterator[Any]:
    server = await OpaEngine(bundle, url=url, deadline_ms=5000).start()
    embedded = EmbeddedEngine(bundle)

    async def ask(document: object) -> tuple[tuple[Contribution, ...], tuple[Contribution, ...]]:
        ids = [one.id for one in bundle.policies]
        return embedded.evaluate(ids, canonical(document)), await server.evaluate(ids, canonical(document))

    try:
        yield ask
    finally:
        await server.close()


async def test_failures_are_alike_and_stay_with_their_policy(url: str, tmp_path: Path) -> None:
    """A conflict, a builtin that fails, a wrong schema and an undefined rule end alike on both engines."""
    files = {
        "a.rego": policy("a", f"x := 1\n\nx := 2 if input.x\n\neffects contains {ALLOW} if x"),
        "b.rego": policy("b", f"effects contains {ALLOW} if to_number(input.y) == 1"),
        "c.rego": policy("c", 'effects contains {"effect": "allow"}'),
        "d.rego": policy("d", f"effects := [{ALLOW}] if input.z"),
        "e.rego": policy("e", f"effects contains {ALLOW}"),
    }
    async with on_both(url, bundle_of(tmp_path, files)) as ask:
        embedded, opa = await ask({"x": True, "y": "one"})

    assert embedded == opa
    assert [one.failure for one in opa] == ["eval", "eval", "schema", None, None]
    assert [len(one.effects) for one in opa] == [0, 0, 0, 0, 1]


async def test_hostile_strings_are_alike(url: str, tmp_path: Path) -> None:
    """Quotes, escapes, NUL and separators in an echoed string give the same effects on both engines."""
    body = 'effects contains {"effect": "pin", "rule": "r", "code": "c", "params": {"nodes": {"any": [input.x]}}}'
    async with on_both(url, bundle_of(tmp_path, {"p.rego": policy("p", body)})) as ask:
        for text in ('x","effect":"allow', "a\\b", "a\0b", "\u2028", "é😀", "a\nb\x01", "<error>"):
            embedded, opa = await ask({"x": text})

            assert embedded == opa
            assert (text,) == opa[0].effects[0].params.nodes.any


async def test_policy_that_the_server_does_not_hold_denies(url: str, tmp_path: Path) -> None:
    """A server with other policies is not a server on which nothing applies."""
    engine = OpaEngine(bundle_of(tmp_path, {"p.rego": policy("never_pushed")}), url=url, push=False)
    await engine.start()
    (contribution,) = await engine.evaluate(["never_pushed"], b"{}")
    await engine.close()

    assert (contribution.failure, decided((contribution,)).action) == ("eval", Action.DENY)


async def test_second_push_replaces_the_first(url: str, tmp_path: Path) -> None:
    """Modules of an earlier bundle are gone after the next push."""
    async with on_both(url, bundle_of(tmp_path / "1", {"p.rego": policy("p"), "q.rego": policy("q")})):
        pass
    second = bundle_of(tmp_path / "2", {"p.rego": policy("p")})
    async with on_both(url, second) as ask:
        await ask({})
    old = OpaEngine(bundle_of(tmp_path / "3", {"q.rego": policy("q")}), url=url, push=False)
    await old.start()
    (contribution,) = await old.evaluate(["q"], b"{}")
    await old.close()

    assert contribution.failure == "eval"


async def test_answers_of_another_bundle_are_no_answers(url: str, tmp_path: Path) -> None:
    """When somebody pushes another bundle to the server, decisions under the old digest end."""
    bundle = bundle_of(tmp_path / "1", {"p.rego": policy("p")})
    async with on_both(url, bundle) as ask:
        before = await ask({})
        async with on_both(
            url, bundle_of(tmp_path / "2", {"p.rego": policy("p", f"effects contains {ALLOW} if true")})
        ):
            with pytest.raises(PolicyUnavailable, match="holds another bundle"):
                await ask({})

    assert before[0] == before[1]


async def test_refused_candidate_leaves_the_last_good_on_the_server(url: str, tmp_path: Path) -> None:
    """A push that broke off is undone: the server holds the old bundle again, and decisions go on."""
    good = bundle_of(tmp_path / "1", {"p.rego": policy("p")})
    bad = bundle_of(tmp_path / "2", {"p.rego": policy("p", f"effects contains {ALLOW} if not x == 1")})
    unrecorded = bundle_of(tmp_path / "3", {"p.rego": policy("p", f"effects contains {ALLOW} if true")})

    async def recorded(_: Bundle) -> None:
        raise AuditUnavailable

    async def broken(_: Bundle) -> None:
        raise RuntimeError

    async with Decider.open(good, "opa", url, deadline_ms=5000, cache_size=0) as decider:
        for refused, before, error in (
            (bad, None, ConfigInvalid),
            (unrecorded, recorded, AuditUnavailable),
            (unrecorded, broken, RuntimeError),
        ):
            with pytest.raises(error):
                await decider.reload(refused, before=before)
            decision = await decider.decide(plain(), decision_id="d")

            assert (Action.ALLOW, good.digest) == (decision.action, decision.provenance.digest)


async def test_module_that_opa_refuses_is_named(url: str, tmp_path: Path) -> None:
    """An unsafe variable passes regopy and not OPA: the file is in the error."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", f"effects contains {ALLOW} if not x == 1")})

    with pytest.raises(ConfigInvalid, match=r"p\.rego: the OPA server refuses the module"):
        await OpaEngine(bundle, url=url).start()


async def test_server_behind_a_unix_socket_answers(tmp_path: Path, bundle: Bundle) -> None:
    """A server that loaded the library itself is asked through its socket."""
    path = tmp_path / "opa.sock"
    top = bundle.directories[0]
    with opa_server(
        f"unix://{path}", "--ignore", "cases.yaml", "--ignore", "params*.json", str(top / "policies"), str(top / "data")
    ):
        for _ in range(200):
            if path.exists():
                break
            await asyncio.sleep(0.05)
        async with Decider.open(bundle, "opa", f"unix://{path}", push=False, deadline_ms=5000) as decider:
            decision = await decider.decide(plain(), decision_id="d")

    assert decision.action == Action.ALLOW


async def test_server_that_died_is_unavailable(bundle: Bundle) -> None:
    """Between two requests the server goes away: the second is not decided, and nothing is allowed."""
    address = f"127.0.0.1:{free_port()}"
    with opa_server(address):
        await asyncio.to_thread(wait_until_healthy, f"http://{address}")
        engine = await OpaEngine(bundle, url=f"http://{address}", deadline_ms=5000).start()
        before = await engine.evaluate(["baseline"], facts_bytes(plain()))
    with pytest.raises(PolicyUnavailable):
        await engine.evaluate(["baseline"], facts_bytes(plain()))
    await engine.close()

    assert None is before[0].failure


async def test_server_that_starts_anew_is_given_the_bundle_again(bundle: Bundle) -> None:
    """While it is away requests are refused, soon without being tried; once it is back and holds the bundle, decided."""
    address = f"127.0.0.1:{free_port()}"

    async def asked() -> str:
        try:
            return str((await engine.evaluate(["baseline"], facts_bytes(plain())))[0].failure)
        except PolicyUnavailable as refusal:
            return str(refusal)

    with opa_server(address):
        await asyncio.to_thread(wait_until_healthy, f"http://{address}")
        engine = await OpaEngine(bundle, url=f"http://{address}", deadline_ms=5000).start()
    away = [await asked() for _ in range(7)]
    back: list[str] = []
    with opa_server(address):
        await asyncio.to_thread(wait_until_healthy, f"http://{address}")
        while "None" not in back and len(back) < 600:
            back.append(await asked())
            await asyncio.sleep(0.05)
    await engine.close()

    assert ("the OPA server cannot be reached", "the OPA server did not answer lately") == (away[0], away[-1])
    assert "None" == back[-1]


@pytest.mark.parametrize(
    ("answer", "status", "expected"),
    [
        (b"{}", 200, "eval"),
        (b'{"result": {}}', 200, "eval"),
        (b'{"result": {"p": {"effects": []}, "p": {"effects": []}}}', 200, "schema"),
        (b"not json", 200, "schema"),
        (b'{"result": {"p": {"effects": "x"}}}', 200, "schema"),
        (b"{}", 500, "eval"),
        (None, 200, "timeout"),
    ],
)
async def test_strange_answers_deny(tmp_path: Path, answer: bytes | None, status: int, expected: str) -> None:
    """A server that answers something else, twice the same key, or too late is a failure of every policy."""

    async def reply(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(body=b'{"provenance": {"version": "0"}}')
        if answer is None:
            await asyncio.sleep(2)
        return web.Response(body=answer or b"", status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    bundle = bundle_of(tmp_path, {"p.rego": policy("p")})
    engine = await OpaEngine(bundle, url=f"http://127.0.0.1:{port}", deadline_ms=300, push=False).start()
    (contribution,) = await engine.evaluate(["p"], b"{}")
    await engine.close()
    await runner.cleanup()

    assert (expected, Action.DENY) == (contribution.failure, decided((contribution,)).action)


@pytest.mark.parametrize("status", [301, 401, 404, 503])
async def test_server_that_will_not_answer_is_unavailable(tmp_path: Path, status: int) -> None:
    """Any other status is no answer, and a redirect is not followed."""

    async def reply(request: web.Request) -> web.Response:
        return web.Response(body=b"{}", status=200 if request.method == "GET" else status, headers={"location": "/x"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    bundle = bundle_of(tmp_path, {"p.rego": policy("p")})
    engine = await OpaEngine(bundle, url=f"http://127.0.0.1:{port}", push=False).start()
    with pytest.raises(PolicyUnavailable):
        await engine.evaluate(["p"], b"{}")
    await engine.close()
    await runner.cleanup()
