"""Telephone numbers: candidates by shape, verified with one pattern per region, which are libphonenumber's.

International numbers (`+`, `00`) name their country and are verified once. National forms are verified for the regions in play,
and for all where a word for telephones stands before them. No library is called per candidate: `phone_table` reads the
metadata of phonenumbers once into plain data, and the patterns of a region are compiled on its first use.

Differences to libphonenumber's matcher: dates, times, prices, versions and amounts are not numbers; a run of digits without
any grouping is reported beside a word only, and so is a piece of a longer number; letters that stand for digits are not
read; a number that several regions in play could own has the region whose grouping it follows, else none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple, Self, final

from classifiers.meter import Meter
from classifiers.rules import CONTEXT_BONUS, CONTEXT_CEILING
from classifiers.view import View
from governance.finding import Category, Finding
from governance.segment import Span

DETECTOR = "family.phone"
DEFAULT_REGIONS = ("US", "GB", "DE", "FR")
# What is charged for asking the plans of all regions.
_ELSEWHERE_MICROS = 240
_FEWEST_ELSEWHERE = 8
E164_PERMILLE = 850
# `00` and a country code, in groups; a run of digits may be a number with zeros in front.
ABROAD_PERMILLE = 700
UNASSIGNED_PERMILLE = 500
# Presidio's score for every telephone number.
NATIONAL_PERMILLE = 400
# Below what is reported: bare runs of digits, and groups that nothing but their number makes a telephone number.
BARE_PERMILLE = 300

CONTEXT_REACH = 64
_MIN_DIGITS, _MAX_DIGITS = 7, 17
_MAX_GROUPS = 12
_FEWEST_GROUPS = 3
_MAX_TRIMS = 5
_MAX_MEMO = 4096
_CLOSED_LENGTHS = 6
# Two groups with a zero in front are an order number as often as a short number of a small town.
_FORMATTED_DIGITS, _OPEN_DIGITS, _MOST_NATIONAL_DIGITS = 9, 10, 13
_GERMAN = "49"
_OPENING, _ZERO, _BLANK = b"(0 "
_BRACKETS = frozenset(b"()")
# What may stand before the first digit of a number and belong to it, and what of that joins it to digits before.
_LEADS = b"+("
_JOINS = b"+()./-0123456789"
# `1` or an area code.
_AMERICAN_STARTS = (1, 3)
_WORDS = frozenset(
    b"phone phones telephone telefon telefono telefone telefoon tel tlf tfn mobile mobil movil celular cellulare cell cellphone "
    b"handy call fax whatsapp hotline rufnummer durchwahl portable gsm sms komorka puhelin ring telefonnummer mobilnummer "
    b"handynummer telefonszam phonenumber natel mobitel telemovel fono puh talr thoai sdt telp telepon swish telefonu "
    b"telefonnr mobilnr telefonnumber gsmnummer komorkowy telefonos mobiltelefon telefoonnummer mobiele puhelinnumero "
    b"matkapuhelin".split()
)
# Words for something else as well: with nothing between them and the number.
_BESIDE = re.compile(rb"(?<![0-9a-z_])(?:hp|ph|mob|simi|simu|contact)(?: (?:no|nr|number))?\.?:? ?\Z")
# Short for `celular` and `cep telefonu`, and other words elsewhere (Polish `cel` is a goal, Brazilian `CEP` a postcode): directly
# before a number that one of their countries writes so.
_SHORT_WORD = re.compile(rb"(?<![0-9a-z_])ce[lp]\.?:? ?\Z")
_SHORT_WORDS: Mapping[int, Sequence[str]] = {
    ord("l"): "AR BO BR CL CO CR DO EC ES GT HN MX NI PA PE PY SV UY VE".split(),
    ord("p"): ("TR",),
}
# What may stand between a word and the number that it names.
_FILLERS = frozenset(b"no nr num number numero numer nummer kom is ist es er je jest on at me us him her them".split())
# Behind these a number may count something.
_OF_MANY = frozenset(b"call ring cell mobile mobil portable handy fax movil celular cellulare hotline".split())
_COUNTED = re.compile(rb" [a-z\x80-\xff]")
# A number behind one of these is no telephone number for being grouped like one.
_OTHER_KINDS = frozenset(
    b"order orders bestellung bestellnummer auftrag commande pedido ordine zamowienie bestelling invoice rechnung facture factura "
    b"fattura part parts pn teil teilenummer ersatzteil artikel article articulo ref reference referenz referencia catalogue catalog "
    b"katalog sku model modell modele serial seriennummer isbn issn ean gtin upc tracking sendung sendungsnummer parcel paket colis "
    b"suivi shipment lottery lotto zahlen numbers meter zahlerstand version build batch ticket case item pin iban konto account "
    b"ssn".split()
)
_OTHER_REACH = 56
_MOST_OWN_GROUPS = 5
_CALLED_REACH = 24
_SHORT_REACH = 8
_JOINT = re.compile(rb"[^0-9]+")
_BROKEN = re.compile(rb"[0-9\n]")
_ABROAD = re.compile(rb"\(?00[ )]{0,2}[1-9]")
# A decimal fraction behind a sign; one dot behind a country code is how registries of names write numbers.
_SUM = re.compile(rb"\+ ?[0-9]{4,}\.[0-9]+")
_DECIMAL = re.compile(rb"0[.,]")
_OCTET_BEFORE = re.compile(rb"(?<![0-9A-Za-z])(?:[a-fA-F][0-9a-fA-F]|[0-9][a-fA-F]) {1,2}\Z")
_OCTET_AFTER = re.compile(rb" {1,2}(?:[a-fA-F][0-9a-fA-F]|[0-9][a-fA-F])(?![0-9A-Za-z])")
_WORD = re.compile(rb"[A-Za-z]{2,16}")
_OTHER_WORDS = (
    "电话 電話 手机 手機 携帯 传真 傳真 連絡先 전화 휴대폰 팩스 연락처 телефон (?<!\\w)тел(?!\\w) (?<!\\w)моб(?!\\w) (?<!\\w)мобил факс τηλέφωνο τηλ κινητό "
    "هاتف جوال موبايل موبائل موبایل تلفن טלפון נייד โทร फ़ोन फोन मोबाइल मोबाईल"
).split()

_OTHER_KINDS_ELSEWHERE = re.compile(
    "品番|型番|部品|型号|型號|编号|編號|注文番号|订单|訂單|주문|부품|артикул|заказ", re.IGNORECASE
)

# Behind an area code a sign between blanks sets the rest off; elsewhere it parts numbers.
_SET_OFF = rb"\(?0[1-9][0-9]{1,4}\)? [-/] "
# Brackets end a run of digits: what stands before the run may belong to the number.
_LEFT = re.compile(rb"(?:\+ ?)?\(?\+?(?:[0-9]{1,5}[ .\-/]?[()][ .\-/]?){0,3}\(?\Z")
_AREA = re.compile(rb"(?<![0-9])(?<![0-9][ .\-/()])" + _SET_OFF + rb"\Z")
_LEFT_REACH = 20
_GROUP = re.compile(rb"[0-9]+")
# Behind a letter no number begins.
_FIRST_GROUP = re.compile(rb"(?<![0-9A-Z_a-z])[0-9]+")
# Groups that may be one number or a list of them.
_ROW = re.compile(
    rb"(?:(?:\+ ?)?\(?\+?|" + _SET_OFF + rb"(?=[1-9]))[0-9](?:(?! (?:19|20)[0-9]{2}-[01])[ .\-/()]{0,2}[0-9]){5,}"
)
_EXTENSION = re.compile(
    rb"(?:;ext=|[ ,]{0,2}(?:ext(?:ension|n)?\.?|x|durchwahl|dw\.?|poste)[ :.]{0,2})[0-9]{1,7}(?![0-9A-Z_a-z])",
    re.IGNORECASE,
)
# A tag of XML ends before a number, an arrow leads to one.
_BEFORE = re.compile(rb"[0-9A-Z_a-z\x80-\xff$#%&=*~^<+@\\]\Z|(?:\A|[^A-Za-z\"'/])>\Z|[0-9][.,:/-]\Z|[A-Za-z]-\Z")
_BEFORE_PLUS = re.compile(rb"[0-9A-Z_a-z+]\Z")
# A comma or slash with a number of as many digits on its other side parts the two.
_LISTED_BEFORE = re.compile(rb"[0-9](?:[ .\-/()]{0,2}[0-9]){6}[,/]\Z")
_LISTED_REACH = 22
_AFTER = re.compile(rb"[0-9A-Z_a-z\x80-\xff%$]|[.:/-][0-9]|,(?!\(?[0-9](?:[ .\-/()]{0,2}[0-9]){6})[0-9]|[-/]?[A-Za-z]")
_AFTER_PLUS = re.compile(rb"[0-9A-Z_a-z]")
_DAY = re.compile(
    rb"\(?(?:[0-3]?[0-9]([./-])[0-3]?[0-9]\1(?:(?:19|20)[0-9]{2}|[0-9]{2}(?!\1))|[0-3]?[0-9] [01]?[0-9] (?:19|20)[0-9]{2}"
    rb"|(?:19|20)[0-9]{2}([./-])[01]?[0-9]\2[0-3]?[0-9])(?![0-9])"
)
_DATE = re.compile(rb"(?:19|20)[0-9]{2}([./-])[01][0-9]\1[0-3][0-9]")
_DATE_LENGTH = 10
_AMOUNT = re.compile(rb"[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[1-9][0-9]{0,2}(?: [0-9]{3})+|[0-9]+(?:\.[0-9]+){1,3}")
_NANP = rb"(?:1[ .-]{0,2})?\(?[2-9][0-9]{2}(?:\)[ .-]{0,2}|[ .-]|/)[2-9][0-9]{2}[ .-][0-9]{4}"
# How a number of Russia or Kazakhstan begins, and none of North America.
_EIGHT = re.compile(rb"8[ -]?\([3-9][0-9]{2,4}\)")
_NANP_GROUPS = re.compile(_NANP + rb"\Z")
_TYPES = ("fixed_line mobile toll_free premium_rate shared_cost personal_number voip pager uan voicemail").split()


# By digits, whether a plus stands before them and whether an eight apart: the regions in play that read the number, each with the
# region that owns it.
_Memo = dict[tuple[str, bool, bool], tuple[tuple[str, str], ...]]


def names_telephones(words: bytes) -> bool:
    """Whether one of `words` is one for telephones."""
    return not _WORDS.isdisjoint(_WORD.findall(words.lower()))


def phone_table() -> dict[str, Any]:
    """Numbering plans as JSON: `regions` by code, and the `codes` that lead to them, the main region of a code first.

    Reads all metadata of phonenumbers, which takes seconds: meant for the time when rules are compiled.
    """
    import phonenumbers  # noqa: PLC0415 - nothing else needs it, and a start with a compiled table must not load it

    codes = {str(code): list(regions) for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()}
    plans = {}
    for code, regions in codes.items():
        for region in regions:
            if region == "001":
                plans[f"001-{code}"] = _plan(phonenumbers.PhoneMetadata.metadata_for_nongeo_region(int(code)))
            else:
                plans[region] = _plan(phonenumbers.PhoneMetadata.metadata_for_region(region))
        codes[code] = [f"001-{code}" if region == "001" else region for region in regions]
    return {"codes": codes, "regions": plans}


# Kept for films and examples, which no plan has: Ofcom, "Telephone numbers for use in TV and radio drama programmes" (2024).
_EXAMPLES: Mapping[str, str] = {"GB": "(?:1632960|7700900)[0-9]{3}"}


def _plan(metadata: Any) -> dict[str, Any]:
    patterns = [desc.national_number_pattern for kind in _TYPES if (desc := getattr(metadata, kind)) is not None]
    patterns.append(_EXAMPLES.get(metadata.id, ""))
    return {
        "code": str(metadata.country_code),
        "general": metadata.general_desc.national_number_pattern,
        "types": "|".join(dict.fromkeys(pattern for pattern in patterns if pattern)),
        "lengths": sorted(metadata.general_desc.possible_length),
        "leading": metadata.leading_digits,
        "prefix": metadata.national_prefix,
        "strip": metadata.national_prefix_for_parsing,
        "transform": _template(metadata.national_prefix_transform_rule),
        "formats": [
            [each.leading_digits_pattern[-1:], each.pattern, _needs_prefix(each, metadata.national_prefix)]
            for each in metadata.number_format
        ],
    }


def _needs_prefix(form: Any, prefix: str | None) -> bool:
    """Whether numbers of this form are written with the national prefix always."""
    rule = form.national_prefix_formatting_rule
    return bool(prefix and rule and not form.national_prefix_optional_when_formatting and prefix in rule)


def _template(rule: str | None) -> str | None:
    return None if rule is None else re.sub(r"\$([0-9])", r"\\\1", rule)


@final
class _Region:
    """The numbering plan of one region, its patterns compiled when first asked for."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        self._lengths = frozenset(plan["lengths"])
        self.prefix: str = plan["prefix"] or ""
        self.code: str = plan["code"]

    @cached_property
    def _general(self) -> re.Pattern[str]:
        return re.compile(self._plan["general"])

    @cached_property
    def _types(self) -> re.Pattern[str]:
        return re.compile(self._plan["types"])

    @cached_property
    def _leading(self) -> re.Pattern[str] | None:
        return re.compile(self._plan["leading"]) if self._plan["leading"] else None

    @cached_property
    def _strip(self) -> re.Pattern[str] | None:
        return re.compile(self._plan["strip"]) if self._plan["strip"] else None

    @cached_property
    def _formats(self) -> tuple[tuple[re.Pattern[str] | None, re.Pattern[str], bool], ...]:
        return tuple(
            (re.compile(leading[0]) if leading else None, re.compile(pattern), needs_prefix)
            for leading, pattern, needs_prefix in self._plan["formats"]
        )

    def _format(self, significant: str) -> tuple[tuple[int, ...], bool] | None:
        """The lengths of the groups that the region writes the number in, and whether the prefix goes before them."""
        for leading, pattern, needs_prefix in self._formats:
            if leading is None or leading.match(significant) is not None:
                match = pattern.fullmatch(significant)
                if match is not None:
                    return tuple(map(len, match.groups())), needs_prefix
        return None

    @property
    def open(self) -> bool:
        """Whether numbers have many lengths, so that groups are everyone's own."""
        return len(self._lengths) > _CLOSED_LENGTHS

    @property
    def dialled(self) -> frozenset[int]:
        """How many digits a number may have, with the national prefix or without."""
        return self._lengths | {length + len(self.prefix) for length in self._lengths}

    def has_length(self, significant: str) -> bool:
        """Whether numbers of the plan are as long."""
        return len(significant) in self._lengths

    def owns(self, significant: str) -> bool:
        """Whether the plan has such numbers."""
        return self.has_length(significant) and self._types.fullmatch(significant) is not None

    def leads(self, significant: str) -> bool:
        """Whether a number under a shared country code is this region's."""
        if self._leading is not None:
            return self._leading.match(significant) is not None
        return self.owns(significant)

    def significant(self, dialled: str) -> str:
        """The number without what is dialled before it inside the country. A number may begin with the same digits."""
        match = self._strip.match(dialled) if self._strip is not None else None
        if match is None or not match.end():
            return dialled
        rest = dialled[match.end() :]
        transform = self._plan["transform"]
        if transform and match.lastindex and match[match.lastindex] is not None:
            rest = match.expand(transform) + rest
        if self._general.fullmatch(dialled) is not None and self._general.fullmatch(rest) is None:
            return dialled
        return rest

    def reads(self, dialled: str, significant: str) -> bool:
        """Whether `dialled` is how a number of the plan is dialled: with the prefix, where it is always written."""
        if not self.owns(significant):
            return False
        if significant != dialled or not self.prefix:
            return True
        form = self._format(significant)
        return form is None or not form[1]

    def grouped_as(self, significant: str, groups: tuple[int, ...]) -> bool:
        """Whether the groups, with or without the prefix in the first or before it, are those that the region writes."""
        form = self._format(significant)
        if form is None:
            return False
        first, *others = form[0]
        return groups in (form[0], (first + len(self.prefix), *others), (len(self.prefix), *form[0]))

    def begins_as(self, significant: str, groups: tuple[int, ...]) -> bool:
        """Whether the area code stands apart behind the prefix, and people may have grouped the rest as they like."""
        form = self._format(significant)
        if form is None or len(groups) > _MOST_OWN_GROUPS:
            return False
        # In Germany three digits of a mobile number are its network's, which the plan does not set apart.
        area = 3 if self.code == _GERMAN and significant[0] == "1" else form[0][0]
        if groups[0] not in (len(self.prefix) + area, len(self.prefix) + form[0][0]):
            return False
        return min(groups[1:], default=0) >= (2 if self.open else 3)


