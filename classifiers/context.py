"""Which rules have one of their context words beside a place in a text.

Words count whole and without regard to case or accents; punctuation and the joints of `snake_case` and `camelCase` are
blanks. Phrases in Latin letters are looked for in the folded text, in one pass for all rules; phrases in other scripts in
the text as it came, of which no folding is left.
"""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, final

from classifiers.hints import expressions
from classifiers.meter import Meter
from classifiers.normalisation import MAX_TABLE, SEPARATOR, fold_one
from classifiers.view import View
from classifiers.vocabulary import (
    Hit,
    HyperscanVocabulary,
    PortableVocabulary,
    Table,
    Vocabulary,
    Words,
    flat,
)

# How far from the value a word may begin before it, and end behind it: a line of a form, the key of a field.
REACH_BEFORE = 80
# Between the name of a member or column and what it names.
NAMES = ": "
REACH_AFTER = 40
# Two letters mean many things: as a label they stand close, and before the value.
_SHORT = 2
_REACH_OF_SHORT = 12
_LONGEST_COMPOUND = 48
# So many words name what is numbered.
_TELLING = 2
# What is charged for looking through the letters of other scripts beside a value.
_OTHER_MICROS = 12

_PART = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z\x80-\xff]+|[0-9]+")
_OTHER = re.compile(rb"[\x01\x80-\xff]")
_FOREIGN = re.compile(rb"[\x01\x80-\xff]+(?:[^\x01\x80-\xff]{1,40}[\x01\x80-\xff]+){0,50}")
_PREFIXED = re.compile("(?<= )([\u05d5\u05d4\u05d1\u05dc])(?=[\u05d0-\u05ea]{3})")
_PLAIN = bytes([0, *range(2, 128)])
_CASES = bytes(
    0x41 if 65 <= each <= 90 else 0x61 if 97 <= each <= 122 else 0x30 if 48 <= each <= 57 else 0x20
    for each in range(256)
)

_WITHOUT_THE_KEY = str.maketrans(
    {"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "ø": "oe", "å": "aa", "þ": "th", "œ": "oe"}
)

# (distance in characters, numbers of rules), the nearest first.
Near = tuple[tuple[int, frozenset[int]], ...]


@final
class Phrase(NamedTuple):
    """Words that stand beside values of some rules. `open` lets the last word go on. There are many: made in no time.

    A `part` other than WHOLE counts for a rule only where one of the other part stands beside the value as well.
    """

    text: str
    open: bool
    rules: frozenset[int]
    part: int = 0


WHOLE, KIND, COUNTRY = 0, 1, 2


def phrases(context: Sequence[Sequence[str]]) -> tuple[Phrase, ...]:
    """The phrases of rules by number, those that are equal after folding made one; sorted."""
    merged: dict[tuple[str, bool], set[int]] = {}
    for number, words in enumerate(context):
        for phrase in words:
            for text in _spellings(phrase.rstrip("*")):
                merged.setdefault((text, phrase.endswith("*")), set()).add(number)
    return tuple(
        Phrase(text=text, open=is_open, rules=frozenset(numbers))
        for (text, is_open), numbers in sorted(merged.items())
        if text
    )


# The word for a number, in flat text, and how it is shortened.
_NUMBER: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("number", "numero", "nummer"), ("no", "nr", "num")),
    **dict.fromkeys(("numer", "numeru", "numri", "numar", "numarul", "nummeret", "numeris", "numurs"), ("nr", "no")),
    **dict.fromkeys(("cislo", "stevilka"), ("c", "st", "no")),
    **dict.fromkeys(("broj", "broja"), ("br", "no")),
    **dict.fromkeys(("nomor", "nombor", "numara", "numarasi"), ("no",)),
    **dict.fromkeys(("szam", "szama"), ("sz",)),
    **dict.fromkeys(("номер", "номера", "нөмірі", "рақами"), ("no",)),
    **dict.fromkeys(("број", "бројот"), ("бр", "no")),
    **dict.fromkeys(("αριθμος", "αριθμο", "αριθμου"), ("αρ", "no")),
}


def _spellings(phrase: str) -> set[str]:
    """`phrase` as folding leaves it: one letter for each in folded text, two for some where people lack the key, and the word
    for a number short. At the end of three words and more that word says nothing, and is left out; not behind single letters,
    which stand in any table.
    """
    written = {_plain(phrase), _plain(phrase.lower().translate(_WITHOUT_THE_KEY))}
    return {each for text in written for each in _numbered(text.split())}


