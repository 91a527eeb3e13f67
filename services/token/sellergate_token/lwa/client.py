"""A client of LWA's token endpoint over httpx: one endpoint for all regions, and requests that no caller can cancel.

httpcore leaks a connection whose request is cancelled while the connection is opened (encode/httpcore issues 830 and 1093). Each
request is therefore its own task, which ends by httpx's time-outs; a cancelled caller only stops waiting for it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from pydantic import SecretStr
from sellergate_amazon import parsing
from sellergate_common.clock import Clock
from sellergate_common.context import time_left
from sellergate_common.errors import OutOfTime
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span
from sellergate_common.outbound.route import DIRECT, Route, user_agent
from sellergate_common.slots import Slots
from sellergate_common.tasks import retrieve

from sellergate_token.lwa.responses import MOST_BYTES, Busy, Response, busy, parse
from sellergate_token.ports import AccessToken, Code, Grant, RefreshToken, Scope

EXCHANGE_SECONDS = 10.0
CONNECT_SECONDS = 3.0
LAST_RESORT_SECONDS = 2 * EXCHANGE_SECONDS
"""Seconds after which a request with a slow response is cancelled; by then its connection is open, so that none leaks."""
KEEPALIVE_SECONDS = 15.0
SHORTEST_SECONDS = 0.1
ATTEMPTS = 3
FIRST_BACKOFF_SECONDS = 0.2
MOST_EXCHANGES = 64
"""The most simultaneous exchanges; further ones wait, within their deadlines."""


class HttpLwa:
    """LWA's token endpoint. Throttling and server errors are retried while there is time, never before Retry-After.

    `jitter` returns a random number in [0, 1).
    """

    def __init__(
        self, client: httpx.AsyncClient, url: str, slots: Slots, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        self._client = client
        self._requests: set[asyncio.Task[Response]] = set()
        self._url = url
        self.slots = slots
        self._clock = clock
        self._jitter = jitter

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        """Exchange a grant for an access token."""
        form = _form(grant) | {
            "client_id": client_id.get_secret_value(),
            "client_secret": client_secret.get_secret_value(),
        }
        for attempt in range(ATTEMPTS):
            try:
                return await self._exchange(form, grant)
            except Busy as error:
                pause = max(self._jitter() * FIRST_BACKOFF_SECONDS * 2**attempt, error.pause)
                if attempt + 1 == ATTEMPTS or pause >= time_left(EXCHANGE_SECONDS):
                    raise
                get_logger().info("lwa_retry", attempt=attempt + 1, cause=error.message)
                await self._clock.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _exchange(self, form: dict[str, str], grant: Grant) -> AccessToken:
        left = min(EXCHANGE_SECONDS, time_left(EXCHANGE_SECONDS))
        if left <= 0:
            raise OutOfTime("No time was left to request an access token from LWA; give the call more time.")
        try:
            with span(f"LWA {form['grant_type']}"):
                async with asyncio.timeout(left):
                    ends = self._clock.monotonic() + left
                    await self.slots.take()
                    # Amazon counts the token's life from a moment after this one, and this process may see the response late.
                    sent = self._clock.wall()
                    response = await asyncio.shield(self._start(form, ends - self._clock.monotonic()))
        except (TimeoutError, httpx.TimeoutException):
            raise OutOfTime(f"LWA did not respond within {left:.1f} s.") from None
        except (httpx.HTTPError, OSError) as error:
            # The cause is not chained: httpx's error holds the request, which holds the secrets.
            raise busy(f"LWA cannot be reached ({type(error).__name__}).") from None
        except parsing.TooLarge as error:
            raise busy(f"LWA's response cannot be read: {error}.") from None
        return parse(response, grant, sent)

    def _start(self, form: dict[str, str], seconds: float) -> "asyncio.Task[Response]":
        """Start a request of at most `seconds` in a task that outlives its caller and releases its slot.

        The caller itself waits for the slot: one that is cancelled before it has a slot sends nothing.
        """
        request = asyncio.create_task(self._send(form, seconds), name="LWA request")
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        request.add_done_callback(retrieve)
        return request

    async def _send(self, form: dict[str, str], seconds: float) -> Response:
        """Send a request and return the response. Raises httpx's errors, TimeoutError, TooLarge."""
        left, has_response = max(SHORTEST_SECONDS, seconds), False
        timeout = httpx.Timeout(left, connect=min(CONNECT_SECONDS, left))
        try:
            async with asyncio.timeout(LAST_RESORT_SECONDS):
                async with self._client.stream("POST", self._url, data=form, timeout=timeout) as response:
                    body = await parsing.collect(response.aiter_raw(), MOST_BYTES)
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    has_response = True
                    return Response(response.status_code, headers, body)
        finally:
            self.slots.give_back(has_response=has_response)


def _form(grant: Grant) -> dict[str, str]:
    """Return the form of a grant. LWA accepts a scope or a refresh token, not both."""
    match grant:
        case RefreshToken(value):
            return {"grant_type": "refresh_token", "refresh_token": value.get_secret_value()}
        case Scope(value):
            return {"grant_type": "client_credentials", "scope": value}
        case Code(value, redirect_uri):
            code = {"grant_type": "authorization_code", "code": value.get_secret_value()}
            return code | ({"redirect_uri": redirect_uri} if redirect_uri else {})


@asynccontextmanager
async def open_lwa(
    url: str, clock: Clock, jitter: Callable[[], float], route: Route = DIRECT
) -> AsyncIterator[HttpLwa]:
    """Open a client of the token endpoint at `url`. Redirects are not followed, since they would forward the secrets.

    The reader decompresses bodies, within a bound; the pool has as many connections as there are slots.
    """
    limits = httpx.Limits(
        max_connections=MOST_EXCHANGES,
        max_keepalive_connections=MOST_EXCHANGES,
        keepalive_expiry=KEEPALIVE_SECONDS,
    )
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": user_agent()}
    async with httpx.AsyncClient(
        limits=limits,
        headers=headers,
        follow_redirects=False,
        trust_env=False,
        proxy=route.proxy_for(url),
        verify=route.tls_context(),
    ) as client:
        yield HttpLwa(client, url, Slots("LWA", MOST_EXCHANGES, clock.monotonic), clock, jitter)
