"""Training: steps of AdamW over a mixture, under a budget of minutes or of steps, stopped and taken up again at any step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from classifiers.training.batches import Batch, Mixture, batch_of, batched_by_length
from classifiers.training.corpus import Corpus
from classifiers.training.loss import token_loss, topic_loss
from classifiers.training.rows import LABELS, TOPICS
from classifiers.training.scoring import Answers, measured, words_of
from governance.frozen import frozen

CHECKPOINT: Final = "checkpoint.pt"
WEIGHTS: Final = "weights.pt"
# A text has one answer for each topic, and most are no; without weight they are learnt long after the tokens.
TOPIC_WEIGHT: Final = 3.0
# Steps in a row without a finite gradient after which a training does not recover by itself.
MOST_SKIPPED: Final = 10
_LAST_FACTOR: Final = 0.02
_AVERAGED_EVERY: Final = 10
# Of a batch as tensors, token logits and topic logits: the loss of the step.
Loss = Callable[[dict[str, Any], Any, Any], Any]


@frozen
class Plan:
    """How long and how fast. `minutes` counts the time in steps over all runs of one training; else `steps` counts.

    The learning rate rises over the first `warm_up` of the budget, and falls to a fiftieth as a cosine does.
    """

    minutes: float | None = None
    steps: int | None = None
    learning_rate: float
    warm_up: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    report_every: int = 50
    evaluate_every_s: float = 240.0
    checkpoint_every: int = 500
    average_decay: float = 0.98

    def progress(self, step: int, elapsed_s: float) -> float:
        """From 0 to 1."""
        spent = elapsed_s / (self.minutes * 60) if self.minutes else step / (self.steps or 1)
        return min(1.0, spent)

    def rate(self, progress: float) -> float:
        """Of the learning rate, at `progress`."""
        if progress < self.warm_up:
            return max(0.01, progress / self.warm_up)
        along = (progress - self.warm_up) / (1 - self.warm_up)
        return _LAST_FACTOR + (1 - _LAST_FACTOR) * 0.5 * (1 + math.cos(math.pi * along))


def device_of(wish: str) -> str:
    """`wish`, or for "auto" a GPU where there is one."""
    if wish != "auto":
        return wish
    return "cuda" if torch.cuda.is_available() else "cpu"


def mixed(device: str) -> Any:
    """The arithmetic of training steps on `device`: products in bfloat16 where it has units for them.

    Such are CUDA, Intel's AMX and AVX-512's BF16, which some of AMD's processors have as well.
    """
    able = torch.cpu.get_capabilities()
    units = device == "cuda" or any(able.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return torch.autocast(device, torch.bfloat16, enabled=units)


def hard_loss(tensors: dict[str, Any], tokens: Any, topics: Any) -> Any:
    """Against what is marked."""
    marked = token_loss(tokens, tensors["labels"], tensors["unmarked"])
    return marked + TOPIC_WEIGHT * topic_loss(topics, tensors["topics"])


class Training:
    """One training in one folder. Everything that decides the next step is in the checkpoint there."""

    def __init__(
        self,
        model: Any,
        mixture: Mixture,
        plan: Plan,
        out: Path,
        *,
        device: str,
        loss: Loss,
        begun: str | None = None,
    ) -> None:
        """Takes up the checkpoint in `out` where there is one.

        `begun` names the weights that `model` was given to begin with. Raises ValueError where the checkpoint is of a
        training that began otherwise.
        """
        torch.manual_seed(plan.seed)
        out.mkdir(parents=True, exist_ok=True)
        self.model = model.to(device)
        self._mixture, self._plan, self._out, self._device, self._loss = mixture, plan, out, device, loss
        self._optimizer = torch.optim.AdamW(_groups(model, plan), fused=True)
        self.step, self._elapsed_s, self._chunk, self._position = 0, 0.0, 0, 0
        self._average = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._averages = self._skipped = 0
        self._begun = begun
        if (out / CHECKPOINT).is_file():
            self._take_up()

    def run(self, *, examine: Callable[[Any], dict[str, Any]] | None = None, stop_at: int | None = None) -> None:
        """Trains until the budget is spent, or step `stop_at`. Prints a line now and then.

        `examine` is called with the model at its averaged weights; what it gives is kept in metrics.json. Raises
        ValueError after MOST_SKIPPED steps in a row whose gradient is not finite; the checkpoint stays that of before.
        """
        began, reported, examined = time.monotonic(), time.monotonic(), time.monotonic()
        before, sums, texts, pieces = self._elapsed_s, 0.0, 0, 0
        paused = 0.0
        for batch in self._batches():
            progress = self._plan.progress(self.step, self._elapsed_s)
            if progress >= 1 or self.step == stop_at:
                break
            sums += self._one(batch, self._plan.rate(progress))
            texts, pieces = texts + len(batch.ids), pieces + int(batch.mask.sum())
            self._elapsed_s = before + time.monotonic() - began - paused
            if self.step % self._plan.report_every == 0:
                now = time.monotonic()
                took = now - reported
                self._report(progress, sums / self._plan.report_every, texts / took, pieces / took)
                reported, sums, texts, pieces = now, 0.0, 0, 0
            rest = time.monotonic()
            if self.step % self._plan.checkpoint_every == 0:
                self._keep()
            if examine is not None and time.monotonic() - examined >= self._plan.evaluate_every_s:
                self._examine(examine)
                examined = time.monotonic()
            paused += time.monotonic() - rest
            reported += time.monotonic() - rest
        self._keep()
        if examine is not None:
            self._examine(examine)

    def averaged(self) -> dict[str, Any]:
        """The weights averaged over the last steps: steadier than those of any one."""
        return self._average if self._averages else self.model.state_dict()

    def _batches(self) -> Iterator[Batch]:
        while True:
            chunk = self._mixture.chunk(self._chunk)
            yield from chunk[self._position :]
            self._chunk, self._position = self._chunk + 1, 0

    def _one(self, batch: Batch, rate: float) -> float:
        """The loss of a step, which changes nothing where its gradient is not finite. Raises ValueError as `run`."""
        self.model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self._plan.learning_rate * group["factor"] * rate
        tensors = tensors_of(batch, self._device)
        with mixed(self._device):
            tokens, topics = self.model(tensors["ids"], tensors["mask"], tensors["cases"])
        loss = self._loss(tensors, tokens.float(), topics.float())
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            [each for each in self.model.parameters() if each.requires_grad], self._plan.clip
        )
        self.step, self._position = self.step + 1, self._position + 1
        if math.isfinite(norm):
            self._optimizer.step()
            self._skipped = 0
        else:
            self._skip()
        if self.step % _AVERAGED_EVERY == 0:
            self._add_to_average()
        return float(loss.detach())

    def _skip(self) -> None:
        self._skipped += 1
        if self._skipped == MOST_SKIPPED:
            raise ValueError(
                f"the gradient was not finite in {MOST_SKIPPED} steps in a row, up to step {self.step}:"
                " a lower --learning-rate goes on from the checkpoint"
            )
        print(f"step {self.step:6}  skipped: its gradient is not finite", flush=True)

    def _add_to_average(self) -> None:
        self._averages += 1
        # Of few steps so far the average is that of those, not of the beginning.
        decay = min(self._plan.average_decay, 1 - 1 / self._averages)
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self._average[name].lerp_(value.detach(), 1 - decay)

    def _examine(self, examine: Callable[[Any], dict[str, Any]]) -> None:
        own = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.averaged())
        self.model.eval()
        metrics = examine(self.model)
        self.model.load_state_dict(own)
        kept = {"step": self.step, "minutes": round(self._elapsed_s / 60, 2), **metrics}
        (self._out / "metrics.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        with (self._out / "metrics.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps(kept) + "\n")
        types = "  ".join(f"{kind} {count['f1']:.3f}" for kind, count in metrics["types"].items())
        print(f"dev at step {self.step}: {types}", flush=True)
        print(
            f"    topics {metrics['topics_macro_f1']:.3f}  word recall {metrics['word_recall']:.3f}"
            f"  alarms {metrics['alarms_per_thousand_clean']:.1f} of 1,000 clean",
            flush=True,
        )

    def _report(self, progress: float, loss: float, texts_s: float, pieces_s: float) -> None:
        print(
            f"step {self.step:6}  {progress:6.1%}  loss {loss:.4f}  {texts_s:6.0f} texts/s  {pieces_s:7.0f} pieces/s",
            flush=True,
        )

    def _keep(self) -> None:
        """The checkpoint and the averaged weights: each whole, or as before. Raises ValueError where weights are not finite."""
        if not all(bool(torch.isfinite(value).all()) for value in self.model.state_dict().values()):
            raise ValueError(f"the weights at step {self.step} are not finite: they are not kept")
        state = {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average,
            "averages": self._averages,
            "step": self.step,
            "elapsed_s": self._elapsed_s,
            "chunk": self._chunk,
            "position": self._position,
            "random": torch.get_rng_state(),
            "begun": self._begun,
        }
        for name, content in ((CHECKPOINT, state), (WEIGHTS, self.averaged())):
            partial = self._out / f"{name}.partial"
            torch.save(content, partial)
            partial.replace(self._out / name)

    def _take_up(self) -> None:
        state = torch.load(self._out / CHECKPOINT, map_location=self._device, weights_only=True)
        # A checkpoint of before beginnings were named has none.
        begun = state.get("begun")
        if self._begun not in {None, begun}:
            raise ValueError(
                f"the training in `{self._out}` did not begin with the model of --begin:"
                f" go on without --begin, or remove `{self._out / CHECKPOINT}`"
            )
        self._begun = begun
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average, self._averages = state["average"], state["averages"]
        self.step, self._elapsed_s = state["step"], state["elapsed_s"]
        self._chunk, self._position = state["chunk"], state["position"]
        torch.set_rng_state(state["random"].cpu())
        print(f"taken up at step {self.step}, after {self._elapsed_s / 60:.1f} minutes", flush=True)


def mean_weights(folders: Sequence[Path], out: Path) -> None:
    """Leaves in `out` the mean of the weights of trainings, one of which began where another ended.

    The mean of such weights often errs less than each (Wortsman et al. 2022, "Model soups", arXiv:2203.05482). Raises ValueError where they are of different shapes, FileNotFoundError where a folder has none.
    """
    states = [torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True) for folder in folders]
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    if any(each != shapes[0] for each in shapes):
        raise ValueError("the weights are of models of different shapes")
    out.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}, out / WEIGHTS)


def tensors_of(batch: Batch, device: str) -> dict[str, Any]:
    """The arrays of `batch` where the model is."""
    names = ("ids", "mask", "cases", "labels", "unmarked", "topics")
    return {name: torch.from_numpy(np.ascontiguousarray(getattr(batch, name))).to(device) for name in names}


def answers_of(
    run: Callable[[Batch], tuple[NDArray[np.float32], NDArray[np.float32]]],
    corpus: Corpus,
    windows: NDArray[np.int64],
    continues: NDArray[np.bool_],
    *,
    pieces: int = 8_192,
) -> Answers:
    """What `run`, which gives the logits of a batch, says of `windows`; in batches of `pieces`."""
    lengths = corpus.lengths[windows]
    begins = np.cumsum(lengths) - lengths
    place_of = np.full(len(corpus), -1, np.int64)
    place_of[windows] = np.arange(len(windows))
    types = (len(LABELS) - 1) // 2
    kinds, starting = (np.zeros((int(lengths.sum()), types), np.float32) for _ in range(2))
    topics = np.zeros((len(windows), len(TOPICS)), np.float32)
    for group in batched_by_length(windows, lengths, pieces) if len(windows) else []:
        batch = batch_of(corpus, group)
        token_logits, topic_logits = run(batch)
        chances = _softmax(token_logits)
        rows = place_of[group]
        topics[rows] = 1 / (1 + np.exp(-topic_logits))
        for at, row in enumerate(rows):
            length, begin = int(lengths[row]), int(begins[row])
            own = chances[at, :length, 1:]
            kinds[begin : begin + length] = own[:, 0::2] + own[:, 1::2]
            starting[begin : begin + length] = own[:, 0::2]
    words = words_of(corpus, windows, continues)
    return Answers(corpus=corpus, windows=windows, words=words, kinds=kinds, begins=starting, topics=topics)


def torch_run(model: Any, device: str) -> Callable[[Batch], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The logits of `model`, as it is, for a batch."""

    def run(batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        tensors = tensors_of(batch, device)
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            tokens, topics = model(tensors["ids"], tensors["mask"], tensors["cases"])
        return tokens.float().cpu().numpy(), topics.float().cpu().numpy()

    return run


def examiner(
    corpus: Corpus, continues: NDArray[np.bool_], *, device: str, most: int = 1_500, seed: int = 0
) -> Callable[[Any], dict[str, Any]]:
    """Measures a model on the dev split: at most `most` windows of each source, always the same, at thresholds of 0.5."""
    windows = sample_of(corpus, "dev", most=most, seed=seed)

    def examine(model: Any) -> dict[str, Any]:
        return measured(answers_of(torch_run(model, device), corpus, windows, continues), {}, {})

    return examine


def sample_of(corpus: Corpus, split: str, *, most: int, seed: int = 0) -> NDArray[np.int64]:
    """At most `most` windows of each source in `split`, in order."""
    chance, windows = np.random.default_rng(seed), corpus.chosen(split)
    chosen = [
        own if len(own) <= most else chance.choice(own, most, replace=False)
        for at in range(len(corpus.source_names))
        for own in (windows[corpus.sources[windows] == at],)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else windows


def _groups(model: Any, plan: Plan) -> list[dict[str, Any]]:
    """Weight decay is for matrices: no vocabulary, no bias, no norm."""
    vocabulary = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    groups = []
    for factor, parameters in model.learning_rates():
        trained = [each for each in parameters if each.requires_grad]
        decayed = [each for each in trained if each.dim() > 1 and id(each) not in vocabulary]
        own = {id(each) for each in decayed}
        rest = [each for each in trained if id(each) not in own]
        groups.append({"params": decayed, "factor": factor, "weight_decay": plan.weight_decay})
        groups.append({"params": rest, "factor": factor, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    chances: NDArray[np.float32] = exponents / exponents.sum(-1, keepdims=True)
    return chances
