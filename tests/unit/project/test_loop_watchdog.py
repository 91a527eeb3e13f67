"""The watchdog of tests reports a callback that blocks the loop, and not one that only waits."""

import asyncio
import gc
import time

import pytest

from tests.fakes.loop_watchdog import Watch, watched_loop


def busy(seconds: float) -> None:
    """Use up CPU time of this thread."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def works(seconds: float) -> None:
    await asyncio.sleep(0)
    busy(seconds)


def test_a_callback_that_holds_up_the_loop_is_found() -> None:
    with pytest.raises(AssertionError, match=r"took 0\.1"), watched_loop():
        asyncio.run(works(0.12))
    with pytest.raises(AssertionError, match="no loop"), watched_loop():
        pass


async def test_waiting_and_other_threads_are_none(loop_watchdog: Watch) -> None:
    await asyncio.to_thread(busy, 0.12)
    await asyncio.sleep(0.12)
    await works(0.01)
    assert loop_watchdog.callbacks > 2


async def collects() -> None:
    await asyncio.sleep(0)
    gc.collect()


def test_a_collection_of_older_objects_is_not_counted() -> None:
    """A collection walks every object of the process, here 800,000 that earlier tests could have left."""
    left = [[number] for number in range(800_000)]
    with watched_loop():
        asyncio.run(collects())
    assert len(left) == 800_000
