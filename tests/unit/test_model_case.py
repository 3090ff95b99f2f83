"""How a piece is capitalised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.model.case import Case, case_of


@pytest.mark.parametrize(
    ("original", "case"),
    [
        ("", Case.NONE),
        ("12,50", Case.NONE),
        ("😀", Case.NONE),
        ("street", Case.LOWER),
        ("3rd", Case.LOWER),
        ("中国", Case.LOWER),
        ("Tomasz", Case.TITLE),
        ("A", Case.TITLE),
        ("3A", Case.TITLE),
        ("Šárka", Case.TITLE),
        ("ǅ", Case.TITLE),
        ("NHS", Case.UPPER),
        ("A1B", Case.UPPER),
        ("ÅÄ", Case.UPPER),
        ("iPhone", Case.MIXED),
        ("McDonald", Case.MIXED),
        ("éA", Case.MIXED),
    ],
)
def test_the_case_of_a_piece(original: str, case: Case) -> None:
    """As the weights were trained with it: only letters count, and a single capital is a title."""
    assert case == case_of(original)


@given(st.text(alphabet="abcXYZ", min_size=1, max_size=8))
def test_marks_around_a_piece_change_nothing(text: str) -> None:
    """The quick way for plain letters and the general one agree."""
    assert case_of(text) == case_of(f"'{text}.")
