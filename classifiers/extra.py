"""Customers' own recognisers beside the catalogue: loaded from what the operator configured, run with a deadline.

What of them became rules is read with the catalogue (`OwnRecognizers.rules`); the rest runs in a child process beside it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, final

from classifiers.cache import DigestCache
from classifiers.overlap import Claim, settle
from classifiers.query import deadline_in
from classifiers.recognizer_client import SEVERITY, Extra, RecognizerClient
from classifiers.registry_file import OwnPattern, read_registry
from classifiers.rules import CONTEXT_FLOOR, Rule
from governance.errors import ConfigInvalid
from governance.finding import Detection, DetectionStatus, DetectorRun, Finding
from governance.interfaces import Detector
from governance.segment import TextSegment
from governance.settings import REGISTRY_FILES
from governance.yaml_source import quoted

_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")
_ENTRY_BYTES = 480
_FINDING_BYTES = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecognizers:
    """What an operator configured. `covered` are Presidio's recognisers that the catalogue stands in for."""

    rules: tuple[Rule, ...] = ()
    patterns: tuple[OwnPattern, ...] = ()
    classes: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()


class TextFinder(Protocol):
    """What finds beside the rules; RecognizerClient is the real one."""

    @property
    def version(self) -> str:
        """Names everything that decides what is found."""
        ...

    def find(self, text: str, *, deadline: float) -> Extra:
        """What `text` holds, until `deadline` on the clock of `time.monotonic`. Never raises."""
        ...

    def close(self) -> None:
        """Ends what runs beside this process."""
        ...


def load_own(recognizers: Sequence[str]) -> OwnRecognizers:
    """What the entries of the setting `classifiers.recognizers` name: registry files, and classes as `module:Class`.

    Reads the files; classes are imported where they run, in the child process. Raises ConfigInvalid with file and entry.
    """
    rules: list[Rule] = []
    patterns: list[OwnPattern] = []
    classes: list[str] = []
    covered: list[str] = []
    for entry in recognizers:
        if entry.endswith(REGISTRY_FILES):
            read = read_registry(Path(entry), first=len(rules))
            rules += read.rules
            patterns += read.patterns
            covered += read.covered
        elif _CLASS.fullmatch(entry):
            classes.append(entry)
        else:
            raise ConfigInvalid(
                f"`classifiers.recognizers`: {quoted(entry)} is neither a `.yaml` file nor a class as `module:Class`"
            )
    return OwnRecognizers(rules=tuple(rules), patterns=tuple(patterns), classes=tuple(classes), covered=tuple(covered))


def extended(detector: Detector, own: OwnRecognizers) -> Detector:
    """`detector` with what of `own` did not become rules; itself where nothing is left. Raises ConfigInvalid.

    Starts the child process and waits until it has loaded everything. The child ends with this process at the latest.
    """
    if not own.patterns and not own.classes:
        return detector
    return ExtendedDetector(
        detector, RecognizerClient(patterns=own.patterns, classes=own.classes, floor_permille=CONTEXT_FLOOR)
    )


@final
class ExtendedDetector:
    """A Detector that asks another one and, at the same time, recognisers of the operator's.

    The worst of all statuses is the status of the whole. Overlaps are settled by the one rule; labels and jurisdictions
    are those of the other detector.
    """

    def __init__(
        self,
        detector: Detector,
        finder: TextFinder,
        *,
        max_entries: int = 16_384,
        max_bytes: int = 16 << 20,
    ) -> None:
        self._detector = detector
        self._finder = finder
        self._cache: DigestCache[Extra] = DigestCache(max_entries=max_entries, max_weight=max_bytes)
        # The finder reads one text at a time; what waits for it must not fill the pool that others need.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recognizers")

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What `segments` hold. Raises DetectorUnavailable as the other detector does."""
        deadline = deadline_in(deadline_ms)
        beside = asyncio.get_running_loop().run_in_executor(self._thread, self._all, segments, deadline)
        detection = await self._detector.detect(segments, deadline_ms=deadline_ms)
        return with_extras(detection, await beside)

    def close(self) -> None:
        """Ends the finder, after the text that it is reading."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._finder.close()

    def _all(self, segments: Sequence[TextSegment], deadline: float) -> list[Extra]:
        return [self._one(segment.text.reveal(), deadline) for segment in segments]

    def _one(self, text: str, deadline: float) -> Extra:
        key = self._cache.key(text, self._finder.version)
        known = self._cache.get(key)
        if known is not None:
            return known
        extra = self._finder.find(text, deadline=deadline)
        # What failed once may succeed the next time: a recogniser may ask a service of the operator's.
        if all(run.status is DetectionStatus.COMPLETE for run in extra.runs):
            self._cache.put(key, extra, weight=_ENTRY_BYTES + _FINDING_BYTES * len(extra.findings))
        return extra


def with_extras(detection: Detection, extras: Sequence[Extra]) -> Detection:
    """`detection` with what was found beside it; `extras` are those of its segments, in order."""
    added = [replace(finding, segment=number) for number, extra in enumerate(extras) for finding in extra.findings]
    runs = _worst_of_each(run for extra in extras for run in extra.runs)
    status = max((detection.status, *(run.status for run in runs)), key=SEVERITY.index)
    return replace(
        detection,
        status=status,
        findings=_settled(detection.findings, added) if added else detection.findings,
        detectors=(*detection.detectors, *runs),
    )


def _worst_of_each(runs: Iterable[DetectorRun]) -> tuple[DetectorRun, ...]:
    worst: dict[tuple[str, str], DetectionStatus] = {}
    for run in runs:
        key = (run.id, run.version)
        worst[key] = max(worst.get(key, run.status), run.status, key=SEVERITY.index)
    return tuple(DetectorRun(id=name, version=version, status=status) for (name, version), status in worst.items())


def _settled(found: Sequence[Finding], added: Sequence[Finding]) -> tuple[Finding, ...]:
    by_segment: dict[int, list[Claim]] = {}
    for finding in (*found, *added):
        by_segment.setdefault(finding.segment, []).append(Claim(finding=finding))
    return tuple(finding for number in sorted(by_segment) for finding in settle(by_segment[number]))
