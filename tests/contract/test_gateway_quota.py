"""One contract of quota: the pure arithmetic, the script in a real Redis, and the fallback of one process agree."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import open_redis
from sellergate_common.errors import QuotaExceeded
from sellergate_gateway.ports import Bucket, Quota
from sellergate_gateway.quota import Gauge, admit
from sellergate_gateway.redis_quota import LocalQuota, RedisQuota


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture(params=["redis", "local"])
def quota(request: pytest.FixtureRequest, redis: Redis) -> Quota:
    return RedisQuota(redis) if request.param == "redis" else LocalQuota(1.0)


def bucket(rate: float, burst: int) -> Bucket:
    return Bucket(f"quota:{{test}}:{secrets.token_hex(8)}", rate, burst)


async def test_a_burst_goes_at_once_and_the_rest_in_turn(quota: Quota) -> None:
    one = bucket(10.0, 5)
    waits = [(await quota.admit([one], 10.0)).wait for _ in range(8)]
    assert waits[:5] == [0.0] * 5
    assert [round(wait, 1) for wait in waits[5:]] == [0.1, 0.2, 0.3]


async def test_a_wait_that_is_too_long_is_refused_and_takes_no_slot(quota: Quota) -> None:
    one = bucket(1.0, 1)
    await quota.admit([one], 0)
    for _ in range(5):
        with pytest.raises(QuotaExceeded) as caught:
            await quota.admit([one], 0.5)
        assert 0.9 < (caught.value.retry_after or 0) <= 1.0
    assert (await quota.admit([one], 2.0)).wait <= 1.0


async def test_all_buckets_of_a_call_or_none(quota: Quota) -> None:
    wide, narrow = bucket(100.0, 50), bucket(1.0, 1)
    await quota.admit([wide, narrow], 0)
    with pytest.raises(QuotaExceeded):
        await quota.admit([wide, narrow], 0)
    assert (await quota.state(wide)).remaining == 49


async def test_a_learned_rate_rescales_what_is_owed(quota: Quota) -> None:
    one = bucket(0.0056, 2)
    await quota.admit([one], 0)
    await quota.admit([one], 0)
    with pytest.raises(QuotaExceeded) as caught:
        await quota.admit([one], 60)
    assert (caught.value.retry_after or 0) > 150
    await quota.learn(one, 5.6)
    admission = await quota.admit([one], 60)
    assert admission.wait < 0.4
    assert admission.rate == pytest.approx(5.6)
    assert (await quota.state(one)).learned


async def test_after_a_429_nobody_goes_for_a_while_and_the_bucket_is_empty(quota: Quota) -> None:
    one = bucket(10.0, 5)
    await quota.admit([one], 0)
    await quota.drain(one, 0.5)
    assert (await quota.state(one)).remaining == 0
    wait = (await quota.admit([one], 5)).wait
    assert 0.3 < wait <= 0.55


async def test_a_bucket_fills_again(quota: Quota) -> None:
    one = bucket(20.0, 3)
    for _ in range(3):
        await quota.admit([one], 0)
    assert (await quota.state(one)).remaining == 0
    await asyncio.sleep(0.2)
    assert (await quota.state(one)).remaining == 3
    assert (await quota.admit([one], 0)).wait == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.floats(0.005, 500),
    burst=st.integers(1, 30),
    learned=st.none() | st.floats(0.005, 500),
    calls=st.integers(1, 12),
)
async def test_the_script_does_what_the_pure_function_does(
    redis_url: str, rate: float, burst: int, learned: float | None, calls: int
) -> None:
    one = bucket(rate, burst)
    async with open_redis(SecretStr(redis_url)) as redis:
        quota, gauge = RedisQuota(redis), Gauge()
        began = time.monotonic()
        for number in range(calls):
            if learned and number == calls // 2:
                await quota.learn(one, learned)
                gauge.learned = learned
            expected = admit([gauge], [one], time.monotonic(), 1e9)
            got = await quota.admit([one], 1e9)
            # The two read different clocks; they drift apart by no more than the test takes.
            assert got.wait == pytest.approx(expected, abs=time.monotonic() - began + 0.05)


async def test_replicas_share_one_bucket(redis_url: str) -> None:
    one = bucket(0.01, 10)

    async def replica() -> int:
        async with open_redis(SecretStr(redis_url)) as redis:
            quota, admitted = RedisQuota(redis), 0
            for _ in range(10):
                try:
                    await quota.admit([one], 0)
                    admitted += 1
                except QuotaExceeded:
                    pass
            return admitted

    assert sum(await asyncio.gather(*(replica() for _ in range(3)))) == 10


async def test_without_redis_a_process_goes_on_at_half_the_rate() -> None:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as gone:
        quota, one = RedisQuota(gone), bucket(10.0, 10)
        waits = [(await quota.admit([one], 10)).wait for _ in range(7)]
    assert waits[:5] == [0.0] * 5
    assert waits[5] == pytest.approx(0.2, abs=0.05)
    assert waits[6] == pytest.approx(0.4, abs=0.05)
