"""json.match_schema and json.verify_schema: JSON Schema drafts 4, 6 and 7. References leave no document.

LIMIT: the verdict is OPA's; the words are ours, and name the keyword and the field, never a value. A string that a `format`
is asked of, and a schema that refers to another document, are errors here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import Builtin, bounded, guarded
from governance.policy.plan.builtins.reading import json_text, json_value, plain
from governance.policy.plan.builtins.regexes import found_in
from governance.policy.plan.values import Value

_MAX_ERRORS: Final = 100


def match(a: Value, b: Value) -> Value:
    """[whether the document `a` is as the schema `b` says, an array of what is not]."""
    document = _document(a)
    validator = _validator(json_text(_document(b)))
    errors: list[Value] = []
    try:
        for error in validator.iter_errors(document):
            errors.append(_error(error))
            if len(errors) == _MAX_ERRORS:
                break
    except BuiltinError:
        raise
    except Exception:  # noqa: BLE001  # the library raises what its parts raise, with the schema in the text
        raise BuiltinError("schema cannot be used") from None
    return [not errors, errors]


def verify(a: Value) -> Value:
    """[whether a value is a schema, null or why not]."""
    try:
        _validator(json_text(_document(a)))
    except BuiltinError as error:
        return [False, f"jsonschema: {error}"]
    return [True, None]


def _document(value: Value) -> Any:
    if type(value) is str:
        return plain(json_value(value))
    if type(value) in (dict, list):
        return plain(value)
    raise BuiltinError("wrong type, expected string or object")


@lru_cache(maxsize=64)
def _validator(written: str) -> Any:
    """The validator of a schema, given as JSON. Raises BuiltinError where it is none."""
    import jsonschema  # noqa: PLC0415  # few policies need it
    from jsonschema.validators import extend  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415

    schema = json_value(bounded(written))
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft7Validator)
    kind = extend(kind, {"format": _format, "pattern": _pattern, "patternProperties": _patterned})  # type: ignore[no-untyped-call]
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError:
        raise BuiltinError("invalid schema") from None
    _check_references(schema)
    return kind(schema, registry=Registry())


def _check_references(schema: Any) -> None:
    """Raises where something in `schema` refers to another document, also where no value would lead there."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str) and not target.startswith("#"):
            raise BuiltinError("schema refers to another document")
        schema = list(schema.values())
    if isinstance(schema, list):
        for below in schema:
            _check_references(below)


def _format(_validator: Any, _format: str, instance: Any, _schema: Any) -> Iterator[Any]:
    """What OPA finds valid by rules of its own is not told here, rather than told otherwise."""
    if isinstance(instance, str):
        raise BuiltinError("a format cannot be checked")
    return iter(())


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    """RE2 in place of Python's expressions, which can take exponential time."""
    from jsonschema import ValidationError  # noqa: PLC0415

    if isinstance(instance, str) and not found_in(pattern, instance):
        yield ValidationError("does not match the pattern")


def _patterned(validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, below in patterns.items():
            for name, value in instance.items():
                if found_in(pattern, name):
                    yield from validator.descend(value, below, path=name, schema_path=pattern)


def _error(error: Any) -> Value:
    field = ".".join(map(str, error.absolute_path)) or "(Root)"
    keyword = str(error.validator)
    return {"error": f"{field}: {keyword}", "type": keyword, "field": field, "desc": keyword}


BUILTINS: Final[Mapping[str, Builtin]] = {
    "json.match_schema": guarded(match),
    "json.verify_schema": guarded(verify),
}
