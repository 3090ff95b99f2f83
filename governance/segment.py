"""A piece of text inside a request, and a change to it."""

from __future__ import annotations

from enum import StrEnum

from governance.frozen import frozen
from governance.sensitive import SensitiveText


class Role(StrEnum):
    """Whose words a segment holds; `where` in the policy input and in redact obligations."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    ARGS = "args"


@frozen
class Span:
    """Half-open range of code points into a segment's text."""

    start: int
    end: int


@frozen
class TextSegment:
    """One text-bearing scalar of a request, decoded.

    `place` is a template of a JSON Pointer (RFC 6901) in which list positions and free keys are `*`
    (`/messages/*/content`), so that it can stand in a record: it never holds a byte of the request. `is_name` is true of
    the name of a member of a JSON object; `called` is that name for what is in the member, as far as no other is nearer.
    """

    role: Role
    place: str
    text: SensitiveText
    is_name: bool = False
    called: SensitiveText | None = None


@frozen
class Edit:
    """Replace `span` of segment number `segment` (position in `InferenceRequest.segments`) by `replacement`."""

    segment: int
    span: Span
    replacement: str
