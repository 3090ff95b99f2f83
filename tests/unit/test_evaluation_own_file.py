"""A user's own labelled texts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from classifiers.evaluation import own_file
from classifiers.evaluation.own_file import own_texts
from classifiers.evaluation.scores import EVERY_KIND, Labelled, Mark
from classifiers.training.rows import TOPICS
from governance.errors import ConfigInvalid


def written(folder: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    """A file of these lines."""
    path = folder / "chat.jsonl"
    encoded = (each if isinstance(each, str | bytes) else json.dumps(each) for each in lines)
    path.write_bytes(b"\n".join(each.encode() if isinstance(each, str) else each for each in encoded))
    return path


def test_a_line_says_all_there_is_to_know(tmp_path: Path) -> None:
    """Types in the names of the comparison and without titles; topics; a language and a group."""
    path = written(
        tmp_path,
        {
            "text": "Dr. Roe of Basel",
            "spans": [[11, 16, "GPE"], [0, 7, "PERSON"]],
            "topics": {"health": True, "legal": False},
            "language": "en",
            "group": "ask",
        },
    )

    assert [
        Labelled(
            text="Dr. Roe of Basel",
            marks=(Mark(start=4, end=7, kind="PERSON"), Mark(start=11, end=16, kind="LOCATION")),
            kinds=frozenset({"PERSON", "LOCATION"}),
            topics={"health": True, "legal": False},
            group="chat/ask",
            source="chat",
            language="en",
        )
    ] == own_texts(path)


def test_a_line_marks_the_types_of_the_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    """An empty list of spans says there is nothing of any type; no list says nothing; `types` says what is looked at."""
    path = written(
        tmp_path,
        {"text": "Jane", "spans": [[0, 4, "PERSON"]]},
        {"text": "nobody", "spans": []},
        {"text": "no place", "spans": [], "types": ["LOCATION"]},
        "",
        {"text": "who knows"},
        {"text": "a place", "types": ["LOCATION", "STREET_ADDRESS"]},
    )

    got = own_texts(path)

    assert [
        frozenset({"PERSON"}),
        EVERY_KIND,
        frozenset({"LOCATION"}),
        frozenset(),
        frozenset({"LOCATION", "ADDRESS"}),
    ] == [each.kinds for each in got]
    assert ["chat/1", "chat/2", "chat/3", "chat/5", "chat/6"] == [each.group for each in got]
    assert {"und"} == {each.language for each in got}


def test_a_list_of_topics_says_that_all_others_do_not_hold(tmp_path: Path) -> None:
    """An object leaves those unknown that it does not name."""
    got = own_texts(written(tmp_path, {"text": "a", "topics": ["hr"]}, {"text": "b", "topics": {"hr": True}}))

    assert [{name: name == "hr" for name in TOPICS}, {"hr": True}] == [each.topics for each in got]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "the line is not a JSON document"),
        ("[1]", "the line is not a JSON object"),
        (b'{"text": "\xff"}', "the line is not a JSON document"),
        ({}, "`text` is missing"),
        ({"text": 1}, "`text` is not a string"),
        ({"text": "a", "label": 1}, "unknown key `label`; the keys are group, language, spans, text, topics, types"),
        ({"text": "a", "spans": {}}, "`spans` is not a list"),
        ({"text": "a", "spans": [[0, 1]]}, "span 1 is not [start, end, type]"),
        ({"text": "a", "spans": [[0, True, "A"]]}, "start and end of span 1 are not integers"),
        ({"text": "a", "spans": [[0, 1.0, "A"]]}, "start and end of span 1 are not integers"),
        ({"text": "a", "spans": [[0, 2, "A"]]}, "span 1 is 0 to 2 of a text of 1 characters"),
        ({"text": "a", "spans": [[1, 1, "A"]]}, "span 1 is 1 to 1 of a text of 1 characters"),
        ({"text": "a", "spans": [[0, 1, "person"]]}, "a type is not a name such as `PERSON`"),
        ({"text": "ab", "spans": [[0, 2, "A"], [1, 2, "B"]]}, "the span at 1 to 2 overlaps another"),
        ({"text": "a", "spans": [[0, 1, "A"]], "types": ["B"]}, "`types` lacks `A`, which a span has"),
        ({"text": "a", "types": "A"}, "`types` is not a list"),
        (
            {"text": "a", "topics": {"hr": 1}},
            "`topics` is neither an object of topics that are true or false nor a list",
        ),
        ({"text": "a", "topics": "hr"}, "`topics` is neither an object of topics that are true or false nor a list"),
        ({"text": "a", "topics": ["sport"]}, "no topic `sport`; the topics are health, financial"),
        ({"text": "a", "topics": [["hr"]]}, "no topic `['hr']`; the topics are health, financial"),
        ({"text": "a", "language": "English!"}, "`language` is not a code such as `en`"),
        ({"text": "a", "group": 5}, "`group` is not a string of up to 256 characters"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, line: Any, expected: str) -> None:
    """And ends the reading: a mark that was meant to count must not be lost in silence."""
    path = written(tmp_path, {"text": "fine"}, line)

    with pytest.raises(ConfigInvalid) as caught:
        own_texts(path)

    assert str(caught.value).startswith(f"{path}:2: {expected}")


def test_no_error_quotes_the_text(tmp_path: Path) -> None:
    """Whatever is wrong beside it."""
    path = written(tmp_path, {"text": "my password is tulip", "spans": [[0, 99, "PERSON"]]})

    with pytest.raises(ConfigInvalid) as caught:
        own_texts(path)

    assert "tulip" not in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "value", "expected"),
    [
        ("MAX_LINES", 1, "chat.jsonl:2: the file has more than 1 lines"),
        ("MAX_LINE_BYTES", 20, "chat.jsonl:2: the line is over 20 bytes"),
        ("MAX_TEXT", 5, "chat.jsonl:2: `text` is over 5 characters"),
        ("MAX_SPANS", 0, "chat.jsonl:2: `spans` has more than 0 entries"),
    ],
)
def test_what_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, expected: str
) -> None:
    """Lines, bytes of a line, characters of a text and spans are bounded."""
    monkeypatch.setattr(own_file, limit, value)
    path = written(tmp_path, {"text": "fine"}, {"text": "longer", "spans": [[0, 1, "A"]]})

    with pytest.raises(ConfigInvalid, match=expected):
        own_texts(path)


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_file_without_a_line_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing measured is nothing proved."""
    with pytest.raises(ConfigInvalid, match="holds no labelled text"):
        own_texts(written(tmp_path, content))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder, a name that is not there, and one that no file can have."""
    for path, reason in (
        (tmp_path, "is a directory"),
        (tmp_path / "none.jsonl", "no such file or directory"),
        (tmp_path / "a\0b", "not a path"),
    ):
        with pytest.raises(ConfigInvalid) as caught:
            own_texts(path)

        assert f"{os.fspath(path)}: cannot be read: {reason}" == str(caught.value)
