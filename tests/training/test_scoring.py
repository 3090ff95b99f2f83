"""What a model says becomes spans as at run time, and is counted against what is known."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.corpus import Corpus
from classifiers.training.rows import LABELS, TOPICS, TYPES
from classifiers.training.scoring import (
    Answers,
    Count,
    alarms_per_thousand,
    continuations,
    counted,
    covered,
    floors_of,
    found_spans,
    gold_spans,
    known_spans,
    measured,
    pieces_of,
    reaching,
    topic_counts,
    words_of,
)
from tests.training.pieces import corpus, row, tokenizer

PERSON, LOCATION = TYPES.index("PERSON"), TYPES.index("LOCATION")


def answers(made: Corpus, said: dict[int, tuple[str, float]], windows: list[int] | None = None) -> Answers:
    """A model that is as sure as stated of a label at some pieces (numbered over all windows), and of O elsewhere."""
    chosen = np.array(range(len(made)) if windows is None else windows)
    pieces = len(pieces_of(made, chosen))
    kinds, begins = np.zeros((pieces, len(TYPES)), np.float32), np.zeros((pieces, len(TYPES)), np.float32)
    for at, (label, chance) in said.items():
        kind = (LABELS.index(label) - 1) // 2
        kinds[at, kind] = chance
        begins[at, kind] = chance if label.startswith("B") else 0
    return Answers(
        corpus=made,
        windows=chosen,
        words=words_of(made, chosen, continuations(tokenizer())),
        kinds=kinds,
        begins=begins,
        topics=np.zeros((len(chosen), len(TOPICS)), np.float32),
    )


def spans(said: Answers, **thresholds: float) -> list[tuple[int, int, str]]:
    """(first word, last word and one, type) of what is found; the piece at the begin of a window is a word."""
    found = reaching(found_spans(said, floors_of(thresholds)), thresholds)
    return [
        (int(first), int(last), TYPES[kind])
        for first, last, kind in zip(found.first, found.last, found.kind, strict=True)
    ]


def test_a_word_is_of_the_type_that_its_pieces_find_likeliest() -> None:
    """One piece of three that differs is outvoted."""
    made = corpus([row("baa lives")])
    said = answers(made, {1: ("B-PERSON", 0.9), 2: ("I-LOCATION", 0.8), 3: ("I-PERSON", 0.9)})

    assert [(1, 2, "PERSON")] == spans(said)


def test_words_of_one_type_are_one_span_until_one_begins() -> None:
    """A begin splits, a gap splits, another type splits."""
    made = corpus([row("Anna Meyer Anna Meyer in Paris Anna")])
    names = {at: ("B-PERSON" if at in {1, 3} else "I-PERSON", 0.9) for at in (1, 2, 3, 4)}
    said = answers(made, names | {6: ("I-PERSON", 0.9), 7: ("I-LOCATION", 0.9)})

    assert [(1, 3, "PERSON"), (3, 5, "PERSON"), (6, 7, "PERSON"), (7, 8, "LOCATION")] == spans(said)


def test_the_best_word_decides_whether_a_span_is_sure_enough() -> None:
    """The others need the floor alone: 0.3, or the threshold where that is lower."""
    said = answers(corpus([row("Anna Meyer")]), {1: ("B-PERSON", 0.6), 2: ("I-PERSON", 0.8)})

    assert [(1, 3, "PERSON")] == spans(said, PERSON=0.8)
    assert [] == spans(said, PERSON=0.9)
    weak = answers(corpus([row("Anna Meyer")]), {1: ("B-PERSON", 0.2), 2: ("I-PERSON", 0.6)})
    assert [(2, 3, "PERSON")] == spans(weak, PERSON=0.6)
    assert [(1, 3, "PERSON")] == spans(weak, PERSON=0.2)


def test_spans_never_cross_from_one_window_to_the_next() -> None:
    """Nor does a special piece ever belong to one."""
    said = answers(corpus([row("Anna"), row("Anna")]), dict.fromkeys(range(6), ("I-PERSON", 0.9)))

    assert [(1, 2, "PERSON"), (4, 5, "PERSON")] == spans(said)


def test_what_is_marked_is_read_back_from_the_labels() -> None:
    """In words: a span that a word is in partly has the word; neighbours stay apart."""
    made = corpus([row("Anna Meyer baa in Paris", (0, 4, "PERSON"), (5, 12, "PERSON"), (18, 23, "LOCATION"))])
    words = words_of(made, np.array([0]), continuations(tokenizer()))
    gold = gold_spans(made.labels, words)

    assert [(1, 2, PERSON), (2, 4, PERSON), (5, 6, LOCATION)] == list(
        zip(gold.first.tolist(), gold.last.tolist(), gold.kind.tolist(), strict=True)
    )


def test_only_equal_spans_count_as_right() -> None:
    """A longer one is wrong, and what it should have been is missed."""
    made = corpus([row("Anna Meyer in Paris", (0, 10, "PERSON"), (14, 19, "LOCATION"))])
    said = answers(made, {1: ("B-PERSON", 0.9), 4: ("B-LOCATION", 0.9)})
    gold = gold_spans(made.labels, said.words)
    counts = counted(gold, found_spans(said, floors_of({})), np.array([True]), said.words)

    assert Count(right=0, wrong=1, missed=1) == counts["PERSON"]
    assert Count(right=1) == counts["LOCATION"]
    assert Count(right=1, wrong=1, missed=1) == counts["all"]
    assert 0.5 == counts["all"].f1
    assert Count() == counted(gold, gold, np.array([False]), said.words)["all"]


def test_a_type_that_a_text_does_not_mark_is_never_wrong_there() -> None:
    """Nor is such a text a clean one."""
    made = corpus([row("Paris", unmarked=["LOCATION"]), row("Paris"), row("ask")])
    said = answers(made, {1: ("B-LOCATION", 0.9), 4: ("B-LOCATION", 0.9)})
    found = known_spans(found_spans(said, floors_of({})), said)
    gold = gold_spans(made.labels, said.words)

    assert [4] == found.first.tolist()
    assert 500.0 == alarms_per_thousand(said, gold, found)


def test_covered_is_the_share_of_marked_words_found_as_anything() -> None:
    """A wrong type covers as well as the right one; where nothing is marked nothing leaks."""
    made = corpus([row("Anna Meyer in Paris", (0, 10, "PERSON"), (14, 19, "LOCATION"))])
    said = answers(made, {1: ("B-LOCATION", 0.9), 3: ("B-LOCATION", 0.9), 4: ("B-PERSON", 0.9)})
    gold = gold_spans(made.labels, said.words)

    assert 2 / 3 == pytest.approx(covered(gold, found_spans(said, floors_of({})), 6))
    assert 1.0 == covered(gold.where(np.zeros(2, np.bool_)), gold, 6)


def test_topics_count_where_they_are_known() -> None:
    """Unknown ones count for nothing."""
    known = np.full((4, len(TOPICS)), -1, np.int8)
    known[:, 0] = [1, 1, 0, -1]
    chances = np.zeros((4, len(TOPICS)), np.float32)
    chances[:, 0] = [0.9, 0.2, 0.9, 0.9]
    counts = topic_counts(known, chances, [0.5] * len(TOPICS))

    assert Count(right=1, wrong=1, missed=1) == counts[TOPICS[0]]
    assert {Count()} == {counts[topic] for topic in TOPICS[1:]}


def test_counts_give_precision_recall_and_f1() -> None:
    """Nothing found is nothing wrong; nothing there is nothing missed."""
    count = Count(right=3, wrong=1, missed=2)

    assert (0.75, 0.6, 2 / 3) == pytest.approx((count.precision, count.recall, count.f1))
    assert (1.0, 1.0, 1.0) == (Count().precision, Count().recall, Count().f1)


def test_a_measurement_has_types_sources_topics_alarms_and_leaks() -> None:
    """Of chosen windows alone, each source by itself."""
    rows = [
        row("Anna", (0, 4, "PERSON"), group="one/1", topics={"health": True}),
        row("Paris", (0, 5, "LOCATION"), group="two/1"),
        row("ask", group="two/2"),
        row("Anna", (0, 4, "PERSON"), group="one/2"),
    ]
    said = answers(corpus(rows), {1: ("B-PERSON", 0.9), 7: ("B-PERSON", 0.9)}, windows=[0, 1, 2])
    said.topics[0, 0] = 0.9
    metrics = measured(said, {}, {})

    assert {"one", "two"} == metrics["sources"].keys()
    assert {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "there": 1} == metrics["types"]["PERSON"]
    assert {"PERSON", "all"} == metrics["sources"]["one"].keys()
    assert 1.0 == metrics["topics_macro_f1"]
    assert 1000.0 == metrics["alarms_per_thousand_clean"]
    assert 0.5 == metrics["word_recall"]
