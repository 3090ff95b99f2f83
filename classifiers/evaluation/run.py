"""Asks every subject about every text, and sums up."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import final

from classifiers.evaluation.curves import Curve, curve
from classifiers.evaluation.detectors import TOGETHER, Subject
from classifiers.evaluation.intervals import DRAWS, Intervals, intervals
from classifiers.evaluation.scores import ALL, Answer, Labelled, Outcome, Sums, TextScore, joined, score, summed
from classifiers.evaluation.sources import LabelledSet
from governance.frozen import frozen


@frozen
class Standing:
    """One subject on the texts of one source and language; ALL for those of all."""

    source: str
    language: str
    sums: Sums
    intervals: Intervals | None


@frozen
class Result:
    """One subject. `curves` are by type, over all texts; `seconds` are those it took to answer on the wall clock.

    `unread` texts were not read to their end, or not at all: what was not found there counts as missed.
    """

    name: str
    about: str
    has_topics: bool
    whole: Standing
    parts: tuple[Standing, ...]
    curves: Mapping[str, Curve]
    texts: int
    characters: int
    unread: int
    seconds: float


@frozen
class Evaluation:
    """Results in the order of the subjects, over the same texts."""

    results: tuple[Result, ...]
    seed: int
    topic_floor: int


Told = Callable[[str, str, int], None]


def evaluate(
    subjects: Sequence[Subject],
    sets: Iterable[LabelledSet],
    *,
    topic_floor: int = 0,
    seed: int = 0,
    draws: int = DRAWS,
    told: Told | None = None,
) -> Evaluation:
    """What each of `subjects` is worth on `sets`. `told` hears (set, subject, texts done since it heard last)."""
    collected = [_Collected(topic_floor) for _ in subjects]
    for each in sets:
        for subject, collecting in zip(subjects, collected, strict=True):
            texts = iter(each.texts)
            while batch := list(islice(texts, TOGETHER)):
                collecting.ask(subject, batch)
                if told is not None:
                    told(each.name, subject.name, len(batch))
    return Evaluation(
        results=tuple(
            collecting.result(subject, seed, draws) for subject, collecting in zip(subjects, collected, strict=True)
        ),
        seed=seed,
        topic_floor=topic_floor,
    )


@final
class _Collected:
    """What one subject said, so far. Not shared."""

    def __init__(self, topic_floor: int) -> None:
        self._topic_floor = topic_floor
        self._scores: defaultdict[tuple[str, str], defaultdict[str, list[TextScore]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._outcomes: defaultdict[str, list[Outcome]] = defaultdict(list)
        self._texts = self._characters = self._unread = 0
        self._seconds = 0.0

    def ask(self, subject: Subject, batch: Sequence[Labelled]) -> None:
        started = time.perf_counter()
        answers = subject.answers([each.text for each in batch])
        self._seconds += time.perf_counter() - started
        for each, said in zip(batch, answers, strict=True):
            self._add(each, said)

    def _add(self, labelled: Labelled, said: Answer) -> None:
        got = score(labelled, said, topic_floor=self._topic_floor)
        self._scores[labelled.source, labelled.language][labelled.group].append(got)
        for outcome in got.outcomes:
            self._outcomes[outcome.kind].append(outcome)
        self._texts += 1
        self._characters += len(labelled.text)
        self._unread += not said.complete

    def result(self, subject: Subject, seed: int, draws: int) -> Result:
        by_part = {
            part: [summed(scores) for scores in groups.values()] for part, groups in sorted(self._scores.items())
        }
        whole = _standing((ALL, ALL), self._everywhere(), seed, draws)
        parts = tuple(_standing(part, groups, seed, draws) for part, groups in by_part.items())
        kinds = whole.sums.tallies
        return Result(
            name=subject.name,
            about=subject.about,
            has_topics=subject.has_topics,
            whole=whole,
            parts=parts,
            curves={kind: curve(self._outcomes[kind], kinds[kind].marked) for kind in kinds},
            texts=self._texts,
            characters=self._characters,
            unread=self._unread,
            seconds=self._seconds,
        )

    def _everywhere(self) -> list[Sums]:
        """Of each group of each source, whatever languages its texts are in: what belongs together is drawn together."""
        groups: defaultdict[tuple[str, str], list[TextScore]] = defaultdict(list)
        for (source, _), by_group in sorted(self._scores.items()):
            for group, scores in by_group.items():
                groups[source, group] += scores
        return [summed(scores) for scores in groups.values()]


def _standing(part: tuple[str, str], groups: Sequence[Sums], seed: int, draws: int) -> Standing:
    source, language = part
    return Standing(
        source=source,
        language=language,
        sums=joined(groups),
        intervals=intervals(groups, seed=seed, draws=draws),
    )
