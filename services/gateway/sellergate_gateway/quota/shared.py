"""Quota in the shared Redis; while Redis is unavailable, in this process at half the rate."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import QUOTA_MOVES
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

from sellergate_gateway.quota.gcra import Admitted, Moved
from sellergate_gateway.quota.limiter import Home, LocalQuota
from sellergate_gateway.quota.ports import Bucket, BucketState
from sellergate_gateway.quota.redis import RedisBuckets

FALLBACK_SHARE = 0.5
# After Redis did not answer, it is left alone for this long, so that not every call waits for its time-out.
LEAVE_ALONE_SECONDS = 1.0
_Result = TypeVar("_Result")


class SharedQuota(LocalQuota):
    """Buckets shared by all replicas, with those of this process to fall back on."""

    def __init__(self, redis: Redis, now: Callable[[], float], replica: str) -> None:
        super().__init__(FALLBACK_SHARE, now, replica)
        self._now = now
        self._redis = redis
        self._shared = RedisBuckets(redis)
        self._leave_alone_until = 0.0
        self._gone = False

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
        return await self._either(lambda home: home.state(bucket))

    async def _admitted(self, buckets: Sequence[Bucket], longest: float) -> Admitted:
        if self._now() < self._leave_alone_until:
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
        return self._now() < self._leave_alone_until

    def _leave_alone(self, error: BaseException) -> None:
        self._leave_alone_until = self._now() + LEAVE_ALONE_SECONDS
        if not self._gone:
            self._gone = True
            get_logger().warning("quota_local", cause=type(error).__name__, share=FALLBACK_SHARE)
