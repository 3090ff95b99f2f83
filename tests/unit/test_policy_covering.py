"""Rows that cover combinations of values: what is promised of them, and what is claimed."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.policy.impact.covering import cover


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 9))
@settings(max_examples=40)
def test_small_product_is_covered_whole(sizes: list[int], seed: int) -> None:
    """Where all combinations fit into the budget each is there once, and that is called exhaustive."""
    rows, coverage = cover(sizes, budget=4**5, seed=seed)

    assert (set(itertools.product(*map(range, sizes))), math.prod(sizes), True) == (
        set(rows),
        len(rows),
        coverage.exhaustive,
    )


@given(st.lists(st.integers(2, 6), min_size=6, max_size=9), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_large_product_is_covered_by_pairs(sizes: list[int], seed: int) -> None:
    """With budget enough, any two values of two fields stand together in some row, and the count of pairs is true."""
    rows, coverage = cover(sizes, budget=2500, seed=seed, core=(0, 1))
    pairs = {
        (one, row[one], other, row[other])
        for row in rows
        for one, other in itertools.combinations(range(len(sizes)), 2)
    }

    assert (len(rows), len(set(rows))) == (coverage.inputs, coverage.inputs)
    assert coverage.pairs == coverage.pairs_covered == len(pairs)


def test_budget_that_is_too_small_says_what_it_covers() -> None:
    """Fewer rows than pairs need are counted as what they are, and nothing is called exhaustive."""
    rows, coverage = cover((9, 9, 9, 9), budget=40, seed=1, core=(0, 1))
    pairs = {(one, row[one], other, row[other]) for row in rows for one, other in itertools.combinations(range(4), 2)}

    assert (40, 6 * 81, len(pairs), False) == (
        coverage.inputs,
        coverage.pairs,
        coverage.pairs_covered,
        coverage.exhaustive,
    )
    assert coverage.pairs_covered < coverage.pairs


def test_core_is_combined_as_far_as_half_of_the_budget() -> None:
    """Every combination of the first core axes is there, and the axes named are exactly those."""
    rows, coverage = cover((5, 7, 6, 8, 9), budget=100, seed=3, core=(1, 0, 2))

    assert (1, 0) == coverage.core
    assert set(itertools.product(range(7), range(5))) == {(row[1], row[0]) for row in rows}


def test_rows_are_a_function_of_the_seed() -> None:
    """The same seed gives the same rows in the same order, another one gives others."""
    one, again, other = (cover((9, 9, 9, 9), budget=300, seed=seed)[0] for seed in (5, 5, 6))

    assert one == again
    assert one != other
