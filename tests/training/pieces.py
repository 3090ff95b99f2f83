"""A tokenizer with a vocabulary of a few words, and corpora cut with it: nothing of the base encoder is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from classifiers.model.names import KnownNames
from classifiers.training.corpus import Corpus, corpus_of
from classifiers.training.rows import TOPICS, Row, Span

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] anna meyer lives in paris since may the kitchen is cold ask about a b ##a ##b , .".split()
)


def tokenizer() -> Tokenizer:
    """Cuts as the base does, with the words above."""
    made = Tokenizer(models.WordPiece({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def row(
    text: str,
    *spans: Span,
    group: str = "made/1",
    unmarked: Iterable[str] = (),
    topics: Mapping[str, bool] | None = None,
    language: str = "en",
) -> Row:
    """A row of the set that its group names; no topic is known unless one is given."""
    source = group.partition("/")[0]
    return Row(
        text=text,
        spans=spans,
        unmarked=frozenset(unmarked),
        topics=topics or {},
        group=group,
        source=source,
        language=language,
    )


# What the models of these tests are told of.
NAMES: Final = b"2 anna\n1 berlin\n"


def corpus(rows: Sequence[Row], *, window: int = 32) -> Corpus:
    """`rows` cut with the small tokenizer."""
    return corpus_of(rows, tokenizer(), KnownNames(NAMES), window=window)


def several(count: int) -> list[Row]:
    """Rows of two sets in all splits, half of them clean."""
    rows = []
    for at in range(count):
        topics = {topic: topic == "health" and at % 4 == 0 for topic in TOPICS}
        rows.append(row("Anna Meyer lives in Paris.", (0, 10, "PERSON"), (20, 25, "LOCATION"), group=f"one/{at}"))
        rows.append(row("The kitchen is cold " + "a " * (at % 7), group=f"two/{at}", topics=topics))
    return rows
