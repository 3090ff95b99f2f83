"""Traces of where people are at home: what findings say, and places said to be somebody's, domains, currencies, language.

A place counts where the text says that a person lives, was born or comes from there, where an address or its label stands
before it, or beside a personal number. Who speaks of himself (`ich wohne in`) says so; of others (`lives in`) it counts
fully only where a person of the conversation is meant: a patient, a customer, my mother, somebody who is named, or whose
number is there as well. A nationality counts where a form states it or it is said of somebody. What is supposed, translated or told counts little, and the address of a firm not at all.
"""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import final

from classifiers import weak_signals
from classifiers.cues import ARTICLES, CONCERNED, NEAR_THEM, SUPPOSED, Cue, Said, cues
from classifiers.demonyms import country_of
from classifiers.jurisdiction import NO_TRACES, PERSONAL, Kind, Trace, Traces, evidence
from classifiers.meter import Meter
from classifiers.places import Place, Places
from governance.finding import Category, Finding

# So many cues and findings of one text are followed up; a text with more says the same again.
MOST_CUES = 64
MOST_FINDINGS = 32
_LEAD, _BEHIND, _ADDRESS, _BESIDE = 64, 48, 96, 80
_SAID_OF_SELF, _SAID_OF_OTHERS, _HEARSAY, _BESIDE_A_NUMBER, _AT_AN_ADDRESS = 620, 560, 250, 250, 560
_MAIL, _LINK, _CURRENCY, _DATE_ORDER = 420, 150, 150, 100
_AMBIGUOUS = 450
_WORD = re.compile(r"[^\W_]+(?:'m)?")
_FIRM = re.compile(
    r"\b(?:GmbH|AG|KG|UG|Ltd|LLC|Inc|Corp|PLC|plc|S\.A\.R\.L|S\.A\.|S\.p\.A|S\.r\.l|B\.V|N\.V|BV|NV|Sp\. z o\.o|a\.s\.|s\.r\.o|d\.o\.o|Oy|"
    r"Oyj|AB|ASA|A/S|ApS|Kft|Zrt|Pty|Pvt|Lda|Ltda|S\.L|SRL|SAS|SARL|headquarters|Headquarters|HQ|Hauptsitz|Firmensitz|siège social|"
    r"registered office|Geschäftsführer|Handelsregister)\b|株式会社|有限公司|주식회사|ООО"
)
# A word in capitals that a cue follows, and the word before it; behind it a mark, or `who`.
_WHO = re.compile(
    r"(?:([^\W\d_]+)[ ])?([A-Z\u00c0-\u00de\u0100-\u024f][^\W\d_]*(?:['\u2019-][^\W\d_]+)*)"
    r"(?:,? (?:who|which|and|also|now|currently|still|qui|que|che|die|wie))?[ ,(:]{1,3}\Z"
)
# `Mateusz is a Polish`, `Jana Novak, a Czech`.
_IS_ONE = re.compile(
    r"[A-Z\u00c0-\u00de][^\W\d_]+(?:,| is| was| ist| est| es| \u00e8| \u00e9)(?: an?| eine?| une?| una?| um)? (?:[^\W\d_]+ ){0,2}\Z"
)
_DEMONYM_BEFORE = re.compile(r"([^\W\d_]+(?: [^\W\d_]+)?) \Z")
_DEMONYM_BEHIND = re.compile(r"(?: ?:| -| is| est| es| (?:de|di)(?= ))? ?([^\W\d_]+)")
_REACHES = frozenset({"PHONE_NUMBER", "EMAIL_ADDRESS", "IBAN_CODE", "DATE_OF_BIRTH"})
# Looking for one cue in so many characters is a unit of work.
_CHARS_PER_UNIT = 16_384
_MAIL_ADDRESS = "EMAIL_ADDRESS"
# Categories of numbers beside which the name of a city says where somebody is.
_NEAR_A_PERSON = PERSONAL | {Category.BANK, Category.CONTACT, Category.ADDRESS}


