"""What happens when a policy, a request or a bundle is bad: the same on every engine, and never an allow."""

from __future__ import annotations

import asyncio
import gzip
import io
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from governance.decision import Action, Contribution, Decision, PolicyFailure, Provenance
from governance.errors import ConfigInvalid, GovernanceError
from governance.facts import Facts, Parse
from governance.finding import DetectionStatus
from governance.inference import Media
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.contract import facts_bytes
from governance.policy.distribution import signing
from governance.policy.distribution.archive import Tree, pack
from governance.policy.distribution.feed import Feed
from governance.policy.distribution.origin import LocalOrigin
from governance.policy.distribution.signing import Algorithm, Key
from governance.policy.distribution.store import Store
from governance.policy.engine import Decider
from governance.policy.lattice import combine
from governance.policy.opa import OpaEngine
from governance.policy.plan.build import build_plan
from governance.policy.plan.engine import UNHURRIED_MS, PlanEngine
from governance.policy.sample import plain
from governance.policy.watched import Watched
from governance.sensitive import SensitiveBytes
from tests.bundles import ALLOW, bundle_of, facts_with, policy
from tests.servers import running_opa

pytestmark = [
    pytest.mark.opa,
]

ENGINES = ("plan", "embedded", "opa")
NOTE = '{"effect": "note", "rule": "n", "code": "n", "params": {}}'
ROUTE = '{"effect": "route", "rule": "r", "code": "r", "params": %s}'


def when(model: str, effect: str = ALLOW) -> str:
    return f'effects contains {effect} if input.request.model == "{model}"'


