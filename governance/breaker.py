"""When what fails is left alone: a circuit breaker as a pure state machine over a clock."""

from __future__ import annotations

from collections.abc import Callable

FAILURES = 5
_FIRST_S = 0.5
_LONGEST_S = 30.0


class Breaker:
    """Closed until `failures` attempts in a row failed; then open, and one attempt at a time is let through to try.

    The first pause is half a second, and each failed try doubles it, up to 30 s. Owned by one thread.
    """

    def __init__(self, clock: Callable[[], float], *, failures: int = FAILURES) -> None:
        self._clock = clock
        self._limit = failures
        self._failures = 0
        self._pause_s = _FIRST_S
        self._next = 0.0

    @property
    def open(self) -> bool:
        """True while attempts are left alone but for tries."""
        return self._failures >= self._limit

    def admits(self) -> bool:
        """Whether an attempt may be made now. While open, True at most once in a pause."""
        if not self.open:
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._pause_s
        return True

    def succeeded(self) -> None:
        """The last attempt was answered."""
        self._failures, self._pause_s = 0, _FIRST_S

    def failed(self) -> None:
        """The last attempt was not answered, or not in time."""
        if self.open:
            self._pause_s = min(self._pause_s * 2, _LONGEST_S)
        self._failures += 1
        if self.open:
            self._next = self._clock() + self._pause_s
