"""Models that others exported: what becomes of their labels, what cannot be used, and what is said of a model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classifiers.model.adoption import WINDOW, overrides
from classifiers.model.detector import load_model
from classifiers.model.manifest import read_model
from governance.cli import exit_code
from governance.errors import ConfigInvalid
from governance.segment import Role, TextSegment
from governance.sensitive import SensitiveText
from tests.model_directories import VOCABULARY, Model, onnx_bytes, tokenizer_bytes, write

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC", "B-DRUG")
WORDS = {
    "tomasz": "B-PER",
    "kowal": "I-PER",
    "##ski": "I-PER",
    "berlin": "B-LOC",
    "acme": "B-MISC",
    "dialysis": "B-DRUG",
}
CONFIG: dict[str, Any] = {
    "architectures": ["BertForTokenClassification"],
    "model_type": "bert",
    "id2label": {str(number): label for number, label in enumerate(LABELS)},
    "max_position_embeddings": 512,
    "vocab_size": len(VOCABULARY),
}
TEXT = "Tomasz Kowalski began dialysis in Berlin at Acme."


def foreign(**spoilt: Any) -> bytes:
    """Weights as the exporters make them."""
    made = {
        "labels": LABELS,
        "topics": (),
        "words": WORDS,
        "inputs": ("input_ids", "attention_mask", "token_type_ids"),
        "outputs": ("logits",),
    }
    return onnx_bytes(Model(**made | spoilt))


def export(directory: Path, *, weights: bytes = b"", nested: bool = False, **config: Any) -> Path:
    """`directory` as an exporter leaves it; `config` are keys of config.json, left out where None."""
    place = directory / "onnx" if nested else directory
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(weights or foreign())
    (directory / "tokenizer.json").write_bytes(tokenizer_bytes())
    stated = {key: value for key, value in (CONFIG | config).items() if value is not None}
    (directory / "config.json").write_text(json.dumps(stated))
    return directory


def found(directory: Path) -> list[tuple[str, str]]:
    """What the model in `directory` finds in TEXT."""
    detector = load_model(directory)
    segment = TextSegment(role=Role.USER, place="/messages/*/content", text=SensitiveText(TEXT))
    detection = detector.detect_now([segment], deadline_ms=30_000)
    detector.close()
    return [(each.entity_type, TEXT[each.span.start : each.span.end]) for each in detection.findings]


# --- what becomes of it --------------------------------------------------------------------------------------------


def test_an_export_becomes_a_model_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own files stay, the manifest names their digests, and the model finds what its labels stand for."""
    directory = export(tmp_path / "My NER")
    before = {each.name: each.read_bytes() for each in directory.iterdir()}

    code = exit_code(["model", "init", str(directory)])

    files = read_model(directory)
    assert (0, before) == (code, {name: (directory / name).read_bytes() for name in before})
    assert {*before, "manifest.json"} == {each.name for each in directory.iterdir()}
    assert ("my-ner", LABELS, WINDOW, {"PER": "PERSON", "LOC": "LOCATION", "DRUG": "MEDICAL"}) == (
        files.manifest.name,
        files.manifest.labels,
        files.manifest.window,
        files.manifest.entities,
    )
    assert [("PERSON", "Tomasz Kowalski"), ("MEDICAL", "dialysis"), ("LOCATION", "Berlin")] == found(directory)
    shown = capsys.readouterr().out
    assert "PER as PERSON from 0.50" in shown
    assert "to report MISC as well: --label MISC=ENTITY" in shown


def test_labels_may_be_said_to_be_something_else(tmp_path: Path) -> None:
    """Before the table; an empty one is not reported."""
    directory = export(tmp_path / "m")

    code = exit_code(
        ["model", "init", str(directory), "--label", "MISC=PROJECT", "--label", "DRUG=", "--label", "LOC=CITY"]
    )

    assert (0, [("PERSON", "Tomasz Kowalski"), ("CITY", "Berlin"), ("PROJECT", "Acme")]) == (code, found(directory))


