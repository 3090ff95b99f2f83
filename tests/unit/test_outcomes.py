"""Outcome records from Envoy's access log entries."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from governance.nodes.node import Pool, pool_of
from governance.record import OutcomeRecord, OutcomeStatus
from governance.residency import Tier
from sidecar.headers import DECLARED
from sidecar.outcomes import broken_off, outcome, reached_upstream
from sidecar.routes import WHOLE
from tests.builders import node

NODES = {name: node(name) for name in ("a", "b")}
POOL = pool_of([NODES["a"]])


def pools(name: str) -> Pool | None:
    return POOL if name == POOL.name else None


def entry(
    served_by: str = "a", code: int = 200, pool: str = POOL.name, decision: str = "d", upstream: bool = True
) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    made.response.response_code.value = code
    made.response.response_body_bytes = 12
    properties = made.common_properties
    properties.upstream_request_attempt_count = 1
    properties.time_to_last_downstream_tx_byte.FromMicroseconds(5_000)
    if upstream:
        properties.upstream_remote_address.socket_address.address = "127.0.0.1"
    if served_by:
        properties.custom_tags["node"] = served_by
    metadata = properties.metadata.filter_metadata
    if decision:
        metadata["ringfence"].update({"decision_id": decision})
        metadata["envoy.lb"].update({"pool": pool})
    metadata["ringfence.usage"].update({"prompt_tokens": 7, "completion_tokens": 3})
    return made


def test_a_served_request_names_node_tokens_and_containment() -> None:
    """Everything the record holds comes from the entry and the declared nodes."""
    assert outcome(entry(), NODES, pools) == OutcomeRecord(
        ref="d",
        status=OutcomeStatus.SERVED,
        code=200,
        node="a",
        tier=Tier.ON_PREM,
        country="DE",
        contained=True,
        attempts=1,
        tokens_in=7,
        tokens_out=3,
        size_out=12,
        us_total=5_000,
    )


@pytest.mark.parametrize(
    "made",
    [entry(served_by="b"), entry(served_by="stranger"), entry(served_by=""), entry(pool="pool-unknown")],
    ids=["other node", "undeclared node", "nameless node", "unknown pool"],
)
def test_what_cannot_be_shown_to_be_inside_counts_as_outside(made: HTTPAccessLogEntry) -> None:
    """An upstream that is not known to be in the pool is a breach until shown otherwise."""
    record = outcome(made, NODES, pools)

    assert record is not None
    assert record.contained is False


def test_a_request_that_no_node_got_has_failed_and_is_contained() -> None:
    """Envoy found no healthy node in the pool."""
    record = outcome(entry(served_by="", code=503, upstream=False), NODES, pools)

    assert record is not None
    assert (record.status, record.contained, record.node) == (OutcomeStatus.FAILED, True, "")


def test_a_caller_that_went_away_aborted_the_request() -> None:
    """The flag of the downstream termination decides."""
    made = entry()
    made.common_properties.response_flags.downstream_connection_termination = True

    record = outcome(made, NODES, pools)

    assert record is not None
    assert record.status is OutcomeStatus.ABORTED


def test_an_entry_without_a_decision_has_no_outcome_but_tells_whether_it_got_through() -> None:
    """A request that no worker decided on, yet reached a node, is seen."""
    assert outcome(entry(decision=""), NODES, pools) is None
    assert reached_upstream(entry(decision="")) is True
    assert reached_upstream(entry(decision="", upstream=False)) is False


def upload(received: int, declared: str | None = "100", route: str = WHOLE) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    made.common_properties.route_name = route
    made.request.request_body_bytes = received
    if declared is not None:
        made.request.request_headers[DECLARED] = declared
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (upload(0), True),
        (upload(99), True),
        (upload(100), False),
        (upload(1, declared=None), False),
        (upload(1, declared="-"), False),
        (upload(1, declared="\u0661"), False),
        (upload(1, route="refuse"), False),
        (upload(1, route="cell-de"), False),
    ],
    ids=["head", "half", "all", "nothing declared", "no length", "no ASCII digit", "streamed", "placed"],
)
def test_an_upload_that_stopped_before_the_worker_had_it_broke_off(made: HTTPAccessLogEntry, expected: bool) -> None:
    """Only where the worker gets head and body at once: of every other request it has seen the head."""
    assert expected is broken_off(made)
