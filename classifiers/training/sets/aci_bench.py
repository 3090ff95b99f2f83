"""aci-bench: long talks of a doctor and a patient with the note of the visit.

It marks nothing: it teaches the topic only. The talks are tokenised in part ("hi , brian ."), and are put together.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifiers.training.detokenise import detokenised
from classifiers.training.rows import Row, distinct
from classifiers.training.sets.clinical import clinical

SOURCE: Final = "aci-bench"
_SPEAKER: Final = re.compile(r"^\[(doctor|patient|patient_guest)\]\s*")


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The talks and the notes in pieces; a visit is the group."""
    for file in sorted(directory.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for record in csv.DictReader(lines):
                group = f"{SOURCE}/{record['encounter_id']}"
                talk = "\n".join(map(_turn, record["dialogue"].splitlines()))
                yield from clinical(talk, group=group, source=SOURCE)
                yield from clinical(record["note"], group=group, source=SOURCE)


def _turn(line: str) -> str:
    match = _SPEAKER.match(line)
    said = detokenised(line[match.end() if match else 0 :].split()).text
    return f"{match[1].capitalize()}: {said}" if match else said
