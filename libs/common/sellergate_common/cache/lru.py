"""The bounded mapping of this process under every cache that must not grow with what callers send."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Lru(Generic[_Key, _Value]):
    """A mapping of at most `size` entries that drops the least recently used one. Values are never None."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[_Key, _Value] = OrderedDict()

    def get(self, key: _Key) -> _Value | None:
        """Return the value and count it as used; None where there is none."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def peek(self, key: _Key) -> _Value | None:
        """Return the value without counting it as used; None where there is none."""
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
        """Return how many entries there are."""
        return len(self._entries)
