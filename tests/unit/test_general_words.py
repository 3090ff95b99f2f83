"""Numbers that are named by their kind and, elsewhere, by their country."""

from __future__ import annotations

import time

import pytest

from classifiers.general_words import COUNTRIES, KINDS, countries, kinds
from classifiers.reading import Reader
from classifiers.rules import CONTEXT_FLOOR, load_rules


@pytest.fixture(scope="module")
def reader() -> Reader:
    """All rules."""
    return Reader()


def entities(reader: Reader, text: str) -> set[str]:
    """What is found in `text`."""
    return {each.entity_type for each in reader.read(text, deadline=time.monotonic() + 60).findings}


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("Lithuanian subsidiary, legal entity code 300042931", "LT_COMPANY_CODE"),
        ("Company code in the Lithuanian register: 300042931", "LT_COMPANY_CODE"),
        ("Driver from Russia, driving licence series/number 7701234567", "RU_DRIVER_LICENSE"),
        ("Iraqi national, travels on passport no. A12345678", "IQ_PASSPORT"),
        ("identity card 012345678 (Kazakhstan)", "KZ_ID_CARD"),
        ("My UK passport number is AB1234567.", "UK_PASSPORT"),
    ],
)
def test_a_kind_and_a_country_beside_a_value_are_enough(reader: Reader, text: str, entity: str) -> None:
    """In any order, and with other words between them."""
    assert entity in entities(reader, text)


@pytest.mark.parametrize(
    "text",
    [
        "company registration 300042931",
        "the Lithuanian order 300042931",
        "Lithuanian warehouse, invoice 300042931",
        "identity card of a customer from Lithuania. " + "Nothing else is known. " * 5 + "300042931",
    ],
)
def test_one_of_them_is_not_enough_nor_are_both_far_away(reader: Reader, text: str) -> None:
    """A number is of no country for standing beside its name."""
    assert "LT_COMPANY_CODE" not in entities(reader, text)


def test_every_country_of_a_rule_that_needs_words_has_a_name() -> None:
    """And no kind or country speaks for a rule that needs none, or for another kind."""
    rules = load_rules()
    needing = [each for each in rules if each.country and each.context and each.alone < CONTEXT_FLOOR]

    assert {each.country for each in needing} <= COUNTRIES.keys()
    for words, table in ((KINDS, kinds(rules)), (COUNTRIES, countries(rules))):
        for word, numbers in table.items():
            for rule in (rules[number] for number in numbers):
                assert word in words[rule.category if words is KINDS else rule.country]
                assert rule.alone < CONTEXT_FLOOR
