"""Bounds and route of boto3's requests: a response is a few kilobytes of XML or JSON, but boto3 itself reads any number of bytes.

This module does not import boto3: a caller passes a session, whose clients get the bounds through botocore's events.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from sellergate_common.outbound.route import Route

MOST_BYTES = 256 * 1024
"""The most bytes of a response's body, unless its service sends more by design."""
MOST_SECONDS = 10.0
"""The most seconds from a response's headers to its last byte."""
_CHUNK_BYTES = 16 * 1024


class OutOfBounds(Exception):
    """A response with too many bytes, or one that takes too long. The message holds no part of it."""


def bound_session(session: Any, route: Route, most_bytes: int = MOST_BYTES, seconds: float = MOST_SECONDS) -> Any:
    """Return a boto3 session all of whose clients, those of its credential chain included, read within the bounds.

    The clients use `route` instead of botocore's reading of the environment. A call whose response exceeds the bounds
    raises OutOfBounds, and its connection is closed.
    """

    class Bounded:
        """A base class of clients that reads responses in place of botocore."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            client: Any = self
            http = client._endpoint.http_session  # noqa: SLF001  (botocore lends it by no other name)
            _set_route(http, route, client.meta.endpoint_url)
            client.meta.events.register("before-send", partial(_respond, http, most_bytes, seconds))

    def add_base(base_classes: list[type], **_: Any) -> None:
        base_classes.insert(0, Bounded)

    session.events.register("creating-client-class", add_base)
    return session


def _set_route(http: Any, route: Route, endpoint: str) -> None:
    """Make a client's HTTP session use the route."""
    proxy = route.proxy_for(endpoint)
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    http._proxy_config = type(http._proxy_config)(proxies=proxies)  # noqa: SLF001  (as above)
    if route.ca_bundle:
        http._verify = str(route.ca_bundle)  # noqa: SLF001


def _respond(http: Any, most_bytes: int, seconds: float, request: Any, **_: Any) -> Any:
    """Send a request as botocore does, and return its response with a bounded body."""
    request.stream_output = True  # this function reads the body
    response = http.send(request)
    response.raw = _Body(response.raw, response.headers.get("Content-Length", ""), most_bytes, seconds)
    # botocore reports an error as a connection error only while it sends.
    _ = response.content
    return response


class _Body:
    """The body of a response, as botocore reads it. `announced` is its Content-Length."""

    def __init__(self, raw: Any, announced: str, most_bytes: int, seconds: float) -> None:
        self._raw = raw
        self._announced = int(announced[:20]) if announced.isascii() and announced.isdecimal() else 0
        self._most_bytes = most_bytes
        self._seconds = seconds

    def stream(self) -> Iterator[bytes]:
        """Yield the bytes. Raises OutOfBounds and closes the connection."""
        size, end = 0, time.monotonic() + self._seconds
        try:
            self._check(self._announced, end)
            while chunk := self._raw.read1(_CHUNK_BYTES):
                size += len(chunk)
                self._check(size, end)
                yield chunk
        except BaseException:
            self._raw.close()
            raise

    def _check(self, size: int, end: float) -> None:
        if size > self._most_bytes:
            raise OutOfBounds(f"a response of more than {self._most_bytes} bytes")
        if time.monotonic() > end:
            raise OutOfBounds(f"a response that takes longer than {self._seconds:.0f} s")
