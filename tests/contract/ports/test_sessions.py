"""Sessions on PostgreSQL: psycopg's own execution returns and refuses what SQLAlchemy's does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sellergate_account.ports.errors import DuplicateKey
from sellergate_account.storage.connections.statements import (
    PsycopgSession,
    Session,
    SqlAlchemySession,
    Statement,
)
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord, AuditEventRecord
from sellergate_common.errors import Unavailable
from sqlalchemy import Table, bindparam, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

MakeSession = Callable[[AsyncConnection], Session]
TIME = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))
APPLICATION = {
    "application_id": "app",
    "owner_user_id": "",
    "client_id_index": "index",
    "client_id_hint": "hint",
    "client_id_sealed": "a%b%%s'\"\\ä",
    "client_secret_sealed": "",
    "previous_secret_expire_time": None,
    "redirect_uris": ["https://a.example/?b=%20", "ü"],
    "draft": True,
    "revision": 1,
    "version": 2,
    "create_time": TIME,
    "update_time": TIME,
}
EVENT = {
    "chain": "",
    "sequence": 1,
    "action": "made",
    "subject": "s",
    "detail": "d" * 5_000,
    "caller": "",
    "on_behalf_of": "",
    "request_id": "",
    "create_time": TIME,
    "mac": "m",
}
APPLICATIONS: Table = ApplicationRecord.metadata.tables["applications"]
EVENTS: Table = AuditEventRecord.metadata.tables["audit_events"]
ADD, READ = Statement(insert(APPLICATIONS)), Statement(select(APPLICATIONS))
APPEND = Statement(insert(EVENTS))
BOTH: list[MakeSession] = [SqlAlchemySession, PsycopgSession]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with open_database(postgres_url) as database:
        await migrate(database.engine)
        yield database


@pytest.mark.parametrize("write", BOTH)
async def test_both_read_what_either_has_written(database: Database, write: MakeSession) -> None:
    async with database.writing() as connection:
        await write(connection).execute([(ADD, APPLICATION)])
    rows = []
    async with database.reading_once() as connection:
        for make in BOTH:
            row = await make(connection).one(READ, {})
            assert row is not None
            rows.append(dict(zip(READ.names, row, strict=True)))
    assert rows[0] == rows[1]
    assert list(map(type, rows[0].values())) == list(map(type, rows[1].values()))
    assert {name: rows[1][name] for name in APPLICATION} == APPLICATION
    assert rows[1]["create_time"].tzinfo is UTC
    async with database.writing() as connection:
        removed = await PsycopgSession(connection).one(Statement(delete(APPLICATIONS).returning(*APPLICATIONS.c)), {})
    assert removed is not None
    assert dict(zip(READ.names, removed, strict=True)) == rows[0]
    assert removed[READ.names.index("create_time")].tzinfo is UTC


def test_a_statement_knows_all_of_its_columns() -> None:
    accounts: Table = AccountRecord.metadata.tables["accounts"]
    both = Statement(select(*accounts.c, *APPLICATIONS.c).join_from(accounts, APPLICATIONS))
    assert both.names == [*accounts.columns.keys(), *APPLICATIONS.columns.keys()]


@pytest.mark.parametrize("make", BOTH)
async def test_changes_are_sent_in_their_order(database: Database, make: MakeSession) -> None:
    change = Statement(update(APPLICATIONS).where(APPLICATIONS.c.application_id == bindparam("key")))
    account = Statement(select(AccountRecord.account_id).where(AccountRecord.account_id == bindparam("key")))
    async with database.writing() as connection:
        session = make(connection)
        await session.execute([])
        await session.execute(
            [
                (ADD, APPLICATION),
                *((APPEND, {**EVENT, "sequence": number}) for number in range(1, 4)),
                (change, {"key": "app", "name": "one"}),
                (change, {"key": "app", "name": "two", "redirect_uris": []}),
            ]
        )
        assert await session.one(account, {"key": "none"}) is None
    async with database.reading() as connection:
        row = await make(connection).one(READ, {})
        assert row is not None
        found = dict(zip(READ.names, row, strict=True))
        assert (found["name"], found["redirect_uris"]) == ("two", [])
        count = await make(connection).one(Statement(select(func.count()).select_from(EVENTS)), {})
        assert count is not None
        assert tuple(count) == (3,)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("changes", [[(ADD, APPLICATION)], [(APPEND, EVENT), (ADD, APPLICATION), (APPEND, EVENT)]])
async def test_a_conflict_leaves_nothing_stored(database: Database, make: MakeSession, changes: Any) -> None:
    async with database.writing() as connection:
        await make(connection).execute([(ADD, APPLICATION)])
    for _ in range(12):  # more than the pool has
        with pytest.raises(DuplicateKey):
            async with database.writing() as connection:
                await make(connection).execute(changes)
    async with database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(EVENTS)) == 0


@pytest.mark.parametrize("make", BOTH)
async def test_a_statement_whose_caller_leaves_costs_its_connection_only(database: Database, make: MakeSession) -> None:
    asleep = Statement(select(func.pg_sleep(30)))

    async def sleep() -> None:
        async with database.reading_once() as connection:
            await make(connection).one(asleep, {})

    async with database.reading() as watching:
        for _ in range(12):
            task = asyncio.create_task(sleep())
            async with asyncio.timeout(20):
                while not await sleeping(watching):
                    pass  # each look takes a round trip
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not await sleeping(watching)


async def sleeping(connection: AsyncConnection) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(%' AND pid <> pg_backend_pid()"
    await connection.execute(text("SELECT pg_stat_clear_snapshot()"))
    return bool(await connection.scalar(text(query)))


@pytest.mark.parametrize("make", BOTH)
async def test_a_connection_that_the_server_ends_is_replaced(database: Database, make: MakeSession) -> None:
    end = Statement(select(func.pg_terminate_backend(func.pg_backend_pid())))
    for _ in range(2):
        with pytest.raises(Unavailable):
            async with database.writing() as connection:
                await make(connection).one(end, {})
        async with database.writing() as connection:
            await make(connection).execute([])
            assert await make(connection).one(READ, {}) is None


async def test_a_transaction_that_was_left_open_ends_with_its_connection_s_return(database: Database) -> None:
    for _ in range(2):
        async with database.engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN")
            await connection.exec_driver_sql("LOCK TABLE applications")
    async with database.writing() as connection:
        await PsycopgSession(connection).execute([(ADD, APPLICATION)])
