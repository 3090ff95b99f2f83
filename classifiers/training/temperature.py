"""How sure a model may say it is: its log-odds divided by what makes its chances truest on the dev split.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599), folded into the weights of the heads, so that whoever runs the
model knows nothing of it. What is likeliest stays likeliest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import torch
from numpy.typing import NDArray

from classifiers.training.batches import batch_of, batched_by_length
from classifiers.training.corpus import Corpus
from classifiers.training.fit import tensors_of
from classifiers.training.loss import token_loss, topic_loss
from classifiers.training.rows import TOPICS

_STEPS: Final = 40
# A pull towards 1, felt only where few examples would have a head be sure beyond measure.
_PULL: Final = 1e-5
_PIECES: Final = 8_192


def tempered(model: Any, corpus: Corpus, windows: NDArray[Any]) -> tuple[Any, float, dict[str, float]]:
    """A copy of `model` with its heads divided, the temperature of the token head, and that of each topic.

    Above 1 the model was too sure. A head that nothing in `windows` tells anything about keeps 1.
    """
    if not len(windows):
        return copy.deepcopy(model), 1.0, dict.fromkeys(TOPICS, 1.0)
    tokens, topics, labels, unmarked, known = _answers(model, corpus, windows)
    sharpness = _fitted(1, lambda each: token_loss(tokens * each, labels, unmarked))
    slopes = _fitted(len(TOPICS), lambda each: topic_loss(topics * each, known))
    cooled = copy.deepcopy(model).eval()
    with torch.no_grad():
        for linear, factor in ((cooled.tokens, sharpness), (cooled.topics.topics, slopes)):
            linear.weight *= factor.unsqueeze(-1)
            linear.bias *= factor
    divisors = {topic: round(1 / float(each), 3) for topic, each in zip(TOPICS, slopes, strict=True)}
    return cooled, round(1 / float(sharpness), 3), divisors


def _fitted(count: int, loss: Callable[[Any], Any]) -> Any:
    """The factors that bring `loss` down as far as it goes; its logarithms are searched, so that each stays above 0."""
    logarithms = torch.zeros(count, requires_grad=True)
    search = torch.optim.LBFGS([logarithms], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def step() -> Any:
        search.zero_grad()
        value = loss(logarithms.exp()) + _PULL * logarithms.square().sum()
        value.backward()
        return value

    search.step(step)
    return logarithms.detach().exp()


def _answers(model: Any, corpus: Corpus, windows: NDArray[Any]) -> tuple[Any, Any, Any, Any, Any]:
    """Log-odds of all pieces that have a label, [pieces, 1, labels], and of texts, [texts, topics]; what is known of both."""
    tokens, topics, labels, unmarked, known = [], [], [], [], []
    model = model.to("cpu").float().eval()
    lengths = corpus.lengths[windows]
    for group in batched_by_length(windows, lengths, _PIECES):
        tensors = tensors_of(batch_of(corpus, group), "cpu")
        with torch.inference_mode():
            ours, about = model(tensors["ids"], tensors["mask"], tensors["cases"])
        there = tensors["labels"] >= 0
        tokens.append(ours[there].unsqueeze(1))
        labels.append(tensors["labels"][there].unsqueeze(1))
        unmarked.append(tensors["unmarked"].unsqueeze(1).expand_as(tensors["labels"])[there])
        topics.append(about)
        known.append(tensors["topics"])
    return (
        torch.cat(tokens).clone(),
        torch.cat(topics).clone(),
        torch.cat(labels),
        torch.cat(unmarked),
        torch.cat(known),
    )
