"""Checks of identifiers of western Europe: Austria, Belgium, France, Germany, Liechtenstein, Luxembourg, Monaco, the
Netherlands, Switzerland.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from classifiers.checks.arithmetic import (
    ALPHABET,
    compact,
    is_date,
    luhn,
    mod_11_10,
    mod_97_10,
    one_digit_repeated,
    verhoeff,
    weighted,
)


def _cross_sum(value: str, weights: tuple[int, ...]) -> int:
    """The sum of the digits' products with `weights`, of each product the sum of its digits."""
    products = ((ord(each) - 48) * weight for each, weight in zip(value, weights, strict=False))
    return sum(product // 10 + product % 10 for product in products)


# Netherlands


def _nl_bsn(value: str) -> bool:
    """The eleven test: weights 9 to 2, the last digit counts -1. Eight digits have a leading zero."""
    number = value.zfill(9)
    return not one_digit_repeated(number) and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _nl_onderwijsnummer(value: str) -> bool:
    """Begins with 10; the eleven test of the BSN leaves 5 instead of 0."""
    return value.startswith("10") and weighted(value, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 5


def _nl_vat(value: str) -> bool:
    """Sole traders since 2020: MOD 97-10 over all characters, NL included. Others: an RSIN, which passes the eleven test."""
    number = compact(value)[-12:]
    if number[10:] == "00":
        return False
    return _nl_bsn(number[:9]) or mod_97_10("NL" + number)


# Belgium


def _be_person(value: str, month_offsets: tuple[int, ...]) -> bool:
    """97 less the remainder of the first nine digits, with a 2 before them for births since 2000.

    Month and day are 00 where the day of birth is unknown or the numbers of the day have run out.
    """
    number = compact(value)
    year, day, base = int(number[:2]), int(number[4:6]), int(number[:9])
    for century, dividend in ((1900, base), (2000, 2_000_000_000 + base)):
        if 97 - dividend % 97 != int(number[9:]):
            continue
        months = [int(number[2:4]) - offset for offset in month_offsets]
        if any(month == 0 or (0 < month <= 12 and day == 0) or is_date(century + year, month, day) for month in months):
            return True
    return False


def _be_national_number(value: str) -> bool:
    return _be_person(value, (0,))


def _be_bis_number(value: str) -> bool:
    """The month is raised by 20 where the sex is not known, by 40 where it is."""
    return _be_person(value, (20, 40))


def _be_enterprise(value: str) -> bool:
    """97 less the remainder of the first eight digits. Numbers from before 2005 have a leading zero."""
    number = compact(value).removeprefix("BE").zfill(10)
    return number[0] in "01" and number[:8] != "00000000" and 97 - int(number[:8]) % 97 == int(number[8:])


def _be_id_card(value: str) -> bool:
    """The remainder of the first ten digits by 97, or 97 for none."""
    return int(value[:10]) > 0 and (int(value[:10]) % 97 or 97) == int(value[10:])


def _be_structured_communication(value: str) -> bool:
    """Ten digits and their remainder modulo 97; 97 stands for 0."""
    number = compact(value)
    return not one_digit_repeated(number) and (int(number[:10]) % 97 or 97) == int(number[10:])


# Luxembourg


def _lu_matricule(value: str) -> bool:
    """Day of birth and serial; then a Luhn digit and a Verhoeff digit, each over these eleven digits."""
    born = is_date(int(value[:4]), int(value[4:6]), int(value[6:8])) and value[:2] in {"18", "19", "20"}
    return born and luhn(value[:12]) and verhoeff(value[:11] + value[12])


def _lu_vat(value: str) -> bool:
    """The last two digits are the remainder of the first six by 89."""
    number = compact(value)[-8:]
    return int(number[:6]) > 0 and int(number[:6]) % 89 == int(number[6:])


# France and Monaco

_FR_MONTHS = frozenset([*range(1, 13), 20, *range(30, 43), *range(50, 100)])
_FR_VAT_KEY = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def _fr_nir_structure(number: str) -> bool:
    """Month of birth (20 and above where it is not known), place of birth, serial of the month."""
    known = int(number[3:5]) in _FR_MONTHS and number[5:7] != "00"
    return known and number[7:10] != "000" and number[10:13] != "000"


def _fr_nir_key(number: str) -> bool:
    """97 less the remainder of the first thirteen digits; Corsica's 2A counts as 19, 2B as 18."""
    return 97 - int(number[:13].replace("2A", "19").replace("2B", "18")) % 97 == int(number[13:])


def _fr_nir(value: str) -> bool:
    """A number of the register: begins with 1 or 2."""
    number = compact(value)
    return number[0] in "12" and _fr_nir_structure(number) and _fr_nir_key(number)


def _fr_nir_provisional(value: str) -> bool:
    """A number while registration is under way (3, 4) or a temporary one (7, 8)."""
    return value[0] in "3478" and _fr_nir_structure(value) and _fr_nir_key(value)


def _fr_nir_without_key(value: str) -> bool:
    return value[0] in "12" and _fr_nir_structure(value)


# Letters as digits: A and J are 1, B, K and S are 2, ..., I, R and Z are 9.
_FR_RIB_LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")


def _fr_rib(value: str) -> bool:
    """Bank, branch, account and a key that makes the whole divisible by 97."""
    number = compact(value).translate(_FR_RIB_LETTERS)
    return not one_digit_repeated(number) and int(number) % 97 == 0


def _fr_siren(value: str) -> bool:
    return luhn(value) and not one_digit_repeated(value)


def _fr_siret(value: str) -> bool:
    """A SIREN and an establishment; Luhn over all. La Poste's digits add up to a multiple of 5, but at its head office."""
    number = compact(value)
    if not _fr_siren(number[:9]):
        return False
    if number.startswith("356000000") and number != "35600000000048":
        return sum(map(int, number)) % 5 == 0
    return luhn(number)


def _fr_vat_key(key: str, siren: str) -> bool:
    """Two digits: the remainder of the SIREN followed by 12. With a letter (I and O are not used): a remainder by 11."""
    if key.isdigit():
        return int(siren + "12") % 97 == int(key)
    first, second = _FR_VAT_KEY.index(key[0]), _FR_VAT_KEY.index(key[1])
    code = first * 24 + second - 10 if first < 10 else first * 34 + second - 100
    return (int(siren) + 1 + code // 11) % 11 == code % 11


def _fr_vat(value: str) -> bool:
    number = compact(value)[-11:]
    return not number[2:].startswith("000") and _fr_siren(number[2:]) and _fr_vat_key(number[:2], number[2:])


def _fr_tax_number(value: str) -> bool:
    """The remainder of the first ten digits by 511."""
    number = compact(value)
    return number[0] in "0123" and int(number[:10]) > 0 and int(number[:10]) % 511 == int(number[10:])


def _mc_vat(value: str) -> bool:
    """Monaco is in the territory of French VAT: the French key, and 000 where a SIREN would begin."""
    number = compact(value)[-11:]
    return number[2:5] == "000" and int(number[5:]) > 0 and _fr_vat_key(number[:2], number[2:])


# Germany


def _de_tax_id(value: str) -> bool:
    """MOD 11,10 over eleven digits of which none but the last may stand more than three times."""
    return value[0] != "0" and max(Counter(value[:10]).values()) <= 3 and mod_11_10(value)


_DE_STATES = ("5", "9", "10", "11", "21", "22", "23", "24", "26", "27", "28", "30", "31", "32", "40", "41")


def _de_tax_number(value: str) -> bool:
    """Thirteen digits: the tax office, which begins with its state's digits, a 0, and the rest; or two digits of a state."""
    return (value[4] == "0" and value.startswith(_DE_STATES)) or 1 <= int(value[:2]) <= 16


def _icao_9303(value: str) -> bool:
    """The last digit: weights 7, 3, 1 over the rest, letters from A = 10, modulo 10."""
    number = compact(value)
    total = sum(ALPHABET.index(each) * (7, 3, 1)[at % 3] for at, each in enumerate(number[:-1]))
    return total % 10 == int(number[-1])


def _de_social_security(value: str) -> bool:
    """Weights 2, 1, 2, 5, 7, 1, 2, ... with cross sums, the letter as two digits from A = 01."""
    number = compact(value)
    day, month = int(number[2:4]), int(number[4:6])
    if not (1 <= day <= 31 or 51 <= day <= 81) or not 1 <= month <= 12:
        return False
    expanded = f"{number[:8]}{ord(number[8]) - 64:02}{number[9:11]}"
    return _cross_sum(expanded, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10 == int(number[11])


def _de_health_insurance(value: str) -> bool:
    """Weights 1 and 2 with cross sums, the letter as two digits from A = 01."""
    number = compact(value)
    expanded = f"{ord(number[0]) - 64:02}{number[1:9]}"
    return _cross_sum(expanded, (1, 2) * 5) % 10 == int(number[9])


def _de_vat(value: str) -> bool:
    return mod_11_10(compact(value)[2:11])


def _de_lanr(value: str) -> bool:
    """The seventh digit: weights 4 and 9 over six digits, the difference to the next ten."""
    return int(value[:6]) > 0 and weighted(value[:6], (4, 9, 4, 9, 4, 9)) % 10 == -int(value[6]) % 10


def _de_ik(value: str) -> bool:
    """The last digit: weights 2 and 1 with cross sums over the digits from the third to the eighth."""
    return _cross_sum(value[2:8], (2, 1) * 3) % 10 == int(value[8]) and int(value[:2]) >= 10


def _de_driving_licence(value: str) -> bool:
    """The tenth character: weights 9 to 1, letters from A = 10, modulo 11, X for 10."""
    characters = value.upper()
    total = sum(ALPHABET.index(each) * weight for each, weight in zip(characters, range(9, 0, -1), strict=False))
    return "0123456789X"[total % 11] == characters[9]


# Austria


def _at_svnr(value: str) -> bool:
    """The fourth digit: weights 3, 7, 9 and 5, 8, 4, 2, 1, 6 modulo 11. The rest of the day of birth may be a 13th to 15th month."""
    number = compact(value)
    born = 1 <= int(number[4:6]) <= 31 and 1 <= int(number[6:8]) <= 15
    return born and number[0] != "0" and weighted(number, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(number[3])


def _at_vat(value: str) -> bool:
    """Cross sums with weights 1 and 2 and 4 more, the difference to the next ten."""
    number = compact(value)[-8:]
    return (_cross_sum(number, (1, 2, 1, 2, 1, 2, 1)) + 4 + int(number[7])) % 10 == 0


def _at_tax_number(value: str) -> bool:
    number = compact(value)
    return luhn(number) and not number.startswith("00")


# Switzerland


def _ch_ahv(value: str) -> bool:
    """The country 756 and the check digit of an EAN-13."""
    return value.startswith("756") and weighted(value, (1, 3) * 6 + (1,)) % 10 == 0


def _ch_uid(value: str) -> bool:
    number = compact(value)[3:12]
    return int(number) > 0 and weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 1)) % 11 == 0


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "at_svnr": _at_svnr,
    "at_tax_number": _at_tax_number,
    "at_vat": _at_vat,
    "be_bis_number": _be_bis_number,
    "be_enterprise": _be_enterprise,
    "be_id_card": _be_id_card,
    "be_national_number": _be_national_number,
    "be_structured_communication": _be_structured_communication,
    "ch_ahv": _ch_ahv,
    "ch_uid": _ch_uid,
    "de_document": _icao_9303,
    "de_driving_licence": _de_driving_licence,
    "de_health_insurance": _de_health_insurance,
    "de_ik": _de_ik,
    "de_lanr": _de_lanr,
    "de_social_security": _de_social_security,
    "de_tax_id": _de_tax_id,
    "de_tax_number": _de_tax_number,
    "de_vat": _de_vat,
    "fr_nir": _fr_nir,
    "fr_nir_provisional": _fr_nir_provisional,
    "fr_nir_without_key": _fr_nir_without_key,
    "fr_rib": _fr_rib,
    "fr_siren": _fr_siren,
    "fr_siret": _fr_siret,
    "fr_tax_number": _fr_tax_number,
    "fr_vat": _fr_vat,
    "lu_matricule": _lu_matricule,
    "lu_vat": _lu_vat,
    "mc_vat": _mc_vat,
    "nl_bsn": _nl_bsn,
    "nl_onderwijsnummer": _nl_onderwijsnummer,
    "nl_vat": _nl_vat,
}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {}
