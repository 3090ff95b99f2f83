"""`ringfence rules`: lists, one rule, examples of an operator's own rules, and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifiers.catalogue_page import page, strength
from classifiers.rules import load_rules
from governance.cli import exit_code
from governance.finding import Category

ROOT = Path(__file__).parents[2]
RULE = """
[[rule]]
id = "own.staff"
entity = "STAFF_NUMBER"
name = "Staff number"
category = "personal"
expressions = ['\\bST-[0-9]{6}\\b']
alone = 800
source = "Handbook of the company, 2026"
valid = ["ST-123456"]
invalid = ["ST-12345"]
found = ["Ask ST-123456 about it."]
clean = ["The train stops at ST-1."]
"""


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    return exit_code(["rules", *words]), *capsys.readouterr()


def test_the_page_is_what_the_rules_say() -> None:
    """After a change of the rules: `ringfence rules page > docs/catalogue.md`."""
    assert page(load_rules()) == (ROOT / "docs/catalogue.md").read_text("utf-8")


def test_no_row_of_the_page_is_too_long_to_read() -> None:
    """An entity of many rules has a table of its own, to which its row points."""
    text = page(load_rules())

    assert "| `API_KEY` | anywhere | [" in text
    assert "](#api_key)" in text
    assert "\n### API_KEY\n" in text
    assert all(len(line) < 1_000 for line in text.splitlines())


def test_every_rule_and_entity_is_on_the_page() -> None:
    """Nothing that is found goes unsaid, and no cell breaks the table."""
    rules = load_rules()
    rows = [
        line.replace("\\|", "") for line in page(rules).splitlines() if line.startswith("| ") and line.endswith(" |")
    ]
    entities = [row for row in rows if row.startswith("| `")]

    assert {rule.id for rule in rules} == {
        word.strip("`")
        for row in rows
        for word in row.removesuffix(" |").rsplit("| ", 1)[1].split(", ")
        if word[:1] == "`"
    }
    assert {rule.entity for rule in rules} == {row.split("`")[1] for row in entities}
    assert {6} == {row.count("|") for row in entities}
    assert {4, 6} == {row.count("|") for row in rows}


def test_rules_are_listed_by_country_and_category(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table and as one object a line; none is exit code 1."""
    code, out, _ = ran(capsys, "list", "--country", "nl", "--category", "vat", "--json")

    assert (0, ["nl.vat", "nl.vat_bare"]) == (code, [json.loads(line)["id"] for line in out.splitlines()])
    assert "nl.bsn" in ran(capsys, "list", "--country", "NL")[1]
    assert "uk.chi" in ran(capsys, "list", "--country", "UK")[1]
    code, out, err = ran(capsys, "list", "--country", "QQ")
    assert (2, "", True) == (code, out, "`QQ` is no country" in err)
    assert 2 == ran(capsys, "list", "--category", "nope")[0]


def test_one_rule_is_shown_with_its_source_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Or the names that come near."""
    code, out, _ = ran(capsys, "show", "nl.bsn")
    document = json.loads(ran(capsys, "show", "nl.bsn", "--json")[1])

    assert (0, True, "NL_BSN") == (code, "eleven test" in out and "111222333" in out, document["entity"])
    assert (2, "", "config_invalid: no rule is called `nl.bs`; did you mean nl.bsn\n") == ran(capsys, "show", "nl.bs")


def test_a_rule_is_reported_as_it_is_described() -> None:
    """The words of the page follow from score and check."""
    strengths = {rule.id: strength(rule) for rule in load_rules()}

    assert {
        "nl.vat": "checked",
        "nl.bsn": "checked with a word",
        "nl.kvk": "by its shape",
        "nl.plate": "with a word",
    } == {each: strengths[each] for each in ("nl.vat", "nl.bsn", "nl.kvk", "nl.plate")}


def test_rules_of_an_operator_are_tested_by_their_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of the four kinds of example can fail."""
    file = tmp_path / "own.toml"
    file.write_text(RULE)
    good = ran(capsys, "test", str(tmp_path))
    broken = RULE.replace('["ST-123456"]', '["ST-1"]').replace('["ST-12345"]', '["ST-654321"]')
    file.write_text(broken.replace("Ask ST-123456", "Ask").replace("at ST-1.", "at ST-111111."))
    bad = ran(capsys, "test", str(tmp_path), "--json")

    assert (0, "1 rules, 4 examples: all as they should be\n", "") == good
    assert (1, "") == (bad[0], bad[2])
    assert [
        "`ST-1` is valid and was not accepted",
        "`ST-654321` is invalid and was accepted",
        "nothing was found in `Ask about it.`",
        "something was found in `The train stops at ST-111111.`",
    ] == [fault["fault"] for fault in json.loads(bad[1])["faults"]]


def test_where_a_group_takes_no_part_the_value_is_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In examples as in texts: a group may stand in one of several ways to write a value."""
    rule = RULE.replace("\\bST-[0-9]{6}\\b", "ab([0-9]{4})|cd[0-9]{4}").replace("ST-123456", "cd1234")
    (tmp_path / "own.toml").write_text(rule)

    assert (0, "1 rules, 4 examples: all as they should be\n", "") == ran(capsys, "test", str(tmp_path))


def test_the_built_in_rules_are_tested_by_all_their_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Compiled rules come without examples; those of the files are what is run."""
    code, out, _ = ran(capsys, "test", "--json")
    told = json.loads(out)
    examples = sum(len(each) for rule in load_rules() for each in (rule.valid, rule.invalid, rule.found, rule.clean))
    assert (0, True, [], examples) == (code, told["ok"], told["faults"], told["examples"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a directory"),
        ("", "is not a rule file"),
        (RULE.replace("alone = 800", 'alone = 800\ncheck = "nope"'), "there is no check `nope`"),
        (RULE.replace("alone", "lone"), "rule `own.staff`: "),
    ],
)
def test_rules_that_are_no_good_are_named(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and where it is wrong."""
    if text is not None:
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules/own.toml").write_text(text)

    code, out, err = ran(capsys, "test", str(tmp_path / "rules"))

    assert (2, "", True) == (code, out, message in err)


def test_a_directory_without_rules_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing tested is not all well."""
    assert (2, "", f"config_invalid: {tmp_path}: holds no rule file\n") == ran(capsys, "test", str(tmp_path))


def test_every_category_has_a_heading() -> None:
    """A rule of a new category does not break the page."""
    [rule] = [rule for rule in load_rules() if rule.id == "nl.bsn"]
    object.__setattr__(rule, "category", None)
    for category in Category:
        object.__setattr__(rule, "category", category)
        assert 1 == page([rule]).count("\n## ")
