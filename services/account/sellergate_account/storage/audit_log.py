"""The audit log on SQLAlchemy.

The end of an account's chain is in the account's row; the ends of all other chains are in audit_chains.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sellergate_common.tasks import let_others_run
from sqlalchemy import Row, Select, Table, delete, exists, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import Anchor, AuditEvent, ChainHead
from sellergate_account.storage.commit import Effects
from sellergate_account.storage.row_macs import MAC, RowMacs
from sellergate_account.storage.tables import AccountRecord, AuditChainRecord, AuditEventRecord

_ACCOUNTS: Table = AccountRecord.metadata.tables[AccountRecord.__tablename__]
_CHAINS: Table = AuditChainRecord.metadata.tables[AuditChainRecord.__tablename__]
_EVENTS: Table = AuditEventRecord.metadata.tables[AuditEventRecord.__tablename__]
EVENTS_AT_ONCE = 100
"""Some 10 ms of work for the event loop, which computes the MAC of each."""


class SqlAuditLog:
    """The audit log in one transaction. Each event renews the MAC of its account's row, which covers the event's number.

    `effects` collects the anchors of appended events; None: the transaction only reads.
    """

    def __init__(self, connection: AsyncConnection, macs: RowMacs, effects: Effects | None) -> None:
        self._connection = connection
        self._macs = macs
        self._effects = effects

    async def head(self, chain: str) -> ChainHead:
        """Return a chain's end, locked in a transaction that writes."""
        for table in (_ACCOUNTS, _CHAINS) if chain else (_CHAINS,):
            query = _ends(table).where(_key(table) == chain)
            found = (
                await self._connection.execute(query if self._effects is None else query.with_for_update())
            ).one_or_none()
            if found:
                return _head(found)
        return ChainHead()

    async def append(self, event: AuditEvent, head: ChainHead) -> None:
        """Store an event and the chain's new end. Raises DuplicateKey, NotAuthentic."""
        await self._connection.execute(insert(_EVENTS).values(**asdict(event)))
        end = {"audit_count": head.count, "audit_mac": head.mac, "audit_seal": head.seal}
        revision = 0
        if event.chain:
            revision = await self._end_account(event.chain, end)
        else:
            await self._connection.execute(update(_CHAINS).where(_key(_CHAINS) == event.chain).values(**end))
        if self._effects is not None:
            self._effects.anchors.append(Anchor(event.chain, event.sequence, event.mac, revision))

    async def archive_chain(self, account_id: str) -> None:
        """Copy the end of an account's chain to audit_chains, where it outlives the account."""
        ends = select(_ACCOUNTS.c.account_id, *_columns(_ACCOUNTS)).where(_ACCOUNTS.c.account_id == account_id)
        await self._connection.execute(insert(_CHAINS).from_select(["chain", *_NAMES], ends))

    async def resume_chain(self, account_id: str) -> None:
        """Move the end of a chain back to the account with its id, if it was archived."""
        left = _CHAINS.c.chain == account_id
        found = (await self._connection.execute(select(*_columns(_CHAINS)).where(left))).one_or_none()
        if found:
            await self._end_account(account_id, found._asdict())
            await self._connection.execute(delete(_CHAINS).where(left))

    async def heads(self, living: bool, after: str, limit: int) -> Sequence[tuple[str, ChainHead]]:
        """Return the next chains by id: those of accounts, or those without one."""
        table = _ACCOUNTS if living else _CHAINS
        query = _ends(table).where(_key(table) > after).order_by(_key(table)).limit(limit)
        return [(row[0], _head(row)) for row in await self._connection.execute(query)]

    async def events(self, chains: Sequence[str]) -> AsyncIterator[AuditEvent]:
        """Yield all events of some chains, chain by chain in order, without all of them in memory."""
        query = select(_EVENTS).where(_EVENTS.c.chain.in_(chains)).order_by(_EVENTS.c.chain, _EVENTS.c.sequence)
        async with self._connection.stream(query) as rows:
            async for part in rows.partitions(EVENTS_AT_ONCE):
                # The stream holds more events than a part, and returns them without a wait.
                await let_others_run()
                for row in part:
                    yield _event(row)

    async def page(self, chain: str, after: int, limit: int) -> Sequence[AuditEvent]:
        """Return at most `limit` events of a chain, beginning after a sequence number."""
        wanted = (_EVENTS.c.chain == chain) & (_EVENTS.c.sequence > after)
        query = select(_EVENTS).where(wanted).order_by(_EVENTS.c.sequence).limit(limit)
        return [_event(row) for row in await self._connection.execute(query)]

    async def orphan_chains(self, limit: int) -> Sequence[str]:
        """Return chains that have events and no end."""
        known = [exists().where(_key(table) == _EVENTS.c.chain) for table in (_ACCOUNTS, _CHAINS)]
        query = select(_EVENTS.c.chain).distinct().where(~known[0], ~known[1]).order_by(_EVENTS.c.chain).limit(limit)
        return [str(chain) for (chain,) in await self._connection.execute(query)]

    async def macs(self, events: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], str]:
        """Return the MACs of those events that are stored, by chain and number."""
        query = select(_EVENTS.c.chain, _EVENTS.c.sequence, _EVENTS.c.mac)
        query = query.where(tuple_(_EVENTS.c.chain, _EVENTS.c.sequence).in_(events))
        return {(chain, number): mac for chain, number, mac in await self._connection.execute(query)}

    async def _end_account(self, account_id: str, end: Mapping[str, Any]) -> int:
        """Store the end of an account's chain in its row; return the account's revision. Raises NotAuthentic."""
        mine = _ACCOUNTS.c.account_id == account_id
        row = (await self._connection.execute(select(_ACCOUNTS).where(mine).with_for_update())).one_or_none()
        if row is None:
            return 0
        self._macs.check(_ACCOUNTS, row)
        signed = self._macs.sign(_ACCOUNTS, {**row._asdict(), **end})
        changed = {name: signed[name] for name in (*_NAMES, MAC)}
        await self._connection.execute(update(_ACCOUNTS).where(mine).values(changed))
        return int(row.revision)


_NAMES = ("audit_count", "audit_mac", "audit_seal")


def _key(table: Table) -> Any:
    return next(iter(table.primary_key))


def _columns(table: Table) -> list[Any]:
    return [table.c[name] for name in _NAMES]


def _ends(table: Table) -> Select[Any]:
    return select(_key(table), *_columns(table))


def _head(row: Row[Any]) -> ChainHead:
    return ChainHead(row.audit_count, row.audit_mac, row.audit_seal)


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(**row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for a row as a mapping)
