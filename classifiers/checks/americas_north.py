"""Checks of identifiers of the United States, Canada and Mexico. Values come bare or grouped, in either case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle

from classifiers.checks.arithmetic import bare, is_date, is_day_in_any_century, luhn, one_digit_repeated, weighted

# Printed in advertisements and leaflets, therefore never issued (SSA, Misused Social Security Numbers).
_SPECIMEN_SSNS = frozenset({"078051120", "123456789", "219099999", "457555462"})


def _us_ssn(value: str) -> bool:
    """Area 001 to 899 without 666, group and serial not all zeros (SSA, POMS RM 10201.035; randomised since 2011)."""
    number = bare(value)
    if number in _SPECIMEN_SSNS or one_digit_repeated(number):
        return False
    return number[0] != "9" and number[:3] not in ("000", "666") and number[3:5] != "00" and number[5:] != "0000"


def _us_itin(value: str) -> bool:
    """Starts with 9; the group is 50 to 65, 70 to 88, 90 to 92 or 94 to 99 (IRS, Publication 1915)."""
    number = bare(value)
    group = int(number[3:5])
    return number[0] == "9" and (50 <= group <= 65 or 70 <= group <= 88 or (90 <= group <= 99 and group != 93))


def _us_atin(value: str) -> bool:
    """Starts with 9; the group is 93 (IRS, Form W-7A)."""
    number = bare(value)
    return number[0] == "9" and number[3:5] == "93"


def _us_aba(value: str) -> bool:
    """Weights 3, 7, 1; the first two digits name a Federal Reserve district, a thrift, an electronic or a cheque form."""
    number = bare(value)
    prefix = int(number[:2])
    known = 1 <= prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    return known and weighted(number, (3, 7, 1, 3, 7, 1, 3, 7, 1)) % 10 == 0


def _us_dea(value: str) -> bool:
    """The last digit is that of d1 + d3 + d5 + 2 (d2 + d4 + d6)."""
    number = bare(value)[2:]
    return weighted(number, (1, 2, 1, 2, 1, 2)) % 10 == int(number[6]) and not one_digit_repeated(number)


def _us_npi(value: str) -> bool:
    """Luhn over the issuer prefix 80840 and the number, which starts with 1 (person) or 2 (organisation)."""
    number = bare(value)
    return number[0] in "12" and not one_digit_repeated(number[:-1]) and luhn("80840" + number)


# Three-digit prefixes of each state (USPS Publication 65, National Zip Code Directory): first and last.
_ZIP_PREFIXES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "AL": ((350, 369),), "AK": ((995, 999),), "AZ": ((850, 865),), "AR": ((716, 729),), "CA": ((900, 961),),
    "CO": ((800, 816),), "CT": ((60, 69),), "DC": ((200, 205), (569, 569)), "DE": ((197, 199),), "FL": ((320, 349),),
    "GA": ((300, 319), (398, 399)), "HI": ((967, 968),), "IA": ((500, 528),), "ID": ((832, 838),), "IL": ((600, 629),),
    "IN": ((460, 479),), "KS": ((660, 679),), "KY": ((400, 427),), "LA": ((700, 714),), "MA": ((10, 27), (55, 55)),
    "MD": ((206, 219),), "ME": ((39, 49),), "MI": ((480, 499),), "MN": ((550, 567),), "MO": ((630, 658),),
    "MS": ((386, 397),), "MT": ((590, 599),), "NC": ((270, 289),), "ND": ((580, 588),), "NE": ((680, 693),),
    "NH": ((30, 38),), "NJ": ((70, 89),), "NM": ((870, 884),), "NV": ((889, 898),), "NY": ((5, 5), (63, 63), (100, 149)),
    "OH": ((430, 459),), "OK": ((730, 749),), "OR": ((970, 979),), "PA": ((150, 196),), "PR": ((6, 9),),
    "RI": ((28, 29),), "SC": ((290, 299),), "SD": ((570, 577),), "TN": ((370, 385),), "TX": ((733, 733), (750, 799), (885, 885)),
    "UT": ((840, 847),), "VA": ((201, 201), (220, 246)), "VT": ((50, 59),), "WA": ((980, 994),), "WI": ((530, 549),),
    "WV": ((247, 268),), "WY": ((820, 831),),
}  # fmt: skip


def _us_state_zip(value: str) -> bool:
    """A state's abbreviation and a ZIP code that lies in that state."""
    ranges = _ZIP_PREFIXES.get(value[:2].upper(), ())
    prefix = int(bare(value[2:])[:3])
    return any(first <= prefix <= last for first, last in ranges)


def _holds_digit(value: str) -> bool:
    """Not a plain word."""
    return any(each.isdigit() for each in value)


def _ca_sin(value: str) -> bool:
    """Luhn; 0 and 8 are not issued as the first digit."""
    number = bare(value)
    return number[0] not in "08" and not one_digit_repeated(number) and luhn(number)


def _ca_bn(value: str) -> bool:
    """Luhn over the nine digits; a programme account (two letters, four digits) may follow."""
    number = bare(value)[:9]
    return not one_digit_repeated(number) and luhn(number)


def _ca_ohip(value: str) -> bool:
    """Luhn over ten digits, the first not 0; a version code of one or two letters may follow."""
    number = bare(value)[:10]
    return number[0] != "0" and not one_digit_repeated(number) and luhn(number)


