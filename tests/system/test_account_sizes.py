"""A call costs the same with a hundred thousand accounts as with a thousand, and all of them can be re-encrypted."""

import asyncio
import base64
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.admin.rewrap import rewrap
from sellergate_account.model import Cursor, Filter
from sellergate_account.secrets.rotation import NewSecret
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import migrate
from sellergate_account.storage.rewrapper import SqlRewrapper
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing
from sqlalchemy import text

from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, account, application
from tests.fakes.account import Domain

SMALL, LARGE = 1_000, 100_000
# Accounts of one application.
SHARED = 10_000
CALLS = 300
# The tolerance: the height of an index, and the noise of a shared machine.
LARGEST_RATIO = 2.0
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def key(kid: str) -> str:
    return f"{kid} {base64.urlsafe_b64encode(os.urandom(64)).decode()}\n"


OLD, NEW = key("old"), key("new")


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'a.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    async with open_database(url) as opened:
        await migrate(opened.engine)
        yield opened


async def fill(store: SqlStore, first: int, last: int) -> None:
    for begin in range(first, last, 5_000):
        async with store.writing() as work:
            for number in range(begin, min(begin + 5_000, last)):
                row = account(f"a{number:06}", f"SELLER{number}", f"u{number % 500}")
                await work.accounts.add(
                    replace(row, create_time=BEGAN + timedelta(seconds=number)), SecretStr(f"Atzr|{number}")
                )
            await asyncio.sleep(0)


async def median(call: Callable[[int], Awaitable[object]]) -> float:
    took = []
    for number in range(CALLS):
        began = time.perf_counter()
        await call(number)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


@pytest.mark.timeout(900)
async def test_calls_stay_flat_from_a_thousand_accounts_to_a_hundred_thousand(database: Database) -> None:
    store = SqlStore(database, KeyRing.parse(OLD), INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application("app", ""), CLIENT)
    domain = Domain(store)
    accounts = domain.accounts
    found: dict[int, dict[str, float]] = {}
    for before, size in ((0, SMALL), (SMALL, LARGE)):
        await fill(store, before, size)
        middle = Cursor(BEGAN + timedelta(seconds=size // 2), f"a{size // 2:06}")

        async def get(number: int, size: int = size) -> object:
            return await accounts.get(f"a{number * 997 % size:06}", "")

        async def page(number: int, middle: Cursor = middle) -> object:
            return await accounts.list(Filter(), middle, 50)

        async def upsert(number: int, size: int = size) -> object:
            token = SecretStr(f"Atzr|{size}-{number}")
            return await accounts.upsert(Connection(f"new{size}", f"NEW{number}", "US", "app", refresh_token=token))

        found[size] = {"get": await median(get), "page N": await median(page), "upsert": await median(upsert)}
    ratios = {name: found[LARGE][name] / found[SMALL][name] for name in found[SMALL]}
    print({name: round(ratio, 2) for name, ratio in ratios.items()})
    assert max(ratios.values()) < LARGEST_RATIO, ratios

    await killed_in_the_middle(database)
    async for step in rewrap(store, SqlRewrapper(database, KeyRing.parse(NEW + OLD)), domain.audit, 2_000):
        last = step
    assert last.skipped >= LARGE // 3
    assert last.rewrapped + last.skipped == last.total
    new = SqlStore(database, KeyRing.parse(NEW), INDEX_KEY)
    opened = 0
    after: Cursor | None = None
    while True:
        async with new.reading() as work:
            page = await work.accounts.list(Filter(), after, 5_000)
            for row in page:
                token = (await work.accounts.read_refresh_token(row)).get_secret_value()
                assert token.startswith("Atzr|")
                assert not row.account_id.startswith("a") or token == f"Atzr|{int(row.account_id[1:])}"
            opened += len(page)
        if not page:
            break
        after = Cursor(page[-1].create_time, page[-1].account_id)
    assert opened == LARGE + 2 * CALLS


async def killed_in_the_middle(database: Database) -> None:
    """Re-encrypt in a separate process, and kill that process when half is done."""
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.system.rewrap_process", url, NEW + OLD, "2000"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    async with asyncio.timeout(300):
        async for line in process.stdout:
            if int(line) >= LARGE // 3:
                break
        process.kill()
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.timeout(300)
async def test_a_new_secret_of_an_application_with_many_accounts_is_one_row(database: Database) -> None:
    store = SqlStore(database, KeyRing.parse(OLD), INDEX_KEY)
    domain = Domain(store)
    async with store.writing() as work:
        await work.applications.add(application("app", ""), CLIENT)
        await work.applications.add(application("other", "u9"), CLIENT)
    await fill(store, 0, SHARED)
    before = await rows(database)
    await domain.applications.rotate("app", "", NewSecret(SecretStr("rotated")))
    after = await rows(database)
    assert len(before["accounts"]) == SHARED
    assert {table: len(set(after[table]) - set(before[table])) for table in before} == {
        "accounts": 0,
        "applications": 1,
    }
    for number in (0, SHARED - 1):
        secrets = (await domain.accounts.secrets(f"a{number:06}"))[2]
        assert secrets.client_secret == SecretStr("rotated")


async def rows(database: Database) -> dict[str, list[str]]:
    async with database.reading() as connection:
        return {
            table: [repr(tuple(row)) for row in await connection.execute(text(f"SELECT * FROM {table}"))]
            for table in ("accounts", "applications")
        }