# Policies that say nothing until a request asks for their model; what each is then: a failure of a kind, or silence.
BAD: Mapping[str, tuple[str, str | None]] = {
    "undefined": (f'effects := {{{ALLOW}}} if input.request.model == "never"', None),
    "empty": (when("never"), None),
    "conflict": (f'x := 1\n\nx := 2 if input.request.model == "conflict"\n\neffects contains {NOTE} if x == 5', "eval"),
    "division": (f'effects contains {NOTE} if {{\n\tinput.request.model == "division"\n\t1 / (input.request.bytes - 100) == 1\n}}', "eval"),
    "builtin": (f'effects contains {NOTE} if {{\n\tinput.request.model == "builtin"\n\tto_number(input.request.model) == 1\n}}', "eval"),
    "incomplete": (when("incomplete", '{"effect": "allow"}'), "schema"),
    "unknown_effect": (when("unknown_effect", '{"effect": "permit", "rule": "r", "code": "c", "params": {}}'), "schema"),
    "unknown_key": (when("unknown_key", '{"effect": "allow", "rule": "r", "code": "c", "params": {}, "wins": true}'), "schema"),
    "unknown_param": (when("unknown_param", '{"effect": "allow", "rule": "r", "code": "c", "params": {"all": true}}'), "schema"),
    "fraction": (when("fraction", ROUTE % '{"max_tokens": 1.5}'), "schema"),
    "negative": (when("negative", ROUTE % '{"max_tokens": -1}'), "schema"),
    "text_for_number": (when("text_for_number", ROUTE % '{"max_tokens": "1"}'), "schema"),
    "number_for_text": (when("number_for_text", ROUTE % '{"model": 1}'), "schema"),
    "status": (when("status", '{"effect": "deny", "rule": "r", "code": "c", "params": {"status": 200}}'), "schema"),
    "nothing": (when("nothing", "null"), "schema"),
    "text": (when("text", '"allow"'), "schema"),
    "no_list": ('effects := "allow" if input.request.model == "no_list"', "schema"),
    "an_object": (f'effects := {{"allow": {ALLOW}}} if input.request.model == "an_object"', "schema"),
    "too_many": ('effects contains {"effect": "note", "rule": sprintf("r%d", [n]), "code": "c", "params": {}} if {\n\tinput.request.model == "too_many"\n\tsome n in numbers.range(1, 257)\n}', "schema"),
}  # fmt: skip
# Failures of policies that are not enforced are told and skipped.
LENIENT = {"in_shadow": "shadow", "as_warning": "warn"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server for the policies of this module."""
    with running_opa() as address:
        yield address


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """All bad policies beside one that allows every request but one."""
    files = {id_: policy(id_, body) for id_, (body, _) in BAD.items()}
    files["gate"] = policy("gate", f'effects contains {ALLOW} if input.request.model != "nobody"')
    for id_, mode in LENIENT.items():
        body = f'x := 1\n\nx := 2 if input.request.model == "{id_}"\n\neffects contains {NOTE} if x == 5'
        files[id_] = policy(id_, body, mode=mode, on_error="skip")
    made = bundle_of(tmp_path_factory.mktemp("bad"), {f"policies/{id_}/policy.rego": one for id_, one in files.items()})
    return replace(made, plan=build_plan(made))


def asking(model: str) -> Facts:
    return replace(plain(), request=replace(plain().request, model=model))


@pytest.fixture(scope="module")
def decisions(bad: Bundle, url: str) -> Mapping[str, Mapping[str, Decision]]:
    """What each engine decides on each model: one decider for all of them."""

    async def made(engine: str) -> Mapping[str, Decision]:
        async with Decider.open(bad, engine, url, deadline_ms=60_000, cache_size=0, trial=lambda _: None) as decider:
            models = [*BAD, *LENIENT, "nobody", "any"]
            return {model: await decider.decide(asking(model), decision_id="d") for model in models}

    return {engine: asyncio.run(made(engine)) for engine in ENGINES}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("id_", BAD)
def test_a_policy_that_fails_denies_and_silence_says_nothing(
    decisions: Mapping[str, Mapping[str, Decision]], id_: str, engine: str
) -> None:
    """A failure is 503 `policy_error` by that policy, named with its kind; undefined and empty are no contribution."""
    decision, (_, kind) = decisions[engine][id_], BAD[id_]

    if kind is None:
        assert (Action.ALLOW, (), ["gate"]) == (
            decision.action,
            decision.errors,
            [one.policy for one in decision.reasons],
        )
        return
    assert decision.deny is not None
    assert (503, "policy_error", id_) == (decision.deny.status, decision.deny.code, decision.deny.policy)
    assert (PolicyFailure(policy=id_, kind=kind, effect_taken="deny"),) == decision.errors  # type: ignore[arg-type]
    assert ["gate", id_] == sorted((one.policy for one in decision.reasons), key=lambda one: one != "gate")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("id_", LENIENT)
def test_a_failure_that_is_not_enforced_is_told_and_skipped(
    decisions: Mapping[str, Mapping[str, Decision]], id_: str, engine: str
) -> None:
    """`on_error: skip` is for policies in shadow or warning: the request is allowed, and the error stands in the decision."""
    decision = decisions[engine][id_]

    assert (Action.ALLOW, (PolicyFailure(policy=id_, kind="eval", effect_taken="skip"),)) == (
        decision.action,
        decision.errors,
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_without_an_allow_there_is_none(decisions: Mapping[str, Mapping[str, Decision]], engine: str) -> None:
    """The gate is ours: 403 `no_policy_allows` by no policy; with one allow, and nothing else, the request passes."""
    nobody, anyone = decisions[engine]["nobody"], decisions[engine]["any"]

    assert nobody.deny is not None
    assert (403, "no_policy_allows", "", Action.ALLOW) == (
        nobody.deny.status,
        nobody.deny.code,
        nobody.deny.policy,
        anyone.action,
    )


def test_skip_is_refused_for_a_policy_in_force(tmp_path: Path) -> None:
    """A policy that is enforced cannot be made to fail open."""
    with pytest.raises(ConfigInvalid, match="`on_error: skip` needs mode warn or shadow"):
        bundle_of(tmp_path, {"p.rego": policy("p", on_error="skip")})


async def test_a_runaway_policy_is_a_failure_on_every_engine(tmp_path: Path, url: str) -> None:
    """A plan by its budget, regopy by the end of its process, a server by the deadline: and a failure denies."""
    body = f"""effects contains {ALLOW} if {{
	xs := numbers.range(1, 2000)
	some a in xs
	some b in xs
	some c in xs
	a + b + c == input.request.bytes * 1000
}}"""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", body), "q.rego": policy("q")})
    document = facts_bytes(plain())
    watched = await Watched.start(bundle, deadline_ms=500)
    server = await OpaEngine(bundle, url=url, deadline_ms=500).start()
    try:
        answers: list[tuple[Contribution, ...]] = [
            PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS).evaluate_now(["p"], document),
            await watched.evaluate(["p"], document, rows=0),
            await server.evaluate(["p"], document),
        ]
    finally:
        await watched.close()
        await server.close()

    assert [["timeout"]] * 3 == [[one.failure for one in answer] for answer in answers]
    assert [Action.DENY] * 3 == [
        combine(answer, decision_id="d", phase="request", provenance=Provenance()).action for answer in answers
    ]


# Each would be gigabytes, or hours, of one builtin, which no count of steps interrupts.
BOMBS: Mapping[str, str] = {
    "range": "count(numbers.range(1, 1000000000)) > input.request.bytes",
    "width": 'count(sprintf("%999999999d", [input.request.bytes])) > 1',
    "shift": "bits.lsh(input.request.bytes, 10000000000) > 1",
    "exponent": 'to_number(sprintf("%de999999999", [input.request.bytes])) > 1',
    "unit": 'units.parse(sprintf("%de999999999", [input.request.bytes])) > 1',
    "replacement": 'a := sprintf("%d", [1000000000000000000000 + input.request.bytes])\n\tb := replace(a, "0", a)\n\tc := replace(b, "0", b)\n\td := replace(c, "0", c)\n\tcount(replace(d, "0", d)) > 1',
    "strings": 'count(concat("", [sprintf("%0999d", [y]) | some y in numbers.range(1, 90000)])) > 1',
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_builtin_cannot_take_all_memory_on_a_plan(tmp_path: Path, name: str) -> None:
    """It fails before it makes the value, and a failure denies."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p", f"effects contains {ALLOW} if {{\n\t{BOMBS[name]}\n}}")})

    (said,) = PlanEngine(bundle, build_plan(bundle), deadline_ms=UNHURRIED_MS).evaluate_now(["p"], facts_bytes(plain()))

    assert said.failure in ("eval", "timeout")


