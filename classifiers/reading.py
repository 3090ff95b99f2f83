"""One text read by all rules: views of it, candidates, checks, context words, scores, the overlap rule."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cache, partial
from pathlib import Path
from typing import final

from classifiers.checks.table import Check, CountryOf, checks, countries
from classifiers.compiled import WIDEST_BESIDE, CompiledRules, load_compiled, uncollected
from classifiers.context import REACH_AFTER, REACH_BEFORE, Near, Surroundings, joined
from classifiers.digits import cites, grouped_as, holds_date, numbers, reads_otherwise, runs
from classifiers.hints import gates, marking_words
from classifiers.jurisdiction import NO_TRACES, Traces, regions_in_play, sharers
from classifiers.labels import HEALTH, HealthLexicon
from classifiers.mail import address_start
from classifiers.meter import Exhausted, Meter
from classifiers.normalisation import fold
from classifiers.overlap import DISTINCTIVE, FAR, Claim, settle
from classifiers.phones import PhoneFinder, names_telephones
from classifiers.places import known_places
from classifiers.residency import markings
from classifiers.rules import CONTEXT_FLOOR
from classifiers.scanner import Expression, Place, matches
from classifiers.streets import ENTITY as STREET
from classifiers.streets import PERMILLE as STREET_PERMILLE
from classifiers.streets import streets
from classifiers.traces import Tracer
from classifiers.typography import retyped
from classifiers.view import View
from classifiers.views import further, views
from classifiers.weak_signals import spoken_in
from governance.finding import SEVERITY, Category, DetectionStatus, Finding
from governance.segment import Span

MAX_FINDINGS = 10_000
# Claims are settled at the end; a flood of overlapping ones is cut off before that costs more than finding them did.
_MAX_CLAIMS = 4 * MAX_FINDINGS
# What is charged for: a place to look at, a match read, a claim, a run of digits taken apart, a number in it.
_LOOK_MICROS, _MATCH_MICROS, _CLAIM_MICROS, _RUN_MICROS, _NUMBER_MICROS = 2, 4, 8, 4, 3
# Checks that take longer: Keccak in Python. Others work through each character of keys and addresses.
_DEAR = {
    "ethereum": 350,
    "monero": 350,
    "ipv6": 20,
    "ipv4": 6,
    "ipv4_no_version": 6,
    "mrz_td1": 15,
    "mrz_td2": 15,
    "mrz_td3": 15,
    "cn_uscc_with_organisation": 12,
    "iban": 8,
    "bg_vat": 8,
    "birth_date": 6,
    "address_to_postcode": 8,
    "address_to_city": 6,
}
_LONG = frozenset({Category.CREDENTIAL, Category.CRYPTO})
# Of a check: where its value begins in what the expression matched, which may hold more.
_STARTS: Mapping[str, Callable[[bytes, int, int], int]] = {"email": address_start}
# An expression may have swallowed the words that follow a value in groups; so many of them are given back.
_MOST_GIVEN_BACK = 6
# Two windows nearer than this cost less as one.
_APART = 512
_LABEL = re.compile(rb"[A-Za-z\x80-\xff]{2}")
# Or where letters of another script follow directly.
_SEPARATOR = re.compile(rb"[ ./-]|(?<=[0-9A-Za-z])(?=[\x80-\xff])")
# The rest of a clause, behind a value in it. A full stop directly behind a date may belong to it.
_CLAUSE = re.compile(rb"\.?(?:[^,;|.\t\n]|\.(?! ))*")
# A word that stands behind its value stands close.
_CLOSE_BEHIND = 24
_WORDLIKE = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") | frozenset(range(128, 256))
_PLUS = 43
_FARTHEST = 1 << 62
_LONGEST_E164 = 20
_LATIN = "latin-1"
# A language of many countries: the numbers of so many are looked for.
_MOST_SPOKEN = 6
# And of so many whose identifiers stand in the text.
_MOST_PROVEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one text holds; `segment` of its findings is 0. `units` is the work it took (see Meter)."""

    status: DetectionStatus
    findings: tuple[Finding, ...] = ()
    health: int = 0
    residency_labels: tuple[str, ...] = ()
    traces: Traces = NO_TRACES
    units: int = 0


