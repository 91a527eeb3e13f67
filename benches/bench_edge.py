"""A pass-through over REST beside the gateway's own Call: the same gateway, the same upstream, the same number of callers."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.processes.probes import http_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from benches.bench_gateway import CALLERS, PATH, Bench, opened
from benches.load import compare

OF_CALL = 0.70
USER = "bench"


class Connections:
    """HTTP/1.1 connections that are kept alive, one for each caller; they cost as little as the gRPC client's raw bytes."""

    def __init__(self, port: int, head: bytes) -> None:
        self._port = port
        self._head = head
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(self) -> bytes:
        """Send the request and read its response."""
        reader, writer = await self._connection()
        writer.write(self._head)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        assert head.startswith(b"HTTP/1.1 200"), body  # noqa: S101
        self._free.append((reader, writer))
        return body

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a free connection, unless it was closed after too long without a request."""
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def close(self) -> None:
        """End the connections."""
        for _, writer in self._free:
            writer.close()
            await writer.wait_closed()


async def edge(bench: Bench, gateway: str) -> int:
    """Start an edge before a gateway; return its port."""
    (port,) = free_ports(1)
    environment = {
        **bench.suite.supervisor.processes["edge"].environment,
        "SELLERGATE_EDGE_PORT": str(port),
        "SELLERGATE_GATEWAY_TARGET": gateway,
        "SELLERGATE_USER_RATE": "100000",
        "SELLERGATE_USER_BURST": "100000",
    }
    supervisor = Supervisor(lambda _: None)
    bench.stack.push_async_callback(supervisor.stop)
    command = [sys.executable, "-m", "sellergate_edge"]
    serves = http_serves(f"http://127.0.0.1:{port}/console/icon.svg")
    await supervisor.start(Process(f"edge-{port}", command, environment, bench.folder / f"edge-{port}.log", serves))
    return port


async def main() -> int:
    """Print the ratio; return 1 when it is below its target."""
    async with opened() as bench:
        called, target = await bench.gateway_at(bench.upstream(0.0), "shadow")
        token = bench.suite.jwt(USER)
        path = f"/api/amazon/accounts/{bench.account_id}/sp-api{PATH}"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        rest = Connections(await edge(bench, target), head)

        def call() -> Any:
            return called(bench.plain, timeout=10)

        for _ in range(3):
            await call()
        subjects: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {"call": call, "rest": rest.call}
        found = await compare(subjects, callers=CALLERS)
    ratio = found["rest"].rate / found["call"].rate
    print(f"gateway Call              {found['call'].rate:6.0f} calls/s")
    print(f"{'the same through the edge':25} ratio {ratio:.2f} (at least {OF_CALL})")
    return int(ratio < OF_CALL)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
