"""A document store on loopback that serves one part at a time and then fails, each time in another way."""

import asyncio
import itertools
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sellergate_devstack.processes.ports import LOOPBACK

WAYS = (
    "500",
    "503",
    "429",
    "reset",
    "truncated",
    "refused",
    "slow",
    "wrong range",
    "ignored range",
    "stalled",
    "short",
)
_ETAG = '"e1"'


@dataclass
class FailingStore:
    """A document of `size` bytes, made by `content(start, end)`. A response has at most `part` bytes."""

    size: int
    part: int
    content: Callable[[int, int], bytes]
    ways: Iterator[str] = field(default_factory=lambda: itertools.cycle(WAYS))
    requests: int = 0
    seen: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _back: asyncio.Task[None] | None = None

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._handle, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._back is not None:
            await self._back
        if self._server is not None:
            self._server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._respond(reader, writer)
        writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests += 1
        way = next(self.ways)
        self.seen.append(way)
        if way.isdigit():
            writer.write(f"HTTP/1.1 {way} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        found = re.search(r"range: bytes=(\d+)-", head, re.IGNORECASE)
        start = int(found[1]) if found and way != "ignored range" else 0
        served = int(found[1]) if found else 0
        end = min(self.size, served + self.part)
        shown = start + 1 if way == "wrong range" else start
        length = end - start if way == "short" else self.size - start
        lines = [f"ETag: {_ETAG}", f"Content-Length: {length}", "Connection: close"]
        is_part = (found and way != "ignored range") or way in ("short", "wrong range")
        if is_part:
            lines.append(f"Content-Range: bytes {shown}-{shown + length - 1}/{self.size}")
        writer.write("\r\n".join([f"HTTP/1.1 {206 if is_part else 200} X", *lines, "\r\n"]).encode())
        await self._send(writer, start, end, drips=way == "slow")
        if way == "stalled":
            await reader.read()
        elif way == "reset":
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif way == "refused" and self._server is not None:
            self._server.close()
            self._back = asyncio.create_task(self._listen_again())

    async def _send(self, writer: asyncio.StreamWriter, start: int, end: int, *, drips: bool) -> None:
        step = max(1, (end - start) // 8) if drips else 1 << 18
        for at in range(start, end, step):
            writer.write(self.content(at, min(end, at + step)))
            await writer.drain()
            if drips:
                await asyncio.sleep(0.005)

    async def _listen_again(self) -> None:
        await asyncio.sleep(0.2)
        await self.listen()


@asynccontextmanager
async def failing_store(
    size: int, part: int, content: Callable[[int, int], bytes], ways: Iterator[str] | None = None
) -> AsyncIterator[FailingStore]:
    """Serve a document."""
    store = FailingStore(size, part, content)
    store.ways = ways or store.ways
    await store.listen()
    try:
        yield store
    finally:
        await store.close()
