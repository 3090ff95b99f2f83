"""An ONNX Runtime session over verified weights, and an honest account of what it runs on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
from annotated_types import Ge, Le

from classifiers.model.manifest import HALF_FILE, WEIGHTS_FILE, Manifest, ModelFiles, ModelUnusable
from classifiers.model.pieces import PieceReader
from governance.frozen import frozen

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A session is tried with windows of so many pieces, and with full ones; the first run of a shape makes its plan.
_SHORT: Final = 16
_TRIES: Final = 3
_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_TENSORRT: Final = "TensorrtExecutionProvider"
_NEEDED: Final = ("input_ids", "attention_mask")
_OPTIONAL: Final = ("token_type_ids", "case")
_INTEGERS: Final[Mapping[str, type[np.signedinteger[Any]]]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_FLOATS: Final = frozenset({"tensor(float)", "tensor(float16)"})
# Where weights outside an ONNX file would be looked for: no digest covers them, so that there is no such place.
_NOWHERE: Final = "/dev/null"
# TensorProto.DataType of onnx.proto: the widths that weights come in.
_PRECISIONS: Final[Mapping[int, str]] = {1: "fp32", 2: "int8", 3: "int8", 10: "fp16", 11: "fp64", 16: "bf16"}


class Provider(StrEnum):
    """What may run a model. AUTO is CUDA where there is one and the model has float weights for it, or else the CPU."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


@frozen
class Execution:
    """What the operator wants. `threads` are those of one run on the CPU; `device` is the number of the GPU."""

    provider: Provider = Provider.AUTO
    threads: Annotated[int, Ge(1), Le(256)] = 1
    device: Annotated[int, Ge(0), Le(255)] = 0


@frozen
class ModelReport:
    """What is really used, as the session says after it was made. `precision` is that of most bytes of the weights.

    `overhead` is what a run costs beside its arithmetic, in pieces: padding that is longer than that costs more than a run.
    LIMIT: a GPU's session may leave single operations to the CPU; ONNX Runtime tells of them in a profile only.
    """

    provider: Provider
    device: str
    precision: str
    threads: int
    weights: str
    wanted: Provider
    overhead: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Batch:
    """Windows of one length, filled up with padding; integers of shape [windows, pieces]. `mask` is 1 where a piece is."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    case: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Answers:
    """Logits: `tokens` float32[windows, pieces, labels], `topics` float32[windows, topics], which may be 0 wide."""

    tokens: NDArray[np.float32]
    topics: NDArray[np.float32]


class RunFailed(Exception):
    """The model was not run; `reason` is a closed word that says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadAnswer(Exception):
    """The model answered with numbers that are none, or of another shape. A text without findings would look the same."""


def checked(answers: Answers, batch: Batch, widths: tuple[int, int]) -> Answers:
    """`answers`, which are those to `batch` as far as shape and numbers tell; `widths` are labels and topics. Raises BadAnswer."""
    count, length = batch.ids.shape
    tokens, topics = answers.tokens, answers.topics
    if tokens.shape != (count, length, widths[0]) or topics.shape != (count, widths[1]):
        raise BadAnswer(f"shapes {tokens.shape} and {topics.shape}")
    # A sum is finite only if all is, and costs less than a mask; the rows of padding may hold anything.
    if not np.isfinite(tokens[batch.mask > 0].sum()) or not np.isfinite(topics.sum()):
        raise BadAnswer("a number is not finite")
    return answers


