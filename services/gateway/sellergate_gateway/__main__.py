"""The process of the gateway: any SP-API call, with tokens, signing, quota, retries and typed errors."""

from contextlib import AsyncExitStack

import uvloop
from sellergate_common.blocking.names import Loop
from sellergate_common.identity.own_certificate import with_own_certificate
from sellergate_common.observability.core_dumps import forbid_core_dumps
from sellergate_common.observability.logs import configure_logging
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.health import open_health
from sellergate_common.rpc.server import run_server
from sellergate_common.settings import load_settings
from sellergate_common.tasks import BackgroundTasks

from sellergate_gateway.settings import GatewaySettings
from sellergate_gateway.wiring import open_servicers


def main() -> None:
    """Run the service until a signal stops it."""
    forbid_core_dumps()
    settings = with_own_certificate(load_settings(GatewaySettings), "gateway")
    configure_logging("gateway", settings.log_level)
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: GatewaySettings) -> None:
    """Wire the service by hand and serve it."""
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        health = await stack.enter_async_context(open_health(settings, {"redis": redis.ping}, background))
        servicers = await stack.enter_async_context(open_servicers(settings, redis, health))
        await run_server(
            "gateway",
            settings.gateway_port,
            settings,
            servicers=servicers,
            health=health,
            access=settings.access,
        )


if __name__ == "__main__":
    main()
