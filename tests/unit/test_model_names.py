"""Names that a model is told of: what is looked up, what of it reaches the model, and what is refused."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.model.case import CASES, CASES_AND_NAMES, Case
from classifiers.model.manifest import ModelUnusable, read_model
from classifiers.model.names import KnownNames, folded
from classifiers.model.pieces import PieceReader, piece_reader
from tests.model_directories import Model, tokenizer_bytes, write

NAMES = KnownNames(
    b"1 berlin\n2 anna\n6 kowalski\n1 veliko tarnovo\n1 aix en provence\n1 port\n4 o brien\n1 munchen\n3 paris\n"
    b"8 johnson johnson\n"
)
PLACE, GIVEN, BOTH = 1, 2, 6


def known(text: str, names: KnownNames = NAMES) -> dict[str, int]:
    """The words of `text` that are known, with what they are known as."""
    words = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
    numbers = names.known(text, [start for start, _ in words], [end for _, end in words]).tolist()
    return {text[start:end]: number for (start, end), number in zip(words, numbers, strict=True) if number}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna lives in Berlin.", {"Anna": GIVEN, "Berlin": PLACE}),
        ("ANNA KOWALSKI", {"ANNA": GIVEN, "KOWALSKI": BOTH}),
        ("anna", {"anna": GIVEN}),
        ("Aix-en-Provence", {"Aix": PLACE, "-": PLACE, "en": PLACE, "Provence": PLACE}),
        ("Ms O'Brien", {"O": 4, "'": 4, "Brien": 4}),
        ("at Johnson & Johnson", {"Johnson": 8, "&": 8}),
        ("Port Veliko", {"Port": PLACE}),
        ("in München und Paris", {"München": PLACE, "Paris": PLACE | GIVEN}),
        ("the annals of berliners", {}),
        ("", {}),
    ],
)
def test_words_are_known_in_any_case_and_names_of_several_words_whole(text: str, expected: dict[str, int]) -> None:
    """Joints between their words left out; a beginning alone is no name."""
    assert expected == known(text)


def test_the_end_of_a_name_is_none_by_itself() -> None:
    """`Tarnovo` is not listed."""
    text = "from Veliko Tarnovo to Tarnovo"
    words = [match.span() for match in re.finditer(r"\w+", text)]

    assert [0, 1, 1, 0, 0] == NAMES.known(text, [start for start, _ in words], [end for _, end in words]).tolist()


@given(st.lists(st.sampled_from(["Anna", "berlin", "VELIKO", "tarnovo", "-", "x", "o", "Brien", "."]), max_size=12))
def test_a_letter_with_an_accent_elsewhere_changes_nothing(words: list[str]) -> None:
    """Plain text is folded in one go, other text word by word."""
    text = " ".join(words)
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    starts, ends = [start for start, _ in spans], [end for _, end in spans]

    assert np.array_equal(NAMES.known(text, starts, ends), NAMES.known(f"{text} é", starts, ends))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("São Paulo", "sao paulo"),
        ("Aix-en-Provence", "aix en provence"),
        ("O'Brien", "o brien"),
        ("AT&T", "at t"),
        ("Al", ""),
        ("a b c d e", ""),
        ("x/y z", ""),
    ],
)
def test_names_are_kept_as_they_are_looked_up(name: str, expected: str) -> None:
    """Nothing of what says nothing."""
    assert expected == folded(name)


@pytest.mark.parametrize(
    "content", [b"16 anna\n", b"0 anna\n", b"anna\n", b"1 \n", b"x anna\n", b"1 anna\n\n", b"1 \xff\n"]
)
def test_what_is_no_list_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    """With the directory and the file, and what to do."""
    files = read_model(write(tmp_path / "model", Model(names=content)))

    with pytest.raises(ModelUnusable, match=r"`names.txt`: .*: get the files of one version again"):
        piece_reader(files)


def test_a_changed_list_is_refused(tmp_path: Path) -> None:
    """The model was trained with another."""
    directory = write(tmp_path / "model", Model(names=b"2 anna\n"))
    (directory / "names.txt").write_bytes(b"2 anne\n")

    with pytest.raises(ModelUnusable, match=r"`names.txt`: its SHA-256 is"):
        read_model(directory)


@pytest.mark.parametrize("text", ["Anna Kowalski, a high Street", "Änna Anna Kowalski, a high Street"])
def test_all_pieces_of_a_word_are_told_beside_their_case(text: str) -> None:
    """A model without names is told of the case alone."""
    reader, plain = PieceReader(tokenizer_bytes(), NAMES), PieceReader(tokenizer_bytes())
    told, silent = (each.read(text, deadline=time.monotonic() + 60) for each in (reader, plain))
    by_word = {
        text[start:end]: divmod(number, CASES)
        for start, end, number in zip(told.starts.tolist(), told.ends.tolist(), told.case.tolist(), strict=True)
    }

    assert (GIVEN, Case.TITLE) == by_word["Anna"]
    assert (BOTH, Case.TITLE) == by_word["Kowal"]
    assert (BOTH, Case.LOWER) == by_word["ski"]
    assert (0, Case.LOWER) == by_word["high"]
    assert (told.case % CASES == silent.case).all()
    assert (CASES_AND_NAMES, CASES) == (reader.cases, plain.cases)


def test_a_model_is_told_of_the_kinds_of_its_own_list() -> None:
    """One that was made before there were more of them has no rows for these."""
    assert (4, 8) == (KnownNames(b"2 anna\n").kinds, KnownNames(b"3 anna\n4 kowalski\n").kinds)
