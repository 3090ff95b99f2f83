"""Text as pieces, with places in the text as it came."""

from __future__ import annotations

import time
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from classifiers.model import pieces as module
from classifiers.model.case import case_of
from classifiers.model.manifest import ModelUnusable, read_model
from classifiers.model.pieces import (
    CHUNK_CHARS,
    PieceReader,
    Pieces,
    chunks,
    legible,
    piece_reader,
    starts_of_words,
    unstyled,
    worth_reading,
)
from tests.model_directories import VOCABULARY, Model, tokenizer_bytes, write

READER = PieceReader(tokenizer_bytes())
# With white space, so that there are several words, and without letters that fold to several.
ANY_TEXT = st.text(max_size=60) | st.text(alphabet="Tomasz Kowalski's 12 ŠÁ\u0301é中国😀.-\n\t\ud83d", max_size=60)


def read(text: str, reader: PieceReader = READER) -> Pieces:
    return reader.read(text, deadline=time.monotonic() + 60)


def slices(text: str, found: Pieces) -> list[str]:
    return [text[start:end] for start, end in zip(found.starts, found.ends, strict=True)]


def bare(text: str) -> str:
    """As an uncased vocabulary sees it: small, without marks."""
    return "".join(each for each in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(each) != "Mn")


def test_pieces_have_their_place_case_and_word() -> None:
    """Offsets are those of the text as it came; the pieces of one word have one number."""
    text = "Our Kowalski's\u00a0Dialysis"
    found = read(text)

    assert ["Our", "Kowal", "ski", "'", "s", "Dialysis"] == slices(text, found)
    assert [2, 2, 1, 0, 1, 2] == found.case.tolist()
    assert [0, 1, 1, 2, 3, 4] == found.words.tolist()
    assert len(text) == found.read_chars


@given(
    st.text(alphabet=[chr(code) for code in range(128)], max_size=80) | st.text(alphabet="aAbB zZ1'_.-\n", max_size=40)
)
def test_the_short_cut_for_ascii_says_the_same(text: str) -> None:
    """Case and words are those that the letters say one by one."""
    encoding = READER._tokenizer.encode(text, add_special_tokens=False)
    short = module._of_ascii(text, encoding.offsets, encoding.word_ids)
    if short is None:
        return
    starts, case = short

    assert list(module._starts_of_words(text, encoding.offsets, encoding.word_ids)) == starts.astype(bool).tolist()
    assert [case_of(text[start:end]) for start, end in encoding.offsets] == case.tolist()


def test_nothing_is_cut_and_nothing_is_filled_up() -> None:
    """The file says to cut and to pad at eight pieces: text is read to its end all the same."""
    assert 5 == len(read("on the on the on"))
    assert 300 == len(read("on the at " * 100))


def test_the_frame_of_a_window_is_read_off_the_tokenizer() -> None:
    """What stands before and behind a text, and what fills it up."""
    assert ((2,), (3,), 0, len(VOCABULARY)) == (READER.prefix, READER.suffix, READER.padding, READER.vocabulary)


def test_text_that_spells_a_special_piece_is_text() -> None:
    """Nobody ends the window from inside, or hides behind padding."""
    found = read("the [SEP] [PAD] tomasz")

    assert not {0, 2, 3}.intersection(found.ids.tolist())
    assert "tomasz" == slices("the [SEP] [PAD] tomasz", found)[-1]


@given(ANY_TEXT)
@settings(deadline=None)
def test_pieces_stand_where_they_say_in_any_text(text: str) -> None:
    """Each known piece is what the text has at its place; places never go back; words are numbered without a gap."""
    found = read(text)

    for number, original in zip(found.ids.tolist(), slices(text, found), strict=True):
        assert VOCABULARY[number] == "[UNK]" or VOCABULARY[number].removeprefix("##") == bare(original)
    assert all(0 <= start <= end <= len(text) for start, end in zip(found.starts, found.ends, strict=True))
    assert found.starts.tolist() == sorted(found.starts.tolist())
    assert all(later - earlier in (0, 1) for earlier, later in pairwise([-1, *found.words.tolist()]))
    assert len(text) == found.read_chars


@given(ANY_TEXT, st.integers(1, 12))
@settings(deadline=None)
def test_chunks_cover_any_text(text: str, size: int) -> None:
    """In order, without a gap, none longer than a chunk may be; one that is not the last ends before white space, if it can."""
    before, module.CHUNK_CHARS = module.CHUNK_CHARS, size  # type: ignore[misc]
    try:
        found = list(chunks(text))
    finally:
        module.CHUNK_CHARS = before  # type: ignore[misc]

    assert text == "".join(text[start:end] for start, end in found)
    assert all(0 < end - start <= size for start, end in found)
    for start, end in found[:-1]:
        assert text[end].isspace() or not any(map(str.isspace, text[start + 1 : end]))


