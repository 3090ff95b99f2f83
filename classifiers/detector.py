"""The detector of everything that has a shape: rules with checks, cached by text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Protocol, final

from classifiers.cache import DigestCache
from classifiers.context import NAMES, REACH_BEFORE
from classifiers.joining import seams
from classifiers.jurisdiction import jurisdictions
from classifiers.labels import labels
from classifiers.meter import Exhausted
from classifiers.overlap import Claim, settle
from classifiers.reading import Reader, Reading
from governance.errors import DetectorUnavailable
from governance.finding import SEVERITY, Detection, DetectionStatus, DetectorRun, Finding
from governance.segment import Span, TextSegment

DETECTOR_ID = "patterns"
# Above this the event loop would notice: about 10 ms of work.
INLINE_CHARS = 65_536
# A segment costs as much as a text of so many characters before the first of its own is read.
_SEGMENT_CHARS = 1_024
# Measured with tracemalloc: key, entry and Reading; Finding and Span.
_ENTRY_BYTES = 480
_FINDING_BYTES = 240
_TRACE_BYTES = 120


class TextReader(Protocol):
    """What reads one text; Reader is the real one."""

    @property
    def version(self) -> str:
        """Names everything that decides what is found."""
        ...

    def read(self, text: str, *, deadline: float) -> Reading:
        """What `text` holds, until `deadline` on the clock of `time.monotonic`."""
        ...


def _placed(finding: Finding, segment: int) -> Finding:
    return finding if finding.segment == segment else replace(finding, segment=segment)


def _rows(segments: Sequence[TextSegment], texts: Sequence[str]) -> Iterator[Sequence[int]]:
    """The numbers of segments whose ends may meet: all that say something, and those that are no names of members again."""
    row = [number for number, text in enumerate(texts) if not _is_blank(text)]
    yield row
    values = [number for number in row if not segments[number].is_name]
    if len(values) < len(row):
        yield values


def _behind(findings: Iterable[Finding], first: int) -> Iterator[Finding]:
    """What of `findings` lies behind `first`, as counted from there."""
    for finding in findings:
        if finding.span.end > first:
            span = Span(start=max(0, finding.span.start - first), end=finding.span.end - first)
            yield replace(finding, span=span)


def _is_blank(text: str) -> bool:
    return not any(each.isprintable() and not each.isspace() for each in text)


def _bytes_held(reading: Reading) -> int:
    """About what a result takes in memory; its strings are shared with the rules."""
    return _ENTRY_BYTES + _FINDING_BYTES * len(reading.findings) + _TRACE_BYTES * len(reading.traces.found)


@final
class PatternDetector:
    """A Detector over the rules of `classifiers.reading`. Building one opens no connection; the first on a machine compiles.

    The cache holds types and offsets by keyed digest of the text and the version of the rules, never text. Only results
    that the clock did not cut short are kept, so that a text that timed out once is read again.
    """

    def __init__(
        self, *, max_entries: int = 16_384, max_bytes: int = 64 << 20, reader: TextReader | None = None
    ) -> None:
        self._reader: TextReader = reader or Reader()
        self._cache: DigestCache[Reading] = DigestCache(max_entries=max_entries, max_weight=max_bytes)
        self.version = self._reader.version

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What `segments` hold. Long texts, and many, are read in a thread. Raises DetectorUnavailable without content."""
        if sum(_SEGMENT_CHARS + len(segment.text) for segment in segments) <= INLINE_CHARS:
            return self.detect_now(segments, deadline_ms=deadline_ms)
        import asyncio  # noqa: PLC0415 - who awaits has it; a scan of files does without

        return await asyncio.to_thread(self.detect_now, segments, deadline_ms=deadline_ms)

    def detect_now(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """As `detect`, in the calling thread."""
        try:
            return self._detect(segments, time.monotonic() + deadline_ms / 1000)
        except Exception as error:  # noqa: BLE001 - whatever fails in a rule is a failed detection
            kind = type(error).__name__
        # Raised out here: the cause may quote content, so that not even the context may refer to it.
        raise DetectorUnavailable(f"detection failed with {kind}")

    def _detect(self, segments: Sequence[TextSegment], deadline: float) -> Detection:
        texts = [segment.text.reveal() for segment in segments]
        readings = [self._read(segment, deadline) for segment in segments]
        status = max((reading.status for reading in readings), key=SEVERITY.index, default=DetectionStatus.COMPLETE)
        found = [_placed(finding, number) for number, reading in enumerate(readings) for finding in reading.findings]
        joined, limit = self._across(_rows(segments, texts), texts, deadline)
        status = max(status, limit, key=SEVERITY.index)
        if joined:
            found = sorted((*found, *joined), key=lambda each: (each.segment, each.span.start))
        findings = tuple(found)
        return Detection(
            status=status,
            findings=findings,
            labels=labels(findings, max((reading.health for reading in readings), default=0)),
            jurisdictions=jurisdictions(findings, [reading.traces for reading in readings]),
            residency_labels=tuple(sorted({label for reading in readings for label in reading.residency_labels})),
            detectors=(DetectorRun(id=DETECTOR_ID, version=self.version, status=status),),
        )

    def _across(
        self, rows: Iterable[Sequence[int]], texts: Sequence[str], deadline: float
    ) -> tuple[list[Finding], DetectionStatus]:
        """Values that reach over the end of a segment of a row into the next, each once, and whether all ends were looked at."""
        claims: dict[int, list[Claim]] = {}
        status = DetectionStatus.COMPLETE
        # Values that are neighbours in both rows meet twice.
        read = cache(partial(self._reader.read, deadline=deadline))
        for row in rows:
            try:
                for seam in seams([texts[number] for number in row]):
                    reading = read(seam.text)
                    status = max(status, reading.status, key=SEVERITY.index)
                    for finding in seam.findings(reading.findings):
                        placed = _placed(finding, row[finding.segment])
                        claims.setdefault(placed.segment, []).append(Claim(finding=placed))
            except Exhausted as stop:
                status = max(status, stop.status, key=SEVERITY.index)
        return [finding for each in claims.values() for finding in settle(each)], status

    def _read(self, segment: TextSegment, deadline: float) -> Reading:
        """What `segment` holds, the name that it goes by read in front of it: `{"cvv": "123"}` says what `cvv: 123` does."""
        text = segment.text.reveal()
        if segment.called is None:
            return self._text(text, deadline)
        name = segment.called.reveal()[-REACH_BEFORE:] + NAMES
        reading = self._text(name + text, deadline)
        return replace(reading, findings=tuple(_behind(reading.findings, len(name))))

    def _text(self, text: str, deadline: float) -> Reading:
        key = self._cache.key(text, self.version)
        known = self._cache.get(key)
        if known is not None:
            return known
        reading = self._reader.read(text, deadline=deadline)
        if reading.status is not DetectionStatus.TIMEOUT:
            self._cache.put(key, reading, weight=_bytes_held(reading))
        return reading
