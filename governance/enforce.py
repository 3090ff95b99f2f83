"""From a decision to what becomes of the request: pure. An obligation we cannot keep is a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

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
_OVERRIDES = tuple(one.name for one in fields(Route) if one.name != "tools_allowed")


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
    if next(unkept(decision.obligations), None) is not None:
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


def unkept(obligations: Obligations) -> Iterator[tuple[str, ...]]:
    """What this version cannot carry out, each as the path in the effect that asks for it: its kind, then the keys.

    Where there is one, the request is refused.
    """
    if obligations.route != _NO_ROUTE:
        for name in _OVERRIDES:
            if getattr(obligations.route, name) != getattr(_NO_ROUTE, name):
                yield "route", "params", name
    if obligations.response.inspect != "none":
        yield "respond", "params", "inspect"
    for rule in obligations.redact:
        yield from _of_redaction(rule)
    yield from _of_headers(obligations.headers)


def _of_redaction(rule: Redact) -> Iterator[tuple[str, ...]]:
    if rule.operator in _UNSUPPORTED:
        yield "redact", "params", "operator"
    if rule.apply != "request":
        yield "redact", "params", "apply"
    if rule.params.key_id is not None:
        yield "redact", "params", "params", "key_id"
    if rule.params.format is not None:
        yield "redact", "params", "params", "format"


def _of_headers(changes: Header) -> Iterator[tuple[str, ...]]:
    for name, value in changes.set.items():
        if name in _OF_THE_BODY or not (may_change(name) and may_hold(value)):
            yield "header", "params", "set", name
    for name in changes.remove:
        if name in _OF_THE_BODY or not may_change(name):
            yield "header", "params", "remove"


def _edited(request: InferenceRequest, edits: tuple[Edit, ...]) -> SensitiveBytes:
    if not edits:
        return request.body
    if request.document is None:
        raise MalformedRequest("there is nothing to edit", code="obligation_unsupported")
    return SensitiveBytes(request.document.apply(edits))


def _refuse(status: int, code: str) -> Refuse:
    return Refuse(denial=denial.of_decision(Deny(status=status, code=code, message_id=code, policy="")))
