"""One reading of a text: folded for the scanner, with the way back to the text as it came."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import final

from governance.frozen import frozen
from governance.segment import Span

# (position in `scan`, position in `text`, code points of `text` from one byte to the next, code points a byte stands for)
Shift = tuple[int, int, int, int]

IN_STEP: tuple[Shift, ...] = ((0, 0, 1, 1),)
_LAST = 1 << 62
# As `via`: controls are left out. Whether they part values or hide in one nobody can say, so that both readings count.
UNPARTED = "controls"


@frozen
class View:
    """What the scanner sees of a text, or of something encoded in it.

    `scan` holds one byte per code point that counts: ASCII where a code point folds to it, 0x80 to 0xFF for other
    letters (they count as word characters), 0x01 for what separates, 0x02 for controls that do or do not. `via` says how the view came about: empty for the text
    itself, else the rewritings and encodings from the outside in (`percent>base64`, `spaced`).

    `text` is the segment's text, also where `scan` shows only parts of it. `shifts` say which code points the bytes
    from a position on stand for, ascending in both positions; a step of 0 means that all of them stand for the same
    code points (the carrier of something decoded, a ligature). `carrier` overrides them for a view that one range carries whole.
    """

    text: str
    scan: bytes
    via: str = ""
    shifts: tuple[Shift, ...] = IN_STEP
    carrier: Span | None = None

    def position(self, at: int) -> int:
        """Where the first code point behind `scan[at]` stands in `text`."""
        scanned, original, step, _ = self.shift(at)
        return original + (at - scanned) * step

    def span(self, start: int, end: int) -> Span:
        """The range of the segment's text to report for `scan[start:end]` (not empty): the carrier, if there is one."""
        if self.carrier is not None:
            return self.carrier
        scanned, original, step, width = self.shift(end - 1)
        return Span(start=self.position(start), end=original + (end - 1 - scanned) * step + width)

    def shift(self, at: int) -> Shift:
        """The shift that holds for `scan[at]`."""
        if len(self.shifts) == 1:
            return self.shifts[0]
        return self.shifts[bisect_right(self.shifts, (at, _LAST)) - 1]


# What stands around a value as context: its digits and addresses are read elsewhere.
_WORDS = bytes(1 if chr(each) in "0123456789@" else each for each in range(256))
_GAP = b"\n\x01\n"
# Bytes beside a change that are read with it, as far as the next blank, and those before and behind as context.
NEAR = 48
BEFORE = 64
BEHIND = 32