@final
class Reader:
    """All rules, or those of `entities`, ready to read. Safe between threads.

    Findings below `floor_permille` are not reported; at 0 everything that has the shape and passes the check is. A text
    may take `patience` times the work of one on the path, and hold as many times its findings.
    """

    def __init__(
        self,
        *,
        entities: Collection[str] | None = None,
        regions: tuple[str, ...] = ("US", "GB", "DE", "FR"),
        floor_permille: int = CONTEXT_FLOOR,
        compiled: CompiledRules | None = None,
        patience: int = 1,
    ) -> None:
        self._compiled = compiled or load_compiled(entities=entities)
        self._patience = patience
        self._floor = floor_permille
        plans = self._compiled.phones
        self._phones = None if plans is None else PhoneFinder.from_table(plans, regions)
        self._streets = STREET in self.entities and floor_permille <= STREET_PERMILLE
        self._health = HealthLexicon()
        with uncollected():
            self._tracer = Tracer(known_places(), sharers(self._compiled.rules))
        self._judge = _Judge(self._compiled, floor_permille)
        self.version = self._digest(regions, entities)

    @property
    def entities(self) -> frozenset[str]:
        """What the rules can find, telephone numbers aside."""
        return frozenset(rule.entity for rule in self._compiled.rules)

    def read(self, text: str, *, deadline: float) -> Reading:
        """What `text` holds, within the allowance of its length and until `deadline` (`time.monotonic`).

        A limit shows in the status, and what was found until then is kept.
        """
        meter = Meter(len(text), deadline=deadline)
        meter.allowance *= self._patience
        stops = [DetectionStatus.COMPLETE]
        health = 0
        residency: tuple[str, ...] = ()
        hints: frozenset[str] | None = None
        claims: list[Claim] = []
        typed = retyped(text)
        spoken = cache(partial(spoken_in, typed.text))
        try:
            meter.check_clock()
            plain = fold(text)
            surroundings = Surroundings(plain, self._compiled.lexicon, meter)
            hints = surroundings.hints
            # What folding left out may have stood beside a marking.
            known_words = marking_words(hints, typed.text) if len(plain.scan) == len(text) else None
            residency = markings(typed.text, meter, known_words)
            regions = cache(partial(self._regions, spoken))
            self._collect(plain, surroundings, meter, claims, regions)
            if self._streets:
                for finding in streets(typed.text, meter):
                    _add(claims, Claim(finding=_at(finding, typed.original)))
            sure = sorted(_span(each) for each in claims if _needs_no_word(each.finding))
            known = partial(_within, sure, plain)
            tells = partial(self._tells, plain, surroundings)
            for view in further(plain, meter, hints, tells=tells, known=known):
                self._collect(view, Surroundings(view, self._compiled.lexicon, meter), meter, claims, regions)
        except Exhausted as stop:
            stops.append(stop.status)
        try:
            if hints is None or HEALTH in hints:
                health = self._health.permille(typed.text, meter)
        except Exhausted as stop:
            stops.append(stop.status)
        findings = settle(claims) if claims else ()
        if len(findings) > (most := MAX_FINDINGS * self._patience):
            meter.left_out = True
            findings = findings[:most]
        traces = NO_TRACES
        try:
            said = [_at(each, typed.span) for each in findings] if typed.moved else findings
            keys = None if hints is None else gates(hints, typed.text)
            traces = self._tracer.traces(typed.text, said, meter, keys, spoken)
        except Exhausted as stop:
            stops.append(stop.status)
        if meter.left_out:
            stops.append(DetectionStatus.PARTIAL)
        return Reading(
            status=max(stops, key=SEVERITY.index),
            findings=findings,
            health=health,
            residency_labels=residency,
            traces=traces,
            units=meter.spent,
        )

    def candidates(self, text: str, meter: Meter) -> tuple[Claim, ...]:
        """All claims before the overlap rule. Raises Exhausted."""
        claims: list[Claim] = []
        for view in views(text, meter):
            surroundings = Surroundings(view, self._compiled.lexicon, meter)
            self._collect(view, surroundings, meter, claims, partial(self._regions, partial(spoken_in, text)))
        return tuple(claims)

    def _tells(self, view: View, surroundings: Surroundings, start: int, end: int) -> bool:
        """Whether the name of a column there says what its values are."""
        return surroundings.any_in(start, end) or (self._phones is not None and names_telephones(view.scan[start:end]))

    def _regions(self, spoken: Callable[[], str]) -> tuple[str, ...]:
        """Whose national telephone numbers a text may hold: those of its language, then the usual ones."""
        usual = () if self._phones is None else self._phones.regions
        return regions_in_play(spoken().split()[:_MOST_SPOKEN], usual)

    def _collect(
        self,
        view: View,
        surroundings: Surroundings,
        meter: Meter,
        claims: list[Claim],
        regions: Callable[[], tuple[str, ...]],
    ) -> None:
        """Adds what `view` holds to `claims`. Raises Exhausted; what was added stays."""
        ground = _Ground(view=view, surroundings=surroundings, meter=meter, claims=claims)
        first = len(claims)
        self._judge.expressions(ground)
        digit_runs = self._judge.digits(ground)
        if self._phones is not None and digit_runs:
            owned = sorted(_span(each) for each in claims[first:] if each.finding.validated)
            # What a checksum owns whole is no telephone number.
            others = [run for run in digit_runs if not _within(owned, view, *run)] if owned else digit_runs
            proven = dict.fromkeys(
                each.finding.country
                for each in (*claims[first:], *claims[:first])
                if each.finding.validated and each.finding.country
            )
            in_play = regions_in_play([*proven][:_MOST_PROVEN], regions())
            for finding in self._phones.search(view, others, owned, meter, regions=in_play, floor=self._floor):
                if finding.permille >= self._floor:
                    _add(claims, Claim(finding=replace(finding, via=view.via) if view.via else finding))

    def _digest(self, regions: tuple[str, ...], entities: Collection[str] | None) -> str:
        """Names everything that decides what is found, so that a record can say which rules saw a text."""
        digest = hashlib.sha256(self._compiled.version.encode())
        here = Path(__file__).parent
        for file in (*sorted(here.glob("*.py")), *sorted((here / "checks").glob("*.py"))):
            digest.update(file.read_bytes())
        digest.update(repr((regions, self._floor, None if entities is None else sorted(entities))).encode())
        return digest.hexdigest()[:16]


