"""`ringfence classifier`: one model for all workers of a machine, over the Open Inference Protocol.

Requests that wait while the model runs go together into its next run.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import grpc
import numpy as np
from open_inference.grpc import protocol
from open_inference.grpc.service import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

from classifiers.model.batching import BatchLimits, Runner
from classifiers.model.manifest import ModelFiles
from classifiers.model.pieces import piece_reader
from classifiers.model.remote import MAX_MESSAGE_BYTES, NO_NUMBERS, is_port, is_this_machine
from classifiers.model.session import Answers, BadAnswer, Batch
from classifiers.model.tensors import INPUTS, BadTensor, batch_of, infer_response, outputs_of
from governance.errors import ConfigInvalid
from governance.yaml_source import quoted

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of one call; a worker's batches are far smaller. What is more than one run may have goes in several.
_MOST_PIECES: Final = 65_536
_MOST_REQUEST_BYTES: Final = 4 << 20
_MOST_CALLS: Final = 1_024
# Of one connection, so that none takes the calls of all. Clients let more of them wait.
_MOST_STREAMS: Final = 64
# From the beginning of a call, which takes room, to its message.
_MESSAGE_S: Final = 5.0
# Then a client connects again, by itself, and calls whose answer nobody reads end after the grace: longer than one takes.
_CONNECTION_MS: Final = 300_000
_LAST_CALLS_MS: Final = 15_000
_GRACE_S: Final = 5.0
# What `sun_path` holds, its end left out (unix(7)).
_MOST_PATH_BYTES: Final = 107
_PROBE_S: Final = 1.0


class Full(Exception):
    """As much waits as may."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Waiting:
    batch: Batch
    answer: asyncio.Future[Answers]

    @property
    def pieces(self) -> int:
        return int(self.batch.ids.size)


