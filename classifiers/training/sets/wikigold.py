"""wikigold: sentences of encyclopaedia articles, tagged in IOB1 (only I, so that adjacent names are one).

MISC is dropped, but for nationalities and religions, which are plain by their form. The group is the article.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training import guideline, obvious
from classifiers.training.conll import Sentence, entities, sentences
from classifiers.training.detokenise import detokenised
from classifiers.training.rows import Row, Span, distinct, tidy

SOURCE: Final = "wikigold"
_KINDS: Final = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The sentences, detokenised."""
    article = 0
    with (directory / "wikigold.conll.txt").open(encoding="utf-8") as lines:
        for sentence in sentences(lines, separator=" "):
            if sentence.words == ("-DOCSTART-",):
                article += 1
                continue
            yield _row(sentence, article)


def _row(sentence: Sentence, article: int) -> Row:
    joined = detokenised(sentence.words)
    found: list[Span] = []
    for entity in entities(sentence.tags):
        start, end = joined.places[entity.begin][0], joined.places[entity.end - 1][1]
        if entity.label == "PER":
            found += guideline.person(joined.text, start, end)
        elif kind := _KINDS.get(entity.label):
            found += guideline.trimmed(joined.text, start, end, kind)
    spans = obvious.marked(joined.text, tidy(joined.text, found), types=("DATE_TIME", "AGE", "NRP"))
    return Row(
        text=joined.text,
        spans=spans,
        unmarked=obvious.doubtful(joined.text, spans, ("DATE_TIME", "AGE", "NRP", "ADDRESS")),
        topics={"source_code": False, "credentials": False, "hr": False, "financial": False},
        group=f"{SOURCE}/{article}",
        source=SOURCE,
        language="en",
    )
