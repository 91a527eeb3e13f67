"""The listening sockets. Each connection is counted when it is accepted, and uses TLS if there is a certificate."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import end

from sellergate_edge.listening import bounds
from sellergate_edge.listening.connections import Connections
from sellergate_edge.listening.protocol import BoundedProtocol

_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_PAUSE_SECONDS = 0.1
_PART_BYTES = 64 * 1024
Speak = Callable[[Callable[[], None]], BoundedProtocol]


class ListenerOptions:
    """The bounds of one listener. `context`: the TLS context; None: connections are plain text."""

    def __init__(
        self,
        connections: Connections,
        context: ssl.SSLContext | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.connections = connections
        self.context = context
        self.sleep = sleep


class Listener:
    """Listening sockets with bounded connections. `speak` returns the HTTP protocol of a connection."""

    def __init__(self, options: ListenerOptions, speak: Speak, host: str, port: int) -> None:
        self._options = options
        self._speak = speak
        self.sockets = _bound(host, port)
        self._accepting = [asyncio.create_task(self._accept(one)) for one in self.sockets]
        self._greetings: set[asyncio.Task[None]] = set()
        self._refusals: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Stop accepting connections."""
        for task in self._accepting:
            task.cancel()
        for one in self.sockets:
            one.close()

    async def wait_closed(self) -> None:
        """Wait until no connection is being accepted or refused, or in its handshake."""
        for task in (*self._accepting, *self._greetings, *self._refusals):
            await end(task)

    async def _accept(self, listening: socket.socket) -> None:
        """Accept connections until cancelled. If the process has no free file descriptor, wait and try again."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                if listening.fileno() < 0:
                    return
                get_logger().warning("not_accepted", cause=error.strerror or type(error).__name__)
                await self._options.sleep(_PAUSE_SECONDS)
                continue
            release = self._options.connections.acquire(str(address[0]))
            if release is None:
                self._refuse(accepted)
                continue
            self._start(self._greet(accepted, release), self._greetings)

    async def _greet(self, accepted: socket.socket, release: Callable[[], None]) -> None:
        """Start HTTP on a connection. A failed TLS handshake ends only its connection."""
        loop, context = asyncio.get_running_loop(), self._options.context
        seconds = bounds.HANDSHAKE_SECONDS if context else None
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(
                lambda: self._speak(release), accepted, ssl=context, ssl_handshake_timeout=seconds
            )
        except (OSError, EOFError):  # ssl.SSLError and TimeoutError are OSErrors
            release()
            accepted.close()
        except asyncio.CancelledError:
            release()
            accepted.close()
            raise

    def _refuse(self, accepted: socket.socket) -> None:
        """Send 503 where connections are plain, and close the connection."""
        if self._options.context is None:
            try:
                accepted.send(_REFUSAL)  # fits into the empty buffer of a new connection, and so does not wait
                accepted.shutdown(socket.SHUT_WR)
            except OSError:
                accepted.close()
                return
            if len(self._refusals) < bounds.MAX_LINGERING_REFUSALS:
                self._start(self._discard(accepted), self._refusals)
                return
        accepted.close()

    async def _discard(self, refused: socket.socket) -> None:
        """Read what a refused client sends until it has the response, so that no reset overtakes the response."""
        loop, left = asyncio.get_running_loop(), bounds.LINGER_BYTES
        with refused, suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(bounds.LINGER_SECONDS):
                while left > 0 and (received := await loop.sock_recv(refused, _PART_BYTES)):
                    left -= len(received)

    @staticmethod
    def _start(running: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(running)
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _bound(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(bounds.BACKLOG)
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets
