"""Checks of identifiers of Africa and the Middle East.

Where no check digit is published, what can be verified is the structure: a calendar date, a code of a place. The rule
files say which of the two a check is. Values may come with separators and in lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from classifiers.checks.arithmetic import (
    ALPHABET,
    compact,
    is_date,
    is_day_in_any_century,
    luhn,
    one_digit_repeated,
    verhoeff,
    weighted,
)

# --- Southern Africa -----------------------------------------------------------------------------------------------


def _za_id_number(value: str) -> bool:
    """Date of birth, citizenship 0 to 2, 8 or 9, and the Luhn algorithm."""
    return (
        is_day_in_any_century(int(value[:2]), int(value[2:4]), int(value[4:6]))
        and value[10] in "012"
        and value[11] in "89"
        and luhn(value)
    )


def _za_income_tax_number(value: str) -> bool:
    """The first digit is 0, 1, 2, 3 or 9, and the Luhn algorithm ("modulus 10")."""
    return value[0] in "01239" and not one_digit_repeated(value) and luhn(value)


def _za_traffic_register_number(value: str) -> bool:
    """Thirteen digits that are no identity number."""
    return not _za_id_number(value) and not one_digit_repeated(value)


def _za_driver_license(value: str) -> bool:
    """Ten to fourteen characters, the first six of them digits and not more than the last five anything else."""
    return 10 <= len(value) <= 14 and value[:-5].isdigit()


def _za_company_registration(value: str) -> bool:
    """A year of registration."""
    year = compact(value.partition("/")[0])[-4:]
    return 1800 <= int(year) <= 2099


def _mz_nuit(value: str) -> bool:
    """Weights 8 9 4 5 6 7 8 9 modulo 11; a remainder of 10 gives 1."""
    expected = weighted(value, (8, 9, 4, 5, 6, 7, 8, 9)) % 11
    return not one_digit_repeated(value) and (1 if expected == 10 else expected) == int(value[8])


def _mu_national_id(value: str) -> bool:
    """Date of birth, and weights 14 to 2 modulo 17 to a digit or a letter up to G."""
    number = value.upper()
    total = sum((14 - position) * ALPHABET.index(each) for position, each in enumerate(number[:13]))
    born = is_day_in_any_century(int(number[5:7]), int(number[3:5]), int(number[1:3]))
    return born and ALPHABET[-total % 17] == number[13]


def _zm_nrc(value: str) -> bool:
    """A district between 10 and 99, and a last digit 1 (citizen), 2 or 3."""
    return value[-1] in "123" and value[:6] != "000000"


# --- West and East Africa ------------------------------------------------------------------------------------------


def _ng_nin(value: str) -> bool:
    """The Verhoeff scheme."""
    return not one_digit_repeated(value) and verhoeff(value)


_UNITS = frozenset(
    {"KB", "MB", "GB", "TB", "PB", "KW", "MW", "GW", "HZ", "MM", "CM", "KM", "KG", "MG", "ML", "MS", "NS", "DB"}
)


def _ng_vehicle(value: str) -> bool:
    """A serial other than 000; what ends in a unit (SSD 512GB) is a quantity."""
    return value[-5:-2] != "000" and value[-2:] not in _UNITS


def _gh_tin(value: str) -> bool:
    """Weights 1 to 9 over the digits after the letter, modulo 11; X stands for 10."""
    number = value.upper()
    return "0123456789X"[weighted(number[1:], range(1, 10)) % 11] == number[10]


def _gh_ssnit(value: str) -> bool:
    """A date of birth after the letter and three digits."""
    return is_day_in_any_century(int(value[4:6]), int(value[6:8]), int(value[8:10]))


def _sn_ninea(value: str) -> bool:
    """Weights 1 and 2 in turn over the products as they are, modulo 10; a tax code (COFI) may follow."""
    number = compact(value)
    serial = (number[:-3] if number[-2].isalpha() else number).zfill(9)
    return not one_digit_repeated(serial) and weighted(serial, (1, 2) * 4 + (1,)) % 10 == 0


def _tz_nida(value: str) -> bool:
    """Twenty digits that start with a date of birth."""
    number = compact(value)
    year = int(number[:4])
    return 1900 <= year <= 2030 and is_date(year, int(number[4:6]), int(number[6:8]))


def _ug_nin(value: str) -> bool:
    """Fourteen characters: citizen or alien, sex, year of birth, district and serial."""
    return len(value) == 14 and sum(each.isdigit() for each in value) >= 7


# --- North Africa --------------------------------------------------------------------------------------------------

# The 27 governorates, and 88 for births abroad.
_EG_GOVERNORATES = frozenset(
    "01 02 03 04 11 12 13 14 15 16 17 18 19 21 22 23 24 25 26 27 28 29 31 32 33 34 35 88".split()
)


def _eg_national_id(value: str) -> bool:
    """Century 2 or 3, date of birth and governorate. The check digit is not published."""
    century = {"2": 1900, "3": 2000}.get(value[0])
    return (
        century is not None
        and is_date(century + int(value[1:3]), int(value[3:5]), int(value[5:7]))
        and value[7:9] in _EG_GOVERNORATES
    )


def _ma_ice(value: str) -> bool:
    """ISO 7064 MOD 97-10 with a remainder of 0."""
    number = compact(value)
    return int(number) % 97 == 0 and not one_digit_repeated(number)


_TN_KEYS = "ABCDEFGHJKLMNPQRSTVWXYZ"


def _tn_matricule_fiscal(value: str) -> bool:
    """Weights 7 to 1 modulo 23 to a letter without I, O, U; a branch other than 000 has the category E."""
    number = compact(value)
    if len(number) > 8 and number[-3:] != "000" and number[-4] != "E":
        return False
    return _TN_KEYS[weighted(number[:7], range(7, 0, -1)) % 23] == number[7]


# --- Middle East ---------------------------------------------------------------------------------------------------


def _il_identity_number(value: str) -> bool:
    """The Luhn algorithm over nine digits; a leading zero may be left out."""
    number = value.zfill(9)
    return number.strip("0") != "" and not one_digit_repeated(number) and luhn(number)


def _il_company(value: str) -> bool:
    """Starts with 5, and the Luhn algorithm."""
    return value[0] == "5" and not one_digit_repeated(value) and luhn(value)


def _ae_emirates_id(value: str) -> bool:
    """784, a year of birth, and the Luhn algorithm."""
    number = compact(value)
    return number[:3] == "784" and 1900 <= int(number[3:7]) <= 2030 and luhn(number)


def _sa_national_id(value: str) -> bool:
    """1 for citizens, and the Luhn algorithm."""
    return value[0] == "1" and not one_digit_repeated(value) and luhn(value)


def _sa_iqama(value: str) -> bool:
    """2 for residents, and the Luhn algorithm."""
    return value[0] == "2" and not one_digit_repeated(value) and luhn(value)


# ISO 3166-1 numeric codes are below 895.
def _qa_qid(value: str) -> bool:
    """Century 2 or 3, year of birth, and the numeric code of a nationality (ISO 3166-1)."""
    return value[0] in "23" and 4 <= int(value[3:6]) <= 894


def _kw_civil_id(value: str) -> bool:
    """Century 2 or 3, date of birth, and weights 2 1 6 3 7 9 10 5 8 4 2 modulo 11."""
    century = {"2": 1900, "3": 2000}.get(value[0])
    if century is None or not is_date(century + int(value[1:3]), int(value[3:5]), int(value[5:7])):
        return False
    return 11 - weighted(value, (2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11 == int(value[11])


def _bh_cpr(value: str) -> bool:
    """A month of birth. The check digit is not published."""
    return 1 <= int(value[2:4]) <= 12


def _jo_national_number(value: str) -> bool:
    """9 for those born before 2000, 2 for those born since."""
    return value[0] in "29" and not one_digit_repeated(value)


def _ir_melli_code(value: str) -> bool:
    """Weights 10 to 2 modulo 11; remainders from 2 on are taken from 11. A leading zero may be left out."""
    number = value.zfill(10)
    remainder = weighted(number, range(10, 1, -1)) % 11
    return not one_digit_repeated(number) and (remainder if remainder < 2 else 11 - remainder) == int(number[9])


def _ir_legal_entity(value: str) -> bool:
    """Each digit and the tenth plus 2, weights 29 27 23 19 17 repeated, modulo 11; 10 counts as 0."""
    added = int(value[9]) + 2
    total = sum((int(each) + added) * weight for each, weight in zip(value, (29, 27, 23, 19, 17) * 2, strict=False))
    return not one_digit_repeated(value) and total % 11 % 10 == int(value[10])


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "ae_emirates_id": _ae_emirates_id,
    "bh_cpr": _bh_cpr,
    "eg_national_id": _eg_national_id,
    "gh_ssnit": _gh_ssnit,
    "gh_tin": _gh_tin,
    "il_company": _il_company,
    "il_identity_number": _il_identity_number,
    "ir_legal_entity": _ir_legal_entity,
    "ir_melli_code": _ir_melli_code,
    "jo_national_number": _jo_national_number,
    "kw_civil_id": _kw_civil_id,
    "ma_ice": _ma_ice,
    "mz_nuit": _mz_nuit,
    "mu_national_id": _mu_national_id,
    "ng_nin": _ng_nin,
    "ng_vehicle": _ng_vehicle,
    "qa_qid": _qa_qid,
    "sa_iqama": _sa_iqama,
    "sa_national_id": _sa_national_id,
    "sn_ninea": _sn_ninea,
    "tn_matricule_fiscal": _tn_matricule_fiscal,
    "tz_nida": _tz_nida,
    "ug_nin": _ug_nin,
    "za_company_registration": _za_company_registration,
    "za_driver_license": _za_driver_license,
    "za_id_number": _za_id_number,
    "za_income_tax_number": _za_income_tax_number,
    "za_traffic_register_number": _za_traffic_register_number,
    "zm_nrc": _zm_nrc,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}
