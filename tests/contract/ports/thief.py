"""A thief with write access to the account database, and the checks that detect each change."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.admin.audit_check import verify
from sellergate_account.applications import LwaClient, NewApplication
from sellergate_account.model import Changes, KeyedRequest
from sellergate_account.ports.errors import NotAuthentic
from sellergate_account.ports.unit_of_work import UnitOfWork
from sellergate_account.secrets.rotation import NewSecret
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore, SqlUnitOfWork
from sellergate_account.storage.tables import Base
from sqlalchemy import Column, Table, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.contract.ports.test_account_store import INDEX_KEY, NOW, RING
from tests.fakes.account import Domain
from tests.paths import ROOT

_LINE = re.compile(r"^\| `(\w+)` \| `(\w+)` \| ([^|]+) \|$", re.MULTILINE)
REQUEST = KeyedRequest("key", "edge", "u1", "CreateClient", "d" * 64)
Row = Mapping[str, Any]
TABLES: Mapping[str, Table] = Base.metadata.tables


class Peeking:
    """A store whose only transaction is the thief's, so that a rollback undoes each change."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        yield self._work

    reading_once = writing = reading


@dataclass
class World:
    """Rows in every table, and their state before the last change of each.

    `targets` names a row of each table that no other row refers to, so that the database lets all of its columns be changed.
    """

    database: Database
    domain: Domain
    earlier: dict[str, dict[tuple[Any, ...], Row]]
    rows: dict[str, dict[tuple[Any, ...], Row]]
    targets: dict[str, tuple[Any, ...]]

    @asynccontextmanager
    async def theft(self) -> AsyncIterator["Theft"]:
        """Open a transaction of the thief, which is rolled back at its end."""
        async with self.database.engine.connect() as connection:
            await connection.execution_options(sellergate_reads=False)
            transaction = await connection.begin()
            try:
                yield Theft(connection, self.domain)
            finally:
                await transaction.rollback()


@dataclass
class Theft:
    """A change by a thief, and where it is detected."""

    connection: Any
    domain: Domain

    @property
    def work(self) -> SqlUnitOfWork:
        store = self.domain.store
        assert isinstance(store, SqlStore)
        return SqlUnitOfWork(self.connection, store._parts, None)

    async def found(self, table: str, row: Row) -> str:
        """Return where the change is detected: "read", "verify", both or "-"."""
        read = await self.refused(table, row)
        finding = await verify(Peeking(self.work), self.domain.audit, "")
        return " and ".join(["read"] * read + ["verify"] * bool(finding.fault_count)) or "-"

    async def refused(self, table: str, row: Row) -> bool:
        """Return whether the service refuses to read the row."""
        work = self.work
        try:
            match table:
                case "accounts":
                    await work.accounts.get(row["account_id"])
                case "applications":
                    await work.applications.get(row["application_id"])
                case "external_ids":
                    await work.external_ids.get_or_add(row["user_id"], "x" * 16)
                    await work.send()  # the end of the transaction does this
                case "drop_in_clients":
                    await work.clients.read_secret_digest(row["client_id"])
                case "drop_in_handles":
                    await work.clients.find_account(row["client_id"], row["handle_digest"])
                case "keyed_requests":
                    await work.keyed_requests.claim(REQUEST, NOW, NOW - timedelta(days=1))
        except NotAuthentic:
            return True
        return False

    async def change(self, table: Table, key: tuple[Any, ...], values: Row) -> bool:
        """Change a row; return whether the database accepted it."""
        return await self._done(update(table).where(*is_row(table, key)).values(**values))

    async def insert(self, table: Table, row: Row) -> bool:
        """Insert a row; return whether the database accepted it."""
        return await self._done(insert(table).values(**row))

    async def _done(self, statement: Any) -> bool:
        try:
            async with self.connection.begin_nested():
                await self.connection.execute(statement)
        except (IntegrityError, DBAPIError):
            return False
        return True


def is_row(table: Table, key: tuple[Any, ...]) -> list[Any]:
    """Return the condition that selects the row with a primary key."""
    return [column == value for column, value in zip(table.primary_key, key, strict=True)]


def other(column: Column[Any], value: Any, moved: Any) -> Any:
    """Return another value that the column accepts; for a reference, the key of another row."""
    if column.foreign_keys:
        return moved
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case datetime():
            return value + timedelta(days=1)
        case list():
            return [*value, "ATVPDKIKX0DER"]
        case dict():
            return {**value, "tier": "silver"}
        case str() if value:
            return value[:-1] + ("b" if value[-1] == "a" else "a")
    return NOW if "time" in column.name else "a"


async def dump(database: Database) -> dict[str, dict[tuple[Any, ...], Row]]:
    """Read all rows of all tables by their keys."""
    found: dict[str, dict[tuple[Any, ...], Row]] = {}
    async with database.reading() as connection:
        for name, table in TABLES.items():
            rows = [dict(row._mapping) for row in await connection.execute(select(table))]
            found[name] = {tuple(row[column.name] for column in table.primary_key): row for row in rows}
    return found


