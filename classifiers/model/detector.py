"""The detector of everything that has no shape: a model over windows of the text, batched across requests, cached by text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, final

import numpy as np

from classifiers.cache import DigestCache
from classifiers.labels import joined
from classifiers.model.batching import CLOSED, BatchCounts, Batcher, BatchLimits, Frame, Job, Runner, Work
from classifiers.model.decoding import DETECTOR_ID, Decoder
from classifiers.model.manifest import Manifest, ModelFiles, read_model
from classifiers.model.pieces import PieceReader, Pieces, piece_reader, unstyled, worth_reading
from classifiers.model.session import Execution, ModelReport, ModelSession, Provider
from classifiers.model.windows import windows
from classifiers.typography import Retyped, shown
from governance.errors import DetectorUnavailable
from governance.finding import SEVERITY, Detection, DetectionStatus, DetectorRun, Finding, Label
from governance.segment import TextSegment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # Of a text, its pieces, and their scores float32[pieces, width].
    Findings = Callable[[str, Pieces, NDArray[np.float32]], tuple[Finding, ...]]

# Above these the event loop would notice: what to hash, what to decode.
_INLINE_CHARS: Final = 65_536
_INLINE_PIECES: Final = 2_048
# What a text costs to decode beside its pieces, in pieces.
_TEXT_PIECES: Final = 64
_ENTRY_BYTES: Final = 480
_FINDING_BYTES: Final = 240
_GPU_PIECES: Final = 65_536
# What was found by the deadline is put together after it, and nobody waits longer than this for it.
_LATE_S: Final = 0.25

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a model found in one text; `segment` of the findings is 0."""

    status: DetectionStatus
    findings: tuple[Finding, ...] = ()
    labels: tuple[Label, ...] = ()


_NOTHING: Final = Reading(status=DetectionStatus.COMPLETE)


def load_model(
    directory: Path, *, execution: Execution | None = None, limits: BatchLimits | None = None
) -> ModelDetector:
    """The detector of the model in `directory`, verified and tried. Raises ModelUnusable."""
    return tried(read_model(directory), execution=execution, limits=limits)


def tried(files: ModelFiles, *, execution: Execution | None = None, limits: BatchLimits | None = None) -> ModelDetector:
    """The detector of a verified model, tried. Raises ModelUnusable."""
    reader = piece_reader(files)
    session = ModelSession(files, reader, execution)
    return ModelDetector(files, reader, session, limits=limits or limits_for(session.report), report=session.report)


def limits_for(report: ModelReport) -> BatchLimits:
    """Small batches for a CPU, which gains little from them and would make others wait; large ones for a GPU, two at a time.

    Padding is worth it up to what a run of its own would cost.
    """
    if report.provider is Provider.CPU:
        return BatchLimits(max_padding=report.overhead)
    return BatchLimits(max_waiting=65_536, max_pieces=_GPU_PIECES, max_padding=report.overhead, workers=2)


