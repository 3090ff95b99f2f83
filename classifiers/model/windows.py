"""A long text in overlapping windows, and whose answer counts for each piece."""

from __future__ import annotations

from itertools import pairwise

from governance.frozen import frozen


@frozen
class Window:
    """Pieces `first` to `last`, half open. Its answer counts for those from `own_first` to `own_last`, half open."""

    first: int
    last: int
    own_first: int
    own_last: int


def windows(count: int, *, size: int, overlap: int) -> tuple[Window, ...]:
    """Windows over `count` pieces, each of at most `size`, neighbours sharing at least `overlap`, as few as will do.

    All have about the same length, so that the last one is not a stub that costs a run and has no context. Each piece is
    owned by one window: the one in which it lies most inside. `overlap` is less than `size`.
    """
    if count <= 0:
        return ()
    number = 1 if count <= size else -(-(count - overlap) // (size - overlap))
    length = -(-(count + (number - 1) * overlap) // number)
    # The last possible start, spread evenly: two neighbours share `overlap` or more.
    starts = [each * (count - length) // max(1, number - 1) for each in range(number)]
    # Halfway through what two windows share, a piece is as far inside the one as the other.
    seams = [(later + earlier + length) // 2 for earlier, later in pairwise(starts)]
    return tuple(
        Window(first=start, last=start + length, own_first=own_first, own_last=own_last)
        for start, own_first, own_last in zip(starts, [0, *seams], [*seams, count], strict=True)
    )
