"""Temperatures: what was made too sure on purpose is brought back, and what is likeliest stays so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")

from classifiers.training.batches import batch_of  # noqa: E402
from classifiers.training.corpus import Corpus  # noqa: E402
from classifiers.training.fit import hard_loss, tensors_of  # noqa: E402
from classifiers.training.student import Student, StudentShape  # noqa: E402
from classifiers.training.temperature import tempered  # noqa: E402
from tests.training.pieces import corpus, several  # noqa: E402

SHAPE = StudentShape(vocabulary=40, width=64, inner=(64,) * 3 + (32,), dropout=0.0)


def _unclear(made: Corpus) -> Corpus:
    """`made` with a tenth of its marks drawn by lot, so that nobody can be sure of all of them."""
    chance = np.random.default_rng(0)
    labels = np.where((chance.random(len(made.labels)) < 0.1) & (made.labels >= 0), 1, made.labels)
    topics = np.where(chance.random(made.topics.shape) < 0.1, 1, made.topics)
    return replace(made, labels=labels.astype(np.int8), topics=topics.astype(np.int8))


def _learned(made: Corpus, windows: np.ndarray) -> Student:
    torch.manual_seed(0)
    model, tensors = Student(SHAPE), tensors_of(batch_of(made, windows), "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        hard_loss(tensors, *model(tensors["ids"], tensors["mask"], tensors["cases"])).backward()
        optimizer.step()
    return model


def _sharpened(model: Student, tokens: float, topics: float) -> Student:
    with torch.no_grad():
        for linear, factor in ((model.tokens, tokens), (model.topics.topics, topics)):
            linear.weight *= factor
            linear.bias *= factor
    return model


def test_a_head_that_is_too_sure_is_divided_and_says_the_same() -> None:
    """Five times the log-odds make five times the temperature; nothing else changes, nor does the model that was given."""
    made = _unclear(corpus(several(60)))
    windows = made.chosen("train")
    plain = _learned(made, windows)
    cooled, token_temperature, topic_temperatures = tempered(plain, made, windows)
    before = plain.tokens.weight.clone()
    _, hotter, hotter_topics = tempered(_sharpened(plain, 5.0, 5.0), made, windows)

    assert torch.equal(before * 5, plain.tokens.weight)
    assert hotter == pytest.approx(5 * token_temperature, rel=0.05)
    assert hotter_topics["health"] == pytest.approx(5 * topic_temperatures["health"], rel=0.05)
    tensors = tensors_of(batch_of(made, windows[:4]), "cpu")
    with torch.inference_mode():
        ours, about = plain.eval()(tensors["ids"], tensors["mask"], tensors["cases"])
        theirs, cooler = cooled(tensors["ids"], tensors["mask"], tensors["cases"])
    assert torch.equal(ours.argmax(-1), theirs.argmax(-1))
    assert np.allclose(ours / 5 / token_temperature, theirs, rtol=0.02, atol=0.01)
    assert torch.equal(about[:, 0] > 0, cooler[:, 0] > 0)


def test_without_examples_nothing_is_divided() -> None:
    """No window, or none that tells of a topic, leaves a temperature at 1."""
    made = corpus(several(4))
    _, tokens, topics = tempered(Student(SHAPE), made, np.zeros(0, np.int64))
    assert (1.0, {1.0}) == (tokens, set(topics.values()))
