"""Amazon's token buckets: one per application, selling partner and operation, filled at the published rate.

Source: Amazon's page "Usage plans and rate limits": refill `rate` a second up to `burst`, 429 when empty; and
"SP-API sandbox": 5 a second, burst 15, one limit for all operations.
"""

from dataclasses import dataclass, field

from sellergate_amazon.operations import Operation

# For the six operations whose rate neither the models nor Amazon's SDK state.
UNPUBLISHED_RATE, UNPUBLISHED_BURST = 1.0, 2
SANDBOX_RATE, SANDBOX_BURST = 5.0, 15

# A caller that waits exactly 1/rate must find a whole token despite rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket's rate in calls a second and its burst in calls."""

    rate: float
    burst: float


@dataclass(slots=True)
class _Bucket:
    level: float
    seen_at: float


@dataclass(slots=True)
class Buckets:
    """All buckets, and the scales that tests apply to them."""

    scale: float = 1.0
    burst_scale: float = 1.0
    by_operation: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Scale and burst scale of single operations, in place of the general ones."""
    unspecified: set[str | None] = field(default_factory=set)
    """Operations whose responses lack the rate header; None: all."""
    _buckets: dict[tuple[str, ...], _Bucket] = field(default_factory=dict)

    def limit(self, operation: Operation, *, sandbox: bool) -> Limit:
        """Return the present limit of an operation, scaled."""
        scale, burst_scale = self.by_operation.get(operation.name, (self.scale, self.burst_scale))
        if sandbox:
            rate, burst = SANDBOX_RATE, SANDBOX_BURST
        else:
            rate, burst = operation.rate or UNPUBLISHED_RATE, operation.burst or UNPUBLISHED_BURST
        return Limit(rate * scale, max(1.0, burst * burst_scale))

    def sends_rate_header(self, operation: Operation) -> bool:
        """Return whether responses of an operation have the header x-amzn-RateLimit-Limit."""
        return self.unspecified.isdisjoint({None, operation.name})

    def take(self, key: tuple[str, ...], limit: Limit, now: float) -> bool:
        """Take a call from a bucket, which starts full; return False if it is empty. `now` is in steady seconds."""
        bucket = self._buckets.setdefault(key, _Bucket(limit.burst, now))
        bucket.level = min(limit.burst, bucket.level + (now - bucket.seen_at) * limit.rate)
        bucket.seen_at = now
        if bucket.level < 1.0 - _ROUNDING:
            return False
        bucket.level -= 1.0
        return True

    def refill(self) -> None:
        """Fill every bucket; the scales stay."""
        self._buckets.clear()
