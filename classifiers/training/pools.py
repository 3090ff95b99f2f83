"""What values are drawn from: word lists of ours, and names, streets and firms of many countries as Faker writes them.

Every pool of names has two disjoint halves by a hash of the value, one for texts to train on and one for texts to measure
with, so that what is measured is a name never seen. Words of a closed class (diseases, countries) have none.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from faker import Faker

from governance.frozen import frozen

_WORDS = Path(__file__).parent / "words"
_DRAWN = 700
_DRAWN_SLOW = 220
# One in so many values is kept from training.
_HELD_OUT = 4

# Where people live whose names a locale makes: the country code of `words/cities.txt`. `x_` are the lists of `words/names.txt`.
LOCALES: Final[Mapping[str, str]] = {
    **{name: name[-2:] for name in "en_US en_GB en_AU en_CA en_IN en_IE en_NZ de_DE de_AT de_CH fr_FR fr_CA fr_CH fr_BE".split()},
    **{name: name[-2:] for name in "es_ES es_MX es_AR es_CO es_CL it_IT nl_NL nl_BE pt_BR pt_PT pl_PL cs_CZ sk_SK".split()},
    **{name: name[-2:] for name in "sv_SE da_DK no_NO fi_FI is_IS ro_RO hu_HU hr_HR sl_SI et_EE lt_LT lv_LV tr_TR id_ID".split()},
    "fil_PH": "PH", "en_NG": "NG", "yo_NG": "NG", "ig_NG": "NG", "ha_NG": "NG", "tw_GH": "NG", "en_KE": "KE", "sw": "KE",
    "zu_ZA": "ZA", "en_PK": "PK", "az_AZ": "RU", "uz_UZ": "RU", "ga_IE": "IE",
    "x_ja": "JP", "x_zh": "CN", "x_ko": "KR", "x_ar": "AE", "x_hi": "IN", "x_ru": "RU", "x_fa": "RU", "x_vi": "VN", "x_th": "ID",
    "x_cy": "GB", "x_gd": "GB", "x_gx": "GB", "x_af": "US", "x_yi": "US", "x_mi": "NZ", "x_sm": "NZ", "x_dx": "DE", "x_fx": "FR",
    "x_ix": "IT", "x_mt": "IT", "x_ex": "MX", "x_eu": "ES", "x_ca": "ES", "x_qu": "CL", "x_px": "BR", "x_nx": "NL", "x_sx": "SE",
    "x_ics": "IS", "x_fi": "FI", "x_et": "EE", "x_lv": "LV", "x_lt": "LT", "x_pl": "PL", "x_cs": "CZ", "x_hu": "HU", "x_sl": "SI",
    "x_hr": "HR", "x_sq": "HR", "x_mk": "RU", "x_ro": "RO", "x_el": "RU", "x_uk": "RU", "x_hy": "RU", "x_ka": "RU", "x_az": "RU",
    "x_kk": "RU", "x_uz": "RU", "x_mn": "RU", "x_tr": "TR", "x_ku": "TR", "x_ps": "PK", "x_ur": "PK", "x_bn": "PK", "x_pa": "IN",
    "x_gu": "IN", "x_ta": "IN", "x_te": "IN", "x_ml": "IN", "x_ne": "IN", "x_si": "IN", "x_my": "ID", "x_id": "ID", "x_ms": "ID",
    "x_km": "VN", "x_tl": "PH", "x_yue": "CN", "x_he": "AE", "x_am": "KE", "x_so": "KE", "x_sw": "KE", "x_ki": "KE", "x_lg": "KE",
    "x_ln": "KE", "x_yo": "NG", "x_ig": "NG", "x_ha": "NG", "x_ak": "NG", "x_wo": "NG", "x_zu": "ZA", "x_sn": "ZA", "x_mg": "ZA",
}  # fmt: skip
# How often a locale is drawn for an English text, where that is not once.
_WEIGHTS = {"en_US": 14, "en_GB": 8, "en_AU": 2, "en_CA": 2, "en_IN": 4, "en_IE": 2, "de_DE": 3, "fr_FR": 3, "es_ES": 3}
_WEIGHTS |= {"es_MX": 3, "it_IT": 2, "nl_NL": 2, "pt_BR": 2, "pl_PL": 2, "tr_TR": 2}
_WEIGHTS |= {"x_ar": 5, "x_hi": 4, "x_zh": 5, "x_ja": 3, "x_ko": 3, "x_ru": 3, "x_vi": 3}
_WEIGHTS |= {"x_gx": 8, "x_ex": 3, "x_dx": 2, "x_fx": 2, "x_ix": 2, "x_sx": 2, "x_af": 2, "x_ur": 2, "x_gu": 2}
# Whose streets and firms stand in for those of a locale that Faker has none for, where that is not the first of its country.
_ADDRESSES_OF = {
    "x_ja": "en_US", "x_zh": "en_CA", "x_ko": "en_AU", "x_ar": "en_GB", "x_hi": "en_IN", "x_ru": "en_IE", "x_fa": "en_GB",
    "x_vi": "vi_VN", "x_th": "en_AU", "et_EE": "fi_FI", "lt_LT": "pl_PL", "lv_LV": "pl_PL", "tr_TR": "de_DE", "is_IS": "da_DK",
    "fr_BE": "fr_FR", "en_NG": "en_GB", "yo_NG": "en_GB", "ig_NG": "en_GB", "ha_NG": "en_GB", "tw_GH": "en_GB",
    "en_KE": "en_GB", "sw": "en_GB", "en_PK": "en_IN", "uz_UZ": "de_AT", "az_AZ": "de_AT", "ga_IE": "en_IE", "x_tl": "en_US",
}  # fmt: skip


@frozen
class Pool:
    """Values in an order that only the lists decide: those for training, and those kept from it."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def draw(self, chance: random.Random, *, held_out: bool) -> str:
        """A value of one half."""
        half = self.held_out if held_out else self.train
        return half[int(chance.random() * len(half))]


