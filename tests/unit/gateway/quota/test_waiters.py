"""The wait for a slot, and rescheduled slots."""

import asyncio
import time
from uuid import uuid4

import pytest
from sellergate_common.errors import QuotaExceeded
from sellergate_gateway.quota.ports import Bucket, Reschedule, Slot
from sellergate_gateway.quota.waiters import WaitQueue


def slots(wait: float, number: int = 1) -> list[Slot]:
    return [Slot(Bucket("k", 1.0, 1), wait, number)]


async def test_a_caller_waits_for_its_slot() -> None:
    waited = await WaitQueue(time.monotonic, uuid4().hex).wait(slots(0.05), 10.0)
    assert 0.05 <= waited < 0.5


async def test_a_higher_rate_brings_waiters_forward_in_order_in_each_replica() -> None:
    queue, other, order = WaitQueue(time.monotonic, uuid4().hex), WaitQueue(time.monotonic, uuid4().hex), list[float]()

    async def one(home: WaitQueue, seconds: float) -> None:
        await home.wait(slots(seconds), 1000.0)
        order.append(seconds)

    started, faster = time.monotonic(), Reschedule(0.001)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for home, seconds in ((queue, 300.0), (other, 100.0), (queue, 200.0)):
            tasks.create_task(one(home, seconds))
        await asyncio.sleep(0)
        queue.reschedule(["another"], faster)
        await asyncio.sleep(0.05)
        assert order == []
        queue.reschedule(["k"], faster)
        message = queue.message(["k"], faster)
        queue.forget(message)
        other.forget(message)
    assert order == [100.0, 200.0, 300.0]
    assert time.monotonic() - started >= 0.3


async def test_callers_are_delayed_after_a_429() -> None:
    queue, started = WaitQueue(time.monotonic, uuid4().hex), time.monotonic()
    waiting = asyncio.create_task(queue.wait(slots(0.1), 10.0))
    await asyncio.sleep(0)
    queue.reschedule(["k"], Reschedule(1.0, 0.3))
    async with asyncio.timeout(9):
        await waiting
    assert time.monotonic() - started >= 0.4


async def test_a_slot_that_moves_beyond_the_longest_wait_is_refused_at_once() -> None:
    queue = WaitQueue(time.monotonic, uuid4().hex)
    waiting = asyncio.create_task(queue.wait(slots(5.0), 8.0))
    await asyncio.sleep(0)
    queue.reschedule(["k"], Reschedule(10.0))
    async with asyncio.timeout(1):
        with pytest.raises(QuotaExceeded) as caught:
            await waiting
    assert caught.value.retry_after == pytest.approx(50, abs=1)


_HUGE = '["x", ["k"], ' + "9" * 400 + ", 0]"


@pytest.mark.parametrize(
    "message",
    ["", "{}", "[1]", '["x", ["k"], "a", 0]', '["x", 5, 1, 0]', _HUGE, '["x", ["k"], 1, 1, [1e999]]', "[" * 100_000],
)
async def test_unknown_messages_of_other_releases_are_ignored(message: str) -> None:
    WaitQueue(time.monotonic, uuid4().hex).forget(message)


async def test_a_cancelled_caller_is_removed() -> None:
    queue = WaitQueue(time.monotonic, uuid4().hex)
    waiting = asyncio.create_task(queue.wait(slots(60.0), 60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert queue._waiting == {}


async def test_cancelled_slots_bring_later_callers_forward() -> None:
    queue, other = WaitQueue(time.monotonic, "one"), WaitQueue(time.monotonic, "other")
    waiting = [asyncio.create_task(queue.wait(slots(30.0 * number, number), 1e4)) for number in range(1, 6)]
    elsewhere = asyncio.create_task(other.wait(slots(180.0, 6), 1e4))
    await asyncio.sleep(0)
    change = Reschedule(shift=-30.0, after=(1, 2, 4))
    queue.reschedule(["k"], change)
    other.forget(queue.message(["k"], change))
    (left,) = [waiter.at["k"] - time.monotonic() for waiter in other._waiting["k"]]
    waits = sorted(round(waiter.at["k"] - time.monotonic()) for waiter in queue._waiting["k"])
    assert (waits, round(left)) == ([30, 30, 30, 60, 60], 90)
    for task in (*waiting, elsewhere):
        task.cancel()
    await asyncio.gather(*waiting, elsewhere, return_exceptions=True)


async def test_a_caller_waits_for_its_latest_slot_and_follows_each_reschedule() -> None:
    queue = WaitQueue(time.monotonic, "one")
    found = [Slot(Bucket("k", 1.0, 1), 100.0, 1), Slot(Bucket("other", 1.0, 1), 50.0, 1)]
    waiting = asyncio.create_task(queue.wait(found, 1e4))
    await asyncio.sleep(0)
    queue.reschedule(["k"], Reschedule(0.0))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    queue.reschedule(["other"], Reschedule(0.0))
    async with asyncio.timeout(20):
        await waiting
    assert queue._waiting == {}
