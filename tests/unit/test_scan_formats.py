"""Pieces of JSON, JSON lines and CSV: what they say, where they stand, what names them."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.scan_formats import Format, NotInFormat, Piece, format_of, pieces

Told = list[tuple[str, str, str]]


def told(text: str, kind: Format, masks: dict[str, str] | None = None) -> Told:
    """(context, text, pointer) of each piece."""
    return [
        (each.context, each.text, "" if each.node is None else each.node.pointer(masks or {}))
        for each in pieces(text, kind)
    ]


def test_json_is_read_with_keys_as_context_and_pointers() -> None:
    """Strings, names and numbers of four digits and more; items of a list are named by the key of the list."""
    text = '{"bsn": ["111", 111222333, 12], "a/b~": {"x": true, "": "y"}}'

    assert [
        ("", "bsn", "/bsn"),
        ("bsn", "111", "/bsn/0"),
        ("bsn", "111222333", "/bsn/1"),
        ("", "a/b~", "/a~1b~0"),
        ("", "x", "/a~1b~0/x"),
        ("", "", "/a~1b~0/"),
        ("", "y", "/a~1b~0/"),
    ] == told(text, Format.JSON)
    assert "/<EMAIL_ADDRESS>/0" == told('{"k": ["v"]}', Format.JSON, {"k": "<EMAIL_ADDRESS>"})[1][2]


def test_a_pointer_is_no_longer_than_people_read() -> None:
    """Of a long key its beginning, of a long way its end: there is one pointer for each finding."""
    [_, below] = told(json.dumps({"k" * 200_000: "v"}), Format.JSON)
    *_, deep = told('{"a/b":' * 500 + '"v"' + "}" * 500, Format.JSON)

    assert "/" + "k" * 96 + "…" == below[2]
    assert ("…/a~1b", "/a~1b", True) == (deep[2][:6], deep[2][-5:], len(deep[2]) < 1_024)


def test_json_that_the_path_would_refuse_is_read_all_the_same() -> None:
    """Equal names, lone surrogates, NUL and large numbers hide nothing."""
    text = '{"a": "1", "a": "\\ud800\\u0000", "n": 123456789012345678901234567890}'

    assert ["a", "1", "a", "\ud800\0", "n", "123456789012345678901234567890"] == [
        each.text for each in pieces(text, Format.JSON)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "]", "[1}", '{"a"}', '{"a": }', "{1: 2}", "[1] 2", "nul", '"', '{"a": "b" "c": 1} x', "// no\n{}",
        "[" * 600, '{"a": {"b": 1}', "'a'", "0x12",
    ],
)  # fmt: skip
def test_what_is_not_json_is_said_to_be_none(text: str) -> None:
    """So that it is read as text, and nothing is passed over."""
    with pytest.raises(NotInFormat):
        list(pieces(text, Format.JSON))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def strings(value: object) -> list[str]:
    """All strings and names in `value`, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [each for item in value for each in strings(item)]
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in (key, *strings(item))]
    return []


@given(json_values, st.booleans())
def test_every_string_of_any_json_is_a_piece(value: object, ascii_only: bool) -> None:
    """Decoded as the standard library decodes it, and its ends are where it stands in the document."""
    text = json.dumps(value, ensure_ascii=ascii_only)

    found = [piece for piece in pieces(text, Format.JSON) if not piece.number]

    assert strings(value) == [piece.text for piece in found]
    assert strings(value) == [json.loads(f'"{text[piece.place(0) : piece.place(len(piece.text))]}"') for piece in found]


@given(st.lists(st.sampled_from(['"', "\\", "n", "\U0001f600", "\u00e9", "a", "\x01"]), max_size=12))
def test_every_offset_in_a_string_has_its_place(letters: list[str]) -> None:
    """Each character alone, escaped or not, is found where it was written."""
    text = json.dumps("".join(letters))
    [piece] = pieces(text, Format.JSON)

    assert letters == [json.loads(f'"{text[piece.place(at) : piece.place(at + 1)]}"') for at in range(len(letters))]


def test_a_line_that_is_not_json_is_a_piece_of_text() -> None:
    """The lines around it are read as what they are; an empty one is none."""
    text = '{"a": "x"}\r\n{"b": "y"\n\n{"c": "z"}'

    assert [
        ("", "a", "/a"),
        ("a", "x", "/a"),
        ("", '{"b": "y"', ""),
        ("", "", ""),
        ("", "c", "/c"),
        ("c", "z", "/c"),
    ] == (told(text, Format.JSONL))


