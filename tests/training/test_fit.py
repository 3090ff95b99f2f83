"""Training: it learns, keeps to its budget, and goes on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training group is not installed")

from classifiers.training import batches  # noqa: E402
from classifiers.training.batches import Mixture, batch_of, case_tables  # noqa: E402
from classifiers.training.corpus import Corpus  # noqa: E402
from classifiers.training.distil import distilled_loss  # noqa: E402
from classifiers.training.fit import (  # noqa: E402
    CHECKPOINT,
    MOST_SKIPPED,
    WEIGHTS,
    Plan,
    Training,
    answers_of,
    examiner,
    hard_loss,
    mean_weights,
    sample_of,
    tensors_of,
    torch_run,
)
from classifiers.training.scoring import continuations  # noqa: E402
from classifiers.training.student import Student, StudentShape  # noqa: E402
from tests.training.pieces import WORDS, corpus, several, tokenizer  # noqa: E402

PLAN = Plan(steps=40, learning_rate=1e-2, report_every=10, checkpoint_every=5)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a few batches."""
    monkeypatch.setattr(batches, "CHUNK_TEXTS", 64)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def made() -> Corpus:
    """Two sets, in all splits."""
    return corpus(several(80))


def _student(seed: int = 0) -> Student:
    torch.manual_seed(seed)
    return Student(StudentShape(vocabulary=len(WORDS), width=16, inner=(24,) * 3 + (12,), heads=2, per_head=4))


def _training(made: Corpus, out: Path, plan: Plan = PLAN, **given) -> Training:
    mixture = Mixture(made, case_tables(tokenizer()), seed=0, pieces=256)
    return Training(_student(), mixture, plan, out, device="cpu", **{"loss": hard_loss, **given})


def test_a_model_learns_what_is_marked(made: Corpus, tmp_path: Path) -> None:
    """Names and places that repeat are found on texts of the dev split, and figures are kept beside the weights."""
    training = _training(made, tmp_path)
    training.run(examine=examiner(made, continuations(tokenizer()), device="cpu"))
    metrics = json.loads((tmp_path / "metrics.json").read_text())

    assert 40 == metrics["step"]
    assert metrics["types"]["all"]["f1"] > 0.95
    assert metrics["topics_macro_f1"] >= 0
    assert {"one", "two"} == metrics["sources"].keys()


def test_a_training_that_stopped_goes_on_as_if_it_had_not(made: Corpus, tmp_path: Path) -> None:
    """Weights, averages, moments of the optimiser, order of the texts and dropout: all bit by bit."""
    whole = _training(made, tmp_path / "whole")
    whole.run(stop_at=23)
    _training(made, tmp_path / "parts").run(stop_at=9)
    torch.manual_seed(99)
    rest = _training(made, tmp_path / "parts")
    assert 9 == rest.step
    rest.run(stop_at=23)

    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name
    for name, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[name]), name


def test_a_budget_that_is_spent_trains_no_further(made: Corpus, tmp_path: Path) -> None:
    """The same command again changes nothing."""
    _training(made, tmp_path, Plan(steps=3, learning_rate=1e-2)).run()
    again = _training(made, tmp_path, Plan(steps=3, learning_rate=1e-2))
    again.run()

    assert 3 == again.step


class Failing:
    """The loss of the marks, which is not a number in `steps`, counted from 1."""

    def __init__(self, steps: Collection[int]) -> None:
        self._steps, self.asked = steps, 0

    def __call__(self, tensors, tokens, topics):
        self.asked += 1
        loss = hard_loss(tensors, tokens, topics)
        return loss * float("nan") if self.asked in self._steps else loss


def test_a_step_whose_loss_is_no_number_changes_nothing(made: Corpus, tmp_path: Path) -> None:
    """Neither weights nor moments; the others learn as ever, and what is kept is finite."""
    training = _training(made, tmp_path, loss=Failing({3, 10, 11}))
    training.run(stop_at=2)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.run(stop_at=3)
    assert all(torch.equal(value, before[name]) for name, value in training.model.state_dict().items())
    training.run(examine=examiner(made, continuations(tokenizer()), device="cpu"))

    assert 40 == training.step
    assert json.loads((tmp_path / "metrics.json").read_text())["types"]["all"]["f1"] > 0.95
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    moments = [each for own in state["optimizer"]["state"].values() for each in own.values()]
    kept = [*state["model"].values(), *state["average"].values(), *moments]
    assert all(torch.isfinite(each).all() for each in kept)


def test_a_training_that_only_fails_ends_with_an_error_and_keeps_what_it_had(made: Corpus, tmp_path: Path) -> None:
    """The checkpoint is that of a good step, from which a lower rate goes on."""
    training = _training(made, tmp_path, loss=Failing(range(14, 99)))

    with pytest.raises(ValueError, match=f"not finite in {MOST_SKIPPED} steps in a row, up to step"):
        training.run()

    kept = _training(made, tmp_path)
    assert 13 + MOST_SKIPPED == training.step > kept.step
    assert all(torch.isfinite(value).all() for value in kept.model.state_dict().values())


