"""The former system's table in PostgreSQL or SQLite, read row by row from one read-only snapshot."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import SecretStr
from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    TableClause,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    inspect,
    select,
    table,
)

from sellergate_cli.legacy.database import explain_errors, parse_url, reading
from sellergate_cli.legacy.naming import Naming, choose_table, match_columns

_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LegacyTable:
    """The former table in an open transaction, with `count` rows. `repeated` are IDs of several rows.

    `columns` are the table's names by the imported ones.
    """

    name: str
    columns: Mapping[str, str]
    count: int
    repeated: frozenset[str]
    _connection: Connection
    _schema: str | None

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield all rows with the imported column names, user by user: active before inactive, then newer before older.

        Raises SentenceError.
        """
        is_sqlite = self._connection.dialect.name == "sqlite"
        accounts = _table(self.name, self.columns, self._schema)
        selected: dict[str, ColumnElement[Any]] = {
            name: accounts.c[legacy_name] for name, legacy_name in self.columns.items()
        }
        if is_sqlite:
            columns = [value.label(name) for name, value in selected.items()]
            changed: Any = _milliseconds(selected["updatedAt"]).desc()
        else:
            # Read as text, so that no value (such as an infinite time) ends the import; lists of any type arrive as JSON.
            columns = [
                cast(func.to_json(value) if name == "marketplaceIds" else value, Text).label(name)
                for name, value in selected.items()
            ]
            changed = selected["updatedAt"].desc().nulls_last()
        inactive = func.lower(cast(selected["isActive"], Text)).in_(("0", "false", "f"))
        order = (
            cast(selected["userId"], Text),
            case((inactive, 1), else_=0),
            changed,
            cast(selected["id"], Text),
        )
        found = select(*columns).select_from(accounts).order_by(*order)
        with explain_errors(self._connection.engine.url):
            for row in self._connection.execute(found, execution_options={"yield_per": _ROWS_AT_ONCE}):
                yield row._asdict()

    def sample(self, rows: int) -> Iterator[Mapping[str, Any]]:
        """Yield the first rows. Raises SentenceError."""
        return islice(self.rows(), rows)


@contextmanager
def open_table(database_url: SecretStr, naming: Naming) -> Iterator[LegacyTable]:
    """Open the table in a read-only transaction. Raises SentenceError that names what is missing, without the password."""
    url, schema = parse_url(database_url)
    with reading(url) as connection:
        with explain_errors(url):
            inspector = inspect(connection)
            name = choose_table(
                [*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)], naming.table
            )
            there = [found["name"] for found in inspector.get_columns(name, schema=schema)]
            columns = match_columns(name, there, naming.columns)
            accounts = _table(name, columns, schema)
            count = connection.scalar(select(func.count()).select_from(accounts)) or 0
            identity = cast(accounts.c[columns["id"]], Text)
            grouped = select(identity).select_from(accounts).where(accounts.c[columns["id"]].is_not(None))
            grouped = grouped.group_by(identity).having(func.count() > 1)
            repeated = frozenset(connection.scalars(grouped))
        yield LegacyTable(name, columns, count, repeated, connection, schema)


def _table(name: str, columns: Mapping[str, str], schema: str | None) -> TableClause:
    return table(name, *map(column, dict.fromkeys(columns.values())), schema=schema)


def _milliseconds(changed: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a time of SQLite as milliseconds; there it is a number, digits in text, or ISO text."""
    kind = func.typeof(changed)
    is_digits = and_(kind == "text", changed != "", changed.op("NOT GLOB")("*[^0-9]*"))
    return case(
        (kind.in_(("integer", "real")), changed),
        (is_digits, cast(changed, Float)),
        else_=(func.julianday(changed) - 2440587.5) * 86400000.0,
    )
