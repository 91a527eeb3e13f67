"""This process's own copies of shared entries: what a warm call is served from, and what is left when Redis is gone."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sellergate_common.cache.entries import Perishable

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value", bound=Perishable)

SIZE = 20_000
"""Copies kept, about 3 KB each."""


@dataclass(slots=True)
class Held(Generic[_Key, _Value]):
    """A copy. `renew_at` is when it is renewed, by the wall clock."""

    key: _Key
    value: _Value
    renew_at: float
    generation: int


class EntryMemory(Generic[_Key, _Value]):
    """Copies by subject (an account); of one with several keys, the last is kept."""

    def __init__(self, subject: Callable[[_Key], str]) -> None:
        self._subject = subject
        self._held: OrderedDict[str, Held[_Key, _Value]] = OrderedDict()
        self._generation = 0

    def get(self, key: _Key) -> Held[_Key, _Value] | None:
        """Return the copy, doubted or not."""
        subject = self._subject(key)
        held = self._held.get(subject)
        if held is None or held.key != key:
            return None
        self._held.move_to_end(subject)
        return held

    def is_trusted(self, held: Held[_Key, _Value]) -> bool:
        """Tell whether no change can have been missed since the copy was made."""
        return held.generation == self._generation

    def put(self, key: _Key, value: _Value, renew_at: float) -> None:
        """Keep a copy."""
        subject = self._subject(key)
        self._held[subject] = Held(key, value, renew_at, self._generation)
        self._held.move_to_end(subject)
        while len(self._held) > SIZE:
            self._held.popitem(last=False)

    def forget(self, subject: str) -> None:
        """Forget a copy."""
        self._held.pop(subject, None)

    def forget_all(self) -> None:
        """Forget all copies."""
        self._held.clear()

    def doubt_all(self) -> None:
        """Compare every copy with the shared entry before it is used again; they are what a new, empty Redis is filled with."""
        self._generation += 1
