"""A set of rules, ready to read texts with: the scanner, who owns which expression and length, and the context words."""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import orjson

from classifiers import general_words
from classifiers.context import COUNTRY, KIND, Lexicon, Phrase, latin_words, phrases
from classifiers.expressions import Form, widest
from classifiers.hints import expressions as hint_expressions
from classifiers.rule_cache import RuleCache, default_directory
from classifiers.rules import CATALOGUE, CONTEXT_FLOOR, Rule, load_rules, rule_files
from classifiers.scanner import (
    EngineUnavailable,
    Expression,
    HyperscanScanner,
    PortableScanner,
    Scanner,
    Together,
    build,
    forms_without_engine,
)
from classifiers.vocabulary import vocabulary_database
from governance.errors import ConfigInvalid
from governance.finding import Category

# Telephone numbers are found by `classifiers.phones`, not by a rule.
PHONE = "PHONE_NUMBER"
# What decides about the compiled form, beside the rules themselves.
_CODE = (
    *(
        "compiled.py",
        "context.py",
        "cues.py",
        "hints.py",
        "expressions.py",
        "general_words.py",
        "labels.py",
        "normalisation.py",
        "phones.py",
        "residency.py",
        "rules.py",
        "scanner.py",
    ),
    *("spelling.py", "vocabulary.py"),
)
# What no longer value has is looked for near context words only; longer ones would make that the whole text.
WIDEST_BESIDE = 96
_INSTALLED = (".dist-info", ".egg-info")
_PART = 220


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRules:
    """Rules are known by their number in `rules`, expressions by theirs in `expressions`. Loaded ones come without their examples.

    `owners` are the rules of each expression, `by_length` those of each number of digits. `phones` are the numbering plans
    where telephone numbers are looked for. `version` names the rule files. In the lexicon a rule's words of `unless` count
    under its number plus the number of rules.
    """

    version: str
    rules: tuple[Rule, ...]
    expressions: tuple[Expression, ...]
    owners: tuple[tuple[int, ...], ...]
    by_length: Mapping[int, tuple[int, ...]]
    scanner: Scanner
    beside: Scanner
    lexicon: Lexicon
    phones: Mapping[str, Any] | None = None


def load_compiled(
    *,
    directory: Path = CATALOGUE,
    entities: Collection[str] | None = None,
    more: Sequence[Rule] = (),
    cache: Path | None = None,
) -> CompiledRules:
    """The rules below `directory` for `entities` (all where None) and those of `more`, from the cache if they are there.

    `cache` is the directory to use instead of this user's. Raises ConfigInvalid for rules or entities that are no good.
    """
    key = _key(directory, entities, more)
    stored = RuleCache(cache or default_directory())
    found = _thawed(key, stored.load(key))
    if found is not None:
        return found
    with stored.building(key):
        found = _thawed(key, stored.load(key))
        if found is not None:
            return found
        rules = (*_selected(load_rules(directory), entities), *more)
        with _progress() as told:
            frozen, databases = _frozen(rules, told)
        if entities is None or PHONE in entities:
            from classifiers.phones import phone_table  # noqa: PLC0415 - the plans are read when rules are compiled

            frozen["phones"] = phone_table()
        stored.store(key, _packed(frozen, databases))
    return _built(key, tuple(map(_rule, frozen["rules"])), frozen, databases)


def compile_rules(rules: Sequence[Rule], *, portable: bool = False) -> CompiledRules:
    """`rules` compiled here and now; `portable` does without Hyperscan. Raises ConfigInvalid, which names the rule."""
    if portable:
        merged = _merged(rules)
        frozen = _described(rules, merged, forms_without_engine(merged), _near_words(rules, merged))
        return _built("portable", tuple(rules), frozen, ())
    frozen, databases = _frozen(rules, lambda _: None)
    return _built("compiled", tuple(rules), frozen, databases)


def _selected(rules: tuple[Rule, ...], entities: Collection[str] | None) -> tuple[Rule, ...]:
    if entities is None:
        return rules
    if unknown := sorted(set(entities) - {PHONE} - {rule.entity for rule in rules}):
        raise ConfigInvalid(f"no rule finds `{unknown[0]}`")
    return tuple(rule for rule in rules if rule.entity in entities)


