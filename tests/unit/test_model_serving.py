"""One model behind the Open Inference Protocol: the same answers as here, batches of many callers, and errors without content."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from open_inference.grpc import protocol
from open_inference.grpc.service import (
    GRPCInferenceServiceServicer,
    GRPCInferenceServiceStub,
    add_GRPCInferenceServiceServicer_to_server,
)

from classifiers.detector import PatternDetector
from classifiers.extra import OwnRecognizers
from classifiers.model import serving
from classifiers.model.batching import BatchLimits
from classifiers.model.choice import chosen_model, chosen_models, composed, model_directory
from classifiers.model.detector import ModelDetector, load_model
from classifiers.model.manifest import read_model
from classifiers.model.pieces import piece_reader
from classifiers.model.remote import RemoteModel
from classifiers.model.serving import Full, Gathered, serve
from classifiers.model.session import Answers, BadAnswer, Batch, ModelSession, RunFailed
from classifiers.model.tensors import BadTensor, answers_of, batch_of, infer_request, infer_response
from governance.errors import ConfigInvalid, DetectorUnavailable
from governance.finding import DetectionStatus
from governance.segment import Role, Span, TextSegment
from governance.sensitive import SensitiveText
from governance.settings import Classifiers
from tests.model_directories import VOCABULARY, Model, write

TEXT = "our neighbour Tomasz Kowalski began dialysis in Berlin"
WAIT_S = 60


def segment(text: str) -> TextSegment:
    """A segment of a user."""
    return TextSegment(role=Role.USER, place="/text", text=SensitiveText(text))


def batch(*rows: list[int]) -> Batch:
    """A batch of rows of one length."""
    ids = np.array(rows, dtype=np.int64)
    return Batch(ids=ids, mask=np.ones_like(ids), case=np.zeros_like(ids))


@contextmanager
def served(directory: Path, listen: str) -> Iterator[None]:
    """`ringfence classifier`, listening."""
    command = [sys.executable, "-m", "governance.cli", "classifier", "--model", str(directory), "--listen", listen]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "listening on" in line, line
        yield
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(WAIT_S)


def test_workers_share_the_model_of_another_process(tmp_path: Path) -> None:
    """Findings and labels are those of the model here; the socket is the user's own; when the process ends, detection fails."""
    directory, path = write(tmp_path / "tiny"), tmp_path / "model.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    here = load_model(directory).detect_now([segment(TEXT)], deadline_ms=10_000)

    with served(directory, f"unix:{path}"):
        assert 0 == stat.S_IMODE(path.stat().st_mode) & 0o077
        remote = chosen_model(Classifiers(model=str(directory), server=f"unix:{path}"))
        assert isinstance(remote, ModelDetector)
        there = remote.detect_now([segment(TEXT)], deadline_ms=10_000)
    assert (DetectionStatus.COMPLETE, here) == (there.status, there)
    assert {"PERSON", "MEDICAL", "LOCATION"} == {finding.entity_type for finding in there.findings}

    with pytest.raises(DetectorUnavailable, match=r"^the model failed with UNAVAILABLE$"):
        remote.detect_now([segment(TEXT + " on")], deadline_ms=10_000)
    remote.close()


def test_the_rules_and_a_model_become_one_detector(tmp_path: Path) -> None:
    """Who settings ask for is there, and both are recorded as having run."""
    directory = write(tmp_path / "tiny")

    with ExitStack() as held:
        models = chosen_models(Classifiers(model=str(directory)))
        both = composed(PatternDetector(), OwnRecognizers(), models, held)[str(directory)]
        found = both.detect_now([segment(f"{TEXT}, jane@example.com")], deadline_ms=10_000)

    assert {"PERSON", "MEDICAL", "LOCATION", "EMAIL_ADDRESS"} == {each.entity_type for each in found.findings}
    assert ["patterns", "model"] == [run.id for run in found.detectors]
    assert "health" in {label.name for label in found.labels}