@final
class Tracer:
    """Reads the traces of texts. Built once for a set of rules, safe between threads.

    `shared` are the countries that have what a rule finds, by its id.
    """

    def __init__(self, places: Places, shared: Mapping[str, str]) -> None:
        self._places = places
        self._shared = shared
        self._gates: dict[str, list[Cue]] = {}
        # By their first letter: looking for that is quick.
        self._foreign: dict[str, list[Cue]] = {}
        for cue in cues():
            if cue.gate:
                self._gates.setdefault(cue.gate, []).append(cue)
            else:
                self._foreign.setdefault(cue.text[0], []).append(cue)
        self._keys = frozenset(self._gates)
        self._noted = self._keys | weak_signals.LANGUAGE_WORDS

    def traces(
        self,
        text: str,
        findings: Sequence[Finding],
        meter: Meter,
        words: Collection[str] | None = None,
        spoken: Callable[[], str] | None = None,
    ) -> Traces:
        """The traces of `text` (as `classifiers.typography` leaves it), whose findings are `findings`.

        `words` are the gates of cues in it, if they are known, and `spoken` tells the countries of its language, if somebody
        remembers.

        Raises Exhausted.
        """
        present = self._keys.intersection(self._present(text) if words is None else words)
        said = [cue for key in present for cue in self._gates[key]]
        if not text.isascii():
            said += [cue for letter, own in self._foreign.items() if letter in text for cue in own if cue.text in text]
        if not said and not any(map(_points, findings)):
            return NO_TRACES
        heaviest: dict[tuple[str, str], Trace] = {}
        # Sorted, since the order of a set is another in each process.
        for trace in self._collect(text, findings, sorted(said, key=lambda cue: cue.text), meter):
            _keep(heaviest, trace)
        if not heaviest:
            return NO_TRACES
        for trace in _weak(text, findings):
            _keep(heaviest, trace)
        return Traces(tuple(sorted(heaviest.values())), weak_signals.spoken_in(text) if spoken is None else spoken())

    def _present(self, text: str) -> frozenset[str]:
        return self._noted.intersection(_WORD.findall(text.casefold()))

    def _collect(self, text: str, findings: Sequence[Finding], said: Sequence[Cue], meter: Meter) -> Iterator[Trace]:
        """What findings and homes say."""
        pointing = [each for each in findings if _points(each)]
        meter.spend(len(pointing) // 8)
        ground = _Ground(_without_secrets(text, findings), [each.span.start for each in findings if _personal(each)])
        for finding in pointing:
            piece = evidence(finding, self._shared.get(finding.detector, ""))
            span = finding.span
            if piece is not None and not (
                finding.category is Category.ADDRESS and ground.of_a_firm(span.start, span.end)
            ):
                yield piece
            elif finding.entity_type == _MAIL_ADDRESS and (code := _domain_of(finding, ground.text)) is not None:
                yield Trace(code, Kind.MAIL_DOMAIN, _MAIL)
        homes = [each for each in pointing if each.entity_type != _MAIL_ADDRESS]
        for place, permille in self._homes(ground, homes, said, meter):
            weight = permille * _AMBIGUOUS // 1000 if place.ambiguous else permille
            for code in place.countries:
                yield Trace(code, Kind.COUNTRY if place.whole else Kind.CITY, weight)

    def _homes(
        self, ground: _Ground, pointing: Sequence[Finding], said: Sequence[Cue], meter: Meter
    ) -> Iterator[tuple[Place, int]]:
        """(place, weight) of the places at which somebody is at home."""
        left = MOST_CUES
        for cue in said:
            meter.spend(len(ground.text) // _CHARS_PER_UNIT)
            for start in ground.starts(cue):
                meter.spend(2)
                yield from self._home(ground, cue, start)
                left -= 1
                if not left:
                    return
        for finding in pointing[:MOST_FINDINGS]:
            meter.spend(2)
            yield from self._beside(ground, finding)

    def _home(self, ground: _Ground, cue: Cue, start: int) -> Iterator[tuple[Place, int]]:
        text, end = ground.text, start + len(cue.text)
        weight = ground.weight(cue, start, end)
        if cue.said is Said.NATION:
            place = ground.nation(cue, start, end)
        elif not cue.gate:
            place = (
                self._places.unspaced(text, max(0, start - 12), start, backwards=True)
                if cue.before
                else self._unspaced(text, end, 14 if cue.text.endswith((":", "\uff1a", "\u3012")) else 3)
            )
        elif cue.said is Said.LABEL:
            place = self._places.last(ground.names, end, end + _ADDRESS, declined=cue.declined)
        elif cue.before:
            place = self._places.last(ground.names, max(0, start - _BEHIND), start, declined=cue.declined)
        else:
            place = self._places.first(ground.names, end, end + _BEHIND, declined=cue.declined)
        if place is not None and weight:
            yield place, weight

    def _unspaced(self, text: str, end: int, reach: int) -> Place | None:
        """The first place in a script without blanks that begins at `end`, or up to `reach` characters behind it."""
        for at in range(end, min(len(text), end + reach + 1)):
            place = self._places.unspaced(text, at, min(len(text), at + 8), backwards=False)
            if place is not None:
                return place
        return None

    def _beside(self, ground: _Ground, finding: Finding) -> Iterator[tuple[Place, int]]:
        """The place of an address, and places beside a personal number."""
        category = finding.category
        start, end = finding.span.start, finding.span.end
        if category is Category.ADDRESS:
            if not ground.of_a_firm(start, end):
                place = self._places.last(ground.text, end, end + _ADDRESS // 2) or self._unspaced(ground.text, end, 2)
                if place is not None:
                    yield place, _AT_AN_ADDRESS
        elif category in _NEAR_A_PERSON or finding.entity_type == "PHONE_NUMBER":
            for place in self._places.all(ground.text, max(0, start - _BESIDE), end + _BESIDE):
                yield place, _BESIDE_A_NUMBER


@final
class _Ground:
    """One text while it is read: in lower case, with the places of its personal findings."""

    def __init__(self, text: str, personal: Sequence[int]) -> None:
        lowered = text.lower()
        self.text = text
        # One letter of Unicode becomes two in lower case.
        self.lowered = lowered if len(lowered) == len(text) else text.replace("\u0130", "i").lower()
        # Who writes no capitals writes none in names.
        self.names = text.title() if lowered == text and text.isascii() else text
        self._personal = sorted(personal)

    def starts(self, cue: Cue) -> Iterator[int]:
        """Where the words of `cue` stand as whole words."""
        lowered, words = self.lowered, cue.text
        at = lowered.find(words)
        while at >= 0:
            end = at + len(words)
            glued = cue.gate and (
                (at > 0 and lowered[at - 1].isalnum())
                or (words[-1].isalnum() and lowered[end : end + 1].isalnum() and not _prefixed(words))
            )
            if not glued:
                yield at
            at = lowered.find(words, end)

    def weight(self, cue: Cue, start: int, end: int) -> int:
        """How much a place beside `cue` counts."""
        lead = set(_WORD.findall(self.lowered, max(0, start - _LEAD), end))
        if not lead.isdisjoint(SUPPOSED):
            return _HEARSAY
        if cue.said is Said.SELF:
            return _SAID_OF_SELF
        if cue.said is Said.NATION:
            return self._nation_weight(cue, start, end, lead)
        if cue.said is Said.LABEL:
            return 0 if self.of_a_firm(start, end) else _AT_AN_ADDRESS
        if not lead.isdisjoint(CONCERNED) or self._near_a_number(start, end):
            return _SAID_OF_OTHERS
        if cue.said is Said.OTHERS and (not lead.isdisjoint(NEAR_THEM) or self._of_somebody(start)):
            return _SAID_OF_OTHERS
        return _HEARSAY

    def _of_somebody(self, start: int) -> bool:
        """Whether the name of a person stands right before `start`, as far as a capital and no article before it tell."""
        who = _WHO.search(self.text, max(0, start - _LEAD), start)
        return who is not None and who[2].lower() not in ARTICLES and (who[1] or "").lower() not in ARTICLES

    def _nation_weight(self, cue: Cue, start: int, end: int, lead: set[str]) -> int:
        """A nationality that stands in a form, or is said of somebody; not one that a question is about."""
        if not cue.before and ":" in self.text[end - 1 : end + 2]:
            return _AT_AN_ADDRESS
        said = not lead.isdisjoint(CONCERNED) or _IS_ONE.search(self.text, max(0, start - _LEAD), start) is not None
        return _SAID_OF_OTHERS if said else _HEARSAY

    def nation(self, cue: Cue, start: int, end: int) -> Place | None:
        """The country of the nationality that stands beside `cue`."""
        if cue.before:
            match = _DEMONYM_BEFORE.search(self.text, max(0, start - _BEHIND), start)
        else:
            match = _DEMONYM_BEHIND.match(self.text, end)
        if match is None:
            return None
        code = country_of(match[1]) or country_of(match[1].split()[-1])
        return None if code is None else Place(start=match.start(1), end=match.end(1), countries=(code,), whole=True)

    def _near_a_number(self, start: int, end: int) -> bool:
        at = bisect_left(self._personal, start - 2 * _BESIDE)
        return at < len(self._personal) and self._personal[at] < end + 2 * _BESIDE

    def of_a_firm(self, start: int, end: int) -> bool:
        """Whether an address at `[start:end]` is that of a firm: its form of company stands by, and no person."""
        low, high = max(0, start - _ADDRESS), end + _BEHIND
        if _FIRM.search(self.text, low, high) is None:
            return False
        return CONCERNED.isdisjoint(_WORD.findall(self.lowered, low, high))


def _without_secrets(text: str, findings: Iterable[Finding]) -> str:
    """`text` with blanks for its credentials: a password that holds the name of a town says nothing of anybody."""
    parts, at = [], 0
    for start, end in sorted(
        (each.span.start, each.span.end) for each in findings if each.category is Category.CREDENTIAL
    ):
        if end > at:
            parts += [text[at : max(at, start)], " " * (end - max(at, start))]
            at = end
    return "".join((*parts, text[at:])) if parts else text


def _points(finding: Finding) -> bool:
    return finding.country is not None or finding.category is Category.ADDRESS or finding.entity_type == _MAIL_ADDRESS


def _personal(finding: Finding) -> bool:
    """Whether `finding` is of a person, or a way to reach one."""
    return finding.category in PERSONAL or finding.entity_type in _REACHES


def _prefixed(words: str) -> bool:
    """Whether the last letter of a cue is a prefix of the word behind it, as in Hebrew."""
    return "\u0590" <= words[-1] <= "\u05ff" and words[-2:-1] == " "


def _keep(heaviest: dict[tuple[str, str], Trace], trace: Trace) -> None:
    known = heaviest.get((trace.country, trace.kind))
    if known is None or known.permille < trace.permille:
        heaviest[trace.country, trace.kind] = trace


def _domain_of(finding: Finding, text: str) -> str | None:
    """The country of the domain of a mail address or URL that stands in `text` as it is."""
    return None if finding.via else weak_signals.of_domain(text[finding.span.start : finding.span.end])


def _weak(text: str, findings: Sequence[Finding]) -> Iterator[Trace]:
    """Traces that count only beside others."""
    for country in weak_signals.of_currencies(text):
        yield Trace(country, Kind.CURRENCY, _CURRENCY)
    for finding in findings[:MOST_FINDINGS]:
        entity, value = finding.entity_type, text[finding.span.start : finding.span.end]
        if entity == "URL" and (code := _domain_of(finding, text)) is not None:
            yield Trace(code, Kind.CCTLD, _LINK)
        elif entity == "DATE_TIME" and (code := weak_signals.of_date(value)) is not None:
            yield Trace(code, Kind.DATE_ORDER, _DATE_ORDER)
