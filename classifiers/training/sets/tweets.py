"""What the two sets of tweets have in common."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from classifiers.training import guideline, obvious
from classifiers.training.conll import Sentence, entities, sentences
from classifiers.training.detokenise import Joined, detokenised
from classifiers.training.rows import Row, Span, tidy

_BLOCK: Final = 20
_DEMONYM: Final = re.compile(r"#?[A-Z][a-z]+$")
_LATIN: Final = re.compile(r"[\u0400-\u2fff\u3040-\uffff]")
_NOT_ENGLISH: Final = re.compile(
    r"\b(?:que|los|las|una|para|pero|como|est[aá]|mi|je|les|des|pas|quand|yang|aku|kamu|tidak|di|ga|nya|ini|itu|sa|ng"
    r"|ako"
    r"|voc[eê]|n[aã]o|uma|com|und|ich|nicht|het|een|niet|bir|ve|con|por|muy|tus|kon|nak|dan|ada|lagi|saya)\b",
    re.IGNORECASE,
)
_DOUBTS: Final = ("DATE_TIME", "AGE", "NRP", "USERNAME", "MEDICAL", "ID")


def tweets(file: Path, *, source: str, kinds: Mapping[str, str]) -> Iterator[Row]:
    """The tweets of a word-per-line file whose labels `kinds` gives our types; a label it lacks has no span.

    Tweets in another language than English are left out: what is plain by its form is so in English.
    """
    with file.open(encoding="utf-8") as lines:
        for number, sentence in enumerate(sentences(lines)):
            joined = detokenised(_without_entities(sentence))
            if len(_NOT_ENGLISH.findall(joined.text)) > 2 or len(_LATIN.findall(joined.text)) > len(joined.text) / 4:
                continue
            group = f"{source}/{file.stem}/{number // _BLOCK}"
            yield _row(sentence, joined, group=group, source=source, kinds=kinds)


def _row(sentence: Sentence, joined: Joined, *, group: str, source: str, kinds: Mapping[str, str]) -> Row:
    text, places = joined.text, joined.places
    found = list(obvious.handles(text))
    for entity in entities(sentence.tags):
        if kind := kinds.get(entity.label):
            start, end = places[entity.begin][0], places[entity.end - 1][1]
            if all(end <= left or right <= start for left, right, _ in found):
                found += _of_kind(text, start, end, kind)
    spans = obvious.marked(text, tidy(text, found), types=("DATE_TIME", "AGE", "NRP"))
    return Row(
        text=text,
        spans=spans,
        unmarked=obvious.doubtful(text, spans, _DOUBTS),
        topics={"source_code": False, "credentials": False, "hr": False, "financial": False},
        group=group,
        source=source,
        language="en",
    )


def _of_kind(text: str, start: int, end: int, kind: str) -> Iterator[Span]:
    """The entity as the guideline has it: a nationality tagged as a place is NRP, a person has no title."""
    if _DEMONYM.match(text[start:end]) and (word := text[start:end].lstrip("#")) and obvious.is_demonym(word):
        yield end - len(word), end, "NRP"
    elif kind == "PERSON":
        yield from guideline.person(text, start, end)
    else:
        yield from guideline.trimmed(text, start, end, kind)


def _without_entities(sentence: Sentence) -> list[str]:
    """The words with `&amp;` and its like as the characters they stand for."""
    return [html.unescape(word).strip() or word for word in sentence.words]
