"""Metrics, and the one place from which logging is configured.

Each process counts for itself; the control process asks the workers over their Unix sockets and serves all of it with a
label `worker`. Labels hold closed words and codes of policies, never anything a caller chose, and their number is bounded.

The cells are our own, since those of prometheus_client take a lock for every change (about 8 us a request where these
take 3); they belong to the event loop of their process. Names, units and exposition are Prometheus'.
"""

from __future__ import annotations

import importlib.metadata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families

from governance.bundle_metrics import BundleMetrics
from governance.decision import Action
from governance.judgement import Admission, Unrecorded
from governance.logs import configure_logging
from governance.model_metrics import ModelMetrics
from governance.record import OutcomeRecord

__all__ = ["CONTENT_TYPE", "ControlMetrics", "WorkerMetrics", "configure_logging", "merge", "render"]

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
MAX_SERIES: Final = 128
OTHER: Final = "other"
# Upper bounds in seconds: from a cached decision to Envoy's own time limit.
BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counter:
    """A count for each combination of labels; beyond MAX_SERIES combinations all others are counted as `other`."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {} if labels else {(): 0}

    def add(self, *labels: str) -> None:
        """One more."""
        counts = self._counts
        if labels not in counts and len(counts) >= MAX_SERIES:
            labels = (OTHER,) * len(labels)
        counts[labels] = counts.get(labels, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """The family, in the order in which the combinations first came."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        yield family


