"""What happens when a connection comes: it is counted first, then spoken to, over TLS where there is a certificate."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from sellergate_edge.door import bounds
from sellergate_edge.door.connections import Connections
from sellergate_edge.door.protocol import BoundedProtocol

_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
Speak = Callable[[Callable[[], None]], BoundedProtocol]


class Door:
    """The entry of one listener. `context`: what TLS shows; None: connections are plain."""

    def __init__(self, connections: Connections, context: ssl.SSLContext | None) -> None:
        self.connections = connections
        self._context = context
        self._handshakes: set[asyncio.Task[None]] = set()

    def open(self, transport: asyncio.Transport, speak: Speak) -> None:
        """Let a connection in, or refuse it. `speak` makes the HTTP protocol, which takes over."""
        peer = transport.get_extra_info("peername")
        leave = self.connections.enter(str(peer[0]) if peer else "")
        if leave is None:
            if self._context is None:
                transport.write(_REFUSAL)
            transport.close()
            return
        protocol = speak(leave)
        if self._context is None:
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            return
        handshake = asyncio.create_task(self._shake_hands(transport, protocol, self._context, leave))
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._handshakes.discard)

    async def _shake_hands(
        self,
        transport: asyncio.Transport,
        protocol: BoundedProtocol,
        context: ssl.SSLContext,
        leave: Callable[[], None],
    ) -> None:
        """Begin TLS in time. Strangers break handshakes off, and send what is none: that is the end of their connection alone."""
        loop = asyncio.get_running_loop()
        try:
            encrypted = await loop.start_tls(
                transport, protocol, context, server_side=True, ssl_handshake_timeout=bounds.HANDSHAKE_SECONDS
            )
        except (OSError, EOFError):  # ssl.SSLError and TimeoutError are OSErrors
            encrypted = None
        if encrypted is None or encrypted.is_closing():
            leave()
            transport.abort()
        else:
            protocol.connection_made(encrypted)


class Visitor(asyncio.Protocol):
    """The first protocol of a connection, until the door has let it in."""

    def __init__(self, door: Door, speak: Speak) -> None:
        self._door = door
        self._speak = speak

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Go to the door."""
        # uvloop's transports are transports without being asyncio's.
        self._door.open(cast("asyncio.Transport", transport), self._speak)
