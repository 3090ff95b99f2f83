"""Hostile text in every free place of the policy input, on every engine: it is decided as a harmless word, or refused."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from governance.decision import Action, Contribution, Decision, Provenance
from governance.errors import ConfigInvalid, GovernanceError, MalformedRequest
from governance.facts import Facts
from governance.policy.bundle import Bundle, canonical, load_bundle
from governance.policy.contract import decision_bytes, facts_bytes, facts_from_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.engine import Decider
from governance.policy.lattice import combine
from governance.policy.opa import OpaEngine
from governance.policy.plan.build import build_plan
from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine
from governance.policy.result import contribution_of
from governance.policy.sample import full
from tests import hostile
from tests.agreement import Batches
from tests.bundles import ALLOW, bundle_of, policy
from tests.hostile import CANARY, HARMLESS, KEY
from tests.servers import running_opa

pytestmark = [
    pytest.mark.opa,
]

ENGINES = ("plan", "embedded", "opa")
STRINGS = hostile.strings()
PLACES = hostile.places()
# What goes into all places at once: the longest ones would make one document of tens of megabytes.
SHORT = {name: text for name, text in STRINGS.items() if len(text) <= 4096}
LONG = {name: text for name, text in STRINGS.items() if name not in SHORT}


@pytest.fixture(autouse=True)
def nothing_is_told(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test of this module may leave content in a log or on a standard stream."""
    caplog.set_level(logging.DEBUG)
    yield
    told = capfd.readouterr()
    assert CANARY not in told.out + told.err + caplog.text


@pytest.fixture(scope="module")
def urls() -> Iterator[tuple[str, str, str]]:
    """Servers, each for one bundle at a time: for the library, for the policies of a test, and for numbers."""
    with running_opa() as library, running_opa() as test, running_opa() as numbers:
        yield library, test, numbers


@pytest.fixture(scope="module")
def library() -> Bundle:
    """As it comes, with its plan."""
    bundle = load_bundle(["builtin"])
    return replace(bundle, plan=build_plan(bundle))


@pytest.fixture(scope="module")
def on_the_library(library: Bundle, urls: tuple[str, str, str]) -> Iterator[Callable[[Facts], Mapping[str, Decision]]]:
    """A function that decides by the library on every engine. Errors of ours pass."""
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        deciders = {
            engine: runner.run(
                opened.enter_async_context(
                    Decider.open(library, engine, urls[0], deadline_ms=60_000, cache_size=0, trial=lambda _: None)
                )
            )
            for engine in ENGINES
        }

        def decide(facts: Facts) -> Mapping[str, Decision]:
            return {name: runner.run(one.decide(facts, decision_id="d")) for name, one in deciders.items()}

        yield decide
        runner.run(opened.aclose())


Asked = Callable[[Sequence[Any]], Mapping[str, list[tuple[Contribution, ...]]]]


def on_each(bundle: Bundle, url: str, runner: asyncio.Runner) -> tuple[Asked, Callable[[], None]]:
    """A function that has every policy of `bundle` asked about documents on each engine, and one that ends it."""
    plan, embedded = PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS), EmbeddedEngine(bundle)
    server = Batches(bundle, url)
    runner.run(server.start())
    ids = [one.id for one in bundle.policies]

    def ask(documents: Sequence[Any]) -> Mapping[str, list[tuple[Contribution, ...]]]:
        return {
            "plan": [plan.evaluate_now(ids, canonical(document)) for document in documents],
            "embedded": [embedded.evaluate(ids, canonical(document)) for document in documents],
            "opa": runner.run(server.contributions(documents)),
        }

    return ask, lambda: runner.run(server.close())


def essence(decision: Decision) -> tuple[object, ...]:
    """What a caller and the data plane see of a decision."""
    return decision.action, decision.deny, decision.obligations, decision.reasons, decision.shadow, decision.errors