def test_tenants_have_models_of_their_own(tmp_path: Path) -> None:
    """Each name is there once; two directories with the same files are one model; `off` leaves the rules alone."""
    first, copy = str(write(tmp_path / "tiny")), str(write(tmp_path / "copy"))
    settings = Classifiers(model="off", tenants={"clinic": first, "surgery": copy, "archive": "off"})

    with ExitStack() as held:
        models = chosen_models(settings)
        detectors = composed(PatternDetector(), OwnRecognizers(), models, held)
        runs = {
            name: [run.id for run in each.detect_now([segment(TEXT)], deadline_ms=10_000).detectors]
            for name, each in detectors.items()
        }

    assert {"off": ["patterns"], first: ["patterns", "model"], copy: ["patterns", "model"]} == runs
    assert models[first] is models[copy] is not None


def test_a_model_that_is_not_there_is_told_by_name() -> None:
    """With what may stand instead."""
    with pytest.raises(
        ConfigInvalid, match=r"`classifiers`: there is no directory `nowhere`; a model is off, student, teacher or"
    ):
        model_directory("nowhere")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1", "is none of unix:/path"),
        ("unix:relative", "is none of unix:/path"),
        ("grpc:/path", "is none of unix:/path"),
        ("unix://127.0.0.1:1", "is none of unix:/path"),
        ("grpc://127.0.0.1:65537", "is none of unix:/path"),
        ("grpcs://triton.example:65536", "is none of unix:/path"),
        ("grpc://192.0.2.1:8001", "is another machine; use grpcs://"),
        ("grpc://triton.example:8001", "is another machine; use grpcs://"),
    ],
)
def test_no_piece_leaves_the_machine_unencrypted(tmp_path: Path, address: str, said: str) -> None:
    """Addresses of other forms are refused before anything is sent."""
    files = read_model(write(tmp_path / "tiny"))

    with pytest.raises(ConfigInvalid, match=said):
        RemoteModel(address, files)


class Serving:
    """`serve` in a loop of its own, in this process."""

    def __init__(self, directory: Path, runner: Any = None, **limits: int) -> None:
        self.files = read_model(directory)
        self._runner = runner or ModelSession(self.files, piece_reader(self.files))
        self._limits = BatchLimits(**limits)
        self._where: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> str:
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        return f"grpc://{self._where[0]}"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            # Signals reach the main thread alone.
            self._loop.add_signal_handler = lambda *_: None  # type: ignore[method-assign]
            self._task = asyncio.create_task(
                serve("127.0.0.1:0", self.files, self._runner, self._limits, started=self._started)
            )
            await asyncio.wait((self._task,))

        mask = os.umask(0o077)
        asyncio.run(main())
        os.umask(mask)

    def _started(self, where: str) -> None:
        self._where.append(where)
        self._ready.set()


def stub(address: str, stack: ExitStack) -> Any:
    """A client of the protocol that is not ours."""
    channel = stack.enter_context(grpc.insecure_channel(address.removeprefix("grpc://")))
    return GRPCInferenceServiceStub(channel)


def test_any_client_of_the_protocol_is_answered(tmp_path: Path) -> None:
    """Readiness, metadata and inference; what is malformed, another model's or another version's is refused by code."""
    serving = Serving(write(tmp_path / "tiny"))
    with serving as address, ExitStack() as stack:
        client = stub(address, stack)
        told = client.ModelMetadata(protocol.ModelMetadataRequest(name="tiny"), timeout=WAIT_S)
        good = infer_request(batch([4, 5]), model="tiny", version="", outputs=("tokens", "topics"))

        assert client.ServerLive(protocol.ServerLiveRequest(), timeout=WAIT_S).live
        assert client.ServerReady(protocol.ServerReadyRequest(), timeout=WAIT_S).ready
        assert "ringfence" == client.ServerMetadata(protocol.ServerMetadataRequest(), timeout=WAIT_S).name
        assert [True, False] == [
            client.ModelReady(protocol.ModelReadyRequest(name=name), timeout=WAIT_S).ready for name in ("tiny", "other")
        ]
        assert ([serving.files.version], ["tokens", "topics"]) == (
            list(told.versions),
            [each.name for each in told.outputs],
        )
        assert [[1, 2, 21], [1, 8]] == [list(each.shape) for each in client.ModelInfer(good, timeout=WAIT_S).outputs]
        codes = []
        for spoilt in spoilt_requests(good):
            with pytest.raises(grpc.RpcError) as refused:
                client.ModelInfer(spoilt, timeout=WAIT_S)
            codes.append(refused.value.code().name)
        assert ["NOT_FOUND", "NOT_FOUND", *["INVALID_ARGUMENT"] * 10] == codes


