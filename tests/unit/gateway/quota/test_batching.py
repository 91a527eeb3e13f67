"""Batches of calls in a busy process: a single call passes at once, and a cancelled caller delays no other."""

import asyncio
import itertools

from sellergate_gateway.quota.batching import BATCH_SECONDS, BUSY_CALLS_A_SECOND, WINDOW_SECONDS, Batcher

from tests.fakes.virtual_time import run_in_virtual_time


async def busy() -> Batcher:
    """Return the batcher of a process that has just had a full window of calls."""
    batcher = Batcher()
    for _ in range(int(BUSY_CALLS_A_SECOND * WINDOW_SECONDS)):
        await asyncio.wait_for(batcher.join_batch(), 1)
    await asyncio.sleep(WINDOW_SECONDS)
    return batcher


def test_the_first_call_passes_at_once_and_others_together_in_order() -> None:
    run_in_virtual_time(first_at_once())


async def first_at_once() -> None:
    batcher, order = await busy(), list[int]()

    async def call(number: int) -> None:
        await batcher.join_batch()
        order.append(number)

    began = asyncio.get_running_loop().time()
    tasks = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert order == [0]
    tasks[2].cancel()
    await asyncio.wait(tasks, timeout=5)
    assert order == [0, 1, 3, 4]
    assert asyncio.get_running_loop().time() - began >= BATCH_SECONDS * 0.9


def test_batches_of_a_busy_process_keep_their_distance() -> None:
    run_in_virtual_time(no_two_closer())


async def no_two_closer() -> None:
    batcher, loop = await busy(), asyncio.get_running_loop()
    times = list[float]()
    for _ in range(5):
        await batcher.join_batch()
        times.append(loop.time())
    assert all(after - before >= BATCH_SECONDS * 0.9 for before, after in itertools.pairwise(times))


async def test_no_call_waits_in_an_idle_process() -> None:
    batcher = Batcher()
    for _ in range(int(BUSY_CALLS_A_SECOND * WINDOW_SECONDS) - 1):
        joining = batcher.join_batch()
        try:
            joining.send(None)
        except StopIteration:
            continue
        raise AssertionError("it waits")
