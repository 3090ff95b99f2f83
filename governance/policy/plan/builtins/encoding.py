"""base64, hex, JSON, URLs and their queries.

LIMIT: a Rego string of ours is text; bytes that are no UTF-8 are an error here, where OPA would carry them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import Builtin, bounded, guarded, mapping, text, type_name
from governance.policy.plan.builtins.reading import json_text, json_value
from governance.policy.plan.values import Key, Set, Value, ordered

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)
_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})", re.ASCII)


def base64_bytes(value: str) -> bytes:
    """What `value` is the base64 of, padding included. Line ends are passed over."""
    source = value.replace("\r", "").replace("\n", "")
    if _BASE64.fullmatch(source) is None or len(source) % 4:
        raise BuiltinError("not base64")
    return base64.b64decode(source)


def base64url_bytes(value: str) -> bytes:
    """What `value` is the base64url of, with padding or without."""
    source = value.replace("\r", "").replace("\n", "")
    if not source.endswith("="):
        source += "=" * (-len(source) % 4)
    if _BASE64URL.fullmatch(source) is None or len(source) % 4:
        raise BuiltinError("not base64url")
    return base64.urlsafe_b64decode(source)


def base64_encode(a: Value) -> Value:
    """The base64 of a string, padded."""
    return base64.b64encode(text(a).encode()).decode()


def base64_decode(a: Value) -> Value:
    """The text that a string is the base64 of."""
    return base64_bytes(text(a)).decode()


def base64_is_valid(a: Value) -> Value:
    """Whether a value is base64."""
    try:
        base64_bytes(text(a))
    except (BuiltinError, ValueError):
        return False
    return True


def base64url_encode(a: Value) -> Value:
    """The base64url of a string, padded."""
    return base64.urlsafe_b64encode(text(a).encode()).decode()


def base64url_bare(a: Value) -> Value:
    """The base64url of a string, without padding."""
    return base64.urlsafe_b64encode(text(a).encode()).decode().rstrip("=")


def base64url_decode(a: Value) -> Value:
    """The text that a string is the base64url of."""
    return base64url_bytes(text(a)).decode()


def hex_encode(a: Value) -> Value:
    """The UTF-8 of a string in hex."""
    return text(a).encode().hex()


def hex_decode(a: Value) -> Value:
    """The text that a string is the hex of."""
    if _HEX.fullmatch(text(a)) is None:
        raise BuiltinError("not hex")
    return bytes.fromhex(a).decode()


def marshal(a: Value) -> Value:
    """A value as JSON on one line."""
    return json_text(a)


def marshal_with(a: Value, b: Value) -> Value:
    """A value as JSON, indented as the options `pretty`, `indent` and `prefix` say."""
    options = mapping(b, 2)
    indent, prefix = options.get("indent", "\t"), options.get("prefix", "")
    pretty = options.get("pretty", "indent" in options or "prefix" in options)
    if options.keys() - {"indent", "prefix", "pretty"} or type_name(pretty) != "boolean":
        raise BuiltinError("operand 2 holds an unknown option")
    written = json_text(a, text(indent, 2) if pretty else None)
    return bounded(text(prefix, 2) + written.replace("\n", f"\n{prefix}")) if pretty else written


def unmarshal(a: Value) -> Value:
    """The value of a JSON text."""
    return json_value(text(a))


def is_json(a: Value) -> Value:
    """Whether a value is a JSON text."""
    try:
        json_value(text(a))
    except BuiltinError:
        return False
    return True


def unescaped(value: str, *, plus: bool) -> str:
    """`value` with its percent escapes, and with `plus` its plus signs, read. Raises BuiltinError for a wrong one."""
    if _ESCAPE.search(value) is not None:
        raise BuiltinError("not an escape")
    return unquote_to_bytes(value.replace("+", " ") if plus else value).decode()


def query_encode(a: Value) -> Value:
    """A string as it stands in a query."""
    return quote_plus(text(a), safe="-_.~")


def query_decode(a: Value) -> Value:
    """The string that stands in a query."""
    return unescaped(text(a), plus=True)


def query_encode_object(a: Value) -> Value:
    """An object of strings, or of arrays or sets of strings, as a query, names in order."""
    pairs = []
    for name, value in sorted(_named(mapping(a)).items()):
        for one in _listed(value):
            if type(one) is not str:
                raise BuiltinError("values must be string, array[string], or set[string]")
            pairs.append(f"{query_encode(name)}={query_encode(one)}")
    return bounded("&".join(pairs))


def _named(value: Mapping[str | Key, Value]) -> dict[str, Value]:
    """An object whose names are strings. Raises BuiltinError where one is not."""
    if not all(type(name) is str for name in value):
        raise BuiltinError("operand 1 must have strings for names")
    return {str(name): item for name, item in value.items()}


def _listed(value: Value) -> list[Value]:
    if type(value) is Set:
        return ordered(value)
    return value if type(value) is list else [value]


def query_decode_object(a: Value) -> Value:
    """The names of a query, each with the array of its values."""
    found: dict[Value, Value] = {}
    for pair in text(a).split("&"):
        if ";" in pair:
            raise BuiltinError("invalid semicolon separator in query")
        if pair:
            name, _, value = pair.partition("=")
            found.setdefault(unescaped(name, plus=True), []).append(unescaped(value, plus=True))
    return found


BUILTINS: Final[Mapping[str, Builtin]] = {
    "base64.encode": guarded(base64_encode),
    "base64.decode": guarded(base64_decode),
    "base64.is_valid": guarded(base64_is_valid),
    "base64url.encode": guarded(base64url_encode),
    "base64url.encode_no_pad": guarded(base64url_bare),
    "base64url.decode": guarded(base64url_decode),
    "hex.encode": guarded(hex_encode),
    "hex.decode": guarded(hex_decode),
    "json.marshal": guarded(marshal),
    "json.marshal_with_options": guarded(marshal_with),
    "json.unmarshal": guarded(unmarshal),
    "json.is_valid": guarded(is_json),
    "urlquery.encode": guarded(query_encode),
    "urlquery.decode": guarded(query_decode),
    "urlquery.encode_object": guarded(query_encode_object),
    "urlquery.decode_object": guarded(query_decode_object),
}
