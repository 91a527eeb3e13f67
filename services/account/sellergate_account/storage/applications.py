"""Applications on SQLAlchemy. The row keeps the text that the secret store returns for each secret of the LWA client."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr
from sellergate_common.crypto.sealing import blind_index
from sellergate_common.errors import InternalError
from sqlalchemy import Table, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Application, ApplicationSecrets, Cursor, SecretRef
from sellergate_account.ports.errors import InUse
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.storage.row_macs import RowMacs
from sellergate_account.storage.tables import ApplicationRecord
from sellergate_account.storage.work.effects import Effects
from sellergate_account.storage.work.rows import Lookup, Rows
from sellergate_account.storage.work.users import Users

_APPLICATIONS: Table = ApplicationRecord.metadata.tables[ApplicationRecord.__tablename__]
SECRET_COLUMNS: Mapping[str, str] = {
    "client_id": "client_id_sealed",
    "client_secret": "client_secret_sealed",
    "previous_client_secret": "previous_secret_sealed",
}
"""The columns that keep the secrets of an application, by field."""
_FIELDS = tuple(Application.__dataclass_fields__)
_BY_CLIENT = Lookup(
    select(_APPLICATIONS).where(
        _APPLICATIONS.c.owner_user_id == bindparam("owner"), _APPLICATIONS.c.client_id_index == bindparam("client")
    )
)


class SqlApplications:
    """The applications in one transaction. `effects` is None where it only reads.

    `index_key` makes the blind index of LWA client ids, by which applications are found.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        macs: RowMacs,
        secrets: SecretStore,
        index_key: bytes,
        rows: Rows,
        users: Users,
        effects: Effects | None,
    ) -> None:
        self._connection = connection
        self._macs = macs
        self._secrets = secrets
        self._index_key = index_key
        self._rows = rows
        self._users = users
        self._effects = effects

    async def get(self, application_id: str) -> Application | None:
        """Return the application with this id."""
        row = await self._rows.get(application_id)
        return _application(row) if row else None

    async def find(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        """Return the owner's application of this LWA client."""
        row = await self._rows.find(_BY_CLIENT, owner=owner_user_id, client=self._client_index(client_id))
        return _application(row) if row else None

    async def list(self, owners: Sequence[str] | None, after: Cursor | None, limit: int) -> Sequence[Application]:
        """Return at most `limit` applications in order, beginning after a cursor; only those of `owners`, unless None."""
        order = _APPLICATIONS.c.create_time, _APPLICATIONS.c.application_id
        await self._rows.write()
        query = select(_APPLICATIONS)
        if owners is not None:
            query = query.where(_APPLICATIONS.c.owner_user_id.in_(owners))
        rows = await self._macs.page(self._connection, _APPLICATIONS, query, order, after, limit)
        return [_application(row._asdict()) for row in rows]

    async def count(self, user_id: str, most: int) -> int:
        """Return how many applications a user owns; the count ends at `most`."""
        await self._rows.write()
        return min(most, (await self._users.get(user_id)).applications)

    async def add(self, application: Application, secrets: ApplicationSecrets) -> None:
        """Store a new application at the end of the transaction, which then raises DuplicateKey where there is one already."""
        values = {**_values(application), **await self._write_secrets(application, secrets)}
        self._rows.add(application.application_id, values)
        if user := self._users.known(application.owner_user_id):
            user.applications += 1

    async def save(self, application: Application, secrets: ApplicationSecrets | None) -> None:
        """Store a changed application; None keeps its secrets, which requires the same revision."""
        if await self._rows.get(application.application_id) is None:
            return
        values = _values(application) | (await self._write_secrets(application, secrets) if secrets else {})
        self._rows.change(application.application_id, values)

    async def remove(self, application_id: str) -> None:
        """Remove an application and, once that is committed, its secrets. Raises InUse when an account refers to it."""
        try:
            removed = await self._rows.remove(application_id)
        except IntegrityError as error:
            raise InUse from error
        if removed is not None and self._effects is not None:
            self._effects.removed_secrets += _kept_secrets(_application(removed), removed).items()

    async def read_secrets(self, application: Application) -> ApplicationSecrets:
        """Return the application's secrets. Raises DecryptionError."""
        row = await self._rows.get(application.application_id)
        if row is None:
            raise InternalError("an application was removed while its secrets were read")
        kept = _kept_secrets(application, row)
        opened = {ref.field: await self._secrets.read(ref, text) for ref, text in kept.items()}
        return ApplicationSecrets(opened["client_id"], opened["client_secret"], opened.get("previous_client_secret"))

    async def _write_secrets(self, application: Application, secrets: ApplicationSecrets) -> dict[str, str | None]:
        """Store the secrets; return the values of their columns and of the blind index."""
        columns: dict[str, str | None] = {"client_id_index": self._client_index(secrets.client_id)}
        for field, column in SECRET_COLUMNS.items():
            secret: SecretStr | None = getattr(secrets, field)
            columns[column] = await self._secrets.write(_ref(application, field), secret) if secret else None
        return columns

    def _client_index(self, client_id: SecretStr) -> str:
        return blind_index(self._index_key, "lwa_client_id", client_id.get_secret_value())


def _ref(application: Application, field: str) -> SecretRef:
    return SecretRef(f"{_APPLICATIONS.name}/{application.application_id}", field, application.revision)


def _kept_secrets(application: Application, row: Mapping[str, Any]) -> dict[SecretRef, str]:
    """Return the text that an application's row keeps for each of its secrets."""
    return {
        _ref(application, field): row[column] for field, column in SECRET_COLUMNS.items() if row[column] is not None
    }


def _application(row: Mapping[str, Any]) -> Application:
    fields = {name: row[name] for name in _FIELDS}
    return Application(**{**fields, "redirect_uris": tuple(fields["redirect_uris"])})


def _values(application: Application) -> dict[str, Any]:
    values = {name: getattr(application, name) for name in _FIELDS}
    return values | {"redirect_uris": list(application.redirect_uris)}
