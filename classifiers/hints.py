"""What has to stand in a text before it is worth looking closer: expressions over flat text (see `classifiers.vocabulary`).

A hint that is not reported is not there; one that is reported may still be nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping

from classifiers.cues import cues
from classifiers.labels import HEALTH, health_stems
from classifiers.normalisation import fold
from classifiers.residency import MARKING_WORDS
from classifiers.spelling import AT_WORDS, DOT_WORDS, SPOKEN_WORDS

# What stands between words in flat text.
_APART = re.compile("[^a-z0-9]+")

_MARKING = "marking "
_GATE = "gate "


@functools.cache
def expressions() -> Mapping[str, tuple[str, ...]]:
    """What to look for, by the name of the hint."""
    spoken = "|".join(sorted(map(bytes.decode, SPOKEN_WORDS)))
    return {
        HEALTH: tuple(_begun(stem) for stem in health_stems()),
        **{f"{_MARKING}{word}": (_begun(f"{word}$"),) for word in sorted(MARKING_WORDS) if _folded(word).isalnum()},
        **{f"{_GATE}{word}": (_begun(f"{word}$"),) for word in sorted(_gates())},
        "at": tuple(f"[ 0-9]{word.decode()}[ 0-9]" for word in sorted(AT_WORDS)),
        "dot": tuple(f"[ 0-9]{word.decode()}[ 0-9]" for word in sorted(DOT_WORDS)),
        "spoken": (f"[ 0-9](?:{spoken})(?:[ 0-9]+(?:{spoken})){{3}}[ 0-9]",),
        "rot13": ("rot ?13", " (?:pbz|bet|arg|rqh) "),
    }


def marking_words(hints: Collection[str], text: str) -> frozenset[str]:
    """The words of markings that `hints` name. `only` is one in capitals alone, and in all texts else."""
    words = frozenset(hint.removeprefix(_MARKING) for hint in hints if hint.startswith(_MARKING))
    return words if "ONLY" in text else words - {"only"}


def gates(hints: Collection[str], text: str) -> frozenset[str] | None:
    """The gates of cues that `hints` name; None for a `text` that may hold ones that folding changes."""
    if not text.isascii():
        return None
    return frozenset(hint.removeprefix(_GATE) for hint in hints if hint.startswith(_GATE))


def _gates() -> frozenset[str]:
    return frozenset(cue.gate for cue in cues() if cue.gate.isascii() and cue.gate)


def _folded(word: str) -> bytes:
    return fold(word).scan


def _begun(stem: str) -> str:
    """The expression for words with `stem` as folding leaves them; whole ones where it ends with `$`."""
    folded = _APART.sub(" +", _folded(stem.removesuffix("$")).decode("ascii"))
    return f" {folded} " if stem.endswith("$") else f" {folded}"
