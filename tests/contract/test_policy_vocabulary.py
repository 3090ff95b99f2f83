"""The detector's words and the policy library's are the same words."""

from __future__ import annotations

from classifiers.model.decoding import FOUND
from classifiers.rules import load_rules
from governance.finding import Category
from governance.policy.bundle import load_bundle

TABLES = load_bundle(["builtin"])


def test_every_category_has_a_level() -> None:
    """So has every entity type, also one of an operator's own rule; a type without a level would count as internal."""
    assert set(Category) - set(TABLES.levels) == set()


def test_every_category_is_personal_or_known_not_to_be() -> None:
    """A new one must be sorted before it is used."""
    personal = set(TABLES.data["ringfence"]["categories"]["personal"])
    impersonal = {Category.COMPANY, Category.VAT, Category.SECURITIES, Category.NETWORK, Category.CREDENTIAL}

    assert personal | impersonal == set(Category)
    assert personal & impersonal == set()


def test_what_identifies_is_personal() -> None:
    """The identifiers are a part of the personal data."""
    tables = TABLES.data["ringfence"]["categories"]

    assert set(tables["identifiers"]) - set(tables["personal"]) == set()


def test_every_entity_type_that_a_table_names_exists() -> None:
    """A misspelt exception would except nothing. Names, places and groups are those of the model tier."""
    tables = TABLES.data["ringfence"]["entities"]
    named = {name for table in tables.values() for name in table}
    found = {rule.entity for rule in load_rules()} | {"PHONE_NUMBER"} | FOUND

    assert named - found == set()


def test_every_entity_type_has_one_category() -> None:
    """Facts have one row for each type."""
    kinds = {(rule.entity, rule.category) for rule in load_rules()}

    assert len(kinds) == len({entity for entity, _ in kinds})
