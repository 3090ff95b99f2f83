"""Where in a text an entity can be at all: cheap passes, linear by construction, that cut windows for the rules.

No rule ever sees a whole text. Patterns here start with a literal or a character class and repeat only classes that
exclude each other, so that the stdlib engine cannot backtrack further than a constant.
"""

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
MAX_LOCAL_PART = 128
MAX_DOMAIN = 255

_AT = re.compile(r"@\w")
_DIGITS = re.compile(r"[0-9](?:[ .\-/()\u00a0]{0,2}[0-9]){3,}")
_IBAN_HEAD = re.compile(r"[A-Z][A-Z][0-9][0-9]")
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6_HEAD = re.compile(r"(?<![\w:])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:")
_IPV6_RUN = re.compile(r"[0-9A-Fa-f:.]{2,64}")


class Exhausted(Exception):
    """Work or time is used up; `status` says which. No error: what was found until then is kept."""

    def __init__(self, status: DetectionStatus) -> None:
        super().__init__(status.value)
        self.status = status


@final
class Meter:
    """Work done on one text. A unit is about 10 microseconds; the allowance grows with the length of the text to a cap.

    A text of 64 kB so takes a quarter of a second at most, any text a few seconds. `deadline` is on the clock of `time.monotonic`.
    """

    __slots__ = ("allowance", "deadline", "spent")

    def __init__(self, length: int, *, deadline: float) -> None:
        self.allowance = 2048 + min(length, MAX_CHARGED_CHARS) // 5
        self.deadline = deadline
        self.spent = 0

    def spend(self, units: int = 1) -> None:
        """Counts work. Raises Exhausted with `partial` over the allowance, with `timeout` after the deadline."""
        before, self.spent = self.spent, self.spent + units
        if self.spent > self.allowance:
            raise Exhausted(DetectionStatus.PARTIAL)
        if before >> 4 != self.spent >> 4:
            self.check_clock()

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


def _domain_end(text: str, start: int) -> int:
    limit = min(len(text), start + MAX_DOMAIN)
    for delimiter in " @\n":
        found = text.find(delimiter, start, limit)
        limit = limit if found < 0 else found
    return limit


def at_signs(text: str, meter: Meter) -> Iterator[tuple[int, int, int]]:
    """(left, at, right): an address around the `@` at `at` lies in `text[left:right]`."""
    previous = 0
    for match in sweep(_AT, text, meter):
        at = match.start()
        low = max(previous, at - MAX_LOCAL_PART)
        left = max(low, text.rfind(" ", low, at) + 1, text.rfind("\n", low, at) + 1)
        previous = at + 1
        if left < at:
            meter.spend()
            yield left, at, _domain_end(text, at + 1)


def digit_runs(text: str, meter: Meter) -> Iterator[tuple[int, int]]:
    """Half-open ranges of digits in groups; a run without separators over 40 digits holds no entity and is left out."""
    for match in sweep(_DIGITS, text, meter):
        start, end = match.span()
        if end - start > 40 and match[0].isdigit():
            continue
        meter.spend(1 + (end - start) // 32)
        yield start, end


def iban_heads(text: str, meter: Meter) -> Iterator[int]:
    """Positions of two capitals and two digits that do not follow a letter or digit."""
    for match in sweep(_IBAN_HEAD, text, meter):
        start = match.start()
        before = text[start - 1 : start] if start else ""
        if not (before.isascii() and before.isalnum()):
            meter.spend()
            yield start


def ipv6_heads(text: str, meter: Meter) -> Iterator[tuple[int, int]]:
    """(start, end) of runs of hexadecimal groups that have `::` or at least six colons."""
    done = 0
    for match in sweep(_COLONS, text, meter):
        colon = match.start()
        if colon < done:
            continue
        start = next((at for at in range(max(done, colon - 4), colon + 1) if _IPV6_HEAD.match(text, at)), None)
        run = None if start is None else _IPV6_RUN.match(text, start)
        if run is not None and ("::" in run[0] or run[0].count(":") >= 6):
            meter.spend(3)
            yield run.span()
            done = run.end()