def _key(directory: Path, entities: Collection[str] | None, more: Sequence[Rule]) -> str:
    digest = hashlib.sha256()
    for file in (*rule_files(directory), *(Path(__file__).with_name(name) for name in _CODE)):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    digest.update(orjson.dumps(None if entities is None else sorted(entities)))
    digest.update(orjson.dumps([asdict(rule) for rule in more]))
    digest.update(orjson.dumps(_versions(("hyperscan", "google-re2", "phonenumbers", "ringfence"))))
    digest.update(f"{platform.machine()} {sys.version}".encode())
    return digest.hexdigest()


def _versions(packages: Collection[str]) -> list[str]:
    """The names of the folders that say which versions of `packages` are installed: to read what is in them takes longer."""
    wanted = tuple(f"{package.replace('-', '_')}-" for package in packages)
    found: set[str] = set()
    for folder in sys.path:
        with suppress(OSError):
            names = os.listdir(folder or ".")  # noqa: PTH208 - hundreds of paths would be made for their names
            found.update(name for name in names if name.endswith(_INSTALLED) and name.startswith(wanted))
    return sorted(found)


def _merged(rules: Sequence[Rule]) -> list[tuple[str, str, bool]]:
    """(id of the first rule, expression, caseless), each expression once."""
    first: dict[tuple[str, bool], str] = {}
    for rule in rules:
        for expression in rule.expressions:
            first.setdefault((expression, rule.caseless), rule.id)
    return [(rule, expression, caseless) for (expression, caseless), rule in first.items()]


def _near_words(rules: Sequence[Rule], merged: Sequence[tuple[str, str, bool]]) -> list[int]:
    """The numbers of the expressions all whose rules need a context word."""
    strong = {
        (expression, rule.caseless)
        for rule in rules
        for expression in rule.expressions
        if rule.alone >= CONTEXT_FLOOR or not rule.context
    }
    return [
        number
        for number, (_, expression, caseless) in enumerate(merged)
        if (expression, caseless) not in strong and widest(expression) <= WIDEST_BESIDE
    ]


# One for each part of the expressions beside words, of those that count anywhere, and one for the words; none where there
# is no engine.
_Databases = tuple[bytes, ...]


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    """`numbers` in parts: what the engine takes to compile grows faster than with their number, a scan hardly does."""
    return [numbers[at : at + _PART] for at in range(0, len(numbers), _PART)]


def _anywhere(count: int, beside: Sequence[int]) -> list[int]:
    return sorted({*range(count)} - {*beside})


def _frozen(rules: Sequence[Rule], progress: Callable[[tuple[int, int]], object]) -> tuple[dict[str, Any], _Databases]:
    merged = _merged(rules)
    beside = _near_words(rules, merged)
    chosen = forms_without_engine(merged)
    databases = []
    done, steps = 0, len(merged) + _PART
    try:
        for part in (*_parts(beside), *_parts(_anywhere(len(merged), beside))):
            own, database = build([merged[each] for each in part])
            for number, form in zip(part, own, strict=True):
                chosen[number] = form
            databases.append(database)
            done += len(part)
            progress((done, steps))
        words, _ = latin_words(_phrases(rules))
        databases.append(vocabulary_database(words, hint_expressions()))
        progress((steps, steps))
    except EngineUnavailable:
        return _described(rules, merged, forms_without_engine(merged), beside), ()
    return _described(rules, merged, chosen, beside), tuple(databases)


def _phrases(rules: Sequence[Rule]) -> tuple[Phrase, ...]:
    whole = phrases([*(rule.context for rule in rules), *(rule.unless for rule in rules)])
    parts = ((KIND, general_words.kinds(rules)), (COUNTRY, general_words.countries(rules)))
    return (*whole, *(Phrase(text, False, own, part) for part, words in parts for text, own in words.items()))


def _described(
    rules: Sequence[Rule], merged: Sequence[tuple[str, str, bool]], chosen: Sequence[Form], beside: Sequence[int]
) -> dict[str, Any]:
    sets: dict[frozenset[int], int] = {}
    return {
        "rules": [_described_rule(rule) for rule in rules],
        "expressions": [
            [expression, caseless, form.text, form.least, form.most]
            for (_, expression, caseless), form in zip(merged, chosen, strict=True)
        ],
        "beside": list(beside),
        "hints": list(hint_expressions()),
        "phrases": [
            [each.text, each.open, sets.setdefault(each.rules, len(sets)), each.part] for each in _phrases(rules)
        ],
        "phrase_rules": [sorted(each) for each in sets],
    }


def _described_rule(rule: Rule) -> dict[str, Any]:
    """What reading needs of `rule`: not what its file says of where it is from, nor its examples, which are half of all."""
    return {name: value for name, value in asdict(rule).items() if value and name not in _NOT_READ}


