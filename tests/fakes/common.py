"""In-memory caches of tokens and credentials, each with a simple single flight."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from sellergate_common.cache.entries import Counts, Expiring, Lookup, is_sufficient

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Expiring)


class FakeCache(Generic[_Key, _Value]):
    """An in-memory cache. `named` returns the mark that drop_if compares: a token's fingerprint, credentials' access key ID."""

    def __init__(self, named: Callable[[_Value], Any], now: Callable[[], float]) -> None:
        self.entries: dict[_Key, _Value] = {}
        self.counts = Counts()
        self._named = named
        self._now = now
        self._flights: dict[_Key, asyncio.Task[_Value]] = {}

    async def obtain(self, key: _Key, min_ttl: float | None, fetch: Callable[[], Awaitable[_Value]]) -> Lookup[_Value]:
        value = self.entries.get(key)
        if value is not None and is_sufficient(value, min_ttl, self._now()):
            self.counts.hits += 1
            return Lookup(value, cached=True)
        self.counts.misses += 1
        if key in self._flights:
            self.counts.shared_waits += 1
        else:
            self._start(key, fetch)
        self.entries[key] = await self._flights[key]
        return Lookup(self.entries[key], cached=False)

    async def replace(self, key: _Key, fetch: Callable[[], Awaitable[_Value]]) -> None:
        while key in self._flights:
            await asyncio.wait({self._flights[key]})
        self._start(key, fetch)
        self.entries[key] = await self._flights[key]

    def _start(self, key: _Key, fetch: Callable[[], Awaitable[_Value]]) -> None:
        self._flights[key] = asyncio.ensure_future(fetch())
        self._flights[key].add_done_callback(lambda _: self._flights.pop(key))

    async def put(self, key: _Key, value: _Value) -> None:
        self.entries.setdefault(key, value)

    async def drop_if(self, key: _Key, mark: Any) -> bool:
        if key in self.entries and self._named(self.entries[key]) == mark:
            del self.entries[key]
            return True
        return False

    async def drop(self, key: _Key) -> bool:
        return self.entries.pop(key, None) is not None

    async def clear(self) -> int:
        count = len(self.entries)
        self.entries.clear()
        return count

    async def count(self) -> int:
        return len(self.entries)
