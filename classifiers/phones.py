"""Telephone numbers: candidates by shape, verified once with libphonenumber's tables.

Presidio walks every text once per region; here the shape says which regions can own a number. Differences: dates
written with dots or hyphens are not numbers, and a number that several regions could own has no country.
Importing this module loads phonenumbers; `PhoneFinder()` loads all its tables, so that no request pays for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import final

import phonenumbers

from classifiers.anchors import Meter
from classifiers.cache import DigestCache
from classifiers.recognizers import CONTEXT_BONUS, CONTEXT_REACH, context_pattern
from governance.finding import Finding
from governance.segment import Span

DETECTOR = "presidio:PhoneRecognizer"
E164_PERMILLE = 850
# Presidio's score for every telephone number.
NATIONAL_PERMILLE = 400

# One more digit of a number; an ISO date that follows is not part of it.
_DIGIT = r"(?:(?! (?:19|20)\d\d-\d)[ .\-/()\u00a0]{0,2}\d)"
_BEFORE = r"(?<!\d[.,\-/])(?<![\w+])"
_EXTENSION = r"(?:,? ?(?:ext\.?|x) ?\d{1,6})?"
_E164 = re.compile(rf"(?<!\w)\+ ?[1-9]{_DIGIT}{{6,15}}{_EXTENSION}(?!\d)")
_TRUNK = re.compile(rf"{_BEFORE}\(?0\d{_DIGIT}{{4,14}}(?!\w)")
_BARE_CODE = re.compile(rf"{_BEFORE}(?:33|44|49){_DIGIT}{{8,12}}(?!\w)")
_NANP = re.compile(rf"{_BEFORE}(?:1[ .\-]?)?\(?[2-9]\d\d\)?[ .\-/]{{0,2}}[2-9]\d\d[ .\-]?\d{{4}}{_EXTENSION}(?!\w|-\d)")
_DATE = re.compile(r"\(?\d{1,2}([./-])\d{1,2}\1(?:19|20)?\d\d\)?(?!\d)")
_LAST_GROUP = re.compile(r"[ .\-/()\u00a0]+\d+$")
_WORDS = [*"phone telephone telefon tel mobile mobil handy cell call fax number rufnummer téléphone portable".split()]


def _regions(shape: re.Pattern[str], digits: str, default: tuple[str, ...]) -> tuple[str, ...]:
    if shape is _E164:
        return ("ZZ",)
    if shape is _NANP:
        return tuple({"US", "CA"} & set(default))[:1]
    if shape is _BARE_CODE:
        owner = {"33": "FR", "44": "GB", "49": "DE"}[digits[:2]]
        return (owner,) if owner in default else ()
    # 00 dials abroad in Europe, 011 in North America; trunk numbers have 10 digits in FR, 10 or 11 in GB.
    lengths = {"FR": (10,), "GB": (10, 11), "US": (), "CA": ()}
    abroad = "US" if digits.startswith("011") and len(digits) > 12 else ""
    return tuple(
        region
        for region in default
        if region == abroad
        or len(digits) in lengths.get(region, (len(digits),))
        or (digits[1] == "0" and region not in ("US", "CA"))
    )


@final
class PhoneFinder:
    """Finds numbers of any country in international form, of `regions` in national form."""

    def __init__(self, regions: tuple[str, ...] = ("US", "GB", "DE", "FR")) -> None:
        self.regions = regions
        self._verified: DigestCache[str] = DigestCache(max_entries=8192, max_weight=8192)
        self._context = context_pattern(_WORDS)
        phonenumbers.PhoneMetadata.load_all()
        # The tables compile their patterns on first use.
        for region in regions:
            example = phonenumbers.example_number(region)
            if example is not None:
                phonenumbers.is_valid_number(example)

    def search(self, text: str, start: int, end: int, meter: Meter) -> Iterator[Finding]:
        """Numbers in the run of digits `text[start:end]`. International forms come first, none overlaps another."""
        low, high = max(0, start - 2), min(len(text), end + 16)
        covered: list[tuple[int, int]] = []
        for shape in (_E164, _NANP, _TRUNK, _BARE_CODE):
            position = 0
            for match in shape.finditer(text, low, high):
                if match.start() >= end:
                    break
                while position < len(covered) and covered[position][1] <= match.start():
                    position += 1
                if position < len(covered) and covered[position][0] < match.end():
                    continue
                finding = self._verify(text, match, shape, meter)
                if finding is not None:
                    covered.insert(position, (finding.span.start, finding.span.end))
                    yield finding

    def _verify(self, text: str, match: re.Match[str], shape: re.Pattern[str], meter: Meter) -> Finding | None:
        start, candidate = match.start(), match[0]
        if shape is not _E164 and _DATE.match(candidate):
            return None
        # The shape may have run into the number that follows: up to two last groups are given up.
        for _ in range(3):
            digits = "".join(filter(str.isdigit, candidate))
            owners = {self._owner(candidate, region, meter) for region in _regions(shape, digits, self.regions)} - {""}
            if owners:
                return self._finding(text, start, start + len(candidate), owners, international=shape is _E164)
            shorter = _LAST_GROUP.sub("", candidate)
            if len(shorter) == len(candidate) or shape is _NANP:
                return None
            candidate = shorter
        return None

    def _owner(self, candidate: str, region: str, meter: Meter) -> str:
        """The region of `candidate` read in `region`; `001` where it has none, empty where it is no valid number."""
        key = self._verified.key(f"{region}{candidate}")
        known = self._verified.get(key)
        if known is not None:
            return known
        # An international number may belong to any country: +1 alone has two dozen tables to try.
        meter.spend(8 if region == "ZZ" else 5)
        owner = ""
        try:
            number = phonenumbers.parse(candidate, None if region == "ZZ" else region)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None:
            found: str | None = phonenumbers.region_code_for_number(number)
            owner = found if found and phonenumbers.is_valid_number_for_region(number, found) else ""
        self._verified.put(key, owner, weight=1)
        return owner

    def _finding(self, text: str, start: int, end: int, owners: set[str], *, international: bool) -> Finding:
        named = self._context.search(text, max(0, start - CONTEXT_REACH), start) is not None
        country = next(iter(owners)) if len(owners) == 1 else ""
        national = NATIONAL_PERMILLE + (CONTEXT_BONUS if named else 0)
        return Finding(
            segment=0,
            entity_type="PHONE_NUMBER",
            span=Span(start=start, end=end),
            permille=E164_PERMILLE if international else national,
            detector=DETECTOR,
            country=country if country.isalpha() else None,
            validated=international,
        )
