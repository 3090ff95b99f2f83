"""Where labelled texts come from."""

from __future__ import annotations

import sys
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.evaluation.scores import Labelled, Mark
from classifiers.evaluation.sources import LabelledSet, from_data, from_file, from_templates, labelled, sampled
from classifiers.training import sets
from classifiers.training.rows import TYPES, Row, split_of
from governance.errors import ConfigInvalid


def row(number: int, source: str = "wills") -> Row:
    """A text of a group of its own."""
    return Row(text=f"text {number}", topics={}, group=f"{source}/{number}", source=source, language="en")


def one_hundred(directory: Path) -> Iterator[Row]:
    """As a set's reader: a hundred rows, whatever lies there."""
    assert directory.is_dir()
    return (row(number) for number in range(100))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a set that can be read, and one that cannot."""

    def broken(_: Path) -> Iterator[Row]:
        raise ValueError("my password is tulip")

    def torn(_: Path) -> Iterator[Row]:
        raise PermissionError(13, "Permission denied")

    registry = {
        "torn": ("torn", torn),
        "wills": ("wills-v1", one_hundred),
        "deeds": ("deeds", broken),
        "gone": ("gone", one_hundred),
    }
    monkeypatch.setattr(sets, "SETS", registry, raising=False)
    for folder in ("wills-v1", "deeds", "torn", "else"):
        (tmp_path / folder).mkdir()
    return tmp_path


def test_a_row_is_scored_on_what_its_set_marks() -> None:
    """Types that may stand unmarked are not; edges are those of both sides."""
    unmarked = frozenset(TYPES) - {"PERSON", "ADDRESS"}

    got = labelled(
        Row(
            text="Mr Roe, 5 High St",
            spans=((0, 6, "PERSON"), (8, 17, "ADDRESS")),
            unmarked=unmarked,
            topics={"hr": False},
            group="wills/7",
            source="wills",
            language="en",
        )
    )

    assert (
        Labelled(
            text="Mr Roe, 5 High St",
            marks=(Mark(start=3, end=6, kind="PERSON"), Mark(start=8, end=17, kind="ADDRESS")),
            kinds=frozenset({"PERSON", "ADDRESS"}),
            topics={"hr": False},
            group="wills/7",
            source="wills",
            language="en",
        )
        == got
    )


@pytest.mark.parametrize("split", ["dev", "test"])
def test_only_one_split_of_a_set_is_measured(known: Path, split: str) -> None:
    """Nothing that a model learnt from, nor what the other split holds."""
    (got,) = from_data(known, ["wills"], split=split, limit=None, seed=0)  # type: ignore[arg-type]

    expected = tuple(labelled(row(number)) for number in range(100) if split_of(row(number)) == split)
    assert LabelledSet(name="wills", texts=expected) == got
    assert expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["none"], "no set `none`; the sets are deeds, gone, torn, wills"),
        (["gone"], "{}: the folder of `gone` is not there"),
        (["deeds"], "{}/deeds: is not as its set should be (ValueError)"),
        (["torn"], "{}/torn: cannot be read: permission denied"),
        ([], "{}/deeds: is not as its set should be (ValueError)"),
    ],
)
def test_a_set_that_cannot_be_read_is_told(known: Path, names: list[str], expected: str) -> None:
    """Without a word of what it holds; without names it is every set that lies there."""
    with pytest.raises(ConfigInvalid) as caught:
        list(from_data(known, names, split="dev", limit=None, seed=0))

    assert expected.format(known) == str(caught.value)


@pytest.mark.parametrize(
    ("names", "count", "expected"),
    [
        (["wills"], 0, "{}/wills: holds no text of `wills`"),
        ([], 0, "{}/wills: holds no text of `wills`"),
        (["wills"], 1, "{}/wills: `wills` has no text in the dev split"),
    ],
)
def test_a_set_that_would_not_be_measured_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[str], count: int, expected: str
) -> None:
    """Whether its folder holds nothing, or nothing of the split that was asked for."""
    monkeypatch.setattr(sets, "SETS", {"wills": ("wills", lambda _: map(row, range(count)))}, raising=False)
    (tmp_path / "wills").mkdir()

    with pytest.raises(ConfigInvalid) as caught:
        list(from_data(tmp_path, names, split="dev", limit=None, seed=0))

    assert expected.format(tmp_path) == str(caught.value)


def test_a_set_that_nobody_named_may_lack_a_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Some sets are too few groups for every split; the others are measured."""
    registry = {"deeds": ("deeds", lambda _: iter([row(0)])), "wills": ("wills", one_hundred)}
    monkeypatch.setattr(sets, "SETS", registry, raising=False)
    for folder in registry:
        (tmp_path / folder).mkdir()

    got = list(from_data(tmp_path, [], split="dev", limit=None, seed=0))

    assert [("deeds", False), ("wills", True)] == [(each.name, bool(each.texts)) for each in got]


def test_a_folder_without_sets_is_told(known: Path) -> None:
    """Measuring on nothing is a mistake."""
    with pytest.raises(ConfigInvalid, match="holds no folder of a set"):
        list(from_data(known / "else", [], split="dev", limit=None, seed=0))


def test_templates_give_as_many_texts_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the split alone."""

    def rows(seed: int, count: int) -> Iterator[Row]:
        return (row(seed + number, "templates") for number in range(count))

    generator = types.SimpleNamespace(rows=rows)
    monkeypatch.setitem(sys.modules, "classifiers.training.generator", generator)

    got = from_templates(7, split="test", seed=3)

    expected = [each for each in rows(3, 280) if split_of(each) == "test"][:7]
    assert LabelledSet(name="templates", texts=tuple(labelled(each) for each in expected)) == got


def test_templates_that_cannot_be_filled_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what makes values, and with a template that is at fault."""

    def rows(seed: int, count: int) -> Iterator[Row]:
        raise ValueError("hr.txt:3: no kind `boss`")

    name = "classifiers.training.generator"
    monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(rows=lambda seed, count: map(rows, [seed], [count])))
    with pytest.raises(ConfigInvalid, match=r"a template is at fault: hr.txt:3: no kind `boss`"):
        from_templates(1, split="dev", seed=0)

    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigInvalid, match=r"filled with values of `.*`, which is not installed"):
        from_templates(1, split="dev", seed=0)


def test_an_own_file_is_measured_whole_up_to_the_limit(tmp_path: Path) -> None:
    """It has no splits."""
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f'{{"text": "{at}"}}\n' for at in range(30)))

    assert 30 == len(from_file(path, limit=None, seed=0).texts)
    limited = from_file(path, limit=4, seed=0)
    assert ("mine", 4) == (limited.name, len(limited.texts))


def test_a_sample_is_the_same_for_the_same_seed_and_keeps_the_order() -> None:
    """Another seed draws others; without a limit, or with a large one, it is everything."""
    got = sampled(range(1000), 10, "0/a")

    assert got == sampled(iter(range(1000)), 10, "0/a") == sorted(got)
    assert got != sampled(range(1000), 10, "1/a")
    assert list(range(9)) == sampled(range(9), None, "") == sampled(range(9), 9, "")


def test_every_value_is_as_likely_to_be_drawn() -> None:
    """Three of ten, five hundred times: each about 150 times."""
    drawn = Counter(value for seed in range(500) for value in sampled(range(10), 3, str(seed)))

    assert all(110 < drawn[value] < 190 for value in range(10))
