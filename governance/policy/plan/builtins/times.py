"""Times, in nanoseconds since 1970 and within 64 bits. The time of day is no builtin here: a policy gets it as input.

A wall clock that a zone skips or has twice stands for the instant that Go takes. https://pkg.go.dev/time#Date
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from governance.frozen import frozen
from governance.policy.plan.builtins.error import BuiltinError
from governance.policy.plan.builtins.layouts import DAYS, NAMED, formatted, parsed
from governance.policy.plan.builtins.operand import Builtin, guarded, integer, number, text, wrong
from governance.policy.plan.values import Value

_SECOND: Final = 1_000_000_000
_INT64: Final = 1 << 63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3_600 * _SECOND,
    "d": 24 * 3_600 * _SECOND,
    "w": 7 * 24 * 3_600 * _SECOND,
    "y": 365 * 24 * 3_600 * _SECOND,
}
_DURATION: Final = re.compile(r"(?P<amount>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<unit>ns|us|µs|μs|ms|[smhdwy])", re.ASCII)
_MAX_DURATION: Final = 200


@frozen
class _Moment:
    """An instant in a zone: its wall clock, and the nanoseconds of its second."""

    wall: datetime
    nanos: int
    layout: str

    @property
    def zone(self) -> tzinfo:
        return self.wall.tzinfo or UTC


def _nanoseconds(value: int) -> int:
    if not -_INT64 <= value < _INT64:
        raise BuiltinError("time outside of valid range")
    return value


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name in ("", "UTC"):
        return UTC
    if _ZONE.fullmatch(name) is None or name == "Local":
        raise BuiltinError("unknown time zone")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise BuiltinError("unknown time zone") from None


def _moment(value: Value) -> _Moment:
    """A number of nanoseconds, or an array of it, a zone and a layout."""
    name = layout = ""
    if type(value) is list:
        if not value:
            raise wrong(1, "either number (ns) or [number (ns), string (tz)]", value)
        name = text(value[1]) if len(value) > 1 else ""
        layout = text(value[2]) if len(value) > 2 else ""
        value = value[0]
    if type(number(value)) is not int or not -_INT64 <= value < _INT64:
        raise BuiltinError("timestamp too big")
    seconds, nanos = divmod(value, _SECOND)
    return _Moment(wall=(_EPOCH + timedelta(seconds=seconds)).astimezone(_zone(name)), nanos=nanos, layout=layout)


def parse(a: Value, b: Value) -> Value:
    """The time that `b` is by the layout `a`, or by the one that Go calls so."""
    layout = text(a, 1)
    return _nanoseconds(parsed(NAMED.get(layout, layout), text(b, 2)))


def parse_rfc3339(a: Value) -> Value:
    """The time that a string is by RFC 3339."""
    return _nanoseconds(parsed(NAMED["RFC3339"], text(a)))


def parse_duration(a: Value) -> Value:
    """The nanoseconds of a duration as `1h30m`; a day has 24 hours, a week 7 days, a year 365."""
    source = text(a)
    sign, rest = (-1, source[1:]) if source.startswith("-") else (1, source.removeprefix("+"))
    if rest == "0":
        return 0
    total = end = 0
    for found in _DURATION.finditer(rest[:_MAX_DURATION]):
        if found.start() != end:
            break
        end = found.end()
        total += int(Fraction(found["amount"].rstrip(".")) * _UNITS[found["unit"]])
    if not rest or end != len(rest):
        raise BuiltinError("not a duration")
    return _nanoseconds(sign * total)


def formatted_time(a: Value) -> Value:
    """A time by its layout, RFC 3339 where it has none."""
    moment = _moment(a)
    layout = NAMED.get(moment.layout, moment.layout) or NAMED["RFC3339Nano"]
    offset = moment.wall.utcoffset() or timedelta()
    return formatted(
        moment.wall, moment.nanos, offset.days * 86_400 + offset.seconds, moment.wall.tzname() or "", layout
    )


def date(a: Value) -> Value:
    """[year, month, day] of a time."""
    wall = _moment(a).wall
    return [wall.year, wall.month, wall.day]


def clock(a: Value) -> Value:
    """[hour, minute, second] of a time."""
    wall = _moment(a).wall
    return [wall.hour, wall.minute, wall.second]


def weekday(a: Value) -> Value:
    """The English name of a time's day."""
    return DAYS[_moment(a).wall.weekday()]


def add_date(a: Value, b: Value, c: Value, d: Value) -> Value:
    """A time some years, months and days later; October 31 and a month is December 1."""
    moment = _moment(a)
    years, months, days = integer(b, 2), integer(c, 3), integer(d, 4)
    if max(map(abs, (years, months, days))) > 1_000_000:
        raise BuiltinError("time outside of valid range")
    wall = moment.wall
    year, month = divmod(12 * (wall.year + years) + wall.month - 1 + months, 12)
    try:
        first = datetime(year, month + 1, 1, wall.hour, wall.minute, wall.second, tzinfo=UTC)
        moved = first + timedelta(days=wall.day - 1 + days)
    except (ValueError, OverflowError):
        raise BuiltinError("time outside of valid range") from None
    return _nanoseconds(_instant(moved, moment.zone) * _SECOND + moment.nanos)


def _instant(wall: datetime, zone: tzinfo) -> int:
    """The seconds since 1970 at which the clock of `zone` shows what `wall` does, which is written as UTC's."""
    offset = wall.astimezone(zone).utcoffset() or timedelta()
    if offset:
        offset = (wall - offset).astimezone(zone).utcoffset() or timedelta()
    since = wall - offset - _EPOCH
    return since.days * 86_400 + since.seconds


def diff(a: Value, b: Value) -> Value:
    """[years, months, days, hours, minutes, seconds] between two times, in the zone of the first."""
    one, two = _moment(a), _moment(b)
    left, right = one.wall, two.wall.astimezone(one.zone)
    if (left.astimezone(UTC), one.nanos) > (right.astimezone(UTC), two.nanos):
        left, right = right, left
    second, minute = right.second - left.second, right.minute - left.minute
    hour, day = right.hour - left.hour, right.day - left.day
    month, year = right.month - left.month, right.year - left.year
    if second < 0:
        second, minute = second + 60, minute - 1
    if minute < 0:
        minute, hour = minute + 60, hour - 1
    if hour < 0:
        hour, day = hour + 24, day - 1
    if day < 0:
        day, month = day + _days_in(left), month - 1
    if month < 0:
        month, year = month + 12, year - 1
    return [year, month, day, hour, minute, second]


def _days_in(wall: datetime) -> int:
    first = datetime(wall.year, wall.month, 1, tzinfo=UTC)
    return 32 - (first + timedelta(days=31)).day


BUILTINS: Final[Mapping[str, Builtin]] = {
    "time.parse_ns": guarded(parse),
    "time.parse_rfc3339_ns": guarded(parse_rfc3339),
    "time.parse_duration_ns": guarded(parse_duration),
    "time.format": guarded(formatted_time),
    "time.date": guarded(date),
    "time.clock": guarded(clock),
    "time.weekday": guarded(weekday),
    "time.add_date": guarded(add_date),
    "time.diff": guarded(diff),
}
