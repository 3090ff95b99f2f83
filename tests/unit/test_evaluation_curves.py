"""Scores against being right, and how far measures would have moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from classifiers.evaluation.curves import Bin, Curve, Point, curve
from classifiers.evaluation.intervals import FEWEST, Interval, intervals
from classifiers.evaluation.scores import Counts, Outcome, Sums, Tally


def outcomes(*pairs: tuple[int, bool]) -> list[Outcome]:
    """Findings of one type."""
    return [Outcome(kind="PERSON", permille=permille, right=right) for permille, right in pairs]


def sums(*, exact: int = 0, found: int = 0, marked: int = 0, alarmed: int = 0, clean: int = 0) -> Sums:
    """Of a group with one type and one topic."""
    return Sums(
        texts=1,
        clean=clean,
        alarmed=alarmed,
        alarms={},
        tallies={
            "PERSON": Tally(marked=marked, found=found, exact=exact, marked_chars=10 * marked, covered_chars=10 * exact)
        },
        topics={"health": Counts(right=exact, found=found, marked=marked)},
        known_topics={"health": 1},
    )


def test_points_go_from_the_highest_score_to_all_that_was_found() -> None:
    """Each counts what has its score or more; findings with one score stand and fall together."""
    got = curve(outcomes((900, True), (500, True), (900, False), (100, False)), marked=4)

    assert (
        Point(permille=900, precision=0.5, recall=0.25),
        Point(permille=500, precision=2 / 3, recall=0.5),
        Point(permille=100, precision=0.5, recall=0.5),
    ) == got.points


def test_bins_say_how_often_a_score_is_right() -> None:
    """A tenth of the scores each, those without a finding left out, 1,000 in the last."""
    got = curve(outcomes((1000, True), (950, False), (100, False), (199, True)), marked=4)

    assert (
        Bin(findings=2, score=0.1495, right=0.5),
        Bin(findings=2, score=0.975, right=0.5),
    ) == got.bins


def test_the_calibration_error_weighs_bins_by_their_findings() -> None:
    """Three of four findings are off by 0.2, one by nothing."""
    bins = (Bin(findings=3, score=0.7, right=0.5), Bin(findings=1, score=0.9, right=0.9))

    assert 0.15 == round(Curve(points=(), bins=bins).calibration_error, 9)
    assert 0.0 == Curve(points=(), bins=()).calibration_error


@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=30), st.randoms(use_true_random=False))
def test_a_curve_does_not_depend_on_the_order(pairs: list[tuple[int, bool]], chance: object) -> None:
    """Recall never falls along it, and its end counts everything."""
    shuffled = list(pairs)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    got = curve(outcomes(*pairs), marked=30)

    assert got == curve(outcomes(*shuffled), marked=30)
    assert sorted(point.recall for point in got.points) == [point.recall for point in got.points]
    assert len(pairs) == sum(each.findings for each in got.bins)
    if pairs:
        assert sum(right for _, right in pairs) / 30 == got.points[-1].recall


def test_intervals_are_the_same_for_the_same_seed_and_hold_the_measure() -> None:
    """Half of the groups are right: the measures lie inside, and the seed decides the edges."""
    groups = [sums(exact=at % 2, found=1, marked=1, alarmed=at % 2, clean=1) for at in range(40)]

    got = intervals(groups, seed=1)

    assert got is not None
    assert got == intervals(groups, seed=1)
    assert intervals(groups, seed=1, draws=20) != intervals(groups, seed=2, draws=20)
    for each, measure in (
        (got.f1["PERSON"], 0.5),
        (got.total_f1, 0.5),
        (got.character_recall, 0.5),
        (got.alarms_per_thousand, 500),
        (got.topics["health"], 0.5),
        (got.topic_macro, 0.5),
    ):
        assert 0 < each.low < measure < each.high < 2 * measure


def test_groups_that_agree_have_no_width() -> None:
    """Whatever is drawn, it is the same."""
    got = intervals([sums(exact=1, found=2, marked=2)] * FEWEST, seed=0)

    assert got is not None
    assert Interval(low=0.5, high=0.5) == got.total_f1
    assert Interval(low=0.0, high=0.0) == got.alarms_per_thousand


def test_too_few_groups_have_no_interval() -> None:
    """One template says nothing about how templates vary, however many texts it made."""
    assert intervals([sums(exact=1, found=1, marked=1)] * (FEWEST - 1), seed=0) is None


def test_groups_with_different_types_are_drawn_together() -> None:
    """A type that a group lacks counts nothing there."""
    empty = Sums(texts=1, alarms={}, tallies={}, topics={}, known_topics={})

    got = intervals([sums(exact=1, found=1, marked=1)] * 20 + [empty] * 20, seed=0)

    assert got is not None
    assert Interval(low=1.0, high=1.0) == got.f1["PERSON"]
