"""The one rule for findings that overlap."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.overlap import FAR, Claim, settle
from governance.finding import Category, Finding
from governance.segment import Span


def claim(
    entity: str,
    start: int,
    end: int,
    permille: int = 500,
    *,
    validated=False,
    distance=FAR,
    via="",
    country=None,
    inner=None,
    category=Category.OTHER,
    detector="test",
) -> Claim:
    return Claim(
        finding=Finding(
            segment=0,
            entity_type=entity,
            span=Span(start=start, end=end),
            permille=permille,
            detector=detector,
            validated=validated,
            beside_word=distance < FAR,
            via=via,
            country=country,
            category=category,
        ),
        distance=distance,
        inner=inner,
    )


CARD_IN_URL = claim("CREDIT_CARD", 20, 36, 1000, validated=True)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([claim("URL", 0, 50, 600), CARD_IN_URL], [CARD_IN_URL]),
        ([claim("A", 0, 9, distance=4), claim("B", 2, 12)], [claim("A", 0, 9)]),
        ([claim("A", 0, 9, distance=4), claim("B", 2, 5, validated=True)], [claim("B", 2, 5, validated=True)]),
        ([claim("A", 0, 5, 800), claim("B", 2, 9, 100)], [claim("B", 2, 9, 100)]),
        ([claim("A", 0, 5, 900), claim("B", 2, 9, 800)], [claim("A", 0, 5, 900)]),
        ([claim("A", 0, 9, validated=True), claim("B", 2, 5, validated=True, distance=1)], [claim("A", 0, 9)]),
        ([claim("URL", 0, 50, 1000, validated=True), claim("A", 9, 20)], [claim("A", 9, 20)]),
        ([claim("URL", 0, 50), claim("DATE_TIME", 9, 20, validated=True)], [claim("URL", 0, 50)]),
        ([claim("A", 0, 5, 400), claim("B", 0, 5, 500)], [claim("B", 0, 5, 500)]),
        ([claim("A", 0, 5, distance=9), claim("B", 0, 5, distance=2)], [claim("B", 0, 5)]),
        ([claim("A", 0, 5, via="hex"), claim("A", 0, 5)], [claim("A", 0, 5)]),
        ([claim("A", 0, 5), claim("B", 5, 9)], [claim("A", 0, 5), claim("B", 5, 9)]),
        ([claim("A", 0, 5), claim("A", 0, 5, 700)], [claim("A", 0, 5, 700)]),
        ([claim("A", 3, 8, 700), claim("A", 0, 5)], [claim("A", 0, 8)]),
        ([claim("A", 0, 8, validated=True), claim("A", 4, 20)], [claim("A", 0, 8, validated=True)]),
        ([claim("AGE", 5, 7, validated=True), claim("AGE", 0, 7)], [claim("AGE", 0, 7, validated=True)]),
        ([claim("A", 0, 8, validated=True), claim("A", 4, 9, validated=True)], [claim("A", 0, 8, validated=True)]),
    ],
)
def test_what_remains_of_overlapping_claims(claims, expected):
    """Validated beats contextual beats shape; then length, score, the nearer word, plain text."""
    wanted = [each.finding.span for each in expected], [each.finding.entity_type for each in expected]
    settled = settle(claims)

    assert settled == settle(reversed(claims))
    assert wanted == ([each.span for each in settled], [each.entity_type for each in settled])


CZECH = claim("CZ_ICO", 4, 12, 1000, validated=True, distance=1, country="CZ")


@pytest.mark.parametrize(
    ("rival", "kept"),
    [
        (claim("SK_ICO", 4, 12, 1000, validated=True, distance=1, country="SK"), ["CZ", "SK"]),
        (claim("SK_ICO", 4, 12, 1000, validated=True, distance=2, country="SK"), ["CZ"]),
        (claim("SK_ICO", 4, 12, 900, validated=True, distance=1, country="SK"), ["CZ"]),
        (claim("SK_ICO", 4, 11, 1000, validated=True, distance=1, country="SK"), ["CZ"]),
        (claim("CZ_DIC", 4, 12, 1000, validated=True, distance=1, country="CZ"), ["CZ"]),
        (claim("TAX_ID", 4, 12, 1000, validated=True, distance=1), ["CZ"]),
    ],
)
def test_equal_claims_of_two_countries_both_remain(rival, kept):
    """The value cannot decide; anything that one has over the other does."""
    assert (
        kept == [each.country for each in settle([rival, CZECH])] == [each.country for each in settle([CZECH, rival])]
    )


def test_equal_shapes_do_not_both_remain():
    """Without a word or a check there is no evidence for either."""
    rivals = [claim("A", 0, 5, country="CZ"), claim("B", 0, 5, country="SK")]
    assert ["CZ"] == [each.country for each in settle(rivals)]


def test_a_part_of_a_value_that_goes_on_elsewhere_stays_beside_what_the_text_says():
    """It takes nothing from that, nor loses to it; parts of one text are settled among themselves."""
    address, part = claim("STREET_ADDRESS", 0, 14, 700), claim("PHONE_NUMBER", 0, 2, 1000, validated=True, via="joined")
    smaller = claim("PHONE_NUMBER", 0, 1, 1000, validated=True, via="joined>hex")

    assert (part.finding, address.finding) == settle([address, smaller, part])


def test_the_end_of_a_telephone_number_is_no_house():
    """The street begins behind the number, whatever speaks for either; one that begins with it or before is left alone."""
    number, street = claim("PHONE_NUMBER", 0, 12, 400), claim("STREET_ADDRESS", 13, 31, 600)
    cut = claim("STREET_ADDRESS", 8, 31, 600, distance=0, via="broken")
    around = claim("STREET_ADDRESS", 0, 31, 600)

    assert (number.finding, street.finding) == settle([number, street, cut])
    assert (around.finding,) == settle([number, around])


def test_values_that_stand_apart_in_one_carrier_all_remain():
    """One of a kind, and none that is part of another; settling again changes nothing."""
    mail = claim("MAIL", 0, 90, 1000, via="base64", inner=(5, 25), validated=True)
    card = claim("CARD", 0, 90, 900, via="base64", inner=(30, 46), validated=True)
    part = claim("DATE", 0, 90, 1000, via="base64", inner=(32, 40), validated=True)
    again = claim("MAIL", 0, 90, 1000, via="base64", inner=(60, 70), validated=True)
    settled = settle([mail, card, part, again])

    assert ["CARD", "MAIL"] == [each.entity_type for each in settled]
    assert settled == settle(Claim(finding=each) for each in settled)
    assert 1 == len(settle([mail, claim("CARD", 0, 90, 900, via="hex", inner=(30, 46), validated=True)]))


@pytest.mark.parametrize("detector", ["own:Wards", "own.wards_0", "spacy:clinic"])
def test_what_an_operator_finds_uncovers_nothing_that_the_rules_found(detector):
    """It takes its own characters; what of the longer value is left of it and right of it stays what it was."""
    key = claim("API_KEY", 0, 40, 850, category=Category.CREDENTIAL)
    ward = claim("WARD", 12, 15, 1000, validated=True, detector=detector)
    over = claim("WARD", 38, 44, 1000, validated=True, detector=detector)
    settled = settle([key, ward, over])

    assert [("API_KEY", 0, 12), ("WARD", 12, 15), ("API_KEY", 15, 38), ("WARD", 38, 44)] == [
        (each.entity_type, each.span.start, each.span.end) for each in settled
    ]
    assert settled == settle(Claim(finding=each) for each in settled)
    assert [ward.finding] == list(settle([ward, claim("PHONE_NUMBER", 12, 15)]))


def test_what_is_found_across_controls_uncovers_nothing():
    """They may part two values after all."""
    first, across = (
        claim("MAIL", 0, 16, 1000, validated=True),
        claim("MAIL", 5, 32, 1000, validated=True, via="controls"),
    )

    assert [(0, 5), (5, 32)] == [(each.span.start, each.span.end) for each in settle([first, across])]


@pytest.mark.parametrize("via", ["", "base64"])
def test_a_token_before_a_host_is_no_mail_address(via):
    """Whatever the token scores; a label before it says that it may be any value."""

    def at(entity, end, permille, **more):
        place = {"via": via, "inner": (8, end)} if via else {}
        return claim(entity, *((0, 90) if via else (8, end)), permille, **place, **more)

    mail = at("EMAIL_ADDRESS", 60, 1000, validated=True)
    token = at("API_KEY", 48, 600, category=Category.CREDENTIAL)
    labelled = at("API_KEY", 48, 700, category=Category.CREDENTIAL, distance=0)
    settled = settle([mail, token])

    assert ["API_KEY"] == [each.entity_type for each in settled]
    assert settled == settle(Claim(finding=each) for each in settled)
    assert ["EMAIL_ADDRESS"] == [each.entity_type for each in settle([mail, labelled])]


spans = st.tuples(st.integers(0, 60), st.integers(1, 20))
claims = st.lists(
    st.builds(
        lambda entity, at, permille, validated, distance, country, inner: claim(
            entity,
            at[0],
            at[0] + at[1],
            permille,
            validated=validated,
            distance=distance,
            country=country,
            via="" if inner is None else "hex",
            inner=inner and (inner, inner + 4),
        ),
        st.sampled_from("ABC"),
        spans,
        st.integers(0, 1000),
        st.booleans(),
        st.sampled_from([FAR, 1, 5]),
        st.sampled_from([None, "CZ", "SK"]),
        st.sampled_from([None, 1, 3, 9]),
    ),
    max_size=25,
)


@given(many=claims, own=st.lists(spans, max_size=5))
def test_an_operator_s_findings_never_cover_less_than_ours_did(many, own):
    """Every character of what the rules alone would report is in what is reported."""

    def covered(found):
        return {at for each in found for at in range(each.span.start, each.span.end)}

    theirs = [claim("D", at, at + size, 1000, validated=True, detector="own:D") for at, size in own]

    assert covered(settle(many)) <= covered(settle([*many, *theirs]))


@given(many=claims, seed=st.randoms())
def test_nothing_overlaps_and_the_order_of_claims_does_not_matter(many, seed):
    """The result depends on the claims alone; what overlaps is the same value, of two countries, or in the same carrier."""
    shuffled = list(many)
    seed.shuffle(shuffled)
    settled = settle(many)

    assert settled == settle(shuffled)
    assert all(
        left.span.end <= right.span.start
        or (left.span == right.span and (left.country != right.country or left.via == right.via == "hex"))
        for left, right in pairwise(settled)
    )
    assert bool(many) == bool(settled)


def test_forty_thousand_claims_settle_in_a_moment():
    """Sorting is all it costs."""
    many = [claim("AB"[at % 2], at * 3, at * 3 + 8, at % 1000) for at in range(40_000)]
    started = time.monotonic()
    settle(many)

    assert time.monotonic() - started < 60
