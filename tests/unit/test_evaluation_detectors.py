"""What can be measured, behind one Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from classifiers.evaluation import detectors
from classifiers.evaluation.detectors import BELOW, OwnSubject, answer, subject
from classifiers.evaluation.scores import Answer, Found
from classifiers.model import choice
from governance.errors import ConfigInvalid, DetectorUnavailable
from governance.finding import Detection, DetectionStatus, DetectorRun, Finding, Label
from governance.segment import Span, TextSegment
from tests import model_directories
from tests.model_directories import Model

KNOWN = "give rules, student, teacher, the folder of a model, rules+ one of these, or presidio"


def finding(kind: str, start: int, end: int, permille: int = 900, *, validated: bool = False) -> Finding:
    """One in the first segment."""
    return Finding(
        segment=0,
        entity_type=kind,
        span=Span(start=start, end=end),
        permille=permille,
        detector="test",
        validated=validated,
    )


class Known:
    """A Detector with fixed answers by text; what it does not know it fails on. Counts who asks at the same time."""

    def __init__(self, answers: Mapping[str, Detection]) -> None:
        self.answers = answers
        self.asking = self.most = 0
        self.closed = False

    async def detect(self, segments: Sequence[TextSegment], *, deadline_ms: int) -> Detection:
        """Of one segment."""
        self.asking += 1
        self.most = max(self.most, self.asking)
        await asyncio.sleep(0)
        self.asking -= 1
        (segment,) = segments
        known = self.answers.get(segment.text.reveal())
        if known is None:
            raise DetectorUnavailable("unknown")
        return known

    def close(self) -> None:
        """As a detector with threads."""
        self.closed = True


def detection(
    *findings: Finding, status: DetectionStatus = DetectionStatus.COMPLETE, name: str = "known", **labels: int
) -> Detection:
    """By one detector."""
    return Detection(
        status=status,
        findings=findings,
        labels=tuple(Label(name=each, permille=labels[each]) for each in sorted(labels)),
        detectors=(DetectorRun(id=name, version="1", status=status),),
    )


def test_findings_are_told_in_the_names_and_edges_of_the_comparison() -> None:
    """And labels as topics; what was not read to its end says so."""
    got = answer(
        "Mr Roe, 5 High St.",
        detection(
            finding("PERSON", 0, 7), finding("STREET_ADDRESS", 8, 18), status=DetectionStatus.PARTIAL, health=700
        ),
    )

    assert (
        Answer(
            found=(
                Found(start=3, end=6, kind="PERSON", permille=900),
                Found(start=8, end=17, kind="ADDRESS", permille=900),
            ),
            topics={"health": 700},
            complete=False,
        )
        == got
    )


def test_what_lies_below_a_threshold_is_for_curves_alone() -> None:
    """Whatever its score: the thresholds are the model's."""
    got = answer(
        "Roe Roe",
        detection(finding("PERSON", 0, 3, 600), replace(finding("PERSON", 4, 7, 900), detector=BELOW)),
    )

    assert [(0, "PERSON")] == [(each.start, each.kind) for each in got.found]
    assert [(4, "PERSON")] == [(each.start, each.kind) for each in got.below]