def _numbered(words: list[str]) -> Iterator[str]:
    if len(words) > _TELLING and words[-1] in _NUMBER and any(len(word) > 1 for word in words[:-1]):
        yield " ".join(words[:-1])
        return
    yield " ".join(words)
    for at, word in enumerate(words if len(words) > 1 else ()):
        for short in _NUMBER.get(word, ()):
            yield " ".join((*words[:at], short, *words[at + 1 :]))


def _plain(text: str) -> str:
    """Without case, accents and punctuation, words joined by one blank; Latin letters as folding leaves them."""
    return " ".join(text.translate(_folded()).split())


class _Folded(dict[int, str]):
    """Code points to what they read as: a blank for what is no letter or digit, nothing for what does not show."""

    def __missing__(self, code_point: int) -> str:
        folded = fold_one(code_point)
        if folded != SEPARATOR and folded.isascii():
            read = "".join(each if each.isalnum() else " " for each in folded.lower())
        else:
            decomposed = unicodedata.normalize("NFKD", chr(code_point).casefold())
            read = "".join(
                each if each.isalnum() else "" if unicodedata.combining(each) else " " for each in decomposed
            )
        if len(self) < MAX_TABLE:
            self[code_point] = read
        return read


@functools.cache
def _folded() -> _Folded:
    return _Folded()


def _prefixes_apart(window: str) -> tuple[str, ...]:
    """`window`, and as well with `and`, `the`, `in` and `to` apart from words of Hebrew, which joins them."""
    apart = _PREFIXED.sub(r"\1 ", window)
    return (window,) if apart == window else (window, apart)


def _runs_on(text: str) -> bool:
    """Whether the script writes words without blanks between them, or endings without one."""
    return any("\u0e00" <= each <= "\u0eff" or "\u1000" <= each <= "\u11ff" or each >= "\u1780" for each in text)


def joined(words: Sequence[str], joint: str) -> re.Pattern[str]:
    """What matches where one of `words` and the pattern `joint` end a text."""
    glued = "|".join(re.escape(each) for each in words if _runs_on(each))
    whole = "|".join(re.escape(each) for each in words if not _runs_on(each))
    return re.compile(rf"(?:\b(?:{whole or '(?!)'})\b|{glued or '(?!)'})(?:{joint})\Z", re.IGNORECASE)


# Latin, with all its additions, ends here; what follows is other scripts.
_LATIN_ENDS = 0x370


def _scripts(letters: Collection[str]) -> str:
    """A class of `letters`, the code points near those of other scripts, and those that become such when decomposed."""
    latin = {
        form
        for each in letters
        if ord(each) < _LATIN_ENDS
        for form in (each, each.upper())
        if len(form) == 1 and form > "\x7f"
    }
    blocks = sorted({ord(each) >> 7 for each in letters if ord(each) >= _LATIN_ENDS})
    ranges = "".join(f"{chr(block << 7)}-{chr((block << 7) + 127)}" for block in blocks)
    return f"[{''.join(sorted(latin))}{ranges}\u1f00-\u1fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef]"


_NOBODY: frozenset[int] = frozenset()
# Of parts beside one value so many are put together.
_MOST_PARTS = 8


def _together(parts: Sequence[tuple[int, int, frozenset[int]]]) -> Iterator[tuple[int, frozenset[int]]]:
    """What a kind and a country say together, as far away as the farther of them. `parts` are (distance, part, rules)."""
    near = sorted(parts, key=itemgetter(0))[:_MOST_PARTS]
    for one, _, kind in (each for each in near if each[1] == KIND):
        for other, _, country in (each for each in near if each[1] == COUNTRY):
            if both := kind & country:
                yield max(one, other), both


