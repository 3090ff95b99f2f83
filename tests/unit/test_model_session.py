"""ONNX Runtime over weights of all kinds: what is run, on what, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.external_data_helper import convert_model_to_external_data

from classifiers.model import session as model_session
from classifiers.model.batching import Work
from classifiers.model.manifest import ModelFiles, ModelUnusable, read_model
from classifiers.model.pieces import Pieces, piece_reader
from classifiers.model.session import (
    Answers,
    BadAnswer,
    Batch,
    Execution,
    ModelReport,
    ModelSession,
    Provider,
    precision_of,
)
from tests.model_directories import SURE, VOCABULARY, Model, onnx_bytes, stated, tokenizer_bytes, write

OTHER_LABELS = ("O", "B-PERSON", "I-PERSON")
OTHER = {"kind": "token-classification", "labels": OTHER_LABELS, "topics": (), "entities": {"PERSON": "PERSON"}}


def session(directory: Path, execution: Execution | None = None) -> ModelSession:
    files = read_model(directory)
    return ModelSession(files, piece_reader(files), execution)


def batch(*rows: list[int]) -> Batch:
    ids = np.array(rows, dtype=np.int64)
    return Batch(ids=ids, mask=(ids > 0).astype(np.int64), case=np.zeros_like(ids))


def other(**changes: Any) -> Model:
    """A model of another kind, as it is exported."""
    fields: dict[str, Any] = {
        "labels": OTHER_LABELS,
        "topics": (),
        "inputs": ("input_ids", "attention_mask", "token_type_ids"),
        "outputs": ("logits",),
        "manifest": OTHER,
    }
    return Model(**(fields | changes))


def test_answers_have_the_order_and_the_shape_of_the_batch(tmp_path: Path) -> None:
    """Tokens by piece, topics by window; padding has no part in the topics."""
    dialysis, tomasz = VOCABULARY.index("dialysis"), VOCABULARY.index("tomasz")
    answers = session(write(tmp_path)).run(batch([2, tomasz, 3, 0], [2, dialysis, 3, 0], [2, 5, 5, 3]))

    assert ((3, 4, 21), (3, 8)) == (answers.tokens.shape, answers.topics.shape)
    assert SURE == answers.tokens[0, 1, 1]
    assert [-SURE, SURE, -SURE] == answers.topics[:, 0].tolist()


def test_the_report_says_what_is_used(tmp_path: Path) -> None:
    """The provider is what the session says, whatever was asked for; `auto` is the CPU where there is nothing else."""
    files = write(tmp_path)
    report = session(files, Execution(provider=Provider.CPU, threads=2)).report

    assert (
        ModelReport(
            provider=Provider.CPU,
            device="cpu",
            precision="fp32",
            threads=2,
            weights="model.onnx",
            wanted=Provider.CPU,
            overhead=report.overhead,
        )
        == report
    )
    assert 0 <= report.overhead <= read_model(files).manifest.window


@pytest.mark.parametrize("provider", [Provider.CUDA, Provider.TENSORRT])
@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this ONNX Runtime does have CUDA"
)
def test_a_provider_that_is_asked_for_by_name_and_is_not_there_is_an_error(tmp_path: Path, provider: Provider) -> None:
    """Nobody who pays for a GPU is served by a CPU without knowing."""
    with pytest.raises(ModelUnusable, match=f"provider `{provider}` was asked for, and ONNX Runtime gives `cpu`"):
        session(write(tmp_path), Execution(provider=provider))


def test_a_run_with_bound_inputs_and_outputs_answers_the_same(tmp_path: Path) -> None:
    """The way that GPUs take, tried on the CPU."""
    made = session(write(tmp_path))
    question = batch([2, VOCABULARY.index("anna"), 3, 0])
    plain = made.run(question)
    made._bound = "cpu"
    bound = made.run(question)

    assert plain.tokens.tolist() == bound.tokens.tolist()
    assert plain.topics.tolist() == bound.topics.tolist()


@pytest.mark.parametrize(
    "model",
    [
        Model(integers=TensorProto.INT32),
        Model(weights=TensorProto.FLOAT16),
        Model(inputs=("input_ids", "attention_mask", "case", "token_type_ids")),
        other(),
        other(inputs=("input_ids", "attention_mask")),
        other(inputs=("input_ids", "attention_mask", "case")),
        other(outputs=("last",)),
    ],
    ids=["int32", "fp16", "types of tokens", "other", "other without types", "other with case", "other name"],
)
def test_models_are_fed_what_they_want(tmp_path: Path, model: Model) -> None:
    """Case and types of tokens only where the model has such an input, integers of its width; answers are float32."""
    tokens = session(write(tmp_path, model)).run(batch([2, VOCABULARY.index("anna"), 3])).tokens

    assert (np.float32, [0, 1, 0]) == (tokens.dtype, tokens[0].argmax(axis=1).tolist())


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (
            Model(inputs=("ids", "attention_mask", "case")),
            "its inputs are ids, attention_mask, case; expected are input_ids, attention_mask, case (and perhaps token",
        ),
        (
            Model(inputs=("input_ids", "attention_mask")),
            "its inputs are input_ids, attention_mask; expected are input_ids, attention_mask, case",
        ),
        (
            other(inputs=("input_ids", "attention_mask", "pixels")),
            "are input_ids, attention_mask, pixels; expected are input_ids, attention_mask (and perhaps token_type_ids, c",
        ),
        (Model(outputs=("tokens", "classes")), "its outputs are tokens, classes; expected are tokens and topics"),
        (other(outputs=("a", "b")), "its outputs are a, b; expected are logits"),
        (Model(shape=(1, "pieces")), "expected are whole numbers of shape [batch, pieces] with both sizes open"),
        (Model(labels=OTHER_LABELS), "`labels` of the manifest names 21: state the columns of the model"),
        (Model(topics=("health",)), "`topics` of the manifest names 8: state the columns of the model"),
        (Model(rows=5), "a window of 16 pieces cannot be run ("),
        (Model(poisoned=VOCABULARY[-1]), "cannot be run (a number is not finite): check"),
    ],
    ids=["ids", "no case", "pixels", "classes", "two", "one by one", "labels", "topics", "vocabulary", "nan"],
)
def test_a_model_that_does_not_fit_is_refused_at_the_start(tmp_path: Path, model: Model, complaint: str) -> None:
    """With what was found and what was expected."""
    with pytest.raises(ModelUnusable) as raised:
        session(write(tmp_path, model))

    assert str(raised.value).startswith(f"model directory `{tmp_path}`, `model.onnx`: ")
    assert complaint in str(raised.value)


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    """Even if their digest is right."""
    files = read_model(write(tmp_path))
    files.weights = {"model.onnx": b"not a model"}  # type: ignore[misc]

    with pytest.raises(ModelUnusable, match=r"ONNX Runtime does not load it \(.+\): export it again"):
        ModelSession(files, piece_reader(files))


def test_weights_outside_the_file_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No digest covers them: they could be anybody's, wherever the process happens to stand."""
    files = read_model(write(tmp_path))
    made = onnx.load_from_string(files.weights["model.onnx"])
    convert_model_to_external_data(made, location="beside.bin", size_threshold=200)
    onnx.save_model(made, tmp_path / "model.onnx")
    assert (tmp_path / "beside.bin").is_file()
    files.weights = {"model.onnx": (tmp_path / "model.onnx").read_bytes()}  # type: ignore[misc]
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ModelUnusable, match=r"ONNX Runtime does not load it \(.*External data.*\)"):
        ModelSession(files, piece_reader(files))


