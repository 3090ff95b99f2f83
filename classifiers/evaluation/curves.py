"""How scores stand to being right: precision against recall, and reliability. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from classifiers.evaluation.scores import Outcome, ratio
from governance.frozen import frozen

BINS: Final = 10


@frozen
class Point:
    """What holds when only findings of `permille` or more count."""

    permille: int
    precision: float
    recall: float


@frozen
class Bin:
    """Findings with scores of one tenth: how many, their mean score, and the share of them that is exactly right."""

    findings: int
    score: float
    right: float


@frozen
class Curve:
    """One type. `points` begin at the highest score and end with everything that is known, below the thresholds as well."""

    points: tuple[Point, ...]
    bins: tuple[Bin, ...]

    @property
    def calibration_error(self) -> float:
        """The mean distance of score and share of right ones, over all findings (expected calibration error, ECE)."""
        findings = sum(each.findings for each in self.bins)
        return ratio(sum(each.findings * abs(each.score - each.right) for each in self.bins), findings)


def curve(outcomes: Iterable[Outcome], marked: int) -> Curve:
    """The curve of `outcomes`, in any order, where `marked` are there to be found."""
    counted = Counter((each.permille, each.right) for each in outcomes)
    return Curve(points=_points(counted, marked), bins=_bins(counted))


def _points(counted: Counter[tuple[int, bool]], marked: int) -> tuple[Point, ...]:
    points: list[Point] = []
    right = found = 0
    for permille in sorted({score for score, _ in counted}, reverse=True):
        right += counted[permille, True]
        found += counted[permille, True] + counted[permille, False]
        points.append(Point(permille=permille, precision=ratio(right, found), recall=ratio(right, marked)))
    return tuple(points)


def _bins(counted: Counter[tuple[int, bool]]) -> tuple[Bin, ...]:
    """Those that hold something, the lowest scores first; 1,000 permille stands in the last."""
    findings, scores, right = [0] * BINS, [0] * BINS, [0] * BINS
    for (permille, is_right), number in counted.items():
        at = min(BINS - 1, permille * BINS // 1000)
        findings[at] += number
        scores[at] += number * permille
        right[at] += number * is_right
    return tuple(
        Bin(findings=number, score=scores[at] / number / 1000, right=right[at] / number)
        for at, number in enumerate(findings)
        if number
    )
