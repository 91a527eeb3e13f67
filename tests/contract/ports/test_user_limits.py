"""The limits of one user, and lists that stay small whatever a user has stored; on SQLite and PostgreSQL."""

from dataclasses import replace
from itertools import chain

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Accounts, Connection
from sellergate_account.admin.audit_check import verify
from sellergate_account.applications import Applications, LwaClient, NewApplication
from sellergate_account.clients import Clients
from sellergate_account.ids import new_external_id, new_secret, new_uuid7
from sellergate_account.model import Cursor, Limits
from sellergate_account.ports.errors import UserLimitReached
from sellergate_account.storage import clients as rows
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import Reason

from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, NOW, RING, account, application, database
from tests.fakes.account import Domain

__all__ = ["database"]
LIMITS = Limits(accounts=2, applications=2, clients=2)


class Limited(Domain):
    """The domain with small limits."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store)
        self.applications = Applications(store, self.audit, lambda: NOW, new_uuid7, LIMITS)
        self.accounts = Accounts(
            store, self.applications, self.audit, self.announced, lambda: NOW, new_uuid7, new_external_id, LIMITS
        )
        self.clients = Clients(store, self.accounts, self.audit, lambda: NOW, new_secret, LIMITS)


@pytest.fixture
def domain(database: Database) -> Limited:
    return Limited(SqlStore(database, RING, INDEX_KEY))


def connection(seller: str, user: str = "u1") -> Connection:
    client = LwaClient(SecretStr("amzn1.client"), SecretStr("secret"))
    return Connection(user, seller, "US", client=client, refresh_token=SecretStr("Atzr|1"))


async def test_a_user_cannot_exceed_its_limits(domain: Limited) -> None:
    kept = [(await domain.accounts.upsert(connection(f"SELLER{number}")))[0] for number in range(2)]
    with pytest.raises(UserLimitReached) as caught:
        await domain.accounts.upsert(connection("SELLER3"))
    assert caught.value.reason is Reason.USER_LIMIT_REACHED
    assert caught.value.metadata == {"limit": "accounts", "most": "2"}
    await domain.accounts.upsert(connection("SELLER1"))
    await domain.accounts.upsert(connection("SELLER3", "u2"))
    await domain.accounts.remove(kept[0].account_id, "u1", "")
    await domain.accounts.upsert(connection("SELLER3"))
    await domain.applications.create(NewApplication("u1", SecretStr("second"), SecretStr("secret")), "u1")
    third = NewApplication("u1", SecretStr("third"), SecretStr("secret"))
    with pytest.raises(UserLimitReached, match="SELLERGATE_APPLICATIONS_PER_USER"):
        await domain.applications.create(third, "u1")
    with pytest.raises(UserLimitReached):
        own = LwaClient(SecretStr("third"), SecretStr("secret"))
        await domain.accounts.upsert(replace(connection("SELLER1"), client=own))
    for number in range(3):
        await domain.applications.create(replace(third, owner_user_id="", client_id=SecretStr(f"shared{number}")), "")


async def test_revoked_clients_do_not_count_and_are_removed(domain: Limited) -> None:
    seller, _ = await domain.accounts.upsert(connection("SELLER1"))
    for _ in range(6):
        issued = await domain.clients.create("u1", "name", [seller.account_id])
        await domain.clients.revoke(issued.client.client_id, "u1")
    for _ in range(2):
        await domain.clients.create("u1", "name", [seller.account_id])
    with pytest.raises(UserLimitReached):
        await domain.clients.create("u1", "name", [seller.account_id])
    assert len((await domain.clients.list("u1", None, 99)).clients) == 2 * LIMITS.clients
    assert not (await verify(domain.store, domain.audit, "")).faults


async def test_pages_of_clients_are_bounded_by_their_accounts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_HANDLES", 10)
    store = SqlStore(database, RING, INDEX_KEY)
    domain = Domain(store)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        ids = [f"a{number}" for number in range(12)]
        for number, one in enumerate(ids):
            await work.accounts.add(account(one, f"SELLER{number}"), SecretStr("t"))
    sizes = (12, 3, 3, 0, 5, 12, 0)
    for size in sizes:
        await domain.clients.create("u1", "name", ids[:size])
    pages, after = list[list[int]](), None
    while True:
        page = await domain.clients.list("u1", after, 500)
        pages.append([len(one.account_ids) for one in page.clients])
        assert page.clients, "a page has one client at least"
        if not page.more:
            break
        after = Cursor(page.clients[-1].create_time, page.clients[-1].client_id)
    assert sorted(chain.from_iterable(pages)) == sorted(sizes)
    assert all(len(page) == 1 or sum(page) <= 10 for page in pages)
    assert sum(map(len, pages)) == len(sizes)
