"""One contract for every store of accounts: in memory, SQLite, PostgreSQL."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sellergate_account.model import (
    Account,
    Application,
    ApplicationSecrets,
    Cursor,
    Filter,
    Signing,
    State,
    VerificationMethod,
)
from sellergate_account.ports.errors import DecryptionError, DuplicateKey, InUse, NotAuthentic
from sellergate_account.ports.unit_of_work import Store
from sellergate_account.storage.database import Database, open_database
from sellergate_account.storage.migrating import BASE, HEAD, migrate
from sellergate_account.storage.store import SqlStore
from sellergate_account.storage.tables import Base
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.errors import Unavailable
from sqlalchemy import inspect, text

from tests.fakes.account import FakeSecretStore, FakeStore

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
RING = KeyRing.parse(f"k1 {base64.urlsafe_b64encode(os.urandom(64)).decode()}")
INDEX_KEY = os.urandom(32)
CLIENT = ApplicationSecrets(SecretStr("amzn1.client"), SecretStr("client-secret"))


def application(application_id: str = "app", owner: str = "u1") -> Application:
    return Application(application_id, owner, "ient", 1, 1, NOW, NOW)


def account(account_id: str, seller: str = "SELLER1", user: str = "u1", **given: object) -> Account:
    row = Account(
        account_id=account_id,
        user_id=user,
        application_id="app",
        amazon_seller_id=seller,
        marketplace="US",
        marketplace_ids=("ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"),
        region="us-east-1",
        iam_role_arn="",
        external_id="ext",
        signing=Signing.AUTO,
        sandbox=False,
        state=State.ACTIVE,
        refresh_token_set=True,
        authorization_expire_time=NOW + timedelta(days=365),
        revision=1,
        version=1,
        create_time=NOW,
        update_time=NOW,
    )
    return replace(row, **given)  # type: ignore[arg-type]


@asynccontextmanager
async def migrated(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else _sqlite(request)
    # Some tests run many transactions at once, also on a busy machine.
    async with open_database(url, pool_wait=60) as opened:
        await migrate(opened.engine)
        yield opened
        await migrate(opened.engine, BASE)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with migrated(request.param, request) as opened:
        yield opened


@pytest.fixture(params=["fake", "sqlite", "sqlite and a secret store outside of it", "postgresql"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        made: Store = FakeStore()
        if request.param != "fake":
            secrets = FakeSecretStore() if "outside" in request.param else None
            opened = await stack.enter_async_context(migrated(request.param.split()[0], request))
            made = SqlStore(opened, RING, INDEX_KEY, secrets=secrets)
        async with made.writing() as work:
            await work.applications.add(application(), CLIENT)
        yield made


def _sqlite(request: pytest.FixtureRequest) -> str:
    folder: Path = request.getfixturevalue("tmp_path")
    return f"sqlite:///{folder / 'accounts.sqlite'}"


async def test_stored_values_are_read_back(store: Store) -> None:
    async with store.writing() as work:
        await work.accounts.add(account("a"), SecretStr("Atzr|1"))
    async with store.reading() as work:
        assert await work.accounts.get("a") == account("a")
        assert await work.accounts.find("u1", "SELLER1", "US") == account("a")
        assert await work.accounts.get("b") is None
        assert await work.accounts.find("u2", "SELLER1", "US") is None
        assert await work.accounts.read_refresh_token(account("a")) == SecretStr("Atzr|1")
        assert await work.applications.get("app") == application()
        assert await work.applications.find("u1", SecretStr("amzn1.client")) == application()
        assert await work.applications.find("u2", SecretStr("amzn1.client")) is None
        assert await work.applications.read_secrets(application()) == CLIENT


async def test_a_verification_is_read_back_and_ends(store: Store) -> None:
    method = VerificationMethod.CONSENT
    verified = account("a", version=2, verified_time=NOW, verification_method=method)
    async with store.writing() as work:
        await work.accounts.add(account("a"), SecretStr("Atzr|1"))
        await work.accounts.save(verified, None)
    async with store.writing() as work:
        assert await work.accounts.get("a") == verified
        await work.accounts.save(account("a", version=3), None)
    async with store.reading() as work:
        assert await work.accounts.get("a") == account("a", version=3)


async def test_a_key_is_stored_once(store: Store) -> None:
    async with store.writing() as work:
        await work.accounts.add(account("a"), SecretStr("Atzr|1"))
    with pytest.raises(DuplicateKey):
        async with store.writing() as work:
            await work.accounts.add(account("b"), SecretStr("Atzr|2"))
    with pytest.raises(DuplicateKey):
        async with store.writing() as work:
            await work.applications.add(application("other"), CLIENT)
    async with store.reading() as work:
        assert await work.accounts.get("b") is None


async def test_accounts_are_found_by_seller_reference_and_labels(store: Store) -> None:
    rows = [
        account("a", "SELLER1", external_ref="4711", labels={"tier": "gold", "acme.example/team": "a"}),
        account("b", "SELLER2", external_ref="4712", labels={"tier": "gold"}),
        account("c", "SELLER1", "u2", external_ref="4711", labels={"tier": "", "9.x": "%"}),
        account("d", "SELLER3"),
    ]
    async with store.writing() as work:
        for one in rows:
            await work.accounts.add(one, SecretStr("Atzr|1"))
    expected: dict[Filter, str] = {
        Filter(amazon_seller_id="SELLER1"): "ac",
        Filter("u2", amazon_seller_id="SELLER1"): "c",
        Filter(external_ref="4711"): "ac",
        Filter("u1", external_ref="4711"): "a",
        Filter(external_ref="471"): "",
        Filter(labels=(("tier", "gold"),)): "ab",
        Filter(labels=(("acme.example/team", "a"), ("tier", "gold"))): "a",
        Filter(labels=(("tier", ""),)): "c",
        Filter(labels=(("9.x", "%"),)): "c",
        Filter(labels=(("tie", "gold"),)): "",
        Filter(amazon_seller_id="SELLER1", labels=(("tier", "gold"),)): "a",
    }
    async with store.reading() as work:
        assert [await work.accounts.get(one.account_id) for one in rows] == rows
        for narrowed, ids in expected.items():
            found = await work.accounts.list(narrowed, None, 9)
            assert "".join(one.account_id for one in found) == ids, narrowed


async def test_a_reference_is_stored_once_for_a_user(store: Store) -> None:
    async with store.writing() as work:
        await work.accounts.add(account("a", "SELLER1", external_ref="4711"), SecretStr("Atzr|1"))
        await work.accounts.add(account("b", "SELLER1", "u2", external_ref="4711"), SecretStr("Atzr|1"))
        await work.accounts.add(account("c", "SELLER2"), SecretStr("Atzr|1"))
        await work.accounts.add(account("d", "SELLER3"), SecretStr("Atzr|1"))
    async with store.reading() as work:
        assert [await work.accounts.find_holder(user, "4711") for user in ("u1", "u2", "u3")] == ["a", "b", None]
        assert await work.accounts.find_holder("u1", "471") is None
    with pytest.raises(DuplicateKey):
        async with store.writing() as work:
            await work.accounts.save(account("c", "SELLER2", version=2, external_ref="4711"), None)
    with pytest.raises(DuplicateKey):
        async with store.writing() as work:
            await work.accounts.add(account("e", "SELLER4", external_ref="4711"), SecretStr("Atzr|1"))
    async with store.writing() as work:
        await work.accounts.save(account("a", "SELLER1", version=2, external_ref=""), None)
        await work.accounts.save(account("c", "SELLER2", version=2, external_ref="4711"), None)


async def test_a_failed_transaction_stores_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError):
        async with store.writing() as work:
            await work.accounts.add(account("a"), SecretStr("Atzr|1"))
            raise RuntimeError
    async with store.reading() as work:
        assert await work.accounts.get("a") is None


async def test_a_saved_account_keeps_its_token_through_revisions(store: Store) -> None:
    async with store.writing() as work:
        await work.accounts.add(account("a"), SecretStr("Atzr|1"))
    moved = account("a", revision=2, version=2, iam_role_arn="arn:aws:iam::123456789012:role/x")
    async with store.writing() as work:
        await work.accounts.save(moved, None)
    async with store.reading() as work:
        assert await work.accounts.get("a") == moved
        assert await work.accounts.read_refresh_token(moved) == SecretStr("Atzr|1")
    renewed = replace(moved, revision=3, version=3)
    async with store.writing() as work:
        await work.accounts.save(renewed, SecretStr("Atzr|2"))
    async with store.reading() as work:
        assert await work.accounts.read_refresh_token(renewed) == SecretStr("Atzr|2")


async def test_an_application_keeps_its_previous_secret(store: Store) -> None:
    rotated = replace(application(), revision=2, version=2, previous_secret_expire_time=NOW + timedelta(days=7))
    secrets = ApplicationSecrets(CLIENT.client_id, SecretStr("new"), CLIENT.client_secret)
    async with store.writing() as work:
        await work.applications.save(rotated, secrets)
    async with store.reading() as work:
        assert await work.applications.get("app") == rotated
        assert await work.applications.read_secrets(rotated) == secrets


async def test_pages_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    rows = [
        account(f"id-{index}", f"SELLER{index}", create_time=NOW + timedelta(seconds=index // 3)) for index in range(10)
    ]
    async with store.writing() as work:
        for row in reversed(rows):
            await work.accounts.add(row, SecretStr("t"))
        await work.accounts.add(account("other", user="u2", state=State.INACTIVE), SecretStr("t"))
    async with store.reading() as work:
        seen: list[Account] = []
        while page := await work.accounts.list(
            Filter("u1"), Cursor(seen[-1].create_time, seen[-1].account_id) if seen else None, 3
        ):
            seen.extend(page)
        assert seen == rows
        assert [row.account_id for row in await work.accounts.list(Filter(states=(State.INACTIVE,)), None, 9)] == [
            "other"
        ]
        assert await work.accounts.list(Filter(marketplaces=("DE",)), None, 9) == []
        assert await work.accounts.list(Filter(application_id="another"), None, 9) == []
        assert await work.accounts.list(Filter(application_id=seen[0].application_id), None, 9)


async def test_applications_are_listed_in_order_by_owner_and_kept_whole(store: Store) -> None:
    full = replace(
        application("zz", "u2"),
        name="Named",
        spapi_application_id="amzn1.sp.solution.1",
        redirect_uris=("https://a.example/cb", "https://b.example/cb"),
        draft=True,
        secret_expire_time=NOW + timedelta(days=180),
        create_time=NOW - timedelta(days=1),
    )
    async with store.writing() as work:
        await work.applications.add(full, CLIENT)
        await work.applications.add(application("shared", ""), CLIENT)
    async with store.reading() as work:
        assert list(await work.applications.list(None, None, 9)) == [full, application(), application("shared", "")]
        assert list(await work.applications.list(("u1", ""), None, 1)) == [application()]
        assert list(await work.applications.list(None, Cursor(full.create_time, "zz"), 1)) == [application()]


async def test_an_application_that_accounts_use_is_not_removed(store: Store) -> None:
    async with store.writing() as work:
        await work.accounts.add(account("a"), SecretStr("t"))
    with pytest.raises(InUse):
        async with store.writing() as work:
            await work.applications.remove("app")
    async with store.writing() as work:
        await work.accounts.remove("a")
        await work.applications.remove("app")
    async with store.reading() as work:
        assert await work.applications.get("app") is None


async def test_a_removed_account_is_not_found(store: Store) -> None:
    async with store.writing() as work:
        await work.accounts.add(account("a"), SecretStr("t"))
    async with store.writing() as work:
        await work.accounts.remove("a")
    async with store.reading() as work:
        assert await work.accounts.get("a") is None


async def test_a_user_keeps_the_external_id_it_got_first(store: Store) -> None:
    async with store.writing() as work:
        assert await work.external_ids.get_or_add("u1", "first") == "first"
    async with store.writing() as work:
        assert await work.external_ids.get_or_add("u1", "second") == "first"
        assert await work.external_ids.get_or_add("u2", "third") == "third"


async def test_migrations_up_and_down_make_the_schema_of_the_records(database: Database) -> None:
    await migrate(database.engine, BASE)
    await migrate(database.engine, HEAD)
    async with database.engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        assert tables == {*Base.metadata.tables, "alembic_version"}
        for name, table in Base.metadata.tables.items():
            columns = await connection.run_sync(lambda sync, name=name: inspect(sync).get_columns(name))
            assert {column["name"] for column in columns} == set(table.columns.keys())
            nullable = {column["name"] for column in columns if column["nullable"]}
            assert nullable == {column.name for column in table.columns if column.nullable}


async def test_replicas_that_start_together_migrate_once(database: Database) -> None:
    await migrate(database.engine, BASE)
    if database.engine.dialect.name == "postgresql":
        await asyncio.gather(*(migrate(database.engine) for _ in range(4)))
    else:
        await migrate(database.engine)
        await migrate(database.engine)


async def test_no_secret_is_in_a_table_in_the_clear(database: Database) -> None:
    store = SqlStore(database, RING, INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        await work.accounts.add(account("a"), SecretStr("Atzr|hidden"))
    async with database.reading() as connection:
        dump = ""
        for table in Base.metadata.tables:
            dump += repr((await connection.execute(text(f"SELECT * FROM {table}"))).all())
    for secret in ("Atzr|hidden", "client-secret", "amzn1.client"):
        assert secret not in dump
    assert "SELLER1" in dump


async def test_a_value_moved_to_another_row_does_not_open(database: Database) -> None:
    store = SqlStore(database, RING, INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        await work.accounts.add(account("a"), SecretStr("Atzr|a"))
        await work.accounts.add(account("b", "SELLER2"), SecretStr("Atzr|b"))
    async with database.writing() as connection:
        await connection.execute(
            text(
                "UPDATE accounts SET refresh_token_sealed = (SELECT refresh_token_sealed FROM accounts WHERE account_id='a')"
            )
        )
    async with store.reading() as work:
        assert await work.accounts.read_refresh_token(account("a")) == SecretStr("Atzr|a")
        with pytest.raises(NotAuthentic, match="changed outside"):
            await work.accounts.read_refresh_token(account("b", "SELLER2"))
    async with SqlStore(database, RING, INDEX_KEY, adopts=True).reading() as work:
        with pytest.raises(DecryptionError, match="cannot be opened"):
            await work.accounts.read_refresh_token(account("b", "SELLER2"))


async def test_a_database_that_is_down_is_unavailable() -> None:
    async with open_database("postgresql://nobody@127.0.0.1:1/none") as database:
        with pytest.raises(Unavailable) as caught:
            await database.ping()
    assert caught.value.retry_after


async def test_parallel_writers_of_one_row_queue_up(database: Database) -> None:
    store = SqlStore(database, RING, INDEX_KEY)
    async with store.writing() as work:
        await work.applications.add(application(), CLIENT)
        await work.accounts.add(account("a"), SecretStr("t"))

    async def raise_version() -> None:
        async with store.writing() as work:
            row = await work.accounts.get("a")
            assert row
            await asyncio.sleep(0.005)
            await work.accounts.save(replace(row, version=row.version + 1), None)

    await asyncio.gather(*(raise_version() for _ in range(20)))
    async with store.reading() as work:
        row = await work.accounts.get("a")
        assert row
        assert row.version == 21
