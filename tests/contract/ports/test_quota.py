"""Quota: the pure function and the script do the same, and both homes of the buckets keep one contract."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.cache.invalidation import Changes
from sellergate_common.cache.keyspace import QUOTA_MOVES
from sellergate_common.errors import QuotaExceeded, Reason
from sellergate_common.redis_client import open_redis
from sellergate_devstack.servers.redis import running_redis
from sellergate_gateway.quota import shared as subject
from sellergate_gateway.quota.gcra import Admitted, Gauge, admit
from sellergate_gateway.quota.limiter import LocalQuota, ShadowQuota
from sellergate_gateway.quota.ports import Bucket, Quota, RateSource
from sellergate_gateway.quota.redis import RedisBuckets
from sellergate_gateway.quota.shared import FALLBACK_SHARE
from structlog.testing import capture_logs

from tests.fakes.gateway import shared_quota

_NUMBERS = itertools.count()
# Between a look at the clock here and the script's own there may be so much.
SLACK = 0.25


def fresh(rate: float, burst: int, share: float = 1.0, *, gate: bool = False) -> Bucket:
    return Bucket(f"quota:{{test}}:{next(_NUMBERS)}", rate, burst, share, learns=True, gate=gate)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    async with open_redis(SecretStr("redis://127.0.0.1:1")) as opened:
        yield opened


@pytest.fixture(params=["shared", "fallback", "local"])
def quota(request: pytest.FixtureRequest, redis: Redis, nowhere: Redis) -> Quota:
    if request.param == "local":
        return LocalQuota(1.0, time.monotonic, uuid4().hex)
    return shared_quota(redis if request.param == "shared" else nowhere)


@pytest.fixture
def factor(request: pytest.FixtureRequest, quota: Quota) -> float:
    """The part of a rate that this home gives."""
    return FALLBACK_SHARE if "fallback" in request.node.name else 1.0


async def next_wait(quota: Quota, buckets: Sequence[Bucket]) -> float:
    """The wait that the next call would have; nothing is taken."""
    with pytest.raises(QuotaExceeded) as caught:
        await quota.enter(buckets, 0.0)
    assert caught.value.reason is Reason.LOCAL_QUOTA_EXCEEDED
    assert caught.value.retry_after is not None
    return caught.value.retry_after


async def queue(quota: Quota, buckets: Sequence[Bucket], count: int) -> list[asyncio.Task[object]]:
    """So many callers who wait, one behind the other."""
    waiting = list[asyncio.Task[object]]()
    for _ in range(count):
        waiting.append(asyncio.create_task(quota.enter(buckets, 1e6)))  # type: ignore[arg-type]
        await asyncio.sleep(0.02)
    return waiting


async def end(waiting: list[asyncio.Task[object]]) -> None:
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_burst_goes_at_once_and_the_rest_at_the_rate(quota: Quota, factor: float) -> None:
    bucket = fresh(0.1, 8)
    for _ in range(int(8 * factor)):
        assert (await quota.enter([bucket], 0.0)).waited == 0
    assert await next_wait(quota, [bucket]) == pytest.approx(10 / factor, abs=SLACK)
    waiting = await queue(quota, [bucket], 2)
    assert await next_wait(quota, [bucket]) == pytest.approx(30 / factor, abs=1.0), "reserved, in order"
    await end(waiting)


async def test_a_slot_is_waited_for(quota: Quota, factor: float) -> None:
    bucket = fresh(5.0, 1)
    await quota.enter([bucket], 0.0)
    started = time.monotonic()
    passage = await quota.enter([bucket], 5.0)
    assert time.monotonic() - started >= 0.2 / factor - 0.01
    assert passage.waited == pytest.approx(0.2 / factor, abs=SLACK)
    assert passage.rate == pytest.approx(5.0)


async def test_a_refusal_takes_nothing(quota: Quota) -> None:
    bucket = fresh(0.1, 1)
    await quota.enter([bucket], 0)
    waited = [await next_wait(quota, [bucket]) for _ in range(3)]
    assert waited == [pytest.approx(waited[0], abs=SLACK)] * 3


async def test_all_buckets_or_none(quota: Quota, factor: float) -> None:
    large, small = fresh(0.1, 8), fresh(0.05, 1)
    await quota.enter([large, small], 0)
    await next_wait(quota, [large, small])
    assert (await quota.state(large)).remaining == int(8 * factor) - 1


async def test_who_leaves_gives_back_the_newest_slot_alone(quota: Quota, factor: float) -> None:
    bucket = fresh(0.1, 1)
    await quota.enter([bucket], 0)
    first, second, third = await queue(quota, [bucket], 3)
    await end([third])
    await asyncio.sleep(0.1)
    assert await next_wait(quota, [bucket]) == pytest.approx(30 / factor, abs=1.0)
    await end([first])
    await asyncio.sleep(0.1)
    assert await next_wait(quota, [bucket]) == pytest.approx(30 / factor, abs=1.0), "lost: the second has been promised"
    await end([second])


async def test_batch_calls_in_a_queue_leave_slots_for_people_who_wait(quota: Quota) -> None:
    whole = fresh(0.5, 10)
    gate = Bucket(whole.key + ":batch", 0.4, 8, 0.8, learns=True, gate=True)
    waiting = await queue(quota, [whole, gate], 30)
    assert (await quota.enter([whole], 0.0)).waited == 0
    assert await next_wait(quota, [whole, gate]) > 10
    await end(waiting)


async def test_a_learned_rate_rescales_at_once_each_bucket_its_share(quota: Quota, factor: float) -> None:
    whole, batch = fresh(0.1, 1), fresh(0.08, 1, share=0.8)
    await quota.enter([whole, batch], 0)
    await quota.learn([whole, batch], 100.0)
    passage = await quota.enter([whole, batch], 1)
    assert passage.rate == pytest.approx(100.0)
    assert passage.waited < SLACK
    states = [await quota.state(bucket) for bucket in (whole, batch)]
    assert {state.source for state in states} == {RateSource.HEADER}
    assert [state.rate for state in states] == pytest.approx([100 * factor, 80 * factor])


async def test_a_learned_rate_wakes_those_who_wait(quota: Quota) -> None:
    bucket = fresh(0.01, 1)
    await quota.enter([bucket], 0)
    (waiting,) = await queue(quota, [bucket], 1)
    await quota.learn([bucket], 10_000.0)
    async with asyncio.timeout(5):
        await waiting


async def test_what_one_replica_learns_wakes_those_who_wait_at_another(redis: Redis, redis_url: str) -> None:
    bucket = fresh(0.01, 1)
    async with open_redis(SecretStr(redis_url)) as second:
        one, other, changes = shared_quota(redis), shared_quota(second), Changes(second)
        async with changes.heard_by({QUOTA_MOVES: (other.turns,)}):
            while not changes.connected:  # noqa: ASYNC110  (a flag of another task)
                await asyncio.sleep(0.01)
            await one.enter([bucket], 0)
            (waiting,) = await queue(other, [bucket], 1)
            await one.learn([bucket], 10_000.0)
            async with asyncio.timeout(5):
                await waiting


async def test_after_a_429_nobody_goes_for_the_time(quota: Quota, factor: float) -> None:
    bucket = fresh(1.0, 8)
    await quota.throttled([bucket], 20.0)
    assert (await quota.state(bucket)).remaining == 0
    assert await next_wait(quota, [bucket]) == pytest.approx(20, abs=SLACK)
    waiting = await queue(quota, [bucket], 2)
    assert await next_wait(quota, [bucket]) == pytest.approx(20 + 2 / factor, abs=SLACK)
    await end(waiting)


async def test_many_at_once_are_checked_together_and_in_order(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    quota, bucket, sizes = shared_quota(redis), fresh(0.1, 40), list[int]()
    real = RedisBuckets._run

    async def counted(self: RedisBuckets, checks: Sequence[Any]) -> list[list[object]]:
        sizes.append(len(checks))
        return await real(self, checks)

    monkeypatch.setattr(RedisBuckets, "_run", counted)
    answers = await asyncio.gather(*(quota.enter([bucket], 0.0) for _ in range(100)), return_exceptions=True)
    assert [isinstance(answer, QuotaExceeded) for answer in answers] == [False] * 40 + [True] * 60
    assert sizes == [100]
    await asyncio.sleep(0.01)
    assert (quota._shared._waiting, quota._shared._runners) == ({}, set())


async def test_who_leaves_before_the_answer_takes_nothing(redis: Redis) -> None:
    quota, bucket = shared_quota(redis), fresh(0.1, 40)
    tasks = [asyncio.create_task(quota.enter([bucket], 0.0)) for _ in range(30)]
    await asyncio.sleep(0)
    await end(tasks[1:])  # type: ignore[arg-type]
    await tasks[0]
    await asyncio.sleep(0.1)
    assert (await quota.state(bucket)).remaining == 39


async def test_in_shadow_nobody_waits(redis: Redis) -> None:
    told = list[float]()
    quota, bucket = ShadowQuota(shared_quota(redis), told.append), fresh(0.1, 2)
    passages = [await quota.enter([bucket], 30.0) for _ in range(4)]
    assert [passage.waited for passage in passages] == [0] * 4
    assert told == [pytest.approx(10, abs=SLACK)] * 2


async def test_buckets_end_by_themselves(redis: Redis) -> None:
    quota = shared_quota(redis)
    taken, learned, throttled = fresh(1.0, 1), fresh(1.0, 1), fresh(1.0, 1)
    await quota.enter([taken], 0)
    await quota.learn([learned], 2.0)
    await quota.throttled([throttled], 5.0)
    assert all([0 < await redis.ttl(bucket.key) <= 3700 for bucket in (taken, learned, throttled)])


async def test_a_script_that_redis_forgot_is_sent_again(redis: Redis) -> None:
    quota, bucket = shared_quota(redis), fresh(0.1, 2)
    await quota.enter([bucket], 0)
    await redis.script_flush()
    assert (await quota.enter([bucket], 0)).waited == 0


async def test_an_outage_is_told_once_however_many_calls_meet_it(
    nowhere: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "LEAVE_ALONE_SECONDS", 0.0)
    quota, bucket = shared_quota(nowhere), fresh(1000.0, 100)
    with capture_logs() as logs:
        await asyncio.gather(*(quota.enter([bucket], 1.0) for _ in range(20)))
        await quota.learn([bucket], 2000.0)
        await quota.throttled([bucket], 0.01)
        await quota.state(bucket)
    assert [entry["event"] for entry in logs] == ["quota_local"]


async def test_replicas_share_and_the_end_of_an_outage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LEAVE_ALONE_SECONDS", 0.05)
    bucket = fresh(1000.0, 100)
    with running_redis(tmp_path) as url, capture_logs() as logs:
        async with open_redis(SecretStr(url)) as first, open_redis(SecretStr(url)) as second:
            one, other = shared_quota(first), shared_quota(second)
            slow = fresh(0.1, 2)
            await one.enter([slow], 0)
            await other.enter([slow], 0)
            await next_wait(one, [slow])
            control = second.client()
            await control.client_pause(1500)
            until = time.monotonic() + 1.4
            while time.monotonic() < until:
                await one.enter([bucket], 10)
                await asyncio.sleep(0.02)
            await asyncio.sleep(1.0)
            await one.enter([bucket], 10)
            await control.aclose()
    told = [entry["event"] for entry in logs if entry["event"].startswith("quota_")]
    assert told == ["quota_local", "quota_shared"]


_STEPS = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([0.0, 0.3, 30.0, 1e5])),
    st.tuples(st.just("learn"), st.sampled_from([0.01, 0.05, 0.2, 20.0])),
    st.tuples(st.just("throttled"), st.sampled_from([0.5, 5.0, 60.0])),
    st.tuples(st.just("leave"), st.just(0.0)),
    st.tuples(st.just("pass"), st.sampled_from([0.01, 0.7, 3.0, 40.0, 500.0])),
)
_CLOCK, _TIME = "test:clock", "redis.call('TIME')"
# Redis keeps microseconds; a rate that falls to a 2000th makes 2000 times as much of what was rounded.
ROUNDING = 0.02


async def on_a_clock_of_ours(redis: Redis) -> RedisBuckets:
    """The buckets as they are, but for the clock that the script reads: two clocks cannot be compared to the microsecond."""
    shared = RedisBuckets(redis)
    script = shared._script.script
    assert script.count(_TIME) == 1
    shared._script = redis.register_script(script.replace(_TIME, f"redis.call('LRANGE', '{_CLOCK}', 0, 1)"))
    return shared


async def set_clock(redis: Redis, now: float) -> None:
    await redis.delete(_CLOCK)
    await redis.rpush(_CLOCK, int(now), round(now % 1 * 1e6))


def is_near_the_edge(gauges: Sequence[Gauge], buckets: Sequence[Bucket], now: float, longest: float) -> bool:
    """Whether a rounded microsecond decides: on the wait allowed, or on whether there is a wait at all."""
    for gauge, bucket in zip(gauges, buckets, strict=True):
        unclamped = max(
            gauge.look(bucket, now)[1] - (bucket.burst - 1) / gauge.look(bucket, now)[0], gauge.blocked_until - now
        )
        if abs(unclamped - longest) < ROUNDING or (bucket.gate and abs(unclamped) < ROUNDING):
            return True
    return False


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes=st.lists(
        st.tuples(st.sampled_from([0.02, 0.1, 1.0, 10.0]), st.integers(1, 6), st.booleans()), min_size=1, max_size=3
    ),
    steps=st.lists(_STEPS, max_size=25),
)
@example(shapes=[(0.02, 1, False)], steps=[("learn", 20.0), ("admit", 0.0), ("learn", 0.01)])
@example(
    shapes=[(0.02, 2, False)],
    steps=[
        *[("throttled", 0.5), ("pass", 500.0), ("throttled", 0.5), ("admit", 30.0), ("throttled", 0.5)],
        ("leave", 0.0),
    ],
)
@example(
    shapes=[(1.0, 2, False)],
    steps=[("throttled", 5.0), *[("pass", 40.0), ("admit", 30.0)] * 3, ("throttled", 5.0), ("pass", 500.0)],
)
async def test_the_script_does_what_the_pure_function_does(  # noqa: C901  (a branch for each step)
    redis: Redis, shapes: list[tuple[float, int, bool]], steps: list[tuple[str, float]]
) -> None:
    shared = await on_a_clock_of_ours(redis)
    buckets = [
        fresh(rate, burst, gate=gate and n == len(shapes) - 1 > 0) for n, (rate, burst, gate) in enumerate(shapes)
    ]
    gauges = [Gauge() for _ in buckets]
    now, last = 1_800_000_000.0, list[tuple[Admitted, Admitted]]()
    await set_clock(redis, now)
    for step, number in steps:
        if step == "admit":
            if is_near_the_edge(gauges, buckets, now, number):
                continue
            pure, got = admit(gauges, buckets, now, number), await tried(shared, buckets, number)
            if isinstance(pure, Admitted) and isinstance(got, Admitted):
                assert (got.wait, got.rate) == (
                    pytest.approx(pure.wait, abs=ROUNDING),
                    pytest.approx(pure.rate, rel=1e-3),
                )
                assert (got.buckets, got.rest) == (pure.buckets, pure.rest)
                last.append((pure, got))
            else:
                assert got == pytest.approx(pure, abs=ROUNDING)  # type: ignore[arg-type]
        elif step == "leave" and last:
            pure, got = last.pop()
            for bucket, taken in zip(pure.buckets, pure.taken, strict=True):
                gauges[buckets.index(bucket)].leave(float(taken))
            await shared.leave(got)
        elif step == "learn":
            for gauge in gauges:
                gauge.learned = number
            await shared.learn(buckets, number)
        elif step == "throttled":
            shift = gauges[0].throttled(buckets[0], now, number)
            assert (await shared.throttled(buckets[0], number)).shift == pytest.approx(shift, abs=ROUNDING)
        elif step == "pass":
            now += number
            await set_clock(redis, now)
    for gauge, bucket in zip(gauges, buckets, strict=True):
        state, pure_state = await shared.state(bucket), gauge.state(bucket, now)
        assert (state.rate, state.source) == (pytest.approx(pure_state.rate, rel=1e-3), pure_state.source)
        assert state.reset == pytest.approx(pure_state.reset, abs=ROUNDING)


async def tried(shared: RedisBuckets, buckets: Sequence[Bucket], longest: float) -> Admitted | float | None:
    try:
        return await shared.admit(buckets, longest)
    except QuotaExceeded as error:
        return error.retry_after


async def test_a_call_that_passed_and_is_not_made_gives_its_newest_slot_back(quota: Quota) -> None:
    bucket = fresh(0.1, 4)
    first = await quota.enter([bucket], 0.0)
    second = await quota.enter([bucket], 0.0)
    taken = (await quota.state(bucket)).reset
    await quota.leave(second)
    assert (await quota.state(bucket)).reset < taken - 9
    await quota.leave(second)
    await quota.leave(first)
    assert (await quota.state(bucket)).remaining >= 1