def _ca_bc_phn(value: str) -> bool:
    """Starts with 9; weights 2, 4, 8, 5, 10, 9, 7, 3 over digits 2 to 9, modulo 11."""
    number = bare(value)
    return number[0] == "9" and -weighted(number[1:9], (2, 4, 8, 5, 10, 9, 7, 3)) % 11 == int(number[9])


def _ca_ramq(value: str) -> bool:
    """Four letters, then a birthday with 50 added to a woman's month. The check digit's rule is not public."""
    number = bare(value)
    year, month, day = int(number[4:6]), int(number[6:8]), int(number[8:10])
    return is_day_in_any_century(year, month - 50 if month > 50 else month, day)


def _ca_on_licence(value: str) -> bool:
    """A letter, eight digits, then a birthday with 50 added to a woman's month."""
    number = bare(value)
    year, month, day = int(number[9:11]), int(number[11:13]), int(number[13:15])
    return is_day_in_any_century(year, month - 50 if month > 50 else month, day)


def _ca_qc_licence(value: str) -> bool:
    """A letter, four digits, a birthday as DDMMYY, two digits."""
    number = bare(value)
    return is_day_in_any_century(int(number[9:11]), int(number[7:9]), int(number[5:7]))


_MX_STATES = frozenset(
    """
    AS BC BS CC CH CL CM CS DF DG GR GT HG JC MC MN MS NE NL NT OC PL QR QT SL SP SR TC TL TS VZ YN ZS
    """.split()
)
# A letter's place is its value. RENAPO, Instructivo normativo de la CURP: the letter after N is Ñ, which a CURP spells X.
_CURP_ALPHABET = "0123456789ABCDEFGHIJKLMN\x00OPQRSTUVWXYZ"
# SAT, Procedimiento para la obtencion del digito verificador. LIMIT: folding makes N of Ñ, whose value is 38, so an RFC with
# Ñ does not verify; nor do the estimated 1.5 % that were issued with a wrong digit. The labelled rule finds those.
_RFC_ALPHABET = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ "


def _mx_curp(value: str) -> bool:
    """Birthday, sex, state, and a check digit modulo 10. A digit at position 17 means born before 2000, a letter after."""
    number = bare(value)
    century = 1900 if number[16].isdigit() else 2000
    if number[10] not in "HMX" or number[11:13] not in _MX_STATES:
        return False
    if not is_date(century + int(number[4:6]), int(number[6:8]), int(number[8:10])):
        return False
    total = sum(_CURP_ALPHABET.index(each) * (18 - place) for place, each in enumerate(number[:17]))
    return -total % 10 == int(number[17])


def _mx_rfc_date(value: str) -> bool:
    """Date of birth or incorporation, whatever the check character says."""
    number = bare(value)
    birthday = number[-9:-3]
    return is_day_in_any_century(int(birthday[:2]), int(birthday[2:4]), int(birthday[4:]))


def _mx_rfc(value: str) -> bool:
    """Date of birth or incorporation and a check character modulo 11 over twelve places, filled with blanks on the left."""
    number = bare(value)
    if not _mx_rfc_date(number):
        return False
    total = sum(_RFC_ALPHABET.index(each) * (13 - place) for place, each in enumerate(number[:-1].rjust(12)))
    return "0123456789A"[-total % 11] == number[-1]


def _mx_nss(value: str) -> bool:
    """Luhn over eleven digits; the first two name the office (01 to 97, or 99)."""
    number = bare(value)
    return number[:2] not in ("00", "98") and not one_digit_repeated(number) and luhn(number)


def _mx_clabe(value: str) -> bool:
    """Weights 3, 7, 1 by digit, each product modulo 10 (Banxico, Circular 14/2017); bank codes start at 002."""
    number = bare(value)
    total = sum(int(each) * weight % 10 for each, weight in zip(number[:17], cycle((3, 7, 1)), strict=False))
    return number[:3] not in ("000", "001") and -total % 10 == int(number[17])


def _mx_clave_elector(value: str) -> bool:
    """Six letters, birthday, state of birth 01 to 32 (87, 88: abroad), sex."""
    number = bare(value)
    state = int(number[12:14])
    born = is_day_in_any_century(int(number[6:8]), int(number[8:10]), int(number[10:12]))
    return born and (1 <= state <= 32 or state in (87, 88))


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "ca_bc_phn": _ca_bc_phn,
    "ca_bn": _ca_bn,
    "ca_ohip": _ca_ohip,
    "ca_on_licence": _ca_on_licence,
    "ca_qc_licence": _ca_qc_licence,
    "ca_ramq": _ca_ramq,
    "ca_sin": _ca_sin,
    "mx_clabe": _mx_clabe,
    "mx_clave_elector": _mx_clave_elector,
    "mx_curp": _mx_curp,
    "mx_nss": _mx_nss,
    "mx_rfc": _mx_rfc,
    "us_aba": _us_aba,
    "us_atin": _us_atin,
    "us_dea": _us_dea,
    "us_holds_digit": _holds_digit,
    "us_itin": _us_itin,
    "us_npi": _us_npi,
    "us_ssn": _us_ssn,
    "us_state_zip": _us_state_zip,
}
