"""The cases of jurisdiction_cases.toml and jurisdiction_held_out.toml, and what reads them."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

from classifiers.detector import PatternDetector
from classifiers.places import Places, place_table
from governance.finding import Jurisdiction
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText


def cases(name: str) -> list[tuple[str, frozenset[str]]]:
    """(text, countries) of one of the files."""
    tables = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text("utf-8"))
    return [(text, frozenset(codes.split())) for rows in tables.values() for text, codes in rows]


@functools.cache
def places() -> Places:
    """The gazetteer, distilled once."""
    return Places(place_table())


@functools.cache
def _detector() -> PatternDetector:
    return PatternDetector()


def told(text: str) -> tuple[Jurisdiction, ...]:
    """The jurisdictions of a request of one text."""
    segment = TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))
    return _detector().detect_now([segment], deadline_ms=60_000).jurisdictions
