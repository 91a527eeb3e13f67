"""Single flight: of all who want the same missing value, in this process and in the whole cluster, one fetches it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from redis.asyncio import Redis

from sellergate_common.cache import UNREACHABLE
from sellergate_common.context import current_call, serving, time_left
from sellergate_common.errors import OutOfTime
from sellergate_common.lease import acquire, held, wait_released
from sellergate_common.logs import get_logger

_Value = TypeVar("_Value")

FLIGHT_SECONDS = 30.0


@dataclass(slots=True)
class FlightCounts:
    """What happened since the process started."""

    fetched: int = 0
    shared: int = 0
    failed: int = 0


class LocalFlight(Generic[_Value]):
    """Shares fetches by key within this process. Failures are shared by those who wait, and not remembered."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[_Value]] = {}
        self.counts = FlightCounts()

    async def get(self, key: str, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return what `fetch` brings.

        Raises what `fetch` raises, and OutOfTime when the caller's deadline comes first; the fetch then goes on for the others.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(fetch))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        else:
            self.counts.shared += 1
        try:
            return await asyncio.wait_for(asyncio.shield(flight), time_left(FLIGHT_SECONDS))
        except TimeoutError:
            raise OutOfTime("The value was not fetched in time; it may be there on the next call.") from None

    def _landed(self, key: str, flight: "asyncio.Task[_Value]") -> None:
        self._flights.pop(key, None)
        # Everybody may have given up waiting: look at the failure, so that asyncio does not report it as forgotten.
        if not flight.cancelled():
            flight.exception()

    async def _fly(self, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        call = current_call()
        if call is None:
            return await fetch()
        # A flight serves callers with different deadlines, so it has one of its own; the task's context is a copy.
        with serving(replace(call, deadline=time.monotonic() + FLIGHT_SECONDS)):
            return await fetch()


class SingleFlight(Generic[_Value]):
    """Shares fetches by key within the whole cluster, through a lease in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._local: LocalFlight[_Value] = LocalFlight()
        self.counts = self._local.counts

    async def get(
        self,
        key: str,
        look: Callable[[], Awaitable[_Value | None]],
        fetch: Callable[[], Awaitable[_Value]],
    ) -> _Value:
        """Return what `look` finds in the cache, or what `fetch` brings (and has put there). Raises as LocalFlight does."""
        return await self._local.get(key, lambda: self._look_or_fetch(key, look, fetch))

    async def _look_or_fetch(
        self,
        key: str,
        look: Callable[[], Awaitable[_Value | None]],
        fetch: Callable[[], Awaitable[_Value]],
    ) -> _Value:
        while True:
            try:
                lease = await acquire(self._redis, key)
            except UNREACHABLE:
                # Without Redis each process is on its own; at worst every replica fetches once.
                get_logger().warning("single_flight_alone")
                return await self._fetch(fetch)
            if lease is not None:
                async with held(self._redis, key, lease):
                    found = await look()
                    return found if found is not None else await self._fetch(fetch)
            self.counts.shared += 1
            try:
                await wait_released(self._redis, key, FLIGHT_SECONDS)
            except UNREACHABLE:
                get_logger().warning("single_flight_alone")
                return await self._fetch(fetch)
            found = await look()
            if found is not None:
                return found

    async def _fetch(self, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        self.counts.fetched += 1
        try:
            return await fetch()
        except BaseException:
            self.counts.failed += 1
            raise
