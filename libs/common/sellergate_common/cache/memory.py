"""This process's copies of shared entries: they serve warm calls, and all calls while Redis is unavailable.

After Redis has lost its data, all replicas refill it from their copies before they fetch anything again. Each replica
holds different entries, so a replica that misses an entry right after a loss waits a moment for the others. A changed
mark in Redis reveals the loss.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sellergate_common.cache.entries import Expiring
from sellergate_common.cache.lru import Lru
from sellergate_common.clock import Clock
from sellergate_common.observability.logs import get_logger

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Expiring)

SIZE = 20_000
"""The most copies, of about 3 KB each."""


@dataclass(slots=True)
class MemoryEntry(Generic[_Key, _Value]):
    """A copy of an entry. `renew_at` is its time of renewal, in seconds since the epoch."""

    key: _Key
    value: _Value
    renew_at: float
    generation: int


class EntryMemory(Generic[_Key, _Value]):
    """Copies by subject (an account); of a subject with several keys, only the last one of the newest version."""

    def __init__(self, subject: Callable[[_Key], str], version: Callable[[_Key], int]) -> None:
        self._subject = subject
        self._version = version
        self._held: Lru[str, MemoryEntry[_Key, _Value]] = Lru(SIZE)
        self._generation = 0

    def get(self, key: _Key) -> MemoryEntry[_Key, _Value] | None:
        """Return the copy, whether trusted or not; None where there is none."""
        held = self._held.get(self._subject(key))
        return held if held is not None and held.key == key else None

    def is_trusted(self, held: MemoryEntry[_Key, _Value]) -> bool:
        """Return whether no change can have been missed since the copy was stored."""
        return held.generation == self._generation

    def put(self, key: _Key, value: _Value, renew_at: float) -> None:
        """Store a copy, unless there is one of a newer version: a fetch for an older one may end after the change."""
        subject = self._subject(key)
        held = self._held.get(subject)
        if held is None or self._version(held.key) <= self._version(key):
            self._held.put(subject, MemoryEntry(key, value, renew_at, self._generation))

    def all(self) -> list[MemoryEntry[_Key, _Value]]:
        """Return all copies, the most recently used last."""
        return [held for _, held in self._held.items()]

    def forget(self, subject: str) -> None:
        """Drop a copy."""
        self._held.drop(subject)

    def forget_all(self) -> None:
        """Drop all copies."""
        self._held.clear()

    def mark_stale(self) -> None:
        """Require that each copy is compared with the shared entry before its next use; copies stay to refill an empty Redis."""
        self._generation += 1


# Replicas notice a loss when they subscribe again, within half a second, and write thousands of entries a second.
PEERS_SECONDS = 2.0
_AT_ONCE = 32


class Refill:
    """The refill by one process. `mark` returns Redis' mark, or None where Redis does not respond; it creates a missing mark.

    `share` adds all copies in batches of the given size; it must never replace an entry.
    """

    def __init__(
        self,
        mark: Callable[[], Coroutine[Any, Any, str | None]],
        share: Callable[[int], Coroutine[Any, Any, int]],
        clock: Clock,
    ) -> None:
        self._mark = mark
        self._share_entries = share
        self._clock = clock
        self._known: str | None = None
        self._settled = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def wait_until_done(self) -> bool:
        """Wait until all replicas have had time to write their copies; return whether Redis lost its entries lately."""
        await self.check()
        left = self._settled - self._clock.monotonic()
        if left <= 0:
            return False
        await self._clock.sleep(left)
        return True

    async def check(self) -> None:
        """Share this process's copies in the background, if Redis has lost its entries since the last check."""
        mark = await self._mark()
        if mark is None or mark == self._known:
            return
        lost, self._known = self._known is not None, mark
        if lost:
            self._settled = self._clock.monotonic() + PEERS_SECONDS
            self._start(self._share())

    def forget(self, _: str) -> None:
        """Do nothing: a change of one entry is no loss."""

    def forget_all(self) -> None:
        """Do nothing: the entries were dropped on purpose."""

    def mark_stale(self) -> None:
        """Check whether Redis still has its entries, after its connection was lost."""
        self._start(self.check())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _share(self) -> None:
        get_logger().warning("redis_came_back_empty", entries=await self._share_entries(_AT_ONCE))
