"""Addresses that are known by their end: a city, and before or behind it the postcode of a country where it lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from classifiers.places import is_everyday, known_places, plain

# How countries write postcodes before a city (Universal Postal Union, S42 templates of addresses), a digit as `9`.
_FORMS: Mapping[str, str] = {
    "999": "FO IS",
    "999 99": "CZ GR SE SK",
    "9999": "AL AM AT BE BG CH CY DK GE HU LI LU MD MK NO SI TN",
    "9999 AA": "NL",
    "9999AA": "NL",
    "99999": "BA BL DE DZ EE ES FI FR GF GP HR IL IT LT MA MC ME MF MQ MX MY NC PF PM RE RS SM TR UA VA XK YT",
    "99-999": "PL",
    "9999-999": "PT",
    "99999-999": "BR",
    "999999": "BY KG KZ RO RU TJ TM UZ",
}
# A postcode and a city, and what an expression took for more words of its name.
_END = re.compile(r"(?:, ?|\n)(?:[A-Z]{1,3}-)?([0-9](?:[0-9 -]*[0-9])?(?: ?[A-Z]{2}(?= ))?) ([A-Z][A-Za-z' -]+)\Z")
# A city at the end, or before its postcode.
_CITY = re.compile(r"(?:\A|[,0-9] ?)([A-Z][A-Za-z' ]+)(?:[ ,-]+[0-9 -]+)?\Z")
_BEFORE_NUMBER = re.compile(r"([A-Za-z]+)\.?,? [0-9]")
# What is counted or dated, and stands nowhere else before a number: no street.
_NO_STREETS = frozenset(
    """
    january february march april may june july august september october november december januar februar marz mai juni juli
    oktober dezember janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre enero febrero marzo
    abril mayo junio julio agosto septiembre octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre
    ottobre dicembre janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro januari februari maart mei
    augustus leden kveten styczen luty marzec kwiecien maj czerwiec lipiec sierpien wrzesien listopad grudzien
    jan feb mar apr jun jul aug sep sept oct nov dec okt dez
    page pages seite seiten pagina strana strona side figure fig abbildung table tabelle tableau chapter kapitel chapitre capitulo
    capitolo section abschnitt vol volume band tome nr no num number nummer numero issue heft ausgabe article artikel art version
    step schritt phase part teil partie parte group gruppe groupe grupo gruppo round runde season saison folge episode day tag
    week woche semaine semana tel telefon phone fax ext room raum zimmer hall halle stand booth gate terminal gleis
    """.split()
)
# A number that is also a year of our days is a postcode of these.
_YEARS = range(1990, 2036)
_NUMBERED_LIKE_YEARS = frozenset(
    "antwerpen anvers antwerp frederiksberg lillestrom luxembourg maribor neuchatel neuenburg stockerau szentendre".split()
)


def _forms_of(postcode: str) -> Collection[str]:
    return _FORMS.get(re.sub("[A-Z]", "A", re.sub("[0-9]", "9", postcode)), "").split()


def _city_country(value: str) -> str | None:
    """The country of a city that a postcode of its form stands before, at the end of `value`."""
    end = _END.search(value)
    if end is None:
        return None
    postcode = end[1]
    like_a_year = len(postcode) == 4 and postcode.isdigit() and int(postcode) in _YEARS
    forms = _forms_of(postcode)
    for city in _beginnings(end[2]):
        country = next((code for code in known_places().cities(city) if code in forms), None)
        if country is not None and not (like_a_year and plain(city) not in _NUMBERED_LIKE_YEARS):
            return country
    return None


def _beginnings(words: str) -> Iterator[str]:
    """`words`, and without the last ones."""
    while words:
        yield words
        words = words.rpartition(" ")[0]


def _to_postcode(value: str) -> bool:
    """Whether `value` is a street with a number, a postcode and a city that can have it."""
    before = _BEFORE_NUMBER.search(value)
    return (before is None or before[1].lower() not in _NO_STREETS) and _city_country(value) is not None


def _to_city(value: str) -> bool:
    """Whether `value` ends with a city whose name is no everyday word."""
    return bool(_last_cities(value))


def _last_cities(value: str) -> Sequence[str]:
    """The countries of the cities that the name at the end of `value` can mean."""
    end = _CITY.search(value)
    if end is None:
        return ()
    meant = (known_places().cities(city) for city in _beginnings(end[1]) if not is_everyday(city))
    return next(filter(None, meant), ())


def _last_city_country(value: str) -> str | None:
    meant = _last_cities(value)
    return meant[0] if len(meant) == 1 else None


CHECKS: Mapping[str, Callable[[str], bool]] = {"address_to_postcode": _to_postcode, "address_to_city": _to_city}
COUNTRIES: Mapping[str, Callable[[str], str | None]] = {
    "postcode_city_country": _city_country,
    "last_city_country": _last_city_country,
}
