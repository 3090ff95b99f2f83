"""The one rule for findings that overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from itertools import takewhile
from operator import attrgetter, itemgetter
from typing import Final

from classifiers.entity_names import MODEL_NAMES, SPACY
from classifiers.joining import VIA
from classifiers.view import UNPARTED
from governance.finding import Category, Finding
from governance.frozen import frozen
from governance.segment import Span

# The distance of a context word that is not there.
FAR = 1 << 20
# A shape that scores this much without a word beside it counts like one with.
DISTINCTIVE = 850
# How the names of an operator's recognisers begin: what runs beside the rules, what became a rule, what reads as a pipeline.
OWN: Final = "own:"
OWN_RULE: Final = "own."
_OWN = (OWN, OWN_RULE, SPACY)
_CARRIER = "URL"
_MAIL = "EMAIL_ADDRESS"
# Kinds of values in one carrier: what holds more is told by these.
_MOST_CARRIED = 16
# Values that are words: what speaks for one says that it is there, and not where it ends.
WORDS: Final = frozenset(MODEL_NAMES)
# Parts of addresses that say nothing of their own.
_PARTS_OF_ADDRESSES = frozenset({"DATE_TIME", "UUID"})
_STREET, _PHONE = "STREET_ADDRESS", "PHONE_NUMBER"


@frozen
class Claim:
    """A finding before the rule was applied. `distance` is that of its nearest context word, in characters; `inner` is where
    the value stands in what was decoded, since the span of all that one carrier holds is the carrier.
    """

    finding: Finding
    distance: int = FAR
    inner: tuple[int, int] | None = None


class Strength(IntEnum):
    """What speaks for a claim, the strongest first."""

    VERIFIED = 0
    BESIDE_WORD = 1
    SHAPE = 2
    # A web address says least about a person, and gives way to whatever stands in it.
    CARRIER = 3


def _strength(claim: Claim) -> Strength:
    found = claim.finding
    if found.entity_type == _CARRIER:
        return Strength.CARRIER
    # A secret beside its word may hold what is an address or a card number: without it the rest of the secret would be left.
    if found.validated or (found.category is Category.CREDENTIAL and found.beside_word):
        return Strength.VERIFIED
    return Strength.BESIDE_WORD if found.beside_word or found.permille >= DISTINCTIVE else Strength.SHAPE


def is_bare_shape(finding: Finding) -> bool:
    """Whether nothing but its shape speaks for `finding`: no check, no word, no score that tells of more; and it is no web address."""
    return _strength(Claim(finding=finding)) is Strength.SHAPE


def _rank(claim: Claim) -> tuple[object, ...]:
    found, span = claim.finding, claim.finding.span
    return (
        _strength(claim),
        span.start - span.end,
        0 if claim.inner is None or _as_it_stands(claim) else claim.inner[0] - claim.inner[1],
        -found.permille,
        claim.distance,
        found.country is None,
        bool(found.via),
        span.start,
        found.entity_type,
        found.detector,
        found.country or "",
        found.via,
        claim.inner or (-1, -1),
    )


def _as_it_stands(claim: Claim) -> bool:
    """Whether decoding left the value as long as it stands: then it may stand there in the clear, and that is said first."""
    span, inner = claim.finding.span, claim.inner
    return inner is not None and inner[1] - inner[0] == span.end - span.start


def merge_same_type(claims: Iterable[Claim]) -> list[Claim]:
    """`claims` with overlapping ones of one type and strength joined: the union of the spans, the rest of the best.

    A validated one is not joined with one that is not, but for WORDS: a checksum says where its value begins and ends.
    """
    merged: list[Claim] = []
    for claim in sorted(claims, key=_in_order_of_type):
        last = merged[-1] if merged else None
        if (
            last is None
            or _kind(last) != _kind(claim)
            or claim.finding.span.start >= last.finding.span.end
            or (claim.inner is not None and _disjoint(last.inner, claim.inner))
        ):
            merged.append(claim)
            continue
        best = min(last, claim, key=_rank)
        union = Span(start=last.finding.span.start, end=max(last.finding.span.end, claim.finding.span.end))
        if (best.finding.validated and best.finding.entity_type not in WORDS) or best.finding.span == union:
            merged[-1] = best
        else:
            merged[-1] = replace(best, finding=replace(best.finding, span=union))
    return merged


def _kind(claim: Claim) -> tuple[str, bool]:
    found = claim.finding
    return (found.entity_type, found.validated and found.entity_type not in WORDS)


def _in_order_of_type(claim: Claim) -> tuple[object, ...]:
    return (*_kind(claim), claim.finding.span.start, _rank(claim))


def settle(claims: Iterable[Claim]) -> tuple[Finding, ...]:
    """Findings of one text, sorted by start, of which no two overlap but as countries' equal claims to one value.

    Verified beats a word beside it beats bare shape; then longer beats shorter, then the higher score, then the nearer
    context word, then one with a country; the loser is dropped. A web address gives way to all but dates in it, so that
    a card number inside a URL is a card number, and a mail address to the token that it begins with. The end of a
    telephone number is no house of the street behind it. Where the numbers of two countries look the same, pass the
    same check and bear the same name, both findings stay: the value cannot decide between them, the rest of the text
    may. Values that stand apart in what one carrier holds stay, too, each with the span of the carrier. A part of a
    value that goes on in another text stays beside what this text says by itself: the two digits of it may not stand
    for the address that they begin. What an operator's own recogniser finds, and what is found across controls that may
    part values, displaces the rest by the same rule, and leaves nothing uncovered: of that what is not in it stays.
    """
    alone: list[Claim] = []
    joined: list[Claim] = []
    for claim in claims:
        (joined if claim.finding.via.startswith(VIA) else alone).append(claim)
    kept = [*_settled(alone), *_settled(joined)] if joined else _settled(alone)
    return tuple(each.finding for each in sorted(kept, key=_in_order))


def _settled(claims: Sequence[Claim]) -> list[Claim]:
    """Those of `claims` that stay, which are all of one text alone or all of several, and parts of others around guests."""
    kept = _strongest(claims)
    ours = [each for each in claims if not _is_guest(each.finding)]
    if len(ours) == len(claims):
        return kept
    taken = sorted((each.finding.span.start, each.finding.span.end) for each in kept)
    return kept + [part for each in _strongest(ours) for part in _uncovered(each, taken)]


def _is_guest(finding: Finding) -> bool:
    """Whether `finding` takes its own characters and no more: another reading than that of our rules alone."""
    return finding.detector.startswith(_OWN) or UNPARTED in finding.via


def _uncovered(claim: Claim, taken: Sequence[tuple[int, int]]) -> Iterator[Claim]:
    """What of `claim` lies in none of `taken`, which are sorted and overlap only where they are equal."""
    start, end = claim.finding.span.start, claim.finding.span.end
    first, last = bisect_right(taken, start, key=itemgetter(1)), bisect_left(taken, end, key=itemgetter(0))
    for low, high in (*taken[first:last], (end, end)):
        if start < low:
            yield replace(claim, finding=replace(claim.finding, span=Span(start=start, end=low)))
        start = max(start, high)


def _strongest(claims: Iterable[Claim]) -> list[Claim]:
    """Those of `claims` that stay whole."""
    merged = sorted(_without_users(_without_parts(merge_same_type(_without_tails(claims)))), key=_rank)
    taken: list[tuple[int, int]] = []
    kept: list[Claim] = []
    carried: dict[tuple[int, int], list[Claim]] = {}
    for claim in merged:
        start, end = claim.finding.span.start, claim.finding.span.end
        at = bisect_left(taken, (end, 0))
        if not at or taken[at - 1][1] <= start:
            insort(taken, (start, end))
            kept.append(claim)
        elif _equal(kept, claim) or _apart(carried.get((start, end), ()), claim):
            kept.append(claim)
        else:
            continue
        if claim.finding.via:
            carried.setdefault((start, end), []).append(claim)
    return kept


def _in_order(claim: Claim) -> tuple[int, str]:
    return (claim.finding.span.start, claim.finding.entity_type)


def _equal(kept: list[Claim], claim: Claim) -> bool:
    """Whether the last of `kept` are other countries' claims to the same value, as strong as this one."""
    rivals = list(takewhile(lambda each: each.finding.span == claim.finding.span, reversed(kept)))
    countries = {each.finding.country for each in rivals}
    return (
        bool(rivals)
        and _strength(claim) < Strength.SHAPE
        and _weight(rivals[0]) == _weight(claim)
        and countries.isdisjoint({None, claim.finding.country})
        and claim.finding.country is not None
    )


