"""What the same thing is called on both sides, and where it begins and ends.

Sets, users' files, the rules, models and Presidio use different names for one thing, and put titles and punctuation
inside a span or outside of it. Both sides of a comparison pass through here, so that neither gains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# The one table. A name that is not in it stands for itself.
SAME: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PER": "PERSON",
        "NAME": "PERSON",
        "GPE": "LOCATION",
        "LOC": "LOCATION",
        "FAC": "LOCATION",
        "CITY": "LOCATION",
        "COUNTRY": "LOCATION",
        "STREET_ADDRESS": "ADDRESS",
        "ORG": "ORGANIZATION",
        "ORGANISATION": "ORGANIZATION",
        "DATE": "DATE_TIME",
        "TIME": "DATE_TIME",
        "DATE_OF_BIRTH": "DATE_TIME",
        "NORP": "NRP",
        "MEDICAL_RECORD_NUMBER": "ID",
    }
)

_TITLES = """
    mr mrs ms miss mx dr prof professor doctor sir madam dame rev hon capt sgt herr frau señor señora sr sra srta dra mme
    mlle monsieur madame hr fru sig signor signora dott dhr mevr
"""
_TITLE = re.compile(rf"(?:{'|'.join(sorted(_TITLES.split()))})(?:\.\s*|\s+)", re.IGNORECASE)
_EDGES = " \t\r\n\u00a0\"'\u2018\u2019\u201c\u201d\u00ab\u00bb()[]{}<>,;:.!?"
_POSSESSIVE = ("'s", "\u2019s")


def same_name(kind: str) -> str:
    """The name that both sides of a comparison have for `kind`."""
    return SAME.get(kind, kind)


def trimmed(text: str, start: int, end: int, kind: str) -> tuple[int, int]:
    """`start` and `end` without punctuation and white space at the edges, nor a title or possessive of a person.

    A span of which nothing would be left stays as it is. `kind` is a name as `same_name` gives it.
    """
    left, right = _without_edges(text, start, end)
    if kind == "PERSON":
        if text[left:right].endswith(_POSSESSIVE):
            right -= 2
        while title := _TITLE.match(text, left, right):
            left = title.end()
        left, right = _without_edges(text, left, right)
    return (left, right) if left < right else (start, end)


def _without_edges(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in _EDGES:
        start += 1
    while start < end and text[end - 1] in _EDGES:
        end -= 1
    return start, end
