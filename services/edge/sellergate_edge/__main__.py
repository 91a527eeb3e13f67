"""The process of the edge: REST for the frontend. It is the only process that is reachable from outside."""

import uvloop
from sellergate_common.allocator import return_freed_memory
from sellergate_common.blocking.heap import settle_heap
from sellergate_common.blocking.names import Loop
from sellergate_common.identity.own_certificate import with_own_certificate
from sellergate_common.observability.core_dumps import forbid_core_dumps
from sellergate_common.observability.logs import configure_logging, get_logger
from sellergate_common.observability.telemetry import serve_metrics
from sellergate_common.observability.tracing import configure_tracing
from sellergate_common.settings import load_settings

from sellergate_edge.listening.server import serve_until_stopped
from sellergate_edge.settings import EdgeSettings
from sellergate_edge.wiring import open_servers


def main() -> None:
    """Run the edge until a signal stops it."""
    forbid_core_dumps()
    return_freed_memory()
    settings = with_own_certificate(load_settings(EdgeSettings), "edge")
    configure_logging("edge", settings.log_level)
    configure_tracing("edge")
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: EdgeSettings) -> None:
    """Serve the edge until SIGTERM or SIGINT."""
    async with open_servers(settings) as servers:
        serve_metrics(settings.bind_host, settings.metrics_port)
        get_logger().info("serving", address=f"{settings.bind_host}:{settings.edge_port}")
        settle_heap()
        await serve_until_stopped(*servers)
        get_logger().info("stopped")


if __name__ == "__main__":
    main()
