"""The list of changes, read without gaps.

PostgreSQL numbers rows before their transactions commit, so that a row may become visible after later ones. A cursor there is the
oldest transaction that was in progress: a later one cannot have been missed. SQLite has one writer, and rows come in their order.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, Table, delete, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.ports.change_log import Kind, ListedChange, ListedChanges
from sellergate_account.storage.database import Database
from sellergate_account.storage.feed.cursors import ListCursor, parse
from sellergate_account.storage.tables import ChangeRecord

MOST_CHANGES = 5_000
"""Changes in one response, about 300 kB; where there are more, all copies are dropped instead."""
_EMPTIED = "0"
"""The origin of a SQLite database from which even the first row was removed; its cursors are unusable."""
_CHANGES: Table = ChangeRecord.metadata.tables[ChangeRecord.__tablename__]
# The time of the server's start differs between two servers, and after a server was restored to an earlier state.
_SNAPSHOT = text(
    "SELECT pg_snapshot_xmin(taken)::text::bigint, pg_snapshot_xmax(taken)::text::bigint,"
    " floor(extract(epoch FROM clock_timestamp()))::bigint,"
    " to_hex(floor(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint) || '-' || to_hex(oid::bigint)"
    " FROM pg_database, pg_current_snapshot() AS taken WHERE datname = current_database()"
)


@dataclass(frozen=True, slots=True)
class _Place:
    """The end of the list in one transaction. `since`: the condition on later changes; None if the cursor is unusable."""

    next_cursor: ListCursor
    since: ColumnElement[bool] | None


class _Reader(Protocol):
    """The way to read the list on one kind of database."""

    async def find(self, connection: AsyncConnection, cursor: ListCursor | None) -> _Place:
        """Return the end of the list, and the condition on the changes after a cursor."""

    def before(self, position: int) -> ColumnElement[bool]:
        """Return the condition on changes before a position."""


class SqlChangeLog:
    """The list of changes in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader: _Reader = _PostgreSql() if database.engine.dialect.name == "postgresql" else _Sqlite()

    async def read(self, cursor: str) -> ListedChanges:
        """Return the changes since a cursor."""
        async with self._database.reading() as connection:
            place = await self._reader.find(connection, parse(cursor))
            next_cursor = str(place.next_cursor)
            if place.since is None:
                return ListedChanges((), next_cursor, forgets_all=True)
            columns = _CHANGES.c.kind, _CHANGES.c.subject_id, _CHANGES.c.version
            query = select(*columns).where(place.since, _CHANGES.c.kind.in_(Kind)).order_by(_CHANGES.c.change_id)
            rows = (await connection.execute(query.limit(MOST_CHANGES + 1))).all()
        if len(rows) > MOST_CHANGES:
            return ListedChanges((), next_cursor, forgets_all=True)
        changes = [ListedChange(Kind(kind), subject_id, version) for kind, subject_id, version in rows]
        return ListedChanges(changes, next_cursor, forgets_all=False)

    async def settled(self) -> int:
        """Return the position of a cursor that is made now."""
        async with self._database.reading() as connection:
            return (await self._reader.find(connection, None)).next_cursor.position

    async def remove(self, before: int, limit: int) -> int:
        """Remove at most `limit` changes before a position; replicas that remove at the same time skip each other's rows."""
        async with self._database.writing() as connection:
            old = select(_CHANGES.c.change_id).where(self._reader.before(before)).limit(limit)
            chosen = (await connection.execute(old.with_for_update(skip_locked=True))).scalars().all()
            await connection.execute(delete(_CHANGES).where(_CHANGES.c.change_id.in_(chosen)))
        return len(chosen)


class _PostgreSql:
    """Reads by the numbers of transactions."""

    async def find(self, connection: AsyncConnection, cursor: ListCursor | None) -> _Place:
        """Return the oldest open transaction as the end, and the condition on changes of transactions since the cursor's."""
        oldest, end, now, origin = (await connection.execute(_SNAPSHOT)).one()
        following = ListCursor(origin, oldest, now)
        if cursor is None or cursor.origin != origin or cursor.position > oldest or not cursor.is_usable(now):
            return _Place(following, None)
        number = _CHANGES.c.transaction_id
        # A number from another server, as after a restore from a dump, may lie beyond all of this one.
        return _Place(following, (number >= cursor.position) & (number < end))

    def before(self, position: int) -> ColumnElement[bool]:
        """Return the condition on changes of transactions before one."""
        return _CHANGES.c.transaction_id < position


class _Sqlite:
    """Reads by the numbers of rows. The last row is never removed, and its nonce names the database with this very history."""

    async def find(self, connection: AsyncConnection, cursor: ListCursor | None) -> _Place:
        """Return the last row as the end, and the condition on rows after the cursor's."""
        number, nonce = _CHANGES.c.change_id, _CHANGES.c.nonce
        now = int((await connection.execute(select(func.strftime("%s", literal_column("'now'"))))).scalar_one())
        last = (await connection.execute(select(number, nonce).order_by(number.desc()).limit(1))).one_or_none()
        following = ListCursor(last.nonce, last.change_id, now) if last else ListCursor(_EMPTIED, 0, now)
        if cursor is None or not cursor.is_usable(now):
            return _Place(following, None)
        seen = select(number).where(number == cursor.position, nonce == cursor.origin)
        if (await connection.execute(seen)).one_or_none() is None:
            return _Place(following, None)
        return _Place(following, number > cursor.position)

    def before(self, position: int) -> ColumnElement[bool]:
        """Return the condition on rows before one."""
        return _CHANGES.c.change_id < position
