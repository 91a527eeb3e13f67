"""Accounts whose refresh tokens and roles change during calls, on replicas that lose Redis at random times.

Each grant of an account, a refresh token or a role, has a number, which the simulator returns in its response to a call.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2, account_service_pb2, application_pb2, application_service_pb2
from sellergate.account.v1.account_service_pb2_grpc import AccountServiceStub
from sellergate.account.v1.application_service_pb2_grpc import ApplicationServiceStub
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from sellergate.token.v1.token_service_pb2_grpc import TokenServiceStub
from sellergate_common.errors import Overloaded, SellergateError
from sellergate_common.rpc.channel import invoke, open_channel

from tests.e2e.token_service import TokenService
from tests.integration.storms import Peer, peer_before
from tests.system.rolling import Doubled, doubled
from tests.system.token_fleet import each

BOUND_SECONDS = 5.0
"""The seconds after its acknowledgement within which a change is in force at every replica."""
TOKEN, ROLE = "refresh_token", "iam_role_arn"
GRANTS = 1_000
"""An upper bound on an account's grants of one kind."""
CUT_OFF = ("token", "token-2", "iam", "iam-2", "gateway-2")
OPERATION, PATH = "sales/v1/getOrderMetrics", "/sales/v1/orderMetrics"
CLIENT = {"client_id": "amzn1.application-oa2-client.changing", "client_secret": "amzn1.oa2-cs.v1.changing"}
CALL_SECONDS = 60.0
OVERLAPPING, CALLS_AT_ONCE = 2, 32


@dataclass
class Account:
    """An account, with the time at which each change of its two grants was acknowledged."""

    number: int
    account_id: str = ""
    changes: dict[str, list[float]] = field(default_factory=lambda: {TOKEN: [], ROLE: []})

    def seller(self, number: int) -> str:
        """Return the seller of the refresh token with a number."""
        return f"A{self.number * GRANTS + number:013d}"

    def grant(self, kind: str, number: int) -> str:
        """Return a refresh token or the ARN of a role."""
        name = f"{self.number}-{number}"
        return f"Atzr|changing-{name}" if kind == TOKEN else f"arn:aws:iam::123456789012:role/R{name}"

    def oldest(self, kind: str, moment: float) -> int:
        """Return the number of the oldest grant that a call begun at `moment` may use."""
        return sum(acknowledged + BOUND_SECONDS <= moment for acknowledged in self.changes[kind])

    def seed(self, grants: int) -> dict[str, Any]:
        """Return the simulator's seed for a number of grants of each kind; all of them stay valid."""
        given = [
            {
                "selling_partner_id": self.seller(number),
                "marketplace_ids": ["ATVPDKIKX0DER"],
                "refresh_tokens": [{"client_id": CLIENT["client_id"], "refresh_token": self.grant(TOKEN, number)}],
            }
            for number in range(grants)
        ]
        return {"sellers": given, "roles": [{"arn": self.grant(ROLE, number)} for number in range(grants)]}


