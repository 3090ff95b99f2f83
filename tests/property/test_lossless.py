"""Laws of the lossless document: three readers agree, and edits change their spans and nothing else."""

from __future__ import annotations

import json
import math
import re

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.dialects.contract import Limits
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
)
from governance.dialects.openai_chat import read_chat
from governance.errors import GovernanceError
from governance.segment import Edit, Span

# A character and one of the ways to spell it inside a JSON string.
Spelled = tuple[str, str]
SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
LIMITS = Limits()
GAPS = st.text(" \t\r\n", max_size=2)
CHARACTERS = st.one_of(
    st.characters(codec="utf-8"), st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7fé\u2028\ufeff\U0001f600{}[]:,')
)


def units(character: str) -> str:
    raw = character.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


@st.composite
def spelled(draw: st.DrawFn, characters: st.SearchStrategy[str] = CHARACTERS) -> Spelled:
    return spell(draw, draw(characters))


def spell(draw: st.DrawFn, character: str) -> Spelled:
    ways = [units(character), units(character).upper().replace("\\U", "\\u")]
    if character in SHORT:
        ways.append(SHORT[character])
    if character not in '"\\' and character >= " ":
        ways.append(character)
    return character, draw(st.sampled_from(ways))


def raw(pieces: list[Spelled]) -> str:
    return "".join(spelling for _, spelling in pieces)


def said(pieces: list[Spelled]) -> str:
    return "".join(character for character, _ in pieces)


STRINGS = st.lists(spelled(), max_size=8).map(lambda pieces: f'"{raw(pieces)}"')
NUMBERS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,30})\.[0-9]{1,40}([eE][-+]?[0-9]{1,2})?\Z"),
    st.sampled_from(["-0", "-0.0", "1E400", "1e-400", "5e-324", "2.2250738585072011e-308", "18446744073709551616"]),
)


@st.composite
def containers(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    values = draw(st.lists(inner, max_size=4))
    gap = draw(GAPS)
    if draw(st.booleans()):
        return f"[{gap}{(gap + ',').join(values)}{gap}]"
    members = (f"{draw(STRINGS)}{gap}:{draw(GAPS)}{value}" for value in values)
    return f"{{{gap}{(',' + gap).join(members)}{gap}}}"


DOCUMENTS = st.recursive(
    st.one_of(STRINGS, NUMBERS, st.sampled_from(["true", "false", "null"])), containers, max_leaves=12
)


def plain(value: Value) -> object:
    if isinstance(value, Object):
        return {name: plain(member) for name, (_, member) in value.members.items()}
    if isinstance(value, Array):
        return [plain(item) for item in value.items]
    if isinstance(value, Number):
        return json.loads(value.text())
    return value.text() if isinstance(value, String) else value


def pairs_are_unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("equal names")
    return dict(pairs)


def judged_by_others(body: bytes) -> object:
    """What both other readers make of `body`; raises ValueError where they refuse or differ."""
    ours = orjson.loads(body)
    theirs = json.loads(body.decode("utf-8"), object_pairs_hook=pairs_are_unique)
    if repr(ours) != repr(theirs):
        raise ValueError("read differently")
    return theirs


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_a_document_is_read_exactly_when_both_others_read_it_alike(source: str) -> None:
    """Accepted with the same values, or refused because the two differ or names are equal."""
    try:
        expected: object = repr(judged_by_others(source.encode()))
    except ValueError:
        expected = None
    try:
        actual: object = repr(plain(read(source)))
    except GovernanceError:
        actual = None

    assert expected == actual


FRAGMENTS = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b'"a"',
        b"\\",
        b"\\u00",
        b"\\ud83d",
        b"1",
        b"-",
        b".5",
        b"e9",
        b"999",
        b"true",
        b"nul",
        b"NaN",
        b"Infinity",
        b" ",
        b"\n",
        b"\x00",
        b"\xff",
        b"\xc3\xa9",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(FRAGMENTS, max_size=10).map(b"".join), st.binary(max_size=12)))
