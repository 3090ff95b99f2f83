"""Texts as a keyboard types them, and what a reader finds in others."""

# ruff: noqa: RUF001 - dashes and spaces are what this is about
from __future__ import annotations

import functools
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.jurisdiction import jurisdictions
from classifiers.reading import Reader, Reading
from classifiers.streets import ENTITY as STREET
from classifiers.typography import retyped, shown
from governance.segment import Span


@functools.cache
def reader() -> Reader:
    return Reader(entities=[STREET])


def read(text: str) -> Reading:
    return reader().read(text, deadline=time.monotonic() + 60)


def told(text: str) -> tuple[str, ...]:
    """The countries that `text` points to."""
    reading = read(text)
    return tuple(each.code for each in jurisdictions(reading.findings, [reading.traces]))


@pytest.mark.parametrize(
    ("came", "typed"),
    [
        ("plain", "plain"),
        ("Größe — 東京, ½", "Größe — 東京, ½"),
        ("VS\u2011NfD \u2013 1\u22122", "VS-NfD - 1-2"),
        ("a\u00a0b\u202fc\u3000d\u2028e", "a b c d\ne"),
        ("T\u00adL\u200bP\ufeff:\u2060\u200dRED\u200b\u200b", "TLP:RED"),
        ("fu\u0308r", "für"),
        ("u\u0308\u200b\u00a0u\u0308", "ü ü"),
        (unicodedata.normalize("NFD", "한글 が й ế"), "한글 が й ế"),
        ("\u0308\u200bx", "\u0308x"),
        ("\x1b[1;31mTL\x1b[mP:RED\x1b[0m \x1b[5C", "TLP:RED \x1b[5C"),
    ],
)
def test_what_typesetting_changes_is_undone(came: str, typed: str) -> None:
    """Hyphens, spaces, what does not show, and letters in pieces; nothing else."""
    assert typed == retyped(came).text


def test_there_is_a_way_to_what_is_typed_and_back() -> None:
    """A span covers the letters that became its letters."""
    text = "wa\u0308r\u200be \u201cu\u0308b\u2011x\u201d"
    typed = retyped(text)

    assert "wäre “üb-x”" == typed.text
    assert "u\u0308b\u2011x" == text[slice_of(typed.original(Span(start=6, end=10)))]
    assert "üb-x" == typed.text[slice_of(typed.span(Span(start=8, end=13)))]
    assert Span(start=3, end=3) == typed.span(Span(start=4, end=5))


def slice_of(span: Span) -> slice:
    return slice(span.start, span.end)


@given(st.text(alphabet="ab \u0308\u0301\u200b\u00a0\u2013\u1100\u1161\u11a8가ü", max_size=80))
def test_ways_stay_inside_and_in_order(text: str) -> None:
    """Both ways of any span are spans, and what is typed comes from what it is typed for."""
    typed = retyped(text)
    for start in range(len(typed.text)):
        came = typed.original(Span(start=start, end=start + 1))

        assert 0 <= came.start < came.end <= len(text)
        assert typed.text[start] in retyped(text[came.start : came.end]).text
    for start in range(len(text)):
        there = typed.span(Span(start=start, end=len(text)))

        assert 0 <= there.start <= there.end == len(typed.text)


@pytest.mark.parametrize(
    ("came", "seen"),
    [
        ("plain \u2013 wa\u0308r", "plain \u2013 wa\u0308r"),
        ("An\u200bna\u200b\u200c Ko\u00adwal\u2060ska\ufeff", "Anna Kowalska"),
        (
            "\u0410\u200d\u043d\u043d\u0430 \u0391\u200c\u03bd\u03bd\u03b1",
            "\u0410\u043d\u043d\u0430 \u0391\u03bd\u03bd\u03b1",
        ),
        ("\x1b[31mAnna\x1b[0m \u200bK", "Anna \u200bK"),
        ("\u0645\u06cc\u200c\u06a9\u0646\u0645", "\u0645\u06cc\u200c\u06a9\u0646\u0645"),
        (
            "\u0915\u094d\u200d\u0937 \u0e44\u0e17\u0e22\u200b\u0e44\u0e17\u0e22",
            "\u0915\u094d\u200d\u0937 \u0e44\u0e17\u0e22\u200b\u0e44\u0e17\u0e22",
        ),
        ("\U0001f469\u200d\u2695\ufe0f", "\U0001f469\u200d\u2695\ufe0f"),
    ],
)
def test_what_nobody_sees_in_a_word_is_left_out(came: str, seen: str) -> None:
    """Colours too; not what joins or parts the letters of a script, nor a picture of several."""
    assert seen == shown(came).text


