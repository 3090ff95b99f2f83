"""What English text shows by its form, where a set that marks other types leaves it unmarked.

A set of names has dates, ages and nationalities in it without a tag. Those that are plain by their form get their span
here, so that training sees them; what merely could be one is a doubt, and the row says so in `unmarked`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from classifiers.training.rows import Span, tidy

_MONTH: Final = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan\.?|Feb\.?|Mar\.?|Apr\.?|Jun\.?|Jul\.?|Aug\.?|Sept?\.?|Oct\.?|Nov\.?|Dec\.?)"
)
_DAY: Final = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)?"
_WEEKDAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_YEAR: Final = r"(?:1[5-9]|20)\d\d"
_CLOCK: Final = (
    r"(?:[01]?\d|2[0-3])(?::[0-5]\d){1,2}(?:\s?[AaPp]\.?[Mm]\b\.?)?|(?:1[0-2]|[1-9])\s?(?:[AaPp]\.[Mm]\.|[AaPp][Mm]\b)"
)

_DATES: Final = re.compile(
    rf"\b(?:(?:next|last)\s)?(?:{_WEEKDAY},?\s)?(?:"
    rf"{_MONTH}\s{_DAY}(?!\w|[:.]\d)(?:,?\s{_YEAR}\b)?"
    rf"|{_DAY}\s(?:of\s)?{_MONTH}(?!\w)(?:,?\s{_YEAR}\b)?"
    rf"|{_MONTH},?\s{_YEAR}\b)(?:(?:,?\s|\sat\s)(?:{_CLOCK}))?"
    rf"|\b(?:(?:next|last)\s)?{_WEEKDAY}\b"
    rf"|\b(?:\d{{1,2}}\s?[-\u2013]\s?)?(?:{_CLOCK})(?![\w%])"
    rf"|\b{_YEAR}-[01]\d-[0-3]\d\b(?:[T ]\d\d:\d\d(?::\d\d)?)?|\b[0-3]?\d[/.][0-3]?\d[/.](?:{_YEAR}|\d\d)\b"
)
_YEARS: Final = re.compile(
    rf"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Ff]rom|[Bb]y|[Bb]efore|[Aa]fter|[Dd]uring|[Aa]round|[Cc]irca|early|late|mid|and"
    rf"|to|of"
    rf"|{_MONTH})\s(?P<year>{_YEAR})(?=[\s,.;:)!?]|$)(?!\s[a-z]+s\b)|\((?P<bracketed>{_YEAR})\)"
)
_AGES: Final = re.compile(
    r"\b(?:\d{1,3}|[a-z]+)[- ](?:year|yr|month|week|day)s?[- ]olds?\b|\b\d{1,3}\s?(?:y/?o|yrs? old)\b"
    r"|\baged\s\d{1,3}\b(?!\s?[-\u2013])|\bage(?:\sof|d)?\s(?P<number>\d{1,3})\b(?!\s?[-\u2013%])",
)
_HANDLES: Final = re.compile(r"(?<![\w@/.])@[A-Za-z0-9_]{2,}\b(?!\.[A-Za-z]|@)")

_DEMONYMS: Final = re.compile(
    r"\b(?<!#)(?:Afghan|Albanian|Algerian|American|Angolan|Arab|Argentin(?:e|ian|ean)|Armenian|Asian|Australian"
    r"|Austrian|"
    r"Azerbaijani|Bahraini|Bangladeshi|Basque|Bavarian|Belarusian|Belgian|Bolivian|Bosnian|Brazilian|Briton|Bulgarian|"
    r"Burmese|Cambodian|Cameroonian|Canadian|Catalan|Chechen|Chilean|Chinese|Colombian|Congolese|Croat|Croatian|Cuban|"
    r"Cypriot|Czech|Dane|Ecuadorian|Egyptian|Eritrean|Estonian|Ethiopian|European|Filipino|Finn|Georgian|German"
    r"|Ghanaian|"
    r"Greek|Guatemalan|Haitian|Honduran|Hungarian|Icelander|Indian|Indonesian|Iranian|Iraqi|Israeli|Italian|Ivorian|"
    r"Jamaican|Jordanian|Kazakh|Kenyan|Korean|Kurd|Kuwaiti|Latvian|Lebanese|Liberian|Libyan|Lithuanian|Macedonian|"
    r"Malaysian|Maltese|Mexican|Moldovan|Mongolian|Moroccan|Nepali|Nepalese|Nigerian|Norwegian|Pakistani|Palestinian|"
    r"Panamanian|Paraguayan|Persian|Peruvian|Pole|Portuguese|Prussian|Qatari|Romanian|Russian|Rwandan|Saudi|Scot"
    r"|Senegalese|"
    r"Serb|Serbian|Sicilian|Singaporean|Slovak|Slovene|Slovenian|Somali|Spaniard|Sudanese|Swede|Syrian|Taiwanese"
    r"|Tanzanian|"
    r"Thai|Tibetan|Tunisian|Turk|Ugandan|Ukrainian|Uruguayan|Uzbek|Venezuelan|Vietnamese|Yemeni|Zambian|Zimbabwean|"
    r"African[ -]American|Muslim|Jew|Hindu|Buddhist|Sikh|Protestant|Mormon|Methodist|Lutheran|Anglican|Baptist|Sunni|"
    r"Shiite|Communist|Marxist)s?\b"
    r"|\b(?<!#)(?:British|Cornish|Danish|Dutch|English|Englishm[ae]n|Finnish|Flemish|French|Frenchm[ae]n|Icelandic"
    r"|Irish|"
    r"Japanese|Jewish|Islamic|Polish|Scottish|Spanish|Swedish|Swiss|Turkish|Welsh|Kurdish|Catholics?)\b"
)
_NOT_OF_PEOPLE: Final = re.compile(
    r"^(?:[\s-](?:[Ll]anguage|word|for\b|translation|[Oo]pen\b|Sea\b|Ocean\b|Channel\b|Cup\b|Grand\b|Way\b|Street\b"
    r"|Road\b|fries\b"
    r"|Airlines\b|Press\b|Dream\b|Summer\b|[A-Z]))"
)
_SPOKEN: Final = re.compile(r"(?:\b(?:in|speaks?|spoke|speaking|spoken|learn|into|translate|fluent|[A-Z][a-z]+)\s)$")

_LINKS: Final = re.compile(r"\b(?:https?://|www\.)\S+")

# What a text must show before one of these types can be in it at all.
_SIGNS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "DATE_TIME": re.compile(
            rf"\b{_YEAR}(?:s\b)?|\b\d{{1,2}}/\d{{1,2}}\b|\b\d{{1,2}}[-.]\d{{1,2}}[-.]\d{{2,4}}\b|\d:\d\d|\b(?i:mon|tues"
            rf"|wednes|thurs|fri|satur|sun)day|\b{_MONTH}\b"
            r"|\b(?i:january|february|april|june|july|august|september|october|november|december|christmas|easter)\b"
            r"|\b\d+\s?(?:[ap]\.?m|th|st|nd|rd)\b|\b(?i:mon|tue|tues|wed|thu|thur|thurs|fri|sat|noon|midnight"
            r"|o'clock)\b"
            r"|\b(?i:weekend|morning|tonight|tomorrow|yesterday|last|next)\b|(?<![\d.,])\d{4}(?![\d.,])"
        ),
        "AGE": re.compile(
            r"\b\d{1,2}(?=[,)]|\s?(?:years?|yrs?|months|yo)\b)|\b(?i:aged?|years?|turn(?:s|ed|ing)?\s\d|i'?m\s\d"
            r"|i am\s\d)"
        ),
        "NRP": re.compile(
            r"\b[A-Z][a-z]+(?:ans?|ese|ish|anis?|aqis?|aelis?|ists?|crats?|olics?|slims?|amic)\b"
            r"|\b(?i:muslims?|christians?|jew(?:s|ish)?|catholics?|hindus?|republicans?|democrats?|tor(?:y|ies)"
            r"|labour)\b"
            r"|\b(?i:black|white|asian|african|american|hispanic|latino|caucasian)\b"
        ),
        "USERNAME": re.compile(r"@|(?<![#\w])(?:\w*[A-Za-z]_\w*|[A-Za-z]{3,}\d+|[A-Z]?[a-z]{2,}[A-Z][a-z]{2,}\w*)\b"),
        "ID": re.compile(r"\b[A-Z]{0,4}[-#]?\d{5,}\b|#\s?\d{3,}|\b(?i:no|number|id|ref)\b\.?\s*#?\d{3,}"),
        "ADDRESS": re.compile(r"\d.*\b(?i:street|road|avenue|lane|drive|st|rd|ave|square|boulevard|hwy)\b|\d{5}"),
        "MEDICAL": re.compile(
            r"\b(?i:\w*(?:itis|osis|emia|oma|ectomy|pathy|algia)|cancer|diabet\w+|disease|flu|sick|ill|hospital\w*"
            r"|doctor|surgery"
            r"|pills?|drugs?|treat\w*|depress\w+|anxi\w+|pain|headache|hiv|aids|virus|vaccin\w+|injur\w+|asthma"
            r"|allerg\w+"
            r"|pregnan\w+|fever|stroke|ebola|cold|cough|tumou?rs?|migraine|medic\w+|heroin|overdose|syndrome|disorder"
            r"|symptom\w*)\b"
        ),
    }
)


def marked(text: str, spans: Iterable[Span], *, types: Iterable[str]) -> tuple[Span, ...]:
    """`spans` and, where none of them stands, what is one of `types` by its form."""
    held = list(spans)
    for kind in types:
        for start, end, label in _FORMS[kind](text):
            if all(end <= left or right <= start for left, right, _ in held):
                held.append((start, end, label))
    return tidy(text, held)


def doubtful(text: str, spans: Iterable[Span], types: Iterable[str]) -> frozenset[str]:
    """Those of `types` that `text` outside `spans` may hold; a type without a known sign always may."""
    outside = list(_LINKS.sub(lambda link: " " * len(link.group()), text))
    for start, end, _ in spans:
        outside[start:end] = " " * (end - start)
    rest = "".join(outside)
    return frozenset(kind for kind in types if kind not in _SIGNS or _SIGNS[kind].search(rest))


def handles(text: str) -> Iterator[Span]:
    """The @handles of `text`, each with its @."""
    for match in _HANDLES.finditer(text):
        yield match.start(), match.end(), "USERNAME"


def _dates(text: str) -> Iterator[Span]:
    for match in _DATES.finditer(text):
        yield match.start(), match.end() - match.group().endswith("."), "DATE_TIME"
    for match in _YEARS.finditer(text):
        group = "year" if match["year"] else "bracketed"
        yield match.start(group), match.end(group), "DATE_TIME"


def _ages(text: str) -> Iterator[Span]:
    for match in _AGES.finditer(text):
        group = "number" if match["number"] else 0
        yield match.start(group), match.end(group), "AGE"


def _demonyms(text: str) -> Iterator[Span]:
    """Nationalities and religions; not a language, and not a word of a longer name."""
    for match in _DEMONYMS.finditer(text):
        before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() :]
        if not _NOT_OF_PEOPLE.match(after) and not _SPOKEN.search(before):
            yield match.start(), match.end(), "NRP"


_FORMS: Final = MappingProxyType({"DATE_TIME": _dates, "AGE": _ages, "NRP": _demonyms, "USERNAME": handles})


def is_demonym(word: str) -> bool:
    """Whether `word` is a nationality or a religion."""
    return _DEMONYMS.fullmatch(word) is not None


def has_demonym(text: str) -> bool:
    """Whether a nationality or a religion stands in `text`, in whatever case and sense."""
    return _DEMONYMS.search(text.title()) is not None