def test_a_nested_export_is_put_together_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In place it is refused with what to do; the export stays as it is."""
    directory, out = export(tmp_path / "m", nested=True), tmp_path / "made" / "mine"
    before = sorted(each.relative_to(directory) for each in directory.rglob("*"))

    refused = exit_code(["model", "init", str(directory)])
    message = capsys.readouterr().err
    code = exit_code(["model", "init", str(directory), "--out", str(out), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert (2, 0, str(out), "mine") == (refused, code, document["directory"], document["name"])
    assert "`onnx/model.onnx`: model.onnx has to lie beside manifest.json: pass `--out DIRECTORY`" in message
    assert before == sorted(each.relative_to(directory) for each in directory.rglob("*"))
    assert ["manifest.json", "model.onnx", "tokenizer.json"] == sorted(each.name for each in out.iterdir())
    assert ("PERSON", "Tomasz Kowalski") in found(out)


def test_what_is_there_is_replaced_only_when_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same again is no change; another manifest, perhaps written by hand, is kept."""
    directory = export(tmp_path / "m")
    manifest = directory / "manifest.json"
    other = ["model", "init", str(directory), "--label", "MISC=PROJECT"]

    codes = [exit_code(["model", "init", str(directory)]) for _ in range(2)]
    first = manifest.read_bytes()
    codes += [exit_code(other), exit_code([*other, "--force"])]

    assert ([0, 0, 2, 0], True) == (codes, manifest.read_bytes() != first)
    assert "`manifest.json`: it is there already, with another content" in capsys.readouterr().err
    assert "PROJECT" in read_model(directory).manifest.entities.values()


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({"max_position_embeddings": 64}, 64),
        ({"max_position_embeddings": 66, "model_type": "roberta", "pad_token_id": 1}, 64),
        ({"max_position_embeddings": 4_096}, WINDOW),
    ],
    ids=["short", "offset", "long"],
)
def test_the_window_is_what_the_model_can_read(tmp_path: Path, config: dict[str, Any], window: int) -> None:
    """Positions of some kinds begin behind the number of the padding piece; a long window costs by its square."""
    directory = export(tmp_path / "m", **config)

    assert (0, window) == (exit_code(["model", "init", str(directory)]), read_model(directory).manifest.window)


# --- what cannot be used -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["BertForSequenceClassification"]}, "is BertForSequenceClassification, which finds nothing"),
        ({"id2label": None}, "`id2label` has to name 1 to 1024 labels"),
        ({"id2label": {"1": "B-PER"}}, "`id2label` has no label for column 0"),
        ({"id2label": {"0": "O", "1": 7}}, "`id2label.1` is no label of 1 to 64 ASCII characters"),
        ({"id2label": {"0": "O", "1": "\u4eba"}}, "`id2label.1` is no label of 1 to 64 ASCII characters"),
        ({"id2label": {"0": "O", "1": "A B", "2": "A_B"}}, "`id2label.2`, A_B, is there twice"),
        ({"max_position_embeddings": None}, "`max_position_embeddings` has to say how many pieces"),
        ({"max_position_embeddings": True}, "`max_position_embeddings` has to say how many pieces"),
        ({"max_position_embeddings": 4}, "`max_position_embeddings` leaves 4 pieces, and a window has 8 or more"),
        (
            {"max_position_embeddings": 64, "model_type": "roberta", "pad_token_id": 99},
            "`max_position_embeddings` leaves 0 pieces",
        ),
        ({"model_type": ["bert"]}, "`model_type` is no name: take the file of the export"),
        ({"vocab_size": 7}, f"it knows {len(VOCABULARY)} pieces, and `vocab_size` of config.json is 7"),
        ({"id2label": {"0": "O", "1": "B-PER"}}, "its labels are the 2 of `id2label` in config.json"),
        ({"id2label": {str(n): f"LABEL_{n}" for n in range(7)}}, "no type of the model would be reported"),
    ],
    ids=[
        "task",
        "none",
        "gap",
        "number",
        "script",
        "twice",
        "length",
        "true",
        "short",
        "padding",
        "kind",
        "vocabulary",
        "columns",
        "nameless",
    ],
)
def test_a_bad_config_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: dict[str, Any], message: str
) -> None:
    """One line that names what to change; the directory stays as it was."""
    directory = export(tmp_path / "m", **config)

    code = exit_code(["model", "init", str(directory)])

    shown = capsys.readouterr()
    assert (2, "", 1, False) == (code, shown.out, shown.err.count("\n"), (directory / "manifest.json").exists())
    assert message in shown.err


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda: foreign(inputs=("pixels", "attention_mask")), "`model.onnx`: its inputs are pixels, attention_mask"),
        (lambda: foreign(labels=LABELS[:5]), "`labels` of the manifest names 7"),
        (lambda: foreign(rows=9), "a window of 128 pieces cannot be run"),
        (lambda: b"no protobuf", "ONNX Runtime does not load it"),
        (lambda: foreign(outputs=("a", "b"), topics=("x",)), "its outputs are a, b; expected are logits"),
    ],
    ids=["inputs", "columns", "vocabulary", "garbage", "outputs"],
)
def test_weights_that_do_not_run_are_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: Callable[[], bytes], message: str
) -> None:
    """The model is tried before anything is written."""
    directory = export(tmp_path / "m", weights=weights(), vocab_size=None)

    code = exit_code(["model", "init", str(directory)])

    shown = capsys.readouterr()
    assert (2, "", False) == (code, shown.out, (directory / "manifest.json").exists())
    assert message in shown.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "`config.json`: it cannot be read (no such file or directory)"),
        ("config.json", b"[" * 100_000, "`config.json`: it is no JSON object"),
        ("config.json", b" " * ((1 << 20) + 1), "`config.json`: it is larger than 1048576 bytes"),
        ("tokenizer.json", None, "`tokenizer.json`: it cannot be read (no such file or directory)"),
        ("tokenizer.json", b"{}", "`tokenizer.json`: it is no tokenizer"),
        ("model.onnx", None, "`model.onnx`: it is neither there nor in `onnx`"),
        ("model.onnx_data", b"", "`model.onnx_data`: the weights lie outside model.onnx"),
    ],
    ids=["no config", "deep", "large", "no tokenizer", "no tokens", "no weights", "two files"],
)
def test_files_that_are_missing_or_none_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, message: str
) -> None:
    """Each with its name and what to do."""
    directory = export(tmp_path / "m")
    if content is None:
        (directory / name).unlink()
    else:
        (directory / name).write_bytes(content)

    code = exit_code(["model", "init", str(directory)])

    assert (2, True) == (code, message in capsys.readouterr().err)


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It is read as what it is: empty."""
    directory = export(tmp_path / "m")
    (directory / "config.json").unlink()
    os.mkfifo(directory / "config.json")

    assert 2 == exit_code(["model", "init", str(directory)])


@pytest.mark.parametrize("pair", ["PER", "=PERSON", "PER=person", "PER=A B", "PER=P"])
def test_a_label_is_a_type_and_an_entity(pair: str) -> None:
    """Anything else would be a finding under a name that no policy can speak of."""
    with pytest.raises(ConfigInvalid, match="it is TYPE=ENTITY"):
        overrides([pair])


def test_a_label_speaks_of_a_type_of_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the hand would leave a type unreported; the types are listed."""
    code = exit_code(["model", "init", str(export(tmp_path / "m")), "--label", "PRE=PERSON"])

    assert 2 == code
    assert "the model has no such type; it has PER, LOC, MISC, DRUG" in capsys.readouterr().err


