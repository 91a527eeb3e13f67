"""Reads the former system's table from PostgreSQL or SQLite: read-only, a row at a time, from one state of the database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Connection, Text, cast, column, func, inspect, select, table, text

from sellergate_cli.legacy.database import parse_url, reading, told
from sellergate_cli.legacy.rows import COLUMNS
from sellergate_cli.operator import SentenceError

TABLE = "AmazonAccount"
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LegacyTable:
    """The table as it is while it is open. `count` rows; `repeated` are ids that more than one row has."""

    count: int
    repeated: frozenset[str]
    _connection: Connection
    _schema: str | None

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield all rows, user by user, of each user the one that changed last first. Raises SentenceError."""
        is_sqlite = self._connection.dialect.name == "sqlite"
        accounts = table(TABLE, *map(column, COLUMNS), schema=self._schema)
        if is_sqlite:
            columns: list[ColumnElement[Any]] = list(accounts.c)
            # Times are milliseconds or text there, and either has to find its place among the others.
            changed: Any = text(
                """CASE WHEN typeof("updatedAt") IN ('integer', 'real') THEN "updatedAt"
                ELSE (julianday("updatedAt") - 2440587.5) * 86400000.0 END DESC"""
            )
        else:
            # As text, so that no value (a time such as infinity) ends the reading; lists of any type come as JSON.
            columns = [
                cast(func.to_json(value) if name == "marketplaceIds" else value, Text).label(name)
                for name, value in accounts.c.items()
            ]
            changed = accounts.c["updatedAt"].desc().nulls_last()
        order = (cast(accounts.c["userId"], Text), changed, cast(accounts.c["id"], Text))
        found = select(*columns).select_from(accounts).order_by(*order)
        with told(self._connection.engine.url):
            for row in self._connection.execute(found, execution_options={"yield_per": _ROWS_AT_ONCE}):
                yield row._asdict()


@contextmanager
def open_table(database_url: SecretStr) -> Iterator[LegacyTable]:
    """Open the table in a transaction that only reads. Raises SentenceError that says what is missing, and shows no password."""
    url, schema = parse_url(database_url)
    with reading(url) as connection:
        with told(url):
            _check(connection, schema)
            accounts = table(TABLE, column("id"), schema=schema)
            count = connection.scalar(select(func.count()).select_from(accounts)) or 0
            identity = cast(column("id"), Text)
            grouped = select(identity).select_from(accounts).where(column("id").is_not(None))
            grouped = grouped.group_by(identity).having(func.count() > 1)
            repeated = frozenset(connection.scalars(grouped))
        yield LegacyTable(count, repeated, connection, schema)


def _check(connection: Connection, schema: str | None) -> None:
    inspector = inspect(connection)
    if not inspector.has_table(TABLE, schema=schema):
        raise SentenceError(f'There is no table "{TABLE}" in that database; is it the former system\'s?')
    missing = sorted(set(COLUMNS) - {found["name"] for found in inspector.get_columns(TABLE, schema=schema)})
    if missing:
        raise SentenceError(f'The table "{TABLE}" lacks the columns {", ".join(missing)}.')
