"""The whole model tier over a tiny model: text in, Detection out, whatever the text and however many ask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from classifiers.model.batching import BatchLimits
from classifiers.model.detector import ModelDetector, limits_for, load_model
from classifiers.model.manifest import LABELS, ModelFiles, read_model
from classifiers.model.pieces import PieceReader, Pieces, piece_reader
from classifiers.model.session import Answers, Batch, Execution, ModelReport, ModelSession, Provider
from governance.errors import DetectorUnavailable
from governance.finding import Category, Detection, DetectionStatus, DetectorRun, Finding, Label
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText
from tests.model_directories import SURE, VOCABULARY, Model, write

LONG_MS = 600_000
SENTENCE = "Our neighbour Mr. Tomasz Kowalski began dialysis in Berlin, at 12 High Street."
FOUND = [
    ("PERSON", "Tomasz Kowalski"),
    ("MEDICAL", "dialysis"),
    ("LOCATION", "Berlin"),
    ("STREET_ADDRESS", "12 High Street"),
]


@dataclass(slots=True, eq=False)
class Gated:
    """A session that can be held up, and fail; counts its batches."""

    session: ModelSession
    gate: threading.Event = field(default_factory=threading.Event)
    broken: Exception | None = None
    batches: int = 0
    after: int = 0

    def run(self, batch: Batch) -> Answers:
        if self.batches >= self.after:
            self.gate.wait(60)
        self.batches += 1
        if self.broken is not None:
            raise self.broken
        return self.session.run(batch)


@dataclass(slots=True)
class Made:
    files: ModelFiles
    reader: PieceReader
    runner: Gated
    detectors: list[ModelDetector] = field(default_factory=list)

    def detector(self, **limits: int) -> ModelDetector:
        made = ModelDetector(self.files, self.reader, self.runner, limits=BatchLimits(**limits))
        self.detectors.append(made)
        return made


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    files = read_model(write(tmp_path))
    reader = piece_reader(files)
    both = Made(files, reader, Gated(ModelSession(files, reader)))
    both.runner.gate.set()
    yield both
    both.runner.gate.set()
    for each in both.detectors:
        each.close()


def segments(*texts: str) -> list[TextSegment]:
    return [TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(text)) for text in texts]


def named(text: str, detection: Detection) -> list[tuple[str, str]]:
    return [(each.entity_type, text[each.span.start : each.span.end]) for each in detection.findings]


async def eventually(holds: Callable[[], bool]) -> None:
    """Returns once `holds` is true; fails after a minute."""
    for _ in range(6_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def test_a_directory_becomes_a_detector(tmp_path: Path) -> None:
    """Verified, tried, with its report; findings, labels and the run are the whole Detection."""
    detector = load_model(write(tmp_path), execution=Execution(provider=Provider.CPU))
    text = "Tomasz began dialysis"
    detection = detector.detect_now(segments("", text), deadline_ms=LONG_MS)
    detector.close()

    run = DetectorRun(id="model", version=detector.version, status=DetectionStatus.COMPLETE)
    person = Finding(
        segment=1,
        entity_type="PERSON",
        span=Span(start=0, end=6),
        permille=999,
        detector="model",
        category=Category.PERSONAL,
    )
    medical = Finding(
        segment=1,
        entity_type="MEDICAL",
        span=Span(start=13, end=21),
        permille=999,
        detector="model",
        category=Category.HEALTH,
    )
    assert (
        Detection(
            status=DetectionStatus.COMPLETE,
            findings=(person, medical),
            labels=(Label(name="health", permille=1000),),
            detectors=(run,),
        )
        == detection
    )
    assert detector.report is not None
    assert Provider.CPU is detector.report.provider


async def test_both_ways_of_asking_answer_the_same(made: Made) -> None:
    """In the event loop and in a thread."""
    detector, other = made.detector(), made.detector()
    now = await asyncio.to_thread(detector.detect_now, segments(SENTENCE), deadline_ms=LONG_MS)

    assert now == await other.detect(segments(SENTENCE), deadline_ms=LONG_MS)
    assert FOUND == named(SENTENCE, now)


@pytest.mark.parametrize("text", ["", " \n", "😀🎉👩‍👩‍👧", "12,50 -- 2024", "\ud83d"])
async def test_text_without_a_letter_needs_no_model(made: Made, text: str) -> None:
    """It is complete, and nothing was run."""
    detection = await made.detector().detect(segments(text), deadline_ms=LONG_MS)

    assert (DetectionStatus.COMPLETE, (), 0) == (detection.status, detection.findings, made.runner.batches)


@pytest.mark.parametrize(
    "around", ["{}", "😀 {} 😀", "привет {} 中国", "e\u0301\u0301 {}", "\ud83d {}", "ﷺ {}", "مرحبا {}"]
)
async def test_offsets_are_those_of_the_text_in_any_script(made: Made, around: str) -> None:
    """In code points of the text as it came."""
    text = around.format(SENTENCE)

    assert FOUND == named(text, await made.detector().detect(segments(text), deadline_ms=LONG_MS))


@pytest.mark.parametrize(
    ("capital", "small"),
    [
        ("\uff21", "\uff41"),
        ("\U0001d400", "\U0001d41a"),
        ("\u24b6", "\u24d0"),
        ("\U0001f130", "\U0001f130"),
        ("\U0001f150", "\U0001f170"),
    ],
    ids=["fullwidth", "mathematical", "circled", "squared", "negative"],
)
async def test_letters_in_another_style_are_letters(made: Made, capital: str, small: str) -> None:
    """What people read the model reads: findings stand where the letters do."""
    text = "".join(
        chr(ord(capital if each.isupper() else small) + ord(each.lower()) - ord("a")) if each.isalpha() else each
        for each in SENTENCE
    )
    names = [(kind, text[SENTENCE.index(name) :][: len(name)]) for kind, name in FOUND]

    assert names == named(text, await made.detector().detect(segments(text), deadline_ms=LONG_MS))


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\ufe0f", "\x1b[0m", "\x1b[1;31m\x1b[K"]
)
async def test_what_nobody_sees_in_a_word_hides_nothing(made: Made, unseen: str) -> None:
    """A finding reaches from the first letter of what was found to the last, and covers what is between."""
    text = "".join(each + unseen if each.isalpha() else each for each in SENTENCE)
    found = [(kind, "".join(each + unseen if each.isalpha() else each for each in name)) for kind, name in FOUND]

    assert [(kind, name.removesuffix(unseen)) for kind, name in found] == named(
        text, await made.detector().detect(segments(text), deadline_ms=LONG_MS)
    )


async def test_a_long_text_is_found_whole_wherever_its_windows_end(made: Made) -> None:
    """Windows of sixteen pieces over thousands: every span is found, at its place, and none twice."""
    text = f"{SENTENCE} " * 300

    assert FOUND * 300 == named(text, await made.detector().detect(segments(text), deadline_ms=LONG_MS))


async def test_a_name_is_found_again_in_another_window(made: Made) -> None:
    """Where the model half thinks of it: what is replaced in one sentence must not stand in the next."""
    text = f"Tomasz lives in Berlin. {'our salary on the ' * 20} tomasz"

    class Unsure:
        """Of a window without Berlin, Tomasz is the name of a person by one in four."""

        def run(self, batch: Batch) -> Answers:
            answers = made.runner.session.run(batch)
            elsewhere = ~(batch.ids == VOCABULARY.index("berlin")).any(axis=1, keepdims=True)
            unsure = (batch.ids == VOCABULARY.index("tomasz")) & elsewhere
            answers.tokens[unsure] = -SURE
            answers.tokens[unsure, LABELS.index("O")] = np.log(0.75)
            answers.tokens[unsure, LABELS.index("B-PERSON")] = np.log(0.25)
            return answers

    detector = ModelDetector(made.files, made.reader, Unsure())
    made.detectors.append(detector)

    found = named(text, await detector.detect(segments(text), deadline_ms=LONG_MS))

    assert [("PERSON", "Tomasz"), ("LOCATION", "Berlin"), ("PERSON", "tomasz")] == found


async def test_text_that_was_read_is_not_read_again(made: Made) -> None:
    """Resent history costs nothing; equal segments of one request are read once; another segment number is put right."""
    detector = made.detector()
    first = await detector.detect(segments(SENTENCE, SENTENCE), deadline_ms=LONG_MS)
    batches = made.runner.batches
    again = await detector.detect(segments("", SENTENCE), deadline_ms=LONG_MS)
    await asyncio.to_thread(detector.detect_now, segments(SENTENCE), deadline_ms=LONG_MS)

    assert batches == made.runner.batches
    assert FOUND * 2 == named(SENTENCE, first)
    assert [0] * 4 + [1] * 4 == [each.segment for each in first.findings]
    assert FOUND == named(SENTENCE, again)
    assert {1} == {each.segment for each in again.findings}


async def test_at_the_deadline_nothing_is_found_while_the_model_hangs(made: Made) -> None:
    """The answer comes at the deadline and says so; it is not kept, and the next time the text is read."""
    detector = made.detector()
    made.runner.gate.clear()
    hung = await detector.detect(segments(SENTENCE), deadline_ms=20)
    made.runner.gate.set()
    read = await detector.detect(segments(SENTENCE), deadline_ms=LONG_MS)

    assert (DetectionStatus.TIMEOUT, ()) == (hung.status, hung.findings)
    assert (DetectorRun(id="model", version=detector.version, status=DetectionStatus.TIMEOUT),) == hung.detectors
    assert (DetectionStatus.COMPLETE, FOUND) == (read.status, named(SENTENCE, read))


async def test_what_was_found_by_the_deadline_counts(made: Made) -> None:
    """Windows that were answered before the model hung: partial, with their findings, and not kept."""
    detector = made.detector(max_pieces=16)
    made.runner.gate.clear()
    made.runner.after = 2
    text = f"{SENTENCE} " * 20
    cut = await detector.detect(segments(text), deadline_ms=1_000)
    made.runner.gate.set()
    whole = await detector.detect(segments(text), deadline_ms=LONG_MS)

    assert DetectionStatus.PARTIAL is cut.status
    assert FOUND[:1] == named(text, cut)[:1]
    assert len(FOUND) * 20 == len(whole.findings)


async def test_a_megabyte_is_read_as_far_as_there_is_room(made: Made) -> None:
    """The queue is bounded: the beginning is read, the rest is counted as refused, and the status says partial."""
    detector = made.detector(max_waiting=50)
    text = f"{SENTENCE} " * 13_000
    detection = await detector.detect(segments(text), deadline_ms=LONG_MS)

    assert len(text) > 1_000_000
    assert (DetectionStatus.PARTIAL, 50) == (detection.status, detector.counts.answered)
    assert (FOUND * 100)[: len(detection.findings)] == named(text, detection)
    assert detector.counts.refused > 10_000


async def test_ten_thousand_at_once_are_bounded_and_every_one_is_answered(made: Made) -> None:
    """What has no room is refused and counted; what was taken is answered; the status says which is which."""
    detector = made.detector(max_waiting=500, max_jobs=2_000)
    answers = await asyncio.gather(
        *(detector.detect(segments(f"Tomasz n{number}"), deadline_ms=LONG_MS) for number in range(10_000))
    )
    outcomes = Counter((each.status, len(each.findings)) for each in answers)

    counts = detector.counts
    assert {(DetectionStatus.COMPLETE, 1), (DetectionStatus.TIMEOUT, 0)} == set(outcomes)
    assert outcomes[DetectionStatus.COMPLETE, 1] == counts.answered
    assert outcomes[DetectionStatus.TIMEOUT, 0] == counts.refused
    assert (10_000, 0) == (counts.answered + counts.refused, counts.waiting)


def test_a_model_of_others_reads_numbers_without_a_word(tmp_path: Path) -> None:
    """Alone in a text, or in a window of a long one; what holds neither letter nor digit it need not see."""
    manifest = {
        "kind": "token-classification",
        "labels": ["O", "B-ACCOUNTNUM"],
        "topics": [],
        "entities": {"ACCOUNTNUM": "BANK_ACCOUNT"},
    }
    labels, words = ("O", "B-ACCOUNTNUM"), {"12": "B-ACCOUNTNUM"}
    model = Model(labels=labels, topics=(), words=words, outputs=("logits",), manifest=manifest)
    detector = load_model(write(tmp_path, model))
    far = f"anna {'. ' * 40}12{' .' * 40}"

    assert [("BANK_ACCOUNT", "12")] == named("12", detector.detect_now(segments("12"), deadline_ms=LONG_MS))
    assert [("BANK_ACCOUNT", "12")] == named(far, detector.detect_now(segments(far), deadline_ms=LONG_MS))
    answered = detector.counts.answered
    assert DetectionStatus.COMPLETE == detector.detect_now(segments("-- . 😀"), deadline_ms=LONG_MS).status
    assert answered == detector.counts.answered < 8
    detector.close()


async def test_many_at_once_share_batches(made: Made) -> None:
    """A hundred texts are no hundred runs."""
    detector = made.detector()
    made.runner.gate.clear()
    asked = [
        asyncio.create_task(detector.detect(segments(f"Tomasz n{number}"), deadline_ms=LONG_MS))
        for number in range(100)
    ]
    await eventually(lambda: detector.counts.waiting >= 90)
    made.runner.gate.set()
    answers = await asyncio.gather(*asked)

    assert [1] * 100 == [len(each.findings) for each in answers]
    assert made.runner.batches < 12


async def test_a_failing_model_is_unavailable_and_quotes_nothing(made: Made) -> None:
    """Neither message nor context holds a word of the text; the next request is served."""
    detector = made.detector()
    made.runner.broken = ValueError(f"cannot run {SENTENCE}")
    with pytest.raises(DetectorUnavailable) as raised:
        await detector.detect(segments(SENTENCE), deadline_ms=LONG_MS)
    made.runner.broken = None

    assert ("the model failed with ValueError", None, None) == (
        str(raised.value),
        raised.value.__cause__,
        raised.value.__context__,
    )
    assert FOUND == named(SENTENCE, await detector.detect(segments(SENTENCE), deadline_ms=LONG_MS))


async def test_a_reader_that_fails_is_an_unavailable_detector(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits learns of it at once, not at the deadline."""
    detector = made.detector()
    monkeypatch.setattr(detector, "_size", 0)

    with pytest.raises(DetectorUnavailable, match="the model failed with"):
        await detector.detect(segments(SENTENCE), deadline_ms=LONG_MS)


