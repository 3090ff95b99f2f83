"""Checks of identifiers of Central and South America and the Caribbean. Values come bare or grouped, in either case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle

from classifiers.checks.arithmetic import bare, is_date, is_day_in_any_century, luhn, one_digit_repeated, weighted


def _rising(body: str, last: int) -> int:
    """The sum of the digits from the right times 2, 3, ... `last`, 2, 3, ..."""
    weights = cycle(range(2, last + 1))
    return sum(int(each) * weight for each, weight in zip(reversed(body), weights, strict=False))


def _two_of_eleven(values: list[int]) -> str:
    """Two Brazilian check digits: weights 2 to 9 over and over from the right (of a CPF 2 to 11), modulo 11, 10 counts 0."""
    last = 11 if len(values) == 9 else 9
    for _ in range(2):
        weights = cycle(range(2, last + 1))
        total = sum(value * weight for value, weight in zip(reversed(values), weights, strict=False))
        values = [*values, -total % 11 % 10]
    return f"{values[-2]}{values[-1]}"


def _br_cpf(value: str) -> bool:
    """Two check digits modulo 11 (Receita Federal, IN RFB 2.172/2024)."""
    number = bare(value)
    return not one_digit_repeated(number) and _two_of_eleven([int(each) for each in number[:9]]) == number[9:]


def _br_cnpj(value: str) -> bool:
    """Two check digits modulo 11; a letter counts as its ASCII code less 48 (IN RFB 2.229/2024)."""
    number = bare(value)
    return (
        not one_digit_repeated(number[:12]) and _two_of_eleven([ord(each) - 48 for each in number[:12]]) == number[12:]
    )


def _br_pis(value: str) -> bool:
    """Weights 3, 2, 9 to 2, modulo 11, 10 counts 0. PIS, PASEP, NIT, NIS and RENAVAM are made alike."""
    number = bare(value)
    return not one_digit_repeated(number) and -_rising(number[:10], 9) % 11 % 10 == int(number[10])


def _br_cnh(value: str) -> bool:
    """Two check digits modulo 11; where the first would be 10 it is 0 and the second is lowered by 2 (DENATRAN)."""
    number = bare(value)
    if one_digit_repeated(number):
        return False
    first = weighted(number[:9], range(9, 0, -1)) % 11
    second = weighted(number[:9], range(1, 10)) % 11
    if first == 10:
        # The state offices differ when the lowered digit falls below 0 or was 10.
        lowered = {(second - 2) % 11 % 10, 0 if second == 10 else (second - 2) % 11 % 10}
        return number[9] == "0" and int(number[10]) in lowered
    return (first, second % 10) == (int(number[9]), int(number[10]))


def _br_voter(value: str) -> bool:
    """State 01 to 28 at positions 9 and 10; two check digits modulo 11; 0 counts 1 in Sao Paulo and Minas (TSE, Res. 23.659)."""
    number = bare(value)
    state = int(number[8:10])
    lifted = state in (1, 2)
    first = weighted(number[:8], range(2, 10)) % 11
    first = 1 if lifted and first == 0 else first % 10
    second = (int(number[8]) * 7 + int(number[9]) * 8 + first * 9) % 11
    second = 1 if lifted and second == 0 else second % 10
    return 1 <= state <= 28 and number[10:] == f"{first}{second}" and not one_digit_repeated(number[:8])


def _br_cns(value: str) -> bool:
    """Weights 15 to 1, modulo 11; the first digit is 1 or 2 (definitive) or 7, 8, 9 (provisional) (DATASUS)."""
    number = bare(value)
    return number[0] in "12789" and not one_digit_repeated(number) and weighted(number, range(15, 0, -1)) % 11 == 0


def _br_cep(value: str) -> bool:
    """Any but what stands for one."""
    return not one_digit_repeated(value)


_CUIT_TYPES = frozenset({"20", "23", "24", "25", "26", "27", "30", "33", "34", "50", "51", "55"})


def _ar_cuit(value: str) -> bool:
    """Type of taxpayer, then weights 5, 4, 3, 2, 7 to 2, modulo 11, 10 counts 9 (AFIP, RG 10/1997)."""
    number = bare(value)
    digit = -weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return number[:2] in _CUIT_TYPES and (9 if digit == 10 else digit) == int(number[10])


def _ar_cbu(value: str) -> bool:
    """A bank below 500, 000 for a wallet, then two blocks with a check digit, weights 3, 1, 7, 9 from the right (BCRA)."""
    number = bare(value)
    return number[0] in "01234" and not one_digit_repeated(number) and _cbu_block(number[:8]) and _cbu_block(number[8:])


def _cbu_block(block: str) -> bool:
    total = sum(int(each) * weight for each, weight in zip(reversed(block[:-1]), cycle((3, 1, 7, 9)), strict=False))
    return -total % 10 == int(block[-1])


def _cl_rut(value: str) -> bool:
    """Weights 2 to 7 over and over, modulo 11, 10 is K (Servicio de Impuestos Internos)."""
    number = bare(value)
    return not one_digit_repeated(number) and "0123456789K"[-_rising(number[:-1], 7) % 11] == number[-1]


def _co_nit(value: str) -> bool:
    """Prime weights 3, 7, 13, 17, ... from the right, modulo 11 (DIAN, Orden Administrativa 4/1989)."""
    number = bare(value)
    weights = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)
    return not one_digit_repeated(number) and "01987654321"[weighted(number[-2::-1], weights) % 11] == number[-1]


def _pe_ruc(value: str) -> bool:
    """Type of taxpayer, then weights 5, 4, 3, 2, 7 to 2, modulo 11 (SUNAT)."""
    number = bare(value)
    known = number[:2] in ("10", "15", "16", "17", "20")
    return known and (11 - weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 10 == int(number[10])


def _pe_cui(value: str) -> bool:
    """Eight digits, then a check digit or the letter that older cards show (RENIEC)."""
    number = bare(value)
    place = weighted(number[:8], (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return not one_digit_repeated(number[:8]) and number[8] in ("65432110987"[place], "KJIHGFEDCBA"[place])


def _uy_ci(value: str) -> bool:
    """Weights 2, 9, 8, 7, 6, 3, 4, modulo 10 (DNIC). Seven digits have a leading zero."""
    number = bare(value).zfill(8)
    return not one_digit_repeated(number) and -weighted(number[:7], (2, 9, 8, 7, 6, 3, 4)) % 10 == int(number[7])


def _uy_rut(value: str) -> bool:
    """Office 01 to 22, a number, 001, and a check digit modulo 11 (DGI)."""
    number = bare(value)
    if not "01" <= number[:2] <= "22" or number[2:8] == "000000" or number[8:11] != "001":
        return False
    return -weighted(number[:11], (4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11 == int(number[11])


def _py_ruc(value: str) -> bool:
    """Weights 2 upwards from the right, modulo 11, 10 counts 0 (SET, digito verificador)."""
    number = bare(value)
    return not one_digit_repeated(number) and -_rising(number[:-1], 11) % 11 % 10 == int(number[-1])


_RIF_VALUES: Mapping[str, int] = {"V": 4, "E": 8, "J": 12, "C": 12, "P": 16, "G": 20}


def _ve_rif(value: str) -> bool:
    """The letter's value, then weights 3, 2, 7 to 2, modulo 11 (SENIAT)."""
    number = bare(value)
    total = _RIF_VALUES[number[0]] + weighted(number[1:9], (3, 2, 7, 6, 5, 4, 3, 2))
    return "00987654321"[total % 11] == number[9]


