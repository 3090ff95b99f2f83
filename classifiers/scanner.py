"""Where in a text the expressions of all rules may match, found in one pass.

Two engines with one contract, `Scanner`: Hyperscan, and google-re2 where Hyperscan or this machine's instructions for it
are missing. Whatever the engine, reading the places with `matches` gives for each expression the matches that `re` finds
in the whole text: the engine decides what it costs, never what is found.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol, final

from classifiers.expressions import Form, forms, plain, widest
from classifiers.meter import BLOCK, Exhausted, Meter
from governance.errors import ConfigInvalid
from governance.finding import DetectionStatus

# (number of the expression, first place where a match may start, first place behind the last): starts, half open.
Place = tuple[int, int, int]
# What is charged for: an event reported and sorted, bytes scanned for all expressions.
EVENT_MICROS = 2
BYTES_PER_MICRO = 40
# An expression that can match more than this is tried at each place: a search would run on far behind the last.
_WIDE = 512
# Trying a place costs as much as searching so many bytes.
_TRY = 8
_SET_SIZE = 64
_BEYOND = 4096


class EngineUnavailable(Exception):
    """This engine cannot run here; the other one can."""


@dataclass(frozen=True, kw_only=True)
class Expression:
    """One expression of one or more rules."""

    text: str
    caseless: bool
    form: Form

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """Compiled at first use: a start of the program would wait for all of them."""
        return re.compile(self.text.encode("ascii"), re.IGNORECASE if self.caseless else 0)

    @cached_property
    def widest(self) -> int:
        """The longest match, at most UNBOUNDED."""
        return widest(self.text)


def matches(
    expression: Expression, data: bytes, start: int, stop: int, taken: Callable[[re.Match[bytes]], int]
) -> None:
    """Shows `taken` the matches that start in `data[start:stop]`, from left to right.

    `taken` says where to look on: behind the match it took, or one further where the match was none after all.
    """
    pattern, room = expression.pattern, expression.widest
    while start < stop:
        match = _first(pattern, data, start, stop, room)
        if match is None:
            return
        start = max(taken(match), match.start() + 1)


def _first(pattern: re.Pattern[bytes], data: bytes, start: int, stop: int, room: int) -> re.Match[bytes] | None:
    # A search looks on behind the last place, as far as a match may reach: to try each of a few is quicker.
    if (stop - start) * _TRY > min(room, _WIDE):
        # One character more than the longest match, so that its last boundary sees the neighbour.
        edge = stop + min(room, _WIDE) + 1
        match = pattern.search(data, start, edge)
        if room <= _WIDE or (match is not None and match.end() < min(edge, len(data))):
            return None if match is None or match.start() >= stop else match
        # The edge may have cut a match off, or may have made or prevented one.
    for at in range(start, stop):
        match = pattern.match(data, at)
        if match is not None:
            return match
    return None


Window = tuple[int, int]


class Scanner(Protocol):
    """Finds places; safe between threads."""

    def places(self, data: bytes, meter: Meter, windows: Sequence[Window] | None = None) -> Iterator[Place]:
        """Every place where an expression can match: by start for each expression, and disjoint.

        With `windows` (ascending, disjoint), only those in which a match lies whole. Raises Exhausted, after the places
        found until then.
        """
        ...


@final
class HyperscanScanner:
    """Expressions in one Hyperscan database: all of them, or those with the numbers `chosen`."""

    def __init__(self, expressions: Sequence[Expression], database: bytes, chosen: Sequence[int] | None = None) -> None:
        hyperscan = hyperscan_module()
        self._terminated: type[Exception] = hyperscan.ScanTerminated
        try:
            self._database = hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
            self._scratch = hyperscan.Scratch(self._database)
        except hyperscan.error as error:
            raise EngineUnavailable(f"the database cannot be used: {error}") from None
        self._local = threading.local()
        self._groups = [
            (form.told, form.least - 1, form.most, numbers)
            for form, numbers in _by_form(expressions, range(len(expressions)) if chosen is None else chosen)
        ]

    def places(self, data: bytes, meter: Meter, windows: Sequence[Window] | None = None) -> Iterator[Place]:
        """See Scanner. The scan stops as soon as more happens than the meter has left."""
        events: list[tuple[int, int, int]] = []
        limit = meter.left // EVENT_MICROS
        halted = False
        scanned = 0
        try:
            for low, high in ((0, len(data)),) if windows is None else windows:
                self._scan(data, low, high, events, limit)
                scanned += high - low
        except self._terminated:
            halted = True
        meter.charge(min(meter.left, len(events) * EVENT_MICROS + scanned // BYTES_PER_MICRO))
        meter.check_clock()
        yield from self._merged(events)
        if halted:
            raise Exhausted(DetectionStatus.PARTIAL)

    def _scan(self, data: bytes, low: int, high: int, events: list[tuple[int, int, int]], limit: int) -> None:
        add = events.append
        room = limit - len(events)
        # With the neighbours of the window, so that its edges are no boundaries.
        shift = max(0, low - 1)
        part = data[shift : high + 1] if high < len(data) else data[shift:] + b"\n"

        def on_event(number: int, start: int, end: int, _flags: int, _context: object) -> bool | None:
            nonlocal room
            add((number, shift + end, shift + start))
            room -= 1
            return True if room < 0 else None

        self._database.scan(part, match_event_handler=on_event, scratch=self._own_scratch())

    def _merged(self, events: list[tuple[int, int, int]]) -> Iterator[Place]:
        """The places of `events`, which are (number of the form, end, start)."""
        events.sort()
        for group, own in groupby(events, key=itemgetter(0)):
            told, least, most, numbers = self._groups[group]
            spans: list[Window] = []
            low = high = -1
            for _, end, start in own:
                first = start if told else end - most
                if first <= high:
                    # Ends ascend, and so do starts but for those that the engine tells.
                    low = min(low, first) if told else low
                    high = end - least
                    continue
                if high >= 0:
                    spans.append((max(0, low), high))
                low, high = first, end - least
            spans.append((max(0, low), high))
            for number in numbers:
                for low, high in spans:
                    yield number, low, high

    def _own_scratch(self) -> Any:
        try:
            return self._local.scratch
        except AttributeError:
            self._local.scratch = self._scratch.clone()
            return self._local.scratch


@final
class Together:
    """Several scanners as one, each with expressions of its own. Long texts are read block by block.

    So what a text begins with is found, whatever comes behind it. LIMIT: what the engine has to see more than _BEYOND bytes
    of before it knows it for a match is not found at the end of a block.
    """

    def __init__(self, scanners: Sequence[Scanner]) -> None:
        self._scanners = scanners

    def places(self, data: bytes, meter: Meter, windows: Sequence[Window] | None = None) -> Iterator[Place]:
        """See Scanner; expression by expression in each block."""
        if windows is not None or len(data) <= BLOCK:
            for each in self._scanners:
                yield from each.places(data, meter, windows)
            return
        for start in range(0, len(data), BLOCK):
            stop = min(start + BLOCK, len(data))
            block = ((start, min(stop + _BEYOND, len(data))),)
            for each in self._scanners:
                for number, low, high in each.places(data, meter, block):
                    # A start belongs to one block.
                    if low < stop and high > start:
                        yield number, max(low, start), min(high, stop)


@final
class PortableScanner:
    """The same with google-re2: says which expressions occur at all, for `re` to find where. Some ten times slower."""

    def __init__(self, expressions: Sequence[Expression], chosen: Sequence[int] | None = None) -> None:
        numbers = range(len(expressions)) if chosen is None else chosen
        numbered = [(number, expressions[number]) for number in numbers]
        self._sets = [
            _ExpressionSet(numbered[first : first + _SET_SIZE]) for first in range(0, len(numbered), _SET_SIZE)
        ]

    def places(self, data: bytes, meter: Meter, windows: Sequence[Window] | None = None) -> Iterator[Place]:
        """See Scanner: all that there is to look at, for each expression that occurs in it."""
        spans = [(0, len(data))] if windows is None else windows
        seen = data if windows is None else b"\n".join(data[max(0, low - 1) : high + 1] for low, high in windows)
        for each in self._sets:
            meter.spend(len(seen) // 4096)
            meter.check_clock()
            for number in each.occurring(seen):
                meter.spend(len(seen) // 1024)
                for low, high in spans:
                    yield number, low, high


@final
class _ExpressionSet:
    """Up to 64 expressions in one automaton. Number 0 matches everywhere: without it in the answer, memory ran out."""

    def __init__(self, numbered: Sequence[tuple[int, Expression]]) -> None:
        re2: Any = import_module("re2")  # only where Hyperscan cannot be used
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_nl, options.dot_nl, options.log_errors = False, True, False
        options.max_mem = 256 << 20
        self._set = re2.Set.SearchSet(options)
        self._set.Add("(?:)")
        self._numbers = [number for number, _ in numbered]
        self._alone = []
        for _, expression in numbered:
            text = plain(expression.text)
            written = f"(?i:{text})" if expression.caseless else text
            self._set.Add(written)
            self._alone.append(re2.compile(written.encode("ascii"), options))
        self._set.Compile()

    def occurring(self, data: bytes) -> list[int]:
        """The numbers of the expressions that match anywhere, or might."""
        found = self._set.Match(data)
        if found is None or 0 not in found:
            return [number for number, each in zip(self._numbers, self._alone, strict=True) if each.search(data)]
        return sorted(self._numbers[at - 1] for at in found if at)


def build(named: Sequence[tuple[str, str, bool]]) -> tuple[list[Form], bytes]:
    """The form of each (rule id, expression, caseless), and the database of all of them.

    The engine does not say which of many it refuses: then each is tried alone. Raises ConfigInvalid with the rule's id,
    and EngineUnavailable.
    """
    hyperscan = hyperscan_module()
    chosen = forms_without_engine(named)
    caseless = [each for _, _, each in named]
    try:
        return chosen, _compiled(hyperscan, chosen, caseless)
    except hyperscan.error:
        chosen = [_fitting(hyperscan, *each) for each in named]
    try:
        return chosen, _compiled(hyperscan, chosen, caseless)
    except hyperscan.error as error:
        raise EngineUnavailable(f"the expressions do not fit together: {error}") from None


def _by_form(expressions: Sequence[Expression], chosen: Sequence[int]) -> list[tuple[Form, list[int]]]:
    """The forms in a database, by their number there, with the expressions that each stands for."""
    # Told apart by what they are made of: to hash a form itself takes several times as long.
    groups: dict[tuple[str, int, int, bool], list[int]] = {}
    for number in chosen:
        form = expressions[number].form
        key = (form.text, form.least, form.most, expressions[number].caseless)
        groups.setdefault(key, []).append(number)
    return [(expressions[numbers[0]].form, numbers) for numbers in groups.values()]


def forms_without_engine(named: Sequence[tuple[str, str, bool]]) -> list[Form]:
    """The first form of each expression, where no engine will see it. Raises ConfigInvalid."""
    return [next(_forms(rule, expression)) for rule, expression, _ in named]


def _fitting(hyperscan: Any, rule: str, expression: str, caseless: bool) -> Form:
    reason = "nothing in it is certain to be there"
    for form in _forms(rule, expression):
        try:
            _compiled(hyperscan, [form], [caseless])
        except hyperscan.error as error:
            reason = str(error)
        else:
            return form
    raise ConfigInvalid(f"rule `{rule}`: `{expression}` cannot be compiled: {reason}")


def _forms(rule: str, expression: str) -> Iterator[Form]:
    try:
        found = forms(expression)
        first = next(found, None)
    except re.error as error:
        raise ConfigInvalid(f"rule `{rule}`: `{expression}`: {error}") from None
    if first is None:
        raise ConfigInvalid(f"rule `{rule}`: `{expression}` may match the empty text")
    yield first
    yield from found


def _compiled(hyperscan: Any, chosen: Sequence[Form], caseless: Sequence[bool]) -> bytes:
    distinct = list(dict.fromkeys(zip(chosen, caseless, strict=True)))
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[form.text.encode("ascii") for form, _ in distinct],
        ids=list(range(len(distinct))),
        elements=len(distinct),
        flags=[
            hyperscan.HS_FLAG_DOTALL
            | (hyperscan.HS_FLAG_CASELESS if each else 0)
            | (hyperscan.HS_FLAG_SOM_LEFTMOST if form.told else 0)
            for form, each in distinct
        ],
    )
    serialised: bytes = hyperscan.dumpb(database)
    return serialised


def hyperscan_module() -> Any:
    """The library. Raises EngineUnavailable."""
    try:
        import hyperscan  # noqa: PLC0415 - a compiled library that may be missing
    except ImportError:
        raise EngineUnavailable("hyperscan is not installed") from None
    return hyperscan
