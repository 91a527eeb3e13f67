"""Clients at the public port: the resources that they hold, for how long, and their cost."""

import asyncio
import gc
import inspect
import json
import resource
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from sellergate_edge.listening import bounds
from sellergate_edge.listening.connections import Connections, Proxies
from sellergate_edge.listening.listener import ListenerOptions
from sellergate_edge.listening.server import make_server
from sellergate_edge.routes.problems import REASONS
from sellergate_edge.settings import EdgeSettings
from starlette.types import Receive, Scope, Send

from tests.fakes.cpu_time import cpu_time

HOST = "127.0.0.1"
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@dataclass
class Listener:
    """A running listener, and the requests that its app has received."""

    port: int
    connections: Connections
    seen: list[Scope] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: list[BaseException | None] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self.port)

    async def send(self, *parts: bytes) -> bytes:
        """Send, and return what comes back until the end of the connection."""
        reader, writer = await self.connect()
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        received = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(20):
                received = await reader.read()
        writer.close()
        return received

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  (the other end's state has no event)
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(most: int = 50, of_address: int = 50, keep_alive_seconds: int = 75) -> AsyncIterator[Listener]:
    connections = Connections(most, of_address, Proxies(""))
    listener = Listener(0, connections)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        listener.seen.append(scope)
        if scope["path"] == "/held":
            await listener.go.wait()
            try:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x"})
            except RuntimeError as error:
                listener.ended.append(error)
            else:
                listener.ended.append(None)
            return
        if scope["path"] == "/body":
            while (await receive()).get("more_body"):
                pass
        body = b"x" * (32 * 1024 * 1024 if scope["path"] == "/large" else 1)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    options = ListenerOptions(connections, None, asyncio.sleep)
    server = make_server(app, HOST, 0, options, keep_alive_seconds=keep_alive_seconds)
    serving = asyncio.create_task(server.serve())
    await listener.until(lambda: server.started)
    listener.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.stop()
        await serving


def served(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on the edge's own kind of loop, with a listener as its first argument."""

    async def main(**given: Any) -> None:
        async with listening() as listener:
            await test(listener, **given)

    def run(**given: Any) -> None:
        uvloop.run(main(**given))

    run.__name__ = test.__name__
    _, *others = inspect.signature(test).parameters.values()
    run.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]
    return run


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines in a fraction of a second; the tests wait for the end of the connection, however late that is."""
    monkeypatch.setattr(bounds, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(bounds, "WRITE_SECONDS", 0.2)


@pytest.mark.parametrize("requests", [1, 40])
@served
async def test_a_disconnected_client_is_not_an_error_for_any_number_of_requests(
    listener: Listener, requests: int
) -> None:
    """The served request ends as if it were the only one, and later ones never start. With 40, the edge ends the connection."""
    _, writer = await listener.connect()
    writer.write(REQUEST.replace(b"/ ", b"/held ") * requests)
    await listener.until(lambda: bool(listener.seen))
    writer.transport.abort()
    await listener.until(lambda: listener.connections.open == 0)
    listener.go.set()
    await listener.until(lambda: bool(listener.ended))
    assert listener.ended == [None]
    assert len(listener.seen) == 1


@served
async def test_valid_requests_are_served(listener: Listener) -> None:
    received = await listener.send(REQUEST * 2 + REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert received.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n"],
        [b"GET / HTTP/1.1\r\na: " + b"x" * bounds.MAX_HEADER_BYTES + b"\r\n\r\n"],
        [b"GET /" + b"x" * bounds.MAX_HEADER_BYTES + b" HTTP/1.1\r\n\r\n"],
        [b"GET / HTTP/1.1\r\na: ", *[b"x" * 65_536] * 200],
        [b"GET / HTTP/1.1\r\n", *[b"x" * 65_536] * 200],
    ],
    ids=["many", "one", "path", "endless value", "endless name"],
)
@served
async def test_headers_are_bounded_in_number_and_bytes(listener: Listener, parts: list[bytes]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with cpu_time() as spent:
        received = await listener.send(*parts)
    assert received == b"" or received.startswith(b"HTTP/1.1 431 "), received[:50]
    head, _, body = received.partition(b"\r\n\r\n")
    if received:
        assert b"content-type: application/problem+json" in head
        assert json.loads(body)["reason"] == "REQUEST_HEADER_FIELDS_TOO_LARGE"
        assert json.loads(body)["reason"] in REASONS
    assert listener.seen == []
    assert spent.seconds < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
    await listener.until(lambda: listener.connections.open == 0)


@served
async def test_trailers_and_chunk_extensions_are_bounded(listener: Listener) -> None:
    head = b"POST /body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"
    for rest in ([b"0\r\na: ", *[b"x" * 65_536] * 50], [b"0\r\n" + b"a: b\r\n" * 200], [b"1;" + b"x" * 65_536] * 50):
        assert b" 200 " not in await listener.send(head, *rest)
        await listener.until(lambda: listener.connections.open == 0)
    received = await listener.send(
        head + b"0\r\nauthorization: forged\r\n\r\n" + REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    )
    assert received.count(b" 200 ") == 2
    assert all(name != b"authorization" for scope in listener.seen for name, _ in scope["headers"])


@served
async def test_a_flood_of_pipelined_requests_creates_few_tasks(listener: Listener) -> None:
    gc.collect()
    before = len(gc.get_objects())
    await listener.send(REQUEST * 9_000)
    assert len(gc.get_objects()) - before < 20_000
    await listener.until(lambda: listener.connections.open == 0)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", REQUEST[:-2], REQUEST + b"GET /", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nx"],
    ids=["nothing", "half a line", "half a head", "half a second request", "half a body that is not read"],
)
@served
async def test_connections_that_send_no_request_end(listener: Listener, sent: bytes) -> None:
    reader, writer = await listener.connect()
    writer.write(sent)
    async with asyncio.timeout(30):
        await reader.read()
    await listener.until(lambda: listener.connections.open == 0)
    writer.close()


def test_an_idle_connection_is_kept_for_the_seconds_of_the_setting() -> None:
    async def main() -> None:
        async with listening(keep_alive_seconds=1) as listener:
            reader, writer = await listener.connect()
            loop = asyncio.get_running_loop()
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 OK")
            began = loop.time()
            async with asyncio.timeout(30):
                await reader.read()
            assert loop.time() - began > 0.9
            await listener.until(lambda: listener.connections.open == 0)
            writer.close()

    uvloop.run(main())


def test_an_idle_connection_outlives_the_idle_time_outs_of_load_balancers() -> None:
    """A load balancer closes its idle connections first, after 60 s by default, so that it sends no request on a closing one."""
    assert EdgeSettings.model_fields["keep_alive_seconds"].default > 60


@pytest.mark.usefixtures("soon")
@served
async def test_slow_headers_time_out_as_stalled_ones_do(listener: Listener) -> None:
    reader, writer = await listener.connect()
    ended = asyncio.create_task(reader.read())
    sent = 0
    with suppress(ConnectionError):
        while not ended.done():
            writer.write(b"G" if not sent else b"ET / HTTP/1.1"[sent - 1 : sent])
            sent += 1
            await asyncio.sleep(0.1)
            assert sent < 200
    await listener.until(lambda: listener.connections.open == 0)
    writer.close()


@pytest.mark.usefixtures("soon")
@served
async def test_a_connection_whose_body_ends_after_the_response_is_idle_and_stays_open(listener: Listener) -> None:
    reader, writer = await listener.connect()
    writer.write(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nx")
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"12345678")
    await asyncio.sleep(5 * bounds.HEADER_SECONDS)
    assert listener.connections.open == 1
    writer.write(REQUEST)
    async with asyncio.timeout(30):
        assert b"200 OK" in await reader.readuntil(b"200 OK")
    writer.close()


@pytest.mark.usefixtures("soon")
@served
async def test_a_client_that_reads_no_response_is_disconnected(listener: Listener) -> None:
    reader, writer = await asyncio.open_connection(HOST, listener.port, limit=1024)
    writer.write(REQUEST.replace(b"/ ", b"/large "))
    await listener.until(lambda: len(listener.seen) == 1)
    await listener.until(lambda: listener.connections.open == 0)
    writer.close()
    assert reader.at_eof() is False


@served
async def test_connections_beyond_the_bound_are_refused(wide: Listener) -> None:
    assert wide.connections.open == 0
    async with listening(most=30, of_address=20) as listener:
        held = [await listener.connect() for _ in range(100)]
        await listener.until(lambda: listener.connections.refused == 80)
        assert listener.connections.open == 20
        ends = [await asyncio.wait_for(reader.read(), 20) for reader, _ in held[20:]]
        assert all(end.startswith(b"HTTP/1.1 503 ") for end in ends)
        for _, writer in held:
            writer.close()
        await listener.until(lambda: listener.connections.open == 0)
        assert b" 200 OK" in await listener.send(REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