def _apart(others: Collection[Claim], claim: Claim) -> bool:
    """Whether `others`, which have the span of `claim`, are other values in the same carrier; settled ones are, once more."""
    return (
        0 < len(others) < _MOST_CARRIED
        and claim.finding.entity_type not in {each.finding.entity_type for each in others}
        and all(_elsewhere(each, claim) for each in others)
    )


def _elsewhere(one: Claim, other: Claim) -> bool:
    """Whether both stand apart in what they were decoded to, or one was encoded once more inside of it."""
    outer, inner = sorted((one.finding.via, other.finding.via))
    if outer == inner:
        return _disjoint(one.inner, other.inner)
    # The host of an address beside what is encoded once more is read in both.
    return inner.startswith(f"{outer}>") and _strength(other) is not Strength.CARRIER


def _disjoint(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    if one is None or other is None:
        return one is other
    return one[1] <= other[0] or other[1] <= one[0]


def _weight(claim: Claim) -> tuple[object, ...]:
    return (_strength(claim), claim.finding.permille, claim.distance, claim.finding.via)


def _without_parts(claims: list[Claim]) -> list[Claim]:
    """`claims` without the dates and such in web addresses."""
    addresses = sorted(
        (each.finding.span.start, each.finding.span.end) for each in claims if each.finding.entity_type == _CARRIER
    )
    if not addresses:
        return claims
    return [
        each
        for each in claims
        if each.finding.entity_type not in _PARTS_OF_ADDRESSES or not _inside(addresses, each.finding.span)
    ]


def _without_tails(claims: Iterable[Claim]) -> list[Claim]:
    """`claims` without the streets whose house is the last digits of a telephone number before them."""
    claims = list(claims)
    numbers = [each.finding.span for each in claims if each.finding.entity_type == _PHONE]
    if not numbers:
        return claims
    numbers.sort(key=attrgetter("start"))
    begins = [each.start for each in numbers]
    return [each for each in claims if each.finding.entity_type != _STREET or not _cuts(begins, numbers, each)]


def _cuts(begins: Sequence[int], numbers: Sequence[Span], claim: Claim) -> bool:
    """Whether `claim` begins inside the last of `numbers` (sorted) that begins before it, and ends behind that."""
    at = bisect_left(begins, claim.finding.span.start)
    return at > 0 and claim.finding.span.start < numbers[at - 1].end < claim.finding.span.end


def _without_users(claims: list[Claim]) -> list[Claim]:
    """`claims` without what looks like a mail address and is a token before a host, as in `https://ghp_...@github.com`.

    A label before the token (distance 0) tells of another value: a secret that is called so may look like a name.
    """
    tokens: dict[tuple[str, int, int], int] = {}
    for each in claims:
        if each.finding.category is Category.CREDENTIAL and each.distance > 0:
            begin, end = _place(each)
            tokens[begin] = min(end, tokens.get(begin, end))
    return [each for each in claims if each.finding.entity_type != _MAIL or not _begins_with(tokens, each)]


def _begins_with(tokens: Mapping[tuple[str, int, int], int], claim: Claim) -> bool:
    begin, end = _place(claim)
    return tokens.get(begin, end) < end


def _place(claim: Claim) -> tuple[tuple[str, int, int], int]:
    """Where the value of `claim` begins, and in which decoding; and where it ends."""
    span = claim.finding.span
    begin, end = claim.inner or (span.start, span.end)
    return (claim.finding.via, span.start, begin), end


def _inside(addresses: list[tuple[int, int]], span: Span) -> bool:
    """Whether `span` lies in one of `addresses`, which are sorted and disjoint."""
    at = bisect_right(addresses, (span.start, span.end))
    return any(start <= span.start and span.end <= end for start, end in addresses[max(0, at - 1) : at + 1])