@final
class Gathered:
    """Runs batches of many callers, several in one run of the model while they fit `limits`. Belongs to one event loop."""

    def __init__(self, runner: Runner, limits: BatchLimits) -> None:
        self._runner, self._limits = runner, limits
        self._queue: deque[_Waiting] = deque()
        self._windows = 0
        self._free = limits.workers
        self._threads = ThreadPoolExecutor(max_workers=limits.workers, thread_name_prefix="model")

    async def run(self, batch: Batch) -> Answers:
        """The answers to `batch`, of which no more than fits `limits` is run before the others have their turn.

        Raises Full, or what the model raises. Who stops waiting leaves the queue.
        """
        count, length = batch.ids.shape
        if self._windows + count > self._limits.max_waiting:
            raise Full
        self._windows += count
        later = deque(_parts(batch, max(1, self._limits.max_pieces // length)))
        answers: list[Answers] = []
        try:
            while later:
                answers.append(await self._turn(later.popleft()))
        finally:
            self._windows -= sum(len(each.ids) for each in later)
        return Answers(
            tokens=np.concatenate([each.tokens for each in answers]),
            topics=np.concatenate([each.topics for each in answers]),
        )

    async def _turn(self, batch: Batch) -> Answers:
        """The answers to `batch`, whose windows are counted, once they have gone through the queue."""
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._next()
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._queue.remove(waiting)
                self._windows -= len(batch.ids)
            raise

    def close(self) -> None:
        """Ends the threads after the run that they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> None:
        """Begins as many runs as there are free threads and batches that wait."""
        while self._free and (together := self._taken()):
            self._free -= 1
            loop = asyncio.get_running_loop()
            try:
                ran = loop.run_in_executor(self._threads, _ran, self._runner, [each.batch for each in together])
            except RuntimeError:
                # Closed, or no thread can be started: that is an answer too, or these would wait for ever.
                ran = loop.create_future()
                ran.set_exception(Full())
            ran.add_done_callback(functools.partial(self._settle, together))

    def _taken(self) -> list[_Waiting]:
        """The next batches that fit one run; at least one, if any waits."""
        taken: list[_Waiting] = []
        shortest = longest = rows = 0
        while self._queue:
            first = self._queue[0]
            count, length = first.batch.ids.shape
            shorter, longer = min(shortest or length, length), max(longest, length)
            too_many = longer * (rows + count) > self._limits.max_pieces
            if taken and (too_many or longer - shorter > self._limits.max_padding):
                break
            self._queue.popleft()
            self._windows -= count
            if not first.answer.done():
                taken.append(first)
                shortest, longest, rows = shorter, longer, rows + count
        return taken

    def _settle(self, together: list[_Waiting], ran: asyncio.Future[list[Answers | BadAnswer]]) -> None:
        self._free += 1
        # Cancelled where this was closed before its turn; its callers are gone by then.
        error = Full() if ran.cancelled() else ran.exception()
        for number, waiting in enumerate(together):
            if waiting.answer.done():
                continue
            answer = ran.result()[number] if error is None else error
            if isinstance(answer, Answers):
                waiting.answer.set_result(answer)
            else:
                waiting.answer.set_exception(answer)
        self._next()


def _parts(batch: Batch, rows: int) -> Iterator[Batch]:
    """`batch`, so many windows at a time."""
    for at in range(0, len(batch.ids), rows):
        part = slice(at, at + rows)
        yield Batch(ids=batch.ids[part], mask=batch.mask[part], case=batch.case[part])


def _ran(runner: Runner, batches: list[Batch]) -> list[Answers | BadAnswer]:
    """The answers to each of `batches`, from one run; from a run for each where that gives no numbers."""
    length = max(each.ids.shape[1] for each in batches)
    together = Batch(
        ids=_stacked([each.ids for each in batches], length),
        mask=_stacked([each.mask for each in batches], length),
        case=_stacked([each.case for each in batches], length),
    )
    try:
        answers = runner.run(together)
    except BadAnswer as error:
        # Who sent what no number comes of takes nobody else's answer with it.
        return [error] if len(batches) == 1 else [one for each in batches for one in _ran(runner, [each])]
    ends = np.cumsum([len(each.ids) for each in batches])
    return [
        Answers(
            tokens=answers.tokens[end - len(each.ids) : end, : each.ids.shape[1]],
            topics=answers.topics[end - len(each.ids) : end],
        )
        for each, end in zip(batches, ends.tolist(), strict=True)
    ]


def _stacked(arrays: list[NDArray[np.int64]], length: int) -> NDArray[np.int64]:
    # What is masked may be any piece.
    return np.concatenate([np.pad(each, ((0, 0), (0, length - each.shape[1]))) for each in arrays])


@final
class Inference(GRPCInferenceServiceServicer):  # type: ignore[misc]
    """The service. Errors hold no content."""

    def __init__(self, files: ModelFiles, gathered: Gathered) -> None:
        """Raises ModelUnusable."""
        self._files, self._gathered = files, gathered
        self._reader = piece_reader(files)
        self._outputs = outputs_of(files.manifest.kind)

    async def ServerLive(self, _: Any, __: Any) -> Any:  # noqa: N802 - the protocol's name
        """Always."""
        return protocol.ServerLiveResponse(live=True)

    async def ServerReady(self, _: Any, __: Any) -> Any:  # noqa: N802
        """Always: what serves has loaded its model."""
        return protocol.ServerReadyResponse(ready=True)

    async def ModelReady(self, request: Any, _: Any) -> Any:  # noqa: N802
        """Whether this is the model."""
        return protocol.ModelReadyResponse(ready=request.name == self._files.manifest.name)

    async def ServerMetadata(self, _: Any, __: Any) -> Any:  # noqa: N802
        """Who serves."""
        return protocol.ServerMetadataResponse(name="ringfence")

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Name, version and tensors of the model. NOT_FOUND for another."""
        await self._check(request.name, context)
        manifest = self._files.manifest
        told = protocol.ModelMetadataResponse(
            name=manifest.name, versions=[self._files.version], platform="onnxruntime"
        )
        for name in INPUTS:
            told.inputs.add(name=name, datatype="INT64", shape=[-1, -1])
        shapes = ([-1, -1, len(manifest.labels)], [-1, len(manifest.topics)])
        for name, shape in zip(self._outputs, shapes, strict=False):
            told.outputs.add(name=name, datatype="FP32", shape=shape)
        return told

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The logits of a batch. INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, DATA_LOSS (the model gave no numbers), INTERNAL."""
        await self._check(request.model_name, context)
        if request.model_version not in {"", self._files.version}:
            await context.abort(grpc.StatusCode.NOT_FOUND, "another version of the model is served")
        try:
            window = self._files.manifest.window
            reader = self._reader
            batch = batch_of(
                request, most=_MOST_PIECES, window=window, vocabulary=reader.vocabulary, cases=reader.cases
            )
        except BadTensor as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise
        try:
            answers = await self._gathered.run(batch)
        except Full:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much waits")
            raise
        except BadAnswer as error:
            await context.abort(NO_NUMBERS, type(error).__name__)
            raise
        except Exception as error:  # the edge of the service; the message could hold a piece
            await context.abort(grpc.StatusCode.INTERNAL, type(error).__name__)
            raise
        manifest = self._files.manifest
        return infer_response(answers, model=manifest.name, version=self._files.version, outputs=self._outputs)

    async def _check(self, name: str, context: Any) -> None:
        if name != self._files.manifest.name:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"the model served is {self._files.manifest.name}")


@final
class PromptMessages(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Ends calls whose message does not come: gRPC waits for it without end, and has counted the call."""

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], call: Any) -> Any:
        """The handler of `call`, which waits for the message itself: DEADLINE_EXCEEDED where that takes too long."""
        handler = await continuation(call)
        if handler is None:
            return None

        async def answer(messages: AsyncIterator[Any], context: Any) -> Any:
            try:
                async with asyncio.timeout(_MESSAGE_S):
                    message = await anext(messages)
            except TimeoutError:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no message came")
            except StopAsyncIteration:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call has no message")
            return await handler.unary_unary(message, context)

        return grpc.stream_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


async def serve(
    listen: str, files: ModelFiles, runner: Runner, limits: BatchLimits, *, started: Callable[[str], None]
) -> None:
    """Serves `runner` at `listen` (`unix:/path`, or an address of this machine with its port) until SIGTERM or SIGINT.

    `started` learns where. Raises ConfigInvalid where the address cannot be used.
    """
    host, _, port_asked = listen.rpartition(":")
    if not listen.startswith("unix:/") and not (is_this_machine(host) and is_port(port_asked)):
        raise ConfigInvalid(
            f"--listen: {quoted(listen)} is neither unix:/path nor an address of this machine with its port"
        )
    gathered = Gathered(runner, limits)
    # What is read here was sent to be kept: a socket is for the user who runs this.
    os.umask(0o077)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _MOST_REQUEST_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", _MOST_STREAMS),
            ("grpc.max_connection_age_ms", _CONNECTION_MS),
            ("grpc.max_connection_age_grace_ms", _LAST_CALLS_MS),
        ],
        interceptors=[PromptMessages()],
        maximum_concurrent_rpcs=_MOST_CALLS,
    )
    add_GRPCInferenceServiceServicer_to_server(Inference(files, gathered), server)
    try:
        port = _bound(server, listen)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        await server.start()
        started(listen if listen.startswith("unix:") else f"{host}:{port}")
        await stopped.wait()
    finally:
        await server.stop(_GRACE_S)
        gathered.close()


