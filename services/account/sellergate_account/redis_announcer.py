"""Announces changes of accounts on Redis, for the copies that other services hold."""

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE


class RedisAnnouncer:
    """Publishes account ids. When Redis does not answer, the copies still end after 5 s by themselves."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def changed(self, account_id: str) -> None:
        """Announce that this account changed."""
        try:
            await self._redis.publish(ACCOUNT_CHANGES, account_id)
        except UNREACHABLE as error:
            get_logger().warning("change_unannounced", cause=type(error).__name__)
