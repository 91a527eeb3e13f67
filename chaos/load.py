"""The mixed load: callers of calls, tokens, lists, writes and changes, over gRPC and REST, each with a deadline."""

import asyncio
import json
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate_client import Sellergate
from sellergate_common.errors import SellergateError
from sellergate_simulator.control.journal import digest

from chaos.history import History, Operation, waited_of
from chaos.sellers import Account
from chaos.world import USER, World

# Deadlines in seconds: those of calls, and those of changes, which the client library sets.
CALL_SECONDS, CHANGE_SECONDS = 8.0, 30.0
PAUSE_SECONDS = 0.15
READ, LIMITED, WRITE = "/sellers/v1/account", "/sellers/v1/marketplaceParticipations", "/reports/2021-06-30/schedules"
# The one operation with a narrow quota, so that its bucket is always used up.
LIMITED_NAME, LIMITED_SCALE = "sellers/v1/getMarketplaceParticipations", 30
# Callers over REST wait for so many seconds longer than their deadline, for a response that says that it has passed.
_LONGER_SECONDS = 1.0
# How often a change is repeated under its key before it counts as failed, and the pause between.
CHANGE_ATTEMPTS, CHANGE_PAUSE_SECONDS = 20, 1.0


@dataclass
class Load:
    """Callers at work on the accounts of a world. `history` is that of the present scenario."""

    world: World
    accounts: list[Account]
    sellergate: Sellergate
    edge: httpx.AsyncClient
    chance: random.Random
    history: History = field(default_factory=History)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, callers: int) -> None:
        """Work until `stop`, with a number of callers for each kind of operation."""
        self._stopping.clear()
        workers = [self._work(kind) for kind in self.kinds for _ in range(callers)]
        relays, pids = self.world.relays, self.world.pids
        watching = asyncio.create_task(self.history.watch(lambda: waited_of([os.getpid(), *pids()]), relays.lateness))
        try:
            await asyncio.gather(*workers)
        finally:
            watching.cancel()

    def stop(self) -> None:
        """Let the callers end after their present operation."""
        self._stopping.set()

    @property
    def kinds(self) -> dict[str, Callable[[Account], Awaitable[None]]]:
        """The kinds of operations."""
        return {
            "call": self.call,
            "write": self.write,
            "quota": self.quota,
            "token": self.token,
            "list": self.list_accounts,
            "rotate": self.rotate,
            "rest read": self.rest_read,
            "rest list": self.rest_list,
            "rest change": self.rest_change,
        }

    async def _work(self, kind: str) -> None:
        while not self._stopping.is_set():
            await self.kinds[kind](self.chance.choice(self.accounts))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _do(self, kind: str, account: Account, work: Awaitable[Any], **more: Any) -> tuple[Operation, Any]:
        """Record one operation; return it, and its result, which is None if it failed."""
        done = Operation(kind, account.number, time.monotonic(), more.pop("seconds", CALL_SECONDS), **more)
        self.history.operations.append(done)
        try:
            result = await work
            done.outcome = "OK"
            if isinstance(result, httpx.Response) and result.status_code >= httpx.codes.BAD_REQUEST:
                done.outcome, done.message = problem_of(result)
                return done, None
            return done, result
        except SellergateError as error:
            done.outcome, done.message = str(error.reason), error.message
        except httpx.HTTPError as error:
            done.outcome, done.message = "CONNECTION_LOST", type(error).__name__
        finally:
            done.ended = time.monotonic()
        return done, None

    async def call(self, account: Account) -> None:
        """Read from SP-API; the query finds the execution at Amazon. Every fourth call needs a restricted token."""
        key = uuid.uuid4().hex
        if self.chance.random() < 0.25:
            query, elements = (
                {"MarketplaceIds": account.seller.marketplace_id, "CreatedAfter": "2026-01-01"},
                ["buyerInfo"],
            )
            work = self.sellergate.call(
                account.id, "GET", "/orders/v0/orders", query=query, data_elements=elements, seconds=CALL_SECONDS
            )
            await self._do("restricted call", account, work)
        else:
            work = self.sellergate.call(account.id, "GET", READ, query={"n": key}, seconds=CALL_SECONDS)
            await self._do("call", account, work, key=f"n={key}")

    async def write(self, account: Account) -> None:
        """Create something at SP-API with a body that no other call has."""
        body = json.dumps({"number": uuid.uuid4().hex}).encode()
        work = self.sellergate.call(
            account.id, "POST", WRITE, body=body, content_type="application/json", seconds=CALL_SECONDS
        )
        await self._do("write", account, work, key=digest(body), writes=True)

    async def quota(self, _: Account) -> None:
        """Call an operation whose quota is used up."""
        account = self.accounts[0]
        work = self.sellergate.call(account.id, "GET", LIMITED, max_wait=0, seconds=CALL_SECONDS)
        await self._do("quota", account, work)

    async def token(self, account: Account) -> None:
        """Request an access token, as an operator may."""
        done, found = await self._do("token", account, self.sellergate.tokens.get(account.id), seconds=CHANGE_SECONDS)
        if found is not None:
            done.token = digest(found.value.get_secret_value().encode())

    async def list_accounts(self, account: Account) -> None:
        """List accounts."""
        request = account_service_pb2.ListAccountsRequest(user_id=USER, page_size=10)
        await self._do("list", account, self.sellergate.accounts.list(request), seconds=CHANGE_SECONDS)

    async def rotate(self, account: Account) -> None:
        """Store a new refresh token under one idempotency key, and repeat that until it is acknowledged."""
        if account.busy:
            return
        account.busy = True
        try:
            token = await account.add_grant(self.world)
            request = account_service_pb2.UpdateAccountRequest(
                account=account_pb2.Account(account_id=account.id),
                update_mask=FieldMask(paths=["refresh_token"]),
                refresh_token=token,
                idempotency_key=uuid.uuid4().hex,
            )

            async def attempt() -> bool:
                work = self.sellergate.accounts.update(request)
                return (await self._do("rotate", account, work, seconds=CHANGE_SECONDS))[1] is not None

            if await self._until_done(account, attempt):
                account.grants[-1].acknowledged = time.monotonic()
        finally:
            account.busy = False

    async def rest_change(self, account: Account) -> None:
        """Change labels through the edge, under one idempotency key."""
        if account.busy:
            return
        account.busy = True
        try:
            path, key = f"/api/amazon/accounts/{account.id}", uuid.uuid4().hex
            body = {"labels": {"chaos": key[:16]}}

            async def attempt() -> bool:
                work = self.edge.patch(path, json=body, headers={"Idempotency-Key": key})
                return (await self._do("rest change", account, work, seconds=CHANGE_SECONDS))[1] is not None

            await self._until_done(account, attempt)
        finally:
            account.busy = False

    async def _until_done(self, account: Account, attempt: Callable[[], Awaitable[bool]]) -> bool:
        """Repeat a change until it is acknowledged, and count it."""
        for _ in range(CHANGE_ATTEMPTS):
            if await attempt():
                self.history.changes[account.number] = self.history.changes.get(account.number, 0) + 1
                return True
            await asyncio.sleep(CHANGE_PAUSE_SECONDS)
        self.history.changes[account.number] = -1_000_000  # unknown from here on
        return False

    async def rest_read(self, account: Account) -> None:
        """Read from SP-API through the edge."""
        key, timeout = uuid.uuid4().hex, {"x-sellergate-timeout": f"{CALL_SECONDS:.0f}"}
        path = f"/api/amazon/accounts/{account.id}/sp-api{READ}"
        work = self.edge.get(path, params={"n": key}, headers=timeout, timeout=CALL_SECONDS + _LONGER_SECONDS)
        await self._do("rest read", account, work, key=f"n={key}")

    async def rest_list(self, account: Account) -> None:
        """List accounts through the edge."""
        await self._do("rest list", account, self.edge.get("/api/amazon/accounts"), seconds=CHANGE_SECONDS)


