"""Folding: every code point as one byte that the scanner can read, with the way back.

Compatibility forms (Unicode NFKC, UAX #15), decimal digits of all scripts, accents, dashes, spaces and quotes become
ASCII; what does not show (format characters, combining marks, variation selectors) is left out; look-alikes of other
scripts (UTS #39) become ASCII only in words that are ASCII otherwise; signs of footnotes separate. Nothing here changes a text:
a fold is read, not sent.
"""

# ruff: noqa: RUF001 - look-alikes are what this is about
from __future__ import annotations

import functools
import re
import unicodedata

from classifiers.view import Shift, View

SEPARATOR = "\x01"
# Controls that no terminal shows: they part fields, as in FIX messages and tables of Hive, or hide in a word.
SILENT = "\x02"
# Code points of the table: a text may use all of Unicode, and the table must not hold all of it.
MAX_TABLE = 32_768

_DROPPED = "\u0100"
_LONGER = "\u0101"
_IRREGULAR = re.compile(f"{_DROPPED}+|{_LONGER}")
_UNUSUAL = re.compile(r"[^\t\n\r -~]+")

_SILENT = frozenset({*range(0x01, 0x09), *range(0x0E, 0x1B), 0x7F})
_ASCII = bytes(2 if each in _SILENT else 1 if each in {0x00, *range(0x1B, 0x20)} else each for each in range(256))

# What makes a terminal change colours or erase (ECMA-48): nobody sees it. Numbers in it are too short to hide one.
SHADING = r"(?:\x1b\[|\x9b)(?:[0-9]{0,3}[:;]){0,15}[0-9]{0,3}[Km]|\x1b\(B"
_SHADING = re.compile(SHADING)

# What stands for an ASCII character without being its compatibility form.
_SIGNS = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2212\u2043\u02d7\u30fc\uff70\u00af", "-"),
    **dict.fromkeys("\u2024\u3002\uff61\u2026\u00b7\u2027\u30fb\u066b\u06d4", "."),
    **dict.fromkeys("\u060c\u066c\u3001", ","),
    **dict.fromkeys("\u2236\ua789\u05c3\u02d0", ":"),
    **dict.fromkeys("\u2044\u2215\u29f8", "/"),
    **dict.fromkeys("\u2028\u2029\u0085", "\n"),
    **dict.fromkeys("\u2800", " "),
    **dict.fromkeys("\u3164\u115f\u1160\uffa0\u034f\u17b4\u17b5", ""),
    **dict.fromkeys("\u2122\u00bc\u00bd\u00be\u20ac\u00a8\u00b8", SEPARATOR),
    "\u2217": "*", "\u3007": "0", "\u02dc": "~", "\u02c6": "^",
    "\u0131": "i", "\u0237": "j", "\u00df": "s", "\u1e9e": "S", "\u00e6": "a", "\u00c6": "A", "\u0153": "o",
    "\u0152": "O", "\u00fe": "t", "\u00de": "T", "\u00f0": "d", "\u00d0": "D", "\u0251": "a",
}  # fmt: skip

# Look-alikes, as (ASCII, the letters that can pass for them): Cyrillic, Greek, Armenian, Cherokee, Lisu.
_LOOKS = (
    "aаα", "bЬ", "cсς", "dԁ", "eеεҽ", "gցɡ", "hһհ", "iіιɩ", "jјյ", "kкκ", "lӏ", "nոη", "oоοօ", "pрρ", "qԛզ", "rг", "sѕ", "tтτ",
    "uսυ", "vѵν", "wԝω", "xхχ", "yуүγ",
    "AАΑᎪꓮ", "BВΒᏴꓐ", "CСᏟꓚ", "DᎠꓓ", "EЕΕᎬꓰ", "FꓝϜ", "GᏀꓖԌ", "HНΗᎻꓧ", "IІΙӀꓲ", "JЈᎫꓙ", "KКΚᏦꓗ", "LᏞꓡ", "MМΜᎷꓟ", "NΝꓠ",
    "OОΟՕꓳ", "PРΡᏢꓑ", "QԚ", "RᏒꓣ", "SЅᏚꓢՏ", "TТΤᎢꓔ", "UՍꓴ", "VѴᏙꓦ", "WԜᎳꓪ", "XХΧꓫ", "YҮΥꓬУ", "ZΖᏃꓜ",
)  # fmt: skip
_LOOK = {ord(each): chr(0x80 | ord(look[0])) for look in _LOOKS for each in look[1:]}

