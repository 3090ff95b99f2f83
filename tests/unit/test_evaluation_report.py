"""What an evaluation comes to, and how it is shown."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from classifiers.evaluation import command
from classifiers.evaluation.command import EvalOptions, eval_command
from classifiers.evaluation.detectors import Subject
from classifiers.evaluation.gates import Gate, Measured, gates, verdicts
from classifiers.evaluation.picture import MOST_TYPES, svg
from classifiers.evaluation.report import document, show, show_verdicts
from classifiers.evaluation.run import Evaluation, evaluate
from classifiers.evaluation.scores import Answer, Found, Labelled, Mark
from classifiers.evaluation.sources import LabelledSet
from governance.errors import ConfigInvalid

PERSON = Found(start=0, end=4, kind="PERSON", permille=900)
EARLY = Found(start=0, end=3, kind="PERSON", permille=300)


class Scripted:
    """A Subject that says the same of every text, or by text what it is told to."""

    def __init__(self, name: str, always: Answer, by_text: Mapping[str, Answer] | None = None) -> None:
        self.name = name
        self.about = f"{name} 1.0"
        self.has_topics = name != "mute"
        self.always = always
        self.by_text = by_text or {}
        self.closed = False

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """In order."""
        return [self.by_text.get(text, self.always) for text in texts]

    def close(self) -> None:
        """Notes that it was."""
        self.closed = True


def texts(source: str, language: str, count: int, *, clean: bool = False) -> LabelledSet:
    """Texts with one person each, or none, in groups of two."""
    marks = () if clean else (Mark(start=0, end=4, kind="PERSON"),)
    return LabelledSet(
        name=source,
        texts=tuple(
            Labelled(
                text=f"Jane {source} secret {at}",
                marks=marks,
                kinds=frozenset({"PERSON"}),
                topics={"hr": not clean},
                group=f"{source}/{at // 2}",
                source=source,
                language=language,
            )
            for at in range(count)
        ),
    )


def measured() -> Evaluation:
    """A detector that is right, with an alarm in every clean text, beside one that is never exactly right."""
    return evaluate(
        [
            Scripted("right", Answer(found=(PERSON,), topics={"hr": 800})),
            Scripted("mute", Answer(found=(EARLY,), below=(PERSON,), topics={}, complete=False)),
        ],
        [texts("chat", "en", 20), texts("web", "de", 20, clean=True)],
        draws=50,
    )


def shown(evaluation: Evaluation, width: int = 120) -> str:
    """As on a terminal of `width` columns."""
    stream = io.StringIO()
    show(evaluation, Console(file=stream, width=width), command="ringfence eval --templates 40")
    return stream.getvalue()


def test_sets_and_languages_are_summed_apart_and_together() -> None:
    """Every text counts once in its set and once in all; what was not read to the end is counted."""
    right, mute = measured().results

    assert [("chat", "en", 20), ("web", "de", 20)] == [
        (part.source, part.language, part.sums.texts) for part in right.parts
    ]
    assert (40, 20, 20) == (right.whole.sums.texts, right.whole.sums.clean, right.whole.sums.alarmed)
    assert [1.0, 0.0] == [part.sums.total.exactly.f() for part in right.parts]
    assert (40, 0, 40) == (right.texts, right.unread, mute.unread)
    assert (0, 20) == (mute.whole.sums.total.exact, mute.whole.sums.total.overlapping)


def test_a_group_in_several_languages_is_drawn_whole() -> None:
    """Four documents in two languages each are four groups, too few for an interval, and not eight."""
    one, other = texts("web", "de", 8), texts("web", "en", 8)
    (got,) = evaluate([Scripted("right", Answer(found=(PERSON,), topics={}))], [one, other], draws=50).results
    (alone,) = evaluate(
        [Scripted("right", Answer(found=(PERSON,), topics={}))], [texts("web", "de", 16)], draws=50
    ).results

    assert 16 == got.whole.sums.texts == alone.whole.sums.texts
    assert got.whole.intervals is None
    assert alone.whole.intervals is not None


def test_who_watches_hears_of_every_text_once_for_each_subject() -> None:
    """By set and subject, in the order of the work."""
    heard: list[tuple[str, str, int]] = []

    evaluate(
        [Scripted("a", Answer(topics={})), Scripted("b", Answer(topics={}))],
        [texts("chat", "en", 40), texts("web", "en", 1)],
        told=lambda *each: heard.append(each),
        draws=1,
    )

    assert [
        ("chat", "a", 32),
        ("chat", "a", 8),
        ("chat", "b", 32),
        ("chat", "b", 8),
        ("web", "a", 1),
        ("web", "b", 1),
    ] == heard


def test_what_lies_below_the_threshold_is_in_the_curve_alone() -> None:
    """The tally counts what was reported; the curve goes on, with the surer of two that overlap."""
    _, mute = measured().results

    assert 0 == mute.whole.sums.tallies["PERSON"].exact
    assert [(900, 0.5, 1.0)] == [(each.permille, each.precision, each.recall) for each in mute.curves["PERSON"].points]


def test_tables_fit_a_narrow_pipe_and_show_no_text() -> None:
    """Every number stands whole at 120 columns, and nothing of what was measured on."""
    got = shown(measured())

    assert all(len(line) <= 120 for line in got.splitlines())
    assert "secret" not in got
    assert "\u2026" not in got
    for words in (
        "PERSON right 20 40 0.500 1.000 0.667",
        "40 texts, 40 of them not read to the end",
        "1000.0",
        "ringfence eval --templates 40",
    ):
        assert words in " ".join(got.split())


def test_the_document_has_all_of_it() -> None:
    """With null where nothing could be measured, and no topics of a detector that has none."""
    evaluation = measured()
    gate = Gate(measured=Measured.F1, source="all", key="PERSON", bound=0.5)

    got = document(evaluation, verdicts([gate], evaluation.results[0]), command="ringfence eval")

    right, mute = got["detectors"]
    assert "ringfence.evaluation/1" == got["format"]
    assert [
        {"option": "min-f1", "set": "all", "name": "PERSON", "at_least": 0.5, "value": 2 / 3, "passed": True}
    ] == got["gates"]
    assert {"texts": 40, "marked": 20, "found": 40, "right": 20, "f1": 0.6667} == {
        name: right["all"]["topics"]["hr"][name] for name in ("texts", "marked", "found", "right", "f1")
    }
    assert "topics" not in mute["all"]
    chat, web = right["sets"]
    assert (None, 1000.0, {"PERSON": 20}) == (
        web["types"]["all"]["f1"],
        web["alarms_per_thousand"],
        web["alarms"],
    )
    assert (1.0, [1.0, 1.0], None) == (
        chat["types"]["PERSON"]["f1"],
        chat["types"]["PERSON"]["f1_95"],
        chat["alarms_per_thousand"],
    )
    assert [[900, 0.5, 1.0]] == right["curves"]["PERSON"]["points"]
    assert "secret" not in json.dumps(got)


# --- the picture ---------------------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_says_in_words_what_it_shows() -> None:
    """Title and description for those who do not see it, in the order in which readers of screens look."""
    root = ET.fromstring(svg(measured()))

    title, description = root[0], root[1]
    assert ("title", "desc", "title desc", "img") == (
        title.get("id"),
        description.get("id"),
        root.get("aria-labelledby"),
        root.get("role"),
    )
    assert description.text is not None
    assert (
        "PERSON (20 marked): right: precision 0.50, recall 1.00, calibration error 0.40; "
        "mute: precision 0.00, recall 0.00, calibration error 0.40."
    ) in description.text


def test_names_from_outside_cannot_change_the_picture() -> None:
    """What XML would read otherwise is escaped, what it cannot hold is replaced."""
    evaluation = evaluate([Scripted("<b>&\x1b", Answer(topics={}))], [texts("chat", "en", 1)], draws=1)

    words = [each.text for each in ET.fromstring(svg(evaluation)).iter(f"{SVG}text")]

    assert "<b>&\ufffd: <b>&\x1b 1.0".replace("\x1b", "\ufffd") in words
    assert "nothing found" in words


def test_a_picture_without_types_says_so_and_many_types_are_cut() -> None:
    """Rather than an empty or an endless one; everything stays inside its frame."""
    none = evaluate([Scripted("a", Answer(topics={}))], [texts("web", "en", 1, clean=True)], draws=1)
    many = [
        Labelled(
            text="x",
            marks=(Mark(start=0, end=1, kind=f"TYPE_{at}"),),
            kinds=frozenset({f"TYPE_{at}"}),
            topics={},
            group="a/1",
            source="a",
            language="en",
        )
        for at in range(MOST_TYPES + 3)
    ]
    cut = evaluate([Scripted("a", Answer(topics={}))], [LabelledSet(name="a", texts=tuple(many))], draws=1)

    assert "No type is marked in these texts." in svg(none)
    assert " 3 rarer types are in --json." in svg(cut)
    root = ET.fromstring(svg(cut))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert all(
        0 <= float(each.get("x", 0)) < width and 0 <= float(each.get("y", 0)) < height
        for each in root.iter(f"{SVG}text")
    )


# --- gates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured_by", "value", "expected"),
    [
        (Measured.F1, "PERSON=0.85", Gate(measured=Measured.F1, source="all", key="PERSON", bound=0.85)),
        (Measured.F1, "chat:GPE=1", Gate(measured=Measured.F1, source="chat", key="LOCATION", bound=1.0)),
        (Measured.ALARMS, "30", Gate(measured=Measured.ALARMS, source="all", key="all", bound=30.0)),
        (Measured.ALARMS, "chat:all=3", Gate(measured=Measured.ALARMS, source="chat", key="all", bound=3.0)),
        (Measured.TOPIC_F1, "macro=.8", Gate(measured=Measured.TOPIC_F1, source="all", key="macro", bound=0.8)),
    ],
)
def test_a_gate_names_what_it_bounds(measured_by: Measured, value: str, expected: Gate) -> None:
    """A type, a topic or all; on one set where it is named."""
    assert [expected] == gates(measured_by, [value])


@pytest.mark.parametrize(
    ("measured_by", "value", "expected"),
    [
        (Measured.F1, "PERSON", "--min-f1 takes NAME=N or SET:NAME=N, not `PERSON`"),
        (Measured.F1, "PERSON=high", "--min-f1 takes NAME=N or SET:NAME=N, not `PERSON=high`"),
        (Measured.F1, "PERSON=nan", "--min-f1 takes NAME=N or SET:NAME=N, not `PERSON=nan`"),
        (Measured.F1, "=0.5", "--min-f1 takes NAME=N or SET:NAME=N, not `=0.5`"),
        (Measured.F1, "PERSON=85", "--min-f1 is 0 to 1, not `85`"),
        (Measured.ALARMS, "few", "--max-alarms takes N or SET:all=N, not `few`"),
        (
            Measured.ALARMS,
            "PERSON=5",
            "--max-alarms counts texts whatever was found in them: it takes N or SET:all=N, not `PERSON=5`",
        ),
        (
            Measured.ALARMS,
            "chat:X=5",
            "--max-alarms counts texts whatever was found in them: it takes N or SET:all=N, not `chat:X=5`",
        ),
        (Measured.ALARMS, "1001", "--max-alarms is 0 to 1000, not `1001`"),
    ],
)
def test_a_gate_that_bounds_nothing_is_refused(measured_by: Measured, value: str, expected: str) -> None:
    """Before anything is measured."""
    with pytest.raises(ConfigInvalid) as caught:
        gates(measured_by, [value])

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("measured_by", "value", "expected"),
    [
        (Measured.F1, "PERSON=0.66", (2 / 3, True)),
        (Measured.F1, "PERSON=0.67", (2 / 3, False)),
        (Measured.F1, "chat:all=1", (1.0, True)),
        (Measured.F1, "web:PERSON=0", (None, False)),
        (Measured.F1, "AGE=0", (None, False)),
        (Measured.F1, "nowhere:PERSON=0", (None, False)),
        (Measured.CHARACTER_RECALL, "all=1", (1.0, True)),
        (Measured.ALARMS, "1000", (1000.0, True)),
        (Measured.ALARMS, "999", (1000.0, False)),
        (Measured.ALARMS, "chat:all=1000", (None, False)),
        (Measured.TOPIC_F1, "hr=0.6", (2 / 3, True)),
        (Measured.TOPIC_F1, "macro=0.7", (2 / 3, False)),
        (Measured.TOPIC_F1, "legal=0", (None, False)),
        (Measured.TOPIC_F1, "web:macro=0", (None, False)),
    ],
)
def test_a_bound_holds_or_not_and_what_is_not_measured_does_not(
    measured_by: Measured, value: str, expected: tuple[float | None, bool]
) -> None:
    """At least what it says; of alarms at most."""
    (got,) = verdicts(gates(measured_by, [value]), measured().results[0])

    assert expected == (got.value, got.passed)


def test_no_bound_holds_for_what_was_not_read() -> None:
    """A detector that answers nothing is not a quiet one."""
    failing = Scripted("failing", Answer(topics={}, complete=False))
    result = evaluate([failing], [texts("web", "de", 20, clean=True)], draws=1).results[0]

    (got,) = verdicts(gates(Measured.ALARMS, ["1000"]), result)

    assert (None, False) == (got.value, got.passed)
    stream = io.StringIO()
    show_verdicts([got], Console(file=stream, width=120))
    assert (
        "not met: --max-alarms all=1000: nothing there could be measured, which proves nothing\n" == stream.getvalue()
    )


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> list[Scripted]:
    """Detectors of the command line are scripted; those that were loaded."""
    loaded: list[Scripted] = []

    def subject(name: str, *, presidio_model: str | None) -> Subject:
        loaded.append(Scripted(name, Answer(found=(PERSON,) if name == "right" else (), topics={})))
        return loaded[-1]

    monkeypatch.setattr(command, "subject", subject)
    return loaded


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file of ten texts with a person each."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "Jane", "spans": [[0, 4, "PERSON"]]}\n' * 10)
    return path


@pytest.mark.parametrize(("first", "expected"), [("right", 0), ("wrong", 1)])
def test_gates_are_for_the_first_detector(
    scripted: list[Scripted], own: Path, first: str, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others stand beside it; every detector is closed; what was not met is told on standard error."""
    others = ("wrong",) if first == "right" else ("right",)

    got = eval_command(EvalOptions(detectors=(first, *others), files=[own], min_f1=["PERSON=0.9"]))

    assert expected == got
    assert [True, True] == [each.closed for each in scripted]
    assert (expected == 1) == ("not met: --min-f1 PERSON=0.9: it is 0" in capsys.readouterr().err)


