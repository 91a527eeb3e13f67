"""Sellergate's use of Redis works the same on one server, a set under Sentinel and a Cluster."""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_account.redis_change_publisher import RedisChangePublisher
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import ACCOUNT_CHANGES, TOKEN_CHANGES, TOKEN_PREFIX
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.stored import Stored
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import QuotaExceeded
from sellergate_common.flights.lease import LeaseNotifier, acquire, hold_lease, lease_keys
from sellergate_common.flights.single_flight import SingleFlight
from sellergate_common.redis_client import open_redis
from sellergate_gateway.quota.ports import Bucket, BucketSet
from structlog.testing import capture_logs

from tests.fakes.gateway import shared_replica
from tests.integration import redis_sets
from tests.integration.redis_sets import Set

RING = KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")
VALUE = SecretStr("Atza|value")


@pytest.fixture(scope="module", params=["single", "sentinel", "cluster"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    with getattr(redis_sets, request.param)(tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
async def redis(servers: Set) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(servers.url)) as opened:
        yield opened


@pytest.fixture
def prefix() -> str:
    return f"test{secrets.token_hex(4)}:"


@pytest.fixture
def cache(redis: Redis, prefix: str) -> SealedCache:
    return SealedCache(redis, RING, prefix, prefix + "changes")


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (the condition has no event)
            await asyncio.sleep(0.01)


def memory(changes: InvalidationFeed) -> TtlCache[str]:
    return TtlCache(10, time.monotonic, lambda: changes.connected)


async def test_entries_on_every_node_are_found_counted_and_cleared(cache: SealedCache, prefix: str) -> None:
    keys = [f"{prefix}{{{number}}}" for number in range(40)]
    assert all([await cache.put(key, VALUE, 60) for key in keys])
    assert [await cache.get(key) for key in keys] == [VALUE] * 40
    assert not await cache.drop_if(keys[0], lambda opened: opened != VALUE)
    assert await cache.drop_if(keys[0], lambda opened: opened == VALUE)
    assert await cache.drop(keys[1])
    assert await cache.count() == 38
    assert await cache.clear() == 38
    assert await cache.count() == 0


async def test_a_lease_is_held_and_its_release_is_received(redis: Redis, servers: Set, prefix: str) -> None:
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(open_redis(SecretStr(servers.url)))
        changes = InvalidationFeed(other)
        releases = LeaseNotifier(other, changes, time.monotonic)
        await stack.enter_async_context(changes.subscribe({prefix + "done": (releases,)}))
        await until(lambda: changes.connected)
        for number in range(5):
            key = f"{prefix}{{{number}}}"
            lease = await acquire(redis, key)
            assert lease
            assert await acquire(other, key) is None
            waiting = asyncio.create_task(releases.wait(key, 40))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            async with hold_lease(redis, key, lease, prefix + "done"):
                pass
            await waiting
            assert time.monotonic() - began < 30
            again = await acquire(other, key)
            assert again
            assert again.fence > lease.fence


@dataclass
class Slow:
    """A value that takes a while to fetch."""

    cache: SealedCache
    key: str
    fetches: list[int | None]

    async def look_up(self, stored: Stored | None = None) -> SecretStr | None:
        return await self.cache.get(self.key)

    async def fetch(self, fence: int | None) -> SecretStr:
        self.fetches.append(fence)
        await asyncio.sleep(0.2)
        assert fence is not None
        assert await self.cache.put_fenced(self.key, VALUE, 60, lease_keys(self.key)[1], fence)
        return VALUE


async def test_replicas_share_one_fetch(servers: Set, prefix: str) -> None:
    key, fetches = prefix + "{a}", list[int | None]()

    async def replica(redis: Redis) -> SecretStr:
        cache = SealedCache(redis, RING, prefix, prefix + "changes")
        flight = SingleFlight[SecretStr](
            redis, LeaseNotifier(redis, InvalidationFeed(redis), time.monotonic), prefix + "done"
        )
        return await flight.get(key, Slow(cache, key, fetches))

    async with open_redis(SecretStr(servers.url)) as one, open_redis(SecretStr(servers.url)) as other:
        found = await asyncio.gather(*(replica(redis) for redis in (one, other) for _ in range(5)))
    assert set(found) == {VALUE}
    assert len(fetches) == 1


async def test_quota_is_one_for_all_replicas(servers: Set, redis: Redis, prefix: str) -> None:
    async with open_redis(SecretStr(servers.url)) as second:
        one, other = shared_replica(redis).limiter, shared_replica(second).limiter
        for number in range(5):
            pair = Bucket(f"{prefix}{{{number}}}:pair", 0.1, 2, learns=True)
            batch = Bucket(f"{prefix}{{{number}}}:pair:batch", 0.08, 2, 0.8, learns=True)
            buckets = BucketSet(pair, (), batch)
            with capture_logs() as logs:
                await one.acquire(buckets, 0)
                await other.acquire(buckets, 0)
                with pytest.raises(QuotaExceeded):
                    await one.acquire(buckets, 0)
                await one.update_rate(buckets, 10.0)
                assert (await other.peek(pair)).rate == pytest.approx(10.0)
                await one.on_throttled(buckets, 20.0)
                assert (await other.peek(pair)).remaining == 0
            assert not logs


async def test_changes_are_received_wherever_they_are_published(servers: Set, redis: Redis) -> None:
    changes = InvalidationFeed(redis)
    accounts, tokens = memory(changes), memory(changes)
    async with (
        open_redis(SecretStr(servers.url)) as other,
        changes.subscribe({ACCOUNT_CHANGES: (accounts, tokens), TOKEN_CHANGES: (tokens,)}),
    ):
        await until(lambda: changes.connected)
        for _ in range(5):
            for each in (accounts, tokens):
                each.put("a", "of a", 60)
            await SealedCache(other, RING, TOKEN_PREFIX, TOKEN_CHANGES).announce("a")
            await until(lambda: tokens.get("a") is None, 1)
            assert accounts.get("a") == "of a"
            await RedisChangePublisher(other).publish("a")
            await until(lambda: accounts.get("a") is None, 1)


async def test_connections_are_pinged(redis: Redis) -> None:
    assert await redis.ping()
