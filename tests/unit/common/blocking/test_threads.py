"""Threads for blocking work: bounded, never lost, and independent of the loop after their caller's cancellation."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from threading import Event, current_thread

import pytest
from sellergate_common.blocking.threads import Threads


@pytest.fixture
def release() -> Iterator[Event]:
    made = Event()
    yield made
    made.set()


async def test_work_runs_in_a_named_daemon_thread() -> None:
    thread = await Threads("kind", 1).run(current_thread)
    assert (thread.name, thread.daemon) == ("kind", True)


async def test_an_error_is_raised_at_the_await_and_the_thread_is_free_again() -> None:
    threads = Threads("kind", 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
    assert threads.idle


async def test_hanging_work_occupies_only_the_threads_of_its_kind(release: Event) -> None:
    threads = Threads("kind", 2)
    hanging = [asyncio.ensure_future(threads.run(release.wait)) for _ in range(20)]
    await asyncio.sleep(0)
    assert threads.busy == 2
    assert await Threads("other", 1).run(lambda: "well") == "well"
    release.set()
    assert await asyncio.gather(*hanging) == [True] * 20
    assert threads.idle


async def test_threads_of_cancelled_callers_are_free_when_their_work_ends(release: Event) -> None:
    threads = Threads("kind", 2)
    callers = [asyncio.ensure_future(threads.run(release.wait)) for _ in range(20)]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    assert (threads.busy, threads.idle) == (2, False)
    release.set()
    assert await threads.run(lambda: "well") == "well"
    async with asyncio.timeout(20):
        while not threads.idle:  # noqa: ASYNC110  (threads set no event)
            await asyncio.sleep(0.01)


class Body:
    """A body that the work reads."""


async def test_failed_work_leaves_no_references() -> None:
    threads = Threads("test", 1)

    def failing(body: Body) -> None:
        raise ValueError(str(type(body)))

    body = Body()
    collected = asyncio.Event()
    weakref.finalize(body, asyncio.get_running_loop().call_soon_threadsafe, collected.set)
    gc.disable()
    try:
        with suppress(ValueError):
            await threads.run(partial(failing, body))
        del body
        async with asyncio.timeout(20):
            await collected.wait()  # the thread may still be ending
    finally:
        gc.enable()
