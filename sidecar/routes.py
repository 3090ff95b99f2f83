"""The route configuration: one route per cell, chosen by metadata that only a worker can write, and a default that refuses.

Pure: settings and cell names in, a protobuf out. This is the outer ring of pinning.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from envoy.config.route.v3.route_components_pb2 import Route
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.buffer.v3.buffer_pb2 import BufferPerRoute
from envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExtProcPerRoute
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig,
)

from sidecar.clusters import milliseconds, pack
from sidecar.dataplane import CELL_KEY, DECISION_NAMESPACE, DataPlane
from sidecar.headers import DECLARED, READ

ROUTES = "ringfence"
EXT_PROC = "envoy.filters.http.ext_proc"
BUFFER = "envoy.filters.http.buffer"
# The route of a request that reaches the worker in one message, or, when its body never comes, not at all.
WHOLE = "refuse-whole"
_TOKEN = re.compile(r"[a-z0-9-]+", re.ASCII)


def _attribute(expression: str) -> str:
    # Attributes are text: bytes beyond it, which only the other route lets through, would make the message unreadable.
    return f"xds.route_name == '{WHOLE}' ? {expression} : ''"


# What stands for the head in a whole message, as CEL expressions; Envoy sends each value under its expression.
METHOD = _attribute("request.method")
PATH = _attribute("request.path")


def header_attribute(name: str) -> str:
    """The expression for the header `name`, a token in lower case."""
    return _attribute(f"request.headers['{name}']")


_BEFORE, _AFTER = header_attribute("\0").split("\0")


@functools.lru_cache(maxsize=256)
def attributed_header(expression: str) -> str | None:
    """The header that `expression` is for, or None where it is no expression for one."""
    if not expression.startswith(_BEFORE) or not expression.endswith(_AFTER):
        return None
    name = expression.removeprefix(_BEFORE).removesuffix(_AFTER)
    return name if header_attribute(name) == expression and _TOKEN.fullmatch(name) else None


HEADERS = {name: header_attribute(name) for name in READ}
DECISION_ID_HEADER = "x-ringfence-decision-id"
ACTION_HEADER = "x-ringfence-action"
# Never seen by a caller: the local reply for this route takes its place.
UNPLACED_BODY = "unplaced"

# What Envoy writes into a head behind the removal of unknown headers: a marker of ours, and where the caller is.
_REMOVED_FROM_REQUEST = (DECLARED, "x-envoy-external-address", "x-envoy-internal")


def answer_headers() -> list[dict[str, object]]:
    """Our two headers on every answer, from the decision's metadata; absent where there was no decision."""
    return [
        {
            "header": {"key": header, "value": f"%DYNAMIC_METADATA({DECISION_NAMESPACE}:{key})%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
        for header, key in ((DECISION_ID_HEADER, "decision_id"), (ACTION_HEADER, "action"))
    ]


def route_configuration(settings: DataPlane, cells: Sequence[str]) -> RouteConfiguration:
    """Routes to `cells`, then the refusals. Before ext_proc has spoken only the refusals can match."""
    return RouteConfiguration(
        name=ROUTES,
        virtual_hosts=[
            {
                "name": ROUTES,
                "domains": ["*"],
                "routes": [*(_cell_route(settings, cell) for cell in cells), _whole(settings), _refusal()],
                "request_headers_to_remove": [*_REMOVED_FROM_REQUEST, *settings.claim_headers],
                # Removed first, then added: a node cannot speak for us.
                "response_headers_to_remove": [DECISION_ID_HEADER, ACTION_HEADER, "endpoint-load-metrics"],
                "response_headers_to_add": answer_headers(),
            }
        ],
    )


def _sent_headers() -> list[dict[str, object]]:
    return [
        {
            "header": {"key": DECISION_ID_HEADER, "value": f"%DYNAMIC_METADATA({DECISION_NAMESPACE}:decision_id)%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    ]


def _cell_route(settings: DataPlane, cell: str) -> Route:
    retries = settings.retries
    return Route(
        name=cell,
        match={
            "prefix": "/",
            "dynamic_metadata": [
                {
                    "filter": DECISION_NAMESPACE,
                    "path": [{"key": CELL_KEY}],
                    "value": {"string_match": {"exact": cell}},
                }
            ],
        },
        request_headers_to_add=_sent_headers(),
        route={
            "cluster": cell,
            "timeout": milliseconds(settings.upstream_timeout_ms),
            "idle_timeout": milliseconds(settings.stream_idle_timeout_ms),
            "auto_host_rewrite": {"value": True},
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,reset-before-request,retriable-status-codes",
                "retriable_status_codes": list(retries.statuses),
                "num_retries": {"value": retries.attempts},
                "host_selection_retry_max_attempts": 5,
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": pack(PreviousHostsPredicate()),
                    }
                ],
                "retry_priority": {
                    "name": "envoy.retry_priorities.previous_priorities",
                    "typed_config": pack(PreviousPrioritiesConfig(update_frequency=1)),
                },
            },
        },
    )


def _refusal() -> Route:
    return Route(
        name="refuse",
        match={"prefix": "/"},
        direct_response={"status": 503, "body": {"inline_string": UNPLACED_BODY}},
    )


def _whole(settings: DataPlane) -> Route:
    """Where the worker gets head and body in one message: half of what two of them cost.

    The head comes as attributes, which are text: a request whose headers are not in ASCII goes the other way, as does one
    that would leave HTTP, and one with a coding, as what it holds may be longer than the buffer. The buffer filter behind ext_proc keeps the head from being routed before the verdict on the
    body. The mode is taken from the route chosen before ext_proc runs, which is always a refusal.
    """
    override = ExtProcPerRoute(
        overrides={
            "processing_mode": {
                "request_header_mode": "SKIP",
                "request_body_mode": "BUFFERED",
                "request_trailer_mode": "SKIP",
                "response_header_mode": "SKIP",
                "response_body_mode": "NONE",
                "response_trailer_mode": "SKIP",
            },
        }
    )
    hold = BufferPerRoute(buffer={"max_request_bytes": {"value": settings.buffer_bytes}})
    return Route(
        name=WHOLE,
        match={
            "prefix": "/",
            "headers": [
                _post(),
                _declared(settings),
                *_no_upgrade(),
                {"name": "content-encoding", "present_match": False},
                *map(_text, (":path", *READ, *settings.claim_headers)),
            ],
        },
        direct_response={"status": 503, "body": {"inline_string": UNPLACED_BODY}},
        typed_per_filter_config={EXT_PROC: pack(override), BUFFER: pack(hold)},
    )


def _post() -> dict[str, object]:
    return {"name": ":method", "string_match": {"exact": "POST"}}


def _declared(settings: DataPlane) -> dict[str, object]:
    return {"name": "content-length", "range_match": {"start": 1, "end": settings.max_body_bytes + 1}}


def _no_upgrade() -> list[dict[str, object]]:
    asked = {"contains": "upgrade", "ignore_case": True}
    return [
        {"name": "upgrade", "present_match": False},
        {"name": "connection", "string_match": asked, "invert_match": True, "treat_missing_header_as_empty": True},
    ]


def _text(name: str) -> dict[str, object]:
    return {"name": name, "string_match": {"safe_regex": {"regex": "[ -~]*"}}, "treat_missing_header_as_empty": True}