def test_a_directory_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By name."""
    codes = [exit_code(["model", each, str(tmp_path / "none")]) for each in ("init", "show")]

    assert ([2, 2], 2) == (codes, capsys.readouterr().err.count(f"there is no directory `{tmp_path / 'none'}`"))


# --- what is said of a model ---------------------------------------------------------------------------------------


def test_a_model_is_shown_with_all_that_its_manifest_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a program as one document, for people as a table; what it runs on is what was really used."""
    said = {
        "thresholds": {"PERSON": 620},
        "topic_thresholds": {"health": 700},
        "training": [{"set": "one", "licence": "CC0", "rows": 12}],
        "metrics": {"person_f1": 0.5},
    }
    directory = write(tmp_path / "m", Model(manifest=said))

    codes = [exit_code(["model", "show", str(directory), *more]) for more in ((), ("--json",))]

    *table, line = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    files = read_model(directory)
    assert [0, 0] == codes
    assert ("tiny", "1", files.digest, "STREET_ADDRESS", 620, 500, 700, ["en"], said["training"], said["metrics"]) == (
        document["name"],
        document["version"],
        document["digest"],
        document["entities"]["ADDRESS"],
        document["thresholds"]["PERSON"],
        document["thresholds"]["LOCATION"],
        document["topic_thresholds"]["health"],
        document["languages"],
        document["training"],
        document["metrics"],
    )
    assert ("auto", "fp32", "model.onnx") == tuple(
        document["runs_on"][each] for each in ("wanted", "precision", "weights")
    )
    shown = "\n".join(table)
    for part in (
        files.digest,
        "PERSON from 0.62",
        "ADDRESS as STREET_ADDRESS",
        "health from 0.70",
        "one: 12 rows, CC0",
    ):
        assert part in shown


def test_a_damaged_model_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A digest that does not fit is an error of its own kind."""
    directory = write(tmp_path / "m")
    (directory / "tokenizer.json").write_bytes(b"{}")

    assert 2 == exit_code(["model", "show", str(directory)])
    assert capsys.readouterr().err.startswith(f"model_unusable: model directory `{directory}`, `tokenizer.json`: ")
