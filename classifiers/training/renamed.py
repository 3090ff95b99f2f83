"""The same texts about others: a set of few thousand texts teaches its own names by heart, unless they change.

Mentions of people, places and organisations give way to others of their type (Dai and Adel 2020, "An Analysis of Simple Data
Augmentation for Named Entity Recognition", mention replacement): half of them from the training part of the same set,
half from the lists.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from classifiers.training.rows import Row, Span, split_of
from classifiers.training.values import Values

# The sets whose texts come again, and how often each; their other languages stay as they are.
COPIES: Final[Mapping[str, int]] = {
    "broad-twitter-corpus": 3,
    "wnut17": 3,
    "wikigold": 4,
    "universal-ner": 4,
    "presidio-synth-v2": 4,
    "lifebench-pii": 2,
    "hwu64": 1,
}
_LANGUAGE: Final = "en"
_OF_LISTS: Final = 0.5
_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "LOCATION": "city city city country region place".split(),
    "ORGANIZATION": (
        "org org org org.company org.company org.university org.club org.media org.ngo org.agency org.bank org.hospital "
        "org.school org.law org.band"
    ).split(),
}
_OF_A_WORD: Final = frozenset("#@_/")
# Letters: of the longest acronym, and of the shortest name.
_ACRONYM: Final = 5
_NAME: Final = 3
_Mentions = Mapping[tuple[str, int], Sequence[str]]


def with_renamed(rows: Iterable[Row], copies: int) -> Iterator[Row]:
    """`rows`, and after them those of the training part `copies` times more, each time about others.

    Which is which depends on the rows alone. A text without a name that can change does not come again.
    """
    every = list(rows)
    yield from every
    trained = [row for row in every if row.language == _LANGUAGE and split_of(row) == "train"]
    mentions = _mentions(trained)
    for copy in range(copies):
        for number, row in enumerate(trained):
            changed = _renamed(row, mentions, random.Random(f"{row.source}/{number}/{copy}"))  # noqa: S311
            if changed.text != row.text:
                yield changed


def _mentions(rows: Iterable[Row]) -> _Mentions:
    """What is called a place or an organisation in `rows`, by type and number of words."""
    found: dict[tuple[str, int], dict[str, None]] = {}
    for row in rows:
        for start, end, kind in row.spans:
            mention = row.text[start:end]
            if kind in _KINDS and _changes(row.text, start, end):
                found.setdefault((kind, _words(mention)), {})[mention] = None
    return {key: tuple(values) for key, values in found.items()}


def _renamed(row: Row, mentions: _Mentions, chance: random.Random) -> Row:
    others = _Others(mentions, chance)
    text, spans, at = "", list[Span](), 0
    for start, end, kind in row.spans:
        mention = row.text[start:end]
        if (kind == "PERSON" or kind in _KINDS) and _changes(row.text, start, end):
            mention = others.person(mention) if kind == "PERSON" else others.named(mention, kind)
        text += row.text[at:start]
        spans.append((len(text), len(text) + len(mention), kind))
        text, at = text + mention, end
    return Row(
        text=text + row.text[at:],
        spans=tuple(spans),
        unmarked=row.unmarked,
        topics=row.topics,
        group=row.group,
        source=row.source,
        language=row.language,
    )


def _changes(text: str, start: int, end: int) -> bool:
    """Whether a mention stands alone, in one line: no hashtag, no handle, no part of a longer word."""
    around = text[max(0, start - 1) : start] + text[end : end + 1]
    glued = any(letter.isalnum() or letter in _OF_A_WORD for letter in around)
    return not glued and text[start].isalnum() and "\n" not in text[start:end]


class _Others:
    """Who stands for whom in one text: the same for the same, each time."""

    def __init__(self, mentions: _Mentions, chance: random.Random) -> None:
        self._mentions, self._chance, self._values = mentions, chance, Values(chance)
        self._chosen: dict[tuple[str, str], str] = {}

    def person(self, mention: str) -> str:
        """Word by word, so that who is called by one name later is called by the same one; initials and the like stay."""
        words = mention.split(" ")
        for at, word in enumerate(words):
            bare = word.strip(".,'\u2019\"()")
            if len(bare) >= _NAME and bare.replace("-", "").replace("'", "").isalpha():
                slot = "person.last" if at and at == len(words) - 1 else "person.first"
                key = ("PERSON", bare.casefold())
                if key not in self._chosen:
                    self._chosen[key] = self._values.draw(slot).text
                words[at] = word.replace(bare, _cased(self._chosen[key], bare, acronym=_NAME - 1))
        return " ".join(words)

    def named(self, mention: str, kind: str) -> str:
        """Another place or organisation, of as many words where it is one of the set."""
        key = (kind, mention.casefold())
        if key not in self._chosen:
            alike = self._mentions.get((kind, _words(mention)), ())
            listed = not alike or self._chance.random() < _OF_LISTS
            slot = self._chance.choice(_KINDS[kind])
            self._chosen[key] = self._values.draw(slot).text if listed else self._chance.choice(alike)
        return _cased(self._chosen[key], mention)


def _cased(name: str, like: str, *, acronym: int = _ACRONYM) -> str:
    """`name` in small letters where what it stands for was, in capitals where that was too long for an acronym."""
    if like.islower():
        return name.lower()
    return name.upper() if like.isupper() and len(like) > acronym else name


def _words(mention: str) -> int:
    return mention.count(" ") + 1
