"""Checks of identifiers of northern Europe: Denmark, the Faroe Islands, Finland, Iceland, Ireland, Norway, Sweden, the
United Kingdom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from classifiers.checks.arithmetic import compact, is_date, is_day_in_any_century, luhn, one_digit_repeated, weighted

# United Kingdom

_GB_NINO_UNUSED = frozenset({"BG", "GB", "NK", "KN", "NT", "TN", "ZZ"})
_GB_CROWN_DEPENDENCIES = {"GY": "GG", "IM": "IM", "JE": "JE"}
_GB_SURNAME = re.compile(r"[A-Z]+9*")
_GB_UPN = "ABCDEFGHJKLMNPQRTUVWXYZ"


def _gb_nhs(value: str) -> bool:
    """Weights 10 to 1 modulo 11. Ten equal digits pass it and are not issued."""
    return weighted(value, range(10, 0, -1)) % 11 == 0 and not one_digit_repeated(value)


def _gb_chi(value: str) -> bool:
    """Scotland: the day of birth, and the check digit of the NHS number."""
    return is_day_in_any_century(int(value[4:6]), int(value[2:4]), int(value[:2])) and _gb_nhs(value)


def _gb_health_and_care(value: str) -> bool:
    """Northern Ireland: the numbers from 320 to 399, and the check digit of the NHS number."""
    return 320 <= int(value[:3]) <= 399 and _gb_nhs(value)


def _gb_nino(value: str) -> bool:
    """Prefixes that are not allocated; which letters occur at all is the shape's part."""
    return value[:2].upper() not in _GB_NINO_UNUSED


def _gb_utr(value: str) -> bool:
    """The first digit, out of the other nine: weights 6 to 10 and 5 to 2 modulo 11."""
    return "21987654321"[weighted(value[1:], (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11] == value[0]


def _gb_vat(value: str) -> bool:
    """Modulo 97 with weights 8 to 2, and since 2010 the same with 55 added. GD and HA: below and from 500, no check digit."""
    number = compact(value)[2:]
    if number.startswith("GD"):
        return int(number[2:]) < 500
    if number.startswith("HA"):
        return int(number[2:]) >= 500
    remainder = weighted(number[:9], (8, 7, 6, 5, 4, 3, 2, 10, 1)) % 97
    return int(number[:9]) > 0 and (remainder == 0 or (remainder == 42 and number[:3] >= "100"))


def _gb_driving_licence(value: str) -> bool:
    """Five characters of the surname, filled up with nines."""
    return _GB_SURNAME.fullmatch(value[:5].upper()) is not None


def _gb_plate(value: str) -> bool:
    """The age identifier: the year of March to August, or 50 more for the rest of the year."""
    return 2 <= int(value[2:4]) <= 29 or 51 <= int(value[2:4]) <= 79


def _gb_upn(value: str) -> bool:
    """The first letter: weights 2 to 13 over the rest modulo 23; a temporary number ends in a letter."""
    first, last = value[0].upper(), value[12].upper()
    total = weighted(value[1:12], range(2, 13))
    total += (int(last) if last.isdigit() else _GB_UPN.index(last)) * 13
    return _GB_UPN[total % 23] == first


def _gb_postcode_country(value: str) -> str | None:
    """Guernsey, Jersey and the Isle of Man use British postcodes and are countries of their own."""
    return _GB_CROWN_DEPENDENCIES.get(value[:2].upper(), "GB")


# Ireland


def _ie_check_letter(digits: str, second: str) -> str:
    """Weights 8 to 2, and 9 for a second letter from A = 1 to I; the older ones (W, T, X) do not count."""
    extra = ord(second) - 64 if second and second in "ABCDEFGHI" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(digits, range(8, 1, -1)) + 9 * extra) % 23]


def _ie_pps(value: str) -> bool:
    number = compact(value)
    return _ie_check_letter(number[:7], number[8:]) == number[7]


def _ie_vat(value: str) -> bool:
    """A PPS number; in the older form the first digit, a letter or symbol that does not count, five digits."""
    number = value.upper().replace(" ", "").replace("-", "").replace(".", "")[2:]
    if not number[1].isdigit():
        number = f"0{number[2:7]}{number[0]}{number[7:]}"
    return _ie_check_letter(number[:7], number[8:]) == number[7]


# Denmark and the Faroe Islands


def _dk_cpr(value: str) -> bool:
    """A day of birth, whose century the seventh digit gives. No check digit: since 2007 numbers are issued that fail it."""
    day, month, year, series = int(value[:2]), int(value[2:4]), int(value[4:6]), int(value[6])
    if series <= 3:
        century = 1900
    elif series in {4, 9}:
        century = 2000 if year <= 36 else 1900
    else:
        century = 2000 if year <= 57 else 1800
    return is_date(century + year, month, day)


