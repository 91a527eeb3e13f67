"""The gateway's metrics as a scrape reads them."""

from prometheus_client import CollectorRegistry
from sellergate_gateway.calls.breakers import LEAST_CALLS, Breakers, End
from sellergate_gateway.calls.counts import CallCounts
from sellergate_gateway.calls.metrics import CallCollector, CallMetrics


def test_a_scrape_reads_calls_quota_and_breakers() -> None:
    registry, counts, breakers = CollectorRegistry(), CallCounts(), Breakers(lambda: 1.0)
    CallCollector.register(counts, breakers, registry)
    orders = counts.of("orders/2026-01-01/searchOrders")
    orders.calls, orders.requests, orders.throttled, orders.refused = 7, 9, 2, 1
    orders.waits, orders.waited, orders.rate_share = 3, 4.5, 0.5
    for _ in range(LEAST_CALLS):
        breakers.record_result("https://sellingpartnerapi-na.amazon.com", "u1", End.UNREACHABLE)
        breakers.record_result("https://sellingpartnerapi-eu.amazon.com", "u2", End.BROKEN)
    read = {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }
    operation = "orders/2026-01-01/searchOrders"
    assert read == {
        ("sellergate_amazon_calls_total", operation): 7,
        ("sellergate_amazon_requests_total", operation): 9,
        ("sellergate_amazon_throttled_total", operation): 2,
        ("sellergate_quota_refused_total", operation): 1,
        ("sellergate_quota_waits_total", operation): 3,
        ("sellergate_quota_wait_seconds_total", operation): 4.5,
        ("sellergate_quota_rate_share", operation): 0.5,
        ("sellergate_breaker_open", "sellingpartnerapi-na.amazon.com"): 1,
        ("sellergate_breaker_open", "sellingpartnerapi-eu.amazon.com"): 0,
        ("sellergate_breaker_open_users", "sellingpartnerapi-na.amazon.com"): 1,
        ("sellergate_breaker_open_users", "sellingpartnerapi-eu.amazon.com"): 1,
    }


def test_deprecated_calls_and_shadow_waits_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    metrics.deprecated("fbaInbound/v0/getTransportDetails")
    metrics.shadow_wait(0.3)
    labels = {"operation": "fbaInbound/v0/getTransportDetails"}
    assert registry.get_sample_value("sellergate_deprecated_calls_total", labels) == 1
    assert registry.get_sample_value("sellergate_quota_shadow_wait_seconds_sum") == 0.3
    assert registry.get_sample_value("sellergate_quota_shadow_wait_seconds_bucket", {"le": "0.25"}) == 0
    assert registry.get_sample_value("sellergate_quota_shadow_wait_seconds_bucket", {"le": "0.5"}) == 1
