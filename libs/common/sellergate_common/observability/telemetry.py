"""Prometheus metrics of every server: rate, errors and duration of calls."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import REGISTRY, Collector
from prometheus_client.utils import floatToGoString

from sellergate_common.observability.endings import end_for_address
from sellergate_common.tasks import BackgroundTasks

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(slots=True)
class _Handled:
    """The responses of one method: counts by reason, and durations."""

    reasons: dict[str, int] = field(default_factory=dict)
    within: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS) + 1))
    seconds: float = 0.0


class RpcMetrics(Collector):
    """The RED metrics of one process. Labels are bounded: methods of the contracts, reasons of the enum.

    Counts are plain numbers, because every call writes them and only a scrape reads; prometheus_client's metrics lock each time.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._handled: dict[str, _Handled] = {}
        self._up: dict[str, bool] = {}
        self.background: BackgroundTasks | None = None

    @classmethod
    def register(cls, registry: CollectorRegistry = REGISTRY) -> "RpcMetrics":
        """Create and register the metrics."""
        metrics = cls()
        registry.register(metrics)
        return metrics

    def observe(self, method: str, reason: str, seconds: float) -> None:
        """Count a call that has ended."""
        handled = self._handled.get(method)
        if handled is None:
            handled = self._handled[method] = _Handled()
        handled.reasons[reason] = handled.reasons.get(reason, 0) + 1
        handled.within[bisect_left(_BUCKETS, seconds)] += 1
        handled.seconds += seconds

    def record_dependency(self, dependency: str, *, up: bool) -> None:
        """Record whether a dependency responds."""
        self._up[dependency] = up

    def collect(self) -> Iterator[Metric]:
        """Return the current metrics."""
        counts = CounterMetricFamily(
            "sellergate_rpc_handled", "Completed calls, by method and reason (OK)", labels=("method", "reason")
        )
        times = HistogramMetricFamily("sellergate_rpc_seconds", "Duration of calls, in seconds", labels=("method",))
        for method, handled in self._handled.copy().items():
            for reason, count in handled.reasons.copy().items():
                counts.add_metric((method, reason), count)
            bounds = (*map(floatToGoString, _BUCKETS), "+Inf")
            within = list(zip(bounds, map(float, accumulate(handled.within)), strict=True))
            times.add_metric((method,), within, handled.seconds)
        up = GaugeMetricFamily("sellergate_dependency_up", "1 while a dependency responds", labels=("dependency",))
        for dependency, responses in self._up.copy().items():
            up.add_metric((dependency,), int(responses))
        yield from (counts, times, up, *_background_metrics(self.background))
        yield GaugeMetricFamily("sellergate_rpc_in_flight", "Calls in progress", self.in_flight)


def _background_metrics(background: BackgroundTasks | None) -> Iterator[Metric]:
    if background is None:
        return
    well = GaugeMetricFamily(
        "sellergate_background_up", "1 while a background task or condition is well", labels=("name",)
    )
    for name, problem in background.problems().items():
        well.add_metric((name,), int(not problem))
    restarts = CounterMetricFamily("sellergate_background_restarts", "Restarts of background tasks", labels=("name",))
    for state in background.states.copy().values():
        restarts.add_metric((state.name,), state.restarts)
    yield from (well, restarts)


def serve_metrics(host: str, port: int) -> None:
    """Serve the metrics on their own port; 0 serves none. Exit with code 1 if the address cannot be used."""
    if not port:
        return
    try:
        start_http_server(port, addr=host)
    except OSError:
        end_for_address(f"{host}:{port}", "SELLERGATE_METRICS_PORT")
