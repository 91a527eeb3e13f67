"""Tokens, credentials and accounts: memory before Redis before the service, over real Redis and gRPC with mutual TLS."""

import asyncio
import base64
import hashlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc
from sellergate.iam.v1 import iam_service_pb2, iam_service_pb2_grpc
from sellergate.token.v1 import token_service_pb2, token_service_pb2_grpc
from sellergate_client.rpc.replicas import open_replicas
from sellergate_client.tokens import Tokens
from sellergate_common.cache.entries import COOL_OFF_SECONDS
from sellergate_common.cache.keyspace import (
    CREDENTIALS_CHANGES,
    CREDENTIALS_PREFIX,
    TOKEN_CHANGES,
    TOKEN_PREFIX,
    credentials_key,
    token_key,
)
from sellergate_common.cache.lru import MAX_STALENESS_SECONDS, TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import NotFound, Reason, SellergateError, Unavailable
from sellergate_common.redis_client import open_redis
from sellergate_common.rpc.channel import open_channel
from sellergate_gateway.credentials.access_tokens import TokenSource
from sellergate_gateway.credentials.aws_credentials import CredentialSource
from sellergate_gateway.grpc_accounts import GrpcAccounts
from sellergate_gateway.model import AccessToken, Account

from tests.conftest import TestAuthority
from tests.integration.servers import serving

RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
_NUMBERS = itertools.count()


