"""The prose of the repository names only what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from governance.decision import Action
from governance.denial import MESSAGES
from governance.residency import Level, Tier
from governance.telemetry import ControlMetrics, WorkerMetrics, merge, render
from sidecar.local_replies import REPLIES

ROOT = Path(__file__).parents[2]
PAGES = (
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "README.md",
    "DECISIONS.md",
    "rego/README.md",
    "docs/scan.md",
    "docs/bundles.md",
    "docs/identity.md",
    "docs/evaluation.md",
    "docs/models.md",
    "docs/policy-guide.md",
    "docs/policy-library.md",
    "docs/recognizers.md",
)
CODE = re.compile(r"`([^`\n]+)`")
# Files in the user's own directory, or made by the commands that the sentence is about.
NOT_OURS = frozenset(
    {
        "ringfence.yaml",
        "uv.lock",
        "data.json",
        "data.yaml",
        "keys/",
        "envoy/__init__.py",
        "policy.rego",
        "policy_test.rego",
        "cases.yaml",
        "params.json",
        "params.schema.json",
    }
)


def read(page: str) -> str:
    """The text of a page of the repository."""
    return (ROOT / page).read_text()


def cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the table under `heading`, without its head."""
    section = read(page).split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    """A path in backticks is a path in the repository; a link leads somewhere."""
    text = re.sub(r"(?m)^    .*$", "", read(page))
    inside = (ROOT / page).parent
    named = [
        code
        for code in CODE.findall(text)
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(/|\.(py|md|yaml|json|rego|toml))", code)
    ]
    linked = re.findall(r"\]\(([\w./-]+)\)", text)

    missing = [
        name
        for name in named + linked
        if name not in NOT_OURS and not any((base / name).exists() for base in (ROOT, inside, ROOT / "rego/policies"))
    ]
    assert [] == missing


def test_every_module_of_the_path_stands_in_the_reading_order() -> None:
    """The page leads through each package; a renamed file shows here."""
    named = {code for row in cells("ARCHITECTURE.md", "Reading order") for code in CODE.findall(row[0])}

    assert {"governance", "classifiers", "sidecar"} == {name.split("/")[0] for name in named}
    assert [] == sorted(name for name in named if not (ROOT / name).is_file())


def test_codes_of_the_failure_table_are_codes_that_callers_see() -> None:
    """Nobody searches for a code that is never sent."""
    known = {*MESSAGES, *(reply.code for reply in REPLIES)}
    words = {"unknown", "uninspected", "retry-after", "exchange_aborted"}
    named = {
        code for row in cells("ARCHITECTURE.md", "When something breaks") for code in CODE.findall(" ".join(row[1:]))
    }

    assert set() == named - known - words


def test_statuses_of_the_failure_table_are_those_sent() -> None:
    """`413 request_too_large` in the table is 413 in the one table of what a caller is told."""
    from governance import denial, errors

    kinds = [
        errors.MalformedRequest,
        errors.UnsupportedOperation,
        errors.Overloaded,
        errors.DetectorUnavailable,
        errors.PolicyUnavailable,
        errors.PlacementUnavailable,
        errors.AuditUnavailable,
    ]
    sent = {denial.of_error(kind()).code: denial.of_error(kind()).status for kind in kinds}
    sent["request_too_large"] = denial.of_error(errors.RequestTooLarge(limit=1)).status
    told = {
        code: int(status)
        for row in cells("ARCHITECTURE.md", "When something breaks")
        for status, code in re.findall(r"(\d{3}) `(\w+)`", row[1])
    }

    assert sent == {code: status for code, status in told.items() if code in sent}


def test_every_metric_to_watch_is_exported() -> None:
    """An alarm on a name that does not exist never rings; labels are those of the series."""
    worker, control = WorkerMetrics(), ControlMetrics()
    page = merge({"w": render(worker.registry), "c": render(control.registry)}).decode()
    exported = set(re.findall(r"(?m)^# TYPE (\w+) ", page))
    named = {name.split("{")[0] for row in cells("ARCHITECTURE.md", "What to watch") for name in CODE.findall(row[0])}

    assert set() == named - exported


def test_the_layer_rule_is_the_one_that_is_enforced() -> None:
    """The modules the page calls pure are those that import-linter watches."""
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    pure = next(contract for contract in contracts if "reach no I/O" in contract["name"])["source_modules"]
    section = read("ARCHITECTURE.md").split("## The layer rule", 1)[1].split("\n## ", 1)[0]
    claimed = section.split("Its nouns, ", 1)[1].split(" reach no", 1)[0]

    assert set() == {code.removesuffix(".py").replace("/", ".") for code in CODE.findall(claimed)} - set(pure)


@pytest.mark.parametrize("page", PAGES)
def test_make_recipes_that_are_named_exist(page: str) -> None:
    """Two commands do everything, and they are spelt right."""
    recipes = set(re.findall(r"(?m)^([a-z]+):", read("Makefile")))

    assert set() == set(re.findall(r"(?:`|^    )make ([a-z]+)", read(page), re.MULTILINE)) - recipes


def test_commands_that_are_named_exist() -> None:
    """Every `ringfence ...` in the prose is a command of the command line."""
    import typer.main

    from governance.cli import app

    group = typer.main.get_command(app)
    inner = {name: set(getattr(command, "commands", ())) for name, command in group.commands.items()}  # type: ignore[attr-defined]
    known = {name for name, below in inner.items() if not below}
    known |= {f"{name} {each}" for name, below in inner.items() for each in below}
    named = set()
    for page in PAGES:
        for name, below in re.findall(
            r"(?:`|bin/|^ {4}(?:\$ )?)ringfence ([a-z]+)(?: ([a-z|]+))?", read(page), re.MULTILINE
        ):
            named |= {f"{name} {each}" for each in below.split("|")} if inner.get(name) else {name}

    assert set() == named - known


@pytest.mark.parametrize(
    ("kind", "page"), [(Tier, "CONTRIBUTING.md"), (Level, "CONTRIBUTING.md"), (Action, "CONTRIBUTING.md")]
)
def test_closed_words_are_written_out_in_order(kind: type[Tier | Level | Action], page: str) -> None:
    """The word list and the code say the same words."""
    words = [str(word) for word in kind]
    text = read(page).replace(" or ", ", ")

    assert ", ".join(words) in text


def test_the_licence_is_the_one_that_is_declared() -> None:
    """The whole text of Apache-2.0."""
    text = read("LICENSE")

    assert "Apache-2.0" == tomllib.loads(read("pyproject.toml"))["project"]["license"]
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
