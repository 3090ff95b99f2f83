"""What stands in a slot: one text's values, most of one place, and each the same wherever the template numbers it so."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from itertools import accumulate
from typing import Final

from classifiers.training import material, moments
from classifiers.training.kinds import KINDS
from classifiers.training.pools import Place, Pool, locales_of, named_words, place, pool, words
from classifiers.training.rows import Span
from governance.frozen import frozen

_RARE_TITLES: Final = (
    "Captain Sergeant Detective Constable PC Officer Colonel Major Lieutenant Father Rev. Reverend Pastor Rabbi Imam Sister Lord "
    "Lady Dame Baroness Justice President Senator Mayor Minister Councillor Coach Uncle Auntie Grandma Grandpa Sheikh Mx Madam Master"
).split()
_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        *("Dr. ", "Mr. ", "Mrs. ", "Ms. ", "Mr ", "Mrs ", "Ms ") * 6,
        "Dr. ",
        "Dr ",
        "Mr. ",
        "Mr ",
        "Mrs. ",
        "Mrs ",
        "Ms. ",
        "Ms ",
        "Miss ",
        "Prof. ",
        "Professor ",
        "Sir ",
        "Judge ",
        "Nurse ",
        *(f"{title} " for title in _RARE_TITLES),
    ),
    "de": ("Herr ", "Frau ", "Dr. ", "Herr Dr. ", "Frau Dr. ", "Prof. "),
    "fr": ("M. ", "Mme ", "Monsieur ", "Madame ", "Dr ", "Me ", "Docteur "),
    "es": ("Sr. ", "Sra. ", "Dr. ", "Dra. ", "Don ", "Doña ", "señor ", "señora "),
    "it": ("Sig. ", "Sig.ra ", "Dott. ", "Dott.ssa ", "Avv. "),
    "nl": ("dhr. ", "mevr. ", "meneer ", "mevrouw ", "dr. "),
    "pt": ("Sr. ", "Sra. ", "Dr. ", "Dra. ", "Dona "),
}
# How many people are called by a word, how many by a short name; how many organisations are of our list, how many of Faker's.
_WORD_NAMED: Final = 0.025
_NICKNAMED: Final = 0.045
_KNOWN: Final = 0.4
# How many people and towns of a text in English are of other places than the rest of it.
_ABROAD: Final = 0.25
_OF_FAKER: Final = 0.2
_NICKNAMES = (
    "Bob Rob Liz Beth Mike Mick Dave Steve Jen Jenny Kate Katie Tom Tommy Jim Jimmy Joe Dan Danny Matt Chris Alex Sam Nick Tony Ed "
    "Eddie Andy Pete Greg Jeff Tim Ben Becky Vicky Maggie Sue Debbie Cathy Abby Gabe Zach Josh Nate Max Leo Lena Toni Kathi Hansi "
    "Kev Baz Gaz Daz Shaz Tez Jez Ozzy Robbie Charlie Archie Alfie Freddie Bertie Billy Sammy Timmy Johnny Ronnie Vinnie Frankie "
    "Mandy Kim Jess Meg Ellie Millie Evie Tilly Poppy Izzy Lottie Hattie Bex Fi Trish Pam Deb Cat Ali Mo Jo Flo Bo Lou Dee Kel Shan "
    "Gil Ash Cas Zee Ty Dre Jay Manny Chuy Kiki Lulu Mimi Momo Nana Coco Yaya Bibi Titi Kofi Yaw Ade Tunde Temi Ngo Obi Uche Kwame "
    "Paco Pepe Lupe Nacho Chema Beto Gigi Pippo Kasia Gosia Asia Tomek Ania Jirka Honza Sasha Misha Natasha Kolya Raj Vicky Xiao"
).split()
# First names that are ordinary words, places or days as well.
_WORD_NAMES: Final = (
    "Will Mark Rose Grace Hope Faith Joy April June May August Summer Autumn Dawn Eve Bill Frank Chase Chuck Drew Art Ray Max Sunny "
    "Rusty Sandy Penny Melody Harmony Carol Noel Iris Ivy Lily Daisy Violet Olive Amber Ruby Pearl Jade Crystal Dean Earl Duke Grant "
    "Hunter Mason Cooper Paris Florence Sydney Austin Jordan India Chelsea Brooklyn Dallas Phoenix Savannah Georgia Carolina Virginia "
    "Kenya Asia Cairo Milan London Angel Jesus Christian Victor Destiny Heaven Star Storm River Sky Ash Jasper Basil Ginger Rosemary "
    "Sage Robin Jay Martin Wren Clay Cliff Glen Heath Forest Miles Lance Rich Gene Guy Norm Pat Sue Rob Nick Jack Wade Ward Chance "
    "Major King Prince Precious Blessing Patience Prudence Charity Comfort Mercy Goodluck Sunday Friday Monday Innocent Gift Lovely "
    "Bright Justice Honesty Constance Temperance Felicity Verity Trinity Genesis Nevaeh Ocean Rain Willow Hazel Holly Heather Fern Bear"
).split()
_PARTICLES: Final[Mapping[str, tuple[str, ...]]] = {
    "nl": ("van der ", "van den ", "van ", "de ", "ter ", "van de ", "'t "),
    "de": ("von ", "zu ", "von der "),
    "fr": ("de ", "du ", "de la ", "d'", "Le "),
    "es": ("de la ", "de ", "del ", "de los "),
    "it": ("Di ", "De ", "Della ", "D'"),
    "pt": ("da ", "dos ", "de ", "do "),
    "x": ("al-", "bin ", "El ", "Ben "),
    "en": ("Mc", "Mac", "O'", "St. ", "de ", "van ", "von "),
}
_FAMILY_FIRST = frozenset({"x_ja", "x_zh", "x_yue", "x_ko", "x_vi", "x_km", "vi_VN", "hu_HU", "x_hu"})
_POSTCODE_FIRST = frozenset("de fr es it nl pl cs sk sv da no nb fi hr sl hu ro et lt lv tr is pt".split())
_MAIL = "gmail.com outlook.com hotmail.com yahoo.com icloud.com proton.me gmx.de web.de mail.com aol.com".split()
_USERNAME_WORDS = (
    "gamer dev cat sky wolf star moon ninja pixel code sun red dark blue fox bear tech real the official music art photo fit foodie "
    "travels mom dad runner bike cook plays writes lover king queen fan tiger panda ghost rider"
).split()
_ORG_FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "org.hospital": (
        "St. {g} Hospital", "{c} General Hospital", "{c} Medical Center", "{f} Clinic", "{c} University Hospital", "{f} Medical Group",
        "{c} Children's Hospital", "{g} Memorial Hospital", "{c} Health Centre", "Royal {c} Infirmary", "Klinikum {c}", "{f} Dental",
        "Hôpital {f}", "Hospital {f}", "{f} Family Practice", "{c} Surgery", "{f} Pharmacy", "{c} Hospice", "Mercy {c}",
    ),
    "org.school": (
        "{c} High School", "{f} Elementary", "St. {g}'s Primary School", "{c} Academy", "University of {c}", "{c} University", "{f} College",
        "{c} Middle School", "{f} Grammar School", "{g} {f} School", "Lycée {f}", "Gymnasium {c}", "Colegio {f}", "{c} Kindergarten",
        "Little {f} Nursery", "{c} State University", "{c} Community College", "IES {f}", "{f} Montessori",
    ),
    "org.bank": (
        "{c} Savings Bank", "{f} Bank", "Bank of {c}", "{c} Credit Union", "First {c} Bank", "{f} & Co. Bank", "Sparkasse {c}",
        "Volksbank {c}", "Banco {f}", "Caja {c}", "{f} Capital", "{c} Building Society", "{f} Federal Credit Union", "{f} Insurance",
        "{f} Mutual", "{f} Wealth Management", "Crédit {c}",
    ),
    "org.law": (
        "{f} & {f2}", "{f} LLP", "{f}, {f2} & Partners", "Law Offices of {g} {f}", "{f} Legal", "{f} Solicitors", "Kanzlei {f}",
        "{f} Rechtsanwälte", "{f} {f2} LLP", "Cabinet {f}", "{f} Abogados", "{f} Chambers", "Studio Legale {f}", "{f} & Associates",
    ),
    "org.agency": (
        "{c} City Council", "{c} Police Department", "Department of Health", "{c} County Court", "{r} Department of Revenue", "HMRC", "IRS",
        "Jobcenter {c}", "{c} Housing Authority", "Finanzamt {c}", "Home Office", "Social Services {c}", "Child Protective Services", "DMV",
        "Ministry of Justice", "Jugendamt {c}", "{c} School Board", "USCIS", "Préfecture de {c}", "Ayuntamiento de {c}", "{c} District Court",
        "Medicaid Office {c}", "City of {c}", "{c} Town Council", "{c} Magistrates' Court", "{c} Crown Court", "{c} Planning Department",
        "Embassy of {n}", "{n} Consulate", "{c} Fire Department", "{r} Highway Patrol", "{c} Sheriff's Office", "{r} State Police",
        "Ministry of Agriculture", "Ministry of Transport", "{c} Port Authority", "{c} Transit", "{c} Public Library", "Polizei {c}", "Department for Work and Pensions", "Amtsgericht {c}", "CAF", "Pôle emploi", "Agencia Tributaria",
    ),
    "org": (
        "{f} Inc", "{f} Ltd", "{f} GmbH", "{f} & Sons", "{f} Group", "{c} Logistics", "{f} Consulting", "{f} Technologies", "{f} Foods",
        "{f}tech", "{f} Labs", "{c} Energy", "{f} Systems", "{f} Design Studio", "{f} Bakery", "Café {f}", "{c} Football Club", "{f} AG",
        "{f} Motors", "{c} Airlines", "{f} S.A.", "{f} Holdings", "{c} Times", "{f} Construction", "{g}'s Garage", "Hotel {c}", "{f} BV",
        "{f} {f2}", "{f}-{f2}", "{f}", "{f} Brothers", "{f} Partners", "{f} Capital", "{f} Media", "{f} Properties", "{f} Plumbing",
        "{f} Translations", "{f} Homes", "{c} Steel", "{c} Water", "{c} Cleaning Services", "Bank of {c}", "{f} Real Estate", "{f} Dental",
        "{g}'s", "{g} & {f}", "Studio {f}", "{f} Robotics", "{f} Pharma", "{c} Textiles", "{c} Housing Association", "{c} Gazette",
        "The {f} Foundation", "{f} Auctions", "{f} Freight", "Friends of {c}", "{c} Chamber of Commerce", "{r} Dairy", "Radio {c}",
    ),
    "org.university": (
        "University of {c}", "{c} University", "University of {r}", "{c} State University", "University College {c}", "{c} Polytechnic",
        "Technical University of {c}", "TU {c}", "Universität {c}", "Université de {c}", "Universidad de {c}", "{f} University",
        "{c} Business School", "{c} Law School", "{f} School of Medicine", "{c} Institute of Technology", "National University of {n}",
        "{f} College", "{c} Conservatory", "{c} Academy of Arts", "{c} Medical School", "{n} Academy of Sciences",
    ),
    "org.club": (
        "{c} United", "{c} City", "{c} FC", "FC {c}", "AC {c}", "SV {c}", "{c} Rovers", "{c} Wanderers", "{c} Athletic", "Real {c}",
        "Dynamo {c}", "Sporting {c}", "{c} Tigers", "{c} Warriors", "{c} Bulls", "{c} Eagles", "{c} Sharks", "{c} Knights", "{c} RFC",
        "{c} Hockey Club", "{c} Cricket Club", "{c} Rowing Club", "{c} Harriers", "{c} Swimming Club", "{c} Town", "{c} Rangers",
        "Racing {c}", "{c} Chess Club", "{c} Lions", "Atlético {c}", "Inter {c}", "{c} Giants", "{c} Wolves", "{c}",
    ),
    "org.band": (
        "The {f}s", "The {c} Brothers", "{c} Philharmonic", "{c} Symphony Orchestra", "{f} Quartet", "{g} and the {f}s", "{f} Trio",
        "The {f} Band", "{c} Choir", "{c} Opera", "{c} Ballet", "{c} Theatre Company",
    ),
    "org.media": (
        "{c} Times", "{c} Post", "{c} Herald", "{c} Gazette", "{c} Tribune", "{c} Evening News", "The {c} Chronicle", "Radio {c}",
        "{c} Today", "{f} Press", "{f} Books", "{f} Pictures", "{c} Daily", "Le {c} Libre", "{c} Courier", "{c} Observer",
    ),
    "org.ngo": (
        "The {f} Foundation", "{f} Trust", "{c} Food Bank", "{n} Red Cross", "Friends of {c}", "{c} Animal Shelter", "{c} Refugee Council",
        "Save {c}", "{n} Medical Association", "{c} Women's Aid", "{c} Youth Club", "National Union of Teachers", "{r} Farmers' Union",
        "{n} Football Association", "{n} Olympic Committee", "{c} Historical Society", "{c} Mosque", "St. {g}'s Church", "{c} Synagogue",
    ),
    "org.shop": (
        "{w} {t}", "{w} {t}", "{w} {t}", "The {w} {t}", "{f}'s {t}", "{g}'s {t}", "{f} {t}", "{c} {t}", "{w} {t} ({f} Road Branch)",
        "{w} {t} ({c} Branch)", "{w} ({c} Store)", "{w} {t} (Branch No. {d})", "{w} {t} {c}", "{w}", "The {w}", "{c} {w} {t}", "{t} {w}",
        "{w} {w2} {t}", "{w} {t} & {t2}", "{t} of {c}", "{t} No. {d}", "{f} & {f2} {t}", "{r} {t}",
    ),
    "org.group": (
        "{i} {k}", "{i} {k}", "{c} {i} {k}", "{c} {i} {k}", "{w} {i} {k}", "{f} {i} {k}", "{c} {k}", "{w} {k}", "{i} & {i2} {k}",
        "The {i} {k}", "{r} {i} {k}", "{i} {k} {c}", "{i} {k} {d}", "{g}'s {i} {k}",
    ),
    "org.company": (
        "{f}", "{f} Inc", "{f} Ltd", "{f} Group", "{f} & Co", "{c} Airways", "{f} Pharmaceuticals", "{f} Electric", "{c} Steel", "{f} Oil",
        "{f} Telecom", "{c} Motors", "{f} Semiconductor", "{f} Energy", "{f} Retail", "{f} plc", "{f} NV", "{f} SpA", "{c} Mining", "{f}soft",
    ),
}  # fmt: skip
_WORDS_OF_ORGS: Final = {
    "w": "shop_names", "w2": "shop_names", "t": "shop_trades", "t2": "shop_trades",
    "i": "circles", "i2": "circles", "k": "circle_kinds",
}  # fmt: skip
# How many organisations of a text in English, that are neither of our list nor of Faker's, are called as shops are, how many as groups.
_SHOPS: Final = 0.35
_GROUPS: Final = 0.08
# The lines of `words/organisations.txt` that a kind draws from; for any firm or office none that is called as its town is.
_KNOWN_ORGS: Final[Mapping[str, str]] = {
    "org": "technology retail industry finance transport media university agency ngo care word firm school office group world",
    "org.company": "technology retail industry finance transport word firm world",
    "org.hospital": "care",
    "org.school": "university school",
    "org.bank": "finance",
    "org.agency": "agency office",
    "org.university": "university",
    "org.club": "club group",
    "org.band": "band",
    "org.media": "media",
    "org.ngo": "ngo",
}
_OWN_WORDS: Final[Mapping[str, str]] = {
    "disease": "diseases", "drug": "drugs", "treatment": "treatments", "test": "tests", "symptom": "symptoms",
    "nationality": "nationalities", "religion": "religions", "politics": "politics", "celebrity": "celebrities",
    "product": "products", "job": "jobs", "relation": "relations", "month_name_word": "name_words", "lang": "langs",
    "country": "countries", "place": "places",
}  # fmt: skip
_FOLDED = str.maketrans(
    {
        "ł": "l",
        "Ł": "L",
        "ß": "ss",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "\u0131": "i",
        "æ": "ae",
        "ð": "d",
        "þ": "th",
        "ə": "e",
    }
)


@frozen
class Value:
    """What is written, and what of it is marked."""

    text: str
    spans: tuple[Span, ...]


@frozen
class Person:
    """Somebody of one text: all that is said of them agrees."""

    given: str
    family: str
    full: str
    username: str
    domain: str
    title: str


class Values:
    """The values of one text, drawn as they are asked for. Names come from one half of their pools.

    Of a `young` text most ages are those of children.
    """

    def __init__(
        self,
        chance: random.Random,
        *,
        language: str = "en",
        held_out: bool = False,
        locale: str = "",
        young: bool = False,
    ) -> None:
        self._chance = chance
        self._language = language
        self._held_out = held_out
        self._young = young
        names, sums = locales_of(language)
        self.locale = locale or chance.choices(names, cum_weights=sums)[0]
        # A text in English may speak of people and towns of several countries, unless it is told of which.
        self._abroad = _ABROAD if language == "en" and not locale else 0.0
        self._place: Place = place(self.locale)
        self._people: dict[int, Person] = {}
        self._numbered: dict[tuple[str, int], Value] = {}

    def draw(self, kind: str, number: int = 0, variant: str = "") -> Value:
        """The value of a slot. Equal numbers, other than 0, have equal values. Raises KeyError for an unknown `kind`."""
        value = self._numbered.get((kind, number)) if number else None
        if value is None:
            value = self._made(kind, number)
            if number:
                self._numbered[kind, number] = value
        return _cased(value, variant)

    def _made(self, kind: str, number: int) -> Value:
        match kind:
            case "person.formal":
                return self._formal(self._person(number))
            case "signature":
                return self._signature(self._person(number))
            case "full_address":
                return self._full_address()
            case _:
                return _marked(self._text(kind, number), KINDS[kind])

    def _text(self, kind: str, number: int) -> str:
        chance = self._chance
        if kind == "age":
            return moments.age(chance, self._language, young=self._young)
        if kind == "age.number":
            return str(moments.years(chance, young=self._young))
        if made := _BY_CHANCE.get(kind):
            return made(chance, self._language)
        if name := _OWN_WORDS.get(kind):
            return chance.choice(words(name, self._language))
        if kind.startswith("org"):
            return self._org(kind)
        if kind.startswith("id."):
            return material.identifier(chance, kind[3:])
        if kind.startswith("code."):
            return material.code(chance, kind[5:])
        match kind:
            case "city":
                return self._of(_pool_of("towns") if chance.random() < self._abroad else self._place.city)
            case "region":
                return self._of(self._place.region)
            case "street_address":
                return material.renumbered(chance, self._of(self._place.street))
            case "phone":
                return material.renumbered(chance, chance.choice(self._place.phone))
            case "url":
                return self._url()
        return self._of_person(kind, self._person(number))

    def _of_person(self, kind: str, person: Person) -> str:
        match kind:
            case "person":
                return person.full
            case "person.lower":
                return person.full.lower()
            case "person.first":
                return person.given
            case "person.last":
                return person.family
            case "username":
                return person.username
            case "handle":
                return f"@{person.username}"
            case "email":
                return self._email(person)
        raise KeyError(kind)

    def _of(self, values: Pool) -> str:
        return values.draw(self._chance, held_out=self._held_out)

    def _person(self, number: int) -> Person:
        if person := self._people.get(number):
            return person
        chance = self._chance
        home = self._home()
        given, family = self._of(home.given), self._family(home)
        if (roll := chance.random()) < _WORD_NAMED and self._language == "en":
            given = self._of(_word_names())
        elif roll < _WORD_NAMED + _NICKNAMED:
            given = self._of(_nicknames())
        elif chance.random() < 0.02:
            given = f"{given}-{self._of(home.given)}" if " " not in given else given
        made = Person(
            given=given,
            family=family,
            full=self._full_name(home, given, family),
            username=self._username(given, family),
            domain=self._domain(),
            title=chance.choice(_TITLES.get(self._language, _TITLES["en"])),
        )
        if number:
            self._people[number] = made
        return made

    def _home(self) -> Place:
        """Where somebody's name is from."""
        if self._chance.random() >= self._abroad:
            return self._place
        names, sums = locales_of(self._language)
        return place(self._chance.choices(names, cum_weights=sums)[0])

    def _family(self, home: Place) -> str:
        chance, locale = self._chance, home.locale
        family, roll = self._of(home.family), chance.random()
        language = locale.partition("_")[0]
        if language in {"es", "pt"} and roll < 0.35:
            return f"{family} {self._of(home.family)}"
        if roll < 0.04 and " " not in family:
            return f"{family}-{self._of(home.family)}"
        if roll < (0.15 if language == "nl" else 0.06) and " " not in family and "'" not in family:
            return chance.choice(_PARTICLES.get(language, _PARTICLES["en"])) + family
        return family

    def _full_name(self, home: Place, given: str, family: str) -> str:
        chance, roll = self._chance, self._chance.random()
        if home.locale in _FAMILY_FIRST and roll < 0.35:
            return f"{family} {given}"
        if roll < 0.72:
            return f"{given} {family}"
        initial = chance.choice("ABCDEFGHIJKLMNOPRSTVW")
        forms = (
            f"{given} {initial}. {family}",
            f"{given[0]}. {family}",
            f"{given[0]}. {initial}. {family}",
            f"{given} {self._of(home.given)} {family}",
            f"{family}, {given}",
            f"{given} {family}".lower(),
            f"{given} {family}".upper(),
            f"{given} {family[0]}.",
            f"{given} {family} {chance.choice(('Jr.', 'Sr.', 'III', 'II'))}",
            f"{given[0]}{initial} {family}",
            given,
            f"{given} {family}",
            f"{family.upper()}, {given}",
            f"{family.upper()}/{given.upper()}",
            f"{family.upper()} {given}",
        )
        return chance.choices(forms, cum_weights=_FORM_SUMS)[0]

    def _username(self, given: str, family: str) -> str:
        chance = self._chance
        first, last = (_folded(name) or "user" for name in (given, family))
        year, word = chance.choice((chance.randint(1, 99), chance.randint(1960, 2012))), chance.choice(_USERNAME_WORDS)
        return chance.choice(
            (
                f"{first}{year}", f"{first}_{last}", f"{first}.{last}", f"{first[0]}{last}", f"{first[0]}{last}{year}", f"{first}{last[0]}",
                f"{word}_{first}", f"{first}_{word}{year}", f"{word}{year}", f"x{first}x{year}", f"{last}{first[0]}", f"the_{last}",
                f"{first.title()}{last.title()}", f"{word.title()}{chance.choice(_USERNAME_WORDS).title()}{year}", f"{first}-{last}",
                f"{word}_{chance.choice(_USERNAME_WORDS)}_{year}", f"{last}.{first[0]}", f"{first}{last}", f"real{first.title()}{last.title()}",
                f"{word}{first}", f"{first}{word}", f"{word}{chance.choice(_USERNAME_WORDS)}", f"its.{first}", f"{first}.{word}.{year}",
                f"{first}{last[0]}_", f"{word}_{last}#{chance.randint(1000, 9999)}", f"xX_{first}_Xx", f"{first[0]}.{last}",
                f"throwaway_{word}{year}", f"{first}_{last[0]}{year}", f"{last}{year}", f"{first}{first[-1] * 2}_{word[0]}",
            )
        )  # fmt: skip

    def _email(self, person: Person) -> str:
        first, last = (_folded(name) or "info" for name in (person.given, person.family))
        forms = (
            f"{first}.{last}",
            f"{first[0]}.{last}",
            f"{first}{last}",
            f"{first}",
            f"{first}_{last}",
            person.username,
            f"{last}",
        )
        return f"{self._chance.choice(forms).lower()}@{person.domain}"

    def _domain(self) -> str:
        if self._chance.random() < 0.55:
            return self._chance.choice(_MAIL)
        ending = self._chance.choice(("com", "com", "org", "net", "io", "de", "co.uk", "fr", "es", "nl", "eu"))
        return f"{(_folded(self._of(self._place.family)) or 'acme').lower()}{self._chance.choice(('', '-group', 'tech', 'law', ''))}.{ending}"

    def _url(self) -> str:
        page = self._chance.choice(
            (
                "",
                "/",
                "/about",
                "/docs/intro",
                f"/p/{self._chance.randint(1, 9999)}",
                "/login?next=%2F",
                "/blog/2024/03",
            )
        )
        return f"{self._chance.choice(('https://', 'https://www.', 'http://', 'www.'))}{self._domain()}{page}"

    def _org(self, kind: str) -> str:
        roll = self._chance.random()
        if kind in _KNOWN_ORGS and roll < _KNOWN:
            return self._of(_known_orgs(kind))
        if kind == "org" and roll < _KNOWN + _OF_FAKER:
            return self._of(self._place.company)
        if kind == "org" and self._language == "en":
            kind = self._chance.choices(("org", "org.shop", "org.group"), (1 - _SHOPS - _GROUPS, _SHOPS, _GROUPS))[0]
        form = self._chance.choice(_ORG_FORMS[kind])
        names = {
            mark: self._of(values)
            for mark, values in (("g", self._place.given), ("c", self._place.city), ("r", self._place.region))
        }
        country = self._chance.choice(words("countries", self._language))
        own = {mark: self._of(_pool_of(name)) for mark, name in _WORDS_OF_ORGS.items() if f"{{{mark}}}" in form}
        number = self._chance.randint(2, 99)
        return form.format(
            n=country, f=self._of(self._place.family), f2=self._of(self._place.family), d=number, **names, **own
        )

    def _formal(self, person: Person) -> Value:
        name = person.family if self._chance.random() < 0.7 else f"{person.given} {person.family}"
        return Value(text=person.title + name, spans=((len(person.title), len(person.title) + len(name), "PERSON"),))

    def _signature(self, person: Person) -> Value:
        lines: list[Value] = [
            _marked(f"{person.given} {person.family}" if self._chance.random() < 0.7 else person.given, "PERSON")
        ]
        if self._chance.random() < 0.4:
            lines.append(Value(text=self._chance.choice(words("jobs", self._language)).capitalize(), spans=()))
        if self._chance.random() < 0.35:
            lines.append(_marked(self._org("org"), "ORGANIZATION"))
        return _joined("\n", lines)

    def _full_address(self) -> Value:
        """Street, postcode and city in the order of the country: one ADDRESS."""
        street = material.renumbered(self._chance, self._of(self._place.street))
        city, code = (
            self._of(self._place.city),
            material.renumbered(self._chance, self._chance.choice(self._place.postcode)),
        )
        gap = "\n" if self._chance.random() < 0.15 else ", "
        if self._place.locale.partition("_")[0] in _POSTCODE_FIRST and not self._place.locale.endswith("_CA"):
            return _marked(f"{street}{gap}{code} {city}", "ADDRESS")
        between = f", {self._of(self._place.region)}" if self._place.locale == "en_US" else ""
        return _marked(f"{street}{gap}{city}{between}{self._chance.choice((' ', ', '))}{code}", "ADDRESS")


