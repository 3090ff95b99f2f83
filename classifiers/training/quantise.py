"""An ONNX model with 8-bit weights, made so that what it says of a text does not depend on the texts beside it.

ONNX Runtime's dynamic quantisation takes the range of the activations from the whole batch: the answer for one text then
changes with its neighbours. Here the ranges are measured once, on training texts, and are constants of the model.

Matrices: whole numbers of 7 bits a column, because kernels of machines without VNNI add pairs of products in 16 bits
(255 * 63 * 2 still fits; ONNX Runtime, "Quantize ONNX models", on U8S8 and reduce_range). Vocabulary: 8 bits a row.
Activations become whole numbers before they are put side by side for a product: a quarter of the bytes is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Feeds = Mapping[str, NDArray[np.int64]]
Ranges = Mapping[str, tuple[float, float]]
_LARGE_MATRIX: Final = 16_384
_LARGE_TABLE: Final = 1 << 20
_MATRIX_TOP: Final = 63
_TABLE_TOP: Final = 127
_MICROSOFT: Final = "com.microsoft"
# What moves numbers about and changes none; how many of its inputs, from the first on, are moved.
_MOVES: Final[Mapping[str, int | None]] = {"Concat": None, "Slice": 1, "Pad": 1}


def activations_of(model: onnx.ModelProto) -> tuple[str, ...]:
    """The names of what `quantised` has to know the range of."""
    constants = {each.name: each for each in model.graph.initializer}
    return tuple(dict.fromkeys(node.input[0] for node in model.graph.node if _is_product(node, constants)))


def measured_ranges(model: onnx.ModelProto, feeds: Iterable[Feeds]) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of each activation over `feeds`, zero among them.

    All of the range: a few values of an encoder stand far out, and to cut them off does more harm than coarse steps.
    """
    import onnxruntime  # noqa: PLC0415

    names = activations_of(model)
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    open_model.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(open_model.SerializeToString(), providers=["CPUExecutionProvider"])
    lows, highs = (dict.fromkeys(names, 0.0) for _ in range(2))
    for feed in feeds:
        for name, values in zip(names, session.run(list(names), dict(feed)), strict=True):
            lows[name] = min(lows[name], float(values.min()))
            highs[name] = max(highs[name], float(values.max()))
    return {name: (lows[name], highs[name]) for name in names}


