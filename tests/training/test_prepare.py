"""Sets become arrays once, and again when anything changes that they depend on; the command says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.training import generator, sets
from classifiers.training.__main__ import main
from classifiers.training.prepare import TEMPLATES, prepared
from classifiers.training.rows import Row
from tests.training.pieces import row, tokenizer


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One set `one` of the lines of a file, and templates that make `made` texts; the names of what was really read."""
    done: list[str] = []

    def lines(folder: Path) -> Iterator[Row]:
        done.append("one")
        for at, line in enumerate((folder / "lines").read_text().splitlines()):
            yield row(line, group=f"one/{at}")

    def made(seed: int, count: int) -> Iterator[Row]:
        done.append(TEMPLATES)
        return (row(f"ask {seed}", group=f"templates/{at}") for at in range(count))

    monkeypatch.setattr(sets, "SETS", {"one": ("folder", lines)})
    monkeypatch.setattr(generator, "rows", made)
    return done


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with the set."""
    folder = tmp_path / "data" / "folder"
    folder.mkdir(parents=True)
    (folder / "lines").write_text("Anna lives\nask Anna\n")
    return tmp_path / "data"


def _prepared(data: Path, texts: int = 3, seed: int = 0, **given):
    return prepared(data, data.parent / "out", tokenizer(), texts=texts, seed=seed, tell=lambda _: None, **given)


def test_sets_and_templates_are_one_corpus(read: list[str], data: Path) -> None:
    """Each under its own name; `only` leaves out the others."""
    assert ("one", TEMPLATES) == _prepared(data).source_names
    assert 5 == len(_prepared(data))
    assert ("one",) == _prepared(data, only=["one"]).source_names


def test_what_was_cut_once_is_read_back(read: list[str], data: Path) -> None:
    """Until a file of the set changes, or the number or the seed of the templates: then that alone is cut again."""
    _prepared(data)
    _prepared(data)
    assert ["one", TEMPLATES] == read
    (data / "folder" / "lines").write_text("Anna\n")
    assert 4 == len(_prepared(data))
    assert ["one", TEMPLATES, "one"] == read
    _prepared(data, texts=4)
    _prepared(data, seed=1)
    assert [TEMPLATES, TEMPLATES] == read[3:]


def test_a_set_that_is_unknown_or_not_there_is_named(read: list[str], data: Path) -> None:
    """The first says which there are."""
    with pytest.raises(ValueError, match="no set `two`: there are one, templates"):
        _prepared(data, only=["two"])
    with pytest.raises(FileNotFoundError, match="`folder` of the set `one`"):
        _prepared(data.parent, only=["one"])


def test_a_set_whose_folder_holds_nothing_is_named(read: list[str], data: Path) -> None:
    """Also when its empty arrays were kept; templates may be left out."""
    (data / "folder" / "lines").write_text("")
    for _ in range(2):
        with pytest.raises(ValueError, match="holds no text of the set `one`"):
            _prepared(data)
    (data / "folder" / "lines").write_text("Anna\n")
    assert 1 == len(_prepared(data, texts=0))


def test_help_names_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    """And what each leaves where."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out

    assert 0 == ended.value.code
    for command in ("prepare", "teacher", "student", "distil", "export", "speed", "all"):
        assert f"  {command} " in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", "--out", "x"], "--data is missing"),
        (["prepare", "--out", "x", "--data", "x", "--base", "nowhere"], "no tokenizer.json in `nowhere`"),
        (["speed", "nowhere"], "nowhere"),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, with exit status 1 and no traceback."""
    monkeypatch.chdir(tmp_path)

    assert 1 == main(arguments)
    assert said in capsys.readouterr().err
