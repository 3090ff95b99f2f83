"""Versions, units, UUIDs and URIs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final
from urllib.parse import quote
from uuid import UUID

from governance.policy.plan.builtins.encoding import unescaped
from governance.policy.plan.builtins.error import UNDEFINED, BuiltinError
from governance.policy.plan.builtins.operand import Builtin, guarded, real, text, whole
from governance.policy.plan.values import Value

_NUMERAL: Final = r"(?:0|[1-9][0-9]*)"
_VERSION: Final = re.compile(
    rf"v?(?P<major>{_NUMERAL})\.(?P<minor>{_NUMERAL})\.(?P<patch>{_NUMERAL})"
    r"(?:-(?P<before>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_INT64: Final = 1 << 63
_Version = tuple[int, int, int, list[str]]


def _version(value: Value, position: int = 1) -> _Version:
    found = _VERSION.fullmatch(text(value, position))
    numbers = [int(found[name]) for name in ("major", "minor", "patch")] if found else []
    before = found["before"].split(".") if found and found["before"] else []
    zeros = any(one.isdecimal() and len(one) > 1 and one[0] == "0" for one in before)
    if not numbers or max(numbers) >= _INT64 or zeros:
        raise BuiltinError(f"operand {position}: not a valid SemVer")
    return numbers[0], numbers[1], numbers[2], before


def _rank(identifier: str) -> tuple[int, int, str]:
    return (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)


def compare_versions(a: Value, b: Value) -> Value:
    """-1, 0 or 1, as the first version is lower than, as high as or higher than the second. https://semver.org."""
    left, right = _version(a, 1), _version(b, 2)
    one = (*left[:3], not left[3], [_rank(part) for part in left[3]])
    two = (*right[:3], not right[3], [_rank(part) for part in right[3]])
    return (one > two) - (one < two)


def is_version(a: Value) -> Value:
    """Whether a value is a version."""
    try:
        _version(a)
    except BuiltinError:
        return False
    return True


_QUANTITY: Final = re.compile(r"(?P<amount>[0-9.+-]*(?:[eE][+-]?[0-9]+[0-9.+-]*)*)(?P<unit>.*)", re.DOTALL | re.ASCII)
_AMOUNT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_MAX_QUANTITY: Final = 200
_PREFIXES: Final = "kmgtpe"


def _quantity(written: str) -> tuple[Fraction, str]:
    """The amount and the unit of `written`."""
    found = _QUANTITY.fullmatch(written.replace('"', ""))
    if found is None or len(written) > _MAX_QUANTITY or " " in written or _AMOUNT.fullmatch(found["amount"]) is None:
        raise BuiltinError("not an amount with a unit")
    return Fraction(found["amount"].rstrip(".")), found["unit"]


def units(a: Value) -> Value:
    """The number of `10K` or `200Mi`: m is a thousandth, M a million, Mi 1024 times 1024."""
    amount, unit = _quantity(text(a))
    unit = unit[:1] + unit[1:].lower()
    if unit == "m":
        factor = Fraction(1, 1000)
    elif unit == "M":
        factor = Fraction(1000**2)
    else:
        factor = Fraction(_factor(unit.lower(), decimal="", binary="i"))
    found = amount * factor
    if found.denominator == 1:
        return whole(found.numerator)
    scaled = found * 10**10
    nearest = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    found = Fraction(nearest if found > 0 else -nearest, 10**10)
    return whole(found.numerator) if found.denominator == 1 else real(float(found))


def unit_bytes(a: Value) -> Value:
    """The number of bytes of `10KB` or `200mib`, cut to a whole one; case does not count."""
    amount, unit = _quantity(text(a).lower())
    short = unit if not unit.endswith("b") or unit == "b" else unit[:-1]
    return whole(int(_mantissa64(_mantissa64(amount) * _factor(short, decimal="", binary="i"))))


def _factor(unit: str, *, decimal: str, binary: str) -> int:
    if not unit:
        return 1
    for power, prefix in enumerate(_PREFIXES, 1):
        if unit == prefix + decimal:
            return int(1000**power)
        if unit == prefix + binary:
            return int(1024**power)
    raise BuiltinError("unit not recognized")


def _mantissa64(value: Fraction) -> Fraction:
    """`value` to 64 bits, halves to even, which is how OPA calculates here."""
    if not value:
        return value
    shift = abs(value.numerator).bit_length() - value.denominator.bit_length() - 64
    for extra in (0, 1):
        scale = Fraction(2) ** (shift + extra)
        scaled = round(value / scale)
        if abs(scaled).bit_length() <= 64:
            return scaled * scale
    return scaled * scale


