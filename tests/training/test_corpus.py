"""Rows become arrays of pieces, with a label for each, and come back from disk as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.model.case import CASES
from classifiers.training.corpus import (
    IGNORED,
    UNKNOWN_TOPIC,
    Corpus,
    base_directory,
    digest_of,
    joined,
    labels_of,
    load,
    save,
    window_starts,
)
from classifiers.training.rows import LABELS, TOPICS
from tests.training.pieces import WORDS, corpus, row, several


def _labels(made: Corpus) -> list[str]:
    return ["-" if label == IGNORED else LABELS[label] for label in made.labels]


def test_every_piece_of_a_span_is_labelled_and_the_first_begins_it() -> None:
    """B stands at the first piece of a span alone, I at the others, whatever words they belong to."""
    made = corpus([row("Anna Meyer ba, since May", (0, 13, "PERSON"), (21, 24, "DATE_TIME"))])

    assert [WORDS[each] for each in made.ids] == "[CLS] anna meyer b ##a , since may [SEP]".split()
    assert _labels(made) == ["-", "B-PERSON", "I-PERSON", "I-PERSON", "I-PERSON", "O", "O", "B-DATE_TIME", "-"]


def test_neighbouring_spans_of_one_type_stay_two() -> None:
    """The second begins with B though nothing stands between them."""
    made = corpus([row("Anna Meyer", (0, 4, "PERSON"), (5, 10, "PERSON"))])

    assert _labels(made) == ["-", "B-PERSON", "B-PERSON", "-"]


def test_a_piece_that_touches_a_span_belongs_to_it() -> None:
    """A span that ends inside a piece takes the whole piece; one that no piece touches marks nothing."""
    marked = row("Annab , a", (0, 2, "PERSON"))

    assert [1, 0] == labels_of(marked, [(0, 5), (6, 7)])
    assert [0] == labels_of(marked, [(6, 7)])


def test_the_case_is_that_of_the_text_as_written() -> None:
    """Title, lower, upper, mixed, and none for marks and the pieces at both ends; and what is known of the word."""
    made = corpus([row("Anna meyer LIVES iN.")])

    assert [0, 2, 1, 3, 4, 0, 0] == (made.cases % CASES).tolist()
    assert [0, 2, 0, 0, 0, 0, 0] == (made.cases // CASES).tolist()


def test_a_long_text_is_cut_into_windows_that_overlap() -> None:
    """Each window has its own ends; topics that hold are kept by the first only, those that do not by all."""
    made = corpus([row("a b " * 30, topics={"health": True, "legal": False})], window=50)

    assert [50, 46] == made.lengths.tolist()
    health, legal, hr = (TOPICS.index(topic) for topic in ("health", "legal", "hr"))
    assert [1, UNKNOWN_TOPIC] == made.topics[:, health].tolist()
    assert [0, 0] == made.topics[:, legal].tolist()
    assert [UNKNOWN_TOPIC, UNKNOWN_TOPIC] == made.topics[:, hr].tolist()


@pytest.mark.parametrize(
    ("pieces", "starts"), [(0, []), (1, [0]), (10, [0]), (11, [0, 7]), (17, [0, 7]), (18, [0, 7, 14])]
)
def test_windows_cover_all_pieces(pieces: int, starts: list[int]) -> None:
    """Windows of 10 that share 3: none where there is nothing, no window that adds nothing."""
    assert starts == list(window_starts(pieces, 10, 3))


def test_a_text_without_a_piece_is_left_out() -> None:
    """White space is no text."""
    assert 1 == len(corpus([row("  \n"), row("Anna")]))


def test_clean_windows_are_those_in_which_nothing_is_marked() -> None:
    """A mark anywhere makes a window not clean."""
    assert [False, True] == corpus([row("ask Anna", (4, 8, "PERSON")), row("ask")]).clean.tolist()


def test_joined_corpora_keep_windows_and_names() -> None:
    """Sources and languages get the numbers of the whole."""
    one, two = corpus([row("Anna", group="one/1")]), corpus([row("in Paris", group="two/1", language="de")])
    both = joined([one, two, one])

    assert [3, 4, 3] == both.lengths.tolist()
    assert ["one", "two", "one"] == [both.source_names[each] for each in both.sources]
    assert ["en", "de", "en"] == [both.language_names[each] for each in both.languages]


def test_what_was_kept_is_read_back(tmp_path: Path) -> None:
    """All arrays, in their types, and the names."""
    made = corpus(several(3))
    save(made, tmp_path / "deep" / "x.npz")
    again = load(tmp_path / "deep" / "x.npz")

    for name in ("ids", "cases", "labels", "starts", "unmarked", "topics", "sources", "languages", "splits"):
        assert getattr(made, name).dtype == getattr(again, name).dtype
        assert np.array_equal(getattr(made, name), getattr(again, name))
    assert (made.source_names, made.language_names) == (again.source_names, again.language_names)
    assert [tmp_path / "deep" / "x.npz"] == list((tmp_path / "deep").iterdir())


def test_the_name_of_kept_arrays_changes_with_all_they_depend_on(tmp_path: Path) -> None:
    """The content of a file, a file more or in another place, a string: each makes another name, the same make the same."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a").write_text("1")
    names = [digest_of(folder, "x"), digest_of(folder, "y")]
    (folder / "a").write_text("2")
    names.append(digest_of(folder, "x"))
    (folder / "b").write_text("")
    names.append(digest_of(folder, "x"))
    (folder / "deep").mkdir()
    (folder / "b").rename(folder / "deep" / "b")
    names.append(digest_of(folder, "x"))

    assert len(names) == len(set(names))
    assert digest_of(folder, "x") == digest_of(folder, "x")


def test_a_base_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json in"):
        base_directory(tmp_path)