def _at(finding: Finding, moved: Callable[[Span], Span]) -> Finding:
    return replace(finding, span=moved(finding.span))


def _span(claim: Claim) -> tuple[int, int]:
    return claim.finding.span.start, claim.finding.span.end


def _needs_no_word(finding: Finding) -> bool:
    return finding.validated or finding.permille >= DISTINCTIVE


def _within(spans: Sequence[tuple[int, int]], view: View, start: int, end: int) -> bool:
    """Whether one of `spans` of the text (sorted) holds all of `view.scan[start:end]`."""
    first = view.position(start)
    at = bisect_right(spans, (first, _FARTHEST)) - 1
    return at >= 0 and view.position(end - 1) < spans[at][1]


def _add(claims: list[Claim], claim: Claim) -> None:
    if len(claims) >= _MAX_CLAIMS:
        raise Exhausted(DetectionStatus.PARTIAL)
    claims.append(claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """One view while it is read, and where its claims go."""

    view: View
    surroundings: Surroundings
    meter: Meter
    claims: list[Claim]


class _Verdict(Enum):
    """What became of a candidate."""

    ACCEPTED = auto()
    TOO_WEAK = auto()
    FAILED_CHECK = auto()


@final
class _Judge:
    """Decides about candidates: boundary, check, context words, score."""

    def __init__(self, compiled: CompiledRules, floor: int) -> None:
        self._compiled = compiled
        self._floor = floor
        known, places = checks(), countries()
        self._checks: Sequence[Check | None] = [
            None if rule.check is None else known[rule.check] for rule in compiled.rules
        ]
        self._countries: Sequence[CountryOf | None] = [
            None if rule.country_by is None else places[rule.country_by] for rule in compiled.rules
        ]
        # Microseconds of a check: fixed, and for each character.
        self._costs: Sequence[tuple[int, int]] = [
            (_DEAR.get(rule.check or "", 1), int(rule.category in _LONG)) for rule in compiled.rules
        ]
        self._endings = [joined(rule.context, rule.joint) if rule.joint else None for rule in compiled.rules]
        self._starts = [_STARTS.get(rule.check or "") for rule in compiled.rules]
        # Of rules whose words have one value each, what such values look like.
        self._rivals: Mapping[int, Sequence[Expression]] = {
            number: [
                each for each, owners in zip(compiled.expressions, compiled.owners, strict=True) if number in owners
            ]
            for number, rule in enumerate(compiled.rules)
            if rule.nearest
        }
        # Of each expression its rules, where each of them needs a context word.
        self._weak: Sequence[frozenset[int] | None] = [
            frozenset(owners) if all(compiled.rules[each].alone < floor for each in owners) else None
            for owners in compiled.owners
        ]
        # Of each number of digits: the rules that need no context word, and those that do.
        self._alone: Mapping[int, tuple[int, ...]] = {
            length: tuple(each for each in owners if compiled.rules[each].alone >= floor)
            for length, owners in compiled.by_length.items()
        }
        self._beside: Mapping[int, frozenset[int]] = {
            length: frozenset(owners) - frozenset(self._alone[length]) for length, owners in compiled.by_length.items()
        }

        self._unaided = frozenset(length for length, owners in self._alone.items() if owners)

    def expressions(self, ground: _Ground) -> None:
        """Claims of the rules with expressions."""
        compiled, scan, meter = self._compiled, ground.view.scan, ground.meter
        may_be_near = ground.surroundings.may_be_near
        current, done = -1, 0
        reached: dict[int, int] = {}
        expression: Expression
        owners: Sequence[int] = ()

        def taken(match: re.Match[bytes]) -> int:
            nonlocal done
            start, end = match.span()
            meter.charge(_MATCH_MICROS + (end - start) // 16)
            end = self._match(ground, expression, owners, match)
            done = max(done, end)
            return end

        for number, low, high in self._places(ground):
            if number != current:
                reached[current] = done
                current, done = number, reached.get(number, 0)
                expression, owners, weak = compiled.expressions[number], compiled.owners[number], self._weak[number]
            meter.charge(_LOOK_MICROS + (high - low) // (16 if expression.widest <= 512 else 4))
            # To try one place is quicker than to look for words around it.
            if high - low == 1:
                match = expression.pattern.match(scan, low) if low >= done else None
                if match is not None and (not weak or may_be_near(low, high + expression.widest, weak)):
                    taken(match)
                continue
            if weak and not may_be_near(low, high + expression.widest, weak):
                continue
            matches(expression, scan, max(low, done), high, taken)

    def _places(self, ground: _Ground) -> Iterator[Place]:
        """Where expressions may match; those that count beside a word only, near words of theirs."""
        compiled, scan, windows = self._compiled, ground.view.scan, ground.surroundings.windows
        yield from compiled.scanner.places(scan, ground.meter)
        if self._floor < CONTEXT_FLOOR:
            yield from compiled.beside.places(scan, ground.meter)
        elif windows:
            yield from compiled.beside.places(scan, ground.meter, _around(windows, len(scan)))

    def _match(self, ground: _Ground, expression: Expression, owners: Sequence[int], match: re.Match[bytes]) -> int:
        """Where to look on: behind a value that a rule accepts, else 0."""
        scan = ground.view.scan
        group = match.re.groups if match.re.groups and match.start(1) >= 0 else 0
        start, end = match.span(group)
        if start == end or _inside_word(ground.view, start, end):
            return 0
        value = scan[start:end].decode(_LATIN)
        labelled = (
            bool(group) and _LABEL.search(scan[match.start() : start] + b" " + scan[end : match.end()]) is not None
        )
        accepted = 0
        for number in owners:
            asked = match[0].decode(_LATIN) if self._compiled.rules[number].whole else None
            verdict = self._claim(ground, number, start, end, value, asked=asked, labelled=labelled)
            if verdict is _Verdict.ACCEPTED:
                accepted = match.end()
            elif verdict is _Verdict.FAILED_CHECK and not group:
                accepted = accepted or self._shorten(ground, number, expression.pattern, start, end)
        return accepted

    def _shorten(self, ground: _Ground, number: int, pattern: re.Pattern[bytes], start: int, end: int) -> int:
        """The end of the longest beginning of a value that the rule accepts, else 0."""
        scan = ground.view.scan
        for stop in _shorter(pattern, scan, start, end):
            ground.meter.charge(_MATCH_MICROS)
            if self._claim(ground, number, start, stop, scan[start:stop].decode(_LATIN)) is _Verdict.ACCEPTED:
                return stop
        return 0

    def digits(self, ground: _Ground) -> list[tuple[int, int]]:
        """The runs of digits, after claims of the rules for them."""
        scan, near, any_near = ground.view.scan, ground.surroundings.near, ground.surroundings.any_near
        alone, beside, by_length, unaided = self._alone, self._beside, self._compiled.by_length, self._unaided
        fewest, fewest_unaided = min(by_length, default=_FARTHEST), min(unaided, default=_FARTHEST)
        found = list(runs(scan, ground.meter))
        for first, last in found:
            if last - first < fewest:
                continue
            lengths: Collection[int] = by_length
            if not any_near(first, last):
                if last - first < fewest_unaided:
                    continue
                lengths = unaided
            ground.meter.charge(_RUN_MICROS)
            glued = bool(first and scan[first - 1] in _LETTERS) or bool(last < len(scan) and scan[last] in _LETTERS)
            # Behind a plus stands a telephone number, of at most 15 digits and their separators.
            earliest = first + _LONGEST_E164 if first and scan[first - 1] == _PLUS else first
            for start, end, value in numbers(scan, first, last, lengths):
                written = scan[start:end]
                if start < earliest or cites(written):
                    continue
                length = len(value)
                chosen = [] if alone[length] and reads_otherwise(written) else list(alone[length])
                if beside[length]:
                    for _, rules in near(start, end):
                        chosen += rules & beside[length]
                ground.meter.charge(_NUMBER_MICROS + 2 * len(chosen))
                dated = bool(chosen) and holds_date(written)
                for number in dict.fromkeys(chosen):
                    rule = self._compiled.rules[number]
                    # A day among the groups is what only a check can tell from a number.
                    if (glued and not rule.glued) or (dated and rule.check is None):
                        continue
                    if not rule.groups or grouped_as(written, rule.groups):
                        self._claim(ground, number, start, end, value)
        return found

    def _claim(
        self,
        ground: _Ground,
        number: int,
        start: int,
        end: int,
        value: str,
        *,
        asked: str | None = None,
        labelled: bool = False,
    ) -> _Verdict:
        """Whether the rule accepts the value; if so it is claimed. A label is a word that the rule's shape demands.

        `asked` is what its check and its country are asked about, where that is not the value.
        """
        rule, check = self._compiled.rules[number], self._checks[number]
        fixed, for_each = self._costs[number]
        ground.meter.charge(fixed + for_each * len(value))
        find_start = self._starts[number]
        if find_start is not None:
            first = find_start(ground.view.scan, start, end)
            start, value = first, value[first - start :]
        asked = value if asked is None else asked
        # Words are looked for before the check only where no value counts without one.
        alone = rule.alone >= self._floor
        if alone and check is not None and not check(asked):
            return _Verdict.FAILED_CHECK
        distance, ending = FAR, self._endings[number]
        if ending is not None:
            distance = 0 if ground.surroundings.behind(ending, start) else FAR
        elif rule.unless or (rule.context and rule.alone < 1000):
            near = ground.surroundings.near(start, end)
            distance = _distance(near, number)
            if distance < FAR and rule.nearest:
                distance = self._distance_of_own(ground, number, start, end)
            if rule.unless and _distance(near, number + len(self._compiled.rules)) < distance:
                return _Verdict.TOO_WEAK
        beside = distance < FAR
        permille = rule.permille(beside=beside)
        if permille < self._floor:
            return _Verdict.TOO_WEAK
        if not alone and check is not None and not check(asked):
            return _Verdict.FAILED_CHECK
        ground.meter.charge(_CLAIM_MICROS)
        country_by = self._countries[number]
        _add(
            ground.claims,
            Claim(
                finding=Finding(
                    segment=0,
                    entity_type=rule.entity,
                    span=ground.view.span(start, end),
                    permille=permille,
                    detector=rule.id,
                    category=rule.category,
                    country=rule.country if country_by is None else country_by(asked) or rule.country,
                    validated=rule.verified(beside=beside or labelled),
                    beside_word=beside or labelled,
                    via=ground.view.via,
                ),
                distance=0 if labelled else distance,
                inner=(start, end) if ground.view.via else None,
            ),
        )
        return _Verdict.ACCEPTED

    def _distance_of_own(self, ground: _Ground, number: int, start: int, end: int) -> int:
        """How far from the value a context word stands that belongs to no other value of the rule; FAR where none does."""
        scan, rivals = ground.view.scan, self._rivals[number]
        ground.meter.charge(_LOOK_MICROS * len(rivals))
        low, high = max(0, start - REACH_BEFORE), end + REACH_AFTER
        earlier = [match.end() for each in rivals for match in each.pattern.finditer(scan, low, start)]
        if earlier:
            low = max(earlier)
            # Words in a clause behind an earlier value are that value's, unless this one stands in the clause, too.
            clause = _clause_end(scan, low, start)
            low = clause if clause < start else low
        behind = _clause_end(scan, end, high)
        if any(each.pattern.search(scan, end, behind) for each in rivals):
            behind = end
        return _distance(ground.surroundings.near_within(low, start, end, min(behind, end + _CLOSE_BEHIND)), number)


def _clause_end(scan: bytes, start: int, stop: int) -> int:
    rest = _CLAUSE.match(scan, start, stop)
    return start if rest is None else rest.end()


def _around(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The windows in which a value lies that has one of `spans` (by start) beside it."""
    windows: list[tuple[int, int]] = []
    for start, end in spans:
        low = max(0, start - REACH_AFTER - WIDEST_BESIDE)
        high = min(length, end + REACH_BEFORE + WIDEST_BESIDE)
        if windows and low <= windows[-1][1] + _APART:
            windows[-1] = (windows[-1][0], max(high, windows[-1][1]))
        else:
            windows.append((low, high))
    return windows


def _distance(near: Near, number: int) -> int:
    for distance, rules in near:
        if number in rules:
            return distance
    return FAR


def _inside_word(view: View, start: int, end: int) -> bool:
    """Whether a Latin letter outside ASCII stands directly beside a value that begins or ends with a letter or digit.

    For `re` over bytes those letters are no word characters, so that its boundaries do not see them. Another script ends a word as
    a blank does: letters of it that pass for Latin ones are ASCII by now.
    """
    scan = view.scan
    return (start > 0 and scan[start - 1] >= 128 and scan[start] in _WORDLIKE and _may_be_latin(view, start - 1)) or (
        end < len(scan) and scan[end] >= 128 and scan[end - 1] in _WORDLIKE and _may_be_latin(view, end)
    )


def _may_be_latin(view: View, at: int) -> bool:
    """Whether `view.scan[at]`, a letter, is Latin; what stands in the text for something decoded does not tell."""
    letter = view.text[view.position(at)]
    return letter.isascii() or unicodedata.name(letter, "LATIN").startswith(("LATIN", "MODIFIER"))


def _shorter(pattern: re.Pattern[bytes], scan: bytes, start: int, end: int) -> Iterator[int]:
    """Ends before separators in the value, and before letters of another script, at which the expression matches as well, the longest first."""
    cuts = [each.start() for each in _SEPARATOR.finditer(scan, start + 1, end)]
    for cut in reversed(cuts[-_MOST_GIVEN_BACK:]):
        if pattern.fullmatch(scan, start, cut):
            yield cut