@final
class Draft:
    """A view in the making: parts of another view, some of them read differently. Positions are those of the other scan.

    Parts are added in the order of the other scan.
    """

    __slots__ = ("_at", "_base", "_in_step", "_parts", "_reach", "_shifts")

    def __init__(self, base: View) -> None:
        self._base = base
        self._in_step = base.shifts == IN_STEP
        self._parts: list[bytes] = []
        self._shifts: list[Shift] = []
        self._at = 0
        self._reach = 0

    def keep(self, start: int, end: int) -> None:
        """Takes over `[start:end]` as it is."""
        if start < end:
            self._take(self._base.scan[start:end], start)

    def context(self, start: int, end: int) -> None:
        """Takes over the words of `[start:end]` that were not taken before, and nothing else of it."""
        start = max(self._reach, start)
        if start < end:
            self._take(self._base.scan[start:end].translate(_WORDS), start)

    def put(self, piece: bytes, start: int, end: int) -> None:
        """Reads `[start:end]` as `piece`: each byte of it stands for the whole range."""
        self._reach = end
        if not piece:
            return
        if self._in_step:
            first, width = start, end - start
        else:
            span = self._base.span(start, end)
            first, width = span.start, span.end - span.start
        self._add(piece, first, width if len(piece) == 1 else 0, width)

    def spread(self, piece: bytes, start: int, step: int, width: int) -> None:
        """Reads every `step` bytes from `start` on as one of `piece`, which stands for the first `width` of them."""
        if self._in_step:
            self._reach = start + (len(piece) - 1) * step + width
            self._add(piece, start, step, width)
            return
        for number in range(len(piece)):
            at = start + number * step
            self.put(piece[number : number + 1], at, at + width)

    def part(self) -> None:
        """Begins anew: no value reaches from what follows into what was before. The gap stands for what the byte before it does."""
        if self._shifts:
            scanned, original, step, width = self._shifts[-1]
            self._add(_GAP, original + (self._at - 1 - scanned) * step, 0, width)

    def around(self, piece: bytes, start: int, end: int, limit: int) -> None:
        """As `put`, as a part of its own with the words before it, and those behind it up to `limit`."""
        self.part()
        self.context(start - BEFORE, start)
        self.put(b" " + piece + b" ", start, end)
        self.context(end, min(limit, end + BEHIND))

    def view(self, via: str) -> View | None:
        """The view, if there is anything in it; `via` is what was done here."""
        if not self._at:
            return None
        via = f"{self._base.via}>{via}" if self._base.via else via
        return View(text=self._base.text, scan=b"".join(self._parts), via=via, shifts=tuple(self._shifts))

    def _take(self, piece: bytes, start: int) -> None:
        end = self._reach = start + len(piece)
        if self._in_step:
            self._add(piece, start, 1, 1)
            return
        shifts = self._base.shifts
        for number in range(bisect_right(shifts, (start, _LAST)) - 1, len(shifts)):
            scanned, original, step, width = shifts[number]
            if scanned >= end:
                break
            low = max(start, scanned)
            high = end if number + 1 == len(shifts) else min(end, shifts[number + 1][0])
            if low < high:
                self._add(piece[low - start : high - start], original + (low - scanned) * step, step, width)

    def _add(self, piece: bytes, original: int, step: int, width: int) -> None:
        self._parts.append(piece)
        at, self._at = self._at, self._at + len(piece)
        if self._shifts:
            scanned, start, stepping, wide = self._shifts[-1]
            if step == stepping and width == wide and original == start + (at - scanned) * step:
                return
        self._shifts.append((at, original, step, width))


# (start, end, what it reads as, bytes of the range for each byte of that; 0: each stands for the whole range)
Change = tuple[int, int, bytes, int]


def changed(base: View, changes: Iterable[Change], via: str) -> View | None:
    """`base` with `changes` (ascending, disjoint), and no more of it than what stands near them."""
    scan, draft = base.scan, Draft(base)
    done = right = -1
    for start, end, piece, each in changes:
        # The order of these matters: looking for the next blank costs the length of a word, so not twice in one.
        if done < 0 or (start > done + NEAR and start > right and start > (right := _right(scan, done))):
            left = _left(scan, max(0, right), start)
            if done >= 0:
                draft.keep(done, right)
                draft.context(right, min(left, right + BEHIND))
            draft.part()
            draft.context(left - BEFORE, left)
            done = left
        if done < start:
            draft.keep(done, start)
        if each:
            draft.spread(piece, start, each, each)
        else:
            draft.put(piece, start, end)
        done = end
    if done < 0:
        return None
    right = max(right, done) if done + NEAR < right else _right(scan, done)
    draft.keep(done, right)
    draft.context(right, min(len(scan), right + BEHIND))
    return draft.view(via)


def disjoint(changes: Iterable[Change]) -> Iterator[Change]:
    """Those of `changes` (ascending) that begin behind the end of the last one taken."""
    done = 0
    for change in changes:
        if change[0] >= done:
            done = change[1]
            yield change


def _left(scan: bytes, low: int, at: int) -> int:
    """Where to begin reading before `at`: behind a blank about NEAR bytes away, or at the beginning of a longer word."""
    near = max(low, at - NEAR)
    if near == low:
        return low
    blank = scan.find(b" ", near, at)
    if blank >= 0:
        return blank + 1
    return max(low, scan.rfind(b" ", low, at) + 1, scan.rfind(b"\n", low, at) + 1)


def _right(scan: bytes, at: int) -> int:
    """Where to end reading behind `at`: as `_left`. Costs as much as the word is long."""
    near = at + NEAR
    if near >= len(scan):
        return len(scan)
    blank = scan.rfind(b" ", at, near)
    if blank >= 0:
        return blank
    end = _BLANK.search(scan, near)
    return len(scan) if end is None else end.start()


_BLANK = re.compile(rb"[ \n]")
