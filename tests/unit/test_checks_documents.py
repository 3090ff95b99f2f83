"""Documents, vehicles, places and dates."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta
from functools import cache

import pytest
from presidio_analyzer.predefined_recognizers.generic.date_recognizer import DateRecognizer

from classifiers.checks.documents import CHECKS, COUNTRIES
from classifiers.normalisation import fold
from classifiers.registries import travel_document_states
from classifiers.rules import CATALOGUE, Rule, load_rules

VALUES = {each: at for at, each in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")} | {"<": 0}


@cache
def rules() -> dict[str, Rule]:
    """The family rules by id."""
    return {rule.id: rule for rule in load_rules(CATALOGUE / "families")}


def digit(field: str) -> str:
    """The check digit of a field, computed here apart from the code under test."""
    return str(sum(VALUES[each] * (7, 3, 1)[at % 3] for at, each in enumerate(field)) % 10)


def passport(state: str, number: str, birth: str, expiry: str) -> str:
    """The two lines of a passport."""
    upper = f"P<{state:<<3}MUSTER<<ERIKA".ljust(44, "<")
    number, personal = number.ljust(9, "<"), "<" * 14
    lower = f"{number}{digit(number)}{state:<<3}{birth}{digit(birth)}F{expiry}{digit(expiry)}{personal}<"
    composite = lower[:10] + lower[13:20] + lower[21:43]
    return f"{upper}\n{lower}{digit(composite)}"


def test_a_passport_of_every_state_is_accepted_with_its_country() -> None:
    """The code of the issuing state becomes alpha-2; D is Germany, and the United Nations are no country."""
    for code, country in travel_document_states().items():
        lines = passport(code, "C01X00T47", "640812", "330228")
        assert CHECKS["mrz_td3"](lines)
        assert CHECKS["mrz_td3"](lines.partition("\n")[2])
        assert country == COUNTRIES["mrz_country"](lines)
    assert ("DE", None) == (travel_document_states()["D"], travel_document_states()["UNO"])


def test_a_passport_with_one_character_changed_is_not_accepted() -> None:
    """Every character of the second line that a check digit covers."""
    lines = passport("D", "C01X00T47", "640812", "330228")
    accepted = []
    for at in [*range(45, 55), *range(58, 65), *range(66, 73), 88]:
        for other in "0123456789":
            changed = lines[:at] + other + lines[at + 1 :]
            if (VALUES[other] - VALUES[lines[at]]) % 10 and CHECKS["mrz_td3"](changed):
                accepted.append(changed)
    assert [] == accepted


def matches(text: str) -> set[str]:
    """What the date rules find."""
    found = set()
    for rule_id in ("family.date_time", "family.date", "family.date_month_name", "family.date_short"):
        rule = rules()[rule_id]
        for expression in rule.expressions:
            for match in re.finditer(expression.encode(), text.encode("ascii"), re.IGNORECASE if rule.caseless else 0):
                value = match[match.re.groups].decode()
                if CHECKS[rule.check or ""](value):
                    found.add(value)
    return found


def outermost(found: set[str]) -> set[str]:
    """Without what is part of another."""
    return {each for each in found if not any(each != other and each in other for other in found)}


@pytest.mark.parametrize(
    "form",
    [
        "%m/%d/%Y", "%m/%d/%y", "%d/%m/%Y", "%d/%m/%y", "%Y/%m/%d", "%m-%d-%Y", "%d-%m-%Y", "%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y",
        "%d-%b-%Y", "%d-%b-%y", "%b-%Y", "%d-%b", "%m/%Y", "%m/%y", "%Y-%m-%dT12:30:45Z", "%Y-%m-%dT12:30:45.123+02:00",
    ],
)  # fmt: skip
def test_dates_are_those_of_presidio(form: str) -> None:
    """Its thirteen patterns over days of a century."""
    recognizer, drawn = DateRecognizer(), random.Random(11)
    for _ in range(40):
        written = (date(1950, 1, 1) + timedelta(days=drawn.randrange(36_000))).strftime(form)
        text = f"on {written} we"
        theirs = {text[each.start : each.end] for each in recognizer.analyze(text, ["DATE_TIME"], None)}
        assert outermost(theirs) == outermost(matches(text)) == {written}


@pytest.mark.parametrize("written", ["30.02.2024", "2023-02-29", "31/31/2024", "31-11-2024", "31-APR-2024"])
def test_days_that_no_calendar_has_are_no_dates(written: str) -> None:
    """Presidio reports them."""
    recognizer = DateRecognizer()
    if written != "31/31/2024":
        assert [] != recognizer.analyze(written, ["DATE_TIME"], None)
    assert written not in matches(written)


def test_a_date_of_birth_lies_in_living_memory() -> None:
    """No one was born in 1780, or will be born next century."""
    assert [True, True, True, True, False, False] == [
        CHECKS["birth_date"](each)
        for each in ("3 March 1980", "03.12.80", "19801203", "1980\x0112\x013", "3/12/1780", "1/1/2190")
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("29 kwietnia 1985", True),
        ("31 kwietnia 1985", False),
        ("31 listopada 1985", True),  # November in Polish, October in Croatian
        ("29 апреля 1985", True),
        ("29 АПРЕЛЯ 1985", True),
        ("29 комнат 1985", False),
        ("29 Απριλίου 1985", True),
        ("29 באפריל 1985", True),
        ("29 अप्रैल 1985", True),
        ("29APR85", True),
        ("29 ap 1985", False),
        ("29 aprx 1985", False),
        ("29. 4. 1985", True),
        ("1985. 4. 29", True),
        ("1985. április 29", True),
        ("29 tháng 4 năm 1985", True),
        ("29/04/2528", True),
        ("29/02/2531", True),
        ("29/04/2428", False),
        ("29/04/2590", False),
        ("29 เมษายน 2528", True),
        ("昭和60年4月29日", True),
        ("民國74年4月31日", False),
        ("民國130年4月29日", False),
        ("1985년 4월 29일", True),
    ],
)
def test_a_date_of_birth_is_read_in_the_languages_and_calendars_of_its_words(value: str, *, expected: bool) -> None:
    """As folding leaves it: months by name, years of eras and of Thailand."""
    assert expected == CHECKS["birth_date"](fold(value).scan.decode("latin-1"))


def test_a_changed_vehicle_number_is_not_accepted() -> None:
    """Each digit behind the check digit replaced by the next one."""
    number = "1M8GDM9AXKP042788"
    assert CHECKS["vin_north_america"](number)
    for at in range(11, 17):
        assert not CHECKS["vin_north_america"](number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :])


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        ("decimal_pair", "52.51630, 13.37770", True), ("decimal_pair", "52.51630, 190.37770", False),
        ("sexagesimal_pair", "52\x0131'12.0\"N 13\x0124'18.0\"E", True), ("sexagesimal_pair", "52\x0161'12\"N 13\x0124'18\"E", False),
        ("plus_code", "8FVC9G8F+6X", True), ("plus_code", "XX4MGC2Q+8W", False),
        ("geohash", "u33db2m3", True), ("geohash", "123456", False), ("age", "42 years old", True), ("age", "420 years", False),
    ],
)  # fmt: skip
def test_places_and_ages_lie_in_range(check: str, value: str, expected: bool) -> None:
    """Degrees, minutes, codes and years."""
    assert expected == CHECKS[check](value)
