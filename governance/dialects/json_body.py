"""A JSON body whose scalars can be edited, also inside JSON text that a string of the body holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

from governance.dialects.json_document import Cut, Scalar, String, cuts, read, splice
from governance.frozen import frozen
from governance.segment import Edit


class Leaf(NamedTuple):
    """Where a segment's text stands. `outer` is the string that holds the document `scalar` belongs to."""

    scalar: Scalar
    outer: String | None = None
    is_name: bool = False


@frozen
class JsonBody:
    """A document of `governance.inference`: leaf number n is the text of segment number n."""

    source: str = field(repr=False)
    leaves: tuple[Leaf, ...] = field(repr=False)

    def apply(self, edits: tuple[Edit, ...]) -> bytes:
        """The body with `edits` applied; every byte outside the edited spans is as it arrived.

        A number that is edited becomes a string. Raises MalformedRequest where an edited name equals another one of
        its object, ValueError for edits that overlap or lie outside their segment.
        """
        outermost: list[Cut] = []
        nested: dict[String, list[Cut]] = {}
        renamed: set[String | None] = set()
        for number, changes in _by_segment(edits).items():
            leaf = self.leaves[number]
            place = outermost if leaf.outer is None else nested.setdefault(leaf.outer, [])
            place += cuts(leaf.scalar, changes)
            if leaf.is_name:
                renamed.add(leaf.outer)
        for outer, changes in nested.items():
            changes.sort()
            if outer in renamed:
                _recheck(splice(outer.text(), changes))
            outermost += cuts(outer, changes)
        edited = splice(self.source, sorted(outermost))
        if None in renamed:
            _recheck(edited)
        return edited.encode()


def _by_segment(edits: Sequence[Edit]) -> dict[int, list[Cut]]:
    found: dict[int, list[Cut]] = {}
    for edit in edits:
        found.setdefault(edit.segment, []).append(Cut(edit.span.start, edit.span.end, edit.replacement))
    if found and min(found) < 0:
        raise ValueError("an edit of no segment")
    return found


def _recheck(edited: str) -> None:
    """Raises MalformedRequest for equal names. Edits add no value and no depth, so the limits have been checked."""
    read(edited, max_depth=len(edited), max_values=len(edited))
