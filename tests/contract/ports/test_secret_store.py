"""One contract for every secret store, and the use of an outside store by an SQL transaction."""

import base64
import os
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from sellergate_account.model import SecretRef
from sellergate_account.ports.errors import DecryptionError, InUse
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.secrets.sealed_columns import SealedColumns
from sellergate_account.storage.database import Database
from sellergate_account.storage.rewrapper import SqlRewrapper
from sellergate_account.storage.store import SqlStore
from sellergate_common.crypto.sealing import KeyRing
from sqlalchemy import text

from tests.contract.ports.sent_statements import sent
from tests.contract.ports.test_account_store import CLIENT, INDEX_KEY, RING, account, application, migrated
from tests.fakes.account import FakeSecretStore

REF = SecretRef("accounts/a", "refresh_token", 3)
SECRET = SecretStr("Atzr|hidden")


@pytest.fixture(params=["fake", "sealed columns"])
def secrets(request: pytest.FixtureRequest) -> SecretStore:
    return FakeSecretStore() if request.param == "fake" else SealedColumns(RING)


@pytest.fixture
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with migrated("sqlite", request) as opened:
        yield opened


async def test_a_secret_is_read_back_and_its_row_holds_no_part_of_it(secrets: SecretStore) -> None:
    kept = await secrets.write(REF, SECRET)
    assert "hidden" not in kept
    assert await secrets.read(REF, kept) == SECRET


async def test_each_write_makes_a_version_and_earlier_ones_stay_readable(secrets: SecretStore) -> None:
    first = await secrets.write(REF, SECRET)
    second = await secrets.write(REF, SecretStr("Atzr|2"))
    assert await secrets.read(REF, first) == SECRET
    assert await secrets.read(REF, second) == SecretStr("Atzr|2")


@pytest.mark.parametrize(
    "other",
    [
        SecretRef("accounts/b", "refresh_token", 3),
        SecretRef("accounts/a", "client_id", 3),
        SecretRef("accounts/a", "refresh_token", 4),
        SecretRef("accounts/a", "refresh_token"),
    ],
)
async def test_a_kept_text_belongs_to_one_reference(secrets: SecretStore, other: SecretRef) -> None:
    kept = await secrets.write(REF, SECRET)
    with pytest.raises(DecryptionError) as caught:
        await secrets.read(other, kept)
    assert caught.value.metadata == {"row": other.row}
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize("kept", ["", "garbage", "e30.a.b.c.d"])
async def test_a_text_that_the_store_did_not_return_is_an_error_of_its_row(secrets: SecretStore, kept: str) -> None:
    with pytest.raises(DecryptionError) as caught:
        await secrets.read(REF, kept)
    assert caught.value.metadata == {"row": "accounts/a"}
    with pytest.raises(DecryptionError):
        await secrets.rewrap(REF, kept)


async def test_a_current_secret_is_not_stored_again(secrets: SecretStore) -> None:
    assert await secrets.rewrap(REF, await secrets.write(REF, SECRET)) is None


async def test_deleting_twice_raises_nothing(secrets: SecretStore) -> None:
    kept = await secrets.write(REF, SECRET)
    await secrets.delete(REF, kept)
    await secrets.delete(REF, kept)


async def test_sealed_columns_are_sealed_again_under_the_newest_key() -> None:
    lines = [f"{kid} {base64.urlsafe_b64encode(os.urandom(64)).decode()}\n" for kid in ("new", "old")]
    kept = await SealedColumns(KeyRing.parse(lines[1])).write(REF, SECRET)
    again = await SealedColumns(KeyRing.parse("".join(lines))).rewrap(REF, kept)
    assert again is not None
    assert await SealedColumns(KeyRing.parse(lines[0])).read(REF, again) == SECRET


async def test_a_store_outside_deletes_a_secret_only_once_its_rows_removal_is_committed(database: Database) -> None:
    outside = FakeSecretStore()
    store = SqlStore(database, RING, INDEX_KEY, secrets=outside)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        await work.accounts.add(account("a"), SECRET)
    stored = dict(outside.versions)
    with pytest.raises(RuntimeError):
        async with store.writing() as work:
            await work.accounts.remove("a")
            raise RuntimeError
    with pytest.raises(InUse):
        async with store.writing() as work:
            await work.applications.remove("app")
    assert outside.versions == stored
    async with store.writing() as work:
        await work.accounts.remove("a")
        await work.applications.remove("app")
    assert not outside.versions


async def test_rows_with_secrets_outside_get_new_macs_only(database: Database) -> None:
    outside = FakeSecretStore()
    async with SqlStore(database, RING, INDEX_KEY, secrets=outside).writing() as work:
        await work.applications.add(application(), CLIENT)
        await work.accounts.add(account("a"), SECRET)
    before = await kept_texts(database)
    newest = f"k2 {base64.urlsafe_b64encode(os.urandom(64)).decode()}\n"
    both = KeyRing({**KeyRing.parse(newest).keys, **RING.keys})
    assert (await SqlRewrapper(database, both, secrets=outside).rewrap("accounts", "", 9)).rewrapped == 1
    assert await kept_texts(database) == before
    async with SqlStore(database, KeyRing.parse(newest), INDEX_KEY, secrets=outside).reading() as work:
        assert await work.accounts.read_refresh_token(account("a")) == SECRET


async def kept_texts(database: Database) -> object:
    async with database.reading() as connection:
        return (await connection.execute(text("SELECT account_id, refresh_token_sealed FROM accounts"))).all()


async def test_a_secret_needs_no_statement_of_its_own(database: Database) -> None:
    store = SqlStore(database, RING, INDEX_KEY)
    with sent() as of_new:
        async with store.writing() as work:
            await work.applications.add(application(), CLIENT)
            await work.accounts.add(account("a"), SECRET)
    with sent() as of_changed:
        async with store.writing() as work:
            await work.accounts.save(account("a", revision=2), SECRET)
    with sent() as of_removed:
        async with store.writing() as work:
            await work.accounts.remove("a")
            await work.applications.remove("app")
    assert verbs(of_new) == ["BEGIN", "INSERT", "INSERT"]
    assert verbs(of_changed) == ["BEGIN", "SELECT", "UPDATE"]
    assert verbs(of_removed) == ["BEGIN", "DELETE", "DELETE"]


def verbs(statements: list[str]) -> list[str]:
    return [one.split(maxsplit=1)[0] for one in statements]
