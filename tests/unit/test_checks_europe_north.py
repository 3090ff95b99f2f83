"""Checks of northern Europe beside python-stdnum, and the rules of the United Kingdom, Sweden and Finland beside Presidio's."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pytest
from presidio_analyzer import EntityRecognizer
from presidio_analyzer.predefined_recognizers import (
    FiPersonalIdentityCodeRecognizer,
    NhsRecognizer,
    SeOrganisationsnummerRecognizer,
    SePersonnummerRecognizer,
    UkDrivingLicenceRecognizer,
    UkNinoRecognizer,
    UkPassportRecognizer,
    UkPostcodeRecognizer,
    UkVehicleRegistrationRecognizer,
)

from classifiers.checks.arithmetic import is_date, weighted
from classifiers.checks.europe_north import CHECKS, COUNTRIES
from classifiers.rules import CATALOGUE, Rule, load_rules

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FILES = ("dk", "fi", "fo", "ie", "is", "no", "se", "uk")
DRAWS = 800


def drawn(shape: str, rng: random.Random) -> str:
    """A value of a shape: # is a digit, @ a letter, [..] one of, anything else itself."""
    tokens = re.findall(r"\[[^\]]+\]|.", shape)
    choices = [{"#": DIGITS, "@": LETTERS}.get(token, token.strip("[]") or token) for token in tokens]
    return "".join(map(rng.choice, choices))


def completed(shape: str, accepts: Callable[[str], bool], rng: random.Random) -> str:
    """A value of the shape that is accepted, from few draws: its last three digits are tried out."""
    for _ in range(2_000):
        value = drawn(shape, rng)
        places = [at for at, each in enumerate(value) if each in DIGITS][-3:]
        for number in range(1000):
            for at, digit in zip(places, f"{number:03}", strict=True):
                value = value[:at] + digit + value[at + 1 :]
            if accepts(value):
                return value
    raise AssertionError(f"no value of the shape {shape} is accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """A module of stdnum, shapes to draw from, and values that we judge otherwise on purpose."""

    check: str
    module: str
    shapes: tuple[str, ...]
    differs: Callable[[str], bool] = lambda _: False


def born_later(value: str) -> bool:
    """stdnum asks today's date whether one was born yet."""
    return 15 <= int(value[4:6]) <= 57


def remainder_of_vat(value: str) -> int:
    """Of the nine digits of a British VAT number, by 97."""
    return weighted(value[2:11], (8, 7, 6, 5, 4, 3, 2, 10, 1)) % 97


ORACLES = (
    Oracle(check="gb_nhs", module="gb.nhs", shapes=("##########",), differs=lambda value: len(set(value)) == 1),
    Oracle(check="gb_utr", module="gb.utr", shapes=("##########",)),
    # stdnum also lets 55 pass, for which no source was found.
    Oracle(
        check="gb_vat",
        module="gb.vat",
        shapes=("GB#########", "XI#########", "GB9########001", "GBGD###", "GBHA###"),
        differs=lambda value: value[2:5].isdigit() and (value.endswith("000000000") or remainder_of_vat(value) == 55),
    ),
    # stdnum has a list of the authorities.
    Oracle(check="gb_upn", module="gb.upn", shapes=("@801#########", "@801########@"), differs=lambda value: bool(set(value) & set("IOS"))),
    Oracle(check="ie_pps", module="ie.pps", shapes=("#######@", "#######@[ABHWTX]")),
    Oracle(check="ie_vat", module="ie.vat", shapes=("IE#######[ABCDEFGHIJKLMNOPQRSTUVW]", "IE#######[ABCDEFGHIJKLMNOPQRSTUVW]A", "IE#[ABCDEFGHIJKLMNOPQRSTUVWXYZ]#####[ABCDEFGHIJKLMNOPQRSTUVW]")),
    Oracle(check="dk_cpr", module="dk.cpr", shapes=("[0123]#[01]#######",), differs=born_later),
    Oracle(check="dk_cvr", module="dk.cvr", shapes=("########", "DK########")),
    # Numbers of test persons have their month raised, those of emergency care as well; D numbers are a check of their own.
    Oracle(
        check="no_fodselsnummer",
        module="no.fodselsnummer",
        shapes=("[0123]#[01]#[0145679]######",),
        differs=lambda value: int(value[:2]) > 31 or int(value[2:4]) > 12 or born_later(value) or len(set(value[6:])) == 1,
    ),
    Oracle(
        check="no_d_number",
        module="no.fodselsnummer",
        shapes=("[4567]#[01]#[0145679]######",),
        differs=lambda value: int(value[2:4]) > 12 or born_later(value) or len(set(value[6:])) == 1 or int(value[:2]) > 71,
    ),
    Oracle(check="no_organisation", module="no.orgnr", shapes=("#########",), differs=lambda value: len(set(value)) == 1),
    # Accounts of the former Postgiro, which begin with zeros, are left out.
    Oracle(check="no_account", module="no.kontonr", shapes=("[123456789]##########",)),
    Oracle(check="se_personnummer", module="se.personnummer", shapes=("[56789]#[01]#[0123]#-####", "19[56789]#[01]#[0123]#-####")),
    Oracle(
        check="se_organisation",
        module="se.orgnr",
        shapes=("##########", "556#######"),
        # The third digit tells an organisation from a person.
        differs=lambda value: value[2] in "01",
    ),
    Oracle(check="se_vat", module="se.vat", shapes=("SE##########01",), differs=lambda value: not value.endswith("01")),
    Oracle(check="fi_business", module="fi.ytunnus", shapes=("#######-#",), differs=lambda value: value == "0000000-0"),
    # stdnum refuses 900 to 999 (temporary, used in hospitals) and 000 and 001.
    Oracle(
        check="fi_identity_code",
        module="fi.hetu",
        shapes=("[0123]#[01]###[-+ABCDEFUVWXY]###[0123456789ABCDEFHJKLMNPRSTUVWXY]",),
        differs=lambda value: not 2 <= int(value[7:10]) <= 899,
    ),
    Oracle(
        check="is_kennitala",
        module="is_.kennitala",
        shapes=("[01234567]#[01]######[09]",),
        differs=lambda value: value[9] == "8",
    ),
)  # fmt: skip


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.check)
def test_a_check_says_of_random_and_of_valid_values_what_stdnum_says(oracle: Oracle) -> None:
    """Random values, valid ones, and valid ones with one digit changed."""
    rng = random.Random(oracle.check)
    ours, theirs = CHECKS[oracle.check], import_module(f"stdnum.{oracle.module}").is_valid
    values = [drawn(shape, rng) for shape in oracle.shapes for _ in range(DRAWS)]
    valid = [completed(oracle.shapes[0], theirs, rng) for _ in range(8)]
    for value in valid:
        at = rng.choice([at for at, each in enumerate(value) if each in DIGITS])
        values += [value[:at] + digit + value[at + 1 :] for digit in DIGITS]
    judged = [value for value in values if not oracle.differs(value)]
    assert [] == [(value, ours(value)) for value in judged if ours(value) != theirs(value)]
    assert any(map(ours, judged))


