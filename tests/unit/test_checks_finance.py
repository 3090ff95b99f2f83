"""Accounts, cards and securities: agreement with python-stdnum, and with Presidio where it has the entity."""

from __future__ import annotations

import random
import re
from functools import cache

import pytest
from presidio_analyzer.predefined_recognizers.generic.credit_card_recognizer import CreditCardRecognizer
from presidio_analyzer.predefined_recognizers.generic.iban_patterns import regex_per_country
from presidio_analyzer.predefined_recognizers.generic.iban_recognizer import IbanRecognizer
from stdnum import bic, cusip, iban, isin, lei
from stdnum.gb import sedol

from classifiers.checks.arithmetic import ALPHABET
from classifiers.checks.finance import CHECKS, COUNTRIES
from classifiers.registries import card_schemes, iban_structures
from classifiers.rules import CATALOGUE, Rule, load_rules

LETTERS = ALPHABET[10:]
ORACLES = {
    "cusip": (cusip, "038135278G", 9),
    "isin": (isin, ALPHABET, 12),
    "lei": (lei, ALPHABET, 20),
    "sedol": (sedol, "0123456789BCDFGHJKLMNPQRSTVWXYZ", 7),
}


@cache
def rules() -> dict[str, Rule]:
    """The family rules by id."""
    return {rule.id: rule for rule in load_rules(CATALOGUE / "families")}


def matches(rule_id: str, text: str) -> list[tuple[int, int]]:
    """Where the expressions of a rule match in ASCII text and the check accepts, longest first at one place."""
    rule = rules()[rule_id]
    check = CHECKS[rule.check or ""]
    found = {
        match.span()
        for expression in rule.expressions
        for match in re.compile(expression.encode(), re.IGNORECASE if rule.caseless else 0).finditer(
            text.encode("ascii")
        )
        if check(match[0].decode())
    }
    return sorted(found)


def ibans(count: int) -> list[str]:
    """Valid numbers of every country in the registry, from a fixed seed."""
    drawn = random.Random(1)
    numbers = []
    for country, structure in iban_structures().items():
        for _ in range(count):
            bban = "".join(
                drawn.choice({"[0-9]": "0123456789", "[A-Z]": LETTERS, "[0-9A-Z]": ALPHABET}[kind])
                for kind, times in re.findall(r"(\[[^\]]+\])\{(\d+)\}", structure.pattern)
                for _ in range(int(times))
            )
            digits = "".join(str(ALPHABET.index(each)) for each in bban + country + "00")
            numbers.append(f"{country}{98 - int(digits) % 97:02}{bban}")
    return numbers


def grouped(number: str, separator: str) -> str:
    """In groups of four."""
    return separator.join(number[at : at + 4] for at in range(0, len(number), 4))


def test_an_iban_of_every_country_is_found_whatever_its_grouping() -> None:
    """The span is the number, the word behind it is not; the country is the first two letters."""
    wrong = []
    for number in ibans(3):
        for written in (number, grouped(number, " "), grouped(number, "-"), number.lower()):
            text = f"to {written} 2 days"
            if [(3, 3 + len(written))] != matches("family.iban", text):
                wrong.append(written)
        assert number[:2] == COUNTRIES["prefix_country"](number)
    assert [] == wrong


def test_a_broken_iban_is_not_accepted() -> None:
    """One digit changed, two neighbours swapped: MOD 97-10 sees all of these."""
    drawn = random.Random(2)
    accepted = []
    for number in ibans(2):
        at = drawn.choice([place for place, each in enumerate(number) if each.isdigit()])
        changed = number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :]
        pair = next((place for place in range(4, len(number) - 1) if number[place : place + 2].isdigit()), 2)
        swapped = number[:pair] + number[pair + 1] + number[pair] + number[pair + 2 :]
        accepted += [each for each in (changed, swapped) if each != number and CHECKS["iban"](each)]
    assert [] == accepted


def test_iban_check_equals_the_oracle() -> None:
    """Over all countries in its registry; country algorithms beyond the registry are switched off in the oracle."""
    known = {country for country in iban_structures() if iban.is_valid(_specimen(country), check_country=False)}
    assert {"DE", "FR", "MT", "NO"} < known
    for number in ibans(2):
        if number[:2] in known:
            assert iban.is_valid(number, check_country=False) == CHECKS["iban"](number)


def _specimen(country: str) -> str:
    return next(number for number in ibans(1) if number[:2] == country)


def test_ibans_that_presidio_finds_are_found_with_the_same_span() -> None:
    """Of the countries that both know; our structures are the registry's, which are stricter in some places."""
    recognizer = IbanRecognizer()
    missed = []
    for number in ibans(2):
        if number[:2] in regex_per_country:
            for written in (number, grouped(number, " ")):
                text = f"iban {written} paid"
                theirs = [(each.start, each.end) for each in recognizer.analyze(text, ["IBAN_CODE"])]
                if theirs and theirs != matches("family.iban", text):
                    missed.append(written)
    assert [] == missed


