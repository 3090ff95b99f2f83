"""Times by Go's layouts, zones and calendars."""

from __future__ import annotations

import pytest

from governance.policy.plan.builtins import BUILTINS, BuiltinError
from governance.policy.plan.values import Value

VALUES = [
    ("time.parse_rfc3339_ns", ("1970-01-01T00:00:01.5Z",), 1_500_000_000),
    ("time.parse_rfc3339_ns", ("1970-01-01T02:00:00+02:00",), 0),
    ("time.parse_ns", ("2006-01-02", "1970-01-02"), 86_400 * 10**9),
    ("time.parse_ns", ("RFC1123", "Thu, 01 Jan 1970 00:00:01 UTC"), 10**9),
    ("time.parse_ns", ("Jan _2 2006 3:04PM", "Jan  1 1970 12:01AM"), 60 * 10**9),
    ("time.parse_ns", ("06 002", "70 002"), 86_400 * 10**9),
    ("time.parse_duration_ns", ("1h30m",), 5400 * 10**9),
    ("time.parse_duration_ns", ("-1.5s",), -1_500_000_000),
    ("time.parse_duration_ns", ("1d",), 86_400 * 10**9),
    ("time.format", (0,), "1970-01-01T00:00:00Z"),
    ("time.format", ([1_582_977_600_123_456_789, "Europe/Berlin"],), "2020-02-29T13:00:00.123456789+01:00"),
    ("time.format", ([0, "UTC", "Monday, 02-Jan-06 15:04:05 MST"],), "Thursday, 01-Jan-70 00:00:00 UTC"),
    ("time.format", ([1_582_977_600_123_456_789, "UTC", "3PM .000 ,999 __2"],), "12PM .123 ,123  60"),
    ("time.date", ([0, "America/New_York"],), [1969, 12, 31]),
    ("time.clock", ([0, "Asia/Kolkata"],), [5, 30, 0]),
    ("time.weekday", (0,), "Thursday"),
    ("time.add_date", (1_572_480_000 * 10**9, 0, 1, 0), 1_575_158_400 * 10**9),
    ("time.add_date", ([1_585_382_400 * 10**9, "Europe/Berlin"], 0, 0, 1), 1_585_465_200 * 10**9),
    ("time.diff", (1_706_659_200 * 10**9, 1_709_251_200 * 10**9), [0, 1, 1, 0, 0, 0]),
    ("time.diff", (1, 0), [0, 0, 0, 0, 0, 0]),
]  # fmt: skip
ERRORS = [
    ("time.parse_rfc3339_ns", ("secret",)),
    ("time.parse_rfc3339_ns", ("2020-02-30T00:00:00Z",)),
    ("time.parse_rfc3339_ns", ("2300-01-01T00:00:00Z",)),
    ("time.parse_ns", ("2006", "0001")),
    ("time.parse_ns", ("2006-01-02", "2020-01-01 secret")),
    ("time.parse_duration_ns", ("secret",)),
    ("time.parse_duration_ns", ("",)),
    ("time.parse_duration_ns", ("300y",)),
    ("time.format", ([0, "../../etc/secret"],)),
    ("time.format", ([0, "Local"],)),
    ("time.format", ("secret",)),
    ("time.date", (2**63,)),
    ("time.date", (0.5,)),
    ("time.add_date", (0, 10**9, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operands", "expected"), VALUES)
def test_value(name: str, operands: tuple[Value, ...], expected: Value) -> None:
    """A call has the documented value."""
    actual = BUILTINS[name](*operands)

    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize(("name", "operands"), ERRORS)
def test_error(name: str, operands: tuple[Value, ...]) -> None:
    """A call that has no answer is an error, whose text holds no operand."""
    with pytest.raises(BuiltinError) as raised:
        BUILTINS[name](*operands)

    assert "secret" not in str(raised.value)
