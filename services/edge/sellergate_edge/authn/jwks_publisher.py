"""The JWKS of an identity provider, fetched over aiohttp within bounds of time and size."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt
from sellergate_amazon import parsing
from sellergate_common.outbound.route import DIRECT, Route, user_agent
from yarl import URL

FETCH_SECONDS = 5.0
# Large providers publish about ten keys of 2 kB each.
MOST_BYTES = 256 * 1024
_MOST_REDIRECTS = 3


class FetchFailed(Exception):
    """A failed fetch. The message is the kind of failure, without any content."""


class Publisher:
    """The publisher of a JWKS at a URL. A fetch takes at most `seconds`, however slowly the provider sends."""

    def __init__(self, url: str, seconds: float = FETCH_SECONDS, route: Route = DIRECT) -> None:
        self._route = route
        self._url = URL(url, encoded=True)
        self._seconds = seconds

    async def fetch(self) -> Mapping[str, Any]:
        """Return the public keys for signatures by key id, at least one. Raises FetchFailed, within `seconds`."""
        try:
            async with asyncio.timeout(self._seconds):
                body, content_type = await self._body()
            document = parsing.parse_object(body, most=MOST_BYTES, content_type=content_type)
            keys = jwt.PyJWKSet.from_dict(document).keys
        except FetchFailed:
            raise
        except Exception as error:  # noqa: BLE001
            # A provider may send anything, and aiohttp and PyJWT raise other errors than their own for some of it.
            raise FetchFailed(type(error).__name__) from None
        found = {key.key_id: key.key for key in keys if key.key_id and key.public_key_use in ("sig", None)}
        if not found:
            raise FetchFailed("NoKeys")
        return found

    async def _body(self) -> tuple[bytes, str]:
        # One session per fetch, because fetches are rare.
        proxy = self._route.proxy_for(str(self._url))
        connector = aiohttp.TCPConnector(ssl=self._route.tls_context())
        headers = {"Accept": "application/json", "User-Agent": user_agent()}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector) as session,
            session.get(self._url, headers=headers, max_redirects=_MOST_REDIRECTS, proxy=proxy) as response,
        ):
            if response.status != 200:  # noqa: PLR2004
                raise FetchFailed(f"HTTP {response.status}")
            chunks = response.content.iter_chunked(16 * 1024)
            return await parsing.collect(chunks, MOST_BYTES), response.headers.get("Content-Type", "")
