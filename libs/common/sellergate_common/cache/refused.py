"""The marks of values that Amazon refused and this process has dropped: Redis may still hold them, or get them back.

A Redis that does not respond drops nothing, and a replica that was cut off may add what the others have dropped.
"""

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from sellergate_common.cache.entries import COOL_OFF_SECONDS
from sellergate_common.cache.lru import Lru

_SIZE = 20_000


class RefusedMarks:
    """The marks of the values of entries that were dropped, each for COOL_OFF_SECONDS. `now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ends: Lru[tuple[str, SecretStr], float] = Lru(_SIZE)

    def add(self, name: str, mark: Any) -> None:
        """Remember the mark of a value of the entry `name`."""
        self._ends.put((name, text_of(mark)), self._now() + COOL_OFF_SECONDS)

    def contains(self, name: str, mark_of: Callable[[], Any]) -> bool:
        """Return whether the value with this mark was dropped. `mark_of` is only called if any was."""
        return bool(self._ends) and self._now() < (self._ends.get((name, text_of(mark_of()))) or 0.0)

    def discard(self, name: str, mark_of: Callable[[], Any]) -> None:
        """Forget a mark, because the value's source has issued the value again."""
        if self._ends:
            self._ends.drop((name, text_of(mark_of())))


def text_of(mark: Any) -> SecretStr:
    """Return the text of a mark, by which processes compare it."""
    return mark if isinstance(mark, SecretStr) else SecretStr(str(mark))
