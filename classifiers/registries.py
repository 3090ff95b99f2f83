"""Tables that others keep: who may issue what, and how they write it. Compact constants, read on first use.

Each names its register and the state it was taken from. Where a register is a web page only, the year stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from governance.errors import ConfigInvalid

# SWIFT IBAN Registry, release 101 (2025): country, then the BBAN (n digits, a capitals, c both).
_IBAN_REGISTERED = """
    AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c BY4c4n16c CH5n12c CR18n CY8n16c
    CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n
    GR7n16c GT24c HN4a20n HR17n HU24n IE4a14n IL19n IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c
    LI5n12c LT16n LU3n13c LV4a13c LY21n MC10n11c2n MD20c ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a NI4a20n
    NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n SE20n
    SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n TL19n TN20n TR6n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c
"""
# Not in the registry, but issued by the national banks (Wikipedia, International Bank Account Number, 2025).
_IBAN_NATIONAL = """
    AO21n BF2c22n BJ2c22n CF23n CG23n CI2c22n CM23n CV21n DZ22n GA23n GQ23n GW2c19n IR22n KM23n MA24n MG23n ML2c22n
    MZ21n NE2c22n SN2c22n TD23n TG2c22n
"""

# ISO 3166-1 (2024): alpha-3 and alpha-2, and Kosovo as banks and passports write it.
_ALPHA_3 = """
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT AZEAZ BDIBI BELBE
    BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW
    CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX CYMKY
    CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ FLKFK FRAFR
    FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU
    GUYGY HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT JAMJM JEYJE
    JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT
    LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ
    MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ
    OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU
    RWARW SAUSA SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK
    SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO TTOTT TUNTN TURTR TUVTV
    TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA
    ZMBZM ZWEZW XKXXK
"""
# ICAO Doc 9303-3 (8th edition, 2021), section 5: codes of issuers and nationalities beyond ISO 3166-1.
_TRAVEL = "D:DE GBD:GB GBN:GB GBO:GB GBP:GB GBS:GB RKS:XK"
_TRAVEL_WITHOUT_STATE = frozenset(
    "UNO UNA UNK XAA XBA XIM XCC XCE XCO XEC XES XMP XOM XPO XDC XXA XXB XXC XXX EUE UTO IAO".split()
)

# ITU-T E.212, list of mobile country codes (2023, with the amendments to 2025).
_MOBILE_COUNTRIES = """
    AD213 AE424,430,431 AF412 AG344 AI365 AL276 AM283 AO631 AR722 AS544 AT232 AU505 AW363 AZ400 BA218 BB342 BD470 BE206
    BF613 BG284 BH426 BI642 BJ616 BM350 BN528 BO736 BR724 BS364 BT402 BW652 BY257 BZ702 CA302 CD630 CF623 CG629 CH228
    CI612 CK548 CL730 CM624 CN460,461 CO732 CR712 CU368 CV625 CW362 CY280 CZ230 DE262 DJ638 DK238 DM366 DO370 DZ603
    EC740 EE248 EG602 ER657 ES214 ET636 FI244 FJ542 FK750 FM550 FO288 FR208 GA628 GB234,235 GD352 GE282 GF742 GH620
    GI266 GL290 GM607 GN611 GP340 GQ627 GR202 GT704 GW632 GY738 HK454 HN708 HR219 HT372 HU216 ID510 IE272 IL425
    IN404,405,406 IO995 IQ418 IR432 IS274 IT222 JM338 JO416 JP440,441 KE639 KG437 KH456 KI545 KM654 KN356 KP467 KR450
    KW419 KY346 KZ401 LA457 LB415 LC358 LI295 LK413 LR618 LS651 LT246 LU270 LV247 LY606 MA604 MC212 MD259 ME297 MG646
    MH551 MK294 ML610 MM414 MN428 MO455 MR609 MS354 MT278 MU617 MV472 MW650 MX334 MY502 MZ643 NA649 NC546 NE614 NF505
    NG621 NI710 NL204 NO242 NP429 NR536 NU555 NZ530 OM422 PA714 PE716 PF547 PG537 PH515 PK410 PL260 PM308 PR330 PS425
    PT268 PW552 PY744 QA427 RE647 RO226 RS220 RU250 RW635 SA420 SB540 SC633 SD634 SE240 SG525 SH658 SI293 SK231 SL619
    SM292 SN608 SO637 SR746 SS659 ST626 SV706 SY417 SZ653 TC376 TD622 TG615 TH520 TJ436 TK554 TL514 TM438 TN605 TO539
    TR286 TT374 TV553 TW466 TZ640 UA255 UG641 US310,311,312,313,314,315,316 UY748 UZ434 VC360 VE734 VG348 VN452 VU541
    WF543 WS549 XK221 YE421 ZA655 ZM645 ZW648
