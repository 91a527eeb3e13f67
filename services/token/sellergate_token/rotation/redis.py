"""The record of accepted webhook messages in the shared Redis."""

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import HOOK_PREFIX
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

# A signature is valid from 300 s before its time until 300 s after it.
REMEMBERED_SECONDS = 900


class RedisSeen:
    """Messages by their digest."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(self, digest: str) -> bool:
        """Record a message. Return False if it was recorded before."""
        try:
            return bool(await self._redis.set(HOOK_PREFIX + digest, "1", nx=True, ex=REMEMBERED_SECONDS))
        except UNREACHABLE as error:
            raise Unavailable(
                "Redis does not respond, so that it is unknown whether the message is new; send it again.",
                retry_after=1.0,
            ) from error

    async def release(self, digest: str) -> None:
        """Delete the record of a message. If Redis does not respond, the record stays, and the sender must sign again."""
        try:
            await self._redis.delete(HOOK_PREFIX + digest)
        except UNREACHABLE as error:
            get_logger().warning("redis_unreachable", action="release", cause=type(error).__name__)
