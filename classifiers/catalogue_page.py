"""The catalogue for users, written from the rules: `ringfence rules page > docs/catalogue.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from classifiers.rules import CONTEXT_FLOOR, STRONG_PERMILLE, Rule
from governance.finding import Category

PHONE_ENTITY = "PHONE_NUMBER"
_WITHOUT_COUNTRY = "anywhere"
# An entity of more rules than this has a table of its own.
_LONGEST_ROW = 12
_TITLES = {
    Category.NATIONAL_ID: "National identity",
    Category.TAX: "Tax",
    Category.SOCIAL_SECURITY: "Social security",
    Category.HEALTH: "Health",
    Category.COMPANY: "Companies",
    Category.VAT: "Value added tax",
    Category.PASSPORT: "Passports and travel documents",
    Category.DRIVING_LICENCE: "Driving licences",
    Category.VEHICLE: "Vehicles",
    Category.BANK: "Banking",
    Category.CARD: "Payment cards",
    Category.SECURITIES: "Securities",
    Category.CRYPTO: "Crypto currencies",
    Category.DEVICE: "Devices",
    Category.NETWORK: "Networks",
    Category.CONTACT: "Contact",
    Category.ADDRESS: "Addresses",
    Category.PERSONAL: "Personal facts",
    Category.CREDENTIAL: "Credentials",
    Category.OTHER: "Other",
}


def page(rules: Sequence[Rule]) -> str:
    """The catalogue as Markdown: every entity with where it comes from and when it is reported. Ends with a line break."""
    return "\n".join(_lines(rules)) + "\n"


def _lines(rules: Sequence[Rule]) -> Iterator[str]:
    entities = {rule.entity for rule in rules} | {PHONE_ENTITY}
    countries = {rule.country for rule in rules if rule.country}
    yield "# What Ringfence finds"
    yield ""
    yield "Generated from the rules by `ringfence rules page`; change a rule file under `classifiers/catalogue`, not this page."
    yield ""
    yield (
        f"{len(entities)} entities by {len(rules)} rules; rules of {len(countries)} countries. "
        "Telephone numbers (`PHONE_NUMBER`) are found by numbering plans, not by a rule: of every country in international form; "
        "in national form those of the countries whose language or identifiers the text shows, of the United States, Britain, "
        "Germany and France, and of any country directly behind a word for telephones. Street addresses "
        "in Arabic, Chinese, Cyrillic, Greek, Hebrew, Japanese, Korean and Thai are found by forms of their own (`classifiers/streets.py`)."
    )
    yield ""
    yield "When a value is reported:"
    yield ""
    for _, word, meaning in _STRENGTHS:
        yield f"- **{word}**: {meaning}"
    yield ""
    yield "One rule in full, with examples and source: `ringfence rules show ID`. Your own: `ringfence rules test DIRECTORY`."
    for category in Category:
        chosen = [rule for rule in rules if rule.category is category]
        if chosen:
            yield from _section(_TITLES[category], chosen)


def _section(title: str, rules: Sequence[Rule]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "| Entity | Country | What it is | Reported | Rules |"
    yield "|---|---|---|---|---|"
    by_entity: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for rule in rules:
        by_entity[rule.country or "", rule.entity].append(rule)
    long = {key: group for key, group in by_entity.items() if len(group) > _LONGEST_ROW}
    for (country, entity), group in sorted(by_entity.items()):
        where = country or ("by value" if any(rule.country_by for rule in group) else _WITHOUT_COUNTRY)
        if (country, entity) in long:
            yield f"| `{entity}` | {where} | [{len(group)} forms](#{entity.lower()}) | {_reported(group)} | |"
            continue
        names = "; ".join(dict.fromkeys(_cell(rule.name) for rule in group))
        ids = ", ".join(f"`{rule.id}`" for rule in group)
        yield f"| `{entity}` | {where} | {names} | {_reported(group)} | {ids} |"
    for (_, entity), group in sorted(long.items()):
        yield from ("", f"### {entity}", "", "| What it is | Reported | Rule |", "|---|---|---|")
        for rule in sorted(group, key=lambda each: each.name.casefold()):
            yield f"| {_cell(rule.name)} | {strength(rule)} | `{rule.id}` |"


# (rank, word, meaning)
_STRENGTHS = (
    (0, "checked", "wherever it stands: its shape and a checksum or structure are proof enough."),
    (1, "checked with a word", "where the check passes and one of its words stands near (`BSN`, `Steuer-ID`, ...)."),
    (
        2,
        "by its shape",
        "wherever it stands, with a score below 0.9: the shape is telling and there is nothing to verify it by.",
    ),
    (3, "with a word", "where one of its words stands near."),
)


def strength(rule: Rule) -> str:
    """In which words the page says when the rule reports."""
    if rule.check is not None and rule.alone >= STRONG_PERMILLE:
        return _STRENGTHS[0][1]
    if rule.alone >= CONTEXT_FLOOR:
        return _STRENGTHS[2][1]
    return _STRENGTHS[3 if rule.check is None else 1][1]


def _reported(rules: Iterable[Rule]) -> str:
    words = {strength(rule) for rule in rules}
    return "; ".join(word for _, word, _ in _STRENGTHS if word in words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
