"""Model directories that are what they say, and those that are not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from classifiers.model import manifest
from classifiers.model.manifest import LABELS, ModelUnusable, read_model, split_label, types_of
from classifiers.training import rows
from tests.model_directories import Model, write

OTHER = {
    "kind": "token-classification",
    "labels": ["O", "B-PER", "I-PER", "B-MISC", "I-MISC"],
    "topics": [],
    "entities": {"PER": "PERSON"},
}


def refusal(directory: Path) -> str:
    """Why `directory` is not used."""
    with pytest.raises(ModelUnusable) as raised:
        read_model(directory)
    return str(raised.value)


def test_the_columns_are_those_that_training_writes() -> None:
    """Both sides have one list of labels and of topics."""
    assert (rows.TYPES, rows.LABELS, rows.TOPICS) == (manifest.TYPES, manifest.LABELS, manifest.TOPICS)


def test_a_directory_is_read_once_and_names_its_version(tmp_path: Path) -> None:
    """The bytes are those that were hashed; the version holds name, version and the digest of the manifest."""
    files = read_model(write(tmp_path))

    assert (tmp_path / "tokenizer.json").read_bytes() == files.tokenizer
    assert {"model.onnx": (tmp_path / "model.onnx").read_bytes()} == files.weights
    digest = hashlib.sha256((tmp_path / "manifest.json").read_bytes()).hexdigest()
    assert f"tiny@1+{digest[:8]}" == files.version


def test_a_threshold_is_part_of_the_version(tmp_path: Path) -> None:
    """Two models that find different things have different versions, or a cache would mistake one for the other."""
    one = read_model(write(tmp_path / "a"))
    other = read_model(write(tmp_path / "b", Model(manifest={"thresholds": {"PERSON": 700}})))

    assert one.version != other.version


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """One byte more, and the message names directory, file and both digests."""
    weights = write(tmp_path) / "model.onnx"
    stated = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.write_bytes(weights.read_bytes() + b"\0")
    actual = hashlib.sha256(weights.read_bytes()).hexdigest()

    assert (
        f"model directory `{tmp_path}`, `model.onnx`: its SHA-256 is {actual}, the manifest says {stated}:"
        " get the files of one version again"
    ) == refusal(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """Whatever is missing, the message says which file, and that it should be put there."""
    (write(tmp_path) / name).unlink()

    assert (
        f"model directory `{tmp_path}`, `{name}`: it cannot be read (no such file or directory):"
        " put it there, or name another directory"
    ) == refusal(tmp_path)


def test_a_pipe_in_the_place_of_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """Nobody writes into it, and nobody waits for that."""
    (write(tmp_path) / "model.onnx").unlink()
    os.mkfifo(tmp_path / "model.onnx")

    assert "`model.onnx`: it is no regular file: put the file itself there" in refusal(tmp_path)


def test_a_file_over_its_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size, before it is read."""
    write(tmp_path)
    monkeypatch.setattr(manifest, "MAX_TOKENIZER_BYTES", 100)

    assert "`tokenizer.json`: it is larger than 100 bytes: use a smaller model" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": "ringfence.model/2"}, "`format`: input should be 'ringfence.model/1'"),
        ({"window": "128"}, "`window`: input should be a valid integer"),
        ({"colour": "red"}, "`colour`: unexpected keyword argument"),
        ({"files": {"../model.onnx": "0" * 64}}, "`files.../model.onnx.[key]`: string should match pattern"),
        ({"files": {"model.onnx": "0" * 63}}, "`files.model.onnx`: string should match pattern"),
        ({"files": {}}, "`files` names no `tokenizer.json`: add it with its SHA-256"),
        ({"labels": list(reversed(LABELS))}, "`labels` of kind `ours` are, in this order, O, B-PERSON, I-PERSON"),
        ({"labels": ["O", "B-X", "B-X"]}, "`labels` holds a label twice"),
        ({"labels": ["O"]}, "`labels` names no type"),
        ({"topics": ["health"]}, "`topics` of kind `ours` are, in this order, health, financial"),
        ({"entities": {"PERSON": "PERSON"}}, "`entities` is for kind `token-classification`: remove it"),
        ({"thresholds": {"PERSONS": 1}}, "`thresholds` speaks of `PERSONS`, which is none of PERSON, LOCATION"),
        ({"thresholds": {"PERSON": 1001}}, "`thresholds.PERSON`: input should be less than or equal to 1000"),
        ({"topic_thresholds": {"fun": 1}}, "`topic_thresholds` speaks of `fun`, which is none of health, financial"),
        ({"overlap": 7}, "`overlap` is more than half of `window`: make it smaller"),
        ({**OTHER, "entities": {}}, "`entities` names no type: say which entities to report of PER, MISC"),
        ({**OTHER, "entities": {"ORG": "X_Y"}}, "`entities` speaks of `ORG`, which is none of PER, MISC"),
        ({**OTHER, "topics": ["health"]}, "`topics` is for kind `ours`: remove it"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: Mapping[str, Any], complaint: str
) -> None:
    """With the field, and with what to do where that is not plain."""
    assert complaint in refusal(write(tmp_path, Model(manifest=changes)))


def test_a_manifest_that_says_something_twice_is_refused(tmp_path: Path) -> None:
    """At any depth: which of two thresholds counts is not for a reader to guess."""
    path = write(tmp_path) / "manifest.json"
    path.write_text(path.read_text().replace('"thresholds": {}', '"thresholds": {"PERSON": 900, "PERSON": 100}', 1))

    assert f"model directory `{tmp_path}`, `manifest.json`: `PERSON` is there twice: remove one" == refusal(tmp_path)


def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """As are numbers that JSON does not have, bytes that are no UTF-8, and nothing at all."""
    path = write(tmp_path) / "manifest.json"
    for content in (b"", b"[]", b"\xff", b'{"format": NaN', json.dumps(["x"]).encode()):
        path.write_bytes(content)
        assert refusal(tmp_path).startswith(f"model directory `{tmp_path}`, `manifest.json`: ")


def test_a_model_of_another_kind_has_labels_of_its_own(tmp_path: Path) -> None:
    """It says which of them are which entity."""
    found = read_model(write(tmp_path, Model(manifest=OTHER))).manifest

    assert {"PER": "PERSON"} == found.entities
    assert ("PER", "MISC") == types_of(found.labels)


@pytest.mark.parametrize(
    ("label", "parts"),
    [
        ("B-PER", ("B", "PER")),
        ("S_LOC", ("S", "LOC")),
        ("M-PER", ("M", "PER")),
        ("W-PER", ("W", "PER")),
        ("PER", ("", "PER")),
        ("B-", ("", "B-")),
        ("X-A", ("", "X-A")),
    ],
)
def test_a_label_states_position_and_type(label: str, parts: tuple[str, str]) -> None:
    """Positions of BIO, BILOU, IOBES and BMEWO; a label without one is a type."""
    assert parts == split_label(label)
