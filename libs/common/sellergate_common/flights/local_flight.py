"""Local flight: one run of a fetch for all callers of this process that need its result. It outlives its callers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic, TypeVar

from sellergate_common.context import current_call, deadline_in, time_left, use_context
from sellergate_common.errors import OutOfTime
from sellergate_common.observability.logs import get_logger
from sellergate_common.tasks import end

_Value = TypeVar("_Value")

FLIGHT_SECONDS = 30.0
# A fetch that runs this many seconds past its deadline is cancelled, and its key is free for the next fetch.
OVERDUE_SECONDS = 1.0
_LATE = "The value was not fetched before the deadline; repeat the call, which may find it."


class LocalFlight(Generic[_Value]):
    """Fetches of this process, shared by key. Waiters share a failure, which is not remembered.

    A fetch has its own time of `seconds`, because it serves callers with different deadlines. It is cancelled after
    that; a fetch that ignores the cancellation blocks neither its key nor its callers. `late` is the message for callers
    whose deadlines come first.
    """

    def __init__(self, seconds: float = FLIGHT_SECONDS, late: str = _LATE) -> None:
        self._seconds = seconds
        self._late = late
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
            raise OutOfTime(self._late)
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


async def _detached(fetch: Callable[[], Awaitable[_Value]], seconds: float) -> _Value:
    """Run a fetch with its own deadline, because it serves callers with different ones. The task's context is a copy."""
    call = current_call()
    if call is None:
        return await fetch()
    with use_context(replace(call, deadline=deadline_in(seconds))):
        return await fetch()