@final
class Lexicon:
    """All phrases, prepared for the search. Holds for one set of rules, by the order of which rules are numbered.

    Without a `database` (see `vocabulary_database`) phrases are looked up word by word. `hints` are the names of those in it, where
    they are not to be made anew. `watched` are the rules of which
    it matters whether any phrase stands in the text.
    """

    def __init__(
        self,
        all_phrases: Sequence[Phrase],
        *,
        database: bytes = b"",
        hints: Sequence[str] | None = None,
        watched: frozenset[int] = frozenset(),
    ) -> None:
        words, latin = latin_words(all_phrases)
        self._words = words
        self.rules = [each.rules for each in latin]
        self.parts = [each.part for each in latin]
        # The names of countries alone open nothing.
        self.opening = [each.rules if each.part != COUNTRY else _NOBODY for each in latin]
        self.watched = watched
        self.matters = [not each.isdisjoint(watched) for each in self.opening]
        self.vocabulary: Vocabulary = (
            HyperscanVocabulary(words, tuple(expressions()) if hints is None else hints, database)
            if database
            else PortableVocabulary(self.table, tuple(expressions()))
        )
        self.foreign: dict[str, list[tuple[str, frozenset[int]]]] = {}
        for phrase in all_phrases:
            if not phrase.text.isascii():
                text = phrase.text if _runs_on(phrase.text) else f" {phrase.text}" + " " * (not phrase.open)
                self.foreign.setdefault(text.strip()[0], []).append((text, phrase.rules))
        self._scripts = re.compile(_scripts({each for phrase in all_phrases for each in phrase.text if each > "\x7f"}))

    @functools.cached_property
    def table(self) -> Table:
        """The phrases in Latin letters by their first words, made when first asked for."""
        return Table(self._words)

    def may_be_foreign(self, view: View) -> bool:
        """Whether the text has letters of the scripts in which there are other phrases."""
        return bool(view.scan.translate(None, _PLAIN)) and self._scripts.search(view.text) is not None


def latin_words(all_phrases: Sequence[Phrase]) -> tuple[list[Words], list[Phrase]]:
    """The phrases in Latin letters, as words and as they are, by the number that the vocabulary knows them by."""
    latin = [each for each in all_phrases if each.text.isascii()]
    return [(tuple(each.text.encode("ascii").split()), each.open) for each in latin], latin