@pytest.mark.parametrize(("first", "expected"), [("right", 1), ("wrong", 0)])
def test_alarms_are_measured_on_harmless_lines_alone(
    scripted: list[Scripted], tmp_path: Path, first: str, expected: int
) -> None:
    """A file in which nothing is marked at all proves a detector quiet, or not."""
    path = tmp_path / "harmless.jsonl"
    path.write_text('{"text": "Nobody", "spans": []}\n')

    assert expected == eval_command(EvalOptions(detectors=(first,), files=[path], max_alarms=["0"]))


def test_json_goes_to_standard_output_alone(
    scripted: list[Scripted], own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One document on one line; the picture goes to its file."""
    picture = tmp_path / "out.svg"

    code = eval_command(EvalOptions(detectors=("right",), files=[own], as_json=True, picture=picture))

    (line,) = capsys.readouterr().out.splitlines()
    assert (0, 10) == (code, json.loads(line)["detectors"][0]["all"]["types"]["PERSON"]["right"])
    assert picture.read_text().startswith("<svg ")


def test_a_picture_that_cannot_be_written_costs_nothing_but_itself(
    scripted: list[Scripted], own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The results of a long measurement and what was not met are told before."""
    picture = tmp_path / "out.svg"
    picture.symlink_to(picture)

    with pytest.raises(ConfigInvalid, match="cannot be written"):
        eval_command(EvalOptions(detectors=("x",), files=[own], as_json=True, picture=picture, min_f1=["PERSON=0.9"]))

    told = capsys.readouterr()
    assert 10 == json.loads(told.out)["detectors"][0]["texts"]
    assert "not met: --min-f1 PERSON=0.9" in told.err


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "nothing to measure on: give --data FOLDER, --templates N or --file FILE"),
        ({"sets": ["wnut17"], "files": []}, "--set names a set in the folder of --data"),
        ({"detectors": ("right", "right")}, "a detector is named twice"),
        ({"min_f1": ["PERSON"]}, "--min-f1 takes NAME=N or SET:NAME=N, not `PERSON`"),
        ({"picture": Path("/nowhere/out.svg")}, "/nowhere/out.svg: cannot be written: no such folder"),
        ({"picture": Path("/")}, "/: cannot be written: is a directory"),
    ],
)
def test_wrong_use_is_told_before_anything_is_loaded(
    scripted: list[Scripted], own: Path, changes: dict[str, object], expected: str
) -> None:
    """A long measurement must not end in a mistake that was there to be seen."""
    options: dict[str, object] = {"detectors": ("right",), "files": [own] if changes else []}

    with pytest.raises(ConfigInvalid) as caught:
        eval_command(EvalOptions(**{**options, **changes}))  # type: ignore[arg-type]

    assert expected == str(caught.value)
    assert [] == scripted


