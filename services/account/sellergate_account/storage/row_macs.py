"""MACs of rows: a row that was not written with the service's keys is refused, however it entered the database.

A row's MAC covers its table, its primary key and every other column but those of `_APART`, and names the key that made it
("<kid>.<64 hex digits>"). The keys are derived from the sealing keys' ring: the newest makes MACs, all check them.
Columns that the release before does not know have a MAC of their own with the primary key (`OWN_MACS`): that release can neither
check them nor sign them when it changes the row.
"""

import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any

from prometheus_client import Counter
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import let_others_run
from sqlalchemy import Column, Row, Select, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Cursor, StoredRow
from sellergate_account.ports.errors import NotAuthentic
from sellergate_account.storage.tables import Base

MAC = "row_mac"
MAX_NAME = 128
ROWS_AT_ONCE = 100
"""Some 10 ms of work for the event loop."""
# The end of an account's audit chain has an HMAC of its own. Its count is covered, so that a row is not restored without it.
OWN_MACS: Mapping[str, Sequence[str]] = {
    "names_mac": ("external_ref", "labels"),
    "verified_mac": ("verified_time", "verification_method"),
}
"""The MACs of single columns, with these columns."""
_APART = frozenset({MAC, "audit_mac", "audit_seal", *OWN_MACS, *chain.from_iterable(OWN_MACS.values())})
TABLES: Mapping[str, Table] = {name: table for name, table in Base.metadata.tables.items() if MAC in table.columns}
"""The tables whose rows have a MAC, by name."""
_REFUSED = Counter(
    "sellergate_rows_refused_total", "Rows of the account database whose MAC is missing or wrong", ("table",)
)
for _name in TABLES:
    _REFUSED.labels(_name)


class RowMacs:
    """The MACs of rows. With `adopts`, a row with a missing or wrong MAC is logged, counted and accepted."""

    def __init__(self, ring: KeyRing, *, adopts: bool = False) -> None:
        self._keys = {kid: hmac.digest(key.raw_value, b"sellergate rows", "sha256") for kid, key in ring.keys.items()}
        self._newest = ring.newest
        self._adopts = adopts

    def sign(self, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a whole row with its MACs; columns that are left out have their defaults."""
        own = {name: self._own_mac(name, self._newest, table, row) for name in _OWN_OF[table.name]}
        return {**row, **own, MAC: self._mac(self._newest, table, row)}

    def is_current(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row's MACs name the newest key."""
        return all(str(mac).partition(".")[0] == self._newest for mac in (row[MAC], *map(row.get, OWN_MACS)) if mac)

    def fits(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Return whether a key of the ring made a row's MACs over this row."""
        for name in _OWN_OF[table.name]:
            if not self._is_made(str(row[name]), table, row, partial(self._own_mac, name)):
                return False
        return bool(row[MAC]) and self._is_made(str(row[MAC]), table, row, self._mac)

    def _is_made(
        self, mac: str, table: Table, row: Mapping[str, Any], make: Callable[[str, Table, Mapping[str, Any]], str]
    ) -> bool:
        kid = mac.rpartition(".")[0] or self._newest
        return kid in self._keys and hmac.compare_digest(make(kid, table, row).encode(), mac.encode())

    def admits(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Return whether a row may be used; log and count a row whose MAC is missing or wrong."""
        if self.fits(table, row):
            return True
        _REFUSED.labels(table.name).inc()
        cause = "a wrong MAC" if row[MAC] else "no MAC"
        get_logger().error("row_adopted" if self._adopts else "row_refused", row=name_of(table, row), cause=cause)
        return self._adopts

    def check(self, table: Table, row: Mapping[str, Any]) -> None:
        """Raise NotAuthentic unless a row may be used."""
        if not self.admits(table, row):
            raise NotAuthentic(name_of(table, row))

    def check_rows(self, table: Table, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        """Return those rows of a list that may be used."""
        return [row for row in rows if self.admits(table, row._asdict())]

    async def page(
        self,
        connection: AsyncConnection,
        table: Table,
        query: Select[Any],
        order: tuple[Column[datetime], Column[str]],
        after: Cursor | None,
        limit: int,
    ) -> list[Row[Any]]:
        """Return at most `limit` usable rows of a query, in order, after a cursor; fewer only where no more follow."""
        if after:
            query = query.where(tuple_(*order) > tuple_(after.create_time, after.id))
        query, found, seen = query.order_by(*order), list[Row[Any]](), 0
        while True:
            wanted = limit - len(found)
            rows = (await connection.execute(query.limit(wanted).offset(seen))).all()
            seen += len(rows)
            found += self.check_rows(table, rows)
            if len(found) == limit or len(rows) < wanted:
                return found

    def _mac(self, kid: str, table: Table, row: Mapping[str, Any]) -> str:
        """Return a row's MAC. A column with its empty default adds nothing, so that a new column leaves older MACs as they are."""
        covered = [
            (name, value)
            for name, is_nullable in _COVERED[table.name]
            if name in row and not _is_empty(value := row[name], is_nullable)
        ]
        message = _CANONICAL.encode([table.name, covered]).encode("utf-8", "surrogatepass")
        return f"{kid}.{hmac.digest(self._keys[kid], message, 'sha256').hex()}"

    def _own_mac(self, mac: str, kid: str, table: Table, row: Mapping[str, Any]) -> str:
        """Return the MAC of the columns of one of `OWN_MACS`; empty where these are, as in a row of the release before."""
        covered = [(name, row[name]) for name in OWN_MACS[mac] if row.get(name)]
        if not covered:
            return ""
        message = _CANONICAL.encode([table.name, mac, _key_of(table, row), covered])
        return f"{kid}.{hmac.digest(self._keys[kid], message.encode('utf-8', 'surrogatepass'), 'sha256').hex()}"

    async def rows(self, connection: AsyncConnection) -> AsyncIterator[StoredRow]:
        """Yield all rows that have a MAC, table by table, without all of them in memory."""
        for name, table in TABLES.items():
            async with connection.stream(select(table)) as rows:
                async for part in rows.partitions(ROWS_AT_ONCE):
                    # The stream holds more rows than a part, and returns them without a wait.
                    await let_others_run()
                    for row in part:
                        values = row._asdict()
                        yield StoredRow(name, _key_of(table, values), values, self.fits(table, values))


def name_of(table: Table, row: Mapping[str, Any]) -> str:
    """Return a row's displayed name: "accounts/<id>"."""
    return "/".join((table.name, *_key_of(table, row)))


def _key_of(table: Table, row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[column.name])[:MAX_NAME] for column in table.primary_key)


def _is_empty(value: Any, is_nullable: bool) -> bool:
    return value is None if is_nullable else not value and value is not None


def _text(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)


_CANONICAL = json.JSONEncoder(default=_text, sort_keys=True)
_COVERED = {
    name: [(column.name, bool(column.nullable)) for column in table.columns if column.name not in _APART]
    for name, table in TABLES.items()
}
_OWN_OF = {name: [mac for mac in OWN_MACS if mac in table.columns] for name, table in TABLES.items()}
