"""Concurrent requests on real databases: one row, one winner, and responses that agree."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Accounts, Connection
from sellergate_account.applications import LwaClient, NewApplication
from sellergate_account.model import Account, Changes, Filter, etag_of
from sellergate_account.secrets.rotation import NewSecret
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.store import SqlStore
from sellergate_common.errors import Conflict
from sqlalchemy import text

from tests.contract.ports.test_account_store import INDEX_KEY, RING, database
from tests.fakes.account import Domain

MANY = 200
__all__ = ["database"]


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Domain(SqlStore(database, RING, INDEX_KEY)).accounts


def connection(number: int = 0, token: str = "Atzr|1") -> Connection:
    client = LwaClient(SecretStr("amzn1.client"), SecretStr("secret"))
    return Connection("u1", f"SELLER{number}", "US", client=client, refresh_token=SecretStr(token))


async def test_parallel_upserts_of_one_key_make_one_row_and_agree(accounts: Accounts) -> None:
    responses = await asyncio.gather(*(accounts.upsert(connection()) for _ in range(MANY)))
    assert len({account for account, _ in responses}) == 1
    assert sum(created for _, created in responses) == 1
    assert await accounts.list(Filter("u1"), None, 9) == (responses[0][0],)


async def test_parallel_first_sellers_of_a_user_share_application_and_external_id(accounts: Accounts) -> None:
    responses = await asyncio.gather(*(accounts.upsert(connection(number)) for number in range(20)))
    assert len({account.application_id for account, _ in responses}) == 1
    assert len({account.external_id for account, _ in responses}) == 1
    assert len({account.account_id for account, _ in responses}) == 20


async def test_of_parallel_updates_with_one_etag_one_wins(accounts: Accounts) -> None:
    account, _ = await accounts.upsert(connection())

    async def update(number: int) -> Account | None:
        try:
            changes = Changes(region=f"eu-west-{number % 9}")
            return await accounts.update(account.account_id, "u1", changes, etag_of(account))
        except Conflict:
            return None

    won = [winner for winner in await asyncio.gather(*(update(number) for number in range(40))) if winner]
    assert len(won) == 1
    assert await accounts.get(account.account_id, "u1") == won[0]


async def test_a_late_refusal_and_a_new_authorization_race_and_the_new_one_stays(accounts: Accounts) -> None:
    account, _ = await accounts.upsert(connection())

    async def revoke() -> None:
        with contextlib.suppress(Conflict):
            await accounts.mark_revoked(account.account_id, account.revision)

    for _ in range(5):
        await asyncio.gather(revoke(), accounts.upsert(connection(token="Atzr|2")), revoke())
        assert (await accounts.get(account.account_id, "u1")).state == "ACTIVE"
        assert (await accounts.secrets(account.account_id))[3] == SecretStr("Atzr|2")


async def test_of_parallel_notifications_the_one_that_amazon_issued_last_stays(database: Database) -> None:
    applications = Domain(SqlStore(database, RING, INDEX_KEY)).applications
    now = datetime.now(UTC)
    made = await applications.create(NewApplication("", SecretStr("amzn1.client"), SecretStr("secret-0")), "")
    news = [
        NewSecret(
            SecretStr(f"secret-{number}"),
            now + timedelta(days=180, minutes=number),
            None,
            now + timedelta(minutes=number),
        )
        for number in range(1, 9)
    ]
    for seed in range(5):
        given = news * 2
        random.Random(seed).shuffle(given)
        await asyncio.gather(*(applications.rotate(made.application_id, "", new) for new in given))
        application, opened = await applications.secrets(made.application_id)
        assert opened.client_secret == SecretStr("secret-8")
        assert application.secret_issue_time == news[-1].issue_time


async def test_writers_of_sqlite_are_served_in_order(tmp_path: Path) -> None:
    turns = list[int]()
    async with open_database(f"sqlite:///{tmp_path / 'turns.db'}") as sqlite:

        async def write(number: int) -> None:
            async with sqlite.writing() as connection:
                await connection.execute(text("SELECT 1"))
                turns.append(number)
                await asyncio.sleep(0.01)

        await asyncio.gather(*map(write, range(40)))
    assert turns == sorted(turns), "each writer is served in the order of arrival"
