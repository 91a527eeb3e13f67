"""A bounded memory of this process: values by account, each for a time, forgotten when told that they changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

from sellergate_common.cache.lru import Lru

_Value = TypeVar("_Value")

# Where nobody tells of changes, a copy is this old at most, in seconds.
MAX_STALENESS_SECONDS = 5.0


class TtlCache(Generic[_Value]):
    """The last values used are kept, `size` of them. `feed_connected` says whether changes are being told at present."""

    def __init__(self, size: int, now: Callable[[], float], feed_connected: Callable[[], bool]) -> None:
        self._now = now
        self._feed_connected = feed_connected
        self._entries: Lru[str, tuple[_Value, float, float]] = Lru(size)

    def get(self, account_id: str) -> _Value | None:
        """Return the value of an account, if it may still be used."""
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
        """Remember a value for `seconds`."""
        now = self._now()
        self._entries.put(account_id, (value, now, now + seconds))

    def forget(self, account_id: str) -> None:
        """Forget the value of an account."""
        self._entries.drop(account_id)

    def forget_all(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def mark_stale(self) -> None:
        """Forget everything: what may have changed is asked for again."""
        self.forget_all()
