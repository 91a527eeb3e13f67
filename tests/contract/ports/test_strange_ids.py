"""Ids that no row has are not found, on SQLite and on PostgreSQL, which accepts no NUL in a text."""

import pytest
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import NotFound

from tests.contract.ports.test_account_store import INDEX_KEY, RING, database
from tests.fakes.account import Domain

__all__ = ["database"]


@pytest.mark.parametrize("given", ["a\0b", "x' OR '1'='1", "%", "\u202e", "a" * 65, "", "unknown"])
async def test_a_strange_id_is_not_found(database: Database, given: str) -> None:
    domain = Domain(SqlStore(database, RING, INDEX_KEY))
    with pytest.raises(NotFound, match="no such account"):
        await domain.accounts.get(given, "")
    with pytest.raises(NotFound, match="no such application"):
        await domain.applications.get(given, "")
    with pytest.raises(NotFound, match="no such client"):
        await domain.clients.revoke(given, "")
