"""The canonical bytes of a record: what is stored, hashed and compared. RFC 8785 over integers, strings and objects."""

from __future__ import annotations

import dataclasses
import functools
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import orjson

from governance.audit.frame import PAYLOAD_MAX
from governance.errors import AuditUnavailable
from governance.facts import Facts
from governance.frozen import frozen
from governance.record import DecisionRecord, Record, kind_of

VERSION = 1

_ENVELOPE: Mapping[str, type] = {"boot": str, "kind": str, "mono": int, "origin": str, "seq": int, "ts": int, "v": int}

# UTC and monotonic time in microseconds.
Clock = Callable[[], tuple[int, int]]

# STRICT_INTEGER: RFC 8785 numbers are doubles, so an integer beyond 2^53 would not survive another reader.
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
# Where a float may stand; a string that looks so as well only costs the slow way.
_FLOAT = re.compile(rb"[:,\[]-?[0-9]+[.eE]")
_OPTIONS_ORDERED = orjson.OPT_STRICT_INTEGER


def system_clock() -> tuple[int, int]:
    """UTC and monotonic microseconds of this machine."""
    return time.time_ns() // 1000, time.monotonic_ns() // 1000


@frozen
class Encoder:
    """Makes the canonical bytes of records of one log, written by one boot (128 random bits, hex)."""

    origin: str
    boot: str
    clock: Clock = system_clock

    def encode(self, record: Record, seq: int) -> bytes:
        """The record in its envelope, at most 65,535 bytes.

        Where it does not fit, facts are left out and counted in `facts_overflow`, and then every list keeps as many
        of its first entries as fit in all, with the number left out in `<name>_overflow`. Raises AuditUnavailable for a
        record that is still too large (`record_too_large`) or holds something JSON cannot say (`record_invalid`): both
        are bugs.
        """
        ts, mono = self.clock()
        fields = _members(record)
        if "facts" in fields:
            fields["facts"] = _facts(fields["facts"])
        fields["v"] = VERSION
        fields["kind"] = kind_of(record)
        fields["origin"] = self.origin
        fields["boot"] = self.boot
        fields["seq"] = seq
        fields["ts"] = ts
        fields["mono"] = mono
        payload = _dump(fields)
        if len(payload) > PAYLOAD_MAX and isinstance(record, DecisionRecord) and "facts" in fields:
            del fields["facts"]
            fields["facts_overflow"] = 1
            payload = _dump(fields)
        if len(payload) > PAYLOAD_MAX:
            payload = _shortened(payload)
        if len(payload) > PAYLOAD_MAX:
            raise AuditUnavailable(
                f"a record of {len(payload)} bytes exceeds the limit of {PAYLOAD_MAX}", code="record_too_large"
            )
        return payload


def decode(payload: bytes) -> dict[str, Any]:
    """The fields of a stored record, with all of its envelope. Raises ValueError for anything else."""
    fields = orjson.loads(payload)
    if not isinstance(fields, dict) or any(type(fields.get(key)) is not kind for key, kind in _ENVELOPE.items()):
        raise ValueError("the record has no complete envelope")
    return fields


def canonical(value: object) -> bytes:
    """The RFC 8785 form of a decoded JSON document without floats. Raises TypeError for anything else."""
    return orjson.dumps(_ordered(value), option=_OPTIONS_ORDERED)


def is_canonical(payload: bytes, value: object) -> bool:
    """Whether `payload`, which decodes to `value`, is its canonical form. Raises TypeError where there is none."""
    if payload.isascii() and _FLOAT.search(payload) is None:
        return orjson.dumps(value, option=_OPTIONS) == payload
    return canonical(value) == payload


def _facts(facts: Facts) -> orjson.Fragment:
    try:
        return orjson.Fragment(facts.canonical())
    except TypeError:
        raise AuditUnavailable("a record holds a value that cannot be encoded", code="record_invalid") from None


def _dump(fields: dict[str, Any]) -> bytes:
    try:
        payload = orjson.dumps(fields, option=_OPTIONS)
        # orjson sorts keys by code point, RFC 8785 (3.2.3) by UTF-16 unit: they differ above the BMP only, and a
        # payload in ASCII has no such key.
        return payload if payload.isascii() else canonical(orjson.loads(payload))
    except TypeError:
        # The cause could quote a value of the record.
        raise AuditUnavailable("a record holds a value that cannot be encoded", code="record_invalid") from None


@functools.cache
def _plan(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[str, ...]]:
    fields = dataclasses.fields(kind)  # TypeError for what is not a dataclass
    names = tuple(sorted(field.name for field in fields))
    # Annotations are strings or types, as the module chose; `None` stands in both.
    optional = tuple(field.name for field in fields if "None" in str(field.type))
    # attrgetter makes a tuple only of two or more.
    get = attrgetter(*names) if len(names) > 1 else lambda value: tuple(getattr(value, name) for name in names)
    return names, get, optional


def _members(value: Any) -> dict[str, Any]:
    names, get, optional = _plan(type(value))  # type: ignore[arg-type]  # mypy takes type[Any] for unhashable
    members = dict(zip(names, get(value)))  # noqa: B905  # equal by construction, and this is the hot path
    for name in optional:
        if members[name] is None:
            del members[name]
    return members


def _shortened(payload: bytes) -> bytes:
    """The record with as many entries in every list as fit; with none where that is too much as well."""
    fields = orjson.loads(payload)
    # No entry takes less than three bytes.
    most = bisect_left(range(PAYLOAD_MAX // 3), PAYLOAD_MAX + 1, key=lambda most: len(_dump(_cut(fields, most))))
    return _dump(_cut(fields, max(0, most - 1)))


def _cut(fields: dict[str, Any], most: int) -> dict[str, Any]:
    """`fields` with the first `most` entries of every list in it, and in `<name>_overflow` how many are left out."""
    cut = dict(fields)
    for name, value in fields.items():
        if isinstance(value, dict):
            cut[name] = _cut(value, most)
        elif isinstance(value, list) and len(value) > most:
            cut[name] = value[:most]
            cut[f"{name}_overflow"] = fields.get(f"{name}_overflow", 0) + len(value) - most
    return cut


def _ordered(value: object) -> object:
    match value:
        case dict():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return {key: _ordered(value[key]) for key in keys}
        case list():
            return [_ordered(item) for item in value]
        case float():
            raise TypeError("a number is not an integer")
        case _:
            return value
