"""A request as it arrived, and the same request as a dialect understood it."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Protocol as Interface

from governance.frozen import frozen
from governance.segment import Edit, TextSegment
from governance.sensitive import SensitiveBytes


class Operation(StrEnum):
    """What is asked of the model; OpenTelemetry GenAI operation names where one exists."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    LIST_MODELS = "list_models"
    UNKNOWN = "unknown"


class Media(StrEnum):
    """Kinds of content that nobody here can read yet."""

    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"
    VIDEO = "video"


class Unread(StrEnum):
    """Why a part of a request was not inspected. Policy decides what follows."""

    MEDIA = "media"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_PART = "unknown_part"
    REFERENCE = "reference"
    LIMIT = "limit"
    DEADLINE = "deadline"


@frozen
class RequestHead:
    """Method, path, query and headers of a request. Header names are lower case, in order of arrival."""

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def header(self, name: str) -> str | None:
        """The last value of the header `name` (lower case), or None."""
        found = None
        for key, value in self.headers:
            if key == name:
                found = value
        return found


@frozen
class Uninspected:
    """A part of the request that was not read. `place` is a template as in `TextSegment`."""

    reason: Unread
    place: str


class Document(Interface):
    """A parsed body that can be edited without touching a byte outside the edits."""

    def apply(self, edits: tuple[Edit, ...]) -> bytes:
        """The body with `edits` applied; every byte outside the edited spans is as it arrived.

        Raises MalformedRequest where an edit would make the body ambiguous, such as two equal keys.
        """
        ...


@frozen
class InferenceRequest:
    """What a dialect read: everything later steps need, and the document that can write edits back.

    `model` is an identifier of at most 128 characters from `[A-Za-z0-9._:/@+-]`, empty where the operation names none;
    `tools` are such names as well. The path gives both as `governance.names` does before anything is made of them.
    """

    protocol: str
    operation: Operation
    model: str = ""
    stream: bool = False
    messages: int = 0
    tools: tuple[str, ...] = ()
    segments: tuple[TextSegment, ...] = ()
    media: tuple[Media, ...] = ()
    uninspected: tuple[Uninspected, ...] = ()
    body: SensitiveBytes = field(default_factory=lambda: SensitiveBytes(b""))
    document: Document | None = field(default=None, repr=False)
