"""One text read by all rules: windows, verification, the overlap rule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import final

import phonenumbers
import tldextract

from classifiers import credentials
from classifiers.anchors import Exhausted, Meter, at_signs, digit_runs, iban_heads, ipv6_heads
from classifiers.labels import HealthLexicon, lexicon_version, markings
from classifiers.overlap import settle
from classifiers.phones import PhoneFinder
from classifiers.recognizers import Rule, load_rules
from governance.finding import DetectionStatus, Finding

# Raised whenever windows, forms or checks change: cached results and records name the version.
RULES_REVISION = "1"
MAX_FINDINGS = 10_000
# The longest IBAN has 34 characters in groups of four; the pattern needs to see what follows.
_IBAN_WINDOW = 48
# Entities of digit runs, by the fewest digits they have.
_DIGIT_RULES = (("CREDIT_CARD", 12), ("DE_HEALTH_INSURANCE", 9), ("DE_TAX_ID", 11), ("UK_NHS", 10), ("US_SSN", 9))
_FEWEST_PHONE_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one text holds; `segment` of its findings is 0. `units` is the work it took (see Meter)."""

    status: DetectionStatus
    findings: tuple[Finding, ...] = ()
    health: int = 0
    residency_labels: tuple[str, ...] = ()
    units: int = 0


def _is_fraction(text: str, finding: Finding) -> bool:
    """Whether the value is the decimal places of a number: one float in ten passes a checksum of card length."""
    start, end = finding.span.start, finding.span.end
    return start >= 2 and text[start - 1] == "." and text[start - 2].isdigit() and text[start:end].isdigit()


@final
class Reader:
    """All rules, built once: takes seconds, since Presidio brings spaCy. Safe between threads."""

    def __init__(self, *, regions: tuple[str, ...] = ("US", "GB", "DE", "FR"), floor_permille: int = 300) -> None:
        self._rules: Mapping[str, Rule] = load_rules()
        self._phones = PhoneFinder(regions)
        self._health = HealthLexicon()
        self._floor = floor_permille
        self.version = self._digest()

    def read(self, text: str, *, deadline: float) -> Reading:
        """What `text` holds, within the allowance of its length and until `deadline` (`time.monotonic`).

        A limit shows in the status, and what was found until then is kept.
        """
        meter = Meter(len(text), deadline=deadline)
        status = DetectionStatus.COMPLETE
        health = 0
        residency: tuple[str, ...] = ()
        found: list[Finding] = []
        try:
            residency = markings(text, meter)
            for finding in islice(self._reported(text, meter), MAX_FINDINGS + 1):
                found.append(finding)  # noqa: PERF402 - what is found before a limit is kept
        except Exhausted as stop:
            status = stop.status
        if len(found) > MAX_FINDINGS:
            found.pop()
            status = DetectionStatus.PARTIAL
        try:
            health = self._health.permille(text, meter)
        except Exhausted as stop:
            status = stop.status
        return Reading(
            status=status,
            findings=settle(found) if found else (),
            health=health,
            residency_labels=residency,
            units=meter.spent,
        )

    def _reported(self, text: str, meter: Meter) -> Iterator[Finding]:
        for finding in self.candidates(text, meter):
            meter.spend(2)
            if finding.permille >= self._floor and not _is_fraction(text, finding):
                yield finding

    def candidates(self, text: str, meter: Meter) -> Iterator[Finding]:
        """All that the rules accept, before the overlap rule and the floor. Raises Exhausted."""
        yield from credentials.search(text, meter)
        yield from self._emails(text, meter)
        ibans = []
        for finding in self._ibans(text, meter):
            ibans.append((finding.span.start, finding.span.end))
            yield finding
        yield from self._digits(text, ibans, meter)
        address = self._rules["IPV6"]
        for start, end in ipv6_heads(text, meter):
            # A zone and a prefix length may follow the run.
            yield from address.search(text, start, start + 1, min(len(text), end + 24))

    def _emails(self, text: str, meter: Meter) -> Iterator[Finding]:
        done = 0
        for left, at, right in at_signs(text, meter):
            if at < done:
                continue
            for finding in self._rules["EMAIL_ADDRESS"].search(text, max(left, done), at, right):
                yield finding
                done = finding.span.end
                break

    def _ibans(self, text: str, meter: Meter) -> Iterator[Finding]:
        done = 0
        for start in iban_heads(text, meter):
            if start < done:
                continue
            for finding in self._rules["IBAN_CODE"].search(text, start, start + 1, start + _IBAN_WINDOW):
                yield finding
                done = finding.span.end

    def _digits(self, text: str, owned: list[tuple[int, int]], meter: Meter) -> Iterator[Finding]:
        pending = iter([*owned, (len(text), len(text))])
        owner = next(pending)
        for start, end in digit_runs(text, meter):
            while owner[1] <= start:
                owner = next(pending)
            if owner[0] <= start and end <= owner[1]:
                continue
            run = text[start:end]
            digits = sum(map(str.isdigit, run))
            taken = False
            # One character before for the letter of a KVNR, one behind for the boundary.
            for entity, fewest in _DIGIT_RULES:
                if digits >= fewest:
                    for finding in self._rules[entity].search(text, max(0, start - 1), end, min(len(text), end + 1)):
                        taken = taken or (finding.validated and finding.span.end - finding.span.start >= len(run) - 1)
                        yield finding
            if run.count(".") >= 3:
                yield from self._rules["IPV4"].search(text, start, end, min(len(text), end + 4))
            if digits >= _FEWEST_PHONE_DIGITS and not taken:
                yield from self._phones.search(text, start, end, meter)

    def _digest(self) -> str:
        """Names everything that decides what is found, so that a record can say which rules saw a text."""
        parts = [
            RULES_REVISION,
            phonenumbers.__version__,
            tldextract.__version__,
            lexicon_version(),
            *self._phones.regions,
            str(self._floor),
            *(f"{form.entity_type} {form.pattern.pattern}" for form in credentials.FORMS),
            *(
                f"{rule.entity_type} {each.pattern} {score}"
                for rule in self._rules.values()
                for each, score in rule.patterns
            ),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