@final
class ModelDetector:
    """A Detector over one model. The event loop neither reads, nor runs, nor decodes anything long.

    A text is complete, partial where the deadline, or the bound of the queue, left some of its windows without an answer,
    or timeout where it left all; what was found by then is in the Detection. Texts that were read to their end are kept
    by keyed digest of text and version, as types and offsets. `report` is None for a runner of another kind;
    `findings` says what a text holds in place of what the manifest does.
    """

    def __init__(
        self,
        files: ModelFiles,
        reader: PieceReader,
        runner: Runner,
        *,
        limits: BatchLimits | None = None,
        report: ModelReport | None = None,
        findings: Findings | None = None,
        reading_threads: int = 1,
        max_entries: int = 16_384,
        max_bytes: int = 16 << 20,
    ) -> None:
        manifest: Manifest = files.manifest
        self.version = files.version
        self.report = report
        self._reader = reader
        self._decoder = Decoder(manifest)
        self._found = findings or self._decoder.findings
        frame = Frame(prefix=reader.prefix, suffix=reader.suffix, padding=reader.padding, window=manifest.window)
        # Ours know nothing of numbers without words; for others a number may be all they look for.
        self._digits = manifest.kind != "ours"
        self._size = manifest.window - frame.around
        self._overlap = manifest.overlap
        self._runner = runner
        self._batcher = Batcher(runner, self._decoder, frame, limits)
        self._threads = ThreadPoolExecutor(max_workers=reading_threads, thread_name_prefix="pieces")
        # Lanes of their own: a megabyte takes a second to cut into pieces.
        self._long = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pieces-long")
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model-beside")
        self._cache: DigestCache[Reading] = DigestCache(max_entries=max_entries, max_weight=max_bytes)

    @property
    def provider(self) -> str:
        """What runs it, as far as this process knows: `remote` where another one does."""
        return "remote" if self.report is None else self.report.provider

    @property
    def precision(self) -> str:
        """In what numbers most of its weights are, empty where another process has them."""
        return "" if self.report is None else self.report.precision

    @property
    def entities(self) -> frozenset[str]:
        """The entity types that it can find."""
        return self._decoder.entities

    @property
    def topics(self) -> frozenset[str]:
        """What it can tell that a text is about."""
        return self._decoder.topics

    @property
    def counts(self) -> BatchCounts:
        """What became of the windows so far."""
        return self._batcher.counts

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """What `segments` hold. Raises DetectorUnavailable without content."""
        deadline = time.monotonic() + deadline_ms / 1000
        loop = asyncio.get_running_loop()
        texts = [segment.text.reveal() for segment in segments]
        if sum(map(len, texts)) <= _INLINE_CHARS:
            keys, known, missing = self._known(texts)
        else:
            try:
                keys, known, missing = await self._aside(deadline, self._known, texts)
            except TimeoutError:
                return self._detection([b""] * len(texts), {})
        if not missing:
            return self._detection(keys, known)
        job = Job(deadline=deadline, loop=loop)
        if not self._batcher.admit(job):
            return self._detection(keys, known | self._readings(job, missing))
        try:
            unread = tuple(each.text for each in missing.values())
            lane = self._threads if sum(map(len, unread)) <= _INLINE_CHARS else self._long
            try:
                lane.submit(self._read, job, unread)
            except RuntimeError:
                # Closed since the job was admitted.
                self._batcher.fail(job, CLOSED)
            await job.settled()
        finally:
            self._batcher.end(job)
        if sum(_TEXT_PIECES + len(work.pieces) for work in job.works) <= _INLINE_PIECES:
            known |= self._readings(job, missing)
        else:
            with suppress(TimeoutError):
                limit = max(deadline, time.monotonic() + _LATE_S)
                known |= await self._aside(limit, self._readings, job, missing)
        return self._detection(keys, known)

    def detect_now(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """As `detect`, in the calling thread, which must not be that of an event loop."""
        deadline = time.monotonic() + deadline_ms / 1000
        texts = [segment.text.reveal() for segment in segments]
        keys, known, missing = self._known(texts)
        job = Job(deadline=deadline)
        if missing:
            if self._batcher.admit(job):
                try:
                    self._read(job, tuple(each.text for each in missing.values()))
                    job.wait()
                finally:
                    self._batcher.end(job)
            known |= self._readings(job, missing)
        return self._detection(keys, known)

    def close(self) -> None:
        """Ends what waits, with DetectorUnavailable, and the threads after what they are at."""
        # First, so that no thread of the batcher is waited for while it waits for somebody else's answer.
        close = getattr(self._runner, "close", None)
        if close is not None:
            close()
        self._batcher.close()
        for lane in (self._threads, self._long, self._beside):
            lane.shutdown(wait=False, cancel_futures=True)

    async def _aside(self, deadline: float, work: Callable[..., R], *arguments: object) -> R:
        """What `work` returns, done in a thread. Raises TimeoutError at `deadline`, DetectorUnavailable once this is closed."""
        try:
            done = asyncio.get_running_loop().run_in_executor(self._beside, work, *arguments)
        except RuntimeError:
            raise _failed(CLOSED) from None
        try:
            await asyncio.wait((done,), timeout=max(0.0, deadline - time.monotonic()))
            if not done.done():
                raise TimeoutError
            if done.cancelled():
                raise _failed(CLOSED)
            return done.result()
        finally:
            done.cancel()

    def _known(self, texts: Sequence[str]) -> tuple[list[bytes], dict[bytes, Reading], dict[bytes, Retyped]]:
        """The keys of `texts`, what needs no model (what was read before, and what holds nothing to read), and the others, to be read.

        These are in plain letters, and without what nobody sees.
        """
        keys = [self._cache.key(text, self.version) for text in texts]
        known: dict[bytes, Reading] = {}
        missing: dict[bytes, Retyped] = {}
        for key, text in zip(keys, texts, strict=True):
            if key in missing:
                continue
            reading = self._cache.get(key)
            if reading is not None:
                known[key] = reading
            elif worth_reading((plain := shown(unstyled(text))).text, digits=self._digits):
                missing[key] = plain
            else:
                known[key] = _NOTHING
        return keys, known, missing

    def _read(self, job: Job, texts: Sequence[str]) -> None:
        """Makes windows of `texts` and hands them on. Whatever fails ends the job: this runs in a thread of its own.

        Half of the time may go into reading, so that of a text that is too long something is answered.
        """
        now = time.monotonic()
        limit = now + (job.deadline - now) / 2
        try:
            works: list[Work] = []
            for text in texts:
                if job.ended:
                    return
                pieces = self._reader.read(text, deadline=limit)
                works.append(self._work(text, pieces))
            self._batcher.submit(job, works)
        except Exception as error:  # noqa: BLE001 - the edge of a thread; the name only, the message may quote content
            self._batcher.fail(job, type(error).__name__)

    def _work(self, text: str, pieces: Pieces) -> Work:
        made = windows(len(pieces), size=self._size, overlap=self._overlap)
        if not self._digits:
            return Work(pieces=pieces, windows=made)
        places = ((pieces.starts[each.first], pieces.ends[each.last - 1]) for each in made)
        digits = (number for number, (start, end) in enumerate(places) if worth_reading(text[start:end], digits=True))
        return Work(pieces=pieces, windows=made, digits=frozenset(digits))

    def _readings(self, job: Job, missing: Mapping[bytes, Retyped]) -> dict[bytes, Reading]:
        """What the ended `job` says of the texts in `missing`. Raises DetectorUnavailable where it failed."""
        kind = job.error
        if not kind:
            try:
                return {
                    key: self._reading(key, text, work)
                    for (key, text), work in zip(missing.items(), job.works, strict=False)
                }
            except Exception as error:  # noqa: BLE001 - whatever fails is a failed detection
                kind = type(error).__name__
        # Raised out here: the cause may quote content, so that not even the context may refer to it.
        raise _failed(kind)

    def _reading(self, key: bytes, text: Retyped, work: Work) -> Reading:
        whole = work.pieces.read_chars == len(text.text) and work.answered == len(work.windows)
        if whole:
            status = DetectionStatus.COMPLETE
        else:
            status = DetectionStatus.PARTIAL if work.answered else DetectionStatus.TIMEOUT
        findings = self._findings(text.text, work) if work.scores else ()
        if text.moved:
            findings = tuple(replace(each, span=text.letters(each.span)) for each in findings)
        labels = () if work.topics is None else self._decoder.labels(work.topics)
        reading = Reading(status=status, findings=findings, labels=labels)
        if whole:
            self._cache.put(key, reading, weight=_ENTRY_BYTES + _FINDING_BYTES * (len(findings) + len(labels)))
        return reading

    def _findings(self, text: str, work: Work) -> tuple[Finding, ...]:
        scores = np.zeros((len(work.pieces), self._decoder.width), dtype=np.float32)
        for number, rows in work.scores.items():
            window = work.windows[number]
            scores[window.own_first : window.own_last] = rows
        return self._found(text, work.pieces, scores)

    def _detection(self, keys: Sequence[bytes], known: Mapping[bytes, Reading]) -> Detection:
        """The whole of what is `known` of the texts behind `keys`; a text of which nothing is known timed out."""
        readings = [known.get(key, _UNREAD) for key in keys]
        status = max((each.status for each in readings), key=SEVERITY.index, default=DetectionStatus.COMPLETE)
        return Detection(
            status=status,
            findings=tuple(
                finding if finding.segment == number else replace(finding, segment=number)
                for number, reading in enumerate(readings)
                for finding in reading.findings
            ),
            labels=joined(*(reading.labels for reading in readings)),
            detectors=(DetectorRun(id=DETECTOR_ID, version=self.version, status=status),),
        )


def _failed(kind: str) -> DetectorUnavailable:
    return DetectorUnavailable(f"the model failed with {kind}")


_UNREAD: Final = Reading(status=DetectionStatus.TIMEOUT)
