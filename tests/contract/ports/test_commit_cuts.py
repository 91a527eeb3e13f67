"""A connection to PostgreSQL is cut at every point of every change: what is reported is what happened."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Changes, Connection
from sellergate_account.applications import ApplicationChanges, LwaClient, NewApplication
from sellergate_account.secrets.rotation import NewSecret
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import OutcomeUnknown, SellergateError, Unavailable

from tests.contract.ports.postgres_proxy import Cut, PostgresProxy, proxied_postgres
from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, NOW, RING, account, application
from tests.fakes.account import Domain

SECRET, TOKEN = SecretStr("another"), SecretStr("Atzr|2")
OTHER = LwaClient(SecretStr("amzn1.other"), SECRET)
LATER = NOW + timedelta(days=30_000)


class World(Domain):
    """The domain on PostgreSQL behind a proxy, and beside it the same database without one."""

    def __init__(self, proxy: PostgresProxy, cut: Database, direct: SqlStore) -> None:
        super().__init__(SqlStore(cut, RING, INDEX_KEY))
        self.proxy = proxy
        self.cut = cut
        self.direct = direct

    async def stored(self) -> int:
        """Return how many events are in the audit log: every change adds at least one."""
        async with self.direct.reading() as work:
            heads = [*await work.trail.heads(True, "", 99), *await work.trail.heads(False, "", 99)]
            return sum(head.count for _, head in heads) + (await work.trail.head("")).count


@pytest.fixture
async def world(postgres_url: str) -> AsyncIterator[World]:
    async with (
        proxied_postgres(postgres_url) as proxy,
        open_database(proxy.url) as cut,
        open_database(postgres_url) as database,
    ):
        await migrate(database.engine)
        direct = SqlStore(database, RING, INDEX_KEY)
        async with direct.writing() as work:
            await work.add_application(application(), CLIENT)
        yield World(proxy, cut, direct)


async def connected(world: World, number: int) -> None:
    async with world.direct.writing() as work:
        await work.add_account(account(f"a{number}", f"SELLER{number}"), SecretStr("t"))


async def registered(world: World, number: int) -> None:
    secrets = replace(CLIENT, client_id=SecretStr(f"amzn1.client{number}"))
    async with world.direct.writing() as work:
        await work.add_application(application(f"a{number}"), secrets)


async def issued(world: World, number: int) -> None:
    await connected(world, number)
    made = await Domain(world.direct).clients.create("u1", "name", [f"a{number}"])
    world.client_id = made.client.client_id  # type: ignore[attr-defined]


async def nothing(world: World, number: int) -> None:
    pass


def seller(number: int, **given: object) -> Connection:
    return Connection("u1", f"SELLER{number}", "US", "app", refresh_token=TOKEN, **given)  # type: ignore[arg-type]


Prepare = Callable[[World, int], Awaitable[None]]
Change = Callable[[World, int], Awaitable[object]]
CHANGES: dict[str, tuple[Prepare, Change]] = {
    "connect": (nothing, lambda world, n: world.accounts.upsert(seller(n))),
    "connect again": (connected, lambda world, n: world.accounts.upsert(seller(n))),
    "update": (connected, lambda world, n: world.accounts.update(f"a{n}", "u1", Changes(region="eu-west-1"), "")),
    "deactivate": (connected, lambda world, n: world.accounts.set_active(f"a{n}", "u1", "", active=False)),
    "remove": (connected, lambda world, n: world.accounts.remove(f"a{n}", "u1", "")),
    "rotate a token": (connected, lambda world, n: world.accounts.rotate_refresh_token(f"a{n}", 1, TOKEN)),
    "revoke": (connected, lambda world, n: world.accounts.mark_revoked(f"a{n}", 1)),
    "create an application": (
        nothing,
        lambda world, n: world.applications.create(NewApplication("u1", SecretStr(f"amzn1.new{n}"), SECRET), "u1"),
    ),
    "update an application": (
        registered,
        lambda world, n: world.applications.update(f"a{n}", "u1", ApplicationChanges(name="New"), ""),
    ),
    "rotate a secret": (
        registered,
        lambda world, n: world.applications.rotate(f"a{n}", "u1", NewSecret(SECRET, LATER)),
    ),
    "remove an application": (registered, lambda world, n: world.applications.remove(f"a{n}", "u1", "")),
    "create a client": (connected, lambda world, n: world.clients.create("u1", "name", [f"a{n}"])),
    "revoke a client": (issued, lambda world, n: world.clients.revoke(world.client_id, "u1")),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_that_is_cut_reports_what_became_of_it(world: World, name: str) -> None:
    prepare, change = CHANGES[name]
    await prepare(world, 0)
    await change(world, 0)  # the pool has a connection, and everything that is asked once was asked
    announces = bool(world.announced)
    numbers, seen = count(1), set[bytes]()
    for cut in Cut:
        for point in count():
            number = next(numbers)
            await prepare(world, number)
            await world.cut.ping()  # so that the pool has a connection
            before = await world.stored()
            world.announced.clear()
            world.proxy.watch(point, cut)
            error = await ended(change(world, number))
            if len(world.proxy.sent) <= point:
                break
            lost = world.proxy.sent[point]
            world.proxy.watch()
            is_stored = await world.stored() > before
            if point == 0:  # the ping of the pool, which connects again
                assert (error, is_stored) == (None, True)
            elif b"COMMIT\0" in lost:
                assert isinstance(error, OutcomeUnknown), (lost, cut, error)
                assert is_stored is (cut is Cut.RESPONSE)
            else:
                assert isinstance(error, Unavailable), (lost, cut, error)
                assert not is_stored
            if is_stored:
                assert bool(world.announced) is announces
            seen.add(lost[5:11])
    assert {b"BEGIN ", b"COMMIT"} <= seen


async def ended(change: Awaitable[object]) -> SellergateError | None:
    try:
        await change
    except SellergateError as error:
        return error
    return None
