"""Which texts a step sees: drawn by a table of shares, half of them clean, texts of one length together.

The batches of a chunk are a pure function of the seed and the chunk's number, so that a resumed training sees what it
would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from classifiers.model.case import CASES, case_of
from classifiers.training.corpus import IGNORED, Corpus, piece_id
from classifiers.training.scoring import continuations
from governance.frozen import frozen

# Of the texts of a step, by source, or source and language: (of the marked half, of the clean half). Weights, not per
# cent. English first.
SHARES: Final[Mapping[str, tuple[float, float]]] = {
    "templates": (38, 38),
    "lifebench-pii": (12, 6),
    "presidio-synth-v2": (8, 3),
    "hwu64": (6, 10),
    "broad-twitter-corpus": (24, 10),
    "wnut17": (16, 10),
    "wikigold": (14, 4),
    "universal-ner/en": (12, 6),
    "universal-ner": (3, 1),
    "schema-guided-dialogue": (3, 4),
    "meddocan": (2, 0.5),
    "medical-ner": (1.5, 0.5),
    "mts-dialog": (1, 2),
    "aci-bench": (0.5, 0.5),
    "pubmedqa": (0.5, 2),
    "banking77": (0.5, 5),
    "tat-qa": (0.5, 1),
    "clinc150": (0.5, 9),
    "prompts": (0.5, 2),
    "address-formats": (3, 0.5),
}
_OTHER_SHARE: Final = (1.0, 1.0)
# How often a text is altered where a teacher says what is in it then: of the small sets, which are soon known by heart, most.
ALTERED: Final[Mapping[str, float]] = dict.fromkeys(
    ("broad-twitter-corpus", "wnut17", "wikigold", "universal-ner"), 0.85
)
_OTHERS_ALTERED: Final = 0.2
# How often a whole text loses its capitals, is written in capitals, and how often a piece of it is hidden.
LOWERED, RAISED, HIDDEN = 0.15, 0.03, 0.03
# How often nothing is told of the names in a text, how often of some, and of which share of its words then not: made-up
# texts hold known names alone, and a model that saw nothing else would take a name that is not known for none.
UNTOLD, PARTLY, UNTOLD_WORDS = 0.2, 0.45, 0.4
CHUNK_TEXTS: Final = 8_192
_ROUND: Final = 8


@frozen
class Batch:
    """Texts padded to one length.

    ids, mask, cases, labels: int64[texts, pieces]; unmarked: int64[texts]; topics: float32[texts, topics].
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    cases: NDArray[np.int64]
    labels: NDArray[np.int64]
    unmarked: NDArray[np.int64]
    topics: NDArray[np.float32]
    windows: NDArray[np.int64]


@frozen
class CaseTables:
    """The case of every piece of the vocabulary when its text is written in small letters, and in capitals, and whether the
    piece goes on with a word.
    """

    lowered: NDArray[np.uint8]
    raised: NDArray[np.uint8]
    continues: NDArray[np.bool_]
    hidden_id: int


# Of a batch, which of its texts: bool[texts], and the chance: the batch with these altered.
Alter = Callable[[Batch, NDArray[np.bool_], np.random.Generator], Batch]


class Mixture:
    """All training windows and how often each is drawn."""

    def __init__(
        self, corpus: Corpus, tables: CaseTables, *, seed: int, pieces: int = 8_192, alter: Alter | None = None
    ) -> None:
        """`pieces`: of a batch, padding included. Without `alter` every text is as it was written."""
        self._corpus, self._tables, self._seed, self._pieces, self._alter = corpus, tables, seed, pieces, alter
        self._pools = _pools(corpus)
        self._altered = np.array([ALTERED.get(name, _OTHERS_ALTERED) for name in corpus.source_names])

    def chunk(self, number: int) -> tuple[Batch, ...]:
        """About CHUNK_TEXTS texts in batches of like length, in random order. Every source is gone through in turns."""
        chance = np.random.default_rng((self._seed, number))
        drawn = np.concatenate([_turn(self._seed, pool, number) for pool in self._pools])
        grouped = batched_by_length(drawn, self._corpus.lengths[drawn], self._pieces, chance)
        batches = [self._varied(batch_of(self._corpus, windows), chance) for windows in grouped]
        return tuple(batches[at] for at in chance.permutation(len(batches)))

    def _varied(self, batch: Batch, chance: np.random.Generator) -> Batch:
        kind = chance.random(len(batch.ids))[:, None]
        names, case = np.divmod(batch.cases, CASES)
        lettered = case > 0
        case = np.where(lettered & (kind < LOWERED), self._tables.lowered[batch.ids], case)
        raised = lettered & (kind > 1 - RAISED)
        case = np.where(raised, self._tables.raised[batch.ids], case)
        cases = case + CASES * np.where(self._untold(batch, chance), 0, names)
        hidden = (chance.random(batch.ids.shape) < HIDDEN) & (batch.labels != IGNORED)
        varied = replace(batch, ids=np.where(hidden, self._tables.hidden_id, batch.ids), cases=cases.astype(np.int64))
        if self._alter is None:
            return varied
        shares = self._altered[self._corpus.sources[batch.windows]]
        return self._alter(varied, chance.random(len(shares)) < shares, chance)

    def _untold(self, batch: Batch, chance: np.random.Generator) -> NDArray[np.bool_]:
        """Of which pieces the model is not told what their word is known as: of all of a word, or none."""
        text = chance.random(len(batch.ids))[:, None]
        words = np.cumsum(~self._tables.continues[batch.ids], axis=1)
        untold = np.take_along_axis(chance.random(words.shape), words - 1, axis=1) < UNTOLD_WORDS
        return np.asarray((text < UNTOLD) | (untold & (text < UNTOLD + PARTLY)))


