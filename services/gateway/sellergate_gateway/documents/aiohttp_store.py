"""Documents over aiohttp, and the guard before them: a response of Amazon's must not lead us anywhere else (SSRF).

https at port 443, a host that is listed, an address that is public and then kept for the connection, no redirects, no credentials.
A server that is listed by its full origin ("http://127.0.0.1:3900", loopback alone) is the simulator of a local run.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from sellergate_gateway.documents.ports import ConnectionBroken, DocumentResponse, Forbidden
from sellergate_gateway.spapi.aiohttp_faults import is_own
from sellergate_gateway.spapi.aiohttp_transport import CONNECT_SECONDS, tls_context, user_agent
from sellergate_gateway.spapi.http import Headers

# Longer silence than this in the middle of a document is a broken connection.
SILENCE_SECONDS = 20.0
CHUNK_BYTES = 64 * 1024
_HTTPS = 443


# Where the Internet's own addresses are (RFC 4291 §2.4); and those of them that carry an IPv4 address, public or not: Teredo
# (RFC 4380) and 6to4 (RFC 3056). NAT64 (RFC 6052), mapped and compatible addresses are outside.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_CARRYING = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))


def is_public(address: str) -> bool:
    """Return whether an IP address is one host's on the Internet, and leads nowhere else by what it carries."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not found.is_global or found.is_multicast:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    return found in _UNICAST and not any(found in network for network in _CARRYING)


class NotPublic(OSError):
    """A name that leads to an address inside."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses alone; aiohttp connects to what it returns, so a name cannot change in between."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises NotPublic when one of them is not public, and OSError."""
        found = await self._inner.resolve(host, port, family)
        if not found or not all(is_public(one["host"]) for one in found):
            raise NotPublic("a document's host has an address that is not public")
        return found

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._inner.close()


class AiohttpDocuments:
    """`hosts` are patterns of host names ("*.amazonaws.com") and whole origins on loopback."""

    def __init__(self, public: aiohttp.ClientSession, local: aiohttp.ClientSession, hosts: Sequence[str]) -> None:
        self._public = public
        self._local = local
        self._origins = frozenset(host for host in hosts if "://" in host)
        self._patterns = tuple(host.lower() for host in hosts if "://" not in host)

    @asynccontextmanager
    async def get(self, url: str, headers: Headers) -> AsyncIterator[DocumentResponse]:
        """Fetch a document."""
        address, session = self._check_url(url)
        try:
            async with session.get(address, headers=dict(headers), allow_redirects=False) as response:
                yield DocumentResponse(response.status, _headers(response), _chunks(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error) from None

    async def put(self, url: str, content_type: str, size: int, chunks: AsyncIterator[bytes]) -> DocumentResponse:
        """Upload a document."""
        address, session = self._check_url(url)
        headers, source = {"content-type": content_type, "content-length": str(size)}, _Source(chunks)
        try:
            async with session.put(address, data=source.chunks(), headers=headers, allow_redirects=False) as response:
                return DocumentResponse(response.status, _headers(response), _nothing())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise source.failure or _failure(error) from None

    def _check_url(self, url: str) -> tuple[URL, aiohttp.ClientSession]:
        try:
            address = URL(url, encoded=True)
            origin, port = str(address.origin()), address.port
        except ValueError:
            raise Forbidden("it is no address") from None
        if origin in self._origins:
            return address, self._local
        if address.scheme != "https" or port != _HTTPS or address.user or address.password:
            raise Forbidden("it is not https at port 443")
        host = (address.host or "").lower()
        if _is_literal(host) or not any(fnmatchcase(host, pattern) for pattern in self._patterns):
            raise Forbidden("SELLERGATE_DOCUMENT_HOSTS does not list its host")
        return address, self._public


@asynccontextmanager
async def open_documents(hosts: Sequence[str]) -> AsyncIterator[AiohttpDocuments]:
    """Open the sessions: one behind the guard, one for the origins on loopback."""
    resolver = PublicResolver(ThreadedResolver())
    connector = aiohttp.TCPConnector(resolver=resolver, ssl=tls_context(), limit=100)
    async with _session(connector) as public, _session(aiohttp.TCPConnector(limit=100)) as local:
        yield AiohttpDocuments(public, local, hosts)


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": user_agent()},
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
    )


def _failure(error: Exception) -> ConnectionBroken | Forbidden:
    """Return what became of a connection, by the error that aiohttp made of it."""
    if isinstance(getattr(error, "os_error", error), NotPublic):
        return Forbidden("its host has an address that is not public")
    return ConnectionBroken(type(error).__name__, own=is_own(error))


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            yield chunk
    except (aiohttp.ClientError, asyncio.IncompleteReadError, TimeoutError, OSError) as error:
        raise ConnectionBroken(type(error).__name__) from None


class _Source:
    """What is uploaded. aiohttp makes a connection error of whatever this raises, so it is kept."""

    def __init__(self, inner: AsyncIterator[bytes]) -> None:
        self._inner = inner
        self.failure: Exception | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes."""
        try:
            async for chunk in self._inner:
                yield chunk
        except Exception as error:
            self.failure = error
            raise


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _headers(response: aiohttp.ClientResponse) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
