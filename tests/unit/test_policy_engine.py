"""The decider: projection, cache, provenance, reload."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.decision import Action, Decision, Mode, Provenance
from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.facts import DetectorFact, EntityFact, Facts
from governance.finding import DetectionStatus
from governance.policy.bundle import Bundle, ReadSet, load_bundle
from governance.policy.cache import MOST_BYTES, DecisionCache
from governance.policy.contract import facts_bytes
from governance.policy.engine import Decider, projected, projection
from governance.policy.lattice import combine
from governance.policy.plan.build import build_plan
from governance.policy.sample import full, plain
from governance.segment import Role
from tests.bundles import ALLOW, bundle_of, facts_with, one_policy, policy

MODEL = f'effects contains {ALLOW} if input.request.model == "good"'


def untried(_: Bundle) -> None:
    """No trial in a process of its own: a second for each test, and tested by itself."""


opened = functools.partial(Decider.open, trial=untried)


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def essence(decision: Decision) -> Decision:
    """The decision without what differs between two askings."""
    return replace(decision, decision_id="", provenance=replace(decision.provenance, eval_us=0, cached=False))


async def test_decision_carries_its_provenance(tmp_path: Path) -> None:
    """Bundle, revision, digests, engine and the digest of what was read are in the decision."""
    bundle = one_policy(tmp_path, MODEL)
    async with opened(bundle) as decider:
        found = (await decider.decide(facts_with(model="good"), decision_id="d1")).provenance

    read = hashlib.sha256(b'{"request":{"model":"good"}}').hexdigest()
    assert (bundle.id, bundle.revision, bundle.digest, bundle.data_digest, "embedded", read, False) == (
        found.bundle,
        found.revision,
        found.digest,
        found.data_digest,
        found.engine,
        found.input_digest,
        found.cached,
    )


async def test_known_input_is_answered_from_the_cache(tmp_path: Path) -> None:
    """The second asking has its own id and is marked as cached; all else is equal."""
    async with opened(one_policy(tmp_path, MODEL)) as decider:
        first = await decider.decide(facts_with(model="good"), decision_id="d1")
        second = await decider.decide(facts_with(model="good"), decision_id="d2")

    assert (essence(first), "d2", True) == (essence(second), second.decision_id, second.provenance.cached)


async def test_cache_tells_apart_only_what_is_read(tmp_path: Path) -> None:
    """A field that no policy refers to shares the entry; one that is referred to does not."""
    async with opened(one_policy(tmp_path, MODEL)) as decider:
        await decider.decide(facts_with(model="good"), decision_id="d")
        unread = await decider.decide(facts_with(model="good", bytes=7), decision_id="d")
        read = await decider.decide(facts_with(model="bad"), decision_id="d")

    assert (unread.provenance.cached, read.provenance.cached, read.action) == (True, False, Action.DENY)


async def test_cached_decision_names_the_detectors_of_this_request(tmp_path: Path) -> None:
    """Which classifiers ran belongs to the request, not to the entry."""
    facts = facts_with(model="good")
    detectors = (DetectorFact(id="a", version="2", status=DetectionStatus.COMPLETE),)
    other = replace(facts, classification=replace(facts.classification, detectors=detectors))
    async with opened(one_policy(tmp_path, MODEL)) as decider:
        await decider.decide(facts, decision_id="d")
        found = (await decider.decide(other, decision_id="d")).provenance

    assert (True, hashlib.sha256(b"a 2").hexdigest()) == (found.cached, found.classifiers_digest)


async def test_phases_do_not_share_entries(tmp_path: Path) -> None:
    """Equal facts in another phase are another question, also where no policy reads the phase."""
    files = {"p.rego": policy("p"), "q.rego": policy("q", phases="[response]", body="effects contains {} if false")}
    async with opened(bundle_of(tmp_path, files)) as decider:
        request = await decider.decide(plain(), decision_id="d")
        response = await decider.decide(replace(plain(), phase="response"), decision_id="d")

    assert (request.action, response.action) == (Action.ALLOW, Action.DENY)


async def test_entry_ends_with_its_ttl(tmp_path: Path) -> None:
    """An effect says for how long a decision may be kept."""
    clock = Clock()
    body = "effects contains " + ALLOW.replace('"params"', '"ttl_s": 10, "params"')
    cached = []
    async with opened(one_policy(tmp_path, body), clock=clock) as decider:
        for clock.now in (0.0, 9.9, 10.0):
            cached.append((await decider.decide(plain(), decision_id="d")).provenance.cached)

    assert cached == [False, True, False]


async def test_uncacheable_decision_is_not_kept(tmp_path: Path) -> None:
    """One effect that forbids it is enough."""
    body = "effects contains " + ALLOW.replace('"params"', '"cacheable": false, "params"')
    async with opened(one_policy(tmp_path, body)) as decider:
        await decider.decide(plain(), decision_id="d")
        again = await decider.decide(plain(), decision_id="d")

    assert not again.provenance.cached


async def test_failure_is_not_kept(tmp_path: Path) -> None:
    """What failed once may be over with the next request."""
    body = 'effects contains {"effect": "allow", "rule": input.request.model, "code": "c", "params": {}}'
    async with opened(one_policy(tmp_path, body)) as decider:
        first = await decider.decide(facts_with(model="Not Snake"), decision_id="d")
        second = await decider.decide(facts_with(model="Not Snake"), decision_id="d")

    assert (first.action, first.deny and first.deny.code, second.provenance.cached) == (
        Action.DENY,
        "policy_error",
        False,
    )


async def test_cache_is_bounded(tmp_path: Path) -> None:
    """The decision that was used least lately makes room."""
    async with opened(one_policy(tmp_path, MODEL), cache_size=2) as decider:
        decisions = [await decider.decide(facts_with(model=model), decision_id="d") for model in "abacab"]
    cached = [decision.provenance.cached for decision in decisions]

    assert cached == [False, False, True, False, True, False]


async def test_reload_purges_and_changes_decisions(tmp_path: Path) -> None:
    """A new bundle is in force with the next decision, and nothing of the old one is remembered."""
    async with opened(one_policy(tmp_path / "1", MODEL)) as decider:
        before = await decider.decide(facts_with(model="good"), decision_id="d")
        bundle = one_policy(tmp_path / "2", MODEL.replace("good", "better"))
        await decider.reload(bundle)
        after = await decider.decide(facts_with(model="good"), decision_id="d")

    assert (Action.ALLOW, Action.DENY, bundle.digest) == (before.action, after.action, after.provenance.digest)


async def test_broken_candidate_leaves_the_last_good(tmp_path: Path) -> None:
    """A bundle that cannot be evaluated is refused, and the one in force stays with its cache."""
    good = one_policy(tmp_path / "1", MODEL)
    async with opened(good) as decider:
        await decider.decide(facts_with(model="good"), decision_id="d")
        with pytest.raises(ConfigInvalid):
            await decider.reload(one_policy(tmp_path / "2", f"effects contains {ALLOW} if a\n\na if b\n\nb if a"))
        after = await decider.decide(facts_with(model="good"), decision_id="d")

    assert (Action.ALLOW, True, good.digest) == (after.action, after.provenance.cached, after.provenance.digest)


async def test_a_candidate_decides_nothing_before_it_is_recorded(tmp_path: Path) -> None:
    """While `before` runs, the last good bundle decides; where it fails, it does so from then on, and is not closed."""
    first, second = (one_policy(tmp_path / name, MODEL.replace("good", name)) for name in ("1", "2"))
    async with opened(first) as decider:

        async def deciding() -> str:
            return (await decider.decide(facts_with(model="good"), decision_id="d")).provenance.digest

        async def recorded(bundle: Bundle) -> None:
            steps.append((bundle.digest, await deciding()))

        async def failing(_: Bundle) -> None:
            raise PolicyUnavailable("cannot be recorded")

        steps: list[tuple[str, str]] = []
        with pytest.raises(PolicyUnavailable):
            await decider.reload(second, before=failing)
        kept = await deciding()
        await decider.reload(second, before=recorded)
        after = await deciding()

    assert (first.digest, [(second.digest, first.digest)], second.digest) == (kept, steps, after)


async def test_many_rows_are_decided_alike_on_the_policy_thread() -> None:
    """An input of many rows goes to the thread with an interpreter of its own, and the answer is the same."""
    entities = tuple(
        EntityFact(type=f"TYPE_{at:03}", count=1, max_permille=900, validated=False, where=(Role.USER,))
        for at in range(60)
    )
    card = EntityFact(type="CREDIT_CARD", count=1, max_permille=900, validated=True, where=(Role.USER,))
    facts = plain()
    few = replace(facts, classification=replace(facts.classification, entities=(card,)))
    many = replace(facts, classification=replace(facts.classification, entities=(card, *entities)))
    async with opened(load_bundle(["builtin"])) as decider:
        small = await decider.decide(few, decision_id="d")
        large = await decider.decide(many, decision_id="d")

    assert (small.action, small.obligations, small.reasons) == (large.action, large.obligations, large.reasons)


async def test_policy_that_is_off_is_not_asked(tmp_path: Path) -> None:
    """Without the only policy that allows, nothing is allowed."""
    async with opened(bundle_of(tmp_path, {"p.rego": policy("p")}, p=Mode.OFF)) as decider:
        decision = await decider.decide(plain(), decision_id="d")

    assert (decision.action, decision.deny and decision.deny.code) == (Action.DENY, "no_policy_allows")


@pytest.mark.opa
@pytest.mark.parametrize("engine", ["plan", "auto"])
async def test_plan_of_the_bundle_decides_as_regopy_does(engine: str) -> None:
    """`auto` takes the plan where there is one, and only the name of the engine tells the decisions apart."""
    bundle = load_bundle(["builtin"])
    planned = replace(bundle, plan=build_plan(bundle))
    async with opened(planned, engine) as fast, opened(bundle, "auto") as slow:
        for facts in (plain(), full()):
            one, other = [await decider.decide(facts, decision_id="d") for decider in (fast, slow)]

            assert ("plan", "embedded") == (one.provenance.engine, other.provenance.engine)
            assert replace(one, provenance=other.provenance) == other


@pytest.mark.opa
async def test_reload_changes_the_engine_with_the_bundle(tmp_path: Path) -> None:
    """Under `auto` a bundle without a plan is decided by regopy again."""
    bundle = one_policy(tmp_path, MODEL)
    engines = []
    async with opened(replace(bundle, plan=build_plan(bundle)), "auto") as decider:
        engines.append((await decider.decide(plain(), decision_id="d")).provenance.engine)
        await decider.reload(bundle)
        engines.append((await decider.decide(plain(), decision_id="d")).provenance.engine)

    assert ["plan", "embedded"] == engines


async def test_engine_plan_needs_a_plan(tmp_path: Path) -> None:
    """Without one, or with one that is damaged, nothing is put in force."""
    bundle = one_policy(tmp_path, MODEL)
    for plan in (None, b"", b"{}", b"[]"):
        with pytest.raises(ConfigInvalid):
            async with opened(replace(bundle, plan=plan), "plan"):
                pass


async def test_damaged_plan_does_not_fall_back(tmp_path: Path) -> None:
    """`auto` with a plan that cannot be used is an error: what was signed and tested is what decides."""
    with pytest.raises(ConfigInvalid):
        async with opened(replace(one_policy(tmp_path, MODEL), plan=b"{}"), "auto"):
            pass


async def test_unknown_engine_is_refused(tmp_path: Path) -> None:
    """An engine that does not exist is an error of configuration, as is `opa` without a server."""
    for engine in ("wasm", "opa"):
        with pytest.raises(ConfigInvalid):
            async with opened(one_policy(tmp_path / engine, MODEL), engine):
                pass


async def test_unreachable_server_is_unavailable(tmp_path: Path) -> None:
    """Nobody answers on the port: nothing starts, and nothing is allowed."""
    with pytest.raises(PolicyUnavailable):
        async with opened(one_policy(tmp_path, MODEL), "opa", "http://127.0.0.1:9"):
            pass


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    else:
        yield path, value


@given(st.sets(st.sampled_from([path for path, _ in leaves(orjson.loads(facts_bytes(full())))]), min_size=1))
def test_projection_keeps_exactly_the_read_set(paths: set[tuple[str, ...]]) -> None:
    """What is read is kept as it was, and everything else is gone."""
    document = facts_bytes(full())

    kept = dict(leaves(orjson.loads(projection(ReadSet(paths=tuple(sorted(paths))))(document))))

    assert {path: value for path, value in leaves(orjson.loads(document)) if path in paths} == kept


@given(
    st.sets(
        st.sampled_from([*(path for path, _ in leaves(orjson.loads(facts_bytes(full())))), ("prior", "action"), ("x",)])
    ),
    st.sampled_from([plain(), full()]),
)
def test_the_projection_of_facts_is_that_of_their_document(paths: set[tuple[str, ...]], facts: Facts) -> None:
    """Facts are projected without being written whole, to the same bytes; lists and mappings are no way further down."""
    longer = {(*path, "code") for path in paths}
    for chosen in (paths, longer, {path[:1] for path in paths if path}):
        read_set = ReadSet(paths=tuple(sorted(chosen)))
        assert projection(read_set)(facts_bytes(facts)) == projected(read_set)(facts)


def test_projection_on_everything_is_the_document() -> None:
    """A bundle that may read anything sees everything."""
    document = facts_bytes(full())

    assert document == projection(ReadSet(paths=None))(document)


@pytest.mark.parametrize("facts", [plain(), full()], ids=["plain", "full"])
async def test_decision_on_the_projected_input_is_the_decision(facts: Facts) -> None:
    """The library decides alike on the whole input and on the part that it is said to read."""
    bundle = load_bundle(["builtin"])
    async with opened(bundle) as projected, opened(replace(bundle, read_set=ReadSet(paths=None))) as whole:
        one = await projected.decide(facts, decision_id="d")
        other = await whole.decide(facts, decision_id="d")

    assert (one.action, one.deny, one.obligations, one.reasons) == (
        other.action,
        other.deny,
        other.obligations,
        other.reasons,
    )


def test_an_entry_never_outlives_its_ttl_on_a_clock_that_goes_back() -> None:
    """What was decided in a time to come is not given again."""
    now = [100.0]
    cache = DecisionCache(4, lambda: now[0])
    decision = combine((), decision_id="d", phase="request", provenance=Provenance())
    cache.put("k", replace(decision, cacheable=True, ttl_s=10), 1)
    assert cache.get("k") is not None

    now[0] = 50.0

    assert cache.get("k") is None


def test_decisions_are_kept_by_the_size_of_their_inputs() -> None:
    """The oldest go first, and one that is too large alone is not kept; one that goes makes room for others."""
    cache = DecisionCache(4, lambda: 0.0)
    decision = replace(combine((), decision_id="d", phase="request", provenance=Provenance()), cacheable=True, ttl_s=10)
    third = MOST_BYTES // 3
    for key in "abcd":
        cache.put(key, decision, third)
    kept = [key for key in "abcd" if cache.get(key) is not None]
    cache.put("d", decision, 1)
    cache.put("e", decision, third)
    again = [key for key in "abcde" if cache.get(key) is not None]
    cache.put("f", decision, MOST_BYTES + 1)

    assert (["b", "c", "d"], ["b", "c", "d", "e"], []) == (kept, again, [key for key in "abcdef" if cache.get(key)])


async def test_a_detector_whose_id_is_no_unicode_text_is_decided_on(tmp_path: Path) -> None:
    """Ids of detectors are the operator's; one that cannot be written is no fault of the request."""
    detector = DetectorFact(id="\ud800", version="1", status=DetectionStatus.COMPLETE)
    facts = replace(plain(), classification=replace(plain().classification, detectors=(detector,)))

    async with opened(one_policy(tmp_path, f"effects contains {ALLOW}")) as decider:
        decision = await decider.decide(facts, decision_id="d")

    assert Action.ALLOW is decision.action
