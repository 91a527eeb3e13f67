"""StreamCalls beside a unary Call and a bare unary pass-through: the same gateway, callers, TLS and upstream in one run."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from sellergate.gateway.v1.gateway_service_pb2 import StreamCallsRequest
from sellergate_common.rpc.channel import open_channel
from sellergate_common.tasks import end

from benches.effort import Effort
from benches.measuring import CALLERS, Subject, compare
from benches.results import Result
from benches.suites import Bench, learn, opened

STREAM = "/sellergate.gateway.v1.GatewayService/StreamCalls"
_CALL_TAG = bytes([StreamCallsRequest.CALL_FIELD_NUMBER << 3 | 2])


class Multiplexer:
    """Calls over one stream, with raw bytes in this process as for the unary calls beside it."""

    def __init__(self, stream: Any, request: bytes) -> None:
        self._stream = stream
        self._body = _CALL_TAG + bytes([len(request)]) + request
        self._ids = itertools.count()
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()

    async def call(self) -> bytes:
        """Make one call and return its response."""
        name = b"%d" % next(self._ids)
        response = self._waiting[name] = asyncio.get_running_loop().create_future()
        self._unsent.put_nowait(StreamCallsRequest(request_id=name.decode()).SerializeToString() + self._body)
        async with asyncio.timeout(10):
            return await response

    async def write(self) -> None:
        """Write requests until cancelled."""
        while True:
            await self._stream.write(await self._unsent.get())

    async def read(self) -> None:
        """Give each response to its caller, until cancelled."""
        while (raw := await self._stream.read()) is not grpc.aio.EOF:
            self._waiting.pop(raw[2 : 2 + raw[1]]).set_result(raw)


@asynccontextmanager
async def multiplexed(bench: Bench, target: str) -> AsyncIterator[Multiplexer]:
    """Open a stream of calls to a gateway."""
    async with open_channel(target, "gateway", bench.suite.identity("client/demo"), []) as channel:
        stream: Any = channel.stream_stream(STREAM)(timeout=600)
        found = Multiplexer(stream, bench.plain)
        tasks = [asyncio.create_task(found.write()), asyncio.create_task(found.read())]
        try:
            yield found
        finally:
            stream.cancel()
            for task in tasks:
                await end(task)


async def measure(effort: Effort) -> Result:
    """Measure calls of a stream beside unary ones."""
    async with opened() as bench:
        upstream, behind = bench.upstream(), bench.behind
        echo, bare, unary = await bench.echo(), await bench.bare(upstream), await bench.gateway(upstream)
        await learn(unary, bench.plain)
        async with multiplexed(bench, unary.target) as stream:
            found = await compare(
                {
                    "bare echo": echo.subject("echo", bench.plain),
                    "bare pass-through": bare.subject("bare", bench.plain),
                    "Call": unary.subject("gateway", bench.plain, **behind),
                    "StreamCalls": Subject(stream.call, {"gateway": unary.pid, **behind}),
                },
                effort,
            )
    streamed = found["StreamCalls"]
    return Result(
        {f"{CALLERS} callers": found},
        {
            "streams.of_unary": streamed.rate / found["Call"].rate,
            "streams.of_bare": streamed.rate / found["bare pass-through"].rate,
            "streams.cost": streamed.cost("gateway") / found["bare echo"].cost("echo"),
        },
    )
