"""What Ringfence itself answers to an OpenAI client: refusals and the list of models.

Source: https://platform.openai.com/docs/guides/error-codes and /docs/api-reference/models. The official SDK keeps the
whole `error` object as `APIError.body`, so `decision_id` stands in it as one more field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from governance.decision import Action
from governance.denial import Denial, worded
from governance.dialects.contract import Reply


def refusal(denial: Denial, decision_id: str) -> Reply:
    """`denial` as an error of the API."""
    error = {
        "message": worded(denial, decision_id),
        "type": _error_type(denial.status),
        "param": None,
        "code": denial.code,
        "decision_id": decision_id,
    }
    retry = () if denial.retry_after_s is None else (("retry-after", str(denial.retry_after_s)),)
    return _reply(denial.status, {"error": error}, Action.DENY, decision_id, retry)


def model_list(models: Sequence[str], decision_id: str) -> Reply:
    """The answer to GET /v1/models, sorted by id."""
    listed = [_model(model) for model in sorted(set(models))]
    return _reply(200, {"object": "list", "data": listed}, Action.ALLOW, decision_id)


def one_model(model: str, decision_id: str) -> Reply:
    """The answer to GET /v1/models/{id} for a model that is served."""
    return _reply(200, _model(model), Action.ALLOW, decision_id)


def _model(model: str) -> dict[str, Any]:
    # Nodes do not say when a model was made; the API demands a number.
    return {"id": model, "object": "model", "created": 0, "owned_by": "ringfence"}


def _error_type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error"
    )


def _reply(
    status: int,
    document: dict[str, Any],
    action: Action,
    decision_id: str,
    more: tuple[tuple[str, str], ...] = (),
) -> Reply:
    headers = (
        ("content-type", "application/json"),
        ("x-ringfence-decision-id", decision_id),
        ("x-ringfence-action", action.value),
        *more,
    )
    return Reply(status=status, headers=headers, body=orjson.dumps(document))
