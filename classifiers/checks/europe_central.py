"""Checks of identifiers of central Europe and the Baltic states."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from classifiers.checks.arithmetic import (
    bare,
    is_date,
    mod_11_10,
    weighted,
)
from classifiers.checks.europe_south_east import master_number, mod_11_twice, prefixed, regions

_PL_CENTURIES = (1900, 2000, 2100, 2200, 1800)


def _pl_pesel(number: str) -> bool:
    """Date of birth (the month carries the century in steps of 20) and weights 1, 3, 7, 9."""
    century, month = divmod(int(number[2:4]), 20)
    born = is_date(_PL_CENTURIES[century] + int(number[:2]), month, int(number[4:6]))
    return born and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _pl_nip(number: str) -> bool:
    return weighted(number, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(number[9])


def _pl_regon(number: str) -> bool:
    """Nine digits; local units have five more, with a check digit over all."""
    if weighted(number, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10 != int(number[8]):
        return False
    weights = (2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8)
    return len(number) == 9 or weighted(number, weights) % 11 % 10 == int(number[13])


def _pl_document(letters: int, weights: tuple[int, ...]) -> Callable[[str], bool]:
    """Letters count from 10; the first digit is the check digit and makes the weighted sum a multiple of 10."""

    def passes(value: str) -> bool:
        number = bare(value)
        total = sum(int(each, 36) * weight for each, weight in zip(number, weights, strict=True))
        return number[:letters].isalpha() and total % 10 == 0

    return passes


def _pl_account(number: str) -> bool:
    """An IBAN without its country: the check digits go to the end behind `PL`, modulo 97."""
    return int(number[2:] + "2521" + number[:2]) % 97 == 1


def _birth_number(value: str) -> bool:
    """Czech and Slovak: the month of women is 50 higher, and 20 once the day's numbers ran out (from 2004).

    Ten digits are divisible by 11; in some numbers of 1954 to 1985 the last digit is 0 where the remainder is 10.
    Nine digits are of births before 1954.
    """
    number = bare(value)
    year, month, day = int(number[:2]), int(number[2:4]) % 50, int(number[4:6])
    if len(number) == 9:
        return number[6:] != "000" and year < 54 and is_date(1900 + year, month, day)
    century = 1900 if year >= 54 else 2000
    if month > 20 and century == 2000 and year >= 4:
        month -= 20
    return is_date(century + year, month, day) and int(number[:9]) % 11 % 10 == int(number[9])


def _cz_ico(number: str) -> bool:
    return (11 - weighted(number, (8, 7, 6, 5, 4, 3, 2)) % 11) % 10 == int(number[7])


def _cz_vat(number: str) -> bool:
    """Companies have their ICO, people their birth number, a few people a number that begins with 6."""
    if len(number) == 8:
        return number[0] != "9" and _cz_ico(number)
    if len(number) == 9 and number[0] == "6":
        return (8 - (10 - weighted(number[1:8], (8, 7, 6, 5, 4, 3, 2)) % 11) % 11) % 10 == int(number[8])
    return _birth_number(number)


# Bank codes (Czech National Bank, list of 2025), and 3050 and 6100 of banks that were merged since.
_CZ_BANKS = frozenset(
    "0100 0300 0600 0710 0800 2010 2060 2070 2100 2200 2220 2250 2260 2600 2700 3030 3050 3060 3500 4300 5500 5800 "
    "6000 6100 6200 6210 6300 6363 6700 6800 7910 7950 7960 7970 7990 8030 8040 8060 8090 8150 8190 8198 8220 8250 "
    "8255 8265 8500 8610 8660".split()
)


def _cz_account(value: str) -> bool:
    """Prefix and account are each divisible by 11 under their weights; then comes the bank."""
    account, _, bank = value.replace(" ", "").partition("/")
    prefix, _, root = account.rpartition("-")
    weights = (6, 3, 7, 9, 10, 5, 8, 4, 2, 1)
    sound = all(weighted(part.zfill(10), weights) % 11 == 0 for part in (prefix, root))
    return sound and bank in _CZ_BANKS and int(root) > 0


def _sk_vat(number: str) -> bool:
    """A multiple of 11 with a fixed set of third digits, or a birth number."""
    return (number[0] != "0" and number[2] in "234789" and int(number) % 11 == 0) or _birth_number(number)


def _hu_taj(number: str) -> bool:
    return weighted(number, (3, 7, 3, 7, 3, 7, 3, 7)) % 10 == int(number[8])


def _hu_tax_id(number: str) -> bool:
    """8, days since 1867, serial, mod 11."""
    return number[0] == "8" and weighted(number, range(1, 10)) % 11 == int(number[9])


def _hu_personal_id(value: str) -> bool:
    """Sex and century, date of birth, serial; the weights are turned round for births from 1997 on."""
    number = bare(value)
    if number[0] not in "12345678":
        return False
    century = (1900, 1900, 2000, 2000)[(int(number[0]) - 1) % 4]
    year = century + int(number[1:3])
    weights = range(10, 0, -1) if year >= 1997 else range(1, 11)
    return is_date(year, int(number[3:5]), int(number[5:7])) and weighted(number, weights) % 11 == int(number[10])


def _hu_tax_number(number: str) -> bool:
    """Eight digits with weights 9, 7, 3, 1; as a domestic number also the VAT kind (1 to 5) and the county."""
    sound = weighted(number[:8], (9, 7, 3, 1, 9, 7, 3, 1)) % 10 == 0
    return sound and (len(number) == 8 or (number[8] in "12345" and (2 <= int(number[9:]) <= 44 or number[9:] == "51")))


def _hu_account(number: str) -> bool:
    """Bank and branch end with a check digit, and so does the rest; weights 9, 7, 3, 1."""
    weights = (9, 7, 3, 1) * 4
    return weighted(number[:8], weights) % 10 == 0 and weighted(number[8:], weights) % 10 == 0


def _si_tax(number: str) -> bool:
    control = 11 - weighted(number, (8, 7, 6, 5, 4, 3, 2)) % 11
    return number[0] != "0" and control != 11 and control % 10 == int(number[7])


def _si_company(number: str) -> bool:
    control = -weighted(number[:6], (7, 6, 5, 4, 3, 2)) % 11
    return control > 0 and control % 10 == int(number[6])


_FIRST = (1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2)
_SECOND = (3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4)


def _baltic_digit(number: str) -> bool:
    return mod_11_twice(number[:-1], _FIRST, _SECOND) == int(number[-1])


def _baltic_personal(number: str) -> bool:
    """Estonia and Lithuania: sex and century, date of birth, serial, mod 11."""
    if number[0] not in "12345678":
        return False
    year = 1800 + (int(number[0]) - 1) // 2 * 100 + int(number[1:3])
    return is_date(year, int(number[3:5]), int(number[5:7])) and _baltic_digit(number)


def _lt_personal(number: str) -> bool:
    """As in Estonia; numbers that begin with 9 were given where the date of birth is not known or the day was full."""
    return _baltic_digit(number) if number[0] == "9" else _baltic_personal(number)


def _ee_company(number: str) -> bool:
    return number[0] in "1789" and _baltic_digit(number)


def _ee_vat(number: str) -> bool:
    return weighted(number, (3, 7, 1) * 3) % 10 == 0


def _lv_personal(value: str) -> bool:
    """Date of birth and century, serial, mod 11; codes given since July 2017 begin with 32 and have no date."""
    number = bare(value)
    born = number[6] in "012" and is_date(
        1800 + int(number[6]) * 100 + int(number[4:6]), int(number[2:4]), int(number[:2])
    )
    control = (1 + weighted(number, (10, 5, 8, 4, 2, 1, 6, 3, 7, 9))) % 11 % 10
    return (born or number.startswith("32")) and control == int(number[10])


def _lv_company(number: str) -> bool:
    return number[0] > "3" and weighted(number, (9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1)) % 11 == 3


def _lv_vat(number: str) -> bool:
    return _lv_company(number) or _lv_personal(number)


def _lt_vat(number: str) -> bool:
    """Nine digits for companies, twelve for others; the last but one is 1."""
    return number[-2] == "1" and _baltic_digit(number)


# What has a number and is no square: of machines, of people, of cars.
_NO_SQUARES = frozenset(
    "steck stell sitz steh arbeits park speicher lager listen tabellen rang schlaf liege zelt studien kita start".split()
)


def _german_street(value: str) -> bool:
    square, found, _ = value.partition("platz ")
    return not found or square.lower() not in _NO_SQUARES


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "german_street": _german_street,
    "pl_pesel": _pl_pesel,
    "pl_nip": prefixed("PL", _pl_nip),
    "pl_regon": prefixed("", _pl_regon),
    "pl_id_card": _pl_document(3, (7, 3, 1, 9, 7, 3, 1, 7, 3)),
    "pl_passport": _pl_document(2, (7, 3, 9, 1, 7, 3, 1, 7, 3)),
    "pl_bank_account": prefixed("", _pl_account),
    "birth_number": _birth_number,
    "cz_ico": prefixed("", _cz_ico),
    "cz_vat": prefixed("CZ", _cz_vat),
    "cz_bank_account": _cz_account,
    "sk_vat": prefixed("SK", _sk_vat),
    "hu_taj": prefixed("", _hu_taj),
    "hu_tax_id": _hu_tax_id,
    "hu_personal_id": _hu_personal_id,
    "hu_tax_number": prefixed("HU", _hu_tax_number),
    "hu_bank_account": prefixed("", _hu_account),
    "si_emso": master_number(regions((5, 5), (50, 59))),
    "si_tax_number": prefixed("SI", _si_tax),
    "si_company": prefixed("", _si_company),
    "hr_oib": prefixed("HR", mod_11_10),
    "hr_jmbg": master_number(regions((3, 3), (30, 39))),
    "ee_isikukood": _baltic_personal,
    "ee_company": prefixed("", _ee_company),
    "ee_vat": prefixed("EE", _ee_vat),
    "lv_personal": _lv_personal,
    "lv_company": prefixed("", _lv_company),
    "lv_vat": prefixed("LV", _lv_vat),
    "lt_personal": _lt_personal,
    "lt_company": prefixed("", _baltic_digit),
    "lt_vat": prefixed("LT", _lt_vat),
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}
