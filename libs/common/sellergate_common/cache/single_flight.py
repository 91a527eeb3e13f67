"""Single flight: of all who want the same missing value, in this process and in the whole cluster, one fetches it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from redis.asyncio import Redis

from sellergate_common.cache.lease import acquire, held
from sellergate_common.cache.lease_notifier import Releases
from sellergate_common.context import current_call, deadline_in, serving, time_left
from sellergate_common.errors import OutOfTime
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE

_Value = TypeVar("_Value")
_Value_co = TypeVar("_Value_co", covariant=True)

FLIGHT_SECONDS = 30.0


class LocalFlight(Generic[_Value]):
    """Shares fetches by key within this process. Failures are shared by those who wait, and not remembered.

    A fetch has `seconds` of its own, for it serves callers with different deadlines.
    """

    def __init__(self, seconds: float = FLIGHT_SECONDS) -> None:
        self._seconds = seconds
        self._flights: dict[str, asyncio.Task[_Value]] = {}
        self.shared = 0

    async def get(self, key: str, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return what `fetch` brings.

        Raises what `fetch` raises, and OutOfTime when the caller's deadline comes first; the fetch then goes on for the others.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self.start(key, fetch)
        else:
            self.shared += 1
        try:
            return await asyncio.wait_for(asyncio.shield(flight), time_left(self._seconds))
        except TimeoutError:
            raise OutOfTime("The value was not fetched in time; it may be there on the next call.") from None

    def start(self, key: str, fetch: Callable[[], Awaitable[_Value]]) -> "asyncio.Task[_Value]":
        """Begin a fetch that nobody waits for yet; where one is under way already, return that."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(_detached(fetch, self._seconds))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    def _landed(self, key: str, flight: "asyncio.Task[_Value]") -> None:
        self._flights.pop(key, None)
        # Everybody may have given up waiting: look at the failure, so that asyncio does not report it as forgotten.
        if not flight.cancelled():
            flight.exception()


class Errand(Protocol[_Value_co]):
    """What is to be fetched: how to look whether it is there, how to fetch and keep it."""

    async def look(self) -> _Value_co | None:
        """Return the value if it is there by now. Raises the failure of a moment ago."""

    async def fetch(self, fence: int | None) -> _Value_co:
        """Fetch and keep the value under a fencing number; without one where there is no lease to be had."""


class SingleFlight(Generic[_Value]):
    """Elects one fetcher in the whole cluster, through a lease in Redis. Who holds it while LWA is slow renews it."""

    def __init__(self, redis: Redis, releases: Releases, channel: str) -> None:
        self._redis = redis
        self.releases = releases
        self.channel = channel
        self.shared = 0

    async def get(self, name: str, errand: Errand[_Value]) -> _Value:
        """Return what is there, or what one of all replicas fetches. Raises what the errand raises."""
        while True:
            try:
                lease = await acquire(self._redis, name)
                if lease is None:
                    self.shared += 1
                    await self.releases.wait(name, FLIGHT_SECONDS)
            except UNREACHABLE:
                # Without Redis each process is on its own; at worst every replica fetches once.
                get_logger().warning("single_flight_alone")
                return await errand.fetch(None)
            if lease is None:
                found = await errand.look()
                if found is not None:
                    return found
                continue
            async with held(self._redis, name, lease, self.channel):
                found = await errand.look()
                return found if found is not None else await errand.fetch(lease.fence)

    async def try_alone(self, name: str, errand: Errand[_Value]) -> _Value | None:
        """Fetch if nobody else does at the moment; None when somebody does."""
        try:
            lease = await acquire(self._redis, name)
        except UNREACHABLE:
            return await errand.fetch(None)
        if lease is None:
            return None
        async with held(self._redis, name, lease, self.channel):
            return await errand.fetch(lease.fence)


async def _detached(fetch: Callable[[], Awaitable[_Value]], seconds: float) -> _Value:
    """Run a fetch with a deadline of its own: it serves callers with different ones. The task's context is a copy."""
    call = current_call()
    if call is None:
        return await fetch()
    with serving(replace(call, deadline=deadline_in(seconds))):
        return await fetch()