def test_weights_that_are_no_numbers_are_never_kept(made: Corpus, tmp_path: Path) -> None:
    """Even where a training begins with them and ends before it is noticed."""
    training = _training(made, tmp_path)
    with torch.no_grad():
        next(iter(training.model.parameters())).fill_(float("inf"))

    with pytest.raises(ValueError, match="weights at step 1 are not finite"):
        training.run(stop_at=1)
    assert [] == list(tmp_path.iterdir())


def test_a_training_begun_with_a_model_goes_on_with_the_same_alone(made: Corpus, tmp_path: Path) -> None:
    """The one that `begun` names; another, or one for a training that began without, is an error that says what to do."""
    _training(made, tmp_path / "begun", begun="one").run(stop_at=2)
    _training(made, tmp_path / "new").run(stop_at=2)

    assert [2, 2] == [_training(made, tmp_path / "begun", begun=begun).step for begun in ("one", None)]
    _training(made, tmp_path / "begun").run(stop_at=3)
    assert 3 == _training(made, tmp_path / "begun", begun="one").step
    for folder, begun in (("begun", "other"), ("new", "one")):
        with pytest.raises(ValueError, match=r"go on without --begin, or remove `.*checkpoint\.pt`"):
            _training(made, tmp_path / folder, begun=begun)


def test_the_rate_rises_then_falls() -> None:
    """To a fiftieth at the end; minutes count before steps."""
    plan = Plan(steps=100, learning_rate=1.0, warm_up=0.1)

    assert [0.5, 1.0, 0.51, 0.02] == pytest.approx([plan.rate(each) for each in (0.05, 0.1, 0.55, 1.0)])
    assert 0.25 == plan.progress(25, 7200)
    assert 0.5 == Plan(minutes=10, learning_rate=1.0).progress(1, 300)
    assert 1.0 == Plan(minutes=10, learning_rate=1.0).progress(1, 900)


def test_averages_are_of_the_weights_so_far(made: Corpus, tmp_path: Path) -> None:
    """Untrained weights have no part in them: the first average is what the model was then."""
    training = _training(made, tmp_path)
    before = training.averaged()["tokens.weight"].clone()
    training.run(stop_at=10)
    after = training.averaged()["tokens.weight"]

    assert not torch.equal(before, after)
    assert torch.allclose(after, training.model.state_dict()["tokens.weight"], atol=1e-6)


def test_answers_stand_where_their_windows_do(made: Corpus) -> None:
    """However windows are grouped into batches, each has the answer that it has alone."""
    model = _student().eval()
    windows = sample_of(made, "dev", most=5)
    together = answers_of(torch_run(model, "cpu"), made, windows, continuations(tokenizer()), pieces=64)
    begin = 0
    for at, window in enumerate(windows):
        alone = answers_of(torch_run(model, "cpu"), made, np.array([window]), continuations(tokenizer()))
        end = begin + len(alone.kinds)
        assert np.allclose(alone.kinds, together.kinds[begin:end], atol=1e-5)
        assert np.allclose(alone.begins, together.begins[begin:end], atol=1e-5)
        assert np.allclose(alone.topics[0], together.topics[at], atol=1e-5)
        begin = end
    assert begin == len(together.kinds)


def test_a_sample_is_the_same_each_time_and_of_every_source(made: Corpus) -> None:
    """At most so many windows of each, all of one split."""
    sample = sample_of(made, "train", most=7)

    assert [7, 7] == np.bincount(made.sources[sample]).tolist()
    assert {0} == set(made.splits[sample].tolist())
    assert sample.tolist() == sample_of(made, "train", most=7).tolist()


def test_a_student_beside_a_teacher_follows_it(made: Corpus, tmp_path: Path) -> None:
    """Where the marks say nothing of a topic, the teacher does; the teacher itself is not trained."""
    teacher = _student(seed=5)
    with torch.no_grad():
        teacher.topics.topics.bias.fill_(4.0)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    training = _training(made, tmp_path, loss=distilled_loss(teacher, device="cpu"))
    batch = batch_of(made, np.flatnonzero((made.topics < 0).all(1))[:4])
    tensors = tensors_of(batch, "cpu")
    training.run()
    training.model.eval()
    with torch.inference_mode():
        _, topics = training.model(tensors["ids"], tensors["mask"], tensors["cases"])

    assert torch.sigmoid(topics).min() > 0.8
    assert all(torch.equal(value, teacher.state_dict()[name]) for name, value in before.items())


def test_the_mean_of_weights_is_that_of_each_number(tmp_path: Path) -> None:
    """It can be exported as a training; other shapes are an error."""
    for name, value in (("a", 1.0), ("b", 3.0)):
        (tmp_path / name).mkdir()
        torch.save({"words.weight": torch.full((2, 3), value)}, tmp_path / name / WEIGHTS)
    mean_weights([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    made = torch.load(tmp_path / "both" / WEIGHTS, weights_only=True)

    assert torch.full((2, 3), 2.0).equal(made["words.weight"])
    torch.save({"words.weight": torch.zeros(2, 4)}, tmp_path / "b" / WEIGHTS)
    with pytest.raises(ValueError, match="different shapes"):
        mean_weights([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
