"""Whose law may reach a request: countries that its content says its data subjects belong to.

Evidence of a country is a finding or a trace (see `classifiers.traces`), and has a weight in permille. The rule:

1. Of each kind of evidence the heaviest piece counts, once for each country.
2. The pieces of one country are joined as independent doubts: its score is one less the product of (one less weight). Weak
   kinds (domain of a link, currency, language, order of a date) count together for `_WEAK_CEILING` at most, and never without another.
3. A number whose name or form several countries share counts for the one of them that other evidence supports, where its own
   country has no support at all.

Countries that reach FLOOR are reported. Numbers of firms weigh less than those of people: a firm is no data subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import final

from classifiers.rules import Rule
from governance.finding import Category, Finding, Jurisdiction
from governance.residency import COUNTRIES

FLOOR = 400
_WEAK_CEILING = 390
_LANGUAGE = 150
PHONE = "PHONE_NUMBER"
# (verified, only named by a word beside it)
_WEIGHTS: Mapping[Category, tuple[int, int]] = MappingProxyType(
    {
        Category.NATIONAL_ID: (950, 560),
        Category.TAX: (900, 520),
        Category.SOCIAL_SECURITY: (950, 560),
        Category.HEALTH: (900, 520),
        Category.PASSPORT: (950, 450),
        Category.DRIVING_LICENCE: (800, 450),
        Category.VEHICLE: (420, 420),
        Category.BANK: (600, 420),
        Category.VAT: (450, 300),
        Category.COMPANY: (350, 250),
        Category.DEVICE: (420, 300),
        Category.CONTACT: (720, 300),
        Category.ADDRESS: (560, 450),
    }
)
_OTHER = (950, 500)
_IBAN = 900
_BANK_BY_NAME = 350
_CALLED = 720
_CALLED_FROM_HOME = 300
PERSONAL = frozenset(
    {
        Category.NATIONAL_ID,
        Category.TAX,
        Category.SOCIAL_SECURITY,
        Category.HEALTH,
        Category.PASSPORT,
        Category.DRIVING_LICENCE,
        Category.VEHICLE,
    }
)
# From this score alone on a form is that of one country.
_OWN_FORM = 600
# By so much another country's support has to be the better one.
_CLEARLY = 100
# Names of one thing.
_SAME: Mapping[str, str] = MappingProxyType(
    {"CI": "CEDULA", "DRIVER_LICENSE": "DRIVING_LICENCE", "DRIVER_LICENCE": "DRIVING_LICENCE"}
)
_PLACE = re.compile(r"\A[A-Z]{2}_")


class Kind(StrEnum):
    """Kinds of evidence that are not entity types."""

    CITY = "city"
    COUNTRY = "country"
    MAIL_DOMAIN = "mail_domain"
    CCTLD = "cctld"
    CURRENCY = "currency"
    LANGUAGE = "language"
    DATE_ORDER = "date_order"


_WEAK = frozenset({Kind.CCTLD, Kind.CURRENCY, Kind.LANGUAGE, Kind.DATE_ORDER})


@final
@dataclass(frozen=True, slots=True, order=True)
class Trace:
    """One piece of evidence for `country`. `kind` is a Kind or an entity type; `shared` are the countries that have such a thing."""

    country: str
    kind: str
    permille: int
    shared: str = ""


@final
@dataclass(frozen=True, slots=True)
class Traces:
    """The evidence of one text: of each country and kind the heaviest piece, sorted. `spoken` are the countries of its language."""

    found: tuple[Trace, ...] = ()
    spoken: str = ""


NO_TRACES = Traces()


def sharers(rules: Iterable[Rule]) -> dict[str, str]:
    """By id of a rule the countries, joined by blanks, that have what it finds under the same name and in the same form."""
    # What an operator states of a recogniser of his own is not for others to move.
    listed = [rule for rule in rules if not rule.id.startswith("own.")]
    holders: dict[str, set[str]] = {}
    for rule in listed:
        if rule.country is not None:
            holders.setdefault(_thing(rule.entity), set()).add(rule.country)
    return {rule.id: shared for rule in listed if (shared := _shared(rule, holders))}


def _shared(rule: Rule, holders: Mapping[str, set[str]]) -> str:
    if rule.category not in PERSONAL or rule.country is None or rule.alone >= _OWN_FORM:
        return ""
    having = holders[_thing(rule.entity)]
    return " ".join(sorted(having)) if len(having) > 1 else ""


def _thing(entity: str) -> str:
    name = _PLACE.sub("", entity)
    return _SAME.get(name, name)


def evidence(finding: Finding, shared: str = "") -> Trace | None:
    """What `finding` says about a country, if anything; `shared` are the countries that have such a thing."""
    if finding.country is None:
        return None
    return Trace(finding.country, finding.entity_type, _weight(finding), shared)


def _weight(finding: Finding) -> int:
    entity, category = finding.entity_type, finding.category
    if entity == PHONE:
        return _CALLED if finding.validated else _CALLED_FROM_HOME
    if entity == "IBAN_CODE":
        return _IBAN
    if entity == "SWIFT_CODE":
        return _BANK_BY_NAME
    verified, named = _WEIGHTS.get(category, _OTHER)
    if category is Category.ADDRESS:
        return min(verified, finding.permille * 4 // 5)
    return verified if finding.validated else min(named, finding.permille)


def jurisdictions(findings: Iterable[Finding], traces: Iterable[Traces] = ()) -> tuple[Jurisdiction, ...]:
    """The countries that `findings` and the `traces` of their texts point to, sorted by code, from FLOOR on.

    Findings inside one text are in its traces already; those that cross texts (`joined`) are weighed here, as all are without
    traces.
    """
    known = tuple(traces)
    pieces = [piece for each in known for piece in each.found]
    for finding in findings:
        if not known or finding.via.startswith("joined"):
            piece = evidence(finding)
            if piece is not None:
                pieces.append(piece)
    if not pieces:
        return ()
    spoken = {code for each in known for code in each.spoken.split()}
    table = _by_country(_settled(pieces, spoken), spoken)
    scored = ((code, kinds, _score(kinds)) for code, kinds in sorted(table.items()))
    return tuple(
        Jurisdiction(code=code, permille=permille, evidence=tuple(sorted(map(str, kinds))))
        for code, kinds, permille in scored
        if permille >= FLOOR
    )


def reinforced(known: Iterable[Jurisdiction], findings: Iterable[Finding]) -> tuple[Jurisdiction, ...]:
    """`known` with what `findings` add that were made beside it, sorted by code, from FLOOR on.

    LIMIT: what spoke for a country that did not reach FLOOR is not in `known`, so that it adds nothing to them.
    """
    scores = {each.code: (each.permille, frozenset(each.evidence)) for each in known}
    added: dict[str, dict[str, int]] = _by_country(filter(None, map(evidence, findings)), ())
    for code, kinds in added.items():
        permille, before = scores.get(code, (0, frozenset()))
        new = [weight for kind, weight in kinds.items() if kind not in before]
        scores[code] = (_joined([permille, *new]), before.union(kinds))
    return tuple(
        Jurisdiction(code=code, permille=permille, evidence=tuple(sorted(map(str, kinds))))
        for code, (permille, kinds) in sorted(scores.items())
        if permille >= FLOOR
    )


def regions_in_play(countries: Iterable[str], usual: Sequence[str]) -> tuple[str, ...]:
    """The regions whose national telephone numbers are read where callers or data subjects are of `countries`.

    Those of `countries` come first, since a number that several regions could own is more likely theirs; what is no country
    (`unknown`) is left out.
    """
    return tuple(dict.fromkeys((*(code for code in countries if code in COUNTRIES), *usual)))


def _by_country(pieces: Iterable[Trace], spoken: Iterable[str]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for piece in pieces:
        kinds = table.setdefault(piece.country, {})
        kinds[piece.kind] = max(kinds.get(piece.kind, 0), piece.permille)
    for code in spoken:
        if code in table:
            table[code][Kind.LANGUAGE] = _LANGUAGE
    return table


def _settled(pieces: list[Trace], spoken: set[str]) -> list[Trace]:
    """`pieces`, those shared by several countries given to the one that others support."""
    if not any(piece.shared for piece in pieces):
        return pieces
    support = _by_country((piece for piece in pieces if not piece.shared), ())
    for code in spoken:
        support.setdefault(code, {})[Kind.LANGUAGE] = _LANGUAGE
    scores = {code: _joined(kinds.values()) for code, kinds in support.items()}
    return [_moved(piece, scores) if piece.shared else piece for piece in pieces]


def _moved(piece: Trace, scores: Mapping[str, int]) -> Trace:
    ranked = sorted(piece.shared.split(), key=lambda code: (-scores.get(code, 0), code))
    best, second = (scores.get(code, 0) for code in ranked[:2])
    if best == second or best < scores.get(piece.country, 0) + _CLEARLY:
        return piece
    return Trace(ranked[0], piece.kind, piece.permille, piece.shared)


def _score(kinds: Mapping[str, int]) -> int:
    weak = [permille for kind, permille in kinds.items() if kind in _WEAK]
    strong = [permille for kind, permille in kinds.items() if kind not in _WEAK]
    if not strong:
        return 0
    return _joined([*strong, min(_WEAK_CEILING, _joined(weak))])


def _joined(weights: Iterable[int]) -> int:
    doubt = 1000.0
    for permille in weights:
        doubt *= 1 - permille / 1000
    return round(1000 - doubt)
