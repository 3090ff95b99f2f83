"""Dates, times and ages as people, forms and machines write them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

_MONTHS: Final[Mapping[str, Sequence[str]]] = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split(),
    "nl": "januari februari maart april mei juni juli augustus september oktober november december".split(),
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split(),
}
_WEEKDAYS: Final[Mapping[str, Sequence[str]]] = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(),
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche".split(),
    "es": "lunes martes miércoles jueves viernes sábado domingo".split(),
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica".split(),
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag".split(),
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo".split(),
}
# d, m, y: numbers; D, M: padded; Y: two digits of the year; N: the month's name; B: its first three letters; O: 3rd.
_DATES: Final[Mapping[str, Sequence[str]]] = {
    "en": [
        "d N y", "N d, y", "d N", "N d", "N O", "O N", "O of N", "N O, y", "O N y", "d B y", "B d, y", "B d", "d B", "N y",
        "y-M-D", "D/M/y", "m/d/y", "m/d/Y", "D.M.y", "d-B-y", "y/M/D", "N d y", "d. B y", "M/D/y", "d/m/Y", "B d y",
        "D/M", "d/m", "d-m-y", "O B", "B O", "N", "B y",
    ],
    "de": ["d. N y", "d. N", "D.M.y", "d.m.Y", "d.m.", "N y", "d. B y", "y-M-D", "D.M.Y"],
    "fr": ["d N y", "d N", "D/M/y", "d/m/Y", "N y", "D.M.y", "y-M-D"],
    "es": ["d de N de y", "d de N", "D/M/y", "d/m/Y", "N de y", "d N y", "D-M-y", "y-M-D"],
    "it": ["d N y", "d N", "D/M/y", "N y", "y-M-D", "d/m/Y"],
    "nl": ["d N y", "d N", "D-M-y", "d-m-Y", "N y", "y-M-D"],
    "pt": ["d de N de y", "d de N", "D/M/y", "d/m/Y", "N de y", "y-M-D"],
}  # fmt: skip
_WORDED = [
    "last W",
    "next W",
    "this W",
    "W the O",
    "W, N d",
    "W, d N",
    "W d N",
    "the O of N",
    "N O",
    "early N y",
    "W N O",
    "the O",
    "late N",
    "last N",
    "next N",
    "W morning",
    "W afternoon",
    "W evening",
    "W night",
    "W noon",
    "next W morning",
    "W, O N",
    "W d B",
]
# Words of a form that stand for themselves.
_KEPT: Final = frozenset("de of the last next this early late morning afternoon evening night noon".split())
_AGES: Final[Mapping[str, Sequence[str]]] = {
    "en": [
        "# years old",
        "# years old",
        "# years old",
        "aged #",
        "# yrs old",
        "#yo",
        "# y/o",
        "#-year-old",
        "age #",
        "# year old",
    ],
    "de": ["# Jahre alt", "# Jahre"],
    "fr": ["# ans"],
    "es": ["# años"],
    "it": ["# anni"],
    "nl": ["# jaar oud", "# jaar"],
    "pt": ["# anos", "# anos de idade"],
}
_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()


def date(chance: random.Random, language: str) -> str:
    """A date in any spelling of `language`."""
    return _dated(chance, language, chance.choice(_DATES.get(language, _DATES["en"])))


def short_date(chance: random.Random, language: str) -> str:
    """A date in digits."""
    forms = _DATES.get(language, _DATES["en"])
    return _dated(chance, language, chance.choice([form for form in forms if not set(form) & set("NBO")]))


def worded_date(chance: random.Random, language: str) -> str:
    """A date with its month or weekday in words."""
    if language in _DATES and language != "en":
        return _dated(chance, language, _DATES[language][0 if chance.random() < 0.5 else 1])
    return _dated(chance, "en", chance.choice(_WORDED))


def weekday(chance: random.Random, language: str) -> str:
    """A day of the week, in English now and then short."""
    name = chance.choice(_WEEKDAYS.get(language, _WEEKDAYS["en"]))
    return name[:3] if language == "en" and chance.random() < 0.08 else name


def time(chance: random.Random, language: str) -> str:
    """A time of day."""
    hour, minute = chance.randrange(24), chance.choice((0, 0, 5, 10, 15, 15, 20, 30, 30, 40, 45, 45, 50, 55))
    if language == "de" and chance.random() < 0.6:
        return chance.choice((f"{hour}:{minute:02} Uhr", f"{hour} Uhr", f"{hour}.{minute:02} Uhr"))
    if language == "fr" and chance.random() < 0.6:
        return chance.choice((f"{hour}h{minute:02}", f"{hour} h {minute:02}", f"{hour}h"))
    if language != "en" or chance.random() < 0.4:
        return f"{hour:02}:{minute:02}"
    half, noon = hour % 12 or 12, "am" if hour < 12 else "pm"
    return chance.choice(
        (
            f"{half}:{minute:02} {noon}",
            f"{half}:{minute:02}{noon}",
            f"{half}{noon}",
            f"{half} {noon}",
            f"{half}:{minute:02} {noon.upper()}",
            f"{half} {noon[0]}.m.",
            f"{half} o'clock",
            f"half past {_HOURS[half - 1]}",
            f"quarter to {_HOURS[half - 1]}",
            f"{hour:02}:{minute:02}:{chance.randrange(60):02}",
        )
    )


def year(chance: random.Random, _: str) -> str:
    """A year in four digits, most of them of this age."""
    return str(chance.choice((chance.randint(1700, 2030), chance.randint(1940, 2026), chance.randint(2005, 2026))))


def date_and_time(chance: random.Random, language: str) -> str:
    """A date and a time in one."""
    day, clock = _dated(chance, language, "y-M-D"), f"{chance.randrange(24):02}:{chance.randrange(60):02}"
    seconds = f"{chance.randrange(60):02}"
    joint = {"en": " at ", "de": " um ", "fr": " à ", "es": " a las ", "it": " alle ", "nl": " om ", "pt": " às "}
    return chance.choice(
        (
            f"{day} {clock}",
            f"{day}T{clock}:{seconds}Z",
            f"{day}T{clock}:{seconds}.{chance.randrange(1000):03}+0{chance.randrange(4)}:00",
            f"{day} {clock}:{seconds}",
            f"{date(chance, language)}, {clock}",
            f"{date(chance, language)}{joint.get(language, ' ')}{time(chance, language)}",
            f"{weekday(chance, language)}{joint.get(language, ' ')}{time(chance, language)}",
        )
    )


def years(chance: random.Random, *, young: bool = False) -> int:
    """How old somebody is; one in four is a child, and of the `young` nine in ten are."""
    return chance.randint(1, 17) if chance.random() < (0.9 if young else 0.25) else chance.randint(18, 96)


def age(chance: random.Random, language: str, *, young: bool = False) -> str:
    """An age with its unit."""
    if language == "en" and chance.random() < 0.06:
        return f"{chance.randint(2, 23)} {chance.choice(('months', 'weeks', 'days'))} old"
    return chance.choice(_AGES.get(language, _AGES["en"])).replace("#", str(years(chance, young=young)))


def _dated(chance: random.Random, language: str, form: str) -> str:
    """`form` filled in; letters that stand for nothing (`of`, `de`) stay, as whole words."""
    day, month, year = (
        chance.randint(1, 28),
        chance.randrange(12),
        chance.choice((chance.randint(1935, 2026), chance.randint(2018, 2026))),
    )
    name = _MONTHS.get(language, _MONTHS["en"])[month]
    week = _WEEKDAYS.get(language, _WEEKDAYS["en"])[chance.randrange(7)]
    parts = {
        "d": str(day),
        "m": str(month + 1),
        "y": str(year),
        "D": f"{day:02}",
        "M": f"{month + 1:02}",
        "Y": f"{year % 100:02}",
    }
    parts |= {"N": name, "B": name[:3], "O": _ordinal(day), "W": week}
    words = []
    for word in form.split(" "):
        kept = word in _KEPT
        words.append(word if kept else "".join(parts.get(letter, letter) for letter in word))
    return " ".join(words)


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