def test_a_detector_is_asked_about_several_texts_at_once_but_not_about_all() -> None:
    """Answers come in the order of the texts; one that fails costs its own text alone."""
    texts = [f"text {at}" for at in range(70)]
    known = Known({text: detection(finding("AGE", 0, at % 4 + 1)) for at, text in enumerate(texts) if at != 3})
    asked = OwnSubject("known", known)

    got = asked.answers(texts)
    asked.close()

    assert detectors.TOGETHER == known.most
    assert known.closed
    assert "known 1" == asked.about
    assert Answer(topics={}, complete=False) == got[3]
    assert [at % 4 + 1 for at in range(70) if at != 3] == [each.found[0].end for each in got if each.complete]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nothing", f"no detector `nothing`: {KNOWN}"),
        ("rules+", f"no detector ``: {KNOWN}"),
        ("rules+rules", f"no detector `rules`: {KNOWN}"),
        ("rules+presidio", f"no detector `presidio`: {KNOWN}"),
        ("student+rules", "`student+rules`: the rules and one model go together, as in `rules+student`"),
        ("student+teacher", "`student+teacher`: the rules and one model go together, as in `rules+student`"),
        ("rules+student", "no `student` model is installed; give the folder of a model instead"),
    ],
)
def test_a_name_that_stands_for_nothing_is_told(
    name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what there is instead, and before anything is loaded."""
    monkeypatch.setattr(choice, "SHIPPED", tmp_path)

    with pytest.raises(ConfigInvalid) as caught:
        subject(name)

    assert expected == str(caught.value)


def test_the_rules_can_be_measured() -> None:
    """A real detector: what they find in a text, and that they know when a text is about health."""
    asked = subject("rules")

    (got,) = asked.answers(["My father has diabetes and takes insulin. Mail jane@example.com."])
    asked.close()

    assert [(47, 63, "EMAIL_ADDRESS")] == [(each.start, each.end, each.kind) for each in got.found]
    assert {"health"} == set(got.topics)
    assert asked.about.startswith("patterns ")


@pytest.mark.parametrize("model", ["blank", "none"])
def test_presidio_can_be_measured(model: str) -> None:
    """A real AnalyzerEngine: what its recognisers find, and no topics."""
    asked = subject("presidio", presidio_model=model)

    (got,) = asked.answers(["Card 4111111111111111, born 3 May"])
    asked.close()

    assert (5, 21, "CREDIT_CARD", 1000) in {(each.start, each.end, each.kind, each.permille) for each in got.found}
    assert not asked.has_topics
    assert "finds no names" in asked.about


def test_a_model_that_is_not_installed_is_not_fetched() -> None:
    """Presidio would download it; the message says what there is."""
    with pytest.raises(ConfigInvalid, match="no spaCy model `xx_none` is installed; there are: blank, none"):
        subject("presidio", presidio_model="xx_none")


def test_a_model_is_measured_at_its_thresholds_and_known_below(tmp_path: Path) -> None:
    """A real model of a folder: a name it is 0.999 sure of is not reported where 1 is asked for, but is in the curve."""
    folder = model_directories.write(
        tmp_path / "model", Model(manifest={"thresholds": {"PERSON": 1000, "LOCATION": 400}})
    )
    asked = subject(str(folder))

    (got,) = asked.answers(["Anna lives in Berlin"])
    asked.close()

    assert [(14, 20, "LOCATION")] == [(each.start, each.end, each.kind) for each in got.found]
    assert [(0, 4, "PERSON")] == [(each.start, each.end, each.kind) for each in got.below]
    assert 999 == got.below[0].permille
    assert got.complete


def test_types_of_a_model_that_are_one_entity_keep_their_thresholds(tmp_path: Path) -> None:
    """Alone it is measured as it answers beside the rules: a surname that it is sure of enough, not the first name."""
    words = {"anna": "B-FIRSTNAME", "tomasz": "B-LASTNAME"}
    stated = {
        "kind": "token-classification",
        "labels": ["O", "B-FIRSTNAME", "B-LASTNAME"],
        "topics": [],
        "entities": {"FIRSTNAME": "PERSON", "LASTNAME": "PERSON"},
        "thresholds": {"FIRSTNAME": 1000, "LASTNAME": 300},
    }
    model = Model(
        labels=("O", "B-FIRSTNAME", "B-LASTNAME"), topics=(), words=words, outputs=("logits",), manifest=stated
    )
    folder = model_directories.write(tmp_path / "model", model)
    answers = []
    for name in (str(folder), f"rules+{folder}"):
        asked = subject(name)
        answers += asked.answers(["Anna, Tomasz"])
        asked.close()
    alone, beside = answers

    assert [(6, 12, "PERSON")] == [(each.start, each.end, each.kind) for each in alone.found]
    assert alone.found == beside.found
    assert [(0, 4, "PERSON")] == [(each.start, each.end, each.kind) for each in alone.below]


def test_rules_and_a_shipped_model_answer_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the model, with topics of both; below its thresholds a model says nothing here."""
    model_directories.write(tmp_path / "student")
    monkeypatch.setattr(choice, "SHIPPED", tmp_path)
    asked = subject("rules+student")

    (got,) = asked.answers(["Anna began dialysis, anna@example.com"])
    asked.close()

    assert [(0, 4, "PERSON"), (11, 19, "MEDICAL"), (21, 37, "EMAIL_ADDRESS")] == [
        (each.start, each.end, each.kind) for each in got.found
    ]
    assert () == got.below
    assert "health" in got.topics
    assert ["patterns", "model"] == [each.split()[0] for each in asked.about.split(", ")]
