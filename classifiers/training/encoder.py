"""The teacher: the base encoder with its published weights, told how words are capitalised, and two heads on it.

The encoder is that of BERT (Devlin et al. 2019, arXiv:1810.04805, section 3), six layers of width 384 for the base;
written here because nothing but this one forward pass is needed of the libraries that publish it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from classifiers.model.case import CASES_AND_NAMES
from classifiers.training.rows import LABELS, TOPICS
from governance.frozen import frozen

# Added to the scores of pieces that are padding.
_HIDDEN: Final = -1e4


@frozen
class EncoderShape:
    """As in the base's config.json."""

    vocabulary: int = 30_522
    width: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1_536
    positions: int = 512
    epsilon: float = 1e-12
    dropout: float = 0.1


class Attention(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Every piece looks at every piece of its text; what it finds has the width it came with."""

    def __init__(self, width: int, heads: int, per_head: int) -> None:
        super().__init__()
        self.heads, self.per_head = heads, per_head
        self.asked = nn.Linear(width, 3 * heads * per_head)
        self.answer = nn.Linear(heads * per_head, width)

    def forward(self, pieces: Any, bias: Any) -> Any:
        """`pieces`: float[texts, pieces, width]; `bias`: float[texts, 1, 1, pieces], added to the scores."""
        texts, length, _ = pieces.shape
        asked = self.asked(pieces).view(texts, length, 3, self.heads, self.per_head)
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        bias = bias.to(query.dtype)
        if torch.compiler.is_exporting() or not query.is_cuda:
            # Spelt out, so that every runtime has the operators; and torch's own takes twice as long backwards on a CPU.
            scores = query @ key.transpose(-1, -2) * self.per_head**-0.5 + bias
            found = torch.softmax(scores, -1) @ value
        else:
            found = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.answer(found.transpose(1, 2).reshape(texts, length, self.heads * self.per_head))


class _Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.attention = Attention(shape.width, shape.heads, shape.width // shape.heads)
        self.after_attention = nn.LayerNorm(shape.width, eps=shape.epsilon)
        self.up = nn.Linear(shape.width, shape.inner)
        self.down = nn.Linear(shape.inner, shape.width)
        self.after_inner = nn.LayerNorm(shape.width, eps=shape.epsilon)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, pieces: Any, bias: Any) -> Any:
        pieces = self.after_attention(pieces + self.dropout(self.attention(pieces, bias)))
        return self.after_inner(pieces + self.dropout(self.down(functional.gelu(self.up(pieces)))))


class Encoder(nn.Module):  # type: ignore[misc]
    """Pieces in their places, and what stands around them."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.places = nn.Embedding(shape.positions, shape.width)
        self.cases = nn.Embedding(CASES_AND_NAMES, shape.width)
        nn.init.zeros_(self.cases.weight)
        self.normal = nn.LayerNorm(shape.width, eps=shape.epsilon)
        self.dropout = nn.Dropout(shape.dropout)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))

    def forward(self, ids: Any, mask: Any, cases: Any) -> Any:
        """float[texts, pieces, width]; with the case embedding untrained, exactly what the base gives."""
        places = self.places(torch.arange(ids.shape[1], device=ids.device))
        pieces = self.dropout(self.normal(self.words(ids) + places + self.cases(cases)))
        bias = attention_bias(mask)
        for layer in self.layers:
            pieces = layer(pieces, bias)
        return pieces