@final
class ModelSession:
    """Runs a model. Safe between threads on the CPU; `report` says on what it runs.

    Making one runs the model on windows of full length: a vocabulary, positions or labels that do not fit show at the
    start and not in a request.
    """

    def __init__(self, files: ModelFiles, reader: PieceReader, execution: Execution | None = None) -> None:
        """Raises ModelUnusable."""
        wanted = execution or Execution()
        name, providers = _chosen(files, wanted)
        session = _session(files, name, providers, wanted.threads)
        used = _used(session, files, wanted)
        if used is Provider.CPU and name != WEIGHTS_FILE:
            # Half precision was for the GPU, which is there in name alone.
            name = WEIGHTS_FILE
            session = _session(files, name, [_CPU], wanted.threads)
        self._session: Any = session
        self._bound = "cuda" if used in (Provider.CUDA, Provider.TENSORRT) else ""
        self._device = wanted.device
        self._inputs = _inputs(session, files, name)
        self._outputs = _outputs(session, files, name)
        self._widths = (len(files.manifest.labels), len(files.manifest.topics))
        overhead = self._tried(files, reader, name)
        self.report = ModelReport(
            provider=used,
            device=f"cuda:{wanted.device}" if self._bound else "cpu",
            precision=precision_of(files.weights[name]),
            threads=wanted.threads,
            weights=name,
            wanted=wanted.provider,
            overhead=overhead,
        )

    def run(self, batch: Batch) -> Answers:
        """The answers to `batch`, in its order. Raises BadAnswer, or what ONNX Runtime raises."""
        feed = {name: _filled(name, kind, batch) for name, kind in self._inputs.items()}
        raw = self._run_bound(feed) if self._bound else self._session.run(list(self._outputs), feed)
        tokens = np.asarray(raw[0], dtype=np.float32)
        count = len(batch.ids)
        topics = np.asarray(raw[1], dtype=np.float32) if len(raw) > 1 else np.zeros((count, 0), dtype=np.float32)
        return checked(Answers(tokens=tokens, topics=topics), batch, self._widths)

    def _run_bound(self, feed: Mapping[str, NDArray[Any]]) -> list[Any]:
        """As the session's `run`, inputs and outputs on the device: one copy there and one back."""
        import onnxruntime  # noqa: PLC0415 - loaded with the session

        binding = self._session.io_binding()
        for name, array in feed.items():
            binding.bind_ortvalue_input(
                name, onnxruntime.OrtValue.ortvalue_from_numpy(array, self._bound, self._device)
            )
        for name in self._outputs:
            binding.bind_output(name, self._bound, self._device)
        self._session.run_with_iobinding(binding)
        return list(binding.copy_outputs_to_cpu())

    def _tried(self, files: ModelFiles, reader: PieceReader, name: str) -> int:
        """The overhead of a run, in pieces, told from the fastest of a few short and a few long ones."""
        length = files.manifest.window
        ids = np.full((1, length), max(0, reader.vocabulary - 1), dtype=np.int64)
        ids[0, : len(reader.prefix)] = reader.prefix
        try:
            short, long = (
                min(self._seconds(ids[:, :size]) for _ in range(_TRIES)) for size in (min(_SHORT, length), length)
            )
        except Exception as error:  # noqa: BLE001 - whatever fails here would fail in every request
            raise _unusable(
                files,
                name,
                f"a window of {length} pieces cannot be run ({_reason(error)}): check that `window`, `labels`, `topics`"
                " and tokenizer.json are those of the model",
            ) from None
        piece = max(long - short, 1e-9) / max(1, length - _SHORT)
        return max(0, min(length, round(short / piece) - _SHORT))

    def _seconds(self, ids: NDArray[np.int64]) -> float:
        began = time.perf_counter()
        self.run(Batch(ids=ids, mask=np.ones_like(ids), case=np.ones_like(ids)))
        return time.perf_counter() - began


def _chosen(files: ModelFiles, wanted: Execution) -> tuple[str, list[Any]]:
    """The weights to load, and the providers to ask for."""
    import onnxruntime  # noqa: PLC0415 - takes a tenth of a second

    present = onnxruntime.get_available_providers()
    half = HALF_FILE if HALF_FILE in files.weights else WEIGHTS_FILE
    device = {"device_id": str(wanted.device)}
    match wanted.provider:
        case Provider.CPU:
            return WEIGHTS_FILE, [_CPU]
        case Provider.CUDA:
            return half, [(_CUDA, device), _CPU]
        case Provider.TENSORRT:
            return half, [(_TENSORRT, {**device, "trt_fp16_enable": "1"}), (_CUDA, device), _CPU]
        case Provider.AUTO:
            # Whole numbers run on the CPU even so: each layer would be carried there and back.
            if _CUDA in present and precision_of(files.weights[half]) != "int8":
                return half, [(_CUDA, device), _CPU]
            return WEIGHTS_FILE, [_CPU]


def _session(files: ModelFiles, name: str, providers: list[Any], threads: int) -> Any:
    import onnxruntime  # noqa: PLC0415 - see above

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its warnings go to the standard error unasked, and an error comes as an exception as well.
    options.log_severity_level = 4
    # Threads that wait in a loop take the time of those that work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
    present = onnxruntime.get_available_providers()
    asked = [each for each in providers if (each if isinstance(each, str) else each[0]) in present]
    try:
        session = onnxruntime.InferenceSession(files.weights[name], sess_options=options, providers=asked)
    except Exception as error:  # noqa: BLE001 - the library raises classes of its own making
        reason = _reason(error)
    else:
        # An error is an error: not another try on another device.
        session.disable_fallback()
        return session
    raise _unusable(files, name, f"ONNX Runtime does not load it ({reason}): export it again")


