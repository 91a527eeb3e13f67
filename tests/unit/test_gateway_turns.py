"""Waiting for a slot, and slots that move."""

import asyncio
import time

from sellergate_gateway.ports import Admission
from sellergate_gateway.turns import Turns


async def test_a_slot_is_waited_for() -> None:
    waited = await Turns().wait("k", Admission(0.05, 1.0), 10.0)
    assert 0.05 <= waited < 0.5


async def test_a_higher_rate_brings_everybody_forward_in_order() -> None:
    turns, order = Turns(), []

    async def one(seconds: float) -> None:
        await turns.wait("k", Admission(seconds, 1.0), 1000.0)
        order.append(seconds)

    started = time.monotonic()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for seconds in (300.0, 100.0, 200.0):
            tasks.create_task(one(seconds))
        await asyncio.sleep(0)
        turns.learned("another", 1000.0)
        await asyncio.sleep(0.05)
        assert order == []
        turns.learned("k", 1000.0)
    assert order == [100.0, 200.0, 300.0]
    assert time.monotonic() - started >= 0.3


async def test_a_lower_rate_never_makes_a_wait_longer_than_allowed() -> None:
    turns = Turns()
    waiting = asyncio.create_task(turns.wait("k", Admission(0.05, 1.0), 0.2))
    await asyncio.sleep(0)
    turns.learned("k", 0.001)
    assert 0.2 <= await waiting < 1.0


async def test_who_leaves_is_forgotten() -> None:
    turns = Turns()
    waiting = asyncio.create_task(turns.wait("k", Admission(60.0, 1.0), 60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert turns._waiting == {}
