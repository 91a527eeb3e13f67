"""This process's own copies of shared entries: what a warm call is served from, and what is left when Redis is unavailable.

A Redis that comes back empty is filled from the memories of all replicas before anything is fetched again. Each replica holds other
entries; one that misses an entry right after a loss therefore waits a moment for the others to bring theirs. The loss is noticed by
a mark in Redis: it is another one than before.
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
"""Copies kept, about 3 KB each."""


@dataclass(slots=True)
class MemoryEntry(Generic[_Key, _Value]):
    """A copy. `renew_at` is when it is renewed, by the wall clock."""

    key: _Key
    value: _Value
    renew_at: float
    generation: int


class EntryMemory(Generic[_Key, _Value]):
    """Copies by subject (an account); of one with several keys, the last is kept."""

    def __init__(self, subject: Callable[[_Key], str]) -> None:
        self._subject = subject
        self._held: Lru[str, MemoryEntry[_Key, _Value]] = Lru(SIZE)
        self._generation = 0

    def get(self, key: _Key) -> MemoryEntry[_Key, _Value] | None:
        """Return the copy, trusted or not; None where there is none."""
        held = self._held.get(self._subject(key))
        return held if held is not None and held.key == key else None

    def is_trusted(self, held: MemoryEntry[_Key, _Value]) -> bool:
        """Return whether no change can have been missed since the copy was made."""
        return held.generation == self._generation

    def put(self, key: _Key, value: _Value, renew_at: float) -> None:
        """Keep a copy."""
        self._held.put(self._subject(key), MemoryEntry(key, value, renew_at, self._generation))

    def all(self) -> list[MemoryEntry[_Key, _Value]]:
        """Return all copies, the last used last."""
        return [held for _, held in self._held.items()]

    def forget(self, subject: str) -> None:
        """Drop a copy."""
        self._held.drop(subject)

    def forget_all(self) -> None:
        """Drop all copies."""
        self._held.clear()

    def mark_stale(self) -> None:
        """Compare every copy with the shared entry before it is used again; they are what a new, empty Redis is filled with."""
        self._generation += 1


# Replicas notice a loss when they subscribe again, within half a second, and bring thousands of entries in a second.
PEERS_SECONDS = 2.0
_AT_ONCE = 32


class Refill:
    """The refill of one process. `mark` returns Redis' mark, made where there is none, and None where Redis does not respond.

    `share` adds all that is in memory, so many at once; it must never replace what is there.
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
        """Wait until all replicas have had the time to bring what they hold; return whether anything was lost lately."""
        await self.check()
        left = self._settled - self._clock.monotonic()
        if left <= 0:
            return False
        await self._clock.sleep(left)
        return True

    async def check(self) -> None:
        """Share what this process holds, in the background, if Redis has lost its entries since the last look."""
        mark = await self._mark()
        if mark is None or mark == self._known:
            return
        lost, self._known = self._known is not None, mark
        if lost:
            self._settled = self._clock.monotonic() + PEERS_SECONDS
            self._start(self._share())

    def forget(self, _: str) -> None:
        """Do nothing: one entry has changed."""

    def forget_all(self) -> None:
        """Do nothing: all entries were dropped on purpose."""

    def mark_stale(self) -> None:
        """Check whether Redis still has its entries, after its connection was lost."""
        self._start(self.check())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _share(self) -> None:
        get_logger().warning("redis_came_back_empty", entries=await self._share_entries(_AT_ONCE))
