"""Prometheus metrics of every server: how many calls, how they ended, how long they took."""

from dataclasses import dataclass
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.registry import REGISTRY

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True)
class RpcMetrics:
    """The RED metrics of one process. Labels are bounded: methods of the contracts, reasons of the enum."""

    handled: Counter
    seconds: Histogram
    in_flight: Gauge
    dependency_up: Gauge

    def observe(self, method: str, reason: str, seconds: float) -> None:
        """Count a call that is over."""
        counter, histogram = self._of(method, reason)
        counter.inc()
        histogram.observe(seconds)

    @cache  # noqa: B019  (one instance a process, and labels are bounded)
    def _of(self, method: str, reason: str) -> tuple[Counter, Histogram]:
        return self.handled.labels(method, reason), self.seconds.labels(method)

    @classmethod
    def register(cls, registry: CollectorRegistry = REGISTRY) -> "RpcMetrics":
        """Make the metrics and register them."""
        return cls(
            handled=Counter(
                "sellergate_rpc_handled",
                "Calls answered, by method and reason (OK)",
                ("method", "reason"),
                registry=registry,
            ),
            seconds=Histogram(
                "sellergate_rpc_seconds", "Time to answer, in seconds", ("method",), buckets=_BUCKETS, registry=registry
            ),
            in_flight=Gauge("sellergate_rpc_in_flight", "Calls being answered", registry=registry),
            dependency_up=Gauge(
                "sellergate_dependency_up", "1 while a dependency answers", ("dependency",), registry=registry
            ),
        )


def serve_metrics(host: str, port: int) -> None:
    """Serve the metrics on their own port; 0 serves none."""
    if port:
        start_http_server(port, addr=host)
