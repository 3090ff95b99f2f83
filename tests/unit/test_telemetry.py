"""Logs hold no content whatever is passed to them; metrics add up and stay bounded."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.decision import Action
from governance.denial import Denial
from governance.enforcement import Forward
from governance.errors import ConfigInvalid
from governance.finding import DetectionStatus
from governance.inference import Operation
from governance.interfaces import Receipt
from governance.judgement import Admission, Unrecorded
from governance.logs import MAX_TEXT, Event, configure_logging, shown
from governance.nodes.node import Pool
from governance.policy.engine import Decider
from governance.policy.sample import plain
from governance.record import DecisionRecord, Op, OutcomeRecord, OutcomeStatus, Perf, PolicyRecord
from governance.residency import Level
from governance.sensitive import SensitiveBytes, SensitiveText
from governance.telemetry import BOUNDS, MAX_SERIES, ControlMetrics, Counter, Durations, WorkerMetrics, merge, render
from tests.bundles import ALLOW, one_policy

CANARY = "canary-7f3a@example.org"


@pytest.fixture
def sink() -> Iterator[io.StringIO]:
    """A stream that receives this process's logs as JSON lines; what was configured before comes back."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    # What pytest installed stays out of the way, and is not closed.
    root.handlers = []
    configure_logging("test", stream=stream, console=False)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**before)


def entries(sink: io.StringIO) -> list[dict[str, Any]]:
    """What was logged, without times."""
    found = [json.loads(line) for line in sink.getvalue().splitlines()]
    return [{name: value for name, value in entry.items() if name != "timestamp"} for entry in found]


# --- logs ----------------------------------------------------------------------------------------------------------


def test_an_entry_is_one_json_line_with_its_origin(sink: io.StringIO) -> None:
    """Event, level, process, logger and fields; below info nothing is written."""
    log = structlog.get_logger("ringfence.worker")
    log.info("worker_ready", index=1)
    log.debug("worker_detail")

    assert [
        {"event": "worker_ready", "level": "info", "process": "test", "logger": "ringfence.worker", "index": 1}
    ] == entries(sink)


def test_sensitive_values_show_length_and_digest_only(sink: io.StringIO) -> None:
    """Also inside lists and mappings, and as keys."""
    text, body = SensitiveText(CANARY), SensitiveBytes(CANARY.encode())
    structlog.get_logger().info("planted", a=text, b=[body], c={"d": {text: text}})

    assert CANARY not in sink.getvalue()
    assert {"a": repr(text), "b": [repr(body)], "c": {"d": {repr(text): repr(text)}}} == {
        name: value for name, value in entries(sink)[0].items() if name in "abc"
    }


@dataclass
class Carrier:
    """An object that shows its content when asked."""

    content: str = CANARY