# Scripts without spaces between words, or with endings glued to numbers: they separate, so that `\b` works beside them.
_UNSPACED = (
    range(0x0E00, 0x1200), range(0x1780, 0x1800), range(0x1950, 0x1AB0), range(0x2E80, 0xA4D0),
    range(0xA960, 0xA980), range(0xAA00, 0xAAE0), range(0xAC00, 0xD800), range(0xF900, 0xFB00), range(0x16F00, 0x1D000),
)  # fmt: skip
_LETTER_NAME = re.compile(
    r"(?:(?:NEGATIVE|SQUARED|CIRCLED) )*LATIN (?:LETTER )?(SMALL|CAPITAL|SMALL CAPITAL) (?:LETTER )?(?:SCRIPT |DOTLESS )?([A-Z])(?: WITH .*)?"
)


def fold(text: str) -> View:
    """`text` as the scanner reads it. Linear; lone surrogates and NUL separate."""
    if text.isascii() and "\x1b" not in text:
        return View(text=text, scan=text.encode("ascii").translate(_ASCII))
    return _codepage_fold(text) or _table_fold(text)


def _codepage_fold(text: str) -> View | None:
    """As `fold` for text that one Windows code page holds and that drops nothing: most European text, ten times faster."""
    raw, page = _encoded(text)
    if raw is None or _reread(text) != text:
        return None
    table, silent = _page(page)
    scan = raw.translate(table, silent)
    return View(text=text, scan=_unmasked(scan)) if len(scan) == len(text) else None


def _encoded(text: str) -> tuple[bytes | None, str]:
    """`text` in the Western European code page, or in the one that holds its first other letter, if either holds it all."""
    page = "cp1252"
    for _ in range(2):
        try:
            return text.encode(page), page
        except UnicodeEncodeError as error:
            page = _page_of(text[error.start]) or page
    return None, page


def _page_of(character: str) -> str | None:
    """The code page most likely to hold a text with this letter."""
    if "\u0400" <= character <= "\u04ff":
        return "cp1251"
    if "\u0370" <= character <= "\u03ff":
        return "cp1253"
    if "\u0100" <= character <= "\u017f":
        return "cp1254" if character in "ğĞşŞıİ" else "cp1250"
    if "\u0590" <= character <= "\u05ff":
        return "cp1255"
    return "cp1256" if "\u0600" <= character <= "\u06ff" else None


@functools.cache
def _page(name: str) -> tuple[bytes, bytes]:
    """The fold of each byte of a code page, and the bytes that the fast way cannot take: they change the length."""
    table, others = bytearray(_ASCII), bytearray()
    for each in range(0x80, 0x100):
        character = bytes([each]).decode(name, "replace")
        folded = _raised(ord(character))
        table[each] = ord(folded) if len(folded) == 1 else 1
        if len(folded) != 1:
            others.append(each)
    return bytes(table), bytes(others)


def _table_fold(text: str) -> View:
    table, read = _table(), _reread(text)
    if len(text.encode("utf-8", "surrogatepass")) * 5 < len(text) * 6:
        marked = _UNUSUAL.sub(lambda match: match[0].translate(table), read)
    else:
        marked = read.translate(table)
    try:
        return View(text=text, scan=_unmasked(marked.encode("latin-1")))
    except UnicodeEncodeError:
        return _shifted(text, marked)


