"""The thresholds of a model, chosen on the dev split alone: the best F1 of each type that few enough false alarms allow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.training.rows import TOPICS, TYPES
from classifiers.training.scoring import (
    Answers,
    Spans,
    alarms_per_thousand,
    counted,
    floors_of,
    found_spans,
    gold_spans,
    known_spans,
    pieces_of,
    reaching,
    topic_counts,
)

MAX_ALARMS_PER_THOUSAND: Final = 30.0
_TRIED: Final = tuple(each / 1000 for each in (300, 350, 400, 450, *range(500, 1000, 25), 985))
_STEP: Final = 0.025
_HIGHEST: Final = 0.985


def tuned(
    answers: Answers, *, most_alarms: float = MAX_ALARMS_PER_THOUSAND
) -> tuple[dict[str, float], dict[str, float]]:
    """The threshold of each type and of each topic. A type or topic that `answers` has no example of keeps 0.5."""
    return tuned_types(answers, most_alarms=most_alarms), tuned_topics(answers)


def tuned_types(answers: Answers, *, most_alarms: float) -> dict[str, float]:
    """By type. Each begins at its best F1; then the one whose next step up costs least for an alarm less goes up, until at
    most `most_alarms` of 1,000 clean windows have one, or every threshold is as high as it gets.
    """
    gold = gold_spans(answers.corpus.labels[pieces_of(answers.corpus, answers.windows)], answers.words)
    everything = np.ones(len(answers.windows), np.bool_)

    # Runs of words depend on the floors alone, and those hardly ever change.
    runs: dict[bytes, Spans] = {}

    def found_at(thresholds: dict[str, float]) -> Spans:
        floors = floors_of(thresholds)
        key = floors.tobytes()
        if key not in runs:
            runs[key] = known_spans(found_spans(answers, floors), answers)
        return reaching(runs[key], thresholds)

    f1: dict[tuple[str, float], float] = {}
    for threshold in _TRIED:
        counts = counted(gold, found_at(dict.fromkeys(TYPES, threshold)), everything, answers.words)
        f1 |= {(kind, threshold): counts[kind].f1 for kind in TYPES}
    there = {kind for at, kind in enumerate(TYPES) if (gold.kind == at).any()}
    chosen = {kind: max(_TRIED, key=lambda each: (f1[kind, each], each)) if kind in there else 0.5 for kind in TYPES}
    while alarms_per_thousand(answers, gold, found_at(chosen)) > most_alarms:
        raised = [_raised(chosen, kind) for kind in TYPES if chosen[kind] < _HIGHEST]
        if not raised:
            break
        chosen = max(raised, key=lambda each: _worth(answers, gold, found_at(each), found_at(chosen)))
    return chosen


def tuned_topics(answers: Answers) -> dict[str, float]:
    """By topic: the best F1, the highest such threshold."""
    topics = answers.corpus.topics[answers.windows]
    best = dict.fromkeys(TOPICS, (-1.0, 0.5))
    for threshold in _TRIED:
        for topic, count in topic_counts(topics, answers.topics, [threshold] * len(TOPICS)).items():
            if count.right + count.missed:
                best[topic] = max(best[topic], (count.f1, threshold))
    return {topic: threshold for topic, (_, threshold) in best.items()}


def _raised(thresholds: dict[str, float], kind: str) -> dict[str, float]:
    return {**thresholds, kind: round(min(_HIGHEST, thresholds[kind] + _STEP), 3)}


def _worth(answers: Answers, gold: Spans, found: Spans, before: Spans) -> float:
    """Alarms spared for each right span that is lost."""
    spared = alarms_per_thousand(answers, gold, before) - alarms_per_thousand(answers, gold, found)
    return spared / (1 + _right(gold, before) - _right(gold, found))


def _right(gold: Spans, found: Spans) -> int:
    hits: NDArray[np.bool_] = np.isin(found.keys(), gold.keys())
    return int(hits.sum())
