"""A refusal before a dialect gives it the caller's shape, and the one table of what a caller is told."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from governance.decision import Deny
from governance.errors import (
    AuditUnavailable,
    DetectorUnavailable,
    GovernanceError,
    MalformedRequest,
    PlacementUnavailable,
    PolicyResultInvalid,
    PolicyUnavailable,
    RequestTooLarge,
    UnsupportedOperation,
)
from governance.frozen import frozen


@frozen
class Denial:
    """Status, stable code and a message with no content in it."""

    status: int
    code: str
    message: str
    policy: str = ""
    retry_after_s: int | None = None


# What a person can do about it stands in the message. Placeholders are filled from `message_params`.
MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "denied": "This request is refused by policy. Ask your security team, naming the decision id.",
        "no_policy_allows": "No policy allows this request. Ask your security team, naming the decision id.",
        "policy_error": "A policy could not be evaluated, so the request is refused. Retry later.",
        "route_conflict": "Policies disagree about the model to use. Ask your security team, naming the decision id.",
        "header_conflict": "Policies disagree about a header. Ask your security team, naming the decision id.",
        "placement_impossible": "No node may see this request. Remove the personal data or choose another model.",
        "obligation_unsupported": "A policy demands something that this installation cannot do yet.",
        "model_not_found": "No node serves this model. List the models for those that are available.",
        "tool_not_allowed": "The request offers the model a tool that policy does not allow. Remove it and try again.",
        "content_blocked": "The request holds data that may not be sent. Remove it and try again.",
        "credentials_found": "The request holds a credential. Remove it, and revoke it if it was real.",
        "card_found": "The request holds payment card data. Remove it and try again.",
        "uninspected_content": "The request holds content that cannot be inspected here. Send text only.",
        "malformed_request": "The request body cannot be read. Send one valid JSON document in UTF-8.",
        "duplicate_key": "The request body has two equal keys in one object. Send each key once.",
        "invalid_model": "The name of the model is not an identifier. List the models for those that are available.",
        "invalid_tool_name": "The name of a tool is not an identifier. Use letters, digits, `_` and `-`.",
        "unsupported_media_type": "The content type is not served here. Send `application/json` in UTF-8.",
        "unsupported_encoding": "The content encoding is not served here. Send identity, gzip, deflate, br or zstd.",
        "unsupported_operation": "This endpoint is not served here.",
        "upgrade_refused": "Protocol upgrades are not served here.",
        "request_too_large": "The request exceeds the limit of {limit}. Send less.",
        "detector_unavailable": "The request could not be inspected, so it is refused. Retry later.",
        "policy_unavailable": "No policy could be asked, so the request is refused. Retry later.",
        "placement_pending": "The nodes for this request are being prepared. Retry shortly.",
        "audit_unavailable": "The request could not be recorded, so it is refused. Retry later.",
        "internal_error": "The request could not be processed, so it is refused. Retry later.",
        "exchange_aborted": "The connection ended before the request was complete.",
    }
)

_STATUS: tuple[tuple[type[GovernanceError], int], ...] = (
    (MalformedRequest, 400),
    (UnsupportedOperation, 404),
    (RequestTooLarge, 413),
    (DetectorUnavailable, 503),
    (PolicyUnavailable, 503),
    (PolicyResultInvalid, 503),
    (PlacementUnavailable, 503),
    (AuditUnavailable, 503),
)


def _message(message_id: str, params: Mapping[str, object]) -> str:
    template = MESSAGES.get(message_id, MESSAGES["denied"])
    return template.format_map({"limit": "its size", **params})


def of_error(error: Exception) -> Denial:
    """The refusal for an error: every GovernanceError has its status, anything else is 500 `internal_error`."""
    if not isinstance(error, GovernanceError):
        return Denial(status=500, code="internal_error", message=MESSAGES["internal_error"])
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    params = {"limit": error.limit} if isinstance(error, RequestTooLarge) else {}
    return Denial(
        status=status,
        code=error.code,
        message=_message(error.code if error.code in MESSAGES else type(error).code, params),
        retry_after_s=error.retry_after_s if isinstance(error, PlacementUnavailable) else None,
    )


def of_decision(deny: Deny) -> Denial:
    """The refusal for a decision of policy."""
    return Denial(
        status=deny.status,
        code=deny.code,
        message=_message(deny.message_id, deny.message_params),
        policy=deny.policy,
        retry_after_s=deny.retry_after_s,
    )
