"""Metrics of SP-API calls. Labels have bounded values: only names of the catalogue."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from sellergate_gateway.calls.breakers import Breakers
from sellergate_gateway.calls.counts import CallCounts

_WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)


class CallMetrics:
    """Metrics of rare events. The calls themselves are counted as RPCs."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._deprecated = Counter(
            "sellergate_deprecated_calls_total",
            "Calls of operations that Amazon has deprecated",
            ["operation"],
            registry=registry,
        )
        self._shadow = Histogram(
            "sellergate_quota_shadow_wait_seconds",
            "Waits that quota would have imposed, in shadow mode",
            buckets=_WAITS,
            registry=registry,
        )

    def deprecated(self, operation: str) -> None:
        """Count a call of a deprecated operation."""
        self._deprecated.labels(operation).inc()

    def shadow_wait(self, seconds: float) -> None:
        """Record a wait, in seconds, that shadow mode did not impose."""
        self._shadow.observe(seconds)


class CallCollector(Collector):
    """Counts of calls by operation, and the breakers by host."""

    def __init__(self, counts: CallCounts, breakers: Breakers) -> None:
        self._counts = counts
        self._breakers = breakers

    @classmethod
    def register(cls, counts: CallCounts, breakers: Breakers, registry: CollectorRegistry = REGISTRY) -> None:
        """Register the metrics."""
        registry.register(cls(counts, breakers))

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {
            "calls": CounterMetricFamily(
                "sellergate_amazon_calls", "Calls of SP-API requested by callers", labels=("operation",)
            ),
            "requests": CounterMetricFamily(
                "sellergate_amazon_requests", "Requests sent to SP-API, including retries", labels=("operation",)
            ),
            "throttled": CounterMetricFamily("sellergate_amazon_throttled", "429s of SP-API", labels=("operation",)),
            "refused": CounterMetricFamily(
                "sellergate_quota_refused", "Calls that Sellergate's quota refused", labels=("operation",)
            ),
            "waits": CounterMetricFamily(
                "sellergate_quota_waits", "Calls that waited for quota", labels=("operation",)
            ),
            "waited": CounterMetricFamily(
                "sellergate_quota_wait_seconds", "Seconds that calls waited for quota", labels=("operation",)
            ),
            "rate_share": GaugeMetricFamily(
                "sellergate_quota_rate_share",
                "The rate last in force, as a share of the catalogue's: reported by Amazon, or lowered after 429s",
                labels=("operation",),
            ),
        }
        for operation, counted in self._counts.by_operation.copy().items():
            for name, family in families.items():
                family.add_metric((operation,), getattr(counted, name))
        yield from families.values()
        opened = GaugeMetricFamily(
            "sellergate_breaker_open", "1 while no calls are sent to a host of Amazon (circuit open)", labels=("host",)
        )
        for host, is_open in self._breakers.state().items():
            opened.add_metric((host.rpartition("/")[2],), int(is_open))
        yield opened
        users = GaugeMetricFamily(
            "sellergate_breaker_open_users",
            "Users whose calls to a host of Amazon fail and are refused",
            labels=("host",),
        )
        for host, count in self._breakers.users().items():
            users.add_metric((host.rpartition("/")[2],), count)
        yield users
