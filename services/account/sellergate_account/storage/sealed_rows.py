"""All sealed values on SQLAlchemy, for re-wrapping."""

from collections.abc import Mapping, Sequence
from typing import Any

from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.observability.logs import get_logger
from sqlalchemy import Column, Table, func, select, update

from sellergate_account.model import Batch
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SEALED_FIELDS
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord, KeyedRequestRecord

# Table → its sealed columns, and the field that each is bound to ("accounts/<id>/refresh_token/<revision>"; rows without a
# revision never change).
_SEALED: Mapping[str, Mapping[str, str]] = {
    ApplicationRecord.__tablename__: {column: field for field, column in SEALED_FIELDS.items()},
    AccountRecord.__tablename__: {"refresh_token_sealed": "refresh_token"},
    KeyedRequestRecord.__tablename__: {"response_sealed": "response"},
}


class SqlVault:
    """Sealed values by table, in the order of their rows' ids."""

    tables: Sequence[str] = tuple(_SEALED)

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self.database = database
        self._ring = ring

    async def count(self, table: str) -> int:
        """Return how many rows of a table hold sealed values."""
        async with self.database.reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(_table(table))) or 0)

    async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
        """Seal the values of the next rows under the newest key, in one transaction."""
        rows, key = _table(table), _key(table)
        query = select(rows).where(key > after_id).order_by(key).limit(size).with_for_update()
        rewrapped, unopened = 0, []
        async with self.database.writing() as connection:
            found = (await connection.execute(query)).mappings().all()
            for row in found:
                try:
                    changed = self._resealed(table, dict(row))
                except SealError as error:
                    get_logger().error("secret_unopened", place=f"{table}/{row[key.name]}", cause=str(error))
                    unopened.append(str(row[key.name]))
                    continue
                if changed:
                    rewrapped += 1
                    await connection.execute(update(rows).where(key == row[key.name]).values(**changed))
        last_id = str(found[-1][key.name]) if len(found) == size else ""
        return Batch(rewrapped, len(found) - rewrapped - len(unopened), tuple(unopened), last_id)

    def _resealed(self, table: str, row: dict[str, Any]) -> dict[str, str]:
        """Return the columns of a row that were sealed under an older key, sealed again. Raises SealError."""
        changed = {}
        for column, field in _SEALED[table].items():
            sealed = row[column]
            if sealed is None or self._ring.is_current(sealed):
                continue
            place = "/".join(
                [table, row[_key(table).name], field, *([str(row["revision"])] if "revision" in row else [])]
            )
            changed[column] = self._ring.seal(self._ring.open(sealed, place).get_secret_value(), place)
        return changed


def _table(name: str) -> Table:
    return AccountRecord.metadata.tables[name]


def _key(name: str) -> Column[str]:
    return next(iter(_table(name).primary_key))
