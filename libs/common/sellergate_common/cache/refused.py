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
    """The mark of the value of each entry that was dropped last. `now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._marks: Lru[str, tuple[SecretStr, float]] = Lru(_SIZE)

    def add(self, name: str, mark: Any) -> None:
        """Remember a mark, for COOL_OFF_SECONDS."""
        self._marks.put(name, (text_of(mark), self._now() + COOL_OFF_SECONDS))

    def contains(self, name: str, mark: Any) -> bool:
        """Return whether the value with this mark was dropped."""
        dropped, until = self._marks.get(name) or (None, 0.0)
        return self._now() < until and dropped == text_of(mark)

    def discard(self, name: str, mark: Any) -> None:
        """Forget a mark, because the value's source has issued the value again."""
        if self.contains(name, mark):
            self._marks.drop(name)


def text_of(mark: Any) -> SecretStr:
    """Return the text of a mark, by which processes compare it."""
    return mark if isinstance(mark, SecretStr) else SecretStr(str(mark))
