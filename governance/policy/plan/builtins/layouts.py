"""Times read and written by Go's layouts: the time 2006-01-02 15:04:05 -0700. https://pkg.go.dev/time#Layout."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from governance.policy.plan.builtins.error import BuiltinError

NAMED: Final = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "RFC3339Nano": "2006-01-02T15:04:05.999999999Z07:00",
}
_ELEMENT: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|__2|_2(?!006)|2|3|4|5|PM|pm"
    r"|[-Z]07:00:00|[-Z]070000|[-Z]07:00|[-Z]0700|[-Z]07|[.,](?:0+|9+)(?![0-9])",
    re.ASCII,
)
MONTHS: Final = "January February March April May June July August September October November December".split()
DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall clock's, no instant
_MAX_LAYOUT: Final = 1000
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@lru_cache(maxsize=64)
def _elements(layout: str) -> tuple[tuple[bool, str], ...]:
    """`layout` as elements of the reference time (true) and literal text (false)."""
    if len(layout) > _MAX_LAYOUT:
        raise BuiltinError("layout too long")
    parts: list[tuple[bool, str]] = []
    end = 0
    for found in _ELEMENT.finditer(layout):
        parts += [(False, layout[end : found.start()]), (True, found[0])]
        end = found.end()
    parts.append((False, layout[end:]))
    return tuple(part for part in parts if part[1])


def formatted(wall: datetime, nanos: int, offset: int, zone: str, layout: str) -> str:
    """The wall clock `wall`, `nanos` of a second and `offset` seconds east in the zone `zone`, by `layout`."""
    return "".join(
        _written(part, wall, nanos, offset, zone) if element else part for element, part in _elements(layout)
    )


def _written(element: str, wall: datetime, nanos: int, offset: int, zone: str) -> str:
    hour = wall.hour % 12 or 12
    match element:
        case "2006":
            return f"{wall.year:04d}"
        case "06":
            return f"{wall.year % 100:02d}"
        case "January":
            return MONTHS[wall.month - 1]
        case "Jan":
            return MONTHS[wall.month - 1][:3]
        case "01":
            return f"{wall.month:02d}"
        case "1":
            return str(wall.month)
        case "Monday":
            return DAYS[wall.weekday()]
        case "Mon":
            return DAYS[wall.weekday()][:3]
        case "02":
            return f"{wall.day:02d}"
        case "_2":
            return f"{wall.day:2d}"
        case "2":
            return str(wall.day)
        case "002":
            return f"{wall.timetuple().tm_yday:03d}"
        case "__2":
            return f"{wall.timetuple().tm_yday:3d}"
        case "15":
            return f"{wall.hour:02d}"
        case "03":
            return f"{hour:02d}"
        case "3":
            return str(hour)
        case "04":
            return f"{wall.minute:02d}"
        case "4":
            return str(wall.minute)
        case "05":
            return f"{wall.second:02d}"
        case "5":
            return str(wall.second)
        case "PM":
            return "PM" if wall.hour >= 12 else "AM"
        case "pm":
            return "pm" if wall.hour >= 12 else "am"
        case "MST":
            return zone
    return _fraction(element, nanos) if element[0] in ".," else _offset(element, offset)


def _fraction(element: str, nanos: int) -> str:
    digits = f"{nanos:09d}"[: len(element) - 1].ljust(len(element) - 1, "0")
    if element[1] == "9":
        digits = digits.rstrip("0")
    return element[0] + digits if digits else ""


def _offset(element: str, offset: int) -> str:
    if element[0] == "Z" and offset == 0:
        return "Z"
    hours, rest = divmod(abs(offset), 3600)
    parts = [f"{hours:02d}"]
    if len(element) > 3:
        parts.append(f"{rest // 60:02d}")
    if len(element) > 6:
        parts.append(f"{rest % 60:02d}")
    return ("-" if offset < 0 else "+") + (":" if ":" in element else "").join(parts)


def parsed(layout: str, written: str) -> int:
    """The nanoseconds since 1970 of the time that `written` is by `layout`. Raises BuiltinError where it is none."""
    fields: dict[str, int] = {}
    parts = _elements(layout)
    rest = written
    for index, (element, part) in enumerate(parts):
        if not element:
            rest = _skipped(rest, part)
            continue
        following = parts[index + 1] if index + 1 < len(parts) else (False, "")
        rest = _read(part, rest, fields, following)
    if rest:
        raise BuiltinError("extra text after a time")
    return _nanoseconds(fields)


def _skipped(rest: str, literal: str) -> str:
    while literal:
        if literal[0] == " ":
            if rest and rest[0] != " ":
                raise BuiltinError("not a time of this layout")
            literal, rest = literal.lstrip(" "), rest.lstrip(" ")
        elif rest[:1] == literal[0]:
            literal, rest = literal[1:], rest[1:]
        else:
            raise BuiltinError("not a time of this layout")
    return rest


_NUMERIC: Final = {  # element: field, digits, smallest, largest
    "2006": ("year", "[0-9]{4}", 0, 9999),
    "06": ("short", "[0-9]{2}", 0, 99),
    "01": ("month", "[0-9]{2}", 1, 12),
    "1": ("month", "[0-9]{1,2}", 1, 12),
    "02": ("day", "[0-9]{2}", 0, 99),
    "_2": ("day", " ?[0-9]{1,2}", 0, 99),
    "2": ("day", "[0-9]{1,2}", 0, 99),
    "002": ("yearday", "[0-9]{3}", 1, 366),
    "__2": ("yearday", "(?:  [0-9]| [0-9]{2}|[0-9]{3})", 1, 366),
    "15": ("hour", "[0-9]{1,2}", 0, 23),
    "03": ("hour", "[0-9]{2}", 0, 12),
    "3": ("hour", "[0-9]{1,2}", 0, 12),
    "04": ("minute", "[0-9]{2}", 0, 59),
    "4": ("minute", "[0-9]{1,2}", 0, 59),
    "05": ("second", "[0-9]{2}", 0, 59),
    "5": ("second", "[0-9]{1,2}", 0, 59),
}
_ZONE: Final = re.compile(
    r"(?P<gmt>GMT[+-][0-9]{1,2})|(?:ChST|MeST)|[A-Z]{3,5}(?![A-Z])|[+-][0-9]{2}(?:[0-9]{2})?", re.ASCII
)


def _taken(form: str, rest: str) -> str:
    found = re.match(form, rest, re.ASCII)
    if found is None:
        raise BuiltinError("not a time of this layout")
    return found[0]


def _read(element: str, rest: str, fields: dict[str, int], following: tuple[bool, str]) -> str:
    """`rest` after `element`, whose value is now in `fields`."""
    if element in _NUMERIC:
        name, form, low, high = _NUMERIC[element]
        digits = _taken(form, rest)
        fields[name] = int(digits)
        if not low <= fields[name] <= high:
            raise BuiltinError("time out of range")
        rest = rest[len(digits) :]
        if name == "second" and not (following[0] and following[1][0] in ".,"):
            rest = _read_fraction("[.,][0-9]+", rest, fields) if re.match("[.,][0-9]", rest, re.ASCII) else rest
        return rest
    if element in ("January", "Jan", "Monday", "Mon"):
        return _read_name(element, rest, fields)
    if element in ("PM", "pm"):
        mark = _taken("[AP]M" if element == "PM" else "[ap]m", rest)
        fields["half"] = int(mark in ("PM", "pm"))
        return rest[2:]
    if element == "MST":
        return _read_zone(rest, fields)
    if element[0] in ".,":
        if element[1] == "9" and not re.match("[.,][0-9]", rest, re.ASCII):
            return rest
        return _read_fraction("[.,][0-9]+" if element[1] == "9" else f"[.,][0-9]{{{len(element) - 1}}}", rest, fields)
    return _read_offset(element, rest, fields)


def _read_fraction(form: str, rest: str, fields: dict[str, int]) -> str:
    digits = _taken(form, rest)
    fields["nanos"] = int(digits[1:10].ljust(9, "0"))
    return rest[len(digits) :]


def _read_name(element: str, rest: str, fields: dict[str, int]) -> str:
    names, short = (MONTHS, element == "Jan") if element[0] == "J" else (DAYS, element == "Mon")
    for number, name in enumerate(names, 1):
        wanted = name[:3] if short else name
        if rest[: len(wanted)].lower() == wanted.lower():
            if names is MONTHS:
                fields["month"] = number
            return rest[len(wanted) :]
    raise BuiltinError("not a time of this layout")


def _read_zone(rest: str, fields: dict[str, int]) -> str:
    """A zone's abbreviation says no offset, except GMT+3."""
    found = _ZONE.match(rest)
    if found is None:
        raise BuiltinError("not a time of this layout")
    if found["gmt"]:
        fields["offset"] = int(found["gmt"][3:]) * 3600
    return rest[found.end() :]