def quantised(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """`model` with its large matrices and its vocabulary in 8 bits; the rest, and the arithmetic between, is float32.

    Raises KeyError where `ranges` does not have one of `activations_of(model)`.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.value_info[:]
    work = _Graph(made)
    for node in tuple(made.graph.node):
        if _is_product(node, work.constants):
            work.product(node, ranges)
        elif _is_lookup(node, work.constants):
            work.lookup(node)
        else:
            work.keep(node)
    work.finish()
    onnx.checker.check_model(made)
    return made


class _Graph:
    """The nodes of a graph, rewritten in order."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self.constants = {each.name: each for each in model.graph.initializer}
        self._users: dict[str, list[Any]] = {}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        for node in model.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._nodes: list[Any] = []
        self._taken_in: set[str] = set()
        self._whole: dict[str, tuple[str, str, str]] = {}

    def keep(self, node: Any) -> None:
        """As it is, unless it was taken into another."""
        if node.output[0] not in self._taken_in:
            self._nodes.append(node)

    def product(self, node: Any, ranges: Ranges) -> None:
        """A product with a constant matrix, and the bias added to it, in whole numbers."""
        weights = numpy_helper.to_array(self.constants[node.input[1]]).astype(np.float32)
        if any(each.name == "transB" and each.i for each in node.attribute):
            weights = weights.T
        numbers, scales = _in_whole(weights, axis=0, top=_MATRIX_TOP)
        output, bias = self._with_bias(node)
        whole, scale, zero = self._activation(node.input[0], ranges)
        inputs = [
            whole,
            self._constant(f"{output}.numbers", np.ascontiguousarray(numbers)),
            scale,
            self._constant(f"{output}.scales", scales.reshape(-1)),
            zero,
            self._constant(f"{output}.zeros", np.zeros(scales.size, np.int8)),
            *([bias] if bias else []),
        ]
        self._nodes.append(helper.make_node("MatMulIntegerToFloat", inputs, [output], domain=_MICROSOFT))

    def lookup(self, node: Any) -> None:
        """The row of a table, and its scale."""
        table = numpy_helper.to_array(self.constants[node.input[0]]).astype(np.float32)
        numbers, scales = _in_whole(table, axis=1, top=_TABLE_TOP)
        name, places = node.output[0], node.input[1]
        rows = self._constant(f"{name}.numbers", numbers)
        factors = self._constant(f"{name}.scales", scales.reshape(-1, 1))
        self._nodes += [
            helper.make_node("Gather", [rows, places], [f"{name}.row"]),
            helper.make_node("Cast", [f"{name}.row"], [f"{name}.float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [factors, places], [f"{name}.factor"]),
            helper.make_node("Mul", [f"{name}.float", f"{name}.factor"], [name]),
        ]

    def finish(self) -> None:
        """Puts the nodes and the constants that are still used into the model."""
        graph = self._model.graph
        used = {each.name for each in graph.output}
        nodes: list[Any] = []
        for node in reversed(self._nodes):
            if not used.isdisjoint(node.output):
                nodes.append(node)
                used.update(node.input)
        del graph.node[:]
        graph.node.extend(reversed(nodes))
        kept = [each for name, each in self.constants.items() if name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        if all(each.domain != _MICROSOFT for each in self._model.opset_import):
            self._model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))

    def _with_bias(self, node: Any) -> tuple[str, str | None]:
        """The name of the product's result and of its bias, which the node after it adds where it has none itself."""
        output = str(node.output[0])
        if len(node.input) > 2:
            return output, str(node.input[2])
        users = self._users.get(output, [])
        if len(users) == 1 and users[0].op_type == "Add":
            (other,) = [name for name in users[0].input if name != output] or [""]
            if other in self.constants and len(self.constants[other].dims) == 1:
                self._taken_in.add(users[0].output[0])
                return str(users[0].output[0]), str(other)
        return output, None

    def _activation(self, name: str, ranges: Ranges) -> tuple[str, str, str]:
        """The names of `name` in whole numbers, of its scale and of its zero: made once, however many read it."""
        if name not in self._whole:
            low, high = ranges[name]
            scale = max((high - low) / 255, 1e-8)
            factor = self._constant(f"{name}.scale", np.asarray(scale, np.float32))
            zero = self._constant(f"{name}.zero", np.asarray(round(-low / scale), np.uint8))
            self._whole[name] = self._whole_of(name, factor, zero, {}), factor, zero
        return self._whole[name]

    def _whole_of(self, name: str, scale: str, zero: str, known: dict[str, str]) -> str:
        """The name of `name` in whole numbers of one scale and zero; `known` are those already made."""
        if name not in known:
            known[name] = f"{name}.{scale}.whole"
            node = self._makers.get(name)
            if node is None or not self._moves(node):
                made = helper.make_node("QuantizeLinear", [name, scale, zero], [known[name]])
            else:
                count = _MOVES[node.op_type] or len(node.input)
                moved = [self._whole_of(each, scale, zero, known) for each in node.input[:count]]
                made = onnx.NodeProto()
                made.CopyFrom(node)
                made.name = ""
                rest = list(node.input[count:])
                if node.op_type == "Pad":
                    rest[1:2] = [zero]
                made.input[:] = [*moved, *rest]
                made.output[:] = [known[name]]
            self._nodes.append(made)
        return known[name]

    def _moves(self, node: Any) -> bool:
        """Whether `node` moves numbers about and changes none, where a padding of nothing is one of zeros."""
        if node.op_type != "Pad":
            return node.op_type in _MOVES
        value = self.constants.get(node.input[2]) if len(node.input) > 2 else None
        plain = len(node.input) == 2 or (value is not None and not numpy_helper.to_array(value).any())
        return plain and all(each.name != "mode" or each.s == b"constant" for each in node.attribute)

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = numpy_helper.from_array(values, name)
        return name


def _is_product(node: Any, constants: Mapping[str, Any]) -> bool:
    if node.op_type not in {"MatMul", "Gemm"} or node.input[1] not in constants:
        return False
    return int(np.prod(constants[node.input[1]].dims)) >= _LARGE_MATRIX


def _is_lookup(node: Any, constants: Mapping[str, Any]) -> bool:
    return (
        node.op_type == "Gather"
        and node.input[0] in constants
        and int(np.prod(constants[node.input[0]].dims)) >= _LARGE_TABLE
        and not any(each.name == "axis" and each.i for each in node.attribute)
    )


def _in_whole(values: NDArray[np.float32], *, axis: int, top: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`values` as whole numbers from -top to top, and the scales along the other axis, which `axis` was reduced to."""
    scales = np.maximum(np.abs(values).max(axis=axis, keepdims=True) / top, 1e-12).astype(np.float32)
    return np.clip(np.rint(values / scales), -top, top).astype(np.int8), scales


Run = Callable[[Feeds], tuple[NDArray[np.float32], NDArray[np.float32]]]


def onnx_run(content: bytes, *, threads: int = 1) -> Run:
    """The logits that the model in `content` gives for inputs by name."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(feeds: Feeds) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        tokens, topics = session.run(["tokens", "topics"], dict(feeds))
        return tokens, topics

    return run