def _used(session: Any, files: ModelFiles, wanted: Execution) -> Provider:
    """The provider that comes first in the made session: one whose libraries do not load is left out silently."""
    first = session.get_providers()[0]
    used = {_CUDA: Provider.CUDA, _TENSORRT: Provider.TENSORRT}.get(first, Provider.CPU)
    if wanted.provider is not Provider.AUTO and used is not wanted.provider:
        raise _unusable(
            files,
            WEIGHTS_FILE,
            f"provider `{wanted.provider}` was asked for, and ONNX Runtime gives `{used}`: install onnxruntime-gpu with"
            " its libraries, or choose `auto` or `cpu`",
        )
    return used


def _inputs(session: Any, files: ModelFiles, name: str) -> dict[str, type[np.signedinteger[Any]]]:
    found = {each.name: each for each in session.get_inputs()}
    needed = (*_NEEDED, "case") if files.manifest.kind == "ours" else _NEEDED
    if set(found) - {*needed, *_OPTIONAL} or set(needed) - set(found):
        optional = ", ".join(each for each in _OPTIONAL if each not in needed)
        raise _unusable(
            files,
            name,
            f"its inputs are {', '.join(found) or 'none'}; expected are {', '.join(needed)} (and perhaps {optional}):"
            " export it with these names",
        )
    for each in found.values():
        if each.type not in _INTEGERS or [size for size in each.shape if isinstance(size, int)] or len(each.shape) != 2:
            raise _unusable(
                files,
                name,
                f"input `{each.name}` is {each.type} of shape {each.shape}; expected are whole numbers of shape"
                " [batch, pieces] with both sizes open: export it with dynamic axes",
            )
    return {each.name: _INTEGERS[each.type] for each in found.values()}


def _outputs(session: Any, files: ModelFiles, name: str) -> tuple[str, ...]:
    """The outputs to ask for: that of the pieces, then that of the topics if there are any."""
    manifest = files.manifest
    found = {each.name: each for each in session.get_outputs()}
    if manifest.kind == "ours":
        chosen: tuple[str, ...] = ("tokens", "topics")
    else:
        chosen = ("logits",) if "logits" in found or len(found) != 1 else tuple(found)
    if set(chosen) - set(found):
        raise _unusable(
            files,
            name,
            f"its outputs are {', '.join(found)}; expected are {' and '.join(chosen)}: export it with these names",
        )
    for each, (field_name, width) in zip(chosen, _stated(manifest), strict=False):
        shape = found[each].shape
        if found[each].type not in _FLOATS or (shape and isinstance(shape[-1], int) and shape[-1] != width):
            raise _unusable(
                files,
                name,
                f"output `{each}` is {found[each].type} of shape {shape}, `{field_name}` of the manifest names {width}:"
                " state the columns of the model",
            )
    return chosen


def _stated(manifest: Manifest) -> tuple[tuple[str, int], ...]:
    return (("labels", len(manifest.labels)), ("topics", len(manifest.topics)))


def _filled(name: str, kind: type[np.signedinteger[Any]], batch: Batch) -> NDArray[Any]:
    match name:
        case "input_ids":
            array = batch.ids
        case "attention_mask":
            array = batch.mask
        case "case":
            array = batch.case
        case _:
            array = np.zeros_like(batch.ids)
    return array if array.dtype == kind else array.astype(kind)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _unusable(files: ModelFiles, name: str, complaint: str) -> ModelUnusable:
    return ModelUnusable(f"model directory `{files.directory}`, `{name}`: {complaint}")


def precision_of(weights: bytes) -> str:
    """In what numbers most bytes of the weights of an ONNX file are: fp32, fp16, bf16, int8 or `unknown`."""
    sizes: dict[str, int] = {}
    try:
        for _, graph in _parts(memoryview(weights), 7):
            for size, tensor in _parts(graph, 5):
                kind = next((value for value, _ in _parts(tensor, 2)), 0)
                precision = _PRECISIONS.get(kind)
                if precision is not None:
                    sizes[precision] = sizes.get(precision, 0) + size
    except (IndexError, ValueError):
        return "unknown"
    return max(sizes, key=sizes.__getitem__, default="unknown")


def _parts(message: memoryview, wanted: int) -> Iterator[tuple[int, memoryview]]:
    """The fields numbered `wanted` of a protobuf message: (length, content), or (value, nothing) of a number.

    Source: protobuf.dev/programming-guides/encoding. Raises IndexError or ValueError where it is no message.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        match key & 7:
            case 0:
                value, position = _varint(message, position)
                content = message[:0]
            case 2:
                value, position = _varint(message, position)
                content = message[position : position + value]
                position += value
            case 1 | 5 as kind:
                value, content = 0, message[:0]
                position += 8 if kind == 1 else 4
            case _:
                raise ValueError("no protobuf message")
        if key >> 3 == wanted:
            yield value, content


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("no protobuf message")
