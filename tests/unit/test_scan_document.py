"""One document: findings where they stand, blocks without seams, what is reported."""

from __future__ import annotations

import base64
import json
import re
import time
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers import scan_document
from classifiers.reading import Reader
from classifiers.scan_document import Tally, Wanted, blocks, read_pieces
from classifiers.scan_formats import Format, Piece
from classifiers.scan_report import document_fields
from governance.finding import Detection, DetectionStatus, Finding
from governance.segment import Span
from tests.scan_fakes import detect, document_of

Row = tuple[str, int, int, str, str]


def rows(path: Path, **more: object) -> list[Row]:
    """(entity, line, column, place, what is written there) of each finding."""
    document, _ = document_of(path, whole=True, **more)  # type: ignore[arg-type]
    text = document.text
    assert text is not None
    return [
        (hit.finding.entity_type, hit.line, hit.column, hit.place, text[hit.start : hit.end]) for hit in document.hits
    ]


def test_findings_stand_at_line_and_column(tmp_path: Path) -> None:
    """Both count from 1, in code points."""
    (tmp_path / "x.txt").write_text("\U0001f600 a@b.de\n\nzwei: c@d.de e@f.de")

    assert [
        ("EMAIL_ADDRESS", 1, 3, "", "a@b.de"),
        ("EMAIL_ADDRESS", 3, 7, "", "c@d.de"),
        ("EMAIL_ADDRESS", 3, 14, "", "e@f.de"),
    ] == rows(tmp_path / "x.txt")


def test_a_key_is_the_context_of_its_value_and_never_quoted_when_it_is_a_finding(tmp_path: Path) -> None:
    """The place of a finding below a key that is one shows the type in its stead."""
    (tmp_path / "x.json").write_text('{"bsn": 111222333,\n "a@b.de": {"bsn": "111222333"}}')

    assert [
        ("NL_BSN", 1, 9, "/bsn", "111222333"),
        ("EMAIL_ADDRESS", 2, 3, "/<EMAIL_ADDRESS>", "a@b.de"),
        ("NL_BSN", 2, 21, "/<EMAIL_ADDRESS>/bsn", "111222333"),
    ] == rows(tmp_path / "x.json")


def test_a_finding_in_an_escaped_string_stands_where_it_is_written(tmp_path: Path) -> None:
    """From the first to the last character of its spelling."""
    (tmp_path / "x.json").write_text(r'["\ud83d\ude00 a\u0040b.de \n"]')

    assert [("EMAIL_ADDRESS", 1, 16, "/0", r"a\u0040b.de")] == rows(tmp_path / "x.json")


def test_a_heading_is_the_context_of_its_column(tmp_path: Path) -> None:
    """And its place."""
    (tmp_path / "x.csv").write_text('id,bsn\n1,111222333\n2,"111222333"\n')

    assert [("NL_BSN", 2, 3, "bsn", "111222333"), ("NL_BSN", 3, 4, "bsn", "111222333")] == rows(tmp_path / "x.csv")


def test_a_cell_that_stands_where_a_heading_would_is_not_shown(tmp_path: Path) -> None:
    """A table may have none: only words of the rules are shown, however they are written."""
    (tmp_path / "none.csv").write_text("Jane,Sesam12Offen\nJohn,a@b.de\n")
    (tmp_path / "some.csv").write_text("BSN_number,bsnNumber,login\na@b.de,c@d.de,e@f.de\n")

    assert ["2"] == [row[3] for row in rows(tmp_path / "none.csv")]
    assert ["BSN_number", "bsnNumber", "3"] == [row[3] for row in rows(tmp_path / "some.csv")]


@pytest.mark.parametrize("table", ["bsn,naam\n1,Jane\n", "naam,BSN\nJane,1\n"])
def test_a_heading_that_names_its_column_is_nobody(table: str, tmp_path: Path) -> None:
    """What a model takes for a name there would be replaced in a copy; other cells of the first row may be names."""
    (tmp_path / "x.csv").write_text(table)
    people = re.compile("bsn|BSN|naam|Jane")

    def by(text: str) -> Detection:
        found = [
            Finding(
                segment=0,
                entity_type="PERSON",
                span=Span(start=each.start(), end=each.end()),
                permille=900,
                detector="m",
            )
            for each in people.finditer(text)
        ]
        return Detection(status=DetectionStatus.COMPLETE, findings=tuple(found))

    assert {"Jane", "naam"} == {row[4] for row in rows(tmp_path / "x.csv", by=by)}


