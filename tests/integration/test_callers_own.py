"""Callers' own LWA credentials and bare roles, with three replicas on a real Redis: fetched once, sealed, per caller."""

import asyncio
import base64
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.context import Caller
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import PreconditionFailed, Reason, SellergateError
from sellergate_common.redis_client import open_redis
from sellergate_devstack.servers.redis import running_redis
from sellergate_iam.credentials import Credentials
from sellergate_iam.ports import AwsCredentials, Role, Session
from sellergate_iam.redis_credentials import redis_credentials
from sellergate_token.ports import AccessToken, Grant, LwaClient, RefreshToken
from sellergate_token.tokens.exchanges import Exchanges
from sellergate_token.tokens.redis import redis_tokens
from sellergate_token.tokens.service import Tokens

from tests.e2e.hunt import dump

RING = KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")
BILLING, REPORTS = Caller("client/billing"), Caller("client/reports")
OWN = LwaClient(SecretStr("client-of-mine"), SecretStr("secret-of-mine")), RefreshToken(SecretStr("refresh-of-mine"))
ARN = "arn:aws:iam::123456789012:role/sp-api-bare"
UNUSED: Any = None


@dataclass
class Amazon:
    """LWA and STS, slow enough that all callers arrive while the first is served."""

    exchanges: int = 0
    refused: SellergateError | None = None
    roles: list[tuple[Role, Session]] = field(default_factory=list)

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        self.exchanges += 1
        number = self.exchanges
        await asyncio.sleep(0.3)
        if self.refused:
            raise self.refused
        token, rotated = SecretStr(f"access-of-mine-{number}"), SecretStr(f"rotated-of-mine-{number}")
        return AccessToken(token, time.time() + 3600, 3600.0, rotated)

    async def assume(self, role: Role, session: Session) -> AwsCredentials:
        self.roles.append((role, session))
        number = len(self.roles)
        await asyncio.sleep(0.3)
        key, secret, token = (SecretStr(f"{name}-of-mine-{number}") for name in ("key", "aws-secret", "session"))
        return AwsCredentials(key, secret, token, time.time() + session.seconds, session.seconds)


@dataclass
class Fleet:
    amazon: Amazon
    url: str
    tokens: list[Tokens] = field(default_factory=list)
    credentials: list[Credentials] = field(default_factory=list)

    async def all(self, call: Callable[[int], Awaitable[Any]]) -> list[Any]:
        """Make a hundred calls, spread over the replicas."""
        return await asyncio.gather(*(call(number % 3) for number in range(100)), return_exceptions=True)


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        made = Fleet(Amazon(), stack.enter_context(running_redis(tmp_path)))
        for _ in range(3):
            redis = await stack.enter_async_context(open_redis(SecretStr(made.url)))
            changes = InvalidationFeed(redis)
            tokens = redis_tokens(redis, RING, changes, SYSTEM_CLOCK, random.random)
            roles = redis_credentials(redis, RING, changes, SYSTEM_CLOCK, random.random)
            await stack.enter_async_context(changes.subscribe({**tokens.listeners, **roles.listeners}))
            made.tokens.append(Tokens(UNUSED, Exchanges(made.amazon, time.monotonic), tokens, time.time))
            made.credentials.append(Credentials(UNUSED, made.amazon, roles, ()))
        yield made


async def test_inline_credentials_are_exchanged_once_and_all_callers_get_the_rotated_refresh_token(
    fleet: Fleet,
) -> None:
    found = await fleet.all(lambda replica: fleet.tokens[replica].for_client(*OWN, BILLING, None))
    given = {(one.value.value.get_secret_value(), one.value.refresh_token.get_secret_value()) for one in found}
    assert given == {("access-of-mine-1", "rotated-of-mine-1")}
    again = await fleet.all(lambda replica: fleet.tokens[replica].for_client(*OWN, BILLING, None))
    assert {(one.cached, one.value.refresh_token.get_secret_value()) for one in again} == {(True, "rotated-of-mine-1")}
    rotated = OWN[0], RefreshToken(SecretStr("rotated-of-mine-1"))
    assert (await fleet.tokens[2].for_client(*rotated, BILLING, None)).cached
    assert fleet.amazon.exchanges == 1
    assert not (await fleet.tokens[0].for_client(*OWN, REPORTS, None)).cached
    assert fleet.amazon.exchanges == 2
    assert b"of-mine" not in await dump(fleet.url)
    assert await fleet.tokens[1].clear("") == 4  # two of each caller: for the old refresh token and for the new one


async def test_a_refused_exchange_of_inline_credentials_is_cached_for_a_moment(fleet: Fleet) -> None:
    fleet.amazon.refused = PreconditionFailed("revoked", reason=Reason.AUTHORIZATION_REVOKED)
    for _ in range(2):
        found = await fleet.all(lambda replica: fleet.tokens[replica].for_client(*OWN, BILLING, None))
        assert {error.reason for error in found} == {Reason.AUTHORIZATION_REVOKED}
    assert fleet.amazon.exchanges == 1
    assert b"of-mine" not in await dump(fleet.url)


async def test_a_bare_role_is_assumed_once_for_each_caller(fleet: Fleet) -> None:
    def assumed(replica: int, caller: Caller = BILLING, region: str = "us-east-1") -> Awaitable[AwsCredentials]:
        return fleet.credentials[replica].for_role(ARN, region, "", None, caller)

    assert len(set(await fleet.all(assumed))) == 1
    assert fleet.amazon.roles == [(Role(ARN, "", "us-east-1"), Session("sellergate-operator", 3600))]
    first = await assumed(0)
    assert first not in {await assumed(1, REPORTS), await assumed(2, region="eu-west-1")}
    assert len(fleet.amazon.roles) == 3
    text = await dump(fleet.url)
    assert not [secret for secret in (b"of-mine", ARN.encode(), b"client/billing") if secret in text]
    assert await fleet.credentials[1].clear("") == 3
    _, entries = await fleet.credentials[0].stats()
    assert entries == 0
