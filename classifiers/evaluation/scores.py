"""How right an answer is, as counts that add up. Pure.

Only types that a text marks count: a finding of another type is neither right nor wrong, but what it covers is covered.
Four ways to count, for each type:

    exact        a finding is right when a mark has its start, end and type
    overlapping  ... when it shares a character with a mark of its type; each mark and each finding counts once
    covered      characters of marks that lie in a finding of any type: the rest is what leaks
    inside       characters of findings that lie in a mark of any type: the rest is text that was taken for nothing

A ratio whose denominator is zero is 0: an empty answer to a text that holds nothing proves nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from governance.frozen import frozen

ALL: Final = "all"
# For `Labelled.kinds`: every type that any detector knows.
EVERY_KIND: Final = None

Range = tuple[int, int]


@frozen
class Mark:
    """A range of code points, half open, that somebody labelled with a type."""

    start: int
    end: int
    kind: str


@frozen
class Found:
    """What a detector found, in the names of `Mark`; `permille` is its score."""

    start: int
    end: int
    kind: str
    permille: int = 1000


@frozen
class Labelled:
    """A text and what is known of it.

    `kinds` are the types that are marked wherever they stand, or EVERY_KIND; a mark of another type says only that
    something is there.
    `topics` are those that are known. `group` is what a drawing never tears apart (a template, a person, a document).
    """

    text: str
    marks: tuple[Mark, ...] = ()
    kinds: frozenset[str] | None = frozenset()
    topics: Mapping[str, bool]
    group: str
    source: str
    language: str

    def counts(self, kind: str) -> bool:
        """Whether a finding of `kind` is right or wrong here."""
        return self.kinds is EVERY_KIND or kind in self.kinds


@frozen
class Answer:
    """What a detector says of one text: findings in any order, topics with their score in permille.

    `below` are what it would have found with lower thresholds: they count for curves alone. `complete` is False where
    it did not read to the end.
    """

    found: tuple[Found, ...] = ()
    below: tuple[Found, ...] = ()
    topics: Mapping[str, int]
    complete: bool = True


@frozen
class Counts:
    """Right ones of `found` and of `marked`."""

    right: int = 0
    found: int = 0
    marked: int = 0

    def __add__(self, other: Counts) -> Counts:
        """The counts of both."""
        return Counts(right=self.right + other.right, found=self.found + other.found, marked=self.marked + other.marked)

    @property
    def precision(self) -> float:
        """The share of what was found that is right."""
        return ratio(self.right, self.found)

    @property
    def recall(self) -> float:
        """The share of what is marked that was found."""
        return ratio(self.right, self.marked)

    def f(self, beta: float = 1.0) -> float:
        """The F-measure; a `beta` of 2 holds a miss to be four times as bad as a false finding."""
        weight = beta * beta
        return ratio((1 + weight) * self.right, weight * self.marked + self.found)


@frozen
class Tally:
    """The counts of one type, or of several: see the module."""

    marked: int = 0
    found: int = 0
    exact: int = 0
    overlapping: int = 0
    marked_chars: int = 0
    covered_chars: int = 0
    found_chars: int = 0
    inside_chars: int = 0

    def __add__(self, other: Tally) -> Tally:
        """The counts of both."""
        return Tally(
            marked=self.marked + other.marked,
            found=self.found + other.found,
            exact=self.exact + other.exact,
            overlapping=self.overlapping + other.overlapping,
            marked_chars=self.marked_chars + other.marked_chars,
            covered_chars=self.covered_chars + other.covered_chars,
            found_chars=self.found_chars + other.found_chars,
            inside_chars=self.inside_chars + other.inside_chars,
        )

    @property
    def exactly(self) -> Counts:
        """By start, end and type."""
        return Counts(right=self.exact, found=self.found, marked=self.marked)

    @property
    def relaxed(self) -> Counts:
        """By type and at least one character in common."""
        return Counts(right=self.overlapping, found=self.found, marked=self.marked)

    @property
    def character_recall(self) -> float:
        """The share of marked characters that would not leak."""
        return ratio(self.covered_chars, self.marked_chars)

    @property
    def character_precision(self) -> float:
        """The share of found characters that somebody marked."""
        return ratio(self.inside_chars, self.found_chars)


@frozen
class Outcome:
    """One finding of a type that counts, reported or below: its score, and whether it is exactly right."""

    kind: str
    permille: int
    right: bool


@frozen
class TextScore:
    """What one answer comes to. `tallies` have the types that are marked or found; `alarms` are types found in a clean text.

    `clean` texts hold no mark, and were read to their end or alarmed before it.
    """

    tallies: Mapping[str, Tally]
    outcomes: tuple[Outcome, ...]
    clean: bool
    alarms: frozenset[str]
    topics: Mapping[str, Counts]


@frozen
class Sums:
    """What several answers come to. `alarms` counts clean texts by type, `alarmed` those with any.

    `known_topics` counts the texts of which it is known whether they are about a topic.
    """

    texts: int = 0
    clean: int = 0
    alarmed: int = 0
    alarms: Mapping[str, int]
    tallies: Mapping[str, Tally]
    topics: Mapping[str, Counts]
    known_topics: Mapping[str, int]

    @property
    def total(self) -> Tally:
        """Of all types together."""
        return sum(self.tallies.values(), Tally())

    @property
    def alarms_per_thousand(self) -> float:
        """Of 1,000 clean texts, those in which something was found."""
        return 1000 * ratio(self.alarmed, self.clean)

    @property
    def topic_macro(self) -> float:
        """The mean F1 of the topics that some text has."""
        measures = [each.f() for each in self.topics.values() if each.marked]
        return ratio(sum(measures), len(measures))


def ratio(part: float, whole: float) -> float:
    """`part` of `whole`, 0 where there is no whole."""
    return part / whole if whole else 0.0


def score(labelled: Labelled, answer: Answer, *, topic_floor: int = 0) -> TextScore:
    """What `answer` to `labelled` is worth. A topic is said where its score is `topic_floor` permille or more."""
    found = distinct(answer.found)
    counted = [each for each in found if labelled.counts(each.kind)]
    marks = [mark for mark in labelled.marks if labelled.counts(mark.kind)]
    exact = {(mark.start, mark.end, mark.kind) for mark in marks}
    covering, marked = _union(found), _union(labelled.marks)
    kinds = {mark.kind for mark in marks} | {each.kind for each in counted}
    known = labelled.kinds is EVERY_KIND or bool(labelled.kinds)
    # That nothing was found in what nobody read says nothing.
    clean = known and not labelled.marks and (answer.complete or bool(counted))
    return TextScore(
        tallies={
            kind: _tally(
                [mark for mark in marks if mark.kind == kind],
                [each for each in counted if each.kind == kind],
                covering,
                marked,
            )
            for kind in sorted(kinds)
        },
        outcomes=tuple(
            Outcome(kind=each.kind, permille=each.permille, right=(each.start, each.end, each.kind) in exact)
            for each in distinct((*answer.found, *answer.below))
            if labelled.counts(each.kind)
        ),
        clean=clean,
        alarms=frozenset(each.kind for each in counted) if clean else frozenset(),
        topics={
            name: _topic(truth=truth, said=answer.topics.get(name, -1) >= topic_floor)
            for name, truth in sorted(labelled.topics.items())
        },
    )


def summed(scores: Iterable[TextScore]) -> Sums:
    """The sums of `scores`; their order does not matter."""
    return joined(_alone(each) for each in scores)


def joined(several: Iterable[Sums]) -> Sums:
    """One for all of `several`."""
    tallies: dict[str, Tally] = {}
    topics: dict[str, Counts] = {}
    alarms: Counter[str] = Counter()
    known: Counter[str] = Counter()
    texts = clean = alarmed = 0
    for each in several:
        texts += each.texts
        clean += each.clean
        alarmed += each.alarmed
        alarms.update(each.alarms)
        known.update(each.known_topics)
        _add(tallies, each.tallies, Tally())
        _add(topics, each.topics, Counts())
    return Sums(
        texts=texts,
        clean=clean,
        alarmed=alarmed,
        alarms=_by_name(alarms),
        tallies=_by_name(tallies),
        topics=_by_name(topics),
        known_topics=_by_name(known),
    )


def distinct(found: Iterable[Found]) -> list[Found]:
    """`found` in order, of which no two of one type overlap: the higher score stays, then the longer, then the earlier."""
    taken: dict[str, list[Range]] = {}
    kept: list[Found] = []
    for each in sorted(found, key=lambda each: (-each.permille, each.start - each.end, each.start, each.kind)):
        ranges = taken.setdefault(each.kind, [])
        at = bisect_left(ranges, (each.end, 0))
        if each.start < each.end and (not at or ranges[at - 1][1] <= each.start):
            insort(ranges, (each.start, each.end))
            kept.append(each)
    return sorted(kept, key=lambda each: (each.start, each.end, each.kind))


N = TypeVar("N", Tally, Counts)
V = TypeVar("V")


def _alone(score: TextScore) -> Sums:
    return Sums(
        texts=1,
        clean=int(score.clean),
        alarmed=int(bool(score.alarms)),
        alarms=dict.fromkeys(score.alarms, 1),
        tallies=score.tallies,
        topics=score.topics,
        known_topics=dict.fromkeys(score.topics, 1),
    )


def _add(kept: dict[str, N], more: Mapping[str, N], zero: N) -> None:
    for name, value in more.items():
        kept[name] = kept.get(name, zero) + value


def _by_name(values: Mapping[str, V]) -> Mapping[str, V]:
    return {name: values[name] for name in sorted(values)}


def _topic(*, truth: bool, said: bool) -> Counts:
    return Counts(right=truth and said, found=said, marked=truth)


def _tally(marks: Sequence[Mark], found: Sequence[Found], covering: list[Range], marked: list[Range]) -> Tally:
    own, theirs = _union(marks), _union(found)
    return Tally(
        marked=len(marks),
        found=len(found),
        exact=len({(mark.start, mark.end) for mark in marks} & {(each.start, each.end) for each in found}),
        overlapping=_pairs(own, theirs),
        marked_chars=_length(own),
        covered_chars=_common(own, covering),
        found_chars=_length(theirs),
        inside_chars=_common(theirs, marked),
    )


def _union(spans: Iterable[Mark | Found]) -> list[Range]:
    """The ranges of `spans` in order, joined where they overlap; those that only touch stay two."""
    joined: list[Range] = []
    for start, end in sorted((each.start, each.end) for each in spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _length(ranges: Iterable[Range]) -> int:
    return sum(end - start for start, end in ranges)


def _common(left: Sequence[Range], right: Sequence[Range]) -> int:
    """The characters in both; each of the two is in order and disjoint."""
    common = at = other = 0
    while at < len(left) and other < len(right):
        (start, end), (begin, limit) = left[at], right[other]
        common += max(0, min(end, limit) - max(start, begin))
        if end <= limit:
            at += 1
        else:
            other += 1
    return common


def _pairs(left: Sequence[Range], right: Sequence[Range]) -> int:
    """The most pairs that overlap and share no member; each of the two is in order and disjoint."""
    pairs = at = other = 0
    while at < len(left) and other < len(right):
        (start, end), (begin, limit) = left[at], right[other]
        if end <= begin:
            at += 1
        elif limit <= start:
            other += 1
        else:
            pairs, at, other = pairs + 1, at + 1, other + 1
    return pairs
