"""Re-wrapping on real databases: afterwards every secret opens with only the new key, also after an interrupted run."""

import base64
import os
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sellergate_account.admin.rewrap import Progress, adopt, rewrap
from sellergate_account.model import Batch, DropInClient, Filter, FirstResponse, KeyedRequest
from sellergate_account.ports.errors import DecryptionError, NotAuthentic
from sellergate_account.storage.database import Database
from sellergate_account.storage.rewrapper import SqlRewrapper
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing
from sqlalchemy import text

from tests.contract.ports.sent_statements import statements
from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, NOW, account, application, database
from tests.fakes.account import Domain

__all__ = ["database"]
ROWS = 25


def key(kid: str) -> str:
    return f"{kid} {base64.urlsafe_b64encode(os.urandom(64)).decode()}\n"


OLD, NEW = key("old"), key("new")
BOTH = KeyRing.parse(NEW + OLD)


@pytest.fixture
async def filled(database: Database) -> Database:
    async with SqlStore(database, KeyRing.parse(OLD), INDEX_KEY).writing() as work:
        await work.applications.add(application(), CLIENT)
        for number in range(ROWS):
            await work.accounts.add(account(f"a{number:02}", f"SELLER{number}"), SecretStr(f"Atzr|{number}"))
    return database


async def test_responses_of_keyed_requests_are_sealed_again_too(filled: Database) -> None:
    request = KeyedRequest("key-of-the-request", "edge", "u1", "CreateClient", "d" * 64)
    async with SqlStore(filled, KeyRing.parse(OLD), INDEX_KEY).writing() as work:
        await work.keyed_requests.claim(request, NOW, NOW)
        await work.keyed_requests.respond(request, b"response")
    assert (await steps(SqlRewrapper(filled, BOTH), 10))[-1].rewrapped == ROWS + 2
    async with SqlStore(filled, KeyRing.parse(NEW), INDEX_KEY).writing() as work:
        first = await work.keyed_requests.claim(request, NOW, NOW - timedelta(seconds=1))
    assert first == FirstResponse(is_same=True, response=b"response")


async def steps(rewrapper: SqlRewrapper, size: int) -> list[Progress]:
    store = SqlStore(rewrapper.database, BOTH, INDEX_KEY)
    return [step async for step in rewrap(store, rewrapper, Domain(store).audit, size)]


async def test_a_batch_is_read_and_written_in_one_statement_each(filled: Database) -> None:
    with statements() as seen:
        batch = await SqlRewrapper(filled, BOTH).rewrap("accounts", "", ROWS)
    assert batch.rewrapped == ROWS
    assert [one for one in seen if "accounts" in one] == [
        "SELECT accounts",
        "UPDATE accounts refresh_token_sealed names_mac verified_mac row_mac",
    ]


async def assert_everything_opens(database: Database, ring: KeyRing) -> None:
    async with SqlStore(database, ring, INDEX_KEY).reading() as work:
        assert await work.applications.read_secrets(application()) == CLIENT
        for number in range(ROWS):
            row = account(f"a{number:02}", f"SELLER{number}")
            assert await work.accounts.read_refresh_token(row) == SecretStr(f"Atzr|{number}")


async def test_the_old_key_is_not_needed_after_a_rewrap(filled: Database) -> None:
    done = await steps(SqlRewrapper(filled, BOTH), 10)
    assert done[-1] == Progress(rewrapped=ROWS + 1, skipped=0, total=ROWS + 1, unopened_ids=())
    assert [step.rewrapped for step in done] == [1, 11, 21, 26, 26, 26, 26, 26], "the last tables are empty"
    await assert_everything_opens(filled, KeyRing.parse(NEW))
    again = await steps(SqlRewrapper(filled, BOTH), 10)
    assert (again[-1].rewrapped, again[-1].skipped) == (0, ROWS + 1)


async def test_an_interrupted_run_is_completed_by_the_next_one(filled: Database) -> None:
    class Interrupted(SqlRewrapper):
        batches = 0

        async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
            self.batches += 1
            if self.batches == 4:
                raise KeyboardInterrupt
            return await super().rewrap(table, after_id, size)

    with pytest.raises(KeyboardInterrupt):
        await steps(Interrupted(filled, BOTH), 5)
    await assert_everything_opens(filled, BOTH)
    done = await steps(SqlRewrapper(filled, BOTH), 5)
    assert (done[-1].rewrapped, done[-1].skipped) == (ROWS - 10, 11)
    await assert_everything_opens(filled, KeyRing.parse(NEW))


