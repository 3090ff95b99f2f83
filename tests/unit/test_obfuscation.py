"""The obfuscation matrix: forms in which values hide, against the whole detector, and texts that only look like them."""

# ruff: noqa: RUF001 - look-alikes are what this is about
from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import html
import json
import random
import time
import urllib.parse
import uuid
import zlib
from collections.abc import Callable

import pytest

from classifiers.reading import Reader
from governance.finding import DetectionStatus, Finding

Form = Callable[[str], str]

EMAIL = "jane.roe@example.com"
CARD = "4111 1111 1111 1111"
IBAN = "DE89 3704 0044 0532 0130 00"
SSN = "536-90-4399"
VALUES = {"EMAIL_ADDRESS": EMAIL, "CREDIT_CARD": CARD, "IBAN_CODE": IBAN, "US_SSN": SSN}
BEFORE = {
    "EMAIL_ADDRESS": "write to",
    "CREDIT_CARD": "my credit card is",
    "IBAN_CODE": "my iban is",
    "US_SSN": "my ssn is",
}
WORDS = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
    "pt": "zero um dois três quatro cinco seis sete oito nove",
    "nl": "nul een twee drie vier vijf zes zeven acht negen",
}
CYRILLIC = str.maketrans("aeopcxyBEHKMT", "аеорсхуВЕНКМТ")
GREEK = str.maketrans("oaBEKM", "οαΒΕΚΜ")
PLAIN_TO_BOLD = {ord("0") + each: 0x1D7CE + each for each in range(10)} | {
    ord(first) + each: start + each for first, start in (("A", 0x1D400), ("a", 0x1D41A)) for each in range(26)
}


def each(value: str, change: Callable[[str], str]) -> str:
    return "".join(map(change, value))


def between(value: str, separator: str) -> str:
    return separator.join(value)


def compact(value: str) -> str:
    return value.replace(" ", "")


def digits(value: str, start: int) -> str:
    return each(value, lambda one: chr(start + int(one)) if one.isdigit() else one)


def wide(value: str) -> str:
    return each(value, lambda one: chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one)


def halves(value: str, separator: str) -> str:
    middle = value.index("@") + 5 if "@" in value else len(value) // 2
    return value[:middle] + separator + value[middle:]


