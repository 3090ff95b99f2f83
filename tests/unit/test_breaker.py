"""A server that fails is left alone, and tried again."""

from __future__ import annotations

from governance.breaker import FAILURES, Breaker


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Hands]:
    clock = Hands()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.admits()
        breaker.failed()
    return breaker, clock


def test_failures_in_a_row_open_it() -> None:
    """One answer in between starts the count anew."""
    breaker = Breaker(Hands())
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
        breaker.succeeded()

    assert (False, True) == (breaker.open, opened()[0].open)


def test_how_many_failures_open_it_is_for_its_owner() -> None:
    """Where each one costs a process, fewer are enough."""
    breaker = Breaker(Hands(), failures=2)
    breaker.failed()
    before = breaker.open
    breaker.failed()

    assert (False, True) == (before, breaker.open)


def test_while_open_one_attempt_is_let_through_in_each_pause() -> None:
    """Everybody else is refused at once."""
    breaker, clock = opened()
    at_once = breaker.admits()
    clock.now += 0.5

    assert [False, True, False, False] == [at_once, breaker.admits(), breaker.admits(), breaker.admits()]


def test_pauses_double_up_to_half_a_minute() -> None:
    """A server that stays away costs an attempt every thirty seconds."""
    breaker, clock = opened()
    pauses = []
    for _ in range(9):
        before = clock.now
        while not breaker.admits():
            clock.now += 0.25
        breaker.failed()
        pauses.append(clock.now - before)

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] == pauses


def test_an_answer_closes_it() -> None:
    """The next failure is the first one again."""
    breaker, clock = opened()
    clock.now += 1
    assert breaker.admits()
    breaker.succeeded()
    breaker.failed()

    assert (False, True) == (breaker.open, breaker.admits())