# --- requests ------------------------------------------------------------------------------------------------------

UNREAD: Mapping[str, Facts] = {
    **{f"detection {one}": facts_with(status=one) for one in DetectionStatus if one is not DetectionStatus.COMPLETE},
    **{f"parse {one}": facts_with(parse=Parse(status=one)) for one in ("partial", "failed", "unsupported")},
    "truncated": facts_with(parse=Parse(status="ok", truncated=True)),
    **{f"media {one}": facts_with(media=(one,)) for one in Media},
}


@pytest.fixture(scope="module")
def library_decisions() -> Mapping[str, Mapping[str, Decision]]:
    """What the library, as it comes, decides on what nobody read or classified."""
    library = load_bundle(["builtin"])
    library = replace(library, plan=build_plan(library))

    async def made(engine: str) -> Mapping[str, Decision]:
        async with Decider.open(library, engine, cache_size=0, trial=lambda _: None) as decider:
            return {name: await decider.decide(facts, decision_id="d") for name, facts in UNREAD.items()}

    return {engine: asyncio.run(made(engine)) for engine in ("plan", "embedded")}


@pytest.mark.parametrize("name", UNREAD)
def test_what_was_not_read_is_never_simply_allowed(
    library_decisions: Mapping[str, Mapping[str, Decision]], name: str
) -> None:
    """It is denied or stays on machines of one's own, by the policy that is there for it, on every engine alike."""
    plan, embedded = (replace(library_decisions[one][name], provenance=Provenance()) for one in ("plan", "embedded"))

    assert plan == embedded
    assert "uninspected_content" in {one.policy for one in plan.reasons if one.winning}
    assert plan.action == Action.DENY or (plan.obligations.pin.tiers is not None and not plan.errors)


# --- bundles -------------------------------------------------------------------------------------------------------

