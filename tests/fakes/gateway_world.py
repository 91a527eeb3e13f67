"""A world for the gateway's pipeline: all its ports at once, and one log of what happened."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import SecretStr
from sellergate_amazon.operations import Catalogue
from sellergate_common.errors import NotFound, QuotaExceeded, SellergateError
from sellergate_common.sealing import KeyRing
from sellergate_common.sites import Sites
from sellergate_gateway.call_tokens import CallTokens
from sellergate_gateway.calls import Calls, Done
from sellergate_gateway.ports import (
    AccessToken,
    Account,
    Admission,
    AmazonAnswer,
    AmazonRequest,
    AwsCredentials,
    Bucket,
    BucketState,
)
from sellergate_gateway.quota import Buckets
from sellergate_gateway.requests import SpApiCall

ROLE = "arn:aws:iam::123456789012:role/x"
ACCOUNT = Account("a", "u1", "app", "SELLER", "US", "us-east-1", "", "AUTO", False, "ACTIVE", 1)
RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
CATALOGUE = Catalogue.load()
PRODUCTION = {name: f"https://{name.lower()}.test" for name in ("NA", "EU", "FE")}
SANDBOX = {name: f"https://sandbox.{name.lower()}.test" for name in ("NA", "EU", "FE")}
READ = SpApiCall("a", "GET", "/orders/v0/orders")
WRITE = SpApiCall("a", "POST", "/reports/2021-06-30/reports", body=b"{}")

Step = AmazonAnswer | Exception


def answer(status: int, code: str = "", details: str = "", **headers: str) -> AmazonAnswer:
    body = json.dumps({"errors": [{"code": code, "message": "m", "details": details}]}).encode() if code else b"<html>"
    return AmazonAnswer(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), body)


OK = AmazonAnswer(200, (("x-amzn-RequestId", "r"),), b"{}")
EXPIRED = answer(403, "Unauthorized", "The access token you provided has expired.")
THROTTLED = answer(429, "QuotaExceeded")
BUSY = answer(503, "ServiceUnavailable")
HTML = answer(503)


@dataclass
class World:
    """All ports at once, in one log of what happened."""

    steps: list[Step] = field(default_factory=lambda: [OK])
    account: Account = ACCOUNT
    log: list[str] = field(default_factory=list)
    sent: list[AmazonRequest] = field(default_factory=list)
    buckets: list[Sequence[Bucket]] = field(default_factory=list)
    learned: list[tuple[int, float]] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)
    allowed: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    left: float = 30.0
    generation: int = 1
    token_error: SellergateError | None = None
    role_error: SellergateError | None = None

    async def get_account(self, account_id: str) -> Account:
        self.log.append("account")
        if account_id != self.account.account_id:
            raise NotFound.account(account_id)
        return self.account

    async def get_token(self, account: Account) -> AccessToken:
        self.log.append("token")
        if self.token_error:
            raise self.token_error
        return AccessToken(SecretStr(f"Atza|{self.generation}"), 1e12, 3600)

    async def get_grantless(self, account: Account, scope: str) -> AccessToken:
        self.log.append(f"grantless {account.application_id} {scope}")
        return AccessToken(SecretStr("Atza|grantless"), 1e12, 3600)

    async def invalidate(self, account: Account, token: AccessToken) -> None:
        self.log.append("invalidate")
        assert token.value.get_secret_value() == f"Atza|{self.generation}"
        self.generation += 1

    async def get_credentials(self, account: Account) -> AwsCredentials:
        self.log.append("credentials")
        if self.role_error:
            raise self.role_error
        return AwsCredentials(SecretStr("k"), SecretStr("s"), SecretStr("t"), 1e12, 3600)

    def sign(self, request: AmazonRequest, credentials: AwsCredentials, region: str) -> AmazonRequest:
        self.log.append(f"sign {region}")
        return replace(request, headers=(*request.headers, ("authorization", "signed")))

    async def admit(self, buckets: Sequence[Bucket], max_wait: float) -> Admission:
        self.log.append("quota")
        self.buckets.append(buckets)
        self.allowed.append(max_wait)
        wait = self.waits.pop(0) if self.waits else 0.0
        if wait > max_wait:
            raise QuotaExceeded("later", retry_after=wait)
        return Admission(wait, self.learned[-1][1] if self.learned else buckets[0].rate)

    async def turn(self, bucket: Bucket, admission: Admission, longest: float) -> float:
        self.log.append("turn")
        return admission.wait

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        self.learned.append((len(buckets), rate))

    async def drain(self, bucket: Bucket, seconds: float) -> None:
        self.drained.append(seconds)

    async def state(self, bucket: Bucket) -> BucketState:
        raise NotImplementedError

    async def send(self, request: AmazonRequest, seconds: float) -> AmazonAnswer:
        self.log.append("send")
        self.sent.append(request)
        self.seconds.append(seconds)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def calls(self) -> Calls:
        return Calls(
            CATALOGUE,
            Sites(PRODUCTION, SANDBOX),
            Buckets(RING, 0.2),
            Getting(self.get_account),
            CallTokens(Getting(self.get_token, self.invalidate, self.get_grantless)),
            Getting(self.get_credentials),
            self,
            self,
            self,
            lambda: self.left,
            lambda: 0.0,
        )

    async def make(self, call: SpApiCall = READ, user: str = "", **changes: Any) -> Done:
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
    ) -> None:
        self.get = get
        self.invalidate: Any = invalidate
        self.grantless: Any = grantless
