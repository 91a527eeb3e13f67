"""The gateway: any SP-API call, with tokens, signing, quota, retries and typed errors."""

import random
import time
from contextlib import AsyncExitStack
from functools import partial

import uvloop
from sellergate_amazon.operations import Catalogue
from sellergate_common.cache import SealedCache, open_redis
from sellergate_common.channel import open_channel
from sellergate_common.context import time_left
from sellergate_common.deadlines import UNARY_SECONDS
from sellergate_common.keyspace import (
    ACCOUNT_CHANGES,
    CREDENTIALS_CHANGES,
    CREDENTIALS_PREFIX,
    TOKEN_CHANGES,
    TOKEN_PREFIX,
)
from sellergate_common.logs import configure_logging
from sellergate_common.server import run_server
from sellergate_common.settings import load_settings
from sellergate_common.tls import Identity

from sellergate_gateway import credential_source, grpc_accounts, token_source
from sellergate_gateway.aiohttp_amazon import open_amazon
from sellergate_gateway.calls import Calls
from sellergate_gateway.changes import Changes
from sellergate_gateway.checks import Checks
from sellergate_gateway.operations import Operations
from sellergate_gateway.ports import AccessToken, Account, AwsCredentials
from sellergate_gateway.quota import Buckets
from sellergate_gateway.redis_quota import RedisQuota
from sellergate_gateway.remembered import Remembered
from sellergate_gateway.servicer import GatewayServicer
from sellergate_gateway.settings import GatewaySettings
from sellergate_gateway.signing import SigV4Signer
from sellergate_gateway.sites import Sites

REMEMBERED_ACCOUNTS = 20_000


def main() -> None:
    """Run the service until it is told to stop."""
    settings = load_settings(GatewaySettings)
    configure_logging("gateway", settings.log_level)
    uvloop.run(serve(settings))


async def serve(settings: GatewaySettings) -> None:
    """Wire the service by hand and serve it."""
    async with AsyncExitStack() as stack:
        identity = Identity.read(settings)
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        amazon = await stack.enter_async_context(open_amazon())
        enter = stack.enter_async_context
        account_channel = await enter(
            open_channel(settings.account_target, "account", identity, grpc_accounts.CONTRACTS)
        )
        token_channel = await enter(open_channel(settings.token_target, "token", identity, token_source.CONTRACTS))
        iam_channel = await enter(open_channel(settings.iam_target, "iam", identity, credential_source.CONTRACTS))

        changes = Changes(redis)
        remember = partial(Remembered, REMEMBERED_ACCOUNTS, time.monotonic, lambda: changes.connected)
        copies: Remembered[Account] = remember()
        held_tokens: Remembered[tuple[int, AccessToken]] = remember()
        held_credentials: Remembered[tuple[int, AwsCredentials]] = remember()
        await enter(
            changes.heard_by(
                {
                    ACCOUNT_CHANGES: (copies, held_tokens, held_credentials),
                    TOKEN_CHANGES: (held_tokens,),
                    CREDENTIALS_CHANGES: (held_credentials,),
                }
            )
        )
        token_ring, credentials_ring = settings.token_ring, settings.credentials_ring
        token_entries = SealedCache(redis, token_ring, TOKEN_PREFIX, TOKEN_CHANGES)
        credential_entries = SealedCache(redis, credentials_ring, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES)
        accounts = grpc_accounts.GrpcAccounts(account_channel, copies)
        tokens = token_source.TokenSource(token_channel, token_entries, token_ring, held_tokens, time.time)
        credentials = credential_source.CredentialSource(
            iam_channel, credential_entries, credentials_ring, held_credentials, time.time
        )

        catalogue, sites = Catalogue.load(), Sites(settings.production, settings.sandbox)
        buckets, quota = Buckets(token_ring, settings.interactive_share), RedisQuota(redis)
        calls = Calls(
            catalogue,
            sites,
            buckets,
            accounts,
            tokens,
            credentials,
            SigV4Signer(),
            quota,
            amazon,
            left=partial(time_left, UNARY_SECONDS),
            jitter=random.random,
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
