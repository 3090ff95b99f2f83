"""Effects as they stand in a rule, held against their schema as far as they are written out.

A value that is computed is not judged; a key, a word or a number that stands there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from governance.decision import Contribution, Provenance
from governance.enforce import unkept
from governance.errors import PolicyResultInvalid
from governance.policy.authoring.checks_finding import Finding, Unit, error, nearest, warning
from governance.policy.authoring.syntax import (
    Call,
    Comprehension,
    Constant,
    Items,
    Object,
    Operation,
    Ref,
    Term,
    parts,
)
from governance.policy.authoring.typed import (
    Schema,
    Typed,
    Types,
    resolved,
    schema_of,
    scope_types,
    seen_in,
    type_of,
)
from governance.policy.contract import parse_effects
from governance.policy.lattice import combine

_CODE = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_CODES = frozenset({"rule", "code", "message_id"})
# What a caller writes as it likes. Everything else in the input is measured or looked up by Ringfence.
_OF_CALLERS = (
    ("principal", "id"),
    ("principal", "tenant"),
    ("principal", "groups"),
    ("principal", "attributes"),
    ("request", "model"),
    ("request", "provider"),
    ("request", "purpose"),
    ("request", "protocol"),
    ("request", "tools"),
    ("request", "parse", "reason"),
    ("response", "model"),
    ("response", "finish"),
)
# Where a string is read by people and systems that do not expect a caller's words.
_READ_BY_OTHERS = frozenset({"rule", "code", "message_id", "message_params", "set", "remove"})
# The first part of the names of builtins whose result has text of their arguments in it.
_STRINGS_FROM = frozenset(
    "base64 base64url concat json lower replace split sprintf strings substring trim trim_left trim_prefix trim_right "
    "trim_space trim_suffix upper urlquery".split()
)


def check_effects(unit: Unit) -> Iterator[Finding]:
    """What is wrong with each effect that `unit` writes out."""
    for rule in unit.rules:
        for seen in seen_in(rule, unit.module.imports):
            if isinstance(seen.term, Object) and _string(_entries(seen.term).get("effect")) is not None:
                yield from _effect(unit, seen.term)
                yield from _echoes(unit, seen.term, seen.types)
                yield from _refused(unit, seen.term)


def written_effects(unit: Unit) -> Iterator[tuple[str, str, int]]:
    """`effect/rule`, code and line of every effect of the module whose three words are written out."""
    for rule in unit.rules:
        for seen in seen_in(rule, unit.module.imports):
            if isinstance(seen.term, Object):
                entries = _entries(seen.term)
                effect, name, code = (_string(entries.get(key)) for key in ("effect", "rule", "code"))
                if effect is not None and name is not None:
                    yield f"{effect}/{name}", code or "", seen.term.line


def _entries(term: Object) -> Mapping[str, Term]:
    return {key.value: value for key, value in term.pairs if isinstance(key, Constant) and isinstance(key.value, str)}


def _string(term: Term | None) -> str | None:
    return term.value if isinstance(term, Constant) and isinstance(term.value, str) else None


# --- shape ---------------------------------------------------------------------------------------------------------


def _kinds() -> Mapping[str, Schema]:
    root = schema_of("effects")
    described = [resolved(one, root) for one in root["items"].get("oneOf", root["items"].get("anyOf", ()))]
    return {one["properties"]["effect"]["const"]: one for one in described}


def _effect(unit: Unit, term: Object) -> Iterator[Finding]:
    kinds = _kinds()
    kind = _string(_entries(term).get("effect"))
    assert kind is not None  # noqa: S101  (for the type checker)
    if kind not in kinds:
        yield error(unit, term.line, "effect-schema", f"there is no effect `{kind}`", nearest(kind, kinds))
        return
    yield from _object(unit, term, kinds[kind], kind)


def _object(unit: Unit, term: Object, schema: Schema, place: str) -> Iterator[Finding]:
    properties = schema.get("properties", {})
    entries = _entries(term)
    for key, value in term.pairs:
        name = _string(key)
        if name is None:
            continue
        if name in properties:
            yield from _value(unit, value, properties[name], f"{place}.{name}", name)
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from _value(unit, value, schema["additionalProperties"], f"{place}.{name}", "")
        else:
            instead = nearest(name, properties) or "an effect without it"
            yield error(unit, key.line, "effect-schema", f"`{place}` has no `{name}`", instead)
    if len(entries) == len(term.pairs):
        for name in sorted(set(schema.get("required", ())) - set(entries)):
            rule = "deny-code" if (place, name) == ("deny", "code") else "effect-schema"
            yield error(unit, term.line, rule, f"`{place}` needs `{name}`", f'`"{name}": ...` in it')


def _value(unit: Unit, term: Term, schema: Schema, place: str, name: str) -> Iterator[Finding]:
    schema = resolved(schema, schema_of("effects"))
    if not (isinstance(term, Constant) and term.value is None):
        schema = _given(schema)
    kind = schema.get("type")
    match term:
        case Object():
            if kind == "object":
                yield from _object(unit, term, schema, place)
            elif kind is not None:
                yield error(unit, term.line, "effect-schema", f"`{place}` is no object", _shown(schema))
        case Items(kind="["):
            if kind == "array":
                for item in term.items:
                    yield from _value(unit, item, schema.get("items", {}), f"{place}[]", "")
            elif kind is not None:
                yield error(unit, term.line, "effect-schema", f"`{place}` is no list", _shown(schema))
        case Constant():
            fault = _fault(term.value, schema, name)
            if fault is not None:
                yield error(unit, term.line, "effect-schema", f"`{place}` {fault}", _shown(schema, term.value))
        case _:
            return


def _given(schema: Schema) -> Schema:
    """The schema of a value that may be left out, where it is there."""
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return resolved(options[0], schema_of("effects")) if len(options) == 1 else schema


def _fault(value: object, schema: Schema, name: str) -> str | None:
    """What a constant breaks of its schema, None where nothing."""
    kind = schema.get("type")
    words = schema.get("enum")
    if words is not None:
        return None if value in words else f"is never `{value}`"
    if kind == "string":
        if not isinstance(value, str):
            return "is a string"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return f"has {schema.get('minLength', 0)} to {schema['maxLength']} characters"
        return "is not lower snake case" if name in _CODES and not _CODE.fullmatch(value) else None
    if kind == "boolean":
        return None if isinstance(value, bool) else "is true or false"
    if kind == "integer":
        if isinstance(value, bool) or not isinstance(value, int):
            return "is a whole number"
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        return None if least <= value <= most else f"is between {least} and {most}"
    return f"is of type {kind}" if kind in {"object", "array"} else None


def _shown(schema: Schema, value: object = "") -> str:
    """What to write for a value of this schema."""
    if "enum" in schema:
        return nearest(str(value), schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        keys = ", ".join(f"`{key}`" for key in schema.get("properties", {}))
        return f"an object of {keys}" if keys else "an object"
    return {"array": "a list", "integer": "a whole number", "boolean": "true or false"}.get(str(kind), "")


# --- refused -------------------------------------------------------------------------------------------------------


def _refused(unit: Unit, term: Object) -> Iterator[Finding]:
    """What this version refuses to do, asked of what enforces it. The fault of an effect that is none is told already."""
    kinds = _kinds()
    effect = _example(term, kinds.get(_string(_entries(term).get("effect")) or "", {}))
    for path in dict.fromkeys(_unkept(effect)):
        line, schema = _along(term, kinds[path[0]], path[1:])
        kept = [word for word in schema.get("enum", ()) if path not in _unkept(_with(effect, path[1:], word))]
        yield warning(
            unit,
            line,
            "unsupported-effect",
            f"this version cannot carry out `{'.'.join(path)}`: where the policy is enforced, it refuses each request that"
            " the effect is for (501 `obligation_unsupported`)",
            nearest("", kept) if len(kept) > 1 else f"`{kept[0]}`" if kept else "an effect without it",
        )


def _example(term: Term, schema: Schema) -> Any:
    """The value as far as it is written out. What is computed is the first that its schema admits, which asks for least."""
    schema = _given(resolved(schema, schema_of("effects")))
    match term:
        case Constant():
            return term.value
        case Object():
            properties, others = schema.get("properties", {}), schema.get("additionalProperties")
            others = others if isinstance(others, dict) else {}
            return {name: _example(value, properties.get(name, others)) for name, value in _entries(term).items()}
        case Items():
            return [_example(item, schema.get("items", {})) for item in term.items]
        case _:
            return _least(schema)


def _least(schema: Schema) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    nothing = {"integer": schema.get("minimum", 0), "boolean": False, "array": [], "object": {}}
    return nothing.get(schema.get("type", ""), "a")


def _unkept(effect: Any) -> tuple[tuple[str, ...], ...]:
    try:
        said = Contribution(policy="", version="", effects=parse_effects([effect]))
    except PolicyResultInvalid:
        return ()
    return tuple(unkept(combine([said], decision_id="", phase="request", provenance=Provenance()).obligations))


def _with(effect: Any, path: Sequence[str], value: object) -> Any:
    """`effect` with another value at `path`."""
    return {**effect, path[0]: _with(effect.get(path[0], {}), path[1:], value)} if path else value


def _along(term: Term, schema: Schema, path: Sequence[str]) -> tuple[int, Schema]:
    """The line and the schema of what stands at `path`, as far as it is written out."""
    schema = _given(resolved(schema, schema_of("effects")))
    inside = _entries(term).get(path[0]) if path and isinstance(term, Object) else None
    if inside is None:
        return term.line, schema
    return _along(inside, schema.get("properties", {}).get(path[0], {}), path[1:])


# --- echo ----------------------------------------------------------------------------------------------------------


def _echoes(unit: Unit, term: Object, types: Types) -> Iterator[Finding]:
    kind = _string(_entries(term).get("effect"))
    for name, value in _fields(term):
        for path, line in _strings(value, types):
            of_caller = any(path[: len(one)] == one for one in _OF_CALLERS)
            if name in _READ_BY_OTHERS or (of_caller and kind != "route"):
                place = ".".join(("input", *path))
                yield error(
                    unit,
                    line,
                    "input-echo",
                    f"`{name}` repeats `{place}`, which may hold any text",
                    "a fixed word, or a word that is looked up in `data` by it",
                )


def _fields(term: Object, below: str = "") -> Iterator[tuple[str, Term]]:
    """Each value of an effect with the key it stands under; inside header and message fields with that of the field."""
    for key, value in term.pairs:
        name = below or _string(key) or ""
        if isinstance(value, Object):
            yield from _fields(value, name if name in _READ_BY_OTHERS else "")
        else:
            yield name, value
        if below and _string(key) is None:
            yield below, key


def _strings(term: Term, types: Types) -> Iterator[tuple[tuple[str, ...], int]]:
    """The free strings of the input that a value is made of, with line."""
    match term:
        case Ref():
            typed = type_of(term, types)
            if typed is not None and _is_free(typed):
                yield typed.path, term.line
        case Comprehension():
            inner = scope_types(term.body, types)
            for head in term.heads:
                yield from _strings(head, inner)
        case Call() if term.name[0] not in _STRINGS_FROM:
            return
        case Operation():
            return
        case _:
            for part in parts(term):
                yield from _strings(part, types)


def _is_free(typed: Typed) -> bool:
    root = schema_of("input")
    schema = resolved(typed.schema, root)
    if schema.get("type") == "array":
        schema = resolved(schema.get("items", {}), root)
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        schema = schema["additionalProperties"]
    return schema.get("type") == "string" and "enum" not in schema and "const" not in schema