def _read_offset(element: str, rest: str, fields: dict[str, int]) -> str:
    if element[0] == "Z" and rest[:1] == "Z":
        fields["offset"] = 0
        return rest[1:]
    form = "[+-]" + re.sub("[0-9]{2}", "[0-9]{2}", element[1:])
    written = _taken(form, rest)
    digits = re.sub("[^0-9]", "", written).ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 24 or minutes > 59 or seconds > 59:
        raise BuiltinError("time out of range")
    fields["offset"] = (hours * 3600 + minutes * 60 + seconds) * (-1 if written[0] == "-" else 1)
    return rest[len(written) :]


def _nanoseconds(fields: dict[str, int]) -> int:
    year = fields.get("year", 0)
    if "short" in fields:
        year = fields["short"] + (1900 if fields["short"] >= 69 else 2000)
    if not 1600 < year < 2300:  # well beyond what 64 bits of nanoseconds hold
        raise BuiltinError("time outside of valid range")
    hour = fields.get("hour", 0)
    if "half" in fields:
        hour = hour % 12 + 12 * fields["half"] if hour <= 12 else hour
    wall = _day(year, fields) + timedelta(
        hours=hour, minutes=fields.get("minute", 0), seconds=fields.get("second", 0) - fields.get("offset", 0)
    )
    since = wall - _EPOCH
    return (since.days * 86_400 + since.seconds) * _SECOND + fields.get("nanos", 0)


def _day(year: int, fields: dict[str, int]) -> datetime:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    month, day = fields.get("month"), fields.get("day")
    if "yearday" in fields:
        if fields["yearday"] > 365 + leap:
            raise BuiltinError("time out of range")
        found = datetime(year, 1, 1) + timedelta(days=fields["yearday"] - 1)  # noqa: DTZ001
        if month not in (None, found.month) or day not in (None, found.day):
            raise BuiltinError("time out of range")
        return found
    month, day = month or 1, 1 if day is None else day
    if not 1 <= day <= _MONTH_DAYS[month - 1] + (leap and month == 2):
        raise BuiltinError("time out of range")
    return datetime(year, month, day)  # noqa: DTZ001
