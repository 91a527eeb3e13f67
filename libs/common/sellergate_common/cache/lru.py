"""Bounded mappings of this process: `Lru` bounds the number of entries, `TtlCache` also their age."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from sellergate_common.feed.ports import REMOVED

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

# The greatest age in seconds of a copy of another service's data while the change feed is disconnected.
MAX_STALENESS_SECONDS = 5.0


class Lru(Generic[_Key, _Value]):
    """A mapping of at most `size` entries that drops the least recently used one. Values are never None."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[_Key, _Value] = OrderedDict()

    def get(self, key: _Key) -> _Value | None:
        """Return the value and mark it as used; None where there is none."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def peek(self, key: _Key) -> _Value | None:
        """Return the value without marking it as used; None where there is none."""
        return self._entries.get(key)

    def put(self, key: _Key, value: _Value) -> None:
        """Store a value as the most recently used one."""
        entries = self._entries
        entries[key] = value
        entries.move_to_end(key)
        if len(entries) > self._size:
            entries.popitem(last=False)

    def drop(self, key: _Key) -> None:
        """Drop the entry, if there is one."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Drop all entries."""
        self._entries.clear()

    def items(self) -> Iterable[tuple[_Key, _Value]]:
        """Return a view of the keys and values, the most recently used last."""
        return self._entries.items()

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)


class TtlCache(Generic[_Value]):
    """Values by account, each for a limited time. `now` is in seconds; `feed_connected` returns whether changes arrive."""

    def __init__(self, size: int, now: Callable[[], float], feed_connected: Callable[[], bool]) -> None:
        self._now = now
        self._feed_connected = feed_connected
        self._entries: Lru[str, tuple[_Value, float, float]] = Lru(size)

    def get(self, account_id: str) -> _Value | None:
        """Return the value of an account, or None if there is none or it is too old."""
        entry = self._entries.get(account_id)
        if entry is None:
            return None
        value, since, until = entry
        now = self._now()
        if now >= until or (now - since >= MAX_STALENESS_SECONDS and not self._feed_connected()):
            self._entries.drop(account_id)
            return None
        return value

    def put(self, account_id: str, value: _Value, seconds: float) -> None:
        """Keep a value for `seconds`."""
        now = self._now()
        self._entries.put(account_id, (value, now, now + seconds))

    def forget(self, account_id: str) -> None:
        """Drop the value of an account."""
        self._entries.drop(account_id)

    def drop_older(self, account_id: str, version: int) -> None:
        """Drop the value of an account that was removed; of one that was changed, its revision shows which values are older."""
        if version == REMOVED:
            self._entries.drop(account_id)

    def forget_all(self) -> None:
        """Drop all values."""
        self._entries.clear()

    def mark_stale(self) -> None:
        """Drop all values, since a change may have been missed."""
        self.forget_all()
