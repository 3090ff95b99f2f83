"""`ringfence scan`: one line in, one line out; files, folders, copies, exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from classifiers import scan, scan_document, scan_report
from classifiers.compiled import compile_rules
from classifiers.detector import PatternDetector
from classifiers.extra import OwnRecognizers
from classifiers.scan_document import Wanted
from governance.cli import exit_code
from governance.errors import ConfigInvalid
from governance.settings import Classifiers
from tests.model_directories import write


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
                "detector": "family.iban",
                "country": "DE",
            }
        ],
        "sensitivity": [{"label": "financial", "score": 1.0}],
        "jurisdictions": [{"code": "DE", "score": 0.9}],
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
            {"id": None, "line": 3, "error": "line is not a json document; --format reads files of other kinds"},
            {"id": None, "line": 4, "error": "line is not utf-8"},
            {"id": None, "line": 5, "error": "line is not a json document; --format reads files of other kinds"},
            {"id": None, "line": 6, "error": "line is not a json object"},
            {"id": None, "line": 7, "error": "`id` is not a string or an integer"},
            {"id": 7, **empty},
        ],
    ) == run(detector, source)


def test_deep_nesting_is_a_bad_line(detector):
    """A document that exhausts the parser is answered, not a crash."""
    assert (
        1,
        [{"id": None, "line": 1, "error": "line is not a json document; --format reads files of other kinds"}],
    ) == run(detector, b"[" * 200_000)


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


def test_a_byte_order_mark_belongs_to_no_line(detector):
    """Some systems begin every file with one."""
    code, answers = run(detector, b'\xef\xbb\xbf{"id": 1, "text": "mail jane@example.com"}\n')

    assert (0, 1, ["EMAIL_ADDRESS"]) == (
        code,
        answers[0]["id"],
        [each["entity_type"] for each in answers[0]["findings"]],
    )


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


def test_a_finding_in_something_decoded_says_by_what_way(detector):
    """A further key, behind the others, and only then."""
    [answer] = run(detector, b'{"id":1,"text":"mail jane%40example.com now"}')[1]

    [finding] = answer["findings"]
    assert (["entity_type", "start", "end", "score", "detector", "country", "via"], 5, 23) == (
        list(finding),
        finding["start"],
        finding["end"],
    )


def test_lines_can_be_narrowed_and_fail_a_build(detector):
    """Only what is wanted is answered, and counts; found is told before a bad line is."""
    sink = io.StringIO()
    source = b'{"id":1,"text":"jane@example.com DE89370400440532013000"}\nbad\n'
    codes = [
        scan.scan_stream(io.BytesIO(source), sink, detector=detector, wanted=wanted, fail_on=fail_on)
        for wanted, fail_on in (
            (Wanted(countries=frozenset(("DE",))), scan.FailOn.VALIDATED),
            (Wanted(entities=frozenset(("US_SSN",))), scan.FailOn.ANY),
        )
    ]

    answers = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert ([3, 1], ["IBAN_CODE"], []) == (
        codes,
        [finding["entity_type"] for finding in answers[0]["findings"]],
        answers[2]["findings"],
    )


# --- files ---------------------------------------------------------------------------------------------------------

SECRETS = ("jane", "111222333", "4111", "hidden")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few files of every kind, and the command stands in front of them."""
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/.git").mkdir()
    (tmp_path / "in/a.txt").write_text("Mijn BSN is 111222333\nmail jane@example.com\n")
    (tmp_path / "in/sub/b.json").write_text('{"card": 4111111111111111, "jane@example.com": "hidden"}')
    (tmp_path / "in/sub/c.csv").write_text("name,bsn\njane,111222333\n")
    (tmp_path / "in/sub/empty").write_text("")
    (tmp_path / "in/sub/binary").write_bytes(b"\x7fELF\0")
    (tmp_path / "in/sub/loop").symlink_to("..")
    os.mkfifo(tmp_path / "in/sub/pipe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


def answered(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and output of the command, which said nothing else and quoted nothing."""
    # What a shipped model finds changes with it.
    code = exit_code(["scan", "--model", "off", *words])
    out, err = capsys.readouterr()
    assert "" == err
    assert [] == [secret for secret in SECRETS if secret in out]
    return code, out


def test_a_folder_is_told_file_by_file_and_in_sum(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where, what, how sure and why; then what all come to; never what was found."""
    code, out = answered(capsys, "in")

    lines = [" ".join(line.split()) for line in out.splitlines()]
    lines = [line.rpartition(" ")[0] if line.startswith("points to") else line for line in lines]
    last, _, seconds = lines.pop().rpartition(" in ")
    assert (0, "5 found in 3 of 4 files, 124 B", True) == (code, last, seconds.endswith(" s"))
    assert [
        "in/a.txt 2 found",
        "line:column entity country score why length what it is",
        "1:13 NL_BSN NL 1.00 checked 9 Burgerservicenummer, the citizen service number",
        "2:6 EMAIL_ADDRESS 1.00 checked 16 E-mail address",
        "",
        "in/sub/b.json 2 found",
        "line:column entity score why length place",
        "1:10 CREDIT_CARD 1.00 checked 16 /card",
        "1:29 EMAIL_ADDRESS 1.00 checked 16 /<EMAIL_ADDRESS>",
        "",
        "in/sub/c.csv 1 found",
        "line:column entity country score why length place",
        "2:6 NL_BSN NL 1.00 checked 9 bsn",
        "",
        "entity found checked files",
        "EMAIL_ADDRESS 2 2 2",
        "NL_BSN 2 2 2",
        "CREDIT_CARD 1 1 1",
        "",
        "speaks of financial 1.00",
        "points to NL",
        "not read 1 binary file, 1 folder of tools, 1 not a file, 1 symbolic link",
    ] == lines


def test_a_folder_as_json_is_one_object_for_each_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also for those that were not read."""
    code, out = answered(capsys, "in", "--json")

    answers = {answer["file"]: answer for answer in map(json.loads, out.splitlines())}
    countries = [each["code"] for each in answers["in/sub/c.csv"].pop("jurisdictions")]
    assert (
        0,
        ["in/a.txt", "in/sub/b.json", "in/sub/binary", "in/sub/c.csv", "in/sub/empty", "in/sub/loop", "in/sub/pipe"],
    ) == (
        code,
        sorted(answers),
    )
    assert {"file": "in/sub/binary", "status": "skipped", "reason": "binary file"} == answers["in/sub/binary"]
    assert {
        "file": "in/sub/c.csv",
        "format": "csv",
        "status": "complete",
        "findings": [
            {
                "entity_type": "NL_BSN",
                "start": 14,
                "end": 23,
                "score": 1.0,
                "detector": "nl.bsn",
                "country": "NL",
                "name": "Burgerservicenummer, the citizen service number",
                "why": "checked",
                "line": 2,
                "column": 6,
                "place": "bsn",
            }
        ],
        "sensitivity": [],
        "residency_labels": [],
    } == answers["in/sub/c.csv"]
    assert ["NL"] == countries


def test_the_summary_as_json_is_one_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With everything that the table has."""
    _, out = answered(capsys, "in", "--json", "--summary", "--entities", "NL_BSN,CREDIT_CARD", "--countries", "nl")

    summed = json.loads(out)
    assert ["NL"] == [each["code"] for each in summed.pop("jurisdictions")]
    assert {
        "files": 4,
        "files_with_findings": 2,
        "bytes": 124,
        "findings": 2,
        "entities": [{"entity_type": "NL_BSN", "findings": 2, "checked": 2, "files": 2}],
        "sensitivity": [{"label": "financial", "score": 1.0}],
        "residency_labels": [],
        "skipped": {"binary file": 1, "symbolic link": 1, "folder of tools": 1, "not a file": 1},
        "troubles": [],
        "notes": [],
    } == summed


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["in"], 0),
        (["in", "--fail-on", "any"], 3),
        (["in", "--fail-on", "validated", "--entities", "NL_BSN"], 3),
        (["in", "--fail-on", "any", "--entities", "US_SSN"], 0),
        (["in", "--fail-on", "never"], 0),
        (["in/sub/binary"], 1),
        (["in/sub/binary", "in/a.txt"], 1),
        (["in/sub"], 0),
        (["in/sub/empty", "--fail-on", "any"], 0),
        (["broken"], 1),
        (["broken", "in", "--fail-on", "any"], 3),
        (["--json", "in/a.txt", "--format", "text"], 0),
        (["--json", "in/a.txt"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_exit_code_tells_a_build_what_it_asked(
    words: list[str], code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """3 for a finding that counts, before 1 for what could not be read."""
    (folder / "broken").write_bytes(b"\xff")

    assert code == answered(capsys, *words)[0]


def test_standard_input_is_scanned_as_a_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the format that is named, text otherwise."""
    codes = []
    for words in ([], ["-", "--format", "json", "--json"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"bsn": "111222333"}')))
        codes.append(answered(capsys, *words))

    (first, table), (second, line) = codes
    document = json.loads(line)
    assert (0, 0, True) == (first, second, table.startswith("-  1 found\n"))
    assert ("-", "json", "/bsn") == (document["file"], document["format"], document["findings"][0]["place"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nofile"], "nofile: cannot be read: no such file or directory"),
        (["in", "nofile"], "nofile: cannot be read: no such file or directory"),
        (["/dev/null"], "/dev/null: cannot be read: not a file, a folder or a pipe"),
        (["-", "in"], "standard input is scanned alone and without --redact"),
        (["in", "--entities", "NOPE"], "no rule finds `NOPE`; see: ringfence rules list"),
        (["in", "--countries", "germany"], "`germany` is no country: give ISO 3166-1 alpha-2 codes, such as DE"),
        (["in", "--redact", "in"], "in: is not empty; name another folder or pass --force"),
        (["in/a.txt", "--redact", "in", "--force"], "in/a.txt: would be overwritten by a copy; name another folder"),
        (["in", "--redact", "in/a.txt"], "in/a.txt: cannot be written to: file exists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told_before_anything_is_scanned(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 2."""
    assert (2, "", f"config_invalid: {message}\n") == (exit_code(["scan", *words]), *capsys.readouterr())


def test_a_refused_scan_leaves_no_folder_behind(folder: Path) -> None:
    """Nor does it stand in the way of the next one."""
    assert 2 == exit_code(["scan", "in", "--model", "off", "--entities", "NONE_SUCH", "--redact", "out"])
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("line", "entity"),
    [("{}.{}.113.7", "IP_ADDRESS"), ("u{}.{}@example.com", "EMAIL_ADDRESS"), ("+1 212 {:03d} {:04d}", "PHONE_NUMBER")],
)
def test_a_file_of_nothing_but_values_is_read_to_its_end(
    line: str, entity: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More work than one text may cost on the path, where others wait."""
    values = [line.format(200 + at // 256 % 20, at % 256) for at in range(4_000)]
    (folder / "list.txt").write_text("\n".join(values))

    code = exit_code(["scan", "list.txt", "--model", "off", "--json", "--format", "text"])
    told = json.loads(capsys.readouterr().out)

    assert (0, "complete") == (code, told["status"])
    assert 4_000 == sum(each["entity_type"] == entity for each in told["findings"])


def test_a_value_over_several_pieces_is_in_none_that_is_empty(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key in PEM, a line an item."""
    lines = [
        "-----BEGIN RSA PRIVATE KEY-----",
        "",
        "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn",
        "",
        "-----END RSA PRIVATE KEY-----",
    ]
    (folder / "key.json").write_text(json.dumps({"lines": lines}))

    exit_code(["scan", "key.json", "--model", "off", "--json", "--format", "json"])
    told = json.loads(capsys.readouterr().out)

    assert [len(line) for line in lines if line] == [each["end"] - each["start"] for each in told["findings"]]


def test_letters_that_the_terminal_has_no_code_for_are_marked(folder: Path) -> None:
    """Instead of an end to the scan at the first of them."""
    (folder / "in/日本.txt").write_text("mail jane@example.com")
    command = [sys.executable, "-m", "governance.cli", "scan", "in", "--model", "off", "--fail-on", "any"]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "latin-1"})

    assert (3, b"") == (done.returncode, done.stderr)
    assert b"in/??.txt" in done.stdout


def test_copies_are_made_of_all_text_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the same names; what was not read has none, and that is said."""
    (folder / "in/latin").write_bytes(b"caf\xe9 jane@example.com")

    code, out = answered(capsys, "in", "--redact", "out", "--summary")

    copies = {
        str(path.relative_to(folder / "out")): path.read_text()
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }
    assert {
        "a.txt": "Mijn BSN is <NL_BSN_1>\nmail <EMAIL_ADDRESS_1>\n",
        "sub/b.json": '{"card": "<CREDIT_CARD_1>", "<EMAIL_ADDRESS_1>": "hidden"}',
        "sub/c.csv": "name,bsn\njane,<NL_BSN_1>\n",
        "sub/empty": "",
    } == copies
    assert (1, True, True) == (
        code,
        "copies 4 files in out" in " ".join(out.split()),
        "no copy of what was not read" in out,
    )


def test_what_is_too_large_for_a_copy_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trouble, not silence."""
    monkeypatch.setattr(scan_document, "MAX_WHOLE_BYTES", 4)

    code, out = answered(capsys, "in/a.txt", "--redact", "out", "--json")

    assert (1, "too large", []) == (code, json.loads(out)["reason"], list((folder / "out").iterdir()))


def test_what_was_read_as_text_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A note for people, and for whoever asks for the sum; the exit code does not change."""
    (folder / "x.json").write_text('{"a": 1, // no json\n}')

    code, out = answered(capsys, "x.json")
    summed = json.loads(answered(capsys, "x.json", "--json", "--summary")[1])

    assert (0, True) == (code, "note x.json: not valid JSON: read as text" in " ".join(out.split()))
    assert ([], [{"file": "x.json", "problem": "not valid JSON: read as text"}]) == (
        summed["troubles"],
        summed["notes"],
    )


def test_a_name_cannot_speak_to_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences and markup in the names of files and keys arrive as text."""
    (folder / "\x1b[2J[red].json").write_text('{"[bold]\\u001b[2J": "a@example.com"}')

    _, out = answered(capsys, "\x1b[2J[red].json")

    assert (False, True, True) == ("\x1b" in out, "\ufffd[2J[red].json" in out, "/[bold]\ufffd[2J" in out)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_tables_fit_the_terminal(
    columns: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing wider than it, and no line lost."""
    monkeypatch.setenv("COLUMNS", str(columns))

    _, out = answered(capsys, "in")

    assert max(map(len, out.splitlines())) <= columns


def test_a_file_with_many_findings_shows_the_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says how many more there are."""
    monkeypatch.setattr(scan_report, "MOST_ROWS", 2)
    (folder / "many").write_text("".join(f"m{number}@example.com\n" for number in range(1234)))

    _, out = answered(capsys, "many")

    assert (True, 2) == ("and 1,232 more; --json has all of them" in out, out.count("EMAIL_ADDRESS"))


def test_a_lower_score_finds_more(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the rules alone would leave out is shown to whoever asks."""
    (folder / "bare").write_text("bestelling 111222333")

    found = [
        json.loads(answered(capsys, "bare", "--format", "text", "--json", *more)[1])["findings"]
        for more in ([], ["--min-score", "0.3"])
    ]

    assert ([], True, {"shape"}) == (found[0], len(found[1]) > 0, {each["why"] for each in found[1]})


def test_names_are_found_unless_the_model_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The student reads beside the rules by default, and is said to be what found."""
    (tmp_path / "note.txt").write_text("Our neighbour Tomasz Kowalski began dialysis on Tuesday.\n")
    found = {}
    for model in ([], ["--model", "off"]):
        assert 0 == exit_code(["scan", str(tmp_path), "--json", *model])
        report = json.loads(capsys.readouterr().out.splitlines()[0])
        found[bool(model)] = {(each["entity_type"], each["why"]) for each in report["findings"]}

    assert {("PERSON", "model"), ("MEDICAL", "model")} <= found[False]
    assert set() == found[True]


def test_what_only_the_model_finds_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, as what the rules find; what neither finds is wrong use, and so is a name without the model."""
    monkeypatch.setattr(scan, "load_compiled", lambda *, more=(): compile_rules(more, portable=True))
    (tmp_path / "a.txt").write_text("nothing")
    model = Classifiers(model=str(write(tmp_path / "model")))

    def asked(entity: str, classifiers: Classifiers) -> int:
        return scan.scan_command(
            [str(tmp_path / "a.txt")], scan.ScanOptions(entities=[entity], classifiers=classifiers)
        )

    assert 0 == asked("PERSON", model)
    for entity, classifiers in (("NOPE", model), ("PERSON", Classifiers(model="off"))):
        with pytest.raises(ConfigInvalid, match=f"no rule finds `{entity}`"):
            asked(entity, classifiers)


@pytest.mark.parametrize(("said", "country"), [("uk", "GB"), ("gb", "GB"), ("XK", "XK"), ("de", "DE")])
def test_countries_are_asked_for_by_their_codes(said: str, country: str, tmp_path: Path) -> None:
    """In letters of any size; the United Kingdom also as people write it."""
    assert (
        frozenset({country})
        == scan._wanted(scan.ScanOptions(countries=[said]), frozenset(), OwnRecognizers()).countries
    )
