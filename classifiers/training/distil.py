"""The student's loss when a teacher stands beside it: what is marked, and how sure the teacher is of everything."""

from __future__ import annotations

from typing import Any, Final

import torch

from classifiers.training.fit import TOPIC_WEIGHT, Loss, hard_loss, mixed
from classifiers.training.loss import distilled_token_loss, distilled_topic_loss

TEMPERATURE: Final = 2.0
# Of the loss, how much is the teacher's, and of the steps, in how many it is asked: an answer costs as much as two steps
# where products are in bfloat16, else three.
TAUGHT: Final = 0.6
ASKED: Final = 0.5


def distilled_loss(teacher: Any, *, device: str, asked: float = ASKED) -> Loss:
    """The loss of a step beside `teacher`, which sees the same pieces, hidden ones hidden for it too.

    It is asked in the share `asked` of the steps; which those are is drawn by lot, by torch's own generator, whose state the checkpoint keeps.
    """
    teacher = teacher.to(device).eval().requires_grad_(False)

    def loss(tensors: dict[str, Any], tokens: Any, topics: Any) -> Any:
        if float(torch.rand(())) >= asked:
            return hard_loss(tensors, tokens, topics)
        with torch.no_grad(), mixed(device):
            taught_tokens, taught_topics = teacher(tensors["ids"], tensors["mask"], tensors["cases"])
        soft = distilled_token_loss(tokens, taught_tokens, tensors["labels"], temperature=TEMPERATURE)
        soft = soft + TOPIC_WEIGHT * distilled_topic_loss(topics, taught_topics)
        return (1 - TAUGHT) * hard_loss(tensors, tokens, topics) + TAUGHT * soft

    return loss