_UUID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}", re.ASCII | re.IGNORECASE
)
_BRACED: Final = 38  # characters, of which the first and last may be any
_UUID_EPOCH: Final = 0x01B21DD213814000  # 1970 in the 100 ns since 1582
_DOMAINS: Final = {0: "Person", 1: "Group", 2: "Org"}


def parse_uuid(a: Value) -> Value:
    """What a UUID says of itself. RFC 4122. Undefined where a string is none."""
    written = text(a)
    bare = written[1:-1] if len(written) == _BRACED else written.lower().removeprefix("urn:uuid:")
    if _UUID.fullmatch(bare) is None:
        return UNDEFINED
    found = UUID(bare)
    raw = found.bytes
    version = raw[6] >> 4
    parts: dict[Value, Value] = {"version": version, "variant": _variant(raw[8])}
    if version in (1, 2):
        parts["time"] = (found.time - _UUID_EPOCH) * 100
        parts["nodeid"] = raw[10:].hex("-")
        parts["macvariables"] = _scope(raw[10])
        parts["clocksequence"] = found.clock_seq
    if version == 2:
        parts["id"] = found.time_low
        parts["domain"] = _DOMAINS.get(raw[9], f"Domain{raw[9]}")
    return parts


def _variant(byte: int) -> str:
    if byte & 0xC0 == 0x80:
        return "RFC4122"
    if byte & 0xE0 == 0xC0:
        return "Microsoft"
    return "Future" if byte & 0xE0 == 0xE0 else "Reserved"


def _scope(byte: int) -> str:
    return f"{'local' if byte & 2 else 'global'}:{'multicast' if byte & 1 else 'unicast'}"


_URI: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?P<rest>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.ASCII | re.DOTALL,
)
_HOST: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%25[^\]]*)?\]|(?!\[)[^:\\ <>\"^`{|}]*)(?::(?P<port>[0-9]*))?", re.ASCII
)
_HOST_ESCAPE: Final = re.compile("%[0-7]")  # of what needs none
_USER: Final = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


def _uri(written: str) -> dict[Value, Value]:
    found = _URI.fullmatch(written)
    if found is None or _CONTROL.search(written) or written.startswith(":"):
        raise BuiltinError("not a URI")
    parts: dict[Value, Value] = {}
    if found["scheme"]:
        parts["scheme"] = found["scheme"].lower()
    rest = found["rest"]
    if rest.startswith("//") and not rest.startswith("///"):
        authority, slash, path = rest[2:].partition("/")
        _authority(authority, parts)
        rest = slash + path
    elif found["scheme"] and not rest.startswith("/"):
        rest = ""  # opaque, as in mailto:
    elif not found["scheme"] and ":" in rest.partition("/")[0]:
        raise BuiltinError("first path segment in URL cannot contain colon")
    elif rest.startswith("///") and found["scheme"]:
        rest = rest[2:]
    path = unescaped(rest, plus=False)
    _put(parts, "path", path)
    _put(parts, "raw_path", path if quote(path, safe="$&+,/:;=@-_.~") == rest else rest)
    _put(parts, "raw_query", found["query"])
    _put(parts, "fragment", unescaped(found["fragment"] or "", plus=False))
    return parts


def _put(parts: dict[Value, Value], name: str, value: str | None) -> None:
    if value:
        parts[name] = value


def _authority(written: str, parts: dict[Value, Value]) -> None:
    user, _, host = written.rpartition("@")
    found = _HOST.fullmatch(host)
    if found is None or _USER.fullmatch(user) is None or _HOST_ESCAPE.search(host.replace("%25", "")):
        raise BuiltinError("not a URI: host")
    _put(parts, "hostname", unescaped(found["host"].strip("[]"), plus=False))
    _put(parts, "port", found["port"])


def parse_uri(a: Value) -> Value:
    """The parts of a URI that it has."""
    return _uri(text(a))


def is_uri(a: Value) -> Value:
    """Whether a value is a URI."""
    try:
        return bool(text(a)) and _uri(a) is not None
    except (BuiltinError, ValueError):
        return False


BUILTINS: Final[Mapping[str, Builtin]] = {
    "semver.compare": guarded(compare_versions),
    "semver.is_valid": guarded(is_version),
    "units.parse": guarded(units),
    "units.parse_bytes": guarded(unit_bytes),
    "uuid.parse": guarded(parse_uuid),
    "uri.parse": guarded(parse_uri),
    "uri.is_valid": guarded(is_uri),
}
