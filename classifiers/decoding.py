"""What is encoded in a text: escapes inside running text, and runs that carry a whole text.

Escapes (JSON, HTML, percent, quoted-printable) give the text near them with the characters in place, each standing for
its escape, so that a finding covers exactly what encodes it. Runs (base64, base32, hex, and zlib or gzip inside) are
carriers: whatever is found inside covers the run. Cues are searched with substring search first; plain text costs little.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain, zip_longest
from typing import TypeVar, final

from classifiers.meter import Exhausted, Meter
from classifiers.normalisation import fold
from classifiers.view import Change, Draft, View, changed, disjoint
from governance.finding import DetectionStatus

MAX_DEPTH = 3
# An SSN is 15 characters of base64, and shorter runs are words mostly.
FEWEST_ENCODED = 15
FEWEST_DECODED = 6
# Bytes that are text among others: eight are so by chance once in a few kilobytes.
FEWEST_IN_PART = 10
MAX_INFLATED = 65_536
# Bytes that are decoded and looked through.
READ_IN_A_MICROSECOND = 32
PRINTABLE_PERCENT = 90

_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_HIGH = bytes(range(0x80, 0x100))
_HEAD = 48
_CONTROLLED = bytes(1 if each < 32 and each not in (9, 10, 13) else each for each in range(256))

T = TypeVar("T")


@final
class Budget:
    """What may be derived from one text: bytes, attempts to decode, and work on the meter. Raises Exhausted beyond."""

    __slots__ = ("_attempts", "_bytes", "_meter")

    def __init__(self, length: int, meter: Meter) -> None:
        self._bytes = 32_768 + 4 * length
        self._attempts = 256 + length // 4
        self._meter = meter

    def derive(self, length: int) -> None:
        """Counts a view of so many bytes."""
        self._bytes -= length
        self._meter.spend(1 + length // 512)
        if self._bytes < 0:
            raise Exhausted(DetectionStatus.PARTIAL)

    def attempt(self) -> None:
        """Counts an attempt to decode a run."""
        self._attempts -= 1
        if self._attempts < 0:
            raise Exhausted(DetectionStatus.PARTIAL)
        if self._attempts % 4 == 0:
            self._meter.spend()

    def read(self, length: int) -> None:
        """Counts so many bytes that are decoded."""
        self._meter.charge(length // READ_IN_A_MICROSECOND)

    def charge(self, microseconds: int) -> None:
        """Counts work of less than a unit."""
        self._meter.charge(microseconds)

    def leave_out(self) -> None:
        """Says that something encoded was not read to its end."""
        self._meter.left_out = True

    def counted(self, matches: Iterable[T]) -> Iterator[T]:
        """`matches`, eight for a unit of work."""
        for number, match in enumerate(matches):
            if number & 7 == 7:
                self._meter.spend()
            yield match


# ---------------------------------------------------------------------------------------------------------- escapes

_JSON = re.compile(
    rb"[\\%]{1,8}(?:u[0-9A-Fa-f]{4}(?:[\\%]{1,8}u[0-9A-Fa-f]{4})*|x[0-9A-Fa-f]{2}(?:\\{1,8}x[0-9A-Fa-f]{2})*"
    rb"|u\{([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|0000([2-7][0-9A-Fa-f])|([0-7]{3})|([nrt/])(?=[0-9A-Za-z+/=])|([\"']))"
)
_ESCAPING = b"\\%ux"
_SHORTEST_RUN = len(r"\x41\x41")
_CODE = re.compile(rb"[\\%]+[ux]([0-9A-Fa-f]+)")
_BLANKS = {b"n": b"\n", b"r": b"\n", b"t": b" ", b"/": b"/"}
# What names a value in quotes: only rules for secrets, users and coordinates ask for those around the name and the value.
_NAMED = re.compile(
    rb"pass|pwd|pin|key|token|secret|secur|auth|cred|login|identified|user|pat|sig|mdp|contras|clave|senha|haslo|parola|wacht|wort|lat|lon|lng"
)
_NAMED_WITHIN, _QUOTES_OF_VALUE = 32, 5
# A JSON web key is named by this member, wherever it stands.
_WEB_KEY = b"kty"


def escapes(view: View, budget: Budget) -> View | None:
    """`view` with the escapes in it replaced, all forms at once; `via` names those that there are (`html+percent`)."""
    scan = view.scan
    found = {
        "json": _json_changes(scan) if b"\\" in scan or b"%u" in scan else (),
        "html": _html_changes(scan) if b"&" in scan else (),
        "percent": _percent_changes(scan),
        "quoted-printable": _quoted_changes(scan) if b"=" in scan else (),
    }
    changes = {via: list(budget.counted(each)) for via, each in found.items() if each}
    names = [via for via, each in changes.items() if each]
    if not names:
        return None
    ordered = changes[names[0]] if len(names) == 1 else disjoint(sorted(chain.from_iterable(changes.values())))
    return changed(view, ordered, "+".join(names))


def _json_changes(scan: bytes) -> Iterator[Change]:
    r"""`\u0041`, `\x41`, `\u{41}`, `%u0041`, octal, `\000041` of style sheets, quotes of secrets, and line ends before a value; however often the backslash was doubled."""
    names = _NAMED.finditer(scan.lower()) if b'\\"' in scan or b"\\'" in scan else iter(())
    name, named, quotes, all_named = next(names, None), -_NAMED_WITHIN - 1, 0, _WEB_KEY in scan
    for match in _from(_JSON, scan, scan.replace(b"%", b"\\")):
        start, end = match.span()
        braced, long, style, octal, blank, quote = match.groups()
        if end - start < _SHORTEST_RUN and match.lastindex is None:
            yield start, end, _character(int(match[0].lstrip(_ESCAPING), 16)), 0
        elif blank:
            yield start, end, _BLANKS[blank], 0
        elif quote:
            while name is not None and name.end() <= start:
                named, name = name.end(), next(names, None)
            if start - named <= _NAMED_WITHIN:
                quotes = _QUOTES_OF_VALUE
            if quotes > 0 or all_named or (name is not None and name.start() - end <= _NAMED_WITHIN):
                quotes -= 1
                yield start, end, quote, 0
        elif octal:
            yield start, end, _character(int(octal, 8)), 0
        elif braced or long or style:
            yield start, end, _character(int(braced or long or style, 16)), 0
        else:
            yield from _coded(match[0], start)


def _from(pattern: re.Pattern[bytes], scan: bytes, marked: bytes) -> Iterator[re.Match[bytes]]:
    """As `finditer`, for a pattern whose matches begin where `marked` has a backslash: one byte alone is found fastest."""
    at = marked.find(b"\\")
    while at >= 0:
        match = pattern.match(scan, at)
        if match is not None:
            yield match
        at = marked.find(b"\\", at + 1 if match is None else match.end())


def _coded(run: bytes, start: int) -> Iterator[Change]:
    """A run of escapes: as one change if they are equally long and ASCII, else one by one."""
    codes = _CODE.findall(run)
    each = len(run) // len(codes)
    if len(codes) * each == len(run) and run[::each].translate(None, b"\\%") == b"":
        scan = fold("".join(chr(int(code, 16)) for code in codes)).scan
        if len(scan) == len(codes):
            yield start, start + len(run), scan, each
            return
    for match in _CODE.finditer(run):
        yield start + match.start(), start + match.end(), _character(int(match[1], 16)), 0


@functools.lru_cache(maxsize=512)
def _character(code_point: int) -> bytes:
    return fold(chr(code_point)).scan if code_point < 0x110000 else b"\x01"


_HTML = re.compile(rb"&(?:amp;){0,4}(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z]{2,24}););?")
# They stand between values, where the entity separates as well as its character would.
_DULL = frozenset((b"amp", b"quot", b"lt", b"gt", b"apos", b"copy", b"reg"))


@functools.cache
def _entities() -> Mapping[str, str]:
    from html.entities import html5  # noqa: PLC0415 - two thousand names, which few texts need

    return html5


def _html_changes(scan: bytes) -> Iterator[Change]:
    """`&#64;`, `&#x40;`, `&commat;`, also behind a doubled `&amp;`."""
    for match in _HTML.finditer(scan):
        decimal, hexadecimal, name = match.groups()
        if decimal or hexadecimal:
            yield match.start(), match.end(), _character(int(decimal) if decimal else int(hexadecimal, 16)), 0
        elif name not in _DULL:
            character = _entities().get(name.decode() + ";")
            if character is not None:
                yield match.start(), match.end(), fold(character).scan, 0


# A percent sign may be encoded itself, and again.
_PERCENT = re.compile(
    rb"%(?:25){0,4}(?:[0-7][0-9A-Fa-f](?:%(?:25){0,4}[0-7][0-9A-Fa-f])*|[89A-Fa-f][0-9A-Fa-f](?:%(?:25){0,4}[89A-Fa-f][0-9A-Fa-f])*)"
)
_OCTET = re.compile(rb"%(?:25)*(?=[0-9A-Fa-f])([0-9A-Fa-f]{2})")
_PLUS = re.compile(rb"\+(?=[0-9]{2})")


def _percent_changes(scan: bytes) -> Iterator[Change]:
    """`%40`, UTF-8 sequences too, and the plus signs between the digits of a form field; in the order of the scan."""
    runs = _percent_runs(scan) if b"%" in scan else iter(())
    return merge(runs, _plus_signs(scan)) if b"=" in scan and b"+" in scan else runs


def _percent_runs(scan: bytes) -> Iterator[Change]:
    for match in _PERCENT.finditer(scan):
        run = match[0]
        octets = bytes.fromhex(run.translate(None, b"%").decode()) if b"%25" not in run else _nested(run)
        yield _octets(octets, *match.span())


def _plus_signs(scan: bytes) -> Iterator[Change]:
    for match in _PLUS.finditer(scan):
        if scan[match.start() - 1 : match.start()].isdigit():
            yield match.start(), match.end(), b" ", 0


def _nested(run: bytes) -> bytes:
    """The octets of a run of percent escapes of which some encode the percent sign of the next."""
    return bytes(int(code, 16) for code in _OCTET.findall(run))


def _octets(octets: bytes, start: int, end: int) -> Change:
    """A run of octets, each of them written with equally many bytes."""
    each, rest = divmod(end - start, len(octets))
    scan = octets.translate(_CONTROLLED) if octets.isascii() else fold(octets.decode("utf-8", "replace")).scan
    return (start, end, scan, each) if len(scan) == len(octets) and not rest else (start, end, scan or b"\x01", 0)


_QUOTED = re.compile(rb"=(?:[2-7][0-9A-F](?:=[2-7][0-9A-F])+|(?:40|2B|2E|2D|5F|20)(?=[0-9A-Za-z])|\r?\n(?=[^\n]))")


def _quoted_changes(scan: bytes) -> Iterator[Change]:
    """`=40` and lines broken with `=` (RFC 2045, section 6.7)."""
    for match in _QUOTED.finditer(scan):
        start, end = match.span()
        if match[0][-1] == 0x0A:
            yield start, end, b"", 0
        else:
            yield _octets(bytes.fromhex(match[0].translate(None, b"=").decode()), start, end)


# --------------------------------------------------------------------------------------------------------- carriers

# (start, end, how it is encoded, what it says)
Carrier = tuple[int, int, str, str]

_ENCODED = bytes(
    0x62 if chr(each).isascii() and (chr(each).isalnum() or chr(each) in "+/-_") else 0x20 for each in range(256)
)
_NEEDLE = b"b" * FEWEST_ENCODED
_MORE_LINES = re.compile(
    rb"(?:\r?\n[ \t]{0,8}(?:[A-Za-z0-9+/_-]{4,}(?=[\r\n=\"'<)\]},;.]|\Z)|[A-Za-z0-9+/_-]{2,3}(?==)))+"
)
# Each is copied to get at the next.
_MOST_MEMBERS = 16
# So many lines below a run may be words of a greeting.
_GREETING = 2
_WORD = re.compile(rb"\s+[A-Za-z]{2,15}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
_BASE32 = re.compile(rb"[A-Z2-7]{16,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# A path or a name beside a run: what of it stands between slashes, or between hyphens and underscores.
_PIECES = (re.compile(rb"[A-Za-z0-9+_-]{15,}"), re.compile(rb"[A-Za-z0-9+/]{15,}"))

_PAIR = bytes(
    0x68 if chr(each) in "0123456789abcdefABCDEF" else 0x73 if chr(each) in " :,-" else 0x20 for each in range(256)
)
_PAIR_NEEDLE = b"hhs" * 7 + b"hh"
# A word may end before it in what could be a pair.
_PAIRS = re.compile(rb"(?<![A-WYZa-wyz])[0-9A-Fa-f]{2}(?:([ :,-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){6,}")
_PREFIXED = re.compile(rb"0[xX][0-9A-Fa-f]{2}(?:[\s,;]{0,8}0[xX][0-9A-Fa-f]{2}){5,}")
# Characters as numbers: in binary, in decimal with one separator, as calls.
_BITS = re.compile(rb"(?<![0-9])(?:[01]{8}([ ,-]?))[01]{8}(?:\1[01]{8}){4,}(?![0-9])")
_ORDINAL = rb"(?:[3-9][0-9]|1[0-2][0-9])"
_CODES = re.compile(rb"(?<![0-9.])%s(,\s{0,8}|[ ;-])%s(?:\1%s){6,}(?!\.?[0-9])" % ((_ORDINAL,) * 3))
_CALLS = re.compile(rb"(?:[Cc][Hh](?:[Aa])?[Rr]\([0-9]{2,3}\)[ +.|&,]{0,4}){6,}")
_POINTS = re.compile(rb"(?:U\+00[2-7][0-9A-Fa-f][ ,;]{0,3}){6,}")
_CALL_CUES = (b"hr(", b"har(", b"HR(", b"HAR(")
_BINARY = bytes(0x30 if each in b"01" else 0x20 for each in range(256))
_CODED = bytes(0x30 if chr(each) in "0123456789" else 0x73 if chr(each) in " ,;-" else 0x20 for each in range(256))
_CODE_NEEDLES = (b"00s00s00s", b"000s000s000s")
# Runs so long are searched for what is text in them: shorter ones are numbers and UUIDs by the thousand.
_FEWEST_PARTED = 40
_UUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# Characters before a run, and those of it that have to be text behind them.
_MOST_GLUED = 3
_FIRST = 12
# With which four characters begin that are text.
_LEADS_TEXT = frozenset(b"CDIJKLMNOPQRSTUVWXYZabcdef")
_BASE85 = re.compile(rb"<~([!-uz]{10,4096})~>")


def carriers(scan: bytes, budget: Budget) -> Iterator[Carrier]:
    """The runs of `scan` that decode to readable text, ascending within each kind of encoding."""
    for runs, block in _blocks(scan):
        yield from _carried(scan, runs, block, budget)
    yield from _numbered(scan, budget)
    if b"<~" in scan:
        yield from _base85(scan, budget)
    if b"0x" in scan or b"0X" in scan:
        yield from _hex_pairs(_PREFIXED, scan, budget)
    if _PAIR_NEEDLE in scan.translate(_PAIR):
        yield from _hex_pairs(_PAIRS, scan, budget)


def _numbered(scan: bytes, budget: Budget) -> Iterator[Carrier]:
    """Characters written as numbers."""
    if b"00000000" in scan.translate(_BINARY):
        for match in _BITS.finditer(scan):
            budget.attempt()
            bits = match[0].translate(None, b" ,-")
            yield from _told(match, "binary", int(bits, 2).to_bytes(len(bits) // 8, "big"), budget)
    if b"U+00" in scan:
        for match in _POINTS.finditer(scan):
            budget.attempt()
            yield from _told(match, "codes", bytes.fromhex(re.sub(rb"U\+00|[ ,;]", b"", match[0]).decode()), budget)
    patterns = [_CALLS] if any(call in scan for call in _CALL_CUES) else []
    # Blanks separate, or stand beside what does.
    coded = (scan.translate(_CODED), scan.translate(_CODED, b" \t\r\n"))
    if any(needle in each for each in coded for needle in _CODE_NEEDLES):
        patterns.append(_CODES)
    for pattern in patterns:
        for match in pattern.finditer(scan):
            budget.attempt()
            codes = list(map(int, re.findall(rb"[0-9]+", match[0])))
            if max(codes) < 0x7F:
                yield from _told(match, "codes", bytes(codes), budget)


def _base85(scan: bytes, budget: Budget) -> Iterator[Carrier]:
    for match in _BASE85.finditer(scan):
        budget.attempt()
        try:
            octets = base64.a85decode(match[1])
        except ValueError:
            continue
        yield from _told(match, "base85", octets, budget)


def _told(match: re.Match[bytes], how: str, octets: bytes, budget: Budget) -> Iterator[Carrier]:
    said = _said(how, octets, budget)
    if said is not None:
        yield *match.span(), *said


def _hex_pairs(pattern: re.Pattern[bytes], scan: bytes, budget: Budget) -> Iterator[Carrier]:
    for match in pattern.finditer(scan):
        budget.attempt()
        octets = bytes.fromhex(re.sub(rb"0[xX]|[^0-9A-Fa-f]", b"", match[0]).decode())
        budget.read(len(match[0]))
        yield from _told(match, "hex", octets, budget)


def _blocks(scan: bytes) -> Iterator[tuple[list[tuple[int, int]], int]]:
    """The encoded runs of `scan`, those of lines that go on together, with the end of these lines."""
    encoded = scan.translate(_ENCODED)
    runs: list[tuple[int, int]] = []
    block = 0
    at = encoded.find(_NEEDLE)
    while at >= 0:
        end = encoded.find(b" ", at)
        end = len(encoded) if end < 0 else end
        if end > block:
            if runs:
                yield runs, block
            lines = _MORE_LINES.match(scan, end)
            runs, block = [], end if lines is None else lines.end()
        runs.append((at, end))
        at = encoded.find(_NEEDLE, end)
    if runs:
        yield runs, block


def _carried(scan: bytes, runs: Sequence[tuple[int, int]], block: int, budget: Budget) -> Iterator[Carrier]:
    """What `runs` carry: one of them with all that follow it up to `block`, or each as it stands, or in pieces of it.

    All the lines are read together once at most: where they are not text to the end, none of them begins one. They are searched
    for what is text in them then, or where nothing else is found.
    """
    done, together = 0, True
    for at, end in runs:
        if at < done or _is_number(scan[at:end]):
            continue
        start = at + 2 if scan[at : at + 2] in (b"0x", b"0X") else at
        found = None
        # Up to three characters may be glued in front.
        if together and block > end:
            budget.attempt()
            shift, forms = _beginning(scan, start, block, budget)
            if forms:
                found = _in_lines(scan, (start + shift, end), block, forms, budget)
                together = found is not None
        if found is None:
            budget.attempt()
            shift, forms = _beginning(scan, start, end, budget)
            if forms:
                found = _in_run(scan, start + shift, end, forms, budget)
        if found is not None:
            first, last, how, text = found
            done = _padded(scan, last)
            yield first, done, how, text
        else:
            for carrier in _in_pieces(scan, start, end, budget):
                done = carrier[1]
                yield carrier
    start = runs[0][0]
    part = None if done else _in_part(scan, start, block, budget)
    if part is not None:
        yield start, _padded(scan, block), *part


def _in_run(scan: bytes, start: int, end: int, forms: Collection[str], budget: Budget) -> Carrier | None:
    said = _decoded(scan, start, end, forms, budget)
    return None if said is None else (start, end, *said)


def _in_lines(
    scan: bytes, first: tuple[int, int], block: int, forms: Collection[str], budget: Budget
) -> Carrier | None:
    """What the lines up to `block` say, the `first` of which has this beginning and end.

    The word of a greeting below them looks like one more: where all of them are no plain text to the last octet, they are read
    without the last line and without the last two.
    """
    start, end = first
    found, last = None, block
    for _ in range(1 + _GREETING):
        said = _in_run(scan, start, last, forms, budget)
        whole = said is not None and (said[2] != "base64" or _is_whole(said, scan))
        if found is None or whole:
            found = said
        if whole:
            break
        above = scan.rfind(b"\n", end, last)
        if above < 0 or _WORD.fullmatch(scan, above, last) is None:
            break
        last = above
    # Lines that end within what stands for three octets were encoded one by one.
    if found is None and (end - start) % 4 == 0:
        part = _in_part(scan, start, block, budget)
        found = None if part is None else (start, block, *part)
    return found


def _is_whole(carrier: Carrier, scan: bytes) -> bool:
    """Whether `carrier` says in UTF-8 what it carries, to the last octet."""
    start, end, _, text = carrier
    octets = _base64(b"".join(scan[start:end].split()).translate(_URL_SAFE))
    return text.encode() == octets and not octets.translate(_CONTROLLED).count(1)


def _is_number(run: bytes) -> bool:
    """Whether `run` is a UUID, or digits that say nothing in hex: the base64 of a text has letters, and no hyphens there."""
    if run.isdigit():
        return not _may_say(_octets_of(run[: 2 * _HEAD]))
    return _UUID.fullmatch(run) is not None


def _padded(scan: bytes, end: int) -> int:
    """Where the padding behind a run ends."""
    behind = scan[end : end + 6]
    return end + len(behind) - len(behind.lstrip(b"="))


def _beginning(scan: bytes, start: int, end: int, budget: Budget) -> tuple[int, frozenset[str]]:
    """Behind how many characters `scan[start:end]` begins to say something, and how that may be encoded."""
    forms = _forms(scan, start, end)
    if forms:
        return 0, forms
    budget.charge(_MOST_GLUED)
    for shift in range(1, min(_MOST_GLUED, end - start - FEWEST_ENCODED) + 1):
        # A line may end here.
        first = b"".join(scan[start + shift : start + shift + _FIRST].split())
        if not _LEADS_TEXT.issuperset(first[::4]):
            continue
        if not _base64(first.translate(_URL_SAFE)).translate(None, _PRINTABLE):
            return shift, _forms(scan, start + shift, end)
    return 0, forms


def _in_pieces(scan: bytes, start: int, end: int, budget: Budget) -> Iterator[Carrier]:
    for pattern in _PIECES:
        for match in pattern.finditer(scan, start, end):
            if match.span() == (start, end):
                break
            budget.attempt()
            forms = _forms(scan, *match.span())
            found = _decoded(scan, *match.span(), forms, budget) if forms else None
            if found is not None:
                yield match.start(), match.end(), *found


def _in_part(scan: bytes, start: int, end: int, budget: Budget) -> tuple[str, str] | None:
    """The text inside `scan[start:end]` where the whole of it is none, as between the codes of a file or before bytes of another."""
    if end - start < _FEWEST_PARTED:
        return None
    budget.read(end - start)
    run = b"".join(scan[start:end].split())
    in_hex = _HEX.fullmatch(run) is not None
    text = _stretches(bytes.fromhex(run.decode()) if in_hex else _base64(run.translate(_URL_SAFE)))
    return None if text is None else ("hex" if in_hex else "base64", text)


def _forms(scan: bytes, start: int, end: int) -> frozenset[str]:
    """How `scan[start:end]` may be encoded, judged by the beginning: nothing for nearly all that says nothing."""
    head = b"".join(scan[start : min(end, start + 2 * _HEAD)].split())
    # What is in small letters alone is a word.
    lettered = head.upper() if head.islower() and not head.isalpha() else head
    octets = _base64(head.translate(_URL_SAFE)[: _HEAD + _HEAD // 3])
    there = {
        "hex": _HEX.fullmatch(head, 0, len(head) & ~1) is not None and _may_say(_octets_of(head)),
        "base64": _may_say(octets),
        "base32": _BASE32.fullmatch(lettered) is not None and readable(_base32(lettered[: len(head) & ~7])) is not None,
    }
    return frozenset(form for form, may_be in there.items() if may_be)


def _decoded(scan: bytes, start: int, end: int, forms: Collection[str], budget: Budget) -> tuple[str, str] | None:
    """Which of `forms` the whole of `scan[start:end]` is encoded in and what it says, if it says anything."""
    budget.read(end - start)
    run = scan[start:end]
    if b"\n" in run:
        run = b"".join(run.split())
    if "hex" in forms and _HEX.fullmatch(run):
        said = _said("hex", bytes.fromhex(run.decode()), budget)
        if said is not None:
            return said
    if "base64" in forms:
        said = _said("base64", _base64(run.translate(_URL_SAFE)), budget)
        if said is not None:
            return said
    if "base32" in forms and _BASE32.fullmatch(run.upper()):
        text = readable(_base32(run.upper()))
        if text is not None:
            return "base32", text
    return None


def _said(how: str, octets: bytes, budget: Budget) -> tuple[str, str] | None:
    """What `octets` say, as they are or inflated, under the name of `how` they were come by and that."""
    for _ in range(MAX_DEPTH):
        text = readable(octets)
        if text is not None or not _inflatable(octets):
            return None if text is None else (how, text)
        how, octets = f"{how}>gzip", _inflated(octets, budget)
    budget.leave_out()
    return None


def _may_say(octets: bytes) -> bool:
    return readable(octets) is not None or _inflatable(octets)


def _octets_of(digits: bytes) -> bytes:
    return bytes.fromhex(digits[: len(digits) & ~1].decode())


def _base64(run: bytes) -> bytes:
    """The octets of `run`, padding aside; a last character that carries no octet is left out."""
    run = run[:-1] if len(run) % 4 == 1 else run
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _base32(run: bytes) -> bytes:
    try:
        return base64.b32decode(run + b"=" * (-len(run) % 8))
    except binascii.Error:
        return b""


def _inflatable(octets: bytes) -> bool:
    """Whether these are the first octets of gzip (RFC 1952) or zlib (RFC 1950)."""
    return octets[:2] == b"\x1f\x8b" or (octets[:1] == b"\x78" and int.from_bytes(octets[:2], "big") % 31 == 0)


def _inflated(octets: bytes, budget: Budget) -> bytes:
    """The beginning of what `octets` compress, member by member, no more than MAX_INFLATED bytes; what is damaged ends there."""
    plain = b""
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(47)
        try:
            plain += member.decompress(octets, MAX_INFLATED - len(plain))
        except zlib.error:
            octets = b""
            break
        octets = member.unconsumed_tail or member.unused_data
        if len(plain) >= MAX_INFLATED or not _inflatable(octets):
            break
    if octets and (len(plain) >= MAX_INFLATED or _inflatable(octets)):
        budget.leave_out()
    budget.read(len(plain))
    return plain


def readable(octets: bytes) -> str | None:
    """`octets` as text, if they are: UTF-8, UTF-16 or Latin-1, nearly all of it printable."""
    if len(octets) < FEWEST_DECODED or not _printable(octets[:_HEAD]):
        return _utf_16(octets) if b"\0" in octets[:8] or octets[:2] in (b"\xff\xfe", b"\xfe\xff") else None
    if not _printable(octets):
        return None
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(octets) - error.start < 4 and error.start >= FEWEST_DECODED:
            return octets[: error.start].decode("utf-8")
    if len(octets.translate(None, _HIGH)) * 100 >= len(octets) * PRINTABLE_PERCENT:
        return octets.decode("latin-1")
    return None


_PRINTABLE = bytes([*b"\t\n\r", *range(0x20, 0x7F)])
_TEXT = bytes(0x74 if each in _PRINTABLE else 0x20 for each in range(256))
_STRETCH_CUE = b"t" * FEWEST_IN_PART
_STRETCH = re.compile(rb"t{%d,}" % FEWEST_IN_PART)
_SIGNS = bytes(each for each in range(256) if not (chr(each).isascii() and (chr(each).isalnum() or each == 0x20)))


def _stretches(octets: bytes) -> str | None:
    """The stretches of `octets` that are ASCII, most of it letters, digits and blanks; none for what is not text at all."""
    classes = octets.translate(_TEXT)
    if _STRETCH_CUE not in classes:
        return None
    stretches = [octets[slice(*each.span())] for each in _STRETCH.finditer(classes)]
    worded = [each for each in stretches if len(each.translate(None, _SIGNS)) * 3 >= len(each) * 2]
    return b"\n\x01\n".join(worded).decode("ascii") if worded else None


def _printable(octets: bytes) -> bool:
    return len(octets.translate(None, _CONTROLS)) * 100 >= len(octets) * PRINTABLE_PERCENT


def _utf_16(octets: bytes) -> str | None:
    even, odd = octets[: 2 * _HEAD : 2].count(0), octets[1 : 2 * _HEAD : 2].count(0)
    pairs = min(_HEAD, len(octets) // 2)
    if max(even, odd) * 100 < pairs * PRINTABLE_PERCENT or min(even, odd) * 10 > pairs:
        return None
    text = octets[: len(octets) & ~1].decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    return text if _printable(text.encode("utf-8", "replace")) else None


def decoded(view: View, budget: Budget) -> Iterator[View]:
    """Views of what the runs of `view` carry, one for each way of encoding, with the words around every run."""
    found: dict[str, list[tuple[int, int, bytes]]] = {}
    for start, end, how, text in carriers(view.scan, budget):
        scan = fold(text).scan
        budget.derive(len(scan))
        found.setdefault(how, []).append((start, end, scan))
    for how, runs in found.items():
        draft, done = Draft(view), 0
        runs.sort()
        for (start, end, scan), (following, _, _) in zip_longest(runs, runs[1:], fillvalue=(len(view.scan), 0, b"")):
            if start >= done:
                draft.around(scan, start, end, following)
                done = end
        made = draft.view(how)
        if made is not None:
            yield made
