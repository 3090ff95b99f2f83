"""tat-qa: paragraphs of companies' annual reports and questions on them. It marks nothing.

Financial is left unknown: a published report is nobody's secret, but an unpublished one reads the same, and a model
that was told "not financial" would miss it. The other topics are false where no word hints at them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training import obvious
from classifiers.training.cutting import SENTENCES, pieces
from classifiers.training.rows import Row, distinct

SOURCE: Final = "tat-qa"

_LEGAL: Final = re.compile(
    r"\b(?:legal|litig|claim|court|settle|lawsuit|agreement|contract|law|plaintiff|regulat|patent|act)", re.IGNORECASE
)
_EMPLOYMENT: Final = re.compile(
    r"\b(?:employ|compensation|pension|director|officer|salar|staff|remunerat|severance|executive|bonus|share-based)",
    re.IGNORECASE,
)
_NAME: Final = re.compile(
    r"(?<=[a-z,] )[A-Z][a-z]{2,}|\b[A-Z][A-Za-z&]+ (?:Inc|Ltd|plc|LLC|Corp|Limited|Group)\b|\b[A-Z]{3,}\b"
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The paragraphs in pieces and the questions; a report's table with what surrounds it is one group."""
    for record in json.loads((directory / "tatqa_dataset_dev.json").read_text(encoding="utf-8")):
        group = f"{SOURCE}/{record['table']['uid']}"
        for paragraph in record["paragraphs"]:
            for piece, _ in pieces(paragraph["text"], (), at=SENTENCES, longest=500):
                yield _row(piece, group)
        for question in record["questions"]:
            yield _row(question["question"].strip(), group)


def _row(text: str, group: str) -> Row:
    spans = obvious.marked(text, (), types=("DATE_TIME", "AGE", "NRP"))
    doubts = obvious.doubtful(text, spans, ("DATE_TIME", "NRP", "AGE"))
    if _NAME.search(text):
        doubts |= {"ORGANIZATION", "LOCATION", "PERSON"}
    topics = dict.fromkeys(("health", "credentials", "source_code", "special_category", "children"), False)
    if not _LEGAL.search(text):
        topics["legal"] = False
    if not _EMPLOYMENT.search(text):
        topics["hr"] = False
    return Row(text=text, spans=spans, unmarked=doubts, topics=topics, group=group, source=SOURCE, language="en")
