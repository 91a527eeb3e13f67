"""The process of the token service: LWA access tokens, exchanged once for all callers."""

import random
import time
from contextlib import AsyncExitStack

import uvloop
from sellergate_common.blocking.names import Loop
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import TOKEN_PREFIX
from sellergate_common.cache.metrics import CacheMetrics
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.clock_skew import measured_skew
from sellergate_common.identity.own_certificate import with_own_certificate
from sellergate_common.identity.tls import Identity
from sellergate_common.observability.core_dumps import forbid_core_dumps
from sellergate_common.observability.logs import configure_logging
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import open_channel
from sellergate_common.rpc.health import open_health
from sellergate_common.rpc.server import run_server
from sellergate_common.settings import load_settings
from sellergate_common.tasks import BackgroundTasks

from sellergate_token.account_service import CONTRACTS
from sellergate_token.lwa.aiohttp_transport import open_lwa
from sellergate_token.lwa.client import EXCHANGE_SECONDS
from sellergate_token.servicer import TokenServicer
from sellergate_token.settings import TokenSettings
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.wiring import make_authorizations, make_tokens, open_rotations


def main() -> None:
    """Run the service until a signal stops it."""
    forbid_core_dumps()
    settings = with_own_certificate(load_settings(TokenSettings), "token")
    configure_logging("token", settings.log_level)
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: TokenSettings) -> None:
    """Wire the service by hand and serve it."""
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        health = await stack.enter_async_context(open_health(settings, {"redis": redis.ping}, background))
        opening = open_lwa(settings.lwa_token_url, SYSTEM_CLOCK, random.random, settings.outbound)
        lwa = await stack.enter_async_context(opening)
        background.watch("lwa", lwa.slots.problem)
        channel = await stack.enter_async_context(
            open_channel(settings.account_target, "account", Identity.read(settings), CONTRACTS)
        )
        await stack.enter_async_context(measured_skew(redis, TOKEN_PREFIX, SYSTEM_CLOCK, background))
        changes = InvalidationFeed(redis)
        exchanges = Exchanges(lwa, time.monotonic)
        stack.push_async_callback(exchanges.finish, EXCHANGE_SECONDS)
        tokens, verifications, listeners, follower = make_tokens(settings, channel, redis, changes, exchanges)
        await stack.enter_async_context(changes.subscribe(listeners, background))
        await stack.enter_async_context(follower.following("account_changes", background))
        CacheMetrics.register("tokens", tokens.counts)
        rotations = await stack.enter_async_context(open_rotations(settings, channel, redis, exchanges, background))
        authorizations = make_authorizations(settings, channel, redis, exchanges)
        await run_server(
            "token",
            settings.token_port,
            settings,
            servicers=[TokenServicer(tokens, verifications, rotations, authorizations)],
            health=health,
            access=settings.access,
        )


if __name__ == "__main__":
    main()
