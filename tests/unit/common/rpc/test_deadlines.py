"""A call's time: a response at once needs no timer, a wait is bounded, and the body of the call is not affected."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator

import pytest
from sellergate_common.context import CallContext
from sellergate_common.errors import OutOfTime
from sellergate_common.rpc.deadlines import within_deadline


def call() -> CallContext:
    return CallContext("m", "r")


async def test_an_immediate_response_and_one_after_several_waits() -> None:
    async def at_once() -> str:
        return "now"

    async def later() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return await asyncio.wait_for(asyncio.sleep(0.01, "later"), 1)

    assert await within_deadline(call(), 5, at_once, streams=False) == "now"
    assert await within_deadline(call(), 5, later, streams=False) == "later"


async def test_an_error_of_the_body_is_raised_before_and_after_a_wait() -> None:
    async def fails(waits: int) -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise KeyError(waits)

    for waits in (0, 2):
        with pytest.raises(KeyError):
            await within_deadline(call(), 5, lambda waits=waits: fails(waits), streams=False)


async def test_an_error_of_an_awaited_future_is_thrown_into_the_body() -> None:
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(failing.set_exception, KeyError("x"))

    async def body() -> str:
        try:
            await failing
        except KeyError:
            await asyncio.sleep(0)
            return "caught"
        return "missed"

    assert await within_deadline(call(), 5, body, streams=False) == "caught"


async def test_the_deadline_ends_the_body() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    with pytest.raises(OutOfTime):
        await within_deadline(call(), 0.1, slow, streams=False)
    assert ended
    with pytest.raises(OutOfTime):
        await within_deadline(call(), 0.01, slow, streams=False)
    assert len(ended) == 1, "it was not even begun"


async def test_a_cancellation_reaches_the_body() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.set()
            raise

    running = asyncio.create_task(within_deadline(call(), None, slow, streams=True))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()


class Held:
    """A stand-in for the data of a call, such as a body of megabytes."""


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def failing_future() -> Awaitable[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_exception, KeyError("x"))
    return future


async def failing_task() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    await asyncio.create_task(fail())


async def failing_later() -> None:
    await asyncio.sleep(0)
    await failing_future()


async def raising() -> None:
    await asyncio.sleep(0)
    raise KeyError("x")


async def hanging() -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("wait", [failing_future, failing_task, failing_later, raising, hanging])
@pytest.mark.usefixtures("without_collector")
async def test_a_call_that_fails_holds_nothing_afterwards(wait: Callable[[], Awaitable[None]]) -> None:
    bodies = list[weakref.ref[Held]]()

    async def body() -> None:
        held = Held()
        bodies.append(weakref.ref(held))
        await wait()

    with pytest.raises(OutOfTime if wait is hanging else KeyError):
        await within_deadline(call(), 0.1, body, streams=False)
    await asyncio.sleep(0)  # a task's step holds the error that it began with
    assert [held() for held in bodies] == [None]
