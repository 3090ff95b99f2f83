"""The checks by name, as the rule files name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from classifiers.checks import (
    addresses,
    africa_middle_east,
    americas,
    asia_pacific,
    credentials,
    crypto,
    documents,
    europe_central,
    europe_north,
    europe_south_east,
    europe_west,
    finance,
    network,
)

# Takes the value: of a rule with `digits` the digits alone, of one with `expressions` the text that matched.
Check = Callable[[str], bool]
# Takes the same; the country the value names (ISO 3166-1 alpha-2), or None.
CountryOf = Callable[[str], str | None]
T = TypeVar("T")

_MODULES = (
    addresses, africa_middle_east, americas, asia_pacific, credentials, crypto, documents, europe_central, europe_north,
    europe_south_east, europe_west, finance, network,
)  # fmt: skip


def checks() -> Mapping[str, Check]:
    """Every check. Raises ValueError when two have one name."""
    return _merged([module.CHECKS for module in _MODULES])


def countries() -> Mapping[str, CountryOf]:
    """Every function that reads a country off a value. Raises ValueError when two have one name."""
    return _merged([module.COUNTRIES for module in _MODULES])


def _merged(tables: Iterable[Mapping[str, T]]) -> Mapping[str, T]:
    merged: dict[str, T] = {}
    for table in tables:
        if twice := merged.keys() & table.keys():
            raise ValueError(f"two modules define {sorted(twice)}")
        merged |= table
    return merged
