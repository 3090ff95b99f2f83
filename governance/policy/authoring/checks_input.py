"""What the schemas say about the terms of a rule: paths of the input, closed words, effects.

A variable has a schema where one `some` or `:=` of its scope gives it a value of the input. What has none is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from governance.frozen import frozen
from governance.policy.authoring.checks_finding import Finding, Unit, error, nearest, warning
from governance.policy.authoring.checks_syntax import (
    Comprehension,
    Constant,
    Every,
    Expression,
    Items,
    Operation,
    Ref,
    Rule,
    Some,
    Statement,
    Term,
    parts,
    terms_of,
)
from governance.policy.contract import schemas

Schema = Mapping[str, Any]


@frozen
class Typed:
    """A schema, and the path of the input it was reached by (`*` for any item)."""

    schema: Schema
    path: tuple[str, ...]


Types = Mapping[str, Typed]


@frozen
class Seen:
    """A term with the types of the variables around it."""

    term: Term
    types: Types


@cache
def schema_of(name: str) -> Schema:
    """The schema of `input` or `effects`, whose definitions its references name."""
    return schemas()[f"ringfence.{name}-1.json"]


def resolved(schema: Schema, root: Schema) -> Schema:
    """`schema` with its reference followed."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def seen_in(rule: Rule, imports: Mapping[str, tuple[str, ...]]) -> Iterator[Seen]:
    """Every term of `rule` with the types of its scope."""
    top = _root(imports)
    for argument in rule.arguments or ():
        for name in _names(argument):
            top.pop(name, None)
    for at, branch in enumerate(rule.branches):
        heads = [*rule.keys, *([] if rule.key is None else [rule.key])] if at == 0 else []
        yield from _scope([*heads, *([] if branch.value is None else [branch.value])], branch.body, top)


def _root(imports: Mapping[str, tuple[str, ...]]) -> dict[str, Typed]:
    whole = Typed(schema=schema_of("input"), path=())
    top = {"input": whole}
    for alias, path in imports.items():
        if path[0] == "input":
            typed = step_into(whole, [Constant(value=part, line=0) for part in path[1:]])
            if typed is not None:
                top[alias] = typed
    return top


def _scope(heads: Sequence[Term], body: Iterable[Statement], outer: Types) -> Iterator[Seen]:
    statements = tuple(body)
    types = scope_types(statements, outer)
    for statement in statements:
        for term in terms_of(statement):
            yield from _spread(term, types)
        if isinstance(statement, Every):
            inner = dict(types)
            _bind(inner, statement.targets, item_of(type_of(statement.domain, types)))
            yield from _scope((), statement.body, inner)
    for head in heads:
        yield from _spread(head, types)


def _spread(term: Term, types: Types) -> Iterator[Seen]:
    yield Seen(term=term, types=types)
    if isinstance(term, Comprehension):
        yield from _scope(term.heads, term.body, types)
        return
    for part in parts(term):
        yield from _spread(part, types)


def scope_types(statements: Sequence[Statement], outer: Types) -> dict[str, Typed]:
    """The types of the variables in a scope. The order of conditions means nothing, hence twice."""
    types = dict(outer)
    for _ in range(2):
        for statement in statements:
            match statement:
                case Some(domain=None):
                    _bind(types, statement.targets, None)
                case Some(domain=domain) if domain is not None:
                    _bind(types, statement.targets, item_of(type_of(domain, types)))
                case Expression(term=Operation(operator=":=", terms=(target, value))):
                    _bind(types, (target,), type_of(value, types))
                case _:
                    pass
    return types


def _bind(types: dict[str, Typed], targets: Sequence[Term], typed: Typed | None) -> None:
    """Gives the last of `targets` the type; the others are keys, and those of patterns are not known."""
    for target in targets:
        for name in _names(target):
            types.pop(name, None)
    match targets[-1]:
        case Ref(head=str() as name, steps=()) if typed is not None:
            types[name] = typed
        case _:
            pass


def _names(term: Term) -> Iterator[str]:
    match term:
        case Ref(head=str() as name, steps=()):
            yield name
        case _:
            for part in parts(term):
                yield from _names(part)


def type_of(term: Term | None, types: Types) -> Typed | None:
    """The schema of a reference into the input; None for anything else and where the path is not known."""
    if not isinstance(term, Ref) or not isinstance(term.head, str) or term.head not in types:
        return None
    return step_into(types[term.head], term.steps)


def item_of(typed: Typed | None) -> Typed | None:
    """What an iteration over a value of this type meets."""
    if typed is None:
        return None
    schema = resolved(typed.schema, schema_of("input"))
    inside = schema.get("items") or schema.get("additionalProperties")
    return Typed(schema=inside, path=(*typed.path, "*")) if isinstance(inside, dict) else None


def step_into(typed: Typed, steps: Sequence[Term]) -> Typed | None:
    """The type after `steps`, None where it is not known."""
    for step in steps:
        schema = resolved(typed.schema, schema_of("input"))
        name = step.value if isinstance(step, Constant) else None
        if isinstance(name, str) and name in schema.get("properties", {}):
            typed = Typed(schema=schema["properties"][name], path=(*typed.path, name))
            continue
        following = None if "properties" in schema else item_of(typed)
        if following is None:
            return None
        typed = following
    return typed


