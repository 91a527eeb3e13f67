"""Pages of an audit chain since a time: the same on every store, and read without the events before that time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sellergate_account.model import AuditEvent, EventOrder
from sellergate_account.ports.unit_of_work import Store
from sellergate_account.storage import audit_log
from sellergate_account.storage.database import Database
from sellergate_account.storage.store import SqlStore
from sellergate_account.storage.tables import AuditEventRecord
from sqlalchemy import event, insert

from tests.contract.ports.test_account_store import INDEX_KEY, NOW, RING, database, migrated, store
from tests.fakes.account import Domain

__all__ = ["database", "store"]
_EVENTS = AuditEventRecord.metadata.tables[AuditEventRecord.__tablename__]
MINUTE = timedelta(minutes=1)
# Events that SQLite steps over per callback: enough to be quick, few enough to tell ten events from thousands.
STEPS = 10


def made(number: int, minutes: float) -> AuditEvent:
    return AuditEvent("a", number, "account.updated", "", "", "operator", "", "", NOW + minutes * MINUTE, "mac")


async def stored(store: Store, minutes: list[float]) -> None:
    """Store a chain of events, made at these minutes."""
    async with store.writing() as work:
        for number, minute in enumerate(minutes, 1):
            await work.audit_log.append(made(number, minute), await work.audit_log.head("a"))


async def pages(store: Store, order: EventOrder, size: int) -> list[int]:
    """Return the numbers of all events of an order, read page by page."""
    numbers, after = list[int](), 0
    async with store.reading() as work:
        while found := await work.audit_log.page("a", after, size, order):
            numbers += [one.sequence for one in found]
            after = numbers[-1]
    return numbers


async def test_pages_since_a_time_have_each_later_event_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "EVENTS_AT_ONCE", 2)
    minutes = [30.0 * number for number in range(40)]
    minutes[30] -= 59  # by a replica whose clock is behind
    minutes[10] += 59  # by one whose clock is ahead
    await stored(store, minutes)
    for since in (-1, 330, 890, 1170, 1171):
        wanted = [number for number, minute in enumerate(minutes, 1) if minute >= since]
        time = NOW + since * MINUTE
        assert await pages(store, EventOrder(False, time), 15) == wanted
        assert await pages(store, EventOrder(True, time), 15) == wanted[::-1]


async def test_a_gap_in_a_chain_hides_no_event(database: Database) -> None:
    await insert_events(database, {number: 60.0 * number for number in range(1, 1001) if not 400 < number < 700})
    found = await pages(SqlStore(database, RING, INDEX_KEY), EventOrder(True, NOW + 60 * 600 * MINUTE), 200)
    assert found == list(range(1000, 699, -1))


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_page_reads_no_more_of_a_long_chain_than_of_a_short_one(
    request: pytest.FixtureRequest, newest_first: bool
) -> None:
    async with migrated("sqlite", request) as database:
        domain = Domain(SqlStore(database, RING, INDEX_KEY))
        steps = []
        for length in (500, 4000):
            await insert_events(database, {number: 60.0 * (number - length) for number in range(1, length + 1)})
            with counted(database) as count:
                found = await domain.audit.events(
                    domain.store, "a", 0, 100, EventOrder(newest_first, NOW - 120 * MINUTE)
                )
            assert sorted(one.sequence for one in found) == [length - 2, length - 1, length]
            steps.append(len(count))
    assert steps[1] < 2 * steps[0]


async def insert_events(database: Database, minutes: dict[int, float]) -> None:
    """Store events by number, in place of all others."""
    rows = [{name: getattr(one, name) for name in one.__slots__} for one in (made(*item) for item in minutes.items())]
    async with database.writing() as connection:
        await connection.execute(_EVENTS.delete())
        await connection.execute(insert(_EVENTS), rows)


@contextmanager
def counted(database: Database) -> Iterator[list[None]]:
    """Collect an item for each few steps of SQLite's machine, on every connection that is taken from the pool."""
    count = list[None]()

    def watch(connection: Any, *_: Any) -> None:
        connection.run_async(lambda raw: raw.set_progress_handler(lambda: count.append(None), STEPS))

    engine = database.engine.sync_engine
    event.listen(engine, "checkout", watch)
    try:
        yield count
    finally:
        event.remove(engine, "checkout", watch)