@pytest.mark.parametrize("name", ["x.json", "x.txt"])
def test_what_is_not_in_its_format_is_read_as_text(name: str, tmp_path: Path) -> None:
    """Nothing is passed over, and it is said."""
    (tmp_path / name).write_text('{"a": "a@b.de", // no json\n}')
    document, _ = document_of(tmp_path / name, form=Format.JSON)

    assert (1, Format.TEXT, "not valid JSON: read as text", DetectionStatus.COMPLETE) == (
        len(document.hits),
        document.kind,
        document.problem,
        document.status,
    )


def test_lines_that_are_no_json_are_told(tmp_path: Path) -> None:
    """How many, and the first of them; an empty one is nothing to tell."""
    (tmp_path / "one.jsonl").write_text('{"a": 1}\n\nno json\n')
    (tmp_path / "two.jsonl").write_text('{"a": "a@b.de"}\nno json\n{}\n{"a": "a@b.de"\n')
    one, two = (document_of(tmp_path / name)[0] for name in ("one.jsonl", "two.jsonl"))

    assert ("line 3 is not valid JSONL: read as text", False) == (one.problem, one.trouble)
    assert ("2 lines, the first of them 2, are not valid JSONL: read as text", 2) == (two.problem, len(two.hits))


def test_what_is_too_large_to_be_read_whole_is_read_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks, with a word about it."""
    monkeypatch.setattr(scan_document, "MAX_WHOLE_BYTES", 8)
    (tmp_path / "x.json").write_text('{"a": "a@b.de"}')
    document, _ = document_of(tmp_path / "x.json")

    assert (1, Format.TEXT, True) == (len(document.hits), document.kind, "read as text" in document.problem)


def test_bytes_that_are_no_text_make_the_status_partial(tmp_path: Path) -> None:
    """What else there is was read."""
    (tmp_path / "x").write_bytes(b"caf\xe9 a@b.de")
    document, _ = document_of(tmp_path / "x")

    assert (1, DetectionStatus.PARTIAL, "not UTF-8 at byte 3: the rest was read", True) == (
        len(document.hits),
        document.status,
        document.problem,
        document.trouble,
    )


@pytest.mark.parametrize("whole_bytes", [scan_document.MAX_WHOLE_BYTES, 4])
def test_the_first_hits_are_kept_and_all_are_counted(
    whole_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether read whole or in blocks: memory for hits does not grow with the file."""
    monkeypatch.setattr(scan_document, "MAX_WHOLE_BYTES", whole_bytes)
    (tmp_path / "x.json").write_text(json.dumps([f"a{at}@b.de" for at in range(9)]))
    document, _ = document_of(tmp_path / "x.json", most_hits=2)

    assert ({"EMAIL_ADDRESS": 9}, {}) == (document.found, document.checked)
    assert [2, 13] == [hit.start for hit in document.hits]
    assert 7 == document_fields(document)["findings_left_out"]


def test_only_what_is_wanted_is_reported(tmp_path: Path) -> None:
    """By score, by entity, by country."""
    (tmp_path / "x").write_text("a@b.de 4111111111111111 bsn: 111222333")

    assert [["EMAIL_ADDRESS", "NL_BSN"], ["CREDIT_CARD"], ["NL_BSN"]] == [
        [row[0] for row in rows(tmp_path / "x", wanted=wanted)]
        for wanted in (
            Wanted(permille=700),
            Wanted(entities=frozenset(("CREDIT_CARD",))),
            Wanted(countries=frozenset(("NL",))),
        )
    ]


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=9), max_size=30))
def test_blocks_share_out_every_character_once(chunks: list[str]) -> None:
    """Whatever the chunks: what blocks own, put together, is the text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_document, "BLOCK", 16)
        patch.setattr(scan_document, "OVERLAP", 6)
        shared = [block.text[block.first : block.last] for block in blocks(chunks)]
        starts = [(block.start, block.text) for block in blocks(chunks)]

    text = "".join(chunks)
    assert text == "".join(shared)
    assert starts == [(start, text[start : start + len(part)]) for start, part in starts]


@given(st.integers(0, 40), st.integers(1, 40))
def test_a_seam_hides_and_doubles_nothing(before: int, between: int) -> None:
    """A value that is shorter than half the overlap is found once, wherever it stands."""
    text = "x " * before + "a@b.de" + " \n" * between + "c@d.de"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_document, "BLOCK", 32)
        patch.setattr(scan_document, "OVERLAP", 16)
        [(_, found)] = read_pieces([Piece(text=text)], detect, Tally())

    assert ["a@b.de", "c@d.de"] == [text[each.span.start : each.span.end] for each in found]


def test_lines_are_counted_through_all_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A streamed file says the same lines and columns as one that is read whole."""
    monkeypatch.setattr(scan_document, "BLOCK", 64)
    monkeypatch.setattr(scan_document, "OVERLAP", 32)
    (tmp_path / "x").write_text("".join(f"{'y' * (number % 37)} m{number}@b.de\n" for number in range(60)))
    streamed, _ = document_of(tmp_path / "x")
    whole = [(line, column) for _, line, column, _, _ in rows(tmp_path / "x")]

    assert [(number + 1, number % 37 + 2) for number in range(60)] == whole
    assert whole == [(hit.line, hit.column) for hit in streamed.hits]


