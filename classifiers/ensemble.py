"""Two detectors as one: rules for what has a shape, a model for what has none."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate
from typing import Final, Protocol, final

from classifiers.extra import ImmediateDetector
from classifiers.labels import HEALTH, about_somebody, joined
from classifiers.model.decoding import DETECTOR_ID, STREET_ADDRESS, trimmed
from classifiers.overlap import WORDS, Claim, is_bare_shape, settle
from governance.errors import DetectorUnavailable
from governance.finding import SEVERITY, Detection, DetectionStatus, DetectorRun, Finding
from governance.interfaces import Detector
from governance.segment import Span, TextSegment

# What is left of a finding is worth reporting from this many letters and digits on.
_LEAST: Final = 2
_THREADS: Final = 8
# Between two parts of a street address: a comma and a space, a stroke.
_BETWEEN_CHARS: Final = 3
_PLACE: Final = "LOCATION"
_POSTCODES: Final = ("_POSTCODE", "_POSTAL_CODE", "_ZIP_CODE", "_EIRCODE", "_PIN_CODE", "_PLZ")
# Above this the event loop would notice: about 5 ms of work.
_INLINE_FINDINGS: Final = 512


class NamedDetector(Detector, Protocol):
    """A detector that says in which version it runs, and what it can tell; ModelDetector is one."""

    @property
    def version(self) -> str:
        """Names everything that decides what is found."""
        ...

    @property
    def topics(self) -> frozenset[str]:
        """What it can tell that a text is about."""
        ...


@final
class Ensemble:
    """A Detector that asks rules and a model at the same time and joins what they say, as `together` does.

    A model that fails takes nothing from what the rules found: its run and the whole are `failed`, which leaves the level
    unknown. Rules that fail raise DetectorUnavailable.
    """

    def __init__(self, rules: Detector, model: NamedDetector) -> None:
        self._rules = rules
        self._model = model
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="ensemble")

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What `segments` hold. Raises DetectorUnavailable as the rules do."""
        asked = asyncio.create_task(self._ask(segments, deadline_ms))
        try:
            # The model goes to its threads before the rules take this one.
            await asyncio.sleep(0)
            found = await self._rules.detect(segments, deadline_ms=deadline_ms)
            return await self._together(found, await asked, segments)
        finally:
            asked.cancel()

    def detect_now(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """As `detect`, in the calling thread; both detectors must be able to. Raises DetectorUnavailable as the rules do."""
        asked = self._threads.submit(self._ask_now, segments, time.monotonic() + deadline_ms / 1000)
        assert isinstance(self._rules, ImmediateDetector)  # noqa: S101 - said above
        found = self._rules.detect_now(segments, deadline_ms=deadline_ms)
        return together(found, asked.result(), segments, self._model.topics)

    def close(self) -> None:
        """Ends both detectors, as far as they can be ended."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for each in (self._model, self._rules):
            close = getattr(each, "close", None)
            if close is not None:
                close()

    async def _together(self, found: Detection, added: Detection, segments: Sequence[TextSegment]) -> Detection:
        """As `together`, where there is much to join in a thread."""
        if len(found.findings) + len(added.findings) > _INLINE_FINDINGS:
            return await asyncio.to_thread(together, found, added, segments, self._model.topics)
        return together(found, added, segments, self._model.topics)

    async def _ask(self, segments: Sequence[TextSegment], deadline_ms: int) -> Detection:
        try:
            return await self._model.detect(segments, deadline_ms=deadline_ms)
        except DetectorUnavailable:
            return self._failed()

    def _ask_now(self, segments: Sequence[TextSegment], deadline: float) -> Detection:
        model = self._model
        assert isinstance(model, ImmediateDetector)  # noqa: S101 - said above
        try:
            return model.detect_now(segments, deadline_ms=max(0, round((deadline - time.monotonic()) * 1000)))
        except DetectorUnavailable:
            return self._failed()

    def _failed(self) -> Detection:
        run = DetectorRun(id=DETECTOR_ID, version=self._model.version, status=DetectionStatus.FAILED)
        return Detection(status=DetectionStatus.FAILED, detectors=(run,))


def together(
    found: Detection, added: Detection, segments: Sequence[TextSegment], topics: Collection[str] = ()
) -> Detection:
    """What rules `found` with what a model `added`. The worst status is that of the whole; labels have their highest score.

    A model that read everything, and knows health among its `topics`, knows whether it is somebody's: words that are no
    person's stand back.
    """
    judged = HEALTH in topics and added.status is DetectionStatus.COMPLETE
    return replace(
        found,
        status=max(found.status, added.status, key=SEVERITY.index),
        findings=_findings(found.findings, added.findings, segments),
        labels=joined(about_somebody(found.labels) if judged else found.labels, added.labels),
        detectors=(*found.detectors, *added.detectors),
    )


def _findings(
    found: Sequence[Finding], added: Sequence[Finding], segments: Sequence[TextSegment]
) -> tuple[Finding, ...]:
    ours, theirs = _by_segment(found), _by_segment(added)
    return tuple(
        finding
        for number in sorted({*ours, *theirs})
        for finding in (settled(ours.get(number, []), theirs.get(number, []), segments[number].text.reveal()))
    )


def _by_segment(findings: Sequence[Finding]) -> dict[int, list[Finding]]:
    sorted_out: dict[int, list[Finding]] = {}
    for finding in findings:
        sorted_out.setdefault(finding.segment, []).append(finding)
    return sorted_out


def settled(found: Sequence[Finding], added: Sequence[Finding], text: str) -> tuple[Finding, ...]:
    """The findings of rules in `text` and those that a model added, settled so that no character is lost.

    What a rule found stays, and a model's finding keeps what no rule covers: nothing of a name in a mail address, the name
    of `Jane <jane@example.com>`. Findings of one type become their union, unless a checksum says where the value
    ends, and parts of one street address one finding. A bare shape inside a model's finding of another type is a matter of
    the one rule: a probability of 850 counts like a word beside it, then the longer wins.
    """
    rules = sorted(found, key=lambda each: (each.span.start, each.span.end))
    starts = [each.span.start for each in rules]
    # The furthest end so far: what lies before the first that reaches a finding does not touch it.
    reached = list(accumulate((each.span.end for each in rules), max))
    kept: list[Finding] = []
    for finding in added:
        near = rules[bisect_right(reached, finding.span.start) : bisect_left(starts, finding.span.end)]
        kept += _uncovered(finding, [each.span for each in near if _stands_against(each, finding)], text)
    return tuple(_whole_addresses(settle(Claim(finding=each) for each in (*found, *kept)), text))


def _whole_addresses(findings: Iterable[Finding], text: str) -> Iterator[Finding]:
    """`findings`, sorted by start, with the parts of one street address as one: rules know street and postcode, models the rest.

    Places belong to an address where more of it follows them, `12 High Street, Leeds, LS1 4AP`, and where only a blank parts
    them from it, `Hauptstr. 5, 10115 Berlin`; not behind a comma alone, `12 High Street, Leeds`.
    """
    waiting: list[Finding] = []
    for finding in findings:
        if waiting and _goes_on(waiting[-1], finding, text):
            if _is_part(finding) or _is_town(waiting[-1], finding, text):
                whole = Span(start=waiting[0].span.start, end=finding.span.end)
                waiting = [replace(waiting[0], span=whole, country=waiting[0].country or finding.country)]
                continue
            if finding.entity_type == _PLACE:
                waiting.append(finding)
                continue
        yield from waiting
        waiting = []
        if finding.entity_type == STREET_ADDRESS:
            waiting.append(finding)
        else:
            yield finding
    yield from waiting


def _is_part(finding: Finding) -> bool:
    return finding.entity_type == STREET_ADDRESS or finding.entity_type.endswith(_POSTCODES)


def _is_town(last: Finding, finding: Finding, text: str) -> bool:
    """Whether `finding` is the place that one blank parts from the end of an address."""
    apart = text[last.span.end : finding.span.start]
    return apart == " " and finding.entity_type == _PLACE and last.entity_type == STREET_ADDRESS


def _goes_on(last: Finding, finding: Finding, text: str) -> bool:
    return (
        not (last.via or finding.via)
        and finding.span.start - last.span.end <= _BETWEEN_CHARS
        and not any(each.isalnum() or each == "\n" for each in text[last.span.end : finding.span.start])
    )


def _stands_against(rule: Finding, finding: Finding) -> bool:
    """Whether `rule` takes its characters from `finding`, whatever speaks for that."""
    if rule.span.end <= finding.span.start or rule.span.start >= finding.span.end:
        return False
    if rule.entity_type == finding.entity_type:
        return rule.validated and rule.entity_type not in WORDS
    inside = finding.span.start <= rule.span.start and rule.span.end <= finding.span.end
    return not (inside and is_bare_shape(rule))


def _uncovered(finding: Finding, covered: Sequence[Span], text: str) -> Iterator[Finding]:
    """What of `finding` no span in `covered` covers; they are sorted by start."""
    if not covered:
        yield finding
        return
    start = finding.span.start
    for span in (*covered, Span(start=finding.span.end, end=finding.span.end)):
        first, last = trimmed(text, start, max(start, min(span.start, finding.span.end)), finding.entity_type)
        if sum(map(str.isalnum, text[first:last])) >= _LEAST:
            yield replace(finding, span=Span(start=first, end=last))
        start = max(start, span.end)