def test_a_long_text_is_read_as_if_in_one_piece() -> None:
    """Chunks end between words: the pieces are those of the words, wherever the chunks end."""
    text = "Our Kowalski in Berlin. " * 1_000
    once = read("Our Kowalski in Berlin. ")
    found = read(text)

    assert len(text) > 2 * CHUNK_CHARS
    assert once.ids.tolist() * 1_000 == found.ids.tolist()
    assert slices("Our Kowalski in Berlin. ", once) * 1_000 == slices(text, found)
    assert 5_000 == int(found.words[-1]) + 1


def test_a_word_of_a_megabyte_is_a_few_pieces() -> None:
    """It is cut, and each part is one unknown piece: no work without bound."""
    assert 1_000_000 // CHUNK_CHARS + 1 == len(read("x" * 1_000_000))


def test_text_without_a_space_is_cut_at_a_mark() -> None:
    """Tables and other data have none: a name at the end of a chunk is whole all the same."""
    text = "Kowalski," * 2_000
    ends = [end for _, end in chunks(text)]

    assert len(text) > 2 * CHUNK_CHARS
    assert {","} == {text[end] for end in ends[:-1]}
    assert ["Kowal", "ski", ","] * 2_000 == slices(text, read(text))


def test_at_the_deadline_reading_ends_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read until then is whole; the rest is known to be missing."""
    ticks = iter([0.0, 0.0, 2.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    text = "on the at " * 2_000
    found = READER.read(text, deadline=1.0)

    ends = [end for _, end in chunks(text)]
    assert ends[1] == found.read_chars < len(text)
    assert len(text[: ends[1]].split()) == len(found)


def test_what_cannot_be_encoded_takes_its_place_all_the_same() -> None:
    """Half a surrogate pair is no UTF-8: it is left out, and what follows stands where it stands."""
    text = "a \ud83d Tomasz"

    assert ["a", "Tomasz"] == slices(text, read(text))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\uff34\uff4f\uff4d\uff0c", "Tom,"),
        ("\U0001d413\U0001d428\U0001d426", "Tom"),
        ("\u24c9\u24de\u24dc \U0001f163\U0001f17e", "Tom TO"),
        ("\u1d1b\u1d0f\u1d0d", "tom"),
        ("\uff76\u3000\ufe8e", "\u30ab \u0627"),
        ("\u2460Tom\u00b2, \ufb01 \u00bd \u0416\u4e2d\u00e9\u0142\U0001f389", None),
    ],
)
def test_styled_letters_are_plain_ones(text: str, plain: str | None) -> None:
    """One for one; letters of other alphabets are no style, nor is what would become several, nor a number of a list."""
    assert (plain or text) == unstyled(text)


def test_no_style_is_left_out() -> None:
    """Of all characters of which NFKC says that they are another one."""
    left = {
        character
        for character in map(chr, range(0x80, 0x110000))
        if unicodedata.category(character) != "No"
        and len(form := unicodedata.normalize("NFKC", character)) == 1
        and form not in (character, unstyled(character))
    }

    assert set() == left


@pytest.mark.parametrize(
    "text", ["Tomasz🎉", "🎉Tomasz", "❤\ufe0fTomasz❤\ufe0f", "👩\u200d👧Tomasz", "│Tomasz│", "→Tomasz→", "©Tomasz™",
        "Tomasz\ufffc", "Tomasz\u20e3", "Tomasz\uff5c", "Tomasz\u20b5", "Tomasz\u02d2", "Tomasz\u200d🎉", "Tomasz\u200b🎉",
        "Tomasz\ufe0f❤", "🎉\u200bTomasz", "Tomasz\u0301🎉", "①Tomasz⑩"]
)  # fmt: skip
def test_a_picture_that_touches_a_name_does_not_hide_it(text: str) -> None:
    """A vocabulary of words knows nothing of a word with one strange character in it."""
    assert "Tomasz" in {each.rstrip("\u0301\u200b\u200d\ufe0f") for each in slices(text, read(text))}


def test_no_symbol_hides_a_name() -> None:
    """Of all that Unicode has in common use. Signs that vocabularies have within words stay, and all of ASCII."""
    symbols = [
        character
        for character in map(chr, range(0x10000))
        if unicodedata.category(character) in {"Sm", "Sc", "Sk", "So", "Me"}
    ]

    kept = [each for each in symbols if "Tomasz " != legible(f"Tomasz{each}")]

    assert "$+<=>^`|~¢£¤¥¦¨¬°±\u00b4\u00d7÷\u2044₤₩€₱₹№\ufffd" == "".join(kept)


def test_control_characters_part_words() -> None:
    """All of them, in ASCII and beside other letters: words in fields and pages that they part are words."""
    controls = [each for each in map(chr, range(0x110000)) if unicodedata.category(each) == "Cc"]
    found = [
        slices(text, read(text)) for each in controls for text in (f"Berlin{each}Tomasz", f"Berlin{each}Tomasz \u00e9")
    ]

    assert 65 == len(controls)
    assert [["Berlin", "Tomasz"], ["Berlin", "Tomasz", "\u00e9"]] * 65 == found


@pytest.mark.parametrize("mark", ["\u0301", "\u200b", "\u0323\u0302", "\u200d"])
def test_what_the_tokenizer_drops_parts_no_word(mark: str) -> None:
    """A name that is written with marks of their own is one word, with one vote."""
    assert [0, 0] == read(f"Kowal{mark}ski").words.tolist()


def test_a_frame_that_leaves_no_room_is_refused(tmp_path: Path) -> None:
    """At the start, and not in each request."""
    tokenizer = Tokenizer.from_str(tokenizer_bytes().decode())
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join(["[CLS]"] * 12) + " $A", special_tokens=[("[CLS]", 2)]
    )

    with pytest.raises(
        ModelUnusable, match="it puts 12 pieces around a text, which leaves of a `window` of 16 no more"
    ):
        piece_reader(read_model(write(tmp_path, Model(tokenizer=tokenizer.to_str().encode()))))


def test_numbers_of_pieces_may_have_gaps() -> None:
    """What the model is tried with, and what a server takes, goes up to the highest."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "anna": 9}, unk_token="[UNK]"))

    assert 10 == PieceReader(tokenizer.to_str().encode()).vocabulary