def test_names_from_outside_are_shown_as_they_are(
    scripted: list[Scripted], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brackets are no style, controls and bytes that are no text reach neither terminal nor JSON."""
    path = tmp_path / "a[bold]\x1b\udcff.jsonl"
    path.write_text('{"text": "Jane", "spans": [[0, 4, "PERSON"]]}\n')
    options = EvalOptions(detectors=("[/x]",), files=[path], command="eval \udcff")

    assert (0, 0) == (eval_command(options), eval_command(replace(options, as_json=True)))

    out = capsys.readouterr().out
    assert "a[bold]\ufffd\ufffd" in out
    assert "[/x]" in out
    assert "\x1b" not in out
    assert "a[bold]\ufffd\ufffd" == json.loads(out.splitlines()[-1])["detectors"][0]["sets"][0]["set"]


def test_a_watched_measurement_survives_names_with_brackets(
    scripted: list[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar on a terminal takes them for text as well."""
    stream = io.StringIO()
    monkeypatch.setattr(command, "console_for", lambda _: Console(file=stream, force_terminal=True, width=100))
    monkeypatch.setattr(command, "PATIENCE_S", -1.0)
    path = tmp_path / "a[bold].jsonl"
    path.write_text('{"text": "Jane", "spans": [[0, 4, "PERSON"]]}\n')

    assert 0 == eval_command(EvalOptions(detectors=("[/x]",), files=[path]))
    assert "[/x] on a[bold]" in stream.getvalue()


def test_two_sources_of_one_name_are_refused(scripted: list[Scripted], own: Path, tmp_path: Path) -> None:
    """Their texts would be summed as one."""
    (tmp_path / "else").mkdir()
    other = tmp_path / "else" / "mine.jsonl"
    other.write_text(own.read_text())

    with pytest.raises(ConfigInvalid, match="two sources are called `mine`; rename a file"):
        eval_command(EvalOptions(detectors=("right",), files=[own, other]))
