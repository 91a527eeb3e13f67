"""A separate suite with many accounts of one application, for loads on the token service."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sellergate.account.v1 import account_service_pb2, application_pb2, application_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate_client.rpc.retries import invoke_with_retries
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.rpc.channel import invoke, open_channel
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.suite import Suite, running_suite

from tests.e2e.conftest import ephemeral_ports
from tests.e2e.token_service import TokenService, token_service

AT_ONCE = 32
# Sellers that are connected at once, and the seconds that one of them is given on a busy machine.
CONNECTED_AT_ONCE, CONNECT_SECONDS = 8, 300.0
# A busy machine's refusals. The request may be sent again under its idempotency key.
_BUSY = {Reason.OVERLOADED, Reason.DEADLINE_EXCEEDED, Reason.DEPENDENCY_UNAVAILABLE, Reason.OUTCOME_UNKNOWN}


@dataclass
class Fleet:
    """The suite, its simulator's control API, its token service, and one application's accounts."""

    suite: Suite
    control: httpx.AsyncClient
    tokens: TokenService
    client_id: str = field(default_factory=lambda: f"amzn1.application-oa2-client.{secrets.token_hex(16)}")
    client_secret: str = field(default_factory=lambda: f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}")
    application_id: str = ""
    accounts: list[str] = field(default_factory=list)
    sellers: list[dict[str, Any]] = field(default_factory=list)

    async def add(self, count: int) -> list[str]:
        """Connect a number of new sellers; return their accounts."""
        numbers = range(len(self.sellers), len(self.sellers) + count)
        grants = {f"A{number:013d}": f"Atzr|{secrets.token_urlsafe(32)}" for number in numbers}
        for seller_id, token in grants.items():
            given = [{"client_id": self.client_id, "refresh_token": token}]
            self.sellers.append(
                {"selling_partner_id": seller_id, "marketplace_ids": ["ATVPDKIKX0DER"], "refresh_tokens": given}
            )
        await self.seed()
        async with open_channel(
            self.suite.target("account"), "account", self.suite.identity("operator"), []
        ) as channel:
            if not self.application_id:
                new = application_service_pb2.CreateApplicationRequest(
                    application=application_pb2.Application(name="Fleet"),
                    lwa_client_id=self.client_id,
                    lwa_client_secret=self.client_secret,
                )
                made = await invoke(ApplicationServiceStub(channel).CreateApplication, new, dependency="account")
                self.application_id = made.application.application_id
            stub, added = AccountServiceStub(channel), list[str]()

            async def connect(item: tuple[str, str]) -> None:
                request = account_service_pb2.UpsertAccountRequest(
                    user_id=f"user-{item[0]}",
                    amazon_seller_id=item[0],
                    marketplace="US",
                    application_id=self.application_id,
                    refresh_token=item[1],
                    idempotency_key=secrets.token_urlsafe(16),
                )
                added.append((await until_done(stub.UpsertAccount, request)).account.account_id)

            await each(grants.items(), connect, CONNECTED_AT_ONCE)
        self.accounts += added
        return added

    async def seed(self) -> None:
        """Seed all sellers into the simulator, which loses them when it ends."""
        application = {"application_id": "amzn1.sp.solution.fleet", "client_id": self.client_id}
        seed = {"applications": [application | {"client_secret": self.client_secret}], "sellers": self.sellers}
        (await self.control.post("/control/seed", json=seed)).raise_for_status()


async def until_done(method: Any, request: Any) -> Any:
    """Send a request with an idempotency key to the account service until it is executed. Raises its error after a while."""
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            return await invoke_with_retries(method, request, dependency="account", seconds=60)
        except SellergateError as error:
            if error.reason not in _BUSY or time.monotonic() > end:
                raise
            await asyncio.sleep(error.retry_after or 1.0)


async def each(items: Iterable[Any], call: Callable[[Any], Awaitable[None]], at_once: int = AT_ONCE) -> None:
    """Run work for every item, several at once."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await call(item)

    await asyncio.gather(*(worker() for _ in range(at_once)))


@dataclass
class Outcomes:
    """Outcomes of calls by reason, and the longest time."""

    ended: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    without_hint: int = 0
    """Failures without a retry time."""

    async def of(self, call: Awaitable[Any]) -> None:
        """Await a call and count its outcome."""
        began = time.monotonic()
        try:
            await call
            self.ended["OK"] += 1
        except SellergateError as error:
            self.ended[error.reason] += 1
            self.without_hint += error.retry_after is None
        self.longest = max(self.longest, time.monotonic() - began)

    def __str__(self) -> str:
        return f"{dict(self.ended)}, the longest {self.longest:.2f} s"


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """Run a suite without accounts."""
    settings = DevstackSettings(state_dir=folder, simulator="on", **ephemeral_ports())
    async with (
        running_suite(settings, lambda _: None) as suite,
        httpx.AsyncClient(base_url=suite.simulator or "", timeout=60, trust_env=False) as control,
        token_service(suite, 30) as tokens,
    ):
        yield Fleet(suite, control, tokens)
