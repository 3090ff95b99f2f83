"""The first detector: patterns with validators, cached by text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol, final

from classifiers.cache import DigestCache
from classifiers.jurisdiction import jurisdictions
from classifiers.labels import labels
from classifiers.reading import Reader, Reading
from governance.errors import DetectorUnavailable
from governance.finding import Detection, DetectionStatus, DetectorRun, Finding
from governance.segment import TextSegment

DETECTOR_ID = "patterns"
# Above this the event loop would notice: about 10 ms of work.
INLINE_CHARS = 65_536
_SEVERITY = (DetectionStatus.COMPLETE, DetectionStatus.PARTIAL, DetectionStatus.TIMEOUT)


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
    if finding.segment == segment:
        return finding
    return Finding(
        segment=segment,
        entity_type=finding.entity_type,
        span=finding.span,
        permille=finding.permille,
        detector=finding.detector,
        country=finding.country,
        validated=finding.validated,
    )


@final
class PatternDetector:
    """A Detector over the rules of `classifiers.reading`. Building one takes seconds and opens no connection.

    The cache holds types and offsets by keyed digest of the text, never text. Only results that the clock did not cut
    short are kept, so that a text that timed out once is read again.
    """

    def __init__(
        self, *, max_entries: int = 16_384, max_findings: int = 262_144, reader: TextReader | None = None
    ) -> None:
        self._reader: TextReader = reader or Reader()
        self._cache: DigestCache[Reading] = DigestCache(max_entries=max_entries, max_weight=max_findings)
        self.version = self._reader.version

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What `segments` hold. Long texts are read in a thread. Raises DetectorUnavailable without content."""
        if sum(len(segment.text) for segment in segments) <= INLINE_CHARS:
            return self.detect_now(segments, deadline_ms=deadline_ms)
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
        readings = [self._read(segment.text.reveal(), deadline) for segment in segments]
        status = max((reading.status for reading in readings), key=_SEVERITY.index, default=DetectionStatus.COMPLETE)
        findings = tuple(
            _placed(finding, number) for number, reading in enumerate(readings) for finding in reading.findings
        )
        return Detection(
            status=status,
            findings=findings,
            labels=labels(findings, max((reading.health for reading in readings), default=0)),
            jurisdictions=jurisdictions(findings),
            residency_labels=tuple(sorted({label for reading in readings for label in reading.residency_labels})),
            detectors=(DetectorRun(id=DETECTOR_ID, version=self.version, status=status),),
        )

    def _read(self, text: str, deadline: float) -> Reading:
        key = self._cache.key(text)
        known = self._cache.get(key)
        if known is not None:
            return known
        reading = self._reader.read(text, deadline=deadline)
        if reading.status is not DetectionStatus.TIMEOUT:
            self._cache.put(key, reading, weight=1 + len(reading.findings))
        return reading