class Gauge:
    """A number that goes up and down: set, or followed at its source."""

    def __init__(self, name: str, documentation: str, labels: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = dict(labels or {})
        self._source: Callable[[], float] = float

    def set(self, value: float) -> None:
        """From now on `value`."""
        self._source = lambda: value

    def follow(self, source: Callable[[], float]) -> None:
        """From now on whatever `source` says when asked."""
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """The family of one sample."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=tuple(self._labels))
        family.add_metric(tuple(self._labels.values()), self._source())
        yield family


class Durations:
    """A histogram of seconds over BOUNDS."""

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0

    def observe(self, seconds: float) -> None:
        """One more, which took `seconds`."""
        # A bound belongs to its bucket (`le`), hence the left side.
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._total += seconds

    def collect(self) -> Iterator[Metric]:
        """The family, with cumulative buckets."""
        running = 0
        buckets = []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._counts, strict=True):
            running += count
            buckets.append((bound, running))
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric((), buckets=buckets, sum_value=self._total)
        yield family


class WorkerMetrics:
    """What a worker counts. One value per process, owned by its event loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter(
            "ringfence_decisions_total", "Decisions by action and refusal code.", ("action", "code")
        )
        self._exchange = Durations("ringfence_exchange_seconds", "From the whole request to its durable decision.")
        self._detect = Durations("ringfence_detect_seconds", "Detection over all segments of a request.")
        self._policy = Durations("ringfence_policy_seconds", "Evaluation of all policies on a request.")
        self._append = Durations("ringfence_audit_append_seconds", "From a decision to its durable record.")
        self._detections = Counter(
            "ringfence_detections_total",
            "Decisions by how detection ended; skipped where the path did not come to it.",
            ("status",),
        )
        self._policy_failures = Counter(
            "ringfence_policy_failures_total", "Decisions in which a policy could not be evaluated."
        )
        self._alerts = Counter("ringfence_alerts_total", "Decisions of which a policy wants somebody told.")
        self._policy_cache = Counter(
            "ringfence_policy_cache_total", "Decisions by whether the cache had them.", ("result",)
        )
        self._append_failures = Counter("ringfence_audit_failures_total", "Decisions that could not be made durable.")
        self._outcomes = Counter("ringfence_outcomes_total", "Ends of requests, as Envoy reports them.", ("status",))
        self._uncontained = Counter("ringfence_uncontained_total", "Requests served outside their allow-set.")
        self._unmatched = Counter(
            "ringfence_unmatched_requests_total", "Access log entries without a decision.", ("reached_upstream",)
        )
        self.bundle = BundleMetrics()
        self.model = ModelMetrics()
        self.open_intents = Gauge("ringfence_open_intents", "Decisions whose outcome is not recorded yet.")
        _register(self.registry, vars(self).values())

    def decided(self, verdict: Admission | Unrecorded, *, seconds: float) -> None:
        """A verdict was reached `seconds` after the request was complete. What the path took stands in its record."""
        record = verdict.record
        perf = record.perf
        if isinstance(verdict, Unrecorded):
            self._decisions.add(Action.DENY.value, verdict.denial.code)
            self._append_failures.add()
        else:
            self._decisions.add(record.action.value, record.code)
        self._exchange.observe(seconds)
        self._append.observe(max(0.0, seconds - perf.us_total / 1_000_000))
        self._detections.add(record.detection.value)
        # A refusal before detection has no duration of it; a zero would look like a fast one.
        if perf.us_detect:
            self._detect.observe(perf.us_detect / 1_000_000)
        if perf.us_policy:
            self._policy.observe(perf.us_policy / 1_000_000)
        if record.policy is not None and record.policy.failures:
            self._policy_failures.add()
        if record.policy is not None and record.policy.alert:
            self._alerts.add()

    def looked_up(self, hit: bool) -> None:
        """A decision was asked of the cache, which had it or not."""
        self._policy_cache.add("hit" if hit else "miss")

    def outcome(self, record: OutcomeRecord) -> None:
        """Envoy reported how a request ended."""
        self._outcomes.add(record.status.value)
        if not record.contained:
            self._uncontained.add()

    def unmatched(self, *, reached_upstream: bool) -> None:
        """Envoy reported a request without a decision of ours. One that reached an upstream is an incident."""
        self._unmatched.add("true" if reached_upstream else "false")


class ControlMetrics:
    """What the control process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._acks = Counter("ringfence_xds_acks_total", "Answers of Envoys to configuration.", ("type", "result"))
        self._registrations = Counter("ringfence_pool_registrations_total", "Requests for pools.", ("result",))
        self._self_tests = Counter("ringfence_self_tests_total", "Proofs that the path inspects.", ("result",))
        self.xds_streams = Gauge("ringfence_xds_streams", "Connected Envoys.")
        self.pools = Gauge("ringfence_pools", "Pools that Envoy can route to.")
        self.nodes = Gauge("ringfence_nodes", "Declared nodes.")
        self._build = Gauge("ringfence_build_info", "The version that runs.", {"version": _version()})
        self._build.set(1)
        _register(self.registry, vars(self).values())

    def acked(self, type_url: str, *, accepted: bool) -> None:
        """An Envoy accepted or rejected resources of a type."""
        self._acks.add(_KINDS.get(type_url.rpartition(".")[2], OTHER), "ack" if accepted else "nack")

    def registered(self, *, ready: bool) -> None:
        """A worker asked for pools, and got them or not."""
        self._registrations.add("ready" if ready else "refused")

    def self_tested(self, *, passed: bool) -> None:
        """The path was probed."""
        self._self_tests.add("passed" if passed else "failed")


_KINDS: Mapping[str, str] = {
    "Cluster": "cds",
    "ClusterLoadAssignment": "eds",
    "Listener": "lds",
    "RouteConfiguration": "rds",
    "Secret": "sds",
}


def render(registry: CollectorRegistry) -> bytes:
    """All metrics of `registry` in Prometheus' text format."""
    return generate_latest(registry)


def merge(parts: Mapping[str, bytes]) -> bytes:
    """The pages in `parts` as one, each sample with the label `worker` of its part.

    `ringfence_scrape_up` is 0 for a part that is empty or cannot be read; it says nothing else then.
    """
    up = GaugeMetricFamily("ringfence_scrape_up", "Whether a process answered with its metrics.", labels=("worker",))
    families: dict[str, Metric] = {up.name: up}
    for worker, page in parts.items():
        found = _families(page)
        up.add_metric((worker,), float(bool(found)))
        for family in found:
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                merged.samples.append(sample._replace(labels={"worker": worker, **sample.labels}))
    return generate_latest(_Page(tuple(families.values())))


class _Page:
    """Finished families, as something that can be rendered."""

    def __init__(self, families: tuple[Metric, ...]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _families(page: bytes) -> list[Metric]:
    try:
        return list(text_string_to_metric_families(page.decode("utf-8")))
    except ValueError:
        return []


def _register(registry: CollectorRegistry, cells: Iterable[object]) -> None:
    for cell in tuple(cells):
        if isinstance(cell, Counter | Gauge | Durations | BundleMetrics | ModelMetrics):
            registry.register(cell)


def _version() -> str:
    try:
        return importlib.metadata.version("ringfence")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
