"""Old changes are removed in batches, ten minutes after their transactions ended, and an outage of the database ends nothing."""

import asyncio
from dataclasses import dataclass, field

import pytest
from sellergate_account.changes.retention import (
    MOST_BATCHES,
    REMOVED_AT_ONCE,
    RETENTION_SECONDS,
    remove_old_changes,
)
from sellergate_account.ports.change_log import ListedChanges
from sellergate_common.errors import Unavailable


@dataclass
class FakeLog:
    """A list of changes: `ended` transactions, of which `rows` changes are stored."""

    rows: int = 0
    ended: int = 0
    is_down: bool = False
    removals: list[int] = field(default_factory=list)

    async def read(self, cursor: str) -> ListedChanges:
        raise NotImplementedError(cursor)

    async def settled(self) -> int:
        if self.is_down:
            raise Unavailable("down")
        return self.ended

    async def remove(self, before: int, most: int) -> int:
        self.removals.append(before)
        removed = min(self.rows, most)
        self.rows -= removed
        return removed


class Periods:
    """A sleep that ends after a number of periods; `waits` holds the seconds of each. A period may be an outage."""

    def __init__(self, log: FakeLog, count: int, outages: tuple[int, ...] = ()) -> None:
        self._log, self._count, self._outages = log, count, outages
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if len(self.waits) == self._count:
            raise asyncio.CancelledError
        self.waits.append(seconds)
        self._log.ended += 10
        self._log.is_down = len(self.waits) in self._outages


async def run(log: FakeLog, periods: Periods) -> None:
    with pytest.raises(asyncio.CancelledError):
        await remove_old_changes(log, periods.sleep)


async def test_what_had_ended_a_period_before_is_removed() -> None:
    log = FakeLog()
    periods = Periods(log, 3)
    await run(log, periods)
    assert log.removals == [10, 20]
    assert periods.waits == [RETENTION_SECONDS] * 3


async def test_removal_goes_in_bounded_batches() -> None:
    log = FakeLog(rows=2 * REMOVED_AT_ONCE + 1)
    await run(log, Periods(log, 2))
    assert log.removals == [10] * 3
    assert log.rows == 0
    many = FakeLog(rows=REMOVED_AT_ONCE * (MOST_BATCHES + 1))
    await run(many, Periods(many, 2))
    assert len(many.removals) == MOST_BATCHES


async def test_an_outage_of_the_database_delays_the_removal() -> None:
    log = FakeLog(rows=1)
    await run(log, Periods(log, 3, outages=(2,)))
    assert log.removals == [10, 10]
