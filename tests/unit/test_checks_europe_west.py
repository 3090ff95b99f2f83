"""Checks of western Europe beside python-stdnum, and Germany's rules beside Presidio's recognisers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pytest
from presidio_analyzer.predefined_recognizers import (
    DeFuehrerscheinRecognizer,
    DeHandelsregisterRecognizer,
    DeHealthInsuranceRecognizer,
    DeIdCardRecognizer,
    DeKfzRecognizer,
    DeLanrRecognizer,
    DePassportRecognizer,
    DeSocialSecurityRecognizer,
    DeTaxIdRecognizer,
    DeVatIdRecognizer,
)

from classifiers.checks.arithmetic import is_date
from classifiers.checks.europe_west import CHECKS
from classifiers.rules import CATALOGUE, load_rules

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COUNTRIES = ("at", "be", "ch", "de", "fr", "li", "lu", "mc", "nl")
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


def no_such_birthday(value: str) -> bool:
    """stdnum takes a day beyond the month's end for an unknown one, and asks today's date whether one was born yet."""
    year, month, day = int(value[:2]), int(value[2:4]) % 20, int(value[4:6])
    return year >= 20 or (day > 0 and month > 0 and not is_date(1900 + year, month, day))


def nir_out_of_range(value: str) -> bool:
    """stdnum looks at the key alone."""
    return not (CHECKS["fr_nir_without_key"](f"1{value[1:13]}") and value[0] in "12")


ORACLES = (
    Oracle(check="nl_bsn", module="nl.bsn", shapes=("#########",)),
    Oracle(check="nl_onderwijsnummer", module="nl.onderwijsnummer", shapes=("10#######", "#########")),
    Oracle(check="nl_vat", module="nl.btw", shapes=("NL#########B##",)),
    Oracle(check="be_national_number", module="be.nn", shapes=("[01]#[01]#[0123]######",), differs=no_such_birthday),
    Oracle(check="be_bis_number", module="be.bis", shapes=("[01]#[2345]#[0123]######",), differs=no_such_birthday),
    # stdnum adds the check digits up, so that 98, 99 and 00 pass for 01, 02 and 97.
    Oracle(
        check="be_enterprise",
        module="be.vat",
        shapes=("BE0#########", "BE1#########", "BE#########"),
        differs=lambda value: value[-2:] in {"98", "99", "00"},
    ),
    Oracle(check="be_id_card", module="be.eid", shapes=("############",)),
    Oracle(check="be_structured_communication", module="be.ogm_vcs", shapes=("############",)),
    Oracle(check="lu_vat", module="lu.tva", shapes=("LU########",), differs=lambda value: value[2:8] == "000000"),
    Oracle(check="fr_nir", module="fr.nir", shapes=("[12]##[01]###########",), differs=nir_out_of_range),
    Oracle(check="fr_siren", module="fr.siren", shapes=("#########",)),
    Oracle(check="fr_siret", module="fr.siret", shapes=("##############", "356000000#####", "73282932#00###")),
    # Monaco's numbers are of another country here.
    Oracle(
        check="fr_vat",
        module="fr.tva",
        shapes=("FR##73282932#", "FR[ABCDEFGHJKLMNPQRSTUVWXYZ]#73282932#", "FR#[ABCDEFGHJKLMNPQRSTUVWXYZ]73282932#", "FR[ABCXYZ][ABCXYZ]73282932#", "FR###########"),
        differs=lambda value: value[4:7] == "000",
    ),
    Oracle(check="fr_tax_number", module="fr.nif", shapes=("[0123]############",)),
    Oracle(check="mc_vat", module="mc.tva", shapes=("FR##000######",), differs=lambda value: value[7:] == "000000"),
    # Presidio's reading of the rule on repeated digits is the wider one.
    Oracle(check="de_tax_id", module="de.idnr", shapes=("###########",), differs=CHECKS["de_tax_id"]),
    Oracle(check="de_vat", module="de.vat", shapes=("DE#########",), differs=lambda value: value[2] == "0"),
    # stdnum does not look at the day of birth.
    Oracle(
        check="at_svnr",
        module="at.vnr",
        shapes=("####[0123]#[01]###",),
        differs=lambda value: not (1 <= int(value[4:6]) <= 31 and 1 <= int(value[6:8]) <= 15),
    ),
    # stdnum has a list of tax offices, of which some have been merged.
    Oracle(check="at_tax_number", module="at.tin", shapes=("#########",), differs=CHECKS["at_tax_number"]),
    Oracle(check="at_vat", module="at.uid", shapes=("ATU########",)),
    Oracle(check="ch_ahv", module="ch.ssn", shapes=("756##########", "75###########")),
    Oracle(check="ch_uid", module="ch.uid", shapes=("CHE#########",)),
)  # fmt: skip


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.check)
def test_a_check_says_of_random_and_of_valid_values_what_stdnum_says(oracle: Oracle) -> None:
    """Random values, valid ones, and valid ones with one digit changed."""
    rng = random.Random(oracle.check)
    ours, theirs = CHECKS[oracle.check], import_module(f"stdnum.{oracle.module}").is_valid
    values = [drawn(shape, rng) for shape in oracle.shapes for _ in range(DRAWS)]
    valid = [completed(oracle.shapes[0], theirs, rng) for _ in range(8)]
    values += valid
    for value in valid:
        at = rng.choice([at for at, each in enumerate(value) if each in DIGITS])
        values += [value[:at] + digit + value[at + 1 :] for digit in DIGITS]
    judged = [value for value in values if not oracle.differs(value)]
    assert [] == [(value, ours(value)) for value in judged if ours(value) != theirs(value)]
    assert any(map(ours, values))


@pytest.mark.parametrize("check", ["de_tax_id", "at_tax_number"])
def test_a_wider_check_accepts_what_stdnum_accepts(check: str) -> None:
    """Where we know fewer reasons to refuse a value, none that stdnum accepts is refused."""
    oracle = next(each for each in ORACLES if each.check == check)
    theirs, rng = import_module(f"stdnum.{oracle.module}").is_valid, random.Random(check)
    assert all(CHECKS[check](completed(oracle.shapes[0], theirs, rng)) for _ in range(10))


@pytest.mark.parametrize(
    ("check", "value"),
    [
        ("lu_matricule", "1893120105732"),
        ("lu_matricule", "1985061246521"),
        ("de_lanr", "123456601"),
        ("de_ik", "109519005"),
        ("de_ik", "101575519"),
        ("fr_nir", "255081416802538"),
    ],
)
def test_each_digit_of_a_specimen_counts(check: str, value: str) -> None:
    """A specimen that was published passes; with another digit at one place hardly any value does."""
    accepted = [
        value[:at] + digit + value[at + 1 :]
        for at, each in enumerate(value)
        if each in DIGITS
        for digit in DIGITS
        if digit != each and CHECKS[check](value[:at] + digit + value[at + 1 :])
    ]
    assert CHECKS[check](value)
    # The weight 4 hides a change by five; the last two digits of a LANR and the first two of an IK are free.
    free = {"de_lanr": 21, "de_ik": 17}
    assert len(accepted) <= free.get(check, 1)


@pytest.mark.parametrize("check", ["be_national_number", "be_bis_number"])
def test_a_belgian_number_of_someone_born_since_2000_has_its_own_check_digits(check: str) -> None:
    """A 2 stands before the nine digits; of the two pairs of check digits each belongs to one century."""
    base = "050615123" if check == "be_national_number" else "054615123"
    born = [f"{base}{97 - number % 97:02}" for number in (int(base), 2_000_000_000 + int(base))]
    assert [True, True] == [CHECKS[check](value) for value in born]
    assert born[0] != born[1]


PRESIDIO = (
    ("de_tax_id", DeTaxIdRecognizer(), "###########"),
    ("de_lanr", DeLanrRecognizer(), "######[0123456789]##"),
    ("de_health_insurance", DeHealthInsuranceRecognizer(), "@#########"),
    ("de_social_security", DeSocialSecurityRecognizer(), "##[01234567]#[01]###@###"),
    ("de_document", DePassportRecognizer(), "[CFGHJK][CFGHJKLMNPRTVWXYZ0123456789]######[0123456789]"),
    ("de_document", DeIdCardRecognizer(), "[LMNPRVWXY][CFGHJKLMNPRTVWXYZ0123456789]######[0123456789]"),
    ("de_vat", DeVatIdRecognizer(strict_checksum=True), "DE#########"),
)  # fmt: skip


@pytest.mark.parametrize(("check", "recogniser", "shape"), PRESIDIO, ids=lambda each: getattr(each, "name", None))
def test_a_german_check_says_what_presidio_says(check: str, recogniser, shape: str) -> None:
    """Values of the shape that Presidio's pattern has."""
    rng = random.Random(check)
    values = [
        value for value in (drawn(shape, rng) for _ in range(DRAWS)) if check != "de_lanr" or value[:6] != "000000"
    ]
    assert [] == [value for value in values if CHECKS[check](value) != bool(recogniser.validate_result(value))]
    assert any(map(CHECKS[check], values))


