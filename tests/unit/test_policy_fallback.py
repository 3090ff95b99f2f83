"""Two engines behind one: who is asked, who answered, and what is refused. Both are stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from governance.decision import Contribution, FailureKind
from governance.errors import ConfigInvalid, GovernanceError, PolicyUnavailable
from governance.policy.fallback import Answer, Fallback, answered


class StandIn:
    """An engine that answers for every policy with `failure`, or raises `error` instead."""

    def __init__(self, name: str, version: str = "1") -> None:
        self.name, self.version = name, version
        self.error: GovernanceError | None = None
        self.failure: FailureKind | None = None
        self.asked = 0
        self.closed = 0

    async def evaluate(self, policies: Sequence[str], document: bytes, *, rows: int) -> tuple[Contribution, ...]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return tuple(
            Contribution(policy=id_, version=self.name, failure=None if id_ == "fine" else self.failure)
            for id_ in policies
        )

    async def close(self) -> None:
        self.closed += 1


class Maker:
    """Makes `engine`, or raises `error`."""

    def __init__(self, engine: StandIn, error: GovernanceError | None = None) -> None:
        self.engine, self.error = engine, error
        self.asked = 0

    async def __call__(self) -> StandIn:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.engine


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pair() -> tuple[StandIn, StandIn]:
    return StandIn("opa", "2"), StandIn("embedded", "3")


def said(engine: StandIn, *policies: str, failure: FailureKind | None = None) -> Answer:
    contributions = tuple(Contribution(policy=id_, version=engine.name, failure=failure) for id_ in policies)
    return Answer(contributions=contributions, engine=engine.name, engine_version=engine.version)


async def test_the_first_engine_answers_while_it_can() -> None:
    """The second one is not asked."""
    first, second = pair()
    engine = await Fallback("opa", Maker(first), second).start()
    found = await answered(engine, ["p"], b"{}", rows=0)

    assert (said(first, "p"), 0, "opa", "2") == (found, second.asked, engine.name, engine.version)


async def test_the_second_engine_answers_where_the_first_cannot_be_reached() -> None:
    """The answer names who made it; when the first is back, it answers again."""
    first, second = pair()
    engine = await Fallback("opa", Maker(first), second).start()
    first.error = PolicyUnavailable("away")
    away = await answered(engine, ["p"], b"{}", rows=0)
    first.error = None
    back = await answered(engine, ["p"], b"{}", rows=0)

    assert ([said(second, "p"), said(first, "p")], 1) == ([away, back], second.asked)


async def test_a_first_engine_that_answers_for_nobody_in_time_is_not_reached() -> None:
    """From here a server that hangs looks as one that is slow; one policy that is late alone is an answer."""
    first, second = pair()
    first.failure = "timeout"
    engine = await Fallback("opa", Maker(first), second).start()
    hung = await answered(engine, ["p", "q"], b"{}", rows=0)
    late = await engine.evaluate(["fine", "q"], b"{}", rows=0)

    assert (said(second, "p", "q"), [("opa", None), ("opa", "timeout")]) == (
        hung,
        [(one.version, one.failure) for one in late],
    )


@pytest.mark.parametrize("failure", ["eval", "schema", "unsupported"])
async def test_a_failure_of_a_policy_is_an_answer(failure: FailureKind) -> None:
    """Nobody else is asked until one is found who says yes."""
    first, second = pair()
    first.failure = failure
    engine = await Fallback("opa", Maker(first), second).start()

    assert (said(first, "p", failure=failure), 0) == (await answered(engine, ["p"], b"{}", rows=0), second.asked)


async def test_where_neither_answers_it_is_refused() -> None:
    """No answer is made up."""
    first, second = pair()
    engine = await Fallback("opa", Maker(first), second).start()
    first.error, second.error = PolicyUnavailable("away"), PolicyUnavailable("also away")
    with pytest.raises(PolicyUnavailable, match="also away"):
        await engine.evaluate(["p"], b"{}", rows=0)


async def test_an_error_that_is_not_about_reach_is_not_hidden() -> None:
    """Only what cannot be reached has somebody in its place."""
    first, second = pair()
    engine = await Fallback("opa", Maker(first), second).start()
    first.error = ConfigInvalid("something else")
    with pytest.raises(ConfigInvalid):
        await engine.evaluate(["p"], b"{}", rows=0)

    assert 0 == second.asked


async def test_a_first_engine_that_is_away_at_the_start_is_taken_when_it_comes() -> None:
    """Until then the second one answers, and the first is tried with pauses and not with every request."""
    first, second = pair()
    maker, clock = Maker(first, PolicyUnavailable("away")), Clock()
    engine = await Fallback("opa", maker, second, clock=clock).start()
    before = engine.version

    async def asked() -> str:
        found = await answered(engine, ["p"], b"{}", rows=0)
        # The attempt beside it is done by then.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found.engine

    away = [await asked() for _ in range(5)]
    tries = maker.asked
    clock.now = 60.0
    away.append(await asked())
    maker.error, clock.now = None, 600.0
    back = [await asked(), await asked()]

    assert (["embedded"] * 6, 1, ["embedded", "opa"]) == (away, tries, back)
    assert (3, "3", "2") == (maker.asked, before, engine.version)


async def test_a_first_engine_that_refuses_the_bundle_refuses_the_start() -> None:
    """Both hold the bundle or none does; the second one is freed."""
    first, second = pair()
    with pytest.raises(ConfigInvalid):
        await Fallback("opa", Maker(first, ConfigInvalid("a typo")), second).start()

    assert 1 == second.closed


async def test_closing_frees_both() -> None:
    """And an attempt that goes on ends."""
    first, second = pair()
    engine = await Fallback("opa", Maker(first), second).start()
    await engine.close()

    async def never() -> StandIn:
        await asyncio.sleep(3600)
        return first

    clock, third = Clock(), StandIn("embedded")
    maker = Maker(first, PolicyUnavailable("away"))
    other = await Fallback("opa", maker, third, clock=clock).start()
    other._make = never
    clock.now = 600.0
    await other.evaluate(["p"], b"{}", rows=0)
    trying = other._trying
    await other.close()

    assert trying is not None
    assert (1, 1, 1, True) == (first.closed, second.closed, third.closed, trying.cancelled())


async def test_any_engine_says_who_it_is() -> None:
    """One that stands alone is named as itself."""
    alone = StandIn("plan", "7")

    assert said(alone, "p") == await answered(alone, ["p"], b"{}", rows=0)
