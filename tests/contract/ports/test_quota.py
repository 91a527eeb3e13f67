"""Quota: every store of buckets follows one contract."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import QUOTA_MOVES
from sellergate_common.errors import QuotaExceeded, Reason
from sellergate_common.redis_client import open_redis
from sellergate_devstack.servers.redis import running_redis
from sellergate_gateway.quota import fallback as subject
from sellergate_gateway.quota.limiter import RateLimiter, ShadowLimiter
from sellergate_gateway.quota.ports import Bucket, BucketSet, RateSource
from sellergate_gateway.quota.redis import RedisBuckets
from structlog.testing import capture_logs

from tests.fakes.gateway import FALLBACK_SHARE, Replica, local_replica, shared_replica

_NUMBERS = itertools.count()
# The most seconds between a reading of the clock here and the script's own.
SLACK = 0.25


def fresh(rate: float, burst: int, share: float = 1.0) -> Bucket:
    return Bucket(f"quota:{{test}}:{next(_NUMBERS)}", rate, burst, share, learns=True)


def alone(rate: float, burst: int) -> BucketSet:
    return BucketSet(fresh(rate, burst))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as opened:
        yield opened


@pytest.fixture(params=["shared", "fallback", "local"])
def quota(request: pytest.FixtureRequest, redis: Redis, nowhere: Redis) -> RateLimiter:
    if request.param == "local":
        return local_replica(time.monotonic).limiter
    return shared_replica(redis if request.param == "shared" else nowhere).limiter


@pytest.fixture
def factor(request: pytest.FixtureRequest, quota: RateLimiter) -> float:
    """The share of a rate that this store allows."""
    return FALLBACK_SHARE if "fallback" in request.node.name else 1.0


async def next_wait(quota: RateLimiter, buckets: BucketSet) -> float:
    """Return the wait of the next call, without a reservation."""
    with pytest.raises(QuotaExceeded) as caught:
        await quota.acquire(buckets, 0.0)
    assert caught.value.reason is Reason.LOCAL_QUOTA_EXCEEDED
    assert caught.value.retry_after is not None
    return caught.value.retry_after


async def queue(quota: RateLimiter, buckets: BucketSet, count: int) -> list[asyncio.Task[Any]]:
    """Start a number of waiting callers, one behind the other."""
    waiting = list[asyncio.Task[Any]]()
    for _ in range(count):
        waiting.append(asyncio.create_task(quota.acquire(buckets, 1e6)))
        await asyncio.sleep(0.02)
    return waiting


async def end(waiting: Sequence[asyncio.Task[Any]]) -> None:
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def wait_becomes(quota: RateLimiter, buckets: BucketSet, seconds: float) -> None:
    """Wait until the next call's wait reaches a value."""
    async with asyncio.timeout(20):
        while abs(await next_wait(quota, buckets) - seconds) > 1.0:  # noqa: ASYNC110  (the store of another task)
            await asyncio.sleep(0.02)


async def test_the_burst_is_sent_at_once_and_the_rest_at_the_rate(quota: RateLimiter, factor: float) -> None:
    buckets = alone(0.1, 8)
    for _ in range(int(8 * factor)):
        assert (await quota.acquire(buckets, 0.0)).waited == 0
    assert await next_wait(quota, buckets) == pytest.approx(10 / factor, abs=SLACK)
    waiting = await queue(quota, buckets, 2)
    assert await next_wait(quota, buckets) == pytest.approx(30 / factor, abs=1.0), "reserved, in order"
    await end(waiting)


async def test_a_caller_waits_for_its_slot(quota: RateLimiter, factor: float) -> None:
    buckets = alone(5.0, 2)
    for _ in range(int(2 * factor)):
        await quota.acquire(buckets, 5.0)
    started = time.monotonic()
    admission = await quota.acquire(buckets, 5.0)
    assert time.monotonic() - started >= 0.2 / factor - 0.01
    assert admission.waited == pytest.approx(0.2 / factor, abs=SLACK)
    assert admission.rate == pytest.approx(5.0)


async def test_a_refusal_reserves_nothing(quota: RateLimiter) -> None:
    buckets = alone(0.1, 1)
    await quota.acquire(buckets, 0)
    waited = [await next_wait(quota, buckets) for _ in range(3)]
    assert waited == [pytest.approx(waited[0], abs=SLACK)] * 3


async def test_a_call_reserves_in_all_buckets_or_none(quota: RateLimiter, factor: float) -> None:
    large, small = fresh(0.1, 8), fresh(0.05, 1)
    buckets = BucketSet(large, (small,))
    await quota.acquire(buckets, 0)
    await next_wait(quota, buckets)
    assert (await quota.peek(large)).remaining == int(8 * factor) - 1


async def test_slots_of_any_cancelled_caller_are_returned(quota: RateLimiter, factor: float) -> None:
    buckets = alone(0.1, 1)
    await quota.acquire(buckets, 0)
    first, second, third = await queue(quota, buckets, 3)
    await wait_becomes(quota, buckets, 40 / factor)
    await end([first])
    await wait_becomes(quota, buckets, 30 / factor)
    await end([third])
    await wait_becomes(quota, buckets, 20 / factor)
    await end([second])
    await wait_becomes(quota, buckets, 10 / factor)