class _Candidate(NamedTuple):
    """Digits in `scan[start:end]`, in groups of these lengths, the last of them before group `stop` of its row.

    `goes_on` says on which sides the sign that joins its groups joins them to others.
    """

    start: int
    end: int
    stop: int
    digits: str
    groups: tuple[int, ...]
    written: bytes
    plus: bool
    goes_on: tuple[bool, bool]


class _Reading(NamedTuple):
    """A candidate that is a number: the region that has it, and its score without the words beside it."""

    candidate: _Candidate
    region: str
    permille: int
    validated: bool = False
    by_short_word: bool = False

    @property
    def strong(self) -> bool:
        """Whether it is reported without a word beside it."""
        return self.permille > BARE_PERMILLE


class _Row(NamedTuple):
    """Groups that single or double signs join, in one number or several; where they begin, with what stands before a digit.

    `begun` keeps at which groups a number was found to begin.
    """

    lead: int
    groups: Sequence[tuple[int, int]]
    begun: dict[int, bool]


class _Beginnings(NamedTuple):
    """How, at a glance, a number that needs no word begins behind others: `alone` where no number ends before it."""

    behind_another: re.Pattern[bytes]
    alone: re.Pattern[bytes]


class _Search(NamedTuple):
    """One text, the regions in play and how their numbers begin, what others own in it, what was verified, the allowance."""

    view: View
    in_play: Sequence[str]
    begins: _Beginnings
    owned: Sequence[tuple[int, int]]
    memo: _Memo
    meter: Meter
    floor: int