KEY = Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"0" * 32))
GOOD = {"policies/p/policy.rego": policy("p").encode(), "data.json": b'{"a": {"x": 1}}'}
RUNAWAY = f"effects contains {ALLOW} if {{\n\tsome a in numbers.range(1, 9000)\n\tsome b in numbers.range(1, 9000)\n\ta * b == 0 - 1\n}}"  # fmt: skip


def signed(files: Mapping[str, bytes]) -> bytes:
    return pack({**files, signing.NAME: signing.signatures(files, KEY)})


def with_member(name: str, raw: bytes, **fields: Any) -> bytes:
    """The good archive with one more member, written as any tool would."""
    made = io.BytesIO(gzip.decompress(signed(GOOD)))
    with tarfile.open(fileobj=made, mode="a") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(raw)
        for field, value in fields.items():
            setattr(member, field, value)
        archive.addfile(member, io.BytesIO(raw))
    return gzip.compress(made.getvalue())


def partly_signed() -> bytes:
    """A file that no signature covers beside files that one does."""
    return pack({**GOOD, "q/policy.rego": policy("q").encode(), signing.NAME: signing.signatures(GOOD, KEY)})


def signed_elsewhere() -> bytes:
    """A signature of the right form over other files."""
    other = signing.signatures({"policies/p/policy.rego": b"package x\n"}, KEY)
    return pack({**GOOD, signing.NAME: other})


