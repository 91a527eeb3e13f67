"""Announces changes of accounts on Redis, for the copies that other services hold."""

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_common.observability.logs import get_logger


class RedisChangePublisher:
    """Publishes account ids. When Redis does not respond, the copies still end after 5 s by themselves."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, account_id: str) -> None:
        """Announce that this account changed. Whatever goes wrong is logged: the change is stored already."""
        try:
            await self._redis.publish(ACCOUNT_CHANGES, account_id)
        except Exception as error:  # noqa: BLE001  (a connection reset while it is set up is a RuntimeError of uvloop)
            get_logger().warning("change_unannounced", cause=type(error).__name__)
