"""Requests to the edge on separate sockets, and the judgement of the responses."""

import asyncio
import http.client
import io
import itertools
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sellergate_devstack.suite import Suite

from tests.fuzz.routes import Request

LONGEST_SECONDS = 55.0
"""The most seconds of a connection: the edge allows 30 s for a request and less for headers and pauses; plus a margin."""
HALF_SECONDS = 1.5
_TYPED = frozenset({503, 504})
# A documented response: the suite has no sign-in provider.
_PROMISED = frozenset({("/api/sign-in/begin", 501)})


class _Received(io.BytesIO):
    """The received bytes for http.client, which reads one response after the other."""

    def makefile(self, *_: Any) -> "_Received":
        return self

    def close(self) -> None:
        """Stay open for the next response."""


@dataclass
class Sockets:
    """Connections to the edge from many addresses of this machine, so that failures at one do not count for the others."""

    suite: Suite
    count: Counter[tuple[str, int]] = field(default_factory=Counter)
    _addresses: Any = field(default_factory=lambda: itertools.cycle(range(1, 250)))

    async def send(self, request: Request) -> tuple[list[int], str]:
        """Send a request; return the statuses of its responses, and their fault."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                received = await self._exchanged(request)
        except TimeoutError:
            return [], f"the connection did not end within {time.monotonic() - began:.0f} s"
        statuses, fault = judged(received, request)
        if not request.whole and fault.startswith("not HTTP: IncompleteRead"):
            fault = ""  # the connection ended in the middle of a response
        for status in statuses or [0]:
            self.count[request.route, status] += 1
        return statuses, fault

    async def _exchanged(self, request: Request) -> bytes:
        address = f"127.0.9.{next(self._addresses)}"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.suite.plan.port("edge"), local_addr=(address, 0)
        )
        received = bytearray()
        try:
            places = [0, *request.pieces, len(request.data)]
            for begin, end in itertools.pairwise(places):
                writer.write(request.data[begin:end])
                await writer.drain()
                await asyncio.sleep(0)
            # A possibly incomplete request would be waited for, so its connection is abandoned.
            with suppress(TimeoutError):
                async with asyncio.timeout(None if request.whole else HALF_SECONDS):
                    while data := await reader.read(65536):
                        received += data
        except OSError:
            pass
        finally:
            writer.close()
        return bytes(received)


def judged(received: bytes, request: Request) -> tuple[list[int], str]:
    """Return the statuses in the received bytes, and their fault; empty if there is none."""
    statuses: list[int] = []
    stream = _Received(received)
    head = request.data.lstrip().startswith(b"HEAD ")
    while stream.tell() < len(received):
        response = http.client.HTTPResponse(stream, method="HEAD" if head else None)  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read()
        except http.client.RemoteDisconnected:
            break  # only an interim response such as 100 Continue
        except (http.client.HTTPException, ValueError, OSError) as error:
            return statuses, f"not HTTP: {type(error).__name__}: {received[:200]!r}"
        statuses.append(response.status)
        fault = _fault(response, body, head, request)
        if fault:
            return statuses, fault
        if head and response.getheader("connection") == "close":
            break  # the parser has refused the request before its method
    return statuses, "no response" if request.whole and not statuses else ""


def _fault(response: http.client.HTTPResponse, body: bytes, head: bool, request: Request) -> str:
    if response.status < 500 or (request.route, response.status) in _PROMISED:
        return ""
    if response.status in _TYPED and (head or _is_typed(body)):
        return ""
    return f"{response.status}: {body[:500]!r}"


def _is_typed(body: bytes) -> bool:
    """Return whether a body states the cause: as a problem document, or in Amazon's shape."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and bool(
        document.get("reason") or document.get("errors") or document.get("error")
    )
