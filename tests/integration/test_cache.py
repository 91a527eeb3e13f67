"""The shared cache, leases and single flight, on a real Redis; and what is left of them without one."""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import SealedCache, open_redis
from sellergate_common.context import CallContext, serving
from sellergate_common.errors import OutOfTime, Unavailable
from sellergate_common.flight import SingleFlight
from sellergate_common.lease import acquire, held, lease_keys, wait_released
from sellergate_common.sealing import KeyRing

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


async def test_a_value_comes_back_and_lies_sealed(redis: Redis, cache: SealedCache, prefix: str) -> None:
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


async def test_dropping_compares(cache: SealedCache, prefix: str) -> None:
    key = prefix + "{a}"
    await cache.put(key, VALUE, 60)
    assert not await cache.drop_if(key, lambda opened: opened != VALUE)
    assert await cache.get(key) == VALUE
    assert await cache.drop_if(key, lambda opened: opened == VALUE)
    assert await cache.get(key) is None


async def test_clearing_counts_and_tells(redis: Redis, cache: SealedCache, prefix: str) -> None:
    for name in "abc":
        await cache.put(f"{prefix}{{{name}}}", VALUE, 60)
    async with redis.pubsub() as listener:
        await listener.subscribe(prefix + "changes")
        assert await cache.count() == 3
        assert await cache.clear() == 3
        assert await cache.count() == 0
        heard = None
        while heard is None:
            heard = await listener.get_message(ignore_subscribe_messages=True, timeout=2)
        assert heard["data"] == "*"


async def test_without_redis_there_are_misses_and_no_errors_but_no_counts_either(prefix: str) -> None:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as gone:
        cache = SealedCache(gone, RING, prefix, prefix + "changes")
        assert await cache.get(prefix + "{a}") is None
        assert not await cache.put(prefix + "{a}", VALUE, 60)
        assert not await cache.drop(prefix + "{a}")
        with pytest.raises(Unavailable):
            await cache.count()
        with pytest.raises(Unavailable):
            await cache.clear()


async def test_a_lease_has_one_owner_and_a_growing_number(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    first = await acquire(redis, key)
    assert first
    assert await acquire(redis, key) is None
    async with held(redis, key, first):
        assert await acquire(redis, key) is None
    second = await acquire(redis, key)
    assert second
    assert second.fence > first.fence


async def test_a_lease_is_renewed_while_it_is_held_and_ends_with_its_owner(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    lease = await acquire(redis, key, 0.3)
    assert lease
    async with held(redis, key, lease, 0.3):
        await asyncio.sleep(0.7)
        assert await acquire(redis, key, 0.3) is None
    dead = await acquire(redis, key, 0.2)
    assert dead
    await wait_released(redis, key, 5)
    assert await acquire(redis, key)


async def test_only_its_owner_gives_a_lease_back(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    paused = await acquire(redis, key, 0.1)
    assert paused
    await asyncio.sleep(0.15)
    successor = await acquire(redis, key, 10)
    assert successor
    async with held(redis, key, paused, 10):
        pass
    assert await redis.get(lease_keys(key)[0]) == successor.owner


async def test_waiters_are_woken_by_the_release(redis: Redis, prefix: str) -> None:
    key = prefix + "{a}"
    lease = await acquire(redis, key)
    assert lease
    loop = asyncio.get_running_loop()

    async def waited() -> float:
        await wait_released(redis, key, 8)
        return loop.time()

    waiters = [asyncio.create_task(waited()) for _ in range(3)]
    await asyncio.sleep(0.2)
    async with held(redis, key, lease):
        pass
    released = loop.time()
    assert max(await asyncio.gather(*waiters)) - released < 1.0


async def test_one_of_many_replicas_fetches(redis_url: str, prefix: str) -> None:
    key, fetches = prefix + "{a}", 0

    async def replica(cache: SealedCache, flight: SingleFlight[SecretStr]) -> SecretStr:
        async def fetch() -> SecretStr:
            nonlocal fetches
            fetches += 1
            await asyncio.sleep(0.3)
            await cache.put(key, VALUE, 60)
            return VALUE

        return await flight.get(key, lambda: cache.get(key), fetch)

    async with open_redis(SecretStr(redis_url)) as first, open_redis(SecretStr(redis_url)) as second:
        replicas = [(SealedCache(one, RING, prefix, "x"), SingleFlight[SecretStr](one)) for one in (first, second)]
        found = await asyncio.gather(*(replica(*one) for one in replicas for _ in range(20)))
    assert set(found) == {VALUE}
    assert fetches == 1


async def test_a_failed_fetch_fails_for_those_who_wait_and_is_tried_anew_after(redis: Redis, prefix: str) -> None:
    flight, fetches = SingleFlight[SecretStr](redis), 0

    async def fails() -> SecretStr:
        nonlocal fetches
        fetches += 1
        await asyncio.sleep(0.05)
        raise Unavailable("LWA is down")

    async def nothing() -> SecretStr | None:
        return None

    calls = (flight.get(prefix + "{a}", nothing, fails) for _ in range(10))
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(failure, Unavailable) for failure in failures)
    assert fetches == 1
    with pytest.raises(Unavailable):
        await flight.get(prefix + "{a}", nothing, fails)
    assert fetches == 2
    assert flight.counts.failed == 2


async def test_without_redis_a_process_is_on_its_own(prefix: str) -> None:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as gone:
        flight, fetches = SingleFlight[SecretStr](gone), 0

        async def fetch() -> SecretStr:
            nonlocal fetches
            fetches += 1
            await asyncio.sleep(0.05)
            return VALUE

        async def nothing() -> SecretStr | None:
            return None

        found = await asyncio.gather(*(flight.get(prefix, nothing, fetch) for _ in range(10)))
    assert set(found) == {VALUE}
    assert fetches == 1


async def test_a_caller_without_time_leaves_and_the_fetch_goes_on(redis: Redis, prefix: str) -> None:
    flight, done = SingleFlight[SecretStr](redis), asyncio.Event()

    async def fetch() -> SecretStr:
        await asyncio.sleep(0.3)
        done.set()
        return VALUE

    async def nothing() -> SecretStr | None:
        return None

    with serving(CallContext("test", "1", deadline=time.monotonic() + 0.1)), pytest.raises(OutOfTime):
        await flight.get(prefix + "{a}", nothing, fetch)
    await asyncio.wait_for(done.wait(), 2)
