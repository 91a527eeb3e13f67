"""Gateways, and replicas of the token and iam services without notifications, with accounts whose credentials change.

All parts are the product's own, over a real Redis and real gRPC, except Amazon, the storage of accounts and the clock.
"""

import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate.account.v1 import (
    account_pb2,
    account_secrets_service_pb2,
    account_secrets_service_pb2_grpc,
    account_service_pb2,
    account_service_pb2_grpc,
)
from sellergate.iam.v1 import iam_service_pb2, iam_service_pb2_grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_client.rpc.replicas import open_replicas
from sellergate_client.tokens import Tokens as ClientTokens
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import CREDENTIALS_CHANGES, CREDENTIALS_PREFIX, TOKEN_CHANGES, TOKEN_PREFIX
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.clock import Clock
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import open_channel
from sellergate_gateway.credentials.access_tokens import TokenSource
from sellergate_gateway.credentials.aws_credentials import CredentialSource
from sellergate_gateway.grpc_accounts import GrpcAccounts as GatewayAccounts
from sellergate_gateway.model import AccessToken as GatewayToken
from sellergate_gateway.model import Account
from sellergate_gateway.model import AwsCredentials as GatewayCredentials
from sellergate_iam.credentials import Credentials
from sellergate_iam.grpc_accounts import GrpcAccounts as IamAccounts
from sellergate_iam.ports import AwsCredentials, Role, Session
from sellergate_iam.redis_credentials import redis_credentials
from sellergate_iam.servicer import IamServicer
from sellergate_token.account_service import GrpcAccounts
from sellergate_token.ports import AccessToken, Grant, RefreshToken
from sellergate_token.servicer import TokenServicer
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.tokens.redis import redis_tokens
from sellergate_token.tokens.service import Tokens

from tests.conftest import TestAuthority
from tests.integration.replicas import RING
from tests.integration.servers import serving

# A change is in force everywhere this long after it was acknowledged.
BOUND_SECONDS = 5.0
LIFE = 3600.0


