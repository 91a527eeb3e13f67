"""Copies of another service's data, at most five seconds old; older only while that service does not respond.

The owner publishes changes. While this process receives them, a copy without a change is known to be current, and stays
in use while its owner is down; while it does not, five seconds is the bound in any case.
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
# The pause in seconds after which an unresponsive owner is called again; callers do not wait for it meanwhile.
OWNER_PAUSE_SECONDS = 1.0
# A fetch takes a millisecond; it ends after these seconds where the owner hangs, so that a copy can serve.
LOOK_SECONDS = 3.0
# The first fetch may join one that began before the change; the second certainly begins after it.
_FETCHES_FOR_NEWER = 2


@dataclass(slots=True)
class _Copy(Generic[_Value]):
    value: _Value
    fetched_at: float
    retry_at: float


class StaleIfErrorCache(Generic[_Value]):
    """Values by ID. `now` is monotonic; `feed_connected` returns whether changes arrive at present."""

    def __init__(self, now: Callable[[], float], feed_connected: Callable[[], bool]) -> None:
        self._now = now
        self._feed_connected = feed_connected
        self._copies: Lru[str, _Copy[_Value]] = Lru(SIZE)
        self._flight: LocalFlight[_Value] = LocalFlight()
        # IDs that are being fetched, and whose change was not published since.
        self._unchanged: set[str] = set()

    async def get(self, id_: str, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return the copy, or the result of `fetch`. Raises what `fetch` raises."""
        copy = self._copies.get(id_)
        if copy is not None and self._now() < copy.retry_at and (self._is_fresh(copy) or self._feed_connected()):
            return copy.value
        try:
            return await self._flight.get(id_, partial(self._fetch, id_, fetch))
        except (Unavailable, OutOfTime):
            # Looked up again: the copy may have been dropped during the fetch.
            copy = self._copies.get(id_)
            if copy is None or not (self._is_fresh(copy) or self._feed_connected()):
                raise
            get_logger().warning("copy_of_unavailable_owner")
            copy.retry_at = self._now() + OWNER_PAUSE_SECONDS
            return copy.value

    async def get_newer(
        self, id_: str, fetch: Callable[[], Awaitable[_Value]], is_new: Callable[[_Value], bool]
    ) -> _Value:
        """Return a value for which `is_new` is true, and fetch if the copy is older. Raises what `fetch` raises, and Unavailable.

        A copy, or a fetch that began before the change, may lack a change that the caller knows.
        """
        value = await self.get(id_, fetch)
        for _ in range(_FETCHES_FOR_NEWER):
            if is_new(value):
                return value
            self.forget(id_)
            value = await self.get(id_, fetch)
        if is_new(value):
            return value
        raise Unavailable("The owner's revision is older than the caller's; repeat the call.", retry_after=1.0)

    def time_left(self, id_: str) -> float:
        """Return the longest time in seconds that any caller still waits for a fetch; 0 without waiters."""
        return self._flight.time_left(id_)

    def forget(self, id_: str) -> None:
        """Drop a copy."""
        self._copies.drop(id_)
        self._unchanged.discard(id_)

    def forget_all(self) -> None:
        """Drop all copies."""
        self._copies.clear()
        self._unchanged.clear()

    def mark_stale(self) -> None:
        """Drop all copies, because each may be outdated."""
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
            self.forget(id_)  # the owner has responded
            raise
        if id_ not in self._unchanged:
            return value  # the value may be older than the change
        now = self._now()
        self._copies.put(id_, _Copy(value, now, now + MAX_STALENESS_SECONDS))
        return value
