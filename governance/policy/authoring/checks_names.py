"""Checks of names that stand for something elsewhere: functions, documents, imports, and rules that nothing refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from governance.policy.authoring.builtins import arities, is_everywhere, is_somewhere
from governance.policy.authoring.checks_finding import Finding, Unit, World, error, nearest, warning
from governance.policy.authoring.syntax import GLOBAL, Call, Ref, all_terms, static
from governance.policy.forbidden import instead
from governance.policy.source import Path

_PLAINER = "builtins that every engine has, such as those on strings, sets and objects, or a table in `data`"


def check_names(unit: Unit, world: World) -> Iterator[Finding]:
    """Functions, documents and imports of one module that are not there, not allowed or not used."""
    for rule in unit.rules:
        for term in all_terms(rule):
            if isinstance(term, Call):
                yield from _called(unit, term, world)
            elif isinstance(term, Ref):
                yield from _referred(unit, term, world)
    yield from _unused_imports(unit)


def check_unused_rules(world: World) -> Iterator[Finding]:
    """Rules of policies that nothing refers to."""
    used: set[Path] = set()
    for unit in world.units:
        for rule in unit.rules:
            for term in all_terms(rule):
                if isinstance(term, Call):
                    used.add(unit.path(term.name))
                elif isinstance(term, Ref) and isinstance(term.head, str):
                    used.add(unit.path((term.head, *static(term))))
    for unit in world.units:
        package = unit.module.package
        if unit.test or package[:2] != ("ringfence", "policy"):
            continue
        for rule in unit.rules:
            path = (*package, *rule.name)
            # A shorter reference reads the document that the rule is in.
            if rule.name[0] != "effects" and not any(_overlap(path, one) for one in used):
                yield warning(
                    unit, rule.line, "unused-rule", f"nothing refers to `{'.'.join(rule.name)}`", "delete the rule"
                )
                used.add(path)


def _unused_imports(unit: Unit) -> Iterator[Finding]:
    used = {
        term.head if isinstance(term, Ref) else term.name[0]
        for rule in unit.rules
        for term in all_terms(rule)
        if isinstance(term, (Ref, Call))
    }
    for alias, path in unit.module.imports.items():
        if alias not in used:
            lines = enumerate(unit.module.text.splitlines(), 1)
            line = next((at for at, text in lines if text.startswith("import ") and path[-1] in text), 1)
            yield warning(unit, line, "unused-import", f"`{alias}` is never used", "delete the import")


# --- functions and documents ---------------------------------------------------------------------------------------


def _called(unit: Unit, call: Call, world: World) -> Iterator[Finding]:
    name = ".".join(call.name)
    if name == "set" and not call.arguments:
        return  # the empty set
    rules = world.rules.get(unit.path(call.name))
    if rules is not None:
        wanted = {len(rule.arguments) for rule in rules if rule.arguments is not None}
        if not wanted:
            yield error(unit, call.line, "arity", f"`{name}` is no function", f"`{name}` without parentheses")
            return
        yield from _arity(unit, call, wanted)
        return
    hint = instead(name)
    shadowed = call.name[0] in GLOBAL or call.name[0] in unit.module.imports
    if hint:
        # `print` shows a test's author what happens, and no request is ever asked of a test.
        if not (unit.test and name in {"print", "time.now_ns"}):
            yield error(unit, call.line, "forbidden-builtin", f"`{name}` is not allowed in a policy", hint)
    elif shadowed or not is_somewhere(name):
        own = {path[-1] for path, found in world.rules.items() if found[0].arguments is not None}
        yield error(unit, call.line, "unknown-function", f"there is no function `{name}`", nearest(call.name[-1], own))
    elif not is_everywhere(name):
        yield error(unit, call.line, "unsupported-builtin", f"`{name}` is not there on every engine", _PLAINER)
    else:
        yield from _arity(unit, call, arities(name))


def _arity(unit: Unit, call: Call, wanted: Iterable[int]) -> Iterator[Finding]:
    """One argument more is a place for the result."""
    counts = sorted(wanted)
    if counts and not any(len(call.arguments) in {count, count + 1} for count in counts):
        words = " or ".join(map(str, counts))
        yield error(
            unit,
            call.line,
            "arity",
            f"`{'.'.join(call.name)}` takes {words} argument{'' if counts == [1] else 's'}, not {len(call.arguments)}",
            f"a call with {words}",
        )


def _referred(unit: Unit, ref: Ref, world: World) -> Iterator[Finding]:
    if not isinstance(ref.head, str) or ref.head == "input":
        return
    # What an import names is looked up even where nothing follows it.
    path = unit.module.imports.get(ref.head, (ref.head,)) + static(ref)
    if path[0] != "data" or len(path) == 1:
        return
    missing = _missing(path[1:], world)
    if missing is not None:
        known, word = missing
        instead = nearest(word, known)
        if path[1:3] == ("ringfence", "lib") and not any(
            one.module.package[:2] == ("ringfence", "lib") for one in world.units
        ):
            instead = "the same command with `builtin` as a further directory: it holds the library"
        yield error(unit, ref.line, "unknown-reference", f"nothing is defined at `{'.'.join(path)}`", instead)


def _missing(path: Path, world: World) -> tuple[set[str], str] | None:
    """The names beside the first part of `path` that is not there, and that part; None where all is there."""
    rules = world.rules
    if world.data is None or path in rules or any(_overlap(path, rule) for rule in rules):
        return None
    value: object = world.data
    for at, part in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        if part not in value:
            beside = {rule[at] for rule in rules if len(rule) > at and rule[:at] == path[:at]}
            return {*map(str, value), *beside}, part
        value = value[part]
    return None


def _overlap(one: Path, other: Path) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one