async def made(database: Database) -> World:
    """Fill every table with at least two rows, and change one of each kind."""
    domain = Domain(SqlStore(database, RING, INDEX_KEY))
    lwa = LwaClient(SecretStr("amzn1.client"), SecretStr("secret"))
    accounts = [
        (await domain.accounts.upsert(Connection(user, seller, "US", "", lwa, SecretStr("Atzr|1"))))[0]
        for user, seller in (("u1", "SELLER1"), ("u1", "SELLER2"), ("u2", "SELLER3"), ("u1", "SELLER4"))
    ]
    spare = await domain.applications.create(NewApplication("u1", SecretStr("spare"), SecretStr("secret")), "u1")
    clients = [
        await domain.clients.create("u1", name, [accounts[0].account_id][:handles])
        for name, handles in (("one", 1), ("two", 1), ("spare", 0))
    ]
    await domain.accounts.remove(accounts[3].account_id, "u1", "")
    async with domain.store.writing() as work:
        await work.keyed_requests.claim(REQUEST, NOW, NOW - timedelta(days=1))
        await work.keyed_requests.respond(REQUEST, b"response")
    earlier = await dump(database)
    target, client = accounts[1].account_id, clients[2].client.client_id
    token, labels = SecretStr("Atzr|2"), {"tier": "gold"}
    changes = Changes(region="eu-west-1", refresh_token=token, external_ref="4711", labels=labels)
    await domain.accounts.update(target, "u1", changes, "")
    await domain.accounts.restore(target, (await domain.accounts.get(target, "u1")).revision)
    await domain.accounts.set_active(target, "u1", "", active=False)
    await domain.applications.rotate(spare.application_id, "u1", NewSecret(SecretStr("secret-2")))
    await domain.clients.revoke(client, "u1")
    rows = await dump(database)
    targets = {name: next(iter(of_table)) for name, of_table in rows.items()}
    targets |= {"accounts": (target,), "applications": (spare.application_id,), "drop_in_clients": (client,)}
    targets |= {"audit_events": (target, 2), "audit_chains": ("",), "external_ids": ("u1",)}
    targets["account_changes"] = max(rows["account_changes"])
    return World(database, domain, earlier, rows, targets)


def documented() -> dict[tuple[str, str], str]:
    """Return the entry of the page for a column, or for a change of whole rows of a table."""
    page = (ROOT / "docs" / "tampering.md").read_text()
    return {(table, what): found for table, what, found in _LINE.findall(page)}


async def walk_columns(world: World, *, every: bool) -> dict[tuple[str, str], str]:
    """Give each column of a row of each table the value of another row, or any other; return where each change is detected."""
    seen: dict[tuple[str, str], str] = {}
    for name, table in TABLES.items():
        key = world.targets[name]
        row = world.rows[name][key]
        for column in list(table.columns)[None if every else -1 :]:
            values = (one[column.name] for one in world.rows[name].values())
            moved = next((value for value in values if value not in (row[column.name], None)), None)
            if name == "drop_in_handles" and column.foreign_keys:
                (moved,) = world.targets["accounts" if column.name == "account_id" else "drop_in_clients"]
            # The database refuses a value that must be unique; then an unused value is tried.
            for value in (moved, other(column, row[column.name], moved), 99):
                async with world.theft() as theft:
                    if value is None or not await theft.change(table, key, {column.name: value}):
                        continue
                    seen[name, column.name] = await theft.found(name, {**row, column.name: value})
                    break
    return seen


async def walk_rows(world: World) -> dict[tuple[str, str], str]:
    """Insert, delete and restore a row of each table; return where each change is detected."""
    seen: dict[tuple[str, str], str] = {}
    for name, table in TABLES.items():
        key = world.targets[name]
        row = world.rows[name][key]
        copy = {column.name: other(column, row[column.name], row[column.name]) for column in table.primary_key}
        if name == "drop_in_handles":
            copy = {"account_id": world.targets["accounts"][0], "handle_digest": "f" * 64}
        unique = {
            "applications": {"client_id_index": "f" * 64},
            "accounts": {"marketplace": "DE", "external_ref": None},
        }.get(name, {})
        async with world.theft() as theft:
            assert await theft.insert(table, {**row, **copy, **unique})
            seen[name, "inserted"] = await theft.found(name, {**row, **copy})
        async with world.theft() as theft:
            await theft.connection.execute(delete(table).where(*is_row(table, key)))
            seen[name, "deleted"] = await theft.found(name, row)
        before = world.earlier[name].get(key, row)
        if before != row:
            async with world.theft() as theft:
                assert await theft.change(table, key, before)
                seen[name, "restored"] = await theft.found(name, before)
    return seen
