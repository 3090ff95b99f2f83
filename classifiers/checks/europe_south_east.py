"""Checks of identifiers of southern and south-eastern Europe, eastern Europe, the Caucasus, central Asia and Turkey."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from classifiers.checks.arithmetic import (
    ALPHABET,
    bare,
    digits,
    is_date,
    is_day_in_any_century,
    luhn,
    mod_11_10,
    one_digit_repeated,
    weighted,
)


def prefixed(prefix: str, check: Callable[[str], bool]) -> Callable[[str], bool]:
    """`check` for values with or without `prefix`, as VAT numbers are written. One character over and over never passes."""

    def passes(value: str) -> bool:
        number = bare(value).removeprefix(prefix)
        return not one_digit_repeated(number) and check(number)

    return passes


def mod_11_twice(body: str, first: Sequence[int], second: Sequence[int]) -> int:
    """The check digit: the weighted sum modulo 11, with the second weights when it would be 10, and 0 when it still is."""
    remainder = weighted(body, first) % 11
    return remainder if remainder < 10 else weighted(body, second) % 11 % 10


def master_number(issued: Collection[str]) -> Callable[[str], bool]:
    """The 13-digit number of the former Yugoslavia (JMBG, EMBG, EMSO): date of birth, one of the regions `issued`, mod 11."""

    def passes(value: str) -> bool:
        number = bare(value)
        year = int(number[4:7])
        born = is_date(year + (1000 if year >= 800 else 2000), int(number[2:4]), int(number[:2]))
        return born and number[7:9] in issued and (year >= 880 or year <= 50) and _master_digit(number)

    return passes


def regions(*ranges: tuple[int, int]) -> frozenset[str]:
    """The two-digit codes of inclusive ranges."""
    return frozenset(f"{code:02d}" for first, last in ranges for code in range(first, last + 1))


def _master_digit(number: str) -> bool:
    return -weighted(number[:12], (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 % 10 == int(number[12])


_ES_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def _es_nif(value: str) -> bool:
    """The letter is the number modulo 23. K, L and M stand before the numbers of people without a DNI."""
    number = bare(value).removeprefix("ES").lstrip("KLM")
    return number[-1] == _ES_LETTERS[int(number[:-1]) % 23]


def _es_nie(value: str) -> bool:
    """As the NIF, X, Y and Z counting as the digits 0, 1 and 2."""
    number = bare(value).removeprefix("ES")
    return number[-1] == _ES_LETTERS[int(str("XYZ".index(number[0])) + number[1:-1]) % 23]


def _es_cif(value: str) -> bool:
    """Luhn over the seven digits; the control is a digit or, for some kinds of organisation, the letter of that place."""
    number = bare(value).removeprefix("ES")
    control = "JABCDEFGHI".find(number[8]) if number[8].isalpha() else int(number[8])
    return control >= 0 and luhn(f"{number[1:8]}{control}")


def _es_vat(value: str) -> bool:
    first = bare(value)[2]
    if first in "XYZ":
        return _es_nie(value)
    return _es_nif(value) if first in "0123456789KLM" else _es_cif(value)


def _es_nss(value: str) -> bool:
    """Province, number, and both modulo 97. Numbers below ten million are joined without their leading zero."""
    province, number, control = value[:2], value[2:10], value[10:]
    joined = int(province + (number[1:] if number[0] == "0" else number))
    return (1 <= int(province) <= 53 or province == "66") and joined % 97 == int(control)


def _es_ccc(value: str) -> bool:
    """Two control digits: over bank and branch (behind two zeros), and over the account; 10 is written 1."""
    weights = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)

    def control(part: str) -> int:
        digit = -weighted(part, weights) % 11
        return 1 if digit == 10 else digit

    return not one_digit_repeated(value) and value[8:10] == f"{control('00' + value[:8])}{control(value[10:])}"


def _es_cadastral(value: str) -> bool:
    """Two control letters, over the parcel and over the sheet, each with the four digits of the property behind it."""
    number = bare(value)

    def control(part: str) -> str:
        # N with tilde stands between N and O: letters from O on count one more.
        numbers = (int(c) if c.isdigit() else ord(c) - 64 + (c > "N") for c in part)
        total = sum(n * w for n, w in zip(numbers, (13, 15, 12, 5, 4, 17, 9, 21, 3, 7, 1), strict=True))
        return "MQWERTYUIOPASDFGHJKLBZX"[total % 23]

    unit = number[14:18]
    return number[18:] == control(number[:7] + unit) + control(number[7:14] + unit)


def _es_cups(value: str) -> bool:
    """Two control letters: the sixteen digits modulo 529, divided by 23 and modulo 23."""
    number = bare(value)
    first, second = divmod(int(number[2:18]) % 529, 23)
    return number[18:20] == _ES_LETTERS[first] + _ES_LETTERS[second]


def _pt_nif(number: str) -> bool:
    return number[0] != "0" and -weighted(number, (9, 8, 7, 6, 5, 4, 3, 2)) % 11 % 10 == int(number[8])


def _pt_niss(number: str) -> bool:
    return number[0] in "12" and 9 - weighted(number, (29, 23, 19, 17, 13, 11, 7, 5, 3, 2)) % 10 == int(number[10])


def _pt_nib(number: str) -> bool:
    """Bank, branch, account, and two check digits (ISO/IEC 7064 MOD 97-10)."""
    return int(number) % 97 == 1


def _pt_cc(value: str) -> bool:
    """Luhn with letters counting from 10 up."""
    total = 0
    for position, each in enumerate(reversed(bare(value))):
        number = int(each, 36) * (1 + position % 2)
        total += number - 9 if position % 2 and number > 9 else number
    return total % 10 == 0


_IT_ODD_DIGITS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_IT_ODD_LETTERS = (*_IT_ODD_DIGITS, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_IT_ODD = dict(zip(ALPHABET, _IT_ODD_DIGITS + _IT_ODD_LETTERS, strict=True))
# Letters that replace digits where two people would have the same code (omocodia).
_IT_DIGITS = str.maketrans("LMNPQRSTUV", "0123456789")


# Three letters of a name: its consonants first, then its vowels, filled up with X.
_IT_NAME = re.compile(r"[A-Z][AEIOU][AEIOUX]|[AEIOU]XX|[B-DF-HJ-NP-TV-Z]{2}[A-Z]")


def _even(each: str) -> int:
    return int(each) if each.isdigit() else ord(each) - 65


def _control_letter(body: str) -> str:
    """The letter of the Italian scheme: odd places through a table, even places as they are, modulo 26."""
    return chr(65 + (sum(_IT_ODD[each] for each in body[::2]) + sum(map(_even, body[1::2]))) % 26)


def _it_fiscal_code(value: str) -> bool:
    """Surname and name, day of birth (women: plus 40), a municipality code, and the control letter."""
    code = bare(value)
    if _IT_NAME.fullmatch(code, 0, 3) is None or _IT_NAME.fullmatch(code, 3, 6) is None:
        return False
    figures = (code[6:8] + code[9:11] + code[12:15]).translate(_IT_DIGITS)
    year, day, month = int(figures[:2]), int(figures[2:4]), "ABCDEHLMPRST".find(code[8]) + 1
    born = is_day_in_any_century(year, month, day - 40 if day > 40 else day)
    return born and figures[4:] != "000" and code[15] == _control_letter(code[:15])


def _it_health_card(number: str) -> bool:
    return number.startswith("80380")


def _gr_afm(number: str) -> bool:
    return weighted(number, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == int(number[8])


def _gr_amka(number: str) -> bool:
    return luhn(number) and is_day_in_any_century(int(number[4:6]), int(number[2:4]), int(number[:2]))


def _cy_tic(number: str) -> bool:
    return not number.startswith("12") and number[8] == _control_letter(number[:8])


def _mt_vat(number: str) -> bool:
    """The last two digits bring the weighted sum to a multiple of 37."""
    return number[0] != "0" and weighted(number, (3, 4, 6, 7, 8, 9, 10, 1)) % 37 == 0


def _ad_nrt(number: str) -> bool:
    """F numbers people below 700000; A and L number companies from there to 799999."""
    if number[0] == "F":
        return number[1] < "7"
    return number[0] not in "AL" or number[1] == "7"


def _bg_egn(number: str) -> bool:
    """Date of birth (month plus 20 before 1900, plus 40 from 2000) and mod 11."""
    century, month = divmod(int(number[2:4]), 20)
    if century > 2:
        return False
    born = is_date((1900, 1800, 2000)[century] + int(number[:2]), month, int(number[4:6]))
    return born and weighted(number, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(number[9])


def _bg_pnf(number: str) -> bool:
    return weighted(number, (21, 19, 17, 13, 11, 9, 7, 3, 1)) % 10 == int(number[9])


def _bg_eik(number: str) -> bool:
    """Nine digits; branches have four more, the last of which is a second check digit."""
    if mod_11_twice(number[:8], range(1, 9), range(3, 11)) != int(number[8]):
        return False
    return len(number) == 9 or mod_11_twice(number[8:12], (2, 7, 3, 5), (4, 9, 5, 7)) == int(number[12])


def _bg_vat(number: str) -> bool:
    if len(number) == 9:
        return _bg_eik(number)
    other = -weighted(number, (4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 == int(number[9])
    return other or _bg_egn(number) or _bg_pnf(number)


_RO_COUNTIES = regions((1, 48), (51, 52), (70, 70), (80, 83))
_RO_CENTURIES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys("12", (1900,)),
    **dict.fromkeys("34", (1800,)),
    **dict.fromkeys("56", (2000,)),
}


def _ro_cnp(number: str) -> bool:
    """Sex and century, date of birth, county, and mod 11 with 10 written as 1."""
    centuries = _RO_CENTURIES.get(number[0], (1900, 2000))
    born = is_day_in_any_century(int(number[1:3]), int(number[3:5]), int(number[5:7]), centuries)
    remainder = weighted(number, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    control = 1 if remainder == 10 else remainder
    return number[0] != "0" and born and number[7:9] in _RO_COUNTIES and control == int(number[12])


def _ro_cui(number: str) -> bool:
    control = weighted(number[:-1].zfill(9), (7, 5, 3, 2, 1, 7, 5, 3, 2)) * 10 % 11 % 10
    return number[0] != "0" and control == int(number[-1])


def _ro_onrc(value: str) -> bool:
    """Kind, year, serial, county; the last digit is the sum of all before, the letter counting by its code."""
    number = bare(value)
    return (ord(number[0]) % 10 + sum(digits(number[1:-1]))) % 10 == int(number[-1])


def _md_number(first: str) -> Callable[[str], bool]:
    def passes(number: str) -> bool:
        return number[0] in first and weighted(number, (7, 3, 1) * 4) % 10 == int(number[12])

    return passes


def _me_pib(number: str) -> bool:
    return -weighted(number, (8, 7, 6, 5, 4, 3, 2)) % 11 % 10 == int(number[7])


def _ba_jib(number: str) -> bool:
    """Legal entities and entrepreneurs: a leading 4."""
    return number[0] == "4"


def _al_nid(value: str) -> bool:
    """Decade letter and year digit, month (women plus 50, foreigners plus 30 more at most), day, serial, letter."""
    number = bare(value)
    month, day = int(number[2:4]) % 50 % 30, int(number[4:6])
    return 1 <= month <= 12 and 1 <= day <= 31 and number[6:9] != "000"


def _ru_inn(number: str) -> bool:
    """Ten digits with one check digit, or twelve with two."""
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    if number.startswith("00"):
        return False
    if len(number) == 10:
        return weighted(number[:9], weights[2:]) % 11 % 10 == int(number[9])
    first = weighted(number[:10], weights[1:]) % 11 % 10
    return first == int(number[10]) and weighted(number[:11], weights) % 11 % 10 == int(number[11])


def _ru_snils(number: str) -> bool:
    """Weights 9 to 1, modulo 101, 100 written 00; from 001-001-999 on."""
    return number[:9] > "001001998" and weighted(number, range(9, 0, -1)) % 101 % 100 == int(number[9:])


def _ru_ogrn(number: str) -> bool:
    """Companies: 13 digits, the number modulo 11. Entrepreneurs: 15 digits, modulo 13."""
    if len(number) == 13:
        return number[0] in "125" and int(number[:12]) % 11 % 10 == int(number[12])
    return number[0] == "3" and int(number[:14]) % 13 % 10 == int(number[14])


def _ua_rnokpp(number: str) -> bool:
    return weighted(number, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10 == int(number[9])


def _ua_edrpou(number: str) -> bool:
    """Numbers from 30 to 60 million have the weights turned by one."""
    first = (7, 1, 2, 3, 4, 5, 6) if number[0] in "345" else (1, 2, 3, 4, 5, 6, 7)
    return mod_11_twice(number[:7], first, tuple(weight + 2 for weight in first)) == int(number[7])


def _ua_unzr(value: str) -> bool:
    """Begins with the date of birth, year first."""
    number = bare(value)
    return 1900 <= int(number[:4]) <= 2099 and is_date(int(number[:4]), int(number[4:6]), int(number[6:8]))


def _by_unp(number: str) -> bool:
    """Nine digits; people have two letters in front. The letter in second place counts by its place in the row."""
    total = 29 * int(number[0], 36)
    total += 23 * (int(number[1]) if number[1].isdigit() else "ABCEHKMOPT".index(number[1]))
    control = (total + weighted(number[2:8], (19, 17, 13, 7, 5, 3))) % 11
    return number[0] not in "089" and control == int(number[8])


def _by_personal(value: str) -> bool:
    """Sex and century (1 to 6), day of birth, region, serial, nationality."""
    return is_day_in_any_century(int(value[5:7]), int(value[3:5]), int(value[1:3]), (1800, 1900, 2000))


def _kz_control(number: str) -> bool:
    remainder = weighted(number, range(1, 12)) % 11
    if remainder == 10:
        remainder = weighted(number, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    return remainder == int(number[11])


def _kz_iin(number: str) -> bool:
    """Date of birth, sex and century, serial, mod 11."""
    born = is_day_in_any_century(int(number[:2]), int(number[2:4]), int(number[4:6]), (1800, 1900, 2000))
    return born and number[6] in "0123456" and _kz_control(number)


def _kz_bin(number: str) -> bool:
    """Year and month of registration, kind (4 to 6), status (0 to 4), serial, mod 11."""
    return 1 <= int(number[2:4]) <= 12 and number[4] in "456" and number[5] in "01234" and _kz_control(number)


def _az_voen(number: str) -> bool:
    return number[9] in "12" and weighted(number, (4, 1, 8, 6, 2, 7, 5, 3)) % 11 == int(number[8])


def _uz_pinfl(number: str) -> bool:
    """Sex and century (1 to 6), the day of birth, and the last digit: weights 7, 3, 1 modulo 10."""
    control = weighted(number, (7, 3, 1) * 4 + (7,)) % 10
    century = (1800, 1900, 2000)[(int(number[0]) - 1) // 2] if number[0] in "123456" else 0
    born = century > 0 and is_date(century + int(number[5:7]), int(number[3:5]), int(number[1:3]))
    return born and control == int(number[13])


def _tr_national_id(number: str) -> bool:
    """Two check digits: seven times the odd places less the even ones, and the sum of all before."""
    figures = digits(number)
    tenth = (sum(figures[0:9:2]) * 7 - sum(figures[1:8:2])) % 10
    return figures[0] != 0 and tenth == figures[9] and sum(figures[:10]) % 10 == figures[10]


def _tr_vkn(number: str) -> bool:
    """Each digit is shifted by its place, multiplied by a power of two, and reduced modulo 9."""
    total = 0
    for place, figure in enumerate(reversed(digits(number[:9])), 1):
        shifted = (figure + place) % 10
        total += (shifted * 2**place % 9 or 9) if shifted else 0
    return -total % 10 == int(number[9])


def _tr_mersis(number: str) -> bool:
    """A tax number behind a zero, or the identity number of an entrepreneur, then the branch."""
    return _tr_vkn(number[1:11]) if number[0] == "0" else _tr_national_id(number[:11])


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "es_nif": _es_nif,
    "es_nie": _es_nie,
    "es_cif": _es_cif,
    "es_vat": _es_vat,
    "es_nss": _es_nss,
    "es_ccc": _es_ccc,
    "es_cadastral": _es_cadastral,
    "es_cups": _es_cups,
    "pt_nif": prefixed("PT", _pt_nif),
    "pt_niss": prefixed("", _pt_niss),
    "pt_nib": _pt_nib,
    "pt_cc": _pt_cc,
    "it_fiscal_code": _it_fiscal_code,
    "it_vat_code": prefixed("IT", luhn),
    "it_health_card": _it_health_card,
    "gr_afm": prefixed("EL", prefixed("GR", _gr_afm)),
    "gr_amka": _gr_amka,
    "cy_tic": prefixed("CY", _cy_tic),
    "mt_vat": prefixed("MT", _mt_vat),
    "ad_nrt": prefixed("AD", _ad_nrt),
    "bg_egn": _bg_egn,
    "bg_pnf": prefixed("", _bg_pnf),
    "bg_eik": prefixed("", _bg_eik),
    "bg_vat": prefixed("BG", _bg_vat),
    "ro_cnp": _ro_cnp,
    "ro_onrc": _ro_onrc,
    "ro_cui": prefixed("RO", _ro_cui),
    "md_idnp": prefixed("", _md_number("029")),
    "md_idno": prefixed("", _md_number("1")),
    "rs_jmbg": master_number(regions((7, 8), (70, 89))),
    "xk_personal_number": master_number(regions((9, 9), (90, 99))),
    "ba_jmbg": master_number(regions((1, 1), (10, 19))),
    "me_jmbg": master_number(regions((2, 2), (20, 29))),
    "mk_embg": master_number(regions((4, 4), (40, 49))),
    "rs_pib": prefixed("RS", mod_11_10),
    "ba_jib": _ba_jib,
    "me_pib": prefixed("", _me_pib),
    "mk_edb": prefixed("MK", _master_digit),
    "al_nid": _al_nid,
    "ru_inn": prefixed("", _ru_inn),
    "ru_snils": prefixed("", _ru_snils),
    "ru_ogrn": prefixed("", _ru_ogrn),
    "ua_rnokpp": prefixed("", _ua_rnokpp),
    "ua_edrpou": prefixed("", _ua_edrpou),
    "ua_unzr": _ua_unzr,
    "by_unp": prefixed("", _by_unp),
    "by_personal_number": _by_personal,
    "kz_iin": _kz_iin,
    "kz_bin": _kz_bin,
    "az_voen": prefixed("", _az_voen),
    "uz_pinfl": _uz_pinfl,
    "tr_national_id": _tr_national_id,
    "tr_vkn": prefixed("", _tr_vkn),
    "tr_mersis": prefixed("", _tr_mersis),
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}
