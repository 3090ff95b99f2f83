"""The thresholds of a model, chosen on the dev split alone: of each type as much as can be found at hardly less than its best
F1, with few enough false alarms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.training.rows import TOPICS, TYPES
from classifiers.training.scoring import (
    Answers,
    Spans,
    alarmed,
    counted,
    floors_of,
    found_spans,
    gold_spans,
    known_spans,
    pieces_of,
    reaching,
    topic_counts,
)
from governance.frozen import frozen

MAX_ALARMS_PER_THOUSAND: Final = 30.0
# Fine where a model is sure of most: one step there moves as many alarms as ten below.
_TRIED: Final = tuple(each / 1000 for each in (*range(100, 500, 25), *range(500, 900, 10), *range(900, 1000, 5)))
# Of F1, given up for recall: what is missed leaks. A topic misses a whole text or none of it.
_GIVEN_UP: Final = 0.015
_GIVEN_UP_OF_TOPICS: Final = 0.005


def tuned_types(answers: Answers, *, most_alarms: float) -> dict[str, float]:
    """The threshold of each type; one that `answers` has no example of keeps 0.5.

    Each begins as low as is hardly worse than its best F1; then the one goes up, as far as it takes, that loses
    least for an alarm less, until at most `most_alarms` of 1,000 clean windows have one, or all are as high as they get.
    """
    gold = gold_spans(answers.corpus.labels[pieces_of(answers.corpus, answers.windows)], answers.words)
    there = {kind for at, kind in enumerate(TYPES) if (gold.kind == at).any()}
    outcomes = {threshold: _outcomes(answers, gold, threshold) for threshold in _TRIED}
    chosen = {
        kind: _lowest({each: outcomes[each][kind].f1 for each in _TRIED}, _GIVEN_UP) if kind in there else 0.5
        for kind in TYPES
    }
    while True:
        at_present = {kind: outcomes[threshold][kind] for kind, threshold in chosen.items()}
        alarms = np.sum([each.alarmed for each in at_present.values()], axis=0)
        steps = [(kind, higher) for kind in TYPES for higher in _TRIED if higher > chosen[kind]]
        if 1000 * int((alarms > 0).sum()) <= most_alarms * len(alarms) or not steps:
            return chosen
        worth = {(kind, higher): _worth(at_present[kind], outcomes[higher][kind], alarms) for kind, higher in steps}
        kind, higher = max(steps, key=worth.__getitem__)
        chosen[kind] = higher


@frozen
class _Outcome:
    """Of one type at one threshold: its right spans and F1, and of each clean window 1 where it alarms, else 0."""

    right: int
    f1: float
    alarmed: NDArray[np.int8]


def _outcomes(answers: Answers, gold: Spans, threshold: float) -> dict[str, _Outcome]:
    """By type. The runs of a type depend on its own floor alone, and so on nobody else's threshold."""
    thresholds = dict.fromkeys(TYPES, threshold)
    found = reaching(known_spans(found_spans(answers, floors_of(thresholds)), answers), thresholds)
    counts = counted(gold, found, np.ones(len(answers.windows), np.bool_), answers.words)
    return {
        kind: _Outcome(
            right=counts[kind].right,
            f1=counts[kind].f1,
            alarmed=alarmed(answers, gold, found.where(found.kind == at)).astype(np.int8),
        )
        for at, kind in enumerate(TYPES)
    }


def _lowest(f1: Mapping[float, float], given_up: float) -> float:
    """The lowest threshold whose F1 is at most `given_up` below the best."""
    return min(threshold for threshold, own in f1.items() if own >= max(f1.values()) - given_up)


def _worth(before: _Outcome, after: _Outcome, alarms: NDArray[np.int8]) -> float:
    """Alarms spared for each right span that is lost; `alarms` are all of each window before.

    A higher threshold may find more that is right: it parts what a lower one made one span.
    """
    spared = int(((alarms > 0) & (alarms - before.alarmed + after.alarmed == 0)).sum())
    return spared / (1 + max(0, before.right - after.right))


def tuned_topics(answers: Answers) -> dict[str, float]:
    """The threshold of each topic: as low as is hardly worse than the best F1, which on texts of another kind finds more.

    One that `answers` has no example of keeps 0.5.
    """
    topics = answers.corpus.topics[answers.windows]
    counts = {each: topic_counts(topics, answers.topics, [each] * len(TOPICS)) for each in _TRIED}
    there = {topic for topic, count in counts[_TRIED[0]].items() if count.right + count.missed}
    return {
        topic: _lowest({each: counts[each][topic].f1 for each in _TRIED}, _GIVEN_UP_OF_TOPICS)
        if topic in there
        else 0.5
        for topic in TOPICS
    }
