"""The gateway: any SP-API call, with tokens, signing, quota, retries and typed errors."""

import random
from contextlib import AsyncExitStack
from functools import partial

import uvloop
from sellergate_amazon.operations import Catalogue
from sellergate_common.cache import open_redis
from sellergate_common.context import time_left
from sellergate_common.deadlines import UNARY_SECONDS
from sellergate_common.logs import configure_logging
from sellergate_common.server import run_server
from sellergate_common.settings import load_settings
from sellergate_common.sites import Sites

from sellergate_gateway.aiohttp_amazon import open_amazon
from sellergate_gateway.call_tokens import CallTokens
from sellergate_gateway.calls import Calls
from sellergate_gateway.checks import Checks
from sellergate_gateway.operations import Operations
from sellergate_gateway.quota import Buckets
from sellergate_gateway.redis_quota import RedisQuota
from sellergate_gateway.servicer import GatewayServicer
from sellergate_gateway.settings import GatewaySettings
from sellergate_gateway.signing import SigV4Signer
from sellergate_gateway.sources import open_sources


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(GatewaySettings)
    configure_logging("gateway", settings.log_level)
    uvloop.run(serve(settings))


async def serve(settings: GatewaySettings) -> None:
    """Wire the service by hand and serve it."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        amazon = await stack.enter_async_context(open_amazon())
        sources = await stack.enter_async_context(open_sources(settings, redis))
        accounts, tokens, credentials = sources.accounts, sources.tokens, sources.credentials
        catalogue, sites = Catalogue.load(), Sites(settings.production, settings.sandbox)
        buckets, quota = Buckets(settings.token_ring, settings.interactive_share), RedisQuota(redis)
        left, signer = partial(time_left, UNARY_SECONDS), SigV4Signer()
        calls = Calls(
            catalogue,
            sites,
            buckets,
            accounts,
            CallTokens(tokens),
            credentials,
            signer,
            quota,
            amazon,
            left,
            random.random,
        )
        checks = Checks(calls, accounts, tokens, credentials, sites)
        operations = Operations(catalogue, sites, buckets, quota)
        await run_server(
            "gateway",
            settings.gateway_port,
            settings,
            servicers=[GatewayServicer(calls, checks, operations)],  # type: ignore[abstract]  # (the generated base answers the rest)
            dependencies={"redis": redis.ping},
        )


if __name__ == "__main__":
    main()