_FORM_SUMS = tuple(accumulate((5, 4, 1, 5, 3, 4, 2, 3, 1, 1, 3, 2, 1, 1, 1)))
_BY_CHANCE: Final[Mapping[str, Callable[[random.Random, str], str]]] = {
    "date": moments.date,
    "date.short": moments.short_date,
    "date.words": moments.worded_date,
    "time": moments.time,
    "datetime": moments.date_and_time,
    "weekday": moments.weekday,
    "year": moments.year,
    "secret": lambda chance, _: material.secret(chance),
    "money": lambda chance, _: material.money(chance),
    **{
        kind: lambda chance, _, kind=kind: material.machine(chance, kind)  # type: ignore[misc]
        for kind in ("ip", "uuid", "hash", "filename", "int", "percent", "ssn", "card", "iban")
    },
}


@cache
def _nicknames() -> Pool:
    return pool(_NICKNAMES)


@cache
def _pool_of(name: str) -> Pool:
    return pool(words(name))


@cache
def _word_names() -> Pool:
    return pool(_WORD_NAMES)


@cache
def _known_orgs(kind: str) -> Pool:
    lists = named_words("organisations")
    names = [name for line in _KNOWN_ORGS[kind].split() for name in lists[line]]
    return pool([*names, *words("more_organisations")] if kind == "org" else names)


def _marked(text: str, type_: str) -> Value:
    return Value(text=text, spans=((0, len(text), type_),) if type_ else ())


def _joined(between: str, values: list[Value]) -> Value:
    text, spans = "", []
    for value in values:
        text += between if text else ""
        spans += [(start + len(text), end + len(text), type_) for start, end, type_ in value.spans]
        text += value.text
    return Value(text=text, spans=tuple(spans))


def _cased(value: Value, variant: str) -> Value:
    """`value` in the case of `variant`, where that does not change how long it is."""
    text = {"lower": str.lower, "upper": str.upper, "title": str.title}.get(variant, str)(value.text)
    return Value(text=text, spans=value.spans) if len(text) == len(value.text) else value


def _folded(name: str) -> str:
    """The letters of `name` as an address or a user name has them: ASCII, no blanks, lower case."""
    plain = unicodedata.normalize("NFKD", name.translate(_FOLDED))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum()).lower()
