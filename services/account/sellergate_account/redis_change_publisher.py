"""The publication of account changes on Redis, for the copies that other services hold."""

from redis.asyncio import Redis
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_common.observability.logs import get_logger


class RedisChangePublisher:
    """The publisher of changed accounts' ids. Without Redis, the copies of other services expire after 5 s."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, account_id: str) -> None:
        """Publish that this account changed. A failure is only logged, since the change is stored already."""
        try:
            await self._redis.publish(ACCOUNT_CHANGES, account_id)
        except Exception as error:  # noqa: BLE001  (a connection reset while it is set up is a RuntimeError of uvloop)
            get_logger().warning("change_unannounced", cause=type(error).__name__)
