"""Quota of this process, and quota in shadow mode."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sellergate_common.cache.ttl import Remembered
from sellergate_common.errors import QuotaExceeded

from sellergate_gateway.quota.batching import Strides
from sellergate_gateway.quota.gcra import Admitted, Moved
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import Bucket, BucketState, Passage
from sellergate_gateway.quota.waiters import Turns

TOLD_SECONDS, TOLD_BUCKETS = 60.0, 20_000


class Home(Protocol):
    """Where buckets are."""

    async def admit(self, buckets: Sequence[Bucket], longest: float) -> Admitted:
        """Take one slot in every bucket. Raises QuotaExceeded."""

    async def leave(self, admitted: Admitted) -> None:
        """Give back what is the newest."""

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""

    async def throttled(self, bucket: Bucket, seconds: float) -> Moved:
        """Take note of a 429."""

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""


class LocalQuota:
    """Buckets of this process alone, at a share of the rate. `now` is monotonic; `replica` is this process's own id."""

    def __init__(self, share: float, now: Callable[[], float], replica: str) -> None:
        self.turns = Turns(now, replica)
        self._strides = Strides()
        self._local = MemoryBuckets(share, now)
        # Amazon tells the same rate with every answer.
        self._told: Remembered[float] = Remembered(TOLD_BUCKETS, now, lambda: True)

    async def enter(self, buckets: Sequence[Bucket], longest: float) -> Passage:
        """Pass all buckets, first come first served."""
        await self._strides.step()
        waited, rest, slots = 0.0, buckets, tuple[Admitted, ...]()
        while True:
            admitted = await self._admitted(rest, longest - waited)
            if admitted.wait > 0:
                waited += await self._waited(admitted, longest - waited)
            rest, slots = admitted.rest, (*slots, admitted)
            if not rest:
                return Passage(waited, admitted.rate, slots)

    async def leave(self, passage: Passage) -> None:
        """Give back the slots of a call that passed and is not made, where they are the newest."""
        for admitted in reversed(passage.slots):
            await self._left(admitted)

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        learning = [bucket for bucket in buckets if bucket.learns]
        if learning and self._told.get(learning[0].key) != rate:
            self._told.put(learning[0].key, rate, TOLD_SECONDS)
            before = (await self.state(learning[0])).rate
            await self._learned(learning, rate)
            after = (await self.state(learning[0])).rate
            await self._moved([bucket.key for bucket in learning], Moved(before / after, 0.0))

    async def throttled(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """Take note of a 429."""
        moved = await self._throttled(buckets[0], seconds)
        await self._moved([buckets[0].key], moved)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return await self._local.state(bucket)

    async def _waited(self, admitted: Admitted, longest: float) -> float:
        try:
            return await self.turns.wait(admitted.buckets[0].key, admitted.wait, longest)
        except BaseException:
            await self._left(admitted)
            raise

    async def _admitted(self, buckets: Sequence[Bucket], longest: float) -> Admitted:
        return await self._local.admit(buckets, longest)

    async def _left(self, admitted: Admitted) -> None:
        await self._local.leave(admitted)

    async def _learned(self, buckets: Sequence[Bucket], rate: float) -> None:
        await self._local.learn(buckets, rate)

    async def _throttled(self, bucket: Bucket, seconds: float) -> Moved:
        return await self._local.throttled(bucket, seconds)

    async def _moved(self, keys: Sequence[str], moved: Moved) -> None:
        self.turns.move(keys, moved)


class ShadowQuota:
    """Counts as another quota does and makes nobody wait: to see what it would do before it does it."""

    def __init__(self, quota: LocalQuota, told: Callable[[float], None]) -> None:
        self._quota = quota
        self._told = told

    async def enter(self, buckets: Sequence[Bucket], longest: float) -> Passage:  # noqa: ARG002  (the port has it)
        """Take a slot where there is one; tell what wait there would have been."""
        try:
            return await self._quota.enter(buckets, 0.0)
        except QuotaExceeded as error:
            self._told(error.retry_after or 0.0)
            return Passage(0.0, (await self._quota.state(buckets[0])).rate)

    async def leave(self, passage: Passage) -> None:
        """Give back the slots of a call that passed and is not made, where they are the newest."""
        await self._quota.leave(passage)

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        await self._quota.learn(buckets, rate)

    async def throttled(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """Take note of a 429."""
        await self._quota.throttled(buckets, seconds)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return await self._quota.state(bucket)
