"""The edge: REST for the frontend, thin, and the only process that is reachable from outside."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import uvloop
from sellergate_common.blocking.names import Loop
from sellergate_common.observability.logs import configure_logging, get_logger
from sellergate_common.observability.telemetry import serve_metrics
from sellergate_common.observability.tracing import configure_tracing
from sellergate_common.settings import load_settings

from sellergate_edge.settings import EdgeSettings
from sellergate_edge.wiring import open_app


class _Server(uvicorn.Server):
    """Ends as the other services do: told to stop it answers what it has begun, and its exit code is 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to SIGTERM and SIGINT while the body runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def main() -> None:
    """Run the edge until it is told to stop."""
    settings = load_settings(EdgeSettings)
    configure_logging("edge", settings.log_level)
    configure_tracing("edge")
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: EdgeSettings) -> None:
    """Serve the edge."""
    async with open_app(settings) as app:
        server = _Server(
            uvicorn.Config(
                app,
                host=settings.bind_host,
                port=settings.edge_port,
                http="httptools",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=bool(settings.forwarded_allow_ips),
                forwarded_allow_ips=settings.forwarded_allow_ips,
                timeout_graceful_shutdown=settings.drain_seconds,
            )
        )
        serve_metrics(settings.bind_host, settings.metrics_port)
        get_logger().info("serving", address=f"{settings.bind_host}:{settings.edge_port}")
        await server.serve()
        get_logger().info("stopped")


if __name__ == "__main__":
    main()
