"""Checks of identifiers of Asia and the Pacific.

Where no check digit is published, what can be verified is the structure: a calendar date, a code of a place. The rule
files say which of the two a check is. Values may come with separators and in lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from classifiers.checks.arithmetic import (
    ALPHABET,
    compact,
    is_date,
    is_day_in_any_century,
    luhn,
    mod_11_2,
    one_digit_repeated,
    verhoeff,
    weighted,
)


def _born(yymmdd: str, centuries: Sequence[int] = (1900, 2000)) -> bool:
    return is_day_in_any_century(int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6]), centuries)


def _letters_weighted(value: str, weights: Sequence[int], alphabet: str = ALPHABET) -> int:
    return sum(alphabet.index(each) * weight for each, weight in zip(value, weights, strict=False))


# --- India ---------------------------------------------------------------------------------------------------------


def _in_aadhaar(value: str) -> bool:
    """Verhoeff; starts with 2 to 9 and is no palindrome. Also the virtual id (VID), which has four digits more."""
    number = compact(value)
    return number[0] not in "01" and number != number[::-1] and verhoeff(number)


def _in_pan(value: str) -> bool:
    """The serial number is not 0000; the algorithm of the last letter is not published."""
    return value[5:9] != "0000"


# Kinds of tickets, whose numbers look like the codes of banks (ServiceNow, number maintenance).
_NO_BANKS = frozenset({"RITM", "TASK", "STRY", "DFCT", "RLSE", "DMND"})


def _in_ifsc(value: str) -> bool:
    """Of a bank as far as one can tell: the list of banks is not kept here."""
    return value[:4] not in _NO_BANKS


_GST_STATES = frozenset({f"{code:02}" for code in range(1, 39)} | {"97"})


def _in_gstin(value: str) -> bool:
    """A state code, a PAN, and the last character by the Luhn algorithm over 36 characters."""
    number = compact(value)
    total = 0
    for position, each in enumerate(reversed(number)):
        doubled = ALPHABET.index(each) << (position & 1)
        total += doubled // 36 + doubled % 36
    return number[:2] in _GST_STATES and number[12] != "0" and _in_pan(number[2:12]) and total % 36 == 0


_IN_STATES = frozenset(
    "AN AP AR AS BR CG CH CT DD DH DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TG TN TR TS"
    " UA UK UL UP UT WB".split()
)


def _in_vehicle(value: str) -> bool:
    """A state or union territory, a district other than 0 and a serial number other than 0000."""
    number = compact(value)
    return number[:2] in _IN_STATES and number[-4:] != "0000" and number[2:4].strip("0") != ""


def _in_serial(value: str) -> bool:
    """The four digits of a number plate are not 0000."""
    return "0000" not in value


def _in_driving_licence(value: str) -> bool:
    """A state or union territory and a year of issue."""
    number = compact(value)
    return number[:2] in _IN_STATES and 1950 <= int(number[4:8]) <= 2099


# The first two digits are the postal circle; 29, 35, 54, 55 and 65, 66 are not in use, 90 to 99 the army post.
_PIN_UNUSED = frozenset({29, 35, 54, 55, 65, 66, *range(86, 90), *range(91, 100)})


def _in_pin_code(value: str) -> bool:
    """A postal circle that is in use."""
    return value[0] != "0" and int(value[:2]) not in _PIN_UNUSED


# --- Korea ---------------------------------------------------------------------------------------------------------


def _kr_birth(number: str) -> tuple[int, int, int]:
    century = {"9": 1800, "0": 1800, "1": 1900, "2": 1900, "5": 1900, "6": 1900}.get(number[6], 2000)
    return century + int(number[:2]), int(number[2:4]), int(number[4:6])


def _kr_weighted(number: str) -> int:
    return weighted(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11


def _kr_rrn(value: str) -> bool:
    """Date of birth and check digit. The last six digits are random for those born since October 2020: date only."""
    number = compact(value)
    birth = _kr_birth(number)
    if number[6] not in "1234" or not is_date(*birth):
        return False
    return birth >= (2020, 10, 1) or (int(number[7:9]) <= 95 and (11 - _kr_weighted(number)) % 10 == int(number[12]))


def _kr_frn_issued(value: str) -> bool:
    """Date of birth only: the number of a foreigner registered since October 2020 has no check digit."""
    number = compact(value)
    return number[6] in "5678" and is_date(*_kr_birth(number))


def _kr_frn(value: str) -> bool:
    """Date of birth and check digit."""
    number = compact(value)
    return _kr_frn_issued(number) and (13 - _kr_weighted(number)) % 10 == int(number[12])


def _kr_brn(value: str) -> bool:
    """Tax office from 101, kind and serial other than 0; weights 1 3 7 repeated, the carry of the ninth product added."""
    number = compact(value)
    total = weighted(number, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(number[8]) * 5 // 10
    return number[:3] >= "101" and number[3:5] != "00" and number[5:9] != "0000" and (total + int(number[9])) % 10 == 0


def _kr_corporate(value: str) -> bool:
    """Weights 1 and 2 in turn over the products as they are, modulo 10."""
    number = compact(value)
    return not one_digit_repeated(number) and (weighted(number, (1, 2) * 6) + int(number[12])) % 10 == 0


def _kr_driver_license(value: str) -> bool:
    """The code of the region of issue: 11 to 26, or 28."""
    region = int(compact(value)[:2])
    return 11 <= region <= 26 or region == 28


# --- Japan ---------------------------------------------------------------------------------------------------------


def _jp_my_number(value: str) -> bool:
    """Weights 6 5 4 3 2 7 6 5 4 3 2 modulo 11; a remainder of 0 or 1 gives the check digit 0."""
    number = compact(value)
    expected = -weighted(number, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 % 10
    return not one_digit_repeated(number) and expected == int(number[11])


def _jp_corporate_number(value: str) -> bool:
    """The first digit is 9 less the sum modulo 9, weights 1 and 2 in turn from the right."""
    number = compact(value).removeprefix("T")
    return int(number[0]) == 9 - weighted(number[1:], (2, 1) * 6) % 9


_JP_COMMISSIONS = frozenset(
    [*range(10, 15), *range(20, 26), 30, *range(40, 56), *range(60, 66), *range(70, 75), *range(80, 84), *range(90, 98)]
)


def _jp_driver_license(value: str) -> bool:
    """The commission that issued the first licence, and the eleventh digit: weights 5 4 3 2 7 6 5 4 3 2 modulo 11."""
    expected = (11 - weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 10
    return int(value[:2]) in _JP_COMMISSIONS and expected == int(value[10])


# --- China, Hong Kong, Macao, Taiwan -------------------------------------------------------------------------------

_CN_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83".split()
)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def _cn_resident_id(value: str) -> bool:
    """Province, date of birth and ISO 7064 MOD 11-2."""
    number = compact(value)
    return (
        number[:2] in _CN_PROVINCES
        and is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        and mod_11_2(number)
    )


def _cn_resident_id_15(value: str) -> bool:
    """Province and date of birth in the last century: the first generation had no check digit."""
    return value[:2] in _CN_PROVINCES and _born(value[6:12], (1900,))


def _cn_permanent_resident(value: str) -> bool:
    """9, the province of application, date of birth and ISO 7064 MOD 11-2."""
    number = compact(value)
    return (
        number[0] == "9"
        and number[1:3] in _CN_PROVINCES
        and is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        and mod_11_2(number)
    )


def _cn_organisation(value: str) -> bool:
    """Eight characters with the weights 3 7 9 10 5 8 4 2 modulo 11, then a check digit or X."""
    code = compact(value)
    expected = -_letters_weighted(code[:8], (3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return "0123456789X"[expected] == code[8] and not one_digit_repeated(code)


def _cn_uscc(value: str) -> bool:
    """Province, and the last character by powers of 3 modulo 31."""
    code = compact(value)
    total = _letters_weighted(code[:17], [pow(3, power, 31) for power in range(17)], _USCC)
    return code[2:4] in (*_CN_PROVINCES, "10") and _USCC[-total % 31] == code[17]


def _cn_uscc_with_organisation(value: str) -> bool:
    """The same, and the organisation code inside has its own check digit right."""
    code = compact(value)
    return _cn_uscc(code) and _cn_organisation(code[8:17])


def _cn_plate(value: str) -> bool:
    """A letter and five characters, six for electric cars; before them the sign of a province, which folding keeps apart."""
    return len(compact(value.lstrip("\x01"))) in (6, 7)


def _hk_hkid(value: str) -> bool:
    """Weights 9 to 1 modulo 11, letters from A = 10, a missing first letter 36; the check digit may be A for 10."""
    number = compact(value)
    first = 0 if len(number) == 9 else 36 * 9
    return (first + _letters_weighted(number, range(len(number), 0, -1))) % 11 == 0


_TW_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # from A = 10 in this order


def _tw_weighted(first: str, second: int, rest: str) -> int:
    region = _TW_LETTERS.index(first) + 10
    return region // 10 + region % 10 * 9 + second * 8 + weighted(rest, (7, 6, 5, 4, 3, 2, 1, 1))


def _tw_national_id(value: str) -> bool:
    """The letter as two digits, weights 1 9 8 7 6 5 4 3 2 1 1 modulo 10. Also residents' numbers since 2021."""
    number = value.upper()
    return _tw_weighted(number[0], int(number[1]), number[2:]) % 10 == 0