def test_equal_pieces_are_read_once_and_reported_each_time() -> None:
    """A key that comes back ten thousand times costs one look."""
    seen: list[str] = []

    def by(text: str) -> Detection:
        seen.append(text)
        return detect(text)

    found = list(read_pieces([Piece(text="a@b.de", start=at) for at in range(10_000)], by, Tally()))

    assert (["a@b.de"], 10_000) == (seen, sum(len(findings) for _, findings in found))


def test_pieces_lend_each_other_no_context(tmp_path: Path) -> None:
    """What stands in one field is far from the next."""
    seen: list[str] = []

    def by(text: str) -> Detection:
        seen.append(text)
        return detect(text)

    (tmp_path / "x.json").write_text(json.dumps({"bsn": "no", "order": "111222333"}))
    document_of(tmp_path / "x.json", by=by)

    [text] = seen
    assert text.index("111222333") - text.index("bsn: no") - len("bsn: no") > scan_document.REACH_BEFORE


MAIL_READER = cache(partial(Reader, entities=("EMAIL_ADDRESS",)))


def read(text: str) -> Detection:
    """What the rule for mail addresses finds, encoded as well."""
    reading = MAIL_READER().read(text, deadline=time.monotonic() + 60)
    return Detection(status=reading.status, findings=reading.findings)


@pytest.mark.parametrize("at", [60_000, 95_000, 110_000, 125_000, 141_000])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_encoded_over_many_blocks_is_found_in_any(tmp_path: Path, at: int, *, wrapped: bool) -> None:
    """What its findings leave of it says nothing of the value any more."""
    prose = b"lorem ipsum dolor sit amet " * 5_600
    plain = prose[:at] + b" jane.roe@example.com " + prose[at:]
    encoded = (base64.encodebytes(plain) if wrapped else base64.b64encode(plain)).decode()
    (tmp_path / "x.txt").write_text(f"see\n{encoded}\nend")
    document, _ = document_of(tmp_path / "x.txt", whole=True, by=read)
    assert document.text is not None
    left = document.text
    for hit in reversed(document.hits):
        left = left[: hit.start] + " " * (hit.end - hit.start) + left[hit.end :]
    runs = ["".join(run) for run in re.findall(r"[A-Za-z0-9+/\n]{64,}", left)]

    assert {"EMAIL_ADDRESS"} == document.found.keys()
    for run in runs:
        letters = "".join(run.split())
        assert not any(
            b"jane.roe@example.com" in base64.b64decode(letters[shift : len(letters) - (len(letters) - shift) % 4])
            for shift in range(4)
        )


@pytest.mark.parametrize("headings", ["id,note,mail", "1,2,3"])
def test_a_key_that_begins_in_a_cell_ends_in_it(headings: str, tmp_path: Path) -> None:
    """An end in another record does not make one value of all between them; the lines of a key in a list are one."""
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    body = [
        base64.b64encode(bytes(each * 73 % 256 for each in range(at, at + 48))).decode() for at in range(0, 192, 48)
    ]
    (tmp_path / "x.csv").write_text(f"{headings}\n1,{begin},a@example.com\n2,x,b@example.com\n3,{end},c@example.com\n")
    (tmp_path / "x.json").write_text(json.dumps({"source": [begin, *body, end]}))

    reader = Reader(entities=("EMAIL_ADDRESS", "PRIVATE_KEY"))

    def by(text: str) -> Detection:
        reading = reader.read(text, deadline=time.monotonic() + 60)
        return Detection(status=reading.status, findings=reading.findings)

    assert [f"{each}@example.com" for each in "abc"] == [row[4] for row in rows(tmp_path / "x.csv", by=by)]
    assert [begin, *body, end] == [row[4] for row in rows(tmp_path / "x.json", by=by)]
