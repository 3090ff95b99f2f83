"""A trained model as the directory that the runtime loads: ONNX, 8 bits, checked against torch, thresholds, manifest."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from classifiers.model.case import CASES_AND_NAMES
from classifiers.model.manifest import (
    HALF_FILE,
    LABELS,
    MANIFEST_FILE,
    NAMES_FILE,
    TOKENIZER_FILE,
    TOPICS,
    WEIGHTS_FILE,
    parse_manifest,
)
from classifiers.training.batches import Batch, batch_of, batched_by_length
from classifiers.training.corpus import BASE_PACKAGE, OVERLAP, WINDOW, Corpus
from classifiers.training.fit import answers_of, sample_of, torch_run
from classifiers.training.quantise import Feeds, Run, measured_ranges, onnx_run, quantised
from classifiers.training.scoring import Answers, measured, topics_measured
from classifiers.training.temperature import tempered
from classifiers.training.tuning import MAX_ALARMS_PER_THOUSAND, tuned_topics, tuned_types
from governance.frozen import frozen

FORMAT: Final = "ringfence.model/1"
# Operators of this version are in every ONNX Runtime since 1.17.
_OPERATORS: Final = 18
_SAME: Final = 1e-4
_CALIBRATION_TEXTS: Final = 150
# Of each source, for topics: one in fifteen texts is about one, and a text has one answer where it has many pieces.
_TOPIC_WINDOWS: Final = 12_000
_LICENCES: Final[Mapping[str, str]] = {
    "templates": "Apache-2.0",
    "lifebench-pii": "Apache-2.0",
    "prompts": "Apache-2.0",
    "presidio-synth-v2": "MIT",
    "pubmedqa": "MIT",
    "address-formats": "MIT",
    "universal-ner": "CC BY-SA 4.0",
    "schema-guided-dialogue": "CC BY-SA 4.0",
    "clinc150": "CC BY 3.0",
}
_OTHER_LICENCE: Final = "CC BY 4.0"


@frozen
class Described:
    """What the manifest says beside what is measured."""

    name: str
    version: str
    window: int = WINDOW
    overlap: int = OVERLAP
    languages: tuple[str, ...] = ("en",)
    licence: str = "Apache-2.0"


def to_onnx(model: Any) -> onnx.ModelProto:
    """`model` in float32, batch and length open; checked against torch on a batch that was not traced.

    Raises ValueError where an output differs by more than 1e-4.
    """
    model = model.to("cpu").float().eval()
    made = _traced(model)
    difference = _difference(model, made)
    if difference > _SAME:
        raise ValueError(f"the ONNX model differs from torch by {difference:.1e}")
    return made


def write_model(
    model: Any,
    described: Described,
    directory: Path,
    *,
    corpus: Corpus,
    continues: NDArray[np.bool_],
    tokenizer_file: Path,
    names: bytes,
    half: bool = False,
    most: int = 4_000,
    most_alarms: float = MAX_ALARMS_PER_THOUSAND,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes the directory of `model` and gives its metrics: temperatures and thresholds from the dev split, figures from
    the test split.

    Both in the languages of `described`; "test_other_languages" has the figures of the others. "dev_float32" stands
    beside "dev", which is that of 8 bits, at the same thresholds. At most `most` windows of each source are read, for "topics"
    and their thresholds more, and at most `most_alarms` of 1,000 clean ones of dev alarm.
    """
    directory.mkdir(parents=True, exist_ok=True)

    def chosen(split: str, *, own: bool = True, most: int = most) -> NDArray[np.int64]:
        windows = sample_of(corpus, split, most=most)
        spoken = np.isin(np.array(corpus.language_names)[corpus.languages[windows]], described.languages)
        return np.asarray(windows[spoken == own])

    model, temperature, topic_temperatures = tempered(model, corpus, chosen("dev"))
    exact = to_onnx(model)
    small = quantised(exact, measured_ranges(exact, calibration(corpus)))
    content = small.SerializeToString()
    (directory / WEIGHTS_FILE).write_bytes(content)
    shutil.copyfile(tokenizer_file, directory / TOKENIZER_FILE)
    (directory / NAMES_FILE).write_bytes(names)
    (directory / HALF_FILE).unlink(missing_ok=True)
    if half:
        (directory / HALF_FILE).write_bytes(in_half(model).SerializeToString())
    tell(f"{len(content) / 1e6:.1f} MB; tuning on the dev split")
    run = onnx_run(content, threads=torch.get_num_threads())

    def answered(split: str, by: Callable[[Batch], Any], *, own: bool = True) -> Answers:
        return answers_of(by, corpus, chosen(split, own=own), continues)

    dev = answered("dev", batch_run(run))
    thresholds = tuned_types(dev, most_alarms=most_alarms)
    about = {
        split: answers_of(batch_run(run), corpus, chosen(split, most=max(most, _TOPIC_WINDOWS)), continues)
        for split in ("dev", "test")
    }
    topic_thresholds = tuned_topics(about["dev"])
    metrics = {
        "dev": measured(dev, thresholds, topic_thresholds),
        "dev_float32": measured(answered("dev", torch_run(model, "cpu")), thresholds, topic_thresholds),
        "test": measured(answered("test", batch_run(run)), thresholds, topic_thresholds),
        "test_other_languages": measured(answered("test", batch_run(run), own=False), thresholds, topic_thresholds),
        "topics": {split: topics_measured(answers, topic_thresholds) for split, answers in about.items()},
        "temperature": {"tokens": temperature, **topic_temperatures},
        # Weights that each piece is multiplied with, without those that are looked up.
        "multiplied": sum(each.weight.numel() for each in model.modules() if isinstance(each, torch.nn.Linear)),
    }
    _write_manifest(
        directory, described, corpus, thresholds=thresholds, topic_thresholds=topic_thresholds, metrics=metrics
    )
    return metrics


