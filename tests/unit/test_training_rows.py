"""What a row guarantees, and which part of the split it belongs to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.training.rows import LABELS, TOPICS, TYPES, Row, distinct, split_of, tidy


def row(text="Ada called", spans=((0, 3, "PERSON"),), group="made/1", **fields):
    return Row(
        **{"text": text, "spans": spans, "topics": {}, "group": group, "source": "made", "language": "en"} | fields
    )


def test_the_labels_are_o_and_then_b_and_i_of_each_type_in_order():
    """The order of the labels is that of the model's outputs."""
    assert (21, ("O", "B-PERSON", "I-PERSON", "B-LOCATION"), "I-ID") == (len(LABELS), LABELS[:4], LABELS[-1])
    assert (10, 8) == (len(TYPES), len(TOPICS))


@pytest.mark.parametrize(
    "spans",
    [
        ((0, 3, "NAME"),),
        ((0, 0, "PERSON"),),
        ((0, 11, "PERSON"),),
        ((-1, 3, "PERSON"),),
        ((0, 4, "PERSON"),),
        ((3, 10, "PERSON"),),
        ((0, 3, "PERSON"), (2, 10, "PERSON")),
        ((4, 10, "PERSON"), (0, 3, "PERSON")),
    ],
)
def test_a_span_that_breaks_the_invariant_is_refused(spans):
    """Unknown types, empty, outside, edged with white space, overlapping or unordered spans do not make a row."""
    with pytest.raises(ValueError):
        row(spans=spans)


def test_a_refusal_quotes_no_text():
    """The message of a refusal has places and types only."""
    with pytest.raises(ValueError) as refusal:
        row(spans=((0, 4, "PERSON"),))

    assert "PERSON at 0 to 4 has white space at its edge" == str(refusal.value)


@pytest.mark.parametrize("fields", [{"unmarked": frozenset({"NAME"})}, {"topics": {"weather": True}}, {"group": "1"}])
def test_unknown_types_topics_and_groups_without_their_source_are_refused(fields):
    """A row speaks of our types and topics only, and its group begins with the source."""
    with pytest.raises(ValueError):
        row(**fields)


def test_tidy_trims_orders_and_keeps_the_longer_of_two():
    """White space at the edges goes, the longer of two that overlap stays, empty spans vanish."""
    text = " Ada Byron of London "

    assert ((1, 10, "PERSON"), (14, 20, "LOCATION")) == tidy(
        text, [(13, 21, "LOCATION"), (0, 11, "PERSON"), (5, 10, "PERSON"), (10, 11, "ID")]
    )


@given(
    st.text("ab \n", max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from(TYPES)))
)
@settings(max_examples=200)
def test_what_tidy_gives_always_makes_a_row(text, spans):
    """Whatever spans inside the text go in, those that come out keep the invariant."""
    inside = [(start, min(end, len(text)), kind) for start, end, kind in spans if start < min(end, len(text))]

    assert text == row(text=text, spans=tidy(text, inside)).text


def test_a_group_is_never_torn_apart():
    """Rows of one group are in one part, whatever their text."""
    assert 1 == len({split_of(row(text=text, spans=())) for text in "abcdef"})


def test_the_split_is_eighty_ten_ten_and_stays():
    """The parts have their size over many groups, and known groups stay where they are."""
    counts = Counter(split_of(row(group=f"made/{number}")) for number in range(5000))

    assert (True, True) == (3900 < counts["train"] < 4100, 430 < counts["dev"] < 570)
    assert ["train", "dev", "dev", "test"] == [split_of(row(group=f"made/{name}")) for name in PINNED]


PINNED = ("1", "0", "2", "11")


def test_a_repeated_text_is_read_once():
    """Of two rows with one text the first stays."""

    @distinct
    def rows(_directory):
        yield from (row(group="made/1"), row(group="made/2"), row(text="Bob", group="made/3"))

    assert ["made/1", "made/3"] == [found.group for found in rows(Path())]
