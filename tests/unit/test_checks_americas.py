"""Checks of the Americas beside python-stdnum, and the United States' and Canada's rules beside Presidio's recognisers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from presidio_analyzer import PatternRecognizer
from presidio_analyzer.predefined_recognizers import (
    AbaRoutingRecognizer,
    CaPostalCodeRecognizer,
    CaSinRecognizer,
    MedicalLicenseRecognizer,
    UsBankRecognizer,
    UsItinRecognizer,
    UsMbiRecognizer,
    UsNpiRecognizer,
    UsPassportRecognizer,
    UsSsnRecognizer,
)

from classifiers.checks.americas import CHECKS
from classifiers.rules import CATALOGUE, CONTEXT_FLOOR, Rule, load_rules

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RUN = re.compile(r"(?<![A-Za-z0-9_])[0-9](?:[ ./-]?[0-9])*(?![A-Za-z0-9_])")


def drawn(shape: str, rng: random.Random) -> str:
    """A value of a shape: # is a digit, @ a letter, [..] one of, anything else itself."""
    out = []
    for token in re.findall(r"\[[^\]]+\]|.", shape):
        choices = {"#": DIGITS, "@": LETTERS}.get(token, token[1:-1] if token[0] == "[" else token)
        out.append(rng.choice(choices))
    return "".join(out)


