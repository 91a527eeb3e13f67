"""StreamCalls beside a unary Call and a bare unary pass-through: the same gateway, callers, TLS and upstream in one run."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import uvloop
from sellergate.gateway.v1.gateway_service_pb2 import StreamCallsRequest
from sellergate_common.rpc.channel import open_channel
from sellergate_common.tasks import end

from benches.bench_gateway import CALLERS, Bench, opened
from benches.load import Measurement, compare

STREAM = "/sellergate.gateway.v1.GatewayService/StreamCalls"
OF_UNARY = 1.25
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


async def main() -> int:
    """Print the rates and their ratios; return how many are below their targets."""
    async with opened() as bench:
        upstream = bench.upstream(0.0)
        bare, (unary, target) = await bench.bare(upstream), await bench.gateway_at(upstream, "shared")
        for _ in range(3):  # the first responses report the rate that the upstream allows
            await unary(bench.plain, timeout=10)
        async with multiplexed(bench, target) as stream:
            found = await compare(
                {
                    "bare": lambda: bare(bench.plain, timeout=10),
                    "unary": lambda: unary(bench.plain, timeout=10),
                    "stream": stream.call,
                },
                callers=CALLERS,
            )
    return describe(found)


def describe(found: dict[str, Measurement]) -> int:
    """Print the measurements; return how many targets were missed."""
    stream, unary, bare = (found[name].rate for name in ("stream", "unary", "bare"))
    print(f"bare pass-through         {bare:6.0f} calls/s")
    print(f"StreamCalls, of Call      ratio {stream / unary:.2f} (at least {OF_UNARY})")
    print(f"StreamCalls, of the bare  ratio {stream / bare:.2f}; Call has {unary / bare:.2f}")
    return int(stream / unary < OF_UNARY)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
