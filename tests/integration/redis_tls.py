"""TLS in front of servers without it: real handshakes and certificates; plain connections pass unchanged."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from sellergate_devstack.processes.ports import LOOPBACK

_HANDSHAKE = 0x16


class Fronts:
    """Proxies, each on a port of its own. Servers and sentinels of a set talk plainly to each other through the same ports."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._proxy_ports: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.handshakes = 0

    def __call__(self, port: int) -> int:
        """Put a proxy in front of a port, once; return the port of the proxy."""
        if port not in self._proxy_ports:
            listener = socket.create_server((LOOPBACK, 0))
            listener.setblocking(False)
            asyncio.run_coroutine_threadsafe(self._listen(listener, port), self._loop)
            self._proxy_ports[port] = listener.getsockname()[1]
        return self._proxy_ports[port]

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _cancel(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _listen(self, listener: socket.socket, port: int) -> None:
        with closing(listener):
            while True:
                accepted, _ = await self._loop.sock_accept(listener)
                task = asyncio.create_task(self._pass(accepted, port))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _pass(self, accepted: socket.socket, port: int) -> None:
        with suppress(OSError), closing(accepted):
            while not (first := self._peek(accepted)):  # noqa: ASYNC110  (a loop has no peek to wait for)
                await asyncio.sleep(0.001)
            secure = first[0] == _HANDSHAKE
            reader = asyncio.StreamReader()
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader), accepted, ssl=self._context if secure else None
            )
            self.handshakes += secure
            writer = asyncio.StreamWriter(transport, transport.get_protocol(), reader, self._loop)
            with closing(writer):
                inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
                with closing(inner_writer):
                    await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    def _peek(self, accepted: socket.socket) -> bytes:
        try:
            found = accepted.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return b""
        if not found:
            raise ConnectionResetError
        return found


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError), closing(writer):
        while received := await reader.read(65_536):
            writer.write(received)
            await writer.drain()
