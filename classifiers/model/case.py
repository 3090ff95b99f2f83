"""How a piece of text is capitalised: evidence that an uncased vocabulary throws away, given to the model as a number."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from classifiers.model.names import KINDS


class Case(IntEnum):
    """What the model was trained with; the numbers are part of its weights. NONE is also that of pieces that are no text."""

    NONE = 0
    LOWER = 1
    TITLE = 2
    UPPER = 3
    MIXED = 4


# What a piece is known as counts in steps of CASES: a model that is told of names takes numbers below CASES_AND_NAMES.
CASES: Final = len(Case)
CASES_AND_NAMES: Final = CASES * KINDS


def case_of(original: str) -> int:
    """How `original`, the text of one piece as it stands in the text, is capitalised: one of Case.

    Only letters count; those without case (CJK, Arabic) are lower. A single capital is TITLE.
    """
    if original.isascii() and original.isalpha():
        # Nearly every piece: whole-string tests instead of a loop over letters.
        if original.islower():
            return 1
        if original.isupper():
            return 2 if len(original) == 1 else 3
        return 2 if original[0].isupper() and original[1:].islower() else 4
    letters = [each for each in original if each.isalpha()]
    if not letters:
        return 0
    capitals = [each for each in letters if each.isupper() or each.istitle()]
    if not capitals:
        return 1
    if len(capitals) == len(letters) > 1:
        return 3
    capital_first = letters[0].isupper() or letters[0].istitle()
    return 2 if len(capitals) == 1 and capital_first else 4
