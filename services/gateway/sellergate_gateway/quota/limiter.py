"""Quota in the shared Redis; while Redis is gone, in this process at half the rate."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import QUOTA_MOVES
from sellergate_common.cache.ttl import Remembered
from sellergate_common.errors import QuotaExceeded
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.quota.batching import Strides
from sellergate_gateway.quota.gcra import Admitted, Moved
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import Bucket, BucketState, Passage
from sellergate_gateway.quota.redis import RedisBuckets
from sellergate_gateway.quota.waiters import Turns

FALLBACK_SHARE = 0.5
# After Redis did not answer, it is left alone for this long, so that not every call waits for its time-out.
LEAVE_ALONE_SECONDS = 1.0
TOLD_SECONDS, TOLD_BUCKETS = 60.0, 20_000
_Result = TypeVar("_Result")


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
    """Buckets of this process alone, at a share of the rate."""

    def __init__(self, share: float) -> None:
        self.turns = Turns()
        self._strides = Strides()
        self._local = MemoryBuckets(share)
        # Amazon tells the same rate with every answer.
        self._told: Remembered[float] = Remembered(TOLD_BUCKETS, time.monotonic, lambda: True)

    async def enter(self, buckets: Sequence[Bucket], longest: float) -> Passage:
        """Pass all buckets, first come first served."""
        await self._strides.step()
        waited, rest = 0.0, buckets
        while True:
            admitted = await self._admitted(rest, longest - waited)
            if admitted.wait > 0:
                waited += await self._waited(admitted, longest - waited)
            rest = admitted.rest
            if not rest:
                return Passage(waited, admitted.rate)

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


class SharedQuota(LocalQuota):
    """Buckets shared by all replicas, with those of this process to fall back on."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(FALLBACK_SHARE)
        self._redis = redis
        self._shared = RedisBuckets(redis)
        self._leave_alone_until = 0.0
        self._gone = False

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return await self._either(lambda home: home.state(bucket))

    async def _admitted(self, buckets: Sequence[Bucket], longest: float) -> Admitted:
        if time.monotonic() < self._leave_alone_until:
            return await self._local.admit(buckets, longest)
        try:
            admitted = await self._shared.admit(buckets, longest)
        except UNREACHABLE as error:
            self._leave_alone(error)
            return await self._local.admit(buckets, longest)
        if self._gone:
            self._gone = False
            get_logger().info("quota_shared")
        return admitted

    async def _left(self, admitted: Admitted) -> None:
        home: Home = self._shared if isinstance(admitted.taken[0], str) else self._local
        try:
            await home.leave(admitted)
        except UNREACHABLE as error:
            self._leave_alone(error)

    async def _learned(self, buckets: Sequence[Bucket], rate: float) -> None:
        await self._local.learn(buckets, rate)
        await self._either(lambda home: home.learn(buckets, rate))

    async def _throttled(self, bucket: Bucket, seconds: float) -> Moved:
        moved = await self._local.throttled(bucket, seconds)
        if not self._is_left_alone():
            try:
                return await self._shared.throttled(bucket, seconds)
            except UNREACHABLE as error:
                self._leave_alone(error)
        return moved

    async def _moved(self, keys: Sequence[str], moved: Moved) -> None:
        await super()._moved(keys, moved)
        if moved.factor != 1 or moved.shift:
            try:
                await self._redis.publish(QUOTA_MOVES, self.turns.message(keys, moved))
            except UNREACHABLE as error:
                self._leave_alone(error)

    async def _either(self, ask: Callable[[Home], Awaitable[_Result]]) -> _Result:
        """Ask the shared buckets, or while they are gone our own."""
        if not self._is_left_alone():
            try:
                return await ask(self._shared)
            except UNREACHABLE as error:
                self._leave_alone(error)
        return await ask(self._local)

    def _is_left_alone(self) -> bool:
        return time.monotonic() < self._leave_alone_until

    def _leave_alone(self, error: BaseException) -> None:
        self._leave_alone_until = time.monotonic() + LEAVE_ALONE_SECONDS
        if not self._gone:
            self._gone = True
            get_logger().warning("quota_local", cause=type(error).__name__, share=FALLBACK_SHARE)


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

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told."""
        await self._quota.learn(buckets, rate)

    async def throttled(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """Take note of a 429."""
        await self._quota.throttled(buckets, seconds)

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return await self._quota.state(bucket)
