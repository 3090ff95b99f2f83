"""A model on a GPU, beside a plain `transformers` pipeline of the same encoder on the same texts, in one run.

    python -m tests.bench.gpu_model classifiers/models/teacher --seconds 5

needs `onnxruntime-gpu` in the place of `onnxruntime`, torch with CUDA and transformers. Where one of these or a GPU is missing it says that it
did not run and ends with 0. `--device cpu` runs all of it, slowly, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from classifiers.bench_texts import mixed_chat
from classifiers.model import bench
from classifiers.model.bench import median_s

_CHARS = (80, 300, 900)
_TOGETHER = 64
_MATRIX = 8_192


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="directory of the model, with model.fp16.onnx for a GPU")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each cell runs (%(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    chosen = parser.parse_args()
    if missing := [name for name in ("torch", "transformers") if not _has(name)]:
        print(f"did not run: {' and '.join(missing)} not installed")
        return 0
    import torch

    if chosen.device == "cuda" and not torch.cuda.is_available():
        print("did not run: torch sees no GPU")
        return 0
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name(0) if chosen.device == "cuda" else platform.processor(),
        "versions": {
            name: version(name) for name in ("torch", "transformers", "onnxruntime", "onnxruntime-gpu") if _has(name)
        },
        "peak_bf16_flops": _peak(torch, chosen.device, chosen.seconds),
    }
    report["ringfence"] = _ours(chosen.model, chosen.device, chosen.seconds, report["peak_bf16_flops"])
    report["transformers_pipeline"] = _pipeline(torch, chosen.device, chosen.seconds)
    print(json.dumps(report, indent=2))
    return 0


def _has(name: str) -> bool:
    try:
        version(name)
    except ImportError:
        return False
    return True


def _peak(torch: Any, device: str, seconds: float) -> float:
    """What a product of large bf16 matrices reaches here: operations a second."""
    size = _MATRIX if device == "cuda" else _MATRIX // 16
    left = torch.ones((size, size), dtype=torch.bfloat16, device=device)
    synchronise: Callable[[], object] = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def product() -> None:
        left @ left
        synchronise()

    return 2 * size**3 / median_s(product, seconds)


def _ours(directory: Path, device: str, seconds: float, peak: float) -> dict[str, Any]:
    """Pieces a second of the session alone, and requests at once through detector and batches."""
    from classifiers.model.manifest import read_model
    from classifiers.model.pieces import piece_reader
    from classifiers.model.session import Execution, ModelSession, Provider

    files = read_model(directory)
    session = ModelSession(files, piece_reader(files), Execution(provider=Provider(device)))
    size = min(128, files.manifest.window)
    rates = {}
    for rows in (1, 32, 256, 1_024):
        batch = bench.random_batch(rows, size, files)
        rates[rows] = rows * size / median_s(lambda batch=batch: session.run(batch), seconds)
    multiplied = int(files.manifest.metrics.get("multiplied", 0))
    loads = [bench.loads(files, session, clients, seconds)[-1] for clients in (1, 32, 256)]
    return {
        "model": files.version,
        "ran_on": f"{session.report.provider} {session.report.precision}",
        "pieces_s_by_windows": {str(rows): round(rate) for rows, rate in rates.items()},
        "of_bf16_peak": max(rates.values()) * 2 * multiplied / peak,
        "clients": {
            str(each.clients): {"pieces_s": each.pieces_s, "p50_ms": each.p50_ms, "p99_ms": each.p99_ms}
            for each in loads
        },
    }


def _pipeline(torch: Any, device: str, seconds: float) -> dict[str, Any]:
    """The base encoder with a token head, as `pipeline("token-classification")` runs it: half precision on a GPU."""
    from transformers import AutoConfig, AutoTokenizer, BertForTokenClassification, pipeline

    from classifiers.training.corpus import base_directory

    base = base_directory()
    config = AutoConfig.from_pretrained(base, num_labels=21)
    network = BertForTokenClassification(config).to(device)
    if device == "cuda":
        network = network.half()
    tokenizer = AutoTokenizer.from_pretrained(base)
    classify = pipeline("token-classification", model=network, tokenizer=tokenizer, device=torch.device(device))
    texts = [mixed_chat(_CHARS[number % len(_CHARS)], seed=number) for number in range(_TOGETHER)]
    pieces = sum(len(tokenizer(text, truncation=True)["input_ids"]) for text in texts)
    taken = median_s(lambda: classify(texts, batch_size=32), seconds)
    return {"pieces_s": round(pieces / taken), "texts": _TOGETHER, "batch_size": 32}


if __name__ == "__main__":
    sys.exit(main())
