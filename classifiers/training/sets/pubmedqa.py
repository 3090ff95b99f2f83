"""pubmedqa: questions of medical research and the abstracts that answer them. It marks nothing.

The questions are on health in general and about nobody: health is false, and their diseases are no MEDICAL. An abstract
tells of patients; where it may tell of one, or of children, the topic is unknown, and MEDICAL always in doubt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training import obvious
from classifiers.training.cutting import SENTENCES, pieces
from classifiers.training.rows import TOPICS, Row, distinct

SOURCE: Final = "pubmedqa"

_ONE_PATIENT: Final = re.compile(
    r"\b(?:(?:year|month|week|day)s?[ -]old|he|she|his|her|(?:a|one|this) (?:wo)?man|(?:a|one|this) patient"
    r"|case report)\b",
    re.IGNORECASE,
)
_OF_CHILDREN: Final = re.compile(
    r"\b(?:child|infant|neonat|newborn|boy|girl|p(?:a)?ediatr|adolesc|pregnan|famil|school|birth|born|preterm|mother)",
    re.IGNORECASE,
)
_OF_ORIGIN_OR_LIFE: Final = re.compile(
    r"\b(?:race|racial|ethnic|black|white|hispanic|african|asian|relig|sexual|gay|hiv|immigra|minorit|genetic)",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The questions, and the abstracts in pieces; a question and its abstract are one group."""
    for identifier, record in json.loads((directory / "ori_pqal.json").read_text(encoding="utf-8")).items():
        group = f"{SOURCE}/{identifier}"
        yield _row(record["QUESTION"].strip(), group, abstract=False)
        for context in (*record["CONTEXTS"], record["LONG_ANSWER"]):
            for piece, _ in pieces(context, (), at=SENTENCES, longest=500):
                yield _row(piece, group, abstract=True)


def _row(text: str, group: str, *, abstract: bool) -> Row:
    spans = obvious.marked(text, (), types=("DATE_TIME", "AGE", "NRP"))
    doubts = obvious.doubtful(text, spans, ("DATE_TIME", "AGE", "NRP"))
    if _NAME.search(text):
        doubts |= {"LOCATION", "ORGANIZATION", "PERSON"}
    return Row(
        text=text,
        spans=spans,
        unmarked=doubts | {"MEDICAL"} if abstract else doubts,
        topics=_topics(text, abstract=abstract),
        group=group,
        source=SOURCE,
        language="en",
    )


def _topics(text: str, *, abstract: bool) -> dict[str, bool]:
    topics = dict.fromkeys(TOPICS, False)
    if abstract and _ONE_PATIENT.search(text):
        del topics["health"]
    if abstract and _OF_CHILDREN.search(text):
        del topics["children"]
    if abstract and _OF_ORIGIN_OR_LIFE.search(text):
        del topics["special_category"]
    return topics
