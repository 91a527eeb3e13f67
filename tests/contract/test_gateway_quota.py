"""Quota: the pure function and the script do the same, and both homes of the buckets keep one contract."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache import open_redis
from sellergate_common.errors import QuotaExceeded, Reason
from sellergate_devstack.redis_server import running_redis
from sellergate_gateway import redis_quota as subject
from sellergate_gateway.ports import Admission, Bucket, Quota
from sellergate_gateway.quota import Gauge, admit
from sellergate_gateway.redis_quota import FALLBACK_SHARE, RedisQuota
from structlog.testing import capture_logs

_NUMBERS = itertools.count()
# Between a look at the clock here and the script's own there may be so much.
SLACK = 0.25


def fresh(rate: float, burst: int, share: float = 1.0) -> Bucket:
    return Bucket(f"quota:{{test}}:{next(_NUMBERS)}", rate, burst, share)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as opened:
        yield opened


@pytest.fixture(params=["shared", "local"])
def quota(request: pytest.FixtureRequest, redis: Redis, nowhere: Redis) -> Quota:
    return RedisQuota(redis if request.param == "shared" else nowhere)


@pytest.fixture
def factor(quota: Quota, nowhere: Redis) -> float:
    """The part of a rate that this home gives."""
    return FALLBACK_SHARE if quota._redis is nowhere else 1.0  # type: ignore[attr-defined]


async def waits(quota: Quota, buckets: Sequence[Bucket], count: int) -> list[float]:
    return [(await quota.admit(buckets, 1e6)).wait for _ in range(count)]


async def test_the_burst_goes_at_once_and_the_rest_at_the_rate(quota: Quota, factor: float) -> None:
    bucket = fresh(0.1, 8)
    burst, interval = int(8 * factor), 10 / factor
    got = await waits(quota, [bucket], burst + 2)
    assert got == [pytest.approx(max(0, n - burst + 1) * interval, abs=SLACK) for n in range(burst + 2)]


async def test_a_refusal_names_the_wait_and_takes_nothing(quota: Quota) -> None:
    bucket = fresh(0.1, 1)
    await quota.admit([bucket], 0)
    waited = []
    for _ in range(3):
        with pytest.raises(QuotaExceeded) as caught:
            await quota.admit([bucket], 1)
        waited.append(caught.value.retry_after)
        assert caught.value.reason is Reason.LOCAL_QUOTA_EXCEEDED
    assert waited == [pytest.approx(waited[0], abs=SLACK)] * 3


async def test_all_buckets_or_none(quota: Quota, factor: float) -> None:
    large, small = fresh(0.1, 8), fresh(0.05, 1)
    await quota.admit([large, small], 0)
    with pytest.raises(QuotaExceeded):
        await quota.admit([large, small], 1)
    assert (await quota.state(large)).remaining == int(8 * factor) - 1


async def test_a_learned_rate_rescales_at_once_each_bucket_its_share(quota: Quota, factor: float) -> None:
    whole, batch = fresh(0.1, 1), fresh(0.08, 1, share=0.8)
    await waits(quota, [whole, batch], 3)
    await quota.learn([whole, batch], 100.0)
    admission = await quota.admit([whole, batch], 1)
    assert admission.rate == pytest.approx(100.0)
    assert admission.wait < SLACK
    states = [await quota.state(bucket) for bucket in (whole, batch)]
    assert all(state.learned for state in states)
    assert [state.rate for state in states] == pytest.approx([100 * factor, 80 * factor])


async def test_a_learned_rate_wakes_those_who_wait(quota: Quota) -> None:
    bucket = fresh(0.01, 1)
    await quota.admit([bucket], 0)
    admission = await quota.admit([bucket], 1e6)
    assert admission.wait > 90
    waiting = asyncio.create_task(quota.turn(bucket, admission, 1e6))
    await asyncio.sleep(0.05)
    await quota.learn([bucket], 10_000.0)
    async with asyncio.timeout(5):
        assert await waiting < 2


async def test_a_drained_bucket_lets_nobody_go_for_the_time(quota: Quota, factor: float) -> None:
    bucket = fresh(1.0, 8)
    await quota.drain(bucket, 20.0)
    assert (await quota.state(bucket)).remaining == 0
    got = await waits(quota, [bucket], 3)
    assert got == [pytest.approx(20 + n / factor, abs=SLACK) for n in range(3)]


async def test_buckets_end_by_themselves(redis: Redis) -> None:
    quota = RedisQuota(redis)
    taken, learned, drained = fresh(1.0, 1), fresh(1.0, 1), fresh(1.0, 1)
    await quota.admit([taken], 0)
    await quota.learn([learned], 2.0)
    await quota.drain(drained, 5.0)
    assert all([0 < await redis.ttl(bucket.key) <= 3700 for bucket in (taken, learned, drained)])


async def test_a_script_that_redis_forgot_is_sent_again(redis: Redis) -> None:
    quota, bucket = RedisQuota(redis), fresh(0.1, 2)
    await quota.admit([bucket], 0)
    await redis.script_flush()
    assert (await quota.admit([bucket], 0)).wait == 0


async def test_an_outage_is_told_once_however_many_calls_meet_it(
    nowhere: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "LEAVE_ALONE_SECONDS", 0.0)
    quota, bucket = RedisQuota(nowhere), fresh(1000.0, 100)
    with capture_logs() as logs:
        await waits(quota, [bucket], 5)
        await quota.learn([bucket], 2000.0)
        await quota.drain(bucket, 0.01)
        await quota.state(bucket)
    assert [entry["event"] for entry in logs] == ["quota_local"]


async def test_replicas_share_and_the_end_of_an_outage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LEAVE_ALONE_SECONDS", 0.05)
    bucket = fresh(1000.0, 100)
    with running_redis(tmp_path) as url, capture_logs() as logs:
        async with open_redis(SecretStr(url)) as first, open_redis(SecretStr(url)) as second:
            one, other = RedisQuota(first), RedisQuota(second)
            slow = fresh(0.1, 2)
            await one.admit([slow], 0)
            await other.admit([slow], 0)
            with pytest.raises(QuotaExceeded):
                await one.admit([slow], 0)
            control = second.client()
            await control.client_pause(1500)
            end = time.monotonic() + 1.4
            while time.monotonic() < end:
                await one.admit([bucket], 10)
                await asyncio.sleep(0.02)
            await asyncio.sleep(1.0)
            await one.admit([bucket], 10)
            await control.aclose()
    told = [entry["event"] for entry in logs if entry["event"].startswith("quota_")]
    assert told == ["quota_local", "quota_shared"]


_STEPS = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([0.0, 0.3, 30.0, 1e5])),
    st.tuples(st.just("learn"), st.sampled_from([0.01, 0.05, 0.2, 20.0])),
    st.tuples(st.just("drain"), st.sampled_from([0.5, 5.0, 60.0])),
    st.tuples(st.just("pass"), st.sampled_from([0.01, 0.7, 3.0, 40.0, 500.0])),
)
_CLOCK, _TIME = "test:clock", "redis.call('TIME')"
# Redis keeps microseconds; a rate that falls to a 2000th makes 2000 times as much of what was rounded.
ROUNDING = 0.01


async def on_a_clock_of_ours(redis: Redis) -> RedisQuota:
    """The quota as it is, but for the clock that its scripts read: two clocks cannot be compared to the microsecond."""
    quota = RedisQuota(redis)
    for name in ("_admit", "_drain", "_state"):
        script = getattr(quota, name).script
        assert script.count(_TIME) == 1
        setattr(quota, name, redis.register_script(script.replace(_TIME, f"redis.call('LRANGE', '{_CLOCK}', 0, 1)")))
    return quota


async def set_clock(redis: Redis, now: float) -> None:
    await redis.delete(_CLOCK)
    await redis.rpush(_CLOCK, int(now), round(now % 1 * 1e6))


def unclamped_wait(gauge: Gauge, bucket: Bucket, now: float) -> float:
    tolerance = (bucket.burst - 1) / gauge.believed_rate(bucket)
    return max(gauge.debt(bucket, now) - tolerance, gauge.blocked_until - now)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes=st.lists(st.tuples(st.sampled_from([0.02, 0.1, 1.0, 10.0]), st.integers(1, 6)), min_size=1, max_size=2),
    steps=st.lists(_STEPS, max_size=25),
)
@example(shapes=[(0.02, 1)], steps=[("learn", 20.0), ("admit", 0.0), ("learn", 0.01)])
@example(shapes=[(0.1, 2)], steps=[("drain", 60.0), ("learn", 20.0), ("admit", 0.3), ("pass", 40.0), ("admit", 30.0)])
async def test_the_script_does_what_the_pure_function_does(
    redis: Redis, shapes: list[tuple[float, int]], steps: list[tuple[str, float]]
) -> None:
    quota = await on_a_clock_of_ours(redis)
    buckets = [fresh(rate, burst) for rate, burst in shapes]
    gauges = [Gauge() for _ in buckets]
    now = 1_800_000_000.0
    await set_clock(redis, now)
    for step, number in steps:
        if step == "admit":
            pairs = list(zip(gauges, buckets, strict=True))
            if abs(max(unclamped_wait(gauge, bucket, now) for gauge, bucket in pairs) - number) < ROUNDING:
                continue  # so near the edge that a rounded microsecond decides
            pure, shared = admit(gauges, buckets, now, number), await tried(quota, buckets, number)
            assert (pure is None) == (shared is None)
            if pure is not None and shared is not None:
                assert shared.wait == pytest.approx(pure, abs=ROUNDING)
                assert shared.rate == pytest.approx(gauges[0].believed_rate(buckets[0]))
        elif step == "learn":
            for gauge in gauges:
                gauge.learned = number
            await quota.learn(buckets, number)
        elif step == "drain":
            gauges[0].drain(buckets[0], now, number)
            await quota.drain(buckets[0], number)
        else:
            now += number
            await set_clock(redis, now)
    for gauge, bucket in zip(gauges, buckets, strict=True):
        state, pure_state = await quota.state(bucket), gauge.state(bucket, now)
        assert (state.rate, state.learned) == (pytest.approx(pure_state.rate), pure_state.learned)
        assert state.reset == pytest.approx(pure_state.reset, abs=ROUNDING)


async def tried(quota: Quota, buckets: Sequence[Bucket], max_wait: float) -> Admission | None:
    try:
        return await quota.admit(buckets, max_wait)
    except QuotaExceeded:
        return None
