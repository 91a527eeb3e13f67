"""Admission of work under overload: work that cannot end within its caller's deadline is refused, with a time to retry.

As much work runs concurrently as gives the best throughput; the rest waits in order of arrival. A newcomer's wait is
estimated from the queue before it and the measured time of a piece of work. Without admission every caller waits for
all others, and an overloaded service finishes almost nothing in time.

Work is admitted or refused on arrival. A refused caller may still be served in another way, such as from a shared
cache, until REFUSED_WITHIN_SECONDS of its call have passed.
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

# The weight of the newest piece of work in the mean time, and the mean before the first measurement, in seconds.
_WEIGHT, _FIRST_MEAN_SECONDS = 0.1, 0.05
# The seconds to spare that a newcomer needs; without them, waiters at the end of the queue would be refused late.
_SPARE = 1.25
# The longest queue, whatever the estimate: each waiting piece of work costs memory.
LONGEST_QUEUE = 10_000
# A caller may wait 0.25 s for a refusal; the remainder is a margin for a busy event loop.
REFUSED_WITHIN_SECONDS = 0.1


class Ticket:
    """The admission state of one piece of work: running, queued or refused; it ends with the context.

    `grace` is the time in seconds for serving the call in another way; None where the work is admitted.
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
        """Enter the queue or start."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End as `end` does."""
        self.end()

    def end(self) -> None:
        """Start the next waiter; the time since the turn counts as the time of the work."""
        turn = self._turn
        if turn is None:
            return
        if not turn.done():
            turn.cancel()  # skipped in its turn
        elif not turn.cancelled() and turn.exception() is None:
            self._admission.end(self._began)

    async def wait_for_turn(self) -> None:
        """Wait until the work may begin.

        Raises Overloaded where the work was refused, and OutOfTime where it turns out in the queue that it cannot end
        in time; the caller must not run it then.
        """
        if self._turn is None:
            raise self._admission.refusal()
        if not self._turn.done():
            await self._turn
        self._turn.result()
        self._began = self._admission.now()

    def begin_turn(self) -> bool:
        """Let the work begin, or fail if it is too late; return whether it began."""
        turn = self._turn
        if turn is None or turn.done():
            return False
        left = self.left()
        if self._admission.mean <= left:
            turn.set_result(None)
            return True
        self._admission.expired += 1
        if left > 0:
            late = "The call waited too long to finish in time; nothing was done. Retry with a longer deadline."
            turn.set_exception(OutOfTime(late))
        else:  # all callers have stopped waiting; a caller that arrives now shares the failure
            given_up = "The work was cancelled before it began; nothing was done. Try again."
            turn.set_exception(Overloaded(given_up, retry_after=SHORTEST_RETRY_SECONDS))
        turn.exception()  # this waiter may have stopped as well
        return False


class Admission:
    """The admission of one kind of work: at most `limit` pieces run concurrently, and estimates use their mean time.

    `now` is monotonic, `jitter` returns a random number in [0, 1), and `age` the seconds since the current call
    arrived. `fewest` is the limit while the event loop has no time to accept calls. `then` admits the work that follows
    in the same call; work that could not end in time there is refused here.
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
        """The mean time of a piece of work, in seconds."""
        self.running = 0
        self.refusals = Refusals()
        self.expired = 0
        """The number of pieces of work whose turn came too late for every caller."""

    @property
    def refused(self) -> int:
        """The number of refused pieces of work."""
        return self.refusals.count

    @property
    def waiting(self) -> int:
        """The number of pieces of work in the queue."""
        return len(self._queue)

    @property
    def limit(self) -> int:
        """The number of pieces of work that may run concurrently at present."""
        return self._concurrency.limit

    @property
    def interval(self) -> float:
        """The mean seconds between two finished calls, including the work that follows."""
        own = self.mean / self.limit
        return own if self._then is None else max(own, self._then.interval)

    @asynccontextmanager
    async def admit(self, left: Callable[[], float]) -> AsyncIterator[None]:
        """Run the body in its turn; `left` returns the seconds until its deadline. Raises as Ticket.wait_for_turn."""
        async with self.issue_ticket(left) as ticket:
            await ticket.wait_for_turn()
            yield

    def issue_ticket(self, left: Callable[[], float]) -> Ticket:
        """Admit or refuse a piece of work; `left` returns the longest time in seconds that any of its callers still has."""
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
        """Return whether a newcomer with `seconds` left can finish, behind `coming` others that will arrive before it."""
        if self.running + len(self._queue) + coming < self.limit:
            return _SPARE * self.mean <= has or not self.running
        return len(self._queue) < self._longest_queue and _SPARE * (self.expected_wait(coming) + self.mean) <= has

    def end(self, began: float | None) -> None:
        """Record the end of a piece of work that began at `began`, or that did not begin in its turn."""
        if began is not None:
            self.mean += _WEIGHT * (self.now() - began - self.mean)
        self.running -= 1
        while self._queue and self.running < self.limit:
            self.running += self._queue.popleft().begin_turn()

    def expected_wait(self, coming: int = 0) -> float:
        """Return the seconds that a newcomer would wait for its turn, behind `coming` others that will arrive before it."""
        before = self.running + len(self._queue) + coming + 1 - self.limit
        return max(0, before) * self.mean / self.limit

    def refusal(self) -> Overloaded:
        """Count a refusal and return its error."""
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
        """Return the number of pieces of work that will pass from here to the work that follows."""
        return self.running + len(self._queue)
