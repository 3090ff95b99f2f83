"""How much work one text may cost, and how much time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import final

from governance.finding import DetectionStatus

# The interpreter lock is held for one block at most, and the clock is read between blocks.
BLOCK = 65_536
OVERLAP = 256
MAX_CHARGED_CHARS = 1_048_576
# Where nobody waits in line behind a text it may take this much more work than on the path.
PATIENCE = 16
_UNIT = 10
# The clock is read after each 256 microseconds of work.
_CLOCK = 8


class Exhausted(Exception):
    """Work or time is used up; `status` says which. No error: what was found until then is kept."""

    def __init__(self, status: DetectionStatus) -> None:
        super().__init__(status.value)
        self.status = status


@final
class Meter:
    """Work done on one text. A unit is ten microseconds; the allowance grows with the length of the text to a cap.

    What is done is charged for by what it costs at worst on a machine of some years, not by the clock, so that one text
    always ends at the same place. A text of 64 kB so takes a tenth of a second at most, any text about a second and a half.
    `deadline` is on the clock of `time.monotonic`. `left_out` says that something was not read that does not end the reading.
    """

    __slots__ = ("_limit", "_micros", "_next", "deadline", "left_out")

    def __init__(self, length: int, *, deadline: float) -> None:
        self._limit = (3072 + min(length, MAX_CHARGED_CHARS) // 8) * _UNIT
        self.deadline = deadline
        self.left_out = False
        self._micros = 0
        # Nothing has to be looked at before so much is spent.
        self._next = 1 << _CLOCK

    def spend(self, units: int = 1) -> None:
        """Counts work. Raises Exhausted with `partial` over the allowance, with `timeout` after the deadline."""
        self.charge(units * _UNIT)

    def charge(self, microseconds: int) -> None:
        """As `spend`, for work of less than a unit."""
        self._micros += microseconds
        if self._micros >= self._next:
            self._look()

    def _look(self) -> None:
        if self._micros > self._limit:
            raise Exhausted(DetectionStatus.PARTIAL)
        self._next = min(((self._micros >> _CLOCK) + 1) << _CLOCK, self._limit + 1)
        self.check_clock()

    @property
    def allowance(self) -> int:
        """The units that may be spent."""
        return self._limit // _UNIT

    @allowance.setter
    def allowance(self, units: int) -> None:
        self._limit = units * _UNIT
        self._next = min(self._next, self._limit + 1)

    @property
    def spent(self) -> int:
        """The units spent, rounded up."""
        return -(-self._micros // _UNIT)

    @property
    def left(self) -> int:
        """The microseconds of work that may still be charged for."""
        return max(0, self._limit - self._micros)

    def check_clock(self) -> None:
        """Raises Exhausted with `timeout` after the deadline."""
        if time.monotonic() > self.deadline:
            raise Exhausted(DetectionStatus.TIMEOUT)


def sweep(pattern: re.Pattern[str], text: str, meter: Meter) -> Iterator[re.Match[str]]:
    """Matches of `pattern` as `finditer` has them, found block by block. A match over OVERLAP may come in pieces."""
    position = 0
    while position < len(text):
        meter.check_clock()
        limit = position + BLOCK
        last, count = limit, 0
        for count, match in enumerate(pattern.finditer(text, position, limit + OVERLAP), start=1):  # noqa: B007
            if match.start() >= limit:
                break
            yield match
            last = match.end()
        meter.spend(count // 16)
        position = max(limit, last)
