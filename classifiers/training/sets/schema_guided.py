"""schema-guided-dialogue: turns of made-up dialogues with an assistant, slots by their offsets.

Towns, stations and sights are places; restaurants, hotels and salons are organisations; dates and times that say when
are DATE_TIME. A doctor's slot holds a person or a practice: where neither is plain it has no span and is in doubt, as
are titles, events and artists. A value marked once in a dialogue is marked wherever it stands in it.

Topics: only the turns that name an amount or a payee of somebody's own account are financial; the rest of a bank's
dialogue, and of a doctor's, is unknown.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from classifiers.training import guideline, obvious
from classifiers.training.rows import TOPICS, Row, Span, distinct, tidy

SOURCE: Final = "schema-guided-dialogue"

_PLACES: Final = frozenset(
    """
    address address_of_location area attraction_name city city_of_event destination destination_airport
    destination_city destination_station_name event_location from_location from_station location origin
    origin_airport origin_city origin_station_name pickup_city pickup_location street_address to_location to_station
    venue venue_address where_to
    """.split()
)
_FIRMS: Final = frozenset("hotel_name property_name restaurant_name stylist_name theater_name".split())
_PEOPLE: Final = frozenset("directed_by recipient_account_name".split())
_PRACTICES: Final = frozenset("doctor_name dentist_name".split())
_IN_DOUBT: Final = frozenset("album artist event_name movie_name song_name title car_name".split())
_PERSON_LIKE: Final = re.compile(r"\bDr\.? |,? (?:M\.?D\.?|D\.?D\.?S\.?)$")
_PRACTICE_LIKE: Final = re.compile(
    r"\b(?:Dental|Dentist\w*|Care|Health|Clinic|Center|Medical|Salon|Spa|Group|Associates|Lab|Smiles?|Orthodontics"
    r"|Hospital"
    r"|Dermatology|Practice|Oral|Surgery|Medicine|Eye|Skin|Foundation|Kaiser|Institute|Specialists)\b"
)
_AIRLINE: Final = re.compile(
    r"\b(?:(?:Alaska|American|Delta|Southwest|United|LOT Polish|South African|British) (?:Airlines|Airways)"
    r"|Air (?:Canada|France))\b"
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The turns of every dialogue; the dialogue is the group."""
    for file in sorted(directory.glob("dialogues_*.json.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            dialogues = json.load(stream)
        for dialogue in dialogues:
            yield from _rows(dialogue)


def _rows(dialogue: dict[str, Any]) -> Iterator[Row]:
    marked = [tuple(_marks(turn)) for turn in dialogue["turns"]]
    values = {
        turn["utterance"][start:end]: kind
        for turn, spans in zip(dialogue["turns"], marked, strict=True)
        for start, end, kind in spans
        if kind in {"PERSON", "LOCATION", "ORGANIZATION", "ADDRESS"}
    }
    for turn, spans in zip(dialogue["turns"], marked, strict=True):
        text = turn["utterance"]
        named = _repeated(text, [*spans, *_airlines(text)], values)
        found = obvious.marked(text, guideline.addresses_joined(text, tidy(text, named)), types=("DATE_TIME",))
        yield Row(
            text=text,
            spans=guideline.neighbours_joined(text, found, "DATE_TIME"),
            unmarked=_unmarked(turn, text, found),
            topics=_topics(turn),
            group=f"{SOURCE}/{dialogue['dialogue_id']}",
            source=SOURCE,
            language="en",
        )


def _slots(turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for frame in turn["frames"]:
        yield from frame["slots"]


def _marks(turn: dict[str, Any]) -> Iterator[Span]:
    text = turn["utterance"]
    for slot in _slots(turn):
        start, end, name = slot["start"], slot["exclusive_end"], slot["slot"]
        value = text[start:end]
        if name in _PLACES:
            yield from guideline.place(text, start, end)
        elif name in _FIRMS:
            yield from guideline.trimmed(text, start, end, "ORGANIZATION")
        elif name in _PEOPLE:
            yield from guideline.person(text, start, end)
        elif name in _PRACTICES:
            yield from _practice(text, start, end)
        elif (name.endswith(("date", "time")) or name == "event_date") and guideline.says_when(value):
            yield start, end, "DATE_TIME"


def _practice(text: str, start: int, end: int) -> Iterator[Span]:
    """A doctor by the title or degree, a practice by its words; "Practice: Doctor MD" is both."""
    head, colon, tail = text[start:end].partition(": ")
    if colon and _PERSON_LIKE.search(tail):
        yield from guideline.trimmed(text, start, start + len(head), "ORGANIZATION")
        yield from guideline.person(text, end - len(tail), end)
    elif _PRACTICE_LIKE.search(text[start:end]):
        yield from guideline.trimmed(text, start, end, "ORGANIZATION")
    elif _PERSON_LIKE.search(text[start:end]):
        yield from guideline.person(text, start, end)


def _airlines(text: str) -> Iterator[Span]:
    for match in _AIRLINE.finditer(text):
        yield match.start(), match.end(), "ORGANIZATION"


def _repeated(text: str, spans: list[Span], values: Mapping[str, str]) -> list[Span]:
    """`spans` and what else of `values` stands in `text` as whole words, the longest first."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) > 3:
            for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
                if all(match.end() <= left or right <= match.start() for left, right, _ in spans):
                    spans.append((match.start(), match.end(), values[value]))
    return spans


def _unmarked(turn: dict[str, Any], text: str, spans: tuple[Span, ...]) -> frozenset[str]:
    names = {slot["slot"] for slot in _slots(turn)}
    doubts = set(obvious.doubtful(text, spans, ("NRP",)))
    if names & _IN_DOUBT:
        doubts |= {"PERSON", "ORGANIZATION", "LOCATION"}
    if names & _PRACTICES:
        doubts |= {"PERSON", "ORGANIZATION"}
    return frozenset(doubts)


def _topics(turn: dict[str, Any]) -> dict[str, bool]:
    topics = dict.fromkeys(TOPICS, False)
    services = {frame["service"].partition("_")[0] for frame in turn["frames"]}
    if "Banks" in services:
        del topics["financial"]
        if any(slot["slot"] in {"amount", "balance", "recipient_account_name"} for slot in _slots(turn)):
            topics["financial"] = True
    if services & {"Services", "Calendar"}:
        del topics["health"]
    return topics