@final
class PhoneFinder:
    """Finds numbers of any country in international form, of the regions in play in national form. Safe between threads."""

    def __init__(self, regions: Sequence[str] = DEFAULT_REGIONS, table: Mapping[str, Any] | None = None) -> None:
        table = phone_table() if table is None else table
        self._regions = {name: _Region(plan) for name, plan in table["regions"].items()}
        self._codes: Mapping[str, Sequence[str]] = table["codes"]
        self.regions = tuple(regions)
        self._other_context = re.compile("|".join(_OTHER_WORDS), re.IGNORECASE)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], regions: Sequence[str] = DEFAULT_REGIONS) -> Self:
        """A finder over the result of `phone_table`, which may have been through JSON."""
        return cls(regions, table)

    def search(
        self,
        view: View,
        digit_runs: Sequence[tuple[int, int]],
        owned: Sequence[tuple[int, int]],
        meter: Meter,
        *,
        regions: Sequence[str] | None = None,
        floor: int = 0,
    ) -> Iterator[Finding]:
        """Numbers that begin in one of `digit_runs`, in order, none overlapping another or one of `owned` (both sorted).

        `regions` are those whose national forms are read, the likeliest first; by default the finder's own. Some of what
        scores less than `floor` is left out.
        """
        in_play = [region for region in (self.regions if regions is None else regions) if region in self._regions]
        plans = [self._regions[region] for region in in_play]
        prefixes = frozenset(plan.prefix for plan in plans if plan.prefix and plan.code != "1")
        search = _Search(view, in_play, _beginnings(prefixes), owned, {}, meter, floor)
        done = 0
        for start, end in digit_runs:
            while (group := _FIRST_GROUP.search(view.scan, max(start, done), end)) is not None:
                meter.charge(4)
                match = _ROW.match(view.scan, max(done, _left(view.scan, group.start())))
                done = group.end() if match is None else match.end()
                if match is None:
                    continue
                meter.charge(4)
                if not (floor > BARE_PERMILLE and self._is_other(match, view)):
                    for reading in self._within(match, search):
                        yield self._finding(view, reading)

    def _is_other(self, match: re.Match[bytes], view: View) -> bool:
        """Whether `match` is, at a glance, a date or a run of digits that counts beside a word only, and none is there."""
        written = match[0]
        if written.isdigit():
            start = match.start()
            return not _MIN_DIGITS <= len(written) <= _MAX_DIGITS or not (
                self._named(view, start) or _short_word(view, start)
            )
        return len(written) == _DATE_LENGTH and _DATE.fullmatch(written) is not None

    def _within(self, match: re.Match[bytes], search: _Search) -> Iterator[_Reading]:
        """The numbers in one row, in order. One that only a word makes a number gives way to one that begins inside it."""
        scan = search.view.scan
        groups = [each.span() for each in _GROUP.finditer(scan, match.start(), match.end())]
        search.meter.charge(len(groups))
        row = _Row(match.start(), groups, {})
        first, behind_another = 0, False
        weak: _Reading | None = None
        while first < len(groups):
            if weak is not None and weak.candidate.stop <= first:
                yield weak
                weak = None
            found = self._likeliest(row, first, search, behind_another=behind_another)
            behind_another = found is not None and found.strong
            if found is not None and found.strong:
                yield found
                weak, first = None, found.candidate.stop
                continue
            weak = weak or found
            beside_words = search.floor <= BARE_PERMILLE or groups[first][0] - row.lead < CONTEXT_REACH
            following = _next_start(scan, groups, first) if beside_words else _next_alone(row, first, search)
            first = following if weak is None else min(following, weak.candidate.stop)
        if weak is not None:
            yield weak

    def _likeliest(self, row: _Row, first: int, search: _Search, *, behind_another: bool) -> _Reading | None:
        """The number that begins with group `first`: one that needs no word, then one behind which the next begins, then the
        longest. `behind_another` says that a number ends before it.
        """
        view, start = search.view, row.groups[first][0]
        near = start - row.lead < CONTEXT_REACH
        weak = search.floor <= BARE_PERMILLE or (near and self._named(view, start))
        search.meter.charge(3)
        begins = search.begins.behind_another if behind_another else search.begins.alone
        if first and not weak and begins.match(view.scan, start) is None:
            return None
        best, followed = None, False
        for candidate in _candidates(view.scan, row, first):
            search.meter.charge(8)
            next_begins = self._begins(row, candidate.stop, search)
            if best is not None and best.strong and not next_begins:
                continue
            before, behind = candidate.goes_on
            piece = (before and not behind_another) or (behind and not next_begins)
            found = self._read(candidate, search, piece=piece, weak=weak)
            if found is None or _overlaps(search.owned, view.span(candidate.start, candidate.end)):
                continue
            if best is None or (found.strong, next_begins) > (best.strong, followed):
                best, followed = found, next_begins
            if best.strong and followed:
                break
        return best

    def _begins(self, row: _Row, first: int, search: _Search) -> bool:
        """Whether a number that needs no word begins with group `first` and is no piece of something longer."""
        if first not in row.begun:
            row.begun[first] = _may_begin(row, first, search) and any(
                self._read(candidate, search, piece=False, weak=False) is not None
                for candidate in _candidates(search.view.scan, row, first)
                if not candidate.goes_on[1] or _may_begin(row, candidate.stop, search)
            )
        return row.begun[first]

    def _read(self, candidate: _Candidate, search: _Search, *, piece: bool, weak: bool) -> _Reading | None:
        """What `candidate` is as a number; None if it is none, or one that counts beside a word only and not `weak`."""
        view, in_play, memo = search.view, search.in_play, search.memo
        if len(memo) > _MAX_MEMO:
            memo.clear()
        eight = _EIGHT.match(candidate.written) is not None
        key = (candidate.digits, candidate.plus, eight)
        grouped = len(candidate.groups) > 1
        if candidate.plus and _SUM.fullmatch(candidate.written) is not None:
            return None
        if candidate.plus or _ABROAD.match(candidate.written) is not None:
            search.meter.charge(32)
            if key not in memo:
                owner = self._international(candidate.digits if candidate.plus else candidate.digits[2:])
                memo[key] = ((owner, owner),) if owner else ()
            if not memo[key]:
                return self._unassigned(candidate) if candidate.plus and not piece else None
            usual = grouped and not piece
            score = E164_PERMILLE if candidate.plus else ABROAD_PERMILLE if usual else BARE_PERMILLE
            reading = _Reading(candidate, memo[key][0][1], score, candidate.plus)
            return reading if weak or reading.strong else None
        american = _NANP_GROUPS.match(candidate.written) is not None
        if not american and _DAY.match(candidate.written) is not None:
            return None
        if not piece and (told := self._in_short(view, candidate)):
            return _Reading(candidate, told[0] if len(told) == 1 else "", NATIONAL_PERMILLE, by_short_word=True)
        usual = grouped and not piece
        if usual and not american:
            usual = (
                b" - " not in candidate.written
                and b" / " not in candidate.written
                and _AMOUNT.fullmatch(candidate.written) is None
                and _joints(candidate.written)
                and not _dump(view.scan, candidate)
            )
        if not (usual or weak):
            return None
        search.meter.charge(32)
        if key not in memo:
            plans = ("RU",) if eight else in_play
            owners = ((region, self._owner(region, candidate.digits)) for region in plans)
            memo[key] = tuple((region, owner) for region, owner in owners if owner)
        if not memo[key]:
            return self._elsewhere(search, candidate) if weak and grouped and not piece else None
        region, formatted = self._written_in(memo[key], candidate)
        if weak and grouped and not (piece or formatted):
            elsewhere = self._elsewhere(search, candidate)
            if elsewhere is not None and elsewhere.region:
                return elsewhere
        usual = usual and formatted
        if usual and b"(" not in candidate.written:
            usual = not self._other_kind(view, candidate.start)
        reading = _Reading(candidate, region, NATIONAL_PERMILLE if usual else BARE_PERMILLE)
        return reading if weak or reading.strong else None

    def _elsewhere(self, search: _Search, candidate: _Candidate) -> _Reading | None:
        """A number beside a word for telephones that no region in play has, in the groups of others.

        Without a national prefix the word has to stand directly before it.
        """
        if not self._named(search.view, candidate.start):
            return None
        directly = self._called(search.view, candidate)
        if not directly and self._other_kind(search.view, candidate.start):
            return None
        search.meter.charge(_ELSEWHERE_MICROS)
        owners = [
            name
            for name in self._by_digits.get(len(candidate.digits), ())
            if self._written_there(self._regions[name], candidate, directly=directly)
            and self._owner(name, candidate.digits)
        ]
        owner = owners[0] if len(owners) == 1 else ""
        return _Reading(candidate, owner, NATIONAL_PERMILLE) if owners else None

    def _in_short(self, view: View, candidate: _Candidate) -> Sequence[str]:
        """The countries of a short word directly before the number that have it and write it so, or without groups and no count."""
        written = candidate.written
        if not (told := _short_word(view, candidate.start)) or _AMOUNT.fullmatch(written) or written.endswith(b"000"):
            return ()
        whole = len(written) == len(candidate.digits) >= _OPEN_DIGITS
        if whole and _COUNTED.match(view.scan, candidate.end):
            return ()
        return [
            name
            for name in told
            if (whole or self._written_there(self._regions[name], candidate, directly=True))
            and self._owner(name, candidate.digits) == name
        ]

    def _written_there(self, region: _Region, candidate: _Candidate, *, directly: bool) -> bool:
        if region.code == "1" or (region.prefix and candidate.digits.startswith(region.prefix)):
            return self._formatted(region, candidate)
        return directly and self._grouped(region, candidate)

    @cached_property
    def _by_digits(self) -> Mapping[int, Sequence[str]]:
        """The regions by how many digits their numbers have as they are dialled inside the country."""
        found: dict[int, list[str]] = {}
        for name, region in self._regions.items():
            if name.isalpha():
                for length in region.dialled:
                    found.setdefault(length, []).append(name)
        return found

    def _called(self, view: View, candidate: _Candidate) -> bool:
        """Whether a word for telephones stands directly before a number that is long enough, and names nothing else."""
        if len(candidate.digits) < _FEWEST_ELSEWHERE:
            return False
        start = candidate.start
        amount = _AMOUNT.fullmatch(candidate.written) is not None
        if amount and _COUNTED.match(view.scan, candidate.end) is not None:
            return False
        before = _BROKEN.split(view.scan[max(0, start - CONTEXT_REACH) : start].lower())[-1]
        last = next((word for word in reversed(_WORD.findall(before)) if word not in _FILLERS), b"")
        if last in _WORDS:
            return not (amount and last in _OF_MANY)
        if not amount and _BESIDE.search(before) is not None:
            return True
        at = view.position(start)
        return (
            not view.text.isascii()
            and self._other_context.search(view.text, max(0, at - _CALLED_REACH), at) is not None
        )

    def _unassigned(self, candidate: _Candidate) -> _Reading | None:
        """A number of a length that its country has, in groups behind a plus: ranges are opened faster than tables are kept."""
        if len(candidate.groups) < _FEWEST_GROUPS:
            return None
        names, dialled = self._behind_code(candidate.digits)
        if not names:
            return None
        region = self._regions[names[0]]
        if not region.has_length(region.significant(dialled)):
            return None
        return _Reading(candidate, names[0] if len(names) == 1 else "", UNASSIGNED_PERMILLE)

    def _international(self, digits: str) -> str:
        """The region that has the number behind its country code; empty if none has."""
        names, dialled = self._behind_code(digits)
        return self._among(names, dialled) if names else ""

    def _behind_code(self, digits: str) -> tuple[Sequence[str], str]:
        """The regions of the country code that `digits` begin with, and what is behind it. No code begins with another one."""
        for length in (1, 2, 3):
            names = self._codes.get(digits[:length])
            if names is not None:
                return names, digits[length:]
        return (), digits

    def _among(self, names: Sequence[str], dialled: str) -> str:
        """The region among those of one country code, the main one first, that has the number."""
        significant = self._regions[names[0]].significant(dialled)
        for name in names:
            region = self._regions[name]
            if len(names) == 1 or region.leads(significant):
                return name if region.owns(significant) else ""
        return ""

    def _owner(self, name: str, digits: str) -> str:
        """The region that has the number which someone in region `name` dials so: itself, or another under its code."""
        region = self._regions[name]
        significant = region.significant(digits)
        names = self._codes[region.code]
        if len(names) == 1:
            return name if region.reads(digits, significant) else ""
        owner = self._among(names, significant)
        return owner if owner and self._regions[owner].reads(digits, significant) else ""

    def _written_in(self, known: Sequence[tuple[str, str]], candidate: _Candidate) -> tuple[str, bool]:
        """The one region that writes numbers in these groups, or the only one; and whether it looks like a number there."""
        likely = [pair for pair in known if self._formatted(self._regions[pair[0]], candidate)]
        own = (
            [pair for pair in likely if self._grouped(self._regions[pair[0]], candidate)] if len(likely) > 1 else likely
        )
        for choice in (own, likely, known):
            owners = {owner for _, owner in choice}
            if len(owners) == 1:
                return owners.pop(), bool(likely) or b"(" in candidate.written
        return "", bool(likely)

    def _formatted(self, region: _Region, candidate: _Candidate) -> bool:
        if region.code == "1":
            return _NANP_GROUPS.match(candidate.written) is not None
        if not region.prefix or not candidate.digits.startswith(region.prefix):
            return False
        if b"(" in candidate.written or self._grouped(region, candidate):
            return len(candidate.digits) >= _FORMATTED_DIGITS
        return _OPEN_DIGITS <= len(candidate.digits) <= _MOST_NATIONAL_DIGITS and region.begins_as(
            region.significant(candidate.digits), candidate.groups
        )

    def _grouped(self, region: _Region, candidate: _Candidate) -> bool:
        return region.grouped_as(region.significant(candidate.digits), candidate.groups)

    def _finding(self, view: View, reading: _Reading) -> Finding:
        """What is reported, with the extension behind the number."""
        candidate, region, permille, validated, by_short_word = reading
        end = candidate.end
        extension = _EXTENSION.match(view.scan, end)
        if extension is not None:
            end = extension.end()
        named = by_short_word or self._named(view, candidate.start)
        if named:
            permille = min(CONTEXT_CEILING, permille + CONTEXT_BONUS)
        return Finding(
            segment=0,
            entity_type="PHONE_NUMBER",
            span=view.span(candidate.start, end),
            permille=permille,
            detector=DETECTOR,
            category=Category.CONTACT,
            country=region if region.isalpha() else None,
            validated=validated,
            beside_word=named,
        )

    def _other_kind(self, view: View, start: int) -> bool:
        """Whether what stands before the number says that it counts something else."""
        before = view.scan[max(0, start - _OTHER_REACH) : start].lower()
        if b"p/n" in before or b"s/n" in before or not _OTHER_KINDS.isdisjoint(_WORD.findall(before)):
            return True
        if view.text.isascii():
            return False
        at = view.position(start)
        return _OTHER_KINDS_ELSEWHERE.search(view.text, max(0, at - _OTHER_REACH), at) is not None

    def _named(self, view: View, start: int) -> bool:
        """Whether a word for telephones stands before the number."""
        before = view.scan[max(0, start - CONTEXT_REACH) : start].lower()
        if names_telephones(before) or _BESIDE.search(before) is not None:
            return True
        if view.text.isascii():
            return False
        at = view.position(start)
        return self._other_context.search(view.text, max(0, at - CONTEXT_REACH), at) is not None


