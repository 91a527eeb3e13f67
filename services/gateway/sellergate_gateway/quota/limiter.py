"""The reservation of slots in the buckets of a call, and the wait for them. `buckets.py` determines the buckets."""

from collections.abc import Callable

from sellergate_common.cache.lru import TtlCache
from sellergate_common.errors import QuotaExceeded

from sellergate_gateway.quota.corrections import Corrections
from sellergate_gateway.quota.ports import (
    Admission,
    Bucket,
    BucketSet,
    BucketState,
    BucketStore,
    Limiter,
    Reservation,
)
from sellergate_gateway.quota.waiters import WaitQueue

# Amazon reports the same rate with every response. It is stored again after these seconds, in case the store has lost it.
RATE_SECONDS, RATES = 1.0, 20_000


class RateLimiter:
    """Quota kept in a store. `now` is monotonic."""

    def __init__(
        self, store: BucketStore, waiters: WaitQueue, corrections: Corrections, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._waiters = waiters
        self._corrections = corrections
        self._now = now
        self._written: TtlCache[float] = TtlCache(RATES, now, lambda: True)

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        """Pass all buckets in order of arrival, after a wait of at most `longest` seconds. Raises QuotaExceeded."""
        waited, reserved = 0.0, tuple[Reservation, ...]()
        try:
            while True:
                reservation = await self._store.reserve(buckets, longest - waited)
                reserved = (*reserved, reservation)
                if reservation.wait > 0:
                    waited += await self._waiters.wait(reservation.slots, longest - waited)
                if reservation.remaining is None:
                    return Admission(waited, reservation.rate, reserved, self._now())
                buckets = reservation.remaining
        except BaseException:
            self._corrections.cancel(reserved)
            raise

    def cancel(self, admission: Admission) -> None:
        """Cancel the slots of a call that is not made, so that later callers move forward. Never raises."""
        self._corrections.cancel(admission.reservations)

    def on_sent(self, admission: Admission) -> None:
        """Record that a call is sent now. Never raises."""
        self._corrections.delay(admission.reservations, self._now() - admission.admitted_at)

    async def update_rate(self, buckets: BucketSet, rate: float) -> None:
        """Apply Amazon's reported rate, and reschedule waiting callers."""
        learning = [bucket for bucket in buckets.all if bucket.learns]
        if learning and self._written.get(learning[0].key) != rate:
            self._written.put(learning[0].key, rate, RATE_SECONDS)
            change = await self._store.update_rate(learning, rate)
            await self._corrections.announce([bucket.key for bucket in learning], change)

    async def on_throttled(self, buckets: BucketSet, seconds: float) -> None:
        """Record a 429, and reschedule waiting callers."""
        change = await self._store.on_throttled(buckets.primary, seconds)
        await self._corrections.announce([buckets.primary.key], change)

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return the present state of a bucket."""
        return await self._store.peek(bucket)


class WrappedLimiter:
    """Another limiter, of which a subclass changes only how calls acquire their slots."""

    def __init__(self, inner: Limiter) -> None:
        self._inner = inner
        self.cancel = inner.cancel
        self.on_sent = inner.on_sent
        self.update_rate = inner.update_rate
        self.on_throttled = inner.on_throttled
        self.peek = inner.peek


class ShadowLimiter(WrappedLimiter):
    """Shadow mode: evaluates another limiter without delaying a call.

    `record_wait` receives each wait that would have been imposed, in seconds.
    """

    def __init__(self, inner: Limiter, record_wait: Callable[[float], None]) -> None:
        super().__init__(inner)
        self._record_wait = record_wait

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:  # noqa: ARG002  (the port has it)
        """Reserve the slots that are free now. Otherwise record the wait that would have been imposed."""
        try:
            return await self._inner.acquire(buckets, 0.0)
        except QuotaExceeded as error:
            self._record_wait(error.retry_after or 0.0)
            return Admission(0.0, (await self._inner.peek(buckets.primary)).rate)
