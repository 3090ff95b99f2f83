"""What the same thing is called on both sides, and where it begins and ends."""

from __future__ import annotations

import pytest

from classifiers.evaluation.names import SAME, same_name, trimmed
from classifiers.training.rows import TYPES


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Dr. Jane Roe", "PERSON", "Jane Roe"),
        ("Prof. Dr. Jane Roe,", "PERSON", "Jane Roe"),
        ("Mr Roe's", "PERSON", "Roe"),
        ("Herr Roe\u2019s", "PERSON", "Roe"),
        ("Mr.", "PERSON", "Mr"),
        ("Drew Missen", "PERSON", "Drew Missen"),
        ('"Jane"', "PERSON", "Jane"),
        ("Dr. Roe Street 5.", "ADDRESS", "Dr. Roe Street 5"),
        ("@jane_roe", "USERNAME", "@jane_roe"),
        (" 3 May 1980. ", "DATE_TIME", "3 May 1980"),
        ("...", "PERSON", "..."),
    ],
)
def test_titles_and_punctuation_stand_outside(text: str, kind: str, expected: str) -> None:
    """On both sides; a span of which nothing would be left stays."""
    start, end = trimmed(f"ask {text} now", 4, 4 + len(text), kind)

    assert expected == f"ask {text} now"[start:end]


def test_a_name_stands_for_one_other_at_most() -> None:
    """The table leads to names that stand for themselves, so that it makes no difference how often it is asked."""
    assert {same_name(same_name(kind)) for kind in SAME} == {same_name(kind) for kind in SAME}
    assert "EMAIL_ADDRESS" == same_name("EMAIL_ADDRESS")


def test_types_of_training_keep_their_names() -> None:
    """They are the names of the comparison; the address of a finding has another."""
    assert list(TYPES) == [same_name(kind) for kind in TYPES]
    assert "ADDRESS" == same_name("STREET_ADDRESS")
