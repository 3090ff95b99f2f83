"""How far measures would have moved with other texts of the same kind: percentile bootstrap over groups.

Whole groups are drawn, with replacement: texts of one template or person resemble each other, and drawing single texts
would make the interval too narrow. (Efron and Tibshirani, An Introduction to the Bootstrap, chapters 8 and 13.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from classifiers.evaluation.scores import Sums
from governance.frozen import frozen

DRAWS: Final = 1_000
# Fewer groups say nothing about how they vary.
FEWEST: Final = 8
_LOW, _HIGH = 2.5, 97.5

Counted = npt.NDArray[np.float64]


@frozen
class Interval:
    """The middle 95 % of what a measure was over all drawings."""

    low: float
    high: float


@frozen
class Intervals:
    """Those of one detector on some texts: F1 by type, over all types, F1 by topic and their mean, and the rest by name."""

    f1: Mapping[str, Interval]
    total_f1: Interval
    character_recall: Interval
    alarms_per_thousand: Interval
    topics: Mapping[str, Interval]
    topic_macro: Interval


def intervals(groups: Sequence[Sums], *, seed: int, draws: int = DRAWS) -> Intervals | None:
    """The intervals of the measures over all of `groups`; the same for the same seed. None for too few groups."""
    if len(groups) < FEWEST:
        return None
    kinds = sorted({kind for each in groups for kind in each.tallies})
    topics = sorted({name for each in groups for name in each.topics})
    # [draws, columns]: each row holds the sums of one drawing.
    drawn = _drawn(np.array([_row(each, kinds, topics) for each in groups], dtype=np.float64), seed, draws)
    spans = drawn[:, 4:][:, : 3 * len(kinds)].reshape(draws, len(kinds), 3)
    about = drawn[:, 4 + 3 * len(kinds) :].reshape(draws, len(topics), 3)
    there = about[:, :, 2] > 0
    means = np.where(there, _f1(about), 0.0).sum(axis=1) / np.maximum(1, there.sum(axis=1))
    return Intervals(
        f1={kind: _middle(_f1(spans[:, at])) for at, kind in enumerate(kinds)},
        total_f1=_middle(_f1(spans.sum(axis=1))),
        character_recall=_middle(_share(drawn[:, 0], drawn[:, 1])),
        alarms_per_thousand=_middle(1000 * _share(drawn[:, 2], drawn[:, 3])),
        topics={name: _middle(_f1(about[:, at])) for at, name in enumerate(topics)},
        topic_macro=_middle(means),
    )


def _row(sums: Sums, kinds: Sequence[str], topics: Sequence[str]) -> list[int]:
    total = sums.total
    row = [total.covered_chars, total.marked_chars, sums.alarmed, sums.clean]
    for kind in kinds:
        tally = sums.tallies.get(kind)
        row += [0, 0, 0] if tally is None else [tally.exact, tally.found, tally.marked]
    for name in topics:
        counts = sums.topics.get(name)
        row += [0, 0, 0] if counts is None else [counts.right, counts.found, counts.marked]
    return row


def _drawn(rows: Counted, seed: int, draws: int) -> Counted:
    """The sums of `draws` drawings of as many rows as there are."""
    generator = np.random.default_rng(seed)
    number = len(rows)
    sums = np.empty((draws, rows.shape[1]))
    for at in range(draws):
        times = np.bincount(generator.integers(0, number, size=number), minlength=number)
        sums[at] = times @ rows
    return sums


def _f1(counts: Counted) -> Counted:
    """F1 of (right, found, marked) in the last axis."""
    return _share(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def _share(part: Counted, whole: Counted) -> Counted:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _middle(values: Counted) -> Interval:
    low, high = np.percentile(values, [_LOW, _HIGH])
    return Interval(low=float(low), high=float(high))
