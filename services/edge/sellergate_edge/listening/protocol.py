"""HTTP on one connection: uvicorn's protocol with bounds that uvicorn does not have."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sellergate_edge.listening import bounds
from sellergate_edge.listening.lingering import LingeringTransport


class TooMuch(Exception):
    """More headers, or more pipelined requests, than a connection may send."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection that ends when its headers are too large or too late, or when its client does not receive the response."""

    def __init__(self, *, release: Callable[[], None], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._release = release
        self._status = 400
        self._idle_bytes = 0
        self._trailers: int | None = None
        self._late: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None
        self._open_cycles: list[RequestResponseCycle] = []
        self._is_receiving = False
        self._lingering: LingeringTransport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        self._lingering = LingeringTransport(transport, self.loop, lambda: self._is_receiving)
        super().connection_made(self._lingering)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the end of the connection."""
        self._release()
        if self._lingering is not None:
            self._lingering.end()
        for timer in (self._late, self._untaken):
            if timer is not None:
                timer.cancel()
        # uvicorn informs only the last request; of several, the one that is being served would continue to write.
        for cycle in self._open_cycles:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Feed the parser. Count bytes that are not part of a body: parts of headers, trailers, extensions of chunks."""
        if self.transport.is_closing():
            if self._lingering is not None:
                self._lingering.discard(len(data))
            return
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > bounds.MAX_HEADER_BYTES and not self.transport.is_closing():
            self._status = 431
            self.send_400_response("The headers are too large.")
        self._watch()

    def on_message_begin(self) -> None:
        """Start a request."""
        self._trailers = None
        self._is_receiving = True
        self._unset_keepalive_if_required()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. Count a trailer and drop it."""
        if self._trailers is not None:
            self._trailers += 1
        elif len(self.headers) < bounds.MAX_HEADERS:
            super().on_header(name, value)
            return
        if self._trailers is None or self._trailers > bounds.MAX_HEADERS:
            self._status = 431
            raise TooMuch

    def on_headers_complete(self) -> None:
        """Start to serve a request, unless its headers are too large or too many requests wait."""
        self._idle_bytes, self._trailers = 0, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > bounds.MAX_HEADER_BYTES:
            self._status = 431
            raise TooMuch
        if len(self.pipeline) >= bounds.MAX_PIPELINED:
            raise TooMuch
        super().on_headers_complete()
        self._open_cycles = [cycle for cycle in (*self._open_cycles, self.cycle) if not cycle.response_complete]

    def on_body(self, body: bytes) -> None:
        """Add a part of a body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Record the end of a request."""
        self._idle_bytes = 0
        self._is_receiving = False
        super().on_message_complete()
        if self.cycle.response_complete and not self.pipeline:
            # The response came before the end of the body: the connection is idle from now on.
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Drop the rest of the body of a request that has its response, and bound the time for what is still to come of it."""
        if self.cycle.response_complete:
            self.cycle.body.clear()
        super().on_response_complete()
        # Else an unfinished body or head would have the time of an idle connection.
        if self._is_receiving:
            self._watch()

    def pause_writing(self) -> None:
        """Start to wait for the client to receive what was written."""
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
        """Refuse the request and end the connection. If a response is being sent, abort the connection instead."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
            return
        self._is_receiving = True  # where a request ends that the parser refuses is not known
        body = _problem(HTTPStatus(self._status), msg)
        head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[self._status] + head + body)
        self.transport.close()

    def _watch(self) -> None:
        """Bound the time for a first request, an unfinished head, and the rest of a body whose response was sent."""
        is_first = self.cycle is None
        waits = is_first or (self.cycle.response_complete and (self._is_receiving or self._idle_bytes > 0))
        if waits and self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(bounds.HEADER_SECONDS, self._give_up)
        elif not waits and self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        """End a connection whose client has sent no request in time."""
        self._late = None
        if self.transport.is_closing():
            return
        if self._idle_bytes and (self.cycle is None or self.cycle.response_complete):
            self._status = 408
            self.send_400_response("The request did not arrive in time.")
        self.transport.close()


def _problem(status: HTTPStatus, detail: str) -> bytes:
    """Return the problem document of a request that reached no route."""
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "detail": detail,
        "reason": status.name,
        "requestId": "",
    }
    return json.dumps(document).encode()
