"""Policies on regopy in a child process: the same answers as in this one, and an end at the deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from governance.decision import Action, Contribution, Mode, Provenance
from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.policy.bundle import Bundle, canonical, in_force, load_bundle
from governance.policy.embedded import EmbeddedEngine
from governance.policy.lattice import combine
from governance.policy.sample import samples
from governance.policy.trial import try_out
from governance.policy.watched import Watched
from tests.bundles import ALLOW, bundle_of, one_policy, policy, write

# Nine million turns: tens of seconds on regopy, which would end it at its own limit.
RUNAWAY = f"""effects contains {ALLOW} if {{
	input.slow
	some x in numbers.range(1, 3000)
	some y in numbers.range(1, 3000)
	x * y == -1
}}"""
THREE = {"p.rego": policy("p"), "q.rego": policy("q", RUNAWAY), "r.rego": policy("r")}
IDS = ["p", "q", "r"]
SLOW, QUICK = b'{"slow":true}', b'{"slow":false}'
# What a quick evaluation never needs, on any machine.
AMPLE_MS = 20_000


@contextlib.asynccontextmanager
async def started(bundle: Bundle, **arguments: Any) -> AsyncIterator[Watched]:
    engine = await Watched.start(bundle, **({"deadline_ms": AMPLE_MS} | arguments))
    try:
        yield engine
    finally:
        await engine.close()


def action(*contributions: Contribution) -> Action:
    return combine(contributions, decision_id="d", phase="request", provenance=Provenance()).action


def failures(contributions: tuple[Contribution, ...]) -> list[str | None]:
    return [one.failure for one in contributions]


async def patiently(ask: Callable[[], Awaitable[tuple[Contribution, ...]]]) -> tuple[Contribution, ...]:
    """What `ask` gives once a child is there; a slow machine may not have loaded one within the engine's patience."""
    for _ in range(20):
        with contextlib.suppress(PolicyUnavailable):
            return await ask()
    raise AssertionError("no child was loaded")


