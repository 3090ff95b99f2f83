"""Batches and answers as messages of the Open Inference Protocol: little-endian rows in `raw_input_contents`.

Source: Open Inference Protocol, gRPC (https://github.com/kserve/open-inference-protocol), as Triton and KServe serve it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from open_inference.grpc import protocol

from classifiers.model.session import Answers, Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES: Final[Mapping[str, str]] = {"INT64": "<i8", "INT32": "<i4", "FP32": "<f4", "FP16": "<f2"}
INPUTS: Final = ("input_ids", "attention_mask", "case")
INTEGERS: Final = ("INT64", "INT32")
_DIMENSIONS: Final = 3


def outputs_of(kind: str) -> tuple[str, ...]:
    """What models of `kind`, one of a manifest's, call their outputs: that of the pieces, then that of the topics if there is one."""
    return ("tokens", "topics") if kind == "ours" else ("logits",)


class BadTensor(Exception):
    """A message holds no tensors of the shape that it states, or not the ones that were asked for."""


def infer_request(
    batch: Batch,
    *,
    model: str,
    version: str,
    outputs: Sequence[str],
    inputs: Mapping[str, str] = MappingProxyType(dict.fromkeys(INPUTS, "INT64")),
) -> Any:
    """The ModelInferRequest that asks `model` for `outputs` of `batch`; `inputs` are its own, with their type, one of INTEGERS."""
    request = protocol.ModelInferRequest(model_name=model, model_version=version)
    arrays = {"input_ids": batch.ids, "attention_mask": batch.mask, "case": batch.case}
    for name, kind in inputs.items():
        array = arrays.get(name)
        if array is None:
            array = np.zeros_like(batch.ids)
        _put(request.inputs.add(), name, kind, array.shape)
        request.raw_input_contents.append(np.ascontiguousarray(array, dtype=_DTYPES[kind]).tobytes())
    for name in outputs:
        request.outputs.add().name = name
    return request


def batch_of(request: Any, *, most: int, window: int, vocabulary: int, cases: int) -> Batch:
    """The batch that a ModelInferRequest holds: at most `most` pieces in windows of at most `window`. Raises BadTensor.

    No number is beyond what the model knows: it would fail, and with it the batches of others in the same run.
    """
    arrays = _arrays(request.inputs, request.raw_input_contents)
    if set(arrays) != set(INPUTS):
        raise BadTensor(f"the inputs are {', '.join(INPUTS)}")
    ids, mask, case = (arrays[name] for name in INPUTS)
    if ids.ndim != 2 or ids.shape[1] > window or ids.size > most:
        raise BadTensor(f"a batch is 1 to {most} pieces in windows of 1 to {window}")
    if mask.shape != ids.shape or case.shape != ids.shape or any(each.dtype.kind != "i" for each in (ids, mask, case)):
        raise BadTensor("the inputs are whole numbers of one shape")
    for array, beyond in ((ids, vocabulary), (mask, 2), (case, cases)):
        if array.min() < 0 or array.max() >= beyond:
            raise BadTensor("a number is beyond what the model knows")
    return Batch(ids=ids.astype(np.int64), mask=mask.astype(np.int64), case=case.astype(np.int64))


def infer_response(answers: Answers, *, model: str, version: str, outputs: Sequence[str]) -> Any:
    """The ModelInferResponse that holds `answers`: `outputs` are tokens, then topics if there are any."""
    response = protocol.ModelInferResponse(model_name=model, model_version=version)
    for name, array in zip(outputs, (answers.tokens, answers.topics), strict=False):
        _put(response.outputs.add(), name, "FP32", array.shape)
        response.raw_output_contents.append(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return response


def answers_of(response: Any, outputs: Sequence[str], *, windows: int) -> Answers:
    """What a ModelInferResponse says of so many windows: `outputs` are tokens, then topics if there are any.

    Raises BadTensor.
    """
    arrays = _arrays(response.outputs, response.raw_output_contents)
    if missing := [name for name in outputs if name not in arrays]:
        raise BadTensor(f"the answer holds no `{missing[0]}`")
    tokens = arrays[outputs[0]].astype(np.float32)
    topics = arrays[outputs[1]].astype(np.float32) if len(outputs) > 1 else np.zeros((windows, 0), dtype=np.float32)
    return Answers(tokens=tokens, topics=topics)


def _put(tensor: Any, name: str, kind: str, shape: Iterable[int]) -> None:
    tensor.name = name
    tensor.datatype = kind
    tensor.shape.extend(shape)


def _arrays(tensors: Sequence[Any], contents: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    if len(tensors) != len(contents):
        raise BadTensor("tensors are sent as raw contents, one for each")
    arrays: dict[str, NDArray[Any]] = {}
    for tensor, raw in zip(tensors, contents, strict=True):
        dtype = np.dtype(_DTYPES.get(tensor.datatype, "V1"))
        shape = tuple(tensor.shape[: _DIMENSIONS + 1])
        # Whole numbers of Python: no product of shapes overflows, and one of few is quickly made.
        if (
            dtype.kind == "V"
            or len(shape) > _DIMENSIONS
            or any(each < 1 for each in shape)
            or dtype.itemsize * math.prod(shape) != len(raw)
        ):
            raise BadTensor("a tensor is not of the type and shape that it states")
        if tensor.name in arrays:
            raise BadTensor("a tensor is there twice")
        arrays[tensor.name] = np.frombuffer(raw, dtype=dtype).reshape(shape)
    return arrays
