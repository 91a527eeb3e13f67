"""Changes by a thief: an altered, moved, inserted, deleted or restored row is refused on read or found by `audit verify`."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.admin.anchors import verify_anchors
from sellergate_account.admin.audit_check import verify
from sellergate_account.applications import LwaClient
from sellergate_account.model import Anchor, Changes, Filter
from sellergate_account.ports.errors import NotAuthentic
from sellergate_account.storage.database import Database
from sellergate_common.errors import Reason
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from tests.contract.ports.test_account_store import database
from tests.contract.ports.thief import TABLES, World, documented, is_row, made, walk_columns, walk_rows

__all__ = ["database"]


@pytest.fixture
async def world(database: Database) -> World:
    return await made(database)


async def test_every_column_and_row_is_protected_as_the_page_says(world: World) -> None:
    async with world.database.engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    assert set(TABLES) | {"alembic_version"} == tables
    assert not (await verify(world.domain.store, world.domain.audit, "")).faults
    # An account's columns that are restored without their chain do not match it.
    key = world.targets["accounts"]
    earlier = {name: value for name, value in world.earlier["accounts"][key].items() if not name.startswith("audit_")}
    async with world.theft() as theft:
        await theft.change(TABLES["accounts"], key, earlier)
        assert await theft.found("accounts", earlier) == "read and verify"
    # Testing every column on PostgreSQL takes too long here; tests/system/test_thief.py does it.
    every = world.database.engine.dialect.name == "sqlite"
    seen = {**await walk_columns(world, every=every), **await walk_rows(world)}
    documented_rows = documented() if every else {key: found for key, found in documented().items() if key in seen}
    assert seen == documented_rows, "\n".join(
        f"| `{name}` | `{what}` | {found} |" for (name, what), found in seen.items()
    )


def refused_rows(table: str) -> float | None:
    return REGISTRY.get_sample_value("sellergate_rows_refused_total", {"table": table})


async def test_an_account_taken_over_by_sql_is_refused_to_both_users(world: World) -> None:
    (account_id,) = world.targets["accounts"]
    async with world.database.writing() as connection:
        await connection.execute(
            text(f"UPDATE accounts SET user_id = 'thief', state = 'ACTIVE' WHERE account_id = '{account_id}'")
        )
    refused = refused_rows("accounts")
    for attempt in (
        lambda: world.domain.accounts.get(account_id, "thief"),
        lambda: world.domain.accounts.get(account_id, "u1"),
        lambda: world.domain.accounts.secrets(account_id),
        lambda: world.domain.accounts.update(account_id, "thief", Changes(region="eu-west-2"), ""),
        lambda: world.domain.accounts.remove(account_id, "thief", ""),
        lambda: world.domain.clients.create("thief", "mine", [account_id]),
    ):
        with pytest.raises(NotAuthentic) as caught:
            await attempt()
        assert caught.value.reason is Reason.ROW_NOT_AUTHENTIC
        assert caught.value.metadata == {"row": f"accounts/{account_id}"}
    assert (refused_rows("accounts") or 0) > (refused or 0)
    async with world.domain.store.reading() as work:
        assert [one.account_id for one in await work.accounts.list(Filter("thief"), None, 9)] == []
        assert len(await work.accounts.list(Filter(), None, 9)) == 2
        assert len(await work.accounts.list(Filter(), None, 2)) == 2, "a page is filled up with the rows after it"
    assert (await verify(world.domain.store, world.domain.audit, account_id)).faults


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_sqlite_values_of_a_wrong_type_are_refused_too(world: World) -> None:
    key = world.targets["accounts"]
    for column in ("create_time", "authorization_expire_time", "marketplace_ids", "revision", "sandbox", "state"):
        async with world.theft() as theft:
            await theft.connection.execute(
                text(f"UPDATE accounts SET {column} = x'ff00' WHERE account_id = '{key[0]}'")
            )
            assert await theft.found("accounts", world.rows["accounts"][key]) == "read and verify", column


async def anchors_of(logs: list[dict[str, object]]) -> AsyncIterator[list[Anchor]]:
    found = [one for one in logs if one["event"] == "audit_anchor"]
    yield [Anchor(*(one[name] for name in ("chain", "number", "mac", "revision"))) for one in found]  # type: ignore[arg-type]


async def test_a_database_restored_as_a_whole_is_found_by_logged_anchors(world: World) -> None:
    domain, (account_id,) = world.domain, world.targets["accounts"]
    before = world.rows
    with capture_logs() as logs, pytest.raises(RuntimeError):
        async with domain.store.writing() as work:
            await domain.audit.record(work.audit_log, "anything")
            raise RuntimeError
    assert not [one for one in logs if one["event"] == "audit_anchor"], "nothing was stored"
    with capture_logs() as logs:
        await domain.accounts.update(account_id, "u1", Changes(refresh_token=SecretStr("Atzr|3")), "")
        account, _ = await domain.accounts.upsert(_connection("SELLER5"))
    assert not (await verify_anchors(domain.store, anchors_of(logs))).faults
    numbers = [(one["chain"], one["revision"]) for one in logs if one["event"] == "audit_anchor"]
    assert (account_id, 3 + 1) in numbers
    assert ("", 0) in numbers
    async with world.database.writing() as connection:
        await connection.execute(text(f"DELETE FROM accounts WHERE account_id = '{account.account_id}'"))
        await connection.execute(text(f"DELETE FROM audit_events WHERE chain = '{account.account_id}'"))
        for name in ("accounts", "audit_chains"):
            for key, row in before[name].items():
                table = TABLES[name]
                await connection.execute(table.update().where(*is_row(table, key)).values(**row))
        known = [(event["chain"], event["sequence"]) for event in before["audit_events"].values()]
        for chain, number in await _events(connection):
            if (chain, number) not in known:
                statement = "DELETE FROM audit_events WHERE chain = :chain AND sequence = :number"
                await connection.execute(text(statement), {"chain": chain, "number": number})
    assert not (await verify(domain.store, domain.audit, "")).faults, "by itself the database is as it was"
    faults = (await verify_anchors(domain.store, anchors_of(logs))).faults
    assert f"account {account_id}: event 5 was logged and is missing in the database" in faults
    assert any(fault.startswith("global chain: ") for fault in faults)
    assert f"row accounts/{account_id}: it is at revision 3, but revision 4 was logged" in faults


def _connection(seller: str) -> Connection:
    client = LwaClient(SecretStr("amzn1.client"), SecretStr("secret"))
    return Connection("u1", seller, "US", client=client, refresh_token=SecretStr("Atzr|1"))


async def _events(connection: AsyncConnection) -> list[tuple[str, int]]:
    return [
        (chain, number) for chain, number in await connection.execute(text("SELECT chain, sequence FROM audit_events"))
    ]