def _tw_arc(value: str) -> bool:
    """The same for residents' numbers until 2020, whose second character is a letter: its last digit counts."""
    number = value.upper()
    return _tw_weighted(number[0], _TW_LETTERS.index(number[1]) % 10, number[2:]) % 10 == 0


def _tw_ubn(value: str) -> bool:
    """Digit sums of the products with 1 2 1 2 1 2 4 1, modulo 5 since 2023; a seventh digit 7 counts 0 or 1."""
    total = sum(
        sum(divmod(int(each) * weight, 10)) for each, weight in zip(value, (1, 2, 1, 2, 1, 2, 4, 1), strict=True)
    )
    return not one_digit_repeated(value) and (total % 5 == 0 or (value[6] == "7" and (total + 1) % 5 == 0))


# --- South-east Asia -----------------------------------------------------------------------------------------------

_SG_LETTERS = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}


def _sg_nric_fin(value: str) -> bool:
    """Weights 2 7 6 5 4 3 2 and an offset by series, modulo 11, to a letter by series."""
    number = value.upper()
    offset, letters = _SG_LETTERS[number[0]]
    return letters[(offset + weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2))) % 11] == number[8]


def _sg_uen_business(value: str) -> bool:
    """Eight digits and a letter: the businesses of the old register."""
    return "XMKECAWLJDB"[weighted(value, (10, 4, 9, 3, 8, 2, 7, 1)) % 11] == value[8].upper()