@dataclass
class Services(
    account_service_pb2_grpc.AccountServiceServicer,
    token_service_pb2_grpc.TokenServiceServicer,
    iam_service_pb2_grpc.IamServiceServicer,
):
    """The three services' RPCs for a gateway, with the number of calls."""

    calls: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    life: float = 3600.0
    expected: list[int] = field(default_factory=list)
    revision: int = 0
    """The revision that token and iam return; 0: the requested one."""
    error: SellergateError | None = None
    clock: list[float] = field(default_factory=lambda: [0.0])
    """The seconds by which the clock is ahead."""
    kept: str = ""
    """The token or access key that its owner returns, because it could not drop it."""
    age: float = 0.0
    """The seconds since that was issued."""
    late: list[str] = field(default_factory=list)
    """The access keys that iam returns first, because the call that drops them is on its way."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    held: dict[int, asyncio.Event] = field(default_factory=dict)
    """What the responses for a revision wait for."""

    async def arrive(self, call: str, revision: int) -> None:
        """Record a call, and wait as long as its response is held."""
        self.calls.append(call)
        self.arrived.set()
        if revision in self.held:
            await self.held[revision].wait()

    async def GetAccount(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        self.calls.append("account")
        if request.account_id == "nobody":
            raise NotFound.account("nobody")
        account = account_pb2.Account(account_id=request.account_id, user_id="u", marketplace="US", revision=7)
        account.state, account.signing_mode = account_pb2.ACCOUNT_STATE_ACTIVE, account_pb2.SIGNING_MODE_AUTO
        return account_service_pb2.GetAccountResponse(account=account)

    async def GetAccessToken(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        await self.arrive("token", request.expected_revision)
        await asyncio.sleep(0.02)
        if self.error:
            raise self.error
        self.expected.append(request.expected_revision)
        response = token_service_pb2.GetAccessTokenResponse(access_token=self.kept or f"Atza|{len(self.calls)}")
        response.revision = self.revision or request.expected_revision
        response.expire_time.FromMilliseconds(int((time.time() + self.clock[0] + self.life - self.age) * 1000))
        response.life.FromMilliseconds(3_600_000)
        return response

    async def InvalidateAccessToken(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        self.forgotten.append(request.fingerprint)
        if self.error:
            raise self.error
        return token_service_pb2.InvalidateAccessTokenResponse()

    async def InvalidateCredentials(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        self.forgotten.append(request.access_key_id)
        return iam_service_pb2.InvalidateCredentialsResponse()

    async def AssumeRole(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        await self.arrive("role", request.expected_revision)
        self.expected.append(request.expected_revision)
        response = iam_service_pb2.AssumeRoleResponse(
            access_key_id=self.late.pop() if self.late else self.kept or f"k{len(self.calls)}",
            secret_access_key="s",
            session_token="t",
        )
        response.revision = self.revision or request.expected_revision
        response.expire_time.FromMilliseconds(int((time.time() + self.clock[0] + self.life - self.age) * 1000))
        response.life.FromMilliseconds(3_600_000)
        return response


@dataclass
class Bench:
    services: Services
    redis: Redis
    tokens: TokenSource
    credentials: CredentialSource
    accounts: GrpcAccounts
    clock: list[float]

    async def share(self, key: str, value: str) -> None:
        cache = SealedCache(self.redis, RING, TOKEN_PREFIX, TOKEN_CHANGES)
        assert await cache.put(key, SecretStr(value), 600)


@pytest.fixture
async def bench(redis_url: str, authority: TestAuthority) -> AsyncIterator[Bench]:
    clock = [0.0]
    services = Services(clock=clock)
    adds = {
        account_service_pb2_grpc.add_AccountServiceServicer_to_server: services,
        token_service_pb2_grpc.add_TokenServiceServicer_to_server: services,
        iam_service_pb2_grpc.add_IamServiceServicer_to_server: services,
    }

    def memory() -> TtlCache[Any]:
        return TtlCache(100, lambda: clock[0], lambda: True)

    async with (
        serving("account", authority.identity("account"), adds) as target,
        open_channel(target, "account", authority.identity("gateway"), []) as channel,
        open_replicas(target, "account", authority.identity("gateway"), []) as replicas,
        open_redis(SecretStr(redis_url)) as redis,
    ):
        tokens = SealedCache(redis, RING, TOKEN_PREFIX, TOKEN_CHANGES)
        roles = SealedCache(redis, RING, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES)
        yield Bench(
            services,
            redis,
            TokenSource(channel, Tokens(replicas), tokens, RING, memory(), lambda: time.time() + clock[0]),
            CredentialSource(channel, roles, RING, memory(), lambda: time.time() + clock[0]),
            GrpcAccounts(channel, StaleIfErrorCache(lambda: clock[0], lambda: True)),
            clock,
        )


def account(revision: int = 1, account_id: str = "") -> Account:
    role = "arn:aws:iam::123456789012:role/x"
    name = account_id or f"a{next(_NUMBERS)}"
    return Account(name, "u", "app", "SELLER", "US", "us-east-1", role, "AUTO", False, "ACTIVE", revision)


async def test_a_token_is_requested_once_for_all_and_then_cached(bench: Bench) -> None:
    one = account()
    got = await asyncio.gather(*(bench.tokens.get(one) for _ in range(20)))
    assert len({token.value.get_secret_value() for token in got}) == 1
    assert bench.services.calls == ["token"]
    bench.clock[0] = 3600 * 0.84
    assert await bench.tokens.get(one) == got[0]
    bench.clock[0] = 3600 * 0.86
    await bench.tokens.get(one)
    assert bench.services.calls == ["token"] * 2


async def test_a_token_past_its_renewal_time_is_used_during_an_outage_of_its_owner(bench: Bench) -> None:
    one = account()
    entry = {"access_token": "Atza|shared", "expire_time": time.time() + 30, "life": 3600}
    await bench.share(token_key(RING, one.account_id, one.revision), json.dumps(entry))
    bench.services.error = Unavailable("down")
    assert (await bench.tokens.get(one)).value.get_secret_value() == "Atza|shared"
    assert bench.services.calls == ["token"]
    bench.services.error = None
    assert (await bench.tokens.get(one)).value.get_secret_value() == "Atza|2"


async def test_a_token_of_another_revision_is_never_used(bench: Bench) -> None:
    before = account(revision=1)
    first = await bench.tokens.get(before)
    assert await bench.tokens.get(account(2, before.account_id)) != first


@pytest.mark.parametrize("source", ["tokens", "credentials"])
async def test_a_value_is_cached_under_the_revision_from_its_owner(bench: Bench, source: str) -> None:
    get, before = getattr(bench, source).get, account(revision=4)
    bench.services.revision = 5
    newer = await get(before)
    # The gateway gets the change later than the owner.
    assert await get(account(5, before.account_id)) is newer
    assert await get(before) is newer
    assert bench.services.expected == [4]


@pytest.mark.parametrize("source", ["tokens", "credentials"])
async def test_a_value_of_an_older_revision_is_requested_again_and_not_used(bench: Bench, source: str) -> None:
    get, after = getattr(bench, source).get, account(revision=5)
    bench.services.revision = 4
    with pytest.raises(Unavailable):
        await get(after)
    assert bench.services.expected == [5, 5]
    bench.services.revision = 5
    value = await get(after)
    assert await get(after) is value
    assert bench.services.expected == [5, 5, 5]


@pytest.mark.parametrize("source", ["tokens", "credentials"])
async def test_a_late_value_of_an_older_revision_does_not_replace_a_newer_one(bench: Bench, source: str) -> None:
    get, before = getattr(bench, source).get, account(revision=4)
    bench.services.held[4] = asyncio.Event()
    late = asyncio.create_task(get(before))
    await bench.services.arrived.wait()
    newer = await get(account(5, before.account_id))
    bench.services.held[4].set()
    await late
    assert await get(account(5, before.account_id)) is newer
    assert len(bench.services.calls) == 2


async def test_a_value_in_redis_saves_a_call_of_the_service(bench: Bench) -> None:
    one = account()
    entry = {"access_token": "Atza|shared", "expire_time": time.time() + 600, "life": 700}
    await bench.share(token_key(RING, one.account_id, one.revision), json.dumps(entry))
    assert (await bench.tokens.get(one)).value.get_secret_value() == "Atza|shared"
    entry = {name: name for name in ("access_key_id", "secret_access_key", "session_token")}
    key = credentials_key(RING, one.account_id, one.revision, one.iam_role_arn)
    await bench.share(key, json.dumps({**entry, "expire_time": time.time() + 600, "life": 700}))
    assert (await bench.credentials.get(one)).session_token.get_secret_value() == "session_token"
    assert bench.services.calls == []


@pytest.mark.parametrize(
    "entry",
    ['{"access_token": "Atza|old", "expire_time": 1, "life": 3600}', '{"another": "shape"}', "[]", "null", "no json"],
)
async def test_an_unusable_value_in_redis_counts_as_none(bench: Bench, entry: str) -> None:
    one = account()
    await bench.share(token_key(RING, one.account_id, one.revision), entry)
    await bench.share(credentials_key(RING, one.account_id, one.revision, one.iam_role_arn), entry)
    assert (await bench.tokens.get(one)).value.get_secret_value() == "Atza|1"
    await bench.credentials.get(one)
    assert bench.services.calls == ["token", "role"]


async def test_a_token_with_a_short_lifetime_is_used_and_not_cached(bench: Bench) -> None:
    bench.services.life = 30.0
    one = account()
    assert await bench.tokens.get(one) != await bench.tokens.get(one)


async def test_an_invalid_token_is_named_by_its_fingerprint(bench: Bench) -> None:
    one = account()
    first = await bench.tokens.get(one)
    await bench.tokens.invalidate(one, first)
    assert bench.services.forgotten == [hashlib.sha256(first.value.get_secret_value().encode()).hexdigest()]
    second = await bench.tokens.get(one)
    assert second != first
    # A late refusal of the old token does not drop the new one.
    await bench.tokens.invalidate(one, first)
    assert await bench.tokens.get(one) is second


async def test_refusals_of_every_token_and_session_cause_one_renewal(bench: Bench) -> None:
    one = account()
    for source in (bench.tokens, bench.credentials):
        bench.services.calls.clear()
        for _ in range(20):
            for _ in range(2):  # a call is repeated once
                if not await source.invalidate(one, await source.get(one)):  # type: ignore[arg-type]
                    break
        assert len(bench.services.calls) == 2
        # After the cool-off they are renewed again, once.
        bench.clock[0] += COOL_OFF_SECONDS
        assert await source.invalidate(one, await source.get(one))  # type: ignore[arg-type]
        assert not await source.invalidate(one, await source.get(one))  # type: ignore[arg-type]
        assert len(bench.services.calls) == 3
    assert len(bench.services.forgotten) == 4


async def test_calls_that_are_refused_together_retry_with_one_new_token(bench: Bench) -> None:
    one = account()
    refused = await bench.tokens.get(one)

    async def repeated() -> AccessToken:
        assert await bench.tokens.invalidate(one, refused)
        return await bench.tokens.get(one)

    assert len({token.value for token in await asyncio.gather(*(repeated() for _ in range(20)))} - {refused.value}) == 1
    assert (bench.services.calls, len(bench.services.forgotten)) == (["token"] * 2, 1)


async def test_a_refused_token_in_redis_is_not_used_again_while_its_owner_cannot_drop_it(bench: Bench) -> None:
    one = account()
    entry = {"access_token": "Atza|shared", "expire_time": time.time() + 3600, "life": 3600}
    await bench.share(token_key(RING, one.account_id, one.revision), json.dumps(entry))
    refused = await bench.tokens.get(one)
    bench.services.error = Unavailable("down")
    assert await bench.tokens.invalidate(one, refused)
    with pytest.raises(Unavailable):
        await bench.tokens.get(one)
    bench.services.error = None
    assert (await bench.tokens.get(one)).value != refused.value


async def test_refused_credentials_that_iam_returns_before_it_drops_them_are_requested_again(bench: Bench) -> None:
    one = account()
    refused = await bench.credentials.get(one)
    assert await bench.credentials.invalidate(one, refused)
    bench.services.late = [refused.access_key_id.get_secret_value()]
    assert (await bench.credentials.get(one)).access_key_id != refused.access_key_id
    assert bench.services.calls == ["role"] * 3


@pytest.mark.parametrize("source", ["token", "iam", "grantless"])
async def test_an_owner_that_keeps_what_amazon_refused_is_unavailable_unless_that_is_fresh(
    bench: Bench, source: str
) -> None:
    """Fresh credentials are kept on purpose, and Amazon's refusal of these is the result."""
    one, scope = account(), "sellingpartnerapi::notifications"
    get: Any = {
        "token": partial(bench.tokens.get, one),
        "iam": partial(bench.credentials.get, one),
        "grantless": partial(bench.tokens.grantless, one, scope),
    }[source]
    invalidate: Any = {
        "token": partial(bench.tokens.invalidate, one),
        "iam": partial(bench.credentials.invalidate, one),
        "grantless": partial(bench.tokens.invalidate_grantless, one, scope),
    }[source]
    bench.services.kept, bench.services.age = "kept", COOL_OFF_SECONDS + 10.0
    refused = await get()
    assert await invalidate(refused)
    with pytest.raises(Unavailable) as caught:
        await get()
    owner = "iam" if source == "iam" else "token"
    assert (caught.value.reason, caught.value.metadata["dependency"]) == (Reason.DEPENDENCY_UNAVAILABLE, owner)
    assert len(bench.services.forgotten) == 2  # it is dropped once more
    bench.services.age = 0.0
    assert await get()
    assert len(bench.services.forgotten) == 3  # the owner responds, and keeps what it has just issued
    bench.services.kept = ""
    assert await get() != refused
    assert len(bench.services.forgotten) == 3


