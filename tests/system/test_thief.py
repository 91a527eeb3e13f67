"""Every column and row of every table, changed by a thief on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
from sellergate_account.storage.database import Database

from tests.contract.ports.test_account_store import migrated
from tests.contract.ports.thief import documented, made, walk_columns, walk_rows


@pytest.fixture
async def postgresql(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with migrated("postgresql", request) as database:
        yield database


@pytest.mark.timeout(300)
async def test_every_column_and_row_on_postgresql_is_held_as_the_page_says(postgresql: Database) -> None:
    world = await made(postgresql)
    assert {**await walk_columns(world, every=True), **await walk_rows(world)} == documented()
