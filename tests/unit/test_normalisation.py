"""What a text folds to, and where its bytes came from."""

# ruff: noqa: RUF001 - look-alikes are what this is about
from __future__ import annotations

import unicodedata

import pytest

from classifiers.normalisation import MAX_TABLE, _several, _table, _table_fold, fold, fold_one
from classifiers.view import IN_STEP
from governance.segment import Span


@pytest.mark.parametrize(
    ("text", "scan"),
    [
        ("plain text, 12:30\n\ttab", b"plain text, 12:30\n\ttab"),
        ("Straße, Łódź, œuvre, Ærø, ı", b"Strase, Lodz, ouvre, Aro, i"),
        ("e\u0301te\u0301", b"ete"),
        ("ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", b"jane@example.com"),
        ("٤١١١ ۴۱۱۱ ४१११ ๔๑๑๑ 𝟒𝟏𝟏𝟏 ④①①① ⁴¹¹¹ ❹❶❶❶", b"4111 " * 7 + b"4111"),
        ("4️⃣1️⃣", b"41"),
        ("𝓳𝖆𝘯ⓔ 🅙🄰 ᴊᴀɴᴇ", b"jane JA jane"),
        ("ﬁve ⑩ № ㎏", b"five 10 No kg"),
        ("a\u00a0b\u2009c\u3000d\u202fe", b"a b c d e"),
        ("1‐2‑3–4—5−6－7ー8", b"1-2-3-4-5-6-7-8"),
        ("“a” ‘b’ «c»", b'"a" \'b\' "c"'),
        ("a\u200bb\u00adc\u2060d\ufeffe\u202ef\u034fg\u0336h", b"abcdefgh"),
        ("x\U000e0061\U000e0062y", b"xy"),
        ("卡号4111請", b"\x01\x014111\x01"),
        ("카드4111입니다", b"\x01\x014111\x01\x01\x01"),
        ("a€b™c½d", b"a\x01b\x01c\x01d"),
        ("\ud800a\udfff\x00b\x02c", b"\x01a\x01\x01b\x02c"),
        ("\x1b[1;31man\x1b[0mna\x1b[m\x1b[K", b"anna"),
        ("\x9b38:5:196mé\x1b(B", b"e"),
        ("\x1b[4111111111111111m\x1b[5C", b"\x01[4111111111111111m\x01[5C"),
        ("", b""),
    ],
)
def test_text_folds_to_what_a_reader_sees(text: str, scan: bytes) -> None:
    """Compatibility forms, digits, accents, dashes, blanks and quotes become ASCII; what does not show is left out."""
    assert scan == fold(text).scan


@pytest.mark.parametrize(
    ("text", "scan"),
    [
        ("x 12¹ me@ex.com¹² 34ª", b"x 12\x01 me@ex.com\x01\x01 34a"),
        ("①4111 ❷me@ex.com", b"\x014111 \x01me@ex.com"),
        ("me@ex.comª 123º", b"me@ex.com\x01 123\x01"),
        ("nº 5, Nª, N.º 7", b"no 5, Na, N.o 7"),
        ("DE⁸⁹ ³⁷⁰⁴, X-¹², ¹² 12", b"DE89 3704, X-12, 12 12"),
        ("C⁰¹X⁰⁰T⁴⁷ 12³⁴⁵ ¹²³4", b"C01X00T47 12345 1234"),
        ("дом¹ café²", fold("дом").scan + b"\x01 cafe\x01"),
    ],
)
def test_the_sign_of_a_footnote_is_no_part_of_a_word(text: str, scan: bytes) -> None:
    """Numbers in such digits, and what is short for `number`, stay."""
    assert scan == fold(text).scan


@pytest.mark.parametrize(
    ("text", "scan"),
    [
        ("4111\u00c2\u00a01111\u00c2 1111", b"4111 1111 1111"),
        ("4111â€“1111â€”1111â€\x9d it\u00e2\u20ac\u2122s", b"4111-1111-1111\" it's"),
        ("DÂ 1 Â 2, â€ and 5 â€", b"DA 1 A 2, a\x01 and 5 a\x01"),
    ],
)
def test_blanks_and_dashes_in_the_wrong_encoding_are_read_as_they_were_meant(text: str, scan: bytes) -> None:
    """UTF-8 as Windows-1252."""
    assert scan == fold(text).scan == _table_fold(text).scan