def spoilt_requests(good: Any) -> Iterator[Any]:
    """`good` with one thing wrong each."""

    def copy() -> Any:
        made = protocol.ModelInferRequest()
        made.CopyFrom(good)
        return made

    other, old, short, large, typed, missing, empty, void, unknown, below, masked, cased = (copy() for _ in range(12))
    other.model_name = "other"
    old.model_version = "tiny@0+00000000"
    short.raw_input_contents[0] = b"\0" * 15
    for tensor in large.inputs:
        tensor.shape[:] = [1 << 40, 1 << 40]
    typed.inputs[0].datatype = "BYTES"
    del missing.inputs[2]
    empty.inputs[0].shape[:] = [0, 2]
    for number in range(3):
        void.inputs[number].shape[:] = [0, 1 << 62, 1 << 62]
        void.raw_input_contents[number] = b""
    for spoilt, number, value in ((unknown, 0, len(VOCABULARY)), (below, 0, -1), (masked, 1, 2), (cased, 2, 5)):
        spoilt.raw_input_contents[number] = np.array([4, value], dtype="<i8").tobytes()
    return iter((other, old, short, large, typed, missing, empty, void, unknown, below, masked, cased))


def test_another_model_than_here_is_refused_at_the_start(tmp_path: Path) -> None:
    """Its findings would be read with the wrong vocabulary or thresholds. So is a server without the model."""
    with Serving(write(tmp_path / "tiny")) as address:
        files = read_model(tmp_path / "tiny")
        with pytest.raises(ConfigInvalid, match=r"serves `tiny@1.*`, here is `tiny@2"):
            RemoteModel(address, replace(files, manifest=replace(files.manifest, version="2")))
        with pytest.raises(
            ConfigInvalid, match=r"does not serve `other` \(not found\): start it with `ringfence classifier`"
        ):
            RemoteModel(f"{address}/other", files)


