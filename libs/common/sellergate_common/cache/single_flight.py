"""Single flight: one fetch for all callers that need the same missing value, in this process and in the whole cluster."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from redis.asyncio import Redis

from sellergate_common.cache.lease import LeaseNotifier, acquire, hold_lease
from sellergate_common.context import current_call, deadline_in, time_left, use_context
from sellergate_common.errors import OutOfTime
from sellergate_common.observability.logs import get_logger
from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.tasks import end

_Value = TypeVar("_Value")
_Value_co = TypeVar("_Value_co", covariant=True)

FLIGHT_SECONDS = 30.0
# A fetch that runs this many seconds past its deadline is cancelled, and its key is free for the next fetch.
OVERDUE_SECONDS = 1.0


class LocalFlight(Generic[_Value]):
    """Fetches of this process, shared by key. Waiters share a failure, which is not remembered.

    A fetch has its own time of `seconds`, because it serves callers with different deadlines. It is cancelled after
    that; a fetch that ignores the cancellation blocks neither its key nor its callers.
    """

    def __init__(self, seconds: float = FLIGHT_SECONDS) -> None:
        self._seconds = seconds
        self._flights: dict[str, asyncio.Task[_Value]] = {}
        self._ending: set[asyncio.Task[bool]] = set()
        # The deadline of each caller that waits for a fetch, by the loop's clock.
        self._deadlines: dict[asyncio.Task[_Value], list[float]] = {}
        self.shared = 0

    def time_left(self, key: str) -> float:
        """Return the longest time in seconds that any caller still waits for the fetch of a key; 0 without waiters."""
        flight = self._flights.get(key)
        waiting = self._deadlines.get(flight) if flight is not None else None
        return max(waiting) - asyncio.get_running_loop().time() if waiting else 0.0

    async def get(self, key: str, fetch: Callable[[], Awaitable[_Value]]) -> _Value:
        """Return the result of `fetch`.

        Raises what `fetch` raises, and OutOfTime when the caller's deadline comes first; the fetch then continues for
        the others.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self.start(key, fetch)
        else:
            self.shared += 1
        left = time_left(self._seconds)
        deadline = asyncio.get_running_loop().time() + left
        waiting = self._deadlines.setdefault(flight, [])
        waiting.append(deadline)
        try:
            # Not shielded: a cancelled fetch must not look like a cancellation of this caller.
            await asyncio.wait({flight}, timeout=left)
        finally:
            waiting.remove(deadline)
            if not waiting:
                self._deadlines.pop(flight, None)
        if not flight.done() or flight.cancelled():
            raise OutOfTime("The value was not fetched before the deadline; repeat the call, which may find it.")
        return flight.result()

    def start(self, key: str, fetch: Callable[[], Awaitable[_Value]]) -> "asyncio.Task[_Value]":
        """Start a fetch without a waiter; return the present one where it runs already."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(_detached(fetch, self._seconds))
            self._flights[key] = flight
            loop = asyncio.get_running_loop()
            overdue = loop.call_later(self._seconds + OVERDUE_SECONDS, self._overdue, key, flight)
            flight.add_done_callback(lambda done: self._finish(key, done, overdue))
        return flight

    def _finish(self, key: str, flight: "asyncio.Task[_Value]", overdue: asyncio.TimerHandle) -> None:
        overdue.cancel()
        self._leave(key, flight)
        # All callers may have stopped waiting: retrieve the failure, so that asyncio does not log it as never retrieved.
        if not flight.cancelled():
            flight.exception()

    def _overdue(self, key: str, flight: "asyncio.Task[_Value]") -> None:
        """Cancel a fetch that exceeds its time; the next caller starts another one."""
        get_logger().error("flight_overdue", seconds=self._seconds)
        self._leave(key, flight)
        ending = asyncio.create_task(end(flight))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _leave(self, key: str, flight: "asyncio.Task[_Value]") -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class FetchJob(Protocol[_Value_co]):
    """A fetch that the cluster shares: a look-up, and the fetch itself."""

    async def look_up(self) -> _Value_co | None:
        """Return the value if it is stored by now. Raises a remembered failure."""

    async def fetch(self, fence: int | None) -> _Value_co:
        """Fetch and store the value under a fencing number; None where no lease can be had."""


class SingleFlight(Generic[_Value]):
    """The election of one fetching replica in the cluster by a lease in Redis, which is renewed for `seconds` at most."""

    def __init__(self, redis: Redis, releases: LeaseNotifier, channel: str, seconds: float = FLIGHT_SECONDS) -> None:
        self._redis = redis
        self._seconds = seconds
        self.releases = releases
        self.channel = channel
        self.shared = 0

    async def get(self, name: str, job: FetchJob[_Value]) -> _Value:
        """Return the stored value, or the one that the elected replica fetches. Raises what the job raises."""
        while True:
            try:
                lease = await acquire(self._redis, name)
                if lease is None:
                    self.shared += 1
                    await self.releases.wait(name, self._seconds)
            except UNREACHABLE:
                # Without Redis, each process fetches by itself: at worst, once per replica.
                get_logger().warning("single_flight_without_redis")
                return await job.fetch(None)
            if lease is None:
                found = await job.look_up()
                if found is not None:
                    return found
                continue
            async with hold_lease(self._redis, name, lease, self.channel, longest=self._seconds):
                found = await job.look_up()
                return found if found is not None else await job.fetch(lease.fence)

    async def try_alone(self, name: str, job: FetchJob[_Value]) -> _Value | None:
        """Fetch the value; return None while another replica fetches it."""
        try:
            lease = await acquire(self._redis, name)
        except UNREACHABLE:
            return await job.fetch(None)
        if lease is None:
            return None
        async with hold_lease(self._redis, name, lease, self.channel, longest=self._seconds):
            return await job.fetch(lease.fence)


async def _detached(fetch: Callable[[], Awaitable[_Value]], seconds: float) -> _Value:
    """Run a fetch with its own deadline, because it serves callers with different ones. The task's context is a copy."""
    call = current_call()
    if call is None:
        return await fetch()
    with use_context(replace(call, deadline=deadline_in(seconds))):
        return await fetch()