def test_the_expressions_for_ibans_cover_the_registry() -> None:
    """Each country stands in the expression of its length."""
    covered: dict[str, int] = {}
    for expression in rules()["family.iban"].expressions:
        head = re.search(r"\(\?:([A-Z|]+)\)", expression)
        length = re.search(r"\]\)\{(\d+)\}", expression)
        assert head is not None
        assert length is not None
        covered |= dict.fromkeys(head[1].split("|"), 4 + int(length[1]))
    registered = {
        country: 4 + sum(map(int, re.findall(r"\{(\d+)\}", structure.pattern)))
        for country, structure in iban_structures().items()
    }
    assert registered == covered


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_a_check_equals_the_oracle_on_random_and_repaired_values(name: str) -> None:
    """Random values, and each with every last digit, so that valid ones are among them."""
    oracle, alphabet, length = ORACLES[name]
    drawn = random.Random(3)
    valid, differing = 0, []
    for _ in range(300):
        head = "".join(drawn.choice(alphabet) for _ in range(length - 2))
        if name == "isin":
            head = drawn.choice(["US", "DE", "GB", "XS", "ZZ"]) + head[2:]
        for tail in range(100):
            value = f"{head}{tail:02}" if name == "lei" else f"{head}{alphabet[tail % len(alphabet)]}{tail % 10}"
            expected = oracle.is_valid(value) and not (name == "lei" and value.isdigit())
            valid += expected
            if expected != CHECKS[name](value) and not _explained(name, value):
                differing.append(value)
    assert (True, []) == (valid > 50, differing)


def _explained(name: str, value: str) -> bool:
    """SEDOL: the oracle wants new numbers to begin with a letter only; ISIN: it knows other prefixes without a state."""
    return (name == "sedol" and value[0].isdigit() and not value.isdigit()) or (
        name == "isin" and value[:2] in ("ZZ", "XS")
    )


def test_bic_structure_follows_the_oracle() -> None:
    """Known banks; a country that does not exist and a location of no bank are none."""
    for code in ("DEUTDEFF", "DEUTDEFF500", "NEDSZAJJ", "BNPAFRPP", "CHASUS33", "DEUTZZFF"):
        assert (bic.is_valid(code) and code[4:6] != "ZZ") == CHECKS["bic"](code)
    assert "FR" == COUNTRIES["bic_country"]("BNPAFRPP")


@pytest.mark.parametrize(
    ("number", "scheme"),
    [
        ("4111111111111111", "visa"), ("5555555555554444", "mastercard"), ("2223003122003222", "mastercard"),
        ("378282246310005", "amex"), ("6011111111111117", "discover"), ("30569309025904", "diners"),
        ("3530111333300000", "jcb"), ("6240008631401148", "unionpay"), ("6759649826438453", "maestro"),
        ("2200700123456781", "mir"), ("9792030394440796", "troy"),
    ],
)  # fmt: skip
def test_a_number_of_a_known_scheme_is_accepted_and_a_broken_one_is_not(number: str, scheme: str) -> None:
    """Published test numbers of the schemes; the last digit changed."""
    assert scheme in card_schemes(number)
    assert CHECKS["card"](number)
    assert not CHECKS["card"](number[:-1] + str((int(number[-1]) + 1) % 10))


def test_whatever_presidio_takes_for_a_card_number_is_at_least_a_candidate_beside_a_word() -> None:
    """Numbers of all lengths and beginnings; alone, only those that a scheme issues in this length are reported."""
    recognizer = CreditCardRecognizer()
    drawn = random.Random(4)
    missed, seen = [], 0
    for _ in range(6000):
        number = drawn.choice("13456") + "".join(drawn.choice("0123456789") for _ in range(drawn.randrange(11, 19)))
        if recognizer.analyze(f"card {number} used", ["CREDIT_CARD"], None):
            seen += 1
            if not CHECKS["card_of_any_issuer"](number):
                missed.append(number)
    assert (True, []) == (seen > 100, missed)


def test_grouped_card_numbers_have_the_spans_of_presidio() -> None:
    """In fours, with blanks and hyphens."""
    recognizer = CreditCardRecognizer()
    for number in ("4111111111111111", "5555555555554444", "6011111111111117", "3530111333300000"):
        for separator in " -":
            text = f"card {grouped(number, separator)} used"
            theirs = [(each.start, each.end) for each in recognizer.analyze(text, ["CREDIT_CARD"], None)]
            assert theirs == matches("family.card_grouped", text)


@pytest.mark.parametrize("value", ["", "1", "ZZ", "\x01", "DE", "DE89", "xx" * 20])
def test_what_is_no_number_at_all_is_no_iban(value: str) -> None:
    """The check judges, and does not raise, whatever the shape let through."""
    assert not CHECKS["iban"](value)


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        ("%B4111111111111111^DOE/JANE^29121010000000000000?", True),
        (";4111111111111111=29121010000000000?", True),
        (";4111111111111112=29121010000000000?", False),
        (";4111111111111111=29131010000000000?", False),
    ],
)
def test_a_track_needs_a_card_number_and_a_month(track: str, expected: bool) -> None:
    """Luhn over the number, year and month behind the last separator."""
    assert expected == CHECKS["card_track"](track)


@pytest.mark.parametrize("value", ["CAD0405", "US12345", "GB0012345", "IE00AAAA1"])
def test_a_word_shorter_than_an_isin_is_none(value: str) -> None:
    """The shapes by country let shorter words through, which the check answers without raising."""
    assert not CHECKS["isin_with_national_number"](value)