def mutated(value: str, rng: random.Random) -> str:
    """`value` with one digit changed."""
    place = rng.choice([place for place, each in enumerate(value) if each in DIGITS])
    return value[:place] + rng.choice(DIGITS) + value[place + 1 :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """A module of stdnum, shapes to draw from, and what we judge otherwise on purpose."""

    check: str
    module: str
    shapes: tuple[str, ...]
    differs: Callable[[str], bool] = lambda _: False
    options: tuple[tuple[str, bool], ...] = ()


def repeated(value: str) -> bool:
    """One digit over and over passes several checksums and is never issued."""
    return len(set(re.sub("[^0-9]", "", value)[:-2])) == 1


def unassigned_district(value: str) -> bool:
    """The first two digits of a routing number that name no Federal Reserve district, thrift or electronic form."""
    prefix = int(value[:2])
    return not (1 <= prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80)


def refused_word(value: str) -> bool:
    """The registries replace rude words; we do not mind them. A CURP may say X for the sex since 2022."""
    words = import_module("stdnum.mx.curp")._name_blacklist | import_module("stdnum.mx.rfc")._name_blacklist
    return value[:4] in words or value[10:11] == "X"


ORACLES = (
    Oracle(check="us_ssn", module="us.ssn", shapes=("###-##-####", "[069]##-##-####", "###-0#-000#"), differs=repeated),
    # The IRS took 50 to 65 into use after stdnum's list; stdnum knows no group of an ATIN.
    Oracle(
        check="us_itin", module="us.itin", shapes=("9##-##-####", "###-7#-####"), differs=lambda value: value[4] in "56"
    ),
    Oracle(
        check="us_atin",
        module="us.atin",
        shapes=("9##-93-####", "[89]##-93-####"),
        differs=lambda value: value[4:6] != "93" or value[0] != "9",
    ),
    Oracle(
        check="us_aba",
        module="us.rtn",
        shapes=("0########", "[123678]########"),
        differs=unassigned_district,
    ),
    Oracle(
        check="ca_sin",
        module="ca.sin",
        shapes=("###-###-###", "#########"),
        differs=lambda value: repeated(value) or value[0] in "08",
    ),
    Oracle(check="ca_bn", module="ca.bn", shapes=("#########", "#########R[CMPT]####"), differs=repeated),
    Oracle(check="ca_bc_phn", module="ca.bc_phn", shapes=("9#########",)),
    Oracle(
        check="mx_curp",
        module="mx.curp",
        shapes=("@@@@[6789]#0##[012][HM]DF@@@0#", "@@@@[6789]#0#1#MMC@@@##"),
        differs=refused_word,
    ),
    Oracle(
        check="mx_rfc",
        module="mx.rfc",
        shapes=("@@@@[01]#0#1#[12]1#", "@@@0#0#1#1[AB]#"),
        differs=refused_word,
        options=(("validate_check_digits", True),),
    ),
    Oracle(check="br_cpf", module="br.cpf", shapes=("###########", "###.###.###-##"), differs=repeated),
    Oracle(check="br_cnpj", module="br.cnpj", shapes=("##############", "##@@#@##0001##"), differs=repeated),
    Oracle(
        check="ar_cuit",
        module="ar.cuit",
        shapes=("2[0347]#########", "3[034]-########-#"),
        differs=lambda value: value[:2] in ("25", "26"),
    ),
    Oracle(check="ar_cbu", module="ar.cbu", shapes=("0#####################",), differs=repeated),
    Oracle(check="cl_rut", module="cl.rut", shapes=("########-#", "########K", "########-#"), differs=repeated),
    Oracle(check="co_nit", module="co.nit", shapes=("##########", "###.###.###-#", "########"), differs=repeated),
    Oracle(
        check="pe_ruc",
        module="pe.ruc",
        shapes=("10#########", "20#########", "1[0567]#########"),
        differs=lambda value: value[:2] == "16",
    ),
    Oracle(check="pe_cui", module="pe.cui", shapes=("########-#", "########[ABCDEFGHIJK]"), differs=repeated),
    Oracle(check="uy_rut", module="uy.rut", shapes=("[012]#######001#",)),
    Oracle(check="py_ruc", module="py.ruc", shapes=("800#####-#", "########"), differs=repeated),
    Oracle(check="ve_rif", module="ve.rif", shapes=("[VEJPG]-########-#",)),
    Oracle(check="ec_cedula", module="ec.ci", shapes=("[012]#########", "3#########")),
    Oracle(check="ec_ruc", module="ec.ruc", shapes=("[012]#########001", "[012]#9#######00#", "[012]#6######00##")),
    Oracle(check="cr_company", module="cr.cpj", shapes=("[2345]-#0#-######", "3-[01][01]#-######")),
    Oracle(check="do_cedula", module="do.cedula", shapes=("402-#######-#", "9##########"), differs=repeated),
    Oracle(check="do_rnc", module="do.rnc", shapes=("1########", "#########"), differs=repeated),
    Oracle(check="gt_nit", module="gt.nit", shapes=("[123456789]######-#", "[123456789]#####K"), differs=repeated),
    Oracle(
        check="sv_nit",
        module="sv.nit",
        shapes=("[019]###-[012][123456789]0[123456789]##-###-#", "0614[012][123456789]1[012]##0###"),
        differs=lambda value: not day_of_salvadoran(value),
    ),
    Oracle(check="cu_ni", module="cu.ni", shapes=("##0########", "##[01]#[0123]######")),
)


def day_of_salvadoran(value: str) -> bool:
    """Whether the birthday of a NIT exists: stdnum does not look at it."""
    digits = value.replace("-", "")
    day, month = int(digits[4:6]), int(digits[6:8])
    return 1 <= month <= 12 and 1 <= day <= (30 if month in (4, 6, 9, 11) else 29 if month == 2 else 31)


@pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.check)
def test_a_check_agrees_with_stdnum(oracle: Oracle) -> None:
    """Random values and valid ones with one character changed are judged alike, and some of them are valid."""
    rng = random.Random(oracle.check)
    check, valid = CHECKS[oracle.check], import_module(f"stdnum.{oracle.module}").is_valid
    values = [drawn(rng.choice(oracle.shapes), rng) for _ in range(1500)]
    while sum(map(check, values)) < 25:
        values += [drawn(rng.choice(oracle.shapes), rng) for _ in range(1000)]
    values += [mutated(value, rng) for value in values if check(value)]
    apart = [
        value for value in values if check(value) != valid(value, **dict(oracle.options)) and not oracle.differs(value)
    ]
    assert [] == apart


