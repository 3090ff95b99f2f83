"""Models in 8 bits: nearly what they were, whatever stands beside a text, and small."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifiers.training.quantise import activations_of, measured_ranges, onnx_run, quantised

ROWS, WIDTH, INNER = 9_000, 128, 192
Feeds = dict[str, NDArray[np.int64]]


def _model(*, transposed: bool = False) -> onnx.ModelProto:
    """A lookup, a product with bias and ReLU, and two small heads."""
    chance = np.random.default_rng(0)
    large = chance.normal(size=(WIDTH, INNER)).astype(np.float32) / 11
    constants = {
        "table": chance.normal(size=(ROWS, WIDTH)).astype(np.float32),
        "large": np.ascontiguousarray(large.T) if transposed else large,
        "bias": chance.normal(size=INNER).astype(np.float32),
        "small": chance.normal(size=(INNER, 21)).astype(np.float32) / 14,
        "topic": chance.normal(size=(INNER, 8)).astype(np.float32) / 14,
    }
    product = (
        [
            helper.make_node("Reshape", ["rows", "flat"], ["flattened"]),
            helper.make_node("Gemm", ["flattened", "large", "bias"], ["product"], transB=1),
            helper.make_node("Relu", ["product"], ["relu"]),
            helper.make_node("Shape", ["input_ids"], ["shape"]),
            helper.make_node("Concat", ["shape", "inner"], ["whole"], axis=0),
            helper.make_node("Reshape", ["relu", "whole"], ["hidden"]),
        ]
        if transposed
        else [
            helper.make_node("MatMul", ["rows", "large"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["hidden"]),
        ]
    )
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        *product,
        helper.make_node("MatMul", ["hidden", "small"], ["tokens"]),
        helper.make_node("ReduceMean", ["hidden", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "topic"], ["topics"]),
    ]
    numbers = {"axis": [1], "flat": [-1, WIDTH], "inner": [INNER]}
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "pieces"])],
        [
            helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["texts", "pieces", 21]),
            helper.make_tensor_value_info("topics", TensorProto.FLOAT, ["texts", 8]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()]
        + [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in numbers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _feeds(texts: int = 2, seed: int = 1) -> Feeds:
    return {"input_ids": np.random.default_rng(seed).integers(0, ROWS, (texts, 12))}


@pytest.mark.parametrize("transposed", [False, True])
def test_a_model_in_8_bits_says_nearly_the_same(transposed: bool) -> None:
    """Whichever way the exporter wrote the product."""
    exact = _model(transposed=transposed)
    small = quantised(exact, measured_ranges(exact, [_feeds(40, seed=2)]))
    tokens, topics = onnx_run(exact.SerializeToString())(_feeds())
    our_tokens, our_topics = onnx_run(small.SerializeToString())(_feeds())

    assert np.abs(tokens - our_tokens).max() < 0.06 * np.abs(tokens).max()
    assert np.abs(topics - our_topics).max() < 0.06 * np.abs(topics).max()


def test_tables_and_large_matrices_take_a_byte_a_number() -> None:
    """A quarter of the size, nearly; small matrices stay as they are, and nothing that is unused is kept."""
    exact = _model()
    small = quantised(exact, dict.fromkeys(activations_of(exact), (-4.0, 4.0)))
    kinds = {each.name: each.data_type for each in small.graph.initializer}

    assert len(small.SerializeToString()) < 0.28 * len(exact.SerializeToString())
    assert {"table", "large"}.isdisjoint(kinds)
    assert TensorProto.FLOAT == kinds["small"]
    assert 2 == list(kinds.values()).count(TensorProto.INT8) - 1


def test_weights_leave_room_for_pairs_of_products() -> None:
    """Seven bits: two products with 255 still fit into sixteen."""
    exact = _model()
    small = quantised(exact, dict.fromkeys(activations_of(exact), (-4.0, 4.0)))
    (weights,) = (numpy_helper.to_array(each) for each in small.graph.initializer if list(each.dims) == [WIDTH, INNER])

    assert 63 == int(np.abs(weights).max())
    assert 2 * 255 * 63 < 2**15


def test_a_text_has_the_same_answer_beside_any_other() -> None:
    """Bit by bit: the ranges are constants, not those of a batch."""
    exact = _model()
    run = onnx_run(quantised(exact, measured_ranges(exact, [_feeds(8)])).SerializeToString())
    own, others = _feeds(1, seed=3)["input_ids"], _feeds(7, seed=4)["input_ids"]
    alone, _ = run({"input_ids": own})
    beside, _ = run({"input_ids": np.concatenate([own, others])})

    assert np.array_equal(alone[0], beside[0])


def _beside(*, filling: float = 0.0) -> onnx.ModelProto:
    """A product with each row and the one after it, padded with `filling`; the rows alone are an output too."""
    chance = np.random.default_rng(0)
    constants = {
        "table": chance.normal(size=(ROWS, WIDTH)).astype(np.float32),
        "large": chance.normal(size=(2 * WIDTH, INNER)).astype(np.float32) / 16,
        "filling": np.array(filling, np.float32),
    }
    numbers = {"behind": [0, 0, 0, 0, 1, 0], "zero": [0], "one": [1], "last": [-1], "beyond": [1 << 30], "pieces": [1]}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Pad", ["rows", "behind", "filling"], ["padded"]),
        helper.make_node("Slice", ["padded", "zero", "last", "pieces"], ["own"]),
        helper.make_node("Slice", ["padded", "one", "beyond", "pieces"], ["next"]),
        helper.make_node("Concat", ["own", "next"], ["both"], axis=2),
        helper.make_node("MatMul", ["both", "large"], ["tokens"]),
        helper.make_node("ReduceMean", ["padded", "pieces"], ["topics"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "beside",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "pieces"])],
        [
            helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["texts", "pieces", INNER]),
            helper.make_tensor_value_info("topics", TensorProto.FLOAT, ["texts", WIDTH]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()]
        + [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in numbers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_rows_are_put_side_by_side_as_whole_numbers() -> None:
    """The padding too, and what else reads them still gets what it read before."""
    exact = _beside()
    small = quantised(exact, measured_ranges(exact, [_feeds(40, seed=2)]))
    tokens, topics = onnx_run(exact.SerializeToString())(_feeds())
    our_tokens, our_topics = onnx_run(small.SerializeToString())(_feeds())
    order = [node.op_type for node in small.graph.node]

    assert order.index("QuantizeLinear") < order.index("Concat") < order.index("MatMulIntegerToFloat")
    assert 1 == order.count("QuantizeLinear")
    assert np.abs(tokens - our_tokens).max() < 0.06 * np.abs(tokens).max()
    assert np.abs(topics - our_topics).max() < 0.06 * np.abs(topics).max()


def test_a_padding_of_something_else_is_padded_before() -> None:
    """Its value is no whole number's zero."""
    exact = _beside(filling=2.0)
    small = quantised(exact, measured_ranges(exact, [_feeds(40, seed=2)]))
    tokens, _ = onnx_run(exact.SerializeToString())(_feeds())
    our_tokens, _ = onnx_run(small.SerializeToString())(_feeds())
    order = [node.op_type for node in small.graph.node]

    assert order.index("Pad") < order.index("QuantizeLinear") < order.index("Concat")
    assert np.abs(tokens - our_tokens).max() < 0.06 * np.abs(tokens).max()


def test_ranges_hold_zero_and_the_values_that_were_seen() -> None:
    """Of exactly the activations that are needed."""
    exact = _model()
    table = numpy_helper.to_array(exact.graph.initializer[0])
    feeds = _feeds(3)
    ranges = measured_ranges(exact, [feeds])
    seen = table[feeds["input_ids"]]

    assert ("rows",) == activations_of(exact)
    assert {"rows": pytest.approx((seen.min(), seen.max()), abs=1e-4)} == ranges


def test_a_range_that_is_not_known_is_an_error() -> None:
    """No activation is cut by a guess."""
    with pytest.raises(KeyError, match="rows"):
        quantised(_model(), {})
