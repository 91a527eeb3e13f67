"""A store of buckets with a fallback while it is unavailable."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.quota.ports import Bucket, BucketSet, BucketState, BucketStore, Reschedule, Reservation

# Seconds after a failure of Redis in which no call uses it, so that not every call waits for the time-out.
PAUSE_SECONDS = 1.0
_Result = TypeVar("_Result")


class FallbackStore:
    """The buckets in `primary`, or in `secondary` while the primary is unavailable.

    A reservation stays with the store that made it. `now` is monotonic.
    """

    def __init__(self, primary: BucketStore, secondary: BucketStore, now: Callable[[], float]) -> None:
        self._primary = primary
        self._secondary = secondary
        self._now = now
        self._paused_until = 0.0
        self._unavailable = False

    async def reserve(self, buckets: BucketSet, longest: float) -> Reservation:
        """Reserve a slot in every bucket. Raises QuotaExceeded."""
        if self._now() < self._paused_until:
            return await self._secondary.reserve(buckets, longest)
        try:
            reservation = await self._primary.reserve(buckets, longest)
        except UNREACHABLE as error:
            self._pause(error)
            return await self._secondary.reserve(buckets, longest)
        if self._unavailable:
            self._unavailable = False
            get_logger().info("quota_shared")
        return reservation

    async def update_rate(self, buckets: Sequence[Bucket], rate: float) -> Reschedule:
        """Apply Amazon's reported rate, in both stores."""
        own = await self._secondary.update_rate(buckets, rate)
        return await self._try(lambda: self._primary.update_rate(buckets, rate), own)

    async def on_throttled(self, bucket: Bucket, seconds: float) -> Reschedule:
        """Record a 429, in both stores."""
        own = await self._secondary.on_throttled(bucket, seconds)
        return await self._try(lambda: self._primary.on_throttled(bucket, seconds), own)

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return the present state of a bucket."""
        found = await self._try(lambda: self._primary.peek(bucket), None)
        return await self._secondary.peek(bucket) if found is None else found

    async def _try(self, run: Callable[[], Awaitable[_Result]], fallback: _Result) -> _Result:
        """Use the primary store, unless it was recently unavailable."""
        if self._now() < self._paused_until:
            return fallback
        try:
            return await run()
        except UNREACHABLE as error:
            self._pause(error)
            return fallback

    def _pause(self, error: BaseException) -> None:
        self._paused_until = self._now() + PAUSE_SECONDS
        if not self._unavailable:
            self._unavailable = True
            get_logger().warning("quota_local", cause=type(error).__name__)
