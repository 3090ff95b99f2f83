"""mts-dialog: short talks of a doctor and a patient, and the part of the note written from each.

It marks nothing: names, ages, dates and diseases stand in it untagged, so that it teaches the topic only. Each talk
and note is about somebody's health.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training.rows import Row, distinct
from classifiers.training.sets.clinical import clinical

SOURCE: Final = "mts-dialog"


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The talks and the notes; a talk and its note are one group."""
    for file in sorted(directory.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for record in csv.DictReader(lines):
                group = f"{SOURCE}/{file.stem}/{record['ID']}"
                yield from clinical(record["dialogue"], group=group, source=SOURCE)
                yield from clinical(record["section_text"], group=group, source=SOURCE)
