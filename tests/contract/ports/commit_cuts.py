"""Changes of the account service on a PostgreSQL behind a proxy that cuts the connection at a chosen point."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr
from sellergate.account.v1 import account_pb2, application_pb2
from sellergate.account.v1 import account_secrets_service_pb2 as secrets
from sellergate.account.v1 import account_service_pb2 as accounts
from sellergate.account.v1 import application_service_pb2 as applications
from sellergate.account.v1 import drop_in_client_service_pb2 as clients
from sellergate_account.model import State
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import OutcomeUnknown, SellergateError, Unavailable

from tests.contract.ports.account_servicers import Servicers
from tests.contract.ports.postgres_proxy import Cut, PostgresProxy, proxied_postgres
from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, RING, account, application
from tests.fakes.account import Domain

# A simple query of libpq.
COMMIT = b"Q\0\0\0\x0bCOMMIT\0"


class World(Domain):
    """The domain on PostgreSQL behind a proxy, and on the same database without the proxy."""

    def __init__(self, proxy: PostgresProxy, cut: Database, direct: SqlStore) -> None:
        super().__init__(SqlStore(cut, RING, INDEX_KEY))
        self.proxy = proxy
        self.cut = cut
        self.direct = direct

        self.client_id = ""
        self.servicers = Servicers(self)

    async def call(self, request: Any) -> Any:
        return await self.servicers.call(request)

    async def stored(self) -> int:
        """Return the number of events in the audit log; every change adds at least one."""
        async with self.direct.reading() as work:
            heads = [*await work.audit_log.heads(True, "", 99), *await work.audit_log.heads(False, "", 99)]
            return sum(head.count for _, head in heads) + (await work.audit_log.head("")).count


@asynccontextmanager
async def cut_world(postgres_url: str) -> AsyncIterator[World]:
    """Open the domain on an empty database behind a proxy."""
    async with (
        proxied_postgres(postgres_url) as proxy,
        open_database(proxy.url) as cut,
        open_database(postgres_url) as database,
    ):
        await migrate(database.engine)
        direct = SqlStore(database, RING, INDEX_KEY)
        async with direct.writing() as work:
            await work.applications.add(application(), CLIENT)
        yield World(proxy, cut, direct)


async def connected(world: World, number: int) -> None:
    async with world.direct.writing() as work:
        await work.accounts.add(account(f"a{number}", f"SELLER{number}"), SecretStr("t"))


async def registered(world: World, number: int) -> None:
    secrets = replace(CLIENT, client_id=SecretStr(f"amzn1.client{number}"))
    async with world.direct.writing() as work:
        await work.applications.add(application(f"a{number}"), secrets)


async def issued(world: World, number: int) -> None:
    await connected(world, number)
    made = await Domain(world.direct).clients.create("u1", "name", [f"a{number}"])
    world.client_id = made.client.client_id


async def deactivated(world: World, number: int) -> None:
    async with world.direct.writing() as work:
        await work.accounts.add(account(f"a{number}", f"SELLER{number}", state=State.INACTIVE), SecretStr("t"))


async def nothing(world: World, number: int) -> None:
    pass


def seller(number: int) -> accounts.UpsertAccountRequest:
    return accounts.UpsertAccountRequest(
        user_id="u1", amazon_seller_id=f"SELLER{number}", marketplace="US", application_id="app", refresh_token="Atzr|2"
    )


def update(number: int) -> accounts.UpdateAccountRequest:
    changed = account_pb2.Account(account_id=f"a{number}", region="eu-west-1", etag="v1")
    return accounts.UpdateAccountRequest(account=changed, update_mask=FieldMask(paths=["region"]))


def new_application(number: int) -> applications.CreateApplicationRequest:
    return applications.CreateApplicationRequest(
        application=application_pb2.Application(owner_user_id="u1"),
        lwa_client_id=f"amzn1.new{number}",
        lwa_client_secret="secret",
    )


def update_application(number: int) -> applications.UpdateApplicationRequest:
    changed = application_pb2.Application(application_id=f"a{number}", name="New", etag="v1")
    return applications.UpdateApplicationRequest(application=changed, update_mask=FieldMask(paths=["name"]))


def rotation(number: int) -> secrets.RotateRefreshTokenRequest:
    return secrets.RotateRefreshTokenRequest(account_id=f"a{number}", expected_revision=1, refresh_token="Atzr|2")


Prepare = Callable[[World, int], Awaitable[None]]
Make = Callable[[World, int], Any]
CHANGES: dict[str, tuple[Prepare, Make]] = {
    "connect": (nothing, lambda _, n: seller(n)),
    "connect again": (connected, lambda _, n: seller(n)),
    "update": (connected, lambda _, n: update(n)),
    "deactivate": (connected, lambda _, n: accounts.DeleteAccountRequest(account_id=f"a{n}", etag="v1")),
    "activate": (deactivated, lambda _, n: accounts.UndeleteAccountRequest(account_id=f"a{n}", etag="v1")),
    "remove": (connected, lambda _, n: accounts.HardDeleteAccountRequest(account_id=f"a{n}")),
    "rotate a token": (connected, lambda _, n: rotation(n)),
    "revoke": (
        connected,
        lambda _, n: secrets.MarkAuthorizationRevokedRequest(account_id=f"a{n}", expected_revision=1),
    ),
    "create an application": (nothing, lambda _, n: new_application(n)),
    "update an application": (registered, lambda _, n: update_application(n)),
    "rotate a secret": (
        registered,
        lambda _, n: applications.RotateClientSecretRequest(application_id=f"a{n}", client_secret="another"),
    ),
    "remove an application": (registered, lambda _, n: applications.DeleteApplicationRequest(application_id=f"a{n}")),
    "create a client": (connected, lambda _, n: clients.CreateClientRequest(user_id="u1", account_ids=[f"a{n}"])),
    "revoke a client": (issued, lambda world, _: clients.RevokeClientRequest(client_id=world.client_id)),
}


async def swept(world: World, name: str, start: bytes = b"") -> None:
    """Cut the connection at each round trip of a change that begins with `start`, before the server and after it.

    Check that the reported outcome is the true one, and that repeats with the same key complete the change once.
    """
    prepare, make = CHANGES[name]
    await prepare(world, 0)
    before = await world.stored()
    await world.call(make(world, 0))
    step, announces = await world.stored() - before, bool(world.announced)
    numbers, seen = count(1), set[bytes]()
    for cut in Cut:
        for point in count():
            number = next(numbers)
            await prepare(world, number)
            request = make(world, number)
            is_keyed = "idempotency_key" in request.DESCRIPTOR.fields_by_name
            if is_keyed:
                request.idempotency_key = f"request-{number:016}"
            await world.cut.ping()  # the pool has a connection now
            before = await world.stored()
            world.announced.clear()
            world.proxy.watch(point, cut, start)
            error = await ended(world.call(request))
            lost = world.proxy.cut
            world.proxy.watch()
            if lost is None:
                break
            added = await world.stored() - before
            if point == 0 and not start:  # BEGIN: the pool connects again
                assert error is None
                assert added == step
            elif lost == COMMIT:
                assert isinstance(error, OutcomeUnknown), (lost, cut, error)
                assert added == (step if cut is Cut.RESPONSE else 0)
            else:
                assert isinstance(error, Unavailable), (lost, cut, error)
                assert added == 0
            if added:
                assert bool(world.announced) is announces
            if is_keyed:
                first, second = await world.call(request), await world.call(request)
                assert first == second
                assert await world.stored() - before == step, "the change is made once"
            seen.add(lost)
    assert COMMIT in seen


async def ended(change: Awaitable[object]) -> SellergateError | None:
    try:
        await change
    except SellergateError as error:
        return error
    return None
