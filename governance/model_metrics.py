"""What a worker says of the models that read beside the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_OF_MODEL = ("version",)
_RESULTS = ("answered", "refused", "expired", "failed")


class ModelCounts(Protocol):
    """What happened since the start, in windows of text but for `batches` and `pieces`; `waiting` is now.

    `failures` counts requests, by what failed.
    """

    @property
    def answered(self) -> int: ...  # noqa: D102 - said above, as are the others
    @property
    def refused(self) -> int: ...  # noqa: D102
    @property
    def expired(self) -> int: ...  # noqa: D102
    @property
    def failed(self) -> int: ...  # noqa: D102
    @property
    def batches(self) -> int: ...  # noqa: D102
    @property
    def pieces(self) -> int: ...  # noqa: D102
    @property
    def waiting(self) -> int: ...  # noqa: D102
    @property
    def failures(self) -> Mapping[str, int]: ...  # noqa: D102


class Followed(Protocol):
    """A model: its version, and what runs it in what numbers."""

    @property
    def version(self) -> str: ...  # noqa: D102 - said above, as are the others
    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def counts(self) -> ModelCounts: ...  # noqa: D102


class ModelMetrics:
    """Families without a sample until there is a model to follow."""

    def __init__(self) -> None:
        self._followed: list[Followed] = []

    def follow(self, model: Followed) -> None:
        """From now on what `model` says when asked."""
        self._followed.append(model)

    def collect(self) -> Iterator[Metric]:
        """All families."""
        info = GaugeMetricFamily("ringfence_model_info", "The model.", labels=("version", "provider", "precision"))
        windows = CounterMetricFamily(
            "ringfence_model_windows_total", "Windows of text by what became of them.", labels=("version", "result")
        )
        batches = CounterMetricFamily("ringfence_model_batches_total", "Runs of the model.", labels=_OF_MODEL)
        pieces = CounterMetricFamily(
            "ringfence_model_pieces_total", "Pieces of text that were run, padding included.", labels=_OF_MODEL
        )
        failures = CounterMetricFamily(
            "ringfence_model_failures_total",
            "Requests of which the model told nothing, by why.",
            labels=("version", "reason"),
        )
        waiting = GaugeMetricFamily(
            "ringfence_model_windows_waiting", "Windows of text that wait for the model.", labels=_OF_MODEL
        )
        for model in self._followed:
            counts, own = model.counts, (model.version,)
            info.add_metric((model.version, model.provider, model.precision), 1)
            for result in _RESULTS:
                windows.add_metric((*own, result), getattr(counts, result))
            batches.add_metric(own, counts.batches)
            pieces.add_metric(own, counts.pieces)
            waiting.add_metric(own, counts.waiting)
            for reason, count in counts.failures.items():
                failures.add_metric((*own, reason), count)
        yield from (info, windows, batches, pieces, failures, waiting)
