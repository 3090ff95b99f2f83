"""Which combinations of values to try: all of them where they are few, else rows that cover every pair of values.

The same sizes, budget and seed give the same rows in the same order. Faults that need two values at once show up in a
pairwise array (https://doi.org/10.1109/TSE.2004.24); nothing is promised about what needs more of them at once.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence, Sized

from governance.frozen import frozen

# One position into the values of each axis.
Row = tuple[int, ...]


@frozen
class Coverage:
    """What rows cover. `product` counts all combinations; `core` are the axes of which every combination is there."""

    inputs: int
    axes: int
    values: int
    product: int
    pairs: int
    pairs_covered: int
    core: tuple[int, ...]
    seed: int

    @property
    def exhaustive(self) -> bool:
        """Whether every combination of the values is among the inputs."""
        return self.inputs == self.product


def cover(
    sizes: Sequence[int], *, budget: int, seed: int, core: Sequence[int] = ()
) -> tuple[tuple[Row, ...], Coverage]:
    """At most `budget` different rows and what they cover; the first row is the first value of each axis.

    Where the product is larger than the budget: each value alone beside the first ones, then every combination of as
    many axes of `core` (in its order) as half of the budget holds, then what pairs are missing, then random rows.
    """
    product = math.prod(sizes)
    if product <= budget:
        every = tuple(itertools.product(*(range(size) for size in sizes)))
        return every, _coverage(every, sizes, core=range(len(sizes)), seed=seed, covered=None)
    chance = random.Random(seed)  # noqa: S311  (reproducible on purpose; no secret depends on it)
    inner = _prefix(sizes, core, budget // 2)
    pairs = _Pairs(sizes)
    rows: dict[Row, None] = {}
    sources = (
        _singles(sizes),
        _combined(sizes, inner, chance) if inner else iter(()),
        pairs.rows(chance),
        (_random(sizes, chance) for _ in itertools.count()),
    )
    for row in itertools.chain.from_iterable(sources):
        if len(rows) >= budget:
            break
        if row not in rows:
            rows[row] = None
            pairs.take(row)
    done = {tuple(row[axis] for axis in inner) for row in rows}
    whole = inner if len(done) == math.prod(sizes[axis] for axis in inner) else ()
    return tuple(rows), _coverage(rows, sizes, core=whole, seed=seed, covered=pairs.covered)


def _coverage(rows: Sized, sizes: Sequence[int], *, core: Sequence[int], seed: int, covered: int | None) -> Coverage:
    pairs = sum(one * other for one, other in itertools.combinations(sizes, 2))
    return Coverage(
        inputs=len(rows),
        axes=len(sizes),
        values=sum(sizes),
        product=math.prod(sizes),
        pairs=pairs,
        pairs_covered=pairs if covered is None else covered,
        core=tuple(core),
        seed=seed,
    )


def _prefix(sizes: Sequence[int], core: Sequence[int], most: int) -> tuple[int, ...]:
    """As many axes of `core`, from its start, as have at most `most` combinations."""
    taken: list[int] = []
    combinations = 1
    for axis in core:
        combinations *= sizes[axis]
        if combinations > most:
            break
        taken.append(axis)
    return tuple(taken)


def _singles(sizes: Sequence[int]) -> Iterator[Row]:
    first = (0,) * len(sizes)
    yield first
    for axis, size in enumerate(sizes):
        for value in range(1, size):
            yield (*first[:axis], value, *first[axis + 1 :])


def _combined(sizes: Sequence[int], inner: Sequence[int], chance: random.Random) -> Iterator[Row]:
    for values in itertools.product(*(range(sizes[axis]) for axis in inner)):
        row = list(_random(sizes, chance))
        for axis, value in zip(inner, values, strict=True):
            row[axis] = value
        yield tuple(row)


def _random(sizes: Sequence[int], chance: random.Random) -> Row:
    draw = chance.random
    return tuple(int(draw() * size) for size in sizes)


class _Pairs:
    """Which pairs of values of two axes were taken; one byte for each."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._seen = {
            (one, other): bytearray(sizes[one] * sizes[other])
            for one, other in itertools.combinations(range(len(sizes)), 2)
        }
        # Most axes are through with each other long before the last of them.
        self._open = {pair: len(seen) for pair, seen in self._seen.items()}

    @property
    def covered(self) -> int:
        """How many pairs of values were taken."""
        return sum(map(len, self._seen.values())) - sum(self._open.values())

    def take(self, row: Row) -> None:
        """Marks the pairs of `row`."""
        done = []
        for one, other in self._open:
            seen, at = self._seen[one, other], row[one] * self._sizes[other] + row[other]
            if not seen[at]:
                seen[at] = 1
                self._open[one, other] -= 1
                if not self._open[one, other]:
                    done.append((one, other))
        for pair in done:
            del self._open[pair]

    def rows(self, chance: random.Random) -> Iterator[Row]:
        """A row for each pair that is still missing when its turn comes."""
        for (one, other), seen in self._seen.items():
            for at in range(len(seen)):
                if not seen[at]:
                    row = list(_random(self._sizes, chance))
                    row[one], row[other] = divmod(at, self._sizes[other])
                    yield tuple(row)
