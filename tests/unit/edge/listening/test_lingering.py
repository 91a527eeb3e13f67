"""A client that is still sending when the edge ends its connection gets the response."""

import asyncio

import pytest
import uvloop
from sellergate_edge.listening import bounds

from tests.unit.edge.listening.test_protocol import Listener, listening, served

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
CLOSES_EARLY = {
    "a response before the body": HEAD,
    "too many headers": HEAD.replace(b"host: x", b"host: x" + b"\r\na: b" * 101),
    "no HTTP": b"GARBAGE\r\n%d\r\n",
}


async def response_to(listener: Listener, head: bytes, body: bytes) -> bytes:
    """Send a head; send the body only once the response to the head is there, then read on to the end."""
    reader, writer = await listener.connect()
    writer.write(head % len(body))
    async with asyncio.timeout(20):
        received = await reader.read(1)
        # The edge has closed its side or does so now: unread bytes must not reset the connection.
        for start in range(0, len(body), 1024):
            writer.write(body[start : start + 1024])
            await writer.drain()
        received += await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize("head", CLOSES_EARLY.values(), ids=CLOSES_EARLY)
@pytest.mark.parametrize("size", [1, 5_000, 1024 * 1024])
@served
async def test_a_response_that_ends_the_connection_arrives_complete(listener: Listener, head: bytes, size: int) -> None:
    received = await response_to(listener, head, b"x" * size)
    assert received.startswith(b"HTTP/1.1 ")
    assert b"connection: close" in received
    await listener.until(lambda: listener.connections.open == 0)


@pytest.mark.usefixtures("patient")
@served
async def test_a_complete_request_ends_its_connection_at_once(listener: Listener) -> None:
    assert (await listener.send(HEAD % 5 + b"xxxxx")).count(b" 200 ") == 1
    await listener.until(lambda: listener.connections.open == 0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no connection end by its time limit within a test."""
    monkeypatch.setattr(bounds, "LINGER_SECONDS", 10_000.0)


@pytest.mark.usefixtures("patient")
@served
async def test_a_client_that_sends_without_end_is_disconnected(listener: Listener) -> None:
    _, writer = await listener.connect()
    writer.write(HEAD % 10**12)
    sent = 0
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(60):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536
    await listener.until(lambda: listener.connections.open == 0)
    # The buffers of the two sockets are added.
    assert sent < 3 * bounds.LINGER_BYTES


def test_a_client_that_neither_sends_nor_closes_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LINGER_SECONDS", 0.1)

    async def main() -> None:
        async with listening() as listener:
            _, writer = await listener.connect()
            writer.write(HEAD % 5_000)
            await listener.until(lambda: len(listener.seen) == 1)
            await listener.until(lambda: listener.connections.open == 0)
            writer.close()

    uvloop.run(main())


def test_a_connection_beyond_the_bound_gets_503_after_its_request() -> None:
    async def main() -> None:
        async with listening(most=1) as listener:
            _, held = await listener.connect()
            await listener.until(lambda: listener.connections.open == 1)
            for _ in range(5):
                received = await response_to(listener, HEAD, b"x" * 5_000)
                assert received.startswith(b"HTTP/1.1 503 ")
            held.close()

    uvloop.run(main())
