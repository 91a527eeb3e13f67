"""Named requests on SQLAlchemy. The first transaction with a key inserts its row, and others with it wait for that one's end."""

from datetime import datetime
from typing import Any

from sellergate_common.crypto.sealing import KeyRing, SealError, blind_index
from sellergate_common.observability.logs import get_logger
from sqlalchemy import Select, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import FirstResponse, KeyedRequest
from sellergate_account.ports import DecryptionError
from sellergate_account.storage.row_macs import RowMacs
from sellergate_account.storage.tables import KeyedRequestRecord

FORGOTTEN_AT_ONCE = 500
"""Of a user's expired requests, in the transaction of one that needs room."""
_REQUESTS: Table = KeyedRequestRecord.metadata.tables[KeyedRequestRecord.__tablename__]


class SqlKeyedRequests:
    """Named requests in one transaction. `index_key` makes the blind index of keys and of what was requested."""

    def __init__(self, connection: AsyncConnection, ring: KeyRing, index_key: bytes, macs: RowMacs) -> None:
        self._connection = connection
        self._macs = macs
        self._ring = ring
        self._index_key = index_key

    async def claim(self, request: KeyedRequest, now: datetime, since: datetime) -> FirstResponse | None:
        """Return the response that the key's request got after `since`; None: the key is this request's from now on."""
        key_index, digest = self._key_index(request), blind_index(self._index_key, "request", request.digest)
        row = _REQUESTS.c.key_index == key_index
        found = (await self._connection.execute(select(_REQUESTS).where(row))).one_or_none()
        if found is not None:
            self._macs.check(_REQUESTS, found)
        if found is not None and found.create_time > since:
            return FirstResponse(found.request_digest == digest, self._open(found.response_sealed, key_index))
        if found is not None:
            await self._connection.execute(delete(_REQUESTS).where(row))
        values = {
            "key_index": key_index,
            "caller": request.caller,
            "on_behalf_of": request.user,
            "method": request.method,
            "request_digest": digest,
            "response_sealed": "",
            "create_time": now,
        }
        await self._connection.execute(insert(_REQUESTS).values(**self._macs.sign(_REQUESTS, values)))
        return None

    async def has_room(self, request: KeyedRequest, since: datetime, most: int) -> bool:
        """Return whether the user has at most `most` requests, after those from before `since` were removed where needed."""
        of_user = (_REQUESTS.c.caller == request.caller) & (_REQUESTS.c.on_behalf_of == request.user)
        counted = select(_REQUESTS.c.key_index).where(of_user).limit(most + 1 + FORGOTTEN_AT_ONCE).subquery()
        count = (await self._connection.execute(select(func.count()).select_from(counted))).scalar_one()
        if count > most:
            old = select(_REQUESTS.c.key_index).where(of_user, _REQUESTS.c.create_time <= since)
            count -= await self._remove(old.order_by(_REQUESTS.c.create_time).limit(FORGOTTEN_AT_ONCE))
        return count <= most

    async def respond(self, request: KeyedRequest, response: bytes) -> None:
        """Store the response of a request whose key was claimed."""
        key_index = self._key_index(request)
        sealed = self._ring.seal(response.decode("latin-1"), _place(key_index))
        row = _REQUESTS.c.key_index == key_index
        claimed = (await self._connection.execute(select(_REQUESTS).where(row))).one()
        signed = self._macs.sign(_REQUESTS, {**claimed._asdict(), "response_sealed": sealed})
        await self._connection.execute(update(_REQUESTS).where(row).values(**signed))

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove at most `limit` requests from before a time; replicas that do so together leave each other's rows alone."""
        return await self._remove(select(_REQUESTS.c.key_index).where(_REQUESTS.c.create_time < before).limit(limit))

    async def _remove(self, chosen_rows: Select[Any]) -> int:
        chosen = (await self._connection.execute(chosen_rows.with_for_update(skip_locked=True))).scalars().all()
        await self._connection.execute(delete(_REQUESTS).where(_REQUESTS.c.key_index.in_(chosen)))
        return len(chosen)

    def _key_index(self, request: KeyedRequest) -> str:
        return blind_index(self._index_key, "idempotency_key", request.caller, request.user, request.key)

    def _open(self, sealed: str, key_index: str) -> bytes:
        try:
            return self._ring.open(sealed, _place(key_index)).get_secret_value().encode("latin-1")
        except SealError as error:
            get_logger().error("secret_unopened", place=_place(key_index), cause=str(error))
            raise DecryptionError(f"{_REQUESTS.name}/{key_index}") from None


def _place(key_index: str) -> str:
    return f"{_REQUESTS.name}/{key_index}/response"
