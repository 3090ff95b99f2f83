"""Checks of identifiers of the Americas."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from classifiers.checks import americas_north, americas_south

CHECKS: Mapping[str, Callable[[str], bool]] = {**americas_north.CHECKS, **americas_south.CHECKS}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}
