"""Text as a keyboard types it: what typesetting changes, and what decomposed letters hide, is undone.

Words that stand in our tables are typed that way. Folding (see `classifiers.normalisation`) goes further and keeps no letters of
other scripts; this keeps all of them.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from classifiers.normalisation import SHADING, fold_one
from governance.frozen import frozen
from governance.segment import Span

# Marks and parts of syllables that join the letter before them (UAX #15).
_JOINING: Final = "\u0300-\u034e\u0350-\u036f\u0653-\u0655\u093c\u1161-\u1175\u11a8-\u11c2\u3099\u309a"
# Hyphens and short dashes, spaces and ends of lines. A long dash parts sentences: it stays.
_TYPESET: Final = "\u05be\u2010-\u2013\u2212\ufe63\uff0d\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef"
)
# To bring marks into order takes the square of their number.
_MOST_AT_ONCE: Final = 32
_ANY = re.compile(f"[{_JOINING}{_TYPESET}{_UNSEEN}\x1b\x9b]")
_CHANGED = re.compile(f"([{_JOINING}]{{1,{_MOST_AT_ONCE}}})|[{_TYPESET}]+|[{_UNSEEN}]+|{SHADING}")
# Spaces without width, joiners and selectors belong to some scripts and to pictures; to these letters they do not.
_LETTER: Final = "0-9A-Za-z\u00c0-\u058f"
_HIDDEN = re.compile(f"(?<=[{_LETTER}])[{_UNSEEN}]+|[\u00ad\u2060\ufeff]+|{SHADING}")


@frozen
class Retyped:
    """`text` as a keyboard types it, and the way between it and the text as it came.

    What stands at `came[i]` of the text as it came, or behind it, stands at `typed[i]` of `text`, or behind it. Both ascend.
    """

    text: str
    came: tuple[int, ...] = (0,)
    typed: tuple[int, ...] = (0,)

    @property
    def moved(self) -> bool:
        """Whether anything stands elsewhere than it came."""
        return len(self.came) > 1

    def span(self, came: Span) -> Span:
        """Where in `text` that stands which came at `came`; empty for what does not show."""
        return _span(came, self.came, self.typed)

    def original(self, typed: Span) -> Span:
        """Where `text[typed.start:typed.end]` came, with what joins it and does not show behind it."""
        return _span(typed, self.typed, self.came)

    def letters(self, typed: Span) -> Span:
        """As `original`, without what stands behind the last letter; `typed` is not empty."""
        first, last = (_position(each, self.typed, self.came) for each in (typed.start, typed.end - 1))
        return Span(start=first, end=last + 1)


def retyped(text: str) -> Retyped:
    """`text` as a keyboard types it. Linear; most texts are typed so already."""
    return Retyped(text=text) if _is_plain(text) else _rewritten(text, _CHANGED, _as_typed)


def shown(text: str) -> Retyped:
    """`text` without what nobody sees in its words; all else stays as it came, joiners where they belong to a script too."""
    return Retyped(text=text) if _is_plain(text) else _rewritten(text, _HIDDEN, lambda letter, _: letter)


def _is_plain(text: str) -> bool:
    return (text.isascii() and "\x1b" not in text) or _ANY.search(text) is None


def _as_typed(letter: str, match: re.Match[str]) -> str:
    if match[1]:
        return _composed(letter + match[0])
    return letter + ("" if match[0][0] in "\x1b\x9b" else match[0].translate(_keys()))


def _rewritten(text: str, pattern: re.Pattern[str], written: Callable[[str, re.Match[str]], str]) -> Retyped:
    """`text` with each match of `pattern`, and the letter before it, as `written` says."""
    parts: list[str] = []
    came, typed = [0], [0]
    at = done = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        letter = text[max(done, start - 1) : start]
        before = text[done : start - len(letter)]
        piece = written(letter, match)
        parts += before, piece
        at += len(before)
        gone = len(letter) + end - start - len(piece)
        if gone:
            # The letter took up what joins it.
            came.append(start + gone)
            typed.append(at + len(letter))
        at += len(piece)
        done = end
    parts.append(text[done:])
    return Retyped(text="".join(parts), came=tuple(came), typed=tuple(typed))


def _composed(letters: str) -> str:
    composed = unicodedata.normalize("NFC", letters)
    return composed if len(composed) <= len(letters) else letters


class _Keys(dict[int, str]):
    """Code points that are typeset, or do not show, to what is typed for them."""

    def __missing__(self, code_point: int) -> str:
        return self.setdefault(code_point, fold_one(code_point))


@functools.cache
def _keys() -> _Keys:
    return _Keys()


def _span(span: Span, here: tuple[int, ...], there: tuple[int, ...]) -> Span:
    return Span(start=_position(span.start, here, there), end=_position(span.end, here, there))


def _position(position: int, here: tuple[int, ...], there: tuple[int, ...]) -> int:
    at = bisect_right(here, position) - 1
    moved = there[at] + position - here[at]
    return moved if at + 1 == len(there) else min(moved, there[at + 1])
