"""What a worker says of the model that reads beside the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

_RESULTS = ("answered", "refused", "expired", "failed")


class ModelCounts(Protocol):
    """What happened since the start, in windows of text but for `batches` and `pieces`; `waiting` is now."""

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


class ModelMetrics:
    """Families without a sample until there is a model to follow."""

    def __init__(self) -> None:
        self._counts: Callable[[], ModelCounts] | None = None
        self._info: tuple[str, ...] = ()

    def follow(self, counts: Callable[[], ModelCounts], *, version: str, provider: str, precision: str) -> None:
        """From now on what `counts` says when asked, of the model in this version and what it runs on."""
        self._counts, self._info = counts, (version, provider, precision)

    def collect(self) -> Iterator[Metric]:
        """All families."""
        info = GaugeMetricFamily("ringfence_model_info", "The model.", labels=("version", "provider", "precision"))
        windows = CounterMetricFamily(
            "ringfence_model_windows_total", "Windows of text by what became of them.", labels=("result",)
        )
        batches = CounterMetricFamily("ringfence_model_batches_total", "Runs of the model.")
        pieces = CounterMetricFamily("ringfence_model_pieces_total", "Pieces of text that were run, padding included.")
        waiting = GaugeMetricFamily("ringfence_model_windows_waiting", "Windows of text that wait for the model.")
        if self._counts is not None:
            counts = self._counts()
            info.add_metric(self._info, 1)
            for result in _RESULTS:
                windows.add_metric((result,), getattr(counts, result))
            batches.add_metric((), counts.batches)
            pieces.add_metric((), counts.pieces)
            waiting.add_metric((), counts.waiting)
        yield from (info, windows, batches, pieces, waiting)
