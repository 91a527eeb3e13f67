"""The store on SQLAlchemy: rows ⇄ records, secrets sealed to the very row, field and revision they belong to."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr
from sellergate_common.crypto.sealing import KeyRing, SealError, blind_index
from sellergate_common.errors import InternalError
from sellergate_common.observability.logs import get_logger
from sqlalchemy import ColumnElement, Row, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import (
    Account,
    Anchor,
    Application,
    ApplicationSecrets,
    Cursor,
    Filter,
    Signing,
    State,
    StoredRow,
)
from sellergate_account.ports import AuditLog, ClientRows, DecryptionError, InUse, KeyedRequests, UnitOfWork
from sellergate_account.storage.audit_log import SqlAuditLog
from sellergate_account.storage.clients import SqlClients, count_up_to
from sellergate_account.storage.database import Database
from sellergate_account.storage.keyed_requests import SqlKeyedRequests
from sellergate_account.storage.row_macs import RowMacs
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord, ExternalIdRecord

_ACCOUNTS: Table = AccountRecord.metadata.tables[AccountRecord.__tablename__]
_APPLICATIONS: Table = ApplicationRecord.metadata.tables[ApplicationRecord.__tablename__]
_EXTERNAL_IDS: Table = ExternalIdRecord.metadata.tables[ExternalIdRecord.__tablename__]


@dataclass(frozen=True, slots=True)
class Keys:
    """What seals secrets, makes blind indexes, and makes the MACs of rows."""

    ring: KeyRing
    index_key: bytes
    macs: RowMacs


class SqlStore:
    """The store. `index_key` makes the blind index of LWA client ids; with `adopts` rows without a MAC that fits are taken."""

    def __init__(self, database: Database, ring: KeyRing, index_key: bytes, *, adopts: bool = False) -> None:
        self._database = database
        self._keys = Keys(ring, index_key, RowMacs(ring, adopts=adopts))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """Begin a transaction that only reads."""
        async with self._database.reading() as connection:
            yield SqlUnitOfWork(connection, self._keys, None)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """Begin a transaction; rows that it reads are locked until its end."""
        anchors: list[Anchor] = []
        async with self._database.writing() as connection:
            yield SqlUnitOfWork(connection, self._keys, anchors)
        for anchor in anchors:
            # To be kept outside of the database: what it lacks afterwards was taken away (`audit verify --anchors`).
            get_logger().info("audit_anchor", **asdict(anchor))


class SqlUnitOfWork:
    """One transaction. `anchors` takes those of events that it appends; None: it only reads."""

    def __init__(self, connection: AsyncConnection, keys: Keys, anchors: list[Anchor] | None) -> None:
        self._connection = connection
        self._keys = keys
        self._macs = keys.macs
        self._anchors = anchors
        self._locks = anchors is not None

    @property
    def audit_log(self) -> AuditLog:
        """The audit log."""
        return SqlAuditLog(self._connection, self._macs, self._anchors)

    @property
    def clients(self) -> ClientRows:
        """The drop-in clients."""
        return SqlClients(self._connection, self._macs)

    @property
    def requests(self) -> KeyedRequests:
        """The requests that their callers have named."""
        return SqlKeyedRequests(self._connection, self._keys.ring, self._keys.index_key, self._macs)

    def stored_rows(self) -> AsyncIterator[StoredRow]:
        """Yield all rows that have a MAC, table by table, also those whose MAC does not fit."""
        return self._macs.rows(self._connection)

    async def account(self, account_id: str) -> Account | None:
        """Return the account with this id."""
        row = await self._one(_ACCOUNTS, _ACCOUNTS.c.account_id == account_id)
        return _account(row) if row else None

    async def account_of_seller(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        """Return the account with this natural key."""
        row = await self._one(
            _ACCOUNTS,
            _ACCOUNTS.c.user_id == user_id,
            _ACCOUNTS.c.amazon_seller_id == amazon_seller_id,
            _ACCOUNTS.c.marketplace == marketplace,
        )
        return _account(row) if row else None

    async def accounts(self, narrowed: Filter, after: Cursor | None, limit: int) -> Sequence[Account]:
        """Return at most `limit` accounts in order, beginning after a place."""
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

    async def accounts_held(self, user_id: str, most: int) -> int:
        """Return how many accounts a user has; at `most` the count ends."""
        return await count_up_to(
            self._connection, select(_ACCOUNTS.c.account_id).where(_ACCOUNTS.c.user_id == user_id), most
        )

    async def applications_held(self, user_id: str, most: int) -> int:
        """Return how many applications a user owns; at `most` the count ends."""
        owned = select(_APPLICATIONS.c.application_id).where(_APPLICATIONS.c.owner_user_id == user_id)
        return await count_up_to(self._connection, owned, most)

    async def add_account(self, account: Account, refresh_token: SecretStr) -> None:
        """Store a new account. Raises DuplicateKey."""
        sealed = self._keys.ring.seal(refresh_token.get_secret_value(), _refresh_token_place(account))
        row = self._macs.sign(_ACCOUNTS, {**_account_values(account), "refresh_token_sealed": sealed})
        await self._connection.execute(insert(_ACCOUNTS).values(**row))

    async def save_account(self, account: Account, refresh_token: SecretStr | None) -> None:
        """Store a changed account; None keeps its refresh token, sealed again where the revision has grown."""
        values = _account_values(account)
        row = _ACCOUNTS.c.account_id == account.account_id
        before = await self._one(_ACCOUNTS, row)
        if before is None:
            return
        if refresh_token is None and before.revision != account.revision:
            refresh_token = self._open(before.refresh_token_sealed, _refresh_token_place(_account(before)))
        if refresh_token is not None:
            place = _refresh_token_place(account)
            values["refresh_token_sealed"] = self._keys.ring.seal(refresh_token.get_secret_value(), place)
        signed = self._macs.sign(_ACCOUNTS, {**before._asdict(), **values})
        await self._connection.execute(update(_ACCOUNTS).where(row).values(**signed))

    async def remove_account(self, account_id: str) -> None:
        """Remove an account and its secret."""
        await self._connection.execute(delete(_ACCOUNTS).where(_ACCOUNTS.c.account_id == account_id))

    async def refresh_token(self, account: Account) -> SecretStr:
        """Open the account's refresh token."""
        row = await self._one(_ACCOUNTS, _ACCOUNTS.c.account_id == account.account_id)
        return self._open(row.refresh_token_sealed if row else None, _refresh_token_place(account))

    async def application(self, application_id: str) -> Application | None:
        """Return the application with this id."""
        row = await self._one(_APPLICATIONS, _APPLICATIONS.c.application_id == application_id)
        return _application(row) if row else None

    async def application_of_client(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        """Return the owner's application of this LWA client."""
        row = await self._one(
            _APPLICATIONS,
            _APPLICATIONS.c.owner_user_id == owner_user_id,
            _APPLICATIONS.c.client_id_index == self._client_index(client_id),
        )
        return _application(row) if row else None

    async def applications(
        self, owners: Sequence[str] | None, after: Cursor | None, limit: int
    ) -> Sequence[Application]:
        """Return at most `limit` applications in order, beginning after a place; only those of `owners`, unless None."""
        order = _APPLICATIONS.c.create_time, _APPLICATIONS.c.application_id
        query = select(_APPLICATIONS)
        if owners is not None:
            query = query.where(_APPLICATIONS.c.owner_user_id.in_(owners))
        rows = await self._macs.page(self._connection, _APPLICATIONS, query, order, after, limit)
        return [_application(row) for row in rows]

    async def remove_application(self, application_id: str) -> None:
        """Remove an application and its secrets. Raises InUse when an account refers to it."""
        row = _APPLICATIONS.c.application_id == application_id
        try:
            await self._connection.execute(delete(_APPLICATIONS).where(row))
        except IntegrityError as error:
            raise InUse from error

    async def add_application(self, application: Application, secrets: ApplicationSecrets) -> None:
        """Store a new application. Raises DuplicateKey."""
        values = {**_application_values(application), **self._sealed_values(application, secrets)}
        await self._connection.execute(insert(_APPLICATIONS).values(**self._macs.sign(_APPLICATIONS, values)))

    async def save_application(self, application: Application, secrets: ApplicationSecrets | None) -> None:
        """Store a changed application; None keeps its secrets, and its revision must be the same then."""
        values = _application_values(application) | (self._sealed_values(application, secrets) if secrets else {})
        row = _APPLICATIONS.c.application_id == application.application_id
        before = await self._one(_APPLICATIONS, row)
        if before is not None:
            signed = self._macs.sign(_APPLICATIONS, {**before._asdict(), **values})
            await self._connection.execute(update(_APPLICATIONS).where(row).values(**signed))

    async def application_secrets(self, application: Application) -> ApplicationSecrets:
        """Open the application's secrets."""
        row = await self._one(_APPLICATIONS, _APPLICATIONS.c.application_id == application.application_id)
        if row is None:
            raise InternalError("an application vanished while its secrets were read")
        values = row._asdict()
        opened = {
            field: self._open(values[column], _application_place(application, field))
            for field, column in SEALED_FIELDS.items()
            if values[column] is not None
        }
        return ApplicationSecrets(opened["client_id"], opened["client_secret"], opened.get("previous_client_secret"))

    async def external_id(self, user_id: str, proposed: str) -> str:
        """Return the user's external id, which is `proposed` when there was none. Raises DuplicateKey."""
        found = (
            await self._connection.execute(select(_EXTERNAL_IDS).where(_EXTERNAL_IDS.c.user_id == user_id))
        ).first()
        if found is not None:
            self._macs.check(_EXTERNAL_IDS, found)
            return str(found.external_id)
        row = self._macs.sign(_EXTERNAL_IDS, {"user_id": user_id, "external_id": proposed})
        await self._connection.execute(insert(_EXTERNAL_IDS).values(**row))
        return proposed

    async def _one(self, table: Table, *wanted: ColumnElement[bool]) -> Row[Any] | None:
        """Return the one row that is wanted. Raises NotAuthentic."""
        query = select(table).where(*wanted)
        found = await self._connection.execute(query.with_for_update() if self._locks else query)
        row: Row[Any] | None = found.one_or_none()
        if row is not None:
            self._macs.check(table, row)
        return row

    def _open(self, sealed: str | None, place: str) -> SecretStr:
        try:
            return self._keys.ring.open(sealed or "", place)
        except SealError as error:
            get_logger().error("secret_unopened", place=place, cause=str(error))
            raise DecryptionError("/".join(place.split("/")[:2])) from None

    def _client_index(self, client_id: SecretStr) -> str:
        return blind_index(self._keys.index_key, "lwa_client_id", client_id.get_secret_value())

    def _sealed_values(self, application: Application, secrets: ApplicationSecrets) -> dict[str, Any]:
        clear = {
            "client_id": secrets.client_id,
            "client_secret": secrets.client_secret,
            "previous_client_secret": secrets.previous_client_secret,
        }
        sealed = {
            SEALED_FIELDS[field]: secret
            and self._keys.ring.seal(secret.get_secret_value(), _application_place(application, field))
            for field, secret in clear.items()
        }
        return {"client_id_index": self._client_index(secrets.client_id), **sealed}


SEALED_FIELDS: Mapping[str, str] = {
    "client_id": "client_id_sealed",
    "client_secret": "client_secret_sealed",
    "previous_client_secret": "previous_secret_sealed",
}


def _refresh_token_place(account: Account) -> str:
    return f"accounts/{account.account_id}/refresh_token/{account.revision}"


def _application_place(application: Application, field: str) -> str:
    return f"applications/{application.application_id}/{field}/{application.revision}"


def _account(row: Row[Any]) -> Account:
    values = dict(row._mapping)  # noqa: SLF001
    values["marketplace_ids"] = tuple(values["marketplace_ids"])
    values["signing"] = Signing(values["signing"])
    values["state"] = State(values["state"])
    values["refresh_token_set"] = bool(values.pop("refresh_token_sealed"))
    return Account(**{name: values[name] for name in Account.__dataclass_fields__})


def _account_values(account: Account) -> dict[str, Any]:
    values = {name: getattr(account, name) for name in Account.__dataclass_fields__ if name != "refresh_token_set"}
    values["marketplace_ids"] = list(account.marketplace_ids)
    values["signing"] = account.signing.value
    values["state"] = account.state.value
    return values


def _application(row: Row[Any]) -> Application:
    values = row._asdict()
    fields = {name: values[name] for name in Application.__dataclass_fields__}
    return Application(**{**fields, "redirect_uris": tuple(fields["redirect_uris"])})


def _application_values(application: Application) -> dict[str, Any]:
    values = {name: getattr(application, name) for name in Application.__dataclass_fields__}
    return values | {"redirect_uris": list(application.redirect_uris)}
