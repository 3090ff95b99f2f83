"""`ringfence scan`: one line in, one line out."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from classifiers import scan
from classifiers.detector import PatternDetector


@pytest.fixture(scope="module")
def detector() -> PatternDetector:
    return PatternDetector()


def run(detector: PatternDetector, source: bytes) -> tuple[int, list[object]]:
    sink = io.StringIO()
    code = scan.scan_stream(io.BytesIO(source), sink, detector=detector)
    return code, [json.loads(line) for line in sink.getvalue().splitlines()]


def test_a_line_is_answered_in_the_documented_shape(detector):
    """Offsets are code points, scores 0 to 1, the id comes back."""
    line = json.dumps({"id": "x1", "text": "😀 IBAN DE89370400440532013000, TLP:RED"}).encode()

    answer = {
        "id": "x1",
        "findings": [
            {
                "entity_type": "IBAN_CODE",
                "start": 7,
                "end": 29,
                "score": 1.0,
                "detector": "presidio:IbanRecognizer",
                "country": "DE",
            }
        ],
        "sensitivity": [{"label": "financial", "score": 1.0}],
        "jurisdictions": [{"code": "DE", "score": 1.0}],
        "residency_labels": ["TLP:RED"],
    }

    assert (0, [answer]) == run(detector, line)


def test_bad_lines_are_answered_in_place_and_end_in_exit_code_1(detector):
    """Each line has its answer, in order, and none is quoted."""
    source = b'{"id":1,"text":"a"}\n{"id":2,"text":3}\nnot json\n\xff\n\n[]\n{"text":"a"}\n{"id":7,"text":""}'
    empty = {"findings": [], "sensitivity": [], "jurisdictions": [], "residency_labels": []}

    assert (
        1,
        [
            {"id": 1, **empty},
            {"id": None, "line": 2, "error": "`text` is not a string"},
            {"id": None, "line": 3, "error": "line is not a json document"},
            {"id": None, "line": 4, "error": "line is not utf-8"},
            {"id": None, "line": 5, "error": "line is not a json document"},
            {"id": None, "line": 6, "error": "line is not a json object"},
            {"id": None, "line": 7, "error": "`id` is not a string or an integer"},
            {"id": 7, **empty},
        ],
    ) == run(detector, source)


def test_deep_nesting_is_a_bad_line(detector):
    """A document that exhausts the parser is answered, not a crash."""
    assert (1, [{"id": None, "line": 1, "error": "line is not a json document"}]) == run(detector, b"[" * 200_000)


def test_a_line_over_the_limit_is_dropped_and_the_next_is_read(detector, monkeypatch):
    """The limit holds for one line; reading goes on behind it."""
    monkeypatch.setattr(scan, "MAX_LINE_BYTES", 40)
    source = b'{"id":1,"text":"' + b"a" * 100 + b'"}\n{"id":2,"text":""}\n'

    code, answers = run(detector, source)

    assert (1, [None, 2]) == (code, [answer["id"] for answer in answers])


class LineByLine(io.RawIOBase):
    """A source that gives its second line only after the first was answered."""

    def __init__(self, sink: io.StringIO) -> None:
        self.sink = sink
        self.seen: list[int] = []

    def readline(self, size: int | None = -1) -> bytes:
        self.seen.append(self.sink.getvalue().count("\n"))
        return b'{"id":1,"text":""}\n' if len(self.seen) < 3 else b""


def test_each_answer_is_written_before_the_next_line_is_read(detector):
    """A caller can hold a conversation over a pipe."""
    sink = io.StringIO()
    source = LineByLine(sink)

    scan.scan_stream(source, sink, detector=detector)

    assert [0, 1, 2] == source.seen


def test_an_unfinished_text_says_so(detector, monkeypatch):
    """A timeout is a status in the answer and exit code 1."""
    monkeypatch.setattr(scan, "DEADLINE_MS", -1)

    code, [answer] = run(detector, b'{"id":1,"text":"never seen before"}')

    assert (1, "timeout") == (code, answer["status"])


def test_the_table_for_people_shows_types_and_offsets_but_no_text(detector):
    """Human output names what was found and where, and never repeats it."""
    console = Console(file=io.StringIO(), width=160)

    console.print(scan._table(scan._detect("write to jane.doe@example.com", detector), "notes.txt"))

    output = console.file.getvalue()
    assert (True, True, False) == ("EMAIL_ADDRESS" in output, "notes.txt" in output, "jane" in output)
