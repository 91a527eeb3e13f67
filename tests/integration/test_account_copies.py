"""Copies of accounts in gateway, token and iam, over gRPC from an account service on a real database, by a clock of the test."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sellergate.account.v1 import account_service_pb2_grpc, application_service_pb2_grpc
from sellergate_account.accounts import Connection
from sellergate_account.applications import ApplicationChanges, NewApplication
from sellergate_account.model import Changes
from sellergate_account.rpc.accounts import AccountServicer
from sellergate_account.rpc.applications import ApplicationServicer
from sellergate_account.storage.database import open_database
from sellergate_account.storage.feed.change_log import SqlChangeLog
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.store import SqlStore
from sellergate_client.rpc.account_changes import ACCOUNT, APPLICATION, GrpcAccountChanges
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.clock import Clock
from sellergate_common.errors import PreconditionFailed
from sellergate_common.feed.follower import ChangeFollower
from sellergate_common.feed.trust import TRUST_SECONDS, Trust
from sellergate_common.rpc.channel import open_channel
from sellergate_gateway.grpc_accounts import GrpcAccounts as GatewayAccounts
from sellergate_iam.grpc_accounts import GrpcAccounts as IamAccounts
from sellergate_token.account_service import GrpcAccounts as TokenAccounts

from tests.conftest import TestAuthority
from tests.contract.ports.test_account_store import INDEX_KEY, RING
from tests.fakes.account import Domain
from tests.integration.servers import serving

SELLERS = 20
NAMES = ("gateway", "token", "iam")


class CountingServicer(AccountServicer):
    """Counts the calls of each process. `is_former`: behaves like the previous release."""

    calls: Counter[str]
    is_former = False

    async def GetAccount(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        self.calls["GetAccount"] += 1
        return await super().GetAccount(request, context)

    async def ListAccountChanges(self, request: Any, context: Any) -> Any:  # noqa: N802  (the name in the contract)
        if self.is_former:
            raise NotImplementedError
        return await super().ListAccountChanges(request, context)


@dataclass
class World:
    """An account service and three processes, each with copies and a follower. `use` reads an account as its callers do."""

    domain: Domain
    servicer: CountingServicer
    clock: list[float]
    uses: dict[str, Callable[[str], Awaitable[Any]]]
    followers: list[ChangeFollower]
    token: TokenAccounts
    ids: list[str]

    async def poll(self) -> None:
        for follower in self.followers:
            await follower.poll()


@pytest.fixture
async def world(tmp_path: Path, authority: TestAuthority) -> AsyncIterator[World]:
    clock = [1000.0]
    turned = Clock(monotonic=lambda: clock[0])
    async with open_database(f"sqlite:///{tmp_path / 'account.sqlite'}") as database:
        await migrate(database.engine)
        domain = Domain(SqlStore(database, RING, INDEX_KEY))
        servicer = CountingServicer(domain.accounts, SqlChangeLog(database))
        servicer.calls = Counter()
        adds = {
            account_service_pb2_grpc.add_AccountServiceServicer_to_server: servicer,
            application_service_pb2_grpc.add_ApplicationServiceServicer_to_server: ApplicationServicer(
                domain.applications
            ),
        }
        app = await domain.applications.create(
            NewApplication("u1", SecretStr("amzn1.client"), SecretStr("secret"), spapi_application_id="amzn1.sp.x"),
            "u1",
        )
        ids = []
        for number in range(SELLERS):
            connection = Connection("u1", f"SELLER{number:03}", "US", app.application_id, None, SecretStr("Atzr|1"))
            account, _ = await domain.accounts.upsert(connection)
            ids.append(account.account_id)
        async with (
            serving("account", authority.identity("account"), adds) as target,
            open_channel(target, "account", authority.identity("gateway"), []) as gateway,
            open_channel(target, "account", authority.identity("token"), []) as token,
            open_channel(target, "account", authority.identity("iam"), []) as iam,
        ):
            followers = []

            def copies(channel: Any, *kinds: str) -> list[StaleIfErrorCache[Any]]:
                trust = Trust()
                made: list[StaleIfErrorCache[Any]] = [
                    StaleIfErrorCache(
                        turned.monotonic, lambda: False, trust=trust, version_of=lambda copied: int(copied.version)
                    )
                    for _ in kinds
                ]
                holders = {kind: (one,) for kind, one in zip(kinds, made, strict=True)}
                followers.append(ChangeFollower(GrpcAccountChanges(channel), holders, trust, turned))
                return made

            of_gateway = GatewayAccounts(gateway, *copies(gateway, ACCOUNT))
            of_token = TokenAccounts(token, *copies(token, ACCOUNT, APPLICATION))
            of_iam = IamAccounts(iam, *copies(iam, ACCOUNT))
            uses = {"gateway": of_gateway.get, "token": of_token.view, "iam": of_iam.role}
            world = World(domain, servicer, clock, uses, followers, of_token, ids)
            await world.poll()
            yield world


async def test_each_process_asks_for_each_seller_once_however_late_its_calls_come(world: World) -> None:
    await world.domain.accounts.update(world.ids[0], "u1", Changes(iam_role_arn="arn:aws:iam::123456789012:role/x"), "")
    await world.poll()
    for name in ("gateway", "token"):
        world.servicer.calls.clear()
        for _ in range(2):
            for account_id in world.ids:
                await world.uses[name](account_id)
            for _ in range(10):
                world.clock[0] += 1
                await world.poll()
        assert world.servicer.calls == {"GetAccount": SELLERS}, name
    for _ in range(3):
        await world.uses["iam"](world.ids[0])
        world.clock[0] += TRUST_SECONDS - 0.1
        await world.poll()
    assert world.servicer.calls == {"GetAccount": SELLERS + 1}


@pytest.mark.parametrize("name", NAMES)
async def test_a_change_is_in_force_after_the_next_list_of_changes(world: World, name: str) -> None:
    one = world.ids[0]
    await world.domain.accounts.update(one, "u1", Changes(iam_role_arn="arn:aws:iam::123456789012:role/x"), "")
    await world.poll()
    await world.uses[name](one)
    await world.domain.accounts.set_active(one, "u1", "", active=False)
    await world.poll()
    if name == "gateway":
        assert (await world.uses[name](one)).state == "INACTIVE"
    else:
        with pytest.raises(PreconditionFailed):
            await world.uses[name](one)
    # Changes without an effect on credentials count as well.
    await world.domain.accounts.set_active(one, "u1", "", active=True)
    await world.domain.accounts.update(one, "u1", Changes(region="eu-west-1", sandbox=True), "")
    await world.poll()
    used = await world.uses[name](one)
    assert name == "token" or used.region == "eu-west-1"


async def test_an_application_lives_in_token_until_it_changes(world: World) -> None:
    (app,) = await world.domain.applications.list("u1", None, 5)
    first = await world.token.application(app.application_id, "scope")
    world.clock[0] += TRUST_SECONDS * 2
    await world.poll()
    assert await world.token.application(app.application_id, "scope") == first
    await world.domain.applications.update(app.application_id, "u1", ApplicationChanges(name="n"), "")
    await world.poll()
    assert (await world.token.application(app.application_id, "scope")).etag != first.etag


async def test_an_account_service_of_the_release_before_leaves_a_copy_five_seconds(world: World) -> None:
    world.servicer.is_former = True
    world.clock[0] += TRUST_SECONDS
    one, use = world.ids[0], world.uses["gateway"]
    for count in range(1, 4):
        await world.poll()
        await use(one)
        world.clock[0] += TRUST_SECONDS - 0.1
        await use(one)
        assert world.servicer.calls == {"GetAccount": count}
        world.clock[0] += 0.1
    assert "UNIMPLEMENTED" in world.followers[0].problem()
    # Replicas of both releases respond in turn: copies are used again, because the database lists the changes of both.
    world.servicer.is_former = False
    await world.poll()
    world.clock[0] += TRUST_SECONDS - 0.1
    await use(one)
    assert world.servicer.calls == {"GetAccount": 3}, "no change of it was missed meanwhile"
    assert not world.followers[0].problem()


async def test_a_removed_account_is_unknown_and_its_id_may_be_used_again(world: World) -> None:
    one = world.ids[0]
    await world.uses["gateway"](one)
    await world.domain.accounts.remove(one, "u1", "")
    await world.poll()
    found = await asyncio.gather(world.uses["gateway"](one), return_exceptions=True)
    assert "NotFound" in repr(type(found[0]))