async def test_a_closed_detector_is_unavailable(made: Made) -> None:
    """Those that wait are told, and so are those that come after."""
    detector = made.detector()
    made.runner.gate.clear()
    waiting = asyncio.create_task(detector.detect(segments(SENTENCE), deadline_ms=LONG_MS))
    await eventually(lambda: bool(detector._batcher._jobs))
    closing = asyncio.create_task(asyncio.to_thread(detector.close))

    with pytest.raises(DetectorUnavailable, match="the model failed with Closed"):
        await waiting
    made.runner.gate.set()
    await closing
    with pytest.raises(DetectorUnavailable, match="the model failed with Closed"):
        await detector.detect(segments(SENTENCE), deadline_ms=LONG_MS)


async def test_a_long_text_is_answered_at_its_deadline_behind_another(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lane it waits for, and whatever the other one is at."""
    detector, gate, entered = made.detector(), threading.Event(), threading.Semaphore(0)
    known, readings = ModelDetector._known, ModelDetector._readings

    def slow(work: Callable[..., object]) -> Callable[..., object]:
        def held(*arguments: object) -> object:
            entered.release()
            gate.wait(60)
            return work(*arguments)

        return held

    text = f"{SENTENCE} " * 1_000
    for name, work in (("_known", known), ("_readings", readings)):
        gate.clear()
        text = f"on {text}"
        monkeypatch.setattr(ModelDetector, name, slow(work))
        first = asyncio.create_task(detector.detect(segments(text), deadline_ms=LONG_MS))
        assert await asyncio.to_thread(entered.acquire, timeout=60)
        second = await asyncio.wait_for(detector.detect(segments("a " + text), deadline_ms=20), 60)
        monkeypatch.setattr(ModelDetector, name, work)
        gate.set()
        # There was time enough for it, however late its findings were put together.
        assert DetectionStatus.COMPLETE is (await first).status

        run = DetectorRun(id="model", version=detector.version, status=DetectionStatus.TIMEOUT)
        assert (DetectionStatus.TIMEOUT, (run,)) == (second.status, second.detectors)


async def test_a_long_text_that_comes_after_the_end_is_told(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is one that waits for its turn: not as if its own request had been given up."""
    detector, gate, entered = made.detector(), threading.Event(), threading.Semaphore(0)
    text = f"{SENTENCE} " * 1_000

    def held(*_: object) -> tuple[list[bytes], dict[bytes, object], dict[bytes, str]]:
        entered.release()
        gate.wait(60)
        return [b""], {}, {b"": text}

    monkeypatch.setattr(ModelDetector, "_known", held)
    asked = [asyncio.create_task(detector.detect(segments(text), deadline_ms=LONG_MS)) for _ in range(2)]
    assert await asyncio.to_thread(entered.acquire, timeout=60)
    detector.close()
    with pytest.raises(DetectorUnavailable, match="the model failed with Closed"):
        await asked[1]
    gate.set()
    for late in (asked[0], detector.detect(segments(text), deadline_ms=LONG_MS)):
        with pytest.raises(DetectorUnavailable, match="the model failed with Closed"):
            await late


def test_closing_ends_what_runs_the_model(made: Made) -> None:
    """The connection to another process, for one."""
    closed: list[bool] = []

    class Connected:
        def run(self, batch: Batch) -> Answers:
            return made.runner.run(batch)

        def close(self) -> None:
            closed.append(True)

    ModelDetector(made.files, made.reader, Connected()).close()

    assert [True] == closed


async def test_who_goes_away_leaves_nothing_behind(made: Made) -> None:
    """A cancelled request is not run, and holds no place."""
    detector = made.detector(max_jobs=1)
    made.runner.gate.clear()
    waiting = asyncio.create_task(detector.detect(segments("Tomasz"), deadline_ms=LONG_MS))
    await eventually(lambda: bool(detector._batcher._jobs))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    made.runner.gate.set()

    answer = await detector.detect(segments("Anna"), deadline_ms=LONG_MS)
    assert DetectionStatus.COMPLETE is answer.status


async def test_the_event_loop_goes_on_while_a_long_text_is_read(made: Made) -> None:
    """The model hangs in its thread, and others are served."""
    detector = made.detector()
    made.runner.gate.clear()
    waiting = asyncio.create_task(detector.detect(segments(f"{SENTENCE} " * 2_000), deadline_ms=LONG_MS))
    await eventually(lambda: bool(detector.counts.waiting))

    assert not waiting.done()
    assert DetectionStatus.COMPLETE is (await detector.detect(segments("😀"), deadline_ms=LONG_MS)).status
    made.runner.gate.set()
    assert 8_000 == len((await waiting).findings)


def test_half_of_the_time_is_left_for_the_model(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a text that takes longer to read than there is time, something is answered all the same."""
    limits: list[float] = []
    read = PieceReader.read

    def noted(reader: PieceReader, text: str, *, deadline: float) -> Pieces:
        limits.append(deadline - time.monotonic())
        return read(reader, text, deadline=deadline)

    monkeypatch.setattr(PieceReader, "read", noted)
    made.detector().detect_now(segments(SENTENCE), deadline_ms=LONG_MS)

    assert [LONG_MS // 2_000] == [round(limit, -1) for limit in limits]


def test_no_time_is_no_answer(made: Made) -> None:
    """A deadline of nothing times out at once, in a thread as well."""
    started = time.monotonic()
    detection = made.detector().detect_now(segments(SENTENCE), deadline_ms=0)

    assert DetectionStatus.TIMEOUT is detection.status
    assert time.monotonic() - started < 60


def test_batches_are_small_on_a_cpu_and_large_on_a_gpu() -> None:
    """A CPU gains little from a batch, and everyone in it waits for the last. Padding may cost what a run would."""
    report = ModelReport(
        provider=Provider.CPU,
        device="cpu",
        precision="int8",
        threads=1,
        weights="model.onnx",
        wanted=Provider.AUTO,
        overhead=7,
    )

    assert BatchLimits(max_padding=7) == limits_for(report)
    report.provider = Provider.CUDA  # type: ignore[misc]
    assert 65_536 == limits_for(report).max_pieces
