"""HTTP on one connection, as uvicorn speaks it, with bounds that uvicorn does not have."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sellergate_edge.listening import bounds
from sellergate_edge.listening.connections import Proxies


class TooMuch(Exception):
    """More headers, or more requests at once, than a connection may send."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection that ends when its headers are too large or late, or when its client takes no response."""

    def __init__(self, *, release: Callable[[], None], proxies: Proxies, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._release = release
        self._proxies = proxies
        self._status = 400
        self._idle_bytes = 0
        self._trailers: int | None = None
        self._late: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None
        self._unanswered: list[RequestResponseCycle] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if self.client is not None and self.client[0] in self._proxies:
            self.timeout_keep_alive = bounds.KEEP_ALIVE_OF_PROXY_SECONDS
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the end of the connection."""
        self._release()
        for timer in (self._late, self._untaken):
            if timer is not None:
                timer.cancel()
        # uvicorn says so to the last request alone, and of several the one that is served would write on.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Feed the parser. What it makes nothing of is counted: parts of headers, trailers, extensions of chunks."""
        if self.transport.is_closing():
            return
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > bounds.MAX_HEADER_BYTES and not self.transport.is_closing():
            self._status = 431
            self.send_400_response("The headers are too large.")
        self._watch()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._trailers = None
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is counted and dropped."""
        if self._trailers is not None:
            self._trailers += 1
        elif len(self.headers) < bounds.MAX_HEADERS:
            super().on_header(name, value)
            return
        if self._trailers is None or self._trailers > bounds.MAX_HEADERS:
            self._status = 431
            raise TooMuch

    def on_headers_complete(self) -> None:
        """Begin to serve a request, unless it is too large or one of too many."""
        self._idle_bytes, self._trailers = 0, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > bounds.MAX_HEADER_BYTES:
            self._status = 431
            raise TooMuch
        if len(self.pipeline) >= bounds.MAX_PIPELINED:
            raise TooMuch
        super().on_headers_complete()
        self._unanswered = [cycle for cycle in (*self._unanswered, self.cycle) if not cycle.response_complete]

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._idle_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Drop what is left of the body of a request that has its response."""
        if self.cycle.response_complete:
            self.cycle.body.clear()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what was written."""
        super().pause_writing()
        if self._untaken is None:
            self._untaken = self.loop.call_later(bounds.WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting for the client."""
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what was sent and end the connection; a response that is under way is broken off instead."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        status = STATUS_LINE[self._status]
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(msg)
        self.transport.write(status + head + msg.encode("ascii"))
        self.transport.close()

    def _watch(self) -> None:
        """Bound the time without a request under way. The rest of a body whose response was sent counts as such time."""
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(bounds.HEADER_SECONDS, self._give_up)
        elif not waits and self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        """End a connection that has sent no request in time."""
        self._late = None
        if self._idle_bytes and (self.cycle is None or self.cycle.response_complete):
            self._status = 408
            self.send_400_response("The request did not arrive in time.")
        self.transport.close()
