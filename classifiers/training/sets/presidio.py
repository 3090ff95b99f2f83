"""presidio-synth-v2: 209 templates of requests and reports with made-up values. The split unit is the template.

Every type of it is marked, so little is doubtful; MEDICAL occurs in a few templates only. What rules find (cards,
phone numbers, addresses of the net) has no span. Job titles and "Mr" have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from classifiers.training import guideline
from classifiers.training.rows import Row, Span, distinct, tidy

SOURCE: Final = "presidio-synth-v2"

_AGE: Final = re.compile(r"(?:[\s-]years?[\s-]old|\s?y/?o|\syears)\b")
_MEANT_FOR_A_SLOT: Final = re.compile(r"\{\w+\}")
_POSTCODE_AT_END: Final = re.compile(r"\d{4,}$")
_PLACE_AT_END: Final = re.compile(r"(?:\s*\n\s*|,\s+)(?P<rest>[^\d]+)$")


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The texts, but for those where a slot was left unfilled."""
    for record in json.loads((directory / "synth_dataset_v2.json").read_text(encoding="utf-8")):
        text = record["full_text"]
        if _MEANT_FOR_A_SLOT.search(text):
            continue
        spans = tidy(text, (span for mark in record["spans"] for span in _spans(text, mark)))
        yield Row(
            text=text,
            spans=guideline.addresses_joined(text, spans),
            topics=_topics(text),
            group=f"{SOURCE}/{record['template_id']}",
            source=SOURCE,
            language="en",
            unmarked=frozenset({"MEDICAL"}) if re.search(r"stomach pain|headaches", text) else frozenset(),
        )


def _spans(text: str, mark: dict[str, Any]) -> Iterator[Span]:
    start, end = mark["start_position"], mark["end_position"]
    match mark["entity_type"]:
        case "PERSON":
            yield from guideline.person(text, start, end)
        case "STREET_ADDRESS":
            yield from _address(text, start, end)
        case "ZIP_CODE":
            yield start, end, "ADDRESS"
        case "GPE":
            yield start, end, "LOCATION"
        case "ORGANIZATION" | "DATE_TIME" | "NRP" as kind:
            yield start, end, kind
        case "AGE":
            unit = _AGE.match(text, end)
            yield start, unit.end() if unit else end, "AGE"
        case "US_DRIVER_LICENSE":
            yield start, end, "ID"


def _address(text: str, start: int, end: int) -> Iterator[Span]:
    """Up to the postcode; a town and a country after the street level, where no postcode follows, are places."""
    value = text[start:end]
    if value.startswith("the corner of ") or _POSTCODE_AT_END.search(value):
        yield start, end, "ADDRESS"
    elif (match := _PLACE_AT_END.search(value)) and any(figure.isdigit() for figure in value[: match.start()]):
        yield start, start + match.start(), "ADDRESS"
        yield from guideline.place(text, start + match.start("rest"), end)
    else:
        yield start, end, "ADDRESS"


def _topics(text: str) -> dict[str, bool]:
    """What a request of a bank's customer is: his card or account. The other topics stay unknown where words hint."""
    topics = {"source_code": False, "credentials": False, "hr": False}
    if re.search(r"\b(?:card|account|IBAN|cc|transfer|statement|portfolio)\b", text, re.IGNORECASE):
        if re.search(r"\b(?:my|mine|I|me)\b|\d{8}", text):
            topics["financial"] = True
    else:
        topics["financial"] = False
    topics["health"] = bool(re.search(r"stomach pain|headaches", text))
    return topics
