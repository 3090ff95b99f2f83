"""Texts that hold identifiers, made from the rules' own examples, and texts that only look as if they did."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import string
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from classifiers.checks.table import checks, countries
from classifiers.normalisation import fold
from classifiers.rules import Rule

_CLASSES = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
_MOST_TRIES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A value in a text: `text[start:end]`, and the country that it points to."""

    text: str
    start: int
    end: int
    country: str | None

    @property
    def value(self) -> str:
        """The value as it stands in the text."""
        return self.text[self.start : self.end]


@functools.cache
def _patterns(rule: Rule) -> tuple[re.Pattern[bytes], ...]:
    return tuple(re.compile(each.encode(), re.IGNORECASE if rule.caseless else 0) for each in rule.expressions)


def value_range(rule: Rule, example: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what the check sees) of the value in `example`, which is all that the rule's shape takes."""
    if rule.digits:
        if (number := rule.number(example)) is not None:
            yield 0, len(example), number
        return
    for pattern in _patterns(rule):
        match = pattern.fullmatch(example.encode("ascii", "replace"))
        if match is not None:
            start, end = match.span(pattern.groups)
            yield start, end, match[0 if rule.whole else pattern.groups].decode()


def accepted(rule: Rule, example: str) -> tuple[int, int, str] | None:
    """The range of the value and what the check sees of it, if shape and check accept `example`."""
    check = checks()[rule.check] if rule.check else lambda _: True
    return next((found for found in value_range(rule, example) if check(found[2])), None)


def _mutated(text: str, start: int, end: int, rng: Random, many: int) -> str:
    """`text` with up to `many` characters of `[start:end]` replaced by others of their kind."""
    characters = list(text)
    for _ in range(many):
        at = rng.randrange(start, end)
        for kind in _CLASSES:
            if characters[at] in kind:
                characters[at] = rng.choice(kind)
    return "".join(characters)


def fresh(rule: Rule, rng: Random, count: int) -> list[str]:
    """Up to `count` further examples that shape and check accept, by changing the rule's valid ones."""
    made: dict[str, None] = {}
    examples = [each for each in rule.valid if accepted(rule, each)]
    current = rng.choice(examples)
    for _ in range(_MOST_TRIES):
        if len(made) == count:
            break
        found = accepted(rule, current)
        assert found is not None
        candidate = _mutated(current, found[0], found[1], rng, rng.choice((1, 2, 2, 3, 4)))
        if candidate not in made and candidate not in rule.valid and accepted(rule, candidate):
            made[candidate] = None
            current = rng.choice((candidate, rng.choice(examples)))
    return list(made)


def broken(rule: Rule, example: str, rng: Random) -> str | None:
    """`example` with one character of its value changed so that it keeps the shape and fails the check, if it can."""
    found = accepted(rule, example)
    assert found is not None
    for _ in range(200):
        candidate = _mutated(example, found[0], found[1], rng, 1)
        if any(value_range(rule, candidate)) and accepted(rule, candidate) is None:
            return candidate
    return None


@functools.cache
def templates(rule: Rule) -> tuple[tuple[str, str], ...]:
    """What stands before and behind the value in the rule's own sentences."""
    found = []
    for sentence in rule.found:
        view = fold(sentence)
        if rule.digits:
            ranges = [match.span() for match in re.finditer(rb"[0-9]+(?:[ ./-][0-9]+)*", view.scan)]
        else:
            ranges = [match.span() for pattern in _patterns(rule) for match in pattern.finditer(view.scan)]
        for start, end in ranges:
            if accepted(rule, view.scan[start:end].decode("latin-1")):
                span = view.span(start, end)
                found.append((sentence[: span.start], sentence[span.end :]))
                break
    return tuple(found)