@dataclass
class Stored(
    account_service_pb2_grpc.AccountServiceServicer, account_secrets_service_pb2_grpc.AccountSecretsServiceServicer
):
    """The account service: the number of each account's grant, which is its revision too."""

    revisions: dict[str, int] = field(default_factory=dict)

    async def GetAccount(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        return account_service_pb2.GetAccountResponse(account=self._account(request.account_id))

    async def GetAccountSecrets(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        response = account_secrets_service_pb2.GetAccountSecretsResponse(account=self._account(request.account_id))
        response.refresh_token = f"{request.account_id} {self.revisions[request.account_id]}"
        response.application.client_id, response.application.client_secret = "client", "secret"
        return response

    def _account(self, account_id: str) -> account_pb2.Account:
        revision = self.revisions[account_id]
        return account_pb2.Account(
            account_id=account_id,
            user_id="u",
            marketplace="US",
            region="us-east-1",
            revision=revision,
            iam_role_arn="arn:aws:iam::123456789012:role/x",
            external_id=f"{account_id} {revision}",
            state=account_pb2.ACCOUNT_STATE_ACTIVE,
            signing_mode=account_pb2.SIGNING_MODE_AUTO,
        )


@dataclass
class Amazon:
    """LWA and STS, whose tokens and credentials name the grant that they were issued for."""

    clock: Clock
    given: int = 0

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        assert isinstance(grant, RefreshToken)
        self.given += 1
        return AccessToken(grant.value, self.clock.wall() + LIFE, LIFE)

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        self.given += 1
        key = SecretStr(f"ASIA{self.given}")
        return AwsCredentials(key, SecretStr("s"), SecretStr(role.external_id), self.clock.wall() + LIFE, LIFE)


@dataclass
class Gateway:
    """The caches of one gateway. A gateway without notifications is configured so."""

    is_notified: bool
    copies: StaleIfErrorCache[Account]
    accounts: GatewayAccounts
    tokens: TokenSource
    credentials: CredentialSource
    memories: tuple[TtlCache[Any], ...]

    def notify(self, account_id: str) -> None:
        """Notify the gateway that an account has changed."""
        for one in (self.copies, *self.memories):
            one.forget(account_id)

    async def grants(self, account_id: str) -> set[int]:
        """Return the numbers of the grants that a call made now would use."""
        account = await self.accounts.get(account_id)
        token = await self.tokens.get(account)
        credentials = await self.credentials.get(account)
        used = (token.value, credentials.session_token)
        return {int(value.get_secret_value().split()[1]) for value in used}


@dataclass
class World:
    """The gateways and services; `time` is added to the clocks of every process."""

    stored: Stored
    amazon: Amazon
    gateways: list[Gateway]
    callers: list[Callable[[str], Awaitable[Any]]]
    """Functions that each call one replica, like callers without a revision."""
    time: list[float]

    async def change(self, account_id: str, draw: random.Random) -> int:
        """Change an account's credentials once; return how many old grants were used after the bound."""
        self.time[0] += draw.uniform(0, 2 * BOUND_SECONDS)
        await self._used(account_id)
        for call in self.callers:
            # Each replica's copy of the account is of any age when the account changes.
            self.time[0] += draw.uniform(0, BOUND_SECONDS / len(self.callers))
            await call(account_id)
        self.stored.revisions[account_id] += 1  # acknowledged
        for gateway in self.gateways:
            if gateway.is_notified:
                gateway.notify(account_id)
        early = draw.uniform(0, BOUND_SECONDS)
        await self._used(account_id)
        self.time[0] += early
        await self._used(account_id)
        self.time[0] += BOUND_SECONDS - early
        return sum(used != {self.stored.revisions[account_id]} for used in await self._used(account_id))

    async def _used(self, account_id: str) -> list[set[int]]:
        return [await gateway.grants(account_id) for gateway in self.gateways]


@asynccontextmanager
async def world(redis_url: str, authority: TestAuthority, accounts: int) -> AsyncIterator[World]:
    """Open two gateways, one with notifications, and two replicas of token and of iam without them."""
    moved = [0.0]
    clock = Clock(lambda: time.time() + moved[0], lambda: time.monotonic() + moved[0])
    stored = Stored({f"account-{number}": 1 for number in range(accounts)})
    amazon = Amazon(clock)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis = await enter(open_redis(SecretStr(redis_url)))
        await redis.flushall()
        identity = authority.identity("gateway")
        adds = {
            account_service_pb2_grpc.add_AccountServiceServicer_to_server: stored,
            account_secrets_service_pb2_grpc.add_AccountSecretsServiceServicer_to_server: stored,
        }
        account = await enter(serving("account", authority.identity("account"), adds))

        callers: list[Callable[[str], Awaitable[Any]]] = []

        async def replicas(name: str, add: Any, make: Any) -> str:
            targets = []
            for _ in range(2):
                channel = await enter(open_channel(account, "account", authority.identity(name), []))
                targets.append(await enter(serving(name, authority.identity(name), {add: make(channel)})))
                callers.append(caller_of(name, await enter(open_channel(targets[-1], name, identity, []))))
            return "ipv4:" + ",".join(targets)

        def token(channel: Any) -> TokenServicer:
            cache = redis_tokens(redis, RING, _silent_feed(redis), clock, random.random)
            accounts = GrpcAccounts(channel, _copies(clock), _copies(clock))
            tokens = Tokens(accounts, Exchanges(amazon, clock.monotonic), cache, clock.wall)
            return TokenServicer(tokens, *[cast("Any", None)] * 3)

        def iam(channel: Any) -> IamServicer:
            cache = redis_credentials(redis, RING, _silent_feed(redis), clock, random.random)
            accounts = IamAccounts(channel, _copies(clock))
            return IamServicer(Credentials(accounts, amazon, cache, ()), cast("Any", None), "us-east-1")

        token_target = await replicas("token", token_service_pb2_grpc.add_TokenServiceServicer_to_server, token)
        iam_target = await replicas("iam", iam_service_pb2_grpc.add_IamServiceServicer_to_server, iam)

        async def gateway(*, is_notified: bool) -> Gateway:
            copies: StaleIfErrorCache[Account] = StaleIfErrorCache(clock.monotonic, lambda: is_notified)
            tokens: TtlCache[tuple[int, GatewayToken]] = TtlCache(1000, clock.monotonic, lambda: is_notified)
            roles: TtlCache[tuple[int, GatewayCredentials]] = TtlCache(1000, clock.monotonic, lambda: is_notified)
            return Gateway(
                is_notified,
                copies,
                GatewayAccounts(await enter(open_channel(account, "account", identity, [])), copies),
                TokenSource(
                    await enter(open_channel(token_target, "token", identity, [])),
                    ClientTokens(await enter(open_replicas(token_target, "token", identity, []))),
                    SealedCache(redis, RING, TOKEN_PREFIX, TOKEN_CHANGES),
                    RING,
                    tokens,
                    clock.wall,
                ),
                CredentialSource(
                    await enter(open_channel(iam_target, "iam", identity, [])),
                    SealedCache(redis, RING, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES),
                    RING,
                    roles,
                    clock.wall,
                ),
                (tokens, roles),
            )

        yield World(stored, amazon, [await gateway(is_notified=True), await gateway(is_notified=False)], callers, moved)


def caller_of(name: str, channel: Any) -> Callable[[str], Awaitable[Any]]:
    """Return a function that requests an account's token or credentials from a replica."""
    tokens = token_service_pb2_grpc.TokenServiceStub(channel)
    roles = iam_service_pb2_grpc.IamServiceStub(channel)

    def call(account_id: str) -> Awaitable[Any]:
        if name == "token":
            return tokens.GetAccessToken(token_service_pb2.GetAccessTokenRequest(account_id=account_id))
        return roles.AssumeRole(iam_service_pb2.AssumeRoleRequest(account_id=account_id))

    return call


def _silent_feed(redis: Redis) -> InvalidationFeed:
    """Return a subscription that reports itself as connected and receives nothing."""
    changes = InvalidationFeed(redis)
    changes.received.until = math.inf
    return changes


def _copies(clock: Clock) -> StaleIfErrorCache[Any]:
    return StaleIfErrorCache(clock.monotonic, lambda: True)
