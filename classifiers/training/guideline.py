"""One guideline for what every set marks in its own way.

PERSON has no title ("Mr", "Dr") in it. ADDRESS begins with the street or its number and ends with the postcode, with
whatever stands between them, or with the town where only a blank stands before it; a street without a number and a
town are a LOCATION. DATE_TIME says when: a weekday, a date, a clock time, a year; not "today", not "two hours".
Punctuation at the end belongs to none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from classifiers.training.rows import Span

_TITLE: Final = re.compile(
    r"""(?:the\s+)?(?:
    (?:mr|mrs|ms|mx|dr|prof|sra|srta)\.? | (?:rev|hon|sr|capt|gen|sgt|lt|col|sen|rep|gov|pres)\.
    | miss | sir | madam | mister | doctor | professor | president | prime\ minister | minister | senator | captain
    | coach | judge | officer | governor | mayor | chairman | director | principal | nurse | attorney
    | uncle | aunt | auntie | aunty | grandma | grandpa | grandmother | grandfather | mother | father | mom | dad
    | sister | brother | husband | wife | daughter | cousin | teacher | assistant | consultant | engineer
    | lecturer | trainer | instructor | manager | general\ manager | master | boss | colleague | neighbo[u]?r
    | courier | driver | chef
    | (?:bank|shop|store|property|account|project|product|department|branch|hotel|general)\ manager
    | engineer
    | (?:senior|chief)\ engineer | (?:attending\ )?physician | agent | mentor | landlord | technician | designer
    | therapist | (?:team\ )?leader | supervisor | elder | wealth\ manager
    | do\u00f1a | d\u00f1a\.? | doctora
    )\s+(?=[^\W\d_])""",
    re.IGNORECASE | re.VERBOSE,
)
_SUFFIX: Final = re.compile(
    r",?\s+(?:m\.?\s?d\.?|d\.?d\.?s\.?|ph\.?\s?d\.?|r\.?n\.?|esq\.?|d\.?m\.?d\.?)$", re.IGNORECASE
)
# "older sister Xiaowen", not "de Gea": words in lower case before a name, but for those that begin one.
_ROLE: Final = re.compile(
    r"(?!(?:de|da|di|dos|das|do|du|del|della|van|von|der|den|la|le|al|el|bin|ibn|ten|ter|af|av|zu|y"
    r"|e)\b)[a-z]+\s+(?=[^\W\d_])(?=[A-Z]|[a-z ]+[A-Z])"
)
_OWNED: Final = re.compile(r"['\u2019]s(?:\s+[a-z]+)?$")
_QUOTES: Final = "'\"\u2018\u2019\u201c\u201d\u00ab\u00bb`*_<>[]{}"
_ABBREVIATED: Final = re.compile(
    r"(?:\.\w|\b(?:inc|ltd|co|corp|jr|sr|st|bros|llc|apt|ave|rd|blvd)|\b[A-Z])\.$", re.IGNORECASE
)

_NUMBER: Final = r"(?:no\.?|number|nr\.?|unit|lane|alley|building|room|suite|apt\.?|block|\#)\s*[\dX]|\d|\bXX\b"
_STREET: Final = (
    r"\b(?:road|street|avenue|boulevard|lane|drive|highway|way|alley|court|place|plaza|square|expressway|parkway"
    r"|terrace"
    r"|circle|common|mall|turnpike|commons|crescent|rd|st|ave|blvd|dr|ln|hwy|pkwy|ct|pl|sq|cir|calle|rue|via|platz)\b"
    r"|stra(?:ss|ß)e\b"
)
_STREET_LEVEL: Final = re.compile(rf"(?=.*(?:{_NUMBER}))(?=.*(?:{_STREET}))", re.IGNORECASE)
_HOUSE_AND_STREET: Final = re.compile(r"\d{1,6}[A-Za-z]?\s+[^\W\d_]{2,}\s[^\W\d_]{2,}")
_BARE_NUMBER: Final = re.compile(
    r"(?:(?:no\.?|number|nr\.?|unit|lane|alley|building|suite|apt\.?|\#)\s*)?(?:\d[\w-]*|XX)(?:\s+number)?$|XX number$",
    re.IGNORECASE,
)
_BETWEEN: Final = re.compile(r"[\s,.;()\-\u2013>|?/]*$")

_WEEKDAYS: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|(?:mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)\."
_MONTHS: Final = (
    r"january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec"
)
_ORDINALS: Final = (
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth"
    r"|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth|\d{1,2}(?:st|nd|rd|th)"
)
_HOURS: Final = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|twenty|thirty|forty|fifty"
)
HOURS: Final = frozenset(_HOURS.split("|"))
_SAYS_WHEN: Final = re.compile(
    rf"\b(?:{_WEEKDAYS}|{_MONTHS}|{_ORDINALS})(?!\w)|\b(?:noon|midnight|o'?\s?clock|a\.?\s?m|p\.?\s?m)\b"
    rf"|\d{{1,2}}\s*(?:am|pm)\b"
    rf"|\b\d{{1,4}}[:./-]\d{{1,2}}|\b(?:1[5-9]|20)\d\d\b|\b(?:{_HOURS})\s+(?:am|pm|thirty|fifteen|forty)\b"
    r"|\b(?:past|to)\s+(?:" + _HOURS + r")\b|\bchristmas\b|\beaster\b",
    re.IGNORECASE,
)
_HOW_LONG: Final = re.compile(r"\b(?:seconds|minutes?|hours?|days|weeks|months|years|mins?|hrs?)\b", re.IGNORECASE)


def person(text: str, start: int, end: int) -> Iterator[Span]:
    """The PERSON in `text` from `start` to `end` without titles, degrees and marks; none if no name is left."""
    if owner := _OWNED.search(text[start:end]):
        end = start + owner.start()
    while match := _TITLE.match(text, start, end) or _ROLE.match(text, start, end):
        start = match.end()
    if suffix := _SUFFIX.search(text[start:end]):
        end = start + suffix.start()
    yield from trimmed(text, start, end, "PERSON")


def trimmed(text: str, start: int, end: int, kind: str) -> Iterator[Span]:
    """The span of `kind` without a `#` before it, quotation marks round it and punctuation after it.

    None if no letter and no figure is left.
    """
    while start < end and (text[start] in f"#@,.;:!?-\u2014 {_QUOTES}" or text[start].isspace()):
        start += 1
    while start < end and (
        text[end - 1] in f",;:!?-\u2014 {_QUOTES}"
        or text[end - 1].isspace()
        or (text[end - 1] == "." and not _ABBREVIATED.search(text[start:end]))
        or (text[end - 1] == ")" and "(" not in text[start:end])
    ):
        end -= 1
    if any(letter.isalnum() for letter in text[start:end]):
        yield start, end, kind


def place(text: str, start: int, end: int) -> Iterator[Span]:
    """A place or a whole address as ADDRESS and LOCATION spans, part by part between commas and line breaks.

    A number alone ("No. 68") belongs to the street that follows it. A part without a capital letter ("the living
    room") is no name and gives nothing, unless the whole has none (text in lower case).
    """
    lower = text[start:end].islower()
    pending: int | None = None
    for match in re.finditer(r"[^,\n;()]+", text[start:end]):
        left, right = start + match.start(), start + match.end()
        part = match.group().strip()
        if _BARE_NUMBER.match(part):
            pending = left if pending is None else pending
        elif (
            _HOUSE_AND_STREET.match(part)
            or _STREET_LEVEL.match(part)
            or (pending is not None and re.search(_STREET, part, re.IGNORECASE))
        ):
            yield from trimmed(text, left if pending is None else pending, right, "ADDRESS")
            pending = None
        else:
            if pending is not None:
                yield from trimmed(text, pending, left, "ADDRESS")
                pending = None
            if lower or any(letter.isupper() or ord(letter) > 0x2E80 for letter in part):
                yield from trimmed(text, left, right, "LOCATION")
    if pending is not None:
        yield from trimmed(text, pending, end, "ADDRESS")


def addresses_joined(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """`spans` in order, an ADDRESS made one with the next where only places and separators stand between, and with the place
    that one blank parts from it.

    So "12 High Street, Springfield, 62701" is one ADDRESS, and so is "Hauptstr. 5, 10115 Berlin".
    """
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and (joined[-1][2], span[2]) == ("ADDRESS", "LOCATION") and text[joined[-1][1] : span[0]] == " ":
            joined[-1] = (joined[-1][0], span[1], "ADDRESS")
            continue
        joined.append(span)
        if span[2] != "ADDRESS":
            continue
        first = _address_before(text, joined)
        if first < len(joined) - 1:
            joined[first:] = [(joined[first][0], span[1], "ADDRESS")]
    return tuple(joined)


def says_when(value: str) -> bool:
    """Whether a date or time as a set marks it is a DATE_TIME here: "next friday", "five pm"; not "in two hours"."""
    return len(value) < 40 and bool(_SAYS_WHEN.search(value)) and not _HOW_LONG.search(value)


def may_say_when(text: str) -> bool:
    """Whether something in `text` may be a DATE_TIME, if only a word such as "march"."""
    return _SAYS_WHEN.search(text) is not None


def neighbours_joined(text: str, spans: Iterable[Span], kind: str) -> tuple[Span, ...]:
    """`spans` in order, those of `kind` made one where a single space or comma parts them ("friday" "five pm")."""
    joined: list[Span] = []
    for span in sorted(spans):
        start, end, label = span
        if joined and kind == label == joined[-1][2] and text[joined[-1][1] : start] in {" ", ", ", ","}:
            joined[-1] = (joined[-1][0], end, kind)
        else:
            joined.append(span)
    return tuple(joined)


def _address_before(text: str, spans: Sequence[Span]) -> int:
    """The index of the first span that the last one, an ADDRESS, belongs together with."""
    first = index = len(spans) - 1
    while index > 0 and _BETWEEN.match(text[spans[index - 1][1] : spans[index][0]]):
        index -= 1
        if spans[index][2] == "ADDRESS":
            first = index
        elif spans[index][2] != "LOCATION":
            break
    return first