@pytest.mark.parametrize(
    ("check", "value"),
    [
        ("gb_chi", "1207654213"),
        ("gb_health_and_care", "3485642258"),
        ("fi_satu", "42753799T"),
        ("se_bankgiro", "940-9186"),
        ("se_samordningsnummer", "811288-2256"),
        ("no_d_number", "55037543615"),
        ("gb_nhs", "9434765919"),
    ],
)
def test_another_digit_at_one_place_is_noticed(check: str, value: str) -> None:
    """Each of these checksums notices a single wrong digit."""
    changed = [
        value[:at] + digit + value[at + 1 :]
        for at, each in enumerate(value)
        if each in DIGITS
        for digit in DIGITS
        if digit != each
    ]
    assert CHECKS[check](value)
    assert [] == [other for other in changed if CHECKS[check](other)]


def test_the_seventh_digit_of_a_danish_number_gives_the_century() -> None:
    """1900 was no leap year and 2000 was; with a 5 the year 57 is of the 2000s and 58 of the 1800s."""
    numbers = ("1205813123", "3205813123", "2902003123", "2902004123", "2902565123", "2902585123", "2902605123")
    assert [True, False, False, True, True, False, True] == [CHECKS["dk_cpr"](number) for number in numbers]


@pytest.mark.parametrize(
    ("value", "country"), [("SW1A 1AA", "GB"), ("GY1 1AA", "GG"), ("JE2 3AB", "JE"), ("IM1 1AA", "IM")]
)
def test_a_postcode_of_a_crown_dependency_is_its_own(value: str, country: str) -> None:
    """They are no part of the United Kingdom."""
    assert country == COUNTRIES["gb_postcode_country"](value)


RULES = [rule for rule in load_rules(CATALOGUE / "countries") if rule.id.split(".")[0] in FILES]


