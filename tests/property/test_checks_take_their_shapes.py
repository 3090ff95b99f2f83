"""A check answers, with yes or no, whatever the shape of its rule lets through: one that raised would fail the detection."""

from __future__ import annotations

import random
from re import _constants as op  # type: ignore[attr-defined]  # the parser of `re`, which no public name leads to
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from classifiers.checks.table import checks, countries
from classifiers.rules import Rule, load_rules

RULES = [rule for rule in load_rules() if rule.check or rule.country_by]
DRAWS = 24
# A repetition without an end is drawn up to this much above its least.
MOST_MORE = 12
ANY = range(0x20, 0x7F)


def drawn(pattern: Any, rng: random.Random, *, least: bool) -> str:
    """A text that the parsed pattern matches, boundaries aside; `least` takes as few of everything as it allows."""
    return "".join(_one(code, argument, rng, least=least) for code, argument in pattern)


def _one(code: Any, argument: Any, rng: random.Random, *, least: bool) -> str:
    if code is op.LITERAL:
        return chr(argument)
    if code is op.ANY:
        return chr(rng.choice(ANY))
    if code is op.NOT_LITERAL:
        return chr(rng.choice([each for each in ANY if each != argument]))
    if code is op.IN:
        return chr(rng.choice(_class(argument)))
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        low, high, inner = argument
        times = low if least else rng.randint(low, min(high, low + MOST_MORE))
        return "".join(drawn(inner, rng, least=least) for _ in range(times))
    if code is op.SUBPATTERN:
        return drawn(argument[-1], rng, least=least)
    if code is op.BRANCH:
        return drawn(rng.choice(argument[1]), rng, least=least)
    if code is op.ATOMIC_GROUP:
        return drawn(argument, rng, least=least)
    return ""


def _class(members: Any) -> list[int]:
    chosen: set[int] = set()
    for code, argument in members:
        if code is op.LITERAL:
            chosen.add(argument)
        elif code is op.RANGE:
            chosen.update(range(argument[0], argument[1] + 1))
        elif code is op.CATEGORY:
            chosen.update({op.CATEGORY_DIGIT: b"059", op.CATEGORY_SPACE: b" \t"}.get(argument, b"aZ_7"))
    if members[0][0] is op.NEGATE:
        return [each for each in ANY if each not in chosen]
    return sorted(chosen)


def values(rule: Rule, rng: random.Random) -> list[str]:
    """What the rule may hand to its check, the shortest first."""
    if rule.digits:
        return ["".join(rng.choices("0123456789", k=length)) for length in rule.digits for _ in range(DRAWS)]
    found = []
    for expression in rule.expressions:
        parsed = parser.parse(expression)
        # The group is the value where there is one.
        groups = [argument[-1] for code, argument in parsed if code is op.SUBPATTERN and argument[0]]
        whole = groups[0] if groups else parsed
        found += [drawn(whole, rng, least=at < DRAWS // 4) for at in range(DRAWS)]
    return found + [value.swapcase() for value in found if rule.caseless]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_check_answers_whatever_its_shape_lets_through(rule: Rule) -> None:
    """No value of the shape makes the check, or the reading of the country, raise."""
    rng = random.Random(rule.id)
    drawn_values = values(rule, rng)
    answers = set()
    for value in drawn_values:
        if rule.check:
            answers.add(type(checks_by_name[rule.check](value)))
        if rule.country_by:
            countries_by_name[rule.country_by](value)

    assert answers <= {bool}
    assert drawn_values


checks_by_name = checks()
countries_by_name = countries()
