"""hwu64: what people say to an assistant at home, in lower case and without punctuation.

Persons, places, firms, dates and times are marked; the guideline drops "today" and "for an hour" from the dates, and
"home", "the airport" from the places. Every utterance is its own group: there are no templates.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from classifiers.training import guideline, obvious
from classifiers.training.rows import TOPICS, Row, Span, distinct, tidy

SOURCE: Final = "hwu64"

# Marked as places, yet names of nothing.
_NO_PLACES: Final = frozenset(
    """
    home house work office airport the world town downtown city my the this here around local location station
    village store grocery shop mall market church park beach school gym restaurant hotel area neighborhood country
    state uptown library theater cinema hospital bank theatre street road highway freeway nearby near national
    international where globe global worldwide town's hometown route traffic city's outside planet earth suburbs
    countryside subway train bus coffee place places round nearest currently located floor destination five mile
    radius nearby multiplex another outside theaters i me us we current room bathroom kitchen garage post
    supermarket universe nation zone zones time pub pubs regional region central a an of to in on at and for from is
    with
    """.split()
)
_NO_FIRMS: Final = frozenset(
    """
    consumer service customer services company restaurant restaurants store shop office bank the my a stock stocks
    support municipality provider dept clinic electric president costumer account police of and nearest local
    delivery place pizza chinese order train department bus
    """.split()
)
_OWNER: Final = re.compile(r"(?:'s|s')$")
_NAMED_UNMARKED: Final = frozenset(
    "news_topic event_name movie_name song_name audiobook_name playlist_name podcast_name radio_name music_album "
    "artist_name "
    "podcast_descriptor time_zone currency_name food_type transport_name list_name".split()
)
# Intents in which a name or a place often stands without a mark.
_LOOSE_INTENTS: Final = frozenset(
    "qa_factoid general_quirky social_post email_sendemail news_query play_radio play_podcasts email_query "
    "general_joke "
    "play_audiobook music_query play_music recommendation_events email_querycontact email_addcontact social_query "
    "transport_ticket transport_query transport_traffic".split()
)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The utterances of every file in `directory`.

    In some intents a name stands without a mark. There an utterance is doubtful if it has a word, outside its marks,
    that those of the other intents do not use.
    """
    examples = [
        example
        for file in sorted(directory.glob("*.json"))
        for example in json.loads(file.read_text(encoding="utf-8"))["rasa_nlu_data"]["common_examples"]
    ]
    uses = Counter(word for example in examples if not _is_loose(example) for word in _words_outside(example))
    for example in examples:
        doubted = _is_loose(example) and any(uses[word] < 2 for word in _words_outside(example))
        yield _row(example, doubtful=doubted)


def _is_loose(example: dict[str, Any]) -> bool:
    kinds = {mark["entity"] for mark in example["entities"]}
    return example["intent"] in _LOOSE_INTENTS or bool(kinds & _NAMED_UNMARKED)


def _words_outside(example: dict[str, Any]) -> set[str]:
    marks = (mark for mark in example["entities"] if mark["entity"] not in _NAMED_UNMARKED)
    outside = _outside(example["text"], ((mark["start"], mark["end"], mark["entity"]) for mark in marks))
    return set(re.findall(r"[^\W\d_]+", outside))


def _outside(text: str, spans: Iterable[Span]) -> str:
    """`text` with spaces in place of `spans`."""
    letters = list(text)
    for start, end, _ in spans:
        letters[start:end] = " " * (end - start)
    return "".join(letters)


def _row(example: dict[str, Any], *, doubtful: bool) -> Row:
    text = example["text"]
    spans = tidy(text, (span for mark in example["entities"] for span in _spans(text, mark)))
    doubts = {"PERSON", "LOCATION", "ORGANIZATION"} if doubtful else set[str]()
    if guideline.may_say_when(_outside(text, spans)):
        doubts.add("DATE_TIME")
    return Row(
        text=text,
        spans=guideline.neighbours_joined(text, spans, "DATE_TIME"),
        unmarked=frozenset(doubts) | obvious.doubtful(text.title(), (), ("NRP",)),
        topics=dict.fromkeys(TOPICS, False),
        group=f"{SOURCE}/{blake2b(text.encode(), digest_size=8).hexdigest()}",
        source=SOURCE,
        language="en",
    )


def _spans(text: str, mark: dict[str, Any]) -> Iterator[Span]:
    start, end = mark["start"], mark["end"]
    value = text[start:end].lower()
    owner = _OWNER.search(value)
    if owner:
        end, value = start + owner.start() + owner.group().startswith("s"), value[: owner.start()]
    match mark["entity"]:
        case "person" | "audiobook_author":
            yield from guideline.person(text, start, end)
        case "place_name" if not set(value.split()) <= _NO_PLACES:
            yield from guideline.place(text, start, end)
        case "business_name" | "transport_agency" if not set(value.split()) <= _NO_FIRMS:
            yield from guideline.trimmed(text, start, start + _without_service(value), "ORGANIZATION")
        case "date" | "time" if guideline.says_when(value) or _is_hour(text, start, value):
            yield start - _lead(text, start), end, "DATE_TIME"


def _is_hour(text: str, start: int, value: str) -> bool:
    """A bare "seven" after "at" or "for"."""
    return value in guideline.HOURS and re.search(r"\b(?:at|by|till|until|before|after)\s$", text[:start]) is not None


def _without_service(value: str) -> int:
    """The length of a firm's name without "customer service"."""
    match = re.search(r"(?:'?s)?\s(?:customer|consumer|costumer)\sservice.*$", value)
    return match.start() if match else len(value)


def _lead(text: str, start: int) -> int:
    """The length of "next " before a weekday that is marked without it."""
    match = re.search(r"\b(?:next|last|coming)\s$", text[:start])
    return len(match.group()) if match else 0