async def test_rows_that_do_not_open_are_reported_and_left_as_they_are(filled: Database) -> None:
    async with filled.writing() as connection:
        broken = text("UPDATE accounts SET refresh_token_sealed = 'garbage' WHERE account_id IN ('a03', 'a17')")
        await connection.execute(broken)
    done = await steps(SqlRewrapper(filled, BOTH), 10)
    assert [unopened for step in done for unopened in step.unopened_ids] == ["a03", "a17"]
    assert (done[-1].rewrapped, done[-1].skipped, done[-1].total) == (ROWS - 1, 0, ROWS + 1)
    async with filled.reading() as connection:
        kept = await connection.scalars(text("SELECT account_id FROM accounts WHERE refresh_token_sealed = 'garbage'"))
        assert sorted(kept) == ["a03", "a17"]


async def test_macs_are_renewed_under_the_newest_key_except_for_tampered_rows(filled: Database) -> None:
    async with SqlStore(filled, KeyRing.parse(OLD), INDEX_KEY).writing() as work:
        await work.external_ids.get_or_add("u1", "ext")
        await work.clients.add(DropInClient("c1", "u1", "name", ("a01",), NOW), "digest", {"a01": "handle"})
    async with filled.writing() as connection:
        await connection.execute(text("UPDATE accounts SET user_id = 'thief' WHERE account_id = 'a03'"))
        await connection.execute(text("UPDATE drop_in_clients SET user_id = 'thief'"))
    done = await steps(SqlRewrapper(filled, BOTH), 10)
    assert [unopened for step in done for unopened in step.unopened_ids] == ["a03", "c1"]
    assert done[-1].rewrapped == ROWS + 2
    async with SqlStore(filled, KeyRing.parse(NEW), INDEX_KEY).reading() as work:
        assert await work.accounts.get("a01")
        assert await work.external_ids.get_or_add("u1", "other") == "ext"
        assert await work.clients.find_account("c1", "handle") == "a01"
        with pytest.raises(NotAuthentic):
            await work.accounts.get("a03")
        with pytest.raises(NotAuthentic):
            await work.clients.get("c1")


async def test_rows_of_a_release_without_macs_are_refused_until_they_are_adopted(filled: Database) -> None:
    ring = KeyRing.parse(OLD)
    async with filled.writing() as connection:
        await connection.execute(text("UPDATE accounts SET row_mac = ''"))
        await connection.execute(text("UPDATE accounts SET row_mac = 'old.00', region = 'x' WHERE account_id = 'a03'"))
    with pytest.raises(NotAuthentic):
        async with SqlStore(filled, ring, INDEX_KEY).reading() as work:
            await work.accounts.get("a01")
    assert len([one for step in await steps(SqlRewrapper(filled, BOTH), 10) for one in step.unopened_ids]) == ROWS
    lenient = SqlStore(filled, BOTH, INDEX_KEY, adopts=True)
    async with lenient.reading() as work:
        assert len(await work.accounts.list(Filter(), None, 99)) == ROWS
    await adopt(lenient, SqlRewrapper(filled, BOTH, adopts=True), Domain(lenient).audit)
    async with SqlStore(filled, KeyRing.parse(NEW), INDEX_KEY).reading() as work:
        assert len(await work.accounts.list(Filter(), None, 99)) == ROWS


async def test_rows_whose_key_is_lost_are_adopted_and_their_secrets_stored_again(filled: Database) -> None:
    ring = KeyRing.parse(NEW)
    lenient = SqlStore(filled, ring, INDEX_KEY, adopts=True)
    await adopt(lenient, SqlRewrapper(filled, ring, adopts=True), Domain(lenient).audit)
    async with SqlStore(filled, ring, INDEX_KEY).writing() as work:
        row = account("a01", "SELLER1")
        assert await work.accounts.get("a01") == row
        with pytest.raises(DecryptionError):
            await work.accounts.read_refresh_token(row)
        await work.accounts.save(row, SecretStr("Atzr|again"))
        assert await work.accounts.read_refresh_token(row) == SecretStr("Atzr|again")
