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
from classifiers.model.session import Answers, BadAnswer, Batch
from classifiers.model.tensors import BadTensor, answers_of, infer_request
from governance.errors import ConfigInvalid
from governance.yaml_source import quoted

MAX_MESSAGE_BYTES: Final = 64 << 20
_START_S: Final = 10.0
# Nobody waits longer than the deadline of detection; this frees the thread of who has stopped waiting.
_RUN_S: Final = 10.0
_SERVER = re.compile(
    r"(?P<scheme>unix|grpc|grpcs):(?://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})(?:/(?P<model>[A-Za-z0-9._-]{1,128}))?|(?P<path>/[^\x00-\x1f]{1,100}))"
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
        if found is None or (found["path"] is None) == (found["scheme"] == "unix"):
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} is none of unix:/path, grpc://127.0.0.1:8001, grpcs://host:8001/model"
            )
        if found["scheme"] == "grpc" and not is_this_machine(found["host"]):
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} is another machine; use grpcs://, which is TLS"
            )
        self._model = found["model"] or files.manifest.name
        self._outputs = ("tokens", "topics") if files.manifest.kind == "ours" else ("logits",)
        self._widths = (len(files.manifest.labels), len(files.manifest.topics))
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ]
        target = f"unix:{found['path']}" if found["path"] else f"{found['host']}:{found['port']}"
        self._channel: Any = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
            if found["scheme"] == "grpcs"
            else grpc.insecure_channel(target, options=options)
        )
        self._stub: Any = GRPCInferenceServiceStub(self._channel)
        self._version = ""
        self._greet(address, files)

    def run(self, batch: Batch) -> Answers:
        """The answers to `batch`, in its order. Raises BadAnswer, or RpcError of gRPC; neither has content."""
        request = infer_request(batch, model=self._model, version=self._version, outputs=self._outputs)
        response = self._stub.ModelInfer(request, timeout=_RUN_S)
        try:
            answers = answers_of(response, self._outputs, windows=len(batch.ids))
        except BadTensor as error:
            raise BadAnswer(str(error)) from None
        count, length = batch.ids.shape
        if answers.tokens.shape != (count, length, self._widths[0]) or answers.topics.shape != (count, self._widths[1]):
            raise BadAnswer(f"shapes {answers.tokens.shape} and {answers.topics.shape}")
        return answers

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
        outputs = {each.name for each in told.outputs}
        if missing := [name for name in self._outputs if name not in outputs]:
            raise ConfigInvalid(
                f"`classifiers.server`: {quoted(address)} has no output `{missing[0]}` of `{self._model}`"
            )


def is_this_machine(host: str) -> bool:
    """Whether `host`, an address or a name, is reached without leaving this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