def sentence(rule: Rule, example: str, rng: Random) -> Specimen:
    """`example` where its rule expects it: in one of the rule's sentences, or behind one of its context words."""
    places = list(templates(rule))
    places += [(f"{word.rstrip('*')}: ", ", thanks") for word in rule.context]
    before, after = rng.choice(places or [("Here it is: ", " - thanks")])
    found = next(value_range(rule, example))
    by = countries()[rule.country_by](found[2]) if rule.country_by else None
    at = len(before)
    return Specimen(text=before + example + after, start=at + found[0], end=at + found[1], country=by or rule.country)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of text without personal data; `holds` are the entities that it holds in truth."""

    write: Callable[[Random], str]
    holds: frozenset[str] = frozenset()


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _hex(rng: Random, count: int) -> str:
    return "".join(rng.choices("0123456789abcdef", k=count))


def _capitals(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=count))


def _mixed(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=count))


def _code(rng: Random, form: str) -> str:
    """`form` with its `#` as digits, its `@` as capitals, its `%` as either."""
    both = string.ascii_uppercase + string.digits
    kinds = {"#": string.digits, "@": string.ascii_uppercase, "%": both}
    return "".join(rng.choice(kinds[each]) if each in kinds else each for each in form)


def _day(rng: Random) -> str:
    return f"{rng.randint(2015, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def _clock(rng: Random) -> str:
    return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"


def _address(rng: Random) -> str:
    return ".".join(str(rng.randint(1, 254)) for _ in range(4))


def _uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _base64(rng: Random, count: int) -> str:
    return base64.b64encode(rng.randbytes(count)).decode()


def _any(rng: Random, *forms: str) -> str:
    return rng.choice(forms)


def _hashes(rng: Random) -> str:
    name, size = rng.choice((("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128), ("crc32", 8)))
    return _any(
        rng,
        f"The {name} of the image should be {_hex(rng, size)}, but I get {_hex(rng, size)}.",
        f"{_hex(rng, size)}  ubuntu-24.04.{rng.randint(1, 9)}-live-server-amd64.iso",
        f"Prüfsumme ({name.upper()}): {_hex(rng, size).upper()}",
        f'"checksum": "{name}:{_hex(rng, size)}"',
    )


def _uuids(rng: Random) -> str:
    return _any(
        rng,
        f"Why does request {_uuid(rng)} time out?",
        f'{{"id": "{_uuid(rng)}", "parent": "{_uuid(rng)}"}}',
        f"la demande {_uuid(rng).upper()} est close",
        f"correlationId={_uuid(rng)} traceparent=00-{_hex(rng, 32)}-{_hex(rng, 16)}-01",
    )


def _commits(rng: Random) -> str:
    return _any(
        rng,
        f"commit {_hex(rng, 40)}\n\n    Fix the build\n\ncommit {_hex(rng, 40)}",
        f"Reverts {_hex(rng, 7)} and {_hex(rng, 8)}; see also #{rng.randint(1, 99999)}.",
        f"git cherry-pick {_hex(rng, 12)}..{_hex(rng, 12)}",
        f"index {_hex(rng, 7)}..{_hex(rng, 7)} 100644\n@@ -{rng.randint(1, 999)},7 +{rng.randint(1, 999)},9 @@ def read(self):",
    )


def _orders(rng: Random) -> str:
    number = _code(
        rng,
        rng.choice(
            ("########", "##########", "@@-######", "###-#######-#######", "@@@########", "#### ####", "############")
        ),
    )
    return _any(
        rng,
        f"Where is my order {number}? It was due last week.",
        f"Bestellung {number} ist noch nicht angekommen.",
        f"Ma commande n° {number} est en retard.",
        f"Mi pedido {number} llegó roto.",
        f"Zamówienie nr {number} zostało wysłane.",
        f"Bestelling {number} is geannuleerd; ticket INC{_digits(rng, 7)}.",
        f"注文番号 {number} を確認してください",
        f"Invoice {number} for purchase order PO-{_digits(rng, 6)}",
    )


def _long_numbers(rng: Random) -> str:
    number = _digits(rng, rng.randint(13, 20))
    word = rng.choice(
        (
            "order",
            "tracking number",
            "invoice",
            "transaction",
            "request",
            "Sendungsnummer",
            "pedido",
            "commande",
            "trace",
            "batch",
            "build",
            "job",
            "message id",
        )
    )
    return _any(
        rng, f"The {word} is {number}.", f'{{"{word.replace(" ", "_")}": {number}}}', f"{word} {number} failed twice"
    )


def _timestamps(rng: Random) -> str:
    seconds = rng.randint(1_500_000_000, 1_900_000_000)
    millis = seconds * 1000 + rng.randint(0, 999)
    return _any(
        rng,
        f"Convert {seconds} to a date please.",
        f'{{"created": {seconds}, "updated_at": {millis}}}',
        f"ts={millis * 1000 + rng.randint(0, 999)} level=info",
        f"What is {millis * 1_000_000} in nanoseconds since the epoch?",
        f"expires={seconds}.{_digits(rng, 6)}; Path=/",
    )


def _times(rng: Random) -> str:
    return _any(
        rng,
        f"The meeting moved from {_day(rng)} to {_day(rng)} at {_clock(rng)}.",
        f"{_day(rng)}T{_clock(rng)}.{_digits(rng, 6)}+02:00 started",
        f"vom {rng.randint(1, 28)}.{rng.randint(1, 12)}.2024 bis {rng.randint(1, 28)}.{rng.randint(1, 12)}.2025",
        f"{rng.randint(1, 12)}/{rng.randint(1, 28)}/2023 {_clock(rng)} backup finished",
    )


def _versions(rng: Random) -> str:
    version = ".".join(str(rng.randint(0, 40)) for _ in range(rng.randint(2, 4)))
    return _any(
        rng,
        f"We are on version {version} and want to move to {rng.randint(1, 20)}.{rng.randint(0, 99)}.{rng.randint(0, 9)}-rc.{rng.randint(1, 9)}.",
        f"numpy=={version}\npandas>={rng.randint(1, 3)}.{rng.randint(0, 30)}.0,<{rng.randint(3, 5)}",
        f"Windows 10.0.{rng.randint(10000, 26000)}.{rng.randint(1, 5000)}, driver {rng.randint(400, 600)}.{_digits(rng, 2)}",
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{rng.randint(80, 140)}.0.{_digits(rng, 4)}.{_digits(rng, 3)}",
    )


def _pictures(rng: Random) -> str:
    raw = _base64(rng, rng.randint(120, 900))
    return _any(
        rng,
        f'<img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA{raw}">',
        f"What is in this picture? data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ{raw}",
        f"src: url(data:font/woff2;base64,d09GMgABAAAAA{raw})",
    )


def _minified(rng: Random) -> str:
    names = [rng.choice(string.ascii_letters) + rng.choice(string.ascii_letters) for _ in range(30)]
    parts = [
        _any(
            rng,
            f"function {name}(t,e){{return t<<{rng.randint(1, 31)}|e>>>{rng.randint(1, 31)}}}",
            f"var {name}=0x{_hex(rng, 8)},{name}1=[{','.join(str(rng.randint(0, 1 << 31)) for _ in range(4))}];",
            f"!function({name}){{{name}.exports={rng.randint(0, 9999)}}}({rng.randint(1, 999)});",
            f'{name}.p="static/js/{rng.randint(1, 99)}.{_hex(rng, 8)}.chunk.js",',
            f"{name}={rng.random():.16f}*Math.pow(10,{rng.randint(1, 20)}),",
        )
        for name in names
    ]
    return "Why does this fail?\n" + "".join(parts)


def _access_logs(rng: Random) -> str:
    return "\n".join(
        f'{_address(rng)} - - [{rng.randint(1, 28):02}/Mar/2024:{_clock(rng)} +0000] "GET /assets/{_hex(rng, 8)}.js HTTP/1.1" 200 {rng.randint(100, 999999)}'
        for _ in range(4)
    )


def _service_logs(rng: Random) -> str:
    return "\n".join(
        _any(
            rng,
            f"{_day(rng)} {_clock(rng)},{_digits(rng, 3)} ERROR [pool-{rng.randint(1, 9)}-thread-{rng.randint(1, 40)}] c.a.Worker - job {_digits(rng, 8)} took {rng.randint(1, 99999)} ms",
            f'{{"level":"warn","ts":{rng.randint(1_600_000_000, 1_800_000_000)}.{_digits(rng, 7)},"span":"{_hex(rng, 16)}","pid":{rng.randint(1, 65535)},"msg":"retry"}}',
            f"I{_digits(rng, 4)} {_clock(rng)}.{_digits(rng, 6)}   {rng.randint(1, 99999)} reflector.go:{rng.randint(1, 999)}] sync",
            f"[{rng.randint(1, 99999)}.{_digits(rng, 6)}] usb {rng.randint(1, 9)}-{rng.randint(1, 9)}: new device number {rng.randint(1, 99)}, idVendor={_hex(rng, 4)}, idProduct={_hex(rng, 4)}",
        )
        for _ in range(5)
    )


def _parts(rng: Random) -> str:
    part = _code(
        rng,
        rng.choice(
            (
                "###-###-####",
                "###-####",
                "####-###-###",
                "##-####-##",
                "@##-####-###",
                "### ### ###",
                "#### #### ####",
                "###.###.####.##",
                "@@#####@",
                "##@###-@#",
                "0###-###-###",
                "@@@-####-@@",
            )
        ),
    )
    return _any(
        rng,
        f"Do you stock part {part}? I need two.",
        f"Ersatzteil {part} passt nicht in die Waschmaschine.",
        f"P/N {part} rev {rng.choice(string.ascii_uppercase)}",
        f"the filter with the number {part} from the catalogue",
        f"référence {part}, quantité {rng.randint(1, 90)}",
    )


def _tables(rng: Random) -> str:
    separator = rng.choice((",", "\t", " | ", ";", "  ", " "))
    form = rng.choice(("#", "###", "#####", "##.##", "####.#", "########", "#.######"))
    rows = [separator.join(_code(rng, form) for _ in range(6)) for _ in range(5)]
    return _any(rng, "Sum up the columns:\n", "Was ist der Mittelwert?\n", "id value a b c d\n") + "\n".join(rows)


def _amounts(rng: Random) -> str:
    thousands = [f"{rng.randint(1, 999)}", *(_digits(rng, 3) for _ in range(rng.randint(1, 3)))]
    joint = rng.choice((",", ".", " ", "'"))
    return _any(
        rng,
        f"Revenue grew to {joint.join(thousands)} in the third quarter.",
        f"Die Kosten liegen bei {joint.join(thousands)},{_digits(rng, 2)} EUR netto.",
        f"Le budget est de {joint.join(thousands)} € pour 2025.",
        f"between $1,{_digits(rng, 3)} and ${joint.join(thousands)} or {rng.randint(1, 99)}.{_digits(rng, 2)}%",
        f"The city has {joint.join(thousands)} inhabitants; {rng.randint(1, 99)} {_digits(rng, 3)} more than in 2010.",
    )


def _isbns(rng: Random) -> str:
    core = "978" + _digits(rng, 9)
    total = sum(int(each) * (1, 3)[at % 2] for at, each in enumerate(core))
    thirteen = core + str(-total % 10)
    grouped = f"{thirteen[:3]}-{thirteen[3]}-{thirteen[4:7]}-{thirteen[7:12]}-{thirteen[12]}"
    return _any(
        rng,
        f"Do you have ISBN {grouped}?",
        f"ISBN-13: {thirteen}",
        f"the book ({grouped}) is out of print",
        f"isbn {thirteen[3:12]}X",
    )


def _parcels(rng: Random) -> str:
    number = rng.choice(
        (
            f"1Z{_code(rng, '%%%%%%')}{_digits(rng, 10)}",
            _digits(rng, 12),
            _digits(rng, 10),
            _digits(rng, 20),
            "9400" + _digits(rng, 18),
            f"{_capitals(rng, 2)}{_digits(rng, 9)}{_capitals(rng, 2)}",
            f"JD{_digits(rng, 18)}",
        )
    )
    return _any(
        rng,
        f"Your parcel {number} is on its way.",
        f"tracking number {number} shows no movement since Monday",
        f"Sendungsnummer: {number}",
        f"Numéro de suivi {number}",
        f"https://track.example.org/?n={number}",
    )


def _coordinates(rng: Random) -> str:
    east, north = rng.uniform(-180, 180), rng.uniform(-90, 90)
    return _any(
        rng,
        f"M {east:.3f} {north:.3f} L {east + 1:.3f} {north + 2:.3f} C {east:.2f},{north:.2f} {rng.uniform(0, 99):.2f},{rng.uniform(0, 99):.2f} 4,5 Z",
        f"transform: translate3d({east:.4f}px, {north:.4f}px, 0) rotate({rng.uniform(0, 360):.2f}deg)",
        f"vertices = [({east:.6f}, {north:.6f}, {rng.random():.6f}), ({rng.random():.6f}, {rng.random():.6f}, 1.0)]",
        f"np.array([[{east:.8f}, {north:.8f}], [{rng.random():.8f}, {rng.random():.8f}]])",
        f"draw.rectangle([({rng.randint(0, 2000)}, {rng.randint(0, 2000)}), ({rng.randint(0, 2000)}, {rng.randint(0, 2000)})])",
    )


def _locks(rng: Random) -> str:
    name = rng.choice(("left-pad", "serde", "requests", "lodash", "tokio", "@babel/core"))
    return _any(
        rng,
        f'"node_modules/{name}": {{\n  "version": "4.{rng.randint(0, 99)}.1",\n  "integrity": "sha512-{_base64(rng, 64)}"\n}}',
        f'[[package]]\nname = "{name}"\nversion = "1.0.{rng.randint(0, 200)}"\nchecksum = "{_hex(rng, 64)}"',
        f"{name}==2.{rng.randint(0, 40)}.0 \\\n    --hash=sha256:{_hex(rng, 64)} \\\n    --hash=sha256:{_hex(rng, 64)}",
        f"github.com/pkg/{name} v0.0.0-2024{_digits(rng, 10)}-{_hex(rng, 12)} h1:{_base64(rng, 32)}",
    )


def _floats(rng: Random) -> str:
    return "loss: " + ", ".join(f"{rng.gauss(0, 10 ** rng.randint(-6, 6)):.{rng.randint(2, 15)}g}" for _ in range(12))


def _statements(rng: Random) -> str:
    rows = ", ".join(
        f"({rng.randint(1, 10**8)}, 'item-{_digits(rng, 5)}', {rng.randint(1, 10**10)}, NULL)" for _ in range(3)
    )
    return _any(
        rng,
        f"INSERT INTO items VALUES {rows};",
        f"SELECT * FROM t WHERE id IN ({', '.join(_digits(rng, rng.randint(6, 11)) for _ in range(6))})",
    )


def _dumps(rng: Random) -> str:
    return "\n".join(
        f"{at * 16:08x}  " + " ".join(_hex(rng, 2) for _ in range(16)) + "  |" + "." * 16 + "|" for at in range(4)
    )


def _traces(rng: Random) -> str:
    return "\n".join(
        _any(
            rng,
            f'  File "/usr/lib/python3.11/site-packages/app/worker.py", line {rng.randint(1, 4000)}, in run_{rng.randint(1, 99)}',
            f"    at com.example.Service$Inner.call(Service.java:{rng.randint(1, 4000)}) ~[app-1.{rng.randint(0, 99)}.jar:?]",
            f"#{rng.randint(0, 20)}  0x{_hex(rng, 16)} in main () from /lib64/libc.so.6",
            f"goroutine {rng.randint(1, 9999)} [running]: main.main() /go/src/main.go:{rng.randint(1, 999)} +0x{_hex(rng, 3)}",
        )
        for _ in range(5)
    )


def _barcodes(rng: Random) -> str:
    core = _digits(rng, 12)
    total = sum(int(each) * (1, 3)[at % 2] for at, each in enumerate(core))
    return _any(
        rng,
        f"EAN {core}{-total % 10} is not in the system",
        f"Artikel {_digits(rng, 8)}, GTIN {core}{-total % 10}",
        f"UPC: {_digits(rng, 12)}",
        f"SKU {_code(rng, '@@@-####-@@')} ({_digits(rng, 6)})",
    )


def _prose(rng: Random) -> str:
    number, other = rng.randint(2, 9), rng.randint(10, 99)
    return _any(
        rng,
        f"Explain the difference between a passport and a driving licence in {number} sentences.",
        f"Room A{other} on floor {number} is free in H1 2025, but not A1 or H{number}.",
        f"The score was {other}-{number} after {other * 2} minutes, the best of {number} seasons since 19{other}.",
        f"Was ist der Unterschied zwischen Steuernummer und Steuer-ID? Bitte in {number} Punkten.",
        f"Comment fonctionne le numéro de sécurité sociale ? Il a 15 chiffres, dont {number} pour l'année.",
        f"How many digits does a credit card number have, 13, 14, 15, 16 or 1{number}?",
        f"Chapter {number}, verses {other} to {other + 5}; see pages {other * 3}, {other * 4} and {other * 5}.",
        f"Mix {other} g of flour with {number * 100} ml of water at {other + 100} °C for {number} minutes.",
        f"Take bus M{other} or tram {number} to platform {number}B, then line U{number}.",
        f"¿Cuánto es {other} por {number} más {other * 17}? Y ¿en qué año fue, 19{other} o 20{number}{number}?",
        f"A4, B{number}, C{other}: which cells does =SUM(A1:C{other}) read?",
        f"The GTX {number}080 and the RTX 40{other} draw {other * 5} W each; model X{number}-{other}.",
    )


def _references(rng: Random) -> str:
    return _any(
        rng,
        f"See doi:10.{_digits(rng, 4)}/s{_digits(rng, 5)}-02{_digits(rng, 1)}-{_digits(rng, 5)}-{rng.choice(string.ascii_lowercase)} and arXiv:2{_digits(rng, 3)}.{_digits(rng, 5)}.",
        f"RFC {rng.randint(1000, 9999)}, section {rng.randint(1, 9)}.{rng.randint(1, 9)}; ISO {rng.randint(1000, 30000)}-{rng.randint(1, 9)}:20{_digits(rng, 2)}",
        f"§ {rng.randint(1, 2000)} Abs. {rng.randint(1, 5)} BGB, 42 U.S.C. § {rng.randint(100, 2000)}, {rng.randint(100, 600)} F.3d {rng.randint(1, 1500)}",
        f"CVE-202{_digits(rng, 1)}-{_digits(rng, 5)} (GHSA-{_hex(rng, 4)}-{_hex(rng, 4)}-{_hex(rng, 4)}) and CWE-{_digits(rng, 3)}",
        f"PMID {_digits(rng, 8)}; ISSN {_digits(rng, 4)}-{_digits(rng, 4)}; vol. {rng.randint(1, 99)}, pp. {rng.randint(1, 500)}-{rng.randint(500, 999)}",
        f"Az. {rng.randint(1, 20)} C {rng.randint(1, 999)}/24, Rechtssache C-{rng.randint(1, 999)}/{rng.randint(10, 24)}",
    )


def _flights(rng: Random) -> str:
    return _any(
        rng,
        f"Flight {_capitals(rng, 2)}{_digits(rng, 4)} boards at gate {rng.choice('ABCD')}{rng.randint(1, 60)}, seat {rng.randint(1, 40)}{rng.choice('ABCDEF')}.",
        f"ICE {rng.randint(100, 999)} nach Köln, Wagen {rng.randint(1, 14)}, Platz {rng.randint(1, 120)}",
        f"Build {_code(rng, '@@#@.######.###')} on a Pixel {rng.randint(4, 9)}",
        f"licence key of the demo: see chapter {rng.randint(1, 9)}; serial {_code(rng, '@@##%%%%')}",
        f"LEGO {_digits(rng, 5)}, IKEA {_digits(rng, 3)}.{_digits(rng, 3)}.{_digits(rng, 2)}, resistor {rng.randint(1, 99)}k{rng.randint(1, 9)}",
    )


def _snippets(rng: Random) -> str:
    return _any(
        rng,
        f"MASK = 0x{_hex(rng, 8).upper()}\nSEED = {_digits(rng, 9)}\nSIZES = ({', '.join(_digits(rng, 6) for _ in range(5))})",
        f"const id = {_digits(rng, 10)}n; expect(hash(id)).toBe({_digits(rng, 10)});",
        f"color: #{_hex(rng, 6)}; margin: {rng.randint(0, 99)}px {rng.randint(0, 99)}px; z-index: {_digits(rng, 5)};",
        f"assert crc(b'123456789') == 0x{_hex(rng, 8)}  # {_digits(rng, 10)}",
        f"for (int i = 0; i < {_digits(rng, 7)}; i++) buf[i % {_digits(rng, 4)}] ^= 0x{_hex(rng, 2)};",
        f"re.compile(r'[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}')  # {rng.randint(1, 99)} cases",
        f"primes = [{', '.join(str(rng.randint(10**6, 10**9)) for _ in range(6))}]",
        f"uint64_t k[] = {{ {', '.join(str(rng.getrandbits(64)) + 'ULL' for _ in range(3))} }};",
        f"df.iloc[{rng.randint(0, 9999)}:{rng.randint(9999, 99999)}, {rng.randint(0, 9)}].sum()",
    )


def _settings(rng: Random) -> str:
    return _any(
        rng,
        f'{{"appId": {_digits(rng, 8)}, "tenant": "{_uuid(rng)}", "retries": {rng.randint(1, 9)}, "max": {_digits(rng, 9)}}}',
        "API_KEY=your-api-key-here\nSECRET=changeme\nTOKEN=<token>",
        f"password: ${{DB_PASSWORD}}\napi_key: {{{{ secrets.API_KEY }}}}\nport: {rng.randint(1000, 65535)}",
        'export AWS_SECRET_ACCESS_KEY="$(vault read -field=key aws)"',
        f"replicas: {rng.randint(1, 9)}\nimage: registry.local/app@sha256:{_hex(rng, 64)}\nuid: {rng.randint(1000, 65535)}",
        f"-rw-r--r-- 1 root root {_digits(rng, 9)} Jan {rng.randint(1, 28)} 2023 dump-{_digits(rng, 8)}.sql.gz",
        f'etag: W/"{_hex(rng, 8)}-{_hex(rng, 12)}"\ncontent-length: {_digits(rng, 7)}\nx-request-id: {_hex(rng, 32)}',
        f"container {_hex(rng, 12)} exited ({rng.randint(1, 255)}), layer {_hex(rng, 12)}: Pull complete",
    )


def _random_words(rng: Random) -> str:
    return _any(
        rng,
        f"Is {_mixed(rng, rng.randint(8, 40))} a valid slug?",
        f"https://cdn.example.com/v/{_mixed(rng, 11)}?t={_digits(rng, 3)}s",
        f"file_{_mixed(rng, 22)}.tmp and cache-{_mixed(rng, 16)}",
        f"nanoid: {_mixed(rng, 21)}, ulid: 01{_code(rng, '%%%%%%%%%%%%%%%%%%%%%%%%')}",
        f"Decode {_base64(rng, rng.randint(9, 60))} please",
        f"the puzzle answer is {_capitals(rng, rng.randint(6, 12))} {_capitals(rng, 5)}",
    )


def _grouped(rng: Random) -> str:
    form = rng.choice(
        (
            "### ### ###",
            "#### #### ####",
            "## ## ## ##",
            "### #### ####",
            "#### ####",
            "###-##-####-#",
            "#### #### #### ####",
            "### ### ####",
            "##### #####",
            "0### #######",
            "0## ### ## ##",
        )
    )
    number = _code(rng, form)
    return _any(
        rng,
        f"The numbers were {number} this week.",
        f"lottery: {number}",
        f"Zahlen: {number}, was kommt als nächstes?",
        f"sequence {number} continues how?",
        f"meter reading {number} kWh",
    )


def _dna(rng: Random) -> str:
    return _any(
        rng,
        "Align "
        + "".join(rng.choices("ACGT", k=60))
        + f" with NM_{_digits(rng, 6)}.{rng.randint(1, 9)} and rs{_digits(rng, 8)}",
        f"PDB {rng.randint(1, 9)}{_capitals(rng, 3)}, UniProt P{_digits(rng, 5)}, CAS {rng.randint(50, 99999)}-{_digits(rng, 2)}-{_digits(rng, 1)}",
        f"EC 3.{rng.randint(1, 9)}.{rng.randint(1, 30)}.{rng.randint(1, 99)}; CHEMBL{_digits(rng, 6)}; MeSH D{_digits(rng, 6)}",
        f"1.e4 e5 2.Nf3 Nc6 3.Bb5 a6 {rng.randint(4, 40)}.Ba4 Nf6; FEN r1bqkb1r/pppp1ppp/2n2n2/4p3 w KQkq - {rng.randint(0, 9)} {rng.randint(1, 60)}",
    )


_DATES = frozenset({"DATE_TIME"})
_LINKS = frozenset({"URL"})
BENIGN: Mapping[str, Kind] = {
    "hashes": Kind(write=_hashes),
    "uuids": Kind(write=_uuids, holds=frozenset({"UUID"})),
    "commits": Kind(write=_commits),
    "orders": Kind(write=_orders),
    "long numbers": Kind(write=_long_numbers),
    "timestamps": Kind(write=_timestamps),
    "times": Kind(write=_times, holds=_DATES),
    "versions": Kind(write=_versions),
    "pictures": Kind(write=_pictures),
    "minified code": Kind(write=_minified),
    "access logs": Kind(write=_access_logs, holds=_DATES | {"IP_ADDRESS"}),
    "service logs": Kind(write=_service_logs, holds=_DATES),
    "part numbers": Kind(write=_parts),
    "tables": Kind(write=_tables),
    "amounts": Kind(write=_amounts),
    "isbns": Kind(write=_isbns),
    "parcels": Kind(write=_parcels, holds=_LINKS),
    "coordinates in code": Kind(write=_coordinates),
    "lock files": Kind(write=_locks, holds=_LINKS),
    "floats": Kind(write=_floats),
    "statements": Kind(write=_statements),
    "dumps": Kind(write=_dumps),
    "traces": Kind(write=_traces),
    "barcodes": Kind(write=_barcodes),
    "prose": Kind(write=_prose),
    "references": Kind(write=_references),
    "flights": Kind(write=_flights),
    "snippets": Kind(write=_snippets),
    "settings": Kind(write=_settings, holds=frozenset({"UUID"}) | _DATES),
    "random words": Kind(write=_random_words, holds=_LINKS),
    "grouped numbers": Kind(write=_grouped),
    "science": Kind(write=_dna),
}  # fmt: skip


def benign(each: int, seed: int, kinds: Sequence[str] = tuple(BENIGN)) -> Iterator[tuple[str, str]]:
    """(kind, text), `each` of every kind; the same for the same seed."""
    for kind in kinds:
        rng = Random(hashlib.sha256(f"{kind} {seed}".encode()).digest())
        for _ in range(each):
            yield kind, BENIGN[kind].write(rng)