# Blanks, dashes and quotes of which the UTF-8 was read as Windows-1252; a blank may have come of the no-break space since.
_MISREAD = re.compile("\u00c2\u00a0|(?<=[0-9])\u00c2 (?=[0-9])|\u00e2\u20ac.")
_MEANT = {"\u00c2\u00a0": "\u00ad\u00a0", "\u00c2 ": "\u00ad "} | {
    f"\u00e2\u20ac{bytes([0x80 + each]).decode('cp1252', 'ignore') or chr(0x80 + each)}": f"\u00ad\u00ad{chr(0x2000 + each)}"
    for each in range(0x40)
}


def _reread(text: str) -> str:
    """`text` with what was misread as it was meant and without colours, as long as before: soft hyphens, which do not show, fill it up."""
    if "\x1b" in text or "\x9b" in text:
        text = _SHADING.sub(lambda match: "\u00ad" * len(match[0]), text)
    if "\u00c2" not in text and "\u00e2\u20ac" not in text:
        return text
    return _MISREAD.sub(lambda match: _MEANT.get(match[0], match[0]), text)


def _shifted(text: str, marked: str) -> View:
    """The view of a text of which some code points fold to none or to several bytes."""
    parts: list[str] = []
    shifts: list[Shift] = [(0, 0, 1, 1)]
    at = done = 0
    for match in _IRREGULAR.finditer(marked):
        start, end = match.span()
        parts.append(marked[done:start])
        at += start - done
        done = end
        if match[0][0] == _LONGER:
            piece = _several(ord(text[start]))
            parts.append(piece)
            shifts.append((at, start, 0, 1))
            at += len(piece)
        shifts.append((at, end, 1, 1))
    parts.append(marked[done:])
    return View(text=text, scan=_unmasked("".join(parts).encode("latin-1")), shifts=tuple(shifts))


class _Table(dict[int, str]):
    """Code points to one character each: their byte, or a mark for those that have none or several."""

    def __missing__(self, code_point: int) -> str:
        folded = _raised(code_point)
        marked = folded if len(folded) == 1 else _LONGER if folded else _DROPPED
        if len(self) >= MAX_TABLE:
            self.clear()
        self[code_point] = marked
        return marked


@functools.cache
def _table() -> _Table:
    return _Table()


@functools.cache
def _several(code_point: int) -> str:
    """The bytes for one of the few thousand code points that have several."""
    return fold_one(code_point)


def fold_one(code_point: int) -> str:
    """The bytes for one code point, as Latin-1 characters: one mostly, none for what does not show, more for a ligature."""
    if code_point < 0x80:
        return chr(_ASCII[code_point])
    if 0x3400 <= code_point < 0x9FFF or 0xAC00 <= code_point < 0xF900 or 0x20000 <= code_point < 0xE0000:
        return SEPARATOR
    character = chr(code_point)
    sign = _SIGNS.get(character)
    if sign is not None:
        return sign
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    match unicodedata.category(character):
        case "Mn" | "Me" if any(code_point in each for each in _UNSPACED):
            return SEPARATOR
        case "Cf" | "Mn" | "Me":
            return ""
        case "Cc":
            return SILENT
        case "Cn" if 0xE0000 <= code_point < 0xE1000:
            return ""
        case "Zs":
            return " "
        case "Pd":
            return "-"
        case "Cs" | "Co" | "Cn":
            return SEPARATOR
    look = _LOOK.get(code_point)
    return look if look is not None else _decomposed(character)


def _decomposed(character: str) -> str:
    compatible = unicodedata.normalize("NFKC", character)
    if compatible != character:
        folded = "".join(fold_one(ord(each)) for each in compatible)
        return folded if re.search("[0-9A-Za-z]", folded) else folded[:1] or SEPARATOR
    base = unicodedata.normalize("NFD", character)[0]
    if base != character and not "\uac00" <= character <= "\ud7a3":
        return fold_one(ord(base))
    if any(ord(character) in each for each in _UNSPACED):
        return SEPARATOR
    named = _LETTER_NAME.fullmatch(unicodedata.name(character, ""))
    if named is not None:
        return named[2].lower() if named[1] != "CAPITAL" else named[2]
    if unicodedata.category(character)[0] == "L" or unicodedata.category(character) == "Mc":
        # 0x80 to 0xBF: 64 values, so that the letters of one alphabet keep apart, upper and lower case alike.
        return chr(0x80 + ord(character.lower()[0]) % 64)
    return SEPARATOR