async def test_a_caller_is_served_sooner_when_an_earlier_one_is_cancelled(quota: RateLimiter) -> None:
    buckets = alone(1.0, 1)
    await quota.acquire(buckets, 0)
    waiting = await queue(quota, buckets, 60)
    await end(waiting[:-1])
    async with asyncio.timeout(20):
        await waiting[-1]


async def test_a_caller_at_another_replica_is_served_sooner_too(redis: Redis, redis_url: str) -> None:
    buckets = alone(1.0, 1)
    async with open_redis(SecretStr(redis_url)) as second, listening_replica(second) as other:
        one = shared_replica(redis).limiter
        await one.acquire(buckets, 0)
        before = await queue(one, buckets, 60)
        (last,) = await queue(other.limiter, buckets, 1)
        await end(before)
        async with asyncio.timeout(20):
            await last


async def test_an_admitted_call_that_is_not_made_returns_its_slot(quota: RateLimiter) -> None:
    buckets = alone(0.1, 4)
    first, second = await quota.acquire(buckets, 0.0), await quota.acquire(buckets, 0.0)
    quota.cancel(first)
    quota.cancel(second)
    async with asyncio.timeout(20):
        while (await quota.peek(buckets.primary)).reset > 0.01:  # noqa: ASYNC110  (the store of another task)
            await asyncio.sleep(0.01)


async def test_a_call_that_was_sent_late_keeps_the_next_one_at_a_distance(quota: RateLimiter, factor: float) -> None:
    buckets = alone(0.1, 1)
    admission = await quota.acquire(buckets, 0)
    admission.admitted_at -= 3.0
    quota.on_sent(admission)
    await wait_becomes(quota, buckets, 10 / factor + 3.0)


async def test_background_calls_in_a_queue_leave_slots_for_interactive_ones(quota: RateLimiter) -> None:
    whole = fresh(0.5, 10)
    stage = Bucket(whole.key + ":batch", 0.4, 8, 0.8, learns=True)
    interactive, background = BucketSet(whole), BucketSet(whole, (), stage)
    waiting = await queue(quota, background, 30)
    assert (await quota.acquire(interactive, 0.0)).waited == 0
    assert await next_wait(quota, background) > 10
    await end(waiting)


async def test_a_reported_rate_rescales_at_once_each_bucket_its_share(quota: RateLimiter, factor: float) -> None:
    whole, batch = fresh(0.1, 2), fresh(0.08, 2, share=0.8)
    buckets = BucketSet(whole, (batch,))
    for _ in range(int(2 * factor)):
        await quota.acquire(buckets, 0)
    await quota.update_rate(buckets, 100.0)
    admission = await quota.acquire(buckets, 1)
    assert admission.rate == pytest.approx(100.0)
    assert admission.waited < SLACK
    states = [await quota.peek(bucket) for bucket in (whole, batch)]
    assert {state.source for state in states} == {RateSource.HEADER}
    assert [state.rate for state in states] == pytest.approx([100 * factor, 80 * factor])


async def test_a_reported_rate_is_restored_in_a_store_that_lost_it(redis: Redis) -> None:
    now = [1000.0]
    quota, buckets = shared_replica(redis, lambda: now[0]).limiter, alone(1.0, 5)
    await quota.update_rate(buckets, 3.0)
    await redis.delete(buckets.primary.key)
    now[0] += 1.1
    await quota.update_rate(buckets, 3.0)
    assert (await quota.peek(buckets.primary)).rate == pytest.approx(3.0)


async def test_spent_quota_survives_a_loss_of_redis(redis: Redis) -> None:
    quota, buckets = shared_replica(redis).limiter, alone(0.1, 3)
    for _ in range(3):
        await quota.acquire(buckets, 0.0)
    await redis.delete(buckets.primary.key)
    assert await next_wait(quota, buckets) == pytest.approx(10, abs=1)


async def test_a_reported_rate_wakes_waiting_callers(quota: RateLimiter) -> None:
    buckets = alone(0.01, 1)
    await quota.acquire(buckets, 0)
    (waiting,) = await queue(quota, buckets, 1)
    await quota.update_rate(buckets, 10_000.0)
    async with asyncio.timeout(20):
        await waiting


async def test_a_rate_learned_by_one_replica_wakes_waiters_of_another(redis: Redis, redis_url: str) -> None:
    buckets = alone(0.01, 1)
    async with open_redis(SecretStr(redis_url)) as second, listening_replica(second) as other:
        one = shared_replica(redis).limiter
        await one.acquire(buckets, 0)
        (waiting,) = await queue(other.limiter, buckets, 1)
        await one.update_rate(buckets, 10_000.0)
        async with asyncio.timeout(20):
            await waiting


