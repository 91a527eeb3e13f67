"""All uses of Redis by the services in one place: their behaviour during a failover, and whether they work after it."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_account.redis_change_publisher import RedisChangePublisher
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import Unavailable
from sellergate_common.flights.lease import acquire, hold_lease
from sellergate_common.redis_client import UNREACHABLE, open_redis
from sellergate_gateway.quota.limiter import RateLimiter
from sellergate_gateway.quota.ports import Bucket, BucketSet

from tests.fakes.gateway import shared_replica

RING = KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")
VALUE = SecretStr("Atza|value")
KEY = "world:{a}"
BUCKETS = BucketSet(Bucket("world:{a}:pair", 1000.0, 1000))
# A sentinel or the other primaries need a second to consider a primary unavailable, and some time to agree.
FAILOVER_SECONDS = 20.0


@dataclass
class World:
    """A process that uses Redis, and another that publishes changes."""

    redis: Redis
    publisher: RedisChangePublisher
    changes: InvalidationFeed
    copies: TtlCache[str]
    cache: SealedCache
    quota: RateLimiter
    misses: int = 0
    longest: float = 0.0

    async def turn(self) -> bool:
        """Put, get and admit once; return whether the cache worked. Raises nothing."""
        began = time.monotonic()
        works = await self.cache.put(KEY, VALUE, 60) and await self.cache.get(KEY) == VALUE
        await self.quota.acquire(BUCKETS, 10)
        self.longest = max(self.longest, time.monotonic() - began)
        self.misses += not works
        return works

    async def whole(self) -> bool:
        """Return whether everything works: entries, a lease, counting, the probe, and changes from another process."""
        try:
            lease = await acquire(self.redis, KEY)
            if lease is None:
                return False
            async with hold_lease(self.redis, KEY, lease, "world:done"):
                if await self.cache.count() < 1 or not await self.redis.ping():
                    return False
        except (Unavailable, *UNREACHABLE):
            return False
        self.copies.put("a", "of a", 60)
        await self.publisher.publish("a")
        await asyncio.sleep(0.1)
        return self.changes.connected and self.copies.get("a") is None

    async def outlives(self) -> None:
        """Continue until there was a miss and everything works again."""
        async with asyncio.timeout(FAILOVER_SECONDS):
            while not await self.turn() or not self.misses or not await self.whole():  # noqa: ASYNC110  (nothing announces it)
                await asyncio.sleep(0.1)


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    """Open a world in which everything works."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(SecretStr(url)))
        other = await stack.enter_async_context(open_redis(SecretStr(url)))
        changes = InvalidationFeed(redis)
        copies: TtlCache[str] = TtlCache(10, time.monotonic, lambda: changes.connected)
        await stack.enter_async_context(changes.subscribe({ACCOUNT_CHANGES: (copies,)}))
        cache = SealedCache(redis, RING, "world:", "world:changes")
        opened = World(redis, RedisChangePublisher(other), changes, copies, cache, shared_replica(redis).limiter)
        async with asyncio.timeout(5):
            while not (await opened.turn() and await opened.whole()):  # noqa: ASYNC110  (likewise)
                await asyncio.sleep(0.05)
        opened.misses, opened.longest = 0, 0.0
        yield opened
