"""Checks of variables. Each errs on the side of silence.

A variable counts as bound where any condition of its scope could bind it, whatever the order of evaluation; so what is
reported as unbound is unbound for OPA too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from governance.policy.authoring.builtins import arities, is_builtin
from governance.policy.authoring.checks_finding import Finding, Unit, World, error, nearest, warning
from governance.policy.authoring.syntax import (
    GLOBAL,
    Call,
    Comprehension,
    Every,
    Expression,
    Operation,
    Ref,
    Rule,
    Some,
    Statement,
    Term,
    all_terms,
    bound,
    inside,
    scopes,
    shallow,
    static,
    terms_of,
)


def check_variables(unit: Unit, world: World) -> Iterator[Finding]:
    """Variables of one module that nothing binds, that nothing declares, and that nothing uses."""
    package = unit.module.package
    own = {path[len(package)] for path in world.rules if path[: len(package)] == package != path}
    known = GLOBAL | own | set(unit.module.imports)
    for rule in unit.rules:
        outer = known | {name for term in rule.arguments or () for name in bound(term)}
        for statements in scopes(rule):
            yield from _unbound(unit, statements, outer, world)
        yield from _unused(unit, rule, known)


def _unbound(unit: Unit, statements: Sequence[Statement], outer: Iterable[str], world: World) -> Iterator[Finding]:
    """Variables of one scope that nothing in it or around it can bind."""
    declared = set(outer) | {name for one in statements for name in _declared(unit, one, world)}
    stepped = {name for one in statements for name in _stepped(one)}
    told = {"_"}
    for statement in statements:
        inner = declared | stepped
        if isinstance(statement, Every):
            inner |= {name for term in statement.targets for name in bound(term)}
            yield from _unbound(unit, statement.body, inner, world)
        for part in (part for term in terms_of(statement) for part in shallow(term)):
            match part:
                case Comprehension():
                    yield from _unbound(unit, inside(part), inner, world)
                case Ref(head=str() as name) if name not in inner | told:
                    told.add(name)
                    # A test may replace a function by another, which it names without calling it.
                    if not is_builtin(".".join((name, *static(part)))):
                        yield error(
                            unit,
                            part.line,
                            "unsafe-variable",
                            f"`{name}` is no rule or import, and no condition gives it a value",
                            nearest(name, inner - GLOBAL) if len(name) > 1 else "",
                        )
                case Ref(head=str() as name) if name in stepped - declared - told:
                    told.add(name)
                    yield warning(
                        unit,
                        part.line,
                        "undeclared-variable",
                        f"`{name}` is not declared, so this goes through every key",
                        f"`some {name}` before it, or the name that was meant",
                    )
                case _:
                    pass


def _declared(unit: Unit, statement: Statement, world: World) -> Iterator[str]:
    """Variables that a statement declares or unifies, for its whole scope."""
    match statement:
        case Some():
            for target in statement.targets:
                yield from bound(target)
        case Expression(negated=False, term=Operation(operator=":=" | "=" as operator, terms=terms)):
            for term in terms[:1] if operator == ":=" else terms:
                yield from bound(term)
        case Expression(negated=False, term=Call(arguments=(*_, last)) as call) if _has_place(unit, call, world):
            yield from bound(last)
        case _:
            return


def _has_place(unit: Unit, call: Call, world: World) -> bool:
    """Whether the last argument may be a place for the result, as that of `walk` always is."""
    rules = world.rules.get(unit.path(call.name))
    counts = arities(".".join(call.name)) if rules is None else [len(rule.arguments or ()) for rule in rules]
    return not counts or len(call.arguments) - 1 in counts


def _stepped(statement: Statement) -> Iterator[str]:
    """Variables that stand in brackets after a document, where they go through its keys."""
    if isinstance(statement, Expression) and statement.negated:
        return
    for term in terms_of(statement):
        for part in shallow(term):
            if isinstance(part, Ref):
                for step in part.steps:
                    yield from bound(step)


def _unused(unit: Unit, rule: Rule, known: set[str] | frozenset[str]) -> Iterator[Finding]:
    counts = Counter(term.head for term in all_terms(rule) if isinstance(term, Ref) and isinstance(term.head, str))
    for term, line in _declarations(rule):
        for name in bound(term):
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
