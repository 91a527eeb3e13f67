"""A server that drains: started calls finish, all others are known not to have started, and nothing waits long."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import invoke, was_rejected
from sellergate_common.rpc.server import drain
from sellergate_common.status import BEGUN


class Writes(grpc.GenericRpcHandler):
    """A method that reports its start, as writes of the gateway do."""

    def __init__(self, before: float = 0.0, after: float = 0.0) -> None:
        self._before, self._after = before, after
        self.begun: set[bytes] = set()
        self.entered = 0
        self.in_flight = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._run)

    async def _run(self, request: bytes, context: Any) -> bytes:
        self.in_flight += 1
        self.entered += 1
        try:
            await asyncio.sleep(self._before)
            await context.send_initial_metadata((BEGUN,))
            self.begun.add(request)
            await asyncio.sleep(self._after)
            return request
        finally:
            self.in_flight -= 1


@asynccontextmanager
async def serving(writes: Writes) -> AsyncIterator[tuple[grpc.aio.Server, Callable[[], grpc.aio.Channel]]]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([writes])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channels: list[grpc.aio.Channel] = []

    def channel() -> grpc.aio.Channel:
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels.append(grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options))
        return channels[-1]

    try:
        yield server, channel
    finally:
        await server.stop(None)
        for each in channels:
            await each.close()


async def write(channel: grpc.aio.Channel, request: bytes) -> bytes:
    method: Any = channel.unary_unary("/test.Writes/Write")
    return bytes(await invoke(method, request, dependency="writes", seconds=20))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (it has no event)
            await asyncio.sleep(0.005)


async def drained_under_load(ended: Counter[str]) -> None:
    """Call a server that drains from callers without pauses, and count how their calls end."""
    writes, stopped = Writes(after=0.005), asyncio.Event()
    requests, failed = itertools.count(), set[bytes]()

    async def caller(channel: grpc.aio.Channel) -> None:
        while not stopped.is_set():
            request = str(next(requests)).encode()
            try:
                await write(channel, request)
                ended["done"] += 1
            except SellergateError as error:
                ended["turned away" if was_rejected(error) else error.reason] += 1
                failed.add(request)
                await asyncio.sleep(0.002)

    async with serving(writes) as (server, channel):
        callers = [asyncio.create_task(caller(own)) for own in [channel() for _ in range(3)] for _ in range(6)]
        await until(lambda: len(writes.begun) > 30)
        await drain(server, lambda: writes.in_flight, 10)
        stopped.set()
        await asyncio.gather(*callers)
    # Started calls are done; failed ones were refused, or found no connection.
    assert (writes.in_flight, failed & writes.begun) == (0, set())


async def test_calls_that_arrive_during_a_drain_are_executed_or_refused() -> None:
    ended: Counter[str] = Counter()
    for _ in range(10):
        await drained_under_load(ended)
    assert set(ended) <= {"done", "turned away", Reason.DEPENDENCY_UNAVAILABLE}
    assert ended["turned away"] > 0


async def test_a_started_call_finishes() -> None:
    writes = Writes(after=1.0)
    async with serving(writes) as (server, channel):
        call = asyncio.create_task(write(channel(), b"x"))
        await until(lambda: b"x" in writes.begun)
        await drain(server, lambda: writes.in_flight, 10)
        assert await call == b"x"


@pytest.mark.parametrize(("writes", "turned_away"), [(Writes(before=60), True), (Writes(after=60), False)])
async def test_a_call_that_the_drain_interrupts_is_known_to_have_started_or_not(
    writes: Writes, turned_away: bool
) -> None:
    async with serving(writes) as (server, channel):
        call = asyncio.create_task(write(channel(), b"x"))
        await until(lambda: writes.entered == 1 and (turned_away or b"x" in writes.begun))
        await drain(server, lambda: writes.in_flight, 0.3)
        with pytest.raises(SellergateError) as caught:
            await call
    assert was_rejected(caught.value) is turned_away
    assert (b"x" in writes.begun) is not turned_away


async def test_a_drain_does_not_wait_for_calls_without_a_handler() -> None:
    """A connection whose calls have no handler would delay the stop for the whole grace period."""
    writes = Writes(before=60)
    async with serving(writes) as (server, channel):
        call = asyncio.create_task(write(channel(), b"x"))
        await until(lambda: writes.entered == 1)
        async with asyncio.timeout(10):
            await drain(server, lambda: 0, 60)
        with pytest.raises(SellergateError) as caught:
            await call
    assert was_rejected(caught.value)
