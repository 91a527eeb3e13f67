"""Calls of a busy process go on in strides; who is alone goes at once, and who leaves holds nobody up."""

import asyncio
import itertools

from sellergate_gateway.quota.batching import BUSY_CALLS_A_SECOND, STRIDE_SECONDS, WINDOW_SECONDS, Strides

from tests.fakes.virtual_time import run_in_virtual_time


async def busy() -> Strides:
    """Return the strides of a process that has just had a full window of calls."""
    strides = Strides()
    for _ in range(int(BUSY_CALLS_A_SECOND * WINDOW_SECONDS)):
        await asyncio.wait_for(strides.step(), 1)
    await asyncio.sleep(WINDOW_SECONDS)
    return strides


def test_the_first_goes_at_once_and_the_others_together_in_order() -> None:
    run_in_virtual_time(first_at_once())


async def first_at_once() -> None:
    strides, order = await busy(), list[int]()

    async def call(number: int) -> None:
        await strides.step()
        order.append(number)

    began = asyncio.get_running_loop().time()
    tasks = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert order == [0]
    tasks[2].cancel()
    await asyncio.wait(tasks, timeout=5)
    assert order == [0, 1, 3, 4]
    assert asyncio.get_running_loop().time() - began >= STRIDE_SECONDS * 0.9


def test_no_two_strides_of_a_busy_process_are_closer_than_one_length() -> None:
    run_in_virtual_time(no_two_closer())


async def no_two_closer() -> None:
    strides, loop = await busy(), asyncio.get_running_loop()
    times = list[float]()
    for _ in range(5):
        await strides.step()
        times.append(loop.time())
    assert all(after - before >= STRIDE_SECONDS * 0.9 for before, after in itertools.pairwise(times))


async def test_nobody_waits_in_a_process_that_is_not_busy() -> None:
    strides = Strides()
    for _ in range(int(BUSY_CALLS_A_SECOND * WINDOW_SECONDS) - 1):
        step = strides.step()
        try:
            step.send(None)
        except StopIteration:
            continue
        raise AssertionError("it waits")
