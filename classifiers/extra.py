"""Customers' own recognisers beside the catalogue: loaded from what the operator configured, run with a deadline.

What of them became rules is read with the catalogue (`OwnRecognizers.rules`); the rest runs in a child process beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, final, runtime_checkable

from classifiers.cache import DigestCache
from classifiers.entity_names import MODEL_CATEGORIES, SPACY
from classifiers.jurisdiction import reinforced
from classifiers.labels import joined, labels
from classifiers.overlap import Claim, settle
from classifiers.query import deadline_in
from classifiers.recognizer_client import Extra, RecognizerClient
from classifiers.registry_file import OWN_CLASS, Meaning, OwnPattern, category_of, read_registry
from classifiers.rules import CONTEXT_FLOOR, Rule
from classifiers.spacy_pipeline import check_installed
from governance.errors import ConfigInvalid
from governance.finding import SEVERITY, Category, Detection, DetectionStatus, DetectorRun, Finding, Label
from governance.interfaces import Detector
from governance.segment import TextSegment
from governance.settings import REGISTRY_FILES
from governance.yaml_source import quoted

_ENTRY_BYTES = 480
_FINDING_BYTES = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecognizers:
    """What an operator configured. `covered` are Presidio's recognisers that the catalogue stands in for.

    `classes` are classes and spaCy pipelines; `meanings` are theirs, in their order; `labels` are stated for the findings of a rule, by its id.
    """

    rules: tuple[Rule, ...] = ()
    patterns: tuple[OwnPattern, ...] = ()
    classes: tuple[str, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    covered: tuple[str, ...] = ()

    @property
    def stated(self) -> tuple[Meaning, ...]:
        """What findings mean of what runs beside the rules: of each pattern, then of each class."""
        patterns = (
            Meaning(entity=each.entity, category=each.category, label=each.label, country=each.country)
            for each in self.patterns
        )
        return (*patterns, *self.meanings)


D = TypeVar("D", bound=Detector)


@runtime_checkable
class ImmediateDetector(Protocol):
    """A detector that can be asked without an event loop."""

    def detect_now(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """As `detect` of a Detector, in the calling thread."""
        ...


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
    """What the entries of the setting `classifiers.recognizers` name: registry files, classes as `module:Class`, and
    spaCy pipelines as `spacy:NAME`.

    Reads the files; classes and pipelines are loaded where they run, in the child process. Raises ConfigInvalid with file
    and entry, also for a pipeline that is not installed.
    """
    rules: list[Rule] = []
    patterns: list[OwnPattern] = []
    classes: list[tuple[str, Meaning]] = []
    labelled: list[tuple[str, str]] = []
    covered: list[str] = []
    for entry in recognizers:
        if entry.endswith(REGISTRY_FILES):
            read = read_registry(Path(entry), first=len(rules))
            rules += read.rules
            patterns += read.patterns
            classes += read.classes
            labelled += read.labels
            covered += read.covered
        elif entry.startswith(SPACY) or OWN_CLASS.fullmatch(entry):
            classes.append((entry, Meaning()))
        else:
            raise ConfigInvalid(
                f"`classifiers.recognizers`: {quoted(entry)} is neither a `.yaml` file, nor a class as `module:Class`, nor"
                " a spaCy pipeline as `spacy:NAME`"
            )
    for name, _ in classes:
        if name.startswith(SPACY):
            check_installed(name)
    return OwnRecognizers(
        rules=tuple(rules),
        patterns=tuple(patterns),
        classes=tuple(name for name, _ in classes),
        meanings=tuple(meaning for _, meaning in classes),
        labels=tuple(labelled),
        covered=tuple(covered),
    )


def beside_rules(own: OwnRecognizers) -> RecognizerClient | None:
    """A child process that has loaded what of `own` did not become rules; None where nothing is left. Raises ConfigInvalid."""
    if not (own.patterns or own.classes):
        return None
    return RecognizerClient(patterns=own.patterns, classes=own.classes, floor_permille=CONTEXT_FLOOR)


def extended(detector: D, own: OwnRecognizers) -> D | ExtendedDetector:
    """`detector` with what of `own` did not become rules; itself where nothing is left. Raises ConfigInvalid.

    Starts the child process and waits until it has loaded everything. The child ends with this process at the latest.
    """
    finder = beside_rules(own)
    if finder is None and not own.labels:
        return detector
    return ExtendedDetector(detector, finder, stated=own.stated, labels_of=dict(own.labels))


@final
class ExtendedDetector:
    """A Detector that asks another one and, at the same time, recognisers of the operator's.

    The worst of all statuses is the status of the whole. Overlaps are settled by the one rule. What was found beside the
    other detector adds to its labels and jurisdictions, as `stated` says: one Meaning for each recogniser of `finder`, in
    order. `labels_of` are stated for findings of the other detector, by the id of their rule.
    """

    def __init__(
        self,
        detector: Detector,
        finder: TextFinder | None,
        *,
        stated: Sequence[Meaning] = (),
        labels_of: Mapping[str, str] | None = None,
        max_entries: int = 16_384,
        max_bytes: int = 16 << 20,
    ) -> None:
        self._detector = detector
        self._finder = finder
        self._stated = tuple(stated)
        self._labels_of = dict(labels_of or {})
        self._cache: DigestCache[Stated] = DigestCache(max_entries=max_entries, max_weight=max_bytes)
        # The finder reads one text at a time; what waits for it must not fill the pool that others need.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recognizers")

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What `segments` hold. Raises DetectorUnavailable as the other detector does."""
        if self._finder is None:
            return _with_extras(await self._detector.detect(segments, deadline_ms=deadline_ms), (), self._labels_of)
        deadline = deadline_in(deadline_ms)
        beside = asyncio.get_running_loop().run_in_executor(self._thread, self._all, segments, deadline)
        detection = await self._detector.detect(segments, deadline_ms=deadline_ms)
        return _with_extras(detection, await beside, self._labels_of)

    def detect_now(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """As `detect`, in the calling thread; the other detector must be able to. Raises DetectorUnavailable as it does."""
        beside = self._thread.submit(self._all, segments, deadline_in(deadline_ms))
        assert isinstance(self._detector, ImmediateDetector)  # noqa: S101 - said above
        detection = self._detector.detect_now(segments, deadline_ms=deadline_ms)
        return _with_extras(detection, beside.result(), self._labels_of)

    def close(self) -> None:
        """Ends the finder, after the text that it is reading."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._finder is not None:
            self._finder.close()

    def _all(self, segments: Sequence[TextSegment], deadline: float) -> list[Stated]:
        finder = self._finder
        return [] if finder is None else [self._one(finder, each.text.reveal(), deadline) for each in segments]

    def _one(self, finder: TextFinder, text: str, deadline: float) -> Stated:
        key = self._cache.key(text, finder.version)
        known = self._cache.get(key)
        if known is not None:
            return known
        extra = _as_stated(finder.find(text, deadline=deadline), self._stated)
        # What failed once may succeed the next time: a recogniser may ask a service of the operator's.
        if all(run.status is DetectionStatus.COMPLETE for run in extra.runs):
            self._cache.put(key, extra, weight=_ENTRY_BYTES + _FINDING_BYTES * len(extra.findings))
        return extra


@dataclass(frozen=True, slots=True)
class Stated:
    """What recognisers found in one text, with the category and country that their entries state; of each, its label."""

    findings: tuple[Finding, ...]
    runs: tuple[DetectorRun, ...]
    labels: tuple[str, ...] = ()


_UNSTATED = Meaning()


def _category(finding: Finding) -> Category:
    """What the catalogue says; of what only models find it knows nothing."""
    by_model = MODEL_CATEGORIES.get(finding.entity_type) if finding.detector.startswith(SPACY) else None
    return by_model or category_of(finding.entity_type)


def _as_stated(extra: Extra, meanings: Sequence[Meaning]) -> Stated:
    """`extra` as `meanings` of its recognisers, in order, say. Where two have one name, the first that finds the entity counts."""
    known: dict[tuple[str, str], Meaning] = {}
    for run, meaning in zip(extra.runs, meanings, strict=False):
        known.setdefault((run.id, meaning.entity), meaning)
    said = [
        known.get((each.detector, each.entity_type)) or known.get((each.detector, ""), _UNSTATED)
        for each in extra.findings
    ]
    findings = (
        replace(
            finding,
            category=meaning.category or _category(finding),
            country=meaning.country or finding.country,
        )
        for finding, meaning in zip(extra.findings, said, strict=True)
    )
    return Stated(findings=tuple(findings), runs=extra.runs, labels=tuple(meaning.label for meaning in said))


def _with_extras(detection: Detection, extras: Sequence[Stated], labels_of: Mapping[str, str]) -> Detection:
    """`detection` with what was found beside it; `extras` are those of its segments, in order."""
    added = [replace(finding, segment=number) for number, extra in enumerate(extras) for finding in extra.findings]
    runs = _worst_of_each(run for extra in extras for run in extra.runs)
    status = max((detection.status, *(run.status for run in runs)), key=SEVERITY.index)
    findings = _settled(detection.findings, added) if added else detection.findings
    stated = {
        (finding.detector, finding.entity_type): label
        for extra in extras
        for finding, label in zip(extra.findings, extra.labels, strict=True)
    }
    own = [each for each in findings if (each.detector, each.entity_type) in stated]
    said = [
        Label(name=name, permille=each.permille)
        for each in findings
        if (name := stated.get((each.detector, each.entity_type)) or labels_of.get(each.detector, ""))
    ]
    return replace(
        detection,
        status=status,
        findings=findings,
        labels=joined(detection.labels, labels(own, 0), said),
        jurisdictions=reinforced(detection.jurisdictions, own),
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
