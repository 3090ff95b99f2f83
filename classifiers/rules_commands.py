"""`ringfence rules`: what can be found, one rule in full, the examples of a set of rules, the compiled form, the page."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifiers.catalogue_page import page, strength
from classifiers.checks.table import checks, countries
from classifiers.compiled import compile_rules, load_compiled
from classifiers.meter import Meter
from classifiers.reading import Reader
from classifiers.registries import named_country
from classifiers.rules import Rule, load_rules
from classifiers.scan_report import console_for
from governance.errors import ConfigInvalid
from governance.finding import Category

if TYPE_CHECKING:
    from rich.console import Console

_DEADLINE_S = 10.0
_CLOSEST = 5


def list_command(*, country: str | None, category: str | None, as_json: bool) -> int:
    """Prints the rules of a country and a category; returns the exit code: 0, or 1 when there is none.

    Raises ConfigInvalid for what is no country.
    """
    code = None if country is None else named_country(country)
    chosen = [
        rule
        for rule in load_rules()
        if (code is None or rule.country == code) and (category is None or rule.category is Category(category))
    ]
    if as_json:
        for rule in chosen:
            _write(_brief(rule))
    else:
        _print_rules(chosen, console_for(sys.stdout))
    return 0 if chosen else 1


def show_command(rule_id: str, *, as_json: bool) -> int:
    """Prints one rule; returns 0. Raises ConfigInvalid where there is none of that name."""
    rules = load_rules()
    rule = next((each for each in rules if each.id == rule_id), None)
    if rule is None:
        near = [each.id for each in rules if rule_id in each.id or rule_id.upper() in each.entity][:_CLOSEST]
        hint = f"; did you mean {', '.join(near)}" if near else "; see: ringfence rules list"
        raise ConfigInvalid(f"no rule is called `{rule_id}`{hint}")
    if as_json:
        _write(asdict(rule))
    else:
        _print_rule(rule, console_for(sys.stdout))
    return 0


def test_command(directory: Path | None, *, as_json: bool) -> int:
    """Runs the examples of the rules below `directory`, the built-in ones where None; returns 0, or 1 when one fails."""
    if directory is not None and not directory.is_dir():
        raise ConfigInvalid("is not a directory", file=str(directory))
    # Compiled rules come without their examples.
    rules = load_rules() if directory is None else _own(directory)
    compiled = load_compiled() if directory is None else compile_rules(rules)
    faults, examples = list(faults_of(rules, Reader(compiled=compiled))), sum(map(_examples, rules))
    if as_json:
        told = [{"rule": rule_id, "fault": fault} for rule_id, fault in faults]
        _write({"ok": not faults, "rules": len(rules), "examples": examples, "faults": told})
    else:
        console = console_for(sys.stdout)
        for rule_id, fault in faults:
            console.print(f"{rule_id}: {fault}", markup=False, soft_wrap=True)
        state = f"{len(faults)} failed" if faults else "all as they should be"
        console.print(f"{len(rules)} rules, {examples} examples: {state}", markup=False)
    return 1 if faults else 0


def build_command() -> int:
    """Compiles the rules into the cache of this user, where they are not yet; returns 0."""
    started = time.monotonic()
    compiled = load_compiled()
    print(
        f"{len(compiled.rules)} rules, {len(compiled.expressions)} expressions: "
        f"ready after {time.monotonic() - started:.1f} s ({type(compiled.scanner).__name__})"
    )
    return 0


def page_command() -> int:
    """Prints the catalogue page, in UTF-8 wherever it goes; returns 0."""
    sys.stdout.buffer.write(page(load_rules()).encode())
    return 0


# --- the examples --------------------------------------------------------------------------------------------------


def _own(directory: Path) -> tuple[Rule, ...]:
    rules = load_rules(directory)
    if not rules:
        raise ConfigInvalid("holds no rule file", file=str(directory))
    known, places = checks(), countries()
    for rule in rules:
        if rule.check is not None and rule.check not in known:
            raise ConfigInvalid(f"rule `{rule.id}`: there is no check `{rule.check}`", file=str(directory))
        if rule.country_by is not None and rule.country_by not in places:
            raise ConfigInvalid(f"rule `{rule.id}`: there is no `country_by` `{rule.country_by}`", file=str(directory))
    return rules


def _examples(rule: Rule) -> int:
    return len(rule.valid) + len(rule.invalid) + len(rule.found) + len(rule.clean)


def faults_of(rules: Iterable[Rule], reader: Reader) -> Iterator[tuple[str, str]]:
    """(id of a rule, what is wrong) for each example of `rules` that is not as it should be."""
    for rule in rules:
        for example in rule.valid:
            if not accepts(rule, example):
                yield rule.id, f"`{example}` is valid and was not accepted"
        for example in rule.invalid:
            if accepts(rule, example):
                yield rule.id, f"`{example}` is invalid and was accepted"
        for example in rule.found:
            if rule.entity not in _claimed(reader, example):
                yield rule.id, f"nothing was found in `{example}`"
        for example in rule.clean:
            if rule.entity in _entities(reader, example):
                yield rule.id, f"something was found in `{example}`"


def accepts(rule: Rule, example: str) -> bool:
    """Whether an example has the shape of the rule and passes its check."""
    check = checks()[rule.check] if rule.check else lambda _: True
    return any(check(value) for value in values(rule, example))


def values(rule: Rule, example: str) -> Sequence[str]:
    """What check and country of `rule` are asked about where an example has its shape; nothing where it has not."""
    if rule.digits:
        number = rule.number(example)
        return [] if number is None else [number]
    found = []
    for expression in rule.expressions:
        pattern = re.compile(expression.encode(), re.IGNORECASE if rule.caseless else 0)
        match = pattern.fullmatch(example.encode("ascii", "replace"))
        if match is not None:
            # As texts are read: where the group took no part, the value is the whole.
            grouped = not rule.whole and match.start(pattern.groups) >= 0
            found.append(match[pattern.groups if grouped else 0].decode())
    return found


def _claimed(reader: Reader, text: str) -> set[str]:
    """What the rules see in `text`; which of two that overlap is reported is not theirs to say."""
    meter = Meter(len(text), deadline=time.monotonic() + _DEADLINE_S)
    return {claim.finding.entity_type for claim in reader.candidates(text, meter)}


def _entities(reader: Reader, text: str) -> set[str]:
    return {each.entity_type for each in reader.read(text, deadline=time.monotonic() + _DEADLINE_S).findings}


# --- output --------------------------------------------------------------------------------------------------------


def _write(document: dict[str, Any]) -> None:
    print(json.dumps(document, separators=(",", ":")))


def _brief(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "entity": rule.entity,
        "name": rule.name,
        "category": rule.category.value,
        "country": rule.country,
        "reported": strength(rule),
    }


def _print_rules(rules: Sequence[Rule], console: Console) -> None:
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("rule", no_wrap=True)
    table.add_column("entity", overflow="fold")
    table.add_column("reported")
    table.add_column("what it is", overflow="fold")
    for rule in rules:
        table.add_row(Text(rule.id, style="bold"), rule.entity, strength(rule), Text(rule.name))
    if rules:
        console.print(table)
        console.print()
    entities = len({rule.entity for rule in rules})
    console.print(f"{len(rules)} rules for {entities} entities", markup=False)


def _print_rule(rule: Rule, console: Console) -> None:
    from rich.table import Table  # noqa: PLC0415 - only people need it
    from rich.text import Text  # noqa: PLC0415

    console.print(Text.assemble((rule.id, "bold"), f"  {rule.name}"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    length = " or ".join(map(str, rule.digits))
    grouped = f", grouped {' or '.join(rule.groups)} if at all" if rule.groups else ""
    rows: tuple[tuple[str, Sequence[str]], ...] = (
        ("entity", [rule.entity]),
        ("category", [rule.category.value]),
        ("country", [rule.country] if rule.country else [f"read by {rule.country_by}"] if rule.country_by else []),
        ("shape", [f"{length} digits{grouped}"] if rule.digits else rule.expressions),
        ("check", [rule.check] if rule.check else []),
        ("reported", [strength(rule)]),
        ("score", [f"{rule.alone / 1000:.2f} alone, {rule.permille(beside=True) / 1000:.2f} beside one of its words"]),
        ("words", [", ".join(rule.context)] if rule.context else []),
        ("source", [rule.source]),
        ("valid", rule.valid),
        ("invalid", rule.invalid),
        ("found in", rule.found),
        ("not found in", rule.clean),
    )
    for heading, values in rows:
        for number, value in enumerate(values):
            table.add_row("" if number else heading, Text(value))
    console.print(table)
