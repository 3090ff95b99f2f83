"""The student's loss when a teacher stands beside it: what is marked, and how sure the teacher is of everything."""

from __future__ import annotations

from typing import Any, Final

import torch

from classifiers.training.fit import TOPIC_WEIGHT, Loss, hard_loss, mixed
from classifiers.training.loss import distilled_token_loss, distilled_topic_loss

TEMPERATURE: Final = 2.0
# Of the loss, how much is the teacher's.
TAUGHT: Final = 0.7


def distilled_loss(teacher: Any, *, device: str) -> Loss:
    """The loss of a step beside `teacher`, which sees the same pieces, hidden and altered ones as well."""
    teacher = teacher.to(device).eval().requires_grad_(False)

    def loss(tensors: dict[str, Any], tokens: Any, topics: Any) -> Any:
        with torch.no_grad(), mixed(device):
            taught_tokens, taught_topics = teacher(tensors["ids"], tensors["mask"], tensors["cases"])
        soft = distilled_token_loss(tokens, taught_tokens, tensors["labels"], temperature=TEMPERATURE)
        soft = soft + TOPIC_WEIGHT * distilled_topic_loss(topics, taught_topics)
        return (1 - TAUGHT) * hard_loss(tensors, tokens, topics) + TAUGHT * soft

    return loss