RULES = [rule for rule in load_rules(CATALOGUE / "countries") if rule.id.split(".")[0] in COUNTRIES]


@pytest.mark.parametrize(
    ("entity", "recogniser", "shapes"),
    [
        ("DE_KFZ", DeKfzRecognizer(), ("@ @@ ###", "@@-@-#", "@@@-@@ ####H", "@@@@ @ 1")),
        ("DE_FUEHRERSCHEIN", DeFuehrerscheinRecognizer(), ("@@########@", "@@#########", "@########@@")),
        ("DE_HANDELSREGISTER", DeHandelsregisterRecognizer(), ("HRB #####", "HRA######", "HRB ##", "HRC ####")),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_a_german_shape_covers_what_presidio_finds(entity: str, recogniser, shapes: tuple[str, ...]) -> None:
    """The rules of an entity without a check have a place of the same extent wherever Presidio has one."""
    rng = random.Random(entity)
    patterns = [re.compile(text) for rule in RULES if rule.entity == entity for text in rule.expressions]
    for text in [f"x: {drawn(shape, rng)}." for shape in shapes for _ in range(200)]:
        theirs = {(found.start, found.end) for found in recogniser.analyze(text, [entity])}
        ours = {match.span() for pattern in patterns for match in pattern.finditer(text)}
        assert theirs <= ours, text


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.check], ids=lambda rule: rule.id)
def test_a_check_never_raises(rule) -> None:
    """Digits of the permitted numbers, and each example with each of its digits changed."""
    rng = random.Random(rule.id)
    check = CHECKS[rule.check]
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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20041 01005 0500013M026 06", True),
        ("2004101005 0500013m026 06", True),
        ("30006-00001-12345678901-89", True),
        ("20041 01005 0500013M026 07", False),
        ("20041 01005 0500013N026 06", False),
    ],
)
def test_a_rib_is_proven_by_its_key(value: str, expected: bool) -> None:
    """Letters of the account count as digits, in either case and in any grouping."""
    assert expected == CHECKS["fr_rib"](value)


@pytest.mark.parametrize("value", ["K 717 185 455", "K717185455", "k717185455"])
def test_a_health_insurance_number_counts_without_its_blanks(value: str) -> None:
    """As it is printed on the card, as it is stored, and as it is typed."""
    assert CHECKS["de_health_insurance"](value)