def test_csv_is_read_with_headings_as_context() -> None:
    """Quotes are undone and offsets lead to where a cell is written."""
    text = 'name;note\nJan;"said ""hi"" to; eva"\n'

    found = list(pieces(text, Format.CSV))

    assert [
        ("", "name", "/1"),
        ("", "note", "/2"),
        ("name", "Jan", "/1"),
        ("note", 'said "hi" to; eva', "/2"),
    ] == told(text, Format.CSV)
    assert ['""hi""', "eva"] == [
        text[found[3].place(5) : found[3].place(9)],
        text[found[3].place(14) : found[3].place(17)],
    ]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        (",name,cvv\n0,Jane,123\n", ["", "name", "cvv"]),
        ("#;name;cvv\n0;Jane;123\n", ["", "name", "cvv"]),
        ("id,name,cvv,\n0,Jane,123,x\n", ["id", "name", "cvv", ""]),
        ("\nid,name,cvv\n0,Jane,123\n", ["id", "name", "cvv"]),
        (",,\r\n;\r\nid,name,cvv\r\n0,Jane,123\r\n", ["id", "name", "cvv"]),
        ("sep=;\nid;a, b, c\n0;123\n", ["id", "a, b, c"]),
        ('"sep=^"\r\n\r\nid^name\r\n0^Jane\r\n', ["id", "name"]),
        ("sep=\t\nid\ta, b\n0\tJane\n", ["id", "a, b"]),
    ],
)
def test_headings_are_found_whatever_stands_beside_and_before_them(text: str, headings: list[str]) -> None:
    """A column without a name takes the names of no others, and neither do rows of nothing or one about the delimiter."""
    found = list(pieces(text, Format.CSV))

    assert headings == [each.context for each in found][-len(headings) :]
    assert all(each.text == text[each.place(0) : each.place(len(each.text))] for each in found)


@pytest.mark.parametrize("first", ["jane@example.com,b", "12345,b", "1,2"])
def test_a_first_row_of_values_is_no_heading(first: str) -> None:
    """Nor does a value become the context of another."""
    assert [""] * 2 == [context for context, _, _ in told(f"{first}\nx,y\n", Format.CSV)][-2:]


def test_a_row_without_end_is_not_kept_for_its_headings() -> None:
    """Thousands of cells are no table: they come as they are read."""
    cells = told(
        ",".join(f"c{at}" for at in range(9_000)) + "\n" + ",".join(f"v{at}" for at in range(9_000)), Format.CSV
    )

    assert 18_000 == len(cells)
    assert {""} == {each[0] for each in cells}


def test_a_long_line_of_json_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pieces as of a short one; and what is no JSON at its end is text from its beginning on."""
    text = '{"a": ["x", "y"]}\n{"a": ["x"'
    expected = told(text, Format.JSONL)
    monkeypatch.setattr("classifiers.scan_formats._LONG_LINE", 4)

    assert expected == told(text, Format.JSONL)
    assert 4 == len(expected)


def test_a_quote_that_is_never_closed_swallows_nothing() -> None:
    """The cells behind it are cells."""
    assert ["a", "b", '"x', "y", "z"] == [text for _, text, _ in told('a,b\n"x,y\nz', Format.CSV)]


@given(
    st.lists(st.lists(st.text(alphabet='ab",\n \u00e9', max_size=5), min_size=2, max_size=3), min_size=1, max_size=5)
)
def test_any_csv_is_read_as_the_standard_library_reads_it(rows: list[list[str]]) -> None:
    """Every cell that is not empty, in order."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["h", "h"], *rows])
    text = written.getvalue()

    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row if cell]
    assert cells == [piece.text for piece in pieces(text, Format.CSV) if piece.text]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Format.JSON, '"' + "\\" * 500_000),
        (Format.JSON, "[" + '"a",' * 200_000),
        (Format.JSON, '["' + "\\u00e9" * 100_000 + '"]'),
        (Format.JSONL, '{"a":\n' * 100_000),
        (Format.CSV, 'a,"' * 200_000),
        (Format.CSV, 'a,"""' * 200_000),
        (Format.CSV, '"' * 500_001),
    ],
    ids=lambda value: str(value)[:8],
)
def test_no_document_takes_more_than_its_length(kind: Format, text: str) -> None:
    """Half a megabyte of anything is read in seconds at most; quadratic would be hours."""
    started = time.process_time()
    try:
        for _ in pieces(text, kind):
            pass
    except NotInFormat:
        pass

    assert time.process_time() - started < 10


def test_the_suffix_says_the_format_unless_somebody_else_does() -> None:
    """Anything unknown is text."""
    assert [Format.JSON, Format.JSONL, Format.CSV, Format.TEXT, Format.JSON] == [
        format_of(Format.AUTO, PurePath("a.JSON")),
        format_of(Format.AUTO, PurePath("a.ndjson")),
        format_of(Format.AUTO, PurePath("a.tsv")),
        format_of(Format.AUTO, PurePath("README.md")),
        format_of(Format.JSON, PurePath("README.md")),
    ]


def test_text_is_one_piece() -> None:
    """As it is."""
    assert [Piece(text="a\nb")] == list(pieces("a\nb", Format.TEXT))