"""

# First digits of card numbers (ISO/IEC 7812 issuer ranges) with their lengths, as the schemes publish them (2025).
_CARDS = """
    visa 4 16
    mastercard 51-55 16
    mastercard 2221-2720 16
    amex 34 15
    amex 37 15
    discover 6011 16
    discover 644-659 16
    diners 300-305 14
    diners 3095 14
    diners 36 14
    diners 38-39 14
    diners 300-305 16
    diners 36 16
    diners 38-39 16
    jcb 3528-3589 16
    unionpay 62 16,17,18,19
    unionpay 8100-8171 16
    maestro 5018 12,13,14,15,16,17,18,19
    maestro 5020 12,13,14,15,16,17,18,19
    maestro 5038 12,13,14,15,16,17,18,19
    maestro 5893 12,13,14,15,16,17,18,19
    maestro 6304 12,13,14,15,16,17,18,19
    maestro 6759 12,13,14,15,16,17,18,19
    maestro 6761-6763 12,13,14,15,16,17,18,19
    mir 2200-2204 16,17,18,19
    rupay 508227-508999 16
    rupay 6069-6085 16
    rupay 817200-820199 16
    rupay 353 16
    rupay 356 16
    elo 401178-401179 16
    elo 431274 16
    elo 438935 16
    elo 451416 16
    elo 457393 16
    elo 504175 16
    elo 506699-506778 16
    elo 509000-509999 16
    elo 627780 16
    elo 636297 16
    elo 636368 16
    elo 650031-651679 16
    elo 655000-655058 16
    hipercard 606282 16
    verve 506099-506198 16,18,19
    verve 507865-507964 16,18,19
    troy 9792 16
    dankort 5019 16
    interpayment 636 16
    uzcard 8600 16
    humo 9860 16
"""

_PRIVATE_SUFFIXES = "===BEGIN PRIVATE DOMAINS==="


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRange:
    """Card numbers whose first digits lie between `low` and `high` (same length, inclusive) have one of `lengths` digits."""

    scheme: str
    low: str
    high: str
    lengths: frozenset[int]


@cache
def iban_structures() -> Mapping[str, re.Pattern[str]]:
    """The pattern of the BBAN by country."""
    classes = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Z]"}
    return {
        entry[:2]: re.compile("".join(f"{classes[kind]}{{{n}}}" for n, kind in re.findall(r"(\d+)([nac])", entry[2:])))
        for entry in (_IBAN_REGISTERED + _IBAN_NATIONAL).split()
    }


@cache
def countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2, and XK."""
    return frozenset(entry[3:] for entry in _ALPHA_3.split())


def country_code(said: str) -> str | None:
    """The code in `countries` that `said` means, in letters of any size; UK is GB. None for what is no code."""
    code = said.upper()
    code = "GB" if code == "UK" else code
    return code if code in countries() else None


def named_country(said: str) -> str:
    """The code that `said` means, as `country_code` has it. Raises ConfigInvalid for what is no code."""
    code = country_code(said)
    if code is None:
        raise ConfigInvalid(f"`{said}` is no country: give ISO 3166-1 alpha-2 codes, such as DE")
    return code


@cache
def travel_document_states() -> Mapping[str, str | None]:
    """Alpha-2 by the code in a travel document (fillers removed); None for issuers that are no state."""
    states: dict[str, str | None] = {entry[:3]: entry[3:] for entry in _ALPHA_3.split()}
    states |= {code: state for code, _, state in (entry.partition(":") for entry in _TRAVEL.split())}
    return states | dict.fromkeys(_TRAVEL_WITHOUT_STATE)


@cache
def mobile_countries() -> Mapping[str, str]:
    """Alpha-2 by mobile country code. 425 is shared by IL and PS and reads as IL, 505 by AU and NF and reads as AU."""
    shared = {"425": "IL", "505": "AU"}
    return {code: entry[:2] for entry in _MOBILE_COUNTRIES.split() for code in entry[2:].split(",")} | shared


@cache
def _card_ranges() -> Mapping[str, tuple[CardRange, ...]]:
    by_first: dict[str, list[CardRange]] = {}
    for line in _CARDS.strip().splitlines():
        scheme, prefixes, lengths = line.split()
        low, _, high = prefixes.partition("-")
        high = high or low
        card = CardRange(scheme=scheme, low=low, high=high, lengths=frozenset(map(int, lengths.split(","))))
        for first in range(int(low[0]), int(high[0]) + 1):
            by_first.setdefault(str(first), []).append(card)
    return {first: tuple(cards) for first, cards in by_first.items()}


def card_schemes(number: str) -> frozenset[str]:
    """The schemes that may have issued a number of these digits and this length. More than one where ranges overlap."""
    return frozenset(
        card.scheme
        for card in _card_ranges().get(number[:1], ())
        if len(number) in card.lengths and card.low <= number[: len(card.low)] <= card.high
    )


@cache
def top_level_domains() -> frozenset[str]:
    """Lower-case top-level domains in ASCII form, of the public suffix list that comes with tldextract.

    Nothing is fetched, and the package, which brings an HTTP client, is not imported. Raises ModuleNotFoundError without it.
    """
    package = find_spec("tldextract")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("tldextract is not installed")
    official = (Path(package.origin).parent / ".tld_set_snapshot").read_text("utf-8").partition(_PRIVATE_SUFFIXES)[0]
    names = {line.rpartition(".")[2].strip() for line in official.splitlines() if line and not line.startswith("//")}
    return frozenset(name.lower() if name.isascii() else name.encode("idna").decode("ascii") for name in names if name)
