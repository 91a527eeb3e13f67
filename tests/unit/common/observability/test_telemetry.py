"""The metrics of every server in a scrape."""

import asyncio

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sellergate_common.cache.entries import Counts
from sellergate_common.cache.metrics import CacheMetrics
from sellergate_common.clock import Clock
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.tasks import BackgroundTasks


def test_a_scrape_reads_counts_times_and_states() -> None:
    registry = CollectorRegistry()
    metrics = RpcMetrics.register(registry)
    for seconds, reason in ((0.001, "OK"), (0.0011, "OK"), (0.3, "NOT_FOUND"), (90.0, "OK")):
        metrics.observe("a.B/C", reason, seconds)
    metrics.in_flight += 2
    metrics.record_dependency("redis", up=False)
    read = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }
    assert read["sellergate_rpc_handled_total", "OK", "a.B/C"] == 3
    assert read["sellergate_rpc_handled_total", "NOT_FOUND", "a.B/C"] == 1
    assert read["sellergate_rpc_seconds_bucket", "0.001", "a.B/C"] == 1
    assert read["sellergate_rpc_seconds_bucket", "0.0025", "a.B/C"] == 2
    assert read["sellergate_rpc_seconds_bucket", "0.5", "a.B/C"] == 3
    assert read["sellergate_rpc_seconds_bucket", "60.0", "a.B/C"] == 3
    assert read["sellergate_rpc_seconds_bucket", "+Inf", "a.B/C"] == 4
    assert read["sellergate_rpc_seconds_count", "a.B/C"] == 4
    assert 90.3 < read["sellergate_rpc_seconds_sum", "a.B/C"] < 90.4
    assert read["sellergate_rpc_in_flight",] == 2
    assert read["sellergate_dependency_up", "redis"] == 0


def test_cache_events_are_counted_by_kind() -> None:
    registry, counts = CollectorRegistry(), Counts()
    CacheMetrics.register("tokens", lambda: counts, registry)
    counts.hits, counts.discarded = 7, 1
    assert registry.get_sample_value("sellergate_cache_events_total", {"cache": "tokens", "event": "hits"}) == 7
    assert registry.get_sample_value("sellergate_cache_events_total", {"cache": "tokens", "event": "discarded"}) == 1
    assert registry.get_sample_value("sellergate_cache_events_total", {"cache": "tokens", "event": "renewals"}) == 0


async def test_a_background_task_that_fails_is_shown_with_its_restarts() -> None:
    registry, failed = CollectorRegistry(), asyncio.Event()
    metrics = RpcMetrics.register(registry)

    async def fail() -> None:
        raise RuntimeError("closed")

    async def sleep(_: float) -> None:
        failed.set()
        await asyncio.Event().wait()

    metrics.background = BackgroundTasks(Clock(monotonic=lambda: 0.0, sleep=sleep))
    async with metrics.background.run("queue", fail):
        await failed.wait()
        assert registry.get_sample_value("sellergate_background_up", {"name": "queue"}) == 0
        assert registry.get_sample_value("sellergate_background_restarts_total", {"name": "queue"}) == 1
