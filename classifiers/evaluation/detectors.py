"""What can be measured: configurations of our own detectors, and presidio-analyzer, behind one Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, final, runtime_checkable

from classifiers.evaluation.names import same_name, trimmed
from classifiers.evaluation.scores import Answer, Found
from governance.errors import ConfigInvalid, DetectorUnavailable
from governance.finding import Detection, DetectionStatus, Finding
from governance.interfaces import Detector
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classifiers.model.decoding import Decoder
    from classifiers.model.detector import Findings
    from classifiers.model.pieces import Pieces

PRESIDIO: Final = "presidio"
RULES: Final = "rules"
STUDENT: Final = "student"
TEACHER: Final = "teacher"
# Nothing waits for an answer here, and a text that a path would not have had the time for is worth knowing by its quality.
DEADLINE_MS: Final = 60_000
# Asked at once, so that a model can read them together.
TOGETHER: Final = 32
# The detector of a finding that the one asked would have only with lower thresholds.
BELOW: Final = "below"


class Subject(Protocol):
    """What is measured."""

    @property
    def name(self) -> str:
        """As the command line names it."""
        ...

    @property
    def about(self) -> str:
        """What ran, with versions."""
        ...

    @property
    def has_topics(self) -> bool:
        """Whether it says what texts are about."""
        ...

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """What it says of each of `texts`, in order, in the names and edges both sides have. Never raises for a text."""
        ...

    def close(self) -> None:
        """Ends what it started."""
        ...


@runtime_checkable
class Closable(Protocol):
    """A detector with threads, or with a process beside this one."""

    def close(self) -> None:
        """Ends them."""
        ...


@final
class OwnSubject:
    """A Subject that asks a Detector, each text on its own and TOGETHER of them at once.

    What it tells as found by BELOW counts for curves alone.
    """

    def __init__(self, name: str, detector: Detector) -> None:
        self.name = name
        self.about = ""
        self.has_topics = True
        self._detector = detector
        # One loop for all: a model's batches belong to the loop they were made in.
        self._runner = asyncio.Runner()

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """A text that could not be read has an empty answer that is not complete."""
        answers: list[Answer] = []
        for at in range(0, len(texts), TOGETHER):
            answers += self._runner.run(self._together(texts[at : at + TOGETHER]))
        return answers

    def close(self) -> None:
        """Ends the loop, and the detector where it wants that."""
        _close(self._detector)
        self._runner.close()

    async def _together(self, texts: Sequence[str]) -> list[Answer]:
        return list(await asyncio.gather(*(self._answer(text) for text in texts)))

    async def _answer(self, text: str) -> Answer:
        segment = TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))
        try:
            detection = await self._detector.detect([segment], deadline_ms=DEADLINE_MS)
        except DetectorUnavailable:
            return Answer(topics={}, complete=False)
        if not self.about:
            self.about = ", ".join(f"{run.id} {run.version}" for run in detection.detectors)
        return answer(text, detection)


def _close(detector: Detector) -> None:
    if isinstance(detector, Closable):
        detector.close()


def answer(text: str, detection: Detection) -> Answer:
    """`detection` of `text` alone, as it is scored."""
    found: list[Found] = []
    below: list[Found] = []
    for each in detection.findings:
        kind = same_name(each.entity_type)
        start, end = trimmed(text, each.span.start, each.span.end, kind)
        one = Found(start=start, end=end, kind=kind, permille=each.permille)
        (below if each.detector == BELOW else found).append(one)
    return Answer(
        found=tuple(found),
        below=tuple(below),
        topics={label.name: label.permille for label in detection.labels},
        complete=detection.status is DetectionStatus.COMPLETE,
    )


def subject(name: str, *, presidio_model: str | None = None) -> Subject:
    """What `name` stands for: `rules`, `student`, `teacher`, the folder of a model, `rules+` one of these, or `presidio`.

    Raises ConfigInvalid where that cannot be loaded.
    """
    if name == PRESIDIO:
        from classifiers.evaluation.presidio_side import PresidioSubject  # noqa: PLC0415 - seconds to import

        return PresidioSubject(presidio_model)
    if name == RULES:
        return OwnSubject(name, _rules())
    beside, plus, model = ("", "", name) if Path(name).is_dir() else name.rpartition("+")
    if plus and beside != RULES:
        raise ConfigInvalid(f"`{name}`: the rules and one model go together, as in `{RULES}+{STUDENT}`")
    folder = _folder(model)
    if not plus:
        return OwnSubject(name, _model_and_below(folder))
    from classifiers.ensemble import Ensemble  # noqa: PLC0415 - an inference engine
    from classifiers.model.detector import load_model  # noqa: PLC0415

    return OwnSubject(name, Ensemble(_rules(), load_model(folder)))


def _folder(model: str) -> Path:
    """Where the model is that `model` names."""
    from classifiers.model.choice import SHIPPED  # noqa: PLC0415 - compiles rules

    if model in {STUDENT, TEACHER}:
        if not (SHIPPED / model).is_dir():
            raise ConfigInvalid(f"no `{model}` model is installed; give the folder of a model instead")
        return SHIPPED / model
    if not model or not Path(model).is_dir():
        known = f"{RULES}, {STUDENT}, {TEACHER}, the folder of a model, {RULES}+ one of these, or {PRESIDIO}"
        raise ConfigInvalid(f"no detector `{model}`: give {known}")
    return Path(model)


def _rules() -> Detector:
    from classifiers.detector import PatternDetector  # noqa: PLC0415 - compiles rules

    return PatternDetector(max_entries=TOGETHER)


def _model_and_below(folder: Path) -> Detector:
    """The model in `folder` that also tells, as BELOW, what it would find with lower thresholds.

    It runs once for both. Two of its types may be one entity with a threshold each, so that no score of a finding tells
    whether it is reported: it is decoded with the thresholds that are stated, and again with lower ones.
    """
    from classifiers.model.decoding import DEFAULT_PERMILLE, Decoder  # noqa: PLC0415 - an inference engine
    from classifiers.model.detector import ModelDetector, limits_for  # noqa: PLC0415
    from classifiers.model.manifest import read_model, types_of  # noqa: PLC0415
    from classifiers.model.pieces import piece_reader  # noqa: PLC0415
    from classifiers.model.session import ModelSession  # noqa: PLC0415

    files = read_model(folder)
    manifest = files.manifest
    lowered = {
        kind: min(manifest.thresholds.get(kind, DEFAULT_PERMILLE), DEFAULT_PERMILLE)
        for kind in types_of(manifest.labels)
    }
    files = replace(files, manifest=replace(manifest, thresholds=lowered))
    reader = piece_reader(files)
    session = ModelSession(files, reader)
    return ModelDetector(
        files,
        reader,
        session,
        limits=limits_for(session.report),
        report=session.report,
        findings=_both(Decoder(manifest), Decoder(files.manifest)),
        max_entries=TOGETHER,
    )


def _both(stated: Decoder, lowered: Decoder) -> Findings:
    """What `stated` finds, and as BELOW what `lowered` finds beside that: it adds findings and changes none."""

    def findings(text: str, pieces: Pieces, scores: NDArray[np.float32]) -> tuple[Finding, ...]:
        found = stated.findings(text, pieces, scores)
        return found + tuple(
            replace(each, detector=BELOW)
            for each in lowered.findings(text, pieces, scores)
            if not any(each.span.start < other.span.end and other.span.start < each.span.end for other in found)
        )

    return findings