# --- the library ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [hostile.calm(), full()], ids=["allowed", "denied"])
def test_the_library_decides_on_hostile_text_as_on_any_other(
    on_the_library: Callable[[Facts], Mapping[str, Decision]], facts: Facts
) -> None:
    """Action, denial, obligations and reasons are those for a harmless word in the same places, on every engine."""
    expected = essence(on_the_library(hostile.holding(facts, PLACES, HARMLESS))["plan"])

    for name, text in list(SHORT.items())[:: 3 if expected[0] == Action.DENY else 1]:
        decisions = on_the_library(hostile.holding(facts, PLACES, text))
        assert dict.fromkeys(ENGINES, expected) == {e: essence(one) for e, one in decisions.items()}, name
        assert not any(CANARY.encode() in decision_bytes(one) for one in decisions.values()), name
    for number, (name, text) in enumerate(LONG.items()):
        where = PLACES[number % len(PLACES) :: len(PLACES)]
        harmless = essence(on_the_library(hostile.holding(facts, where, HARMLESS))["plan"])
        decisions = on_the_library(hostile.holding(facts, where, text))
        assert dict.fromkeys(ENGINES, harmless) == {e: essence(one) for e, one in decisions.items()}, name
        assert not any(CANARY.encode() in decision_bytes(one) for one in decisions.values()), name


def test_every_policy_of_the_library_says_the_same_to_hostile_text(library: Bundle, urls: tuple[str, str, str]) -> None:
    """Those that are off by default too, for all places at once and for single ones: on the plan for very many."""
    calm, whole = (json.loads(facts_bytes(facts)) for facts in (hostile.calm(), full()))
    texts = [text for text in SHORT.values() if len(text) < 200]
    single = [place for place in PLACES if _is_there(calm, place)]
    rows: list[tuple[Any, Sequence[hostile.Path], str]] = [(whole, PLACES, text) for text in texts[::12]]
    rows += [(calm, [place], text) for number, place in enumerate(single) for text in texts[number * 3 :: 120]]
    more = [(calm, [place], text) for number, place in enumerate(single) for text in texts[number % 6 :: 6]]
    with asyncio.Runner() as runner:
        ask, end = on_each(library, urls[1], runner)
        actual = ask([_put(*row) for row in rows])
        end()
    plan, ids = PlanEngine(library, build_plan(library), deadline_ms=UNHURRIED_MS), [one.id for one in library.policies]
    harmless: dict[str, tuple[Contribution, ...]] = {}

    for document, place, text in more:
        said = plan.evaluate_value(ids, _put(document, place, text))
        expected = harmless.setdefault(str(place), plan.evaluate_value(ids, _put(document, place, HARMLESS)))
        assert expected == said, (place, text)
    for number, (document, places, text) in enumerate(rows):
        expected = plan.evaluate_value(ids, _put(document, places, HARMLESS))
        assert dict.fromkeys(ENGINES, expected) == {e: actual[e][number] for e in ENGINES}, (places[0], text)


def _is_there(document: Any, path: hostile.Path) -> bool:
    try:
        hostile.put(document, path, HARMLESS)
    except LookupError:
        return False
    return True


def _put(document: Any, where: Sequence[hostile.Path], text: str) -> Any:
    for path in where:
        document = hostile.put(document, path, text)
    return document


# --- policies that echo --------------------------------------------------------------------------------------------

# How an effect can hold a string of the input. `$` stands for it, as a value and as a key.
ECHOES: Mapping[str, Any] = {
    "node": {"effect": "pin", "params": {"nodes": {"any": ["$"]}}},
    "excluded": {"effect": "pin", "params": {"exclude": {"regions": ["$"]}}},
    "tier": {"effect": "pin", "params": {"tiers": {"any": ["$"]}}},
    "entity": {"effect": "redact", "params": {"entity": "$", "operator": "remove"}},
    "key": {"effect": "redact", "params": {"entity": "A", "operator": "tokenise", "params": {"key_id": "$"}}},
    "model": {"effect": "route", "params": {"model": "$"}},
    "tool": {"effect": "route", "params": {"tools_allowed": ["$", "$"]}},
    "header": {"effect": "header", "params": {"set": {"x-a": "$"}}},
    "header_name": {"effect": "header", "params": {"set": {"$": "a"}}},
    "removed": {"effect": "header", "params": {"remove": ["$"]}},
    "word": {"effect": "deny", "params": {"message_params": {"word": "$"}}},
    "word_name": {"effect": "deny", "params": {"message_params": {"$": 1}}},
    "message": {"effect": "deny", "params": {"message_id": "$"}},
    "rule": {"effect": "note", "params": {}, "rule": "$"},
    "code": {"effect": "deny", "params": {}, "code": "$"},
    "kind": {"effect": "$", "params": {}},
    "member": {"effect": "note", "params": {}, "$": "allow"},
    "param": {"effect": "deny", "params": {"$": "allow"}},
}