def _short_word(view: View, start: int) -> Sequence[str]:
    """The countries of the short word for a mobile telephone directly before `start`; none where there is no such word."""
    match = _SHORT_WORD.search(view.scan[max(0, start - _SHORT_REACH) : start].lower())
    return () if match is None else _SHORT_WORDS[match[0][2]]


def _left(scan: bytes, start: int) -> int:
    """Where a candidate begins whose first digit stands at `start`: a plus, an opening bracket or both belong to it."""
    # A letter, or a blank behind one, is the most frequent neighbour.
    if start < 2 or scan[start - 1 if scan[start - 1] != _BLANK else start - 2] not in _JOINS:
        return start - (start == 1 and scan[0] in _LEADS)
    reach = max(0, start - _LEFT_REACH)
    if scan[start - 1] == _BLANK and scan[start] != _ZERO and (area := _AREA.search(scan, reach, start)) is not None:
        return area.start()
    lead = _LEFT.search(scan, reach, start)
    return start if lead is None else lead.start()


def _candidates(scan: bytes, row: _Row, first: int) -> Iterator[_Candidate]:
    """Numbers that may begin with group `first`, the longest first: what follows may be another number."""
    groups = row.groups
    at = groups[first][0]
    # What stands before the first digit of the row belongs to its first number.
    start = at - (scan[at - 1] == _OPENING) if first else row.lead
    plus = b"+" in scan[start:at]
    if (_BEFORE_PLUS if plus else _BEFORE).search(scan, max(0, start - 2), start) is not None and (
        plus or _LISTED_BEFORE.search(scan, max(0, start - _LISTED_REACH), start) is None
    ):
        return
    last = _last(groups, first)
    # All of the number stands in brackets.
    start += scan[start] == _OPENING and b")" not in scan[start : groups[last - 1][1]]
    for stop in range(last, max(first, last - _MAX_TRIMS), -1):
        end = groups[stop - 1][1]
        written = scan[start:end]
        digits = written.translate(None, b" ./-()+").decode("ascii")
        if len(digits) < _MIN_DIGITS:
            return
        if len(digits) > _MAX_DIGITS or written.count(b"(") != written.count(b")"):
            continue
        after = _AFTER_PLUS if plus else _AFTER
        if stop == len(groups) and after.match(scan, end) is not None and _EXTENSION.match(scan, end) is None:
            continue
        lengths = tuple([after - before for before, after in groups[first:stop]])
        yield _Candidate(start, end, stop, digits, lengths, written, plus, _goes_on(scan, groups, first, stop))


