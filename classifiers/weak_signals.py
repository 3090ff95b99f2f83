"""Weak signals of a country: the domain of an address, signs of currency, the way a date is written, the language."""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from governance.residency import COUNTRIES

# Top-level domains of countries that everybody uses, or that are no country's of ISO 3166.
_GENERIC_DOMAINS = frozenset(
    "io ai co me tv fm cc ws to gg ly so sh ac vc la st nu tk ml ga cf gq sc pw ms mn am im bz gl gd tf je cx pn mu".split()
)
_TOP_LEVEL = re.compile(r"\.([A-Za-z]{2})(?=$|[/:?#])")
_CURRENCIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "£": ("GB",), "GBP": ("GB",), "₹": ("IN",), "INR": ("IN",), "₽": ("RU",), "RUB": ("RU",), "₴": ("UA",), "UAH": ("UA",),
        "₺": ("TR",), "TRY ": ("TR",), "₩": ("KR",), "KRW": ("KR",), "₪": ("IL",), "ILS": ("IL",), "₫": ("VN",), "VND": ("VN",),
        "฿": ("TH",), "THB": ("TH",), "₱": ("PH",), "PHP ": ("PH",), "₦": ("NG",), "NGN": ("NG",), "R$": ("BR",), "BRL": ("BR",),
        "zł": ("PL",), "PLN": ("PL",), "Kč": ("CZ",), "CZK": ("CZ",), "HUF": ("HU",), "RON ": ("RO",), "лв": ("BG",), "BGN": ("BG",),
        "CHF": ("CH", "LI"), "SEK": ("SE",), "NOK": ("NO",), "DKK": ("DK",), "ISK": ("IS",), "JPY": ("JP",), "円": ("JP",), "元": ("CN",),
        "CNY": ("CN",), "HK$": ("HK",), "HKD": ("HK",), "NT$": ("TW",), "S$": ("SG",), "SGD": ("SG",), "A$": ("AU",), "AUD": ("AU",),
        "NZ$": ("NZ",), "NZD": ("NZ",), "C$": ("CA",), "CAD ": ("CA",), "MXN": ("MX",), "ARS ": ("AR",), "CLP": ("CL",), "COP ": ("CO",),
        "S/.": ("PE",), "PEN ": ("PE",), "UYU": ("UY",), "ZAR": ("ZA",), "KES": ("KE",), "KSh": ("KE",), "EGP": ("EG",), "MAD ": ("MA",),
        "AED": ("AE",), "SAR ": ("SA",), "MYR": ("MY",), "IDR": ("ID",), "Rp": ("ID",), "RSD": ("RS",), "BAM ": ("BA",), "₸": ("KZ",),
    }
)  # fmt: skip
# Words of a language that its neighbours do not have, and the countries where it is at home.
_LANGUAGES: tuple[tuple[str, str], ...] = (
    ("DE AT CH LI LU", "und ist nicht ich die der mit für auf eine bitte wir haben"),
    ("FR BE CH LU MC CA", "est les des une je pas dans pour avec vous nous sur mon"),
    ("ES MX AR CO CL PE UY EC VE BO GT CR DO PA PY SV HN NI CU", "el los las una está pero con para mi yo es mis muy"),
    ("IT CH SM", "il che di non una sono della con mio mia gli è ho"),
    ("PT BR", "não uma você meu minha com para os ao em está são é"),
    ("NL BE", "het een niet ik van mijn voor met zijn ook wij heb"),
    ("PL", "nie jest się mój moja proszę na do że mam dla od"),
    ("CZ", "že jsem není můj moje prosím jsou ve kde ale byl je bydlím bydlí děkuji mám"),
    ("SK", "že som nie je môj moja moje prosím sú vo kde ale bol bývam býva ďakujem mám"),
    ("HU", "és nem egy hogy van az vagyok kérem"),
    ("RO MD", "și este nu sunt pentru meu mea un care cu"),
    ("SE", "och är inte jag det en på med som mitt"),
    ("DK", "og er ikke jeg det af på med som mit"),
    ("NO", "og er ikke jeg det av på med som mitt"),
    ("FI", "ja on ei minun olen että se hän"),
    ("RS BA HR ME", "je nije moj moja sam za koji ili živim"),
    ("RU BY KZ", "и не мой моя мне что это как на я"),
    ("UA", "і не мій моя мені що це як та я"),
    ("BG", "и не моят моя съм е на се да"),
    ("GR CY", "και είναι δεν μου το η στη στην"),
    ("TR", "ve bir bu için ben benim değil var"),
    ("ID", "yang dan saya di tidak ini dengan untuk"),
    ("VN", "tôi và là của không có cho"),
)
# Scripts, and letters that one language alone has; where others have them as well, behind those.
_NON_LATIN_LANGUAGE = (
    ("JP", re.compile("[\u3041-\u30ff]")),
    ("KR", re.compile("[\uac00-\ud7a3]")),
    ("TH", re.compile("[\u0e01-\u0e5b]")),
    ("IL", re.compile("[\u05d0-\u05ea]")),
    ("GR CY", re.compile("[\u03b1-\u03c9]{3}")),
    ("ES MX AR CO CL PE", re.compile("[¿¡]")),
    ("CN", re.compile("[这们请话电机银护个为]")),
    ("TW HK JP", re.compile("[這們請話電機銀護個為]")),
    ("IN NP", re.compile("[\u0904-\u0939]")),
    ("BD IN", re.compile("[\u0985-\u09b9]")),
    ("GE", re.compile("[\u10d0-\u10f0]")),
    ("AM", re.compile("[\u0561-\u0586]")),
    ("PK", re.compile("[ٹڈڑںے]")),
    ("IR PK", re.compile("[پچژگ]")),
    ("EG SA AE IQ MA DZ", re.compile("[\u0621-\u064a]")),
    ("UA", re.compile("[їєґ]")),
    ("MK", re.compile("[ѓќѕ]")),
    ("RS ME BA", re.compile("[ђћџљњј]")),
    ("RU BY KZ", re.compile("[ыэё]")),
    ("BG", re.compile("ъ")),
)
# The same of words that begin with a small letter: names of other countries stand in any text.
_LATIN_LANGUAGE = (
    ("VN", re.compile("[ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")),
    ("IS", re.compile("þ")),
    ("HU", re.compile("[őű]")),
    ("PL", re.compile("[łńśź]")),
    ("CZ", re.compile("[řěů]")),
    ("SK", re.compile("[ľĺŕ]")),
    ("LV", re.compile("[ģķļņ]")),
    ("LT", re.compile("[ėįų]")),
    ("TR", re.compile("[ğı]")),
    ("RO MD", re.compile("[țșţ]")),
    ("PT BR", re.compile("ã")),
)
_WORD = re.compile(r"[^\W_]+")
# Whatever ends a word of ASCII, as a blank.
_APART = {each: " " for each in range(128) if not chr(each).isalnum()}
_US_DATE = re.compile(r"(?:0?[1-9]|1[0-2])/(?:1[3-9]|2[0-9]|3[01])/(?:19|20)?[0-9]{2}")
_CODES = tuple(sign for sign in _CURRENCIES if sign[:3].isupper() and sign[:3].isalpha() and sign.isascii())
_DOLLARS = tuple(sign for sign in _CURRENCIES if sign.endswith("$"))
_OTHER_SIGNS = tuple(sign for sign in _CURRENCIES if not sign.isascii())
_LETTERS = tuple(sorted(_CURRENCIES.keys() - {*_CODES, *_DOLLARS, *_OTHER_SIGNS}))
_CAPITALS = re.compile("[A-Z]{3,}")
_FEWEST_WORDS = 2
# Signs are looked for at the beginning of a text; further on they say the same again.
_REACH = 16_384

