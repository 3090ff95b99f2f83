"""Spans and topics against what is known of them, on arrays: the same reading of scores as the runtime's, without texts.

A word is of the type that its pieces together find likeliest; a run of words of one type, each at least as likely as the
floor, is a span where its best word reaches the threshold. The floor is the threshold, or GOES_ON where that is lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from classifiers.model.decoding import GOES_ON
from classifiers.training.corpus import IGNORED, Corpus
from classifiers.training.rows import TOPICS, TYPES
from governance.frozen import frozen

DEFAULT_THRESHOLD: Final = 0.5


@frozen
class Words:
    """The words of some windows: where each begins among the pieces, one after the other, and its window, from 0."""

    firsts: NDArray[np.int64]
    windows: NDArray[np.int64]


@frozen
class Spans:
    """Runs of words, half open, with type and score: equal in (first, last, kind) is the same span."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    kind: NDArray[np.int64]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def keys(self) -> NDArray[np.int64]:
        """A number for each that differs where any of first, last and kind does."""
        return np.asarray((self.first << 24) | (np.minimum(self.last - self.first, (1 << 20) - 1) << 4) | self.kind)

    def where(self, chosen: NDArray[np.bool_]) -> Spans:
        """Those that are chosen."""
        return Spans(first=self.first[chosen], last=self.last[chosen], kind=self.kind[chosen], score=self.score[chosen])


@frozen
class Count:
    """Of some spans or topics: found and right, found and wrong, missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """1 where nothing was found."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """1 where nothing was there."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 1 where nothing was there and nothing found."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0

    def as_json(self) -> dict[str, float]:
        """Rounded, with how many there are."""
        return {
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "there": self.right + self.missed,
        }


@frozen
class Answers:
    """What a model says of `windows` of `corpus`.

    kinds, begins: float32[pieces, types], the probability of each type, and that it begins there, over the windows' pieces
    one after the other; topics: float32[windows, topics], probabilities.
    """

    corpus: Corpus
    windows: NDArray[np.int64]
    words: Words
    kinds: NDArray[np.float32]
    begins: NDArray[np.float32]
    topics: NDArray[np.float32]