async def test_after_a_429_no_call_is_sent_for_its_time(quota: RateLimiter, factor: float) -> None:
    buckets = alone(1.0, 8)
    await quota.on_throttled(buckets, 20.0)
    wait = await next_wait(quota, buckets)
    assert (await quota.peek(buckets.primary)).remaining == 0
    assert wait == pytest.approx(20, abs=2.0)
    waiting = await queue(quota, buckets, 2)
    assert await next_wait(quota, buckets) == pytest.approx(wait + 2 / factor, abs=2 * SLACK)
    await end(waiting)


async def test_many_at_once_are_checked_together_and_in_order(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    buckets, sizes = alone(0.1, 40), list[int]()
    store, real = RedisBuckets(redis), RedisBuckets._run

    async def counted(self: RedisBuckets, checks: Sequence[Any]) -> list[list[object]]:
        sizes.append(len(checks))
        return await real(self, checks)

    monkeypatch.setattr(RedisBuckets, "_run", counted)
    results = await asyncio.gather(*(store.reserve(buckets, 0.0) for _ in range(100)), return_exceptions=True)
    assert [isinstance(result, QuotaExceeded) for result in results] == [False] * 40 + [True] * 60
    assert sizes == [100]
    await asyncio.sleep(0.01)
    assert (store._waiting, store._runners) == ({}, set())


async def test_a_caller_cancelled_before_the_response_reserves_nothing(redis: Redis) -> None:
    quota, buckets = shared_replica(redis).limiter, alone(0.1, 40)
    tasks = [asyncio.create_task(quota.acquire(buckets, 0.0)) for _ in range(30)]
    await asyncio.sleep(0)
    await end(tasks[1:])
    await tasks[0]
    async with asyncio.timeout(20):
        while (await quota.peek(buckets.primary)).remaining != 39:  # noqa: ASYNC110  (the store of another task)
            await asyncio.sleep(0.02)


async def test_in_shadow_mode_no_call_waits(redis: Redis) -> None:
    recorded = list[float]()
    quota, buckets = ShadowLimiter(shared_replica(redis).limiter, recorded.append), alone(0.1, 2)
    admissions = [await quota.acquire(buckets, 30.0) for _ in range(4)]
    assert [admission.waited for admission in admissions] == [0] * 4
    assert recorded == [pytest.approx(10, abs=SLACK)] * 2


async def test_buckets_expire(redis: Redis) -> None:
    quota = shared_replica(redis).limiter
    reserved, reported, throttled = alone(1.0, 1), alone(1.0, 1), alone(1.0, 1)
    await quota.acquire(reserved, 0)
    await quota.update_rate(reported, 2.0)
    await quota.on_throttled(throttled, 5.0)
    assert all([0 < await redis.ttl(one.primary.key) <= 3700 for one in (reserved, reported, throttled)])


async def test_a_script_that_redis_has_lost_is_sent_again(redis: Redis) -> None:
    quota, buckets = shared_replica(redis).limiter, alone(0.1, 2)
    await quota.acquire(buckets, 0)
    await redis.script_flush()
    assert (await quota.acquire(buckets, 0)).waited == 0


async def test_an_outage_is_logged_once_however_many_calls_meet_it(
    nowhere: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "PAUSE_SECONDS", 0.0)
    quota, buckets = shared_replica(nowhere).limiter, alone(1000.0, 100)
    with capture_logs() as logs:
        await asyncio.gather(*(quota.acquire(buckets, 1.0) for _ in range(20)))
        await quota.update_rate(buckets, 2000.0)
        await quota.on_throttled(buckets, 0.01)
        await quota.peek(buckets.primary)
    assert [entry["event"] for entry in logs] == ["quota_local"]


async def test_replicas_share_and_the_end_of_an_outage_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "PAUSE_SECONDS", 0.05)
    buckets = alone(1000.0, 100)
    with running_redis(tmp_path) as url, capture_logs() as logs:
        async with open_redis(SecretStr(url)) as first, open_redis(SecretStr(url)) as second:
            one, other = shared_replica(first).limiter, shared_replica(second).limiter
            slow = alone(0.1, 2)
            await one.acquire(slow, 0)
            await other.acquire(slow, 0)
            await next_wait(one, slow)
            control = second.client()
            await control.client_pause(1500)
            until = time.monotonic() + 1.4
            while time.monotonic() < until:
                await one.acquire(buckets, 10)
                await asyncio.sleep(0.02)
            await asyncio.sleep(1.0)
            await one.acquire(buckets, 10)
            await control.aclose()
    events = [entry["event"] for entry in logs if entry["event"].startswith("quota_")]
    assert events == ["quota_local", "quota_shared"]


class listening_replica:  # noqa: N801  (used as a function)
    """A replica that receives the messages of others."""

    def __init__(self, redis: Redis) -> None:
        self._replica = shared_replica(redis)
        self._changes = InvalidationFeed(redis)
        self._listening = self._changes.subscribe({QUOTA_MOVES: (self._replica.waiters,)})

    async def __aenter__(self) -> Replica:
        await self._listening.__aenter__()
        async with asyncio.timeout(20):
            while not self._changes.connected:  # noqa: ASYNC110  (a flag of another task)
                await asyncio.sleep(0.01)
        return self._replica

    async def __aexit__(self, *_: object) -> None:
        await self._listening.__aexit__(None, None, None)
