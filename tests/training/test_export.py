"""A model directory: loads as the runtime loads it, says what torch says, and states what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")
pytest.importorskip("onnxscript", reason="the training group is not installed")

from classifiers.model.manifest import HALF_FILE, WEIGHTS_FILE, read_model  # noqa: E402
from classifiers.training.encoder import EncoderShape, Teacher  # noqa: E402
from classifiers.training.export import Described, to_onnx, write_model  # noqa: E402
from classifiers.training.quantise import onnx_run  # noqa: E402
from classifiers.training.scoring import continuations  # noqa: E402
from classifiers.training.student import Student, StudentShape  # noqa: E402
from tests.training.pieces import NAMES, corpus, row, several, tokenizer  # noqa: E402

# torch's exporter warns of what it calls itself.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
VOCABULARY = 9_000
SHAPE = StudentShape(vocabulary=VOCABULARY, width=128, inner=(160,) * 3 + (80,))
TEACHER = EncoderShape(vocabulary=VOCABULARY, width=128, layers=1, heads=4, inner=160, positions=64)


def _feeds(texts: int, pieces: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    return {
        "input_ids": chance.integers(0, VOCABULARY, (texts, pieces)),
        "attention_mask": np.ones((texts, pieces), np.int64),
        "case": chance.integers(0, 5, (texts, pieces)),
    }


@pytest.mark.parametrize("model", [Student(SHAPE), Teacher(TEACHER)])
def test_any_batch_and_length_gives_what_torch_gives(model) -> None:
    """Sizes that were not traced, one text of two pieces among them; no path of this machine is in the file."""
    made = to_onnx(model)
    run = onnx_run(made.SerializeToString())
    for shape in ((1, 2), (1, 9), (5, 31)):
        feeds = _feeds(*shape)
        tokens, topics = run(feeds)
        with torch.inference_mode():
            expected = model(*(torch.from_numpy(feeds[name]) for name in ("input_ids", "attention_mask", "case")))
        assert np.allclose(expected[0].numpy(), tokens, atol=1e-4)
        assert np.allclose(expected[1].numpy(), topics, atol=1e-4)
    assert str(Path(__file__).parent.parent.parent).encode() not in made.SerializeToString()


def test_a_directory_is_whole_and_says_what_it_is(tmp_path: Path) -> None:
    """Digests hold, thresholds are there for all, training sets are named with licence and rows, and figures are kept."""
    made = corpus([*several(40), *(row("Anna", group=f"one/{at}", language="de") for at in range(100, 130))])
    tokenizer().save(str(tmp_path / "cut.json"))
    model = Student(SHAPE)
    metrics = write_model(
        model,
        Described(name="ringfence-student", version="7"),
        tmp_path / "model",
        corpus=made,
        continues=continuations(tokenizer()),
        tokenizer_file=tmp_path / "cut.json",
        names=NAMES,
        half=True,
        tell=lambda _: None,
    )
    files = read_model(tmp_path / "model")
    manifest = files.manifest

    assert {WEIGHTS_FILE, HALF_FILE} == files.weights.keys()
    assert NAMES == files.names
    assert ("ours", "7", 256, 32) == (manifest.kind, manifest.version, manifest.window, manifest.overlap)
    assert 10 == len(manifest.thresholds)
    assert 8 == len(manifest.topic_thresholds)
    assert torch.float32 == model.tokens.weight.dtype
    exact, _ = onnx_run(to_onnx(model).SerializeToString())(_feeds(2, 9))
    half, _ = onnx_run(files.weights[HALF_FILE])(_feeds(2, 9))
    cooled = exact / metrics["temperature"]["tokens"]
    assert np.abs(cooled - half).max() < 0.01 * np.abs(cooled).max()
    train = made.splits == 0
    assert {"one": int((train & (made.sources == 0)).sum()), "two": int((train & (made.sources == 1)).sum())} == {
        each.set: each.rows for each in manifest.training
    }
    splits = {"dev", "dev_float32", "test", "test_other_languages"}
    assert {*splits, "topics", "temperature", "multiplied"} == metrics.keys() == manifest.metrics.keys()
    english = (made.splits == 2) & (made.languages == made.language_names.index("en"))
    assert [int(english.sum()), int((made.splits == 2).sum() - english.sum())] == [
        metrics[name]["windows"] for name in ("test", "test_other_languages")
    ]
    assert len(files.weights[WEIGHTS_FILE]) < VOCABULARY * 128 * 2