class Slow:
    """A runner that holds its first run until it is let go, and remembers the size of each."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.sizes: list[tuple[int, ...]] = []

    def run(self, batch: Batch) -> Answers:
        """The ids of the batch, as if they were logits."""
        self.sizes.append(batch.ids.shape)
        self.entered.release()
        assert self.go.wait(WAIT_S)
        tokens = batch.ids[:, :, np.newaxis].astype(np.float32)
        return Answers(tokens=tokens, topics=batch.ids[:, :1].astype(np.float32))


@pytest.mark.parametrize(("padding", "runs"), [(2, [(1, 2), (2, 3)]), (1, [(1, 2), (1, 1), (1, 3)])])
async def test_what_waits_goes_together_and_comes_apart_again(padding: int, runs: list[tuple[int, int]]) -> None:
    """In runs of several where padding is worth it; each has its own rows, and who gave up costs nothing."""
    slow = Slow()
    gathered = Gathered(slow, BatchLimits(max_waiting=6, max_pieces=16, max_padding=padding))
    asked = [asyncio.create_task(gathered.run(batch(row))) for row in ([1, 2], [3], [4, 5, 6], [7])]
    await asyncio.sleep(0)
    asked[3].cancel()
    with pytest.raises(Full):
        await gathered.run(batch(*[[1]] * 4))
    slow.go.set()

    answers = await asyncio.gather(*asked[:3])

    assert [[1, 2], [3], [4, 5, 6]] == [each.tokens[0, :, 0].tolist() for each in answers]
    assert [[1], [3], [4]] == [each.topics[0].tolist() for each in answers]
    assert runs == slow.sizes
    gathered.close()


async def test_a_large_batch_lets_others_run_in_between() -> None:
    """It goes in runs that fit, and who came behind it waits for one of them; its answers come whole and in order."""
    slow = Slow()
    gathered = Gathered(slow, BatchLimits(max_waiting=7, max_pieces=4, max_padding=0))
    asked = [
        asyncio.create_task(gathered.run(each)) for each in (batch([1, 2], [3, 4], [5, 6], [7, 8], [9, 1]), batch([2]))
    ]
    await asyncio.sleep(0)
    with pytest.raises(Full):
        await gathered.run(batch([1], [2], [3], [4]))
    slow.go.set()

    large, small = await asyncio.gather(*asked)
    gathered.close()

    assert [[1, 2], [3, 4], [5, 6], [7, 8], [9, 1]] == large.tokens[:, :, 0].tolist()
    assert [[1], [3], [5], [7], [9]] == large.topics.tolist()
    assert [[2]] == small.tokens[:, :, 0].tolist()
    assert [(2, 2), (1, 1), (2, 2), (1, 2)] == slow.sizes


async def test_who_gives_up_a_large_batch_makes_room_for_as_much() -> None:
    """Whether a part of it runs, waits or was to follow."""
    slow = Slow()
    gathered = Gathered(slow, BatchLimits(max_waiting=6, max_pieces=2, max_padding=0))
    running, queued = (asyncio.create_task(gathered.run(batch([1], [2], [3], [4]))) for _ in range(2))
    await asyncio.sleep(0)
    running.cancel()
    queued.cancel()
    await asyncio.gather(running, queued, return_exceptions=True)
    slow.go.set()

    assert [[number] for number in range(6)] == (await gathered.run(batch(*([n] for n in range(6))))).topics.tolist()
    gathered.close()


class Numberless:
    """A runner that gives no numbers where piece 9 is; otherwise the ids, as if they were logits."""

    def run(self, batch: Batch) -> Answers:
        """Of all of `batch`, or BadAnswer."""
        if (batch.ids == 9).any():
            raise BadAnswer("not finite")
        tokens = np.repeat(batch.ids[:, :, np.newaxis], 21, axis=2).astype(np.float32)
        return Answers(tokens=tokens, topics=np.repeat(batch.ids[:, :1], 8, axis=1).astype(np.float32))


async def test_what_no_number_comes_of_takes_nobody_elses_answer_with_it() -> None:
    """Batches of several callers stood in one run with it."""
    gathered = Gathered(Numberless(), BatchLimits(workers=1))
    asked = [asyncio.create_task(gathered.run(batch([each]))) for each in (1, 2, 9, 3)]

    answers = await asyncio.gather(*asked, return_exceptions=True)
    gathered.close()

    assert [1.0, 2.0, None, 3.0] == [each.tokens[0, 0, 0] if isinstance(each, Answers) else None for each in answers]
    assert isinstance(answers[2], BadAnswer)


def test_a_client_learns_that_no_number_came_of_its_batch(tmp_path: Path) -> None:
    """So that it asks again for each of its texts."""
    directory = write(tmp_path / "tiny")
    with Serving(directory, Numberless()) as address:
        remote = RemoteModel(address, read_model(directory))
        with pytest.raises(BadAnswer, match="gave no numbers"):
            remote.run(batch([9]))
        assert (1, 1, 21) == remote.run(batch([4])).tokens.shape
        remote.close()


INFER = "/inference.GRPCInferenceService/ModelInfer"


async def test_calls_without_a_message_take_no_room_from_others(tmp_path: Path) -> None:
    """However many one connection begins: more than a few of them wait in the client."""
    own = (("grpc.use_local_subchannel_pool", 1),)
    with Serving(write(tmp_path / "tiny")) as address:
        target = address.removeprefix("grpc://")
        async with grpc.aio.insecure_channel(target) as silent, grpc.aio.insecure_channel(target, own) as other:
            held = [silent.stream_unary(INFER)() for _ in range(1_100)]
            codes = [asyncio.create_task(each.code()) for each in held]
            # As soon as one is refused, the others are there.
            await asyncio.wait(codes, timeout=2, return_when=asyncio.FIRST_COMPLETED)

            told = await GRPCInferenceServiceStub(other).ServerReady(protocol.ServerReadyRequest(), timeout=WAIT_S)
            for each in held:
                each.cancel()
            await asyncio.wait(codes)

    assert told.ready


async def test_a_call_whose_message_does_not_come_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From many connections too: all that the server has room for are held, and soon free again."""
    monkeypatch.setattr(serving, "_MESSAGE_S", 2)
    monkeypatch.setattr(serving, "_MOST_CALLS", 8)
    own = (("grpc.use_local_subchannel_pool", 1),)
    with Serving(write(tmp_path / "tiny")) as address:
        target = address.removeprefix("grpc://")
        async with AsyncExitStack() as opened:
            channels = [await opened.enter_async_context(grpc.aio.insecure_channel(target, own)) for _ in range(9)]
            silent = [each.stream_unary(INFER)() for each in channels]
            codes = Counter([await each.code() for each in silent])
            server = GRPCInferenceServiceStub(channels[0])
            told = await server.ServerReady(protocol.ServerReadyRequest(), timeout=WAIT_S)

    # Nine at once, in whatever order they came.
    assert {grpc.StatusCode.DEADLINE_EXCEEDED: 8, grpc.StatusCode.RESOURCE_EXHAUSTED: 1} == codes
    assert told.ready


