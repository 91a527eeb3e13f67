"""The shared cache on a real Redis, and its behaviour without one."""

import base64
import os
import secrets
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import Unavailable
from sellergate_common.redis_client import open_redis

RING = KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")
VALUE = SecretStr("Atza|value")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture
def prefix() -> str:
    return f"test{secrets.token_hex(4)}:"


@pytest.fixture
def cache(redis: Redis, prefix: str) -> SealedCache:
    return SealedCache(redis, RING, prefix, prefix + "changes")


async def test_a_value_is_returned_and_stored_sealed(redis: Redis, cache: SealedCache, prefix: str) -> None:
    key = prefix + "{a}"
    assert await cache.get(key) is None
    assert await cache.put(key, VALUE, 60)
    assert await cache.get(key) == VALUE
    assert "Atza" not in str(await redis.get(key))
    assert 59_000 < await redis.pttl(key) <= 60_000


async def test_a_value_moved_to_another_key_is_a_miss(redis: Redis, cache: SealedCache, prefix: str) -> None:
    await cache.put(prefix + "{a}", VALUE, 60)
    await redis.rename(prefix + "{a}", prefix + "{b}")
    assert await cache.get(prefix + "{b}") is None
    await redis.set(prefix + "{c}", "garbage")
    assert await cache.get(prefix + "{c}") is None


async def test_a_value_is_dropped_only_if_it_matches(cache: SealedCache, prefix: str) -> None:
    key = prefix + "{a}"
    await cache.put(key, VALUE, 60)
    assert not await cache.drop_if(key, lambda opened: opened != VALUE)
    assert await cache.get(key) == VALUE
    assert await cache.drop_if(key, lambda opened: opened == VALUE)
    assert await cache.get(key) is None


async def test_clearing_returns_the_count_and_publishes_the_change(
    redis: Redis, cache: SealedCache, prefix: str
) -> None:
    for name in "abc":
        await cache.put(f"{prefix}{{{name}}}", VALUE, 60)
    async with redis.pubsub() as listener:
        await listener.subscribe(prefix + "changes")
        assert await cache.count() == 3
        assert await cache.clear() == 3
        assert await cache.count() == 0
        published = None
        while published is None:
            published = await listener.get_message(ignore_subscribe_messages=True, timeout=2)
        assert published["data"] == "*"


async def test_without_redis_reads_miss_and_counts_are_unavailable(prefix: str) -> None:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as unreachable:
        cache = SealedCache(unreachable, RING, prefix, prefix + "changes")
        assert await cache.get(prefix + "{a}") is None
        assert not await cache.put(prefix + "{a}", VALUE, 60)
        assert not await cache.drop(prefix + "{a}")
        assert not await cache.add(prefix + "{a}", VALUE, 60)
        assert await cache.put_fenced(prefix + "{a}", VALUE, 60, prefix + "{a}:fence", 1) is None
        with pytest.raises(Unavailable):
            await cache.count()
        with pytest.raises(Unavailable):
            await cache.clear()


async def test_a_fenced_value_is_refused_after_a_takeover(redis: Redis, cache: SealedCache, prefix: str) -> None:
    key, fence = prefix + "{a}", prefix + "{a}:fence"
    newer = SecretStr("newer")
    assert await cache.put_fenced(key, VALUE, 60, fence, 5)  # a lost counter refuses no value
    await redis.set(fence, "7")
    assert await cache.put_fenced(key, newer, 60, fence, 7)
    assert await cache.put_fenced(key, VALUE, 60, fence, 6) is False
    assert await cache.get(key) == newer
    assert not await cache.add(key, VALUE, 60)
    assert await cache.get(key) == newer
    assert 0 < await redis.pttl(key) <= 60_000
