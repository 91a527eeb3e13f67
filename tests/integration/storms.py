"""A storm of cancellations against a client whose peer is silent, then slow, then normal; and the relay for such a peer."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Storm:
    """The seconds of silence, the seconds of delay after them, and the number of simultaneous cancelled callers."""

    silent: float
    slow: float
    callers: int


@dataclass
class Peer:
    """A relay in front of a real server. `delay` is the seconds before data pass; None: none pass."""

    url: str = ""
    delay: float | None = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def becomes(self, delay: float | None) -> None:
        """Delay data by `delay` from now on, including data that is held back."""
        self.delay = delay
        self.changed.set()
        self.changed = asyncio.Event()

    def resets(self) -> None:
        """Break every connection."""
        for task in self.tasks:
            task.cancel()

    async def passes(self) -> None:
        """Wait until data may pass."""
        received = time.monotonic()
        while self.delay is None or time.monotonic() - received < self.delay:
            left = None if self.delay is None else self.delay - (time.monotonic() - received)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), left)


@asynccontextmanager
async def peer_before(url: str, *, both_ways: bool = False) -> AsyncIterator[Peer]:
    """Run a relay before the server at `url`; data passes at first. With `both_ways` the server's data is held back too."""
    inner = urlsplit(url)
    peer = Peer()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, held: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if held:
                    await peer.passes()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer.tasks.add(task)
        peer.connections += 1
        writers = [writer]
        try:
            inner_reader, inner_writer = await asyncio.open_connection(inner.hostname, inner.port)
            writers.append(inner_writer)
            await asyncio.gather(copy(reader, inner_writer, held=True), copy(inner_reader, writer, held=both_ways))
        except asyncio.CancelledError:
            pass  # the test has ended
        finally:
            for one in writers:
                one.transport.abort()
            peer.connections -= 1
            peer.tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
    port = server.sockets[0].getsockname()[1]
    peer.url = inner._replace(
        netloc=inner.netloc.replace(f"{inner.hostname}:{inner.port}", f"127.0.0.1:{port}")
    ).geturl()
    try:
        yield peer
    finally:
        server.close()
        for task in (left := tuple(peer.tasks)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def cancelled_storm(call: Callable[[], Awaitable[object]], callers: int) -> None:
    """Make many calls at once and cancel each at another moment: before, while and after a connection is made."""
    tasks = [asyncio.ensure_future(call()) for _ in range(callers)]
    for number, task in enumerate(tasks):
        if number % 30 == 29:
            await asyncio.sleep(0.01)
        elif number % 3 == 2:
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        task.cancelled() or task.exception()


async def assert_slots_survive(
    peer: Peer, storm: Storm, call: Callable[[], Awaitable[object]], free: Callable[[], bool]
) -> None:
    """Cancel calls while the peer is silent, while it is slow, and when it works.

    Afterwards every slot of the client is free, and as many callers as before all get responses.
    """
    peer.becomes(None)
    await cancelled_storm(call, storm.callers)
    left = [asyncio.ensure_future(call()) for _ in range(storm.callers)]
    await asyncio.sleep(storm.silent)
    for task in left:
        task.cancel()
    await asyncio.wait(left)
    peer.becomes(storm.slow)
    await cancelled_storm(call, storm.callers)
    waiting = [asyncio.ensure_future(call()) for _ in range(storm.callers)]
    await asyncio.sleep(storm.slow)
    peer.becomes(0.0)
    await cancelled_storm(call, storm.callers)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*left, *waiting, return_exceptions=True)
    async with asyncio.timeout(20):
        while not free():  # noqa: ASYNC110  (threads and sockets have no event)
            await asyncio.sleep(0.02)
    # Clients that pause after a silent peer get the time of that pause.
    async with asyncio.timeout(20):
        while isinstance((await asyncio.gather(call(), return_exceptions=True))[0], BaseException):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    outcomes = await asyncio.gather(*(call() for _ in range(storm.callers)), return_exceptions=True)
    failures = Counter(repr(one) for one in outcomes if isinstance(one, BaseException))
    assert not failures, failures
