"""Bounds that a pipeline of the user's holds a detector to: `PERSON=0.85`, `all=0.9`, `chat:PERSON=0.85` for one set."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from classifiers.evaluation.names import same_name
from classifiers.evaluation.run import Result
from classifiers.evaluation.scores import ALL, Sums, joined
from governance.errors import ConfigInvalid
from governance.frozen import frozen

MACRO = "macro"
_GATE = re.compile(r"(?:(?P<source>[^:=]+):)?(?P<key>[^:=]+)=(?P<bound>[^:=]+)")


class Measured(StrEnum):
    """What is bounded, by the option that bounds it. The keys are a type or `all`; of alarms `all`; of topics, a topic or `macro`."""

    F1 = "min-f1"
    CHARACTER_RECALL = "min-recall"
    ALARMS = "max-alarms"
    TOPIC_F1 = "min-topic-f1"


@frozen
class Gate:
    """`measured` of `key` on `source` (ALL for all sets) is at least `bound`; of alarms, at most."""

    measured: Measured
    source: str
    key: str
    bound: float

    def __str__(self) -> str:
        """As the command line has it."""
        source = "" if self.source == ALL else f"{self.source}:"
        return f"--{self.measured} {source}{self.key}={self.bound:g}"


@frozen
class Verdict:
    """What a gate saw. `value` is None where nothing could be measured, which does not pass."""

    gate: Gate
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether the bound holds."""
        if self.value is None:
            return False
        return self.value <= self.gate.bound if self.gate.measured is Measured.ALARMS else self.value >= self.gate.bound


def gates(measured: Measured, values: Iterable[str]) -> list[Gate]:
    """Those that `values` of one option name. Raises ConfigInvalid."""
    return [_gate(measured, value) for value in values]


def verdicts(asked: Sequence[Gate], result: Result) -> list[Verdict]:
    """What each of `asked` says of `result`, in order."""
    return [Verdict(gate=gate, value=_value(gate, result)) for gate in asked]


def _gate(measured: Measured, value: str) -> Gate:
    form = "N or SET:all=N" if measured is Measured.ALARMS else "NAME=N or SET:NAME=N"
    # The number of alarms needs no name: there is one.
    match = _GATE.fullmatch(f"{ALL}={value}" if measured is Measured.ALARMS and "=" not in value else value)
    bound = _number(match["bound"]) if match else None
    most = 1000 if measured is Measured.ALARMS else 1
    if match is None or bound is None:
        raise ConfigInvalid(f"--{measured} takes {form}, not `{value}`")
    if measured is Measured.ALARMS and match["key"] != ALL:
        raise ConfigInvalid(f"--{measured} counts texts whatever was found in them: it takes {form}, not `{value}`")
    if not 0 <= bound <= most:
        raise ConfigInvalid(f"--{measured} is 0 to {most}, not `{match['bound']}`")
    return Gate(measured=measured, source=match["source"] or ALL, key=same_name(match["key"]), bound=bound)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _value(gate: Gate, result: Result) -> float | None:
    if gate.source == ALL:
        sums = result.whole.sums
    else:
        sums = joined(part.sums for part in result.parts if part.source == gate.source)
    if gate.measured is Measured.TOPIC_F1:
        return _topic(gate.key, sums)
    if gate.measured is Measured.ALARMS:
        return sums.alarms_per_thousand if sums.clean else None
    tally = sums.total if gate.key == ALL else sums.tallies.get(gate.key)
    if tally is None or not tally.marked:
        return None
    return tally.exactly.f() if gate.measured is Measured.F1 else tally.character_recall


def _topic(key: str, sums: Sums) -> float | None:
    if key == MACRO:
        return sums.topic_macro if any(each.marked for each in sums.topics.values()) else None
    counts = sums.topics.get(key)
    return counts.f() if counts is not None and counts.marked else None
