"""The port of a cache that all replicas share: entries that expire, fetched once for all who want them at the time.

Pure: the domains of token and iam depend on it; `redis_entries` is its adapter.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

_Key_contra = TypeVar("_Key_contra", contravariant=True)
_Value = TypeVar("_Value")
_Mark_contra = TypeVar("_Mark_contra", contravariant=True)


class Entries(Protocol[_Key_contra, _Value, _Mark_contra]):
    """Entries by key; a mark names a value and tells nothing of it. It may lose anything at any moment."""

    async def get(self, key: _Key_contra) -> _Value | None:
        """Return the entry, whatever is left of its life."""

    async def put(self, key: _Key_contra, value: _Value) -> None:
        """Keep a value until it expires."""

    async def drop_if(self, key: _Key_contra, mark: _Mark_contra) -> bool:
        """Drop the entry if its value has this mark; True when it was there."""

    async def drop(self, key: _Key_contra) -> bool:
        """Drop the entry; True when there was one."""

    async def clear(self) -> int:
        """Drop all entries and return how many there were. Raises Unavailable."""

    async def count(self) -> int:
        """Return how many entries there are. Raises Unavailable."""

    async def once(
        self, key: _Key_contra, look: Callable[[], Awaitable[_Value | None]], fetch: Callable[[], Awaitable[_Value]]
    ) -> _Value:
        """Return what `look` finds, or what `fetch` brings and puts here: fetched once for all who ask at the time."""

    @property
    def shared_waits(self) -> int:
        """Return how many waited for another's fetch, since the process started."""


@dataclass(slots=True)
class Counts:
    """What happened to a cache since the process started."""

    hits: int = 0
    misses: int = 0
    fetches: int = 0
    shared_waits: int = 0
    failures: int = 0

    @property
    def hit_ratio(self) -> float:
        """Hits among all answers; 0 when nothing was asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0
