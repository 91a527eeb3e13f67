"""Replicas against Amazon's bucket in virtual time: the quota is used, hardly any call is refused, and rates recover."""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_gateway.quota.buckets import CAUTIOUS_BURST, CAUTIOUS_RATE
from sellergate_gateway.quota.limiter import RateLimiter
from sellergate_gateway.quota.ports import Bucket, BucketSet

from tests.fakes.amazon_quota import AmazonBucket, Caller, replicas, shared_memory
from tests.fakes.virtual_time import run_in_virtual_time

_Result = TypeVar("_Result")
PAIRS = sorted(
    {(one.rate or CAUTIOUS_RATE, one.burst or CAUTIOUS_BURST) for one in Catalogue.load()},
)


@dataclass
class Use:
    """The result of a load: the share of the allowed calls that was served, the share of 429s, and that after a minute."""

    used: float
    refused: float
    refused_later: float


async def load(
    rate: float,
    burst: int,
    seconds: float,
    *,
    catalogue: float | None = None,
    reports: bool = True,
    late: float = 0.0,
    callers: int = 16,
) -> Use:
    """Let callers at three replicas call as often as they may."""
    now = asyncio.get_running_loop().time
    amazon = AmazonBucket(rate, burst, now, reports)
    buckets = BucketSet(Bucket("quota:{a}:1", catalogue or rate, burst, learns=True))
    limiters = replicas(3, shared_memory(now), now)
    loads = [
        Caller(limiters[number % 3], buckets, amazon, random.Random(number), late=late).keep_calling(seconds)
        for number in range(callers)
    ]
    await asyncio.gather(*loads)
    return Use(
        len(amazon.served) / int(amazon.allowed(seconds)),
        share(amazon.refused, amazon.served),
        share([at for at in amazon.refused if at > 60], [at for at in amazon.served if at > 60]),
    )


def share(refused: list[float], served: list[float]) -> float:
    """Return the share of refused calls."""
    return len(refused) / (len(refused) + len(served))


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    return run_in_virtual_time(main)


@pytest.mark.parametrize(("rate", "burst"), PAIRS, ids=[f"{rate:g}-{burst}" for rate, burst in PAIRS])
def test_the_quota_of_every_operation_is_fully_used(rate: float, burst: int) -> None:
    use = run(load(rate, burst, max(90.0, 300 / rate)))
    assert use.used >= 0.95
    assert use.refused < 0.001


@pytest.mark.parametrize("late", [0.03, 0.2], ids=["late", "very late"])
@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_a_late_first_call_causes_no_429_at_a_burst_of_one(rate: float, late: float) -> None:
    use = run(load(rate, 1, 120.0, late=late))
    assert (use.used >= 0.95, use.refused) == (True, 0.0)


@pytest.mark.parametrize(
    ("distance", "count", "longest"), [(0.0, 15, 25.0), (1.02, 20, 2.0)], ids=["all at once", "one after the other"]
)
def test_at_a_burst_of_one_no_call_of_a_program_is_refused(distance: float, count: int, longest: float) -> None:
    async def program() -> list[bool | None]:
        now = asyncio.get_running_loop().time
        amazon, buckets = AmazonBucket(1.0, 1, now), BucketSet(Bucket("quota:{a}:1", 1.0, 1, learns=True))
        limiters = replicas(3, shared_memory(now), now)
        calls = list[asyncio.Task[bool | None]]()
        for number in range(count):
            caller = Caller(limiters[number % 3], buckets, amazon, random.Random(number))
            calls.append(asyncio.create_task(caller.call(longest)))
            await asyncio.sleep(distance)
        return await asyncio.gather(*calls)

    assert run(program()) == [True] * count


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize(("rate", "burst", "catalogue"), [(2.0, 10, 5.0), (2.0, 10, 2.2), (5.0, 30, 10.0)])
def test_a_rate_that_is_too_high_converges_to_the_true_one(
    rate: float, burst: int, catalogue: float, *, reports: bool
) -> None:
    use = run(load(rate, burst, 300.0, catalogue=catalogue, reports=reports))
    assert use.used >= 0.95
    assert (use.refused < 0.1, use.refused_later < 0.03) == (True, True)


def test_a_rate_that_is_too_low_follows_the_reported_one() -> None:
    assert run(load(2.0, 10, 300.0, catalogue=1.0)).used >= 0.99


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize(("rate", "burst"), [(1.0, 1), (5.0, 10), (0.5, 30)])
def test_the_rate_recovers_within_a_minute_after_a_storm(rate: float, burst: int, *, reports: bool) -> None:
    async def storm() -> None:
        now = asyncio.get_running_loop().time
        amazon = AmazonBucket(rate, burst, now, reports)
        buckets = BucketSet(Bucket("quota:{a}:1", rate, burst, learns=True))
        limiters = replicas(3, shared_memory(now), now)
        callers = [
            asyncio.create_task(
                Caller(limiters[number % 3], buckets, amazon, random.Random(number)).keep_calling(200.0)
            )
            for number in range(16)
        ]
        await asyncio.sleep(60)
        amazon.storm_until = now() + 10
        await asyncio.sleep(70)
        assert (await limiters[0].peek(buckets.primary)).rate == pytest.approx(rate)
        before = len(amazon.served)
        await asyncio.sleep(60)
        assert len(amazon.served) - before >= 0.95 * 60 * rate - 1
        await asyncio.gather(*callers)

    run(storm())


@pytest.mark.parametrize("seed", range(5))
def test_cancelled_callers_return_every_slot_in_any_order(seed: int) -> None:
    async def cancel() -> None:
        now = asyncio.get_running_loop().time
        buckets = BucketSet(Bucket("quota:{a}:1", 1.0, 5, learns=True))
        limiters = replicas(2, shared_memory(now), now)
        for _ in range(5):
            await limiters[0].acquire(buckets, 0.0)
        waiting = [asyncio.create_task(limiters[number % 2].acquire(buckets, 1e4)) for number in range(300)]
        await asyncio.sleep(0.1)
        last = asyncio.create_task(limiters[1].acquire(buckets, 1e4))
        await asyncio.sleep(0.1)
        random.Random(seed).shuffle(waiting)
        for task in waiting:
            task.cancel()
        await last
        assert now() < 1.3, "an idle bucket requires one interval"
        assert (await wait_of(limiters[0], buckets)) < 1.2

    run(cancel())


@pytest.mark.parametrize("seed", range(3))
def test_waiting_callers_keep_their_order_when_others_are_cancelled(seed: int) -> None:
    async def cancel() -> None:
        now = asyncio.get_running_loop().time
        amazon = AmazonBucket(2.0, 3, now)
        buckets = BucketSet(Bucket("quota:{a}:1", 2.0, 3, learns=True))
        limiters, order = replicas(2, shared_memory(now), now), list[int]()

        async def call(number: int) -> None:
            await limiters[number % 2].acquire(buckets, 1e4)
            order.append(number)
            assert amazon.take()

        tasks = list[asyncio.Task[None]]()
        for number in range(60):
            tasks.append(asyncio.create_task(call(number)))
            await asyncio.sleep(0.002)
        for task in random.Random(seed).sample(tasks[10:], 30):
            await asyncio.sleep(0.05)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == sorted(order)
        assert now() <= 30 / 2.0 + 2.5, "the slots of the callers that left were used"
        assert not amazon.refused

    run(cancel())


async def wait_of(limiter: RateLimiter, buckets: BucketSet) -> float:
    """Return the wait of one more call."""
    return (await limiter.acquire(buckets, 1e4)).waited
