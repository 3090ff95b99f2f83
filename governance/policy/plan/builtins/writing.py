"""How Rego writes values: `%v` of sprintf, template strings, names of objects in JSON."""

from __future__ import annotations

from typing import Final

from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.operand import MAX_SIZE, whole
from governance.policy.plan.values import Value, key_of, name_of, ordered, sorted_values

_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def number_text(value: float) -> str:
    """A number in decimal, with an exponent where a float is very large or small."""
    return str(whole(value)) if type(value) is int else repr(value)


def quoted(value: str, *, ascii_only: bool = False) -> str:
    """A string as Go quotes it: what cannot be printed is escaped. https://pkg.go.dev/strconv#Quote."""
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    return '"' + "".join(_escaped(char, ascii_only) for char in value) + '"'


def _escaped(char: str, ascii_only: bool) -> str:
    if (written := _ESCAPES.get(char)) is not None:
        return written
    if char.isprintable() and (char.isascii() or not ascii_only):
        return char
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def written(value: Value) -> str:
    """`value` as Rego source, one line, strings quoted, objects and sets in order."""
    out: list[str] = []
    _write(value, out)
    return "".join(out)


def shown(value: Value) -> str:
    """`value` as `%v` shows it: a string as it is, anything else as Rego source."""
    return value if type(value) is str else written(value)


def _write(value: Value, out: list[str]) -> None:
    kind = type(value)
    if len(out) > MAX_SIZE:
        raise BuiltinError("result too large")
    if kind is str:
        out.append(quoted(value))
    elif value is None:
        out.append("null")
    elif kind is bool:
        out.append("true" if value else "false")
    elif kind is int or kind is float:
        out.append(number_text(value))
    elif kind is list:
        _write_all(value, "[", "]", out)
    elif kind is dict:
        _write_object(value, out)
    elif len(value):
        _write_all(ordered(value), "{", "}", out)
    else:
        out.append("set()")


def _write_all(values: list[Value], opening: str, closing: str, out: list[str]) -> None:
    out.append(opening)
    for index, value in enumerate(values):
        if index:
            out.append(", ")
        _write(value, out)
    out.append(closing)


def _write_object(value: dict[Value, Value], out: list[str]) -> None:
    out.append("{")
    for index, name in enumerate(sorted_values(map(name_of, value))):
        if index:
            out.append(", ")
        _write(name, out)
        out.append(": ")
        _write(value[key_of(name)], out)
    out.append("}")