# Digits that are superscripts or in circles, and the signs of ordinals, have bytes of their own until their words are known.
_RAISED = "0123456789ao"
_AS_RAISED = range(0x0E, 0x0E + len(_RAISED))
_LOWERED = bytes(ord(_RAISED[each - 0x0E]) if each in _AS_RAISED else each for each in range(256))
_SEPARATED = bytes(1 if each in _AS_RAISED else each for each in range(256))
# One or two at one end of a word that has no others, where no number in such digits goes on. Signs of ordinals belong to
# short words (`no`).
_FOOTNOTE = re.compile(
    rb"(?<![%(all)s])(?:[%(word)s]+[\x0e-\x17]{1,2}|[%(word)s]{3,}[\x18\x19])(?![%(word)s]|[ -]?[\x0e-\x19])"
    rb"|(?<![%(all)s])(?<![\x0e-\x19][ -])[\x0e-\x17]{1,2}(?=[%(word)s]+(?![%(all)s]))"
    % {b"word": rb"0-9A-Za-z\x80-\xff", b"all": rb"0-9A-Za-z\x80-\xff\x0e-\x19"}
)


def _raised(code_point: int) -> str:
    """As `fold_one`, but with a byte of its own for what may be the sign of a footnote."""
    folded, character = fold_one(code_point), chr(code_point)
    if character in "\u00aa\u00ba" or (character.isdigit() and not character.isdecimal()):
        return chr(_AS_RAISED[_RAISED.index(folded)])
    return folded


# A letter of ASCII, a digit, a look-alike in lower and in upper case, another letter, the `@`, what may be a footnote, all else.
_CLASS = bytes(
    ord(
        "^" if each != _SEPARATED[each]
        else "0" if chr(each) in "0123456789"
        else "@" if each == 0x40
        else " " if each < 0x80 and not chr(each).isalpha()
        else "A" if each < 0x80
        else "C" if 0xC1 <= each <= 0xDA
        else "c" if 0xE1 <= each <= 0xFA
        else "z"
    )
    for each in range(256)
)  # fmt: skip
_PLAIN = bytes(each & 0x7F if chr(_CLASS[each]) in "Cc" else each for each in range(256))
_MIXED = re.compile(rb"[A0@][Cc]|[Cc][A0@]")
_WORD = re.compile(rb"[A0Ccz]+")
# A value is no longer than this, and a longer word is not searched for its beginning.
_LONGEST_WORD = 128


def _unmasked(scan: bytes) -> bytes:
    """`scan` with signs of footnotes made separators, and look-alikes ASCII in words that hold no other foreign letters.

    A word is taken for ASCII if it has ASCII letters, if it stands beside an `@`, or if it has digits and capitals only
    (number plates, document numbers).
    """
    classes = scan.translate(_CLASS)
    if b"^" in classes:
        scan = _FOOTNOTE.sub(lambda match: match[0].translate(_SEPARATED), scan).translate(_LOWERED)
        classes = scan.translate(_CLASS)
    if b"C" not in classes and b"c" not in classes:
        return scan
    folded: bytearray | None = None
    done = 0
    for match in _MIXED.finditer(classes):
        inside = match.start() + (classes[match.start()] == 0x40)
        if inside < done:
            continue
        before = classes[max(done, inside - _LONGEST_WORD) : inside]
        start = inside - len(before) + len(before.rstrip(b"A0Ccz"))
        found = _WORD.match(classes, inside)
        done = inside if found is None else found.end()
        word = classes[start:done]
        addressed = classes[start - 1 : start] == b"@" or classes[done : done + 1] == b"@"
        if b"z" not in word and (b"A" in word or addressed or (b"0" in word and b"c" not in word)):
            folded = folded or bytearray(scan)
            folded[start:done] = scan[start:done].translate(_PLAIN)
    return scan if folded is None else bytes(folded)
