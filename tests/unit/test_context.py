"""Which words count as context, and from how far; with both engines alike."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.context import REACH_AFTER, REACH_BEFORE, Lexicon, Surroundings, joined, latin_words, phrases
from classifiers.hints import expressions
from classifiers.meter import Meter
from classifiers.overlap import FAR
from classifiers.view import View
from classifiers.vocabulary import vocabulary_database

VALUE = "111222333"


def distance(text: str, *words: str) -> int:
    """The distance of the nearest of `words` from the value in `text`; FAR where there is none."""
    folded = View(text=text, scan=bytes(ord(each) if each.isascii() else 1 for each in text))
    start = text.index(VALUE)
    known = phrases([words])
    meter = Meter(1 << 20, deadline=time.monotonic() + 60)
    database = vocabulary_database(latin_words(known)[0], expressions())
    distances = set()
    for lexicon in (Lexicon(known), Lexicon(known, database=database)):
        near = Surroundings(folded, lexicon, meter).near(start, start + len(VALUE))
        distances.add(next((each for each, rules in near if 0 in rules), FAR))
    [one] = distances
    return one


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("bsn 111222333", "bsn"),
        ("BSN: 111222333", "bsn"),
        ('{"bsn":"111222333"}', "bsn"),
        ('{"taxId": "111222333"}', "tax id"),
        ('{"userTaxId": "111222333"}', "tax id"),
        ("patientNHSNumber=111222333", "nhs number"),
        ("tax_id,111222333", "tax id"),
        ("TAX-ID 111222333", "tax id"),
        ("tax  id\n111222333", "tax id"),
        ("N.I.F. 111222333", "n.i.f."),
        ("Steueridentifikationsnummer 111222333", "steueridentifikations*"),
        ("numero fiscale: 111222333", "numéro fiscal*"),
        ("personal code number 111222333", "personal code"),
        ("111222333 (bsn)", "bsn"),
        ("111222333 is my BSN", "bsn"),
        ("身份证号码111222333", "身份证"),
        ("ИНН 111222333", "инн"),
        ("ΑΦΜ: 111222333", "αφμ"),
        ("เลขประจำตัวประชาชน 111222333", "เลขประจำตัว"),
        ("ת.ז. 111222333", 'ת"ז'),
        ("주민등록번호는 111222333", "주민등록번호"),
        ("Strasse 111222333", "straße"),
        ("fodselsnummer 111222333", "fødselsnummer"),
        ("foedselsnummer 111222333", "fødselsnummer"),
        ("Fuehrerschein 111222333", "führerschein"),
        ("numer platnika 111222333", "numer płatnika"),
        ("kayit 111222333", "kay\u0131t"),
        ("Tax No. 111222333", "tax number"),
        ("tax_nr;111222333", "tax number"),
        ("health card # 111222333", "health card number"),
        ("c. prukazu 111222333", "číslo průkazu"),
        ("паспорт № 111222333", "паспорт номер"),
    ],
)
def test_a_phrase_beside_the_value_counts(text, phrase):
    """Whatever case, accents, joints and script."""
    assert distance(text, phrase) < FAR


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("public 111222333", "lic"),
        ("absn 111222333", "bsn"),
        ("bsnx 111222333", "bsn"),
        ("tax 111222333 id", "tax id"),
        ("tax the id 111222333", "tax id"),
        ("bsn" + " " * (REACH_BEFORE + 1) + VALUE, "bsn"),
        (VALUE + " " * REACH_AFTER + "bsn", "bsn"),
        ("теннис 111222333", "ннис"),
        ("tax 111222333", "tax number"),
        ("no 111222333", "number"),
        ("пинна 111222333", "инн"),
        ("111222333", "111222333"),
        ("QmFzZTY0YnNuQmFzZTY0YnNuQmFzZTY0YnNuQmFzZTY0Qnx" + "Ab 111222333", "qm fz"),
    ],
)
def test_parts_of_words_and_words_far_away_do_not_count(text, phrase):
    """Words count whole, beside the value and not in it."""
    assert FAR == distance(text, phrase)


@pytest.mark.parametrize(
    ("text", "nearer", "farther"),
    [
        ("nhs bsn 111222333", "bsn", "nhs"),
        ("bsn 111222333 nhs", "bsn", "nhs"),
        ("bsn and then nhs: 111222333", "nhs", "bsn"),
    ],
)
def test_the_nearer_word_is_the_stronger_and_before_beats_behind(text, nearer, farther):
    """Distances rank rules that a number could belong to."""
    assert distance(text, nearer) < distance(text, farther) < FAR


@settings(max_examples=100, deadline=None)
@given(before=st.integers(900, 1200), gap=st.integers(1, REACH_BEFORE - 6))
def test_a_phrase_across_a_block_boundary_is_found(before, gap):
    """Reading words block by block loses none."""
    assert gap == distance("x" * before + " tax id" + " " * gap + VALUE, "tax id")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("мой Пароль: 111222333", True),
        ("пароль 111222333", False),
        ("парольщик: 111222333", False),
        ("пароль: да, 111222333", False),
        ("服务器密码:111222333", True),
        ("密码重置: 111222333", False),
        ("111222333 пароль:", False),
        ("x" * (REACH_BEFORE - 20) + " пароль: 111222333", True),
    ],
)
def test_a_word_with_a_joint_counts_right_before_the_value(text, counts):
    """Nothing but the joint stands between, and the word is whole where words are written apart."""
    folded = View(text=text, scan=bytes(ord(each) if each.isascii() else 1 for each in text))
    surroundings = Surroundings(folded, Lexicon(()), Meter(1 << 20, deadline=time.monotonic() + 60))

    assert counts == surroundings.behind(joined(["пароль", "密码"], r":\s?"), text.index(VALUE))


def test_equal_phrases_of_rules_become_one():
    """Rules share the search for a phrase."""
    merged = phrases([("BSN", "tax id"), ("bsn",), ("Tax-ID*",)])

    assert [("bsn", False, {0, 1}), ("tax id", False, {0}), ("tax id", True, {2})] == [
        (each.text, each.open, set(each.rules)) for each in merged
    ]
