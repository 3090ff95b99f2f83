"""Teacher and student: what they take and give, and that a text's answer is its own."""

from __future__ import annotations

import json
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")

from classifiers.training.corpus import BASE_PACKAGE, base_directory  # noqa: E402
from classifiers.training.encoder import (  # noqa: E402
    EncoderShape,
    Teacher,
    base_weights,
    load_teacher,
    shape_of,
)
from classifiers.training.rows import LABELS, TOPICS  # noqa: E402
from classifiers.training.student import Student, StudentShape, begin_from  # noqa: E402

SMALL = EncoderShape(vocabulary=50, width=16, layers=2, heads=2, inner=24, positions=32)
SMALL_STUDENT = StudentShape(vocabulary=50, width=16, inner=(24,) * 3 + (12,), heads=2, per_head=4)
networks = pytest.mark.parametrize("model", [Teacher(SMALL).eval(), Student(SMALL_STUDENT).eval()])


def _inputs(texts: int = 2, pieces: int = 9, seed: int = 0):
    chance = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 50, (texts, pieces), generator=chance)
    return ids, torch.ones_like(ids), torch.randint(0, 5, (texts, pieces), generator=chance)


@networks
def test_a_label_for_each_piece_and_topics_for_each_text(model) -> None:
    """Log-odds both, of the agreed widths."""
    with torch.inference_mode():
        tokens, topics = model(*_inputs())

    assert (2, 9, len(LABELS)) == tuple(tokens.shape)
    assert (2, len(TOPICS)) == tuple(topics.shape)


@networks
def test_padding_changes_nothing(model) -> None:
    """Whatever stands in the padded places."""
    ids, mask, case = _inputs(1)
    longer, _, longer_case = _inputs(1, 16, seed=1)
    longer[:, :9], longer_case[:, :9] = ids, case
    longer_mask = torch.zeros_like(longer)
    longer_mask[:, :9] = 1
    with torch.inference_mode():
        alone, padded = model(ids, mask, case), model(longer, longer_mask, longer_case)

    assert torch.allclose(alone[0], padded[0][:, :9], atol=1e-5)
    assert torch.allclose(alone[1], padded[1], atol=1e-5)


@networks
def test_all_that_is_trained_has_a_learning_rate_once(model) -> None:
    """No parameter is forgotten, none trained twice."""
    named = [id(each) for _, group in model.learning_rates() for each in group]

    assert len(named) == len(set(named))
    assert {id(each) for each in model.parameters() if each.requires_grad} == set(named)


def test_the_teacher_sees_case_once_it_has_learnt_to() -> None:
    """Untrained it is as blind to it as its base; the words themselves are never trained."""
    teacher = Teacher(SMALL).eval()
    ids, mask, case = _inputs()
    with torch.inference_mode():
        before = teacher(ids, mask, case)[0]
        assert torch.equal(before, teacher(ids, mask, torch.zeros_like(case))[0])
    torch.nn.init.normal_(teacher.encoder.cases.weight)
    with torch.inference_mode():
        assert not torch.allclose(before, teacher(ids, mask, case)[0])
    teacher.learning_rates()
    assert not teacher.encoder.words.weight.requires_grad


def test_the_student_sees_eight_pieces_to_either_side_and_the_whole_text() -> None:
    """A change far away is felt through attention alone."""
    student = Student(SMALL_STUDENT).eval()
    ids, mask, case = _inputs(1, 24)
    other = ids.clone()
    other[0, 0] = (other[0, 0] + 1) % 50
    with torch.inference_mode():
        felt = (student(ids, mask, case)[0] - student(other, mask, case)[0]).abs().amax(-1)[0]
        for each in student.attended.values():
            torch.nn.init.zeros_(each.attention.answer.weight)
        near = (student(ids, mask, case)[0] - student(other, mask, case)[0]).abs().amax(-1)[0]

    assert felt[23] > 0
    assert [True] * 9 == (near[:9] > 0).tolist()
    assert not near[9:].any()