def test_nothing_is_read_that_another_reader_refuses(body: bytes) -> None:
    """Arbitrary bytes: accepted only where the stdlib and orjson agree."""
    try:
        value = read(decode(body))
    except GovernanceError:
        return

    assert repr(judged_by_others(body)) == repr(plain(value))


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.data())
def test_a_damaged_document_is_never_read_otherwise_than_by_others(source: str, data: st.DataObject) -> None:
    """One byte dropped, doubled or changed."""
    body = bytearray(source.encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + 1] = data.draw(st.sampled_from([b"", body[at : at + 1] * 2, b'"', b"\\", b",", b"0", b"]", b"\x80"]))
    try:
        value = read(decode(bytes(body)))
    except GovernanceError:
        return

    assert repr(judged_by_others(bytes(body))) == repr(plain(value))


def test_the_oracle_tells_readers_apart() -> None:
    """The comparison above would notice a number that orjson rounds and the stdlib does not."""
    assert math.isclose(float(2**64), orjson.loads(str(2**64)))
    assert repr(orjson.loads(str(2**64))) != repr(json.loads(str(2**64)))


@st.composite
def cuts_of(draw: st.DrawFn, length: int) -> list[tuple[int, int, str]]:
    """Edits in order that do not overlap."""
    bounds = sorted(draw(st.lists(st.integers(0, length), max_size=6, unique=True)))
    return [
        (start, end, draw(st.text(CHARACTERS, max_size=3)))
        for start, end in zip(bounds[::2], bounds[1::2], strict=False)
    ]


def escaped(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def respelled(pieces: list[Spelled], cuts: list[tuple[int, int, str]]) -> str:
    """The raw text in which only the pieces under a cut are replaced."""
    result, at = "", 0
    for start, end, replacement in cuts:
        result += raw(pieces[at:start]) + escaped(replacement)
        at = end
    return result + raw(pieces[at:])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(spelled(), min_size=1, max_size=10), min_size=1, max_size=4), GAPS, st.data())
def test_every_byte_outside_the_edits_stays(contents: list[list[Spelled]], gap: str, data: st.DataObject) -> None:
    """Strings in any spelling: the body is the one in which exactly the edited characters were spelled anew."""

    def body_of(raws: list[str]) -> bytes:
        turns = (f'{{{gap}"content":"{one}"{gap},"role":"user"}}' for one in raws)
        return f'{{"mod\\u0065l":"m",{gap}"messages":[{",".join(turns)}],"seed":1.50e+1{gap}}}'.encode()

    request = read_chat(body_of([raw(pieces) for pieces in contents]), LIMITS)
    cuts = [data.draw(cuts_of(len(pieces))) for pieces in contents]
    edits = [
        Edit(segment=at, span=Span(start=start, end=end), replacement=replacement)
        for at, changes in enumerate(cuts)
        for start, end, replacement in changes
    ]
    assert request.document is not None
    edited = request.document.apply(tuple(data.draw(st.permutations(edits))))

    assert [said(pieces) for pieces in contents] == [segment.text.reveal() for segment in request.segments]
    assert body_of([respelled(pieces, changes) for pieces, changes in zip(contents, cuts, strict=True)]) == edited


