"""What a worker says of the policies in force, and of the bundle that it watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from governance.policy.bundle import Bundle
    from governance.policy.distribution.feed import Status

_PREFIX = "ringfence_policy_bundle"
_GAUGES: dict[str, tuple[str, Callable[[Status], float]]] = {
    "last_request_timestamp_seconds": ("When the origin was last asked.", lambda one: one.asked_unix_s),
    "last_success_timestamp_seconds": (
        "When the origin last had a bundle that is in force, or nothing new.",
        lambda one: one.succeeded_unix_s,
    ),
    "last_activation_timestamp_seconds": ("When a bundle was last put in force.", lambda one: one.activated_unix_s),
    "failing": ("Failures since the last success.", lambda one: one.failing),
}
_COUNTERS: dict[str, tuple[str, Callable[[Status], float]]] = {
    "activations_total": ("Bundles that were put in force.", lambda one: one.activations),
    "failures_total": ("Questions to the origin without a good answer.", lambda one: one.failures),
}


class BundleMetrics:
    """Families without a sample until there is something to follow, and of an origin only where one is watched.

    An alarm on the age of the last success is silent where no bundle is watched.
    """

    def __init__(self) -> None:
        self._bundle: Callable[[], Bundle | None] = lambda: None
        self._status: Callable[[], Status | None] = lambda: None

    def follow(self, bundle: Callable[[], Bundle], status: Callable[[], Status | None]) -> None:
        """From now on what these say when asked."""
        self._bundle, self._status = bundle, status

    def collect(self) -> Iterator[Metric]:
        """All families; of the series of `info` there is one at a time."""
        bundle, status = self._bundle(), self._status()
        info = GaugeMetricFamily(
            f"{_PREFIX}_info", "The policies in force.", labels=("revision", "digest", "origin", "signed", "kept")
        )
        if bundle is not None:
            origin = (status.origin, _word(status.signed), _word(status.kept)) if status else ("", "false", "false")
            info.add_metric((bundle.revision, bundle.digest[:12], *origin), 1)
        yield info
        for name, (documentation, value) in _GAUGES.items():
            family: GaugeMetricFamily | CounterMetricFamily = GaugeMetricFamily(f"{_PREFIX}_{name}", documentation)
            yield _told(family, value, status)
        for name, (documentation, value) in _COUNTERS.items():
            yield _told(CounterMetricFamily(f"{_PREFIX}_{name}", documentation), value, status)


def _told(
    family: GaugeMetricFamily | CounterMetricFamily, value: Callable[[Status], float], status: Status | None
) -> Metric:
    if status is not None:
        family.add_metric((), value(status))
    return family


def _word(value: bool) -> str:
    return "true" if value else "false"
