"""What Envoy answers by itself, in the shape an OpenAI client reads: stable codes, no content, the decision id if any.

Refusals that a worker wrote (ImmediateResponse) pass as they are: they are told apart by their code details.
"""

from __future__ import annotations

from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import LocalReplyConfig

from governance.frozen import frozen
from sidecar.clusters import pack, struct
from sidecar.dataplane import ANSWERED_DETAILS, DECISION_NAMESPACE, REFUSED_DETAILS
from sidecar.routes import answer_headers


@frozen
class Reply:
    """A reply of Envoy's own for the cases where the CEL expression `when` holds, first match first."""

    when: str
    code: str
    kind: str
    message: str
    status: int | None = None


_DETAILS = "response.code_details"
_GATEWAY = "server_error"
_CALLER = "invalid_request_error"

# Upper case names are Envoy's response flags, read from its code details.
REPLIES = (
    Reply(
        when=f'{_DETAILS} == "request_payload_too_large"',
        code="request_too_large",
        kind=_CALLER,
        message="The request exceeds the size limit. Send less.",
    ),
    Reply(
        when=f'{_DETAILS} == "direct_response"',
        code="not_placed",
        kind=_GATEWAY,
        message="The request was not placed on a node, so it is refused. Retry later.",
    ),
    Reply(
        when=f'{_DETAILS}.startsWith("ext_proc_error")',
        code="inspection_unavailable",
        kind=_GATEWAY,
        message="The request could not be inspected, so it is refused. Retry later.",
        status=503,
    ),
    Reply(
        when=f'{_DETAILS} == "no_healthy_upstream" || {_DETAILS} == "cluster_not_found"',
        code="no_node_available",
        kind=_GATEWAY,
        message="No node that may see this request is available. Retry later.",
    ),
    Reply(
        when=f'{_DETAILS} in ["response_timeout", "upstream_per_try_timeout"] || {_DETAILS} == "stream_idle_timeout"',
        code="node_timeout",
        kind=_GATEWAY,
        message="The node did not answer in time. Retry later.",
    ),
    Reply(
        when=f'{_DETAILS}.startsWith("upstream_")',
        code="node_unreachable",
        kind=_GATEWAY,
        message="The node could not be reached or broke off. Retry later.",
    ),
    Reply(
        when=f'{_DETAILS} == "request_overall_timeout" || {_DETAILS} == "request_header_timeout"',
        code="request_timeout",
        kind=_CALLER,
        message="The request took too long to arrive. Send it again.",
    ),
    Reply(
        when="response.code < 500",
        code="bad_request",
        kind=_CALLER,
        message="The request is not acceptable HTTP, so it is refused. Send it with an HTTP client library.",
    ),
    Reply(
        when="true",
        code="gateway_error",
        kind=_GATEWAY,
        message="The request could not be processed, so it is refused. Retry later.",
    ),
)


def local_replies() -> LocalReplyConfig:
    """The mappers: ours pass, everything else gets the shape."""
    return LocalReplyConfig(mappers=[_passed(), *(_mapped(reply) for reply in REPLIES)])


def _when(expression: str) -> dict[str, object]:
    config = pack(ExpressionFilter(expression=expression))
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": config}}


def _passed() -> dict[str, object]:
    return {
        "filter": _when(f'{_DETAILS} == "{REFUSED_DETAILS}" || {_DETAILS} == "{ANSWERED_DETAILS}"'),
        "body_format_override": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "application/json",
        },
    }


def _mapped(reply: Reply) -> dict[str, object]:
    error = {
        "message": reply.message,
        "type": reply.kind,
        "param": None,
        "code": reply.code,
        "decision_id": f"%DYNAMIC_METADATA({DECISION_NAMESPACE}:decision_id)%",
    }
    mapper: dict[str, object] = {
        "filter": _when(reply.when),
        "body_format_override": {"json_format": struct({"error": error}), "content_type": "application/json"},
        "headers_to_add": answer_headers(),
    }
    return mapper if reply.status is None else {**mapper, "status_code": {"value": reply.status}}
