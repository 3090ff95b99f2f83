"""A training that begins with an exported model: what it begins with says what that model said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")
pytest.importorskip("onnxscript", reason="the training group is not installed")

from classifiers.model.case import CASES_AND_NAMES  # noqa: E402
from classifiers.model.manifest import WEIGHTS_FILE  # noqa: E402
from classifiers.training.encoder import EncoderShape, Teacher  # noqa: E402
from classifiers.training.export import to_onnx  # noqa: E402
from classifiers.training.exported import begin_from_export  # noqa: E402
from classifiers.training.quantise import measured_ranges, quantised  # noqa: E402
from classifiers.training.student import Student, StudentShape  # noqa: E402

# torch's exporter warns of what it calls itself.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
VOCABULARY = 9_000
SHAPE = StudentShape(vocabulary=VOCABULARY, width=128, inner=(160,) * 3 + (80,))
TEACHER = EncoderShape(vocabulary=VOCABULARY, width=128, layers=2, heads=4, inner=160, positions=64)
# Of the largest weight of a column, in 7 bits, half a step; of a row of the vocabulary less.
_HALF_A_STEP = 0.5 / 63


def _exported(model, directory: Path) -> None:
    exact = to_onnx(model)
    chance = np.random.default_rng(0)
    feeds = {
        "input_ids": chance.integers(0, VOCABULARY, (4, 16)),
        "attention_mask": np.ones((4, 16), np.int64),
        "case": chance.integers(0, 5, (4, 16)),
    }
    (directory / WEIGHTS_FILE).write_bytes(quantised(exact, measured_ranges(exact, [feeds])).SerializeToString())


def _draw(model) -> None:
    """Gives `model` weights of which no two are alike: the exporter makes one of those that are."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.1)


@pytest.mark.parametrize(("kind", "shape"), [(Teacher, TEACHER), (Student, SHAPE)])
def test_every_weight_comes_back_but_for_the_rounding(kind, shape, tmp_path: Path) -> None:
    """Those of products and of the vocabulary to half a step of eight bits, all others to the last bit."""
    model, again = kind(shape), kind(shape)
    _draw(model)
    _exported(model, tmp_path)
    begin_from_export(again, tmp_path)

    returned = again.state_dict()
    rounded = 0
    for name, weights in model.state_dict().items():
        off = (weights - returned[name]).abs().max()
        rounded += bool(off)
        assert off <= weights.abs().max() * _HALF_A_STEP * 1.001, name
    assert rounded > 5


def test_kinds_of_known_names_that_are_new_say_nothing_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that was told of fewer kinds is begun from with each of its rows twice."""
    before, again = Student(SHAPE), Student(SHAPE)
    rows = CASES_AND_NAMES // 2
    before.cases = torch.nn.Embedding(rows, SHAPE.width)
    _draw(before)
    monkeypatch.setattr("classifiers.training.export.CASES_AND_NAMES", rows)
    _exported(before, tmp_path)
    begin_from_export(again, tmp_path)

    assert torch.equal(before.cases.weight, again.cases.weight[:rows])
    assert torch.equal(before.cases.weight, again.cases.weight[rows:])


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    """With its directory, before a training begins with half of it."""
    _exported(Student(SHAPE), tmp_path)
    with pytest.raises(ValueError, match="another shape"):
        begin_from_export(Teacher(TEACHER), tmp_path)
    with pytest.raises(ValueError, match="another shape"):
        begin_from_export(Student(StudentShape(vocabulary=VOCABULARY, width=64, inner=(160,) * 3 + (80,))), tmp_path)