def test_a_student_begins_where_words_of_like_meaning_stand_together() -> None:
    """The distances between words are the teacher's, as far as the width allows, up to one scale."""
    student = Student(SMALL_STUDENT)
    words = torch.randn(50, 8) @ torch.randn(8, 40)
    begin_from(student, words)
    theirs, ours = torch.cdist(words, words), torch.cdist(student.words.weight.detach(), student.words.weight.detach())
    scale = (ours.sum() / theirs.sum()).item()

    assert torch.allclose(ours, theirs * scale, atol=1e-2)
    assert 0.7 == pytest.approx(student.words.weight.detach().pow(2).mean().sqrt().item(), abs=1e-4)


def _write_base(folder: Path, teacher: Teacher) -> None:
    """A base with the weights of `teacher`, as the published ones are kept."""
    encoder = teacher.encoder
    stated = {"model_type": "bert", "hidden_act": "gelu", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2}
    stated |= {
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 32,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(stated))
    kept = {
        "embeddings.word_embeddings.weight": encoder.words.weight,
        "embeddings.position_embeddings.weight": encoder.places.weight - 1,
        "embeddings.token_type_embeddings.weight": torch.ones(2, 16),
        "embeddings.LayerNorm.weight": encoder.normal.weight,
        "embeddings.LayerNorm.bias": encoder.normal.bias,
    }
    for at, layer in enumerate(encoder.layers):
        place = f"encoder.layer.{at}"
        for kind in ("weight", "bias"):
            parts = zip(("query", "key", "value"), getattr(layer.attention.asked, kind).chunk(3), strict=True)
            kept |= {f"{place}.attention.self.{name}.{kind}": part for name, part in parts}
            kept[f"{place}.attention.output.dense.{kind}"] = getattr(layer.attention.answer, kind)
            kept[f"{place}.attention.output.LayerNorm.{kind}"] = getattr(layer.after_attention, kind)
            kept[f"{place}.intermediate.dense.{kind}"] = getattr(layer.up, kind)
            kept[f"{place}.output.dense.{kind}"] = getattr(layer.down, kind)
            kept[f"{place}.output.LayerNorm.{kind}"] = getattr(layer.after_inner, kind)
    header, numbers = {}, b""
    for name, values in kept.items():
        content = np.ascontiguousarray(values.detach().numpy(), np.float32).tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [len(numbers), len(numbers) + len(content)],
        }
        numbers += content
    stated_header = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(stated_header)) + stated_header + numbers)


def test_weights_are_read_as_they_are_published(tmp_path: Path) -> None:
    """What was kept under the published names is the same encoder."""
    teacher = Teacher(SMALL).eval()
    _write_base(tmp_path, teacher)
    again = load_teacher(tmp_path).eval()

    assert SMALL == shape_of(tmp_path)
    with torch.inference_mode():
        assert torch.allclose(teacher.encoder(*_inputs()), again.encoder(*_inputs()), atol=1e-5)


def test_a_base_of_another_family_is_refused(tmp_path: Path) -> None:
    """Its weights would load into a different forward pass."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", "hidden_act": "gelu"}))
    with pytest.raises(ValueError, match="not a BERT encoder"):
        shape_of(tmp_path)


@pytest.mark.skipif(find_spec(BASE_PACKAGE) is None, reason="the base encoder is not installed")
@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed: nothing to compare with")
def test_the_encoder_says_what_the_published_one_says() -> None:
    """To 1e-4, padding and all, against the library that the base was published with."""
    from transformers import BertModel

    base = base_directory()
    ours, theirs = load_teacher(base).eval().encoder, BertModel.from_pretrained(base, add_pooling_layer=False).eval()
    ids = torch.randint(1000, 30000, (3, 33), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 20:] = 0
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
        actual = ours(ids, mask, torch.zeros_like(ids))

    assert (expected - actual)[mask == 1].abs().max() < 1e-4
    assert (30_522, 384) == tuple(base_weights(base)["embeddings.word_embeddings.weight"].shape)
