"""Checks of accounts, cards, securities and the institutions behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from classifiers.checks.arithmetic import ALPHABET, compact, is_date, luhn, mod_97_10, one_digit_repeated
from classifiers.registries import card_schemes, countries, iban_structures

# Of numbering agencies without a state: ISO 6166 annex, ANNA (2023).
_ISIN_PREFIXES = frozenset({"EU", "EZ", "XA", "XB", "XC", "XD", "XF", "XS", "XT"})
_ISIN_LENGTH = 12
# Where the national number is shorter than nine characters it is filled with zeros.
_ISIN_FILLED = ("AT0000", "CH00", "DE000", "ES01", "FR000", "NL00", "SE000")
# ISO 17442 (2012): the fifth and sixth character were reserved, as zeros.
_LEI_RESERVED = "00"
_SEDOL_WEIGHTS = (1, 3, 1, 7, 3, 9, 1)
# Grouped as on a card: four and four, or as American Express does.
_LEADING_CARD = re.compile("3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}|(?:[0-9]{4}[ -]?){3}[0-9]{4}")


def _iban(value: str) -> bool:
    """ISO 13616: the structure of the country, then MOD 97-10 over the number with its head moved to the end."""
    number = compact(value)
    structure = iban_structures().get(number[:2])
    return structure is not None and structure.fullmatch(number, 4) is not None and mod_97_10(number[4:] + number[:4])


def _prefix_country(value: str) -> str | None:
    prefix = value[:2].upper()
    return prefix if prefix in countries() else None


def _bic(value: str) -> bool:
    """ISO 9362: letters of the country in fifth and sixth place; the location is no 0 or 1, and does not end in O."""
    code = value.upper()
    return code[4:6] in countries() and code[6] not in "01" and code[7] != "O"


def _bic_country(value: str) -> str | None:
    return _prefix_country(value[4:6])


def _expanded(value: str) -> str:
    return "".join(str(ALPHABET.index(each)) for each in value)


def _isin(value: str) -> bool:
    """ISO 6166: Luhn over the letters written as numbers."""
    code = value.upper()
    return (code[:2] in countries() or code[:2] in _ISIN_PREFIXES) and luhn(_expanded(code))


def _isin_with_national_number(value: str) -> bool:
    """An ISIN whose national number proves itself: a check digit of its own, or the zeros that fill it."""
    code = value.upper()
    # The shapes of the countries leave room for shorter words.
    if len(code) != _ISIN_LENGTH or not _isin(code):
        return False
    number = code[2:11]
    if code[:2] in ("US", "CA"):
        return _cusip(number)
    if code[:2] in ("GB", "IE"):
        return number[:2] == "00" and _sedol(number[2:])
    return code.startswith(_ISIN_FILLED)


def _cusip(value: str) -> bool:
    """ANSI X9.6: digits, letters and `*@#` as numbers, every second one doubled, the digits of the products added up."""
    code = value.upper()
    total = 0
    for position, each in enumerate(code[:8]):
        product = (ALPHABET + "*@#").find(each) * (1 + position % 2)
        total += product // 10 + product % 10
    return code[8].isdigit() and (total + int(code[8])) % 10 == 0


def _sedol(value: str) -> bool:
    """SEDOL Masterfile: weights 1, 3, 1, 7, 3, 9, 1 over digits and consonants."""
    code = value.upper()
    if set(code) & set("AEIOU") or one_digit_repeated(code):
        return False
    return sum(ALPHABET.index(each) * weight for each, weight in zip(code, _SEDOL_WEIGHTS, strict=False)) % 10 == 0


def _lei(value: str) -> bool:
    return not value.isdigit() and mod_97_10(value.upper())


def _lei_with_reserved_zeros(value: str) -> bool:
    return value[4:6] == _LEI_RESERVED and _lei(value)


def _card(value: str) -> bool:
    """Luhn, and a range of a scheme with this length. Digits all alike pass no scheme's own rules."""
    return not one_digit_repeated(value) and luhn(value) and bool(card_schemes(value))


def _card_of_any_issuer(value: str) -> bool:
    """Luhn, and a first digit of the payment industries; twelve digits after a 1 are a time in milliseconds."""
    number = compact(value)
    if number[0] not in "13456" and not card_schemes(number):
        return False
    return not (len(number) == 13 and number[0] == "1") and luhn(number) and not one_digit_repeated(number)


def _card_expiry(value: str) -> bool:
    digits = "".join(each for each in value if each.isdigit())
    return 1 <= int(digits[:2]) <= 12


def _behind_card(value: str) -> bool:
    """Whether `value` begins with a card number."""
    number = _LEADING_CARD.match(value)
    return number is not None and luhn(compact(number[0])) and not one_digit_repeated(compact(number[0]))


def _track(value: str) -> bool:
    """ISO/IEC 7813: the card number between the start and the first separator, then year and month of expiry."""
    body = value.lstrip("%;bB")
    number, _, rest = body.replace("=", "^").partition("^")
    number = "".join(each for each in number if each.isdigit())
    expiry = rest.rpartition("^")[2][:4]
    return (
        luhn(number) and len(expiry) == 4 and expiry.isdigit() and is_date(2000 + int(expiry[:2]), int(expiry[2:]), 1)
    )


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "bic": _bic,
    "behind_card": _behind_card,
    "card": _card,
    "card_expiry": _card_expiry,
    "card_of_any_issuer": _card_of_any_issuer,
    "card_track": _track,
    "cusip": _cusip,
    "iban": _iban,
    "isin": _isin,
    "isin_with_national_number": _isin_with_national_number,
    "lei": _lei,
    "lei_with_reserved_zeros": _lei_with_reserved_zeros,
    "sedol": _sedol,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {
    "bic_country": _bic_country,
    "prefix_country": _prefix_country,
}