def problem_of(response: httpx.Response) -> tuple[str, str]:
    """Return the reason and the text of a problem document, or AMAZON_<status> for Amazon's own; UNTYPED for any other response."""
    text = f"{response.status_code} {response.text[:200]}"
    with suppress(ValueError, KeyError, TypeError):
        document = response.json()
        return str(document["reason"]), str(document.get("detail", ""))
    is_amazons = any(name.startswith("x-amzn-") for name in response.headers)
    return f"AMAZON_{response.status_code}" if is_amazons else "UNTYPED", text


@asynccontextmanager
async def loaded(world: World, accounts: list[Account], seed: int) -> AsyncIterator[Load]:
    """Connect the callers."""
    async with AsyncExitStack() as stack:
        targets = [world.target(name) for name in ("gateway", "account")]
        connecting = Sellergate.connect(*targets, world.identity("operator"), world.target("token"))
        sellergate = await stack.enter_async_context(connecting)
        headers = {"Authorization": f"Bearer {world.jwt()}"}
        timeout = CHANGE_SECONDS + _LONGER_SECONDS
        edge = httpx.AsyncClient(base_url=world.edge, headers=headers, timeout=timeout, trust_env=False)
        await stack.enter_async_context(edge)
        yield Load(world, accounts, sellergate, edge, random.Random(seed))


async def open_quotas(world: World) -> None:
    """Raise every quota except that of the limited operation, which keeps Amazon's."""
    await world.post_control("rates", scale=1_000, burst_scale=100)
    await world.post_control("rates", scale=LIMITED_SCALE, operation=LIMITED_NAME)
