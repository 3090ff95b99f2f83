"""Which endpoints exist, which dialect reads them, and how each is answered. Anything not listed here is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from governance import denial
from governance.denial import Denial
from governance.dialects import content_encoding, openai_chat, openai_replies
from governance.dialects.contract import Limits, Reply
from governance.errors import MalformedRequest, RequestTooLarge, UnsupportedOperation
from governance.frozen import frozen
from governance.inference import InferenceRequest, Operation, RequestHead, Uninspected, Unread

__all__ = ["Limits", "Reply", "Route", "classify", "listing", "read", "refusal"]

_CHAT: Final = "/v1/chat/completions"
_MODELS: Final = "/v1/models"
# LIMIT: an id that needs percent-encoding in a path cannot be asked for; it is listed all the same.
_ONE_MODEL: Final = re.compile(r"/v1/models/((?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._:@+-]+/)*(?!\.{1,2}$)[A-Za-z0-9._:@+-]+)")
_JSON: Final = re.compile(r'application/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?utf-?8"?[ \t]*)?', re.IGNORECASE)


@frozen
class Route:
    """An endpoint. `model` is the one named by the path, empty where it names none."""

    protocol: str
    operation: Operation
    needs_body: bool
    model: str = ""


def classify(head: RequestHead) -> Route:
    """The endpoint that `head` names, byte for byte: a path that a server might clean up first is none.

    Raises UnsupportedOperation, with code `upgrade_refused` for anything that would leave HTTP.
    """
    if head.method == "CONNECT" or _wants_upgrade(head):
        raise UnsupportedOperation("upgrade", code="upgrade_refused")
    if (head.method, head.path) == ("POST", _CHAT):
        return Route(protocol=openai_chat.PROTOCOL, operation=Operation.CHAT, needs_body=True)
    if head.method == "GET":
        named = _ONE_MODEL.fullmatch(head.path)
        if named is not None and len(named[1]) <= 128:
            return _listing(named[1])
        if head.path == _MODELS:
            return _listing("")
    raise UnsupportedOperation("unknown endpoint")


def read(route: Route, head: RequestHead, body: bytes, limits: Limits) -> InferenceRequest:
    """The request as its dialect reads it. Raises MalformedRequest (code `unsupported_media_type` or
    `unsupported_encoding` where the headers say what cannot be read) and RequestTooLarge.
    """
    if len(body) > limits.max_body_bytes:
        raise RequestTooLarge("body too large", limit=limits.max_body_bytes)
    if not route.needs_body:
        if body:
            raise MalformedRequest("a body where none belongs")
        return InferenceRequest(protocol=route.protocol, operation=route.operation, model=route.model)
    if not all(_JSON.fullmatch(value.strip(" \t")) for value in _values(head, "content-type")):
        raise MalformedRequest("unsupported content-type", code="unsupported_media_type")
    encodings = _values(head, "content-encoding")
    # Several header lines are one list (RFC 9110, section 5.3): none of them may hide another.
    encoding = ",".join(encodings) if encodings else None
    plain = content_encoding.decode(body, encoding, limit=limits.max_decoded_bytes)
    request = openai_chat.read_chat(plain, limits)
    if not head.query:
        return request
    # A node may act on it or log it, and nobody has read it.
    return replace(request, uninspected=(*request.uninspected, Uninspected(reason=Unread.UNKNOWN_FIELD, place="?")))


def refusal(head: RequestHead | None, denied: Denial, decision_id: str) -> Reply:
    """The refusal in the shape of the API that `head` speaks; that of OpenAI where it speaks none we know."""
    del head  # one dialect so far
    return openai_replies.refusal(denied, decision_id)


def listing(head: RequestHead, models: Sequence[str], decision_id: str) -> Reply:
    """The answer to a model listing: all `models`, or the one that the path names, or a 404."""
    wanted = classify(head).model
    if not wanted:
        return openai_replies.model_list(models, decision_id)
    if wanted in models:
        return openai_replies.one_model(wanted, decision_id)
    return openai_replies.refusal(denial.of_code(404, "model_not_found"), decision_id)


def _listing(model: str) -> Route:
    return Route(protocol=openai_chat.PROTOCOL, operation=Operation.LIST_MODELS, needs_body=False, model=model)


def _values(head: RequestHead, name: str) -> list[str]:
    return [value for key, value in head.headers if key == name]


def _wants_upgrade(head: RequestHead) -> bool:
    for key, value in head.headers:
        if key in ("upgrade", ":protocol"):
            return True
        if key == "connection" and "upgrade" in (token.strip(" \t").lower() for token in value.split(",")):
            return True
    return False
