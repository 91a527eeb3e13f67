"""The end of a connection whose client may still be sending.

A socket that is closed with unread bytes resets the connection, and a client that gets the reset loses the response that was
sent just before. Therefore the edge first reads and discards what the client still sends, within bounds.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from sellergate_edge.listening import bounds


class LingeringTransport(asyncio.Transport):
    """A transport whose `close` lets the client finish sending, if `is_receiving` says that a request is not complete.

    It ends at the client's end of the connection, after LINGER_BYTES, or after LINGER_SECONDS, whichever comes first.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, is_receiving: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._is_receiving = is_receiving
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Close the connection, now or after the rest of the request."""
        if self._timer is not None:
            return
        if self._transport.is_closing() or not self._is_receiving():
            self._transport.close()
            return
        self._timer = self._loop.call_later(bounds.LINGER_SECONDS, self._transport.close)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()

    def discard(self, size: int) -> None:
        """Count bytes that arrived after `close`, and end the connection beyond LINGER_BYTES."""
        self._discarded += size
        if self._discarded > bounds.LINGER_BYTES:
            self._transport.close()

    def end(self) -> None:
        """Stop the timer of a connection that has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def is_closing(self) -> bool:
        """Return whether the connection is closed, or will be after the rest of the request."""
        return self._timer is not None or self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, unless the end was announced."""
        if self._timer is None:
            self._transport.write(data)

    def abort(self) -> None:
        """Close the connection at once; what was not sent is lost."""
        self._transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact about the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Read no more for now. A request that is discarded is read on."""
        if self._timer is None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()
