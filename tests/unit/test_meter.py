"""How work is counted."""

from __future__ import annotations

import time

import pytest

from classifiers.meter import Exhausted, Meter
from governance.finding import DetectionStatus

_FAR = 600.0


def _meter(seconds: float = _FAR) -> Meter:
    return Meter(0, deadline=time.monotonic() + seconds)


def test_the_whole_allowance_can_be_spent_and_no_more() -> None:
    """The last microsecond is free, the next one ends the work, and so does each after it."""
    meter = _meter()
    meter.charge(meter.left)

    for _ in range(2):
        with pytest.raises(Exhausted) as stop:
            meter.charge(1)
        assert stop.value.status is DetectionStatus.PARTIAL


@pytest.mark.parametrize("units", [7, 9000])
def test_an_allowance_that_is_changed_holds(units: int) -> None:
    """Less than was given, or more."""
    meter = _meter()
    meter.allowance = units
    meter.spend(units)

    assert (units, units, 0) == (meter.allowance, meter.spent, meter.left)
    with pytest.raises(Exhausted):
        meter.charge(1)


def test_the_clock_is_read_after_each_quarter_of_a_millisecond_of_work() -> None:
    """Not before, so that little work costs little."""
    meter = _meter(-1)
    meter.charge(255)

    with pytest.raises(Exhausted) as stop:
        meter.charge(1)
    assert stop.value.status is DetectionStatus.TIMEOUT
