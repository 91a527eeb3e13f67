"""Drop-in clients on SQLAlchemy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import ClientPage, Cursor, DropInClient
from sellergate_account.storage.database import count_up_to
from sellergate_account.storage.row_macs import RowMacs
from sellergate_account.storage.tables import ClientRecord, HandleRecord

_CLIENTS: Table = ClientRecord.metadata.tables[ClientRecord.__tablename__]
_HANDLES: Table = HandleRecord.metadata.tables[HandleRecord.__tablename__]

# The most accounts of all clients of a page: half a megabyte of ids.
MOST_HANDLES = 10_000
_FORGOTTEN_AT_ONCE = 100


class SqlClients:
    """The drop-in clients, and their secrets and drop-in refresh tokens by digest, in one transaction."""

    def __init__(self, connection: AsyncConnection, macs: RowMacs) -> None:
        self._connection = connection
        self._macs = macs

    async def add(self, client: DropInClient, secret_digest: str, handle_digests: Mapping[str, str]) -> None:
        """Store a client with the digests of its drop-in refresh tokens by account."""
        row = {name: getattr(client, name) for name in DropInClient.__dataclass_fields__ if name != "account_ids"}
        handles = [
            self._macs.sign(
                _HANDLES, {"client_id": client.client_id, "account_id": account_id, "handle_digest": digest}
            )
            for account_id, digest in handle_digests.items()
        ]
        signed = self._macs.sign(_CLIENTS, {**row, "secret_digest": secret_digest})
        await self._connection.execute(insert(_CLIENTS).values(**signed))
        if handles:
            await self._connection.execute(insert(_HANDLES), handles)

    async def get(self, client_id: str) -> DropInClient | None:
        """Return a client. Raises NotAuthentic."""
        row = await self._row(client_id)
        return (await self._with_accounts([row]))[0] if row else None

    async def list(self, user_id: str, after: Cursor | None, limit: int) -> ClientPage:
        """Return at most `limit` clients in order, beginning after a cursor; of one user, or of all users for an empty id.

        A page has fewer, but at least one, where they have more than MOST_HANDLES accounts in all.
        """
        order = _CLIENTS.c.create_time, _CLIENTS.c.client_id
        query = select(_CLIENTS)
        if user_id:
            query = query.where(_CLIENTS.c.user_id == user_id)
        rows = await self._macs.page(self._connection, _CLIENTS, query, order, after, limit + 1)
        shown = rows[: await self._count_fitting(rows[:limit])]
        return ClientPage(await self._with_accounts(shown), len(rows) > len(shown))

    async def count(self, user_id: str, most: int) -> int:
        """Return how many clients a user has that are not revoked; the count ends at `most`."""
        living = (_CLIENTS.c.user_id == user_id) & _CLIENTS.c.revoke_time.is_(None)
        return await count_up_to(self._connection, select(_CLIENTS.c.client_id).where(living), most)

    async def remove_revoked(self, user_id: str, kept: int) -> Sequence[str]:
        """Remove a user's revoked clients except the `kept` newest ones; return the ids of those removed, 100 at most."""
        revoked = (_CLIENTS.c.user_id == user_id) & _CLIENTS.c.revoke_time.is_not(None)
        query = (
            select(_CLIENTS.c.client_id).where(revoked).order_by(_CLIENTS.c.revoke_time.desc(), _CLIENTS.c.client_id)
        )
        old = (await self._connection.execute(query.offset(kept).limit(_FORGOTTEN_AT_ONCE))).scalars().all()
        if old:
            await self._connection.execute(delete(_HANDLES).where(_HANDLES.c.client_id.in_(old)))
            await self._connection.execute(delete(_CLIENTS).where(_CLIENTS.c.client_id.in_(old)))
        return old

    async def revoke(self, client_id: str, now: datetime) -> bool:
        """Revoke a client; return whether it was not revoked before. Raises NotAuthentic."""
        row = await self._row(client_id)
        if row is None or row.revoke_time is not None:
            return False
        ended = self._macs.sign(_CLIENTS, {**row._asdict(), "revoke_time": now})
        lives = (_CLIENTS.c.client_id == client_id) & _CLIENTS.c.revoke_time.is_(None)
        done = await self._connection.execute(update(_CLIENTS).where(lives).values(**ended))
        return bool(done.rowcount)

    async def read_secret_digest(self, client_id: str) -> str:
        """Return the digest of a client's secret; empty when there is no such client. Raises NotAuthentic."""
        row = await self._row(client_id)
        return str(row.secret_digest) if row else ""

    async def find_account(self, client_id: str, handle_digest: str) -> str:
        """Return the account of a client's drop-in refresh token; empty when the client has no such token. Raises NotAuthentic."""
        mine = (_HANDLES.c.client_id == client_id) & (_HANDLES.c.handle_digest == handle_digest)
        row = (await self._connection.execute(select(_HANDLES).where(mine))).one_or_none()
        if row is None:
            return ""
        self._macs.check(_HANDLES, row._asdict())
        return str(row.account_id)

    async def _row(self, client_id: str) -> Row[Any] | None:
        row = (await self._connection.execute(select(_CLIENTS).where(_CLIENTS.c.client_id == client_id))).one_or_none()
        if row is not None:
            self._macs.check(_CLIENTS, row._asdict())
        return row

    async def _count_fitting(self, rows: Sequence[Row[Any]]) -> int:
        """Return how many of the first clients have at most MOST_HANDLES accounts in all; at least one."""
        handles = _HANDLES.c.client_id
        query = (
            select(handles, func.count().label("number"))
            .where(handles.in_([row.client_id for row in rows]))
            .group_by(handles)
        )
        counts = {row.client_id: row.number for row in await self._connection.execute(query)}
        sums = accumulate(counts.get(row.client_id, 0) for row in rows)
        return max(sum(1 for total in sums if total <= MOST_HANDLES), min(1, len(rows)))

    async def _with_accounts(self, rows: Sequence[Row[Any]]) -> Sequence[DropInClient]:
        """Read the accounts of all clients of a page with one statement."""
        accounts: dict[str, list[str]] = {row.client_id: [] for row in rows}
        query = select(_HANDLES).where(_HANDLES.c.client_id.in_(accounts)).order_by(_HANDLES.c.account_id)
        for handle in self._macs.check_rows(_HANDLES, (await self._connection.execute(query)).all()):
            accounts[handle.client_id].append(handle.account_id)
        return [
            DropInClient(
                row.client_id, row.user_id, row.name, tuple(accounts[row.client_id]), row.create_time, row.revoke_time
            )
            for row in rows
        ]