@frozen
class Place:
    """What a locale gives: names of people and firms, streets with their numbers, postcodes, cities and regions."""

    locale: str
    given: Pool
    family: Pool
    street: Pool
    postcode: tuple[str, ...]
    company: Pool
    city: Pool
    region: Pool
    phone: tuple[str, ...]


def is_held_out(value: str) -> bool:
    """Whether texts to train on never hold `value`, by its letters alone."""
    return blake2b(value.casefold().encode(), digest_size=4).digest()[0] % _HELD_OUT == 0


def pool(values: Iterable[str]) -> Pool:
    """Both halves of `values`; where a list is so short that one half is empty, both are the whole."""
    every = tuple(dict.fromkeys(value.strip() for value in values if value.strip()))
    train = tuple(value for value in every if not is_held_out(value))
    held_out = tuple(value for value in every if is_held_out(value))
    return Pool(train=train or every, held_out=held_out or every)


@cache
def words(name: str, language: str = "en") -> tuple[str, ...]:
    """The values of `words/<name>.<language>.txt`, or else of `words/<name>.txt`, in its order, none twice."""
    own = _WORDS / f"{name}.{language}.txt"
    lines = (own if own.exists() else _WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    values = (value.strip() for line in lines if not line.startswith("#") for value in line.split(";"))
    return tuple(dict.fromkeys(filter(None, values)))


@cache
def named_words(name: str) -> Mapping[str, tuple[str, ...]]:
    """The values of `words/<name>.txt` by the name before each line's colon."""
    lines = (_WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    parted = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {key: tuple(value.strip() for value in values.split(";") if value.strip()) for key, _, values in parted}


@cache
def locales_of(language: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The locales a text in `language` may draw, and their cumulative weights; English takes names of all."""
    names = tuple(name for name in LOCALES if name.partition("_")[0] == language) if language != "en" else ()
    names = names or tuple(LOCALES)
    total, sums = 0, []
    for name in names:
        total += _WEIGHTS.get(name, 1)
        sums.append(total)
    return names, tuple(sums)


@cache
def place(locale: str) -> Place:
    """The pools of one locale, the same on every run with the same Faker."""
    people, streets = (
        (_faker(locale) if not locale.startswith("x_") else None),
        _faker(_streets_of(locale)),
    )
    given, family = _names(locale, people)
    country = LOCALES[locale]
    cities, regions = named_words("cities")[country], named_words("regions")
    made_up = _drawn(streets.city, _DRAWN_SLOW // 10) if locale == _streets_of(locale) else []
    return Place(
        locale=locale,
        given=pool(given),
        family=pool(family),
        street=pool(_numbered(_drawn(streets.street_address, _DRAWN_SLOW))),
        postcode=tuple(_drawn(streets.postcode, 40)),
        company=pool(_drawn((people or streets).company, _DRAWN_SLOW)),
        city=pool([*cities, *made_up]),
        region=pool(regions.get(country, regions["OT"])),
        phone=tuple(_drawn(streets.phone_number, 60)) if locale != "fil_PH" else ("0917 555 0123", "+63 2 8123 4567"),
    )


def _names(locale: str, people: Faker | None) -> tuple[Sequence[str], Sequence[str]]:
    if people:
        return _drawn(people.first_name, _DRAWN), _drawn(people.last_name, _DRAWN)
    lists = named_words("names")
    return lists[f"{locale[2:]} given"], lists[f"{locale[2:]} family"]


def _streets_of(locale: str) -> str:
    """The locale of Faker that makes the streets and firms of `locale`."""
    if locale in _ADDRESSES_OF or not locale.startswith("x_"):
        return _ADDRESSES_OF.get(locale, locale)
    own = (
        name
        for name, country in LOCALES.items()
        if country == LOCALES[locale] and not name.startswith("x_") and name not in _ADDRESSES_OF
    )
    return next(own, "en_GB")


def _faker(locale: str) -> Faker:
    # Without weights rare names come as often as common ones; of Chile Faker fails without them.
    made = Faker(locale, use_weighting=locale == "es_CL")
    made.seed_instance(f"ringfence {locale}")
    return made


def _drawn(value: Callable[[], object], count: int) -> list[str]:
    """Up to `count` values, none twice; the list of Dutch names has some turned round, as `West-Francië, van`."""
    drawn = dict.fromkeys(str(value()) for _ in range(count))
    return [value for value in drawn if ", v" not in value]


def _numbered(values: Iterable[str]) -> list[str]:
    """Streets in one line with a house number that begins with no nought; those without one are left out."""
    lines = (" ".join(", ".join(re.sub(r"\b0+(?=\d)", "", value).split("\n")).split()).strip(" ,") for value in values)
    return [line for line in lines if re.search(r"[1-9]", line)]
