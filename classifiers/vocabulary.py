"""Which known phrases stand where in a text, found for all of them in one pass over its words.

Two engines with one result, as in `classifiers.scanner`: Hyperscan, and a table looked up word by word.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final

from classifiers.meter import Meter
from classifiers.scanner import EVENT_MICROS, EngineUnavailable, hyperscan_module

# (number of the phrase, start, end) in the text of which `flat` is the flat form; the end is that of its last word.
Hit = tuple[int, int, int]
# Words, and whether the last of them may go on.
Words = tuple[tuple[bytes, ...], bool]

_FLAT = bytes(
    each + 32 if 65 <= each <= 90 else each if each >= 128 or chr(each).isalnum() else 32 for each in range(256)
)
_WORD = re.compile(rb"[^ ]+")
_STEM = 3
_LONGEST_PHRASE = 96
_BYTES_PER_MICRO = 80


def flat(scan: bytes) -> bytes:
    """Words in lower case between blanks, one of them before the first and behind the last: all else is one byte later."""
    return b" %b " % scan.translate(_FLAT)


class Vocabulary(Protocol):
    """Finds phrases; safe between threads."""

    def read(self, flattened: bytes, meter: Meter) -> tuple[list[Hit], frozenset[str]]:
        """All hits in `flattened`, and the names of the hints that may be in it."""
        ...


class Table:
    """The phrases by their first words. A stem is one open word of three letters and more."""

    def __init__(self, phrases: Sequence[Words]) -> None:
        self.words: dict[bytes, list[tuple[tuple[bytes, ...], bool, int]]] = {}
        self.stems: dict[bytes, list[tuple[bytes, int]]] = {}
        for number, ((first, *rest), is_open) in enumerate(phrases):
            if is_open and not rest and len(first) >= _STEM:
                self.stems.setdefault(first[:_STEM], []).append((first, number))
            else:
                self.words.setdefault(first, []).append((tuple(rest), is_open, number))

    def beginning(self, word: bytes, following: Sequence[bytes]) -> list[tuple[int, int]]:
        """(number of following words that belong to it, phrase) of the phrases that `word` begins."""
        found = [(0, number) for stem, number in self.stems.get(word[:_STEM], ()) if word.startswith(stem)]
        for rest, is_open, number in self.words.get(word, ()):
            if not rest or (len(following) >= len(rest) and _goes_on(following[: len(rest)], rest, is_open=is_open)):
                found.append((len(rest), number))
        return found

    def known(self, word: bytes) -> bool:
        """Whether a phrase may begin with `word`."""
        return word in self.words or word[:_STEM] in self.stems


def _goes_on(following: Sequence[bytes], rest: tuple[bytes, ...], *, is_open: bool) -> bool:
    if not is_open:
        return tuple(following) == rest
    return tuple(following[:-1]) == rest[:-1] and following[-1].startswith(rest[-1])


@final
class PortableVocabulary:
    """Word by word. Every hint may be there."""

    def __init__(self, table: Table, hints: Sequence[str]) -> None:
        self._table = table
        self._hints = frozenset(hints)

    def read(self, flattened: bytes, meter: Meter) -> tuple[list[Hit], frozenset[str]]:
        """See Vocabulary."""
        hits: list[Hit] = []
        table = self._table
        meter.charge(len(flattened) // _BYTES_PER_MICRO)
        for match in _WORD.finditer(flattened):
            if not table.known(match[0]):
                continue
            start = match.start()
            following = flattened[match.end() : start + _LONGEST_PHRASE].split()
            for count, number in table.beginning(match[0], following):
                hits.append((number, start - 1, _end(flattened, start, 1 + count)))
        meter.charge(len(hits) * EVENT_MICROS)
        return hits, self._hints


def _end(flattened: bytes, start: int, words: int) -> int:
    end = start
    for _ in range(words):
        while flattened[end] == 0x20:
            end += 1
        end = flattened.index(b" ", end)
    return end - 1


@final
class HyperscanVocabulary:
    """All phrases and hints in one Hyperscan database, as `vocabulary_database` compiles it."""

    def __init__(self, phrases: Sequence[Words], hints: Sequence[str], database: bytes) -> None:
        hyperscan = hyperscan_module()
        try:
            self._database = hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
            self._scratch = hyperscan.Scratch(self._database)
        except hyperscan.error as error:
            raise EngineUnavailable(f"the database cannot be used: {error}") from None
        self._local = threading.local()
        self._phrases = phrases
        # How to go back from the end of a match: its length where that is known, else its first word and the shortest rest.
        self._shapes: list[tuple[int, bytes, int, bool] | None] = [None] * len(phrases)
        self._hints = list(hints)

    def read(self, flattened: bytes, meter: Meter) -> tuple[list[Hit], frozenset[str]]:
        """See Vocabulary."""
        events: list[tuple[int, int]] = []
        add = events.append

        def on_event(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            add((number, end))

        self._database.scan(flattened, match_event_handler=on_event, scratch=self._own_scratch())
        meter.charge(len(events) * EVENT_MICROS + len(flattened) // _BYTES_PER_MICRO)
        meter.check_clock()
        hits: list[Hit] = []
        hints: set[str] = set()
        shapes, known = self._shapes, len(self._shapes)
        for number, end in events:
            if number >= known:
                hints.add(self._hints[number - known])
                continue
            shape = shapes[number]
            if shape is None:
                words, runs_on = self._phrases[number]
                shape = shapes[number] = _shape(words, is_open=runs_on)
            length, first, shortest, is_open = shape
            start = end - length if length else flattened.rfind(first, 0, end - shortest)
            hits.append((number, start, flattened.index(b" ", end) - 1 if is_open else end - 2))
        return hits, frozenset(hints)

    def _own_scratch(self) -> Any:
        try:
            return self._local.scratch
        except AttributeError:
            self._local.scratch = self._scratch.clone()
            return self._local.scratch


def _runs_on(words: tuple[bytes, ...], *, is_open: bool) -> bool:
    """Whether what follows the last word is open; a single word needs the letters of a stem for that."""
    return is_open and (len(words) > 1 or len(words[0]) >= _STEM)


def _shape(words: tuple[bytes, ...], *, is_open: bool) -> tuple[int, bytes, int, bool]:
    is_open = _runs_on(words, is_open=is_open)
    shortest = sum(map(len, words)) + len(words) + (not is_open)
    if len(words) == 1:
        return shortest, b"", 0, is_open
    first = b" %b " % words[0]
    return 0, first, shortest - len(first), is_open


def vocabulary_database(phrases: Sequence[Words], hints: Mapping[str, Sequence[str]]) -> bytes:
    """The database for HyperscanVocabulary. `hints` are expressions over flat text, by the names to tell. Raises EngineUnavailable."""
    hyperscan = hyperscan_module()
    texts = [
        b" %b%b" % (b" +".join(words), b"" if _runs_on(words, is_open=is_open) else b" ") for words, is_open in phrases
    ]
    ids, flags = list(range(len(texts))), [0] * len(texts)
    for number, expressions in enumerate(hints.values(), len(texts)):
        for expression in expressions:
            texts.append(expression.encode("ascii"))
            ids.append(number)
            flags.append(hyperscan.HS_FLAG_SINGLEMATCH)
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(expressions=texts, ids=ids, elements=len(texts), flags=flags)
    except hyperscan.error as error:
        raise EngineUnavailable(f"the phrases cannot be compiled: {error}") from None
    serialised: bytes = hyperscan.dumpb(database)
    return serialised
