"""The audit log on SQLAlchemy.

The end of an account's chain is in the account's row; the ends of all other chains are in audit_chains.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sellergate_common.tasks import let_others_run
from sqlalchemy import Row, Select, Table, bindparam, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sellergate_account.model import OLDEST_FIRST, Anchor, AuditEvent, ChainHead, EventOrder
from sellergate_account.storage.connections.statements import Change, Session, Statement
from sellergate_account.storage.tables import AccountRecord, AuditChainRecord, AuditEventRecord
from sellergate_account.storage.work.effects import Effects
from sellergate_account.storage.work.rows import Lookup, Rows

_ACCOUNTS: Table = AccountRecord.metadata.tables[AccountRecord.__tablename__]
_CHAINS: Table = AuditChainRecord.metadata.tables[AuditChainRecord.__tablename__]
_EVENTS: Table = AuditEventRecord.metadata.tables[AuditEventRecord.__tablename__]
EVENTS_AT_ONCE = 100
"""Some 10 ms of work for the event loop, which computes the MAC of each."""
CLOCK_SKEW = timedelta(hours=1)
"""By how much an event may be older than an earlier event of its chain, since replicas' clocks differ."""
_NAMES = ("audit_count", "audit_mac", "audit_seal")
_APPEND = Statement(insert(_EVENTS))
_MOVE_END = Statement(update(_CHAINS).where(_CHAINS.c.chain == bindparam("key")))
_END_OF_ACCOUNT = Lookup(
    select(*(_ACCOUNTS.c[name] for name in _NAMES)).where(_ACCOUNTS.c.account_id == bindparam("key"))
)
_END = Lookup(select(*(_CHAINS.c[name] for name in _NAMES)).where(_CHAINS.c.chain == bindparam("key")))


class SqlAuditLog:
    """The audit log in one transaction. Each event renews the MAC of its account's row, which covers the event's number.

    `accounts` are the rows of accounts, which hold the ends of their chains. `effects` collects the anchors of appended events;
    None: the transaction only reads.
    """

    def __init__(self, connection: AsyncConnection, session: Session, accounts: Rows, effects: Effects | None) -> None:
        self._connection = connection
        self._session = session
        self._accounts = accounts
        self._effects = effects
        self._events: list[dict[str, Any]] = []
        # The ends of chains without an account as they are now, and those of them that the database does not have yet.
        self._ends: dict[str, ChainHead] = {}
        self._unsent = set[str]()

    async def head(self, chain: str) -> ChainHead:
        """Return a chain's end, locked in a transaction that writes, which then raises NotAuthentic for the account's row.

        A transaction that only reads returns the end as it is stored, so that a check can report on it.
        """
        if self._effects is None:
            for end in (_END_OF_ACCOUNT, _END) if chain else (_END,):
                if found := await self._session.one(end.reading, {"key": chain}):
                    return ChainHead(*found)
            return ChainHead()
        if chain and (account := await self._accounts.get(chain)):
            return ChainHead(*(account[name] for name in _NAMES))
        if chain not in self._ends:
            found = await self._session.one(_END.locking, {"key": chain})
            self._ends[chain] = ChainHead(*found) if found else ChainHead()
        return self._ends[chain]

    async def append(self, event: AuditEvent, head: ChainHead) -> None:
        """Store an event and the chain's new end when the transaction ends. Raises NotAuthentic."""
        self._events.append({name: getattr(event, name) for name in event.__slots__})
        revision = 0
        if not event.chain:
            self._ends[event.chain] = head
            self._unsent.add(event.chain)
        elif account := await self._accounts.get(event.chain):
            self._accounts.change(event.chain, _values(head))
            revision = int(account["revision"])
        if self._effects is not None:
            self._effects.anchors.append(Anchor(event.chain, event.sequence, event.mac, revision))

    def take_changes(self) -> list[Change]:
        """Return the statements that store the appended events and the new ends of chains, which count as sent from here on."""
        events, self._events = self._events, []
        unsent, self._unsent = self._unsent, set()
        changes: list[Change] = [(_APPEND, event) for event in events]
        return changes + [(_MOVE_END, {**_values(self._ends[chain]), "key": chain}) for chain in unsent]

    async def archive_chain(self, account_id: str) -> None:
        """Copy the end of an account's chain to audit_chains, where it outlives the account."""
        if account := await self._accounts.get(account_id):
            end = {name: account[name] for name in _NAMES}
            await self._connection.execute(insert(_CHAINS), {"chain": account_id, **end})

    async def resume_chain(self, account_id: str) -> None:
        """Move the end of a chain back to the account with its id, if it was archived."""
        left = _CHAINS.c.chain == account_id
        found = (await self._connection.execute(select(*_columns(_CHAINS)).where(left))).one_or_none()
        if found:
            self._accounts.change(account_id, found._asdict())
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

    async def page(self, chain: str, after: int, limit: int, order: EventOrder = OLDEST_FIRST) -> Sequence[AuditEvent]:
        """Return at most `limit` events of a chain in an order, beginning after a sequence number; 0: at the beginning."""
        query, number = select(_EVENTS).where(_EVENTS.c.chain == chain), _EVENTS.c.sequence
        if after:
            query = query.where(number < after if order.newest_first else number > after)
        if order.since:
            query = query.where(_EVENTS.c.create_time >= order.since)
            if order.newest_first or not after:
                query = query.where(number > await self._last_before(chain, order.since - CLOCK_SKEW, after))
        query = query.order_by(number.desc() if order.newest_first else number).limit(limit)
        return [_event(row) for row in await self._connection.execute(query)]

    async def _last_before(self, chain: str, time: datetime, end: int) -> int:
        """Return the number of an event before a time, found by bisection up to an end (0: that of the chain), or 0.

        Times have no index, so that a query by time reads the whole chain.
        """
        number, of_chain = _EVENTS.c.sequence, _EVENTS.c.chain == chain
        last, first = 0, end or (await self._connection.scalar(select(func.max(number)).where(of_chain))) or 0
        while first - last > EVENTS_AT_ONCE:
            middle = (last + first) // 2
            query = select(number, _EVENTS.c.create_time).where(of_chain, number >= middle).order_by(number).limit(1)
            found = (await self._connection.execute(query)).one_or_none()
            if found is not None and found.create_time < time:
                last = found.sequence
            else:
                first = middle
        return last

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


def _key(table: Table) -> Any:
    return next(iter(table.primary_key))


def _columns(table: Table) -> list[Any]:
    return [table.c[name] for name in _NAMES]


def _ends(table: Table) -> Select[Any]:
    return select(_key(table), *_columns(table))


def _values(head: ChainHead) -> dict[str, Any]:
    return {"audit_count": head.count, "audit_mac": head.mac, "audit_seal": head.seal}


def _head(row: Row[Any]) -> ChainHead:
    return ChainHead(row.audit_count, row.audit_mac, row.audit_seal)


def _event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(**row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for a row as a mapping)