@pytest.mark.parametrize(
    "value",
    [
        CANARY.encode(),
        bytearray(CANARY.encode()),
        memoryview(CANARY.encode()),
        Carrier(),
        [[[[[[CANARY]]]]]],
        ValueError(CANARY),
        iter([CANARY]),
        lambda: CANARY,
        ["x"] * 100 + [CANARY],
        "x" * (MAX_TEXT + 1) + CANARY,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_not_listed_shows_its_kind_only(sink: io.StringIO, value: object) -> None:
    """Bytes, objects, foreign exceptions, deep and long values cannot carry content out."""
    structlog.get_logger().info("planted", value=value)

    assert ["planted"] == [entry["event"] for entry in entries(sink)]
    assert CANARY not in sink.getvalue()


def test_an_event_that_is_not_a_name_is_not_shown(sink: io.StringIO) -> None:
    """A message built from a request would otherwise be the event itself."""
    structlog.get_logger().info(f"could not read {CANARY}")

    assert [Event.UNNAMED] == [entry["event"] for entry in entries(sink)]
    assert CANARY not in sink.getvalue()


def test_an_exception_shows_types_and_places(sink: io.StringIO) -> None:
    """The text of our own errors is shown, as it holds no content; that of others is not."""

    def fail() -> None:
        try:
            raise ValueError(CANARY)  # noqa: TRY301  the traceback is what is tested
        except ValueError:
            raise ConfigInvalid("bad", file="f", line=3)  # noqa: B904  the chain is what is tested

    try:
        fail()
    except ConfigInvalid:
        structlog.get_logger().exception("failed")

    (entry,) = entries(sink)
    assert ["config_invalid: f:3: bad", "ValueError"] == [link["error"] for link in entry["raised"]]
    assert entry["raised"][1]["at"][0].startswith("test_telemetry.py:")
    assert CANARY not in sink.getvalue()


def test_libraries_are_named_and_not_quoted(sink: io.StringIO) -> None:
    """Their messages, arguments, tracebacks and warnings may hold what they were parsing."""
    library = logging.getLogger("some.library")
    library.warning("cannot read %s", CANARY)
    library.info(CANARY)
    try:
        raise KeyError(CANARY)  # noqa: TRY301  the traceback is what is tested
    except KeyError:
        library.exception(CANARY)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # The handler of pytest is replaced while this test runs.
        logging.captureWarnings(capture=True)
        logging.getLogger("py.warnings").warning("%s", CANARY)

    found = entries(sink)
    assert [("some.library", "warning"), ("some.library", "error"), ("py.warnings", "warning")] == [
        (entry["library"], entry["level"]) for entry in found
    ]
    assert {Event.LIBRARY_LOG} == {entry["event"] for entry in found}
    assert "KeyError" == found[1]["raised"][0]["error"]
    assert CANARY not in sink.getvalue()


def test_a_console_view_holds_no_content_either(sink: io.StringIO) -> None:
    """The guard stands before both renderers."""
    stream = io.StringIO()
    configure_logging("test", stream=stream, console=True)
    structlog.get_logger("l").info("planted", a=SensitiveText(CANARY), b=CANARY.encode(), c="\x1b[2Jhidden")

    assert "planted" in stream.getvalue()
    assert CANARY not in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert not sink.getvalue()


def test_a_closed_stream_does_not_break_the_caller(sink: io.StringIO) -> None:
    """Logging must never decide about a request."""
    sink.close()
    structlog.get_logger().info("worker_ready")


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=900) | st.binary(),
        lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text() | st.integers(), inner, max_size=5),
        max_leaves=30,
    )
)
def test_whatever_is_logged_becomes_json(value: object) -> None:
    """No value can make an entry fail, surrogates and wide integers included; text is bounded."""
    json.dumps(shown(value))
    if isinstance(value, str):
        assert len(shown(value)) <= 10 * (MAX_TEXT + 40)


def test_paths_and_enums_are_text() -> None:
    """They are what an operator wants to read."""
    assert ["/a/b", "deny"] == [shown(Path("/a/b")), shown(Action.DENY)]


# --- metrics -------------------------------------------------------------------------------------------------------


def decision(**fields: Any) -> DecisionRecord:
    """The record of an allowed request that took 1 ms, 0.5 ms of it for detection and 0.25 ms for policy."""
    defaults: dict[str, Any] = {
        "id": "d",
        "tenant": "t",
        "actor": "",
        "op": Op(protocol="openai", name=Operation.CHAT, stream=False, size_in=2, messages=1),
        "model": "m",
        "action": Action.ALLOW,
        "code": "",
        "status": 0,
        "level": Level.PUBLIC,
        "detection": DetectionStatus.COMPLETE,
        "findings": (),
        "labels": (),
        "jurisdictions": (),
        "uninspected": (),
        "redaction": (),
        "masked": (),
        "route": None,
        "policy": None,
        "obligations": (),
        "commit_in": "",
        "commit_out": "",
        "config_version": "",
        "perf": Perf(us_total=1_000, us_detect=500, us_policy=250),
    }
    return DecisionRecord(**defaults | fields)


def admitted(**fields: Any) -> Admission:
    """An admission under the record of `decision`."""
    return Admission(
        record=decision(**fields),
        enforcement=Forward(pool=Pool(name="p", cell="c", nodes=("n",))),
        receipt=Receipt(origin="o", seq=1),
    )


def samples(page: bytes) -> dict[str, float]:
    """Samples of a page by name and labels, without those that are zero."""
    lines = [line.rpartition(" ") for line in page.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if float(value)}


