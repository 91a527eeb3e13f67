"""Drop-in clients on SQLAlchemy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import DropInClient, Place
from sellergate_account.storage.tables import ClientRecord, HandleRecord

_CLIENTS: Table = ClientRecord.metadata.tables[ClientRecord.__tablename__]
_HANDLES: Table = HandleRecord.metadata.tables[HandleRecord.__tablename__]


class SqlClients:
    """Clients and handles by their digests, in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, client: DropInClient, secret_digest: str, handle_digests: Mapping[str, str]) -> None:
        """Store a client with its handles by account."""
        row = {name: getattr(client, name) for name in DropInClient.__dataclass_fields__ if name != "account_ids"}
        handles = [
            {"client_id": client.client_id, "account_id": account_id, "handle_digest": digest}
            for account_id, digest in handle_digests.items()
        ]
        await self._connection.execute(insert(_CLIENTS).values(**row, secret_digest=secret_digest))
        if handles:
            await self._connection.execute(insert(_HANDLES), handles)

    async def client(self, client_id: str) -> DropInClient | None:
        """Return a client."""
        rows = (await self._connection.execute(select(_CLIENTS).where(_CLIENTS.c.client_id == client_id))).all()
        found = await _with_accounts(self._connection, rows)
        return found[0] if found else None

    async def clients(self, user_id: str, after: Place | None, limit: int) -> Sequence[DropInClient]:
        """Return at most `limit` clients in order, beginning after a place; of one user, or with an empty id of all."""
        order = _CLIENTS.c.create_time, _CLIENTS.c.client_id
        query = select(_CLIENTS).order_by(*order).limit(limit)
        if user_id:
            query = query.where(_CLIENTS.c.user_id == user_id)
        if after:
            query = query.where(tuple_(*order) > tuple_(after.create_time, after.id))
        return await _with_accounts(self._connection, (await self._connection.execute(query)).all())

    async def revoke(self, client_id: str, now: datetime) -> bool:
        """End a client; return whether it had not ended before."""
        lives = (_CLIENTS.c.client_id == client_id) & _CLIENTS.c.revoke_time.is_(None)
        ended = await self._connection.execute(update(_CLIENTS).where(lives).values(revoke_time=now))
        return bool(ended.rowcount)

    async def secret_digest(self, client_id: str) -> str:
        """Return the digest of a client's secret; empty when there is no such client."""
        query = select(_CLIENTS.c.secret_digest).where(_CLIENTS.c.client_id == client_id)
        return str(await self._connection.scalar(query) or "")

    async def account_of_handle(self, client_id: str, handle_digest: str) -> str:
        """Return the account that a client's handle opens; empty when the client has no such handle."""
        mine = (_HANDLES.c.client_id == client_id) & (_HANDLES.c.handle_digest == handle_digest)
        return str(await self._connection.scalar(select(_HANDLES.c.account_id).where(mine)) or "")


async def _with_accounts(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[DropInClient]:
    """Read the accounts of all clients of a page at once."""
    accounts: dict[str, list[str]] = {row.client_id: [] for row in rows}
    query = select(_HANDLES.c.client_id, _HANDLES.c.account_id).where(_HANDLES.c.client_id.in_(accounts))
    for client_id, account_id in await connection.execute(query.order_by(_HANDLES.c.account_id)):
        accounts[client_id].append(account_id)
    return [
        DropInClient(
            row.client_id, row.user_id, row.name, tuple(accounts[row.client_id]), row.create_time, row.revoke_time
        )
        for row in rows
    ]
