"""An upstream that costs almost no CPU time: HTTP/1.1, kept alive, one response to every request, after a delay if one is given.

Arguments: port, milliseconds.
"""

import asyncio
import json
import sys
from functools import cache
from typing import cast

import uvloop

NAME = {"value": "x" * 60, "marketplace_id": "ATVPDKIKX0DER"}
BODY = json.dumps({"asin": "B01", "attributes": {"item_name": [NAME] * 18}}).encode()
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 8e0b0a6c-1f0f-4b0e-9d5e-8f4a2e1d3c5b\r\n"
    b"x-amzn-RateLimit-Limit: 900000\r\nContent-Length: %d\r\n\r\n"
)
SIZED = b"/items/S"
"""An item whose name begins with S, such as S1000, has as many bytes."""


@cache
def response(size: int) -> bytes:
    """Return a response whose body has `size` bytes; 0 for the usual body."""
    body = json.dumps({"asin": "x" * (size - len('{"asin": ""}'))}).encode() if size else BODY
    return HEAD % len(body) + body


def size_of(request: bytes) -> int:
    """Return the size that a request names; 0 if it names none."""
    return int(request.split(SIZED)[1].split(b" ")[0].split(b"?")[0]) if SIZED in request else 0


class Upstream(asyncio.Protocol):
    """One connection. Requests have no body, so that each ends with an empty line."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the responses."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Respond to every complete request."""
        *requests, self._held = (self._held + data).split(b"\r\n\r\n")
        for request in requests:
            if self._seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(self._seconds, self._transport.write, response(size_of(request)))
            else:
                self._transport.write(response(size_of(request)))


async def serve(port: str, milliseconds: str) -> None:
    """Serve until the process ends."""
    loop, seconds = asyncio.get_running_loop(), int(milliseconds) / 1000
    await loop.create_server(lambda: Upstream(seconds), "127.0.0.1", int(port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
