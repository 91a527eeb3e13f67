"""The rows of one table in one transaction: each is read once and, where it was changed, written once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, bindparam, delete, insert, select, update

from sellergate_account.storage.connections.statements import Change, Session, Statement
from sellergate_account.storage.row_macs import TABLES, RowMacs

_KEY = "key_of_row"
Values = Mapping[str, Any]


class Lookup:
    """A query for one row, which a transaction that writes also locks."""

    def __init__(self, query: Select[Any]) -> None:
        self.reading = Statement(query)
        self.locking = Statement(query.with_for_update())


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements on single rows of a table."""

    key: str
    names: Sequence[str]
    by_key: Lookup
    insert: Statement
    update: Statement
    delete: Statement


class Rows:
    """The rows of a table that a transaction has read, added or changed, by their keys.

    With `locks`, rows that are read stay locked, so that they remain as they were read; changes are sent by `write`, which the end
    of the transaction calls. A row's MAC is then made once, over all of its changes.
    """

    def __init__(self, session: Session, macs: RowMacs, table: Table, *, locks: bool) -> None:
        self._session = session
        self._macs = macs
        self._table = table
        self._locks = locks
        self._statements = _STATEMENTS[table.name]
        self._names = self._statements.names
        self._key = self._statements.key
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
        values = dict(zip(self._names, row, strict=True))
        key = values[self._key]
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
        row = await self._session.one(self._statements.delete, {_KEY: key})
        return dict(zip(self._names, row, strict=True)) if row is not None else None

    async def write(self) -> None:
        """Send the rows that were added or changed. Raises IntegrityError for a key that there is already."""
        await self._session.execute(self.take_changes())

    def take_changes(self) -> list[Change]:
        """Return the statements that store the rows that were added or changed, which count as sent from here on."""
        pending, self._stored = self._stored, {}
        changes = list[Change]()
        for key, before in pending.items():
            row = self._rows[key] = self._macs.sign(self._table, self._rows[key] or {})
            if before is None:
                changes.append((self._statements.insert, row))
                continue
            changed = {name: value for name, value in row.items() if name not in before or value != before[name]}
            if changed:
                changes.append((self._statements.update, {**changed, _KEY: key}))
        return changes

    async def _execute(self, lookup: Lookup, values: Values) -> Values | None:
        row = await self._session.one(lookup.locking if self._locks else lookup.reading, values)
        return self._keep(dict(zip(self._names, row, strict=True))) if row is not None else None

    def _keep(self, values: Values) -> Values:
        self._macs.check(self._table, values)
        key = values[self._key]
        self._rows[key] = values
        return values


def _statements(table: Table) -> _Statements:
    key = next(iter(table.primary_key)).name
    is_row = table.c[key] == bindparam(_KEY)
    return _Statements(
        key,
        table.columns.keys(),
        Lookup(select(table).where(is_row)),
        Statement(insert(table)),
        Statement(update(table).where(is_row)),
        Statement(delete(table).where(is_row).returning(*table.c)),
    )


_STATEMENTS = {name: _statements(table) for name, table in TABLES.items()}
