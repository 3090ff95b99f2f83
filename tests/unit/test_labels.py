"""What a text is about."""

from __future__ import annotations

import time

import pytest

from classifiers.labels import HealthLexicon, labels
from classifiers.meter import BLOCK, Exhausted, Meter
from governance.finding import Category, Finding, Label
from governance.segment import Span


def meter(text: str, *, seconds: float = 10) -> Meter:
    return Meter(len(text), deadline=time.monotonic() + seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("What is diabetes?", 300),
        ("My father has diabetes and takes insulin.", 850),
        ("Das kranke Haus", 0),
        ("Ma mère souffre d'un diabète", 700),
    ],
)
def test_health_scores_by_distinct_terms_and_persons(text: str, expected: int):
    """The table of the module."""
    assert expected == HealthLexicon().permille(text, meter(text))


def test_words_far_apart_count_together():
    """A long text is read in blocks; its score is that of the whole."""
    text = "my diabetes " + "x " * BLOCK + "insulin and dialysis"

    assert HealthLexicon().permille("my diabetes, insulin and dialysis", meter(text)) == HealthLexicon().permille(
        text, meter(text)
    )


def test_a_deadline_that_has_passed_stops_the_reading():
    """Nothing is read after the deadline."""
    with pytest.raises(Exhausted):
        HealthLexicon().permille("x", meter("x", seconds=-1))


def test_entities_have_labels_of_their_own():
    """The highest score of each label, in order of name."""
    card = Finding(
        segment=0,
        entity_type="CREDIT_CARD",
        span=Span(start=0, end=1),
        permille=900,
        detector="t",
        category=Category.CARD,
    )

    assert (Label(name="financial", permille=900), Label(name="health", permille=300)) == labels([card], 300)
