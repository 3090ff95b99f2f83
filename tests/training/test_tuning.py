"""Thresholds: the best F1 of each type, raised until few enough clean texts are alarmed."""

from __future__ import annotations

from classifiers.training.rows import TOPICS
from classifiers.training.tuning import tuned_topics, tuned_types
from tests.training.pieces import corpus, row
from tests.training.test_scoring import answers


def test_a_threshold_stands_where_the_type_is_best() -> None:
    """Above the wrong spans, not above the right ones."""
    names = [row("Anna", (0, 4, "PERSON")) for _ in range(4)]
    made = corpus([*names, row("Paris", (0, 5, "LOCATION"))])
    said = answers(made, {at * 3 + 1: ("B-PERSON", 0.9 if at < 4 else 0.7) for at in range(5)})
    thresholds = tuned_types(said, most_alarms=1000)

    assert 0.7 < thresholds["PERSON"] <= 0.9


def test_what_costs_hardly_anything_is_found() -> None:
    """One wrong span in a thousand is no reason to miss right ones; one in ten is."""
    names = [row("Anna", (0, 4, "PERSON")) for _ in range(300)]

    def threshold(wrong: int) -> float:
        made = corpus([*names, *(row("Paris", (0, 5, "LOCATION")) for _ in range(wrong))])
        sure = {at * 3 + 1: ("B-PERSON", 0.9) for at in range(300)}
        return tuned_types(
            answers(made, sure | {at * 3 + 1: ("B-PERSON", 0.6) for at in range(300, 300 + wrong)}), most_alarms=1000
        )["PERSON"]

    assert threshold(1) < 0.6 < threshold(30) <= 0.9


def test_a_type_without_examples_keeps_half() -> None:
    """There is nothing to choose by; so do topics that are known of no text."""
    said = answers(corpus([row("Anna", (0, 4, "PERSON"))]), {1: ("B-PERSON", 0.9)})

    assert 0.5 == tuned_types(said, most_alarms=30)["AGE"]
    assert dict.fromkeys(TOPICS, 0.5) == tuned_topics(said)


def test_alarms_are_brought_below_the_limit() -> None:
    """At the price of recall: a false name at 0.9 in half of the clean texts silences right ones at 0.8."""
    names = [row("Anna", (0, 4, "PERSON")) for _ in range(8)]
    clean = [row("ask") for _ in range(4)]
    said = answers(
        corpus([*names, *clean]),
        {at * 3 + 1: ("B-PERSON", (0.8 if at % 2 else 0.96) if at < 8 else 0.9) for at in range(10)},
    )

    assert tuned_types(said, most_alarms=1000)["PERSON"] <= 0.8
    assert 0.9 < tuned_types(said, most_alarms=30)["PERSON"] <= 0.96


def test_the_type_whose_alarms_cost_least_is_raised() -> None:
    """Places give the alarms: names stay where they are."""
    rows = [row("Anna in Paris", (0, 4, "PERSON"), (8, 13, "LOCATION")) for _ in range(3)]
    made = corpus([*rows, row("ask")])
    said = answers(
        made,
        {at * 5 + 1: ("B-PERSON", 0.6) for at in range(3)}
        | {at * 5 + 3: ("B-LOCATION", 0.95) for at in range(3)}
        | {16: ("B-LOCATION", 0.95)},
    )
    before, after = tuned_types(said, most_alarms=1000), tuned_types(said, most_alarms=0)

    assert before["PERSON"] == after["PERSON"]
    assert after["LOCATION"] > 0.95


def test_a_threshold_that_finds_more_is_taken() -> None:
    """A higher one may part what a lower one joined with the word behind it: that alarm goes for less than nothing."""
    made = corpus([*(row("Anna", (0, 4, "PERSON")) for _ in range(100)), row("Anna ask", (0, 4, "PERSON")), row("ask")])
    said = answers(
        made,
        {at * 3 + 1: ("B-PERSON", 0.9) for at in range(101)} | {302: ("I-PERSON", 0.2), 305: ("B-PERSON", 0.2)},
    )

    assert tuned_types(said, most_alarms=1000)["PERSON"] < 0.2 < tuned_types(said, most_alarms=0)["PERSON"] < 0.9


def test_a_limit_that_cannot_be_kept_ends_at_the_highest_thresholds() -> None:
    """The search ends though the alarm stays."""
    said = answers(corpus([row("Anna", (0, 4, "PERSON")), row("ask")]), {4: ("B-PERSON", 1.0)})

    assert 0.995 == tuned_types(said, most_alarms=0)["PERSON"]


def test_a_topic_has_its_best_threshold() -> None:
    """The lowest of those that are equally good."""
    made = corpus([row("ask", topics={"health": at < 2}) for at in range(3)])
    said = answers(made, {})
    said.topics[:, 0] = [0.9, 0.7, 0.4]

    assert 0.425 == tuned_topics(said)["health"]
