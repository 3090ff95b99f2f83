"""Texts that nobody wrote: words give way to words of like meaning or to any, ends of texts to the ends of others.

A set of few thousand texts is soon known by heart, by a teacher as by its student, and what is marked in it then says
nothing of texts that are new. Nobody marked an altered text: there a student learns what its teacher makes of it (Jiao et
al. 2020, "TinyBERT", arXiv:1909.10351, which replaces words for the same end).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional

from classifiers.model.case import CASES
from classifiers.training.batches import Alter, Batch
from classifiers.training.corpus import IGNORED
from classifiers.training.rows import TYPES
from classifiers.training.scoring import continuations

LIKE: Final = 12
# Of the words of a text, how many are replaced at most, and of these, how many by any word; how often an end is.
_REPLACED, _BY_ANY, _ENDS = 0.6, 0.25, 0.3
_EVERY_TYPE: Final = (1 << len(TYPES)) - 1
_BLOCK: Final = 2_048


def alterer(tokenizer: Tokenizer, vectors: Any) -> Alter:
    """`altered` with the vocabulary of `tokenizer`; `vectors`: float[vocabulary, width], whose directions tell what is alike."""
    return partial(altered, like=likeness(tokenizer, vectors), continues=continuations(tokenizer))


def likeness(tokenizer: Tokenizer, vectors: Any) -> NDArray[np.int64]:
    """int64[vocabulary, LIKE]: of every piece those of like meaning, or itself where it is no word or part of one.

    Words are like words, and what goes on with a word like others that do; Latin letters without accents only.
    """
    names = [tokenizer.id_to_token(at) or "" for at in range(tokenizer.get_vocab_size())]
    like = np.repeat(np.arange(len(names))[:, None], LIKE, axis=1)
    for goes_on in (False, True):
        own = [
            at
            for at, name in enumerate(names)
            if name.startswith("##") == goes_on and (bare := name.removeprefix("##")).isascii() and bare.isalpha()
        ]
        chosen = torch.tensor(own)
        directions = functional.normalize(vectors[chosen].float(), dim=1)
        for begin in range(0, len(own) if len(own) > LIKE else 0, _BLOCK):
            likenesses = directions[begin : begin + _BLOCK] @ directions.T
            likenesses.diagonal(begin).fill_(-2)
            like[own[begin : begin + _BLOCK]] = chosen[likenesses.topk(LIKE, dim=1).indices].numpy()
    return like


def altered(
    batch: Batch,
    chosen: NDArray[np.bool_],
    chance: np.random.Generator,
    *,
    like: NDArray[np.int64],
    continues: NDArray[np.bool_],
) -> Batch:
    """`batch` with those of its texts altered that are `chosen`: bool[texts]. Of these nothing is marked any more, nor known.

    `like`: as `likeness` gives it; `continues`: bool[vocabulary], which pieces go on with a word. What is replaced keeps
    its case and is no known name.
    """
    batch = _with_other_ends(batch, chosen & (chance.random(len(chosen)) < _ENDS), chance)
    ids, shape = batch.ids, batch.ids.shape
    lettered = like[ids, 0] != ids
    words = ids[lettered & ~continues[ids]]
    replaced = chance.random(shape) < chance.uniform(0, _REPLACED, (shape[0], 1))
    replaced &= chosen[:, None] & lettered
    others = like[ids, chance.integers(0, LIKE, shape)]
    if len(words):
        by_any = (chance.random(shape) < _BY_ANY) & ~continues[ids]
        others = np.where(by_any, words[chance.integers(0, len(words), shape)], others)
    return replace(
        batch,
        ids=np.where(replaced, others, ids),
        cases=np.where(replaced, batch.cases % CASES, batch.cases),
        labels=np.where(chosen[:, None] & (batch.labels != IGNORED), 0, batch.labels),
        unmarked=np.where(chosen, _EVERY_TYPE, batch.unmarked),
        topics=np.where(chosen[:, None], np.float32(-1), batch.topics),
    )


def _with_other_ends(batch: Batch, chosen: NDArray[np.bool_], chance: np.random.Generator) -> Batch:
    """From a place that is in both, a chosen text goes on as another one of the batch does there, padding included."""
    lengths, others = batch.mask.sum(1), chance.permutation(len(chosen))
    shorter = np.minimum(lengths, lengths[others])
    begins = np.maximum(1, (shorter * chance.uniform(0.2, 0.8, len(chosen))).astype(np.int64))
    given = chosen[:, None] & (np.arange(batch.ids.shape[1]) >= begins[:, None])
    names = ("ids", "mask", "cases", "labels")
    return replace(
        batch,
        **{name: np.where(given, getattr(batch, name)[others], getattr(batch, name)) for name in names},
    )
