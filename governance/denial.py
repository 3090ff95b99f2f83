"""A refusal before a dialect gives it the caller's shape, and the one table of what a caller is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from governance.decision import Deny
from governance.errors import (
    AuditUnavailable,
    DetectorUnavailable,
    GovernanceError,
    MalformedRequest,
    Overloaded,
    PlacementUnavailable,
    PolicyResultInvalid,
    PolicyUnavailable,
    RequestTooLarge,
    UnsupportedOperation,
)
from governance.frozen import frozen


@frozen
class Denial:
    """Status, stable code, what happened and what to do about it. No content is in any of it."""

    status: int
    code: str
    message: str
    policy: str = ""
    retry_after_s: int | None = None
    remedies: tuple[str, ...] = ()


# What happened. Placeholders are filled from `message_params`.
MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "denied": "This request is refused by policy.",
        "no_policy_allows": "No policy allows this request.",
        "policy_error": "A policy could not be evaluated, so the request is refused.",
        "route_conflict": "Policies disagree about the model to use.",
        "header_conflict": "Policies disagree about a header.",
        "placement_impossible": "No node may see this request.",
        "obligation_unsupported": "A policy demands something that this installation cannot do yet.",
        "model_not_found": "No node serves this model.",
        "tool_not_allowed": "The request offers the model a tool that policy does not allow.",
        "content_blocked": "The request holds data that may not be sent.",
        "credentials_found": "The request holds a credential.",
        "card_found": "The request holds payment card data.",
        "uninspected_content": "The request holds content that cannot be inspected here.",
        "malformed_request": "The request body cannot be read{why}.",
        "duplicate_key": "The request body has two equal keys in one object.",
        "invalid_model": "The name of the model is not an identifier.",
        "invalid_tool_name": "The name of a tool is not an identifier.",
        "unsupported_media_type": "The content type is not served here.",
        "unsupported_encoding": "The content encoding is not served here.",
        "identity_invalid": "What the proxy in front says of the caller cannot be read.",
        "unsupported_operation": "This endpoint is not served here.",
        "upgrade_refused": "Protocol upgrades are not served here.",
        "request_too_large": "The request exceeds the limit of {limit}.",
        "overloaded": "Too much is being read at once.",
        "detector_unavailable": "The request could not be inspected, so it is refused.",
        "policy_unavailable": "No policy could be asked, so the request is refused.",
        "placement_pending": "The nodes for this request are being prepared.",
        "audit_unavailable": "The request could not be recorded, so it is refused.",
        "internal_error": "The request could not be processed, so it is refused.",
        "exchange_aborted": "The connection ended before the request was complete.",
    }
)

_ASK = "Ask your security team, naming the decision id."
_RETRY = "Retry later; if it is refused again, ask your platform team, naming the decision id."
_LIST = "List the models for those that are available."
# What a person can do about it, for whom no policy says it better: what to change, when to retry, or whom to ask.
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "denied": _ASK,
        "no_policy_allows": "Ask your security team for a policy that allows it, naming the decision id.",
        "policy_error": "Retry later; if it is refused again, ask your security team, naming the decision id.",
        "route_conflict": _ASK,
        "header_conflict": _ASK,
        "placement_impossible": "Remove personal data and anything but text, or choose another model.",
        "obligation_unsupported": _ASK,
        "model_not_found": _LIST,
        "tool_not_allowed": "Remove the tool and try again, or ask your security team to allow it.",
        "content_blocked": "Remove the data and try again.",
        "credentials_found": "Remove the credential, and revoke it if it was real.",
        "card_found": "Remove the card data and try again.",
        "uninspected_content": "Send text only.",
        "malformed_request": "Send one valid JSON document in UTF-8, with the fields of this API.",
        "duplicate_key": "Send each key once.",
        "invalid_model": _LIST,
        "invalid_tool_name": "Use letters, digits, `_` and `-`.",
        "unsupported_media_type": "Send `application/json` in UTF-8.",
        "unsupported_encoding": "Send identity, gzip, deflate, br or zstd.",
        "identity_invalid": "Ask whoever runs the proxy in front, naming the decision id.",
        "unsupported_operation": "Check the method and the path, or ask your platform team which endpoints are served.",
        "upgrade_refused": "Send the request without an upgrade.",
        "request_too_large": "Send less at once.",
        "overloaded": "Retry shortly.",
        "detector_unavailable": _RETRY,
        "policy_unavailable": _RETRY,
        "placement_pending": "Retry shortly.",
        "audit_unavailable": _RETRY,
        "internal_error": _RETRY,
        "exchange_aborted": "Send the whole request again.",
    }
)

_ENDS = (".", "!", "?")

_STATUS: tuple[tuple[type[GovernanceError], int], ...] = (
    (MalformedRequest, 400),
    (UnsupportedOperation, 404),
    (RequestTooLarge, 413),
    (Overloaded, 503),
    (DetectorUnavailable, 503),
    (PolicyUnavailable, 503),
    (PolicyResultInvalid, 503),
    (PlacementUnavailable, 503),
    (AuditUnavailable, 503),
)


def remedy_of(message_id: str) -> str:
    """What to do about a refusal with this message; for one that is not ours, that of `denied`."""
    return REMEDIES.get(message_id, REMEDIES["denied"])


def worded(denial: Denial, decision_id: str) -> str:
    """All that a caller is told, in every dialect the same: what happened, under which id, and what to do about it.

    One line of text; the dialect encodes it for its format. The id is part of it because some clients show nothing else.
    """
    remedies = (one if one.endswith(_ENDS) else f"{one}." for one in denial.remedies)
    return " ".join((denial.message, f"Decision id: {decision_id}.", *remedies))


def of_code(status: int, code: str) -> Denial:
    """The refusal with a code of the table and its own words."""
    return _denial(status, code, code, {})


def of_error(error: Exception) -> Denial:
    """The refusal for an error: every GovernanceError has its status, anything else is 500 `internal_error`."""
    if not isinstance(error, GovernanceError):
        return of_code(500, "internal_error")
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    words = error.code if error.code in MESSAGES else type(error).code
    return replace(_denial(status, error.code, words, _params(error)), retry_after_s=error.retry_after_s)


def _params(error: GovernanceError) -> Mapping[str, object]:
    """What fills the message of `error`. Why a body cannot be read is said by constants of ours, which the caller may see."""
    match error:
        case RequestTooLarge():
            return {"limit": error.limit}
        case MalformedRequest() if str(error) != error.code:
            return {"why": f": {error}"}
        case _:
            return {}


def of_decision(deny: Deny) -> Denial:
    """The refusal for a decision of policy."""
    found = _denial(deny.status, deny.code, deny.message_id, deny.message_params)
    remedies = deny.remedies or found.remedies
    return replace(found, policy=deny.policy, retry_after_s=deny.retry_after_s, remedies=remedies)


def _denial(status: int, code: str, message_id: str, params: Mapping[str, object]) -> Denial:
    template = MESSAGES.get(message_id, MESSAGES["denied"])
    message = template.format_map({"limit": "its size", "why": "", **params})
    return Denial(status=status, code=code, message=message, remedies=(remedy_of(message_id),))