def continuations(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """For each piece of the vocabulary whether it goes on with the word of the piece before."""
    names = (tokenizer.id_to_token(at) or "" for at in range(tokenizer.get_vocab_size()))
    return np.array([name.startswith("##") for name in names])


def pieces_of(corpus: Corpus, windows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the pieces of `windows` stand in the arrays of `corpus`, one window after the other."""
    lengths = corpus.lengths[windows]
    ends = np.cumsum(lengths)
    begins = np.repeat(corpus.starts[windows] - (ends - lengths), lengths)
    return begins + np.arange(len(begins))


def words_of(corpus: Corpus, windows: NDArray[np.int64], continues: NDArray[np.bool_]) -> Words:
    """The special pieces are words of their own."""
    lengths = corpus.lengths[windows]
    places = pieces_of(corpus, windows)
    rows = np.repeat(np.arange(len(windows)), lengths)
    begins = ~continues[corpus.ids[places]]
    begins[np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)] = True
    firsts = np.flatnonzero(begins)
    return Words(firsts=firsts, windows=rows[firsts])


def gold_spans(labels: NDArray[np.int8], words: Words) -> Spans:
    """What is marked: `labels` of the pieces one after the other. A word that is marked in part is in the span."""
    marked = np.flatnonzero(labels > 0)
    if not len(marked):
        return _no_spans()
    kinds = (labels[marked].astype(np.int64) - 1) // 2
    word = np.searchsorted(words.firsts, marked, "right") - 1
    starts = np.concatenate(([True], (np.diff(marked) != 1) | (kinds[1:] != kinds[:-1])))
    begin = np.flatnonzero(starts | (labels[marked] % 2 == 1))
    end = np.append(begin[1:], len(marked)) - 1
    return Spans(first=word[begin], last=word[end] + 1, kind=kinds[begin], score=np.ones(len(begin), np.float32))


def found_spans(answers: Answers, floors: NDArray[np.float32]) -> Spans:
    """The runs of words that are likely enough for the `floors` of their types; thresholds are not applied."""
    firsts, windows = answers.words.firsts, answers.words.windows
    if not len(firsts):
        return _no_spans()
    lengths = np.diff(np.append(firsts, len(answers.kinds)))
    votes = np.add.reduceat(answers.kinds, firsts, axis=0) / lengths[:, None]
    kinds = votes.argmax(1)
    best = votes[np.arange(len(votes)), kinds]
    special = answers.corpus.labels[pieces_of(answers.corpus, answers.windows)][firsts] == IGNORED
    begins = answers.begins[firsts, kinds] * 2 > answers.kinds[firsts, kinds]
    members = np.flatnonzero((best >= floors[kinds]) & ~special)
    if not len(members):
        return _no_spans()
    goes_on = (
        (np.diff(members) == 1)
        & (kinds[members][1:] == kinds[members][:-1])
        & (windows[members][1:] == windows[members][:-1])
        & ~begins[members][1:]
    )
    begin = np.flatnonzero(np.concatenate(([True], ~goes_on)))
    end = np.append(begin[1:], len(members)) - 1
    return Spans(
        first=members[begin],
        last=members[end] + 1,
        kind=kinds[members][begin].astype(np.int64),
        score=np.maximum.reduceat(best[members], begin).astype(np.float32),
    )


def floors_of(thresholds: Mapping[str, float]) -> NDArray[np.float32]:
    """By type; a type without a threshold has GOES_ON."""
    return np.array([min(thresholds.get(kind, GOES_ON), GOES_ON) for kind in TYPES], np.float32)


def known_spans(spans: Spans, answers: Answers) -> Spans:
    """Those whose absence from the marks means something: of types that their text marks."""
    unmarked = answers.corpus.unmarked[answers.windows].astype(np.int64)
    rows = answers.words.windows[spans.first]
    return spans.where((unmarked[rows] >> spans.kind & 1) == 0)


def reaching(spans: Spans, thresholds: Mapping[str, float]) -> Spans:
    """Those whose score is at least the threshold of their type."""
    least = np.array([thresholds.get(kind, DEFAULT_THRESHOLD) for kind in TYPES], np.float32)
    return spans.where(spans.score >= least[spans.kind])


def counted(gold: Spans, found: Spans, chosen: NDArray[np.bool_], words: Words) -> dict[str, Count]:
    """By type, and "all": over the windows that are chosen."""
    gold, found = gold.where(chosen[words.windows[gold.first]]), found.where(chosen[words.windows[found.first]])
    hit = np.isin(found.keys(), gold.keys())
    missed = ~np.isin(gold.keys(), found.keys())
    counts = {}
    for at, kind in enumerate(TYPES):
        own = found.kind == at
        counts[kind] = Count(
            right=int(hit[own].sum()), wrong=int((~hit[own]).sum()), missed=int(missed[gold.kind == at].sum())
        )
    counts["all"] = added(counts.values())
    return counts


def added(counts: Iterable[Count]) -> Count:
    """The sum."""
    every = list(counts)
    return Count(
        right=sum(each.right for each in every),
        wrong=sum(each.wrong for each in every),
        missed=sum(each.missed for each in every),
    )


def alarms_per_thousand(answers: Answers, gold: Spans, found: Spans) -> float:
    """Of 1,000 windows in which nothing is marked and every type would be, how many have a span found. 0 without any."""
    alarms = alarmed(answers, gold, found)
    return 1000 * float(alarms.mean()) if len(alarms) else 0.0


def alarmed(answers: Answers, gold: Spans, found: Spans) -> NDArray[np.bool_]:
    """Of the windows in which nothing is marked and every type would be, in order, which have a span found."""
    clean = answers.corpus.unmarked[answers.windows] == 0
    clean[answers.words.windows[gold.first]] = False
    hit = np.zeros(len(clean), np.bool_)
    hit[answers.words.windows[found.first]] = True
    return np.asarray(hit[clean])


def covered(gold: Spans, found: Spans, total: int) -> float:
    """How much of the marked words is found as anything at all: 1 minus what leaks. 1 where nothing is marked."""
    marked, seen = (_words_in(spans, total) for spans in (gold, found))
    return float(seen[marked].mean()) if marked.any() else 1.0


def topic_counts(topics: NDArray[np.int8], chances: NDArray[np.float32], least: Sequence[float]) -> dict[str, Count]:
    """By topic, over the windows for which it is known."""
    counts = {}
    for at, topic in enumerate(TOPICS):
        known = topics[:, at] >= 0
        there, found = topics[known, at] == 1, chances[known, at] >= least[at]
        counts[topic] = Count(
            right=int((there & found).sum()), wrong=int((~there & found).sum()), missed=int((there & ~found).sum())
        )
    return counts


def measured(
    answers: Answers, thresholds: Mapping[str, float], topic_thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Everything that is reported of a model on `answers`, as JSON: by type, by source, topics, false alarms, what leaks."""
    corpus, windows = answers.corpus, answers.windows
    gold = gold_spans(corpus.labels[pieces_of(corpus, windows)], answers.words)
    found = known_spans(reaching(found_spans(answers, floors_of(thresholds)), thresholds), answers)
    everything = np.ones(len(windows), np.bool_)
    by_source = {
        name: {kind: count.as_json() for kind, count in counts.items() if count.right + count.wrong + count.missed}
        for at, name in enumerate(corpus.source_names)
        if (own := corpus.sources[windows] == at).any()
        for counts in (counted(gold, found, own, answers.words),)
    }
    return {
        "windows": len(windows),
        "types": {kind: count.as_json() for kind, count in counted(gold, found, everything, answers.words).items()},
        "sources": by_source,
        **topics_measured(answers, topic_thresholds),
        "alarms_per_thousand_clean": round(alarms_per_thousand(answers, gold, found), 2),
        "word_recall": round(covered(gold, found, len(answers.words.firsts)), 4),
    }


def topics_measured(answers: Answers, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Each topic's counts, and the mean F1 of those that a text of `answers` has, as JSON."""
    least = [thresholds.get(topic, DEFAULT_THRESHOLD) for topic in TOPICS]
    topics = topic_counts(answers.corpus.topics[answers.windows], answers.topics, least)
    there = [count for count in topics.values() if count.right + count.missed]
    return {
        "topics": {topic: count.as_json() for topic, count in topics.items()},
        "topics_macro_f1": round(float(np.mean([count.f1 for count in there])), 4) if there else 0.0,
    }


def _words_in(spans: Spans, total: int) -> NDArray[np.bool_]:
    steps = np.zeros(total + 1, np.int64)
    np.add.at(steps, spans.first, 1)
    np.add.at(steps, spans.last, -1)
    return np.cumsum(steps)[:total] > 0


def _no_spans() -> Spans:
    nothing = np.zeros(0, np.int64)
    return Spans(first=nothing, last=nothing, kind=nothing, score=np.zeros(0, np.float32))