def test_words_end_at_marks_even_if_the_tokenizer_splits_at_spaces_alone() -> None:
    """Or a name and the mark behind it would have one vote. Without spaces between words, each piece has its own."""
    tokenizer = Tokenizer(models.BPE({"▁": 0, **{each: number for number, each in enumerate("anb,中国-", 1)}}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    text = "anna,bab 中国"
    found = read(text, PieceReader(tokenizer.to_str().encode()))

    words: dict[int, tuple[int, int]] = {}
    for number, start, end in zip(found.words.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True):
        words[number] = (words.get(number, (start, end))[0], end)
    assert ["anna", ",", "bab", "中", "国"] == [each for each in (text[a:b].strip() for a, b in words.values()) if each]


@pytest.mark.parametrize(
    "pieces",
    [("दि", "ल्ली"), ("रा", "जेश"), ("மது", "ரை"), ("مُ", "حَمَّد"), ("שָׁ", "לוֹם"), ("Kowal", "ski"), ("Kowa\u0301", "lski")],
)
def test_signs_of_a_script_part_no_word(pieces: tuple[str, str]) -> None:
    """Vowel signs, points and accents stand within words, wherever a tokenizer cuts these."""
    first, rest = map(len, pieces)

    assert [1, 0] == starts_of_words("".join(pieces), [(0, first), (first, first + rest)], [0, 0]).tolist()


@pytest.mark.parametrize(
    ("text", "worth"), [("", False), ("😀🎉 12,50 --", False), ("a", True), ("12 é", True), ("中", True), ("_", False)]
)
def test_only_text_with_a_letter_is_worth_reading(text: str, worth: bool) -> None:
    """Empty text, only emoji and only numbers need no model."""
    assert worth == worth_reading(text)


@pytest.mark.parametrize(("text", "worth"), [("", False), ("😀 _ --", False), ("12", True), ("٣", True), ("é", True)])
def test_where_digits_count_they_are_worth_reading(text: str, worth: bool) -> None:
    """For models that look for numbers."""
    assert worth == worth_reading(text, digits=True)


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    """With the directory, the file, and what to do."""
    directory = write(tmp_path, Model(tokenizer=b'{"version": "9"}'))

    with pytest.raises(ModelUnusable, match=r"`tokenizer.json`: it is no tokenizer \(.+\): export it with the Hugging"):
        piece_reader(read_model(directory))
