"""Batches of calls in a busy process: a single call passes at once, and a cancelled caller delays no other."""

import asyncio
import itertools
from collections.abc import Callable

from sellergate_gateway.quota.batching import BATCH_SECONDS, LATE_SECONDS, SAMPLE_SECONDS, Batcher

from tests.fakes.virtual_time import run_in_virtual_time

SAMPLES = 30


def late_by(seconds: float) -> Callable[[], float]:
    """Return a clock that moves on by `seconds` between two readings."""
    readings = itertools.count()
    return lambda: next(readings) * seconds


async def sampled(batcher: Batcher, callers: int = 2) -> Batcher:
    """Return a batcher that has taken several samples, each while so many callers arrive together."""
    for _ in range(SAMPLES):
        await asyncio.gather(*(batcher.join_batch() for _ in range(callers)))
        await asyncio.sleep(SAMPLE_SECONDS)
    return batcher


async def busy() -> Batcher:
    return await sampled(Batcher(late_by(LATE_SECONDS * 1.1)))


def waits(batcher: Batcher) -> bool:
    """Return whether a call that arrives now waits."""
    try:
        batcher.join_batch().send(None)
    except StopIteration:
        return False
    return True


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


def test_no_call_waits_while_the_loop_is_in_time_however_many_there_are() -> None:
    run_in_virtual_time(none_waits_in_time())


async def none_waits_in_time() -> None:
    batcher = await sampled(Batcher(late_by(LATE_SECONDS * 0.9)))
    assert not any(waits(batcher) for _ in range(10_000))


def test_a_single_call_never_waits_however_late_the_loop_is() -> None:
    run_in_virtual_time(single_calls())


async def single_calls() -> None:
    batcher = Batcher(late_by(LATE_SECONDS * 100))
    for _ in range(SAMPLES):
        assert not waits(batcher)
        await asyncio.sleep(SAMPLE_SECONDS / 3)


def test_one_late_sample_makes_no_process_busy_and_a_load_that_ends_is_forgotten() -> None:
    run_in_virtual_time(single_sample())


async def single_sample() -> None:
    readings = [0.0, LATE_SECONDS * 4, *(0.0 for _ in range(SAMPLES * 8))]
    batcher = await sampled(Batcher(iter(readings).__next__))
    assert not any(waits(batcher) for _ in range(3))
    recovered = await sampled(await busy(), callers=1)
    assert not any(waits(recovered) for _ in range(3))
