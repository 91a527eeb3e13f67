"""Buckets in this process, at a share of the true rate, since other replicas have buckets of their own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from sellergate_common.cache.lru import Lru

from sellergate_gateway.quota.gcra import GcraState, reserve
from sellergate_gateway.quota.ports import Bucket, BucketSet, BucketState, Reschedule, Reservation

_MAX_BUCKETS = 100_000


class MemoryBuckets:
    """States by the name of the bucket. The least recently used are dropped first. `now` is monotonic, in seconds."""

    def __init__(self, share: float, now: Callable[[], float]) -> None:
        self._share = share
        self._now = now
        self._states: Lru[str, GcraState] = Lru(_MAX_BUCKETS)
        self._reduced = lru_cache(_MAX_BUCKETS)(self._reduce)
        self._reduced_set = lru_cache(_MAX_BUCKETS)(self._reduce_set)

    async def reserve(self, buckets: BucketSet, longest: float) -> Reservation:
        """Reserve a slot in every bucket. Raises QuotaExceeded."""
        states = {bucket.key: self._state(bucket) for bucket in buckets.all}
        reservation = reserve(self, states, self._reduced_set(buckets), self._now(), longest)
        # The true rate, which the caller compares with Amazon's reported one.
        reservation.rate /= self._share
        if reservation.remaining is not None:
            reservation.remaining = buckets.without_first_stage()
        return reservation

    async def cancel(self, buckets: Sequence[tuple[Bucket, int]]) -> Sequence[float]:
        """Cancel the given number of slots in each bucket. Return the seconds by which later slots of each move forward."""
        return [self._state(bucket).cancel(count) for bucket, count in buckets]

    async def delay(self, bucket: Bucket, seconds: float) -> None:
        """Count the newest call of each bucket as sent the given seconds after its slot."""
        self._state(bucket).delay(self._now(), seconds)

    async def update_rate(self, buckets: Sequence[Bucket], rate: float) -> Reschedule:
        """Apply Amazon's reported rate, in each bucket its share."""
        now, first = self._now(), buckets[0]
        before = self._state(first).rate(self._reduced(first), now)
        for bucket in buckets:
            self._state(bucket).update_rate(self._reduced(bucket), now, rate * bucket.share * self._share)
        return Reschedule(before / self._state(first).rate(self._reduced(first), now))

    async def on_throttled(self, bucket: Bucket, seconds: float) -> Reschedule:
        """Record a 429."""
        state, reduced, now = self._state(bucket), self._reduced(bucket), self._now()
        before = state.rate(reduced, now)
        shift = state.on_throttled(reduced, now, seconds)
        return Reschedule(before / state.rate(reduced, now), shift)

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return the present state of a bucket."""
        return self._state(bucket).state(self._reduced(bucket), self._now())

    def _reduce(self, bucket: Bucket) -> Bucket:
        return replace(bucket, rate=bucket.rate * self._share, burst=max(1, int(bucket.burst * self._share)))

    def _reduce_set(self, buckets: BucketSet) -> BucketSet:
        first = buckets.first_stage
        return BucketSet(
            self._reduced(buckets.primary),
            tuple(map(self._reduced, buckets.others)),
            None if first is None else self._reduced(first),
        )

    def _state(self, bucket: Bucket) -> GcraState:
        state = self._states.get(bucket.key)
        if state is None:
            state = GcraState()
            self._states.put(bucket.key, state)
        return state
