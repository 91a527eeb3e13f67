"""What calls are made with: accounts, tokens and credentials, each from its service, with copies in memory that changes end."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis
from sellergate_client.replicas import open_replicas
from sellergate_client.tokens import Tokens
from sellergate_common.cache import SealedCache
from sellergate_common.changes import Changes, Forgetful
from sellergate_common.channel import open_channel
from sellergate_common.copies import Copies
from sellergate_common.keyspace import (
    ACCOUNT_CHANGES,
    CREDENTIALS_CHANGES,
    CREDENTIALS_PREFIX,
    QUOTA_MOVES,
    REPORT_DONE,
    TOKEN_CHANGES,
    TOKEN_PREFIX,
)
from sellergate_common.redis_entries import RedisEntries
from sellergate_common.releases import Releases
from sellergate_common.remembered import Remembered
from sellergate_common.tls import Identity

from sellergate_gateway import credential_source, grpc_accounts, token_source
from sellergate_gateway.credential_source import CredentialSource
from sellergate_gateway.grpc_accounts import GrpcAccounts
from sellergate_gateway.grpc_capture_log import GrpcCaptureLog
from sellergate_gateway.ports import AccessToken, Account, AwsCredentials
from sellergate_gateway.redis_reports import RedisRunningReports
from sellergate_gateway.redis_restricted import redis_restricted
from sellergate_gateway.restricted import RestrictedKey
from sellergate_gateway.settings import GatewaySettings
from sellergate_gateway.token_source import TokenSource
from sellergate_gateway.turns import Turns

REMEMBERED_ACCOUNTS = 20_000


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources."""

    accounts: GrpcAccounts
    tokens: TokenSource
    credentials: CredentialSource
    restricted: RedisEntries[RestrictedKey, AccessToken]
    reports: RedisRunningReports
    capture_log: GrpcCaptureLog


@asynccontextmanager
async def open_sources(settings: GatewaySettings, redis: Redis, turns: Turns) -> AsyncIterator[Sources]:
    """Open a channel to each service, and listen to what they and other gateways change."""
    identity = Identity.read(settings)
    changes = Changes(redis)
    remember = partial(Remembered, REMEMBERED_ACCOUNTS, time.monotonic, lambda: changes.connected)
    copies: Copies[Account] = Copies(time.monotonic, lambda: changes.connected)
    held_tokens: Remembered[tuple[int, AccessToken]] = remember()
    held_credentials: Remembered[tuple[int, AwsCredentials]] = remember()
    restricted = redis_restricted(redis, settings.token_ring, changes, time.time)
    releases = Releases(redis, changes)
    listeners: dict[str, Sequence[Forgetful]] = {
        ACCOUNT_CHANGES: (copies, held_tokens, held_credentials),
        TOKEN_CHANGES: (held_tokens,),
        CREDENTIALS_CHANGES: (held_credentials,),
        QUOTA_MOVES: (turns,),
        REPORT_DONE: (releases,),
        **restricted.listeners,
    }
    token_ring, credentials_ring = settings.token_ring, settings.credentials_ring
    token_entries = SealedCache(redis, token_ring, TOKEN_PREFIX, TOKEN_CHANGES)
    credential_entries = SealedCache(redis, credentials_ring, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        account = await enter(open_channel(settings.account_target, "account", identity, grpc_accounts.CONTRACTS))
        token = await enter(open_channel(settings.token_target, "token", identity, token_source.CONTRACTS))
        iam = await enter(open_channel(settings.iam_target, "iam", identity, credential_source.CONTRACTS))
        replicas = await enter(open_replicas(settings.token_target, "token", identity, token_source.CONTRACTS))
        await enter(changes.heard_by(listeners))
        yield Sources(
            GrpcAccounts(account, copies),
            TokenSource(token, Tokens(replicas), token_entries, token_ring, held_tokens, time.time),
            CredentialSource(iam, credential_entries, credentials_ring, held_credentials, time.time),
            restricted,
            RedisRunningReports(redis, token_ring, releases, REPORT_DONE),
            GrpcCaptureLog(account),
        )