def _sg_uen_company(value: str) -> bool:
    """A year, five digits and a letter: local companies."""
    return (
        1880 <= int(value[:4]) <= 2099
        and "ZKCMDNERGWH"[weighted(value, (10, 8, 6, 4, 9, 7, 5, 3, 1)) % 11] == value[9].upper()
    )


_SG_UEN = "ABCDEFGHJKLMNPQRSTUVWX0123456789"
_SG_ENTITIES = frozenset(
    "LP LL FC PF RF MQ MM NB CC CS MB FM GS DP CP NR CM CD MD HS VH CH MH CL XL CX HC RP TU TC FB FN PA PB SS MC SM GA GB".split()
)


def _sg_uen_other(value: str) -> bool:
    """R, S or T, two digits of the year, a kind of entity, four digits and a letter."""
    number = value.upper()
    if number[3:5] not in _SG_ENTITIES:
        return False
    return _SG_UEN[(_letters_weighted(number[:9], (4, 3, 5, 3, 10, 2, 2, 5, 7), _SG_UEN) - 5) % 11] == number[9]


_TH_UNUSED = frozenset("28 29 59 68 69 78 79 87 88 89 97 98 99".split())


def _th_checked(number: str) -> bool:
    return (11 - weighted(number, range(13, 1, -1)) % 11) % 10 == int(number[12])


def _th_tnin(value: str) -> bool:
    """Weights 13 to 2 modulo 11; the second and third digit are a province."""
    number = compact(value)
    return number[0] != "0" and number[1] != "0" and number[1:3] not in _TH_UNUSED and _th_checked(number)


def _th_tax_id(value: str) -> bool:
    """A juristic person's number: starts with 0, the same check digit."""
    number = compact(value)
    return number[0] == "0" and not one_digit_repeated(number) and _th_checked(number)


_ID_PROVINCES = frozenset(
    "11 12 13 14 15 16 17 18 19 21 31 32 33 34 35 36 51 52 53 61 62 63 64 65 71 72 73 74 75 76 81 82 91 92 93 94 95 96".split()
)


def _id_nik(value: str) -> bool:
    """Province, a regency (from 1) or town (from 71), a district, and the date of birth, 40 added to a woman's day."""
    number = compact(value)
    day = int(number[6:8])
    return (
        number[:2] in _ID_PROVINCES
        and (1 <= int(number[2:4]) <= 40 or 71 <= int(number[2:4]) <= 80)
        and number[4:6] != "00"
        and number[12:] != "0000"
        and is_day_in_any_century(int(number[10:12]), int(number[8:10]), day - 40 if day > 40 else day)
    )