def _bound(server: grpc.aio.Server, listen: str) -> int:
    """The port at which `server` will listen. A socket that a process which is gone has left is removed."""
    if listen.startswith("unix:"):
        path = Path(listen.removeprefix("unix:"))
        complaint = _no_socket(path)
        if complaint is not None:
            raise ConfigInvalid(f"--listen: {quoted(listen)}: {complaint}")
        _clear(path, listen)
    try:
        return int(server.add_insecure_port(listen))
    except RuntimeError:
        raise _taken(listen) from None


def _no_socket(path: Path) -> str | None:
    """Why no socket can be made at `path`; None where one can, or one is there."""
    if len(os.fsencode(path)) > _MOST_PATH_BYTES:
        return f"the path of a socket has at most {_MOST_PATH_BYTES} bytes: name a shorter one"
    if not os.path.isdir(path.parent):  # noqa: PTH112 - raises nothing where a directory above may not be entered
        return f"there is no directory {quoted(str(path.parent))}: make it, or name another"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"this user may make nothing in {quoted(str(path.parent))}: name another directory"
    if os.path.lexists(path) and not path.is_socket():
        return "something else than a socket is there: name another path"
    return None


def _clear(path: Path, listen: str) -> None:
    """Removes the socket at `path` if nobody listens there: gRPC would take it from whoever does."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise _taken(listen)


def _taken(listen: str) -> ConfigInvalid:
    return ConfigInvalid(f"--listen: {quoted(listen)} cannot be used; is somebody else listening there?")