# --- checks --------------------------------------------------------------------------------------------------------


def check_input(unit: Unit) -> Iterator[Finding]:
    """Paths that are not in the schema of the input, and comparisons that can never hold."""
    for rule in unit.rules:
        for seen in seen_in(rule, unit.module.imports):
            match seen.term:
                case Ref():
                    yield from _path(unit, seen.term, seen.types)
                case Operation(operator="==" | "!=" | "=", terms=(left, right)):
                    yield from _word(unit, type_of(left, seen.types), right)
                    yield from _word(unit, type_of(right, seen.types), left)
                case Operation(operator="in", terms=(value, Items() as words)):
                    for word in words.items:
                        yield from _word(unit, type_of(value, seen.types), word)
                case _:
                    pass
        yield from _nested(unit, rule)


def _path(unit: Unit, ref: Ref, types: Types) -> Iterator[Finding]:
    typed = types.get(ref.head) if isinstance(ref.head, str) else None
    for step in ref.steps if typed is not None else ():
        assert typed is not None  # noqa: S101  (for the type checker)
        schema = resolved(typed.schema, schema_of("input"))
        name = step.value if isinstance(step, Constant) else None
        place = ".".join(("input", *typed.path))
        if isinstance(name, str) and "properties" in schema and name not in schema["properties"]:
            yield error(
                unit, ref.line, "unknown-input", f"`{place}` has no `{name}`", nearest(name, schema["properties"])
            )
            return
        if isinstance(name, str) and schema.get("type") == "array":
            instead = f"`some item in {place}`, then `item.{name}`"
            yield error(unit, ref.line, "unknown-input", f"`{place}` is a list and has no `{name}`", instead)
            return
        typed = step_into(typed, (step,))
        if typed is None:
            return


def _word(unit: Unit, typed: Typed | None, term: Term) -> Iterator[Finding]:
    if typed is None or not isinstance(term, Constant):
        return
    schema = resolved(typed.schema, schema_of("input"))
    words = [schema["const"]] if "const" in schema else schema.get("enum")
    place = ".".join(("input", *typed.path))
    if words is not None and term.value not in words:
        shown = f"`{term.value}`" if isinstance(term.value, str) else "this value"
        yield error(unit, term.line, "impossible-value", f"`{place}` is never {shown}", nearest(str(term.value), words))
    elif words is None and not _fits(term.value, schema.get("type")):
        yield error(unit, term.line, "impossible-value", f"`{place}` is always of type {schema['type']}")


def _fits(value: object, kind: object) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return True


# --- cost ----------------------------------------------------------------------------------------------------------


def _nested(unit: Unit, rule: Rule) -> Iterator[Finding]:
    """Iterations inside iterations over lists of the input without a limit."""
    for branch in rule.branches:
        heads = [*rule.keys, *(term for term in (rule.key, branch.value) if term is not None)]
        statements = [*branch.body, *(Expression(term=term, line=term.line) for term in heads)]
        yield from _loops(unit, statements, _root(unit.module.imports), None)


def _loops(unit: Unit, statements: Sequence[Statement], outer: Types, around: str | None) -> Iterator[Finding]:
    types = scope_types(statements, outer)
    for statement in statements:
        opened = _unbounded(statement, types)
        if opened is not None and around is not None:
            yield warning(
                unit,
                statement.line,
                "nested-iteration",
                f"`{opened}` is gone through again for each item of `{around}`",
                "two rules, each over one list, or a set that is built once",
            )
        around = around or opened
    for statement in statements:
        for term in terms_of(statement):
            for inner in _comprehensions(term):
                collected = [Expression(term=head, line=head.line) for head in inner.heads]
                yield from _loops(unit, [*inner.body, *collected], types, around)
        if isinstance(statement, Every):
            yield from _loops(unit, statement.body, types, around)


def _comprehensions(term: Term) -> Iterator[Comprehension]:
    if isinstance(term, Comprehension):
        yield term
        return
    for part in parts(term):
        yield from _comprehensions(part)


def _unbounded(statement: Statement, types: Types) -> str | None:
    """The list without a limit that a statement goes through."""
    domain = statement.domain if isinstance(statement, Some | Every) else None
    found = [type_of(domain, types)]
    for term in terms_of(statement):
        if isinstance(term, Ref) and term.steps:
            for at, step in enumerate(term.steps):
                if isinstance(step, Ref) and not step.steps and step.head not in types:
                    found.append(type_of(Ref(head=term.head, steps=term.steps[:at], line=term.line), types))
    for typed in found:
        if typed is None:
            continue
        schema = resolved(typed.schema, schema_of("input"))
        inside = resolved(schema.get("items", {}), schema_of("input"))
        if schema.get("type") == "array" and "maxItems" not in schema and "enum" not in inside:
            return ".".join(("input", *typed.path))
    return None
