"""broad-twitter-corpus: tweets of five kinds with persons, places and organisations tagged in IOB2.

"@" and the handle after it are two words, tagged as a person or an organisation, or not at all: every handle is a
USERNAME here, by its form. In the first file the "@" was lost, so that a bare word may be a handle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training.rows import Row, distinct
from classifiers.training.sets.tweets import tweets

SOURCE: Final = "broad-twitter-corpus"


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The tweets of every file, detokenised. Tweets answer each other, so that a block of them is a group."""
    for file in sorted(directory.glob("*.conll")):
        yield from tweets(file, source=SOURCE, kinds={"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"})
