"""Paths of the input that the schema has not, comparisons that can never hold, and iterations that cost too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from governance.policy.authoring.checks_finding import Finding, Unit, error, nearest, warning
from governance.policy.authoring.syntax import (
    Comprehension,
    Constant,
    Every,
    Items,
    Operation,
    Ref,
    Rule,
    Some,
    Statement,
    Term,
    inside,
    scopes,
    shallow,
    terms_of,
)
from governance.policy.authoring.typed import (
    Typed,
    Types,
    resolved,
    root_types,
    schema_of,
    scope_types,
    seen_in,
    step_into,
    type_of,
)


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
    for statements in scopes(rule):
        yield from _loops(unit, statements, root_types(unit.module.imports), None)


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
            for part in shallow(term):
                if isinstance(part, Comprehension):
                    yield from _loops(unit, inside(part), types, around)
        if isinstance(statement, Every):
            yield from _loops(unit, statement.body, types, around)


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
