"""All rows with a MAC on SQLAlchemy, for re-wrapping: sealed values and MACs under the newest key."""

from collections.abc import Mapping, Sequence
from typing import Any

from sellergate_common.crypto.sealing import KeyRing, SealError
from sellergate_common.observability.logs import get_logger
from sqlalchemy import Column, bindparam, func, select, update

from sellergate_account.model import Batch
from sellergate_account.storage.database import Database
from sellergate_account.storage.row_macs import MAC, TABLES, RowMacs
from sellergate_account.storage.store import SEALED_FIELDS
from sellergate_account.storage.tables import AccountRecord, ApplicationRecord, HandleRecord, KeyedRequestRecord

# Table → its sealed columns, and the field that each is bound to ("accounts/<id>/refresh_token/<revision>"; rows without a
# revision never change).
_SEALED: Mapping[str, Mapping[str, str]] = {
    ApplicationRecord.__tablename__: {column: field for field, column in SEALED_FIELDS.items()},
    AccountRecord.__tablename__: {"refresh_token_sealed": "refresh_token"},
    KeyedRequestRecord.__tablename__: {"response_sealed": "response"},
}


class SqlVault:
    """Rows by table, in the order of their ids. With `adopts` rows whose MAC does not fit get one that does."""

    tables: Sequence[str] = (*_SEALED, *(name for name in TABLES if name not in _SEALED))

    def __init__(self, database: Database, ring: KeyRing, *, adopts: bool = False) -> None:
        self.database = database
        self._ring = ring
        self._macs = RowMacs(ring, adopts=adopts)

    async def count(self, table: str) -> int:
        """Return how many rows a table holds."""
        async with self.database.reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(TABLES[table])) or 0)

    async def rewrap(self, table: str, after_id: str, size: int) -> Batch:
        """Seal the values and make the MACs of the next rows under the newest key, in one transaction."""
        rows, key = TABLES[table], _key(table)
        query = select(rows).where(key > after_id).order_by(key).limit(size).with_for_update()
        rewrapped, unopened, updates = 0, [], list[dict[str, Any]]()
        async with self.database.writing() as connection:
            found = (await connection.execute(query)).all()
            for row in found:
                values = row._asdict()
                if not self._macs.admits(rows, row):
                    unopened.append(str(values[key.name]))
                    continue
                changed, opens = self._reseal(table, values)
                if not opens:
                    unopened.append(str(values[key.name]))
                if changed or not (self._macs.is_current(values) and self._macs.fits(rows, values)):
                    rewrapped += opens
                    signed = self._macs.sign(rows, {**values, **changed})
                    new = {name: signed[name] for name in (*_SEALED.get(table, ()), MAC)}
                    updates.append({"key_of_row": values[key.name], **new})
            if updates:
                await connection.execute(update(rows).where(key == bindparam("key_of_row")), updates)
        last_id = str(getattr(found[-1], key.name)) if len(found) == size else ""
        return Batch(rewrapped, len(found) - rewrapped - len(unopened), tuple(unopened), last_id)

    def _reseal(self, table: str, row: Mapping[str, Any]) -> tuple[dict[str, str], bool]:
        """Return the columns of a row that were sealed under an older key, sealed again, and whether all of its values open."""
        changed = {}
        for column, field in _SEALED.get(table, {}).items():
            sealed = row[column]
            try:
                if sealed is None or self._ring.is_current(sealed):
                    continue
                place = "/".join(
                    [table, row[_key(table).name], field, *([str(row["revision"])] if "revision" in row else [])]
                )
                changed[column] = self._ring.seal(self._ring.open(sealed, place).get_secret_value(), place)
            except SealError as error:
                get_logger().error("secret_unopened", place=f"{table}/{row[_key(table).name]}", cause=str(error))
                return {}, False
        return changed, True


def _key(table: str) -> Column[str]:
    """Return the column that a table's rows are gone through by: unique, and text."""
    if table == HandleRecord.__tablename__:
        return TABLES[table].c.handle_digest
    return next(iter(TABLES[table].primary_key))