def _dk_cvr(value: str) -> bool:
    number = compact(value)[-8:]
    return number[0] != "0" and weighted(number, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _fo_p_number(value: str) -> bool:
    """A day of birth and three digits."""
    return is_day_in_any_century(int(value[4:6]), int(value[2:4]), int(value[:2]))


# Norway


def _no_person(value: str) -> bool:
    """The century out of the individual number, and two check digits modulo 11 of which the second covers the first."""
    day, month, year, individual = int(value[:2]), int(value[2:4]), int(value[4:6]), int(value[6:9])
    if individual < 500:
        century = 1900
    elif year < 40:
        century = 2000
    elif individual >= 900:
        century = 1900
    else:
        century = 1800
    return (
        is_date(century + year, month, day)
        and (century > 1800 or (individual < 750 and year >= 54))
        and not one_digit_repeated(value[6:])
    )


def _no_check_digits(value: str) -> bool:
    first = weighted(value, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
    return first and weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _no_fodselsnummer(value: str) -> bool:
    return _no_check_digits(value) and _no_person(value)


def _no_d_number(value: str) -> bool:
    """For those who are not resident: the day of birth is raised by 40."""
    day = int(value[:2]) - 40
    return day > 0 and _no_check_digits(value) and _no_person(f"{day:02}{value[2:]}")


def _no_organisation(value: str) -> bool:
    number = compact(value).removeprefix("NO").removesuffix("MVA")
    return weighted(number, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and not one_digit_repeated(number)


def _no_account(value: str) -> bool:
    return weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and int(value[:4]) > 0


# Sweden


def _se_person(value: str, day_offset: int) -> bool:
    """Luhn over the last ten digits; the day exists in the century given, or in one of those that can be meant."""
    number = compact(value)
    year, month, day = int(number[-10:-8]), int(number[-8:-6]), int(number[-6:-4]) - day_offset
    centuries = (int(number[:2]) * 100,) if len(number) == 12 else (1900, 2000)
    return (
        set(centuries) <= {1800, 1900, 2000}
        and luhn(number[-10:])
        and is_day_in_any_century(year, month, day, centuries)
    )


def _se_personnummer(value: str) -> bool:
    return _se_person(value, 0)


def _se_samordningsnummer(value: str) -> bool:
    """For those who are not resident: the day of birth is raised by 60."""
    return _se_person(value, 60)


def _se_organisation(value: str) -> bool:
    """Luhn; the third digit is at least 2, so that no month of birth can be read. The century's place may hold 16."""
    number = compact(value)
    return number[-8] >= "2" and luhn(number[-10:]) and number[:-10] in {"", "16"}


def _se_vat(value: str) -> bool:
    """An organisation's or a person's number, and 01."""
    return luhn(compact(value)[2:12])


def _se_bankgiro(value: str) -> bool:
    return luhn(compact(value))


# Finland

_FI_CONTROL = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FI_CENTURIES = {"+": 1800, **dict.fromkeys("-YXWVU", 1900), **dict.fromkeys("ABCDEF", 2000)}


def _fi_identity_code(value: str) -> bool:
    """The day and the century of birth, and the remainder of the nine digits by 31."""
    number = value.upper()
    born = is_date(_FI_CENTURIES[number[6]] + int(number[4:6]), int(number[2:4]), int(number[:2]))
    return born and _FI_CONTROL[int(number[:6] + number[7:10]) % 31] == number[10]


def _fi_satu(value: str) -> bool:
    """The remainder of the eight digits by 31."""
    return _FI_CONTROL[int(value[:8]) % 31] == value[8].upper()


def _fi_business(value: str) -> bool:
    number = compact(value)[-8:]
    return weighted(number, (7, 9, 10, 5, 8, 4, 2, 1)) % 11 == 0 and int(number) > 0


# Iceland


def _is_kennitala(value: str) -> bool:
    """A day of birth, of an organisation's founding with 40 added; weights 3, 2, 7 to 1 modulo 11; the last digit is the century."""
    day = int(value[:2])
    century = {"8": 1800, "9": 1900, "0": 2000}.get(value[9])
    if century is None or not is_date(century + int(value[4:6]), int(value[2:4]), day - 40 if day > 40 else day):
        return False
    return weighted(value, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "dk_cpr": _dk_cpr,
    "dk_cvr": _dk_cvr,
    "fi_business": _fi_business,
    "fi_identity_code": _fi_identity_code,
    "fi_satu": _fi_satu,
    "fo_p_number": _fo_p_number,
    "gb_chi": _gb_chi,
    "gb_driving_licence": _gb_driving_licence,
    "gb_health_and_care": _gb_health_and_care,
    "gb_nhs": _gb_nhs,
    "gb_nino": _gb_nino,
    "gb_plate": _gb_plate,
    "gb_upn": _gb_upn,
    "gb_utr": _gb_utr,
    "gb_vat": _gb_vat,
    "ie_pps": _ie_pps,
    "ie_vat": _ie_vat,
    "is_kennitala": _is_kennitala,
    "no_account": _no_account,
    "no_d_number": _no_d_number,
    "no_fodselsnummer": _no_fodselsnummer,
    "no_organisation": _no_organisation,
    "se_bankgiro": _se_bankgiro,
    "se_organisation": _se_organisation,
    "se_personnummer": _se_personnummer,
    "se_samordningsnummer": _se_samordningsnummer,
    "se_vat": _se_vat,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {"gb_postcode_country": _gb_postcode_country}
