"""Words of a tokenised corpus put back together as people write them, and where each word then stands.

Corpora part words from punctuation ("do n't", " ,", "( 2000 )"). Nobody types that; a model trained on it learns that
a comma has a space before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from governance.frozen import frozen

_BRACKETS: Final = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
    "``": '"',
    "''": '"',
}
_CLOSING: Final = re.compile(
    r"[,.;:!?)\]}%\u2026\u2019\u201d\u00bb]+$|(?:'|\u2019)(?:s|t|m|re|ve|ll|d)$|n['\u2019]t$", re.IGNORECASE
)
_OPENING: Final = re.compile(r"[(\[{$£€“«¿¡#@]$|[(\[{]+$|(?:US|CA|AU|HK)\$$|\u2018$")
_APOSTROPHES: Final = frozenset("'\u2019\u00b4`")
_AFTER_APOSTROPHE: Final = frozenset({"s", "t", "m", "re", "ve", "ll", "d"})
_EMOTICON: Final = re.compile(r"[:;=8]-?[()DPpO/\\|*\]\[3]{1,3}$|[()]-?[:;=]$|<3$")
_SMILEY: Final = re.compile(r"[:;=8]-?[()DPpO*\]\[3]{1,3}$|[()]-?[:;=]$")
_HALVES: Final = frozenset({("gon", "na"), ("wan", "na"), ("got", "ta"), ("can", "not"), ("gim", "me"), ("lem", "me")})
_UNITS: Final = frozenset("second minute hour day week month year mile foot page point member time".split())
_INITIAL: Final = re.compile(r"[A-Z]$")


@frozen
class Joined:
    """`text`, and for each word its (start, end) in code points."""

    text: str
    places: tuple[tuple[int, int], ...]


def detokenised(words: Sequence[str], *, glue: frozenset[str] = frozenset()) -> Joined:
    """`words` as a text; words in `glue` take no space on either side (the hyphen, where a corpus parts it off)."""
    words = [_BRACKETS.get(word, word) for word in words]
    faces = _emoticons(words)
    opened: set[str] = set()
    text = ""
    places: list[tuple[int, int]] = []
    open_before = False
    for index, word in enumerate(words):
        opens = word in {'"', *_APOSTROPHES} and _opens(words, index, opened)
        spaced = index > 0 and not open_before and _space(words, index, faces, opens=opens, glue=glue)
        start = len(text) + spaced
        text += " " * spaced + word
        places.append((start, len(text)))
        open_before = opens
    return Joined(text=text, places=tuple(places))


def aligned(text: str, words: Sequence[str]) -> Joined | None:
    """`text` with the place of each of `words`, found one after another; None where one is not there.

    Only white space may stand between two words, so that nothing of the text goes unlabelled.
    """
    places: list[tuple[int, int]] = []
    end = 0
    for word in words:
        start = text.find(word, end)
        if start < 0 or text[end:start].strip():
            return None
        end = start + len(word)
        places.append((start, end))
    return None if text[end:].strip() else Joined(text=text, places=tuple(places))


def _opens(words: Sequence[str], index: int, opened: set[str]) -> bool:
    """Whether the quotation mark at `index` opens: the first, third and so on of its kind, if something follows it."""
    mark = words[index]
    if mark in opened:
        opened.discard(mark)
        return False
    if index + 1 == len(words):
        return False
    if mark in _APOSTROPHES and (words[index + 1].lower() in _AFTER_APOSTROPHE or mark not in words[index + 1 :]):
        return False
    opened.add(mark)
    return True


def _space(words: Sequence[str], index: int, faces: frozenset[int], *, opens: bool, glue: frozenset[str]) -> bool:
    """Whether a space parts the word at `index` from the one before."""
    left, word = words[index - 1], words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if index in faces:
        return False
    if index + 1 in faces or index - 1 in faces:
        return _OPENING.match(left) is None
    if opens:
        return not _OPENING.match(left)
    if word in glue or left in glue:
        return False
    if _SMILEY.match(word):
        return True
    if word == "." and left in {"<", ">", "="} and following[:1].isdigit():
        return True
    if word == '"' or _CLOSING.match(word) or _OPENING.match(left):
        return False
    if word in _APOSTROPHES:
        return False
    if left in _APOSTROPHES and word.lower() in _AFTER_APOSTROPHE and index > 1:
        return False
    if word.lower() == "n" and following in _APOSTROPHES:
        return False
    if "/" in (left, word):
        return False
    if (left.lower(), word.lower()) in _HALVES:
        return False
    return not _within_number(words, index, following) and not _within_initials(words, index, following)


def _within_number(words: Sequence[str], index: int, following: str) -> bool:
    """Of "3 . 5", "10 : 30", "1 , 000", "74 - 73", "15 - year": whether the mark stands within a number or its unit."""
    left, word = words[index - 1], words[index]
    before = words[index - 2] if index > 1 else ""
    if left == "." and before in {"<", ">", "=", "(", "-"}:
        return word[0].isdigit()
    if word == "-":
        return left.isdigit() and (following.isdigit() or following.lower() in _UNITS)
    if left == "-" and before.isdigit() and word.lower() in _UNITS:
        return True
    if not (word[0].isdigit() and before.isdigit()):
        return False
    if left == ".":
        return len(before) < 4 and len(word) < 6
    if left == "-":
        return True
    return (left == ":" and len(word) == 2) or (left == "," and len(word) == 3)


def _within_initials(words: Sequence[str], index: int, following: str) -> bool:
    """The S of "U . S ."."""
    before = words[index - 2] if index > 1 else ""
    return bool(
        words[index - 1] == "." and _INITIAL.match(before) and _INITIAL.match(words[index]) and following == "."
    )


def _emoticons(words: Sequence[str]) -> frozenset[int]:
    """The words that continue an emoticon: of ": - )" the second and the third."""
    inside: set[int] = set()
    for index, word in enumerate(words):
        if index in inside or len(word) > 1:
            continue
        for length in (3, 2):
            if _EMOTICON.match("".join(words[index : index + length])) and index + length <= len(words):
                if any(part.isalnum() and len(part) > 1 for part in words[index : index + length]):
                    continue
                if word in ":;" and words[index + 1] == "(" and ")" in words[index + 2 :]:
                    continue
                if word == ")" and "(" in words[:index]:
                    continue
                inside.update(range(index + 1, index + length))
                break
    return frozenset(inside)
