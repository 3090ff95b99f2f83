"""The rules of a Rego module as a tree of frozen nodes, each with the line it starts on, and walks over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from governance.frozen import frozen

# What every module sees without defining or importing it.
GLOBAL = frozenset({"input", "data"})


@frozen
class Constant:
    """A string, number, boolean or null."""

    value: str | float | bool | None
    line: int


@frozen
class Ref:
    """A name, or a term, and the steps into it. A name alone is a Ref without steps."""

    head: str | Term
    steps: tuple[Term, ...] = ()
    line: int


@frozen
class Call:
    """A function by its dotted name."""

    name: tuple[str, ...]
    arguments: tuple[Term, ...]
    line: int


@frozen
class Items:
    """An array or a set, by what it is opened with."""

    kind: str
    items: tuple[Term, ...]
    line: int


@frozen
class Object:
    """An object literal."""

    pairs: tuple[tuple[Term, Term], ...]
    line: int


@frozen
class Comprehension:
    """What it collects (one term, or key and value) and from where."""

    kind: str
    heads: tuple[Term, ...]
    body: tuple[Statement, ...]
    line: int


@frozen
class Operation:
    """An operator between terms; `in` has two or three."""

    operator: str
    terms: tuple[Term, ...]
    line: int


@frozen
class Expression:
    """One condition, or an assignment. `overrides` are what each `with` replaces and by what, in turn."""

    term: Term
    negated: bool = False
    overrides: tuple[Term, ...] = ()
    line: int


@frozen
class Some:
    """Names that are declared; with a domain the patterns that each of its members is matched with."""

    targets: tuple[Term, ...]
    domain: Term | None = None
    overrides: tuple[Term, ...] = ()
    line: int


@frozen
class Every:
    """What has to hold for each member of a domain."""

    targets: tuple[Term, ...]
    domain: Term
    body: tuple[Statement, ...]
    overrides: tuple[Term, ...] = ()
    line: int


Term: TypeAlias = Constant | Ref | Call | Items | Object | Comprehension | Operation
Statement: TypeAlias = Expression | Some | Every


@frozen
class Branch:
    """A body with the value it leads to."""

    value: Term | None
    body: tuple[Statement, ...]


@frozen
class Rule:
    """One definition. `key` is what `contains` adds; `arguments` is None for what is no function."""

    name: tuple[str, ...]
    arguments: tuple[Term, ...] | None
    keys: tuple[Term, ...]
    key: Term | None
    branches: tuple[Branch, ...]
    default: bool
    line: int


def scopes(rule: Rule) -> Iterator[tuple[Statement, ...]]:
    """The statements of each branch of a rule; what it collects or leads to stands at their end."""
    keys = rule.keys if rule.key is None else (*rule.keys, rule.key)
    for branch in rule.branches:
        yield (*branch.body, *_said(keys if branch.value is None else (*keys, branch.value)))


def inside(comprehension: Comprehension) -> tuple[Statement, ...]:
    """The statements of a comprehension; what it collects stands at their end."""
    return (*comprehension.body, *_said(comprehension.heads))


def _said(heads: Iterable[Term]) -> Iterator[Statement]:
    return (Expression(term=head, line=head.line) for head in heads)


def parts(term: Term) -> Iterator[Term]:
    """The terms directly inside `term`; the bodies of comprehensions are not entered."""
    match term:
        case Ref():
            if not isinstance(term.head, str):
                yield term.head
            yield from term.steps
        case Call():
            yield from term.arguments
        case Items():
            yield from term.items
        case Object():
            for pair in term.pairs:
                yield from pair
        case Comprehension():
            yield from term.heads
        case Operation():
            yield from term.terms
        case Constant():
            return


def terms_of(statement: Statement) -> Iterator[Term]:
    """The terms of a statement, without those of the body of an `every`."""
    match statement:
        case Expression():
            yield statement.term
        case Some():
            yield from statement.targets
            if statement.domain is not None:
                yield statement.domain
        case Every():
            yield from statement.targets
            yield statement.domain
    # What a `with` replaces is a place, and neither read nor a variable.
    yield from statement.overrides[1::2]


def shallow(term: Term) -> Iterator[Term]:
    """`term` and what is inside it, up to comprehensions, which are scopes of their own."""
    yield term
    if not isinstance(term, Comprehension):
        for part in parts(term):
            yield from shallow(part)


def static(ref: Ref) -> tuple[str, ...]:
    """The names of the first steps, as far as they are known without running anything."""
    found = []
    for step in ref.steps:
        if not isinstance(step, Constant) or not isinstance(step.value, str):
            break
        found.append(step.value)
    return tuple(found)


def bound(term: Term) -> Iterator[str]:
    """The variables of a term that is matched against a value."""
    match term:
        case Ref(head=str() as name, steps=()):
            yield name
        case Items():
            for item in term.items:
                yield from bound(item)
        case Object():
            for _, value in term.pairs:
                yield from bound(value)
        case _:
            return


def within(term: Term) -> Iterator[Term]:
    """`term` and everything inside it, bodies of comprehensions too."""
    yield term
    for part in parts(term):
        yield from within(part)
    if isinstance(term, Comprehension):
        for inner in term.body:
            yield from everything(inner)


def everything(statement: Statement) -> Iterator[Term]:
    """Every term of a statement at any depth."""
    for term in terms_of(statement):
        yield from within(term)
    if isinstance(statement, Every):
        for inner in statement.body:
            yield from everything(inner)


def all_terms(rule: Rule) -> Iterator[Term]:
    """Every term of a rule at any depth."""
    for top in (*(rule.arguments or ()), *rule.keys, *(() if rule.key is None else (rule.key,))):
        yield from within(top)
    for branch in rule.branches:
        if branch.value is not None:
            yield from within(branch.value)
        for statement in branch.body:
            yield from everything(statement)