async def test_a_call_without_a_message_is_told_so(tmp_path: Path) -> None:
    """A client that ends its side has sent nothing."""
    with Serving(write(tmp_path / "tiny")) as address:
        async with grpc.aio.insecure_channel(address.removeprefix("grpc://")) as channel:
            call = channel.stream_unary(INFER)()
            await call.done_writing()
            assert grpc.StatusCode.INVALID_ARGUMENT is await call.code()


async def test_a_connection_ends_and_who_uses_it_notices_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that nobody goes on with end with it."""
    monkeypatch.setattr(serving, "_CONNECTION_MS", 300)
    monkeypatch.setattr(serving, "_LAST_CALLS_MS", 1_000)
    directory = write(tmp_path / "tiny")
    with Serving(directory) as address:
        remote = RemoteModel(address, read_model(directory))
        async with grpc.aio.insecure_channel(address.removeprefix("grpc://")) as silent:
            call = silent.stream_unary(INFER)()
            ended = asyncio.create_task(call.code())
            runs = 0
            while not ended.done() or runs < 100:
                answers = await asyncio.to_thread(remote.run, batch([4, 5]))
                assert (1, 2, 21) == answers.tokens.shape
                runs += 1
        remote.close()

    assert grpc.StatusCode.UNAVAILABLE is ended.result()


class Failing:
    """A runner that fails with content in its message."""

    def run(self, batch: Batch) -> Answers:
        """Never."""
        raise ValueError(f"needle {batch.ids}")


def test_a_failing_model_says_no_more_than_what_failed(tmp_path: Path) -> None:
    """The class of the error crosses the wire, its message does not; the service goes on."""
    with Serving(write(tmp_path / "tiny"), Failing()) as address, ExitStack() as stack:
        client = stub(address, stack)
        request = infer_request(batch([4]), model="tiny", version="", outputs=("tokens",))
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as failed:
                client.ModelInfer(request, timeout=WAIT_S)
            assert ("INTERNAL", "ValueError") == (failed.value.code().name, failed.value.details())


def test_a_batch_survives_the_wire() -> None:
    """Integers of one shape, within bounds."""
    sent = batch([1, 2, 3], [4, 5, 6])
    request = infer_request(sent, model="m", version="", outputs=("tokens",))

    received = batch_of(request, most=6, window=3, vocabulary=7, cases=5)

    assert (sent.ids.tolist(), sent.mask.tolist()) == (received.ids.tolist(), received.mask.tolist())
    for most, window in ((5, 3), (6, 2)):
        with pytest.raises(BadTensor, match="a batch is 1 to"):
            batch_of(request, most=most, window=window, vocabulary=7, cases=5)


def test_a_tensor_of_very_many_dimensions_is_refused_at_once() -> None:
    """Their product would have as many digits: a message within the limit would hold all others up for an hour."""
    request = infer_request(batch([1]), model="m", version="", outputs=("tokens",))
    request.inputs[0].shape[:] = [127] * 500_000

    with pytest.raises(BadTensor, match="type and shape"):
        batch_of(request, most=5, window=3, vocabulary=7, cases=5)


def test_a_tensor_that_is_there_twice_is_refused() -> None:
    """Of a batch and of an answer: which of the two counts is not for a reader to guess."""
    request = infer_request(batch([1]), model="m", version="", outputs=("tokens",))
    request.inputs.add().CopyFrom(request.inputs[0])
    request.raw_input_contents.append(np.array([2], dtype="<i8").tobytes())
    answers = Answers(tokens=np.ones((1, 1, 3), dtype=np.float32), topics=np.ones((1, 2), dtype=np.float32))
    response = infer_response(answers, model="m", version="", outputs=("tokens", "topics"))
    response.outputs.add().CopyFrom(response.outputs[0])
    response.raw_output_contents.append(bytes(12))

    with pytest.raises(BadTensor, match="a tensor is there twice"):
        batch_of(request, most=5, window=3, vocabulary=7, cases=5)
    with pytest.raises(BadTensor, match="a tensor is there twice"):
        answers_of(response, ("tokens", "topics"), windows=1)


class Answering:
    """A runner that answers every number with `value`, in `labels` columns."""

    def __init__(self, value: float, labels: int = 21) -> None:
        self.value, self.labels = value, labels

    def run(self, batch: Batch) -> Answers:
        """Of the shape of `batch`."""
        count, length = batch.ids.shape
        return Answers(
            tokens=np.full((count, length, self.labels), self.value, dtype=np.float32),
            topics=np.full((count, 8), self.value, dtype=np.float32),
        )


@pytest.mark.parametrize("runner", [Answering(float("nan")), Answering(float("inf")), Answering(0.0, labels=20)])
def test_an_answer_from_elsewhere_that_is_none_is_a_failure(tmp_path: Path, runner: Answering) -> None:
    """It would look like a text without findings."""
    directory = write(tmp_path / "tiny")
    with Serving(directory, runner) as address:
        remote = chosen_model(Classifiers(model=str(directory), server=address))
        assert isinstance(remote, ModelDetector)
        with pytest.raises(DetectorUnavailable, match=r"^the model failed with BadAnswer$"):
            remote.detect_now([segment(TEXT)], deadline_ms=10_000)
        remote.close()


def test_no_proxy_stands_between_a_worker_and_a_server_on_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is not encrypted, and a proxy may be anywhere."""
    directory = write(tmp_path / "tiny")
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with Serving(directory) as address:
        RemoteModel(address, read_model(directory)).close()


