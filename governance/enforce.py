"""From a decision to what becomes of the request: pure. An obligation we cannot keep is a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from governance import denial, pinning
from governance.decision import Decision, Deny, Header, Obligations, Operator, Redact, Route
from governance.enforcement import Answer, Enforcement, Forward, Refuse
from governance.errors import MalformedRequest, RequestTooLarge
from governance.finding import Detection
from governance.headers import may_change, may_hold
from governance.inference import InferenceRequest, Operation
from governance.judgement import Arrival
from governance.nodes.node import Node, pool_of
from governance.redaction import redact
from governance.segment import Edit
from governance.sensitive import SensitiveBytes

# How the body is written: whoever changes the body says so, and no policy.
_OF_THE_BODY = frozenset({"content-type", "content-encoding"})
# Operators that are part of the contract but not built: both need a vault.
_UNSUPPORTED = frozenset({Operator.TOKENISE, Operator.GENERALISE})
_NO_ROUTE = Route()


def enforce(
    request: InferenceRequest,
    detection: Detection,
    decision: Decision,
    nodes: Sequence[Node],
    *,
    key: bytes,
    arrival: Arrival,
) -> Enforcement:
    """What the decision amounts to for this request. Raises GovernanceError when an edit cannot be made, or not be sent.

    Where the dialect read a decoded form of the body that arrived, that form is what goes on.
    """
    if decision.deny is not None:
        return Refuse(denial=denial.of_decision(decision.deny))
    if not _can_keep(decision.obligations):
        return _refuse(501, "obligation_unsupported")
    if request.operation is Operation.LIST_MODELS:
        return Answer(models=tuple(sorted({model for node in nodes for model in node.models})))
    serving = [node for node in nodes if request.model in node.models and node.protocol == request.protocol]
    if not serving:
        return _refuse(404, "model_not_found")
    admissible = pinning.admissible(decision.obligations.pin, serving, model=request.model)
    if not admissible:
        return _refuse(403, "placement_impossible")
    allowed = decision.obligations.route.tools_allowed
    if allowed is not None and not set(request.tools) <= set(allowed):
        return _refuse(403, "tool_not_allowed")
    redaction = redact(request.segments, detection, decision.obligations.redact, key=key)
    if any(change.operator == Operator.BLOCK for change in redaction.redacted):
        return _refuse(403, "content_blocked")
    body = _edited(request, redaction.edits)
    replaced = body != arrival.body
    if replaced and arrival.longest is not None and len(body) > arrival.longest:
        raise RequestTooLarge("what goes on is too large", limit=arrival.longest)
    headers = decision.obligations.headers
    return Forward(
        pool=pool_of(admissible),
        body=body if replaced else None,
        redacted=redaction.redacted,
        masked=redaction.masked,
        set_headers=tuple(sorted(headers.set.items())),
        remove_headers=headers.remove,
    )


def _edited(request: InferenceRequest, edits: tuple[Edit, ...]) -> SensitiveBytes:
    if not edits:
        return request.body
    if request.document is None:
        raise MalformedRequest("there is nothing to edit", code="obligation_unsupported")
    return SensitiveBytes(request.document.apply(edits))


def _can_keep(obligations: Obligations) -> bool:
    route = obligations.route
    return (
        (route == _NO_ROUTE or route == replace(_NO_ROUTE, tools_allowed=route.tools_allowed))
        and obligations.response.inspect == "none"
        and not any(_is_unsupported(rule) for rule in obligations.redact)
        and _can_make(obligations.headers)
    )


def _can_make(changes: Header) -> bool:
    names = (*changes.set, *changes.remove)
    return _OF_THE_BODY.isdisjoint(names) and all(map(may_change, names)) and all(map(may_hold, changes.set.values()))


def _is_unsupported(rule: Redact) -> bool:
    keyed = rule.params.key_id is not None or rule.params.format is not None
    return keyed or rule.operator in _UNSUPPORTED or rule.apply != "request"


def _refuse(status: int, code: str) -> Refuse:
    return Refuse(denial=denial.of_decision(Deny(status=status, code=code, message_id=code, policy="")))