class TopicHead(nn.Module):  # type: ignore[misc]
    """What a text is about, from the mean and the maximum over its pieces."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.topics = nn.Linear(width, len(TOPICS))

    def forward(self, pieces: Any, mask: Any) -> Any:
        """float[texts, topics]; `pieces`: float[texts, pieces, width], `mask`: int64[texts, pieces]."""
        there = mask.unsqueeze(-1).to(pieces.dtype)
        mean = (pieces * there).sum(1) / there.sum(1).clamp(min=1)
        highest = (pieces * there + (there - 1) * -_HIDDEN).amax(1)
        return self.topics(self.dropout(functional.relu(self.mix(torch.cat([mean, highest], -1)))))


class Teacher(nn.Module):  # type: ignore[misc]
    """The base encoder with a token head and a topic head."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.dropout = nn.Dropout(shape.dropout)
        self.tokens = nn.Linear(shape.width, len(LABELS))
        self.topics = TopicHead(shape.width, shape.dropout)

    def forward(self, input_ids: Any, attention_mask: Any, case: Any) -> tuple[Any, Any]:
        """float[texts, pieces, labels] and float[texts, topics], log-odds both; the arguments are int64[texts, pieces]."""
        pieces = self.encoder(input_ids, attention_mask, case)
        return self.tokens(self.dropout(pieces)), self.topics(pieces, attention_mask)

    def learning_rates(self) -> list[tuple[float, list[Any]]]:
        """(factor, parameters) of what is trained: heads five times as fast, the words not at all."""
        self.encoder.words.weight.requires_grad_(False)
        heads = [*self.tokens.parameters(), *self.topics.parameters(), self.encoder.cases.weight]
        own = {id(each) for each in heads}
        rest = [each for each in self.encoder.parameters() if each.requires_grad and id(each) not in own]
        return [(1.0, rest), (5.0, heads)]


def attention_bias(mask: Any) -> Any:
    """float[texts, 1, 1, pieces]: nothing for a piece, a very low score for padding."""
    return (mask[:, None, None, :].float() - 1) * -_HIDDEN


def shape_of(base: Path) -> EncoderShape:
    """As `base`/config.json states it; raises ValueError for an encoder of another family."""
    stated = json.loads((base / "config.json").read_text(encoding="utf-8"))
    if stated.get("model_type") != "bert" or stated.get("hidden_act") != "gelu":
        raise ValueError("the base is not a BERT encoder with gelu")
    return EncoderShape(
        vocabulary=stated["vocab_size"],
        width=stated["hidden_size"],
        layers=stated["num_hidden_layers"],
        heads=stated["num_attention_heads"],
        inner=stated["intermediate_size"],
        positions=stated["max_position_embeddings"],
        epsilon=stated["layer_norm_eps"],
    )


def load_teacher(base: Path) -> Teacher:
    """The teacher with the weights of `base`; its heads are untrained."""
    shape = shape_of(base)
    teacher = Teacher(shape)
    stored = base_weights(base)
    result = teacher.encoder.load_state_dict(_translated(stored, shape), strict=False)
    if set(result.missing_keys) != {"cases.weight"} or result.unexpected_keys:
        raise ValueError("the weights of the base are not those of its config.json")
    return teacher


def base_weights(base: Path) -> dict[str, Any]:
    """The tensors of `base`/model.safetensors by name.

    The format (huggingface/safetensors, README, "Format"): eight bytes of header length, a JSON header with type, shape
    and place of each tensor, then the numbers.
    """
    content = (base / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    weights = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        low, high = entry["data_offsets"]
        numbers = torch.frombuffer(bytearray(content[begin + low : begin + high]), dtype=torch.float32)
        weights[name] = numbers.reshape(entry["shape"])
    return weights


def _translated(stored: Mapping[str, Any], shape: EncoderShape) -> dict[str, Any]:
    # The second sentence is never used: the first one's embedding belongs to every place.
    ours = {
        "words.weight": stored["embeddings.word_embeddings.weight"],
        "places.weight": stored["embeddings.position_embeddings.weight"]
        + stored["embeddings.token_type_embeddings.weight"][0],
    }
    modules = {"normal": "embeddings.LayerNorm"}
    for at in range(shape.layers):
        own, theirs = f"layers.{at}", f"encoder.layer.{at}"
        modules |= {
            f"{own}.attention.answer": f"{theirs}.attention.output.dense",
            f"{own}.after_attention": f"{theirs}.attention.output.LayerNorm",
            f"{own}.up": f"{theirs}.intermediate.dense",
            f"{own}.down": f"{theirs}.output.dense",
            f"{own}.after_inner": f"{theirs}.output.LayerNorm",
        }
    for kind in ("weight", "bias"):
        ours |= {f"{own}.{kind}": stored[f"{theirs}.{kind}"] for own, theirs in modules.items()}
        for at in range(shape.layers):
            asked = [stored[f"encoder.layer.{at}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            ours[f"layers.{at}.attention.asked.{kind}"] = torch.cat(asked)
    return ours