def _last(groups: Sequence[tuple[int, int]], first: int) -> int:
    """Behind the last group that a number from group `first` may hold."""
    digits = 0
    for at in range(first, min(len(groups), first + _MAX_GROUPS)):
        digits += groups[at][1] - groups[at][0]
        if digits > _MAX_DIGITS:
            return max(at, first + 1)
    return min(len(groups), first + _MAX_GROUPS)


def _goes_on(scan: bytes, groups: Sequence[tuple[int, int]], first: int, stop: int) -> tuple[bool, bool]:
    """Whether a sign that joins groups `first` to `stop` joins them to what stands before, and to what stands behind."""
    inner = {_joint(scan, groups, at) for at in range(first + 1, stop)}
    return (
        first > 0 and _joint(scan, groups, first) in inner,
        stop < len(groups) and _joint(scan, groups, stop) in inner,
    )


def _joint(scan: bytes, groups: Sequence[tuple[int, int]], at: int) -> bytes:
    """What stands between group `at` and the one before it."""
    return scan[groups[at - 1][1] : groups[at][0]]


@cache
def _beginnings(prefixes: frozenset[str]) -> _Beginnings:
    """What to look for where numbers of national form are dialled with these prefixes."""
    prefix = "|".join(sorted({*prefixes, "00"})).encode("ascii")
    begins = rb"(?:(?<=[ /(])|(?<=[ /][.\-/]))(?!0[.,])(?:" + prefix + rb"|(?<=\()|" + _NANP + rb"(?![0-9]))"
    # Joined to the group behind as to the one before it, a group is the middle of something.
    middle = rb"(?!(?<=[0-9] )[0-9]+ [0-9]|(?<=[0-9]/)[0-9]+/[0-9])"
    return _Beginnings(re.compile(begins), re.compile(middle + begins))


