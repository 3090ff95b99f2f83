"""The contract with policies as bytes: input, effects and decision read, written and described as JSON Schema.

The dataclasses of `governance.facts` and `governance.decision` are the one definition; the validators and the schemas are
derived from them. `python -m governance.policy.contract rego/schemas` writes the schemas.
"""

from __future__ import annotations

import functools
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
from annotated_types import MaxLen
from pydantic import ConfigDict, Discriminator, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ErrorDetails

from governance.decision import Decision, DenyEffect, Effect, HeaderEffect
from governance.errors import ConfigInvalid, MalformedRequest, PolicyResultInvalid
from governance.facts import Facts

MAX_EFFECTS = 256
# A policy's whole output; 256 effects with every field at its limit stay below it in practice.
MAX_RESULT_BYTES = 1 << 20
MAX_FACTS_BYTES = 4 << 20

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CODE = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_.-]*", re.ASCII)
# RFC 9110, 5.1 (token) and 5.5 (visible characters, space and tab; no obs-text).
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)


@functools.cache
def _facts() -> TypeAdapter[Facts]:
    return TypeAdapter(Facts)


@functools.cache
def _decision() -> TypeAdapter[Decision]:
    return TypeAdapter(Decision)


@functools.cache
def _effects() -> TypeAdapter[tuple[Effect, ...]]:
    # The configuration reaches every dataclass inside, none of which has its own.
    return TypeAdapter(
        Annotated[tuple[Annotated[Effect, Discriminator("effect")], ...], MaxLen(MAX_EFFECTS)],
        config=ConfigDict(strict=True, extra="forbid"),
    )


# --- writing -------------------------------------------------------------------------------------------------------


def facts_bytes(facts: Facts) -> bytes:
    """The canonical JSON of `facts`: sorted keys, no whitespace, None left out. Equal facts are equal bytes.

    Raises MalformedRequest where a name taken from the request is no Unicode text (a lone surrogate).
    """
    return canonical_part(dict(facts.parts()))


def canonical_part(parts: Mapping[str, Any]) -> bytes:
    """The canonical JSON of parts of the facts. Raises MalformedRequest as `facts_bytes` does."""
    try:
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        raise MalformedRequest("a name is not Unicode text") from None


def decision_bytes(decision: Decision) -> bytes:
    """The canonical JSON of `decision`: sorted keys, no whitespace, every field present (None is null)."""
    # orjson writes dataclasses in the order of their fields and sorts only dicts: hence twice.
    return orjson.dumps(orjson.loads(orjson.dumps(decision)), option=orjson.OPT_SORT_KEYS)


# --- reading -------------------------------------------------------------------------------------------------------


def loads_unique(raw: bytes) -> object:
    """The value of one JSON document in UTF-8 that every reader understands alike.

    Raises PolicyResultInvalid on duplicate keys, NaN and infinities, invalid UTF-8, too much depth, or over
    MAX_RESULT_BYTES. The message never quotes the document.
    """
    if len(raw) > MAX_RESULT_BYTES:
        raise PolicyResultInvalid(f"more than {MAX_RESULT_BYTES} bytes")
    return _loads(raw)