@final
class Surroundings:
    """The context words of one view, found in one pass; `hints` names what else may be in it. Not safe between threads."""

    __slots__ = ("_ascii", "_hits", "_known", "_lexicon", "_meter", "_starts", "_view", "hints", "windows")

    def __init__(self, view: View, lexicon: Lexicon, meter: Meter) -> None:
        self._view = view
        self._lexicon = lexicon
        self._meter = meter
        self._ascii = not lexicon.foreign or view.text.isascii() or not lexicon.may_be_foreign(view)
        found, self.hints = lexicon.vocabulary.read(flat(view.scan), meter)
        found += _compounds(view.scan, lexicon, meter)
        found.sort(key=itemgetter(1))
        self._starts = [start for _, start, _ in found]
        self._hits = found
        matters = lexicon.matters
        # Where a rule that matters has a phrase, or may have one.
        self.windows = [(start, end) for number, start, end in found if matters[number]]
        if not self._ascii:
            self.windows = sorted((*self.windows, *(match.span() for match in _FOREIGN.finditer(view.scan))))
        self._known: tuple[int, int, Near] = (-1, -1, ())

    def near(self, start: int, end: int) -> Near:
        """The rules with a phrase beside `scan[start:end]`, not in it."""
        if self._known[:2] != (start, end):
            self._known = (start, end, self.near_within(start - REACH_BEFORE, start, end, end + REACH_AFTER))
        return self._known[2]

    def near_within(self, low: int, start: int, end: int, high: int) -> Near:
        """As `near`, of the phrases in `scan[low:start]` and `scan[end:high]`."""
        found = self._latin(low, start, end, high)
        if not self._ascii:
            self._meter.charge(_OTHER_MICROS)
            found += self._other(max(0, low), start, end, high)
        if len(found) > 1:
            found.sort(key=itemgetter(0))
        return tuple(found)

    def behind(self, ending: re.Pattern[str], start: int) -> bool:
        """Whether what stands before `scan[start]` ends with `ending` (see `joined`)."""
        self._meter.charge(_OTHER_MICROS)
        first = self._view.position(start)
        return ending.search(self._view.text, max(0, first - REACH_BEFORE), first) is not None

    def any_in(self, start: int, end: int) -> bool:
        """Whether a phrase in Latin letters begins in `scan[start:end]`."""
        at = bisect_left(self._starts, start)
        return at < len(self._starts) and self._starts[at] < end

    def any_near(self, start: int, end: int) -> bool:
        """Whether any phrase may stand beside a value somewhere in `scan[start:end]`: quick, and sometimes wrong."""
        at = bisect_left(self._starts, start - REACH_BEFORE)
        if at < len(self._starts) and self._starts[at] <= end + REACH_AFTER:
            return True
        return not self._ascii and self._other_near(start - REACH_BEFORE, end + REACH_AFTER)

    def may_be_near(self, start: int, end: int, rules: frozenset[int]) -> bool:
        """Whether any of `rules` can have a phrase beside a value somewhere in `scan[start:end]`: quick, and often yes."""
        low, high = start - REACH_BEFORE, end + REACH_AFTER
        known = self._lexicon.opening
        first, after = bisect_left(self._starts, low), bisect_right(self._starts, high)
        self._meter.charge((after - first) // 4)
        for at in range(first, after):
            number, _, last = self._hits[at]
            if last <= high and not known[number].isdisjoint(rules):
                return True
        return not self._ascii and self._other_near(low, high)

    def _other_near(self, low: int, high: int) -> bool:
        return _OTHER.search(self._view.scan, max(0, low), high) is not None

    def _latin(self, low: int, start: int, end: int, high: int) -> list[tuple[int, frozenset[int]]]:
        known, parts, starts = self._lexicon.rules, self._lexicon.parts, self._starts
        found: list[tuple[int, frozenset[int]]] = []
        apart: list[tuple[int, int, frozenset[int]]] = []
        begin, after = bisect_left(starts, low), bisect_right(starts, high)
        self._meter.charge((after - begin) // 2)
        for at in range(begin, after):
            number, first, last = self._hits[at]
            part = parts[number]
            if last <= start:
                if last - first <= _SHORT and start - last > _REACH_OF_SHORT and part == WHOLE:
                    continue
                distance = start - last
            elif first >= end and last <= high and last - first > _SHORT:
                # A label stands before its value more often than behind it.
                distance = first - end + REACH_AFTER
            else:
                continue
            if part == WHOLE:
                found.append((distance, known[number]))
            else:
                apart.append((distance, part, known[number]))
        if len(apart) > 1:
            found += _together(apart)
        return found

    def _other(self, low: int, start: int, end: int, high: int) -> Iterator[tuple[int, frozenset[int]]]:
        view = self._view
        if not _OTHER.search(view.scan, low, high):
            return
        first, last = view.position(start), view.position(end - 1) + 1
        before = f" {_plain(view.text[max(view.position(low), first - REACH_BEFORE) : first])} "
        after = f" {_plain(view.text[last : last + min(high - end, REACH_AFTER)])} "
        for window in _prefixes_apart(before):
            for text, rules in self._likely(window):
                if (at := window.rfind(text)) >= 0:
                    yield len(window) - at - len(text), rules
        for window in _prefixes_apart(after):
            for text, rules in self._likely(window):
                if (at := window.find(text)) >= 0:
                    yield at + REACH_AFTER, rules

    def _likely(self, window: str) -> Iterator[tuple[str, frozenset[int]]]:
        heads: Mapping[str, list[tuple[str, frozenset[int]]]] = self._lexicon.foreign
        for letter in sorted(set(window) & heads.keys()):
            yield from heads[letter]


def _compounds(scan: bytes, lexicon: Lexicon, meter: Meter) -> list[Hit]:
    """Phrases inside words of several words, as in `userTaxId`."""
    shape = scan.translate(_CASES)
    hits: list[Hit] = []
    seen: dict[bytes, list[Hit]] = {}
    hump = shape.find(b"aA")
    while hump >= 0:
        start = shape.rfind(b" ", 0, hump) + 1
        end = shape.find(b" ", hump)
        end = len(scan) if end < 0 else end
        if end - start <= _LONGEST_COMPOUND:
            word = scan[start:end]
            own = seen.get(word)
            if own is None:
                own = seen[word] = _inside(word, lexicon.table)
                meter.charge(len(word))
            meter.charge(1 + len(own))
            hits += [(number, start + first, start + last) for number, first, last in own]
        hump = shape.find(b"aA", end)
    return hits


def _inside(compound: bytes, table: Table) -> list[Hit]:
    parts = [(part.start(), part.end(), part[0].lower()) for part in _PART.finditer(compound)]
    words = [word for _, _, word in parts]
    return [
        (number, start, parts[at + count][1])
        for at, (start, _, word) in enumerate(parts)
        # A single letter is no word of a name: `cC` is not `C.C.`.
        if len(word) > 1 and table.known(word)
        for count, number in table.beginning(word, words[at + 1 :])
    ]
