"""What the parent makes of a child's answers. The child here is a stand-in; the real one has tests of its own."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.child import Ended, Overrun
from governance.errors import PolicyUnavailable
from governance.policy.watched import Evaluator
from tests.bundles import bundle_of, policy

NOTHING = b"[null,[]]"


class StandIn:
    """A child that answers each request with what the script has for it: bytes, an error, or seconds to take before."""

    def __init__(self, *_: object, **__: object) -> None:
        self.script: Callable[[list[str]], Iterator[bytes | Exception | float]] = lambda _: iter(())
        self.requests: list[list[str]] = []
        self.replaced = 0
        self.unready: Exception | None = None
        self._left: Iterator[bytes | Exception | float] = iter(())

    def ready(self, deadline: float) -> None:
        del deadline
        if self.unready is not None:
            raise self.unready

    def send(self, request: bytes, deadline: float) -> None:
        del deadline
        asked = [one.split("/")[2] for one in json.loads(request.partition(b"\n")[0])]
        self.requests.append(asked)
        self._left = self.script(asked)

    def receive(self, deadline: float) -> bytes:
        del deadline
        said = next(self._left)
        if isinstance(said, float):
            time.sleep(said)
            said = next(self._left)
        assert not isinstance(said, float)
        if isinstance(said, Exception):
            raise said
        return said

    def replace(self) -> None:
        self.replaced += 1


@pytest.fixture
def evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Evaluator, StandIn]:
    """Two policies, p and q, and the child that is asked for them."""
    child = StandIn()
    monkeypatch.setattr("governance.policy.watched.Children", lambda *_, **__: child)
    monkeypatch.setattr("governance.breaker._FIRST_S", 600.0)
    bundle = bundle_of(tmp_path, {f"{id_}.rego": policy(id_) for id_ in "pq"})
    return Evaluator(bundle, deadline_ms=60_000), child


def failures(evaluator: Evaluator) -> list[str | None]:
    return [one.failure for one in evaluator.evaluate(["p", "q"], b"{}", time.monotonic() + 60)]


def test_the_policy_that_took_the_time_is_to_blame(evaluator: tuple[Evaluator, StandIn]) -> None:
    """One that leaves no time to the next is not asked for a while; the next one is."""
    one, child = evaluator
    child.script = lambda _: iter([0.2, NOTHING, Overrun()])
    late = [failures(one) for _ in range(3)]
    child.script = lambda asked: iter([NOTHING] * len(asked))
    after = failures(one)

    assert ([[None, "timeout"]] * 3, ["timeout", None]) == (late, after)
    assert [["p", "q"]] * 3 + [["q"]] == child.requests


def test_the_policy_that_ends_the_child_is_to_blame(evaluator: tuple[Evaluator, StandIn]) -> None:
    """It is the one in hand, however long those before it took."""
    one, child = evaluator
    child.script = lambda _: iter([0.2, NOTHING, Ended()])
    ended = [failures(one) for _ in range(3)]
    child.script = lambda asked: iter([NOTHING] * len(asked))
    after = failures(one)

    assert ([[None, "eval"]] * 3, [None, "timeout"]) == (ended, after)
    assert ["p"] == child.requests[-1]


def test_an_answer_in_between_begins_the_count_anew(evaluator: tuple[Evaluator, StandIn]) -> None:
    """A policy that runs away on some inputs is asked about the others."""
    one, child = evaluator
    for _ in range(4):
        for answers in ([NOTHING, Overrun()], [NOTHING, NOTHING]):
            child.script = lambda _, answers=answers: iter([0.0, answers[0], 0.1, answers[1]])  # type: ignore[misc]
            failures(one)

    assert [["p", "q"]] * 8 == child.requests


@pytest.mark.parametrize("raw", [b"", b"no json", b"7", b"[null]", b'["strange", null]', b'{"a": 1, "b": 2, "c": 3}'])
def test_an_answer_that_cannot_be_read_denies(evaluator: tuple[Evaluator, StandIn], raw: bytes) -> None:
    """The child is replaced, and what it said before stands."""
    one, child = evaluator
    child.script = lambda _: iter([NOTHING, raw])

    assert ([None, "eval"], 1) == (failures(one), child.replaced)


@pytest.mark.parametrize("value", ["text", 7, {"effect": "allow"}, [{"effect": "no such"}], [[]]])
def test_a_value_that_is_no_set_of_effects_denies(evaluator: tuple[Evaluator, StandIn], value: Any) -> None:
    """A child is not believed more than an engine in this process."""
    one, child = evaluator
    child.script = lambda _: iter([json.dumps([None, value]).encode(), NOTHING])

    assert ["schema", None] == failures(one)


def test_what_was_said_before_is_the_same_object(evaluator: tuple[Evaluator, StandIn]) -> None:
    """By policy and by what it said; what is long is read anew each time."""
    one, child = evaluator
    note = '[null,[{"effect":"note","rule":"r","code":"c","params":{}}]]'
    found = []
    for second in (NOTHING, NOTHING, note.encode(), (note + " " * 2000).encode(), (note + " " * 2000).encode()):
        child.script = lambda _, second=second: iter([NOTHING, second])  # type: ignore[misc]
        found.append(one.evaluate(["p", "q"], b"{}", time.monotonic() + 60))
    p, q = zip(*found, strict=True)

    assert (1, ["p", "q"]) == (len(set(map(id, p))), [p[0].policy, q[0].policy])
    assert [True, False, False, False] == [one is other for one, other in itertools.pairwise(q)]
    assert q[2] == q[3] == q[4]


@pytest.mark.parametrize("unready", [Ended(), Overrun(), OSError()])
def test_without_a_child_nobody_is_asked(evaluator: tuple[Evaluator, StandIn], unready: Exception) -> None:
    """The request is refused and no policy is blamed."""
    one, child = evaluator
    child.unready = unready
    with pytest.raises(PolicyUnavailable):
        failures(one)

    assert [] == child.requests