def test_a_worker_counts_decisions() -> None:
    """Each verdict is counted once by action and code; a step that did not run has no duration."""
    metrics = WorkerMetrics()
    metrics.decided(admitted(), seconds=0.002)
    metrics.decided(
        admitted(
            action=Action.DENY,
            code="malformed_request",
            detection=DetectionStatus.SKIPPED,
            perf=Perf(us_total=1_000, us_detect=0, us_policy=0),
        ),
        seconds=0.0025,
    )
    denial = Denial(status=503, code="audit_unavailable", message="m")
    metrics.decided(Unrecorded(record=decision(), denial=denial), seconds=99.001)

    found = samples(render(metrics.registry))
    assert {
        'ringfence_decisions_total{action="allow",code=""}': 1.0,
        'ringfence_decisions_total{action="deny",code="malformed_request"}': 1.0,
        'ringfence_decisions_total{action="deny",code="audit_unavailable"}': 1.0,
        'ringfence_detections_total{status="complete"}': 2.0,
        'ringfence_detections_total{status="skipped"}': 1.0,
        "ringfence_audit_failures_total": 1.0,
        "ringfence_exchange_seconds_count": 3.0,
        "ringfence_exchange_seconds_sum": pytest.approx(99.0055),
        "ringfence_audit_append_seconds_count": 3.0,
        "ringfence_audit_append_seconds_sum": pytest.approx(99.0025),
        "ringfence_detect_seconds_count": 2.0,
        "ringfence_detect_seconds_sum": pytest.approx(0.001),
        "ringfence_policy_seconds_count": 2.0,
        "ringfence_policy_seconds_sum": pytest.approx(0.0005),
    } == {name: value for name, value in found.items() if "_bucket" not in name}
    assert {"0.0025": 2.0, "10.0": 2.0, "+Inf": 3.0} == {
        bound: found[f'ringfence_exchange_seconds_bucket{{le="{bound}"}}'] for bound in ("0.0025", "10.0", "+Inf")
    }


def test_a_worker_counts_outcomes() -> None:
    """How requests ended, who served them, and what Envoy let through without us."""
    metrics = WorkerMetrics()
    metrics.outcome(OutcomeRecord(ref="d", status=OutcomeStatus.SERVED))
    metrics.outcome(OutcomeRecord(ref="d", status=OutcomeStatus.SERVED, contained=False))
    metrics.unmatched(reached_upstream=True)
    metrics.unmatched(reached_upstream=False)
    metrics.open_intents.follow(lambda: 3)

    assert {
        'ringfence_outcomes_total{status="served"}': 2.0,
        "ringfence_uncontained_total": 1.0,
        'ringfence_unmatched_requests_total{reached_upstream="true"}': 1.0,
        'ringfence_unmatched_requests_total{reached_upstream="false"}': 1.0,
        "ringfence_open_intents": 3.0,
    } == samples(render(metrics.registry))


def test_a_failing_policy_shows_in_its_own_count() -> None:
    """The request is refused by it, and an operator must see why."""
    metrics = WorkerMetrics()
    policy = PolicyRecord(
        bundle="", revision="", digest="", data_digest="", engine="", input_digest="", rules=(), failures=2
    )
    metrics.decided(admitted(policy=policy), seconds=0.001)

    assert samples(render(metrics.registry))["ringfence_policy_failures_total"] == 1.0


def test_a_decision_that_somebody_is_to_be_told_of_is_counted() -> None:
    """An operator's own alarm hangs on it."""
    metrics = WorkerMetrics()
    policy = PolicyRecord(
        bundle="", revision="", digest="", data_digest="", engine="", input_digest="", rules=(), failures=0, alert=True
    )
    metrics.decided(admitted(policy=policy), seconds=0.001)

    assert samples(render(metrics.registry))["ringfence_alerts_total"] == 1.0


async def test_the_share_of_decisions_that_the_cache_had_is_counted(tmp_path: Path) -> None:
    """The first of two equal requests is evaluated, the second is not."""
    metrics = WorkerMetrics()
    bundle = one_policy(tmp_path, f"effects contains {ALLOW}")
    async with Decider.open(bundle, trial=lambda _: None, looked_up=metrics.looked_up) as decider:
        for _ in range(2):
            await decider.decide(plain(), decision_id="d")

    found = samples(render(metrics.registry))

    assert {'{result="hit"}': 1.0, '{result="miss"}': 1.0} == {
        name.removeprefix("ringfence_policy_cache_total"): value
        for name, value in found.items()
        if name.startswith("ringfence_policy_cache_total")
    }


