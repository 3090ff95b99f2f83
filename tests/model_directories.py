"""Model directories that tests make: weights of a few kilobytes whose answer for each piece is looked up in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from classifiers.model.manifest import LABELS, TOPICS

WORDS: Mapping[str, str] = {
    "tomasz": "B-PERSON",
    "kowal": "I-PERSON",
    "##ski": "I-PERSON",
    "anna": "B-PERSON",
    "berlin": "B-LOCATION",
    "dialysis": "B-MEDICAL",
    "12": "B-ADDRESS",
    "high": "I-ADDRESS",
    "street": "I-ADDRESS",
    "acme": "B-ORGANIZATION",
}
ABOUT: Mapping[str, str] = {"dialysis": "health", "salary": "hr"}
PLAIN = (
    "our",
    "neighbour",
    "began",
    "on",
    "the",
    "in",
    "lives",
    "at",
    "salary",
    "a",
    "s",
    "'",
    ",",
    ".",
    "-",
    "##a",
    "mr",
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = (*SPECIAL, *WORDS, *PLAIN)
# Of 1 and 21 labels, a piece with these logits has its label with 0.999.
SURE = 10.0


@dataclass(slots=True, kw_only=True)
class Model:
    """What `write` makes; each field can be spoilt."""

    labels: Sequence[str] = LABELS
    topics: Sequence[str] = TOPICS
    words: Mapping[str, str] = field(default_factory=lambda: WORDS)
    inputs: Sequence[str] = ("input_ids", "attention_mask", "case")
    outputs: Sequence[str] = ("tokens", "topics")
    integers: int = TensorProto.INT64
    weights: int = TensorProto.FLOAT
    shape: Sequence[str | int] = ("batch", "pieces")
    poisoned: str = ""
    rows: int = len(VOCABULARY)
    tokenizer: bytes = b""
    names: bytes = b""
    manifest: Mapping[str, Any] = field(default_factory=dict)


def write(directory: Path, model: Model | None = None) -> Path:
    """`directory`, with the files of `model`."""
    made = model or Model()
    directory.mkdir(parents=True, exist_ok=True)
    files = {"model.onnx": onnx_bytes(made), "tokenizer.json": made.tokenizer or tokenizer_bytes()}
    if made.names:
        files["names.txt"] = made.names
    for name, content in files.items():
        (directory / name).write_bytes(content)
    (directory / "manifest.json").write_text(json.dumps(stated(files) | made.manifest))
    return directory


def stated(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The manifest of a model of ours with `files`."""
    return {
        "format": "ringfence.model/1",
        "name": "tiny",
        "version": "1",
        "kind": "ours",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "labels": list(LABELS),
        "topics": list(TOPICS),
        "thresholds": {},
        "topic_thresholds": {},
        "window": 16,
        "overlap": 4,
        "languages": ["en"],
        "base": "none",
        "licence": "Apache-2.0",
        "training": [],
        "metrics": {},
    }


def tokenizer_bytes() -> bytes:
    """A tokenizer.json that pads and cuts at 8 pieces, as those of packages do at 128."""
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=8)
    tokenizer.enable_truncation(8)
    return tokenizer.to_str().encode()


def onnx_bytes(model: Model) -> bytes:
    """Weights that look the logits of each piece up by its id, and of the topics by the ids of all."""
    kind = helper.tensor_dtype_to_np_dtype(model.weights)
    tokens = np.zeros((model.rows, len(model.labels)), dtype=kind)
    topics = np.full((model.rows, max(1, len(model.topics))), -SURE, dtype=kind)
    for number, word in enumerate(VOCABULARY[: model.rows]):
        label = model.words.get(word, "O")
        if label in model.labels:
            tokens[number, list(model.labels).index(label)] = SURE
        if word == model.poisoned:
            tokens[number] = np.nan
        if word in ABOUT and ABOUT[word] in model.topics:
            topics[number, list(model.topics).index(ABOUT[word])] = SURE
    ids, mask = model.inputs[:2]
    nodes = [
        helper.make_node("Gather", ["table", ids], ["looked_up"]),
        helper.make_node("Cast", [mask], ["present"], to=model.weights),
        helper.make_node("Sub", ["present", "one"], ["absent"]),
        helper.make_node("Unsqueeze", ["absent", "two"], ["absent_column"]),
    ]
    last = "looked_up"
    for extra in model.inputs[2:]:
        # Every input has a part in the answer, or it would be taken out: zero times what it says.
        nodes += [
            helper.make_node("Cast", [extra], [f"{extra}_number"], to=model.weights),
            helper.make_node("Mul", [f"{extra}_number", "zero"], [f"{extra}_nothing"]),
            helper.make_node("Unsqueeze", [f"{extra}_nothing", "two"], [f"{extra}_column"]),
            helper.make_node("Add", [last, f"{extra}_column"], [f"with_{extra}"]),
        ]
        last = f"with_{extra}"
    nodes.append(helper.make_node("Identity", [last], [model.outputs[0]]))
    if len(model.outputs) > 1:
        nodes += [
            helper.make_node("Gather", ["topic_table", ids], ["topics_of_pieces"]),
            helper.make_node("Mul", ["absent_column", "much"], ["away"]),
            helper.make_node("Add", ["topics_of_pieces", "away"], ["topics_present"]),
            helper.make_node("ReduceMax", ["topics_present", "first"], [model.outputs[1]], keepdims=0),
        ]
    values = {
        "table": tokens,
        "topic_table": topics,
        "one": np.ones(1, dtype=kind),
        "zero": np.zeros(1, dtype=kind),
        "much": np.full(1, 1_000, dtype=kind),
        "two": np.array([2], dtype=np.int64),
        "first": np.array([1], dtype=np.int64),
    }
    shapes = {model.outputs[0]: [*model.shape, len(model.labels)]}
    if len(model.outputs) > 1:
        shapes[model.outputs[1]] = [model.shape[0], len(model.topics)]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, model.integers, model.shape) for name in model.inputs],
        [helper.make_tensor_value_info(name, model.weights, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(value, name) for name, value in values.items() if name in used],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content
