"""Template files: what a line says, what is wrong with one, and the rows that come of them."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.training.generator import expand, main, rows, shelf, shown
from classifiers.training.grammar import Choice, Malformed, Marked, Slot, parse
from classifiers.training.kinds import KINDS
from classifiers.training.pools import is_held_out, place
from classifiers.training.rows import TOPICS, Row, split_of, tidy
from classifiers.training.template_files import DIRECTORY, Fault, read
from classifiers.training.values import Values


def texts(line: str, count: int = 40) -> set[str]:
    parts = parse(line)
    return {expand(parts, Values(random.Random(seed), locale="en_US"), random.Random(seed))[0] for seed in range(count)}


def fault_of(directory: Path, text: str) -> list[tuple[int, str]]:
    (directory / "a.txt").write_text(text, encoding="utf-8")
    return [(fault.line, fault.message) for fault in read(directory).faults]


def test_a_line_is_text_slots_alternations_and_marked_stretches() -> None:
    """Every construct has its part, and numbers stand before or after a variant."""
    line = r"Hi[,|] {person.first#1} <MEDICAL>had a {test}</MEDICAL>\n{email:lower#2} {city#3:upper}"

    assert parse(line) == (
        "Hi",
        Choice(options=((",",), ())),
        " ",
        Slot(kind="person.first", number=1),
        " ",
        Marked(type="MEDICAL", parts=("had a ", Slot(kind="test"))),
        "\n",
        Slot(kind="email", number=2, variant="lower"),
        " ",
        Slot(kind="city", number=3, variant="upper"),
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r"a \[b\] \| \{c\} \\ \<MEDICAL>", r"a [b] | {c} \ <MEDICAL>"),
        ('{"name": [1|1]}', '{"name": 1}'),
        ("if (a < b) { return | }", "if (a < b) { return | }"),
        (r"\# A heading\n\tand so on", "# A heading\n\tand so on"),
        ("<br>[x[|]|x]</p>", "<br>x</p>"),
    ],
)
def test_what_begins_nothing_is_literal(line: str, text: str) -> None:
    """Escapes, most JSON and most code come out as they are meant."""
    assert texts(line) == {text}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a [b|c", "column 3: `[` is not closed"),
        ("a b]", "column 4: `]` closes nothing"),
        ("[only]", "column 1: `[` with one option"),
        ("{person", "column 1: not a slot"),
        ("{person:loud}", "column 1: `loud` is not a variant"),
        ("<MEDICAL>x", "column 11: `<MEDICAL>` is not closed"),
        ("x</MEDICAL>", "column 2: `</MEDICAL>` closes nothing"),
        ("<MEDICAL>x</AGE>", "column 11: `</AGE>` closes nothing"),
        ("<PET>x</PET>", "column 1: `PET` is not a type"),
        ("[<AGE>1|2]", "column 8: `<AGE>` is not closed before `|`"),
        ("<AGE><ID>1</ID></AGE>", "column 6: `<ID>` inside `<AGE>`"),
        ("<AGE></AGE>", "column 12: `<AGE>` holds nothing"),
        ("[a|[b|[c|[d|[e|f]]]]]", "column 13: more than 4 alternations"),
        ("a\\", "column 2: `\\` at the end"),
    ],
)
def test_a_line_that_says_nothing_clear_is_refused(line: str, message: str) -> None:
    """The message says what is wrong, and at which column."""
    with pytest.raises(Malformed) as raised:
        parse(line)

    assert str(raised.value).startswith(message)


@given(st.text(st.sampled_from("ab[]|{}<>/\\#: AGEperson1")))
@settings(max_examples=300, deadline=None)
def test_any_line_is_parsed_or_refused(line: str) -> None:
    """No line makes the parser fail in another way, or never end."""
    try:
        parts = parse(line)
    except Malformed:
        return
    assert isinstance(parts, tuple)


def test_alternations_make_every_text() -> None:
    """Each option comes, nested ones too, and the empty one."""
    assert texts("[a|b[|c]]d") == {"ad", "bd", "bcd"}


def test_a_marked_stretch_is_one_span() -> None:
    """Slots inside a stretch marked by hand mark nothing of their own."""
    text, spans = expand(parse("at <ADDRESS>Flat 2, {city}</ADDRESS>!"), Values(random.Random(1)), random.Random(1))

    assert spans == ((3, len(text) - 1, "ADDRESS"),)


def test_spans_stand_where_the_values_do() -> None:
    """The text between the ends of each span is what was drawn for its slot, in order."""
    values = Values(random.Random(4), locale="fr_FR")
    text, spans = expand(parse("[x|yy] {person#1}, {city#2}: {disease#3}"), values, random.Random(7))

    assert [text[start:end] for start, end, _ in spans] == [
        values.draw(k, n).text for k, n in (("person", 1), ("city", 2), ("disease", 3))
    ]
    assert [kind for *_, kind in spans] == ["PERSON", "LOCATION", "MEDICAL"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("# topics: pets\nhi", [(1, "not a topic: pets")]),
        ("hi", [(1, "no `# topics:` before the first template")]),
        ("# topics:\n{pet} {person}", [(2, "not a slot: {pet}")]),
        ("# topics:\nhi  there\n# more\nHi there", [(4, "the same as a.txt:2")]),
        ("# topics:\nhi ", [(2, "white space at its edge")]),
        ("# topics:\n[a", [(2, "column 1: `[` is not closed")]),
        (f"# topics:\n{'a' * 4001}", [(2, "4001 characters; 4000 are allowed")]),
        ("# topics: health, legal\n# language: de\n\n# hallo\nhallo", []),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, text: str, faults: list[tuple[int, str]]) -> None:
    """Each thing that can be wrong with a file has a message, at its line."""
    assert fault_of(tmp_path, text) == faults


def test_a_line_may_stand_in_one_file_only(tmp_path: Path) -> None:
    """A template of another file is a fault, with the place of the first."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("# topics:\nhi {person}\n", encoding="utf-8")

    assert read(tmp_path).faults == (Fault(file="b.txt", line=2, message="the same as a.txt:2"),)