def calibration(corpus: Corpus, *, texts: int = _CALIBRATION_TEXTS) -> Iterator[Feeds]:
    """The inputs of training texts of every source, whose activations stand for all."""
    windows = sample_of(corpus, "train", most=texts)
    for group in batched_by_length(windows, corpus.lengths[windows], 4_096):
        yield feeds_of(batch_of(corpus, group))


def feeds_of(batch: Batch) -> Feeds:
    """The inputs of the ONNX model."""
    return {"input_ids": batch.ids, "attention_mask": batch.mask, "case": batch.cases}


def batch_run(run: Run) -> Callable[[Batch], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """`run` for batches."""
    return lambda batch: run(feeds_of(batch))


def in_half(model: Any) -> onnx.ModelProto:
    """`model` with weights and arithmetic in float16, for a GPU; what goes in and comes out is as in float32."""

    class Half(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = copy.deepcopy(model).half()

        def forward(self, input_ids: Any, attention_mask: Any, case: Any) -> tuple[Any, Any]:
            tokens, topics = self.inner(input_ids, attention_mask, case)
            return tokens.float(), topics.float()

    return _traced(Half())


def _traced(model: Any) -> onnx.ModelProto:
    # Three tensors: one given three times would be taken for one input.
    traced = tuple(torch.ones(2, 9, dtype=torch.int64) for _ in range(3))
    texts, pieces = torch.export.Dim("texts"), torch.export.Dim("pieces", min=2, max=512)
    with warnings.catch_warnings():
        # The exporter warns of its own insides.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            traced,
            dynamo=True,
            input_names=["input_ids", "attention_mask", "case"],
            output_names=["tokens", "topics"],
            dynamic_shapes=({0: texts, 1: pieces},) * 3,
            opset_version=_OPERATORS,
            verbose=False,
        )
    made = program.model_proto
    # The exporter notes where each operator came from: paths of the machine that exported.
    del made.metadata_props[:]
    for node in made.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return made


def _difference(model: Any, made: onnx.ModelProto) -> float:
    chance = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 3000, (3, 21), generator=chance)
    mask = torch.ones_like(ids)
    mask[1, 11:] = 0
    case = torch.randint(0, CASES_AND_NAMES, ids.shape, generator=chance)
    with torch.inference_mode():
        tokens, topics = (each.numpy() for each in model(ids, mask, case))
    feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "case": case.numpy()}
    our_tokens, our_topics = onnx_run(made.SerializeToString())(feeds)
    there = mask.numpy() == 1
    return float(max(np.abs(tokens - our_tokens)[there].max(), np.abs(topics - our_topics).max()))


def _write_manifest(
    directory: Path,
    described: Described,
    corpus: Corpus,
    *,
    thresholds: Mapping[str, float],
    topic_thresholds: Mapping[str, float],
    metrics: Mapping[str, Any],
) -> None:
    """Checked as the runtime will check it before it is written."""
    train = corpus.chosen("train")
    stated = {
        "format": FORMAT,
        "name": described.name,
        "version": described.version,
        "kind": "ours",
        "files": {
            name: hashlib.sha256((directory / name).read_bytes()).hexdigest()
            for name in (WEIGHTS_FILE, HALF_FILE, TOKENIZER_FILE, NAMES_FILE)
            if (directory / name).is_file()
        },
        "labels": list(LABELS),
        "topics": list(TOPICS),
        "thresholds": {kind: round(value * 1000) for kind, value in thresholds.items()},
        "topic_thresholds": {topic: round(value * 1000) for topic, value in topic_thresholds.items()},
        "window": described.window,
        "overlap": described.overlap,
        "languages": list(described.languages),
        "base": f"{BASE_PACKAGE.replace('_', '-')} (all-MiniLM-L6-v2, Apache-2.0)",
        "licence": described.licence,
        "training": [
            {
                "set": name,
                "licence": _LICENCES.get(name, _OTHER_LICENCE),
                "rows": int((corpus.sources[train] == at).sum()),
            }
            for at, name in enumerate(corpus.source_names)
        ],
        "metrics": dict(metrics),
    }
    raw = (json.dumps(stated, indent=2) + "\n").encode()
    parse_manifest(raw, directory)
    (directory / MANIFEST_FILE).write_bytes(raw)
