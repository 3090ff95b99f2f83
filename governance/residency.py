"""Where data may be processed: tiers, levels, countries and the groups of countries that law speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Tier(StrEnum):
    """Kind of place a node runs in, nearest first; the order is the routing priority."""

    DEVICE = "device"
    EDGE = "edge"
    ON_PREM = "on_prem"
    PRIVATE_CLUSTER = "private_cluster"
    REGIONAL_CLOUD = "regional_cloud"
    CLOUD = "cloud"

    @property
    def priority(self) -> int:
        """0 for the nearest tier."""
        return _TIERS[self]


class Level(StrEnum):
    """Sensitivity of a request, least first. `unknown` ranks above all: what was not read is not public."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """0 for public, 4 for unknown."""
        return _LEVELS[self]


_TIERS = {tier: priority for priority, tier in enumerate(Tier)}
_LEVELS = {level: rank for rank, level in enumerate(Level)}

# ISO 3166-1 alpha-2, officially assigned codes (249, as of 2026; the same set as tz database `iso3166.tab`).
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()
)

# Member states, https://european-union.europa.eu/principles-countries-history/eu-countries_en (27, as of 2026).
EU = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
# EEA Agreement: the EU and Iceland, Liechtenstein, Norway.
EEA = EU | {"IS", "LI", "NO"}
GROUPS = {"EU": EU, "EEA": EEA}


def expand(codes: Iterable[str]) -> frozenset[str]:
    """Country codes with the groups EU and EEA replaced by their members."""
    return frozenset(country for code in codes for country in GROUPS.get(code, frozenset({code})))
