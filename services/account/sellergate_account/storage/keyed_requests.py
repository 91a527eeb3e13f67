"""Requests with an idempotency key on SQLAlchemy.

The first transaction with a key inserts its row; other transactions with the key wait for the end of the first.
"""

from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sellergate_common.crypto.sealing import blind_index
from sqlalchemy import Select, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import FirstResponse, KeyedRequest, SecretRef
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.storage.row_macs import MAC, RowMacs
from sellergate_account.storage.tables import KeyedRequestRecord

FORGOTTEN_AT_ONCE = 500
"""The most expired requests of a user that are removed in the transaction of a request that needs room."""
RESPONSE = "response"
"""The field of the response, by which it is sealed."""
_REQUESTS: Table = KeyedRequestRecord.metadata.tables[KeyedRequestRecord.__tablename__]


class SqlKeyedRequests:
    """The requests with an idempotency key in one transaction.

    `responses` keeps their responses; `index_key` makes the blind indexes of keys and of requests' digests.
    """

    def __init__(self, connection: AsyncConnection, responses: SecretStore, index_key: bytes, macs: RowMacs) -> None:
        self._connection = connection
        self._macs = macs
        self._responses = responses
        self._index_key = index_key
        self._claimed: dict[str, dict[str, Any]] = {}

    async def claim(self, request: KeyedRequest, now: datetime, since: datetime) -> FirstResponse | None:
        """Return the response that the key's request got after `since`; None: the key belongs to this request from now on."""
        key_index, digest = self._key_index(request), blind_index(self._index_key, "request", request.digest)
        row = _REQUESTS.c.key_index == key_index
        found = (await self._connection.execute(select(_REQUESTS).where(row))).one_or_none()
        if found is not None:
            self._macs.check(_REQUESTS, found._asdict())
        if found is not None and found.create_time > since:
            response = await self._responses.read(_ref(key_index), found.response_sealed)
            return FirstResponse(found.request_digest == digest, response.get_secret_value().encode("latin-1"))
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
        claimed = self._claimed[key_index] = self._macs.sign(_REQUESTS, values)
        await self._connection.execute(insert(_REQUESTS), claimed)
        return None

    async def has_room(self, request: KeyedRequest, since: datetime, most: int) -> bool:
        """Return whether the user has at most `most` requests, once those from before `since` are removed where needed."""
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
        sealed = await self._responses.write(_ref(key_index), SecretStr(response.decode("latin-1")))
        signed = self._macs.sign(_REQUESTS, {**self._claimed[key_index], "response_sealed": sealed})
        changed = {"response_sealed": sealed, MAC: signed[MAC]}
        await self._connection.execute(update(_REQUESTS).where(_REQUESTS.c.key_index == key_index), changed)

    async def remove(self, before: datetime, limit: int) -> int:
        """Remove at most `limit` requests from before a time; rows that another replica is removing are skipped."""
        return await self._remove(select(_REQUESTS.c.key_index).where(_REQUESTS.c.create_time < before).limit(limit))

    async def _remove(self, chosen_rows: Select[Any]) -> int:
        chosen = (await self._connection.execute(chosen_rows.with_for_update(skip_locked=True))).scalars().all()
        await self._connection.execute(delete(_REQUESTS).where(_REQUESTS.c.key_index.in_(chosen)))
        return len(chosen)

    def _key_index(self, request: KeyedRequest) -> str:
        return blind_index(self._index_key, "idempotency_key", request.caller, request.user, request.key)


def _ref(key_index: str) -> SecretRef:
    return SecretRef(f"{_REQUESTS.name}/{key_index}", RESPONSE)
