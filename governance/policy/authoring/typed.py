"""The schema that a term of a rule has: what path of the input it stands for, as far as that is written out.

A variable has a schema where one `some` or `:=` of its scope gives it a value of the input. What has none is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from governance.frozen import frozen
from governance.policy.authoring.syntax import (
    Comprehension,
    Constant,
    Every,
    Expression,
    Operation,
    Ref,
    Rule,
    Some,
    Statement,
    Term,
    bound,
    inside,
    scopes,
    shallow,
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
    top = root_types(imports)
    for argument in rule.arguments or ():
        for name in bound(argument):
            top.pop(name, None)
    for statements in scopes(rule):
        yield from _scope(statements, top)


def root_types(imports: Mapping[str, tuple[str, ...]]) -> dict[str, Typed]:
    """The types of `input` and of what is imported from it."""
    whole = Typed(schema=schema_of("input"), path=())
    top = {"input": whole}
    for alias, path in imports.items():
        if path[0] == "input":
            typed = step_into(whole, [Constant(value=part, line=0) for part in path[1:]])
            if typed is not None:
                top[alias] = typed
    return top


def _scope(statements: Sequence[Statement], outer: Types) -> Iterator[Seen]:
    types = scope_types(statements, outer)
    for statement in statements:
        for term in terms_of(statement):
            for part in shallow(term):
                yield Seen(term=part, types=types)
                if isinstance(part, Comprehension):
                    yield from _scope(inside(part), types)
        if isinstance(statement, Every):
            inner = dict(types)
            _bind(inner, statement.targets, item_of(type_of(statement.domain, types)))
            yield from _scope(statement.body, inner)


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
        for name in bound(target):
            types.pop(name, None)
    match targets[-1]:
        case Ref(head=str() as name, steps=()) if typed is not None:
            types[name] = typed
        case _:
            pass


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