def _packed(frozen: dict[str, Any], databases: _Databases) -> bytes:
    described = orjson.dumps(frozen)
    sizes = b" ".join(b"%d" % len(each) for each in (described, *databases))
    return b"\n".join((sizes, b"".join((described, *databases))))


def _thawed(key: str, payload: bytes | None) -> CompiledRules | None:
    """What was stored; None for what another version of this code or another machine has left."""
    if payload is None:
        return None
    head = payload.find(b"\n") + 1
    try:
        with uncollected():
            ends = list(accumulate((int(each) for each in payload[:head].split()), initial=head))
            # Copying megabytes once is enough.
            described, *databases = (memoryview(payload)[start:end] for start, end in pairwise(ends))
            frozen = orjson.loads(described)
            rules = tuple(_rule(each) for each in frozen["rules"])
            return _built(key, rules, frozen, tuple(map(bytes, databases)), strict=True)
    except (ValueError, KeyError, TypeError, EngineUnavailable):
        return None


@contextmanager
def uncollected() -> Iterator[None]:
    """Holds the garbage collector off while much is built that stays: it would look through all of it again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


_NOT_READ: Mapping[str, Any] = {"source": "", "valid": (), "invalid": (), "found": (), "clean": ()}
_NOT_SAID: Mapping[str, Any] = {"alone": 0, **_NOT_READ}


def _rule(entry: dict[str, Any]) -> Rule:
    for name, value in entry.items():
        if isinstance(value, list):
            entry[name] = tuple(value)
    entry["category"] = Category(entry["category"])
    return Rule(**{**_NOT_SAID, **entry})


def _built(
    key: str, rules: tuple[Rule, ...], frozen: dict[str, Any], databases: _Databases, *, strict: bool = False
) -> CompiledRules:
    expressions = tuple(
        Expression(text=text, caseless=caseless, form=Form(text=form, least=least, most=most))
        for text, caseless, form, least, most in frozen["expressions"]
    )
    numbers = {(each.text, each.caseless): number for number, each in enumerate(expressions)}
    owners: list[list[int]] = [[] for _ in expressions]
    by_length: dict[int, list[int]] = {}
    for number, rule in enumerate(rules):
        for expression in rule.expressions:
            owners[numbers[expression, rule.caseless]].append(number)
        for length in rule.digits:
            by_length.setdefault(length, []).append(number)
    near = frozen["beside"]
    sets = [frozenset(own) for own in frozen["phrase_rules"]]
    known = [Phrase(text, is_open, sets[at], part) for text, is_open, at, part in frozen["phrases"]]
    watched = frozenset(owner for number in near for owner in owners[number])
    parts = _parts(near)
    return CompiledRules(
        version=key,
        rules=rules,
        expressions=expressions,
        owners=tuple(map(tuple, owners)),
        by_length={length: tuple(owning) for length, owning in by_length.items()},
        scanner=_scanner(expressions, _anywhere(len(expressions), near), databases[len(parts) : -1], strict=strict),
        beside=_scanner(expressions, near, databases[: len(parts)], strict=strict),
        lexicon=_lexicon(known, frozen["hints"], databases[-1] if databases else b"", watched, strict=strict),
        phones=frozen.get("phones"),
    )


def _scanner(
    expressions: tuple[Expression, ...], numbers: Sequence[int], databases: Sequence[bytes], *, strict: bool
) -> Scanner:
    """The engine for `databases`; with `strict` those that cannot be used here raise EngineUnavailable."""
    if databases:
        try:
            return Together(
                [
                    HyperscanScanner(expressions, database, part)
                    for database, part in zip(databases, _parts(numbers), strict=True)
                ]
            )
        except EngineUnavailable:
            if strict:
                raise
    return PortableScanner(expressions, numbers)


def _lexicon(
    known: Sequence[Phrase], hints: Sequence[str], database: bytes, watched: frozenset[int], *, strict: bool
) -> Lexicon:
    """As `_scanner`."""
    if database:
        try:
            return Lexicon(known, database=database, hints=hints, watched=watched)
        except EngineUnavailable:
            if strict:
                raise
    return Lexicon(known, watched=watched)


@contextmanager
def _progress() -> Iterator[Callable[[tuple[int, int]], object]]:
    """A line on the terminal while rules are compiled; nothing where nobody looks."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only people need it
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("compiling the rules, once"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rules", total=None)
        yield lambda done: bar.update(task, completed=done[0], total=done[1])