def test_incidents_are_exported_before_they_happen() -> None:
    """An alert on a rate needs the series at zero."""
    page = render(WorkerMetrics().registry).decode()

    assert "ringfence_uncontained_total 0.0" in page
    assert "ringfence_audit_failures_total 0.0" in page


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(min_value=0, max_value=20)))
def test_buckets_hold_what_is_at_most_their_bound(seconds: list[float]) -> None:
    """The law of a cumulative histogram, for every bound."""
    cell = Durations("d_seconds", "d")
    for one in seconds:
        cell.observe(one)
    (family,) = cell.collect()

    counted = [sample.value for sample in family.samples if sample.name == "d_seconds_bucket"]
    assert [sum(one <= bound for one in seconds) for bound in (*BOUNDS, float("inf"))] == counted


def test_the_number_of_series_is_bounded() -> None:
    """A policy that makes up codes cannot fill the memory; nothing goes uncounted."""
    cell = Counter("c_total", "c", ("code",))
    for number in range(10 * MAX_SERIES):
        cell.add(f"code_{number}")
    (family,) = cell.collect()

    assert MAX_SERIES + 1 == len(family.samples)
    assert {"code": "other"} == family.samples[-1].labels
    assert 10 * MAX_SERIES == sum(sample.value for sample in family.samples)


def test_the_control_process_counts_answers_of_envoys() -> None:
    """Type URLs become short closed words."""
    metrics = ControlMetrics()
    metrics.acked("type.googleapis.com/envoy.config.cluster.v3.Cluster", accepted=True)
    metrics.acked("type.googleapis.com/envoy.config.listener.v3.Listener", accepted=False)
    metrics.acked(f"type.googleapis.com/{CANARY}", accepted=False)
    metrics.registered(ready=False)
    metrics.self_tested(passed=True)
    metrics.pools.set(4)

    found = samples(render(metrics.registry))
    assert {
        'ringfence_xds_acks_total{result="ack",type="cds"}': 1.0,
        'ringfence_xds_acks_total{result="nack",type="lds"}': 1.0,
        'ringfence_xds_acks_total{result="nack",type="other"}': 1.0,
        'ringfence_pool_registrations_total{result="refused"}': 1.0,
        'ringfence_self_tests_total{result="passed"}': 1.0,
        "ringfence_pools": 4.0,
    } == {name: value for name, value in found.items() if "build_info" not in name}


def test_pages_are_merged_by_worker() -> None:
    """One family, one sample per worker; a worker that does not answer, or badly, is down and hides nothing."""
    one, two, control = WorkerMetrics(), WorkerMetrics(), ControlMetrics()
    one.decided(admitted(), seconds=0.1)
    two.decided(admitted(), seconds=0.1)
    two.decided(admitted(), seconds=0.1)
    page = merge(
        {
            "control": render(control.registry),
            "worker-0": render(one.registry),
            "worker-1": render(two.registry),
            "worker-2": b"",
            "worker-3": b"\xff{",
            "worker-4": b'a{b="c" 1\n',
        }
    )

    found = samples(page)
    assert (1.0, 2.0) == tuple(
        found[f'ringfence_decisions_total{{action="allow",code="",worker="worker-{n}"}}'] for n in (0, 1)
    )
    assert 2.0 == found['ringfence_exchange_seconds_bucket{le="+Inf",worker="worker-1"}']
    assert 1 == page.count(b"# TYPE ringfence_decisions_total counter")
    assert {"control": True, "worker-0": True, "worker-1": True} == {
        name: True for name in ("control", *(f"worker-{n}" for n in range(5)))
        if f'ringfence_scrape_up{{worker="{name}"}}' in found
    }  # fmt: skip


def test_a_merged_page_can_be_merged_again() -> None:
    """Nothing is lost or renamed on the way: label values with quotes and line breaks included."""
    cell = Counter("c_total", "c", ("code",))
    cell.add('a"b\\c\nd')

    class One:
        def collect(self) -> Iterator[Any]:
            return cell.collect()

    page = render(One())  # type: ignore[arg-type]
    assert {'c_total{code="a\\"b\\\\c\\nd",worker="w"}': 1.0, 'ringfence_scrape_up{worker="w"}': 1.0} == samples(
        merge({"w": page})
    )
