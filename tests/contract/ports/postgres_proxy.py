"""A proxy in front of PostgreSQL that counts requests, and cuts or silences connections at a chosen point."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from sqlalchemy.engine import make_url


class Cut(Enum):
    """The point of a cut: before a request reaches the server, or before the server's response reaches the client."""

    REQUEST = auto()
    RESPONSE = auto()


@dataclass
class PostgresProxy:
    url: str = ""
    # The request at which a connection was ended.
    cut: bytes | None = None
    # The bytes sent on silent connections.
    lost: list[bytes] = field(default_factory=list)
    silent: bool = False
    connections: int = 0
    _seen: int = 0
    _at: int = -1
    _how: Cut | None = None
    _start: bytes = b""
    links: set["_Link"] = field(default_factory=set)

    def watch(self, at: int = -1, how: Cut | None = None, start: bytes = b"") -> None:
        """Count requests that begin with `start` from here; end the connection at the one with the number `at`."""
        self._seen, self._at, self._how, self._start = 0, at, how, start
        self.cut = None

    def silence(self) -> None:
        """Stop all bytes on the present connections; new ones work."""
        for link in self.links:
            link.silent = True

    def decide(self, data: bytes) -> Cut | None:
        """Count a request; messages that set a connection up do not count (they have no type, and begin with a length)."""
        if data.startswith(b"\x00") or not data.startswith(self._start):
            return None
        self._seen += 1
        if self._seen - 1 != self._at:
            return None
        self.cut = data
        return self._how


@dataclass(eq=False)
class _Link:
    proxy: PostgresProxy
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    mute: bool = False
    silent: bool = False

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()

    async def requests(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(1 << 16):
            if data.startswith(b"X"):  # Terminate: no request
                break
            cut = self.proxy.decide(data)
            if cut is Cut.REQUEST:
                break
            self.mute = cut is Cut.RESPONSE
            if self.silent or self.proxy.silent:
                self.proxy.lost.append(data)
            else:
                self.server.write(data)
        self.abort()

    async def responses(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(1 << 16):
            if self.mute:
                break
            if not (self.silent or self.proxy.silent):
                self.client.write(data)
        self.abort()


@asynccontextmanager
async def proxied_postgres(url: str) -> AsyncIterator[PostgresProxy]:
    """Run a proxy before the database at `url`; its own URL leads through it."""
    place, proxy = make_url(url), PostgresProxy()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.connections += 1
        inner, outer = await asyncio.open_connection(place.host, place.port)
        link = _Link(proxy, writer, outer)
        proxy.links.add(link)
        with suppress(ConnectionError):
            await asyncio.gather(link.requests(reader), link.responses(inner))
        proxy.links.discard(link)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.url = place.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    try:
        yield proxy
    finally:
        server.close()
        while proxy.links:
            for link in tuple(proxy.links):
                link.abort()
            await asyncio.sleep(0.01)
