"""What training brings down: for each piece the chance of the labels it may have, for each text that of its topics."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch.nn import functional

from classifiers.training.rows import LABELS, TYPES

# Of log-odds that no softmax gives a share; -inf would leave NaN in the gradient.
_NEVER: Final = -1e4


def allowed_labels(labels: Any, unmarked: Any) -> Any:
    """bool[pieces, labels]: which labels a piece may have.

    `labels`: int64[pieces], of LABELS; `unmarked`: int64[pieces], a bit per type. A marked piece has its label alone. One
    that is not marked is O or any type that its text does not mark.
    """
    kind_of = torch.tensor([0, *(1 << at for at in range(len(TYPES)) for _ in "BI")], device=labels.device)
    only = functional.one_hot(labels, len(LABELS)).bool()
    open_types = (unmarked.unsqueeze(1) & kind_of) != 0
    return only | (open_types & (labels == 0).unsqueeze(1))


def token_loss(logits: Any, labels: Any, unmarked: Any) -> Any:
    """The mean over all labelled pieces of -log of the chance that the model gives the labels allowed there.

    `logits`: float[texts, pieces, labels]; `labels`: int64[texts, pieces], negative where there is none; `unmarked`:
    int64[texts], a bit per type. Zero where no piece has a label.
    """
    there = labels >= 0
    picked = logits[there].float()
    if not len(picked):
        return logits.sum() * 0
    allowed = allowed_labels(labels[there], unmarked.unsqueeze(1).expand_as(labels)[there])
    chances = functional.log_softmax(picked, -1)
    return -torch.logsumexp(chances.masked_fill(~allowed, _NEVER), -1).mean()


def topic_loss(logits: Any, topics: Any) -> Any:
    """The mean over all known topics of the binary cross-entropy; zero where none is known.

    `logits`: float[texts, topics]; `topics`: float[texts, topics], 1, 0, or negative where unknown.
    """
    known = topics >= 0
    if not known.any():
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits.float()[known], topics[known])


def distilled_token_loss(logits: Any, taught: Any, labels: Any, *, temperature: float) -> Any:
    """The mean over all labelled pieces of the divergence of the student's chances from the teacher's, in its units."""
    there = labels >= 0
    student = functional.log_softmax(logits[there].float() / temperature, -1)
    teacher = functional.log_softmax(taught[there].float() / temperature, -1)
    divergence = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def distilled_topic_loss(logits: Any, taught: Any) -> Any:
    """The mean over all topics, known or not, of the binary cross-entropy against the teacher's chances."""
    return functional.binary_cross_entropy_with_logits(logits.float(), torch.sigmoid(taught.float()))
