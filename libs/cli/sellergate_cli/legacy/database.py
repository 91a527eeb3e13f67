"""The former system's database: its URL as SQLAlchemy or Prisma writes it, and a read-only transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from pydantic import SecretStr
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from sellergate_cli.operator import SentenceError

_STATEMENT_SECONDS = 600
# Prisma's own URL parameters, which libpq rejects.
_PRISMAS = (
    "schema",
    "connection_limit",
    "pool_timeout",
    "pgbouncer",
    "socket_timeout",
    "statement_cache_size",
    "sslaccept",
)
_HOW_TO = "must be postgresql://user:password@host:5432/database or sqlite:///file.db"


def parse_url(database_url: SecretStr) -> tuple[URL, str | None]:
    """Parse a URL as SQLAlchemy or Prisma writes it; return it and its schema."""
    given = database_url.get_secret_value()
    if given.startswith("file:"):
        given = "sqlite:///" + given.removeprefix("file:")
    try:
        url = make_url(given.replace("postgres://", "postgresql://", 1) if given.startswith("postgres://") else given)
    except (ArgumentError, ValueError):
        raise SentenceError(f"--database-url {_HOW_TO}.") from None
    backend = url.get_backend_name()
    if backend not in ("postgresql", "sqlite") or not url.database:
        raise SentenceError(f"--database-url {_HOW_TO}.")
    schema = url.query.get("schema")
    url = url.difference_update_query(_PRISMAS)
    if backend == "sqlite":
        return url.set(drivername="sqlite"), None
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": "10"})
    return url.set(drivername="postgresql+psycopg"), schema if isinstance(schema, str) else None


@contextmanager
def reading(url: URL) -> Iterator[Connection]:
    """Open a read-only transaction on one snapshot of the database. Raises SentenceError."""
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(url, poolclass=NullPool, **({"creator": lambda: _sqlite(url)} if is_sqlite else {}))
    with explain_errors(url):
        connection = engine.connect()
    with connection:
        with explain_errors(url):
            _begin(connection)
        yield connection


@contextmanager
def explain_errors(url: URL) -> Iterator[None]:
    """Turn a database error into one sentence without the password."""
    try:
        yield
    except DBAPIError as error:
        cause = (str(error.orig).strip().splitlines() or [type(error).__name__])[0]
        if url.password:
            cause = cause.replace(str(url.password), "***")
        raise SentenceError(
            f"Cannot read the former database: {cause}. Check the URL and the reader's permissions."
        ) from None
    except (SQLAlchemyError, UnicodeError) as error:
        raise SentenceError(
            f"Cannot read the former database ({type(error).__name__}). Check the URL and the server."
        ) from None


def _sqlite(url: URL) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(url.database or '')}?mode=ro", uri=True, isolation_level=None)
    # Bytes that are not text lead to the refusal of their row, not to the end of the import.
    connection.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
    return connection


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
        return
    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    for setting in ("TIME ZONE 'UTC'", "datestyle = 'ISO, YMD'", f"statement_timeout = '{_STATEMENT_SECONDS}s'"):
        connection.exec_driver_sql(f"SET LOCAL {setting}")
