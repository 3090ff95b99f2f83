"""Markings that say how a document may be handled and where it may go, as their schemes write them.

A marking is the author's word about a document, a mention is talk about a scheme. Some forms are hardly ever written but as a
marking (`TLP:AMBER`, `CUI//SP-PRVCY`, `VS-NfD`): they count wherever they stand, in their own spelling. The others are words as well
(`SECRET`, `PROTECTED`, `GDPR`): they count on a line of markings, in brackets of their own at an edge of a line, or behind
`Classification:` and its like.
"""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import final

from classifiers.meter import Meter, sweep
from governance.residency import COUNTRIES

# A line of markings is short: header and footer, not prose.
_LONGEST_LINE = 120


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One family of markings. `anywhere` is a pattern that counts in any place, `marked` one that needs a marking's place.

    `words` are those of which a text with such a marking has one, casefolded. The name reported is `fixed`, else `prefix` and
    the group `name` or `mark` or all, with hyphens for blanks, in capitals where the scheme writes capitals. A `law` is often
    named in round brackets, so that those say nothing.
    """

    source: str
    words: str
    law: bool = False
    prefix: str = ""
    anywhere: str = ""
    marked: str = ""
    fixed: str = ""
    caseless: bool = False


# Codes of countries that are everyday words, abbreviations or units as well: `QA-ONLY`, `CD-ONLY`, `HR-ONLY`.
_EVERYDAY = frozenset(
    """
    AD AI AM AR AS AT AX BE BI BS CC CD CI CM CV CX DM DO FM GM GP GS HM HR ID IE IM IN IO IR IS IT KM LA LI MC MD ME MG ML
    MM MO MP MR MS MY NA NC NO NP PA PF PM PN PR PS PW QA RE SC SD SH SM SO SS ST SV TC TF TM TO TV VA VC VI
    """.split()
)
_NAMED = "|".join(sorted((COUNTRIES | {"UK"}) - _EVERYDAY))
_NAMED_IN_PLACE = "|".join(sorted(_EVERYDAY))
_REGION = (
    r"eu|eea|us|usa|uk|ch|germany|france|switzerland|austria|canada|australia|india|japan|brazil|china|russia|deutschland|schweiz"
    r"|europe|european union|united states|united kingdom"
)
_REGION_STATED = (
    r"(?<![^\n])(?:x-)?(?:(?:data[ _-])?(?:residency|locali[sz]ation)|datenresidenz|datenstandort)(?:[ _-]requirement)?[\"']?\s?[:=]\s?[\"']?"
    rf"(?:(?:data )?(?:must|has to|may only) (?:remain|stay|be (?:kept|stored|processed)) (?:with)?in (?:the )?(?P<name>{_REGION})"
    rf"|(?P<mark>{_REGION}|[a-z]{{2}})[ _-]only)"
)

SCHEMES: tuple[Scheme, ...] = (
    Scheme(
        source="FIRST, Traffic Light Protocol 2.0 (2022): `TLP:` and the colour without a blank, in capitals; 1.0 has WHITE",
        words="tlp",
        prefix="TLP:",
        anywhere=r"TLP: ?(?P<name>RED|AMBER\+STRICT|AMBER|GREEN|CLEAR|WHITE)",
    ),
    Scheme(
        source="EU GDPR chapter V; customary marking of documents that may not leave the EU or EEA",
        words="eu eea",
        anywhere=r"(?:EU|EEA)[- ]ONLY",
        marked=r"(?:EU|EEA)[- ]only",
    ),
    Scheme(
        source="Customary marking: `DE-ONLY`, `US ONLY`, `UK EYES ONLY`",
        words="only",
        anywhere=rf"(?:{_NAMED})-ONLY",
        marked=r"(?:GERMANY|FRANCE|SWITZERLAND|CANADA|AUSTRALIA|INDIA|JAPAN|CHINA|BRAZIL|US|UK|DE|FR|CH|CA|AU|JP|NL|ES|PL)(?:[- ]EYES)?[- ]ONLY"
        rf"|(?:{_NAMED_IN_PLACE})-ONLY",
    ),
    Scheme(
        source="Customary statement of residency: `Data residency: Germany`, `Datenstandort: EU`",
        words="residency localization localisation datenresidenz datenstandort résidence residencia",
        prefix="RESIDENCY-",
        caseless=True,
        marked=r"(?:data residency|data localization|data localisation|datenresidenz|datenstandort|résidence des données|residencia de datos)(?: requirement)?: ?(?P<name>[A-Za-z]{2,24}(?: [A-Z][a-z]{2,16})?)",
    ),
    Scheme(
        source="Customary statement of residency in a header or at the beginning of a line: `x-data-residency: eu-only`",
        words="residency localization localisation datenresidenz datenstandort",
        prefix="RESIDENCY-",
        caseless=True,
        anywhere=_REGION_STATED,
    ),
    Scheme(
        source="22 CFR 120-130, International Traffic in Arms Regulations; case counts, `itar` is a word of other languages",
        words="itar",
        anywhere=r"ITAR[ -](?:controlled|CONTROLLED|restricted|RESTRICTED|data|DATA)",
        marked=r"ITAR(?:[ -](?:CONTROLLED|RESTRICTED))?",
        fixed="ITAR",
    ),
    Scheme(
        source="22 CFR 123.9 and 15 CFR 758.6: the statement that goes with technical data and its exports",
        words="itar ear",
        anywhere=r"(?:contains?|containing|documents?|information|data|drawings?|files?|materials?|[Ee]xport|EXPORT)[^.?!\n]{0,40}?(?:subject to|[Cc]ontrolled (?:under|by)|CONTROLLED (?:UNDER|BY)) (?:the )?(?P<name>ITAR|EAR)",
    ),
    Scheme(
        source="15 CFR 758.6; customary marking of what needs a licence to leave the country",
        words="export",
        anywhere=r"EXPORT[ -]CONTROLLED",
    ),
    Scheme(
        source="15 CFR 734-774, Export Administration Regulations: EAR99, ECCN of the Commerce Control List (15 CFR 774)",
        words="ear99",
        anywhere=r"EAR99",
    ),
    Scheme(
        source="15 CFR 774 supplement 1: category, group, number",
        words="eccn",
        prefix="ECCN-",
        anywhere=r"ECCN:? ?(?P<name>[0-9][A-E][0-9]{3}(?:\.[a-z])?)",
    ),
    Scheme(
        source="32 CFR 2002; NARA CUI Marking Handbook 1.1 (2016): banner `CUI`, `CONTROLLED`, `CUI//SP-...//...`",
        words="cui",
        anywhere=r"CUI//[A-Z][A-Z0-9-]{1,16}(?:/{1,2}[A-Z][A-Z0-9 ,-]{1,40})?",
        marked=r"CUI",
    ),
    Scheme(
        source="32 CFR 2002; NARA CUI Marking Handbook 1.1 (2016): the words in full, in capitals",
        words="unclassified",
        anywhere=r"CONTROLLED UNCLASSIFIED INFORMATION",
        fixed="CUI",
    ),
    Scheme(
        source="32 CFR 2002; older marking of the US government",
        words="fouo official",
        marked=r"(?:U//)?FOUO|FOR OFFICIAL USE ONLY",
        fixed="FOUO",
    ),
    Scheme(
        source="ICD 710 and CAPCO Register: dissemination controls NOFORN, ORCON, REL TO",
        words="noforn orcon",
        anywhere=r"(?:(?<=//)|\b)(?:NOFORN|ORCON)",
    ),
    Scheme(
        source="ICD 710 and CAPCO Register: `REL TO USA, GBR`, three-letter codes or tetragraphs",
        words="rel",
        anywhere=r"REL TO (?:USA|[A-Z]{3,4})(?:, ?[A-Z]{3,4}){0,12}",
        fixed="REL-TO",
    ),
    Scheme(
        source="Executive Order 13526, section 1.6: banner of classification, with controls behind `//`",
        words="secret confidential",
        prefix="US-",
        anywhere=r"(?P<name>TOP SECRET|SECRET|CONFIDENTIAL)(?=//)",
    ),
    Scheme(
        source="UK Government Security Classifications Policy (2023): OFFICIAL-SENSITIVE",
        words="official",
        anywhere=r"(?:UK[ -])?(?P<name>OFFICIAL[- ]SENSITIVE)(?:\s?-\s?(?:COMMERCIAL|PERSONAL|LOCSEN))?",
    ),
    Scheme(
        source="UK Government Security Classifications Policy (2023): header and footer in capitals; `UK` before it abroad",
        words="official secret",
        anywhere=r"UK[ -](?:OFFICIAL|SECRET|TOP SECRET)(?![ -]SENSITIVE)",
        marked=r"OFFICIAL|SECRET|TOP SECRET",
    ),
    Scheme(
        source="Verschlusssachenanweisung des Bundes (VSA 2023), § 2 and annex: VS-NfD, VS-VERTRAULICH, GEHEIM, STRENG GEHEIM",
        words="vs",
        anywhere=r"VS-NfD",
    ),
    Scheme(
        source="Verschlusssachenanweisung des Bundes (VSA 2023): the words in full",
        words="vs",
        anywhere=r"VS ?- ?(?:NUR FÜR DEN DIENSTGEBRAUCH|Nur für den Dienstgebrauch)",
        fixed="VS-NfD",
    ),
    Scheme(
        source="Verschlusssachenanweisung des Bundes (VSA 2023): higher grades",
        words="vs geheim",
        anywhere=r"VS-VERTRAULICH|VS-Vertraulich",
        marked=r"STRENG GEHEIM|GEHEIM",
    ),
    Scheme(
        source="IGI 1300 (France, 2021): Diffusion Restreinte, Secret, Très Secret; Spécial France",
        words="diffusion france secret confidentiel",
        anywhere=r"DIFFUSION RESTREINTE|SP[ÉE]CIAL FRANCE|(?:CONFIDENTIEL|SECRET)[ -]D[ÉE]FENSE|TR[ÈE]S SECRET(?:[ -]D[ÉE]FENSE)?",
        marked=r"Diffusion [Rr]estreinte|Spécial France",
    ),
    Scheme(
        source="Council Decision 2013/488/EU, article 2: RESTREINT UE/EU RESTRICTED and higher, both languages",
        words="ue eu",
        prefix="EU-",
        anywhere=r"(?:RESTREINT|CONFIDENTIEL|SECRET|TR[ÈE]S SECRET) UE/EU (?P<name>RESTRICTED|CONFIDENTIAL|SECRET|TOP SECRET)",
        marked=r"EU (?P<mark>RESTRICTED|CONFIDENTIAL|SECRET|TOP SECRET)",
    ),
    Scheme(
        source="NATO C-M(2002)49-REV1, security within NATO: NATO RESTRICTED and higher",
        words="nato cosmic",
        anywhere=r"(?:NATO (?:RESTRICTED|CONFIDENTIAL|SECRET|UNCLASSIFIED)|COSMIC TOP SECRET)",
    ),
    Scheme(
        source="Directive on Security Management (Canada, 2019), appendix J: PROTECTED A, B, C",
        words="protected",
        prefix="CA-",
        anywhere=r"(?P<name>PROTECTED [ABC])",
        marked=r"(?P<mark>Protected [ABC])",
    ),
    Scheme(
        source="Protective Security Policy Framework (Australia, 2024): OFFICIAL: Sensitive, PROTECTED",
        words="official protected",
        anywhere=r"OFFICIAL: ?(?:Sensitive|SENSITIVE)",
        fixed="AU-OFFICIAL-SENSITIVE",
    ),
    Scheme(
        source="Protective Security Policy Framework (Australia, 2024): header and footer in capitals",
        words="protected",
        marked=r"PROTECTED",
    ),
    Scheme(
        source="Law of the PRC on Guarding State Secrets (2024), article 14, and its marking with a star and the years",
        words="机密 秘密 绝密 内部",
        anywhere=r"(?:绝密|机密|秘密)★(?:[0-9]{1,2}年|长期)?",
        marked=r"绝密|机密|秘密|内部资料|内部文件",
        fixed="CN-SECRET",
    ),
    Scheme(
        source="Japan: METI, 秘密情報の保護ハンドブック (2022): 社外秘, 極秘, 取扱注意",
        words="社外秘 極秘 取扱注意 関係者外秘 部外秘",
        marked=r"社外秘|極秘|取扱注意|関係者外秘|部外秘",
        fixed="JP-CONFIDENTIAL",
    ),
    Scheme(
        source="45 CFR 164.514 and 164.530; customary marking of protected health information",
        words="hipaa phi",
        marked=r"(?:CONTAINS )?(?:HIPAA|PHI)(?:[ -](?:PROTECTED|CONFIDENTIAL|DATA|RESTRICTED))?",
        fixed="HIPAA",
        law=True,
    ),
    Scheme(
        source="Regulation (EU) 2016/679; customary marking of personal data",
        words="gdpr dsgvo rgpd",
        marked=r"(?:GDPR|DSGVO|RGPD)(?:[ -](?:PROTECTED|RESTRICTED|DATA|RELEVANT|PERSONAL DATA))?",
        fixed="GDPR",
        law=True,
    ),
    Scheme(
        source="PCI DSS 4.0.1 (2024), section 4, scope",
        words="pci",
        anywhere=r"PCI[ -](?:IN[ -]SCOPE|SCOPE: ?IN)",
        marked=r"PCI(?:[ -]DSS)?(?:[ -](?:SCOPE|DATA|RESTRICTED|CONFIDENTIAL))?",
        fixed="PCI",
        law=True,
    ),
    Scheme(
        source="Federal Rules of Evidence 502; customary marking of legal privilege",
        words="attorney legally anwaltlich",
        caseless=True,
        marked=r"(?:(?:privileged (?:and|&) confidential|confidential|privileged)[ ,:-]{1,3})?attorney[- ]client (?:privileged?(?: communication)?|communication)|attorney work product|legally privileged|anwaltlich privilegiert",
        fixed="ATTORNEY-CLIENT-PRIVILEGED",
    ),
    Scheme(
        source="Customary grades of company documents",
        words="confidential vertraulich confidentiel confidencial riservato",
        caseless=True,
        marked=r"strictly confidential|company confidential|streng vertraulich|strictement confidentiel|estrictamente confidencial|strettamente riservato",
        fixed="STRICTLY-CONFIDENTIAL",
    ),
)

_EDGE = r"(?<![A-Za-z0-9_\-])(?:{})(?![A-Za-z0-9_+]|-[A-Za-z0-9_])"
_BEHIND_A_LABEL = re.compile(
    r"(?:classification|classification level|banner|protective marking|marking|markings|handling|distribution|sensitivity|sensitivity label|caveats?|"
    r"export control|releasability|einstufung|verschlusssachengrad|klassifizierung|clasificación|classificazione|classificação|密级|機密区分)"
    r"[\"']?\s{0,3}[:=：]\s{0,3}[\"'\[(]?\Z",
    re.IGNORECASE,
)
_LABEL = 48
_BETWEEN_MARKINGS = re.compile(r"\s*(?://|[|;•·]|\s[-\u2014]\s|\s/\s)\s*")
_ORNAMENT = " \t*#_=<>-\u2014\"'[](){}【】《》.:"
_HAN = ("密", "秘", "取扱注意", "内部")
_WORD = re.compile(r"[^\W_]+")
MARKING_WORDS = frozenset(word for scheme in SCHEMES for word in scheme.words.split())


def markings(text: str, meter: Meter, words: Collection[str] | None = None) -> tuple[str, ...]:
    """As `Markings.names`, of the markings of this module."""
    return _markings().names(text, meter, words)


@functools.cache
def _markings() -> Markings:
    return Markings()


@final
class Markings:
    """Finds the markings of all schemes; built once, since the patterns are."""

    __slots__ = ("_by_word", "_patterns")

    def __init__(self) -> None:
        self._patterns = [
            (scheme, _compiled(scheme, scheme.anywhere), _compiled(scheme, scheme.marked)) for scheme in SCHEMES
        ]
        self._by_word: dict[str, list[int]] = {}
        for number, scheme in enumerate(SCHEMES):
            for word in scheme.words.split():
                self._by_word.setdefault(word, []).append(number)

    def names(self, text: str, meter: Meter, words: Collection[str] | None = None) -> tuple[str, ...]:
        """The markings of `text` (as `classifiers.typography` leaves it), sorted. Raises Exhausted.

        `words` are those of MARKING_WORDS in it, if they are known.
        """
        present = MARKING_WORDS.intersection(_WORD.findall(text.casefold()) if words is None else words)
        if not text.isascii() and any(sign in text for sign in _HAN):
            present |= {word for word in MARKING_WORDS if not word.isascii() and word in text}
        if not present:
            return ()
        numbers = sorted({number for word in present for number in self._by_word[word]})
        return tuple(sorted({name for number in numbers for name in self._found(number, text, meter)}))

    def _found(self, number: int, text: str, meter: Meter) -> Iterator[str]:
        scheme, anywhere, marked = self._patterns[number]
        if anywhere is not None:
            told: set[str] = set()
            for match in sweep(anywhere, text, meter):
                name = _name(scheme, match)
                if name in told:
                    continue
                meter.charge(_ASKED_MICROS)
                if not _is_asked_about(text, match.start(), match.end()):
                    told.add(name)
                    yield name
        if marked is not None:
            for match in sweep(marked, text, meter):
                if _in_place(text, match.start(), match.end(), law=scheme.law):
                    yield _name(scheme, match)


def _compiled(scheme: Scheme, pattern: str) -> re.Pattern[str] | None:
    return re.compile(_EDGE.format(pattern), re.IGNORECASE if scheme.caseless else 0) if pattern else None


def _name(scheme: Scheme, match: re.Match[str]) -> str:
    if scheme.fixed:
        return scheme.fixed
    named = match.groupdict()
    written = re.sub(r"\s+", "-", (named.get("name") or named.get("mark") or match[0]).strip())
    return scheme.prefix + (written if written == "VS-NfD" else written.upper())


# Who asks what a marking means has none. A document named beside it has: "what is the TLP:RED report about".
_ASKED_BEFORE = re.compile(
    r"(?:\b(?:what(?: is|'s| are| does| do)|define|explain|(?:meaning|definition) of|was (?:bedeutet|ist|heißt)|que (?:signifie|veut dire)"
    r"|versus|vs\.?|how (?:do|does|can|should|to)\b[^.?!\n]{0,32}\bmark\b[^.?!\n]{0,24}|qu'est-ce que|qué (?:significa|es)|cosa significa|wat betekent)\s(?P<article>(?:the|a|an|der|die|das|le|la|el|il|de|het)\s)?"
    r"|(?P<compared>\b(?:is|are|ist|est|es)\s))[\"'“„(]?\Z",
    re.IGNORECASE,
)
_ASKED_BEHIND = re.compile(
    r"[\"'”“)]?\s(?:caveats?|markings?|labels?|levels?|colou?rs?|classifications?|designations?|categor(?:y|ies)|schemes?|grades?)\b",
    re.IGNORECASE,
)
_COMPARED_BEHIND = re.compile(
    r"[\"'”“)]?\s(?:lower|higher|stricter|weaker|above|below|the same|niedriger|höher)\b", re.IGNORECASE
)
_ASKED = 72
_ASKED_MICROS = 6


def _is_asked_about(text: str, start: int, end: int) -> bool:
    """Whether a question or a request for an explanation names the marking itself."""
    before = _ASKED_BEFORE.search(text, max(0, start - _ASKED), start)
    if before is None:
        return False
    if before["compared"]:
        return _COMPARED_BEHIND.match(text, end) is not None
    return not before["article"] or _ASKED_BEHIND.match(text, end) is not None


def _in_place(text: str, start: int, end: int, *, law: bool) -> bool:
    """Whether `text[start:end]` stands where documents are marked."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if (before == "[" and after == "]") or (
        not law and before == "(" and after == ")" and _plain_before(text, start - 1)
    ):
        return True
    if _BEHIND_A_LABEL.search(text, max(0, start - _LABEL), start):
        return True
    low = text.rfind("\n", max(0, start - _LONGEST_LINE), start) + 1
    high = text.find("\n", end, end + _LONGEST_LINE)
    high = high if high >= 0 else len(text)
    if (low == 0 and start > _LONGEST_LINE) or high - low > _LONGEST_LINE or (low == 0 and high == len(text)):
        return _one_of_many(text, start, end) if low == 0 and high == len(text) <= _LONGEST_LINE else False
    return _piece(text, low, high, start, end) is not None


def _one_of_many(text: str, start: int, end: int) -> bool:
    """Whether a text of one line is a line of markings: alone a word may as well be a question."""
    pieces = _piece(text, 0, len(text), start, end)
    return pieces is not None and pieces > 1


def _piece(text: str, low: int, high: int, start: int, end: int) -> int | None:
    """The number of pieces of the line `[low:high]` if `[start:end]` is one of them, whole."""
    line, at, pieces = text[low:high], 0, 0
    if line.strip(_ORNAMENT) == text[start:end].strip(_ORNAMENT):
        return 1
    found = False
    for between in (*_BETWEEN_MARKINGS.finditer(line), None):
        stop = len(line) if between is None else between.start()
        pieces += 1
        if at <= start - low and end - low <= stop:
            found = line[at:stop].strip(_ORNAMENT) == text[start:end].strip(_ORNAMENT)
        at = len(line) if between is None else between.end()
    return pieces if found else None


def _plain_before(text: str, at: int) -> bool:
    """Whether no name in capitals stands before a bracket: `Arms Regulations (ITAR)` explains a word."""
    words = text[max(0, at - 24) : at].split()
    return not words or words[-1][:1].islower()