def test_what_holds_pieces_of_a_text_shows_none() -> None:
    """A number is a word to everybody with the vocabulary, and errors show what they are about."""
    asked = batch([2, 12_345, 3])
    answers = Answers(tokens=asked.ids.astype(np.float32), topics=asked.ids.astype(np.float32))
    read = Pieces(
        ids=asked.ids[0], starts=asked.ids[0], ends=asked.ids[0], case=asked.ids[0], words=asked.ids[0], read_chars=5
    )
    work = Work(pieces=read, windows=())

    assert "12345" not in "".join(map(repr, (asked, answers, read, work)))


def test_an_answer_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    """A text without findings would look the same. What stands in padding does not matter."""
    made = session(write(tmp_path, Model(poisoned="anna")))
    anna = VOCABULARY.index("anna")

    with pytest.raises(BadAnswer):
        made.run(batch([2, anna, 3]))
    masked = Batch(ids=np.array([[2, 3, anna]]), mask=np.array([[1, 1, 0]]), case=np.array([[0, 0, 0]]))
    assert (1, 3, 21) == made.run(masked).tokens.shape


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        (Model(), "fp32"),
        (Model(weights=TensorProto.FLOAT16), "fp16"),
        (Model(weights=TensorProto.DOUBLE), "fp64"),
    ],
)
def test_the_precision_is_that_of_the_weights(model: Model, precision: str) -> None:
    """Read off the file, whatever its name says."""
    assert precision == precision_of(onnx_bytes(model))


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"not a model"])
def test_the_precision_of_what_is_no_model_is_unknown(content: bytes) -> None:
    """Nothing is guessed, and nothing fails."""
    assert "unknown" == precision_of(content)


def test_an_error_is_no_reason_to_try_another_device(tmp_path: Path) -> None:
    """ONNX Runtime would begin anew on the CPU, and the report would be wrong."""
    assert not session(write(tmp_path))._session._enable_fallback


def test_half_precision_is_for_gpus(tmp_path: Path) -> None:
    """Beside the plain weights it is verified, and the CPU does not use it."""
    half = onnx_bytes(Model(weights=TensorProto.FLOAT16))
    content: Mapping[str, bytes] = {
        "model.onnx": onnx_bytes(Model()),
        "model.fp16.onnx": half,
        "tokenizer.json": tokenizer_bytes(),
    }
    directory = write(tmp_path, Model(manifest=stated(content)))
    (directory / "model.fp16.onnx").write_bytes(half)

    assert ("model.onnx", "fp32") == ((report := session(directory).report).weights, report.precision)


def test_a_gpu_that_is_there_in_name_alone_leaves_the_plain_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime lists what it was built for; where its libraries do not load, it takes the CPU without a word."""
    half = onnx_bytes(Model(weights=TensorProto.FLOAT16))
    content = {"model.onnx": onnx_bytes(Model()), "model.fp16.onnx": half, "tokenizer.json": tokenizer_bytes()}
    directory = write(tmp_path, Model(manifest=stated(content)))
    (directory / "model.fp16.onnx").write_bytes(half)
    built_for = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: built_for)
    made: list[str] = []
    make = model_session._session

    def making(files: ModelFiles, name: str, providers: list[Any], threads: int) -> Any:
        made.append(name)
        return make(files, name, ["CPUExecutionProvider"], threads)

    monkeypatch.setattr(model_session, "_session", making)

    report = session(directory).report

    assert ["model.fp16.onnx", "model.onnx"] == made
    assert ("model.onnx", "fp32", "cpu") == (report.weights, report.precision, report.device)


def test_importing_the_model_tier_loads_no_runtime() -> None:
    """The command line starts without ONNX Runtime and without the tokenizers."""
    code = "import sys, classifiers.model.detector, classifiers.ensemble; print('onnxruntime' in sys.modules, 'tokenizers' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False False\n" == ran.stdout
