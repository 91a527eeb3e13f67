"""PostgreSQL connections whose waits are bounded, whatever happens to the server or the network.

A server that fails over without closing its connections leaves each read waiting until the kernel gives up. Here each wait has
a limit: then the socket is shut down, and psycopg reports a broken connection as usual.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import AsyncConnection
from sellergate_common.errors import Unavailable
from sellergate_common.observability.logs import get_logger
from sqlalchemy.ext.asyncio import AsyncEngine

from sellergate_account.settings import ADVICE, is_near_or_checked

PING_SECONDS = 1.0
STATEMENT_SECONDS = 10
"""Seconds that the server allows a statement. One second later the server counts as dead."""
CANCEL_SECONDS = 1.0
"""Seconds for the server to confirm that it has stopped a statement whose caller has left."""


class BoundedConnection(AsyncConnection[Any]):
    """A connection that is shut down where the server sends nothing for `patience` seconds."""

    patience = STATEMENT_SECONDS + 1.0
    _end: asyncio.TimerHandle | None = None

    async def wait(self, *args: Any, **options: Any) -> Any:
        """Run one wait of psycopg, for a statement or a step of one, within `patience` seconds."""
        self._bound(self.patience)
        try:
            return await super().wait(*args, **options)
        finally:
            self._bound(None)

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109  (psycopg's own signature)
        """Ask the server to stop the running statement, and wait for its confirmation at most CANCEL_SECONDS."""
        self._bound(CANCEL_SECONDS)
        await super().cancel_safe(timeout=min(timeout, CANCEL_SECONDS))

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
        with socket.socket(fileno=os.dup(self.pgconn.socket)) as copy:
            copy.shutdown(socket.SHUT_RDWR)


async def connect_privately(*args: Any, **given: Any) -> BoundedConnection:
    """Connect. Raises Unavailable before anything is sent to another machine whose certificate would not be verified."""
    if not is_near_or_checked(given):
        get_logger().error("database_without_tls", setting="SELLERGATE_DATABASE_ALLOW_PLAIN")
        raise Unavailable(f"No connection was made to the account database: DATABASE_URL {ADVICE}.", retry_after=1.0)
    return await BoundedConnection.connect(*args, **given)


def bound_pings(engine: AsyncEngine) -> None:
    """Bound the ping that the pool sends on a connection before use; after a ping that fails, the pool connects again."""
    dialect = engine.dialect
    ping = dialect.do_ping

    def bounded(dbapi_connection: Any) -> bool:
        with dbapi_connection.driver_connection.within(PING_SECONDS):
            return ping(dbapi_connection)

    dialect.do_ping = bounded  # type: ignore[method-assign]
