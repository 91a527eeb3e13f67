"""Waiting for a slot, and slots that move."""

import asyncio
import time
from uuid import uuid4

import pytest
from sellergate_common.errors import QuotaExceeded
from sellergate_gateway.quota.gcra import Moved
from sellergate_gateway.quota.waiters import Turns


async def test_a_slot_is_waited_for() -> None:
    waited = await Turns(time.monotonic, uuid4().hex).wait("k", 0.05, 10.0)
    assert 0.05 <= waited < 0.5


async def test_a_higher_rate_brings_everybody_forward_in_order_here_and_elsewhere() -> None:
    turns, other, order = Turns(time.monotonic, uuid4().hex), Turns(time.monotonic, uuid4().hex), list[float]()

    async def one(home: Turns, seconds: float) -> None:
        await home.wait("k", seconds, 1000.0)
        order.append(seconds)

    started, faster = time.monotonic(), Moved(0.001, 0.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for home, seconds in ((turns, 300.0), (other, 100.0), (turns, 200.0)):
            tasks.create_task(one(home, seconds))
        await asyncio.sleep(0)
        turns.move(["another"], faster)
        await asyncio.sleep(0.05)
        assert order == []
        turns.move(["k"], faster)
        message = turns.message(["k"], faster)
        turns.forget(message)
        other.forget(message)
    assert order == [100.0, 200.0, 300.0]
    assert time.monotonic() - started >= 0.3


async def test_everybody_is_put_back_after_a_429() -> None:
    turns, started = Turns(time.monotonic, uuid4().hex), time.monotonic()
    waiting = asyncio.create_task(turns.wait("k", 0.1, 10.0))
    await asyncio.sleep(0)
    turns.move(["k"], Moved(1.0, 0.3))
    await waiting
    assert 0.4 <= time.monotonic() - started < 1.5


async def test_a_slot_that_moves_behind_the_longest_wait_is_refused_at_once() -> None:
    turns = Turns(time.monotonic, uuid4().hex)
    waiting = asyncio.create_task(turns.wait("k", 5.0, 8.0))
    await asyncio.sleep(0)
    turns.move(["k"], Moved(10.0, 0.0))
    async with asyncio.timeout(1):
        with pytest.raises(QuotaExceeded) as caught:
            await waiting
    assert caught.value.retry_after == pytest.approx(50, abs=1)


@pytest.mark.parametrize("message", ["", "{}", "[1]", '["x", ["k"], "a", 0]', '["x", 5, 1, 0]'])
async def test_what_another_version_may_say_is_not_heard(message: str) -> None:
    Turns(time.monotonic, uuid4().hex).forget(message)


async def test_who_leaves_is_forgotten() -> None:
    turns = Turns(time.monotonic, uuid4().hex)
    waiting = asyncio.create_task(turns.wait("k", 60.0, 60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert turns._waiting == {}
