"""Altered texts say other things, and nothing of them is marked; those that were not chosen are as they were."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")

from classifiers.model.case import CASES  # noqa: E402
from classifiers.training import altered as subject  # noqa: E402
from classifiers.training.altered import altered, alterer, likeness  # noqa: E402
from classifiers.training.batches import Batch, Mixture, batch_of, case_tables  # noqa: E402
from classifiers.training.corpus import IGNORED  # noqa: E402
from classifiers.training.distil import distilled_loss  # noqa: E402
from classifiers.training.fit import hard_loss, tensors_of  # noqa: E402
from classifiers.training.rows import TOPICS, TYPES  # noqa: E402
from classifiers.training.scoring import continuations  # noqa: E402
from tests.training.pieces import WORDS, corpus, row, several, tokenizer  # noqa: E402

_TEXTS = ("Anna lives in Paris", "ask Anna about the kitchen", "the kitchen is cold since May", "Meyer is in Paris")


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of like meaning are three pieces, as the vocabulary has few."""
    monkeypatch.setattr(subject, "LIKE", 3)


def _vectors() -> torch.Tensor:
    return torch.randn(len(WORDS), 8, generator=torch.Generator().manual_seed(0))


def _batch() -> Batch:
    rows = [row(text, (0, 3, "PERSON"), topics={TOPICS[0]: True}) for text in _TEXTS]
    return batch_of(corpus(rows), np.arange(len(rows)))


def _altered(batch: Batch, *chosen: bool, seed: int = 0) -> Batch:
    like, goes_on = likeness(tokenizer(), _vectors()), continuations(tokenizer())
    return altered(batch, np.array(chosen), np.random.default_rng(seed), like=like, continues=goes_on)


def test_words_are_like_the_nearest_words() -> None:
    """Never themselves; what is no word, or one of too few, is like itself alone."""
    vectors = _vectors()
    vectors[WORDS.index("paris")] = vectors[WORDS.index("meyer")] * 3
    like = likeness(tokenizer(), vectors)

    assert WORDS.index("meyer") == like[WORDS.index("paris"), 0]
    for at, name in enumerate(WORDS):
        names = [WORDS[each] for each in like[at]]
        if name.isalpha():
            assert all(each.isalpha() and each != name for each in names)
        else:
            assert [name] * 3 == names


def test_of_an_altered_text_nothing_is_marked_or_known() -> None:
    """Its special pieces and its padding stay without a label, and what is replaced is no known name."""
    batch = _batch()
    made = [_altered(batch, True, True, True, True, seed=seed) for seed in range(30)]

    for each in made:
        assert {0, IGNORED} == set(each.labels.ravel().tolist())
        assert ((each.mask == 0) <= (each.labels == IGNORED)).all()
        assert (each.topics == -1).all()
        assert {(1 << len(TYPES)) - 1} == set(each.unmarked.tolist())
        assert (each.ids[:, 0] == WORDS.index("[CLS]")).all()
        assert ((each.ids == WORDS.index("[SEP]")).sum(1) == 1).all()
    others = [each for each in made if (each.mask == batch.mask).all()]
    changed = np.concatenate([(each.ids != batch.ids).ravel() for each in others])
    cases = np.concatenate([each.cases.ravel() for each in others])
    assert 0.1 < changed[np.tile(batch.labels.ravel() != IGNORED, len(others))].mean() < 0.6
    assert (batch.cases >= CASES).any()
    assert (cases[changed] < CASES).all()


def test_a_text_that_is_not_chosen_stays() -> None:
    """With its marks, beside others that change."""
    batch = _batch()
    made = _altered(batch, False, True, False, True)

    for name in ("ids", "mask", "cases", "labels", "unmarked", "topics"):
        was, now = getattr(batch, name), getattr(made, name)
        assert was[[0, 2]].tolist() == now[[0, 2]].tolist()
    assert batch.ids[[1, 3]].tolist() != made.ids[[1, 3]].tolist()


def test_ends_are_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one place on, so that a text is as long as the one whose end it has."""
    monkeypatch.setattr(subject, "_ENDS", 1)
    monkeypatch.setattr(subject, "_REPLACED", 0)
    batch = _batch()
    made = _altered(batch, True, True, True, True)

    assert batch.ids.tolist() != made.ids.tolist()
    for was, now in zip(batch.ids.tolist(), made.ids.tolist(), strict=True):
        at = next((at for at, (a, b) in enumerate(zip(was, now, strict=True)) if a != b), len(was))
        assert at > 0
        assert any(now[at:] == other[at:] for other in batch.ids.tolist())


def test_an_altered_text_says_nothing_without_a_teacher() -> None:
    """Its marks cost nothing, whatever a student answers; only the teacher's answers do."""
    tensors = tensors_of(_altered(_batch(), True, True, True, True), "cpu")
    tokens = torch.randn(*tensors["ids"].shape, 2 * len(TYPES) + 1)
    topics = torch.randn(len(_TEXTS), len(TOPICS))
    loss = distilled_loss(_Silent(), device="cpu")

    assert 0 == pytest.approx(float(hard_loss(tensors, tokens, topics)), abs=1e-5)
    assert float(loss(tensors, tokens, topics)) > 0.1


def test_a_mixture_alters_by_source_and_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source with the share 0 is as it was written; the other is all new."""
    monkeypatch.setattr("classifiers.training.batches.ALTERED", {"one": 1.0, "two": 0.0})
    monkeypatch.setattr("classifiers.training.batches.CHUNK_TEXTS", 64)
    made = corpus(several(60))
    alter = alterer(tokenizer(), _vectors())
    first, again = (Mixture(made, case_tables(tokenizer()), seed=0, pieces=256, alter=alter).chunk(1) for _ in "12")

    assert [each.ids.tolist() for each in first] == [each.ids.tolist() for each in again]
    for batch in first:
        of_one = made.sources[batch.windows] == made.source_names.index("one")
        unmarked = batch.unmarked == (1 << len(TYPES)) - 1
        assert of_one.tolist() == unmarked.tolist()


class _Silent(torch.nn.Module):  # type: ignore[misc]
    """A teacher that finds nothing anywhere."""

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, cases: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = torch.zeros(*ids.shape, 2 * len(TYPES) + 1)
        tokens[..., 0] = 6
        return tokens, torch.full((len(ids), len(TOPICS)), -6.0)
