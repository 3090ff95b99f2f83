"""The arithmetic that checksums are made of. Pure: compact strings in, numbers out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SEPARATORS = str.maketrans("", "", " .-/")
_OTHERS = re.compile(r"[^0-9A-Za-z]+")
# Digits as the numbers they are, and as Luhn counts every second one: doubled, less nine where that has two digits.
_DIGITS = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def bare(value: str) -> str:
    """`value` in capitals without the separators that people write into it: blanks, dots, hyphens and slashes."""
    return value.translate(_SEPARATORS).upper()


def compact(value: str) -> str:
    """`value` in capitals with nothing but its ASCII letters and digits."""
    return value.upper() if value.isascii() and value.isalnum() else _OTHERS.sub("", value).upper()


def digits(value: str) -> tuple[int, ...]:
    """The digits of `value`, which must be ASCII digits only."""
    return tuple(ord(each) - 48 for each in value)


def weighted(value: str, weights: Sequence[int]) -> int:
    """The sum of the digits times their weights; digits beyond the weights do not count."""
    return sum((ord(each) - 48) * weight for each, weight in zip(value, weights, strict=False))


def luhn(value: str) -> bool:
    """Whether the digits pass the Luhn test (ISO/IEC 7812-1, annex B)."""
    written = value.encode("latin-1")
    return (sum(written[::-2].translate(_DIGITS)) + sum(written[-2::-2].translate(_DOUBLED))) % 10 == 0


def mod_97_10(value: str) -> bool:
    """Whether letters (A = 10) and digits pass ISO/IEC 7064 MOD 97-10."""
    return int("".join(str(ALPHABET.index(each)) for each in value)) % 97 == 1


def mod_11_10(value: str) -> bool:
    """Whether the digits pass the hybrid system ISO/IEC 7064 MOD 11,10."""
    product = 10
    for each in value[:-1]:
        product = ((ord(each) - 48 + product) % 10 or 10) * 2 % 11
    return (product + ord(value[-1]) - 48) % 10 == 1


def mod_11_2(value: str) -> bool:
    """Whether digits and a last digit or X pass the pure system ISO/IEC 7064 MOD 11-2."""
    total = 0
    for each in value[:-1]:
        total = (total + ord(each) - 48) * 2 % 11
    return (total + (10 if value[-1] == "X" else ord(value[-1]) - 48)) % 11 == 1


_VERHOEFF_PRODUCT = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_PERMUTATION = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def verhoeff(value: str) -> bool:
    """Whether the digits pass the scheme of J. Verhoeff, Error Detecting Decimal Codes (1969)."""
    state = 0
    for position, each in enumerate(reversed(value)):
        permuted = _VERHOEFF_PERMUTATION[position % 8][ord(each) - 48]
        state = ord(_VERHOEFF_PRODUCT[state][ord(permuted) - 48]) - 48
    return state == 0


def is_date(year: int, month: int, day: int) -> bool:
    """Whether the day exists in the Gregorian calendar."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_day_in_any_century(yy: int, month: int, day: int, centuries: Iterable[int] = (1900, 2000)) -> bool:
    """Whether the day exists in the year `yy` of one of `centuries`."""
    return any(is_date(century + yy, month, day) for century in centuries)


def one_digit_repeated(value: str) -> bool:
    """Whether `value` is one character over and over, which many checksums pass and no authority issues."""
    return value == value[0] * len(value)
