"""Accounts on SQLAlchemy. An account's row keeps the text that the secret store returns for its refresh token."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Account, Cursor, Filter, SecretRef, Signing, State, VerificationMethod
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.storage.connections.statements import Session, Statement
from sellergate_account.storage.row_macs import RowMacs
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord
from sellergate_account.storage.work.effects import Effects
from sellergate_account.storage.work.rows import Lookup, Rows
from sellergate_account.storage.work.users import Users

_ACCOUNTS: Table = AccountRecord.metadata.tables[AccountRecord.__tablename__]
_APPLICATIONS: Table = ApplicationRecord.metadata.tables[ApplicationRecord.__tablename__]
REFRESH_TOKEN = "refresh_token"
_NO_EVENTS = {"audit_count": 0, "audit_mac": "", "audit_seal": ""}
_FIELDS = tuple(name for name in Account.__dataclass_fields__ if name != "refresh_token_set")
_BY_SELLER = Lookup(
    select(_ACCOUNTS).where(
        _ACCOUNTS.c.user_id == bindparam("user"),
        _ACCOUNTS.c.amazon_seller_id == bindparam("seller"),
        _ACCOUNTS.c.marketplace == bindparam("code"),
    )
)
_HOLDER = select(_ACCOUNTS.c.account_id).where(
    _ACCOUNTS.c.user_id == bindparam("user"), _ACCOUNTS.c.external_ref == bindparam("reference")
)
_WITH_APPLICATION = Statement(
    select(*_ACCOUNTS.c, *_APPLICATIONS.c)
    .join_from(_ACCOUNTS, _APPLICATIONS, isouter=True)
    .where(_ACCOUNTS.c.account_id == bindparam("key"))
)


class SqlAccounts:
    """The accounts in one transaction. `effects` is None where it only reads.

    `rows` are the rows of accounts, `applications` those of applications, which may be read together.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        session: Session,
        macs: RowMacs,
        secrets: SecretStore,
        rows: Rows,
        applications: Rows,
        users: Users,
        effects: Effects | None,
    ) -> None:
        self._connection = connection
        self._session = session
        self._macs = macs
        self._secrets = secrets
        self._rows = rows
        self._applications = applications
        self._users = users
        self._effects = effects

    async def get(self, account_id: str, *, with_application: bool = False) -> Account | None:
        """Return the account with this id."""
        if with_application and self._effects is None:
            await self._read_with_application(account_id)
        row = await self._rows.get(account_id)
        return _account(row) if row else None

    async def find(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        """Return the account with this natural key."""
        row = await self._rows.find(_BY_SELLER, user=user_id, seller=amazon_seller_id, code=marketplace)
        return _account(row) if row else None

    async def find_holder(self, user_id: str, external_ref: str) -> str | None:
        """Return the id of the user's account with a reference; the database's own index covers rows with a wrong MAC too."""
        await self._rows.write()
        found: str | None = await self._connection.scalar(_HOLDER, {"user": user_id, "reference": external_ref})
        return found

    async def list(self, narrowed: Filter, after: Cursor | None, limit: int) -> Sequence[Account]:
        """Return at most `limit` accounts in order, beginning after a cursor."""
        order = _ACCOUNTS.c.create_time, _ACCOUNTS.c.account_id
        await self._rows.write()
        query = select(_ACCOUNTS)
        if narrowed.user_id:
            query = query.where(_ACCOUNTS.c.user_id == narrowed.user_id)
        if narrowed.states:
            query = query.where(_ACCOUNTS.c.state.in_(narrowed.states))
        if narrowed.marketplaces:
            query = query.where(_ACCOUNTS.c.marketplace.in_(narrowed.marketplaces))
        if narrowed.application_id:
            query = query.where(_ACCOUNTS.c.application_id == narrowed.application_id)
        if narrowed.amazon_seller_id:
            query = query.where(_ACCOUNTS.c.amazon_seller_id == narrowed.amazon_seller_id)
        if narrowed.external_ref:
            query = query.where(_ACCOUNTS.c.external_ref == narrowed.external_ref)
        for key, value in narrowed.labels:
            query = query.where(_ACCOUNTS.c.labels[key].as_string() == value)
        if narrowed.expires_before:
            query = query.where(_ACCOUNTS.c.authorization_expire_time < narrowed.expires_before)
        rows = await self._macs.page(self._connection, _ACCOUNTS, query, order, after, limit)
        return [_account(row._asdict()) for row in rows]

    async def count(self, user_id: str, most: int) -> int:
        """Return how many accounts a user has; the count ends at `most`."""
        await self._rows.write()
        return min(most, (await self._users.get(user_id)).accounts)

    async def add(self, account: Account, refresh_token: SecretStr) -> None:
        """Store a new account at the end of the transaction, which then raises DuplicateKey where there is one already."""
        kept = await self._secrets.write(_ref(account), refresh_token)
        self._rows.add(account.account_id, {**_values(account), **_NO_EVENTS, "refresh_token_sealed": kept})
        if user := self._users.known(account.user_id):
            user.accounts += 1

    async def save(self, account: Account, refresh_token: SecretStr | None) -> None:
        """Store a changed account; None keeps its refresh token, which is stored again where the revision has grown."""
        before = await self._rows.get(account.account_id)
        if before is None:
            return
        values = _values(account)
        if refresh_token is None and before["revision"] != account.revision:
            refresh_token = await self._secrets.read(_ref(_account(before)), before["refresh_token_sealed"])
        if refresh_token is not None:
            values["refresh_token_sealed"] = await self._secrets.write(_ref(account), refresh_token)
        self._rows.change(account.account_id, values)

    async def remove(self, account_id: str) -> None:
        """Remove an account and, once that is committed, its refresh token."""
        await self._applications.write()  # changes are listed in their order
        removed = await self._rows.remove(account_id)
        if removed is not None and self._effects is not None:
            self._effects.removed_secrets.append((_ref(_account(removed)), removed["refresh_token_sealed"]))

    async def read_refresh_token(self, account: Account) -> SecretStr:
        """Return the account's refresh token. Raises DecryptionError."""
        row = await self._rows.get(account.account_id)
        return await self._secrets.read(_ref(account), row["refresh_token_sealed"] if row else "")

    async def _read_with_application(self, account_id: str) -> None:
        row = await self._session.one(_WITH_APPLICATION, {"key": account_id})
        if row is not None:
            self._rows.offer(row[: len(_ACCOUNTS.c)])
            self._applications.offer(row[len(_ACCOUNTS.c) :])


def _ref(account: Account) -> SecretRef:
    return SecretRef(f"{_ACCOUNTS.name}/{account.account_id}", REFRESH_TOKEN, account.revision)


def _account(row: Mapping[str, Any]) -> Account:
    values = {name: row[name] for name in _FIELDS}
    values["marketplace_ids"] = tuple(values["marketplace_ids"])
    values["signing"] = Signing(values["signing"])
    values["state"] = State(values["state"])
    values["verification_method"] = VerificationMethod(values["verification_method"])
    values["external_ref"] = values["external_ref"] or ""
    return Account(**values, refresh_token_set=bool(row["refresh_token_sealed"]))


def _values(account: Account) -> dict[str, Any]:
    values = {name: getattr(account, name) for name in _FIELDS}
    values["marketplace_ids"] = list(account.marketplace_ids)
    values["external_ref"] = account.external_ref or None
    values["labels"] = dict(account.labels)
    values["signing"] = account.signing.value
    values["state"] = account.state.value
    values["verification_method"] = account.verification_method.value
    return values
