"""Admission of work under overload: what cannot be finished within its caller's deadline is refused, with a time to return.

So much work as a service finishes fastest runs at once; the rest waits in the order of its arrival. The wait of a newcomer is
estimated from the queue before it and the measured time of a piece of work. Without admission every caller waits for all others,
and a service that is asked for more than it can do finishes next to nothing in time.

Whether work is refused is decided when it comes. Until then, and for REFUSED_WITHIN_SECONDS of its call at most, its caller may be
served otherwise, as from a shared cache.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from sellergate_common.context import call_age
from sellergate_common.errors import OutOfTime, Overloaded
from sellergate_common.rpc.concurrency import Concurrency
from sellergate_common.rpc.refusals import SHORTEST_RETRY_SECONDS, Refusals, RetryTimes

# The weight of the newest piece of work in the mean; and the mean before any was measured, in seconds.
_WEIGHT, _FIRST_MEAN_SECONDS = 0.1, 0.05
# A newcomer is admitted with this much to spare: those at the end of the queue would else learn late that it became too late.
_SPARE = 1.25
# Each waiting piece of work costs memory; beyond this many, none is queued, whatever the estimate says.
LONGEST_QUEUE = 10_000
# What a caller may wait for a refusal is 0.25 s; the rest is for a process whose tasks wait for each other.
REFUSED_WITHIN_SECONDS = 0.1


class Ticket:
    """The place of one piece of work: running, in the queue, or none. Left at the end of the context.

    `grace` are the seconds in which the call has to be served otherwise; None where its work is admitted.
    """

    __slots__ = ("_admission", "_began", "_turn", "grace", "left")

    def __init__(
        self,
        admission: "Admission",
        left: Callable[[], float],
        turn: "asyncio.Future[None] | None" = None,
        grace: float | None = None,
    ) -> None:
        self._admission = admission
        self._turn = turn
        self._began: float | None = None
        self.left = left
        self.grace = grace

    async def __aenter__(self) -> Self:
        """Take the place."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give the place to the next one; the time since the turn counts as the time of the work."""
        turn = self._turn
        if turn is None:
            return
        if not turn.done():
            turn.cancel()  # left out when its turn comes
        elif not turn.cancelled() and turn.exception() is None:
            self._admission.end(self._began)

    async def wait_for_turn(self) -> None:
        """Wait until the work may begin.

        Raises Overloaded where it was not admitted, and OutOfTime where it shows only later that it cannot be finished in time;
        nothing of it may be run then.
        """
        if self._turn is None:
            raise self._admission.refusal()
        if not self._turn.done():
            await self._turn
        self._turn.result()
        self._began = self._admission.now()

    def begin_turn(self) -> bool:
        """Say that the work may begin, or that it is too late; return whether it may."""
        turn = self._turn
        if turn is None or turn.done():
            return False
        left = self.left()
        if self._admission.mean <= left:
            turn.set_result(None)
            return True
        self._admission.expired += 1
        if left > 0:
            late = "The call's turn came too late to finish it in time; nothing was done. Give it more time."
            turn.set_exception(OutOfTime(late))
        else:  # all callers have left; one that comes in this moment joins them
            given_up = "The work was given up; nothing was done. Try again."
            turn.set_exception(Overloaded(given_up, retry_after=SHORTEST_RETRY_SECONDS))
        turn.exception()  # it may have left as well
        return False


class Admission:
    """At most `limit` pieces of work of one kind at once: the estimate goes by their mean time.

    `now` is monotonic, `jitter` returns a random number in [0, 1), and `age` the seconds since the current call arrived. `fewest`:
    so few run at once while the event loop has no time to take calls. `then` admits the work that follows in the same call: what it
    could not finish in time is refused here.
    """

    def __init__(
        self,
        limit: int,
        now: Callable[[], float],
        jitter: Callable[[], float],
        longest_queue: int = LONGEST_QUEUE,
        *,
        fewest: int | None = None,
        age: Callable[[], float] = call_age,
        then: "Admission | None" = None,
    ) -> None:
        self._concurrency = Concurrency(limit if fewest is None else fewest, limit, now)
        self._age = age
        self._then = then
        self._longest_queue = longest_queue
        self._queue: deque[Ticket] = deque()
        self._retry_times = RetryTimes(jitter)
        self.now = now
        self.mean = _FIRST_MEAN_SECONDS
        """The time of a piece of work, in seconds."""
        self.running = 0
        self.refusals = Refusals()
        self.expired = 0
        """Pieces of work that no caller could use any more in their turn."""

    @property
    def refused(self) -> int:
        """Pieces of work that were refused."""
        return self.refusals.count

    @property
    def waiting(self) -> int:
        """Pieces of work in the queue."""
        return len(self._queue)

    @property
    def limit(self) -> int:
        """Pieces of work that may run at once now."""
        return self._concurrency.limit

    @property
    def interval(self) -> float:
        """The time in which one call is finished, in seconds; what follows included."""
        own = self.mean / self.limit
        return own if self._then is None else max(own, self._then.interval)

    @asynccontextmanager
    async def admit(self, left: Callable[[], float]) -> AsyncIterator[None]:
        """Run the body in its turn; `left` returns the seconds in which it has to be done. Raises as Ticket.wait_for_turn."""
        async with self.issue_ticket(left) as ticket:
            await ticket.wait_for_turn()
            yield

    def issue_ticket(self, left: Callable[[], float]) -> Ticket:
        """Decide about a piece of work now; `left` returns the seconds that any caller of it still has."""
        has = left()
        self._concurrency.record_arrival()
        if not self.fits(has) or (self._then is not None and not self._then.fits(has - self.mean, self._coming())):
            return Ticket(self, left, None, max(0.0, REFUSED_WITHIN_SECONDS - self._age()))
        turn = asyncio.get_running_loop().create_future()
        ticket = Ticket(self, left, turn)
        if self.running < self.limit and not self._queue:
            self.running += 1
            turn.set_result(None)
        else:
            self._queue.append(ticket)
        return ticket

    def fits(self, has: float, coming: int = 0) -> bool:
        """Return whether a newcomer that has so many seconds can be finished; `coming` others are on their way here before it."""
        if self.running + len(self._queue) + coming < self.limit:
            return _SPARE * self.mean <= has or not self.running
        return len(self._queue) < self._longest_queue and _SPARE * (self.expected_wait(coming) + self.mean) <= has

    def end(self, began: float | None) -> None:
        """Note that a piece of work has ended that began at `began`, or was not begun in its turn."""
        if began is not None:
            self.mean += _WEIGHT * (self.now() - began - self.mean)
        self.running -= 1
        while self._queue and self.running < self.limit:
            self.running += self._queue.popleft().begin_turn()

    def expected_wait(self, coming: int = 0) -> float:
        """Return how long a newcomer would wait for its turn, in seconds; `coming` others are on their way here before it."""
        before = self.running + len(self._queue) + coming + 1 - self.limit
        return max(0, before) * self.mean / self.limit

    def refusal(self) -> Overloaded:
        """Count a refusal and return it."""
        self.refusals.add(self._age())
        wait = self.expected_wait()
        if self._then is not None:
            wait = max(wait, self._then.expected_wait(self._coming()))
        retry_after = self._retry_times.next(self.now(), wait, self.interval)
        return Overloaded(
            f"The service has more to do than it can finish in time; nothing was done. Try again in {retry_after:.1f} s.",
            retry_after=retry_after,
        )

    def _coming(self) -> int:
        """Return how many come from here to what follows."""
        return self.running + len(self._queue)
