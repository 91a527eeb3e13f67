"""PostgreSQL connections whose waits are bounded, whatever happens to the server or the network.

A server that fails over without closing its connections leaves each read waiting until the kernel gives up. Here each wait has
a limit: then the socket is shut down, and psycopg reports a broken connection as usual.
"""

import asyncio
import math
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.pq import TransactionStatus
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection as AsyncSqlConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

from sellergate_account.settings import ADVICE, is_near_or_checked

PING_SECONDS = 1.0
STATEMENT_SECONDS = 10
"""Seconds that the server allows a statement. One second later the server counts as dead."""
IDLE_SECONDS = 1.0
"""Seconds without a response of the server after which a connection is pinged before it is used for a single statement."""
CANCEL_SECONDS = 1.0
"""Seconds for the server to confirm that it has stopped a statement whose caller has left."""
_BEGIN, _BEGIN_READING = "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_USED = "sellergate_used"


class BoundedConnection(AsyncConnection[Any]):
    """A connection that is shut down where the server sends nothing for `patience` seconds."""

    patience = STATEMENT_SECONDS + 1.0
    _end: asyncio.TimerHandle | None = None
    _heard_at = -math.inf

    async def wait(self, *args: Any, **options: Any) -> Any:
        """Run one wait of psycopg, for a statement or a step of one, within `patience` seconds."""
        self._bound(self.patience)
        try:
            received = await super().wait(*args, **options)
        finally:
            self._bound(None)
        self._heard_at = asyncio.get_running_loop().time()
        return received

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109  (psycopg's own signature)
        """Ask the server to stop the running statement, and wait for its confirmation at most CANCEL_SECONDS."""
        self._bound(CANCEL_SECONDS)
        await super().cancel_safe(timeout=min(timeout, CANCEL_SECONDS))

    def is_doubtful(self) -> bool:
        """Return whether the server may have left: it was silent for IDLE_SECONDS, or has sent something unasked."""
        if asyncio.get_running_loop().time() - self._heard_at > IDLE_SECONDS:
            return True
        waiting = select.poll()
        waiting.register(self.pgconn.socket, select.POLLIN)
        return bool(waiting.poll(0))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound each wait in the body to `seconds`."""
        before, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = before

    def _bound(self, seconds: float | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(seconds, self._cut) if seconds is not None else None

    def _cut(self) -> None:
        """Shut the socket down, so that a wait on it ends with an error."""
        if self.closed:
            return
        # A connection that the server has ended already is not connected: its wait ends by that.
        with socket.socket(fileno=os.dup(self.pgconn.socket)) as copy, suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)


async def connect_privately(*args: Any, **given: Any) -> BoundedConnection:
    """Connect. Raises Unavailable before anything is sent to another machine whose certificate would not be verified."""
    if not is_near_or_checked(given):
        get_logger().error("database_without_tls", setting="SELLERGATE_DATABASE_ALLOW_PLAIN")
        raise Unavailable(f"No connection was made to the account database: DATABASE_URL {ADVICE}.", retry_after=1.0)
    return await BoundedConnection.connect(*args, **given)


def begin_explicitly(engine: AsyncEngine, single: str, reads: str) -> None:
    """Begin transactions by a statement that is also the ping of a connection that was used before: it is bounded as one.

    The execution option `single` begins none, and `reads` one that only reads, from one snapshot. The pool connects again, with
    all connections, where the statement fails on a broken connection.
    """

    @event.listens_for(engine.sync_engine, "begin")
    def _(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(single, False):
            _ping(connection, _BEGIN_READING if options.get(reads, False) else _BEGIN)


def reset_open(engine: AsyncEngine) -> None:
    """Undo a transaction that was left open when its connection returns to the pool. Others need no round trip."""

    @event.listens_for(engine.sync_engine, "reset")
    def _(connection: DBAPIConnection, record: ConnectionPoolEntry, state: PoolResetState) -> None:
        driver = record.driver_connection
        if not isinstance(driver, BoundedConnection) or not state.asyncio_safe:
            return  # without a greenlet the pool ends the connection instead
        if driver.closed:
            record.invalidate()
        elif driver.pgconn.transaction_status is not TransactionStatus.IDLE:
            connection.rollback()


async def check_idle(connection: AsyncSqlConnection) -> None:
    """Ping a connection whose server sent something unasked, or has sent nothing for IDLE_SECONDS. Raises DBAPIError."""
    driver = driver_of(connection.sync_connection)
    if driver.is_doubtful():
        await connection.run_sync(_ping, "SELECT 1")


def _ping(connection: Connection, statement: str) -> None:
    """Execute a statement, within PING_SECONDS unless the connection is a new one. Raises DBAPIError."""
    driver = driver_of(connection)
    with driver.within(PING_SECONDS if connection.info.get(_USED) else driver.patience):
        try:
            connection.connection.run_async(lambda _: driver.execute(statement))
        except Error:
            connection.exec_driver_sql(statement)  # fails too, and SQLAlchemy then replaces the connections of the pool
        except BaseException as error:
            connection.invalidate(error)  # the caller has left in the middle of the statement
            raise
    connection.info[_USED] = True


def driver_of(connection: Connection | None) -> BoundedConnection:
    """Return psycopg's own connection."""
    found = connection.connection.driver_connection if connection is not None else None
    if not isinstance(found, BoundedConnection):
        raise TypeError("a connection to PostgreSQL that is not bounded")
    return found
