"""Batches are drawn by shares, half of them clean, and are the same for the same seed and number."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.model.case import CASES
from classifiers.training import batches
from classifiers.training.batches import Batch, Mixture, batch_of, batched_by_length, case_tables
from classifiers.training.corpus import IGNORED, Corpus, joined
from tests.training.pieces import WORDS, corpus, row, several, tokenizer


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a size that a test can look at."""
    monkeypatch.setattr(batches, "CHUNK_TEXTS", 64)
    monkeypatch.setattr(batches, "SHARES", {"one": (3, 1), "two": (1, 1)})


def _mixture(made: Corpus, seed: int = 0, pieces: int = 256) -> Mixture:
    return Mixture(made, case_tables(tokenizer()), seed=seed, pieces=pieces)


def _windows(chunk: tuple[Batch, ...]) -> list[int]:
    return [int(each) for batch in chunk for each in batch.windows]


def test_a_batch_is_padded_to_a_multiple_of_eight() -> None:
    """Padding has no label, no case, and is masked."""
    made = corpus([row("Anna"), row("ask Anna about a b a b", (4, 8, "PERSON"))])
    batch = batch_of(made, np.array([0, 1]))

    assert (2, 16) == batch.ids.shape
    assert [3, 9] == batch.mask.sum(1).tolist()
    assert not batch.ids[batch.mask == 0].any()
    assert {IGNORED} == set(batch.labels[batch.mask == 0].tolist())
    assert WORDS.index("anna") == batch.ids[1, 2]
    assert 1 == batch.labels[1, 2]


def test_groups_hold_each_window_once_and_no_more_than_their_size() -> None:
    """Only a window that is longer than the size alone exceeds it."""
    lengths = np.array([3, 90, 17, 8, 8, 25, 64, 1])
    groups = batched_by_length(np.arange(8), lengths, 64)

    assert list(range(8)) == sorted(int(each) for group in groups for each in group)
    for group in groups:
        padded = -(-int(lengths[group].max()) // 8) * 8 * len(group)
        assert padded <= 64 or len(group) == 1


def test_the_same_seed_and_number_give_the_same_batches() -> None:
    """Whatever was drawn before; another number or seed gives others."""
    made = corpus(several(60))
    first, again = _mixture(made).chunk(3), _mixture(made).chunk(3)

    assert [each.ids.tolist() for each in first] == [each.ids.tolist() for each in again]
    assert [each.cases.tolist() for each in first] == [each.cases.tolist() for each in again]
    assert _windows(first) != _windows(_mixture(made).chunk(4))
    assert _windows(first) != _windows(_mixture(made, seed=1).chunk(3))


def test_what_names_are_known_is_told_of_whole_words_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some texts always, of some never, of the others for a share of the words; how they are capitalised stays."""
    made = corpus([row("Anna lives in Berlin ann", group=f"one/{at}") for at in range(200)])
    monkeypatch.setattr(batches, "LOWERED", 0)
    monkeypatch.setattr(batches, "RAISED", 0)
    told = [
        tuple((cases // CASES)[:7].tolist()) for batch in _mixture(made, pieces=64).chunk(0) for cases in batch.cases
    ]

    assert {(0, known, 0, 0, place, 0, 0) for known in (0, 2) for place in (0, 1)} == set(told)
    assert told.count((0, 0, 0, 0, 0, 0, 0)) > told.count((0, 0, 0, 0, 1, 0, 0)) > 0
    for batch in _mixture(made, pieces=64).chunk(0):
        assert (batch.cases % CASES == batch_of(made, batch.windows).cases % CASES).all()


def test_only_training_windows_are_drawn_and_half_of_them_are_clean() -> None:
    """Of 64, 32 are clean, though two thirds of the corpus are."""
    made = corpus([*several(60), *(row("ask", group=f"two/x{at}") for at in range(60))])
    drawn = np.array(_windows(_mixture(made).chunk(0)))

    assert {0} == set(made.splits[drawn].tolist())
    assert 32 == int(made.clean[drawn].sum())


def test_shares_decide_between_sources() -> None:
    """Marked windows of the first set are drawn three times as often as those of the second."""
    made = corpus([row("Anna", (0, 4, "PERSON"), group=f"{name}/{at}") for name in ("one", "two") for at in range(40)])
    sources = made.sources[_windows(_mixture(made).chunk(0))]

    assert [24, 8] == np.bincount(sources).tolist()


def test_a_language_of_a_source_can_have_a_share_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other languages share what the source has."""
    monkeypatch.setattr(batches, "SHARES", {"one/en": (3, 0), "one": (1, 0)})
    languages = ("en", "de", "da")
    made = corpus(
        [
            row("Anna", (0, 4, "PERSON"), group=f"one/{language}{at}", language=language)
            for language in languages
            for at in range(40)
        ]
    )
    drawn = made.languages[_windows(_mixture(made).chunk(0))]

    assert 24 == int((drawn == made.language_names.index("en")).sum())


def test_a_source_is_gone_through_before_a_window_comes_again() -> None:
    """In as many chunks as it takes, each training window of a pool comes once."""
    made = corpus([row("Anna", (0, 4, "PERSON"), group=f"one/{at}") for at in range(120)])
    train = len(made.chosen("train"))
    mixture = _mixture(made)
    drawn = [each for number in range(3) for each in _windows(mixture.chunk(number))]

    assert train <= 96
    assert train == len(set(drawn[:train] + drawn[train:]))
    assert max(np.bincount(drawn)) == 2


def test_texts_lose_their_capitals_or_are_written_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the whole text: letters become lower, or upper with a single one as a title; marks have no case in either."""
    made = corpus([row("Anna b, LIVES.", group=f"one/{at}") for at in range(200)])
    monkeypatch.setattr(batches, "HIDDEN", 0.0)
    monkeypatch.setattr(batches, "LOWERED", 0.5)
    monkeypatch.setattr(batches, "RAISED", 0.25)
    seen = {tuple(text[:8]) for batch in _mixture(made).chunk(0) for text in (batch.cases % CASES).tolist()}

    assert {(0, 2, 1, 0, 3, 0, 0, 0), (0, 1, 1, 0, 1, 0, 0, 0), (0, 3, 2, 0, 3, 0, 0, 0)} == seen


def test_hidden_pieces_keep_their_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name is must be seen by what stands around it; the ends and the padding are never hidden."""
    made = corpus([row("Anna lives", (0, 4, "PERSON"), group=f"one/{at}") for at in range(60)])
    monkeypatch.setattr(batches, "HIDDEN", 1.0)
    batch = _mixture(made).chunk(0)[0]

    assert [2, 1, 1, 3, 0, 0, 0, 0] == batch.ids[0].tolist()
    assert [-1, 1, 0, -1, -1, -1, -1, -1] == batch.labels[0].tolist()


def test_sources_of_several_corpora_are_drawn_together() -> None:
    """Numbers of windows are those of the joined corpus."""
    made = joined([corpus(several(40)), corpus([row("ask", group=f"three/{at}") for at in range(40)])])
    drawn = _windows(_mixture(made).chunk(0))

    assert {"one", "two", "three"} == {made.source_names[each] for each in made.sources[drawn]}
