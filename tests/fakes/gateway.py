"""A fake of all ports of the gateway's pipeline, with one log of their calls."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sellergate_amazon.operations import Catalogue
from sellergate_common.cache.keyspace import QUOTA_MOVES
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import NotFound, QuotaExceeded, SellergateError
from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.sites import Site, Sites
from sellergate_gateway.calls.breakers import Breakers
from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.calls.state import CallResult, Dependencies
from sellergate_gateway.credentials.ports import Verified
from sellergate_gateway.credentials.report_types import ReportDocuments
from sellergate_gateway.credentials.restricted_tokens import RestrictedKey, RestrictedTokens, fingerprint
from sellergate_gateway.credentials.selection import CallTokens, SellerTokens
from sellergate_gateway.model import AccessToken, Account, AwsCredentials
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.corrections import Corrections
from sellergate_gateway.quota.fallback import FallbackStore
from sellergate_gateway.quota.limiter import RateLimiter
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import Admission, Bucket, BucketSet, BucketState
from sellergate_gateway.quota.redis import RedisBuckets
from sellergate_gateway.quota.waiters import WaitQueue
from sellergate_gateway.spapi.http import AmazonRequest, AmazonResponse
from sellergate_gateway.spapi.request import SpApiCall

from tests.fakes.common import FakeCache

ROLE = "arn:aws:iam::123456789012:role/x"
ACCOUNT = Account("a", "u1", "app", "SELLER", "US", "us-east-1", "", "AUTO", False, "ACTIVE", 1)
RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
CATALOGUE = Catalogue.load()
FALLBACK_SHARE = 0.5
PRODUCTION = {name: f"https://{name.lower()}.test" for name in ("NA", "EU", "FE")}
SANDBOX = {name: f"https://sandbox.{name.lower()}.test" for name in ("NA", "EU", "FE")}
READ = SpApiCall("a", "GET", "/orders/v0/orders")
WRITE = SpApiCall("a", "POST", "/reports/2021-06-30/reports", body=b"{}")

Step = AmazonResponse | Exception


def amazon_response(status: int, code: str = "", details: str = "", **headers: str) -> AmazonResponse:
    body = json.dumps({"errors": [{"code": code, "message": "m", "details": details}]}).encode() if code else b"<html>"
    return AmazonResponse(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), body)


OK = AmazonResponse(200, (("x-amzn-RequestId", "r"),), b"{}")
DENIED = amazon_response(403, "Unauthorized")
EXPIRED = amazon_response(403, "Unauthorized", "The access token you provided has expired.")
THROTTLED = amazon_response(429, "QuotaExceeded")
BUSY = amazon_response(503, "ServiceUnavailable")
HTML = amazon_response(503)


@dataclass
class World:
    """All ports of the pipeline, with one log of their calls."""

    steps: list[Step] = field(default_factory=lambda: [OK])
    account: Account = ACCOUNT
    log: list[str] = field(default_factory=list)
    sent: list[AmazonRequest] = field(default_factory=list)
    buckets: list[BucketSet] = field(default_factory=list)
    learned: list[tuple[int, float]] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)
    allowed: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    left: float = 30.0
    generation: int = 1
    token_error: SellergateError | None = None
    role_error: SellergateError | None = None
    types: dict[str, str] = field(default_factory=dict)
    verified: Verified = field(default_factory=lambda: Verified(exchanged=True, age=0.0))
    expire_time: float = 1e12
    clock: float = 0.0
    replaces_grantless: bool = True
    lateness: float = 0.0

    def __post_init__(self) -> None:
        self.breakers = Breakers(lambda: self.clock)
        self.time_left: Callable[[], float] = lambda: self.left
        self.restricted_cache: FakeCache[RestrictedKey, AccessToken] = FakeCache(fingerprint, lambda: 1_000.0)

    async def get_account(self, account_id: str) -> Account:
        self.log.append("account")
        if account_id != self.account.account_id:
            raise NotFound.account(account_id)
        return self.account

    async def get_token(self, account: Account) -> AccessToken:
        self.log.append("token")
        if self.token_error:
            raise self.token_error
        return AccessToken(SecretStr(f"Atza|{self.generation}"), self.expire_time, 3600)

    async def verify(self, account: Account) -> Verified:
        self.log.append("verify")
        if self.token_error:
            raise self.token_error
        return self.verified

    async def get_grantless(self, account: Account, scope: str) -> AccessToken:
        self.log.append(f"grantless {account.application_id} {scope}")
        return AccessToken(SecretStr("Atza|grantless"), 1e12, 3600)

    async def invalidate_grantless(self, account: Account, scope: str, token: AccessToken) -> bool:
        self.log.append(f"invalidate {account.application_id} {scope} {token.value.get_secret_value()}")
        return self.replaces_grantless

    async def invalidate(self, account: Account, token: AccessToken) -> bool:
        if self.generation > 1:
            return False  # the token came from a recent renewal
        self.log.append("invalidate")
        assert token.value.get_secret_value() == f"Atza|{self.generation}"
        self.generation += 1
        return True

    async def invalidate_credentials(self, account: Account, credentials: AwsCredentials) -> bool:
        self.log.append("invalidate credentials")
        return True

    async def remember(self, account: Account, site: Site, document_id: str, report_type: str) -> None:
        self.types[document_id] = report_type

    async def get_type(self, account: Account, site: Site, document_id: str) -> str:
        return self.types.get(document_id, "")

    async def get_credentials(self, account: Account) -> AwsCredentials:
        self.log.append("credentials")
        if self.role_error:
            raise self.role_error
        return AwsCredentials(SecretStr("k"), SecretStr("s"), SecretStr("t"), self.expire_time, 3600)

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        self.log.append(f"sign {region}")
        return replace(request, headers=(*request.headers, ("authorization", "signed")))

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        self.log.append("quota")
        self.buckets.append(buckets)
        self.allowed.append(longest)
        wait = self.waits.pop(0) if self.waits else 0.0
        if wait > longest:
            raise QuotaExceeded("later", retry_after=wait)
        return Admission(wait, self.learned[-1][1] if self.learned else buckets.primary.rate)

    def cancel(self, admission: Admission) -> None:
        self.log.append("cancel quota")

    def on_sent(self, admission: Admission) -> None:
        self.log.append("quota used")

    async def update_rate(self, buckets: BucketSet, rate: float) -> None:
        self.learned.append((len(buckets.all), rate))

    async def on_throttled(self, buckets: BucketSet, seconds: float) -> None:
        self.drained.append(seconds)

    async def peek(self, bucket: Bucket) -> BucketState:
        raise NotImplementedError

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonResponse:
        self.log.append("send")
        request.sent = True
        self.sent.append(request)
        self.seconds.append(seconds)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return step

    @property
    def calls(self) -> Calls:
        dependencies = Dependencies(
            catalogue=CATALOGUE,
            sites=Sites(PRODUCTION, SANDBOX),
            buckets=Buckets(RING, 0.2),
            accounts=Getting(self.get_account),
            credentials=Getting(self.get_credentials, self.invalidate_credentials),
            signer=self,
            quota=self,
            amazon=self,
            breakers=self.breakers,
            left=self.time_left,
            jitter=lambda: 0.0,
            sleep=asyncio.sleep,
            lateness=lambda: self.lateness,
        )
        tokens = Getting(self.get_token, self.invalidate, self.get_grantless)
        tokens.invalidate_grantless = self.invalidate_grantless
        self.restricted = RestrictedTokens(
            self.restricted_cache,
            CATALOGUE,
            Calls(dependencies=dependencies, tokens=SellerTokens(tokens)).make,
            lambda: 1_000.0,
        )
        documents = ReportDocuments(Types(self), CATALOGUE)
        return Calls(dependencies=dependencies, tokens=CallTokens(tokens, self.restricted, documents))

    async def make(self, call: SpApiCall = READ, user: str = "", **changes: Any) -> CallResult:
        return await self.calls.make(replace(call, **changes), user)

    async def refused(self, call: SpApiCall = READ, user: str = "", **changes: Any) -> SellergateError:
        with pytest.raises(SellergateError) as caught:
            await self.make(call, user, **changes)
        return caught.value


class Getting:
    """One port of a world."""

    def __init__(
        self,
        get: Callable[..., Any],
        invalidate: Callable[..., Any] | None = None,
        grantless: Callable[..., Any] | None = None,
        verify: Callable[..., Any] | None = None,
    ) -> None:
        self.get = get
        self.verify: Any = verify
        self.invalidate: Any = invalidate
        self.grantless: Any = grantless
        self.invalidate_grantless: Any = None


class Types:
    """The types of report documents of a world."""

    def __init__(self, world: World) -> None:
        self.remember = world.remember
        self.get = world.get_type


@dataclass(frozen=True)
class Replica:
    """The quota of one replica."""

    limiter: RateLimiter
    waiters: WaitQueue


def shared_replica(redis: Redis, now: Callable[[], float] = time.monotonic) -> Replica:
    """Return one more replica that shares buckets in Redis."""
    waiters = WaitQueue(now, uuid4().hex)
    store = FallbackStore(RedisBuckets(redis), MemoryBuckets(FALLBACK_SHARE, now), now)
    corrections = Corrections(waiters, partial(redis.publish, QUOTA_MOVES), UNREACHABLE)
    return Replica(RateLimiter(store, waiters, corrections, now), waiters)


def local_replica(now: Callable[[], float]) -> Replica:
    """Return a replica with buckets of its own."""
    waiters = WaitQueue(now, uuid4().hex)
    return Replica(RateLimiter(MemoryBuckets(1.0, now), waiters, Corrections(waiters), now), waiters)
