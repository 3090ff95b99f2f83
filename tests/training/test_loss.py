"""The losses: what a label, its absence and a teacher each ask for."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")

from classifiers.training.loss import (  # noqa: E402
    allowed_labels,
    distilled_token_loss,
    distilled_topic_loss,
    token_loss,
    topic_loss,
)
from classifiers.training.rows import LABELS, TOPICS, TYPES  # noqa: E402

DATE = TYPES.index("DATE_TIME")


def _logits(**high: float):
    logits = torch.zeros(1, 1, len(LABELS))
    for label, value in high.items():
        logits[0, 0, LABELS.index(label.replace("_", "-", 1))] = value
    return logits


def _loss(logits, label: str, unmarked: int = 0) -> float:
    labels = torch.tensor([[LABELS.index(label)]])
    return float(token_loss(logits, labels, torch.tensor([unmarked])))


def test_a_marked_piece_has_its_label_alone() -> None:
    """The loss is -log of that label's chance, whatever else the text does not mark."""
    logits = _logits(B_PERSON=3.0)
    chance = math.exp(3) / (math.exp(3) + len(LABELS) - 1)

    assert -math.log(chance) == pytest.approx(_loss(logits, "B-PERSON"))
    assert -math.log(chance) == pytest.approx(_loss(logits, "B-PERSON", unmarked=1 << DATE))


def test_where_a_type_is_not_marked_its_labels_are_as_good_as_none() -> None:
    """A piece without a mark may be O or that type: chances add up, and no other type gains."""
    logits = _logits(B_DATE_TIME=3.0)
    whole = math.exp(3) + len(LABELS) - 1

    assert -math.log(1 / whole) == pytest.approx(_loss(logits, "O"))
    assert -math.log((math.exp(3) + 2) / whole) == pytest.approx(_loss(logits, "O", unmarked=1 << DATE))
    assert -math.log(3 / whole) == pytest.approx(_loss(logits, "O", unmarked=1))


def test_allowed_labels_are_o_and_both_of_each_open_type() -> None:
    """For a piece that is not marked; the last type's labels are the last two."""
    allowed = allowed_labels(torch.tensor([0, 3]), torch.tensor([1 << (len(TYPES) - 1), 1]))

    assert [LABELS[0], *LABELS[-2:]] == [label for label, each in zip(LABELS, allowed[0], strict=True) if each]
    assert [LABELS[3]] == [label for label, each in zip(LABELS, allowed[1], strict=True) if each]


def test_pieces_without_a_label_count_for_nothing() -> None:
    """The mean is over the labelled ones; with none there is no loss, and a gradient of zero."""
    logits = torch.randn(1, 3, len(LABELS), requires_grad=True)
    one = token_loss(logits[:, 1:2], torch.tensor([[5]]), torch.tensor([0]))
    among = token_loss(logits, torch.tensor([[-1, 5, -1]]), torch.tensor([0]))
    none = token_loss(logits, torch.tensor([[-1, -1, -1]]), torch.tensor([0]))

    assert float(one.detach()) == pytest.approx(float(among.detach()))
    assert 0.0 == float(none.detach())
    none.backward()
    assert not logits.grad.any()


def test_topics_count_where_they_are_known() -> None:
    """The unknown ones have no gradient; with none known there is no loss."""
    logits = torch.zeros(2, len(TOPICS), requires_grad=True)
    topics = torch.full((2, len(TOPICS)), -1.0)
    assert 0.0 == float(topic_loss(logits, topics).detach())
    topics[0, 0], topics[1, 2] = 1.0, 0.0
    loss = topic_loss(logits, topics)
    loss.backward()

    assert math.log(2) == pytest.approx(float(loss.detach()))
    assert [(0, 0), (1, 2)] == [tuple(place) for place in logits.grad.nonzero().tolist()]


def test_a_student_that_says_what_its_teacher_says_has_no_loss() -> None:
    """Of tokens, at every temperature; one that says another thing has, and padding does not matter."""
    taught = torch.randn(1, 2, len(LABELS))
    labels = torch.tensor([[3, -1]])
    student = taught.clone()
    student[0, 1] += 7 * torch.randn(len(LABELS))

    assert 0.0 == pytest.approx(float(distilled_token_loss(student, taught, labels, temperature=2)), abs=1e-6)
    assert float(distilled_token_loss(-taught, taught, labels, temperature=2)) > 0.1


def test_a_teacher_is_followed_in_topics_that_nobody_marked() -> None:
    """The loss is least where the chances are the teacher's."""
    taught = torch.tensor([[0.5, -1.0]])
    least = float(distilled_topic_loss(taught, taught))

    assert least < float(distilled_topic_loss(taught + 0.5, taught))
    assert least < float(distilled_topic_loss(taught - 0.5, taught))