def parse_effects(raw: object) -> tuple[Effect, ...]:
    """The effects in a decoded JSON list: duplicates removed, sorted by kind, rule, code and text.

    Raises PolicyResultInvalid naming position, field and rule broken, and nothing else of the input.
    """
    try:
        # Back to text, because only the validator's JSON mode takes lists for tuples while staying strict.
        text = json.dumps(raw, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise PolicyResultInvalid("effects are not JSON") from None
    try:
        effects = _effects().validate_json(text)
    except ValidationError as invalid:
        raise PolicyResultInvalid(_places(invalid)) from None
    for position, effect in enumerate(effects):
        _check_words(position, effect)
    unique = {orjson.dumps(effect, option=orjson.OPT_SORT_KEYS): effect for effect in effects}
    ordered = sorted(unique.items(), key=lambda item: (item[1].effect, item[1].rule, item[1].code, item[0]))
    return tuple(effect for _, effect in ordered)


def facts_from_bytes(raw: bytes) -> Facts:
    """The facts in an operator's JSON file. Raises ConfigInvalid, which names each place that does not fit."""
    if len(raw) > MAX_FACTS_BYTES:
        raise ConfigInvalid(f"more than {MAX_FACTS_BYTES} bytes")
    try:
        _loads(raw)
    except PolicyResultInvalid as invalid:
        raise ConfigInvalid(str(invalid)) from None
    return facts_from_record(raw)


def facts_from_record(raw: bytes) -> Facts:
    """The facts in JSON that was written here, where no key stands twice. Raises ConfigInvalid as `facts_from_bytes` does."""
    try:
        return _facts().validate_json(raw)
    except ValidationError as invalid:
        raise ConfigInvalid("; ".join(_explained(invalid))) from None


def _loads(raw: bytes) -> object:
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_not_finite, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise PolicyResultInvalid("not UTF-8") from None
    except RecursionError:
        raise PolicyResultInvalid("nested too deeply") from None
    except json.JSONDecodeError as invalid:
        raise PolicyResultInvalid(f"not JSON at line {invalid.lineno}, column {invalid.colno}") from None
    except ValueError:
        raise PolicyResultInvalid("an integer has too many digits") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PolicyResultInvalid("an object has a key twice")
    return found


def _not_finite(_: str) -> NoReturn:
    raise PolicyResultInvalid("a number is not finite")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise PolicyResultInvalid("a number is not finite")
    return number


def _check_words(position: int, effect: Effect) -> None:
    """Refuses words that could carry text of a caller to where codes and headers go."""
    codes = [effect.rule, effect.code]
    if isinstance(effect, DenyEffect):
        values = effect.params.message_params.values()
        if not all(_WORD.fullmatch(value) for value in values if isinstance(value, str)):
            raise PolicyResultInvalid(f"effect {position}: a message parameter is not a word")
        codes += [effect.params.message_id, *effect.params.message_params]
    if not all(map(_CODE.fullmatch, codes)):
        raise PolicyResultInvalid(f"effect {position}: a rule, code or message id is not lower snake case")
    if isinstance(effect, HeaderEffect):
        names = (*effect.params.set, *effect.params.remove)
        if not all(map(_HEADER_NAME.fullmatch, names)):
            raise PolicyResultInvalid(f"effect {position}: a header name is not a token")
        if not all(map(_HEADER_VALUE.fullmatch, effect.params.set.values())):
            raise PolicyResultInvalid(f"effect {position}: a header value is not visible ASCII")


def _places(invalid: ValidationError) -> str:
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    first, *rest = errors
    where = first["loc"]
    position = f"effect {where[0]}: " if where and isinstance(where[0], int) else ""
    # Only words of the contract: any other key was written by the policy, maybe from its input.
    path = ".".join(str(step) if isinstance(step, int) or step in _words() else "?" for step in where[1:])
    more = f" and {len(rest)} more" if rest else ""
    return f"{position}{f'`{path}` ' if path else ''}{first['type']}{more}"


@functools.cache
def _words() -> frozenset[str]:
    definitions = _effects().json_schema()["$defs"]
    fields = {name for one in definitions.values() for name in one.get("properties", {})}
    kinds = {one["properties"]["effect"]["const"] for name, one in definitions.items() if name.endswith("Effect")}
    return frozenset(fields | kinds)


def _explained(invalid: ValidationError, *, most: int = 5) -> Iterator[str]:
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    yield from (_explain(error) for error in errors[:most])
    if len(errors) > most:
        yield f"and {len(errors) - most} more"


def _explain(error: ErrorDetails) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")[:200]
    match error["type"]:
        case "unexpected_keyword_argument":
            problem = "is not a known key"
        case "missing":
            problem = "is missing"
        case _:
            problem = error["msg"][:1].lower() + error["msg"][1:]
    return f"`{path}`: {problem}" if path else problem


# --- schemas -------------------------------------------------------------------------------------------------------


class _Untitled(GenerateJsonSchema):
    """Titles repeat the names of fields: only the document has one."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (the signature is pydantic's)
        """Never."""
        return False


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema 2020-12 by file name. In the input no field is null: None is left out of its canonical form."""
    named: Iterable[tuple[str, int, TypeAdapter[Any]]] = (
        ("input", 1, _facts()),
        ("decision", 1, _decision()),
        ("effects", 1, _effects()),
    )
    described = {}
    for name, major, adapter in named:
        schema = adapter.json_schema(schema_generator=_Untitled)
        if name == "input":
            _drop_null(schema)
        head = {"$schema": _DIALECT, "$id": f"urn:ringfence:{name}:{major}", "title": f"ringfence.{name}/{major}"}
        described[f"ringfence.{name}-{major}.json"] = {**schema, **head}
    return described


def _drop_null(node: Any) -> None:
    """Replaces every `anyOf` of one schema and null by that schema: OPA cannot check references through it."""
    if isinstance(node, list):
        for item in node:
            _drop_null(item)
    elif isinstance(node, dict):
        match node.get("anyOf"):
            case [dict() as only, {"type": "null"}]:
                del node["anyOf"]
                node.pop("default", None)
                node.update(only)
            case _:
                pass
        for item in node.values():
            _drop_null(item)


def write_schemas(folder: Path) -> None:
    """Writes `schemas()` into `folder`, which must exist."""
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def _main(arguments: Sequence[str]) -> None:
    (folder,) = arguments
    write_schemas(Path(folder))


if __name__ == "__main__":
    _main(sys.argv[1:])
