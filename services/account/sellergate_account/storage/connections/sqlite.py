"""SQLite connections that leave no lock behind when the caller of a statement leaves."""

import asyncio
import sqlite3
from contextlib import suppress
from functools import partial
from typing import Any

import aiosqlite


class _Undoing(sqlite3.Connection):
    """A connection whose open transaction is undone before it is closed.

    SQLite defers the end of a closed connection, and with it the write lock of its transaction, while any cursor has rows left
    to read (sqlite3_close_v2). The cursor of a cancelled statement lives until the garbage collector finds it.
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it is closed already, and may be closed again
            if self.in_transaction:
                self.rollback()
        super().close()


class SqliteConnection(aiosqlite.Connection):
    """A connection in a thread of its own, which may be stopped again while it stops."""

    _stopping: asyncio.Future[Any] | None = None

    def stop(self) -> asyncio.Future[Any] | None:
        """Close the connection and end its thread; return when that is done, the same future every time."""
        if self._stopping is None:
            # A second request would wait in the queue of a thread that has ended.
            self._stopping = super().stop()
        return self._stopping


def connect_sqlite(database: str, **options: Any) -> SqliteConnection:
    """Return a connection to a file; it is opened where it is awaited."""
    connection = SqliteConnection(partial(sqlite3.connect, database, factory=_Undoing, **options), iter_chunk_size=64)
    # A process must not wait at its end for the thread of a connection that it abandoned.
    connection._thread.daemon = True  # noqa: SLF001  (SQLAlchemy does the same with connections that it opens itself)
    return connection