def _echo(name: str, path: hostile.Path) -> str:
    effect = json.dumps({"rule": "r", "code": "c", **ECHOES[name]}).replace('"$"', "text")
    return f"effects contains {effect} if {{\n\t{_bound(path)}\n}}"


def _bound(path: hostile.Path) -> str:
    # The key of an attribute changes with its value: neither has a name that stays.
    if "attributes" in path:
        return f"some {'text, _' if path[-1] == KEY else '_, text'} in input.principal.attributes"
    return "text := input" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A gate that denies, a policy for each way to echo, and one for each place that text can come from."""
    denial = '{"effect": "deny", "rule": "no", "code": "no", "params": {}}'
    gate = f'effects contains {ALLOW}\n\neffects contains {denial} if input.request.model != "permitted"'
    bodies = {"gate": gate}
    for name in ECHOES:
        bodies[f"as_{name}"] = _echo(name, ("request", "model"))
    for number, path in enumerate(PLACES):
        bodies[f"from_{number}"] = _echo("node", path)
    top = tmp_path_factory.mktemp("echo")
    return bundle_of(top, {f"policies/{id_}/policy.rego": policy(id_, body) for id_, body in bodies.items()})


def _expected(bundle: Bundle, said_at: Mapping[hostile.Path, str]) -> dict[str, Contribution]:
    """What each echoing policy contributes by the contract alone, without any engine."""
    held = {f"as_{name}": (name, said_at["request", "model"]) for name in ECHOES}
    held |= {f"from_{number}": ("node", said_at[path]) for number, path in enumerate(PLACES)}
    policies = {one.id: one for one in bundle.policies}
    return {
        id_: contribution_of(policies[id_], [_filled({"rule": "r", "code": "c", **ECHOES[name]}, text)])
        for id_, (name, text) in held.items()
    }


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {_filled(key, text): _filled(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, text) for item in value]
    return text if value == "$" else value


def test_an_echoed_string_stays_a_string(echoing: Bundle, urls: tuple[str, str, str]) -> None:
    """Each engine says exactly what the contract makes of the effect with that string in it: no more, and no less."""
    document = json.loads(facts_bytes(full()))
    with asyncio.Runner() as runner:
        ask, end = on_each(echoing, urls[1], runner)
        actual = ask([_put(document, PLACES, text) for text in SHORT.values()])
        end()

    ids = [one.id for one in echoing.policies]
    for number, (name, text) in enumerate(SHORT.items()):
        expected = _expected(echoing, dict.fromkeys(PLACES, text))
        for engine in ENGINES:
            said = dict(zip(ids, actual[engine][number], strict=True))
            assert ["allow", "deny"] == [effect.effect for effect in said.pop("gate").effects]
            assert expected == said, f"{name} on {engine}"
            assert Action.DENY == _decided(actual[engine][number]).action


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_long_echoed_string_denies(echoing: Bundle, urls: tuple[str, str, str]) -> None:
    """What is too long for its place, or for an answer, is a failure on each engine, and a failure denies."""
    ids = ["gate", "as_node", "as_header", "as_rule", "as_param"]
    plan, embedded = PlanEngine(echoing, build_plan(echoing), deadline_ms=UNHURRIED_MS), EmbeddedEngine(echoing)
    server = await OpaEngine(echoing, url=urls[1], deadline_ms=60_000).start()
    try:
        for name, text in LONG.items():
            raw = canonical(hostile.put(json.loads(facts_bytes(full())), ("request", "model"), text))
            answers = plan.evaluate_now(ids, raw), embedded.evaluate(ids, raw), await server.evaluate(ids, raw)
            for engine, said in zip(ENGINES, answers, strict=True):
                echoed = {one.policy for one in said if one.policy.startswith("as_") and one.failure is None}
                assert set() == echoed, f"{name} on {engine}"
                assert Action.DENY == _decided(said).action
    finally:
        await server.close()


def _decided(contributions: Sequence[Contribution]) -> Decision:
    return combine(contributions, decision_id="d", phase="request", provenance=Provenance())


# --- what is no text, no integer, no document ----------------------------------------------------------------------


# Ids of detectors are written by the operator, never by a request.
@pytest.mark.parametrize("place", [place for place in PLACES if "detectors" not in place], ids=hostile.described)
def test_what_is_no_unicode_text_never_reaches_an_engine(
    on_the_library: Callable[[Facts], Mapping[str, Decision]], place: hostile.Path
) -> None:
    """A lone surrogate where a policy reads is refused without a quote of it; elsewhere it changes nothing."""
    for text in hostile.surrogates().values():
        try:
            decisions = on_the_library(hostile.holding(full(), [place], text))
        except MalformedRequest as refused:
            assert CANARY not in _told(refused)  # noqa: PT017  (which places are read is the library's affair)
            continue
        expected = on_the_library(hostile.holding(full(), [place], HARMLESS))
        assert {e: essence(one) for e, one in expected.items()} == {e: essence(one) for e, one in decisions.items()}


@pytest.fixture(scope="module")
def on_numbers(tmp_path_factory: pytest.TempPathFactory, urls: tuple[str, str, str]) -> Iterator[tuple[Any, Any, Any]]:
    """The engines on a policy that allows two sizes of a request, both beyond what floats tell apart, and no other."""
    body = "".join(f"effects contains {ALLOW} if input.request.bytes == {one}\n\n" for one in PERMITTED)
    bundle = bundle_of(tmp_path_factory.mktemp("numbers"), {"p.rego": policy("p", body)})
    with asyncio.Runner() as runner:
        server = runner.run(OpaEngine(bundle, url=urls[2], deadline_ms=60_000).start())
        plan, embedded = PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS), EmbeddedEngine(bundle)
        yield (
            lambda raw: plan.evaluate_now(["p"], raw),
            lambda raw: embedded.evaluate(["p"], raw),
            lambda raw: runner.run(server.evaluate(["p"], raw)),
        )
        runner.run(server.close())


PERMITTED = (2**53 + 1, 2**63 - 1)


@pytest.mark.parametrize("name", hostile.documents())
def test_a_document_that_is_no_input_is_refused_everywhere(on_numbers: tuple[Any, Any, Any], name: str) -> None:
    """The contract refuses it; engines that were given it all the same answer with a denial or an error of ours."""
    raw = hostile.documents()[name]
    with pytest.raises(ConfigInvalid) as refused:
        facts_from_bytes(raw)
    # An operator is told the key of his file that is not known, and nothing else of it.
    assert CANARY not in _told(refused.value) or f"`{CANARY}`: is not a known key" == str(refused.value)

    assert [Action.DENY] * 3 == [_action(ask, raw) for ask in on_numbers]


@pytest.mark.parametrize("name", hostile.numbers())
def test_a_number_is_exact_or_refused(on_numbers: tuple[Any, Any, Any], name: str) -> None:
    """No engine takes a number for another one, and what the contract cannot write never reaches one."""
    number = hostile.numbers()[name]
    try:
        raw = facts_bytes(replace(full(), request=replace(full().request, bytes=number)))
    except MalformedRequest:
        assert not -(2**63) <= number < 2**64
        return

    actions = {_action(ask, raw) for ask in on_numbers}

    assert {Action.ALLOW if number in PERMITTED else Action.DENY} == actions


def _action(ask: Callable[[bytes], Sequence[Contribution]], raw: bytes) -> Action:
    try:
        return _decided(ask(raw)).action
    except GovernanceError as error:
        assert CANARY not in _told(error)  # noqa: PT017  (whether it is raised differs between the engines)
        return Action.DENY


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
