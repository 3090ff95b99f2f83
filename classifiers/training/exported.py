"""The weights of a model as it was exported, to begin a training where another one ended and nothing but its files is left.

Its matrices come back as they were rounded, its heads as they were tempered; a few hundred steps make both good.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import onnx
import torch
from onnx import numpy_helper

from classifiers.model.manifest import WEIGHTS_FILE

_ROWS: Final = "row"


def begin_from_export(model: Any, directory: Path) -> None:
    """Gives `model` the weights in `directory`. Raises ValueError where they are those of another shape of model.

    A matrix lost its name when it was exported; its bias, which is added to the product with it, did not. Where `model` is
    told of more kinds of known names, what it is told of them says nothing at first.
    """
    graph = onnx.load(directory / WEIGHTS_FILE).graph
    constants = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    found = {name: constants[name] for name in model.state_dict() if name in constants}
    for node in graph.node:
        for bias in (name for name in node.input if name.endswith(".bias") and name in found):
            matrix = _matrix(node, makers, constants)
            if matrix is not None:
                found[bias.removesuffix("bias") + "weight"] = matrix
        if node.op_type == "Gather" and node.output[0].endswith(f".{_ROWS}"):
            scales = constants[node.input[0].removesuffix("numbers") + "scales"]
            (words,) = (name for name in model.state_dict() if name.endswith("words.weight"))
            found[words] = constants[node.input[0]].float() * scales
    own = model.state_dict()
    for name in (each for each in found if each.endswith("cases.weight")):
        # The new kinds are the highest bits.
        found[name] = found[name].repeat(len(own[name]) // len(found[name]), 1)
    try:
        model.load_state_dict(found)
    except RuntimeError as error:
        raise ValueError(f"`{directory}` holds a model of another shape") from error


def _matrix(node: Any, makers: dict[str, Any], constants: dict[str, Any]) -> Any:
    """float[out, in]: what `node`, which adds a bias, multiplied with before it did, if it is a product at all."""
    if node.op_type == "MatMulIntegerToFloat":
        numbers, scales = constants[node.input[1]], constants[node.input[3]]
        return (numbers.float() * scales).T.contiguous()
    if node.op_type == "Gemm":
        turned = any(each.name == "transB" and each.i for each in node.attribute)
        return constants[node.input[1]] if turned else constants[node.input[1]].T.contiguous()
    for name in node.input:
        product = makers.get(name)
        if product is not None and product.op_type == "MatMul" and product.input[1] in constants:
            return constants[product.input[1]].T.contiguous()
    return None
