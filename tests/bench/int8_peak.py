"""What this machine's ONNX Runtime reaches on one thread: `python -m tests.bench.int8_peak`.

Products of square matrices of 1,024, whole numbers (uint8 by int8 of 7 bits) and float32: the best of some seconds, in operations a
second, a multiplication and an addition counted as two. Fractions in model cards are of these.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

_SIZE = 1_024
_SECONDS = 3.0


def main() -> int:
    """The exit status."""
    chance = np.random.default_rng(0)
    whole = {
        "left": chance.integers(0, 255, (_SIZE, _SIZE), dtype=np.uint8),
        "right": chance.integers(-63, 63, (_SIZE, _SIZE), dtype=np.int8),
    }
    exact = {name: chance.standard_normal((_SIZE, _SIZE), dtype=np.float32) for name in whole}
    kinds = (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32)
    print(f"int8 {_rate('MatMulInteger', kinds, whole) / 1e9:.0f} Gop/s")
    print(f"fp32 {_rate('MatMul', (TensorProto.FLOAT,) * 3, exact) / 1e9:.0f} Gop/s")
    print(f"onnxruntime {onnxruntime.__version__}")
    return 0


def _rate(operator: str, kinds: tuple[int, int, int], feeds: dict[str, Any]) -> float:
    shape = (_SIZE, _SIZE)
    left, right = (
        helper.make_tensor_value_info(name, kind, shape) for name, kind in zip(feeds, kinds[:2], strict=True)
    )
    out = helper.make_tensor_value_info("product", kinds[2], shape)
    node = helper.make_node(operator, list(feeds), ["product"])
    graph = helper.make_graph([node], operator, [left, right], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    best, until = float("inf"), time.monotonic() + _SECONDS
    while time.monotonic() < until:
        began = time.thread_time()
        session.run(None, feeds)
        best = min(best, time.thread_time() - began)
    return 2 * _SIZE**3 / best


if __name__ == "__main__":
    sys.exit(main())