def test_rows_of_a_file_at_fault_are_refused(tmp_path: Path) -> None:
    """Nothing is made of what could be read, where something could not."""
    (tmp_path / "a.txt").write_text("# topics:\nhi\n[a\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"^a\.txt:3: column 1"):
        next(rows(1, 1, tmp_path))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template files as they stand now."""
    return Path(shutil.copytree(DIRECTORY, tmp_path_factory.mktemp("templates") / "copy"))


@pytest.fixture(scope="module")
def made(copied: Path) -> tuple[Row, ...]:
    return tuple(rows(7, 1000, copied))


def test_the_templates_of_the_tree_have_no_fault() -> None:
    """Every template file is read, and every type and topic occurs in one."""
    found = read()

    assert found.faults == ()
    assert {topic for template in found.templates for topic in template.topics} == set(TOPICS)


def test_half_of_all_rows_are_clean(made: tuple[Row, ...]) -> None:
    """About half of all rows have neither a span nor a topic."""
    clean = sum(not row.spans and not any(row.topics.values()) for row in made)

    assert 0.45 < clean / len(made) < 0.57


def test_rows_are_tidy_and_know_every_topic(made: tuple[Row, ...]) -> None:
    """Spans are in order, disjoint and without white space at the edge, and no topic is unknown."""
    assert all(tidy(row.text, row.spans) == row.spans for row in made)
    assert {frozenset(row.topics) for row in made} == {frozenset(TOPICS)}
    assert all(row.group.startswith("templates/") and not row.unmarked for row in made)


def test_rows_are_the_same_for_the_same_seed(made: tuple[Row, ...], copied: Path) -> None:
    """The n-th row depends on the seed and n alone: fewer rows are the beginning of more, and another seed has others."""
    assert tuple(rows(7, 40, copied)) == made[:40]
    assert tuple(rows(8, 40, copied)) != made[:40]


def test_names_of_training_rows_are_not_those_of_the_others(tmp_path: Path) -> None:
    """A template of the training part never holds a name that one of the other parts can hold."""
    lines = "\n".join(f"{number}: {{person.last}}" for number in range(60))
    (tmp_path / "a.txt").write_text(f"# topics:\n# language: sv\n{lines}\n", encoding="utf-8")
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for row in rows(3, 900, tmp_path):
        names[split_of(row) == "train"] |= {row.text[start:end].casefold() for start, end, _ in row.spans}
    family = place("sv_SE").family

    assert min(map(len, names.values())) > 20
    assert names[True] & {name.casefold() for name in family.held_out} == set()
    assert names[False] & {name.casefold() for name in family.train} == set()
    assert {is_held_out(name) for name in family.held_out} == {True}


def test_no_file_drowns_the_others(tmp_path: Path) -> None:
    """A file of a hundred lines is drawn ten times as often as one of a single line, not a hundred times."""
    (tmp_path / "long.txt").write_text("# topics:\n" + "\n".join(f"line {n}" for n in range(100)), encoding="utf-8")
    (tmp_path / "short.txt").write_text("# topics:\nshort", encoding="utf-8")
    drawn = shelf(read(tmp_path).templates)

    assert drawn.sums == (10.0, 11.0)


def test_children_s_files_have_the_ages_of_children(tmp_path: Path) -> None:
    """Most ages in a file about children are under eighteen."""
    (tmp_path / "a.txt").write_text("# topics: children\nage {age.number}", encoding="utf-8")
    ages = [int(row.text[start:end]) for row in rows(1, 200, tmp_path) for start, end, _ in row.spans]

    assert sum(age < 18 for age in ages) > 0.8 * len(ages)


def test_code_and_keys_are_never_mistyped(tmp_path: Path) -> None:
    """A row with a key or code keeps every letter of its template."""
    (tmp_path / "a.txt").write_text("# topics: credentials\nTheConfigurationBefore {secret} after", encoding="utf-8")
    (tmp_path / "b.txt").write_text("# topics: source_code\nTheConfigurationBefore()", encoding="utf-8")

    assert all("TheConfigurationBefore" in row.text for row in rows(1, 200, tmp_path))


def test_texts_are_joined_with_those_of_their_language_and_split(tmp_path: Path) -> None:
    """No row holds text of two languages, or of a template that is measured beside one that is trained on."""
    for language in ("en", "de"):
        lines = "\n".join(f"{language}{number}x" for number in range(50))
        (tmp_path / f"{language}.txt").write_text(f"# topics:\n# language: {language}\n{lines}\n", encoding="utf-8")
    split_of_line = {}
    together = []
    for row in rows(5, 1500, tmp_path):
        named = re.findall(r"(en|de)(\d+)x", row.text.lower())
        file, line = row.group.split("/")[1:]
        split_of_line[file[:2], str(int(line) - 3)] = split_of(row)
        together.append((row.language, split_of(row), named))

    assert max(len(named) for *_, named in together) > 3
    assert all({of for of, _ in named} <= {language} for language, _, named in together)
    assert all({split_of_line[name] for name in named} <= {split} for _, split, named in together)


def test_a_row_is_shown_with_its_spans_in_tags() -> None:
    """What is shown has the group, the topics that are true, and each span between tags."""
    row = Row(
        text="hi Ann",
        spans=((3, 6, "PERSON"),),
        topics={"hr": True, "legal": False},
        group="t/a/1",
        source="t",
        language="en",
    )

    assert shown(row) == "--- t/a/1 [hr]\nhi <PERSON>Ann</PERSON>"


def test_the_command_checks_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """The check ends well on the tree; texts are shown, of the files asked for; a file nobody has is an error."""
    assert main(["--check"]) == 0
    assert main(["--show", "3", "--file", "health/"]) == 0
    assert capsys.readouterr().out.count("--- templates/health/") == 3
    assert main(["--show", "3", "--file", "no such file"]) == 1


def test_every_slot_can_stand_in_a_template() -> None:
    """Each kind is written as the templates write it."""
    for kind in KINDS:
        assert parse(f"{{{kind}}}") == (Slot(kind=kind),)
