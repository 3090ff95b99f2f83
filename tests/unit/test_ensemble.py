"""Rules and a model as one detector."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import ensemble as ensemble_module
from classifiers.detector import PatternDetector
from classifiers.ensemble import Ensemble, settled, together
from governance.errors import DetectorUnavailable
from governance.finding import Category, Detection, DetectionStatus, DetectorRun, Finding, Jurisdiction, Label
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText
from tests.fakes import FakeDetector


@dataclass(slots=True, eq=False)
class FakeModel:
    """Answers with `detection`, or fails."""

    detection: Detection
    broken: Exception | None = None
    version: str = "m@1+00000000"
    topics: frozenset[str] = frozenset({"health"})
    asked: threading.Event = field(default_factory=threading.Event)
    forever: bool = False
    closed: bool = False

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        if self.forever:
            await asyncio.Event().wait()
        return self.detect_now(segments, deadline_ms=deadline_ms)

    def detect_now(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        self.asked.set()
        if self.broken is not None:
            raise self.broken
        return self.detection

    def close(self) -> None:
        self.closed = True


def segments(*texts: str) -> list[TextSegment]:
    return [TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(text)) for text in texts]


def finding(
    entity: str,
    start: int,
    end: int,
    permille: int = 900,
    *,
    segment: int = 0,
    validated: bool = False,
    beside_word: bool = False,
    country: str | None = None,
    by: str = "r",
    via: str = "",
) -> Finding:
    return Finding(
        segment=segment,
        entity_type=entity,
        span=Span(start=start, end=end),
        permille=permille,
        detector=by,
        validated=validated,
        beside_word=beside_word,
        country=country,
        via=via,
        category=Category.PERSONAL,
    )


def said(entity: str, start: int, end: int, permille: int = 900, *, segment: int = 0) -> Finding:
    return finding(entity, start, end, permille, segment=segment, by="model")


def detection(status: DetectionStatus, *findings: Finding, by: str, labels: Sequence[Label] = ()) -> Detection:
    run = DetectorRun(id=by, version="m@1+00000000", status=status)
    return Detection(status=status, findings=findings, labels=tuple(labels), detectors=(run,))


def spans(text: str, found: Sequence[Finding], added: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(each.entity_type, text[each.span.start : each.span.end]) for each in settled(found, added, text)]


DONE = DetectionStatus.COMPLETE


async def test_the_two_are_one_detection() -> None:
    """Findings by segment and start, labels with the higher score, the runs of both; where a person lives is of the rules."""
    rules = detection(
        DONE,
        finding("EMAIL_ADDRESS", 10, 14, validated=True),
        finding("PHONE_NUMBER", 0, 3, segment=1),
        by="patterns",
        labels=[Label(name="health", permille=300), Label(name="financial", permille=500)],
    )
    rules.jurisdictions = (Jurisdiction(code="DE", permille=900),)
    rules.residency_labels = ("eu",)
    model = detection(
        DONE,
        said("PERSON", 0, 4),
        said("LOCATION", 5, 8, segment=1),
        by="model",
        labels=[Label(name="health", permille=800)],
    )
    whole = await Ensemble(FakeDetector(rules), FakeModel(model)).detect(
        segments("Anna here a@b.", "123 Ulm "), deadline_ms=1_000
    )

    assert (
        Detection(
            status=DONE,
            findings=(
                said("PERSON", 0, 4),
                finding("EMAIL_ADDRESS", 10, 14, validated=True),
                finding("PHONE_NUMBER", 0, 3, segment=1),
                said("LOCATION", 5, 8, segment=1),
            ),
            labels=(Label(name="financial", permille=500), Label(name="health", permille=800)),
            jurisdictions=rules.jurisdictions,
            residency_labels=("eu",),
            detectors=(*rules.detectors, *model.detectors),
        )
        == whole
    )


@pytest.mark.parametrize(
    ("text", "found", "added", "expected"),
    [
        # What a check has verified stays, and takes its characters from the model.
        (
            "Anna <anna@example.com>",
            [finding("EMAIL_ADDRESS", 6, 22, validated=True)],
            [said("PERSON", 0, 23)],
            [("PERSON", "Anna"), ("EMAIL_ADDRESS", "anna@example.com")],
        ),
        (
            "anna@example.com",
            [finding("EMAIL_ADDRESS", 0, 16, validated=True)],
            [said("PERSON", 0, 4, 1000)],
            [("EMAIL_ADDRESS", "anna@example.com")],
        ),
        (
            "example.com/anna",
            [finding("URL", 0, 16, 500)],
            [said("PERSON", 12, 16, 1000)],
            [("URL", "example.com/anna")],
        ),
        (
            "id 4111111111111111",
            [finding("CREDIT_CARD", 3, 19, 1000, validated=True)],
            [said("ID", 3, 19, 1000)],
            [("CREDIT_CARD", "4111111111111111")],
        ),
        # So does what stands beside a word that names it, of every country that it may be of.
        (
            "US passport 340020013",
            [finding("US_PASSPORT", 12, 21, 450, beside_word=True)],
            [said("ID", 12, 21)],
            [("US_PASSPORT", "340020013")],
        ),
        (
            "passeport EH123456, Ada",
            [
                finding("BE_PASSPORT", 10, 18, 450, beside_word=True, country="BE"),
                finding("CH_PASSPORT", 10, 18, 450, beside_word=True, country="CH"),
            ],
            [said("PERSON", 20, 23)],
            [("BE_PASSPORT", "EH123456"), ("CH_PASSPORT", "EH123456"), ("PERSON", "Ada")],
        ),
        # Addresses and dates of both become their union.
        (
            "12 High Street, N1 9GU London",
            [finding("STREET_ADDRESS", 0, 14, 700)],
            [said("STREET_ADDRESS", 3, 22)],
            [("STREET_ADDRESS", "12 High Street, N1 9GU")],
        ),
        ("aged 34.", [finding("AGE", 5, 7, 1000, validated=True)], [said("AGE", 0, 7)], [("AGE", "aged 34")]),
        # Parts of one address are one; those of two lines are two.
        (
            "ul. Polna 5/12, 00-950",
            [finding("STREET_ADDRESS", 0, 14, 700)],
            [said("STREET_ADDRESS", 16, 22)],
            [("STREET_ADDRESS", "ul. Polna 5/12, 00-950")],
        ),
        (
            "ul. Polna 5\nul. Polna 7",
            [finding("STREET_ADDRESS", 0, 11, 700)],
            [said("STREET_ADDRESS", 12, 23)],
            [("STREET_ADDRESS", "ul. Polna 5"), ("STREET_ADDRESS", "ul. Polna 7")],
        ),
        (
            "Polna 5 or Polna 7",
            [finding("STREET_ADDRESS", 0, 7, 700)],
            [said("STREET_ADDRESS", 11, 18)],
            [("STREET_ADDRESS", "Polna 5"), ("STREET_ADDRESS", "Polna 7")],
        ),
        # A town behind a blank or before a postcode is part of the address; one behind a comma without more to come is a place.
        (
            "Storgatan 19, 903 26 Umeå, Sweden",
            [finding("STREET_ADDRESS", 0, 12, 700)],
            [said("STREET_ADDRESS", 14, 20), said("LOCATION", 21, 25), said("LOCATION", 27, 33)],
            [("STREET_ADDRESS", "Storgatan 19, 903 26 Umeå"), ("LOCATION", "Sweden")],
        ),
        (
            "Hauptgasse 5, 1150 Wien",
            [finding("AT_PLZ", 14, 18, 600, beside_word=True)],
            [said("STREET_ADDRESS", 0, 23)],
            [("STREET_ADDRESS", "Hauptgasse 5, 1150 Wien")],
        ),
        (
            "1907 Alder Rd, Bozeman, MT 59715, Montana",
            [finding("STREET_ADDRESS", 0, 13, 700), finding("US_ZIP_CODE", 24, 32, 700)],
            [said("LOCATION", 15, 22), said("LOCATION", 34, 41)],
            [("STREET_ADDRESS", "1907 Alder Rd, Bozeman, MT 59715"), ("LOCATION", "Montana")],
        ),
        (
            "1907 Alder Rd, Bozeman; the code is 59715",
            [finding("STREET_ADDRESS", 0, 13, 700), finding("US_ZIP_CODE", 36, 41, 700)],
            [said("LOCATION", 15, 22)],
            [("STREET_ADDRESS", "1907 Alder Rd"), ("LOCATION", "Bozeman"), ("US_ZIP_CODE", "59715")],
        ),
        # What lies inside what a rule has found is covered already.
        (
            "Hauptstr. 5, 10115 Berlin",
            [finding("STREET_ADDRESS", 0, 25, 500)],
            [said("LOCATION", 19, 25, 1000)],
            [("STREET_ADDRESS", "Hauptstr. 5, 10115 Berlin")],
        ),
        # A bare shape inside a finding of the model is part of it.
        (
            "case 4471-0198",
            [finding("PHONE_NUMBER", 5, 14, 400)],
            [said("ID", 5, 14, 950)],
            [("ID", "4471-0198")],
        ),
        (
            "case 4471-0198",
            [finding("PHONE_NUMBER", 5, 14, 700)],
            [said("ID", 5, 14, 600)],
            [("PHONE_NUMBER", "4471-0198")],
        ),
        # More than a shape keeps its place.
        (
            "case 4471-0198",
            [finding("PHONE_NUMBER", 5, 14, 850)],
            [said("ID", 5, 14, 1000)],
            [("PHONE_NUMBER", "4471-0198")],
        ),
        # In part over one another: nothing is lost.
        (
            "Anna Smith 12345",
            [finding("CODE", 5, 16, 400)],
            [said("PERSON", 0, 10, 1000)],
            [("PERSON", "Anna"), ("CODE", "Smith 12345")],
        ),
        # A part of a number that began elsewhere takes nothing from an address that a model sees as well.
        (
            "12 High Street",
            [
                finding("PHONE_NUMBER", 0, 2, 1000, validated=True, via="joined"),
                finding("STREET_ADDRESS", 0, 14, 700),
            ],
            [said("STREET_ADDRESS", 0, 14)],
            [("PHONE_NUMBER", "12"), ("STREET_ADDRESS", "12 High Street")],
        ),
        ("nothing", [], [said("PERSON", 0, 7)], [("PERSON", "nothing")]),
    ],
)
def test_overlaps_are_settled(
    text: str, found: Sequence[Finding], added: Sequence[Finding], expected: list[tuple[str, str]]
) -> None:
    """By what speaks for each, and so that what either has seen is covered."""
    assert expected == spans(text, found, added)


SPANS = st.lists(
    st.tuples(st.integers(0, 39), st.integers(1, 12), st.sampled_from("ABC"), st.integers(1, 1_000), st.booleans()),
    max_size=6,
)


def disjoint(rows: list[tuple[int, int, str, int, bool]], by: str) -> list[Finding]:
    taken: list[Finding] = []
    for start, length, entity, permille, validated in sorted(rows):
        if not taken or taken[-1].span.end <= start:
            taken.append(finding(entity, start, start + length, permille, validated=validated and by != "model", by=by))
    return taken


def covered(findings: Iterable[Finding]) -> set[int]:
    return {place for each in findings for place in range(each.span.start, each.span.end)}


@given(SPANS, SPANS)
def test_nothing_overlaps_and_nothing_that_was_seen_is_lost(
    found_rows: list[tuple[int, int, str, int, bool]], added_rows: list[tuple[int, int, str, int, bool]]
) -> None:
    """Whatever the two say: in order, disjoint, and of the text all but single letters is covered that one of them covers."""
    text = "x" * 60
    found, added = disjoint(found_rows, "r"), disjoint(added_rows, "model")
    whole = settled(found, added, text)
    lost = covered([*found, *added]) - covered(whole)
    left = "".join("x" if place in lost else " " for place in range(60))

    assert all(a.span.end <= b.span.start for a, b in pairwise(whole))
    assert "xx" not in left
    assert [each for each in found if each.validated] == [each for each in whole if each.validated]


@given(SPANS, SPANS, SPANS)
def test_what_rules_cover_stays_covered_where_their_values_go_on_elsewhere(
    found_rows: list[tuple[int, int, str, int, bool]],
    joined_rows: list[tuple[int, int, str, int, bool]],
    added_rows: list[tuple[int, int, str, int, bool]],
) -> None:
    """With a model and without: parts of values over the ends of segments lie over anything that the rules found."""
    joined = [replace(each, via="joined") for each in disjoint(joined_rows, "r")]
    found = sorted((*disjoint(found_rows, "r"), *joined), key=lambda each: each.span.start)

    for added in ([], disjoint(added_rows, "model")):
        assert covered(found) <= covered(settled(found, added, "x" * 60))


@pytest.fixture(scope="module")
def patterns() -> PatternDetector:
    return PatternDetector()


PARTS = [
    "+49 30 901820",
    "4111 1111 1111 1111",
    "12 High Street, ",
    "12.03.1980",
    "078-05-1120",
    "10.0.0.1",
    "jane@example.com",
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_a_model_that_says_nothing_takes_nothing_from_texts_in_pieces(
    patterns: PatternDetector, parts: list[str], cuts: list[int]
) -> None:
    """Wherever a text is cut into segments, all that the rules alone cover is covered."""
    text = " ".join(parts)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = segments(*(text[start:end] for start, end in pairwise(ends)))
    found = patterns.detect_now(pieces, deadline_ms=60_000)
    whole = together(found, detection(DONE, by="model"), pieces)

    for number in range(len(pieces)):
        alone, both = ([each for each in said.findings if each.segment == number] for said in (found, whole))
        assert covered(alone) <= covered(both)


@pytest.mark.parametrize(
    ("rules", "model", "whole"),
    [
        (DONE, DetectionStatus.PARTIAL, DetectionStatus.PARTIAL),
        (DetectionStatus.TIMEOUT, DetectionStatus.PARTIAL, DetectionStatus.TIMEOUT),
        (DONE, DetectionStatus.TIMEOUT, DetectionStatus.TIMEOUT),
    ],
)
async def test_the_worse_status_is_that_of_the_whole(
    rules: DetectionStatus, model: DetectionStatus, whole: DetectionStatus
) -> None:
    """And each run keeps its own."""
    ensemble = Ensemble(FakeDetector(detection(rules, by="patterns")), FakeModel(detection(model, by="model")))
    answer = await ensemble.detect(segments("x"), deadline_ms=1_000)

    assert (whole, [rules, model]) == (answer.status, [run.status for run in answer.detectors])


@pytest.mark.parametrize(
    ("permille", "status", "topics", "kept"),
    [
        (550, DONE, {"health"}, False),
        (700, DONE, {"health"}, True),
        (550, DONE, set(), True),
        (550, DetectionStatus.PARTIAL, {"health"}, True),
    ],
)
async def test_a_model_that_read_everything_knows_whether_health_is_somebodys(
    permille: int, status: DetectionStatus, topics: set[str], kept: bool
) -> None:
    """Words that speak of no person stand back; those that do, or that no model has judged, stay."""
    label = Label(name="health", permille=permille)
    model = FakeModel(detection(status, by="model"), topics=frozenset(topics))
    ensemble = Ensemble(FakeDetector(detection(DONE, by="patterns", labels=[label])), model)
    answer = await ensemble.detect(segments("x"), deadline_ms=1_000)

    assert ((label,) if kept else ()) == answer.labels


async def test_a_model_that_fails_takes_nothing_from_the_rules() -> None:
    """What they found stands, and the status says that something failed."""
    rules = detection(DONE, finding("PHONE_NUMBER", 0, 3), by="patterns")
    ensemble = Ensemble(
        FakeDetector(rules), FakeModel(detection(DONE, by="model"), broken=DetectorUnavailable("the model failed"))
    )
    answer = await ensemble.detect(segments("123"), deadline_ms=1_000)

    failed = DetectorRun(id="model", version="m@1+00000000", status=DetectionStatus.FAILED)
    assert DetectionStatus.FAILED is answer.status
    assert (rules.findings, (*rules.detectors, failed)) == (answer.findings, answer.detectors)


async def test_rules_that_fail_fail_the_whole_and_the_model_is_not_waited_for() -> None:
    """Without the rules nothing is known; nothing of the question is left running."""
    model = FakeModel(detection(DONE, by="model"), forever=True)
    ensemble = Ensemble(FakeDetector(detection(DONE, by="patterns"), broken=DetectorUnavailable("broken")), model)
    with pytest.raises(DetectorUnavailable, match="broken"):
        await ensemble.detect(segments("x"), deadline_ms=1_000)
    await asyncio.sleep(0)

    assert [] == [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_the_model_is_at_work_before_the_rules_take_the_event_loop() -> None:
    """Rules read short texts without giving way: the model must have its question by then."""
    model = FakeModel(detection(DONE, by="model"))
    seen: list[bool] = []

    class Watching:
        async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
            seen.append(model.asked.is_set())
            return detection(DONE, by="patterns")

    await Ensemble(Watching(), model).detect(segments("x"), deadline_ms=1_000)

    assert [True] == seen


async def test_the_event_loop_goes_on_while_much_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of findings are joined in a thread, few at once."""
    threads: list[bool] = []

    def noted(found: Detection, added: Detection, where: Sequence[TextSegment], topics: frozenset[str]) -> Detection:
        threads.append(threading.current_thread() is threading.main_thread())
        return together(found, added, where, topics)

    monkeypatch.setattr(ensemble_module, "together", noted)
    for number in (1, 1_000):
        found = [said("PERSON", at * 5, at * 5 + 4) for at in range(number)]
        ensemble = Ensemble(
            FakeDetector(detection(DONE, by="patterns")), FakeModel(detection(DONE, *found, by="model"))
        )
        answer = await ensemble.detect(segments("anna " * number), deadline_ms=60_000)
        assert number == len(answer.findings)

    assert [True, False] == threads


def test_without_an_event_loop_the_answer_is_the_same() -> None:
    """With the real rules: a card number stays one, whatever the model says of it."""
    text = "Anna paid with 4111 1111 1111 1111"
    model = FakeModel(detection(DONE, said("PERSON", 0, 4), said("ID", 15, 34, 1000), by="model"))
    ensemble = Ensemble(PatternDetector(), model)
    answer = ensemble.detect_now(segments(text), deadline_ms=60_000)
    ensemble.close()

    assert [("PERSON", "Anna"), ("CREDIT_CARD", "4111 1111 1111 1111")] == [
        (each.entity_type, text[each.span.start : each.span.end]) for each in answer.findings
    ]
    assert ["patterns", "model"] == [run.id for run in answer.detectors]
    assert model.closed


def test_a_model_that_fails_without_an_event_loop_is_a_failed_run() -> None:
    """As with one."""
    model = FakeModel(detection(DONE, by="model"), broken=DetectorUnavailable("the model failed"))
    ensemble = Ensemble(PatternDetector(), model)

    assert DetectionStatus.FAILED is ensemble.detect_now(segments("x"), deadline_ms=60_000).status
    ensemble.close()
