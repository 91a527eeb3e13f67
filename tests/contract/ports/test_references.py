"""Callers' own references on real databases: a row that this service did not write still holds its reference."""

import pytest
from sellergate_account.model import Changes
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import InvalidRequest

from tests.contract.ports.test_account_store import INDEX_KEY, RING, database
from tests.contract.ports.test_audit_log import connected, connection, run
from tests.fakes.account import Domain

__all__ = ["database"]


@pytest.mark.parametrize("change", ["row_mac = ''", "region = 'xx'", "names_mac = ''"])
async def test_a_reference_of_a_refused_row_is_a_conflict_that_names_the_account(
    database: Database, change: str
) -> None:
    domain = Domain(SqlStore(database, RING, INDEX_KEY))
    holder, other = await connected(domain, 1), await connected(domain, 2)
    await domain.accounts.update(holder.account_id, "u1", Changes(external_ref="4711"), "")
    await run(database, f"UPDATE accounts SET {change} WHERE account_id = '{holder.account_id}'")
    for attempt in (
        lambda: domain.accounts.update(other.account_id, "u1", Changes(external_ref="4711"), ""),
        lambda: domain.accounts.upsert(connection(2, "4711")),
        lambda: domain.accounts.upsert(connection(3, "4711")),
    ):
        with pytest.raises(InvalidRequest, match=f"the user's account {holder.account_id}; choose another") as caught:
            await attempt()
        assert [one.field for one in caught.value.violations] == ["external_ref"]
