"""The model for a CPU: few, narrow layers that see their neighbours, two that see the whole text, and a vocabulary.

Chosen by measurement on one thread of a machine with AVX2 and without VNNI (`python -m classifiers.training speed`):
whole convolutions of width 3 as int8 matrix products were faster than depth-wise ones of the same cost in float32, and
one attention layer of two narrow heads cost a tenth. The second attention, and the narrow layer that reads together what
it found, came later: BENCHMARKS.md has what the model costs with and without them. Dilations (1, 2, 4, 1) see eight
pieces to either side.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from classifiers.model.case import CASES_AND_NAMES
from classifiers.training.encoder import Attention, TopicHead, attention_bias
from classifiers.training.rows import LABELS
from governance.frozen import frozen

_INITIAL_SCALE: Final = 0.7


@frozen
class StudentShape:
    """Of the student that is shipped. A layer has a dilation and an inner width; attention follows those in `attended`."""

    vocabulary: int = 30_522
    width: int = 192
    dilations: tuple[int, ...] = (1, 2, 4, 1)
    inner: tuple[int, ...] = (384, 384, 384, 128)
    attended: tuple[int, ...] = (1, 2)
    heads: int = 2
    per_head: int = 32
    dropout: float = 0.0


class _Neighbours(nn.Module):  # type: ignore[misc]
    """A piece, and the pieces `dilation` before and after it, through one inner layer."""

    def __init__(self, shape: StudentShape, dilation: int, inner: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.normal = nn.LayerNorm(shape.width)
        self.up = nn.Linear(3 * shape.width, inner)
        self.down = nn.Linear(inner, shape.width)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, pieces: Any, there: Any) -> Any:
        length, reach = pieces.shape[1], self.dilation
        # Beyond its ends and in its padding a text is zero: a batch changes nothing about any text in it.
        padded = functional.pad(self.normal(pieces) * there, (0, 0, reach, reach))
        around = [padded[:, at : at + length] for at in (0, reach, 2 * reach)]
        return pieces + self.dropout(self.down(functional.relu(self.up(torch.cat(around, -1)))))


class _WholeText(nn.Module):  # type: ignore[misc]
    """A piece, and what it finds in its text."""

    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.normal = nn.LayerNorm(shape.width)
        self.attention = Attention(shape.width, shape.heads, shape.per_head)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, pieces: Any, bias: Any) -> Any:
        return pieces + self.dropout(self.attention(self.normal(pieces), bias))


class Student(nn.Module):  # type: ignore[misc]
    """Takes and gives what the teacher takes and gives."""

    def __init__(self, shape: StudentShape) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        nn.init.normal_(self.words.weight, std=_INITIAL_SCALE)
        self.cases = nn.Embedding(CASES_AND_NAMES, shape.width)
        nn.init.normal_(self.cases.weight, std=0.1)
        self.dropout = nn.Dropout(shape.dropout)
        self.layers = nn.ModuleList(
            _Neighbours(shape, *each) for each in zip(shape.dilations, shape.inner, strict=True)
        )
        self.attended = nn.ModuleDict({str(at): _WholeText(shape) for at in shape.attended})
        self.normal = nn.LayerNorm(shape.width)
        self.tokens = nn.Linear(shape.width, len(LABELS))
        self.topics = TopicHead(shape.width, shape.dropout)

    def forward(self, input_ids: Any, attention_mask: Any, case: Any) -> tuple[Any, Any]:
        """float[texts, pieces, labels] and float[texts, topics], log-odds both; the arguments are int64[texts, pieces]."""
        pieces = self.dropout(self.words(input_ids) + self.cases(case))
        there = attention_mask.unsqueeze(-1).to(pieces.dtype)
        bias = attention_bias(attention_mask)
        for at, layer in enumerate(self.layers):
            pieces = layer(pieces, there)
            if at in self.shape.attended:
                pieces = self.attended[str(at)](pieces, bias)
        pieces = self.normal(pieces)
        return self.tokens(self.dropout(pieces)), self.topics(pieces, attention_mask)

    def learning_rates(self) -> list[tuple[float, list[Any]]]:
        """(factor, parameters): the vocabulary at half speed, since a rare piece must stay near its like."""
        own = {id(self.words.weight)}
        return [(0.5, [self.words.weight]), (1.0, [each for each in self.parameters() if id(each) not in own])]


def begin_from(student: Student, words: Any) -> None:
    """Gives `student` the principal components of `words`, the teacher's: float[vocabulary, at least its width].

    What means the same to the teacher stands together from the first step on. Components are those of least squares
    (Eckart and Young 1936); the sign of each is fixed, so that a run can be repeated.
    """
    centred = words - words.mean(0)
    _, directions = torch.linalg.eigh(centred.T.double() @ centred.double())
    chosen = directions[:, -student.shape.width :].flip(1).float()
    chosen = chosen * torch.sign(chosen[chosen.abs().argmax(0), torch.arange(chosen.shape[1])])
    components = centred @ chosen
    with torch.no_grad():
        student.words.weight.copy_(components * (_INITIAL_SCALE / components.pow(2).mean().sqrt()))