@pytest.mark.parametrize(
    ("text", "scan"),
    [
        ("jаne@exаmple.cоm", b"jane@example.com"),
        ("сосо@example.com", b"coco@example.com"),
        ("ΑΒC123", b"ABC123"),
        ("А123ВС77", b"A123BC77"),
        ("ВЕ68539007547034", b"BE68539007547034"),
    ],
)
def test_look_alikes_become_ascii_in_words_that_are_ascii_otherwise(text: str, scan: bytes) -> None:
    """Letters of other scripts that pass for ASCII, in addresses and document numbers too."""
    assert scan == fold(text).scan


@pytest.mark.parametrize(
    "text", ["Привет, мир", "оса сахар", "VPNом", "дом 5а", "Καλημέρα κόσμε", "שלום עולם", "مرحبا بالعالم", "нагрев"]
)
def test_other_scripts_stay_letters_of_their_own(text: str) -> None:
    """No word of another language turns into Latin letters; each letter is one byte from 0x80 on."""
    scan = fold(text).scan

    assert all(
        byte >= 0x80 for byte, letter in zip(scan, text, strict=True) if letter.isalpha() and not letter.isascii()
    )


@pytest.mark.parametrize(
    "alphabet", ["абвгдежзийклмнопрстуфхцчшщыэюя", "αβγδεζηθικλμνξοπρστυφχψω", "אבגדהוזחטיכלמנסעפצקרשת"]
)
def test_the_letters_of_an_alphabet_keep_apart(alphabet: str) -> None:
    """A context word of another script is not taken for another one; only `и` and `й` fall together."""
    assert len(alphabet) - len(set(fold(alphabet).scan)) <= 1


def test_text_of_one_byte_each_is_in_step() -> None:
    """Nothing to map costs nothing."""
    assert [IN_STEP] * 3 == [fold(text).shifts for text in ("abc", "Straße „x“", "Привет 123")]


def test_spans_lead_back_over_what_was_left_out_and_what_grew() -> None:
    """A range of bytes is the range of code points that it stands for."""
    text = "x ja\u200bne\u00ad@ex.co ﬁ ⑩!"
    view = fold(text)
    address, ligature, ten = (view.scan.index(each) for each in (b"jane@ex.co", b"fi", b"10"))

    assert ("ja\u200bne\u00ad@ex.co", "ﬁ", "ﬁ", "⑩", "⑩!") == tuple(
        text[span.start : span.end]
        for span in (
            view.span(address, address + 10),
            view.span(ligature, ligature + 1),
            view.span(ligature + 1, ligature + 2),
            view.span(ten, ten + 2),
            view.span(ten + 1, ten + 3),
        )
    )
    assert Span(start=0, end=len(text)) == view.span(0, len(view.scan))


@pytest.mark.parametrize(
    "text",
    [
        "Könnten Sie – „bitte“ – die Straße prüfen? 5 €",
        "Fußnote¹, 12 m², nº 5",
        "Пожалуйста, проверьте отчёт № 5 — «срочно»",
        "Żółć, gęślą jaźń",
        "Ελληνικά και 123",
        "şehir ığdır İstanbul",
        "jаne@exаmple.com и дом",
        "שלום 123",
        "مرحبا 123",
    ],
)
def test_the_fast_ways_fold_as_the_table_does(text: str) -> None:
    """Code pages are a shortcut."""
    assert _table_fold(text) == fold(text)


def test_every_code_point_folds_to_known_bytes() -> None:
    """ASCII stays, letters are letters, and no code point of the planes in use raises."""
    folded = {code_point: fold_one(code_point) for code_point in [*range(0x20000), *range(0xE0000, 0xE0200)]}

    assert all(
        one.isprintable() or one in "\n\t\r\v\f\x01\x02" or one >= "\x80" for each in folded.values() for one in each
    )
    assert all(max(map(ord, each), default=0) <= 0xFF and len(each) <= 18 for each in folded.values())
    assert [] == [
        hex(one)
        for one, each in folded.items()
        if unicodedata.decimal(chr(one), None) is not None and not each.isdigit()
    ]
    assert [] == [hex(one) for one, each in folded.items() if unicodedata.category(chr(one)) == "Zs" and each != " "]


def test_the_table_stays_bounded() -> None:
    """A text of all code points leaves no more behind than the limit."""
    fold("".join(map(chr, range(0x80, 0x30000))))

    assert len(_table()) <= MAX_TABLE
    # What comes after is kept all the same.
    fold("\u0439" + "\U0002ffff" * 9)
    assert {0x439, 0x2FFFF} <= _table().keys()


def test_a_letter_that_folds_to_several_is_looked_at_once() -> None:
    """However often it comes."""
    _several.cache_clear()

    assert b"fi" * 50_000 == fold("\ufb01" * 50_000).scan
    assert 1 == _several.cache_info().misses
