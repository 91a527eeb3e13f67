"""Documents over aiohttp, with a guard against server-side request forgery by addresses in Amazon's responses.

A URL must have https at port 443 of a listed host. The host's IP addresses must be public and are the ones that are connected to;
redirects are not followed, and no credentials are sent. A store that is listed by its origin ("http://127.0.0.1:3900", loopback
only) is the simulator of a local run.
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
from sellergate_common.outbound.route import DIRECT, Route, user_agent
from yarl import URL

from sellergate_gateway.documents.ports import ConnectionBroken, DocumentResponse, Forbidden
from sellergate_gateway.spapi.aiohttp_faults import is_own
from sellergate_gateway.spapi.aiohttp_transport import CONNECT_SECONDS
from sellergate_gateway.spapi.http import Headers

# Seconds without a byte in the middle of a document after which the connection counts as broken.
SILENCE_SECONDS = 20.0
CHUNK_BYTES = 64 * 1024
MOST_ERROR_BYTES = 8 * 1024
_HTTPS = 443


# The unicast addresses of the Internet (RFC 4291 §2.4), and the ranges in it whose addresses contain an IPv4 address, public or
# not: Teredo (RFC 4380) and 6to4 (RFC 3056). NAT64 (RFC 6052), mapped and compatible addresses are outside of the range.
_UNICAST = ipaddress.IPv6Network("2000::/3")
_CARRYING = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))


def is_public(address: str) -> bool:
    """Return whether an IP address is a public unicast address that contains no other address."""
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
    """A host name with an address that is not public."""


class PublicResolver(AbstractResolver):
    """A resolver of public addresses only. aiohttp connects to its results, so that a name cannot change in between."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises NotPublic if one of them is not public, and OSError."""
        found = await self._inner.resolve(host, port, family)
        if not found or not all(is_public(one["host"]) for one in found):
            raise NotPublic("a document's host has an address that is not public")
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


class AiohttpDocuments:
    """The document stores. `hosts` are patterns of host names ("*.amazonaws.com") and whole origins on loopback."""

    def __init__(
        self,
        public: aiohttp.ClientSession,
        local: aiohttp.ClientSession,
        hosts: Sequence[str],
        route: Route = DIRECT,
    ) -> None:
        self._route = route
        self._public = public
        self._local = local
        self._origins = frozenset(host for host in hosts if "://" in host)
        self._patterns = tuple(host.lower() for host in hosts if "://" not in host)

    @asynccontextmanager
    async def get(self, url: str, headers: Headers) -> AsyncIterator[DocumentResponse]:
        """Fetch a document. Raises ConnectionBroken, Forbidden."""
        address, session = self._check_url(url)
        try:
            async with session.get(
                address, headers=dict(headers), allow_redirects=False, proxy=self._route.proxy_for(url)
            ) as response:
                yield DocumentResponse(response.status, _headers(response), _chunks(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error) from None

    async def put(self, url: str, content_type: str, size: int, chunks: AsyncIterator[bytes]) -> DocumentResponse:
        """Upload a document. Raises ConnectionBroken, Forbidden, and what the chunks raise."""
        address, session = self._check_url(url)
        headers, source = {"content-type": content_type, "content-length": str(size)}, _Source(chunks)
        try:
            async with session.put(
                address,
                data=source.chunks(),
                headers=headers,
                allow_redirects=False,
                proxy=self._route.proxy_for(url),
            ) as response:
                return DocumentResponse(response.status, _headers(response), _one(await _beginning(response)))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise source.take_failure() or _failure(error) from None

    def _check_url(self, url: str) -> tuple[URL, aiohttp.ClientSession]:
        try:
            address = URL(url, encoded=True)
            origin, port = str(address.origin()), address.port
            has_login = bool(address.user or address.password)
            host = (address.host or "").lower()
        except (ValueError, IndexError):  # yarl fails with the latter on brackets before an @
            raise Forbidden("it is not a URL") from None
        if origin in self._origins:
            return address, self._local
        if address.scheme != "https" or port != _HTTPS or has_login:
            raise Forbidden("it is not https at port 443")
        if _is_literal(host) or not any(fnmatchcase(host, pattern) for pattern in self._patterns):
            raise Forbidden("SELLERGATE_DOCUMENT_HOSTS does not list its host")
        # With a proxy, the proxy resolves the name, and its own address is usually private.
        return address, self._local if self._route.proxy_for(url) else self._public


@asynccontextmanager
async def open_documents(hosts: Sequence[str], route: Route = DIRECT) -> AsyncIterator[AiohttpDocuments]:
    """Open two sessions: one with the guard, one for origins on loopback and for a proxy."""
    resolver = PublicResolver(ThreadedResolver())
    tls = route.tls_context()
    connector = aiohttp.TCPConnector(resolver=resolver, ssl=tls, limit=100)
    async with _session(connector) as public, _session(aiohttp.TCPConnector(ssl=tls, limit=100)) as local:
        yield AiohttpDocuments(public, local, hosts, route)


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
    """Return the port's error for an error of aiohttp."""
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
    """The bytes of an upload, with the error that they raised, since aiohttp converts it to a connection error."""

    def __init__(self, inner: AsyncIterator[bytes]) -> None:
        self._inner = inner
        self._failure: Exception | None = None

    def take_failure(self) -> Exception | None:
        """Return the error of the iteration and drop it here, because its traceback holds this source."""
        failure, self._failure = self._failure, None
        return failure

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes."""
        try:
            async for chunk in self._inner:
                yield chunk
        except Exception as error:
            self._failure = error
            raise


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of a body, which explains a refusal."""
    return b"" if response.ok else await response.content.read(MOST_ERROR_BYTES)


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _headers(response: aiohttp.ClientResponse) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
