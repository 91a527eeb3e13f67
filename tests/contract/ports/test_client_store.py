"""Drop-in clients on SQLite and PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.model import Cursor, DropInClient
from sellergate_account.ports.errors import DuplicateKey
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore

from tests.contract.ports.test_account_store import (
    CLIENT,
    INDEX_KEY,
    RING,
    account,
    application,
    database,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
__all__ = ["database"]


class Clients:
    """A client store that runs each call in its own transaction."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store

    async def add(self, client: DropInClient, secret_digest: str, handle_digests: dict[str, str]) -> None:
        async with self.store.writing() as work:
            await work.clients.add(client, secret_digest, handle_digests)

    async def revoke(self, client_id: str, now: datetime) -> bool:
        async with self.store.writing() as work:
            return await work.clients.revoke(client_id, now)

    async def client(self, client_id: str) -> DropInClient | None:
        async with self.store.reading() as work:
            return await work.clients.get(client_id)

    async def clients(self, user: str, after: Cursor | None, limit: int) -> Sequence[DropInClient]:
        async with self.store.reading() as work:
            return (await work.clients.list(user, after, limit)).clients

    async def secret_digest(self, client_id: str) -> str:
        async with self.store.reading() as work:
            return await work.clients.read_secret_digest(client_id)

    async def account_of_handle(self, client_id: str, digest: str) -> str:
        async with self.store.reading() as work:
            return await work.clients.find_account(client_id, digest)


@pytest.fixture
async def clients(database: Database) -> Clients:
    store = SqlStore(database, RING, INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        for number in (1, 2):
            await work.accounts.add(account(f"a{number}", f"SELLER{number}"), SecretStr("t"))
    return Clients(store)


def client(
    client_id: str, user: str = "u1", accounts: tuple[str, ...] = ("a1", "a2"), seconds: int = 0
) -> DropInClient:
    return DropInClient(client_id, user, "name", accounts, NOW + timedelta(seconds=seconds))


async def test_stored_values_are_read_back(clients: Clients) -> None:
    await clients.add(client("c1"), "digest", {"a1": "h1", "a2": "h2"})
    assert await clients.client("c1") == client("c1")
    assert await clients.client("c2") is None
    assert await clients.secret_digest("c1") == "digest"
    assert await clients.secret_digest("c2") == ""
    assert await clients.account_of_handle("c1", "h2") == "a2"
    assert await clients.account_of_handle("c2", "h2") == ""


async def test_a_client_for_a_missing_account_is_not_stored(clients: Clients) -> None:
    with pytest.raises(DuplicateKey):
        await clients.add(client("c1"), "digest", {"a1": "h1", "gone": "h2"})
    assert await clients.client("c1") is None


async def test_drop_in_refresh_tokens_are_removed_with_their_account(clients: Clients, database: Database) -> None:
    await clients.add(client("c1"), "digest", {"a1": "h1", "a2": "h2"})
    async with SqlStore(database, RING, INDEX_KEY).writing() as work:
        await work.accounts.remove("a1")
    assert await clients.account_of_handle("c1", "h1") == ""
    assert await clients.client("c1") == client("c1", accounts=("a2",))


async def test_lists_are_in_order_and_filtered(clients: Clients) -> None:
    rows = [client(f"c{number}", "u1" if number % 2 else "u2", (), number) for number in range(5)]
    for row in reversed(rows):
        await clients.add(row, row.client_id, {})
    assert list(await clients.clients("", None, 9)) == rows
    assert list(await clients.clients("u1", None, 9)) == [rows[1], rows[3]]
    assert list(await clients.clients("", Cursor(rows[1].create_time, "c1"), 2)) == rows[2:4]


async def test_a_revocation_keeps_its_first_time(clients: Clients) -> None:
    await clients.add(client("c1"), "digest", {})
    assert await clients.revoke("c1", NOW)
    assert not await clients.revoke("c1", NOW + timedelta(days=1))
    revoked = await clients.client("c1")
    assert revoked
    assert revoked.revoke_time == NOW
