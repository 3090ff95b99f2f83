"""Checks of names: variables, rules, functions, documents. Each errs on the side of silence.

A variable counts as bound where any condition of its scope could bind it, whatever the order of evaluation; so what is
reported as unbound is unbound for OPA too.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from regopy import Interpreter

from governance.policy.authoring.checks_finding import Finding, Unit, World, error, nearest, warning
from governance.policy.authoring.checks_syntax import (
    Call,
    Comprehension,
    Constant,
    Every,
    Expression,
    Items,
    Object,
    Operation,
    Ref,
    Rule,
    Some,
    Statement,
    Term,
    all_terms,
    parts,
    terms_of,
)
from governance.policy.forbidden import instead
from governance.policy.source import Path

_GLOBAL = frozenset({"input", "data"})
# Families of builtins that OPA has and an engine of ours has not.
_UNSUPPORTED = ("graphql.", "net.", "rego.", "providers.")
_PLAINER = "builtins that every engine has, such as those on strings, sets and objects, or a table in `data`"


def check_names(unit: Unit, world: World) -> Iterator[Finding]:
    """What is wrong with the names of one module."""
    own = {path[len(unit.module.package)] for path in world.rules if _is_in(path, unit.module.package)}
    known = _GLOBAL | own | set(unit.module.imports)
    for rule in unit.rules:
        yield from _unbound(unit, rule, known, world)
        yield from _unused(unit, rule, known)
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
                    used.add(_absolute(unit, term.name))
                elif isinstance(term, Ref) and isinstance(term.head, str):
                    used.add(_absolute(unit, (term.head, *_static(term))))
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


# --- variables -----------------------------------------------------------------------------------------------------


def _unbound(unit: Unit, rule: Rule, known: set[str] | frozenset[str], world: World) -> Iterator[Finding]:
    outer = known | {name for term in rule.arguments or () for name in _pattern(term)}
    for at, branch in enumerate(rule.branches):
        heads = [*rule.keys, *([] if rule.key is None else [rule.key])] if at == 0 else []
        heads += [] if branch.value is None else [branch.value]
        yield from _level(unit, heads, branch.body, outer, world)


def _level(
    unit: Unit, heads: Iterable[Term], body: Iterable[Statement], outer: Iterable[str], world: World
) -> Iterator[Finding]:
    """Variables of one scope that nothing in it or around it can bind."""
    statements: list[Statement] = [*body, *(Expression(term=term, line=term.line) for term in heads)]
    declared = set(outer) | {name for one in statements for name in _declared(unit, one, world)}
    stepped = {name for one in statements for name in _stepped(one)}
    bound = declared | stepped
    told: set[str] = set()
    for statement in statements:
        inner = bound
        if isinstance(statement, Every):
            inner = bound | {name for term in statement.targets for name in _pattern(term)}
            yield from _level(unit, (), statement.body, inner, world)
        for term in terms_of(statement):
            for part in _shallow(term):
                if isinstance(part, Comprehension):
                    yield from _level(unit, part.heads, part.body, inner, world)
                elif isinstance(part, Ref) and isinstance(part.head, str):
                    name = part.head
                    if name in told or name == "_" or (name in inner and (name in declared or name not in stepped)):
                        continue
                    told.add(name)
                    if name not in inner and _is_builtin(".".join((name, *_static(part)))):
                        continue  # what a test replaces a function by
                    if name not in inner:
                        yield error(
                            unit,
                            part.line,
                            "unsafe-variable",
                            f"`{name}` is no rule or import, and no condition gives it a value",
                            nearest(name, inner - {"data", "input"}) if len(name) > 1 else "",
                        )
                    else:
                        yield warning(
                            unit,
                            part.line,
                            "undeclared-variable",
                            f"`{name}` is not declared, so this goes through every key",
                            f"`some {name}` before it, or the name that was meant",
                        )


def _pattern(term: Term) -> Iterator[str]:
    """The variables of a term that is matched against a value."""
    match term:
        case Ref(head=str() as name, steps=()):
            yield name
        case Items():
            for item in term.items:
                yield from _pattern(item)
        case Object():
            for _, value in term.pairs:
                yield from _pattern(value)
        case _:
            return


def _declared(unit: Unit, statement: Statement, world: World) -> Iterator[str]:
    """Variables that a statement declares or unifies, for its whole scope."""
    match statement:
        case Some():
            for target in statement.targets:
                yield from _pattern(target)
        case Expression(negated=False, term=Operation(operator=":=" | "=" as operator, terms=terms)):
            for term in terms[:1] if operator == ":=" else terms:
                yield from _pattern(term)
        case Expression(negated=False, term=Call(arguments=(*_, last)) as call) if _has_place(unit, call, world):
            yield from _pattern(last)
        case _:
            return


def _has_place(unit: Unit, call: Call, world: World) -> bool:
    """Whether the last argument may be a place for the result, as that of `walk` always is."""
    rules = world.rules.get(_absolute(unit, call.name))
    counts = _builtin_arity(".".join(call.name)) if rules is None else [len(rule.arguments or ()) for rule in rules]
    return not counts or len(call.arguments) - 1 in counts


def _stepped(statement: Statement) -> Iterator[str]:
    """Variables that stand in brackets after a document, where they go through its keys."""
    if isinstance(statement, Expression) and statement.negated:
        return
    for term in terms_of(statement):
        for part in _shallow(term):
            if isinstance(part, Ref):
                for step in part.steps:
                    yield from _pattern(step)


def _shallow(term: Term) -> Iterator[Term]:
    """`term` and what is inside it, up to comprehensions, which are scopes of their own."""
    yield term
    if not isinstance(term, Comprehension):
        for part in parts(term):
            yield from _shallow(part)


def _unused(unit: Unit, rule: Rule, known: set[str] | frozenset[str]) -> Iterator[Finding]:
    counts = Counter(term.head for term in all_terms(rule) if isinstance(term, Ref) and isinstance(term.head, str))
    for term, line in _declarations(rule):
        for name in _pattern(term):
            if counts[name] == 1 and name != "_" and name not in known:
                yield warning(unit, line, "unused-variable", f"`{name}` is never used", "`_`, or delete it")


def _declarations(rule: Rule) -> Iterator[tuple[Term, int]]:
    for argument in rule.arguments or ():
        yield argument, argument.line
    bodies = [branch.body for branch in rule.branches]
    bodies += [term.body for term in all_terms(rule) if isinstance(term, Comprehension)]
    while bodies:
        for statement in bodies.pop():
            match statement:
                case Some() | Every():
                    for target in statement.targets:
                        yield target, target.line
                    if isinstance(statement, Every):
                        bodies.append(statement.body)
                case Expression(term=Operation(operator=":=", terms=(target, _))):
                    yield target, target.line
                case _:
                    pass


def _unused_imports(unit: Unit) -> Iterator[Finding]:
    used = {
        term.head if isinstance(term, Ref) else term.name[0]
        for rule in unit.rules
        for term in all_terms(rule)
        if isinstance(term, (Ref, Call))
    }
    for alias, path in unit.module.imports.items():
        if alias not in used:
            line = next((at for at, text in _lines(unit) if text.startswith("import ") and path[-1] in text), 1)
            yield warning(unit, line, "unused-import", f"`{alias}` is never used", "delete the import")


def _lines(unit: Unit) -> Iterable[tuple[int, str]]:
    return enumerate(unit.module.text.splitlines(), 1)


# --- functions and documents ---------------------------------------------------------------------------------------


def _called(unit: Unit, call: Call, world: World) -> Iterator[Finding]:
    name = ".".join(call.name)
    if name == "set" and not call.arguments:
        return  # the empty set
    rules = world.rules.get(_absolute(unit, call.name))
    if rules is not None:
        wanted = {len(rule.arguments) for rule in rules if rule.arguments is not None}
        if not wanted:
            yield error(unit, call.line, "arity", f"`{name}` is no function", f"`{name}` without parentheses")
            return
        yield from _arity(unit, call, wanted)
        return
    hint = instead(name)
    # `print` shows a test's author what happens, and no request is ever asked of a test.
    if hint and not (unit.test and name in {"print", "time.now_ns"}):
        yield error(unit, call.line, "forbidden-builtin", f"`{name}` is not allowed in a policy", hint)
    elif hint:
        return
    elif call.name[0] in _GLOBAL or call.name[0] in unit.module.imports or not _is_builtin(name):
        if name.startswith(_UNSUPPORTED) or name in _plan_builtins():
            yield error(unit, call.line, "unsupported-builtin", f"`{name}` is not there on every engine", _PLAINER)
            return
        own = {path[-1] for path, found in world.rules.items() if found[0].arguments is not None}
        yield error(unit, call.line, "unknown-function", f"there is no function `{name}`", nearest(call.name[-1], own))
    elif _plan_builtins() and name not in _plan_builtins():
        yield error(unit, call.line, "unsupported-builtin", f"`{name}` is not there on every engine", _PLAINER)
    else:
        yield from _arity(unit, call, _builtin_arity(name))


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
    path = unit.module.imports.get(ref.head, (ref.head,)) + _static(ref)
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


def _static(ref: Ref) -> Path:
    """The steps that are known without running anything."""
    found = []
    for step in ref.steps:
        if not isinstance(step, Constant) or not isinstance(step.value, str):
            break
        found.append(step.value)
    return tuple(found)


def _absolute(unit: Unit, name: Path) -> Path:
    """The path of `name` below `data`, as seen from the module."""
    root = unit.module.imports.get(name[0])
    if root is not None:
        return (*root[1:], *name[1:]) if root[0] == "data" else ()
    return name[1:] if name[0] == "data" else (*unit.module.package, *name)


def _is_in(path: Path, package: Path) -> bool:
    return len(path) > len(package) and path[: len(package)] == package


def _overlap(one: Path, other: Path) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one


# --- builtins ------------------------------------------------------------------------------------------------------


@cache
def _embedded() -> Interpreter:
    return Interpreter()


def _is_builtin(name: str) -> bool:
    return bool(_embedded().is_builtin(name))


def _plan_builtins() -> Mapping[str, Callable[..., object]]:
    from governance.policy.plan.builtins import BUILTINS  # noqa: PLC0415  (hundreds of them)

    return BUILTINS


@cache
def _builtin_arity(name: str) -> tuple[int, ...]:
    """How many arguments a builtin takes; empty where that is not known."""
    builtin = _plan_builtins().get(name)
    if builtin is None:
        return ()
    parameters = inspect.signature(builtin).parameters.values()
    if any(one.kind not in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} for one in parameters):
        return ()
    needed = sum(one.default is one.empty for one in parameters)
    return tuple(range(needed, len(parameters) + 1))
