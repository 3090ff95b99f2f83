"""What stands in a slot: one text's values, all of one place, and each the same wherever the template numbers it so."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from itertools import accumulate
from typing import Final

from classifiers.training import material, moments
from classifiers.training.kinds import KINDS
from classifiers.training.pools import Place, Pool, locales_of, place, pool, words
from classifiers.training.rows import Span
from governance.frozen import frozen

_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        *("Dr. ", "Mr. ", "Mrs. ", "Ms. ", "Mr ", "Mrs ", "Ms ") * 3,
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
    ),
    "de": ("Herr ", "Frau ", "Dr. ", "Herr Dr. ", "Frau Dr. ", "Prof. "),
    "fr": ("M. ", "Mme ", "Monsieur ", "Madame ", "Dr ", "Me ", "Docteur "),
    "es": ("Sr. ", "Sra. ", "Dr. ", "Dra. ", "Don ", "Doña ", "señor ", "señora "),
    "it": ("Sig. ", "Sig.ra ", "Dott. ", "Dott.ssa ", "Avv. "),
    "nl": ("dhr. ", "mevr. ", "meneer ", "mevrouw ", "dr. "),
    "pt": ("Sr. ", "Sra. ", "Dr. ", "Dra. ", "Dona "),
}
_NICKNAMES = (
    "Bob Rob Liz Beth Mike Mick Dave Steve Jen Jenny Kate Katie Tom Tommy Jim Jimmy Joe Dan Danny Matt Chris Alex Sam Nick Tony Ed "
    "Eddie Andy Pete Greg Jeff Tim Ben Becky Vicky Maggie Sue Debbie Cathy Abby Gabe Zach Josh Nate Max Leo Lena Toni Kathi Hansi "
    "Paco Pepe Lupe Nacho Chema Beto Gigi Pippo Kasia Gosia Asia Tomek Ania Jirka Honza Sasha Misha Natasha Kolya Raj Vicky Xiao"
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
_FAMILY_FIRST = frozenset({"x_ja", "x_zh", "x_ko", "x_vi", "vi_VN", "hu_HU"})
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
        "Medicaid Office {c}", "Department for Work and Pensions", "Amtsgericht {c}", "CAF", "Pôle emploi", "Agencia Tributaria",
    ),
    "org": (
        "{f} Inc", "{f} Ltd", "{f} GmbH", "{f} & Sons", "{f} Group", "{c} Logistics", "{f} Consulting", "{f} Technologies", "{f} Foods",
        "{f}tech", "{f} Labs", "{c} Energy", "{f} Systems", "{f} Design Studio", "{f} Bakery", "Café {f}", "{c} Football Club", "{f} AG",
        "{f} Motors", "{c} Airlines", "{f} S.A.", "{f} Holdings", "{c} Times", "{f} Construction", "{g}'s Garage", "Hotel {c}", "{f} BV",
    ),
}  # fmt: skip
_ORGS = (
    "Google Microsoft Apple Amazon Facebook Meta Netflix IBM Oracle SAP Siemens BMW Volkswagen Toyota Samsung Sony Tesla Walmart Tesco "
    "Aldi Lidl IKEA Starbucks Nike Adidas Pfizer Bayer Novartis Nestlé Unilever Shell BP Boeing Airbus Ryanair Lufthansa Vodafone "
    "Verizon Comcast Uber Airbnb Spotify PayPal Stripe Visa Mastercard Barclays HSBC Santander Deloitte KPMG Accenture NASA NATO WHO "
    "UNICEF FBI NHS BBC CNN Reuters FIFA UEFA Greenpeace Harvard MIT Stanford Oxfam Infosys Tata Wipro Huawei Alibaba Tencent LinkedIn "
    "Twitter Reddit GitHub OpenAI Nvidia Intel Cisco Costco Target FedEx UPS DHL Zara Carrefour Renault Bosch Philips Shopify Etsy"
).split()
_OWN_WORDS: Final[Mapping[str, str]] = {
    "disease": "diseases", "drug": "drugs", "treatment": "treatments", "test": "tests", "symptom": "symptoms",
    "nationality": "nationalities", "religion": "religions", "politics": "politics", "celebrity": "celebrities",
    "product": "products", "job": "jobs", "relation": "relations", "month_name_word": "name_words", "lang": "langs",
    "country": "countries",
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
                return self._of(self._place.city)
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
        given, family = self._of(self._place.given), self._family()
        if chance.random() < 0.03:
            given = self._of(_nicknames())
        elif chance.random() < 0.02:
            given = f"{given}-{self._of(self._place.given)}" if " " not in given else given
        made = Person(
            given=given,
            family=family,
            full=self._full_name(given, family),
            username=self._username(given, family),
            domain=self._domain(),
            title=chance.choice(_TITLES.get(self._language, _TITLES["en"])),
        )
        if number:
            self._people[number] = made
        return made

    def _family(self) -> str:
        chance, locale = self._chance, self._place.locale
        family, roll = self._of(self._place.family), chance.random()
        language = locale.partition("_")[0]
        if language in {"es", "pt"} and roll < 0.35:
            return f"{family} {self._of(self._place.family)}"
        if roll < 0.04 and " " not in family:
            return f"{family}-{self._of(self._place.family)}"
        if roll < (0.15 if language == "nl" else 0.06) and " " not in family and "'" not in family:
            return chance.choice(_PARTICLES.get(language, _PARTICLES["en"])) + family
        return family

    def _full_name(self, given: str, family: str) -> str:
        chance, roll = self._chance, self._chance.random()
        if self._place.locale in _FAMILY_FIRST and roll < 0.35:
            return f"{family} {given}"
        if roll < 0.72:
            return f"{given} {family}"
        initial = chance.choice("ABCDEFGHIJKLMNOPRSTVW")
        forms = (
            f"{given} {initial}. {family}",
            f"{given[0]}. {family}",
            f"{given[0]}. {initial}. {family}",
            f"{given} {self._of(self._place.given)} {family}",
            f"{family}, {given}",
            f"{given} {family}".lower(),
            f"{given} {family}".upper(),
            f"{given} {family[0]}.",
            f"{given} {family} {chance.choice(('Jr.', 'Sr.', 'III', 'II'))}",
            f"{given[0]}{initial} {family}",
            given,
            f"{given} {family}",
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
        if kind == "org" and roll < 0.6:
            return self._chance.choice(_ORGS) if roll < 0.2 else self._of(self._place.company)
        form = self._chance.choice(_ORG_FORMS[kind])
        names = {
            mark: self._of(values)
            for mark, values in (("g", self._place.given), ("c", self._place.city), ("r", self._place.region))
        }
        return form.format(f=self._of(self._place.family), f2=self._of(self._place.family), **names)

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
        """Street, postcode and what stands between them are one ADDRESS; a city after the postcode is a LOCATION."""
        street = material.renumbered(self._chance, self._of(self._place.street))
        city, code = (
            self._of(self._place.city),
            material.renumbered(self._chance, self._chance.choice(self._place.postcode)),
        )
        gap = "\n" if self._chance.random() < 0.15 else ", "
        if self._place.locale.partition("_")[0] in _POSTCODE_FIRST and not self._place.locale.endswith("_CA"):
            return _joined(" ", [_marked(f"{street}{gap}{code}", "ADDRESS"), _marked(city, "LOCATION")])
        between = f", {self._of(self._place.region)}" if self._place.locale == "en_US" else ""
        return _marked(f"{street}{gap}{city}{between}{self._chance.choice((' ', ', '))}{code}", "ADDRESS")


_FORM_SUMS = tuple(accumulate((5, 4, 1, 5, 3, 4, 1, 3, 1, 1, 3, 2)))
_BY_CHANCE: Final[Mapping[str, Callable[[random.Random, str], str]]] = {
    "date": moments.date,
    "date.short": moments.short_date,
    "date.words": moments.worded_date,
    "time": moments.time,
    "datetime": moments.date_and_time,
    "weekday": moments.weekday,
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
