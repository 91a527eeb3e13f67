"""Buckets of this process alone, at a share of the true rate, for other replicas count for themselves too."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache

from sellergate_gateway.quota.gcra import Admitted, Gauge, Moved, admit, refuse
from sellergate_gateway.quota.ports import Bucket, BucketState

_MAX_BUCKETS = 100_000


class MemoryBuckets:
    """Gauges by name; the longest unused are forgotten first. `now` is monotonic."""

    def __init__(self, share: float, now: Callable[[], float]) -> None:
        self._share = share
        self._now = now
        self._gauges: OrderedDict[str, Gauge] = OrderedDict()
        self._reduced = lru_cache(_MAX_BUCKETS)(self._reduce)

    async def admit(self, buckets: Sequence[Bucket], longest: float) -> Admitted:
        """Take one slot in every bucket. Raises QuotaExceeded."""
        gauges, reduced = list(map(self._gauge, buckets)), list(map(self._reduced, buckets))
        found = admit(gauges, reduced, self._now(), longest)
        if not isinstance(found, Admitted):
            raise refuse(found, longest)
        # The true rate: what the caller compares with Amazon's word.
        return Admitted(found.wait, found.rate / self._share, found.buckets, found.taken, self._whole(found, buckets))

    async def leave(self, admitted: Admitted) -> None:
        """Give back what is the newest."""
        for bucket, taken in zip(admitted.buckets, admitted.taken, strict=True):
            self._gauge(bucket).leave(float(taken))

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        for bucket in buckets:
            self._gauge(bucket).learned = rate * bucket.share * self._share

    async def throttled(self, bucket: Bucket, seconds: float) -> Moved:
        """Take note of a 429."""
        gauge, reduced, now = self._gauge(bucket), self._reduced(bucket), self._now()
        before = gauge.rate(reduced, now)
        shift = gauge.throttled(reduced, now, seconds)
        return Moved(before / gauge.rate(reduced, now), shift)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return self._gauge(bucket).state(self._reduced(bucket), self._now())

    def _whole(self, found: Admitted, buckets: Sequence[Bucket]) -> tuple[Bucket, ...]:
        return tuple(buckets[:-1]) if found.rest else ()

    def _reduce(self, bucket: Bucket) -> Bucket:
        burst = max(1, int(bucket.burst * self._share))
        return Bucket(bucket.key, bucket.rate * self._share, burst, bucket.share, bucket.learns, bucket.gate)

    def _gauge(self, bucket: Bucket) -> Gauge:
        gauge = self._gauges.get(bucket.key)
        if gauge is not None:
            self._gauges.move_to_end(bucket.key)
            return gauge
        gauge = self._gauges[bucket.key] = Gauge()
        while len(self._gauges) > _MAX_BUCKETS:
            self._gauges.popitem(last=False)
        return gauge