async def test_an_outage_of_the_token_service_is_reported_and_not_cached(bench: Bench) -> None:
    one, bench.services.error = account(), Unavailable("LWA does not respond.", retry_after=2.0)
    with pytest.raises(Unavailable, match="LWA") as caught:
        await bench.tokens.get(one)
    assert (caught.value.retry_after, caught.value.domain) == (2.0, "sellergate.account")
    await bench.tokens.invalidate(one, AccessToken(SecretStr("Atza|x"), 0.0, 3600.0))  # raises nothing
    bench.services.error = None
    assert await bench.tokens.get(one)


async def test_an_account_is_cached_for_five_seconds(bench: Bench) -> None:
    one = await bench.accounts.get("a")
    assert (one.state, one.signing, one.revision, one.marketplace) == ("ACTIVE", "AUTO", 7, "US")
    bench.clock[0] = MAX_STALENESS_SECONDS - 0.1
    assert await bench.accounts.get("a") is one
    bench.clock[0] = MAX_STALENESS_SECONDS
    assert await bench.accounts.get("a") is not one
    assert bench.services.calls == ["account"] * 2
    with pytest.raises(NotFound):
        await bench.accounts.get("nobody")


async def test_the_cache_is_bounded_and_drops_the_least_recently_used() -> None:
    held: TtlCache[int] = TtlCache(2, lambda: 0.0, lambda: True)
    held.put("a", 1, 60)
    held.put("b", 2, 60)
    assert held.get("a") == 1
    held.put("c", 3, 60)
    assert (held.get("a"), held.get("b"), held.get("c")) == (1, None, 3)
