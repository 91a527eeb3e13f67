"""Transactions on failing databases: the reported errors and their times."""

import asyncio
import gc
import logging
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg import OperationalError
from sellergate_account.storage.connections.postgres import PING_SECONDS, BoundedConnection
from sellergate_account.storage.connections.statements import Statement, session_on
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import wait_for
from sellergate_common.errors import OutcomeUnknown, Reason, Unavailable
from sellergate_common.tasks import end
from sqlalchemy import literal, select, text

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
        with pytest.raises(OutcomeUnknown) as caught:
            async with sqlite.writing() as connection:
                await connection.execute(text("INSERT INTO one VALUES ('a')"))
                resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))  # no file of this process can grow
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
    async with sqlite.writing() as connection:
        await connection.execute(text("INSERT INTO one VALUES ('b')"))
    async with sqlite.reading() as connection:
        assert "b" in (await connection.execute(text("SELECT value FROM one"))).scalars().all()


async def test_a_deadline_during_commit_is_an_unknown_outcome(
    proxy: PostgresProxy,
) -> None:
    async with open_database(proxy.url) as database:
        async with database.writing() as connection:
            await connection.execute(text("CREATE TABLE two (value TEXT)"))
        with pytest.raises(OutcomeUnknown):
            async with asyncio.timeout(0.3), database.writing() as connection:
                await connection.execute(text("INSERT INTO two VALUES ('a')"))
                proxy.silent = True


async def test_a_connection_of_sqlite_that_is_dropped_with_rows_unread_holds_no_lock(sqlite: Database) -> None:
    async with sqlite.engine.connect() as connection:
        await connection.execute(text("INSERT INTO one VALUES ('undone')"))
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        unread = await driver.execute("SELECT 1 UNION ALL SELECT 2")
        own = driver._conn
        await connection.invalidate()
    async with sqlite.engine.connect() as other:
        await other.execute(text("PRAGMA busy_timeout=0"))
        await other.execute(text("INSERT INTO one VALUES ('stored')"))
        await other.commit()
        assert list((await other.execute(text("SELECT value FROM one"))).scalars()) == ["stored"]
    own.close()  # like a call that is cancelled again while its connection closes
    assert unread is not None


async def test_writers_of_sqlite_that_are_cancelled_at_any_moment_end_and_leave_nothing_behind(
    sqlite: Database, recwarn: pytest.WarningsRecorder
) -> None:
    """Each writer is cancelled until it ends, as in a drain. Reports of asyncio about lost tasks are recorded."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    try:
        for steps in range(1, 40, 3):
            writers = [asyncio.create_task(_write(sqlite, steps * 10 + number)) for number in range(3)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for writer in writers:
                await end(writer)
            assert all(writer.done() for writer in writers)
            await _write(sqlite, -1 - steps)
        # Once, because it walks every object of the process: what was left behind reports itself.
        gc.collect()
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert reported == []
    assert not recwarn.list


async def _write(database: Database, number: int) -> None:
    async with database.writing() as connection:
        for _ in range(2):
            await connection.execute(text("SELECT * FROM one"))
        await connection.execute(text("INSERT INTO one VALUES (:value)"), {"value": str(number)})


async def test_one_statement_reads_what_is_committed_and_holds_no_transaction(
    sqlite: Database, postgres_url: str
) -> None:
    async with open_database(postgres_url) as postgres:
        async with postgres.writing() as connection:
            await connection.execute(text("CREATE TABLE one (value TEXT)"))
        for database in (sqlite, postgres):
            async with database.reading_once() as connection:
                assert (await connection.execute(text("SELECT value FROM one"))).all() == []
                async with database.writing() as other:
                    await other.execute(text("INSERT INTO one VALUES ('a')"))
                assert (await connection.execute(text("SELECT value FROM one"))).scalars().all() == ["a"]
            with pytest.raises(Unavailable):
                async with database.reading_once() as connection:
                    await connection.execute(text("SELECT value FROM none"))
            async with database.writing() as connection:
                await connection.execute(text("DELETE FROM one"))


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


@pytest.mark.parametrize("step", ["begin", "read once", "statement", "own statement", "commit"])
async def test_a_caller_that_leaves_a_silent_server_leaves_no_traceback(
    proxy: PostgresProxy, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = Statement(select(literal(1)))

    async def use() -> None:
        if step == "read once":
            async with database.reading_once() as connection:
                await session_on(connection).one(one, {})
            return
        async with database.writing() as connection:
            if step in ("statement", "own statement"):
                proxy.silence()
                await (
                    session_on(connection).one(one, {}) if step == "statement" else connection.execute(text("SELECT 1"))
                )
            if step == "commit":
                proxy.silence()

    async with open_database(proxy.url) as database:
        await pooled(database)
        if step in ("begin", "read once"):
            proxy.silence()
        before = len(proxy.lost)
        task = asyncio.create_task(use())
        async with asyncio.timeout(20):
            while len(proxy.lost) == before:  # noqa: ASYNC110  (the proxy reports no event)
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(OutcomeUnknown if step == "commit" else asyncio.CancelledError):
            await task
        await database.ping()
    assert [
        record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info
    ] == []


async def test_a_connection_that_the_server_has_ended_is_cut_without_an_error(postgres_url: str) -> None:
    async with await BoundedConnection.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection._cut()
        async with asyncio.timeout(20):
            while _is_connected(connection.pgconn.socket):  # noqa: ASYNC110  (the kernel reports no such event)
                await asyncio.sleep(0.01)
        connection._cut()  # the time-out of a wait that the event loop has not yet ended
        with pytest.raises(OperationalError):
            await connection.execute("SELECT 1")


def _is_connected(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        try:
            copy.getpeername()
        except OSError:
            return False
    return True


async def test_a_server_that_the_environment_names_later_gets_no_plain_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_database("postgresql://u:p@/accounts") as database:
        monkeypatch.setenv("PGHOST", "192.0.2.1")
        with pytest.raises(Unavailable, match="SELLERGATE_DATABASE_ALLOW_PLAIN=true"):
            await database.ping()
        with pytest.raises(SystemExit, match="SELLERGATE_DATABASE_ALLOW_PLAIN=true"):
            await wait_for(database.engine, 60)
    async with open_database(postgres_url) as database:
        await database.ping()


async def test_only_the_owner_can_open_a_sqlite_file_its_log_and_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    files = [folder / f"a.sqlite{suffix}" for suffix in ("", "-wal", "-shm")]
    for _ in range(2):
        async with open_database(f"sqlite:///{files[0]}", folder=folder) as database:
            async with database.writing() as connection:
                await connection.execute(text("CREATE TABLE IF NOT EXISTS one (value TEXT)"))
            assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        # Files of an earlier release or of an operator.
        folder.chmod(0o755)
        for file in files:
            file.touch()
            file.chmod(0o644)
    for file in files[1:]:
        file.chmod(0o666)
    async with open_database(f"sqlite:///{files[0]}"):
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755, "a folder that the service was not given as its own"


async def test_only_the_owner_can_open_a_folder_made_for_a_database(tmp_path: Path) -> None:
    async with open_database(f"sqlite:///{tmp_path / 'new' / 'a.sqlite'}"):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
