"""Word-per-line files: sentences of words and tags, and the entities that the tags spell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from governance.frozen import frozen


@frozen
class Sentence:
    """`words` and their `tags`, one each; `comments` are the lines before them that begin with `#`, without it."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    comments: tuple[str, ...] = ()


@frozen
class Entity:
    """Words `begin` to `end`, half open, of type `label` as the set calls it."""

    begin: int
    end: int
    label: str


def sentences(
    lines: Iterable[str], *, word: int = 0, tag: int = 1, separator: str | None = "\t", comments: bool = False
) -> Iterator[Sentence]:
    """The sentences of `lines`, ended by an empty line each; `word` and `tag` are columns.

    Comments are read only where the format has them: in a tweet `#` is a word. A line without a tag is skipped.
    """
    words: list[str] = []
    tags: list[str] = []
    notes: list[str] = []
    for line in (*lines, ""):
        columns = line.rstrip("\r\n").split(separator)
        if comments and line.startswith("#"):
            notes.append(line[1:].strip())
        elif len(columns) > max(word, tag) and columns[word].strip() and columns[tag]:
            words.append(columns[word].strip())
            tags.append(columns[tag].strip())
        elif not line.strip():
            if words:
                yield Sentence(words=tuple(words), tags=tuple(tags), comments=tuple(notes))
            words, tags, notes = [], [], []


def entities(tags: Sequence[str]) -> Iterator[Entity]:
    """The entities of a sentence in IOB2 or IOB1, in order.

    A B opens one, and so does an I after O or after another type: that is how IOB1 opens all but adjacent ones, and
    what a stray I means in IOB2.
    """
    begin, label = 0, ""
    for index, tag in enumerate((*tags, "O")):
        kind = tag[2:] if tag[:2] in {"B-", "I-"} else ""
        if label and (tag[:2] != "I-" or kind != label):
            yield Entity(begin=begin, end=index, label=label)
            label = ""
        if kind and not label:
            begin, label = index, kind