def spans(entity: str, text: str) -> set[tuple[int, int]]:
    """Where the rules of an entity have their values in `text`."""
    found: set[tuple[int, int]] = set()
    for rule in (rule for rule in RULES if rule.entity == entity):
        passes = CHECKS[rule.check] if rule.check else lambda _: True
        for run in re.finditer(r"\b[0-9]+(?:[ ./-][0-9]+)*\b", text):
            number = re.sub("[^0-9]", "", run[0])
            if len(number) in rule.digits and passes(number):
                found.add(run.span())
        for expression in rule.expressions:
            for match in re.finditer(expression, text, re.IGNORECASE if rule.caseless else 0):
                if passes(match[match.re.groups]):
                    found.add(match.span(match.re.groups))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A recogniser of Presidio, shapes of values, and those it finds that we refuse on purpose (see the heads of the files)."""

    recogniser: EntityRecognizer
    shapes: tuple[str, ...]
    refused: Callable[[str], bool] = lambda _: False


def no_area(value: str) -> bool:
    """Whether no postcode area has these letters."""
    return not spans("UK_POSTCODE", f"{value[:-3].strip()[:2].rstrip(DIGITS)}1 1AA")


def no_day(value: str) -> bool:
    """Whether the day of birth does not exist in any century."""
    number = re.sub("[^0-9]", "", value)[-10:]
    day = int(number[4:6]) % 60
    return not any(is_date(century + int(number[:2]), int(number[2:4]), day) for century in (1900, 2000))


TWINS = (
    Twin(recogniser=NhsRecognizer(), shapes=("### ### ####", "###-###-####", "##########")),
    Twin(recogniser=UkNinoRecognizer(), shapes=("@@######[ABCD]", "@@ ## ## ## [ABCDE]", "ab######c", "[BGKNTZ][BGKNTZ]######A")),
    Twin(recogniser=UkPassportRecognizer(), shapes=("@@#######", "@########")),
    Twin(recogniser=UkDrivingLicenceRecognizer(), shapes=("@@@@[A9]#0#1##@@#@@", "@@[A9]99#510##@[A9]@@@", "99999#01#1#@@@@@")),
    Twin(recogniser=UkPostcodeRecognizer(), shapes=("@# #@@", "@@# #@@", "@@## #@@", "@@#@ #@@", "@##@@", "@@##@@"), refused=no_area),
    Twin(recogniser=UkVehicleRegistrationRecognizer(), shapes=("@@## @@@", "@@##@@@", "@### @@@", "@@@ ###@", "@@@-##-@")),
    Twin(
        recogniser=SePersonnummerRecognizer(),
        shapes=("##[01]#[012345678]#-####", "##[01]#[01236789]#####", "19##[01]#[0123]#-####", "##[01]#[0123]#+####"),
        refused=lambda value: no_day(value) or int(re.sub("[^0-9]", "", value)[-6:-4]) == 60,
    ),
    Twin(recogniser=SeOrganisationsnummerRecognizer(), shapes=("######-####", "556#######")),
    Twin(recogniser=FiPersonalIdentityCodeRecognizer(), shapes=("[0123]#[01]###-###@", "[0123]#[01]###A####", "[0123]#[01]###+####")),
)  # fmt: skip


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: type(twin.recogniser).__name__)
def test_the_values_that_presidio_finds_have_the_same_place_here(twin: Twin) -> None:
    """What Presidio finds in a text, the rules of the same entity can find, except what the rule file says is refused."""
    (entity,) = twin.recogniser.supported_entities
    rng, seen = random.Random(entity), 0
    for value in [drawn(shape, rng) for shape in twin.shapes for _ in range(300)]:
        text = f"x: {value}."
        theirs = {
            (found.start, found.end)
            for found in twin.recogniser.analyze(text, [entity])
            if text[found.start :].startswith(value)
        }
        if theirs and not twin.refused(value):
            seen += 1
            assert theirs & spans(entity, text), value
    assert seen > 0


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.check], ids=lambda rule: rule.id)
def test_a_check_never_raises(rule: Rule) -> None:
    """Digits of the permitted numbers, and each example with each of its digits changed."""
    assert rule.check is not None
    rng, check = random.Random(rule.id), CHECKS[rule.check]
    for length in rule.digits:
        assert {check("".join(rng.choices(DIGITS, k=length))) for _ in range(500)} <= {True, False}
        assert check("0" * length) is False
    for example in (*rule.valid, *rule.invalid):
        for at in [at for at, each in enumerate(example) if each in DIGITS] * 2:
            changed = example[:at] + rng.choice(DIGITS) + example[at + 1 :]
            for text in rule.expressions:
                match = re.fullmatch(text, changed, re.IGNORECASE if rule.caseless else 0)
                if match is not None:
                    assert check(match[match.re.groups]) in {True, False}
