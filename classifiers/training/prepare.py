"""From the raw sets and the templates to one corpus of arrays; what was cut once is read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from classifiers.model.names import KnownNames
from classifiers.training.corpus import WINDOW, Corpus, corpus_of, digest_of, joined, load, save
from classifiers.training.rows import Row

TEMPLATES: Final = "templates"
_HERE: Final = Path(__file__).parent
# What reads the arrays. Every other module here has a part in what is in them: a change there makes them anew.
_READERS: Final = frozenset(
    {
        *("__main__", "altered", "batches", "distil", "encoder", "export", "fit"),
        *("loss", "prepare", "quantise", "scoring", "student", "temperature", "tuning"),
    }
)


def prepared(
    data: Path,
    out: Path,
    tokenizer: Tokenizer,
    *,
    texts: int,
    seed: int,
    only: Collection[str] = (),
    tell: Callable[[str], None] = print,
) -> Corpus:
    """All sets in `data` and `texts` texts made from the templates, or of these `only`; kept in `out`/corpus.

    Raises ValueError for an unknown name in `only` and a set without a text, FileNotFoundError for one that is not in `data`.
    """
    sources = _sources(data, texts, seed)
    if unknown := set(only) - sources.keys():
        raise ValueError(f"no set `{min(unknown)}`: there are {', '.join(sources)}")
    from classifiers.training.known import names_file  # noqa: PLC0415 - Faker takes a second, and not every command needs it

    names = KnownNames(names_file())
    corpora = []
    for name, (parts, rows) in sources.items():
        if only and name not in only:
            continue
        began = time.monotonic()
        file = (
            out
            / "corpus"
            / f"{name}-{digest_of(*parts, *_code(), names_file().decode(), tokenizer.to_str(), str(WINDOW))}.npz"
        )
        if file.is_file():
            corpus = load(file)
        else:
            corpus = corpus_of(rows(), tokenizer, names)
            save(corpus, file)
        if not len(corpus) and name != TEMPLATES:
            raise ValueError(f"`{data}` holds no text of the set `{name}`")
        corpora.append(corpus)
        tell(_line(name, corpus, time.monotonic() - began))
    return joined(corpora)


def _sources(
    data: Path, texts: int, seed: int
) -> dict[str, tuple[tuple[str | Path, ...], Callable[[], Iterable[Row]]]]:
    """By name: what its rows depend on, and the rows."""
    from classifiers.training import generator, renamed, sets  # noqa: PLC0415 - Faker takes a second, and not every command needs it

    def of_set(name: str) -> Callable[[], Iterable[Row]]:
        return lambda: renamed.with_renamed(sets.rows(name, data), renamed.COPIES.get(name, 0))

    sources: dict[str, tuple[tuple[str | Path, ...], Callable[[], Iterable[Row]]]] = {
        name: ((data / folder, _HERE / "sets", _HERE / "words"), of_set(name))
        for name, (folder, _) in sets.SETS.items()
    }
    made = (_HERE / "templates", _HERE / "words", f"{seed}/{texts}")
    sources[TEMPLATES] = (made, lambda: generator.rows(seed, texts))
    return sources


def _code() -> list[Path]:
    files = [file for file in sorted(_HERE.glob("*.py")) if file.stem not in _READERS]
    return [*files, *(_HERE.parent / "model" / name for name in ("case.py", "names.py", "pieces.py"))]


def _line(name: str, corpus: Corpus, seconds: float) -> str:
    rows = len(corpus)
    clean = corpus.clean.mean() if rows else 0.0
    train, dev, test = (len(corpus.chosen(split)) for split in ("train", "dev", "test"))
    return (
        f"{name:24} {rows:8,} windows ({train:,} train, {dev:,} dev, {test:,} test)"
        f"  {int(corpus.starts[-1]):10,} pieces  {clean:4.0%} clean  {seconds:5.1f} s"
    )
