"""Values split over neighbouring segments, and the way back to the segments."""

from __future__ import annotations

import re

import pytest

from classifiers.joining import MOST_SEAMS, PIECE, REACH, Seam, meet, seams
from classifiers.meter import Exhausted
from governance.finding import Finding
from governance.segment import Span


def joined(*texts: str) -> list[str]:
    return [seam.text for seam in seams(texts)]


@pytest.mark.parametrize(
    "texts",
    [
        ("4111 1111", "1111 1111"),
        ("my card is 4111 1111 ", " 1111 1111 thanks"),
        ("4111", "1111", "1111", "1111"),
        tuple("4111111111111111"),
        ("41", "11", "11", "11", "11", "11", "11", "11"),
        ("DE89 3704 0044", "0532 0130 00"),
        ("DE", "89370400440532013000"),
        ("GB29 NWBK", "6016 1331 9268 19"),
        ("536-90-", "4399"),
        ("write to jane.roe", "@example.com"),
        ("jane.roe@", "example.com"),
        ("jane.roe@exam", "ple.com please"),
        ("jane.roe@example.", "com"),
        ("jane.roe", "@", "example.com"),
        ("4111" + " " * 30, "1111" + " " * 30, "1111" + " " * 30, "1111"),
        ("4111\u200b", "\ufeff1111", "\u20601111", "1111\xad"),
    ],
)
def test_a_value_cut_in_pieces_is_whole_in_some_seam(texts: tuple[str, ...]) -> None:
    """Digits, capitals with digits and addresses come together, with their blanks or without."""
    whole = re.sub("[ \u200b\u2060\ufeff\xad]", "", "".join(texts))
    for seam in seams(texts):
        for start, end, segment, offset in seam.parts:
            assert seam.text[start:end] == texts[segment][offset : offset + end - start]
    value = {"m": "4111111111111111", "w": "jane.roe@example.com"}.get(whole[0], whole.removesuffix("please"))

    assert any(value in text.replace(" ", "") for text in joined(*texts))


@pytest.mark.parametrize(
    "texts",
    [
        ("Hello there", "How are you?"),
        ("See page 12", "The next chapter"),
        ("", "4111"),
        ("   ", "4111"),
        ("mail jane@example.com", "more about it"),
        ("The end.", "42 is the answer"),
        ("alone",),
        (),
    ],
)
def test_prose_beside_prose_makes_no_seam(texts: tuple[str, ...]) -> None:
    """Nothing is joined that does not look like one value at both edges."""
    assert [] == joined(*texts)


def test_a_seam_leads_back_to_the_segments() -> None:
    """A finding over a seam becomes one finding for each segment, and covers what is there."""
    texts = ("my card is 4111 1111 ", " 1111 1111 thanks")
    tight, wide = seams(texts)
    at = wide.text.index("4111")
    value = Span(start=at, end=at + 19)

    assert ("4111 11111111 1111", "4111 1111 1111 1111") == (tight.text[11:29], wide.text[at : at + 19])
    assert ["4111 1111", "1111 1111"] == [texts[number][span.start : span.end] for number, span in wide.origins(value)]


def finding(span: Span, *, entity: str = "CREDIT_CARD", validated: bool = True) -> Finding:
    return Finding(segment=0, entity_type=entity, span=span, permille=1000, detector="d", validated=validated)


def test_only_validated_findings_and_addresses_over_a_seam_count() -> None:
    """What lies in one segment is found there; a bare shape over a seam is chance."""
    seam = Seam(text="12345678", parts=((0, 4, 3, 10), (4, 8, 4, 0)))
    whole, first = Span(start=1, end=8), Span(start=0, end=4)

    assert [(3, Span(start=11, end=14)), (4, Span(start=0, end=4))] == [
        (each.segment, each.span) for each in seam.findings([finding(whole), finding(first)])
    ]
    assert [] == list(seam.findings([finding(whole, validated=False, entity="PHONE_NUMBER")]))
    assert 2 == len(list(seam.findings([finding(whole, validated=False, entity="EMAIL_ADDRESS")])))


def test_seams_are_short_and_limited() -> None:
    """Long segments give their edges alone, and an endless list of pieces ends as partial."""
    long = "7" * 100_000
    assert all(len(seam.text) <= 2 * REACH + 1 for seam in seams([long, long]))

    with pytest.raises(Exhausted, match="partial"):
        list(seams(["4111"] * 100_000))
    assert all(
        len(seam.text) <= 2 * (REACH + PIECE) + 2
        for seam, _ in zip(seams(["4"] * 5_000), range(MOST_SEAMS), strict=False)
    )


def test_a_value_in_the_middle_of_a_long_row_is_found() -> None:
    """Rows overlap, so that no value is cut by where a row begins."""
    texts = [
        *(str(each) for each in range(100, 130)),
        "4111",
        "1111",
        "1111",
        "1111",
        *(str(each) for each in range(200, 230)),
    ]

    assert any("4111 1111 1111 1111" in text for text in joined(*texts))


def test_edges_meet_by_their_characters() -> None:
    """The rule, edge by edge."""
    assert (True, True, False, True, False) == (
        meet("4", "1"),
        meet("12-", "34"),
        meet("word", "1"),
        meet("AB", "12"),
        meet("a@b.example", "x"),
    )
