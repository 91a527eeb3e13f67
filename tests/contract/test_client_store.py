"""Drop-in clients on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.database import Database
from sellergate_account.model import DropInClient, Place
from sellergate_account.sql_clients import SqlClients
from sellergate_account.sql_store import SqlStore
from sellergate_common.errors import NotFound

from tests.contract.test_account_store import (
    CLIENT,
    INDEX_KEY,
    RING,
    account,
    application,
    database,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
__all__ = ["database"]


@pytest.fixture
async def clients(database: Database) -> SqlClients:
    async with SqlStore(database, RING, INDEX_KEY).writing() as work:
        await work.add_application(application(), CLIENT)
        for number in (1, 2):
            await work.add_account(account(f"a{number}", f"SELLER{number}"), SecretStr("t"))
    return SqlClients(database)


def client(
    client_id: str, user: str = "u1", accounts: tuple[str, ...] = ("a1", "a2"), seconds: int = 0
) -> DropInClient:
    return DropInClient(client_id, user, "name", accounts, NOW + timedelta(seconds=seconds))


async def test_what_is_stored_is_read_back(clients: SqlClients) -> None:
    await clients.add(client("c1"), "digest", {"a1": "h1", "a2": "h2"})
    assert await clients.client("c1") == client("c1")
    assert await clients.client("c2") is None
    assert await clients.secret_digest("c1") == "digest"
    assert await clients.secret_digest("c2") == ""
    assert await clients.account_of_handle("c1", "h2") == "a2"
    assert await clients.account_of_handle("c2", "h2") == ""


async def test_a_client_for_an_account_that_is_gone_is_not_stored_at_all(clients: SqlClients) -> None:
    with pytest.raises(NotFound):
        await clients.add(client("c1"), "digest", {"a1": "h1", "gone": "h2"})
    assert await clients.client("c1") is None


async def test_handles_go_with_their_account(clients: SqlClients, database: Database) -> None:
    await clients.add(client("c1"), "digest", {"a1": "h1", "a2": "h2"})
    async with SqlStore(database, RING, INDEX_KEY).writing() as work:
        await work.remove_account("a1")
    assert await clients.account_of_handle("c1", "h1") == ""
    assert await clients.client("c1") == client("c1", accounts=("a2",))


async def test_lists_are_in_order_and_narrowed(clients: SqlClients) -> None:
    rows = [client(f"c{number}", "u1" if number % 2 else "u2", (), number) for number in range(5)]
    for row in reversed(rows):
        await clients.add(row, row.client_id, {})
    assert list(await clients.clients("", None, 9)) == rows
    assert list(await clients.clients("u1", None, 9)) == [rows[1], rows[3]]
    assert list(await clients.clients("", Place(rows[1].create_time, "c1"), 2)) == rows[2:4]


async def test_a_revocation_keeps_its_first_time(clients: SqlClients) -> None:
    await clients.add(client("c1"), "digest", {})
    await clients.revoke("c1", NOW)
    await clients.revoke("c1", NOW + timedelta(days=1))
    revoked = await clients.client("c1")
    assert revoked
    assert revoked.revoke_time == NOW