def _ec_province(number: str) -> bool:
    return "01" <= number[:2] <= "24" or number[:2] in ("30", "50")


def _ec_cedula(value: str) -> bool:
    """Province, third digit up to 6, and a Luhn check digit (Registro Civil)."""
    number = bare(value)
    return _ec_province(number) and number[2] <= "6" and luhn(number[:10])


def _ec_ruc(value: str) -> bool:
    """A cedula and a branch, or a company (third digit 9), or a public body (third digit 6), modulo 11 (SRI)."""
    number = bare(value)
    if not _ec_province(number):
        return False
    public = number[9:] != "0000" and weighted(number, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    if number[10:] == "000":
        return number[2] in "69" and public
    if number[2] == "9":
        return public or weighted(number, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    return _ec_cedula(number[:10]) or (number[2] == "6" and public)


_CR_TYPES: Mapping[str, frozenset[str]] = {
    "2": frozenset({"100", "200", "300", "400"}),
    "3": frozenset({f"{kind:03}" for kind in (*range(2, 15), *range(101, 111))}),
    "4": frozenset({"000"}),
    "5": frozenset({"001"}),
}


def _cr_company(value: str) -> bool:
    """Class and type of legal person (Registro Nacional). There is no check digit."""
    number = bare(value)
    return number[1:4] in _CR_TYPES.get(number[0], ())


def _do_cedula(value: str) -> bool:
    """Luhn over eleven digits (Junta Central Electoral). LIMIT: some 600 old numbers break the rule and are not found."""
    number = bare(value)
    return not one_digit_repeated(number) and luhn(number)


def _do_rnc(value: str) -> bool:
    """Weights 7, 9, 8, 6, 5, 4, 3, 2, modulo 11 (DGII)."""
    number = bare(value)
    if one_digit_repeated(number):
        return False
    return (10 - weighted(number[:8], (7, 9, 8, 6, 5, 4, 3, 2)) % 11) % 9 + 1 == int(number[8])


# Municipalities of each of the 22 departments (Registro Nacional de las Personas, 2015).
_GT_MUNICIPALITIES = (17, 8, 16, 16, 14, 14, 19, 8, 24, 21, 9, 30, 33, 21, 8, 17, 14, 5, 11, 11, 7, 17)


def _gt_cui(value: str) -> bool:
    """Eight digits with weights 2 to 9, modulo 11, a check digit, department and municipality of registration."""
    number = bare(value)
    department, municipality = int(number[9:11]), int(number[11:])
    if not 1 <= department <= 22 or not 1 <= municipality <= _GT_MUNICIPALITIES[department - 1]:
        return False
    return weighted(number[:8], range(2, 10)) % 11 == int(number[8]) and not one_digit_repeated(number[:9])


def _gt_nit(value: str) -> bool:
    """Weights 2 upwards from the right, modulo 11, 10 is K (SAT)."""
    number = bare(value)
    total = sum(int(each) * weight for weight, each in enumerate(reversed(number[:-1]), 2))
    return not one_digit_repeated(number) and "0123456789K"[-total % 11] == number[-1]


def _sv_nit(value: str) -> bool:
    """Municipality, birthday DDMMYY, serial, check digit; numbers with a serial above 100 are newer (Ministerio de Hacienda)."""
    number = bare(value)
    if number[0] not in "019" or not is_day_in_any_century(int(number[8:10]), int(number[6:8]), int(number[4:6])):
        return False
    if number[10:13] <= "100":
        return weighted(number[:13], range(14, 1, -1)) % 11 % 10 == int(number[13])
    return -weighted(number[:13], (2, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 % 10 == int(number[13])


def _sv_dui(value: str) -> bool:
    """Weights 9 to 2, modulo 10 (RNPN)."""
    number = bare(value)
    return not one_digit_repeated(number) and -weighted(number[:8], range(9, 1, -1)) % 10 == int(number[8])


def _hn_identity(value: str) -> bool:
    """Department 01 to 18, municipality up to 28, year of registration, serial (RNP); an RTN has one digit more."""
    number = bare(value)
    return 1 <= int(number[:2]) <= 18 and 1 <= int(number[2:4]) <= 28 and 1900 <= int(number[4:8]) <= 2040


def _ni_cedula(value: str) -> bool:
    """Municipality, birthday DDMMYY, serial, and a letter: the number modulo 23 (Consejo Supremo Electoral)."""
    number = bare(value)
    born = is_day_in_any_century(int(number[7:9]), int(number[5:7]), int(number[3:5]))
    return born and "ABCDEFGHJKLMNPQRSTUVWXY"[int(number[:13]) % 23] == number[13]


def _cu_ni(value: str) -> bool:
    """Birthday YYMMDD and a digit for the century: 9 is the 19th, 0 to 5 the 20th, 6 to 8 the 21st. There is no check digit."""
    number = bare(value)
    century = {"9": 1800, "6": 2000, "7": 2000, "8": 2000}.get(number[6], 1900)
    return is_date(century + int(number[:2]), int(number[2:4]), int(number[4:6]))


def _tt_id(value: str) -> bool:
    """Birthday YYYYMMDD, then three digits (Elections and Boundaries Commission)."""
    number = bare(value)
    year = int(number[:4])
    return 1900 <= year <= 2040 and is_date(year, int(number[4:6]), int(number[6:8]))


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "ar_cbu": _ar_cbu,
    "ar_cuit": _ar_cuit,
    "br_cep": _br_cep,
    "br_cnh": _br_cnh,
    "br_cnpj": _br_cnpj,
    "br_cns": _br_cns,
    "br_cpf": _br_cpf,
    "br_pis": _br_pis,
    "br_voter": _br_voter,
    "cl_rut": _cl_rut,
    "co_nit": _co_nit,
    "cr_company": _cr_company,
    "cu_ni": _cu_ni,
    "do_cedula": _do_cedula,
    "do_rnc": _do_rnc,
    "ec_cedula": _ec_cedula,
    "ec_ruc": _ec_ruc,
    "gt_cui": _gt_cui,
    "gt_nit": _gt_nit,
    "hn_identity": _hn_identity,
    "ni_cedula": _ni_cedula,
    "pe_cui": _pe_cui,
    "pe_ruc": _pe_ruc,
    "py_ruc": _py_ruc,
    "sv_dui": _sv_dui,
    "sv_nit": _sv_nit,
    "tt_id": _tt_id,
    "uy_ci": _uy_ci,
    "uy_rut": _uy_rut,
    "ve_rif": _ve_rif,
}
