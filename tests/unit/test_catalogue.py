"""Every rule against its own examples, one rule at a time: shape and check, without the scanner."""

from __future__ import annotations

import pytest

from classifiers.checks.table import checks, countries
from classifiers.rules import Rule, load_rules
from classifiers.rules_commands import accepts, values

RULES = load_rules()
CHECKS = checks()
COUNTRIES = countries()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_accepts_its_valid_examples_and_no_invalid_one(rule: Rule) -> None:
    """The examples in the rule file are the rule's tests."""
    assert [value for value in rule.valid if not accepts(rule, value)] == []
    assert [value for value in rule.invalid if accepts(rule, value)] == []


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.country_by], ids=lambda rule: rule.id)
def test_a_rule_that_reads_a_country_off_the_value_does_so_for_its_examples(rule: Rule) -> None:
    """Every valid example names a country."""
    assert rule.country_by is not None
    read = COUNTRIES[rule.country_by]
    assert [example for example in rule.valid for value in values(rule, example) if read(value) is None] == []


def test_every_check_is_used_by_a_rule() -> None:
    """Code that no rule names is dead."""
    assert {rule.check for rule in RULES if rule.check} == set(CHECKS)
    assert {rule.country_by for rule in RULES if rule.country_by} == set(COUNTRIES)
