"""Windows over a long text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from classifiers.model.windows import Window, windows

SIZES = st.integers(8, 128).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size // 2)))


def test_no_pieces_have_no_windows_and_few_have_one() -> None:
    """A text that fits is one window, which answers for all of it."""
    assert () == windows(0, size=8, overlap=2)
    assert (Window(first=0, last=8, own_first=0, own_last=8),) == windows(8, size=8, overlap=2)


def test_the_last_window_is_no_stub() -> None:
    """Ten pieces more than fit make two windows of half the work, not one and a stub."""
    assert (
        Window(first=0, last=84, own_first=0, own_last=68),
        Window(first=52, last=136, own_first=68, own_last=136),
    ) == windows(136, size=126, overlap=32)


@given(st.integers(1, 2_000), SIZES)
def test_every_piece_is_answered_by_one_window_that_holds_it(count: int, sizes: tuple[int, int]) -> None:
    """What the windows own covers the text once, in order, within their size."""
    size, overlap = sizes
    found = windows(count, size=size, overlap=overlap)

    assert list(range(count)) == [piece for each in found for piece in range(each.own_first, each.own_last)]
    assert all(each.first <= each.own_first < each.own_last <= each.last <= each.first + size for each in found)


@given(st.integers(1, 2_000), SIZES)
def test_whatever_is_no_longer_than_the_overlap_lies_in_one_window(count: int, sizes: tuple[int, int]) -> None:
    """Neighbours share at least the overlap, and a piece has half of it as context on both sides, or the end of the text."""
    size, overlap = sizes
    found = windows(count, size=size, overlap=overlap)

    assert all(later.first <= earlier.last - overlap for earlier, later in pairwise(found))
    assert all(each.own_first - each.first >= overlap // 2 or each.first == 0 for each in found)
    assert all(each.last - each.own_last >= overlap // 2 or each.last == count for each in found)