@dataclass
class Changing:
    """The accounts, their calls and the results. `late` names every call that used an old grant too late."""

    accounts: Sequence[Account]
    store: AccountServiceStub
    gateways: Sequence[GatewayServiceStub]
    tokens: Sequence[TokenService]
    amazon: httpx.AsyncClient
    peers: Sequence[Peer]
    draw: random.Random
    ended: Counter[str] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    replaced: int = 0
    """The number of calls with an already replaced grant, within the bound or not."""
    cuts: int = 0
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))

    async def run(self, changes: int, pause: float) -> None:
        """Change every account's refresh token and role repeatedly, about every `pause` seconds, and check each change."""
        cutters = [asyncio.create_task(self._cut(peer)) for peer in self.peers]
        try:
            await asyncio.gather(*(self._change_all(account, changes, pause) for account in self.accounts))
        finally:
            for cutter in cutters:
                cutter.cancel()

    async def _change_all(self, account: Account, changes: int, pause: float) -> None:
        kinds = [TOKEN, ROLE] * changes
        self.draw.shuffle(kinds)
        checks: list[asyncio.Task[None]] = []
        async with asyncio.TaskGroup() as group:
            for kind in kinds:
                await asyncio.sleep(self.draw.uniform(0, 2 * pause))
                if len(checks) == OVERLAPPING:
                    await checks.pop(0)  # a busy machine starts no more work than it can finish
                await self._change(account, kind)
                checks.append(group.create_task(self._check(account, account.changes[kind][-1])))

    async def _change(self, account: Account, kind: str) -> None:
        grant = account.grant(kind, len(account.changes[kind]) + 1)
        changed = account_pb2.Account(account_id=account.account_id, iam_role_arn=grant if kind == ROLE else "")
        request = account_service_pb2.UpdateAccountRequest(
            account=changed, update_mask=FieldMask(paths=[kind]), refresh_token=grant if kind == TOKEN else ""
        )
        await self._repeated(
            lambda: invoke(self.store.UpdateAccount, request, dependency="account", seconds=CALL_SECONDS)
        )
        account.changes[kind].append(time.monotonic())

    async def _check(self, account: Account, acknowledged: float) -> None:
        """Call once within the bound, so that the old grant is in use, and after it at every replica."""
        await asyncio.sleep(self.draw.uniform(0, BOUND_SECONDS))
        await self._call(self.draw.choice(self.gateways), account)
        await asyncio.sleep(max(0.0, acknowledged + BOUND_SECONDS - time.monotonic()))
        calls = [self._call(gateway, account) for gateway in self.gateways]
        await asyncio.gather(*calls, *(self._call_with_token(tokens, account) for tokens in self.tokens))

    async def _call(self, gateway: GatewayServiceStub, account: Account) -> None:
        """Make a call at a gateway."""
        request = call_pb2.CallRequest(account_id=account.account_id, operation=OPERATION)
        began, response = await self._response(
            lambda: invoke(gateway.Call, request, dependency="gateway", seconds=CALL_SECONDS)
        )
        if response is None:
            return
        echo = json.loads(response.body)["payload"]["echo"]
        _, role, _ = echo["assumed_role_arn"].rsplit("/", 2)
        self._record(account, TOKEN, _number(echo), began)
        self._record(account, ROLE, int(role.partition("-")[2]), began)

    async def _call_with_token(self, tokens: TokenService, account: Account) -> None:
        """Make a call with a token of a token service's replica, like callers that sign by themselves."""
        began, outcome = await self._response(lambda: tokens.get(account.account_id))
        if outcome is None:
            return
        response = await self.amazon.get(PATH, headers={"x-amz-access-token": outcome.access_token})
        assert response.is_success, response.text
        self._record(account, TOKEN, _number(response.json()["payload"]["echo"]), began)

    async def _response(self, call: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
        """Return the time of a request and its response; None for a failure, which is counted."""
        try:
            return await self._repeated(call)
        except SellergateError as error:
            self.ended[error.reason] += 1
            return time.monotonic(), None

    async def _repeated(self, call: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
        """Call; retry a call that a busy process refused, at its retry time. Raises every other failure."""
        while True:
            try:
                async with self.slots:
                    began = time.monotonic()
                    return began, await call()
            except Overloaded as error:
                self.ended[error.reason] += 1
                await asyncio.sleep(error.retry_after or 1.0)

    def _record(self, account: Account, kind: str, number: int, began: float) -> None:
        self.ended["OK"] += 1
        self.replaced += number < sum(acknowledged <= began for acknowledged in account.changes[kind])
        oldest = account.oldest(kind, began)
        if number < oldest:
            since = time.monotonic() - account.changes[kind][number]
            self.late.append(
                f"account {account.number}: {kind} {number} after {oldest}, {since:.1f} s after its change"
            )

    async def _cut(self, peer: Peer) -> None:
        """Cut a replica off repeatedly: its connections become silent or break, and new ones stay silent."""
        while True:
            await asyncio.sleep(self.draw.uniform(0, 6))
            peer.becomes(None)
            self.cuts += 1
            if self.draw.random() < 0.5:
                peer.resets()
            await asyncio.sleep(self.draw.uniform(0.5, 8))
            peer.becomes(0.0)


def _number(echo: dict[str, Any]) -> int:
    """Return the number of the refresh token that Amazon received."""
    return int(echo["selling_partner_id"][1:]) % GRANTS


@asynccontextmanager
async def changing(folder: Path, accounts: int, grants: int, draw: random.Random) -> AsyncIterator[Changing]:
    """Run two replicas of every service, most with a relay to Redis that can be cut, and connect the accounts."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        world = await enter(doubled(folder))
        peers = [await enter(_cut_off(world, name)) for name in CUT_OFF]
        operator = world.suite.identity("operator")

        async def channel(target: str, service: str) -> Any:
            return await enter(open_channel(target, service, operator, []))

        async def each_replica(service: str) -> list[Any]:
            targets = world.targets[service].removeprefix("ipv4:").split(",")
            return [await channel(target, service) for target in targets]

        account = await channel(world.targets["account"], "account")
        port = world.suite.plan.settings.simulator_port
        amazon = await enter(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port + 1}", timeout=60, trust_env=False))
        made = [Account(number) for number in range(accounts)]
        await _seed(world.suite.simulator or "", made, grants)
        await _connect(made, account)
        yield Changing(
            made,
            AccountServiceStub(account),
            [GatewayServiceStub(one) for one in await each_replica("gateway")],
            [TokenService(TokenServiceStub(one), CALL_SECONDS) for one in await each_replica("token")],
            amazon,
            peers,
            draw,
        )


@asynccontextmanager
async def _cut_off(world: Doubled, name: str) -> AsyncIterator[Peer]:
    """Start a replica again with a relay between it and Redis."""
    ((supervisor, process),) = [one for one in world.replicas if one[1].name == name]
    async with peer_before(process.environment["REDIS_URL"], both_ways=True) as peer:
        process.environment["REDIS_URL"] = peer.url
        await world.replace(supervisor, process)
        yield peer


async def _seed(simulator: str, accounts: Sequence[Account], grants: int) -> None:
    application = {"application_id": "amzn1.sp.solution.changing", **CLIENT}
    async with httpx.AsyncClient(base_url=simulator, timeout=60, trust_env=False) as control:
        (await control.post("/control/rates", json={"scale": 100000, "burst_scale": 1000})).raise_for_status()
        (await control.post("/control/seed", json={"applications": [application]})).raise_for_status()
        for account in accounts:
            (await control.post("/control/seed", json=account.seed(grants))).raise_for_status()


async def _connect(accounts: Sequence[Account], channel: Any) -> None:
    new = application_service_pb2.CreateApplicationRequest(
        application=application_pb2.Application(name="Changing"),
        lwa_client_id=CLIENT["client_id"],
        lwa_client_secret=CLIENT["client_secret"],
    )
    made = await invoke(ApplicationServiceStub(channel).CreateApplication, new, dependency="account")
    stub = AccountServiceStub(channel)

    async def connect(account: Account) -> None:
        request = account_service_pb2.UpsertAccountRequest(
            user_id=f"user-{account.number}",
            amazon_seller_id=account.seller(0),
            marketplace="US",
            application_id=made.application.application_id,
            refresh_token=account.grant(TOKEN, 0),
            iam_role_arn=account.grant(ROLE, 0),
        )
        response = await invoke(stub.UpsertAccount, request, dependency="account", seconds=CALL_SECONDS)
        account.account_id = response.account.account_id

    await each(accounts, connect, 8)
