"""One contract for the list of changes, on SQLite and PostgreSQL: no change is missed, whatever other transactions do."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from pydantic import SecretStr
from sellergate_account.ports.change_log import Kind, ListedChange
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.feed import change_log
from sellergate_account.storage.feed.change_log import SqlChangeLog
from sellergate_account.storage.feed.cursors import USABLE_SECONDS, parse
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.store import SqlStore
from sqlalchemy import text

from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, RING, account, application, database

__all__ = ["database"]
TOKEN = SecretStr("Atzr|1")


@dataclass
class World:
    """A store with the accounts a and b, and its list of changes."""

    database: Database
    store: SqlStore
    log: SqlChangeLog

    async def save(self, account_id: str, version: int) -> None:
        seller = {"a": "SELLER1", "b": "SELLER2"}[account_id]
        async with self.store.writing() as work:
            await work.accounts.save(account(account_id, seller, version=version), None)

    async def cursor(self) -> str:
        return (await self.log.read("")).next_cursor

    async def since(self, cursor: str) -> tuple[list[ListedChange], str]:
        listed = await self.log.read(cursor)
        assert not listed.forgets_all
        return list(listed.changes), listed.next_cursor

    async def forgets_all(self, cursor: str) -> bool:
        listed = await self.log.read(cursor)
        assert listed.forgets_all == (not listed.changes)
        assert not (await self.log.read(listed.next_cursor)).forgets_all
        return listed.forgets_all


def of_account(account_id: str, version: int) -> ListedChange:
    return ListedChange(Kind.ACCOUNT, account_id, version)


@pytest.fixture
async def world(database: Database) -> World:
    store = SqlStore(database, RING, INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        await work.accounts.add(account("a", "SELLER1"), TOKEN)
        await work.accounts.add(account("b", "SELLER2"), TOKEN)
    return World(database, store, SqlChangeLog(database))


async def test_each_change_is_listed_once_it_is_committed(world: World) -> None:
    cursor = await world.cursor()
    await world.save("a", 2)
    await world.save("b", 2)
    await world.save("a", 3)
    changes, after = await world.since(cursor)
    assert changes == [of_account("a", 2), of_account("b", 2), of_account("a", 3)]
    assert (await world.since(after))[0] == []
    assert (await world.since(cursor))[0] == changes, (
        "a cursor may be used again, as by a process that lost the response"
    )


async def test_an_application_and_a_removal_are_listed(world: World) -> None:
    cursor = await world.cursor()
    async with world.store.writing() as work:
        await work.applications.save(replace(application(), version=2, name="n"), None)
        await work.accounts.remove("b")
    changes, _ = await world.since(cursor)
    assert changes == [ListedChange(Kind.APPLICATION, "app", 2), of_account("b", 0)]


async def test_what_leaves_an_account_as_it_is_is_not_listed(world: World) -> None:
    cursor = await world.cursor()
    async with world.store.writing() as work:
        await work.accounts.save(account("a", "SELLER1"), SecretStr("Atzr|2"))
        await work.accounts.add(account("c", "SELLER3"), TOKEN)
    async with world.database.writing() as connection:
        await connection.execute(text("UPDATE accounts SET audit_count = audit_count + 1"))
    assert (await world.since(cursor))[0] == []


async def test_a_row_that_is_put_back_outdates_every_copy(world: World) -> None:
    await world.save("a", 5)
    cursor = await world.cursor()
    async with world.database.writing() as connection:
        await connection.execute(text("UPDATE accounts SET version = 2 WHERE account_id = 'a'"))
    assert (await world.since(cursor))[0] == [of_account("a", 0)]


async def test_a_change_that_is_undone_is_not_listed(world: World) -> None:
    cursor = await world.cursor()
    with pytest.raises(ZeroDivisionError):
        async with world.store.writing() as work:
            await work.accounts.save(account("a", "SELLER1", version=2), None)
            raise ZeroDivisionError
    assert (await world.since(cursor))[0] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_transaction_that_commits_after_later_ones_is_not_missed(world: World) -> None:
    cursor = await world.cursor()
    seen: list[ListedChange] = []
    async with world.store.writing() as late:
        await late.accounts.save(account("a", "SELLER1", version=2), None)
        for version in range(2, 6):
            await world.save("b", version)
            changes, cursor = await world.since(cursor)
            seen += changes
        assert of_account("b", 5) in seen
        assert of_account("a", 2) not in seen
    changes, cursor = await world.since(cursor)
    assert of_account("a", 2) in changes
    # Changes since that transaction are listed again in their order, but only once.
    assert [change.version for change in changes if change.subject_id == "b"] == [2, 3, 4, 5]
    changes, cursor = await world.since(cursor)
    assert changes == []


async def test_readers_and_writers_at_once_miss_nothing(world: World) -> None:
    known, last, cursor, ended = {"a": 1, "b": 1}, {"a": 1, "b": 1}, await world.cursor(), False

    async def follow() -> None:
        nonlocal cursor
        while not ended:
            before = dict(last)
            changes, cursor = await world.since(cursor)
            for change in changes:
                known[change.subject_id] = max(known[change.subject_id], change.version)
            assert all(known[one] >= version for one, version in before.items()), "an acknowledged change was missed"

    async def write(account_id: str) -> None:
        for version in range(2, 12):
            await world.save(account_id, version)
            last[account_id] = version

    following = asyncio.create_task(follow())
    await asyncio.gather(write("a"), write("b"))
    ended = True
    await following
    changes, _ = await world.since(cursor)
    for change in changes:
        known[change.subject_id] = max(known[change.subject_id], change.version)
    assert known == {"a": 11, "b": 11}


async def test_an_unusable_cursor_forgets_all(world: World) -> None:
    cursor = parse(await world.cursor())
    assert cursor
    for other in (
        replace(cursor, position=cursor.position + 1000),
        replace(cursor, made=cursor.made - USABLE_SECONDS - 1),
        replace(cursor, made=cursor.made + 60),
        replace(cursor, origin="0" * 32),
        replace(cursor, origin="f-1"),
    ):
        assert await world.forgets_all(str(other)), other
    for nonsense in ("", "x", "a.b.c", f"{cursor}.1", "0.0.0", "é" * 99, f"{cursor.origin}.{10**18}.{cursor.made}"):
        assert await world.forgets_all(nonsense), nonsense
    assert not (await world.log.read(str(cursor))).forgets_all


async def test_another_database_is_known_by_its_cursors(world: World, request: pytest.FixtureRequest) -> None:
    kind = world.database.engine.dialect.name
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url_of")()
    else:
        url = f"sqlite:///{request.getfixturevalue('tmp_path') / 'other.sqlite'}"
    async with open_database(url) as other:
        await migrate(other.engine)
        assert (await SqlChangeLog(other).read(await world.cursor())).forgets_all
        assert (await world.log.read((await SqlChangeLog(other).read("")).next_cursor)).forgets_all


async def test_too_many_changes_forget_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "MOST_CHANGES", 3)
    cursor = await world.cursor()
    for version in (2, 3, 4):
        await world.save("a", version)
    assert len((await world.since(cursor))[0]) == 3
    await world.save("a", 5)
    assert await world.forgets_all(cursor)


async def test_changes_are_removed_from_before_a_position_and_in_batches(world: World) -> None:
    for version in range(2, 9):
        await world.save("a", version)
    settled = await world.log.settled()
    cursor = await world.cursor()
    await world.save("b", 2)
    assert await world.log.remove(settled, 4) == 4
    while await world.log.remove(settled, 4) == 4:
        pass
    assert (await world.since(cursor))[0] == [of_account("b", 2)]
    async with world.database.reading() as connection:
        left = (await connection.execute(text("SELECT count(*) FROM account_changes"))).scalar_one()
    assert left <= 2, "SQLite keeps the last row, which a cursor names"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_list_that_was_emptied_makes_no_cursor_usable(world: World) -> None:
    cursor = await world.cursor()
    async with world.database.writing() as connection:
        await connection.execute(text("DELETE FROM account_changes"))
    for _ in range(2):
        listed = await world.log.read(cursor)
        assert listed.forgets_all
        cursor = listed.next_cursor
    await world.save("a", 2)
    assert await world.forgets_all(cursor)
