"""Leases on a real Redis: one owner, renewed while the owner works, released at its end, and announced to waiters."""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.stored import NOTHING, failure_key
from sellergate_common.flights.lease import LeaseNotifier, acquire, hold_lease, lease_keys
from sellergate_common.redis_client import open_redis

CHANNEL = "test:done"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture
def prefix() -> str:
    return f"test{secrets.token_hex(4)}:"


async def test_a_lease_has_one_owner_and_a_growing_number(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    first = await acquire(redis, key)
    assert first
    assert await acquire(redis, key) is None
    async with hold_lease(redis, key, first, CHANNEL):
        assert await acquire(redis, key) is None
    second = await acquire(redis, key)
    assert second
    assert second.fence > first.fence
    await redis.delete(*lease_keys(key))
    third = await acquire(redis, key)
    assert third
    assert third.fence > second.fence  # also when the counter is lost


async def test_a_new_lease_reports_what_is_stored(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    first = await acquire(redis, key)
    assert first
    assert first.stored == NOTHING
    await redis.delete(first.name)
    await redis.set(key, "entry", px=60_000)
    await redis.set(failure_key(key), "failure", px=60_000)
    second = await acquire(redis, key)
    assert second
    assert (second.stored.entry, second.stored.failure) == ("entry", "failure")
    assert 30 < second.stored.left <= 60


async def test_a_lease_is_renewed_while_it_is_held_and_ends_with_its_owner(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    lease = await acquire(redis, key, 0.3)
    assert lease
    async with hold_lease(redis, key, lease, CHANNEL, 0.3):
        await asyncio.sleep(0.7)
        assert await acquire(redis, key, 0.3) is None
    dead = await acquire(redis, key, 0.2)
    assert dead
    await LeaseNotifier(redis, InvalidationFeed(redis), time.monotonic).wait(key, 5)
    assert await acquire(redis, key)


async def test_only_its_owner_releases_a_lease(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    paused = await acquire(redis, key, 0.1)
    assert paused
    await asyncio.sleep(0.15)
    successor = await acquire(redis, key, 10)
    assert successor
    async with hold_lease(redis, key, paused, CHANNEL, 10):
        pass
    assert await redis.get(lease_keys(key)[0]) == successor.owner


@pytest.mark.parametrize(("subscribed", "seconds"), [(True, 0.3), (False, 0.6)])
async def test_waiters_are_woken_by_the_release(redis: Redis, prefix: str, subscribed: bool, seconds: float) -> None:
    key = prefix + "{a}"
    lease = await acquire(redis, key)
    assert lease
    changes = InvalidationFeed(redis)
    releases = LeaseNotifier(redis, changes, time.monotonic)
    loop = asyncio.get_running_loop()

    async def waited() -> float:
        await releases.wait(key, 8)
        return loop.time()

    async with changes.subscribe({CHANNEL if subscribed else "elsewhere": (releases,)}):
        waiters = [asyncio.create_task(waited()) for _ in range(3)]
        await asyncio.sleep(0.2)
        changes.received.until = math.inf if subscribed else -math.inf
        async with hold_lease(redis, key, lease, CHANNEL):
            pass
        released = loop.time()
        assert max(await asyncio.gather(*waiters)) - released < seconds


async def test_a_lease_without_an_owner_is_not_waited_for(redis: Redis, prefix: str) -> None:
    async with asyncio.timeout(1):
        await LeaseNotifier(redis, InvalidationFeed(redis), time.monotonic).wait(prefix + "{a}", 30)