@settings(max_examples=80, deadline=None)
@given(st.lists(spelled(), min_size=1, max_size=8), st.data())
def test_every_byte_outside_an_edit_inside_nested_json_stays(inner: list[Spelled], data: st.DataObject) -> None:
    """Both levels spelled at random: outside the edit, each keeps its spelling."""
    before = [data.draw(spelled(st.just(one))) for one in '{ "a":"']
    after = [data.draw(spelled(st.just(one))) for one in '","n":1.0}']
    # The raw text of the inner string, character by character, each spelled again for the outer string.
    outer = [[data.draw(spelled(st.just(one))) for one in spelling] for _, spelling in inner]

    def body_of(middle: str) -> bytes:
        arguments = raw(before) + middle + raw(after)
        call = f'{{"name":"f","arguments":"{arguments}"}}'
        return f'{{"model":"m","messages":[{{"role":"assistant","function_call":{call}}}]}}'.encode()

    request = read_chat(body_of("".join(raw(pieces) for pieces in outer)), LIMITS)
    texts = [segment.text.reveal() for segment in request.segments]
    start, end = sorted((data.draw(st.integers(0, len(inner))), data.draw(st.integers(0, len(inner)))))
    replacement = data.draw(st.text(CHARACTERS, max_size=3))
    assert request.document is not None
    edited = request.document.apply((Edit(segment=2, span=Span(start=start, end=end), replacement=replacement),))
    middle = [raw(pieces) for pieces in outer]

    assert ["f", "a", said(inner), "n", "1.0"] == texts
    assert body_of("".join(middle[:start]) + escaped(escaped(replacement)) + "".join(middle[end:])) == edited


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.text(CHARACTERS, min_size=1, max_size=6), min_size=1, max_size=4),
    st.dictionaries(
        st.text(CHARACTERS, min_size=1, max_size=4), st.one_of(st.text(CHARACTERS), st.integers(0, 10**18))
    ),
    st.data(),
)
def test_reading_an_edited_body_gives_the_edited_segments(
    stops: list[str], arguments: dict[str, object], data: st.DataObject
) -> None:
    """Everything that was not edited is read as before: places, roles, other segments, counts."""
    call = {"name": "f", "arguments": json.dumps(arguments, ensure_ascii=False)}
    document = {"model": "m", "stop": stops, "messages": [{"role": "assistant", "function_call": call}]}
    request = read_chat(json.dumps(document).encode(), LIMITS)
    at = data.draw(st.integers(0, len(request.segments) - 1))
    old = request.segments[at].text.reveal()
    start, end = sorted((data.draw(st.integers(0, len(old))), data.draw(st.integers(0, len(old)))))
    # A replacement that occurs nowhere else keeps names apart.
    new = old[:start] + "<X_1\U0001f600>" + old[end:]
    edit = Edit(segment=at, span=Span(start=start, end=end), replacement="<X_1\U0001f600>")
    assert request.document is not None
    again = read_chat(request.document.apply((edit,)), LIMITS)

    def seen(number: int, text: str) -> tuple[str, str, str]:
        segment = request.segments[number]
        return segment.role, segment.place, text

    assert [
        seen(number, new if number == at else segment.text.reveal()) for number, segment in enumerate(request.segments)
    ] == [(segment.role, segment.place, segment.text.reveal()) for segment in again.segments]
    assert (request.messages, request.uninspected, request.media) == (again.messages, again.uninspected, again.media)


STRAYS = ["\\", "\\q", "\\u00", "\\ud83d", "\\uDe00", "u", "ud83d", "41", "\x00", "\n"]
ESCAPES = [*SHORT.values(), "\\u0000", "\\u005C", "\\uD7ff"]
LONG = ["x" * 9, "x" * 70, "\\n" * 9, "\\u0041x" * 70, "\\" * 600]
LOOSE = st.lists(
    st.sampled_from(STRAYS + ESCAPES) | st.sampled_from(LONG) | st.text(CHARACTERS, max_size=3), max_size=12
).map("".join)


def character_by_character(source: str) -> list[Spelled]:
    """The characters of loose text with their spellings, one after the other, as the grammar says."""
    pairs = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    escapes = rf'{pairs}|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{{4}}|\\["\\/bfnrt]'
    found, at = [], 0
    while at < len(source):
        escape = re.compile(escapes).match(source, at)
        spelling = escape[0] if escape else source[at]
        found.append((json.loads(f'"{spelling}"') if escape else spelling, spelling))
        at += len(spelling)
    return found


@settings(max_examples=200, deadline=None)
@given(LOOSE, st.data())
def test_loose_text_is_what_its_characters_say_one_by_one(source: str, data: st.DataObject) -> None:
    """Valid escapes are what they stand for, anything else is itself, and an edit covers whole spellings."""
    loose, pieces = LooseString(source), character_by_character(source)
    changes = data.draw(cuts_of(len(pieces)))
    starts = [sum(len(spelling) for _, spelling in pieces[:at]) for at in range(len(pieces) + 1)]

    assert said(pieces) == loose.text()
    assert [(starts[start], starts[end], escaped(new)) for start, end, new in changes] == cuts(
        loose, [Cut(*change) for change in changes]
    )
    with pytest.raises(ValueError, match="outside"):
        cuts(loose, [Cut(0, len(pieces) + 1, "")])
