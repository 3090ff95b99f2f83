"""JSON as Rego values, and Rego values as JSON. What is read is bounded in size and depth."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.numbers import number_of
from governance.policy.plan.builtins.operand import MAX_DEPTH, bounded
from governance.policy.plan.builtins.writing import written
from governance.policy.plan.values import Key, Set, Value, name_of, ordered

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNSAFE: Final = re.compile("[<>&\u2028\u2029]")


def json_value(source: str) -> Value:
    """The value of a JSON text. Raises BuiltinError where it is none; of one name twice, the last counts."""
    bounded(source)
    if _too_deep(source):
        raise BuiltinError("JSON too deep")
    try:
        value = json.loads(source, parse_float=number_of, parse_int=_whole, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BuiltinError("not JSON") from None
    return _mended(value) if "\\u" in source else value


def _too_deep(source: str) -> bool:
    """Whether more brackets are open at once than a document may nest."""
    if source.count("[") + source.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', source):
        if found[0] in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif found[0] in ("]", "}"):
            depth -= 1
    return False


def _whole(digits: str) -> Value:
    return number_of(digits)


def _no_constant(_: str) -> Value:
    raise ValueError


def _mended(value: Value) -> Value:
    """`value` with U+FFFD for each half of a surrogate pair, as Go reads it."""
    if type(value) is str:
        return _SURROGATE.sub("\ufffd", value)
    if type(value) is list:
        return [_mended(item) for item in value]
    if type(value) is dict:
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value


def plain(value: Value) -> Any:
    """`value` with what JSON has: sets as arrays in order, names that are no strings as their text."""
    kind = type(value)
    if kind is list:
        return [plain(item) for item in value]
    if kind is dict:
        named = {_name(key): plain(item) for key, item in value.items()}
        return {name: named[name] for name in sorted(named)}
    return [plain(item) for item in ordered(value)] if kind is Set else value


def _name(key: str | Key) -> str:
    return key if type(key) is str else written(name_of(key))


def json_text(value: Value, indent: str | None = None) -> str:
    """`value` as Go writes JSON: names in order, no spaces, and <, > and & escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    out = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=separators, indent=indent)
    return bounded(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", out))