def _may_begin(row: _Row, at: int, search: _Search) -> bool:
    """Whether a number that needs no word may begin with group `at`, behind another number."""
    if at >= len(row.groups):
        return False
    return search.begins.behind_another.match(search.view.scan, row.groups[at][0]) is not None


def _next_alone(row: _Row, first: int, search: _Search) -> int:
    """The next group at which a number that needs no word may begin, without one that ends before it."""
    match = search.begins.alone.search(search.view.scan, row.groups[first][1], row.groups[-1][1])
    return len(row.groups) if match is None else bisect_right(row.groups, (match.start(), 0))


def _joints(written: bytes) -> bool:
    """Whether one kind of sign joins the groups, but for what sets the area code off."""
    joints = {each for each in _JOINT.findall(written.lstrip(b"("))[1:] if _BRACKETS.isdisjoint(each)}
    return len(joints) < 2 and not _DECIMAL.match(written)


def _dump(scan: bytes, candidate: _Candidate) -> bool:
    """Whether the groups stand among octets in hexadecimal."""
    return set(candidate.groups) == {2} and (
        _OCTET_BEFORE.search(scan, max(0, candidate.start - 4), candidate.start) is not None
        or _OCTET_AFTER.match(scan, candidate.end) is not None
    )


def _next_start(scan: bytes, groups: Sequence[tuple[int, int]], first: int) -> int:
    """The next group at which another number may begin: behind a blank, slash or bracket, and as such numbers begin.

    Only numbers with a national prefix, in brackets or of North America begin behind a single sign.
    """
    for at in range(first + 1, len(groups)):
        begin, end = groups[at]
        before = _joint(scan, groups, at)
        if len(before) > 1 or not _BRACKETS.isdisjoint(before):
            return at
        if (b" " in before or b"/" in before) and (scan[begin] == _ZERO or end - begin in _AMERICAN_STARTS):
            return at
    return len(groups)


def _overlaps(owned: Sequence[tuple[int, int]], span: Span) -> bool:
    at = bisect_right(owned, (span.start, span.start))
    return (at < len(owned) and owned[at][0] < span.end) or (at > 0 and owned[at - 1][1] > span.start)
