"""spaCy pipelines as recognisers of one's own: which one an entry names, and what its component `ner` finds.

An entry is `spacy:NAME`, a package with a pipeline that is installed, or `spacy:/path`, the directory of one. It runs in the
child process of `classifiers.recognizer_host`, since nobody can stop it from inside.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

from classifiers.entity_names import SPACY, entity_of
from governance.errors import ConfigInvalid
from governance.yaml_source import quoted

COMPONENT: Final = "ner"
# spaCy's entities carry no probability; Presidio gives them the same.
PERMILLE: Final = 850
CHUNK_CHARS: Final = 4_096
# spaCy's tokenizer takes time by the square of what is not broken by a space: 256 opening brackets 20 ms, 10,000 half a minute.
RUN_CHARS: Final = 256

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
_UNBROKEN = re.compile(rf"\S{{{RUN_CHARS + 1}}}")
_LETTER = re.compile(r"[^\W\d_]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Where text may be cut, the best first: between lines, sentences, words, and in scripts without spaces behind a mark.
_CUTS: Final = tuple(
    re.compile(f".*{behind}", re.DOTALL)
    for behind in (r"\n", r"[.!?\u2026]\s", r"\s", r"[\u3001\u3002\uff01\uff0c\uff1b\uff1f]")
)

# Components whose work `ner` does not look at, and those that it may.
_UNREAD: Final = frozenset(
    "tagger morphologizer parser senter attribute_ruler lemmatizer trainable_lemmatizer entity_linker textcat"
    " textcat_multilabel".split()
)
_READ: Final = frozenset(("tok2vec", "transformer", "curated_transformer", "ner"))

# (entity, start, end, score in permille, country)
Found = tuple[str, int, int, int, str | None]


def check_installed(entry: str) -> None:
    """Raises ConfigInvalid where `entry` names no pipeline that could be loaded. Loads nothing."""
    name = entry.removeprefix(SPACY)
    if name.startswith("/"):
        if not (Path(name) / "config.cfg").is_file():
            raise _invalid(entry, "no pipeline of spaCy lies there: it has no config.cfg, as `nlp.to_disk` writes it")
    elif _NAME.fullmatch(name) is None:
        raise _invalid(
            entry, "`spacy:` is followed by the name of an installed pipeline, or by its directory from `/` on"
        )
    elif not _is_installed(name):
        raise _invalid(
            entry,
            f"the pipeline is not installed: `pip install` the package {quoted(name)} (the wheel that its makers publish)"
            " where ringfence is installed, or name the directory of the pipeline",
        )


def load(entry: str) -> tuple[Callable[[str, float], Iterator[Found]], dict[str, Any]]:
    """What searches a text until a deadline (`time.monotonic`), and what it says of itself. Raises whatever spaCy does."""
    name = entry.removeprefix(SPACY)
    spacy: Any = import_module("spacy")
    pipeline = spacy.load(Path(name) if name.startswith("/") else name)
    entities = _entities(pipeline)
    _disable_unread(pipeline)
    # The strings of a text would be kept for as long as the process lives.
    zone: Callable[[], AbstractContextManager[Any]] = getattr(pipeline, "memory_zone", nullcontext)

    def search(text: str, deadline: float) -> Iterator[Found]:
        clean = _SURROGATE.sub("\ufffd", text)
        for start, end in chunks(clean):
            if _LETTER.search(clean, start, end) is None:
                continue
            if time.monotonic() > deadline:
                raise TimeoutError
            with zone():
                found = [(each.label_, each.start_char, each.end_char) for each in pipeline(clean[start:end]).ents]
            for label, first, last in found:
                entity = entity_of(label)
                if entity is not None:
                    yield entity, start + first, start + last, PERMILLE, None

    meta = pipeline.meta
    shown = f"{meta['lang']}_{meta['name']}" if name.startswith("/") else name
    version = f"{meta['version']}+spacy-{spacy.__version__}"
    return search, {"id": f"{SPACY}{shown}", "entities": entities, "version": version}


def chunks(text: str) -> Iterator[tuple[int, int]]:
    """Consecutive ranges that cover `text`: at most CHUNK_CHARS each, and of what no space breaks at most RUN_CHARS.

    LIMIT: a name across the end of a chunk may be missed. Chunks end between lines, sentences or words, as far as there are.
    """
    start = 0
    while start < len(text):
        end = min(len(text), start + CHUNK_CHARS)
        unbroken = _UNBROKEN.search(text, start, end)
        if unbroken is not None and unbroken.start() > start:
            end = unbroken.start()
        elif end < len(text) or unbroken is not None:
            end = _cut(text, start, end if unbroken is None else start + RUN_CHARS)
        yield start, end
        start = end


def _cut(text: str, start: int, end: int) -> int:
    """The best place to end in the second half of a range; `end` where there is none."""
    middle = (start + end) // 2
    found = (cut.match(text[middle:end]) for cut in _CUTS)
    return next((middle + match.end() for match in found if match is not None), end)


def _entities(pipeline: Any) -> list[str]:
    """The entities that the pipeline's labels stand for, sorted. Raises ValueError where there is nothing to report."""
    if not pipeline.has_pipe(COMPONENT):
        present = ", ".join(pipeline.pipe_names) or "none"
        raise ValueError(f"it has no component `{COMPONENT}` (its components: {present}): name a pipeline that has one")
    labels = getattr(pipeline.get_pipe(COMPONENT), "labels", None)
    if labels is None:
        # A component of somebody's own need not say what it finds.
        return []
    entities = sorted({entity for label in labels if (entity := entity_of(label)) is not None})
    if not entities:
        listed = ", ".join(list(labels)[:16]) or "none"
        raise ValueError(f"no label of its `{COMPONENT}` stands for an entity that is known (its labels: {listed})")
    return entities


def _disable_unread(pipeline: Any) -> None:
    """Leaves out what costs time and changes nothing; everything runs where one component is none of spaCy's own."""
    made_by = {name: pipeline.get_pipe_meta(name).factory for name in pipeline.pipe_names}
    if set(made_by.values()) <= _UNREAD | _READ:
        for name, factory in made_by.items():
            if factory in _UNREAD:
                pipeline.disable_pipe(name)


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _invalid(entry: str, complaint: str) -> ConfigInvalid:
    return ConfigInvalid(f"`classifiers.recognizers`: {quoted(entry)}: {complaint}")
