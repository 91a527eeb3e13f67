"""A start waits for its database, and an old replica starts beside a newer schema."""

import asyncio
from pathlib import Path

import pytest
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import migrate, wait_for
from sellergate_common.clock import Clock
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.contract.ports.test_account_store import database

__all__ = ["database"]


class SteppedClock:
    """A clock that advances only by its sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.pauses = list[float]()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.time, sleep=self.sleep)


async def test_a_start_gives_up_in_time_with_one_line_and_without_a_traceback() -> None:
    stepped = SteppedClock()
    async with open_database("postgresql://nobody:hidden@127.0.0.1:1/none") as down:
        with capture_logs() as logs, pytest.raises(SystemExit) as caught:
            await wait_for(down.engine, 60.0, stepped.clock)
    assert caught.value.code == 1
    assert sum(stepped.pauses) <= 60
    assert max(stepped.pauses) <= 5
    assert [line["event"] for line in logs] == ["waiting_for_database", "database_is_down"]
    assert (logs[0]["host"], logs[0]["port"], logs[0]["at_most_seconds"]) == ("127.0.0.1", 1, 60.0)
    assert "DATABASE_URL" in logs[1]["advice"]
    assert "port 1" in logs[1]["cause"]
    assert "hidden" not in repr(logs)


async def test_a_file_that_may_not_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with capture_logs() as logs, pytest.raises(SystemExit) as caught:
        async with open_database(f"sqlite:///{tmp_path / 'file' / 'accounts.sqlite'}"):
            pass
    assert caught.value.code == 1
    (line,) = logs
    assert line["event"] == "database_file_refused"
    assert "DATABASE_URL" in line["advice"]


async def test_a_database_that_refuses_the_migration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "accounts.sqlite").write_bytes(b"not a database, and long enough to be read as one" * 100)
    async with open_database(f"sqlite:///{tmp_path / 'accounts.sqlite'}") as odd:
        with capture_logs() as logs, pytest.raises(SystemExit) as caught:
            await migrate(odd.engine)
    assert caught.value.code == 1
    assert [line["event"] for line in logs] == ["migration_failed"]
    assert "not a database" in logs[0]["cause"]


async def test_a_start_goes_on_when_the_database_comes_up(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    async with open_database(f"sqlite:///{folder / 'accounts.sqlite'}") as late:
        (folder / "accounts.sqlite").unlink()
        folder.rmdir()

        async def sleep(_: float) -> None:
            await asyncio.to_thread(folder.mkdir, exist_ok=True)

        await wait_for(late.engine, 60.0, Clock(sleep=sleep))
        await migrate(late.engine)


async def test_an_old_replica_starts_beside_a_newer_schema(database: Database) -> None:
    async with database.writing() as connection:
        known = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await migrate(database.engine)
    async with database.writing() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        await connection.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": known})