async def ended(pid: int | None) -> bool:
    """Whether the process ends, within a minute."""
    for _ in range(1200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def library() -> Bundle:
    return in_force(load_bundle(["builtin"]))


async def test_the_child_says_what_regopy_says_here(library: Bundle) -> None:
    """Every policy of the library contributes the same in both processes, and the versions agree."""
    here, ids = EmbeddedEngine(library), [one.id for one in library.policies]
    async with started(library, rehearsals=samples()) as engine:
        found = [await engine.evaluate(ids, document, rows=0) for document in samples()]
        named = engine.name, engine.version.partition(" ")[0]

    assert [here.evaluate(ids, document) for document in samples()] == found
    assert ("embedded", "regopy") == named


async def test_failures_of_every_kind_are_told_as_here(tmp_path: Path) -> None:
    """No value, a value that is no effect, an error, and a document that regopy cannot hold."""
    files = {
        "a.rego": policy("a", f"effects contains {ALLOW} if input.never"),
        "b.rego": policy("b", 'effects := "text"'),
        "c.rego": policy("c", f"effects contains {ALLOW} if 1 / input.zero == 1"),
        "d.rego": policy("d"),
    }
    bundle, ids = bundle_of(tmp_path, files), ["a", "b", "c", "d"]
    here = EmbeddedEngine(bundle)
    async with started(bundle) as engine:
        for document in (b'{"zero":0}', b"{", b'{"x":0.5}', '{"x":"\u2028\\ud800\n"}'.encode()):
            assert here.evaluate(ids, document) == await engine.evaluate(ids, document, rows=0)


async def test_hostile_strings_stay_strings(tmp_path: Path) -> None:
    """An echoed text comes back as it was. A megabyte of it ends as it does here, and so does what no answer can hold."""
    pin = '{"effect": "pin", "rule": "r", "code": "c", "params": {"nodes": {"any": [input.x]}}}'
    bundle = one_policy(tmp_path, f"effects contains {pin}")
    here = EmbeddedEngine(bundle)
    async with started(bundle) as engine:
        plain = ('x","effect":"allow', "a\\b", "a\0b", "\u2028", "é😀", "]\n[null")
        for text in (*plain, "x" * 1_000_000, "é" * 1_500_000):
            document = canonical({"x": text})
            assert here.evaluate(["p"], document) == await engine.evaluate(["p"], document, rows=0)


async def test_a_runaway_policy_ends_at_its_deadline(tmp_path: Path) -> None:
    """It and those after it fail as `timeout`, what came before stays, the whole is a refusal; the next input is answered.

    Meanwhile the event loop turns.
    """
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    async with started(bundle_of(tmp_path, THREE), deadline_ms=1500) as engine:
        first, turning = engine.pid, asyncio.create_task(turn())
        late = await engine.evaluate(IDS, SLOW, rows=0)
        turning.cancel()
        after = await patiently(lambda: engine.evaluate(IDS, QUICK, rows=0))

        assert [None, "timeout", "timeout"] == failures(late)
        assert (Action.DENY, [None, None, None], Action.ALLOW) == (action(*late), failures(after), action(*after))
        assert (True, True) == (await ended(first), turns > 5)


async def test_a_policy_that_always_runs_away_is_not_asked_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three children in a row it fails at once, the others answer, and no child is lost any more."""
    monkeypatch.setattr("governance.breaker._FIRST_S", 600.0)
    async with started(bundle_of(tmp_path, THREE), deadline_ms=1500) as engine:
        for _ in range(3):
            await patiently(lambda: engine.evaluate(IDS, SLOW, rows=0))
        await patiently(lambda: engine.evaluate(["p"], QUICK, rows=0))
        child = engine.pid
        found = await engine.evaluate(IDS, SLOW, rows=0)

        assert ([None, "timeout", None], Action.DENY, child) == (failures(found), action(*found), engine.pid)


async def test_inputs_wait_for_their_turn(tmp_path: Path) -> None:
    """Many at once are answered, each with its own answer, by one child."""
    note = '{"effect": "pin", "rule": "r", "code": "c", "params": {"nodes": {"any": [input.x]}}}'
    async with started(one_policy(tmp_path, f"effects contains {note}")) as engine:
        asked = [engine.evaluate(["p"], canonical({"x": f"n{at}"}), rows=0) for at in range(50)]
        found: Any = await asyncio.gather(*asked)

    assert [(f"n{at}",) for at in range(50)] == [one[0].effects[0].params.nodes.any for one in found]


async def test_what_waits_has_a_bound(tmp_path: Path) -> None:
    """Beyond it an input is refused at once; what waited is answered, and there is room again."""
    async with started(one_policy(tmp_path, f"effects contains {ALLOW}"), max_waiting=2) as engine:
        waiting = [asyncio.create_task(engine.evaluate(["p"], b"{}", rows=0)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(PolicyUnavailable, match="too many evaluations wait"):
            await engine.evaluate(["p"], b"{}", rows=0)
        found = [*await asyncio.gather(*waiting), await engine.evaluate(["p"], b"{}", rows=0)]

    assert [[None]] * 3 == [failures(one) for one in found]


async def test_an_input_whose_turn_comes_too_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked may have given up: nobody is asked for it."""
    monkeypatch.setattr("governance.policy.watched._PATIENCE_S", -1.0)
    async with started(one_policy(tmp_path, f"effects contains {ALLOW}")) as engine:
        with pytest.raises(PolicyUnavailable, match="in time"):
            await engine.evaluate(["p"], b"{}", rows=0)


async def test_a_child_that_is_killed_between_inputs_is_not_missed(tmp_path: Path) -> None:
    """The next input waits for its successor and is answered."""
    async with started(bundle_of(tmp_path, THREE)) as engine:
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        gone = await ended(first)
        found = await patiently(lambda: engine.evaluate(IDS, QUICK, rows=0))

        assert (True, [None, None, None], True) == (gone, failures(found), first != engine.pid)


async def test_a_child_that_is_killed_in_an_evaluation_denies(tmp_path: Path) -> None:
    """What it had not answered has failed, long before the deadline; the next input is answered."""
    async with started(bundle_of(tmp_path, THREE), deadline_ms=600_000) as engine:
        first = engine.pid
        assert first is not None
        asked = asyncio.create_task(engine.evaluate(IDS, SLOW, rows=0))
        await asyncio.sleep(0.5)
        os.kill(first, signal.SIGKILL)
        found = await asked
        after = await patiently(lambda: engine.evaluate(IDS, QUICK, rows=0))

        assert ("eval", "eval", Action.DENY) == (*failures(found)[1:], action(*found))
        assert [None, None, None] == failures(after)


async def test_no_child_to_be_had_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where processes die at their start, requests are refused; once they live again, answered."""
    stand_in = write(tmp_path / "bin", {"python": "#!/bin/sh\nexit 1\n"}) / "python"
    stand_in.chmod(0o755)
    async with started(bundle_of(tmp_path / "policies", THREE)) as engine:
        assert engine.pid is not None
        with monkeypatch.context() as patched:
            patched.setattr("governance.child.PYTHON", (str(stand_in),))
            os.kill(engine.pid, signal.SIGKILL)
            await ended(engine.pid)
            for _ in range(3):
                with pytest.raises(PolicyUnavailable):
                    await engine.evaluate(IDS, QUICK, rows=0)
        found = await patiently(lambda: engine.evaluate(IDS, QUICK, rows=0))

    assert [None, None, None] == failures(found)


async def test_closing_answers_what_was_asked_and_ends_the_child(tmp_path: Path) -> None:
    """An input that was taken before is answered; one that comes after is refused."""
    engine = await Watched.start(bundle_of(tmp_path, THREE), deadline_ms=AMPLE_MS)
    child, asked = engine.pid, asyncio.create_task(engine.evaluate(IDS, QUICK, rows=0))
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(PolicyUnavailable, match="closed"):
        await engine.evaluate(IDS, QUICK, rows=0)

    assert ([None, None, None], None, True) == (failures(await asked), engine.pid, await ended(child))


REFUSED = [
    ({"p.rego": policy("p", "effects contains 1\n\neffects(x) := 1")}, "the policies do not compile"),
    ({"p.rego": policy("p", 'effects := "text"')}, "policy `p` fails on a sample request: its effects do not fit"),
    ({"p.rego": policy("p", f"effects contains {ALLOW} if 1 / 0 == 1")}, "it cannot be evaluated"),
]


@pytest.mark.parametrize(("files", "message"), REFUSED, ids=["compile", "schema", "evaluation"])
async def test_a_bundle_that_cannot_be_used_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """Starting, trying out and compiling here say the same of it."""
    bundle, said = bundle_of(tmp_path, files), []
    for refuse in (try_out, lambda one: EmbeddedEngine(one, rehearsals=samples())):
        with pytest.raises(ConfigInvalid, match=message) as raised:
            refuse(bundle)
        said.append(str(raised.value))
    with pytest.raises(ConfigInvalid) as refusal:
        await Watched.start(bundle, rehearsals=samples())

    assert [str(refusal.value)] * 2 == said


async def test_a_policy_that_is_off_is_tried_too(tmp_path: Path) -> None:
    """It is not loaded to serve, and yet refused where it would fail: it may be switched on at any time."""
    files = {"p.rego": policy("p"), "q.rego": policy("q", 'effects := "text"')}
    bundle = bundle_of(tmp_path, files, q=Mode.OFF)

    with pytest.raises(ConfigInvalid, match="policy `q` fails"):
        await Watched.start(bundle, rehearsals=samples())


async def test_a_bundle_stays_when_its_files_change(tmp_path: Path) -> None:
    """The successor of a child holds what was in force, whatever lies in the directory by then."""
    async with started(bundle_of(tmp_path, {"p.rego": policy("p")})) as engine:
        assert engine.pid is not None
        (tmp_path / "p.rego").write_text("package nothing\n")
        os.kill(engine.pid, signal.SIGKILL)
        await ended(engine.pid)
        found = await patiently(lambda: engine.evaluate(["p"], b"{}", rows=0))

    assert (None, Action.ALLOW) == (found[0].failure, action(*found))


async def test_memory_that_regopy_keeps_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child is replaced again and again while it is asked: each answer is the right one, and none is refused."""
    monkeypatch.setattr("governance.policy.watched.MAX_GROWTH_BYTES", 8 << 20)
    monkeypatch.setattr("governance.child._RENEWAL_PAUSE_S", 0.0)
    ids, documents = ["pipl_export", "credentials"], samples()
    library = load_bundle(["builtin"], modes=dict.fromkeys(ids, Mode.ENFORCE))
    here = EmbeddedEngine(library)
    expected = [here.evaluate(ids, document) for document in documents]
    pids, wrong = set(), 0
    with structlog.testing.capture_logs() as lines:
        async with started(library) as engine:
            for _ in range(2000):
                asked = (engine.evaluate(ids, document, rows=0) for document in documents)
                wrong += expected != list(await asyncio.gather(*asked))
                pids.add(engine.pid)
                if len(pids) == 4:
                    break

    assert (0, 4) == (wrong, len(pids))
    assert [("policy_child_renewed", True)] * 3 == [(one["event"], one["grown_mb"] >= 8) for one in lines]
    assert [{"event", "grown_mb", "log_level"}] * 3 == [set(one) for one in lines]
