"""The database: PostgreSQL through psycopg, or a SQLite file; its transactions report their true outcome."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar

from sellergate_common.errors import OutcomeUnknown, Unavailable
from sellergate_common.observability.endings import end_start
from sellergate_common.observability.logs import get_logger
from sellergate_common.observability.tracing import span
from sqlalchemy import Select, event, func, select, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine

from sellergate_account.ports.errors import DuplicateKey
from sellergate_account.storage.connections.postgres import (
    STATEMENT_SECONDS,
    BoundedConnection,
    begin_explicitly,
    check_idle,
    connect_privately,
    reset_open,
)
from sellergate_account.storage.connections.sqlite import connect_sqlite

_Begun = TypeVar("_Begun")

POOL_SIZE = 10
POOL_WAIT_SECONDS = 5.0
CONNECT_SECONDS = 5
# With these options the kernel detects a lost peer within five seconds, by unacknowledged data or by silence.
_TCP = {
    "tcp_user_timeout": 5_000,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
_SQLITE_WAIT_MILLISECONDS = 5_000
# Files beside a SQLite database: the write-ahead log, its index, and the journal of a database without such a log.
_BESIDE = ("-wal", "-shm", "-journal")
_READS, _SINGLE = "sellergate_reads", "sellergate_single"
# PostgreSQL's serialization_failure and deadlock_detected (manual, appendix A): the transaction was undone and may be repeated.
_OVERTAKEN = frozenset({"40001", "40P01"})
# Integrity constraint violations and transaction rollbacks, except statement_completion_unknown (the same appendix).
_REFUSED, _COMPLETION_UNKNOWN = frozenset({"23", "40"}), "40003"
_REFUSED_BY_SQLITE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT}
)


class Database:
    """A pool of connections. Raises Unavailable while the database is down, and works again when it is back.

    A change whose COMMIT was sent and not confirmed raises OutcomeUnknown: it may be stored. Every other error stores nothing.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # Copies of the engine with options of its connections, made once.
        self._writes = engine.execution_options(**{_READS: False})
        self._reads = engine.execution_options(**{_READS: True})
        self._reads_once = engine.execution_options(**{_READS: True, _SINGLE: True})
        # SQLite has one writer, and waiting writers poll for it, so that one of them may wait for ever. A queue is fair.
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if _is_sqlite(engine) else nullcontext()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that only reads, from one snapshot of the database."""
        async with self._transaction(reads=True) as connection:
            yield connection

    @asynccontextmanager
    async def reading_once(self) -> AsyncIterator[AsyncConnection]:
        """Begin to read by one statement, which spares the round trips of a transaction. Of two, each sees a state of its own."""
        try:
            with span("database read"):
                async with self._connection(_ready, self._reads_once) as (connection, _):
                    yield connection
        except Exception as error:
            if (translated := _to_error(error)) is None:
                raise
            raise translated from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that commits at its end. Raises DuplicateKey after a conflict with another transaction."""
        async with self._turn, self._transaction(reads=False) as connection:
            yield connection

    async def ping(self) -> None:
        """Raise unless the database responds."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def probe(self) -> None:
        """Raise the error that keeps the database from responding. Nothing is logged, since health probes every two seconds."""
        async with self._connection(_begin, self._reads) as (connection, _):
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def _connection(
        self, begin: Callable[[AsyncConnection], Awaitable[_Begun]], engine: AsyncEngine
    ) -> AsyncIterator[tuple[AsyncConnection, _Begun]]:
        """Begin on a connection of the pool. One that broke while it was not in use is replaced, once, as are all others then."""
        for is_replaced in (False, True):
            async with engine.connect() as connection:
                try:
                    begun = await begin(connection)
                except DBAPIError:
                    if is_replaced or not connection.invalidated:
                        raise
                    continue
                yield connection, begun
                return

    @asynccontextmanager
    async def _transaction(self, *, reads: bool) -> AsyncIterator[AsyncConnection]:
        stage = _Stage.BEFORE_COMMIT
        try:
            with span("database read" if reads else "database write"):
                async with self._connection(_begin, self._reads if reads else self._writes) as (
                    connection,
                    transaction,
                ):
                    try:
                        yield connection
                    except BaseException:
                        with suppress(DBAPIError, OSError):  # a broken connection rolls back by itself
                            await transaction.rollback()
                        raise
                    stage = _Stage.BEFORE_COMMIT if reads else _Stage.COMMIT
                    await transaction.commit()
                    stage = _Stage.COMMITTED
        except asyncio.CancelledError as error:
            if stage is _Stage.COMMIT:
                raise _unknown(error) from error
            raise
        except Exception as error:
            if stage is _Stage.COMMITTED:
                _log("database_connection_lost_after_commit", error)
                return
            if stage is _Stage.COMMIT and not _is_refusal(error):
                raise _unknown(error) from error
            if (translated := _to_error(error)) is None:
                raise
            raise translated from error


async def _begin(connection: AsyncConnection) -> AsyncTransaction:
    return await connection.begin()


async def _ready(connection: AsyncConnection) -> None:
    """Check that a connection works, where that is not known."""
    if connection.dialect.name == "postgresql":
        await check_idle(connection)


async def count_up_to(connection: AsyncConnection, query: Select[Any], most: int) -> int:
    """Return how many rows a query has; the count ends at `most`."""
    return int(await connection.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0)


class _Stage(Enum):
    """The stage of a transaction. A failure before COMMIT was sent leaves nothing stored; one after COMMIT changes nothing."""

    BEFORE_COMMIT = auto()
    COMMIT = auto()
    COMMITTED = auto()


def _is_refusal(error: Exception) -> bool:
    """Return whether the database itself refused COMMIT; every other failure leaves its outcome unknown."""
    cause = getattr(error, "orig", None)
    state = getattr(cause, "sqlstate", None) or ""
    # The primary code is in the low byte (SQLite, "result and error codes").
    sqlite_code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return (state[:2] in _REFUSED and state != _COMPLETION_UNKNOWN) or sqlite_code in _REFUSED_BY_SQLITE


def _log(event: str, error: BaseException) -> None:
    """Log a failure. A log that cannot be written, as on a full disk, must not change the reported outcome."""
    with suppress(Exception):
        get_logger().warning(event, cause=type(error).__name__)


def _unknown(error: BaseException) -> OutcomeUnknown:
    _log("commit_outcome_unknown", error)
    return OutcomeUnknown(
        "The account database did not confirm the change, which may be stored. Repeat the request with the same"
        " idempotency_key, or read the stored state first.",
        metadata={"dependency": "database"},
    )


def _to_error(error: Exception) -> DuplicateKey | Unavailable | None:
    """Return the error for a failure of the database that left nothing stored; None for any other exception."""
    if isinstance(error, IntegrityError) or getattr(getattr(error, "orig", None), "sqlstate", None) in _OVERTAKEN:
        return DuplicateKey()
    if not isinstance(error, DBAPIError | PoolTimeoutError | OSError):
        return None
    _log("database_unavailable", error)
    return Unavailable(
        "The account database does not respond, and nothing was changed; send the request again.", retry_after=1.0
    )


def make_folder_private(folder: Path) -> None:
    """Make a folder, also an existing one, accessible to its owner only. The folder of another owner keeps its mode."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _narrow(folder, 0o700)