def thirds(value: str) -> list[str]:
    value = value if "@" in value else compact(value)
    third = -(-len(value) // 3)
    return [value[at : at + third] for at in range(0, len(value), third)]


def mixed(value: str, signs: str) -> str:
    """The groups of `value`, with one of `signs` after another between them."""
    first, *others = value.replace("-", " ").split()
    return first + "".join(signs[at % len(signs)] + group for at, group in enumerate(others))


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def spoken(value: str, language: str) -> str:
    words = WORDS[language].split()
    return " ".join(words[int(one)] for one in value if one.isdigit())


def rlo(value: str) -> str:
    return f"\u202e{value[::-1]}\u202c"


ANY: dict[str, Form] = {
    "plain": str,
    "fullwidth": wide,
    "mathematical bold": lambda value: value.translate(PLAIN_TO_BOLD),
    "zero width space": lambda value: between(value, "\u200b"),
    "one zero width joiner": lambda value: halves(value, "\u200d"),
    "word joiner": lambda value: between(value, "\u2060"),
    "soft hyphens": lambda value: between(value, "\u00ad"),
    "combining marks": lambda value: between(value, "\u0336") + "\u0336",
    "variation selectors": lambda value: between(value, "\ufe0f"),
    "tag characters": lambda value: "hi" + each(value, lambda one: chr(0xE0000 + ord(one))),
    "tag noise": lambda value: between(value, "\U000e0061"),
    "bidirectional marks": lambda value: between(value, "\u200e"),
    "right to left override": rlo,
    "controls": lambda value: between(value, "\x02"),
    "colours": lambda value: f"\x1b[1;31m{value}\x1b[0m",
    "colours within": lambda value: halves(value, "\x1b[38;5;196m\x1b[K"),
    "spaced": lambda value: between(compact(value), " "),
    "spaced with hyphens": lambda value: between(compact(value), "-") if "-" not in value else between(value, "_"),
    "spaced with underscores": lambda value: between(compact(value), "_"),
    "spaced with bars": lambda value: between(compact(value), "|"),
    "spaced over lines": lambda value: between(compact(value), "\n"),
    "spaced with commas": lambda value: between(compact(value), ", "),
    "spaced with semicolons": lambda value: between(compact(value), ";"),
    "spaced with bullets": lambda value: between(compact(value), " • "),
    "spaced with two blanks": lambda value: between(compact(value), "  "),
    "spaced over Windows lines": lambda value: between(compact(value), "\r\n"),
    "NUL between": lambda value: between(value, "\0"),
    "base64": encoded,
    "base64 without padding": lambda value: encoded(value).rstrip("="),
    "base64url": lambda value: base64.urlsafe_b64encode(f"{value}?>~".encode()).decode(),
    "base64 of a sentence": lambda value: encoded(f"Please note that this is it: {value}, thank you."),
    "base64 of JSON": lambda value: encoded(json.dumps({"kind": "x", "value": value})),
    "base64 twice": lambda value: encoded(encoded(value)),
    "base64 three times": lambda value: encoded(encoded(encoded(value))),
    "base64 with line breaks": lambda value: base64.encodebytes(f"{'A long preamble. ' * 6}{value} end".encode()).decode(),
    "base64 of UTF-16": lambda value: base64.b64encode(value.encode("utf-16-le")).decode(),
    "base64 in JSON with escaped slashes": lambda value: json.dumps({"d": encoded(value + "???")}).replace("/", "\\/"),
    "base64 in a path": lambda value: f"/api/v1/lookup/{encoded(value)}",
    "base64 in a query": lambda value: "https://example.com/?q=" + urllib.parse.quote(encoded(value)),
    "data URL": lambda value: f"data:text/plain;base64,{encoded(value)}",
    "data URL with percent": lambda value: f"data:text/plain,{each(value, lambda one: f'%{ord(one):02X}')}",
    "JWT claim": lambda value: ".".join(
        (encoded('{"alg":"HS256","typ":"JWT"}').rstrip("="), encoded(json.dumps({"v": value})).rstrip("="), "x" * 43)
    ),
    "basic authorisation": lambda value: f"Authorization: Basic {encoded(f'user:{value}')}",
    "gzip in base64": lambda value: base64.b64encode(gzip.compress(value.encode(), mtime=0)).decode(),
    "zlib in base64": lambda value: base64.b64encode(zlib.compress(value.encode())).decode(),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "hex in capitals": lambda value: value.encode().hex().upper(),
    "hex in pairs": lambda value: value.encode().hex(" "),
    "hex with colons": lambda value: value.encode().hex(":"),
    "hex with 0x": lambda value: ", ".join(f"0x{ord(one):02x}" for one in value),
    "hex of base64": lambda value: encoded(value).encode().hex(),
    "backslash x": lambda value: each(value, lambda one: f"\\x{ord(one):02x}"),
    "octal escapes": lambda value: each(value, lambda one: f"\\{ord(one):03o}"),
    "JSON escapes": lambda value: each(value, lambda one: f"\\u{ord(one):04x}"),
    "JSON escapes of some": lambda value: f"\\u{ord(value[0]):04x}" + value[1:-1] + f"\\u{ord(value[-1]):04x}",
    "JSON escapes, doubled": lambda value: each(value, lambda one: f"\\\\u{ord(one):04x}"),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"a": f"\n{value}"})),
    "braced escapes": lambda value: each(value, lambda one: f"\\u{{{ord(one):x}}}"),
    "percent of all": lambda value: each(value, lambda one: f"%{ord(one):02x}"),
    "percent": lambda value: urllib.parse.quote(value, safe=""),
    "percent twice": lambda value: urllib.parse.quote(urllib.parse.quote(value, safe=""), safe=""),
    "form field": lambda value: "a=1&b=" + urllib.parse.quote_plus(value) + "&c=3",
    "percent of fullwidth": lambda value: urllib.parse.quote(wide(value)),
    "HTML decimal": lambda value: each(value, lambda one: f"&#{ord(one)};"),
    "HTML hexadecimal": lambda value: each(value, lambda one: f"&#x{ord(one):x};"),
    "HTML without semicolons": lambda value: each(value, lambda one: f"&#{ord(one):03d}" if one.isalnum() else one),
    "HTML of some": lambda value: f"&#{ord(value[0])};" + value[1:-1] + f"&#{ord(value[-1])};",
    "HTML escaped twice": lambda value: html.escape(each(value, lambda one: f"&#{ord(one)};")),
    "HTML blanks": lambda value: value.replace(" ", "&nbsp;").replace("@", "&commat;").replace("-", "&hyphen;"),
    "quoted-printable": lambda value: each(value, lambda one: f"={ord(one):02X}"),
    "quoted-printable line": lambda value: halves(value, "=\n"),
    "mixed escapes": lambda value: f"\\u{ord(value[0]):04x}&#{ord(value[1])};%{ord(value[2]):02X}" + value[3:],
    "strings put together": lambda value: " + ".join(f'"{part}"' for part in thirds(value)),
    "fields put together": lambda value: json.dumps({f"v{at}": part for at, part in enumerate(thirds(value))}),
    "tags inside": lambda value: "<b>" + "</b><b>".join(thirds(value)) + "</b>",
    "binary": lambda value: " ".join(f"{ord(one):08b}" for one in value),
    "binary without blanks": lambda value: each(value, lambda one: f"{ord(one):08b}"),
    "character codes": lambda value: " ".join(str(ord(one)) for one in value),
    "character codes with commas": lambda value: ", ".join(str(ord(one)) for one in value),
    "calls of chr": lambda value: "+".join(f"chr({ord(one)})" for one in value),
    "code points": lambda value: " ".join(f"U+{ord(one):04X}" for one in value),
    "style sheet escapes": lambda value: each(value, lambda one: f"\\{ord(one):06x}"),
    "ASCII85": lambda value: base64.a85encode(value.encode(), adobe=True).decode(),
    "hex with one 0x": lambda value: "0x" + value.encode().hex(),
    "base32 in small letters": lambda value: base64.b32encode(value.encode()).decode().lower(),
    "rot13": lambda value: f"rot13: {codecs.encode(value, 'rot13')}",
}  # fmt: skip
NUMBERS: dict[str, Form] = {
    "Arabic-Indic digits": lambda value: digits(value, 0x660),
    "Persian digits": lambda value: digits(value, 0x6F0),
    "Devanagari digits": lambda value: digits(value, 0x966),
    "Thai digits": lambda value: digits(value, 0xE50),
    "superscript digits": lambda value: each(value, lambda one: "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(one)] if one.isdigit() else one),
    "circled digits": lambda value: each(value, lambda one: "⓪①②③④⑤⑥⑦⑧⑨"[int(one)] if one.isdigit() else one),
    "keycaps": lambda value: each(value, lambda one: f"{one}\ufe0f\u20e3" if one.isdigit() else one),
    "no-break spaces": lambda value: value.replace(" ", "\u00a0").replace("-", "\u2011"),
    "thin spaces": lambda value: value.replace(" ", "\u2009").replace("-", "\u2212"),
    "ideographic spaces": lambda value: value.replace(" ", "\u3000").replace("-", "\uff0d"),
    "en dashes": lambda value: value.replace(" ", "\u2013").replace("-", "\u2013"),
    "line end at a group": lambda value: halves(value, "\n") if "-" in value else "\n".join(value.rsplit(" ", 2)),
    "line end": lambda value: halves(compact(value), "\n"),
    "indented lines": lambda value: halves(compact(value), "\r\n    "),
    "mixed separators": lambda value: mixed(value, "./_"),
    "odd separators": lambda value: mixed(value, "#=~"),
    "glued to a label": lambda value: f"acct_{compact(value)}" if value == CARD else f"nr:{value}",
}
CARDS: dict[str, Form] = {
    "dots": lambda value: value.replace(" ", "."),
    "underscores": lambda value: value.replace(" ", "_"),
    "double blanks": lambda value: value.replace(" ", "  "),
    "spaced hyphens": lambda value: value.replace(" ", " - "),
    "bars": lambda value: value.replace(" ", "|"),
    "tabs": lambda value: value.replace(" ", "\t"),
    "bracketed groups": lambda value: " ".join(f"({group})" for group in value.split()),
    "in a URL": lambda value: f"https://example.com/pay?card={compact(value)}&x=1",
    "in code": lambda value: f'charge(card="{compact(value)}",amount=3)',
    **{f"words ({language})": lambda value, language=language: spoken(value, language) for language in WORDS},
    "words and digits": lambda value: " ".join(
        WORDS["en"].split()[int(one)] if at % 2 else one for at, one in enumerate(compact(value))
    ),
    "words (sv)": lambda _: "fyra ett ett ett ett ett ett ett ett ett ett ett ett ett ett ett",
    "words (pl)": lambda _: "cztery jeden jeden jeden jeden jeden jeden jeden jeden jeden jeden jeden jeden jeden jeden jeden",
    "arrows": lambda value: value.replace(" ", " -> "),
    "pictures": lambda value: value.replace(" ", " \U0001f449 "),
    "emphasis": lambda value: " ".join(f"**{part}**" if at % 2 else part for at, part in enumerate(value.split())),
    "words with double": lambda _: "four double one one double one double one triple one double one triple one",
    "spaced with number signs": lambda value: between(compact(value), "#"),
    "spaced with blanks and hyphens": lambda value: between(compact(value), " - "),
    "words with tabs": lambda value: spoken(value, "en").replace(" ", "\t"),
    "words with lines below": lambda value: spoken(value, "en").replace(" ", "_"),
    "words on Windows lines": lambda value: spoken(value, "en").replace(" ", "\r\n"),
    "words with hyphens": lambda value: spoken(value, "en").replace(" ", "-"),
    "words with commas": lambda value: spoken(value, "en").replace(" ", ", "),
}  # fmt: skip
ADDRESSES: dict[str, Form] = {
    "Cyrillic look-alikes": lambda value: value.translate(CYRILLIC),
    "Greek look-alikes": lambda value: value.translate(GREEK),
    "fullwidth at": lambda value: value.replace("@", "＠"),
    "small at": lambda value: value.replace("@", "﹫").replace(".com", "．com"),
    "ideographic stop": lambda value: value.replace(".com", "。com"),
    "small capitals": lambda value: value.translate(str.maketrans("janeroxmplc", "ᴊᴀɴᴇʀᴏxᴍᴘʟᴄ")),
    "[at] [dot]": lambda value: value.replace("@", " [at] ").replace(".com", " [dot] com"),
    "(at)": lambda value: value.replace("@", "(at)"),
    "{at} {dot}": lambda value: value.replace("@", "{at}").replace(".com", "{dot}com"),
    "<at>": lambda value: value.replace("@", " <at> ").replace(".com", " <dot> com"),
    "(AT) (DOT)": lambda value: value.replace("@", " (AT) ").replace(".com", " (DOT) com"),
    "at dot": lambda value: value.replace("@", " at ").replace(".com", " dot com"),
    "defanged": lambda value: value.replace("@", "[@]").replace(".com", "[.]com"),
    "(ät) (punkt)": lambda value: value.replace("@", "(at)").replace(".com", "(punkt)com"),
    "at between stars": lambda value: value.replace("@", " *at* ").replace(".com", " *dot* com"),
    "at between slashes": lambda value: value.replace("@", "/at/").replace(".com", "/dot/com"),
    "at sign": lambda value: value.replace("@", " at sign ").replace(".com", " dot com"),
    "[at-sign] [period]": lambda value: value.replace("@", "[at-sign]").replace(".com", "[period]com"),
    "arroba punto": lambda value: value.replace("@", " arroba ").replace(".com", " punto com"),
    "arobase point": lambda value: value.replace("@", " arobase ").replace(".com", " point com"),
    "blanks around at": lambda value: value.replace("@", " @ "),
    "blanks around at and dot": lambda value: value.replace("@", " @ ").replace(".com", " . com"),
    "line end behind at": lambda value: value.replace("@", "@\n"),
    "line end in the host": lambda value: value.replace(".com", ".\ncom"),
    "rot13 alone": lambda value: codecs.encode(value, "rot13"),
}
MATRIX: list[tuple[str, str, str]] = [
    (name, entity, f"Hello, {BEFORE[entity]} {form(VALUES[entity])} and that is all.")
    for forms, entities in (
        (ANY, VALUES),
        (NUMBERS, ("CREDIT_CARD", "IBAN_CODE", "US_SSN")),
        (CARDS, ("CREDIT_CARD",)),
        (ADDRESSES, ("EMAIL_ADDRESS",)),
    )
    for name, form in forms.items()
    for entity in entities
    # rot13 leaves digits as they are; an IBAN is no number that is spelled letter by letter over lines.
    if not (name == "rot13" and entity in ("CREDIT_CARD", "US_SSN"))
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def found(reader: Reader, text: str) -> tuple[Finding, ...]:
    reading = reader.read(text, deadline=time.monotonic() + 60)
    assert reading.status is DetectionStatus.COMPLETE
    return reading.findings


def table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"{name:40} {detail}" for name, detail in rows)


def test_nine_of_ten_forms_are_found(reader: Reader) -> None:
    """Every form with every kind of value it can hide; the bar is 90 %, over rows and over forms."""
    missed = [
        (name, entity)
        for name, entity, text in MATRIX
        if entity not in {each.entity_type for each in found(reader, text)}
    ]
    forms = {name for name, _, _ in MATRIX}
    whole = forms - {name for name, _ in missed}

    assert len(forms) >= 60
    assert len(missed) <= len(MATRIX) // 10, f"{len(missed)} of {len(MATRIX)} missed\n{table(missed)}"
    assert len(whole) >= 0.9 * len(forms), f"{len(forms) - len(whole)} of {len(forms)} forms\n{table(missed)}"


def test_what_is_reported_covers_the_value_and_little_else(reader: Reader) -> None:
    """Cutting out what was found leaves no third of the hidden value, and leaves the text around it alone."""
    kept = []
    for name, entity, text in MATRIX:
        spans = [each.span for each in found(reader, text) if each.entity_type == entity]
        rest = text
        for span in sorted(spans, key=lambda one: -one.start):
            rest = rest[: span.start] + rest[span.end :]
        if spans and not (rest.startswith("Hello, ") and rest.endswith(" and that is all.")):
            kept.append((name, f"{entity}: {rest!r}"))

    assert [] == kept


@pytest.mark.parametrize(
    ("text", "entity", "via"),
    [
        ("card 4OOO O566 5566 5556 please", "CREDIT_CARD", "look-alikes"),
        ("ring +44 2O 7946 O958 today", "PHONE_NUMBER", "look-alikes"),
        ("IBAN D E eight nine three seven zero four zero zero four four zero five three two zero one three zero zero zero", "IBAN_CODE", "words"),
        ("IBAN DE eight nine 3704 zero zero four four 0532 zero one three zero 00", "IBAN_CODE", "words"),
        ("IBAN DE89_3704/0044.0532~0130#00", "IBAN_CODE", "grouped"),
        ("phone +44|20|7946|0958", "PHONE_NUMBER", "grouped"),
        ("phone +44\t20\t79460958", "PHONE_NUMBER", "grouped"),
        ("SSN: 536, 90, 4399", "US_SSN", "grouped"),
        ("base64 over two strings: 'NDAwMCAwNTY2' + 'IDU1NjYgNTU1Ng=='", "CREDIT_CARD", "fragments>base64"),
        ("phone: =2B44=2020=207946=200958", "PHONE_NUMBER", "quoted-printable"),
        ("mail cm9zYS5saW5kQG1haWxi\nb3guY29t. Thanks", "EMAIL_ADDRESS", "base64"),
    ],
)  # fmt: skip
def test_a_form_is_named_by_what_was_undone(reader: Reader, text: str, entity: str, via: str) -> None:
    """Values in forms that mix ways of writing, each by itself."""
    assert (entity, via) in {(each.entity_type, each.via) for each in found(reader, text)}


@pytest.mark.parametrize(
    "text",
    [
        "model IO12 l5 O4711 lo22",
        "the ID one two three",
        "rows 12, 345, 678, 901 and 1001, 2002, 3003",
        "samples 45 52 67 101 99 87 70 65 90 44 38 41",
        "flags 11111111 00000000 11110000 10101010 00001111 11001100",
        "two of three say one to 2 at four 5",
        "see U+0041 and U+00E9, or <~ this ~>",
        "Handle: @kestrel_42\nName: somebody",
    ],
)
def test_what_only_looks_hidden_raises_nothing(reader: Reader, text: str) -> None:
    """Names of models, tables of numbers, code points of an alphabet, a handle at the end of its line."""
    assert [] == [each.entity_type for each in found(reader, text) if each.via]


def benign() -> list[str]:
    """Texts that look encoded or spelled out and hold nothing: a fixed seed, so that a failure can be repeated."""
    chance = random.Random(20)
    texts: list[str] = []
    for number in range(40):
        noise = chance.randbytes(60 + 40 * number)
        texts += [
            f"<img src='data:image/png;base64,{base64.b64encode(noise).decode()}'>",
            f"integrity sha256-{base64.b64encode(hashlib.sha256(noise).digest()).decode()} ok",
            f"commit {hashlib.sha1(noise).hexdigest()} Merge branch 'release-{number}'",
            f"sha256 {hashlib.sha256(noise).hexdigest()}  package-{number}.tar.gz",
            f"request {uuid.UUID(bytes=noise[:16])} took {number} ms on node-{number % 7}",
            f"https://example.com/search?q={urllib.parse.quote(f'blue shoes & socks size {number}')}&page={number}&lang=en",
            f"<p>Price:&nbsp;{number}&nbsp;&euro; &amp; more &ndash; see&#39;s <a href='/p/{number}'>page</a> &copy; 2024</p>",
            json.dumps(
                {
                    "ts": 1700000000 + number,
                    "level": "info",
                    "msg": f'job "{number}" done\n',
                    "path": f"C:\\tmp\\x{number}",
                }
            ),
            f"function a{number}(b,c){{return b[c]||(b[c]={{d:{number},e:'\\x1b[0m'}}),b.f.g(0x{number:x}f,c>>>{number % 32})}}",
            " ".join(str(chance.randrange(10)) for _ in range(chance.randrange(4, 60))),
            "\n".join(f"{chance.randrange(10_000):4d} {chance.randrange(100_000):5d}" for _ in range(12)),
            f"In the year {1900 + number} one of the two or three ships left at dawn; look at example.com (at noon).",
            f"It stopped at that point in time, at {number} points; call us at some point in May.",
            " | ".join(f"{chance.randrange(10_000):04d}" for _ in range(chance.randrange(5, 20))),
            base64.b64encode(json.dumps({"id": number, "total": chance.randrange(10**9)}).encode()).decode(),
            chance.randbytes(40).hex(" "),
        ]
    return texts


def test_benign_texts_raise_no_further_alarms(reader: Reader) -> None:
    """Under one alarm in two hundred that only a rewriting or a decoding raised."""
    texts = benign()
    alarms = [
        (f"{each.entity_type} via {each.via}", text[:120]) for text in texts for each in found(reader, text) if each.via
    ]

    assert len(texts) >= 300
    assert len(alarms) < 0.005 * len(texts), table(alarms)


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("blocked 203[.]0[.]113[.]77 again", "IP_ADDRESS", "203[.]0[.]113[.]77"),
        ("it answers on 203 dot 0 dot 113 dot 77 only", "IP_ADDRESS", "203 dot 0 dot 113 dot 77"),
        ("jane.roe{ a t }example{ d o t }com", "EMAIL_ADDRESS", "jane.roe{ a t }example{ d o t }com"),
        ("jane.roe AT-SIGN example PERIOD com", "EMAIL_ADDRESS", "jane.roe AT-SIGN example PERIOD com"),
        ("I am jane [dot] roe [at] example [dot] com here", "EMAIL_ADDRESS", "jane [dot] roe [at] example [dot] com"),
        ("I am jane dot m dot roe at example dot com here", "EMAIL_ADDRESS", "jane dot m dot roe at example dot com"),
        ("I am jane(dot)roe(at)example(dot)com here", "EMAIL_ADDRESS", "jane(dot)roe(at)example(dot)com"),
        ("I am jane dot roe@example.com here", "EMAIL_ADDRESS", "jane dot roe@example.com"),
        ("I am jane(dot)roe@example.com here", "EMAIL_ADDRESS", "jane(dot)roe@example.com"),
        ("soy juan punto perez arroba example punto com", "EMAIL_ADDRESS", "juan punto perez arroba example punto com"),
        ("mail jane.roe_at_example.com today", "EMAIL_ADDRESS", "jane.roe_at_example.com"),
        ("mail jane_at_example.com today", "EMAIL_ADDRESS", "jane_at_example.com"),
        ("mail jane.roe -at- example.com today", "EMAIL_ADDRESS", "jane.roe -at- example.com"),
        ("mail jane.roe *at* example.com today", "EMAIL_ADDRESS", "jane.roe *at* example.com"),
        ("mail jane.roe at example.com. It is new", "EMAIL_ADDRESS", "jane.roe at example.com"),
        ("mail jane.roe AT gmail.com today", "EMAIL_ADDRESS", "jane.roe AT gmail.com"),
        ("mail jane99 at gmail.com today", "EMAIL_ADDRESS", "jane99 at gmail.com"),
        ("mail jane.roe@@example.com today", "EMAIL_ADDRESS", "jane.roe@@example.com"),
        ("mail jane.roe@example .com today", "EMAIL_ADDRESS", "jane.roe@example .com"),
        ("mail jane.roe@example*dot*com today", "EMAIL_ADDRESS", "jane.roe@example*dot*com"),
        ("mail jane.roe@example(full stop)com today", "EMAIL_ADDRESS", "jane.roe@example(full stop)com"),
        ("the contact point info@example.com, dot", "EMAIL_ADDRESS", "info@example.com"),
        ("mail me: jane.roe\n@example.com", "EMAIL_ADDRESS", "jane.roe\n@example.com"),
        ("j**an**e.roe@ex*ample*.com", "EMAIL_ADDRESS", "j**an**e.roe@ex*ample*.com"),
        ("amex 3782|822463|10005", "CREDIT_CARD", "3782|822463|10005"),
        ("goes to DE89/3704/0044/0532/0130/00 then", "IBAN_CODE", "DE89/3704/0044/0532/0130/00"),
        ("postgres[:]//app[:]s3cr3tPw[at]db[.]example[.]net[:]5432/main", "CONNECTION_STRING", "postgres[:]//app[:]s3cr3tPw[at]db[.]example[.]net[:]5432/main"),
        ("t=cG9zdGdyZXM6Ly9hcHA6czNjcjN0UHdAZGIuZXhhbXBsZS5uZXQ6NTQzMi9tYWlu", "CONNECTION_STRING", "cG9zdGdyZXM6Ly9hcHA6czNjcjN0UHdAZGIuZXhhbXBsZS5uZXQ6NTQzMi9tYWlu"),
        ("card **4111** *1111* __1111__ _1111_", "CREDIT_CARD", "4111** *1111* __1111__ _1111"),
        ("iban ~~DE89~~ ~~3704~~ ~~0044~~ ~~0532~~ ~~0130~~ ~~00~~", "IBAN_CODE", "DE89~~ ~~3704~~ ~~0044~~ ~~0532~~ ~~0130~~ ~~00"),
        ("ring +49 `30` **901**820", "PHONE_NUMBER", "+49 `30` **901**820"),
        ("más tres cuatro nueve uno cuatro dos cero tres cero uno siete", "PHONE_NUMBER", "más tres cuatro nueve uno cuatro dos cero tres cero uno siete"),
        ("plus forty-nine, thirty, nine oh one, eight two oh", "PHONE_NUMBER", "plus forty-nine, thirty, nine oh one, eight two oh"),
        ("plus double four, twenty, seven nine four six, oh nine five eight", "PHONE_NUMBER", "plus double four, twenty, seven nine four six, oh nine five eight"),
    ],
)  # fmt: skip
def test_a_value_is_found_where_it_is_written(reader: Reader, text: str, entity: str, value: str) -> None:
    """Defanged, with marks of emphasis, with tens in words: the finding covers what hides it."""
    assert [(entity, value)] == [
        (each.entity_type, text[each.span.start : each.span.end]) for each in found(reader, text)
    ]


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("_john.doe@example.com_", "EMAIL_ADDRESS", "john.doe@example.com"),
        ("(_john_doe@example.com_)", "EMAIL_ADDRESS", "john_doe@example.com"),
        ("use _AKIAIOSFODNN7EXAMPLQ_ now", "API_KEY", "AKIAIOSFODNN7EXAMPLQ"),
        ("token _ghp_x7Kq2Lm9Zp4Rt6Vb8Nc1Hd3Jf5Gs0Wy2aQeU_", "API_KEY", "ghp_x7Kq2Lm9Zp4Rt6Vb8Nc1Hd3Jf5Gs0Wy2aQeU"),
        ("Pay with _4111 1111 1111 1111_ please", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("IBAN _DE89 3704 0044 0532 0130 00_", "IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
        ("SSN: __219-09-9998__", "US_SSN", "219-09-9998"),
        ("SSN: ___219-09-9998___!", "US_SSN", "219-09-9998"),
        ("**_my ssn is 219-09-9998_**", "US_SSN", "219-09-9998"),
    ],
)
def test_lines_below_that_emphasise_are_no_part_of_a_value(reader: Reader, text: str, entity: str, value: str) -> None:
    """Markdown: the finding is what stands between them."""
    assert [(entity, value)] == [
        (each.entity_type, text[each.span.start : each.span.end]) for each in found(reader, text)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "__init__(self, x1) and __main__",
        "snake_case_2 = _private_1 + trailing_3_",
        "my_219-09-9998_x",
        "_AKIAIOSFODNN7EXAMPLQ and _x",
        "x_ and john_AKIAIOSFODNN7EXAMPLQ_",
        "__AKIAIOSFODNN7EXAMPLQ_",
        "_ AKIAIOSFODNN7EXAMPLQx _",
    ],
)
def test_lines_below_in_names_emphasise_nothing(reader: Reader, text: str) -> None:
    """Names in programs, and lines without their counterpart."""
    assert () == found(reader, text)


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("4111 1111 1111 1111¹", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("①4111111111111111", "CREDIT_CARD", "4111111111111111"),
        ("mail me at john@example.com¹", "EMAIL_ADDRESS", "john@example.com"),
        ("john@example.comª", "EMAIL_ADDRESS", "john@example.com"),
        ("DE89 3704 0044 0532 0130 00¹", "IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
        ("DE⁸⁹ ³⁷⁰⁴ ⁰⁰⁴⁴ ⁰⁵³² ⁰¹³⁰ ⁰⁰", "IBAN_CODE", "DE⁸⁹ ³⁷⁰⁴ ⁰⁰⁴⁴ ⁰⁵³² ⁰¹³⁰ ⁰⁰"),
        ("AKIAIOSFODNN7EXAMPLQ¹", "API_KEY", "AKIAIOSFODNN7EXAMPLQ"),
        ("SSN 219-09-9998²", "US_SSN", "219-09-9998"),
        ("SSN ②①⑨-⓪⑨-⑨⑨⑨⑧", "US_SSN", "②①⑨-⓪⑨-⑨⑨⑨⑧"),
    ],
)
def test_the_sign_of_a_footnote_is_no_part_of_a_value(reader: Reader, text: str, entity: str, value: str) -> None:
    """Beside a value; a number written in such digits is one still."""
    assert [(entity, value)] == [
        (each.entity_type, text[each.span.start : each.span.end]) for each in found(reader, text)
    ]


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("4111\u00c2\u00a01111\u00c2\u00a01111\u00c2\u00a01111", "CREDIT_CARD"),
        ("4111\u00c2 1111\u00c2 1111\u00c2 1111", "CREDIT_CARD"),
        ("4111â€“1111â€“1111â€“1111", "CREDIT_CARD"),
        ("DE89\u00c2\u00a03704\u00c2\u00a00044\u00c2\u00a00532\u00c2\u00a00130\u00c2\u00a000", "IBAN_CODE"),
    ],
)
def test_a_number_in_the_wrong_encoding_is_found_whole(reader: Reader, text: str, entity: str) -> None:
    """Blanks and dashes of which the UTF-8 was read as Windows-1252."""
    assert [(entity, text)] == [
        (each.entity_type, text[each.span.start : each.span.end]) for each in found(reader, text)
    ]