@pytest.mark.parametrize(
    ("check", "shape"),
    [
        ("br_cnh", "###########"),
        ("br_cns", "7##############"),
        ("br_pis", "###########"),
        ("br_voter", "########0###"),
        ("ca_ohip", "1#########"),
        ("gt_cui", "#########0101"),
        ("mx_clabe", "012###############"),
        ("mx_nss", "1##########"),
        ("ni_cedula", "0010101##0###[ABCDEFGHJKLMNPQRSTUVWXY]"),
        ("sv_dui", "#########"),
        ("us_dea", "BM#######"),
        ("us_npi", "1#########"),
        ("uy_ci", "########"),
    ],
)
def test_a_check_that_has_no_oracle_refuses_a_changed_last_digit(check: str, shape: str) -> None:
    """The last character is determined by the rest; two may fit only where an authority's rule leaves it open."""
    rng = random.Random(check)
    passes = CHECKS[check]
    found = []
    while len(found) < 40:
        value = drawn(shape, rng)
        found += [value] if passes(value) else []
    ends = LETTERS if found[0][-1] in LETTERS else DIGITS
    fitting = [sum(passes(value[:-1] + end) for end in ends) for value in found]
    if check == "gt_cui":
        # The check digit stands before the place of registration.
        fitting = [sum(passes(value[:8] + end + value[9:]) for end in ends) for value in found]
    assert {1} == set(fitting) - ({2} if check == "br_cnh" else set())


RULES = load_rules(CATALOGUE / "countries")


