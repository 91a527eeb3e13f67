"""What the calls of SP-API amount to, as metrics. Labels are bounded: names of the catalogue alone."""

from prometheus_client import Counter, Histogram

_WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)


class CallMetrics:
    """Counted where it is rare; the calls themselves are counted as RPCs."""

    def __init__(self) -> None:
        self._deprecated = Counter(
            "sellergate_deprecated_calls_total", "Calls of operations that Amazon has deprecated", ["operation"]
        )
        self._shadow = Histogram(
            "sellergate_quota_shadow_wait_seconds",
            "Waits that quota would have imposed, in shadow mode",
            buckets=_WAITS,
        )

    def deprecated(self, operation: str) -> None:
        """Count a call of a deprecated operation."""
        self._deprecated.labels(operation).inc()

    def shadow_wait(self, seconds: float) -> None:
        """Note a wait that nobody had."""
        self._shadow.observe(seconds)