def _prepare_files(url: URL, folder: Path | None) -> None:
    """Make the service's own folder and a SQLite file private. Exit with code 1 where the system does not allow it."""
    try:
        if folder is not None:
            make_folder_private(folder)
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            _make_private(Path(url.database))
    except OSError as error:
        advice = (
            "let DATABASE_URL (or SELLERGATE_STATE_DIR, which holds the default file) name a folder that this process may"
            " write, on a disk with space"
        )
        end_start("database_file_refused", advice, file=str(error.filename or url.database), cause=error.strerror)


def _make_private(file: Path) -> None:
    """Make a database file and the files beside it accessible to their owner only; SQLite gives later ones the same mode."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    for one in (file, *(file.with_name(file.name + suffix) for suffix in _BESIDE)):
        # Another process may remove its log at any moment.
        with suppress(FileNotFoundError):
            _narrow(one, 0o600)


def _narrow(path: Path, mode: int) -> None:
    if path.stat().st_uid == os.geteuid():
        path.chmod(mode)


@asynccontextmanager
async def open_database(
    url: str, pool_wait: float = POOL_WAIT_SECONDS, *, folder: Path | None = None, allow_plain: bool = False
) -> AsyncIterator[Database]:
    """Open the database at `url` ("postgresql://…", "sqlite:///…"). Nothing is connected yet.

    A transaction waits `pool_wait` seconds at most for a connection. `folder` is made private; `allow_plain` lets PostgreSQL on
    another machine be reached without a verified certificate.
    """
    parsed = make_url(url)
    _prepare_files(parsed, folder)
    if parsed.get_backend_name() == "sqlite":
        engine = create_async_engine(
            parsed.set(drivername="sqlite+aiosqlite"),
            pool_timeout=pool_wait,
            json_deserializer=_json_or_none,
            connect_args={"async_creator_fn": connect_sqlite},
        )
        _prepare_sqlite(engine)
    else:
        engine = create_async_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            pool_timeout=pool_wait,
            pool_reset_on_return=None,  # `reset_open` does it where it is needed
            connect_args={
                "autocommit": True,  # transactions are begun below
                "async_creator_fn": BoundedConnection.connect if allow_plain else connect_privately,
                "connect_timeout": CONNECT_SECONDS,
                **_TCP,
                "options": f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={STATEMENT_SECONDS}s",
            },
        )
        begin_explicitly(engine, _SINGLE, _READS)
        reset_open(engine)
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


def _json_or_none(text: str) -> Any:
    """Read a JSON column of SQLite, which accepts any text. Text that is not JSON is read as None, and its row is refused."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_sqlite(engine: AsyncEngine) -> bool:
    return engine.dialect.name == "sqlite"


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """Configure SQLite: write-ahead log, foreign keys, and writers that queue at their beginning instead of failing later."""

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
        options = connection.get_execution_options()
        if not options.get(_SINGLE, False):
            connection.exec_driver_sql("BEGIN" if options.get(_READS, False) else "BEGIN IMMEDIATE")
