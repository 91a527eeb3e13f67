"""Transactions on databases that fail: what is reported, and how long it takes."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sellergate_account.storage.bounded_connection import PING_SECONDS
from sellergate_account.storage.database import Database, open_database
from sellergate_common.errors import OutcomeUnknown
from sqlalchemy import text

from tests.contract.ports.postgres_proxy import PostgresProxy, proxied_postgres

POOLED = 5


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(f"sqlite:///{tmp_path / 'a.sqlite'}") as database:
        async with database.writing() as connection:
            await connection.execute(text("CREATE TABLE one (value TEXT)"))
        yield database


async def test_a_commit_that_sqlite_cannot_write_has_an_unknown_outcome(sqlite: Database) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OutcomeUnknown):
            async with sqlite.writing() as connection:
                await connection.execute(text("INSERT INTO one VALUES ('a')"))
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))  # no file of this process can grow
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    async with sqlite.writing() as connection:
        await connection.execute(text("INSERT INTO one VALUES ('b')"))
    async with sqlite.reading() as connection:
        assert "b" in (await connection.execute(text("SELECT value FROM one"))).scalars().all()


async def test_a_caller_that_runs_out_of_time_at_commit_learns_that_the_outcome_is_unknown(
    proxy: PostgresProxy,
) -> None:
    async with open_database(proxy.url) as database:
        async with database.writing() as connection:
            await connection.execute(text("CREATE TABLE two (value TEXT)"))
        with pytest.raises(OutcomeUnknown):
            async with asyncio.timeout(0.3), database.writing() as connection:
                await connection.execute(text("INSERT INTO two VALUES ('a')"))
                proxy.silent = True


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[PostgresProxy]:
    async with proxied_postgres(postgres_url) as proxy:
        yield proxy


async def pooled(database: Database) -> None:
    """Fill the pool."""
    ready = asyncio.Barrier(POOLED)

    async def use() -> None:
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))
            await ready.wait()

    await asyncio.gather(*(use() for _ in range(POOLED)))


async def test_silent_connections_cost_one_ping_and_the_pool_connects_again(proxy: PostgresProxy) -> None:
    async with open_database(proxy.url) as database:
        await pooled(database)
        assert proxy.connections == POOLED
        proxy.silence()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(POOLED + 1):
            await database.ping()
        assert loop.time() - began >= PING_SECONDS
        pinged = [data for data in proxy.lost if data.startswith(b"Q")]
        assert len(pinged) == 1, "the others were not tried at all"
        assert proxy.connections > POOLED


async def test_a_statement_on_a_connection_that_falls_silent_ends_soon_after_the_caller_left(
    proxy: PostgresProxy,
) -> None:
    async with open_database(proxy.url) as database:
        await database.ping()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), database.reading() as connection:
                await connection.execute(text("SELECT 1"))
                proxy.silent = True
                await connection.execute(text("SELECT 2"))
        proxy.silent = False
        await database.ping()
