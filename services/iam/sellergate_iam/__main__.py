"""The process of the iam service: temporary AWS credentials of accounts' roles."""

import random
from contextlib import AsyncExitStack

import uvloop
from sellergate_common.blocking.names import Loop
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import CREDENTIALS_PREFIX
from sellergate_common.cache.metrics import CacheMetrics
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.clock_skew import measured_skew
from sellergate_common.identity.own_certificate import with_own_certificate
from sellergate_common.identity.policy import Access
from sellergate_common.identity.tls import Identity
from sellergate_common.observability.core_dumps import forbid_core_dumps
from sellergate_common.observability.logs import configure_logging
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import open_channel
from sellergate_common.rpc.health import open_health
from sellergate_common.rpc.server import run_server
from sellergate_common.settings import load_settings
from sellergate_common.sites import Sites
from sellergate_common.tasks import BackgroundTasks

from sellergate_iam.boto_signer import BotoSigner
from sellergate_iam.credentials import Credentials
from sellergate_iam.grpc_accounts import CONTRACTS, open_accounts
from sellergate_iam.redis_credentials import redis_credentials
from sellergate_iam.servicer import IamServicer
from sellergate_iam.settings import IamSettings
from sellergate_iam.signatures import Signatures
from sellergate_iam.sts import BotoSts


def main() -> None:
    """Run the service until a signal stops it."""
    forbid_core_dumps()
    settings = with_own_certificate(load_settings(IamSettings), "iam")
    configure_logging("iam", settings.log_level)
    uvloop.run(serve(settings), loop_factory=Loop)


async def serve(settings: IamSettings) -> None:
    """Wire the service by hand and serve it."""
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        health = await stack.enter_async_context(open_health(settings, {"redis": redis.ping}, background))
        sts = BotoSts(settings.aws_region, random.random, route=settings.outbound)
        stack.callback(sts.close)
        background.watch("sts", sts.threads.problem)
        identity = Identity.read(settings)
        channel = await stack.enter_async_context(open_channel(settings.account_target, "account", identity, CONTRACTS))
        await stack.enter_async_context(measured_skew(redis, CREDENTIALS_PREFIX, SYSTEM_CLOCK, background))
        changes = InvalidationFeed(redis)
        cache = redis_credentials(redis, settings.ring, changes, SYSTEM_CLOCK, random.random)
        accounts = await stack.enter_async_context(
            open_accounts(channel, settings.account_copies, changes, cache.listeners, SYSTEM_CLOCK, background)
        )
        credentials = Credentials(accounts, sts, cache, settings.allowed_roles)
        CacheMetrics.register("credentials", credentials.counts)
        signatures = Signatures(accounts, credentials, Sites(settings.production, settings.sandbox), BotoSigner())
        await run_server(
            "iam",
            settings.iam_port,
            settings,
            servicers=[IamServicer(credentials, signatures, settings.aws_region)],
            health=health,
            access=Access({"sellergate.iam.v1.IamService/AssumeRole": settings.callers}),
        )


if __name__ == "__main__":
    main()