@frozen
class _Pool:
    number: int
    windows: NDArray[np.int64]
    count: int


def case_tables(tokenizer: Tokenizer) -> CaseTables:
    """Of every piece of the vocabulary, in the order of its numbers."""
    size = tokenizer.get_vocab_size()
    texts = [(tokenizer.id_to_token(at) or "").removeprefix("##") for at in range(size)]
    return CaseTables(
        # A piece that is not in the vocabulary has letters all the same.
        lowered=np.array([max(1, case_of(text.lower())) for text in texts], np.uint8),
        raised=np.array([max(1, case_of(text.upper())) for text in texts], np.uint8),
        continues=continuations(tokenizer),
        hidden_id=piece_id(tokenizer, "[UNK]"),
    )


def batch_of(corpus: Corpus, windows: NDArray[np.int64]) -> Batch:
    """`windows` of `corpus`, padded to the next multiple of 8 pieces."""
    lengths = corpus.lengths[windows]
    width = -(-int(lengths.max()) // _ROUND) * _ROUND
    places = corpus.starts[windows][:, None] + np.arange(width)[None, :]
    there = np.arange(width)[None, :] < lengths[:, None]
    places = np.where(there, places, 0)

    def padded(values: NDArray[np.generic], padding: int) -> NDArray[np.int64]:
        return np.where(there, values[places].astype(np.int64), padding)

    return Batch(
        ids=padded(corpus.ids, 0),
        mask=there.astype(np.int64),
        cases=padded(corpus.cases, 0),
        labels=padded(corpus.labels, IGNORED),
        unmarked=corpus.unmarked[windows].astype(np.int64),
        topics=corpus.topics[windows].astype(np.float32),
        windows=windows,
    )


def batched_by_length(
    windows: NDArray[np.int64], lengths: NDArray[np.int64], pieces: int, chance: np.random.Generator | None = None
) -> list[NDArray[np.int64]]:
    """`windows`, shortest first, in groups whose padded size is at most `pieces`, though never less than one window."""
    # A little noise in the lengths, so that a text does not always meet the same others.
    keys = lengths if chance is None else lengths + chance.integers(0, _ROUND, len(lengths))
    ordered = windows[np.argsort(keys, kind="stable")]
    sizes = lengths[np.argsort(keys, kind="stable")]
    groups, begin, longest = [], 0, 0
    for at, size in enumerate(sizes):
        longest = max(longest, -(-int(size) // _ROUND) * _ROUND)
        if at > begin and (at + 1 - begin) * longest > pieces:
            groups.append(ordered[begin:at])
            begin, longest = at, -(-int(size) // _ROUND) * _ROUND
    groups.append(ordered[begin:])
    return [group for group in groups if len(group)]


def _pools(corpus: Corpus) -> tuple[_Pool, ...]:
    """For each line of SHARES its marked and its clean training windows, and how many of them a chunk draws."""
    train, clean = corpus.chosen("train"), corpus.clean
    lines = _lines(corpus)
    pools = []
    for half in (0, 1):
        shares = []
        for at, name in enumerate(dict.fromkeys(lines.values())):
            pairs = [pair for pair, line in lines.items() if line == name]
            own = np.zeros(len(train), np.bool_)
            for source, language in pairs:
                own |= (corpus.sources[train] == source) & (corpus.languages[train] == language)
            own &= clean[train] == bool(half)
            if own.any():
                shares.append((at, SHARES.get(name, _OTHER_SHARE)[half], train[own]))
        total = sum(share for _, share, _ in shares)
        for at, share, windows in shares:
            count = round(CHUNK_TEXTS / 2 * share / total)
            if count:
                pools.append(_Pool(number=2 * at + half, windows=windows, count=count))
    return tuple(pools)


def _lines(corpus: Corpus) -> dict[tuple[int, int], str]:
    """The line of SHARES that each (source, language) is drawn by."""
    lines = {}
    for source, name in enumerate(corpus.source_names):
        for language, code in enumerate(corpus.language_names):
            own = f"{name}/{code}"
            lines[source, language] = own if own in SHARES else name
    return lines


def _turn(seed: int, pool: _Pool, number: int) -> NDArray[np.int64]:
    """The windows of `pool` that are next in chunk `number`: all once, in an order of its own, before one comes again."""
    begin, size = number * pool.count, len(pool.windows)
    places = np.arange(begin, begin + pool.count)
    drawn = np.empty(pool.count, np.int64)
    for turn in np.unique(places // size):
        order = np.random.default_rng((seed, pool.number, int(turn))).permutation(size)
        own = places // size == turn
        drawn[own] = pool.windows[order[places[own] % size]]
    return drawn
