"""A world in which everything fails by chance: no copy is used that lacks a change acknowledged five seconds ago."""

import asyncio
import random
from collections import Counter

import pytest
from sellergate_common.errors import NotFound, SellergateError
from sellergate_common.feed.trust import TRUST_SECONDS

from tests.fakes.feed import DOWN, Owner, Process, virtual_clock
from tests.fakes.virtual_time import run_in_virtual_time

SEEDS, SECONDS, ROWS, PROCESSES = 2, 60.0, 3, 2
ALL, SOME = 1.0, 0.5


class World:
    """An owner, the processes that copy its rows, and the time of each acknowledgement.

    `delivered` is the part of the announcements that a connected process receives; None: processes are never connected.
    """

    def __init__(self, seed: int, delivered: float | None) -> None:
        self.chance = random.Random(seed)
        self.delivered = delivered
        self.owner = Owner(seconds=self._seconds)
        self.rows = [f"r{number}" for number in range(ROWS)]
        self.acknowledged: dict[str, list[tuple[float, int]]] = {row: [] for row in self.rows}
        self.processes: list[Process] = []
        self.uses = Counter[str]()
        self.slow = False

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def _seconds(self) -> float:
        return self.chance.expovariate(1.0) if self.slow else self.chance.uniform(0.001, 0.05)

    async def change(self) -> None:
        """Change rows; each change is acknowledged a moment after its commit, and announced to some processes."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1.5))
            row = self.chance.choice(self.rows)
            version = self.owner.commit(row)
            for process in self.processes:
                if process.connected and self.chance.random() < (self.delivered or 0):
                    process.copies.forget(row)
            await asyncio.sleep(self.chance.uniform(0, 0.2))
            self.acknowledged[row].append((self.now(), version))

    async def fail(self) -> None:
        """Stop the owner, slow it down, delete its history, disconnect processes from the announcements; and undo each."""
        while True:
            await asyncio.sleep(self.chance.expovariate(0.3))
            event = self.chance.randrange(6)
            # While its owner is down, a copy is used as long as the process is connected: only the owner could report lost
            # announcements.
            is_reachable = self.delivered == SOME
            if event == 0 and not is_reachable:
                self.owner.error = None if self.owner.error else DOWN
            elif event == 1 and not is_reachable:
                self.slow = not self.slow
            elif event == 2:
                self.owner.history += "x"
            elif event == 3:
                self.owner.repeated = self.chance.randrange(20)
            elif event > 3 and self.delivered is not None:
                process = self.chance.choice(self.processes)
                process.connected = not process.connected
                if process.connected:
                    process.copies.mark_stale()

    async def use(self, process: Process) -> None:
        """Use copies, and compare each with what was acknowledged more than five seconds ago."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.01, 0.3))
            row = self.chance.choice(self.rows)
            try:
                version = await process.version(row)
            except NotFound:
                self.uses["none"] += 1
                continue
            except SellergateError:
                self.uses["error"] += 1
                continue
            limit = self.now() - TRUST_SECONDS
            due = max((version for moment, version in self.acknowledged[row] if moment < limit), default=0)
            assert version >= due, f"{row}: version {version} was used, {due} was due"
            self.uses["known" if self.now() < process.trust.until else "unknown"] += 1

    async def run(self) -> None:
        clock = virtual_clock()
        self.processes = [Process(self.owner, clock, size=2) for _ in range(PROCESSES)]
        for row in self.rows:
            self.owner.versions[row] = 0
        tasks = [asyncio.create_task(self.change()), asyncio.create_task(self.fail())]
        for process in self.processes:
            process.connected = self.delivered is not None
            tasks.append(asyncio.create_task(process.follower.follow()))
            tasks += [asyncio.create_task(self.use(process)) for _ in range(3)]
        done, pending = await asyncio.wait(tasks, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()


@pytest.mark.parametrize("delivered", [ALL, SOME, None])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_copy_lacks_a_change_that_was_acknowledged_five_seconds_ago(seed: int, delivered: float | None) -> None:
    world = World(seed, delivered)
    run_in_virtual_time(world.run())
    assert world.uses["known"] > 30, world.uses
    if delivered != SOME:
        assert world.uses["unknown"] + world.uses["error"] > 0, world.uses
