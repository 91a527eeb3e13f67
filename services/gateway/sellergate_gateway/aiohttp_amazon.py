"""Amazon over aiohttp: exact URLs, bytes untouched, and what retries depend on: whether anything was sent."""

from __future__ import annotations

import asyncio
import platform
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from sellergate_gateway.ports import AmazonAnswer, AmazonRequest, FateUnknown, NotSent

CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 15.0
MAX_CONNECTIONS = 1_000
_CONNECTION_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(slots=True)
class _Progress:
    """What is known of one attempt."""

    sent: bool = False


class AiohttpAmazon:
    """One session, kept-alive connections to every host."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonAnswer:
        """Send a request and return the complete answer."""
        progress = _Progress()
        try:
            async with asyncio.timeout(seconds):
                return await self._send(request, progress)
        except aiohttp.ClientError as error:
            # The cause is not chained: its words hold the URL, and that may hold what a caller wants kept.
            raise _failure(progress, type(error).__name__) from None
        except TimeoutError:
            raise _failure(progress, f"no complete answer within {seconds:.1f} s", late=True) from None
        except OSError as error:
            raise _failure(progress, type(error).__name__) from None

    async def _send(self, request: AmazonRequest, progress: _Progress) -> AmazonAnswer:
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=CIMultiDict(request.headers),
            data=request.body if request.body or request.method in _WITH_BODY else None,
            allow_redirects=False,
            trace_request_ctx=progress,
        ) as response:
            body = await response.read()
            headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in response.raw_headers
                if name.decode("latin-1").lower() not in _CONNECTION_HEADERS
            )
            return AmazonAnswer(response.status, headers, body)


def _failure(progress: _Progress, why: str, *, late: bool = False) -> NotSent | FateUnknown:
    return FateUnknown(why, late=late) if progress.sent else NotSent(why, late=late)


@asynccontextmanager
async def open_amazon() -> AsyncIterator[AiohttpAmazon]:
    """Open the session. Cookies are not kept, encodings not undone, proxies of the environment not asked."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_headers_sent)
    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS, ssl=tls_context())
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": user_agent()},
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        trace_configs=[tracing],
    ) as session:
        yield AiohttpAmazon(session)


def tls_context() -> ssl.SSLContext:
    """Return how Amazon is spoken to: certificates checked, TLS 1.2 at least (Amazon refuses less since 2023-09-30)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def user_agent() -> str:
    """Return the User-Agent in the form that Amazon requires (Developer Guide, "include a User-Agent header")."""
    return f"Sellergate/{version('sellergate')} (Language=Python/{platform.python_version()}; Platform={platform.system()})"


async def _headers_sent(_session: Any, context: Any, _parameters: Any) -> None:
    progress = context.trace_request_ctx
    if progress.sent:
        # aiohttp repeats an idempotent request by itself when a kept-alive connection broke: unseen, uncounted, outside of quota.
        raise aiohttp.ServerDisconnectedError
    progress.sent = True
