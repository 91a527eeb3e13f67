"""Re-wrapping on SQLAlchemy: the secrets and MACs of all rows are stored again under the newest key."""

from collections.abc import Mapping, Sequence
from typing import Any

from sellergate_common.crypto.sealing import KeyRing
from sqlalchemy import Column, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Batch, SecretRef
from sellergate_account.ports.errors import DecryptionError
from sellergate_account.ports.secret_store import SecretStore
from sellergate_account.secrets.sealed_columns import SealedColumns
from sellergate_account.storage.accounts import REFRESH_TOKEN
from sellergate_account.storage.applications import SECRET_COLUMNS
from sellergate_account.storage.database import Database
from sellergate_account.storage.keyed_requests import RESPONSE
from sellergate_account.storage.row_macs import MAC, OWN_MACS, TABLES, RowMacs
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord, HandleRecord, KeyedRequestRecord

_SECRETS: Mapping[str, Mapping[str, str]] = {
    ApplicationRecord.__tablename__: {column: field for field, column in SECRET_COLUMNS.items()},
    AccountRecord.__tablename__: {"refresh_token_sealed": REFRESH_TOKEN},
    KeyedRequestRecord.__tablename__: {"response_sealed": RESPONSE},
}
"""The fields of the secrets that each table keeps, by column."""
ROWS_AT_ONCE = 100
"""Some 30 ms of work for the event loop: MACs are made and secrets sealed in its thread."""


class SqlRewrapper:
    """The rows of each table, in the order of their ids. With `adopts`, rows whose MAC does not match get a new one.

    `secrets` is the store of accounts' and applications' secrets; responses are always sealed columns.
    """

    tables: Sequence[str] = (*_SECRETS, *(name for name in TABLES if name not in _SECRETS))

    def __init__(
        self, database: Database, ring: KeyRing, *, adopts: bool = False, secrets: SecretStore | None = None
    ) -> None:
        self.database = database
        self._macs = RowMacs(ring, adopts=adopts)
        self._sealed = SealedColumns(ring)
        self._secrets = secrets or self._sealed

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        async with self.database.reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(TABLES[table])) or 0)

    async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
        """Store the secrets and make the MACs of the next rows again under the newest key, in one transaction."""
        total = Batch(0, 0, (), after_id)
        async with self.database.writing() as connection:
            # In parts, between which the event loop runs other calls.
            for start in range(0, size, ROWS_AT_ONCE):
                part = await self._rewrap_part(connection, table, total.last_id, min(ROWS_AT_ONCE, size - start))
                unopened = (*total.unopened_ids, *part.unopened_ids)
                total = Batch(total.rewrapped + part.rewrapped, total.skipped + part.skipped, unopened, part.last_id)
                if not part.last_id:
                    break
        return total

    async def _rewrap_part(self, connection: AsyncConnection, table: str, after_id: str, size: int) -> Batch:
        rows, key = TABLES[table], _key(table)
        query = select(rows).where(key > after_id).order_by(key).limit(size).with_for_update()
        rewrapped, unopened, updates = 0, [], list[dict[str, Any]]()
        found = (await connection.execute(query)).all()
        for row in found:
            values = row._asdict()
            if not self._macs.admits(rows, values):
                unopened.append(str(values[key.name]))
                continue
            changed, opens = await self._rewrap_secrets(table, values)
            if not opens:
                unopened.append(str(values[key.name]))
            if changed or not (self._macs.is_current(values) and self._macs.fits(rows, values)):
                rewrapped += opens
                signed = self._macs.sign(rows, {**values, **changed})
                new = {name: signed[name] for name in (*_SECRETS.get(table, ()), MAC, *OWN_MACS) if name in signed}
                updates.append({"key_of_row": values[key.name], **new})
        if updates:
            await connection.execute(update(rows).where(key == bindparam("key_of_row")), updates)
        last_id = str(getattr(found[-1], key.name)) if len(found) == size else ""
        return Batch(rewrapped, len(found) - rewrapped - len(unopened), tuple(unopened), last_id)

    async def _rewrap_secrets(self, table: str, row: Mapping[str, Any]) -> tuple[dict[str, str], bool]:
        """Return the columns of a row whose secret was stored again, and whether all of its secrets open."""
        store = self._sealed if table == KeyedRequestRecord.__tablename__ else self._secrets
        changed = {}
        for column, field in _SECRETS.get(table, {}).items():
            kept = row[column]
            if kept is None:
                continue
            ref = SecretRef(f"{table}/{row[_key(table).name]}", field, row.get("revision"))
            try:
                again = await store.rewrap(ref, kept)
            except DecryptionError:
                return {}, False
            if again is not None:
                changed[column] = again
        return changed, True


def _key(table: str) -> Column[str]:
    """Return the column by which a table's rows are read in order: unique, and text."""
    if table == HandleRecord.__tablename__:
        return TABLES[table].c.handle_digest
    return next(iter(TABLES[table].primary_key))