def test_a_model_of_others_is_served_too(tmp_path: Path) -> None:
    """With its one output, by its own name."""
    labels = ("O", "B-PERSON", "I-PERSON")
    manifest = {"kind": "token-classification", "labels": labels, "topics": (), "entities": {"PERSON": "PERSON"}}
    directory = write(
        tmp_path / "tiny",
        Model(labels=labels, topics=(), inputs=("input_ids", "attention_mask"), outputs=("logits",), manifest=manifest),
    )
    with Serving(directory) as address:
        remote = chosen_model(Classifiers(model=str(directory), server=address))
        assert isinstance(remote, ModelDetector)
        found = remote.detect_now([segment(TEXT)], deadline_ms=10_000)
        remote.close()

    assert ("PERSON", Span(start=14, end=29)) == (found.findings[0].entity_type, found.findings[0].span)


class Elsewhere(GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A server of somebody else's, with `inputs` and versions of its own; answers zeros and remembers what it was sent."""

    def __init__(self, inputs: dict[str, str]) -> None:
        self.inputs, self.version = inputs, "7"
        self.sent: list[dict[str, str]] = []

    def ModelMetadata(self, request: Any, _: Any) -> Any:  # noqa: N802 - the protocol's name
        """Of one model."""
        told = protocol.ModelMetadataResponse(name=request.name, versions=["7"])
        for name, kind in self.inputs.items():
            told.inputs.add(name=name, datatype=kind, shape=[-1, -1])
        for name in ("tokens", "topics"):
            told.outputs.add(name=name, datatype="FP32", shape=[-1])
        return told

    def ModelInfer(self, request: Any, _: Any) -> Any:  # noqa: N802
        """Zeros."""
        self.sent.append({each.name: each.datatype for each in request.inputs})
        count, length = request.inputs[0].shape
        answers = Answering(0.0).run(Batch(ids=np.zeros((count, length)), mask=None, case=None))  # type: ignore[arg-type]
        return infer_response(answers, model=request.model_name, version=self.version, outputs=("tokens", "topics"))

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Its address."""
        server = grpc.server(ThreadPoolExecutor(max_workers=2))
        add_GRPCInferenceServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"grpc://127.0.0.1:{port}"
        server.stop(None).wait(WAIT_S)


def test_a_server_is_sent_the_inputs_that_it_names(tmp_path: Path) -> None:
    """In their type; a server that wants what is not known here is refused at the start."""
    files = read_model(write(tmp_path / "tiny"))
    wanted = {"input_ids": "INT32", "attention_mask": "INT64", "token_type_ids": "INT64"}

    with Elsewhere(wanted).listening() as address, Elsewhere({"pixels": "FP32"}).listening() as other:
        RemoteModel(address, files).run(batch([4, 5]))
        with pytest.raises(ConfigInvalid, match="wants an input `pixels` of `FP32`"):
            RemoteModel(other, files)


def test_a_server_that_changes_its_model_is_not_believed(tmp_path: Path) -> None:
    """What is remembered was found by the other one: its answers fail until somebody looks."""
    files = read_model(write(tmp_path / "tiny"))
    server = Elsewhere(dict.fromkeys(("input_ids", "attention_mask", "case"), "INT64"))

    with server.listening() as address:
        remote = RemoteModel(address, files)
        assert (1, 2, 21) == remote.run(batch([4, 5])).tokens.shape
        server.version = "8"
        with pytest.raises(BadAnswer, match="the server has changed the model"):
            remote.run(batch([4, 5]))
        remote.close()


def test_a_server_that_was_gone_is_tried_again_within_seconds(tmp_path: Path) -> None:
    """However often it was not there: until it is, every request fails."""
    files = read_model(write(tmp_path / "tiny"))
    server = Elsewhere(dict.fromkeys(("input_ids", "attention_mask", "case"), "INT64"))
    with server.listening() as address:
        remote = RemoteModel(address, files)
    gone = threading.Event()

    def ask() -> None:
        while not gone.wait(0.01):
            with suppress(RunFailed):
                remote.run(batch([4, 5]))

    asking = threading.Thread(target=ask)
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))) as listening:
        listening.settimeout(6)
        asking.start()
        try:
            # By itself gRPC would wait for seven seconds before the seventh time, and for two minutes later on.
            for _ in range(7):
                listening.accept()[0].close()
        finally:
            gone.set()
            asking.join()
    remote.close()


async def test_a_socket_that_somebody_listens_on_is_left_to_them(tmp_path: Path) -> None:
    """And who comes second is told."""
    files = read_model(write(tmp_path / "tiny"))
    path = tmp_path / "model.sock"
    mask = os.umask(0o077)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        with pytest.raises(ConfigInvalid, match="is somebody else listening there"):
            await serve(f"unix:{path}", files, Slow(), BatchLimits(), started=print)
        os.umask(mask)

        assert path.is_socket()


@pytest.mark.parametrize(
    "listen",
    ["127.0.0.1:65536", "127.0.0.1:0000080", "localhost:x", "127.0.0.1:", "127.0.0.1", "[::1]:99999999999999999999"],
)
async def test_a_port_is_one_that_there_is(tmp_path: Path, listen: str) -> None:
    """It is not taken for another one."""
    files = read_model(write(tmp_path / "tiny"))

    with pytest.raises(ConfigInvalid, match="is neither unix:/path nor an address of this machine with its port"):
        await serve(listen, files, Slow(), BatchLimits(), started=print)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none/model.sock", "there is no directory `.*/none`: make it"),
        ("file/model.sock", "there is no directory `.*/file`: make it"),
        ("x" * 108, "has at most 107 bytes"),
        ("directory", "something else than a socket is there"),
        ("file", "something else than a socket is there"),
    ],
)
async def test_why_no_socket_can_be_made_is_told(tmp_path: Path, path: str, said: str) -> None:
    """Nobody else listens there: what is wrong is the path."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    files = read_model(write(tmp_path / "tiny"))

    mask = os.umask(0o077)
    with pytest.raises(ConfigInvalid, match=said):
        await serve(f"unix:{tmp_path / path}", files, Slow(), BatchLimits(), started=print)
    os.umask(mask)


async def test_who_stops_waiting_makes_room() -> None:
    """While the model is still at the run before."""
    slow = Slow()
    gathered = Gathered(slow, BatchLimits(max_waiting=1))
    first, gone = (asyncio.create_task(gathered.run(batch([number]))) for number in (1, 2))
    assert await asyncio.to_thread(slow.entered.acquire, timeout=WAIT_S)
    gone.cancel()
    await asyncio.wait((gone,))
    last = asyncio.create_task(gathered.run(batch([3])))
    slow.go.set()

    assert [1, 3] == [round(float(each.tokens[0, 0, 0])) for each in await asyncio.gather(first, last)]
    gathered.close()


async def test_runs_that_never_came_end_their_wait() -> None:
    """Closed while one runs and another has its turn behind it: who waits is told, and nothing is raised in the loop."""
    slow, loop = Slow(), asyncio.get_running_loop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    gathered = Gathered(slow, BatchLimits(workers=1))
    gathered._free = 2
    asked = [asyncio.create_task(gathered.run(batch(row))) for row in ([1], [2])]
    assert await asyncio.to_thread(slow.entered.acquire, timeout=WAIT_S)
    gathered.close()
    slow.go.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert ([Answers, Full], []) == ([type(each) for each in answers], errors)


async def test_who_asks_once_it_is_closed_is_told() -> None:
    """And waits for nobody, as does who waited already."""
    gathered = Gathered(Slow(), BatchLimits(workers=1))
    gathered.close()

    with pytest.raises(Full):
        await asyncio.wait_for(gathered.run(batch([1])), WAIT_S)


def test_an_address_of_others_is_refused(tmp_path: Path) -> None:
    """Nobody is authenticated, so nobody from elsewhere may ask."""
    command = ["classifier", "--model", str(write(tmp_path / "tiny")), "--listen", "0.0.0.0:0"]
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "governance.cli", *command],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (2, True) == (ran.returncode, "is neither unix:/path nor an address of this machine" in ran.stderr), started
