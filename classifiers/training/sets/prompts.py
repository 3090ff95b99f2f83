"""prompts: tasks that people set an assistant. They are not annotated; those that name nothing are clean negatives.

An instruction alone is a row, and the instruction with its first input another. A topic at which a word hints is
unknown, the others are false.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from classifiers.training.rows import TOPICS, Row, distinct
from classifiers.training.sets.mentions import names_something

SOURCE: Final = "prompts"

_LONGEST: Final = 1000
_HINTS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "source_code": re.compile(
            r"[{};=<>]|\b(?:code|program|function|sql|python|javascript|java|html|css|regex|script|algorithm|leetcode"
            r"|shell"
            r"|bash|array|class|debug|latex|spreadsheet|excel|formula|loop|string|query|print)\b",
            re.IGNORECASE,
        ),
        "health": re.compile(
            r"\b(?:health|medic|doctor|disease|symptom|diet|pain|patient|pregnan|fit|exercise|mental|workout|weight)",
            re.IGNORECASE,
        ),
        "financial": re.compile(
            r"\b(?:bank|account|money|invest|budget|salary|loan|tax|credit|stock|financ|insur|mortgage|pay)",
            re.IGNORECASE,
        ),
        "legal": re.compile(r"\b(?:law|legal|contract|court|sue|rights|agreement|polic)", re.IGNORECASE),
        "hr": re.compile(
            r"\b(?:job|employ|resume|cv|interview|salary|boss|hire|hiring|candidate|career|work|colleague|manager"
            r"|position)",
            re.IGNORECASE,
        ),
        "credentials": re.compile(r"\b(?:password|token|key|login|secret|credential)", re.IGNORECASE),
        "special_category": re.compile(
            r"\b(?:relig|politic|gay|race|racis|ethnic|church|god|sex|abortion|pray|christ|muslim|vot(?:e|ing))",
            re.IGNORECASE,
        ),
        "children": re.compile(
            r"\b(?:child|kid|baby|son|daughter|school|student|teen|parent|toddler|grade|boy|girl)", re.IGNORECASE
        ),
    }
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The tasks of every file; a task is a group."""
    for file in sorted(directory.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield from _rows(json.loads(line))


def _rows(task: dict[str, Any]) -> Iterator[Row]:
    instruction = task["instruction"].strip()
    given = task["instances"][0]["input"].strip() if task["instances"] else ""
    for text in [instruction, *([f"{instruction}\n\n{given}"] if given else [])]:
        if len(text) <= _LONGEST and not names_something(text):
            yield Row(
                text=text,
                topics={topic: False for topic in TOPICS if not _HINTS[topic].search(text)},
                group=f"{SOURCE}/{task['id']}",
                source=SOURCE,
                language="en",
            )
