"""Certificates that are replaced while a process runs, as by cert-manager: loaded within seconds, without a restart.

New connections use the files' present content. Open connections keep their certificate until the server ends them
(`SELLERGATE_CONNECTION_AGE_SECONDS`).
"""

import asyncio
import contextlib
import ssl
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import grpc

from sellergate_common.identity.tls import Identity
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import end

LOOK_SECONDS = 5.0
CONNECT_SECONDS = 5.0
# Longer than the longest permitted call between Sellergate's processes.
LINGER_SECONDS = 3600.0


async def renewals(identity: Identity) -> AsyncIterator[Identity]:
    """Yield a new identity whenever its files change. Files that are unreadable or do not match are logged once."""
    current: Identity = identity
    refused: Identity | None = identity
    previous: Identity | None = identity
    while identity.files is not None:
        await asyncio.sleep(LOOK_SECONDS)
        found = _read(identity.files)
        if found in (current, refused):
            continue
        if found is not None and _fits(found):
            current = refused = found
            get_logger().info("certificate_renewed", file=str(identity.files[1]))
            yield found
        elif found == previous:  # equal at two checks: no writer was between two files
            refused = found
            get_logger().error("certificate_refused", file=str(identity.files[1]), set="another, with its key")
        previous = found


def _read(files: tuple[Path, Path, Path]) -> Identity | None:
    try:
        return Identity.of(*files)
    except OSError:
        return None


def _fits(found: Identity) -> bool:
    """Return whether an identity's files are unchanged since the read, and hold a key, its certificate and an authority."""
    if found.files is None:
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*found.files[1:])
        ssl.create_default_context(cadata=found.ca.decode("ascii"))
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False
    return found == _read(found.files)


class ServerCertificate:
    """The certificate that a gRPC server presents at each handshake, and the authority that it trusts at that time."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._newest: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)

    def credentials(self) -> grpc.ServerCredentials:
        """Return server credentials that require a client certificate of the authority."""
        return grpc.dynamic_ssl_server_credentials(
            self._identity.server_configuration(),
            self._reload,  # type: ignore[arg-type]
            require_client_authentication=True,
        )

    async def renew(self) -> None:
        """Load new files until cancelled."""
        async for identity in renewals(self._identity):
            self._newest.append(identity.server_configuration())

    def _reload(self) -> grpc.ServerCertificateConfiguration | None:
        """Return a new configuration before a handshake, in gRPC's thread; None, which gRPC's type hints lack, means no change."""
        try:
            return self._newest.pop()
        except IndexError:
            return None


class _Method:
    """A method of the newest channel."""

    __slots__ = ("__weakref__", "_call", "_of")

    def __init__(self, of: Callable[[grpc.aio.Channel], Any], channel: grpc.aio.Channel) -> None:
        self._of = of
        self.renew(channel)

    def renew(self, channel: grpc.aio.Channel) -> None:
        self._call = self._of(channel)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._call(*arguments, **options)


class RenewedChannel(grpc.aio.Channel):
    """A channel that is replaced when its identity's files change; the old one stays open until its calls have ended."""

    def __init__(self, identity: Identity, opened: Callable[[Identity], grpc.aio.Channel]) -> None:
        self._opened = opened
        self._channel = opened(identity)
        self._methods: weakref.WeakSet[_Method] = weakref.WeakSet()
        self._ending: set[asyncio.Task[None]] = set()
        self._renewing = asyncio.create_task(self._renew(identity))

    async def _renew(self, identity: Identity) -> None:
        async for renewed in renewals(identity):
            old, new = self._channel, self._opened(renewed)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    await new.channel_ready()
            self._channel = new
            for method in list(self._methods):
                method.renew(new)
            ending = asyncio.create_task(old.close(LINGER_SECONDS))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def _method(self, of: Callable[[grpc.aio.Channel], Any]) -> Any:
        method = _Method(of, self._channel)
        self._methods.add(method)
        return method

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        """Return the method of the newest channel."""
        return self._method(lambda channel: channel.unary_unary(*arguments, **options))

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return the method of the newest channel."""
        return self._method(lambda channel: channel.unary_stream(*arguments, **options))

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        """Return the method of the newest channel."""
        return self._method(lambda channel: channel.stream_unary(*arguments, **options))

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        """Return the method of the newest channel."""
        return self._method(lambda channel: channel.stream_stream(*arguments, **options))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the newest channel's state."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait for a change of the newest channel."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the newest channel is connected."""
        await self._channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Close the newest channel and the older ones that are still open."""
        await asyncio.gather(*(end(task) for task in (self._renewing, *self._ending)))
        await self._channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
