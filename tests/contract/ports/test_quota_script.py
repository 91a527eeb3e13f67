"""Quota: the pure functions and the script in Redis agree."""

import itertools
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_common.errors import QuotaExceeded
from sellergate_common.redis_client import open_redis
from sellergate_gateway.quota.gcra import GcraState, reserve
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import Bucket, BucketSet
from sellergate_gateway.quota.redis import RedisBuckets

_NUMBERS = itertools.count()


def fresh(rate: float, burst: int) -> Bucket:
    return Bucket(f"quota:{{script}}:{next(_NUMBERS)}", rate, burst, learns=True)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(SecretStr(redis_url)) as opened:
        yield opened


_STEPS = st.one_of(
    st.tuples(st.just("reserve"), st.sampled_from([0.0, 0.3, 30.0, 1e5])),
    st.tuples(st.just("rate"), st.sampled_from([0.01, 0.05, 0.2, 20.0])),
    st.tuples(st.just("throttled"), st.sampled_from([0.5, 5.0, 60.0])),
    st.tuples(st.just("cancel"), st.just(1.0)),
    st.tuples(st.just("delay"), st.sampled_from([0.02, 3.0])),
    st.tuples(st.just("pass"), st.sampled_from([0.01, 0.7, 3.0, 40.0, 500.0])),
)
_CLOCK, _TIME = "test:clock", "redis.call('TIME')"
# Redis stores microseconds; if a rate falls to a 2000th, a rounding error grows 2000 times.
ROUNDING = 0.02


async def on_a_clock_of_the_test(redis: Redis) -> RedisBuckets:
    """Return the buckets with the test's clock in the script: two clocks cannot be compared to the microsecond."""
    shared = RedisBuckets(redis)
    script = shared._script.script
    assert script.count(_TIME) == 1
    shared._script = redis.register_script(script.replace(_TIME, f"redis.call('LRANGE', '{_CLOCK}', 0, 1)"))
    return shared


async def set_clock(redis: Redis, now: float) -> None:
    await redis.delete(_CLOCK)
    await redis.rpush(_CLOCK, int(now), round(now % 1 * 1e6))


def is_near_the_edge(states: dict[str, GcraState], buckets: BucketSet, now: float, longest: float) -> bool:
    """Return whether a rounded microsecond decides on a refusal or on a wait."""
    for bucket in buckets.all:
        state = states[bucket.key]
        rate, debt, wait = state.peek(bucket, now)
        early = debt - (bucket.burst - 1) / rate
        if abs(wait - longest) < ROUNDING or abs(early) < ROUNDING or abs(state.blocked_until - now) < ROUNDING:
            return True
    return False


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes=st.lists(
        st.tuples(st.sampled_from([0.02, 0.1, 1.0, 10.0]), st.integers(1, 6), st.booleans()), min_size=1, max_size=3
    ),
    steps=st.lists(_STEPS, max_size=25),
)
@example(shapes=[(0.02, 1, False)], steps=[("rate", 20.0), ("reserve", 0.0), ("rate", 0.01)])
@example(
    shapes=[(0.02, 2, False)],
    steps=[
        *[("throttled", 0.5), ("pass", 500.0), ("throttled", 0.5), ("reserve", 30.0), ("throttled", 0.5)],
        ("cancel", 1.0),
    ],
)
@example(
    shapes=[(1.0, 2, False)],
    steps=[("throttled", 5.0), *[("pass", 3.0), ("reserve", 30.0)] * 8, ("throttled", 5.0), ("pass", 500.0)],
)
@example(
    shapes=[(1.0, 1, False)],
    steps=[("throttled", 0.5), *[("pass", 3.0), ("reserve", 30.0)] * 8, ("throttled", 5.0), ("pass", 3.0)] * 2,
)
async def test_the_script_agrees_with_the_pure_functions(  # noqa: C901, PLR0912  (a branch for each step)
    redis: Redis, shapes: list[tuple[float, int, bool]], steps: list[tuple[str, float]]
) -> None:
    shared = await on_a_clock_of_the_test(redis)
    found = [fresh(rate, burst) for rate, burst, _ in shapes]
    staged = shapes[-1][2] and len(found) > 1
    buckets = BucketSet(found[0], tuple(found[1:-1] if staged else found[1:]), found[-1] if staged else None)
    states = {bucket.key: GcraState() for bucket in found}
    pure_store = MemoryBuckets(1.0, lambda: 0.0)
    first, now = buckets.primary, 1_800_000_000.0
    await set_clock(redis, now)
    for step, number in steps:
        if step == "reserve":
            if is_near_the_edge(states, buckets, now, number):
                continue
            if (
                max([states[bucket.key].peek(bucket, now)[2] for bucket in first_to_pass(states, buckets, now)])
                > number
            ):
                with pytest.raises(QuotaExceeded) as pure_refusal:
                    reserve(pure_store, states, buckets, now, number)
                with pytest.raises(QuotaExceeded) as refusal:
                    await shared.reserve(buckets, number)
                assert refusal.value.retry_after == pytest.approx(pure_refusal.value.retry_after, abs=ROUNDING)
            else:
                pure, got = reserve(pure_store, states, buckets, now, number), await shared.reserve(buckets, number)
                assert got.rate == pytest.approx(pure.rate, rel=1e-3)
                assert [(slot.bucket, slot.number) for slot in got.slots] == [
                    (slot.bucket, slot.number) for slot in pure.slots
                ]
                assert [slot.wait for slot in got.slots] == pytest.approx(
                    [slot.wait for slot in pure.slots], abs=ROUNDING
                )
                assert (got.remaining is None) == (pure.remaining is None)
        elif step == "cancel":
            if states[first.key].issued:
                sooner = states[first.key].cancel(int(number))
                assert await shared.cancel([(first, int(number))]) == pytest.approx([sooner], rel=1e-3)
        elif step == "delay":
            if states[first.key].issued:
                states[first.key].delay(now, number)
                await shared.delay(first, number)
        elif step == "rate":
            for bucket in found:
                states[bucket.key].update_rate(bucket, now, number)
            await shared.update_rate(found, number)
        elif step == "throttled":
            shift = states[first.key].on_throttled(first, now, number)
            assert (await shared.on_throttled(first, number)).shift == pytest.approx(shift, abs=ROUNDING)
        elif step == "pass":
            now += number
            await set_clock(redis, now)
    for bucket in found:
        state, pure_state = await shared.peek(bucket), states[bucket.key].state(bucket, now)
        assert (state.rate, state.source) == (pytest.approx(pure_state.rate, rel=1e-3), pure_state.source)
        assert state.reset == pytest.approx(pure_state.reset, abs=ROUNDING)


def first_to_pass(states: dict[str, GcraState], buckets: BucketSet, now: float) -> Sequence[Bucket]:
    """Return the buckets whose wait decides whether a call is refused."""
    stage = buckets.first_stage
    return (stage,) if stage is not None and states[stage.key].peek(stage, now)[2] > 0 else buckets.all
