"""Values as people write them to get past a filter: letter by letter, `[at]`, in words, over line ends, rot13.

Every function returns the view with the values put together, or None; a substring search comes before any pattern.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import zip_longest

from classifiers.decoding import Budget
from classifiers.registries import iban_structures
from classifiers.view import BEFORE, BEHIND, UNPARTED, Change, Draft, View, changed, disjoint

# ------------------------------------------------------------------------------------------------------ letter by letter

# What separates in the scan: NUL and bullets are \x01 there.
_SPACES = " \t._-|,*/:~+\n\r;#\x01"
_SINGLE = bytes(
    0x78 if each > 0x7F or chr(each).isalnum() or each == 0x40 else 0x73 if chr(each) in _SPACES else 0x20
    for each in range(256)
)
FEWEST_SINGLES = 7
# Separators have one byte to three, and are one and the same throughout a run. Where they do not show, blanks are characters too.
_SINGLES = {
    width: re.compile(rb"[^\s](?=(.{%d}))(?:\1[^\s])*(?![0-9A-Za-z\x80-\xff])" % width, re.DOTALL)
    for width in (1, 2, 3)
}
_UNSEEN = {width: re.compile(rb"[^\n\x01](?:\x01{%d}[^\n\x01])*(?![0-9A-Za-z\x80-\xff])" % width) for width in _SINGLES}
_WIDE = re.compile(rb" {2,4}(?=[^ ] )")
_OPENING = (b"[", b"(", b"{", b"|")
_CLOSING = (b"]", b"}", b"|")

# The runs of singles that belong together, and the bytes from one to the next.
Singles = tuple[list[tuple[int, int]], int]


def spaced(view: View, budget: Budget) -> View | None:
    """`j o h n @ e x ...`, `4-1-1-1-...`, `4, 1, 1, ...`: single characters with one and the same separator between them."""
    scan = view.scan
    classes = scan.translate(_SINGLE)
    found = sorted(singles for width in _SINGLES for singles in _singles(scan, classes, width, budget))
    draft = Draft(view)
    done = 0
    for (runs, step), (following, _) in zip_longest(found, found[1:], fillvalue=([(len(scan), 0)], 0)):
        first, last = runs[0][0], runs[-1][1]
        if first < done:
            continue
        done = last
        draft.part()
        draft.context(first - BEFORE, first)
        for number, (begin, end) in enumerate(runs):
            if number:
                draft.keep(begin - 1, begin)
            draft.spread(scan[begin:end:step], begin, step, 1)
        draft.context(last, min(last + BEHIND, max(last, following[0][0])))
    return draft.view("spaced")


def _singles(scan: bytes, classes: bytes, width: int, budget: Budget) -> Iterator[Singles]:
    # With three characters a number begins that has hyphens of its own.
    cue = b"x" + (3 if width == 1 else 2) * (b"s" * width + b"x")
    at = classes.find(cue)
    while at >= 0:
        # A word that ends here is none of the single characters.
        start = at + 1 + width if at and classes[at - 1] == 0x78 else at
        second = start + 1 + width
        budget.charge(1)
        if scan[start + 1 : second] != scan[second + 1 : second + 1 + width]:
            at = classes.find(cue, at + 1 + width)
            continue
        budget.attempt()
        runs = _runs_of_singles(scan, start, width)
        if sum((end - begin + width) // (1 + width) for begin, end in runs) >= FEWEST_SINGLES:
            start = runs[-1][1]
            if width == 1 or not _is_enclosed(scan, runs[0][0], start):
                yield runs, 1 + width
        at = classes.find(cue, max(start, at + 1 + width))


def _runs_of_singles(scan: bytes, start: int, width: int) -> list[tuple[int, int]]:
    """The run at `start`; where one blank stands between the characters, those that wider blanks set off as well."""
    runs: list[tuple[int, int]] = []
    separator = scan[start + 1 : start + 1 + width]
    pattern = (_SINGLES if separator.strip(b"\x01") else _UNSEEN)[width]
    match = pattern.match(scan, start) if len(separator) == width else None
    while match is not None and (not runs or match.end() - match.start() > 1):
        runs.append(match.span())
        wide = _WIDE.match(scan, match.end()) if separator == b" " else None
        match = None if wide is None else pattern.match(scan, wide.end())
    return runs


def _is_enclosed(scan: bytes, start: int, end: int) -> bool:
    """Whether brackets or the bars of a table stand beside it: a list or a row of numbers."""
    before, behind = scan[max(0, start - 4) : start].rstrip(), scan[end : end + 4].lstrip(b" ,")
    return before.endswith(_OPENING) or behind.startswith(_CLOSING)


# ------------------------------------------------------------------------------------------------ without controls

_CONTROLS = re.compile(rb"\x02+")


def unparted(view: View, budget: Budget) -> View | None:
    """Values with controls in them, which no terminal shows."""
    if b"\x02" not in view.scan:
        return None
    found = budget.counted(_CONTROLS.finditer(view.scan))
    return changed(view, ((*match.span(), b"", 0) for match in found), UNPARTED)


# ------------------------------------------------------------------------------------------------- over a line end

_SHAPE = bytes(0x30 if chr(each) in "0123456789" else 0x0A if chr(each) in "\r\n" else each for each in range(256))
_DIGITS_BROKEN = re.compile(rb"0[ -]?\n[ \n\t>|*#]{0,8}0")
_RUN_BEFORE = b"0 -./"
_RUN_BEHIND = re.compile(rb"[0 ./-]+")
_ADDRESS_BROKEN = re.compile(
    rb"(?<=[0-9A-Za-z_%+.\x80-\xff-])@[A-Za-z0-9.-]{0,64}[ \t]?\r?\n[ \t>]{0,8}(?=[A-Za-z0-9])"
)
# What stands before the sign is no word of a sentence.
_LOCAL_BROKEN = re.compile(rb"\n[ \t>]{0,8}(?=@[A-Za-z0-9-]{1,63}\.[A-Za-z]{2,24}(?![0-9A-Za-z@]))")
_LOCAL_LONGEST = 64
MAX_BROKEN_DIGITS = 34
_CELL_SIGNS = (b",", b";", b"|", b"\t")


def broken(view: View, budget: Budget) -> View | None:
    """Numbers and addresses that a line end breaks. Columns of numbers are none: too many digits in a row of lines."""
    if b"\n" not in view.scan:
        return None
    return changed(view, sorted({*_broken_digits(view.scan, budget), *_broken_addresses(view.scan)}), "broken")


def _broken_digits(scan: bytes, budget: Budget) -> Iterator[Change]:
    shape = scan.translate(_SHAPE)
    chain: list[tuple[int, int]] = []
    digits = reach = 0
    left = b""
    for match in budget.counted(_DIGITS_BROKEN.finditer(shape)):
        at = match.start() + 1
        if at > reach:
            yield from _joined(scan, chain, digits)
            head = shape[max(0, at - 48) : at]
            left = head.rstrip(_RUN_BEFORE)
            chain, digits = [], head[len(left) :].count(b"0")
        run = _RUN_BEHIND.match(shape, match.end() - 1)
        reach = run.end() if run is not None else match.end()
        # The last cell of one row and the first of the next are two numbers.
        if left[-1:] in _CELL_SIGNS and left[-1:] == shape[reach : reach + 1]:
            continue
        digits += shape.count(b"0", match.end() - 1, reach)
        chain.append((at, match.end() - 1))
    yield from _joined(scan, chain, digits)


def _joined(scan: bytes, chain: list[tuple[int, int]], digits: int) -> Iterator[Change]:
    if 6 <= digits <= MAX_BROKEN_DIGITS:
        for start, end in chain:
            marked = scan[start : start + 1] in b" -"
            beside = scan[max(0, start - 6) : start] + scan[end : end + 6]
            between = b"-" if b"-" in beside else b" " if b" " in beside else b""
            yield (start + 1, end, b"", 0) if marked else (start, end, between, 0)


def _broken_addresses(scan: bytes) -> Iterator[Change]:
    if b"@" not in scan:
        return
    for match in _ADDRESS_BROKEN.finditer(scan):
        domain = match[0].rstrip()
        if domain[-1:] in b"@.-" or b"." not in domain:
            end = match.end()
            yield match.start() + len(domain), end, b"", 0
    for match in _LOCAL_BROKEN.finditer(scan):
        near = scan[max(0, match.start() - _LOCAL_LONGEST) : match.start()]
        before = near.rstrip(b" \t\r")
        words = before.split()
        if words and not words[-1].isalpha() and words[-1][-1:].isalnum():
            yield match.start() - len(near) + len(before), match.end(), b"", 0


# ------------------------------------------------------------------------------------------------- odd separators

# Over the shape, in which every digit is 0.
_ODD = rb"(?P<odd>_|[ ]{2,3}|\t|[ ][-./][ ]|[ ]?[|,*~:;#][ ]?|--|[ ]?\x01{1,3}[ ]?)"
# What no table and no thousands have between their numbers.
_ODDER = _ODD.replace(b",", b"").replace(b"\\t|", b"")
# Marks of emphasis.
_MARKS = rb"[ ]?[*_~`]{1,3}[ ]?[*_~`]{0,3}"
_ANY = rb"(?:%s|[ ]?(?:[._/:*~|,;#+=-]|->|=>|//|__|--)[ ]?|[ \t\x0b\x0c]{1,3}|[ ]?\x01{1,3}[ ]?)" % _MARKS
_APART = rb"[^0A-Za-z\n\"'`]{1,5}"
_GROUPS = (
    re.compile(rb"0000%s0000(?P=odd)0000(?P=odd)0{1,7}(?!0)" % _ODD),
    re.compile(rb"000%s00(?P=odd)0000(?!0)" % _ODD.replace(b",", b"")),
    re.compile(rb"0000%s000000(?P=odd)00000(?!0)" % _ODDER),
    re.compile(rb"0000%s0000%s0000%s0{4,7}(?!0)" % ((_APART,) * 3)),
    re.compile(rb"00%s000(?P=odd)000(?P=odd)000(?!0)" % _ODDER),
    re.compile(rb"0000[)\]][ -]?[(\[]0000[)\]][ -]?[(\[]0000[)\]][ -]?[(\[]0000(?!0)"),
)
# These count beside a word for them alone, and so are written without separators.
_GLUED = (
    re.compile(rb"000(?P<odd>, ?|\t)00(?P=odd)0000(?!0)"),
    re.compile(rb"000%s000%s000%s00(?!0)" % ((_ANY,) * 3)),
)
# Over the shape in which every capital is A as well.
_CAPITALS = bytes(0x30 if chr(each) in "0123456789" else 0x41 if 65 <= each <= 90 else each for each in range(256))
_IBAN = re.compile(rb"AA00(?<![A-Za-z0]AA00)%s[0A]{4}(?:%s[0A]{4}){2,6}(?:%s[0A]{1,3})?(?![0A-Za-z])" % ((_APART,) * 3))
_E164 = re.compile(rb"\+0{1,3}%s0{1,9}(?:%s0{1,9}){1,5}(?![0A-Za-z])" % ((_ANY,) * 2))
# With the plus before it.
_LONGEST_E164 = 16
_MOST_BELOW = 3
_LONGEST_IBAN = 34
# What stands in any number.
_USUAL = frozenset((b" ", b"-", b".", b"/"))
_USUAL_IN_CODES = frozenset((b" ", b"-"))
_SEPARATION = re.compile(rb"[^0]+")
_LETTERED_SEPARATION = re.compile(rb"[^0A+]+")
_ROW_END = re.compile(rb"0[^0A-Za-z]{0,4}\Z")
_ROW_GOES_ON = re.compile(rb"[^0A-Za-z]{0,4}0")


def grouped(view: View, budget: Budget) -> View | None:
    """Card numbers and the like with underscores, bars, double blanks or brackets between their groups."""
    shape = view.scan.translate(_SHAPE)
    found: set[Change] = set()
    if b"000" in shape:
        found.update(change for pattern in _GROUPS for change in _group_changes(pattern, shape, budget))
        found.update(change for pattern in _GLUED for change in _group_changes(pattern, shape, budget, b""))
    capitals = view.scan.translate(_CAPITALS)
    if b"AA00" in capitals:
        found.update(_lettered_changes(_IBAN, capitals, budget))
    if b"+0" in shape:
        found.update(_lettered_changes(_E164, shape, budget, most=_LONGEST_E164))
    return changed(view, disjoint(sorted(found)), "grouped") if found else None


def _lettered_changes(
    pattern: re.Pattern[bytes], shape: bytes, budget: Budget, most: int = _LONGEST_IBAN
) -> Iterator[Change]:
    """Blanks for the separators of what has at most so many characters beside them: more is no number, but a row of some."""
    for group in budget.counted(pattern.finditer(shape)):
        separations = list(_LETTERED_SEPARATION.finditer(shape, *group.span()))
        length = len(group[0]) - sum(len(each[0]) for each in separations)
        if length <= most and any(each[0] not in _USUAL_IN_CODES for each in separations):
            for match in separations:
                yield *match.span(), b" ", 0


def _in_a_row(shape: bytes, start: int, end: int) -> bool:
    """Whether further digits stand beside a group, separated like its own: a row of a table is no card number."""
    before, behind = shape[max(0, start - 5) : start], shape[end : end + 5]
    return _ROW_END.search(before) is not None or _ROW_GOES_ON.match(behind) is not None


def _group_changes(pattern: re.Pattern[bytes], shape: bytes, budget: Budget, between: bytes = b"-") -> Iterator[Change]:
    for group in budget.counted(pattern.finditer(shape)):
        start, end = group.span()
        separations = list(_SEPARATION.finditer(shape, start, end))
        if _in_a_row(shape, start, end) or all(each[0] in _USUAL for each in separations):
            continue
        for match in separations:
            inner = start < match.start() and match.end() < end
            if match[0] not in (b" ", b"-") or not between:
                yield *match.span(), between if inner else b" ", 0
        # A line below would make a word of the number and what stands beside it.
        before, behind = shape[max(0, start - _MOST_BELOW) : start], shape[end : end + _MOST_BELOW]
        left, right = len(before) - len(before.rstrip(b"_")), len(behind) - len(behind.lstrip(b"_"))
        if left:
            yield start - left, start, b" ", 0
        if right:
            yield end, end + right, b" ", 0


# ------------------------------------------------------------------------------------- between lines below

_FLANKS = bytes(
    0x5F if each == 0x5F
    else 0x20 if chr(each) in " \t\n\x0b\x0c\r"
    else 0x30 if each > 0x7F or chr(each).isalnum()
    else 0x2E
    for each in range(256)
)  # fmt: skip
# As Markdown has it (CommonMark, section 6.2): none inside a word. What may open or close opens, unless something is open.
_UNDERLINE = re.compile(rb"_(?:(?<![0_]_)(?P<opens>_{0,2}(?=[0.]))|(?<=[0.]_)_{0,2}(?![0_]))")
_LONGEST_UNDERLINED = 256
# What has neither is a name in a program.
_TELLING = re.compile(rb"[0-9@]")


def underlined(view: View, budget: Budget) -> View | None:
    """`_john.doe@example.com_`, `__219-09-9998__`: lines below that emphasise would belong to the value."""
    if b"_" not in view.scan:
        return None
    return changed(view, _underline_changes(view.scan, budget), "emphasis")


def _underline_changes(scan: bytes, budget: Budget) -> Iterator[Change]:
    shape = scan.translate(_FLANKS)
    first = last = 0
    for mark in budget.counted(_UNDERLINE.finditer(shape)):
        start, end = mark.span()
        if end - start == last - first and shape[start - 1] != 0x20 and start - last <= _LONGEST_UNDERLINED:
            if _TELLING.search(scan, last, start):
                yield first, last, b" ", 0
                yield start, end, b" ", 0
            first = last = 0
        elif mark["opens"] is not None:
            first, last = start, end


# ----------------------------------------------------------------------------------------------- letters for digits

_POSING = bytes(
    0x30 if chr(each) in "0123456789" else 0x6F if chr(each) in "OoIl" else 0x20 if chr(each) in " .-" else 0x78
    for each in range(256)
)
_POSED = {each: b"0" if chr(each) in "Oo" else b"1" for each in b"OoIl"}
_POSING_RUN = re.compile(rb"[0o ]{1,48}")
_POSING_BEFORE = b"0o "
_POSING_CUE = re.compile(rb"0o|o0")
FEWEST_POSING = 9
LONGEST_POSING = 48


def posing(view: View, budget: Budget) -> View | None:
    """`4lll 1lll ...`, `O49 171 ...`: a number of which some digits are letters that look like them."""
    scan = view.scan
    classes = scan.translate(_POSING)
    if b"o0" not in classes and b"0o" not in classes:
        return None
    return changed(view, _posing_changes(scan, classes, budget), "look-alikes")


def _posing_changes(scan: bytes, classes: bytes, budget: Budget) -> Iterator[Change]:
    done = 0
    for cue in budget.counted(_POSING_CUE.finditer(classes)):
        at = cue.start()
        if at < done:
            continue
        head = classes[max(done, at - LONGEST_POSING) : at]
        start = at - len(head) + len(head.rstrip(_POSING_BEFORE))
        end = done = _POSING_RUN.match(classes, at).end()  # type: ignore[union-attr]  # the cue stands there
        if classes[end : end + 1] == b"x":
            # What stands beside it is a word, of which the run took a letter.
            end = start + classes[start:end].rfind(b" ") + 1
        if classes[start - 1 : start] == b"x":
            start = max(start, classes.find(b" ", start, end))
        letters, digits = classes.count(b"o", start, end), classes.count(b"0", start, end)
        if digits > 2 * letters and digits + letters >= FEWEST_POSING:
            for place in range(start, end):
                if classes[place] == 0x6F:
                    yield place, place + 1, _POSED[scan[place]], 1


# ------------------------------------------------------------------------------------------------- `[at]`, `dot`

_AT_WORDS = "at arroba arobase klammeraffe chiocciola apenstaartje kukac zavinac malpa".split()
_DOT_WORDS = "dot punkt punto point ponto punt piste kropka tecka period".split()
_OR_AT, _OR_DOT = "|".join(_AT_WORDS).encode(), "|".join(_DOT_WORDS).encode()
_BRACKETED = {
    opening: re.compile(
        rb"%s%s? ?(?:[Aa@]|[Aa] ?[Tt](?:[ -][Ss]ign)?|%s) ?%s{1,2}"
        % (re.escape(opening), re.escape(opening), _OR_AT, re.escape(closing))
    )
    for opening, closing in ((b"[", b"]"), (b"(", b")"), (b"{", b"}"), (b"<", b">"))
}
_BARE = re.compile(rb" ?[ _*/|~-](?:at[ -]sign|%s)[ _*/|~-] ?" % _OR_AT, re.IGNORECASE)
_MARKED_DOT = (
    rb" {0,2}[\[({<]{1,2} ?(?:\.|d ?o ?t|full stop|%s) ?[\])}>]{1,2} {0,2}|[ _*/|~-]{1,2}(?:%s)[ _*/|~-]{1,2}"
    % (_OR_DOT, _OR_DOT)
)
_DOT = rb"(?:%s| ?\. ?)" % _MARKED_DOT
_LABEL = rb"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,40}?"
_HOST = re.compile(rb"[ _-]{0,2}(%s(?:%s%s){1,4})(?![A-Za-z0-9])" % (_LABEL, _DOT, _LABEL), re.IGNORECASE)
_DOTS = re.compile(_DOT, re.IGNORECASE)
_BEFORE_DOT = re.compile(
    rb"(?<![A-Za-z0-9._%%+-])[A-Za-z0-9][A-Za-z0-9._%%+-]{0,40}?(%s)\Z" % _MARKED_DOT, re.IGNORECASE
)
_MOST_DOTS_BEFORE = 4
_LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
# What stands in the text with an address that has its sign, and is odd otherwise.
_ODD_ADDRESSES = (
    *(
        b" @",
        b"@ ",
        b"@@",
        b"[.",
        b"(.",
        b"{.",
        b"[d",
        b"(d",
        b"{d",
        b"[D",
        b"(D",
        b"full stop",
        b"Full stop",
        b"FULL STOP",
    ),
    *(b" .com", b" .org", b" .net", b" .de", b" .co.uk", b" .fr", b" .it", b" .es", b" .nl", b" .ru", b" .eu"),
)
# The sign as a word before a host as it should be: found by its two letters, with the marks before them looked at then. As many
# marks stand before the letters as behind.
_PLAIN_SIGNS = tuple(
    re.compile(letters + rb"(?:(?<=_..)_|(?<=\*..)\*|(?<= ..) |(?<= -..)- )(?=[A-Za-z0-9 -]{1,64}\.[A-Za-z])")
    for letters in (b"at", b"AT")
)
_PLAIN_HOST = re.compile(rb"[ _-]{0,2}(%s(?:\.%s){1,4})(?![A-Za-z0-9_-]|\.[A-Za-z0-9])" % (_LABEL, _LABEL))
AT_WORDS, DOT_WORDS = frozenset(map(str.encode, _AT_WORDS)), frozenset(map(str.encode, _DOT_WORDS))
_NOT_BESIDE_AT = frozenset((b"point", b"punto", b"ponto", b"period"))
# Words before a bare `at` that are not names: "look at example dot com".
_NO_NAMES = frozenset(
    b"look looking me us them him her it is are was were be been available hosted found visit visited site website page online"
    b" shop store buy out arrive arrived back here there and or register registered sign join that this meet met".split()
)
# Where mail goes to that is nobody's own.
_MAIL_HOSTS = frozenset(
    b"gmail googlemail yahoo ymail hotmail outlook live msn icloud me aol gmx web mail t-online freenet proton protonmail posteo"
    b" fastmail zoho yandex rambler orange laposte wanadoo libero virgilio wp o2 onet interia seznam qq 163 126 naver rediffmail".split()
)
# Last parts of files and of attributes in code, which are top-level domains also; and of what else may have a dot before `at`.
_NO_ENDINGS = frozenset(b"py js ts md rs sh cc so zip mov java go rb php name info id".split())
_NO_SURNAMES = (
    _NO_NAMES
    | _NO_ENDINGS
    | frozenset(b"com org net io edu gov html htm css json xml yml yaml toml pdf txt csv".split())
)


def dotted(view: View, hints: Collection[str], budget: Budget) -> View | None:
    """`john [at] example [dot] com`, `john at example dot com`, `john@example[.]com`, in several languages."""
    scan = view.scan
    worded = "dot" in hints
    signs: set[tuple[int, int]] = set()
    for opening, pattern in _BRACKETED.items():
        if opening in scan:
            signs.update(each.span() for each in budget.counted(pattern.finditer(scan)))
    if worded and "at" in hints:
        signs.update(each.span() for each in budget.counted(_BARE.finditer(scan)))
    for pattern in _PLAIN_SIGNS:
        signs.update((2 * each.start() + 2 - each.end(), each.end()) for each in budget.counted(pattern.finditer(scan)))
    if b"@" in scan and (worded or any(each in scan for each in _ODD_ADDRESSES)):
        signs.update(each.span() for each in budget.counted(re.finditer(b"@{1,2}", scan)))
    changes = list(_dot_changes(scan, sorted(signs)))
    if worded or any(each in scan for each in (b"[.", b"(.", b"{.")):
        changes += _octet_changes(scan, budget)
    if b"[:]" in scan:
        changes += [(*each.span(), each[0][1:-1], 0) for each in budget.counted(_DEFANGED.finditer(scan))]
    if b"@" in scan and any(each in scan for each in (b"*", b"`", b"~")):
        changes += _emphasis_changes(scan, budget)
    # Of two that begin at one place the longer one holds: `*dot*` is no emphasis.
    ordered = sorted(changes, key=lambda change: (change[0], -change[1]))
    return changed(view, disjoint(ordered), "at-dot") if changes else None


# As those write addresses who want nobody to click on them.
_DEFANGED = re.compile(rb"\[[:./]\]")
_OCTET_DOT = rb"(?: ?[\[({] ?(?:\.|%s) ?[\])}] ?| (?:%s) )" % (_OR_DOT, _OR_DOT)
_OCTETS = re.compile(rb"(?<![0-9.])[0-9]{1,3}(?:%s[0-9]{1,3}){3}(?![0-9.])" % _OCTET_DOT, re.IGNORECASE)
_OCTET_DOTS = re.compile(_OCTET_DOT, re.IGNORECASE)


def _octet_changes(scan: bytes, budget: Budget) -> Iterator[Change]:
    """`93[.]184[.]216[.]34`, `81 dot 169 dot 145 dot 78`."""
    for address in budget.counted(_OCTETS.finditer(scan)):
        for each in _OCTET_DOTS.finditer(scan, *address.span()):
            yield *each.span(), b".", 0


_EMPHASISED = _LOCAL + b"*`~"
_MOST_EMPHASISED = 96
_EMPHASIS = re.compile(rb"(?<=[A-Za-z0-9.])[*`~]{1,3}(?=[A-Za-z0-9.@])|(?<=@)[*`~]{1,3}|[*`~]{1,3}(?=@)")


def _emphasis_changes(scan: bytes, budget: Budget) -> Iterator[Change]:
    """`a**da.lo**we@fast*mail*.com`: marks of emphasis inside an address."""
    for sign in budget.counted(re.finditer(b"@", scan)):
        before = scan[max(0, sign.start() - _MOST_EMPHASISED) : sign.start()]
        behind = scan[sign.end() : sign.end() + _MOST_EMPHASISED]
        start = sign.start() - len(before) + len(before.rstrip(_EMPHASISED))
        end = sign.end() + len(behind) - len(behind.lstrip(_EMPHASISED))
        for each in _EMPHASIS.finditer(scan, start, end):
            yield *each.span(), b"", 0


def _is_prose(sign: bytes, dots: Iterable[bytes]) -> bool:
    """Whether one of `dots` is a word that is no dot beside the sign: "at that point in time", "contact point a@b.co"."""
    return sign.lower() in (b"at", b"@") and any(each.strip(b" _*/|~-.").lower() in _NOT_BESIDE_AT for each in dots)


def _is_named(sign: bytes, local: bytes, host: bytes) -> bool:
    """Whether `local` and `host`, with plain dots if any, are an address by what they are: the sign is a word between them."""
    labels, ending = local.lower().split(b"."), host.lower().rpartition(b".")[2]
    if not (local[:1].isalpha() and labels[-1][-1:].isalnum()) or labels[-1] in _NO_SURNAMES or ending in _NO_ENDINGS:
        return False
    if len(labels) > 1:
        return labels[0] != b"www" and len(labels[-1]) > 1 and labels[-1][:1].isalpha()
    if sign[:1] in b"_*" or sign[:2] == b" -":
        return True
    return not local.isalpha() and host.lower().partition(b".")[0] in _MAIL_HOSTS


def _dots_before(scan: bytes, low: int, at: int, sign: bytes) -> list[tuple[int, int]]:
    """Where the marked dots stand before the last label `scan[at:]` of a local part, ascending."""
    dots: list[tuple[int, int]] = []
    for _ in range(_MOST_DOTS_BEFORE):
        begin = max(low, at - BEFORE)
        label = _BEFORE_DOT.search(scan[begin:at])
        if label is None or _is_prose(sign, (label[1],)):
            break
        dots.insert(0, (begin + label.start(1), begin + label.end(1)))
        at = begin + label.start()
    return dots


def _dot_changes(scan: bytes, signs: Iterable[tuple[int, int]]) -> Iterator[Change]:
    done = 0
    for start, end in signs:
        if start < done:
            continue
        before = scan[max(done, start - BEFORE) : start]
        before = before.rstrip(b" ") if len(before) - len(before.rstrip(b" ")) <= 2 else b""
        local = before[len(before.rstrip(_LOCAL)) :].rstrip(b"_-")
        host = _HOST.match(scan, end) if local.strip(b".-_%+") else None
        if host is None:
            continue
        first = max(done, start - BEFORE) + before.rfind(local) + len(local)
        dots = [each for each in _DOTS.finditer(scan, host.start(1), host.end()) if each[0] != b"."]
        loose = all(each[0] == b". " for each in dots)
        plain = _PLAIN_HOST.match(scan, end) if loose else None
        if plain is not None:
            # What stands behind a stop and a blank is the next sentence.
            host, dots = plain, []
        sign = scan[start:end].strip(b" _*/|~-")
        before_it = _dots_before(scan, done, first - len(local), sign)
        if sign == b"@":
            # An ordinary address, a handle, or a blank in the wrong place at one side only.
            if loose and not before_it and (first == start or host.start(1) == end):
                continue
        elif sign == b"@@":
            if first != start:
                continue
        elif not dots and sign[:1] not in b"[({<":
            if plain is None or not _is_named(scan[first : host.start(1)], local, host[1]):
                continue
        elif sign[:1] not in b"[({<" and (local.lower() in _NO_NAMES or _is_prose(sign, (each[0] for each in dots))):
            continue
        for dot in before_it:
            yield *dot, b".", 0
        yield first, host.start(1), b"@", 0
        for each in dots:
            yield *each.span(), b".", 0
        done = host.end()


# ------------------------------------------------------------------------------------------------- digits in words

_DIGIT_WORDS = (
    "zero oh nought null nul cero nula noll",
    "one eins een un une uno uma um ett jeden",
    "two zwei zwo twee deux dos due dois duas tva dwa",
    "three drei drie trois tres tre trzy",
    "four vier quatre cuatro quattro quatro fyra cztery",
    "five funf fuenf vijf cinq cinco cinque fem piec",
    "six sechs zes seis sei sex szesc",
    "seven sieben zeven sept siete sette sete sju siedem",
    "eight acht huit ocho otto oito atta osiem",
    "nine neun negen neuf nueve nove niner nio dziewiec",
)
_DIGIT = {word.encode(): b"%d" % digit for digit, words in enumerate(_DIGIT_WORDS) for word in words.split()}
_TIMES = {b"double": 2, b"triple": 3, b"doppel": 2, b"doble": 2, b"dubbel": 2}
_SIGN = {
    **dict.fromkeys((b"dash", b"hyphen", b"minus", b"bindestrich", b"strich", b"tiret", b"guion", b"trattino", b"hifen", b"streepje"), b"-"),
    **dict.fromkeys((b"space", b"leerzeichen", b"espace", b"espacio", b"spazio", b"espaco", b"spatie"), b" "),
    **dict.fromkeys((b"plus", b"mas", b"piu", b"mais"), b"+"),
}  # fmt: skip
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_TWO_DIGITS = {word.encode(): b"%d" % number for number, word in enumerate(_TEENS, 10)}
# Before a digit they are one themselves: `forty-nine`.
_TEN = {word.encode(): b"%d" % number for number, word in enumerate(_TENS, 2)}
SPOKEN_WORDS = frozenset((*_DIGIT, *_TWO_DIGITS, *_TEN, *_TIMES, *_SIGN))
FEWEST_SPOKEN = 7
_FEWEST_WORDS = 4
_WORD = re.compile(rb"[a-z]+|[0-9]{1,8}")
_LOWERED = bytes(
    ord(chr(each).lower()) if chr(each).isascii() and chr(each).isalpha() else 32 if each < 0x80 else each
    for each in range(256)
)
# With doubled digits seven of them are four words.
_SPOKEN_RUN = b"\1" * 4
_BETWEEN = frozenset(
    (b" ", b", ", b"-", b" - ", b",", b"\n", b". ", b"  ", b".", b"; ", b"/", b" / ", b"\r\n", b"\t", b"_")
)


def hints_in(scan: bytes) -> frozenset[str]:
    """Which of the hints `at`, `dot`, `spoken` and `rot13` may be in `scan`."""
    words = scan.translate(_LOWERED).split()
    return frozenset(
        name
        for name, there in (
            ("at", not AT_WORDS.isdisjoint(words)),
            ("dot", not DOT_WORDS.isdisjoint(words)),
            ("spoken", _SPOKEN_RUN in bytes(map(SPOKEN_WORDS.__contains__, words))),
            ("rot13", True),
        )
        if there
    )


def spelled(view: View, hints: Collection[str], budget: Budget) -> View | None:
    """Runs of seven digits and more in words: English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Polish."""
    if "spoken" not in hints:
        return None
    return changed(view, _spoken_changes(view.scan, budget), "words")


def _spoken_changes(scan: bytes, budget: Budget) -> Iterator[Change]:
    lowered = scan.lower()
    run: list[tuple[int, int, bytes]] = []
    reach = -1
    for match in budget.counted(_WORD.finditer(lowered)):
        word = match[0]
        if word not in SPOKEN_WORDS and not word.isdigit():
            continue
        if run and lowered[reach : match.start()] not in _BETWEEN:
            yield from _number(scan, run)
            run = []
        run.append((match.start(), match.end(), word))
        reach = match.end()
    yield from _number(scan, run)


# The country of an account, spelled before its digits.
_SPELLED_LETTERS = re.compile(rb"(?<![A-Za-z0-9])([A-Z])([ ,.-]{1,2})([A-Z])([ ,.-]{1,2})\Z")
_LETTERS = re.compile(rb"(?<![A-Za-z0-9])([A-Z]{2})([ ,.-]{1,2})\Z")


def _number(scan: bytes, run: list[tuple[int, int, bytes]]) -> Iterator[Change]:
    pieces: list[tuple[int, int, bytes]] = []
    times, since = 1, -1
    for at, (start, end, word) in enumerate(run):
        if word in _TIMES:
            times, since = _TIMES[word], start
            continue
        digit = word if word.isdigit() else _DIGIT.get(word) or _TWO_DIGITS.get(word)
        if word in _TEN:
            unit = at + 1 < len(run) and run[at + 1][2] in _DIGIT and scan[end : run[at + 1][0]] in (b"-", b" ")
            digit = _TEN[word] if unit else _TEN[word] + b"0"
        pieces.append((since if since >= 0 else start, end, digit * times if digit else _SIGN[word]))
        times, since = 1, -1
    spoken = sum(not word.isdigit() for _, _, word in run)
    if spoken < _FEWEST_WORDS or sum(len(piece) for _, _, piece in pieces if piece.isdigit()) < FEWEST_SPOKEN:
        return
    first = pieces[0][0]
    before = scan[max(0, first - 8) : first]
    letters = _SPELLED_LETTERS.search(before) or _LETTERS.search(before)
    if letters is not None and letters[0].translate(None, b" ,.-").decode() in iban_structures():
        for group in range(2, len(letters.groups()) + 1, 2):
            yield first - len(before) + letters.start(group), first - len(before) + letters.end(group), b"", 0
    for number, (start, end, piece) in enumerate(pieces):
        if number and start > pieces[number - 1][1]:
            yield pieces[number - 1][1], start, b"", 0
        if scan[start:end] != piece:
            yield start, end, piece, 0


# ----------------------------------------------------------------------------------------------------------- rot13

_ROTATION = bytes(ord(codecs.encode(chr(each), "rot13")) if each < 0x80 else each for each in range(256))
_MENTION = re.compile(rb"[Rr][Oo][Tt][ _-]?13")
# The endings of addresses that no top-level domain looks like.
_ROTATED_END = re.compile(rb"\.(?:pbz|bet|arg|rqh)\b")
ROTATED_BEHIND = 256
ROTATED_BEFORE = 128


def rotated(view: View, hints: Collection[str], budget: Budget) -> View | None:
    """What stands near a mention of rot13, and addresses that end in `.pbz`, turned."""
    scan = view.scan
    if "rot13" not in hints:
        return None
    spans: list[tuple[int, int]] = []
    if b"13" in scan:
        mentions = budget.counted(_MENTION.finditer(scan))
        spans += [(each.start() - ROTATED_BEFORE, each.end() + ROTATED_BEHIND) for each in mentions]
    if b"@" in scan:
        ends = budget.counted(_ROTATED_END.finditer(scan))
        spans += [
            (max(each.start() - 128, scan.rfind(b" ", max(0, each.start() - 128), each.start()) + 1), each.end())
            for each in ends
            if scan.rfind(b"@", max(0, each.start() - 64), each.start()) >= 0
        ]
    draft = Draft(view)
    turned = _united(spans, len(scan))
    for (start, end), (following, _) in zip_longest(turned, turned[1:], fillvalue=(len(scan), 0)):
        draft.part()
        draft.context(start - BEFORE, start)
        draft.part()
        draft.spread(scan[start:end].translate(_ROTATION), start, 1, 1)
        draft.context(end, min(following, end + BEHIND))
    return draft.view("rot13")


def _united(spans: Iterable[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """`spans` inside the text, sorted, those that touch as one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        start, end = max(0, start), min(end, length)  # noqa: PLW2901 - clipped
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        elif start < end:
            united.append((start, end))
    return united
