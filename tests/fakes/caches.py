"""The caches of tokens and credentials in memory, each with its own small single flight."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class FakeCache(Generic[_Key, _Value]):
    """`named` tells which mark drop_if compares: a token's fingerprint, credentials' access key."""

    def __init__(self, named: Callable[[_Value], Any]) -> None:
        self.entries: dict[_Key, _Value] = {}
        self.shared_waits = 0
        self._named = named
        self._flights: dict[_Key, asyncio.Task[_Value]] = {}

    async def get(self, key: _Key) -> _Value | None:
        return self.entries.get(key)

    async def put(self, key: _Key, value: _Value) -> None:
        self.entries[key] = value

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

    async def once(
        self, key: _Key, look: Callable[[], Awaitable[_Value | None]], fetch: Callable[[], Awaitable[_Value]]
    ) -> _Value:
        if key in self._flights:
            self.shared_waits += 1
        else:
            self._flights[key] = asyncio.ensure_future(fetch())
            self._flights[key].add_done_callback(lambda _: self._flights.pop(key))
        return await self._flights[key]
