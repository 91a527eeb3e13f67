"""HTTP to LWA's token endpoint over aiohttp, whose requests can be cancelled at any moment without the loss of a connection."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import inf
from urllib.parse import urlencode

import aiohttp
from sellergate_amazon import parsing
from sellergate_common.clock import Clock
from sellergate_common.outbound.route import DIRECT, Route, user_agent
from sellergate_common.slots import Slots
from yarl import URL

from sellergate_token.lwa.client import MOST_EXCHANGES, HttpLwa, Unreachable
from sellergate_token.lwa.responses import MOST_BYTES, Response

CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 15.0
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, ceil_threshold=inf)


class AiohttpTransport:
    """A session with kept-alive connections to the endpoint. Redirects are not followed, since they would forward the secrets."""

    def __init__(self, session: aiohttp.ClientSession, url: str, route: Route) -> None:
        self._session = session
        self._url = URL(url)
        self._proxy = route.proxy_for(url)

    async def post(self, form: Mapping[str, str]) -> Response:
        """Send a form and return the complete response."""
        try:
            async with self._session.post(
                self._url, data=urlencode(form).encode(), allow_redirects=False, proxy=self._proxy, timeout=_TIMEOUT
            ) as response:
                # The reader decompresses bodies, within a bound.
                body = await parsing.collect(response.content.iter_any(), MOST_BYTES)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, headers, body)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            # The cause is not chained: aiohttp's error holds the request.
            raise Unreachable(type(error).__name__) from None


@asynccontextmanager
async def open_lwa(
    url: str, clock: Clock, jitter: Callable[[], float], route: Route = DIRECT
) -> AsyncIterator[HttpLwa]:
    """Open a client of the token endpoint at `url`. Its pool has as many connections as there are slots."""
    connector = aiohttp.TCPConnector(limit=MOST_EXCHANGES, keepalive_timeout=KEEPALIVE_SECONDS, ssl=route.tls_context())
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": user_agent(),
    }
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        transport = AiohttpTransport(session, url, route)
        yield HttpLwa(transport, Slots("LWA", MOST_EXCHANGES, clock.monotonic), clock, jitter)