CANDIDATES: Mapping[str, Callable[[], bytes]] = {
    "a path that climbs": lambda: with_member("../../etc/cron.d/x", b"x"),
    "a path that climbs within": lambda: with_member("policies/../../x.rego", policy("x").encode()),
    "a link": lambda: with_member("policies/x.rego", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "no signature": lambda: pack(GOOD),
    "an empty signature": lambda: pack({**GOOD, signing.NAME: b'{"signatures": []}'}),
    "a partial signature": partly_signed,
    "a signature of other files": signed_elsewhere,
    "a signature of another key": lambda: pack({**GOOD, signing.NAME: signing.signatures(GOOD, replace(KEY, material=SensitiveBytes(b"1" * 32)))}),
    "a policy of the library": lambda: signed({**GOOD, "policies/b/policy.rego": policy("baseline").encode()}),
    "the library's functions": lambda: signed({**GOOD, "policies/b/lib.rego": b'package ringfence.lib.jurisdiction\n\neea := {"US"}\n'}),
    "data in the place of a policy": lambda: signed({**GOOD, "data.json": b'{"ringfence": {"policy": {"baseline": {"effects": []}}}}'}),
    "data in the place of functions": lambda: signed({**GOOD, "data.json": b'{"ringfence": {"lib": {"eea": ["US"]}}}'}),
    "one file of twenty megabytes": lambda: with_member("data/big/data.json", b"{" + b" " * (20 << 20) + b"}"),
    "a bomb": lambda: gzip.compress(b"\0" * (80 << 20)),
    "no policy": lambda: signed({"data.json": b"{}"}),
    "no Rego": lambda: signed({**GOOD, "policies/q/policy.rego": b"package ringfence.policy.q\n\neffects contains {"}),
    "a policy that always fails": lambda: signed({**GOOD, "policies/q/policy.rego": policy("q", 'effects contains {"effect": "permit"}').encode()}),
    "a policy that calls out": lambda: signed({**GOOD, "policies/q/policy.rego": policy("q", f'effects contains {ALLOW} if http.send({{"method": "get", "url": "http://127.0.0.1"}}).status_code == 200').encode()}),
    "a runaway policy": lambda: signed({**GOOD, "policies/q/policy.rego": policy("q", RUNAWAY).encode()}),
    "not an archive": lambda: b"x",
    "nothing": lambda: b"",
}  # fmt: skip

# The library takes seconds to compile: it is there where a candidate reaches for it.
SHADOWS = ("a policy of the library", "the library's functions")


class Rounds:
    """A sleep that puts another archive in place before each question, and ends the feed after the last."""

    def __init__(self, path: Path, *archives: bytes) -> None:
        self.path, self.archives = path, list(archives)

    async def __call__(self, seconds: float) -> None:
        del seconds
        if not self.archives:
            raise asyncio.CancelledError
        self.path.write_bytes(self.archives.pop(0))


def compiled(tree: Tree, beside: Sequence[str]) -> Bundle:
    """The bundle of `tree` with what stands beside it, and the plan of both: as a worker on plans takes it."""
    bundle = load_bundle([*beside, tree])
    return replace(bundle, plan=build_plan(bundle))


@asynccontextmanager
async def fed(
    top: Path, *archives: bytes, beside: Sequence[str] = ()
) -> AsyncIterator[tuple[Feed, Rounds, Callable[[Tree], Any], list[Decider]]]:
    """A feed on an archive of which each of `archives` takes the place in turn, and the decider that it activates."""
    path = top / "b.tar.gz"
    path.write_bytes(archives[0])
    rounds = Rounds(path, *archives[1:])
    feed = Feed(LocalOrigin(path, signed=True), Store(top / "kept", origin=str(path)), key=KEY, sleep=rounds)
    opened: list[Decider] = []
    running = []

    async def activate(tree: Tree) -> Bundle:
        bundle = await asyncio.to_thread(compiled, tree, beside)
        if opened:
            await opened[0].reload(bundle)
        else:
            running.append(Decider.open(bundle, "plan", cache_size=0))
            opened.append(await running[0].__aenter__())
        return bundle

    try:
        yield feed, rounds, activate, opened
    finally:
        for one in running:
            await one.__aexit__(None, None, None)
        await feed.close()


@pytest.mark.parametrize("name", CANDIDATES)
async def test_a_bad_bundle_changes_nothing(tmp_path: Path, name: str) -> None:
    """The last good one stays in force and decides as before, the status says why, and a good one afterwards is taken."""
    better = {**GOOD, "policies/p/policy.rego": policy("p", version="2.0.0").encode()}
    beside = ["builtin"] if name in SHADOWS else []
    async with fed(tmp_path, signed(GOOD), CANDIDATES[name](), beside=beside) as (feed, rounds, activate, opened):
        before = await feed.start(activate)
        first = await opened[0].decide(plain(), decision_id="d")

        with pytest.raises(asyncio.CancelledError):
            await feed.follow(activate)
        status = feed.status
        still = await opened[0].decide(plain(), decision_id="d")
        rounds.archives = [signed(better)]
        with pytest.raises(asyncio.CancelledError):
            await feed.follow(activate)
        after = await opened[0].decide(plain(), decision_id="d")

    assert (before.digest, Action.ALLOW) == (first.provenance.digest, first.action)
    assert replace(first, provenance=Provenance()) == replace(still, provenance=Provenance())
    assert (before.digest, before.digest, 1, 1) == (
        still.provenance.digest,
        status.digest,
        status.failing,
        status.activations,
    )
    assert status.code != ""
    assert status.reason != ""
    assert (0, "", True) == (feed.status.failing, feed.status.reason, after.provenance.digest != before.digest)
    assert ["b.tar.gz", "kept"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", CANDIDATES)
async def test_a_bad_bundle_is_no_start(tmp_path: Path, name: str) -> None:
    """Without a good one there is no decider that could allow anything."""
    beside = ["builtin"] if name in SHADOWS else []
    async with fed(tmp_path, CANDIDATES[name](), beside=beside) as (feed, _, activate, opened):
        with pytest.raises(GovernanceError):
            await feed.start(activate)

    assert ([], 0) == (opened, feed.status.activations)


async def test_a_feed_outlives_a_clock_that_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets the clock neither stops the feed nor makes it take an older bundle."""
    better = {**GOOD, "policies/p/policy.rego": policy("p", version="2.0.0").encode()}
    async with fed(tmp_path, signed(GOOD), signed(GOOD), signed(better)) as (feed, _, activate, opened):
        await feed.start(activate)
        monkeypatch.setattr(time, "time", lambda: 0.0)

        with pytest.raises(asyncio.CancelledError):
            await feed.follow(activate)
        decision = await opened[0].decide(plain(), decision_id="d")

    assert (2, 0, feed.status.digest) == (feed.status.activations, feed.status.failing, decision.provenance.digest)
