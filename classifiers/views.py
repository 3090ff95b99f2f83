"""All readings of one text: as it stands, rewritten where a value is spelled out or broken up, and decoded.

Further views show only what stands near a hint, so that they cost what the hints cost. What they show beside it is in the plain
view too; the overlap rule drops what is found twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from classifiers.columns import Asked, columns, everywhere, nowhere
from classifiers.decoding import MAX_DEPTH, Budget, decoded, escapes
from classifiers.fragments import rejoined
from classifiers.meter import Meter
from classifiers.normalisation import fold
from classifiers.spelling import (
    broken,
    dotted,
    grouped,
    hints_in,
    posing,
    rotated,
    spaced,
    spelled,
    underlined,
    unparted,
)
from classifiers.view import Draft, View


def views(text: str, meter: Meter) -> Iterator[View]:
    """`text` itself, then what else it can be read as. Bounded by `meter`: raises Exhausted when its work is used up."""
    plain = fold(text)
    yield plain
    yield from further(plain, meter)


def further(
    plain: View,
    meter: Meter,
    hints: Collection[str] | None = None,
    *,
    tells: Asked = everywhere,
    known: Asked = nowhere,
) -> Iterator[View]:
    """What else the text of `plain` can be read as. Raises Exhausted.

    `hints` are those in it; for `tells` and `known` see `columns`. Without them all there could be is read.
    """
    budget = Budget(len(plain.text), meter)
    for view in _hidden(plain, budget):
        budget.derive(len(view.scan))
        yield view
        yield from _derived(view, budget, 2)
    table = columns(plain, budget, tells=tells, known=known)
    if table is not None:
        budget.derive(len(table.scan))
        yield table
    yield from _derived(plain, budget, 1, hints)


def _derived(view: View, budget: Budget, depth: int, hints: Collection[str] | None = None) -> Iterator[View]:
    hints = hints_in(view.scan) if hints is None else hints
    for made in (
        spaced(view, budget),
        broken(view, budget),
        grouped(view, budget),
        underlined(view, budget),
        posing(view, budget),
        dotted(view, hints, budget),
        spelled(view, hints, budget),
        rotated(view, hints, budget),
    ):
        if made is not None:
            budget.derive(len(made.scan))
            yield made
    whole = unparted(view, budget)
    if whole is not None:
        budget.derive(len(whole.scan))
        yield whole
        yield from _derived(whole, budget, depth)
    if depth > MAX_DEPTH:
        if next(decoded(view, budget), None) is not None:
            budget.leave_out()
        return
    joined = rejoined(view, budget)
    if joined is not None:
        budget.derive(len(joined.scan))
        yield joined
        for made in decoded(joined, budget):
            yield made
            yield from _derived(made, budget, depth + 1)
    unescaped = escapes(view, budget)
    if unescaped is not None:
        budget.derive(len(unescaped.scan))
        yield unescaped
        yield from _derived(unescaped, budget, depth + 1)
    for made in decoded(view, budget):
        yield made
        yield from _derived(made, budget, depth + 1)


# Tag characters hide ASCII, variation selectors bytes; bidirectional overrides show text backwards (UTS #55).
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{6,}")
_OVERRIDE = re.compile("\u202e([^\u202c\u2069\n]{4,512})")


def _hidden(plain: View, budget: Budget) -> Iterator[View]:
    """What is in `plain.text` without showing, or shows in another order."""
    if plain.text.isascii() or len(plain.shifts) == 1:
        return
    source = View(text=plain.text, scan=b"")
    for via, pattern, read in (
        ("tags", _TAGS, _untagged),
        ("selectors", _SELECTORS, _selected),
        ("override", _OVERRIDE, _reversed),
    ):
        draft = Draft(source)
        for match in budget.counted(pattern.finditer(plain.text)):
            draft.part()
            draft.put(fold(read(match[0])).scan, *match.span())
        view = draft.view(via)
        if view is not None:
            yield view


def _untagged(run: str) -> str:
    return "".join(chr(ord(each) - 0xE0000) for each in run)


def _selected(run: str) -> str:
    octets = bytes(ord(each) - 0xFE00 if each < "\ufe10" else ord(each) - 0xE0100 + 16 for each in run)
    return octets.decode("utf-8", "replace")


def _reversed(run: str) -> str:
    return run[:0:-1]