def _id_npwp(value: str) -> bool:
    """The Luhn algorithm over the first nine digits (ten in the form of 16 digits, which starts with 0)."""
    number = compact(value)
    serial = number[: len(number) - 6]
    return (len(number) == 15 or number[0] == "0") and not one_digit_repeated(serial) and luhn(serial)


# Places of birth that are not assigned: 00, 17 to 20, 69, 70, 73, 80, 81, 94 to 97.
_MY_UNUSED = frozenset({0, *range(17, 21), 69, 70, 73, 80, 81, *range(94, 98)})


def _my_nric(value: str) -> bool:
    """Date and place of birth; there is no check digit."""
    number = compact(value)
    return _born(number[:6]) and int(number[6:8]) not in _MY_UNUSED


def _my_company(value: str) -> bool:
    """A year of registration and one of the six kinds of entity."""
    return 1900 <= int(value[:4]) <= 2099 and "01" <= value[4:6] <= "06"


# Even and odd numbers are not all in use; the 63 provinces and cities before the mergers of 2025.
_VN_PROVINCES = frozenset(
    "001 002 004 006 008 010 011 012 014 015 017 019 020 022 024 025 026 027 030 031 033 034 035 036 037 038 040 042 044"
    " 045 046 048 049 051 052 054 056 058 060 062 064 066 067 068 070 072 074 075 077 079 080 082 083 084 086 087 089 091"
    " 092 093 094 095 096".split()
)


def _vn_cccd(value: str) -> bool:
    """A province, and a sex and century of birth between 1900 and 2099."""
    return value[:3] in _VN_PROVINCES and value[3] in "0123" and value[6:] != "000000"


def _vn_mst(value: str) -> bool:
    """Weights 31 29 23 19 17 13 7 5 3 modulo 11, taken from 10; a branch is 001 to 999."""
    number = compact(value)
    return (
        number[2:9] != "0000000"
        and number[10:] != "000"
        and 10 - weighted(number, (31, 29, 23, 19, 17, 13, 7, 5, 3)) % 11 == int(number[9])
    )


def _ph_tin(value: str) -> bool:
    """Weights 9 to 2 modulo 11 over the first eight digits; three or five digits of a branch may follow."""
    return not one_digit_repeated(value[:9]) and weighted(value, (9, 8, 7, 6, 5, 4, 3, 2)) % 11 == int(value[8])


def _mm_nrc(value: str) -> bool:
    """One of the 14 states and regions."""
    return 1 <= int(value.partition("/")[0]) <= 14


# --- Australia, New Zealand ----------------------------------------------------------------------------------------


