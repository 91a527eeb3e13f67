"""The rows of one table in one transaction: each is read once and, where it was changed, written once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Insert, Select, Table, Update, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningDelete

from sellergate_account.storage.row_macs import TABLES, RowMacs

_KEY = "key_of_row"
Values = Mapping[str, Any]


class Lookup:
    """A query for one row, made once so that SQLAlchemy compiles it once and finds it again without comparing its parts."""

    def __init__(self, query: Select[Any]) -> None:
        self.reading = query
        self.locking = query.with_for_update()


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements on single rows of a table, made once as a Lookup is."""

    by_key: Lookup
    insert: Insert
    update: Update
    delete: ReturningDelete[Any]


class Rows:
    """The rows of a table that a transaction has read, added or changed, by their keys.

    With `locks`, rows that are read stay locked, so that they remain as they were read; changes are sent by `write`, which the end
    of the transaction calls. A row's MAC is then made once, over all of its changes.
    """

    def __init__(self, connection: AsyncConnection, macs: RowMacs, table: Table, *, locks: bool) -> None:
        self._connection = connection
        self._macs = macs
        self._table = table
        self._locks = locks
        self._statements = _STATEMENTS[table.name]
        self._offered: dict[str, Values] = {}
        # The rows as they are now, and as the database has them; None: there is no such row.
        self._rows: dict[str, Values | None] = {}
        self._stored: dict[str, Values | None] = {}

    async def get(self, key: str) -> Values | None:
        """Return a row. Raises NotAuthentic."""
        if key in self._rows:
            return self._rows[key]
        if key in self._offered:
            return self._keep(self._offered.pop(key))
        found = await self._execute(self._statements.by_key, {_KEY: key})
        if found is None:
            self._rows[key] = None
        return found

    async def find(self, lookup: Lookup, **values: str) -> Values | None:
        """Return the one row of a query with these values, or None. Raises NotAuthentic."""
        await self.write()
        return await self._execute(lookup, values)

    def offer(self, row: Sequence[Any]) -> None:
        """Take a row that was read with another one, in the order of the table's columns; its MAC is checked by `get`."""
        values = dict(zip(self._table.columns.keys(), row, strict=True))
        key = values[_key(self._table)]
        if key is not None:
            self._offered[key] = values

    def add(self, key: str, values: Values) -> None:
        """Add a row."""
        self._rows[key], self._stored[key] = dict(values), None

    def change(self, key: str, values: Values) -> None:
        """Change a row that was read or added."""
        before = self._rows[key]
        self._stored.setdefault(key, before)
        self._rows[key] = {**(before or {}), **values}

    async def remove(self, key: str) -> Values | None:
        """Remove a row; return it, or None if there is none."""
        self._stored.pop(key, None)
        await self.write()
        self._rows[key] = None
        row = (await self._connection.execute(self._statements.delete, {_KEY: key})).one_or_none()
        return row._asdict() if row is not None else None

    async def write(self) -> None:
        """Send the rows that were added or changed. Raises IntegrityError for a key that there is already."""
        pending, self._stored = self._stored, {}
        for key, before in pending.items():
            row = self._rows[key] = self._macs.sign(self._table, self._rows[key] or {})
            if before is None:
                await self._connection.execute(self._statements.insert, row)
                continue
            changed = {name: value for name, value in row.items() if name not in before or value != before[name]}
            if changed:
                await self._connection.execute(self._statements.update, {**changed, _KEY: key})

    async def _execute(self, lookup: Lookup, values: Values) -> Values | None:
        query = lookup.locking if self._locks else lookup.reading
        row = (await self._connection.execute(query, values)).one_or_none()
        return self._keep(row._asdict()) if row is not None else None

    def _keep(self, values: Values) -> Values:
        self._macs.check(self._table, values)
        key = values[_key(self._table)]
        self._rows[key] = values
        return values


def _key(table: Table) -> str:
    return next(iter(table.primary_key)).name


def _statements(table: Table) -> _Statements:
    is_row = table.c[_key(table)] == bindparam(_KEY)
    return _Statements(
        Lookup(select(table).where(is_row)),
        insert(table),
        update(table).where(is_row),
        delete(table).where(is_row).returning(*table.c),
    )


_STATEMENTS = {name: _statements(table) for name, table in TABLES.items()}