@given(st.lists(st.sampled_from([*"ab \u0308\u200b\u200d\u00ad\u0645", "\x1b[31m"]), max_size=40).map("".join))
def test_letters_that_show_are_where_they_came(text: str) -> None:
    """Each at its own place, whatever is left out around it."""
    seen = shown(text)
    places = [seen.letters(Span(start=at, end=at + 1)) for at in range(len(seen.text))]

    assert seen.text == "".join(text[slice_of(each)] for each in places)


def test_marks_without_end_are_read_in_no_time() -> None:
    """To bring a megabyte of marks into order at once would take for ever."""
    assert 1_000_000 == len(retyped("a" + "\u0323\u0334" * 500_000).text)


@pytest.mark.parametrize("dash", ["\u2010", "\u2011", "\u2012", "\u2013"])
@pytest.mark.parametrize("name", ["VS-NfD", "EU-ONLY", "DE-ONLY", "EXPORT-CONTROLLED", "OFFICIAL-SENSITIVE"])
def test_a_marking_may_have_any_hyphen(name: str, dash: str) -> None:
    """Word processors set others than keyboards."""
    assert (name,) == read(f"This is {name.replace('-', dash)} text.").residency_labels


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NATO\u00a0SECRET\npaper", "NATO-SECRET"),
        ("EU\u00a0ONLY\npaper", "EU-ONLY"),
        ("TLP:\u00a0RED", "TLP:RED"),
        ("TLP:\u202fRED", "TLP:RED"),
        ("TLP:\u200bRED", "TLP:RED"),
        ("T\u00adLP:RED", "TLP:RED"),
        (unicodedata.normalize("NFD", "VS – Nur für den Dienstgebrauch\nLage"), "VS-NfD"),
        (unicodedata.normalize("NFD", "the SECRET DÉFENSE note"), "SECRET-DÉFENSE"),
        ("A paper\u2014TLP:RED\u2014of mine", "TLP:RED"),
    ],
)
def test_a_marking_may_be_typeset(text: str, name: str) -> None:
    """Spaces that hold a line together, what does not show, letters in pieces; a long dash parts sentences."""
    assert (name,) == read(text).residency_labels


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("I live in Zürich.", ("CH",)),
        ("Ich wohne in München.", ("DE",)),
        ("Ich\u00a0wohne in Dresden.", ("DE",)),
        ("زندگی می\u200cکنم در تهران", ("IR",)),
        ("부산광역시 해운대구 센텀중앙로 97", ("KR",)),
    ],
)
def test_a_home_may_be_typeset(text: str, form: str, countries: tuple[str, ...]) -> None:
    """The words beside a place and its name are read in any form of Unicode."""
    assert countries == told(unicodedata.normalize(form, text))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_illness_may_be_in_any_form_of_unicode(form: str) -> None:
    """Accents are parts of words whether they are letters of their own or not."""
    assert 850 == read(unicodedata.normalize(form, "Je souffre de diabète et démence")).health


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_address_is_reported_where_it_came(form: str) -> None:
    """Its span is one of the text as it came, behind what does not show and letters in pieces."""
    address = unicodedata.normalize(form, "해운대구 센텀중앙로\u00a097")
    text = unicodedata.normalize(form, f"\u200bgrüß\u200b {address}, x")

    assert [address] == [
        text[each.span.start : each.span.end] for each in read(text).findings if each.detector == "family.street_korean"
    ]
