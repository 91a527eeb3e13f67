"""Servers of the edge: uvicorn's server with bounded connections, stopped as the other services are."""

import asyncio
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from sellergate_common.observability.endings import end_for_address
from sellergate_common.observability.logs import get_logger
from starlette.types import ASGIApp

from sellergate_edge.listening import bounds
from sellergate_edge.listening.listener import Listener, ListenerOptions
from sellergate_edge.listening.protocol import BoundedProtocol

# For log files, gRPC, Redis, the identity provider and the listeners of health and metrics.
_OTHER_DESCRIPTORS = 128


class Server(uvicorn.Server):
    """A server with bounded connections. When it is stopped, it completes the requests in progress."""

    def __init__(self, config: uvicorn.Config, options: ListenerOptions, setting: str) -> None:
        super().__init__(config)
        self._options = options
        self._setting = setting

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which may have several servers."""
        yield

    def stop(self) -> None:
        """Start to stop."""
        self.should_exit = True

    async def startup(self, sockets: list[socket] | None = None) -> None:  # noqa: ARG002  (uvicorn's signature)
        """Listen. Ends the process if the address cannot be used."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()

        def speak(release: Callable[[], None]) -> BoundedProtocol:
            return BoundedProtocol(
                release=release,
                config=self.config,
                server_state=self.server_state,
                app_state={},
                _loop=loop,
            )

        try:
            listener = Listener(self._options, speak, self.config.host, self.config.port)
        except OSError:
            end_for_address(f"{self.config.host}:{self.config.port}", self._setting)
        # uvicorn only calls `close`, which the listener has like asyncio's servers.
        self.servers = [listener]  # type: ignore[list-item]
        self.started = True


def make_server(
    app: ASGIApp,
    host: str,
    port: int,
    options: ListenerOptions,
    *,
    forwarded: str = "",
    drain_seconds: int = 1,
    keep_alive_seconds: int = bounds.PROBE_KEEP_ALIVE_SECONDS,
    setting: str = "SELLERGATE_EDGE_PORT",
) -> Server:
    """Return a server. `forwarded`: addresses of proxies whose X-Forwarded-For is trusted, separated by commas.

    `setting` is the one that holds the port.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(forwarded),
        forwarded_allow_ips=forwarded,
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=drain_seconds,
    )
    return Server(config, options, setting)


async def serve_until_stopped(*servers: Server) -> None:
    """Run all servers until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve() for server in servers))


def allowed_connections(wanted: int) -> int:
    """Raise the limit of open files as far as the system allows. Return how many connections fit, at most `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    fitting = max(1, soft - _OTHER_DESCRIPTORS)
    get_logger().warning("fewer_connections", wanted=wanted, fitting=fitting, open_files=soft)
    return fitting
