"""The database: PostgreSQL through psycopg, or a SQLite file; transactions with their own word for "another was first"."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sellergate_account.ports import DuplicateKey

POOL_SIZE = 10
POOL_WAIT_SECONDS = 5.0
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10
_SQLITE_WAIT_MILLISECONDS = 5_000
_READS = "sellergate_reads"
# PostgreSQL's serialization_failure and deadlock_detected (manual, appendix A): the transaction was undone and may be repeated.
_OVERTAKEN = frozenset({"40001", "40P01"})


class Database:
    """A pool of connections. Raises Unavailable while the database is down, and works again when it is back."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # SQLite has one writer, and those who wait for it ask again and again: whoever is unlucky waits in vain. A queue is fair.
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if _is_sqlite(engine) else nullcontext()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that only reads one state of the database."""
        async with self._transaction(reads=True) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that commits at its end. Raises DuplicateKey when another one was first."""
        async with self._turn, self._transaction(reads=False) as connection:
            yield connection

    async def ping(self) -> None:
        """Raise unless the database answers."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def _transaction(self, *, reads: bool) -> AsyncIterator[AsyncConnection]:
        options: dict[str, Any] = {_READS: reads}
        if reads and self.engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with span("database read" if reads else "database write"):
                async with self.engine.connect() as connection:
                    await connection.execution_options(**options)
                    async with connection.begin():
                        yield connection
        except IntegrityError as error:
            raise DuplicateKey from error
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            if getattr(getattr(error, "orig", None), "sqlstate", None) in _OVERTAKEN:
                raise DuplicateKey from error
            get_logger().warning("database_unavailable", cause=type(error).__name__)
            raise Unavailable("The account database does not answer; try again.", retry_after=1.0) from error


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open the database at `url` ("postgresql://…", "sqlite:///…"). Nothing is connected yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_async_engine(parsed.set(drivername="sqlite+aiosqlite"), pool_timeout=POOL_WAIT_SECONDS)
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        _prepare_sqlite(engine)
    else:
        engine = create_async_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "options": f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={STATEMENT_SECONDS}s",
            },
        )
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


def _is_sqlite(engine: AsyncEngine) -> bool:
    return engine.dialect.name == "sqlite"


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """Make SQLite behave: write-ahead log, foreign keys, and writers that queue up at their beginning instead of failing later."""

    @event.listens_for(engine.sync_engine, "connect")
    def _(dbapi_connection: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself: the listener below does.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in (
            f"busy_timeout={_SQLITE_WAIT_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
