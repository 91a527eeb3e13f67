"""A proxy that records the requested targets, and TLS servers behind it for host names that do not resolve."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from sellergate_devstack.certificates import Authority
from sellergate_devstack.processes.ports import LOOPBACK

_PIECE = 65536
_REFUSED = b"HTTP/1.1 502 Unknown host\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class RecordingProxy:
    """A proxy for CONNECT, which refuses other methods and unknown hosts."""

    url: str = ""
    # The method and target of every request, in their order.
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def recording_proxy(authority: Authority, servers: Mapping[str, int]) -> AsyncIterator[RecordingProxy]:
    """Run the proxy. `servers`: the local port, in plain text, of each host that is served with TLS on port 443."""
    proxy, tunnels = RecordingProxy(), dict[str, int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split(" ", 2)
            proxy.requests.append(f"{method} {target.partition('?')[0]}")
            known = method == "CONNECT" and target in tunnels
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n" if known else _REFUSED)
            if known:
                await _join(reader, writer, tunnels[target])
        writer.close()

    async with AsyncExitStack() as stack:
        for host, port in servers.items():
            context = _context(authority, host)
            server = await asyncio.start_server(_to(port), LOOPBACK, 0, ssl=context)
            tunnels[f"{host}:443"] = (await stack.enter_async_context(server)).sockets[0].getsockname()[1]
        listener = await stack.enter_async_context(await asyncio.start_server(serve, LOOPBACK, 0))
        proxy.url = f"http://{LOOPBACK}:{listener.sockets[0].getsockname()[1]}"
        yield proxy


def _context(authority: Authority, host: str) -> ssl.SSLContext:
    files = authority.issue(host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


def _to(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await _join(reader, writer, port)
        writer.close()

    return serve


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Copy both ways between a connection and a local port until each side has ended."""
    inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
    await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()
