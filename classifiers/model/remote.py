"""A model that another process runs: `ringfence classifier` beside the workers, or a server of the Open Inference Protocol.

Text becomes pieces here and logits become findings here: what goes over the wire are the numbers of pieces, which anybody
with the vocabulary can read. Beyond this machine the connection is therefore TLS.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final, final

import grpc
from open_inference.grpc import protocol
from open_inference.grpc.service import GRPCInferenceServiceStub

from classifiers.model.manifest import ModelFiles
from classifiers.model.session import Answers, BadAnswer, Batch, RunFailed, checked
from classifiers.model.tensors import INPUTS, INTEGERS, BadTensor, answers_of, infer_request, outputs_of
from governance.errors import ConfigInvalid
from governance.yaml_source import quoted

MAX_MESSAGE_BYTES: Final = 64 << 20
# What a server says where its model gave no numbers: to whom each text's own fault must be plain.
NO_NUMBERS: Final = grpc.StatusCode.DATA_LOSS
_START_S: Final = 10.0
# Nobody waits longer than the deadline of detection; this frees the thread of who has stopped waiting.
_RUN_S: Final = 10.0
_SERVER = re.compile(
    r"(?P<scheme>unix|grpc|grpcs):(?://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})(?:/(?P<model>[A-Za-z0-9._-]{1,128}))?|(?P<path>/[^\x00-\x1f]{1,106}))"
)


@final
class RemoteModel:
    """A Runner over the server at `address`. Safe between threads.

    `address` is `unix:/path/to/socket`, `grpc://127.0.0.1:8001` (this machine alone) or `grpcs://host:8001`, the last two with
    `/model` where the server calls it otherwise than the manifest does.
    """

    def __init__(self, address: str, files: ModelFiles) -> None:
        """Asks the server whether it serves the model. Raises ConfigInvalid where it does not, or cannot be reached."""
        found = _SERVER.fullmatch(address)
        if found is None or (found["path"] is None) == (found["scheme"] == "unix") or not is_port(found["port"] or "0"):
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} is none of unix:/path, grpc://127.0.0.1:8001, grpcs://host:8001/model"
            )
        if found["scheme"] == "grpc" and not is_this_machine(found["host"]):
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} is another machine; use grpcs://, which is TLS"
            )
        self._model = found["model"] or files.manifest.name
        self._outputs = outputs_of(files.manifest.kind)
        self._widths = (len(files.manifest.labels), len(files.manifest.topics))
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            # Until the server is tried again every request fails: gRPC would wait for up to two minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
        ]
        if found["scheme"] == "grpc":
            # gRPC goes through the proxy that the environment names even to this machine, and nothing is encrypted here.
            options.append(("grpc.enable_http_proxy", 0))
        if found["scheme"] == "grpcs":
            # A machine that is gone says nothing: without asking, calls would go there until TCP gives up.
            options += [("grpc.keepalive_time_ms", 10_000), ("grpc.keepalive_timeout_ms", 5_000)]
        target = f"unix:{found['path']}" if found["path"] else f"{found['host']}:{found['port']}"
        self._channel: Any = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
            if found["scheme"] == "grpcs"
            else grpc.insecure_channel(target, options=options)
        )
        self._stub: Any = GRPCInferenceServiceStub(self._channel)
        self._version = ""
        self._versions: frozenset[str] = frozenset()
        self._inputs: dict[str, str] = {}
        try:
            self._greet(address, files)
        except BaseException:
            self.close()
            raise

    def run(self, batch: Batch) -> Answers:
        """The answers to `batch`, in its order. Raises BadAnswer, or RunFailed with the status code of gRPC."""
        request = infer_request(
            batch, model=self._model, version=self._version, outputs=self._outputs, inputs=self._inputs
        )
        try:
            response = self._stub.ModelInfer(request, timeout=_RUN_S)
        except grpc.RpcError as error:
            if error.code() is NO_NUMBERS:
                raise BadAnswer("the server's model gave no numbers") from None
            raise RunFailed(error.code().name) from None
        try:
            answers = answers_of(response, self._outputs, windows=len(batch.ids))
        except BadTensor as error:
            raise BadAnswer(str(error)) from None
        if self._versions and response.model_version and response.model_version not in self._versions:
            # What is remembered of texts was found by the model of the start.
            raise BadAnswer("the server has changed the model")
        return checked(answers, batch, self._widths)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _greet(self, address: str, files: ModelFiles) -> None:
        asked = protocol.ModelMetadataRequest(name=self._model)
        try:
            told = self._stub.ModelMetadata(asked, timeout=_START_S, wait_for_ready=True)
        except grpc.RpcError as error:
            reason = error.code().name.lower().replace("_", " ") if isinstance(error, grpc.Call) else "no answer"
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} does not serve `{self._model}` ({reason}):"
                " start it with `ringfence classifier`, or name the model behind the address"
            ) from None
        # A server of ours says which manifest it serves; others count.
        stated = [version for version in told.versions if "@" in version]
        if stated and files.version not in stated:
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} serves {quoted(stated[0])}, here is {quoted(files.version)}:"
                " give both the same model"
            )
        self._version = files.version if stated else ""
        self._versions = frozenset(told.versions)
        self._inputs = self._wanted(address, {each.name: each.datatype for each in told.inputs})
        outputs = {each.name for each in told.outputs}
        if missing := [name for name in self._outputs if name not in outputs]:
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} has no output `{missing[0]}` of `{self._model}`"
            )

    def _wanted(self, address: str, told: dict[str, str]) -> dict[str, str]:
        """The inputs to send, with their type: those of the server, or all as INT64 where it names none."""
        for name, kind in told.items():
            if name not in (*INPUTS, "token_type_ids") or kind not in INTEGERS:
                raise ConfigInvalid(
                    f"`classifiers.server`: {quoted(address)} wants an input {quoted(name)} of {quoted(kind)} for"
                    f" `{self._model}`; known are {', '.join(INPUTS)} and token_type_ids, as {' or '.join(INTEGERS)}"
                )
        return told or dict.fromkeys(INPUTS, "INT64")


def is_port(written: str) -> bool:
    """Whether `written` is the number of a port: gRPC takes what is too large modulo 65,536."""
    return re.fullmatch(r"[0-9]{1,5}", written) is not None and int(written) <= 65_535


def is_this_machine(host: str) -> bool:
    """Whether `host`, an address or a name, is reached without leaving this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
