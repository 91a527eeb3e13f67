"""Copies of what another service owns, five seconds old at most; older only while that service does not respond.

The owner announces changes. While this process receives them, a copy that none has ended is known to be true, and is used further
while its owner is down; while it does not, five seconds is the bound in any case.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from sellergate_common.cache.lru import MAX_STALENESS_SECONDS, Lru
from sellergate_common.cache.single_flight import LocalFlight
from sellergate_common.errors import OutOfTime, SellergateError, Unavailable
from sellergate_common.observability.logs import get_logger

_Value = TypeVar("_Value")

SIZE = 20_000
# An owner that did not respond is asked again after this long; callers meanwhile do not wait for it.
OWNER_PAUSE_SECONDS = 1.0
# Looking takes a millisecond; an owner that hangs is given up on after this long, so that a copy can serve.
LOOK_SECONDS = 3.0
# The first fetch may join one that began before the change; the second begins after it for certain.
_FETCHES_FOR_NEWER = 2


@dataclass(slots=True)
class _Copy(Generic[_Value]):
    value: _Value
    fetched_at: float
    retry_at: float


class StaleIfErrorCache(Generic[_Value]):
    """Values by id. `now` is monotonic; `feed_connected` says whether changes are announced at present."""

    def __init__(self, now: Callable[[], float], feed_connected: Callable[[], bool]) -> None:
        self._now = now
        self._feed_connected = feed_connected
        self._copies: Lru[str, _Copy[_Value]] = Lru(SIZE)
        self._flight: LocalFlight[_Value] = LocalFlight()
        # Ids that are being asked for, and of which no change was announced since.
        self._unchanged: set[str] = set()

    async def get(self, id_: str, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return the copy, or what `fetch` brings. Raises what `fetch` raises."""
        copy = self._copies.get(id_)
        if copy is not None and self._now() < copy.retry_at and (self._is_fresh(copy) or self._feed_connected()):
            return copy.value
        try:
            return await self._flight.get(id_, partial(self._fetch, id_, fetch))
        except (Unavailable, OutOfTime):
            # Looked up again: it may have been forgotten while its owner was asked.
            copy = self._copies.get(id_)
            if copy is None or not (self._is_fresh(copy) or self._feed_connected()):
                raise
            get_logger().warning("copy_of_unavailable_owner")
            copy.retry_at = self._now() + OWNER_PAUSE_SECONDS
            return copy.value

    async def get_newer(
        self, id_: str, fetch: Callable[[], Awaitable[_Value]], is_new: Callable[[_Value], bool]
    ) -> _Value:
        """Return a value that `is_new` holds for, whatever the copy is. Raises what `fetch` raises, and Unavailable.

        A caller that knows of a change knows more than a copy, and more than a fetch that began before the change.
        """
        value = await self.get(id_, fetch)
        for _ in range(_FETCHES_FOR_NEWER):
            if is_new(value):
                return value
            self.forget(id_)
            value = await self.get(id_, fetch)
        if is_new(value):
            return value
        raise Unavailable("The owner knows only an older revision than the caller; repeat the call.", retry_after=1.0)

    def time_left(self, id_: str) -> float:
        """Return the seconds that any caller still waits for a value to be fetched; 0 where none does."""
        return self._flight.time_left(id_)

    def forget(self, id_: str) -> None:
        """Forget a copy."""
        self._copies.drop(id_)
        self._unchanged.discard(id_)

    def forget_all(self) -> None:
        """Forget all copies."""
        self._copies.clear()
        self._unchanged.clear()

    def mark_stale(self) -> None:
        """Forget all copies: each may have changed."""
        self.forget_all()

    def _is_fresh(self, copy: _Copy[_Value]) -> bool:
        return self._now() - copy.fetched_at < MAX_STALENESS_SECONDS

    async def _fetch(self, id_: str, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        self._unchanged.add(id_)
        try:
            value = await fetch()
        except (Unavailable, OutOfTime):
            raise
        except SellergateError:
            self.forget(id_)  # its owner has spoken
            raise
        if id_ not in self._unchanged:
            return value  # it may be the one of before
        now = self._now()
        self._copies.put(id_, _Copy(value, now, now + MAX_STALENESS_SECONDS))
        return value
