"""What the sets of clinical talks have in common: health text about somebody, in which nothing is marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from classifiers.training.cutting import SENTENCES, pieces
from classifiers.training.rows import Row

UNMARKED: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "DATE_TIME", "AGE", "NRP", "MEDICAL", "ID"})

_LONGEST: Final = 600
_SHORTEST: Final = 20
_OF_CHILDREN: Final = re.compile(
    r"\b(?:child|kid|bab(?:y|ies)|infant|newborn|son|daughter|boy|girl|school|mom|mommy|dad|parent|birth|pediatr"
    r"|month|week|bud|old"
    r"|immuni[sz]|vaccin|grade|teen|mother)",
    re.IGNORECASE,
)
_OF_ORIGIN_OR_LIFE: Final = re.compile(
    r"\b(?:african|american|asian|hispanic|latin|black|white|caucasian|race|ethnic|native|indian|jewish|muslim"
    r"|christian|church|relig"
    r"|sexual|gay|lesbian|partner|married|husband|wife|hiv|transgender|genetic)",
    re.IGNORECASE,
)
_OF_WORK_OR_MONEY: Final = re.compile(
    r"\b(?:work|job|employ|insur|compensation|disab|lawyer|attorney|legal|court|jail|police|retire|pay|money|military)",
    re.IGNORECASE,
)


def clinical(text: str, *, group: str, source: str) -> Iterator[Row]:
    """`text` in pieces, each about health. The other topics are false where no word hints at them, else unknown."""
    for piece, spans in pieces(text.replace("\r\n", "\n"), (), at=SENTENCES, longest=_LONGEST):
        if len(piece) < _SHORTEST:
            continue
        yield Row(
            text=piece,
            spans=spans,
            unmarked=UNMARKED,
            topics=_topics(piece),
            group=group,
            source=source,
            language="en",
        )


def _topics(text: str) -> dict[str, bool]:
    topics = {"health": True, "credentials": False, "source_code": False}
    if not _OF_CHILDREN.search(text):
        topics["children"] = False
    if not _OF_ORIGIN_OR_LIFE.search(text):
        topics["special_category"] = False
    if not _OF_WORK_OR_MONEY.search(text):
        topics |= {"financial": False, "legal": False, "hr": False}
    return topics