def matches(rule: Rule, text: str) -> list[tuple[int, int]]:
    """Where the shape of `rule` is in `text` and its check passes."""
    passes = CHECKS[rule.check] if rule.check else lambda _: True
    if rule.digits:
        runs = [(run.span(), re.sub("[ ./-]", "", run[0])) for run in RUN.finditer(text)]
        return [span for span, number in runs if len(number) in rule.digits and passes(number)]
    patterns = [re.compile(expression, re.IGNORECASE if rule.caseless else 0) for expression in rule.expressions]
    found = [match for pattern in patterns for match in pattern.finditer(text)]
    return [match.span(match.re.groups) for match in found if passes(match[match.re.groups])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A recogniser of Presidio, shapes, and the values where we differ on purpose (see the head of us.toml)."""

    recognizer: type[PatternRecognizer]
    shapes: tuple[str, ...]
    refused: Callable[[str], bool] = lambda _: False


TWINS = (
    Twin(
        recognizer=UsSsnRecognizer,
        shapes=(
            "###-##-####",
            "### ## ####",
            "###.##.####",
            "###-##.####",
            "#########",
            "#####-####",
            "###-######",
            "[06]##-0#-000#",
        ),
        refused=lambda value: value[0] == "9" or re.sub("[^0-9]", "", value) in ("219099999", "457555462"),
    ),
    Twin(
        recognizer=UsItinRecognizer,
        shapes=("9##-##-####", "9## 7# ####", "9##7#####", "9##9#-####", "9##-7#####", "###-##-####"),
    ),
    Twin(recognizer=UsPassportRecognizer, shapes=("#########", "@########", "########", "@@#######", "##########")),
    Twin(
        recognizer=UsBankRecognizer,
        shapes=("########", "############", "#################", "#######", "####-####", "##################"),
    ),
    Twin(
        recognizer=AbaRoutingRecognizer,
        shapes=("0########", "[123678]########", "0###-####-#", "[2678]###-####-#"),
        # Presidio accepts any number that starts with 0, 1, 2, 3, 6, 7 or 8; most of those districts do not exist.
        refused=unassigned_district,
    ),
    Twin(
        recognizer=MedicalLicenseRecognizer,
        shapes=("[ABCFGM]@#######", "[BM]9#######", "b[mn]#######", "[ABCFGMNQ]#######"),
    ),
    Twin(
        recognizer=UsNpiRecognizer,
        shapes=("[12]#########", "1### ### ###", "1###-###-###", "2###-### ###", "3#########", "111111111#"),
    ),
    Twin(
        recognizer=UsMbiRecognizer, shapes=("[123]EG4-TE5-[MBK]K##", "1[ESA]#4T[EZ]5MK##", "1eg4te5mk7#", "#A##A##AA##")
    ),
    Twin(
        recognizer=CaSinRecognizer, shapes=("###-###-###", "### ### ###", "#########", "###-### ###"), refused=repeated
    ),
    Twin(recognizer=CaPostalCodeRecognizer, shapes=("@#@ #@#", "@#@#@#", "k1a 0b1", "h2x#y#")),
)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.recognizer.__name__)
def test_presidio_s_spans_are_ours_and_what_stands_alone_is_presidio_s(twin: Twin) -> None:
    """All that Presidio finds we find at the same place; what we report without a context word Presidio finds too."""
    rng = random.Random(twin.recognizer.__name__)
    theirs = twin.recognizer()
    entity = theirs.supported_entities[0]
    rules = [rule for rule in RULES if rule.entity == entity]
    missed, invented, found = [], [], 0
    for _ in range(600):
        value = drawn(rng.choice(twin.shapes), rng)
        text = f"The value is {value}, thank you."
        expected = {(result.start, result.end) for result in theirs.analyze(text, [entity])}
        ours = {span for rule in rules for span in matches(rule, text)}
        alone = {span for rule in rules if rule.alone >= CONTEXT_FLOOR for span in matches(rule, text)}
        found += len(expected)
        missed += [value] if expected - ours and not twin.refused(value) else []
        invented += [value] if alone - expected else []
    assert ([], [], True) == (missed, invented, found > 20)


@pytest.mark.parametrize(
    ("entity", "text", "value"),
    [
        ("US_CLAIM_NUMBER", "medical claim number: CLM-1234567 was denied", "CLM-1234567"),
        ("US_PRESCRIPTION_NUMBER", "refill Rx #1234567 today", "1234567"),
        ("US_PRIOR_AUTHORIZATION_NUMBER", "prior authorization no. PA-123456 was given", "PA-123456"),
        ("US_REFERRAL_NUMBER", "infusion referral: INF-123456", "INF-123456"),
        ("US_PROVIDER_TAX_ID", "billing provider tax id: 12-3456789", "12-3456789"),
        ("US_HEALTH_INSURANCE_MEMBER_ID", "member id: ABC123456789", "ABC123456789"),
        ("US_DRIVER_LICENSE", "driver's license D1234567", "D1234567"),
    ],
)
def test_a_labelled_value_is_found_without_its_label(entity: str, text: str, value: str) -> None:
    """The span is the value's, as Presidio's."""
    start = text.index(value)
    spans = {span for rule in RULES if rule.entity == entity for span in matches(rule, text)}
    assert (start, start + len(value)) in spans


def test_a_driving_licence_and_a_bank_account_never_stand_alone() -> None:
    """Their shapes are everywhere: each of their rules needs a context word."""
    alone = {
        rule.id: rule.alone for rule in RULES if rule.entity in ("US_DRIVER_LICENSE", "US_BANK_NUMBER", "US_PASSPORT")
    }
    assert [] == [rule for rule, permille in alone.items() if permille >= CONTEXT_FLOOR]


CHECKED = [rule for rule in RULES if rule.check in CHECKS]


@pytest.mark.parametrize("rule", CHECKED, ids=lambda rule: rule.id)
def test_a_check_judges_every_value_of_its_rule_s_shape(rule: Rule) -> None:
    """Whatever the shape admits, months that do not exist and lower case among it, is judged and never raises."""
    assert rule.check is not None
    passes = CHECKS[rule.check]

    @settings(max_examples=15, deadline=None, database=None)
    @given(shaped(rule))
    def judged(value: str) -> None:
        assert passes(value) in (True, False)

    judged()


def shaped(rule: Rule) -> SearchStrategy[str]:
    """Values that a rule hands to its check."""
    if rule.digits:
        return st.sampled_from(rule.digits).flatmap(lambda length: st.text(DIGITS, min_size=length, max_size=length))
    patterns = [
        re.compile(expression, re.ASCII | (re.IGNORECASE if rule.caseless else 0)) for expression in rule.expressions
    ]
    return st.one_of(
        st.from_regex(pattern, fullmatch=True).map(lambda text, each=pattern: value_of(each, text))
        for pattern in patterns
    )


def value_of(pattern: re.Pattern[str], text: str) -> str:
    """The group of a match, or all of it."""
    match = pattern.fullmatch(text)
    assert match is not None
    return match[pattern.groups]
