"""Metrics of a shared cache: hits, fetches, waits for another replica's fetch, results that arrived too late."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import REGISTRY, Collector

from sellergate_common.cache.entries import Counts


class CacheMetrics(Collector):
    """`sellergate_cache_events_total` of one cache ("tokens"); the events are the fields of Counts."""

    def __init__(self, cache: str, counts: Callable[[], Counts]) -> None:
        self._cache = cache
        self._counts = counts

    @classmethod
    def register(cls, cache: str, counts: Callable[[], Counts], registry: CollectorRegistry = REGISTRY) -> None:
        """Create and register the metrics of a cache."""
        registry.register(cls(cache, counts))

    def collect(self) -> Iterator[Metric]:
        """Return the current counts."""
        events = CounterMetricFamily(
            "sellergate_cache_events",
            "Events of a cache: hits, misses, fetches, shared_waits, failures, discarded, renewals",
            labels=("cache", "event"),
        )
        for event, count in asdict(self._counts()).items():
            events.add_metric((self._cache, event), count)
        yield events
