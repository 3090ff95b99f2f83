"""The JSON reader: what it accepts, what it refuses, and where its spans lie."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable

import orjson
import pytest

from governance.dialects.json_body import JsonBody, Leaf
from governance.dialects.json_document import (
    Array,
    Cut,
    LooseString,
    Number,
    Object,
    String,
    Value,
    cuts,
    decode,
    read,
    splice,
)
from governance.errors import GovernanceError, MalformedRequest, RequestTooLarge
from governance.segment import Edit, Span

MIB = 1 << 20


def plain(value: Value) -> object:
    """The value as the stdlib would give it."""
    if isinstance(value, Object):
        return {name: plain(member) for name, (_, member) in value.members.items()}
    if isinstance(value, Array):
        return [plain(item) for item in value.items]
    if isinstance(value, Number):
        return json.loads(value.text())
    return value.text() if isinstance(value, String) else value


@pytest.mark.parametrize(
    "source",
    [
        "{}",
        " [ ] ",
        '"a"',
        '""',
        "-0",
        "-0.0",
        "18446744073709551615",
        "-9223372036854775808",
        "1E5",
        "1e-999",
        '{"a":{"b":[1,2.5,true,false,null,"x"]},"":{}}',
        r'{"\u0061\ud83d\ude00":"\"\\\/\b\f\n\r\t\u00e9\u0000"}',
        r'["\\","a\\\"","\\\\"]',
        '"\x7f\u2028\U0001f600"',
        "[" * 64 + "]" * 64,
    ],
)
def test_a_document_is_read_as_the_stdlib_and_orjson_read_it(source: str) -> None:
    """One meaning, three readers, equal down to the type of each number."""
    actual = repr(plain(read(source)))

    assert [repr(json.loads(source)), repr(orjson.loads(source))] == [actual, actual]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"[}",
        b'{"a"}',
        b'{"a":}',
        b'{"a" 1}',
        b"{1:2}",
        b'["a":1]',
        b'{"a":"b":"c"}',
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b'{"a":1,}',
        b"{} {}",
        b"{}x",
        b"1 2",
        b"nul",
        b"NaN",
        b"-Infinity",
        b"[Infinity]",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"1e",
        b"0x10",
        b"1_000",
        b"1e999",
        b"-1e999",
        b"18446744073709551616",
        b"-9223372036854775809",
        b"0." + b"1" * 200,
        b"'a'",
        b'"a',
        b'"\\"',
        b'"\\x41"',
        b'"\\u12"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'"a\nb"',
        b'"a\x00b"',
        b'"\x1f"',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'"\xed\xa0\x80"',
        b'"\xc0\xaf"',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        b"{}\x00",
        b"\x0b{}",
        "\u00a0{}".encode(),
        b"// c\n{}",
    ],
)
def test_what_is_not_json_or_not_read_alike_is_malformed(body: bytes) -> None:
    """Refused with one error, whose message holds nothing of the body."""
    with pytest.raises(MalformedRequest) as refused:
        read(decode(body))

    assert (None, True) == (
        refused.value.__cause__,
        refused.value.__suppress_context__ or not refused.value.__context__,
    )


@pytest.mark.parametrize(
    "source",
    [
        '{"a":1,"a":1}',
        r'{"a":1,"\u0061":2}',
        '{"x":[{"y":{"":1,"":2}}]}',
        r'{"\ud83d\ude00":1,"' + "\U0001f600" + '":2}',
    ],
)
def test_equal_names_in_one_object_are_refused(source: str) -> None:
    """Names are compared after their escapes are resolved, at any depth."""
    with pytest.raises(MalformedRequest) as refused:
        read(source)

    assert "duplicate_key" == refused.value.code


@pytest.mark.parametrize(
    ("source", "limit"),
    [("[" * 65 + "]" * 65, 64), ('{"a":' * 65 + "1" + "}" * 65, 64), ("[" + "0," * 100 + "0]", 100)],
)
def test_depth_and_number_of_values_are_limited(source: str, limit: int) -> None:
    """The error carries the limit that was reached."""
    with pytest.raises(RequestTooLarge) as refused:
        read(source, max_values=100 if limit == 100 else 1000)

    assert limit == refused.value.limit


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"1" * (8 * MIB),
        lambda: b"[" * (8 * MIB),
        lambda: b'"' + b"\\u0041" * (8 * MIB // 6) + b'"',
        lambda: b'"' + b'\\"' * (4 * MIB),
        lambda: b'"' * (8 * MIB),
        lambda: b"\\" * (8 * MIB),
        lambda: b"1" + b" " * (8 * MIB),
        lambda: b'"a"' + b" " * (8 * MIB) + b"x",
        lambda: b"[" + b"0," * (4 * MIB) + b"0]",
        lambda: b"[" + b"{}," * (2 * MIB) + b"0]",
        lambda: b"{" + b",".join(b'"k%d":%d' % (i, i) for i in range(100_000)) + b"}",
        lambda: b"a" * (8 * MIB),
        lambda: "\U0001f600".encode() * (2 * MIB),
    ],
    ids="digits brackets escapes quotes-escaped quotes backslashes spaces spaces-x zeros objects keys word emoji".split(),
)
def test_hostile_bodies_are_decided_in_bounded_time(make: Callable[[], bytes]) -> None:
    """Eight MiB of anything is read or refused: nothing here is quadratic."""
    body = make()
    started = time.process_time()
    with contextlib.suppress(GovernanceError):
        read(decode(body))

    assert time.process_time() - started < 20


def test_cuts_map_code_points_to_the_raw_text_through_escapes() -> None:
    """A surrogate pair is one code point, and every escape counts as the character it stands for."""
    source = r'  "a\u00e9\ud83d\ude00\n\\b"'
    value = read(source)

    assert isinstance(value, String)
    assert "aé\U0001f600\n\\b" == value.text()
    assert [r"\u00e9", r"\ud83d\ude00", r"\n", r"\\", "b"] == [
        source[cut.start : cut.end] for cut in cuts(value, [Cut(at, at + 1, "") for at in range(1, 6)])
    ]


def test_an_edit_writes_the_fewest_escapes() -> None:
    """Quotes, backslashes and control characters are escaped, everything else is UTF-8."""
    value = read('"x"')

    assert isinstance(value, String)
    assert '"\\"\\\\\\n\\u0001é\U0001f600/"' == splice('"x"', cuts(value, [Cut(0, 1, '"\\\n\x01é\U0001f600/')]))


def test_an_edited_number_becomes_a_string() -> None:
    """A placeholder cannot stand bare."""
    source = '{"n": 4111111111111111 }'
    value = read(source)

    assert isinstance(value, Object)
    number = value.get("n")
    assert isinstance(number, Number)
    assert '{"n": "<N>1111" }' == splice(source, cuts(number, [Cut(0, 12, "<N>")]))


@pytest.mark.parametrize("spans", [((0, 2), (1, 3)), ((2, 4),), ((-1, 1),), ((2, 1),)])
def test_edits_that_overlap_or_lie_outside_are_refused(spans: tuple[tuple[int, int], ...]) -> None:
    """Such edits would be a fault of ours: they fail instead of damaging the body."""
    source = '"abc"'
    value = read(source)

    assert isinstance(value, String)
    with pytest.raises(ValueError, match="edit"):
        splice(source, cuts(value, [Cut(start, end, "") for start, end in spans]))


def test_loose_text_is_read_as_a_tolerant_parser_would() -> None:
    """Valid escapes are resolved, stray ones stay, and an edit covers the escapes under it."""
    loose = LooseString(r'{"a":"x\u0040y\q\ud800' + "\\")

    assert r'{"a":"x@y\q\ud800' + "\\" == loose.text()
    assert r'{"a":"<E>\q\ud800' + "\\" == splice(loose.source, cuts(loose, [Cut(6, 9, "<E>")]))


def calls_in(act: Callable[[], object]) -> int:
    """How many functions `act` calls, those written in C included."""
    counted: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _argument: counted.update([event]))
    try:
        act()
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


@pytest.mark.parametrize(
    "spelling",
    [r"\n", r"\nx", r"\\", r"\u0061", r"\ud83d\ude00", r"\/\u0061x", r"\n" + "x" * 17, "x"],
    ids="newlines newlines-apart backslashes units pairs mixed sparse plain".split(),
)
def test_an_edit_behind_many_escapes_takes_far_fewer_steps_than_there_are(spelling: str) -> None:
    """What is in front of an edit is passed over by the hundred characters, however it is spelled."""
    source = f'"{spelling * (262_144 // len(spelling))}"'
    value = read(source)
    assert isinstance(value, String)
    last = len(value.text()) - 1

    assert calls_in(lambda: cuts(value, [Cut(last, last + 1, "")])) < len(source) / 100


@pytest.mark.parametrize(
    "spelling",
    [r"\n", r"\nx", r"\\", r"\u0061", r'\u0061"', r"\q", r"\ud800", r"\udc00", "\\n\x00", "x"],
    ids="newlines newlines-apart backslashes units quotes stray high low controls plain".split(),
)
def test_loose_text_takes_far_fewer_steps_than_it_has_escapes(spelling: str) -> None:
    """Read and edited by pieces, whatever keeps it from being JSON."""
    loose = LooseString("{" + spelling * (262_144 // len(spelling)))
    last = len(loose.text()) - 1

    assert calls_in(loose.text) < len(loose.source) / 100
    assert calls_in(lambda: cuts(loose, [Cut(last, last + 1, "")])) < len(loose.source) / 100


def test_renaming_to_an_equal_name_is_refused() -> None:
    """An edit may not make the body ambiguous."""
    source = '{"a":1,"b":2}'
    root = read(source)
    assert isinstance(root, Object)
    leaves = tuple(Leaf(name, None, is_name=True) for name, _ in root.members.values())
    body = JsonBody(source=source, leaves=leaves)

    assert b'{"c":1,"b":2}' == body.apply((Edit(segment=0, span=Span(start=0, end=1), replacement="c"),))
    with pytest.raises(MalformedRequest):
        body.apply((Edit(segment=0, span=Span(start=0, end=1), replacement="b"),))


def test_a_body_without_edits_is_the_body() -> None:
    """Not a byte changes."""
    source = '{ "b":1.0e5 ,\t"a": "\\u00e9é\\/" }\n'

    assert source.encode() == JsonBody(source=source, leaves=()).apply(())