def test_all_kinds_of_values_in_one_carrier_are_reported(reader: Reader) -> None:
    """Each with the span of the carrier; what is part of another is not."""
    carrier = encoded(json.dumps({"mail": EMAIL, "card": CARD, "db": "postgres://app:s3cr3tPw@db.example.net/main"}))
    kinds = {
        (each.entity_type, f"see {carrier} "[each.span.start : each.span.end])
        for each in found(reader, f"see {carrier} ")
    }

    assert {(kind, carrier) for kind in ("CONNECTION_STRING", "CREDIT_CARD", "EMAIL_ADDRESS")} == kinds


@pytest.mark.parametrize(
    "text",
    [
        "versions 1[.]2 and 3[.]4 of it",
        "arrived at work period. Then at noon period",
        "thanks a lot\n@example_user for the review",
        "**12** eggs, *34* spoons, `56` cups and __78__ pans",
        "twenty, thirty, forty-nine sheep and fifty-one goats",
        "2 dot 5 and 3 dot 7 are the ratios",
        "he's at home. It was late",
        "we are at node.js and at noon",
        "foo_at_bar.py and image_at_2x.png, snapshot_at_noon.zip",
        "obj.value_at_index.name = self.value_at_index.id",
        "x = a.b at c.d in it",
        "select @@global.sql_mode, @@session.id",
        "thanks @bob. It runs",
    ],
)
def test_the_same_signs_hide_nothing_elsewhere(reader: Reader, text: str) -> None:
    """Numbers of other things, and words."""
    assert () == found(reader, text)


