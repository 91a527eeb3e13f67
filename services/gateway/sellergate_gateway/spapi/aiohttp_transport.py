"""Amazon over aiohttp: exact URLs, unchanged bytes, and the knowledge whether a request was sent, on which retries depend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from math import inf
from typing import Any

import aiohttp
from multidict import CIMultiDict
from sellergate_amazon import parsing
from sellergate_amazon.headers import comes_from_amazon, is_header_value
from sellergate_common.observability.tracing import span
from sellergate_common.outbound.route import DIRECT, Route, user_agent
from sellergate_common.rpc.channel import MAX_MESSAGE_BYTES
from yarl import URL

from sellergate_gateway.spapi.aiohttp_faults import is_own
from sellergate_gateway.spapi.http import (
    AmazonRequest,
    AmazonResponse,
    ConnectError,
    Headers,
    ResponseLost,
    ResponseOversized,
)

CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 15.0
MAX_CONNECTIONS = 1_000
# The most bytes of a body in a response to the caller, with room for the headers.
MOST_BODY_BYTES = MAX_MESSAGE_BYTES - 256 * 1024
# The final statuses of HTTP (RFC 9110 §15). 101 would switch the protocol, and statuses above 599 have no meaning.
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


_sending: ContextVar[AmazonRequest] = ContextVar("amazon_request")


class _Request(aiohttp.ClientRequest):
    """A request that records the start of its sending, from which on its outcome may be unknown."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        """Send the request once."""
        request = _sending.get()
        if request.sent:
            # aiohttp itself repeats an idempotent request after a kept-alive connection broke, without a count or limit.
            raise aiohttp.ServerDisconnectedError
        request.sent = True
        if request.on_sent is not None:
            request.on_sent()
        return await super().send(conn)


class AiohttpAmazon:
    """A session with kept-alive connections to every host."""

    def __init__(self, session: aiohttp.ClientSession, route: Route) -> None:
        self._session = session
        self._route = route
        self._own = (("User-Agent", user_agent()),)

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        """Send a request and return the complete response."""
        with span(f"{request.method} {request.operation or 'sp-api'}") as traced:
            amazon_response = await self._send(request, seconds)
            traced.set_attribute("http.response.status_code", amazon_response.status)
            return amazon_response

    async def _send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        request.sent = False
        _sending.set(request)
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=CIMultiDict(request.headers + self._own),
                data=request.body if request.body or request.method in _WITH_BODY else None,
                allow_redirects=False,
                proxy=self._route.proxy_for(request.url),
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS, ceil_threshold=inf),
            ) as response:
                if not _LOWEST_STATUS <= response.status <= _HIGHEST_STATUS:
                    raise ResponseLost(f"status {response.status} is not a final status of HTTP")
                amazon_response = AmazonResponse(response.status, _headers(response.raw_headers), b"")
                amazon_response.body = await _body(response, amazon_response)
                return amazon_response
        except aiohttp.ClientError as error:
            # The cause is not chained: its text holds the URL, which may hold confidential data of the caller.
            raise _failure(request, type(error).__name__, own=is_own(error)) from None
        except TimeoutError:
            raise _failure(request, f"no complete response within {seconds:.1f} s", late=True) from None
        except OSError as error:
            raise _failure(request, type(error).__name__, own=is_own(error)) from None


async def _body(response: aiohttp.ClientResponse, amazon_response: AmazonResponse) -> bytes:
    """Return the body, at most MOST_BODY_BYTES. Close the connection if there is more.

    Raises ResponseOversized for an oversized success. An oversized refusal is passed on without its body.
    """
    if (response.content_length or 0) <= MOST_BODY_BYTES:
        try:
            return await parsing.collect(response.content.iter_any(), MOST_BODY_BYTES)
        except parsing.TooLarge:
            pass
    if 200 <= response.status < 300:  # noqa: PLR2004  (HTTP's own numbers)
        raise ResponseOversized(amazon_response)
    amazon_response.headers = tuple(
        header for header in amazon_response.headers if header[0].lower() != "content-length"
    )
    return b""


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers to pass on, unchanged. Raises ResponseLost for bytes that no header may hold."""
    decoded = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    headers = tuple([header for header in decoded if comes_from_amazon(header[0].lower())])
    if not all(is_header_value(value) for _, value in headers):
        raise ResponseLost("a header of the response holds bytes that HTTP does not allow")
    return headers


def _failure(request: AmazonRequest, why: str, *, late: bool = False, own: bool = False) -> ConnectError | ResponseLost:
    return ResponseLost(why, late=late) if request.sent else ConnectError(why, late=late, own=own)


@asynccontextmanager
async def open_amazon(route: Route = DIRECT) -> AsyncIterator[AiohttpAmazon]:
    """Open the session. It keeps no cookies and does not decompress bodies."""
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS, ssl=route.tls_context()
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
        request_class=_Request,
    ) as session:
        yield AiohttpAmazon(session, route)
