"""What a worker says of the models beside its rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from classifiers.model.batching import BatchCounts
from governance.model_metrics import ModelMetrics


def test_why_a_model_fails_is_a_number_of_its_own() -> None:
    """One for each reason, beside what became of the windows."""
    counts = BatchCounts(answered=5, failed=3, failures={"UNAVAILABLE": 2, "BadAnswer": 1})
    metrics = ModelMetrics()
    metrics.follow(SimpleNamespace(version="m@1", provider="remote", precision="", counts=counts))
    registry = CollectorRegistry()
    registry.register(cast("Collector", metrics))
    told = generate_latest(registry).decode()

    assert 'ringfence_model_windows_total{result="failed",version="m@1"} 3.0' in told
    assert 'ringfence_model_failures_total{reason="UNAVAILABLE",version="m@1"} 2.0' in told
    assert 'ringfence_model_failures_total{reason="BadAnswer",version="m@1"} 1.0' in told