_OWN_WORDS = tuple((countries, frozenset(words.split())) for countries, words in _LANGUAGES)
LANGUAGE_WORDS = frozenset(word for _, words in _OWN_WORDS for word in words)


def of_domain(address: str) -> str | None:
    """The country of the top-level domain of an e-mail address or URL; None where it is one that everybody uses."""
    host = address.rpartition("@")[2].partition("://")[2] or address.rpartition("@")[2]
    match = _TOP_LEVEL.search(re.split(r"[/:?#]", host, maxsplit=1)[0])
    if match is None:
        return None
    domain = match[1].lower()
    code = "GB" if domain == "uk" else domain.upper()
    return code if code in COUNTRIES and domain not in _GENERIC_DOMAINS else None


def of_date(written: str) -> str | None:
    """US for a date that only Americans write."""
    return "US" if _US_DATE.fullmatch(written) else None


def of_currencies(text: str) -> Iterator[str]:
    """The countries of signs and codes of currencies in `text`; of those that many use (dollar, euro) none."""
    head = text[:_REACH]
    for sign in _likely_signs(head):
        if (at := head.find(sign)) >= 0 and not (sign[0].isalpha() and head[at - 1 : at].isalpha()):
            yield from _CURRENCIES[sign]


def _likely_signs(head: str) -> Iterator[str]:
    # Runs of capitals are little of a text: to look there for fifty codes is quick.
    capitals = " ".join(_CAPITALS.findall(head))
    yield from (sign for sign in _CODES if sign[:3] in capitals)
    yield from _LETTERS
    if "$" in head:
        yield from _DOLLARS
    if not head.isascii():
        yield from _OTHER_SIGNS


def spoken_in(text: str) -> str:
    """Countries, joined by blanks, where the language of `text` is spoken; empty where it cannot be told."""
    # Splitting at blanks takes a third of the time that finding words takes.
    words = text.lower().translate(_APART).split() if text.isascii() else _WORD.findall(text.casefold())
    return of_language(LANGUAGE_WORDS.intersection(words), text)


def of_language(words: Collection[str], text: str) -> str:
    """As `spoken_in`, of a text with `words` of LANGUAGE_WORDS."""
    counts = [(len(own.intersection(words)), countries) for countries, own in _OWN_WORDS]
    best = max(count for count, _ in counts)
    if best >= _FEWEST_WORDS:
        return " ".join(countries for count, countries in counts if count == best)
    if not text.isascii():
        for countries, script in _NON_LATIN_LANGUAGE:
            if script.search(text, 0, _REACH):
                return countries
        small = " ".join(word for word in _WORD.findall(text[:_REACH]) if word[0].islower())
        for countries, letters in _LATIN_LANGUAGE:
            if letters.search(small):
                return countries
    return ""
