"""wnut17: tweets and forum posts with rare names tagged in IOB2.

Groups and corporations are organisations; products and works are none of ours. Handles are USERNAME by their form.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training.rows import Row, distinct
from classifiers.training.sets.tweets import tweets

SOURCE: Final = "wnut17"


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The posts of every file, detokenised."""
    kinds = {"person": "PERSON", "location": "LOCATION", "group": "ORGANIZATION", "corporation": "ORGANIZATION"}
    for file in sorted(directory.glob("*.conll")):
        yield from tweets(file, source=SOURCE, kinds=kinds)
