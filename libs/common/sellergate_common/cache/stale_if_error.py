"""Copies of another service's data without the changes of the last five seconds; older only while that service does not respond.

The owner lists its changes (`feed`). A copy stays in use until the list has a change of it, as long as this process has the
list; otherwise for five seconds. The owner also publishes changes in Redis, which is faster and may fail: while this process
receives them, a copy without a change is known to be current, and stays in use while its owner is down.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from sellergate_common.cache.lru import MAX_STALENESS_SECONDS, Lru
from sellergate_common.errors import OutOfTime, SellergateError, Unavailable
from sellergate_common.feed.ports import REMOVED
from sellergate_common.feed.trust import Trust
from sellergate_common.flights.local_flight import LocalFlight
from sellergate_common.observability.logs import get_logger

_Value = TypeVar("_Value")
_Read = TypeVar("_Read")
Turn = Callable[[], AbstractAsyncContextManager[object]]
"""What a fetch waits for before it reads."""

SIZE = 20_000
# The pause in seconds after which an unresponsive owner is called again; callers do not wait for it meanwhile.
OWNER_PAUSE_SECONDS = 1.0
# A fetch takes a millisecond; it ends after these seconds where the owner hangs, so that a copy can serve.
LOOK_SECONDS = 3.0
# A copy is fetched again after this time even if no change is listed, in seconds: a change may have been removed from the list.
MAX_LIFE_SECONDS = 600.0
# The first fetch may join one that began before the change; the second certainly begins after it.
_FETCHES_FOR_NEWER = 2


@dataclass(slots=True)
class _Copy(Generic[_Value]):
    """A value that was current at `since`. It is usable until `fresh_until`, and until `until` while all changes are known."""

    value: _Value
    version: float
    since: float
    fresh_until: float
    until: float
    retry_at: float = -math.inf


@dataclass(slots=True)
class _Fetch:
    """A fetch in progress. `newest` is the newest version of which a change became known since its start."""

    newest: float = -math.inf


class StaleIfErrorCache(Generic[_Value]):
    """Values by ID.

    `now` is monotonic; `feed_connected` returns whether published changes arrive at present, and `trust` holds for how long all
    changes are known. `version_of` returns the version of a value.
    """

    def __init__(
        self,
        now: Callable[[], float],
        feed_connected: Callable[[], bool],
        *,
        trust: Trust | None = None,
        version_of: Callable[[_Value], int] = lambda _: REMOVED,
        size: int = SIZE,
    ) -> None:
        self._now = now
        self._feed_connected = feed_connected
        self._trust = trust or Trust()
        self._version_of = version_of
        self._copies: Lru[str, _Copy[_Value]] = Lru(size)
        # Each value with the start of its reading.
        self._flight: LocalFlight[tuple[_Value, float]] = LocalFlight()
        self._fetches: dict[str, _Fetch] = {}
        # Before this moment, published changes may have been missed.
        self._gap_end = -math.inf

    async def get(self, id_: str, fetch: Callable[[], Awaitable[_Value]], turn: Turn = nullcontext) -> _Value:
        """Return the copy, or the result of `fetch`, which begins with the body of `turn`. Raises what these raise."""
        copy = self._copies.get(id_)
        if copy is not None and (
            self._is_current(copy) or (self._now() < copy.retry_at and self._outlives_owner(copy))
        ):
            return copy.value
        asked, run = self._now(), partial(self._fetch, id_, fetch, turn)
        try:
            value, since = await self._flight.get(id_, run)
            if since <= asked - MAX_STALENESS_SECONDS:
                # This caller joined a fetch that was held up, for example because the process was stopped.
                value, _ = await self._flight.get(id_, run)
            return value
        except (Unavailable, OutOfTime):
            # Looked up again: the copy may have been dropped during the fetch.
            copy = self._copies.get(id_)
            if copy is None or not (self._now() < copy.fresh_until or self._outlives_owner(copy)):
                raise
            get_logger().warning("copy_of_unavailable_owner")
            copy.retry_at = self._now() + OWNER_PAUSE_SECONDS
            return copy.value

    def has_current(self, id_: str) -> bool:
        """Return whether `get` would return a copy without a fetch, while the owner responds."""
        copy = self._copies.peek(id_)
        return copy is not None and self._is_current(copy)

    async def keep_from(
        self,
        id_: str,
        read: Callable[[], Awaitable[_Read]],
        value_of: Callable[[_Read], _Value],
    ) -> _Read:
        """Return what `read` returns, and keep a copy of the value in it, as old as the start. Raises what `read` raises."""
        began, announced = self._now(), _Fetch()
        self._fetches[id_] = announced
        try:
            found = await read()
        except (Unavailable, OutOfTime):
            raise
        except SellergateError:
            self.forget(id_)  # the owner has responded
            raise
        finally:
            # Another fetch, which began while this one was overdue, may have replaced it and gets the changes instead.
            is_current = self._fetches.get(id_) is announced
            if is_current:
                del self._fetches[id_]
        value = value_of(found)
        version = self._version_of(value)
        if is_current and version >= announced.newest:
            self._copies.put(id_, _Copy(value, version, began, began + MAX_STALENESS_SECONDS, began + MAX_LIFE_SECONDS))
        return found

    async def get_newer(
        self,
        id_: str,
        fetch: Callable[[], Awaitable[_Value]],
        is_new: Callable[[_Value], bool],
        turn: Turn = nullcontext,
    ) -> _Value:
        """Return a value for which `is_new` is true, and fetch if the copy is older. Raises what `get` raises, and Unavailable.

        A copy, or a fetch that began before the change, may lack a change that the caller has seen.
        """
        value = await self.get(id_, fetch, turn)
        for _ in range(_FETCHES_FOR_NEWER):
            if is_new(value):
                return value
            self.forget(id_)
            value = await self.get(id_, fetch, turn)
        if is_new(value):
            return value
        raise Unavailable("The owner's revision is older than the caller's; repeat the call.", retry_after=1.0)

    def time_left(self, id_: str) -> float:
        """Return the longest time in seconds that any caller still waits for a fetch; 0 without waiters."""
        return self._flight.time_left(id_)

    def forget(self, id_: str) -> None:
        """Drop a copy; the result of a fetch in progress is not kept either."""
        self.drop_older(id_, REMOVED)

    def drop_older(self, id_: str, version: int) -> None:
        """Drop a copy older than `version`; a fetch in progress is kept only with this version or a later one."""
        newest = math.inf if version == REMOVED else version
        copy = self._copies.peek(id_)
        if copy is not None and copy.version < newest:
            self._copies.drop(id_)
        fetch = self._fetches.get(id_)
        if fetch is not None:
            fetch.newest = max(fetch.newest, newest)

    def forget_all(self) -> None:
        """Drop all copies; results of fetches in progress are not kept either."""
        self._copies.clear()
        for fetch in self._fetches.values():
            fetch.newest = math.inf

    def mark_stale(self) -> None:
        """Record that published changes may have been missed; drop all copies unless all changes are known from the list."""
        self._gap_end = self._now()
        if self._gap_end >= self._trust.until:
            self.forget_all()

    def _is_current(self, copy: _Copy[_Value]) -> bool:
        now = self._now()
        return now < copy.fresh_until or (now < self._trust.until and now < copy.until)

    def _outlives_owner(self, copy: _Copy[_Value]) -> bool:
        """Return whether this process received every change since the copy was current, from the list or from the feed in Redis."""
        if self._now() < self._trust.until:
            return True
        return self._feed_connected() and max(copy.since, self._trust.since) >= self._gap_end

    async def _fetch(self, id_: str, fetch: Callable[[], Awaitable[_Value]], turn: Turn) -> tuple[_Value, float]:
        async with turn():
            began = self._now()
            return await self.keep_from(id_, fetch, _itself), began


def _itself(value: _Value) -> _Value:
    return value
