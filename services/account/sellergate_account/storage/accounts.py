"""Accounts and external ids on SQLAlchemy. An account's row keeps the text that the secret store returns for its refresh token."""

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Row, Select, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Account, Cursor, Filter, SecretRef, Signing, State
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.storage.commit import Effects
from sellergate_account.storage.database import count_up_to
from sellergate_account.storage.row_macs import RowMacs
from sellergate_account.storage.tables import AccountRecord, ExternalIdRecord

_ACCOUNTS: Table = AccountRecord.metadata.tables[AccountRecord.__tablename__]
_EXTERNAL_IDS: Table = ExternalIdRecord.metadata.tables[ExternalIdRecord.__tablename__]
REFRESH_TOKEN = "refresh_token"


class SqlAccounts:
    """The accounts in one transaction. `effects` is None where it only reads; otherwise the rows that it reads are locked."""

    def __init__(
        self, connection: AsyncConnection, macs: RowMacs, secrets: SecretStore, effects: Effects | None
    ) -> None:
        self._connection = connection
        self._macs = macs
        self._secrets = secrets
        self._effects = effects
        # A transaction that only reads sees one state of the database, and needs each row once.
        self._read: dict[str, Row[Any] | None] = {}

    async def get(self, account_id: str) -> Account | None:
        """Return the account with this id."""
        row = await self._row(account_id)
        return _account(row) if row else None

    async def find(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        """Return the account with this natural key."""
        row = await self._one(
            select(_ACCOUNTS).where(
                _ACCOUNTS.c.user_id == user_id,
                _ACCOUNTS.c.amazon_seller_id == amazon_seller_id,
                _ACCOUNTS.c.marketplace == marketplace,
            )
        )
        return _account(row) if row else None

    async def list(self, narrowed: Filter, after: Cursor | None, limit: int) -> Sequence[Account]:
        """Return at most `limit` accounts in order, beginning after a cursor."""
        order = _ACCOUNTS.c.create_time, _ACCOUNTS.c.account_id
        query = select(_ACCOUNTS)
        if narrowed.user_id:
            query = query.where(_ACCOUNTS.c.user_id == narrowed.user_id)
        if narrowed.states:
            query = query.where(_ACCOUNTS.c.state.in_(narrowed.states))
        if narrowed.marketplaces:
            query = query.where(_ACCOUNTS.c.marketplace.in_(narrowed.marketplaces))
        if narrowed.application_id:
            query = query.where(_ACCOUNTS.c.application_id == narrowed.application_id)
        if narrowed.expires_before:
            query = query.where(_ACCOUNTS.c.authorization_expire_time < narrowed.expires_before)
        rows = await self._macs.page(self._connection, _ACCOUNTS, query, order, after, limit)
        return [_account(row) for row in rows]

    async def count(self, user_id: str, most: int) -> int:
        """Return how many accounts a user has; the count ends at `most`."""
        return await count_up_to(
            self._connection, select(_ACCOUNTS.c.account_id).where(_ACCOUNTS.c.user_id == user_id), most
        )

    async def add(self, account: Account, refresh_token: SecretStr) -> None:
        """Store a new account. Raises DuplicateKey."""
        kept = await self._secrets.write(_ref(account), refresh_token)
        row = self._macs.sign(_ACCOUNTS, {**_values(account), "refresh_token_sealed": kept})
        await self._connection.execute(insert(_ACCOUNTS).values(**row))

    async def save(self, account: Account, refresh_token: SecretStr | None) -> None:
        """Store a changed account; None keeps its refresh token, which is stored again where the revision has grown."""
        before = await self._row(account.account_id)
        if before is None:
            return
        values = _values(account)
        if refresh_token is None and before.revision != account.revision:
            refresh_token = await self._secrets.read(_ref(_account(before)), before.refresh_token_sealed)
        if refresh_token is not None:
            values["refresh_token_sealed"] = await self._secrets.write(_ref(account), refresh_token)
        signed = self._macs.sign(_ACCOUNTS, {**before._asdict(), **values})
        row = _ACCOUNTS.c.account_id == account.account_id
        await self._connection.execute(update(_ACCOUNTS).where(row).values(**signed))

    async def remove(self, account_id: str) -> None:
        """Remove an account and, once that is committed, its refresh token."""
        query = delete(_ACCOUNTS).where(_ACCOUNTS.c.account_id == account_id).returning(*_ACCOUNTS.c)
        removed = (await self._connection.execute(query)).one_or_none()
        if removed is not None and self._effects is not None:
            self._effects.removed_secrets.append((_ref(_account(removed)), removed.refresh_token_sealed))

    async def read_refresh_token(self, account: Account) -> SecretStr:
        """Return the account's refresh token. Raises DecryptionError."""
        row = await self._row(account.account_id)
        return await self._secrets.read(_ref(account), row.refresh_token_sealed if row else "")

    async def _row(self, account_id: str) -> Row[Any] | None:
        query = select(_ACCOUNTS).where(_ACCOUNTS.c.account_id == account_id)
        if self._effects is not None:
            return await self._one(query)
        if account_id not in self._read:
            self._read[account_id] = await self._one(query)
        return self._read[account_id]

    async def _one(self, query: Select[Any]) -> Row[Any] | None:
        return await self._macs.one(self._connection, _ACCOUNTS, query, locks=self._effects is not None)


class SqlExternalIds:
    """The external ids in one transaction."""

    def __init__(self, connection: AsyncConnection, macs: RowMacs) -> None:
        self._connection = connection
        self._macs = macs

    async def get_or_add(self, user_id: str, proposed: str) -> str:
        """Return the user's external id; a user without one gets `proposed`. Raises DuplicateKey, NotAuthentic."""
        query = select(_EXTERNAL_IDS).where(_EXTERNAL_IDS.c.user_id == user_id)
        found = await self._macs.one(self._connection, _EXTERNAL_IDS, query)
        if found is not None:
            return str(found.external_id)
        row = self._macs.sign(_EXTERNAL_IDS, {"user_id": user_id, "external_id": proposed})
        await self._connection.execute(insert(_EXTERNAL_IDS).values(**row))
        return proposed


def _ref(account: Account) -> SecretRef:
    return SecretRef(f"{_ACCOUNTS.name}/{account.account_id}", REFRESH_TOKEN, account.revision)


def _account(row: Row[Any]) -> Account:
    values = row._asdict()
    values["marketplace_ids"] = tuple(values["marketplace_ids"])
    values["signing"] = Signing(values["signing"])
    values["state"] = State(values["state"])
    values["refresh_token_set"] = bool(values.pop("refresh_token_sealed"))
    return Account(**{name: values[name] for name in Account.__dataclass_fields__})


def _values(account: Account) -> dict[str, Any]:
    values = {name: getattr(account, name) for name in Account.__dataclass_fields__ if name != "refresh_token_set"}
    values["marketplace_ids"] = list(account.marketplace_ids)
    values["signing"] = account.signing.value
    values["state"] = account.state.value
    return values
