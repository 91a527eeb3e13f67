"""A pass-through over REST beside the gateway's own Call: the same gateway, the same upstream, the same number of callers."""

import asyncio
import sys

from sellergate_devstack.processes.ports import free_ports
from sellergate_devstack.processes.probes import http_serves
from sellergate_devstack.processes.supervisor import Process, Supervisor

from benches.effort import Effort
from benches.measuring import CALLERS, Subject, compare
from benches.results import Result
from benches.suites import PATH, Bench, learn, opened

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


async def edge(bench: Bench, gateway: str) -> tuple[int, int]:
    """Start an edge before a gateway; return its port and its process id."""
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
    process = Process(f"edge-{port}", command, environment, bench.folder / f"edge-{port}.log", serves)
    await supervisor.start(process)
    return port, process.pid


async def measure(effort: Effort) -> Result:
    """Measure both in turns."""
    async with opened() as bench:
        gateway, behind = await bench.gateway(bench.upstream(), "shadow"), bench.behind
        await learn(gateway, bench.plain)
        path = f"/api/amazon/accounts/{bench.account_id}/sp-api{PATH}"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bench.suite.jwt(USER)}\r\n\r\n"
        port, pid = await edge(bench, gateway.target)
        rest = Connections(port, head.encode())
        found = await compare(
            {
                "Call": gateway.subject("gateway", bench.plain, **behind),
                "REST": Subject(rest.call, {"edge": pid, "gateway": gateway.pid, **behind}),
            },
            effort,
        )
    return Result({f"{CALLERS} callers": found}, {"edge.of_call": found["REST"].rate / found["Call"].rate})