def _au_abn(value: str) -> bool:
    """The first digit less 1, then weights 10 1 3 5 ... 19 modulo 89."""
    number = compact(value)
    return number[0] != "0" and (weighted(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def _au_acn(value: str) -> bool:
    """Weights 8 to 1 modulo 10."""
    return not one_digit_repeated(value) and (weighted(value, (8, 7, 6, 5, 4, 3, 2, 1)) + int(value[8])) % 10 == 0


def _au_tfn(value: str) -> bool:
    """Weights 1 4 3 7 5 8 6 9 10 modulo 11; the oldest numbers have eight digits."""
    return not one_digit_repeated(value) and weighted(value, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _au_medicare(value: str) -> bool:
    """Weights 1 3 7 9 modulo 10; then the issue, and the person on the card."""
    return value[0] in "23456" and weighted(value, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(value[8])


def _au_health(value: str) -> bool:
    """Issuer 80036 and 0 (individual), 1 (provider) or 2 (organisation), and the Luhn algorithm."""
    return luhn(compact(value))


def _nz_ird(value: str) -> bool:
    """Weights 3 2 7 6 5 4 3 2 modulo 11, a second round 7 4 3 2 5 2 7 6 where that gives 10."""
    number = value.zfill(9)
    expected = -weighted(number, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if expected == 10:
        expected = -weighted(number, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return 10_000_000 < int(number) < 150_000_000 and expected == int(number[8])


_NZ_LETTERS = " ABCDEFGHJKLMNPQRSTUVWXYZ"  # A = 1, without I and O


def _nz_nhi(value: str) -> bool:
    """Weights 7 to 2: modulo 11 to a digit, and in the form since 2019 modulo 23 to a letter."""
    number = value.upper()
    weights = range(7, 1, -1)
    total = sum(
        (int(each) if each.isdigit() else _NZ_LETTERS.index(each)) * weight
        for each, weight in zip(number, weights, strict=False)
    )
    if number[6].isdigit():
        return total % 11 != 0 and (11 - total % 11) % 10 == int(number[6])
    return 23 - total % 23 == _NZ_LETTERS.index(number[6])


def _nz_nzbn(value: str) -> bool:
    """A global location number of GS1 New Zealand: prefix 94, weights 1 and 3 in turn modulo 10."""
    number = compact(value)
    return weighted(number, (1, 3) * 6 + (1,)) % 10 == 0


# --- South Asia ----------------------------------------------------------------------------------------------------


def _pk_cnic(value: str) -> bool:
    """A province from 1 to 7 and a last digit that is not 0; there is no check digit."""
    number = compact(value)
    return number[0] in "1234567" and number[12] != "0" and not one_digit_repeated(number)


def _bd_nid_17(value: str) -> bool:
    """A year of birth in front."""
    return 1900 <= int(value[:4]) <= 2030


def _day_of_year(ddd: str) -> bool:
    day = int(ddd)
    return 1 <= day <= 366 or 501 <= day <= 866


def _lk_nic_old(value: str) -> bool:
    """A day of the year, 500 added for women. The check digit is not published."""
    return _day_of_year(value[2:5])


def _lk_nic(value: str) -> bool:
    """A year of birth and a day of the year, 500 added for women."""
    return 1900 <= int(value[:4]) <= 2030 and _day_of_year(value[4:7])


def _mn_registration(value: str) -> bool:
    """A date of birth, 20 added to the month of those born since 2000."""
    year, month, day = int(value[-8:-6]), int(value[-6:-4]), int(value[-4:-2])
    return is_date(2000 + year, month - 20, day) if month > 20 else is_date(1900 + year, month, day)


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "au_abn": _au_abn,
    "au_acn": _au_acn,
    "au_health": _au_health,
    "au_medicare": _au_medicare,
    "au_tfn": _au_tfn,
    "bd_nid_17": _bd_nid_17,
    "cn_organisation": _cn_organisation,
    "cn_permanent_resident": _cn_permanent_resident,
    "cn_plate": _cn_plate,
    "cn_resident_id": _cn_resident_id,
    "cn_resident_id_15": _cn_resident_id_15,
    "cn_uscc": _cn_uscc,
    "cn_uscc_with_organisation": _cn_uscc_with_organisation,
    "hk_hkid": _hk_hkid,
    "id_nik": _id_nik,
    "id_npwp": _id_npwp,
    "in_aadhaar": _in_aadhaar,
    "in_driving_licence": _in_driving_licence,
    "in_gstin": _in_gstin,
    "in_ifsc": _in_ifsc,
    "in_pan": _in_pan,
    "in_pin_code": _in_pin_code,
    "in_serial": _in_serial,
    "in_vehicle": _in_vehicle,
    "jp_corporate_number": _jp_corporate_number,
    "jp_driver_license": _jp_driver_license,
    "jp_insurer": luhn,
    "jp_my_number": _jp_my_number,
    "kr_brn": _kr_brn,
    "kr_corporate": _kr_corporate,
    "kr_driver_license": _kr_driver_license,
    "kr_frn": _kr_frn,
    "kr_frn_issued": _kr_frn_issued,
    "kr_rrn": _kr_rrn,
    "lk_nic": _lk_nic,
    "lk_nic_old": _lk_nic_old,
    "mm_nrc": _mm_nrc,
    "mn_registration": _mn_registration,
    "my_company": _my_company,
    "my_nric": _my_nric,
    "nz_ird": _nz_ird,
    "nz_nhi": _nz_nhi,
    "nz_nzbn": _nz_nzbn,
    "ph_tin": _ph_tin,
    "pk_cnic": _pk_cnic,
    "sg_nric_fin": _sg_nric_fin,
    "sg_uen_business": _sg_uen_business,
    "sg_uen_company": _sg_uen_company,
    "sg_uen_other": _sg_uen_other,
    "th_tax_id": _th_tax_id,
    "th_tnin": _th_tnin,
    "tw_arc": _tw_arc,
    "tw_national_id": _tw_national_id,
    "tw_ubn": _tw_ubn,
    "vn_cccd": _vn_cccd,
    "vn_mst": _vn_mst,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}
