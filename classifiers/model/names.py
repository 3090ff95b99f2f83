"""Words that are known as names of people, places and organisations: what a small vocabulary cannot hold, told to the model beside the case."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import TYPE_CHECKING, Final, final

import numpy as np

from classifiers.places import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Known(IntFlag):
    """What a word is known as, each or none; the numbers are part of the weights of a model."""

    PLACE = 1
    GIVEN = 2
    FAMILY = 4
    ORGANIZATION = 8


# So many different answers there are.
KINDS: Final = int(max(Known)) * 2
_MOST_WORDS: Final = 4
_SHORTEST: Final = 3
# Of a word with which a name of several begins.
_BEGINS: Final = KINDS
# What may stand between the words of a name, as words of their own.
_JOINTS: Final = frozenset("-'&\u2019.\u2010\u2011")


@final
class KnownNames:
    """The names in one file: a line is a Known as a number, a blank, and a name as `folded` gives it.

    `kinds` is how many different answers there are with the kinds in this file: an older one has fewer.
    """

    def __init__(self, content: bytes) -> None:
        """Raises ValueError, without content, where a line is none."""
        self._words: dict[str, int] = {}
        self._several: dict[str, int] = {}
        kinds = 0
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            kind, _, name = line.partition(" ")
            if not (kind.isascii() and kind.isdigit() and 0 < int(kind) < KINDS and name):
                raise ValueError(f"line {number} is no number from 1 to {KINDS - 1} and a name")
            kinds |= int(kind)
            first, several, _ = name.partition(" ")
            if several:
                self._several[name] = int(kind)
                self._words[first] = self._words.get(first, 0) | _BEGINS
            else:
                self._words[name] = self._words.get(name, 0) | int(kind)
        self.kinds: Final = 1 << kinds.bit_length()

    def known(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> NDArray[np.uint8]:
        """What the words `text[start:end]` are known as, in any case: uint8[words] of Known. A name of several words is known whole."""
        if text.isascii():
            lowered = text.lower()
            words = [lowered[start:end] for start, end in zip(starts, ends, strict=True)]
        else:
            words = [_lowered(text[start:end]) for start, end in zip(starts, ends, strict=True)]
        known = np.array(list(map(self._words.get, words, [0] * len(words))), dtype=np.uint8)
        begins = np.flatnonzero(known & _BEGINS).tolist()
        known &= KINDS - 1
        for first in begins:
            name, last = words[first], first
            for _ in range(_MOST_WORDS - 1):
                last = _next(words, last)
                if last >= len(words):
                    break
                name = f"{name} {words[last]}"
                if name in self._several:
                    known[first : last + 1] |= self._several[name]
        return known


def _lowered(word: str) -> str:
    return word.lower() if word.isascii() or word in _JOINTS else plain(word)


def _next(words: Sequence[str], at: int) -> int:
    """The word behind `words[at]`, one joint left out."""
    return at + 2 if at + 2 < len(words) and words[at + 1] in _JOINTS else at + 1


def folded(name: str) -> str:
    """`name` as it is looked up: its words without case, accents and joints; empty for what is too short, or too long, to say anything."""
    words = plain("".join(" " if each in _JOINTS else each for each in name)).split()
    fits = len(words) <= _MOST_WORDS and all(map(str.isalnum, words)) and sum(map(len, words)) >= _SHORTEST
    return " ".join(words) if fits else ""
