"""Slots: bounded, always returned, and reported when the peer does not respond."""

import asyncio

import pytest
from sellergate_common.slots import STUCK_SECONDS, Slots


async def held(slots: Slots, until: asyncio.Event, *, fails: bool = False) -> None:
    await slots.take()
    responded = False
    try:
        await until.wait()
        if fails:
            raise TimeoutError
        responded = True
    finally:
        slots.give_back(has_response=responded)


async def some_rounds() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_cancelled_holders_and_waiters_leave_every_slot_free() -> None:
    slots, never = Slots("peer", 4, lambda: 0.0), asyncio.Event()
    for rounds in range(6):
        tasks = [asyncio.ensure_future(held(slots, never)) for _ in range(100)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert slots.free == 4
    async with asyncio.timeout(5):
        for _ in range(4):
            await slots.take()
    assert slots.free == 0


async def test_an_unresponsive_peer_is_reported_while_calls_wait() -> None:
    now = [0.0]
    slots, done = Slots("LWA", 2, lambda: now[0]), asyncio.Event()
    calls = [asyncio.ensure_future(held(slots, done, fails=True)) for _ in range(6)]
    await some_rounds()
    now[0] = STUCK_SECONDS - 1
    assert slots.problem() == ""
    # The first requests end without a response, and the next ones take their slots.
    calls[0].cancel()
    await some_rounds()
    now[0] = STUCK_SECONDS
    assert slots.problem() == "all 2 connections to LWA wait for a response"
    done.set()
    with pytest.raises(TimeoutError):
        await calls[-1]
    assert slots.problem() == ""
    await asyncio.gather(*calls, return_exceptions=True)


async def test_one_response_clears_the_problem() -> None:
    now = [0.0]
    slots, never, done = Slots("LWA", 2, lambda: now[0]), asyncio.Event(), asyncio.Event()
    calls = [asyncio.ensure_future(held(slots, one)) for one in (never, done, never)]
    await some_rounds()
    now[0] = STUCK_SECONDS
    assert slots.problem()
    done.set()
    await some_rounds()
    assert slots.problem() == ""
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
