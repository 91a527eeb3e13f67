"""Statements of the hot paths: on SQLAlchemy as everything else, or compiled once by it and executed by psycopg itself.

SQLAlchemy's execution of a statement costs several times what psycopg needs for it. Both ways send the same text with the same
parameters, and return the same values and errors.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import Any, Protocol

import psycopg
from sqlalchemy import Dialect, Executable, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningDelete

from sellergate_account.storage.connections.postgres import BoundedConnection, driver_of

Convert = Callable[[Any], Any]
Values = Mapping[str, Any]
Change = tuple["Statement", Values]


class Statement:
    """A statement that is executed often, with values for its parameters or, in INSERT and UPDATE, for its columns."""

    def __init__(self, clause: Select[Any] | Insert | Update | ReturningDelete[Any]) -> None:
        self.clause = clause
        self._columns = list(clause.exported_columns) if clause.is_select or clause.is_delete else []
        self.names = [column.key or "" for column in self._columns]
        self._forms: dict[tuple[str, ...], _Form] = {}

    def form(self, dialect: Dialect, values: Values) -> "_Form":
        """Return the statement compiled for values of these names."""
        names = tuple(values)
        if (form := self._forms.get(names)) is None:
            form = self._forms[names] = _Form(self.clause, self._columns, dialect, names)
        return form


class _Form:
    """A compiled statement: its text, and the conversions of its parameters and of the columns that it returns."""

    def __init__(self, clause: Executable, columns: Sequence[Any], dialect: Dialect, names: Sequence[str]) -> None:
        compiled: Any = clause.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined]
        self.text: bytes = compiled.string.encode()
        parameters = {name: bind for bind, name in compiled.bind_names.items()}
        self._constants = {name: bind.value for name, bind in parameters.items() if name not in names}
        self._binders = {
            name: convert
            for name, bind in parameters.items()
            if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect))
        }
        self._readers = [
            (number, convert)
            for number, column in enumerate(columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]

    def parameters(self, values: Values) -> Values:
        """Return the parameters as psycopg takes them."""
        found = {**self._constants, **values}
        for name, convert in self._binders.items():
            found[name] = convert(found[name])
        return found

    def read(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return a row with the values that SQLAlchemy would return."""
        found = list(row)
        for number, convert in self._readers:
            found[number] = convert(found[number])
        return found


class Session(Protocol):
    """A connection for Statements. Raises SQLAlchemy's DBAPIError."""

    async def execute(self, changes: Sequence[Change]) -> None:
        """Execute statements that return nothing, in their order."""

    async def one(self, statement: Statement, values: Values) -> Sequence[Any] | None:
        """Return the only row of a query, or None if there is none."""


def _grouped(changes: Sequence[Change]) -> Iterator[tuple[Statement, list[Values]]]:
    """Yield the changes that follow one another and differ in their values only as one."""
    for (statement, _), same in groupby(changes, lambda change: (change[0], tuple(change[1]))):
        yield statement, [values for _, values in same]


def session_on(connection: AsyncConnection) -> Session:
    """Return the session of a connection, which is fast on PostgreSQL."""
    return PsycopgSession(connection) if connection.dialect.name == "postgresql" else SqlAlchemySession(connection)


class SqlAlchemySession:
    """A session on SQLAlchemy, for SQLite, and the plain reference for the other one."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(self, changes: Sequence[Change]) -> None:
        """Execute statements that return nothing, in their order."""
        for statement, rows in _grouped(changes):
            await self._connection.execute(statement.clause, rows if len(rows) > 1 else rows[0])

    async def one(self, statement: Statement, values: Values) -> Sequence[Any] | None:
        """Return the only row of a query, or None if there is none."""
        return (await self._connection.execute(statement.clause, values)).one_or_none()


class PsycopgSession:
    """A session that executes compiled statements by psycopg, within the transaction of a SQLAlchemy connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._driver: BoundedConnection = driver_of(connection.sync_connection)

    async def execute(self, changes: Sequence[Change]) -> None:
        """Execute statements that return nothing, in their order; they share one round trip."""
        try:
            async with self._driver.pipeline() if len(changes) > 1 else nullcontext():
                for statement, rows in _grouped(changes):
                    await self._send(statement.form(self._dialect, rows[0]), rows)
        except psycopg.Error as error:
            raise await self._translated(error) from error
        except BaseException as error:
            await self._connection.invalidate(error)  # the caller has left in the middle of a statement
            raise

    async def _send(self, form: _Form, rows: Sequence[Values]) -> None:
        if len(rows) == 1:
            await self._driver.execute(form.text, form.parameters(rows[0]))
        else:
            await self._driver.cursor().executemany(form.text, map(form.parameters, rows))

    async def one(self, statement: Statement, values: Values) -> Sequence[Any] | None:
        """Return the only row of a query, or None if there is none."""
        form = statement.form(self._dialect, values)
        try:
            cursor = await self._driver.execute(form.text, form.parameters(values))
            row = await cursor.fetchone()
        except psycopg.Error as error:
            raise await self._translated(error) from error
        except BaseException as error:
            await self._connection.invalidate(error)  # the caller has left in the middle of a statement
            raise
        return form.read(row) if row is not None else None

    async def _translated(self, error: psycopg.Error) -> BaseException:
        """Return the error that SQLAlchemy raises in place of psycopg's; give a broken connection up, as it does."""
        is_broken = self._driver.closed
        if is_broken:
            await self._connection.invalidate(error)
        return DBAPIError.instance(
            None,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=is_broken,
            dialect=self._dialect,
        )
