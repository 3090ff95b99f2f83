"""medical-ner: sentences of medical abstracts, drugs and diseases tagged in IOB2.

LIMIT: they mark every disease and drug, while MEDICAL means a person's: an abstract speaks of patients in general. The
spans are given as they are, since no open set marks the other; the trainer weights them, and scores no MEDICAL on them.

BC5CDR comes as two files of the same sentences, one per type, which are joined. NCBI marks diseases only, so that
MEDICAL is in doubt there too. No file names its abstracts: a block of sentences is the group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training import guideline, obvious
from classifiers.training.conll import Sentence, entities, sentences
from classifiers.training.detokenise import detokenised
from classifiers.training.rows import Row, Span, distinct, tidy

SOURCE: Final = "medical-ner"

_BLOCK: Final = 50
_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
_HYPHEN: Final = frozenset("-")
_OF_A_PATIENT: Final = re.compile(
    r"\b(?:year|month|week|day)s?[ -]old\b|\bcase\b|\b(?:he|she|his|her)\b|\ba (?:wo)?man\b", re.IGNORECASE
)
_OF_CHILDREN: Final = re.compile(
    r"\b(?:child|infant|neonat|newborn|boy|girl|p(?:a)?ediatr|adolesc|pregnan|famil|year)", re.IGNORECASE
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The sentences of the three corpora, detokenised."""
    for name in ("train.tsv", "devel.tsv"):
        drugs = _read(directory / "BC5CDR-chem-IOB" / name)
        diseases = _read(directory / "BC5CDR-disease-IOB" / name)
        for number, (drug, disease) in enumerate(zip(drugs, diseases, strict=True)):
            yield _row(drug.words, (drug, disease), f"bc5cdr/{name}/{number // _BLOCK}", unmarked=frozenset())
        for number, sentence in enumerate(_read(directory / "NCBI-disease-IOB" / name)):
            group = f"ncbi/{name}/{number // _BLOCK}"
            yield _row(sentence.words, (sentence,), group, unmarked=frozenset({"MEDICAL"}))


def _read(file: Path) -> list[Sentence]:
    with file.open(encoding="utf-8") as lines:
        return list(sentences(lines))


def _row(words: tuple[str, ...], tagged: tuple[Sentence, ...], group: str, *, unmarked: frozenset[str]) -> Row:
    joined = detokenised(words, glue=_HYPHEN)
    found: list[Span] = []
    for sentence in tagged:
        for entity in entities(sentence.tags):
            start, end = joined.places[entity.begin][0], joined.places[entity.end - 1][1]
            found += guideline.trimmed(joined.text, start, end, "MEDICAL")
    spans = obvious.marked(joined.text, tidy(joined.text, found), types=("AGE", "NRP"))
    doubts = obvious.doubtful(joined.text, spans, ("DATE_TIME", "AGE", "NRP"))
    if _NAME.search(joined.text):
        doubts |= {"LOCATION", "ORGANIZATION"}
    return Row(
        text=joined.text,
        spans=spans,
        unmarked=doubts | unmarked,
        topics=_topics(joined.text),
        group=f"{SOURCE}/{group}",
        source=SOURCE,
        language="en",
    )


def _topics(text: str) -> dict[str, bool]:
    """An abstract is about a disease, not somebody's; where it may tell of one patient it is unknown."""
    topics = dict.fromkeys(("financial", "legal", "hr", "credentials", "source_code"), False)
    if not _OF_A_PATIENT.search(text):
        topics["health"] = False
    if not _OF_CHILDREN.search(text):
        topics["children"] = False
    return topics