@pytest.mark.parametrize(
    "text",
    [
        "meet at example.com",
        "look at gmail.com",
        "version 2 at example.com",
        "python3 at python.org, v3.11 at python.org",
        "see setup.py at github.com, node.js at nodejs.org",
        "we looked *at* example.com and _at_ example.org",
        "www.life-at-google.com, e.g. at example.com",
        "we met at example.com. It has a dot",
        "It was late.Look at gmail.com",
    ],
)
def test_a_site_that_something_is_at_is_no_address(reader: Reader, text: str) -> None:
    """Names of sites behind a word, a number, a file or an abbreviation."""
    assert {"URL"} == {each.entity_type for each in found(reader, text)}


@pytest.mark.parametrize(
    "text",
    [
        f"weights = [{', '.join(compact(CARD))}]",
        f"f({', '.join(compact(CARD))})",
        f"| {' | '.join(compact(CARD))} |",
        "ratings: 4, 5, 3, 4, 5, 5, 4, 3, 4, 5, 5 and so on",
        "sets: 6 - 4, 3 - 6, 7 - 5; games 1 - 0, 2 - 2, 0 - 1, 3 - 1",
        "a  b  c  d  e  f  g\n1  2  3  4  5  6  7\n8  9  1  2  3  4  5",
        "• a\r\n• b\r\n• c\r\n• d\r\n• e\r\n• f\r\n• g\r\n• h",
        "prices 1; 2; 3; 4; 5; 6; 7; 8 and #1 #2 #3 #4 #5 #6 #7 #8",
        "for(i=0;i<9;i++){a;b;c;d;e;f;g;h}",
        "test_one_two_three_four_five_six_seven_eight",
    ],
)
def test_lists_of_small_numbers_and_letters_are_none(reader: Reader, text: str) -> None:
    """Lists in code, rows of tables, bullets, scores and prices."""
    assert () == found(reader, text)
