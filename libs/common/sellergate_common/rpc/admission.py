"""Admission of work under overload: what cannot be finished within its caller's deadline is refused at once, with a time to return.

So much work as a service finishes fastest runs at once; the rest waits in the order of its arrival. The wait of a newcomer is
estimated from the queue before it and the measured time of a piece of work. Without admission every caller waits for all others,
and a service that is asked for more than it can do finishes next to nothing in time.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector

from sellergate_common.errors import Overloaded

# The weight of the newest piece of work in the mean; and the mean before any was measured, in seconds.
_WEIGHT, _FIRST_MEAN_SECONDS = 0.1, 0.05
SHORTEST_RETRY_SECONDS = 0.1
# A newcomer is admitted with this much to spare: those at the end of the queue would else learn late that it became too late.
_SPARE = 1.25
# Each waiting piece of work costs memory; beyond this many, none is queued, whatever the estimate says.
LONGEST_QUEUE = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A piece of work in the queue; `turn` is set when it may begin. `deadline` is by `now`."""

    turn: "asyncio.Future[None]"
    deadline: float


class Admission:
    """At most `limit` pieces of work of one kind at once: the estimate goes by their mean time.

    `now` is monotonic, `jitter` returns a random number in [0, 1).
    """

    def __init__(
        self, limit: int, now: Callable[[], float], jitter: Callable[[], float], longest_queue: int = LONGEST_QUEUE
    ) -> None:
        self._limit = limit
        self._now = now
        self._jitter = jitter
        self._longest_queue = longest_queue
        self._queue: deque[_Waiting] = deque()
        self._mean = _FIRST_MEAN_SECONDS
        self.running = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Pieces of work in the queue."""
        return len(self._queue)

    @asynccontextmanager
    async def admitted(self, left: float) -> AsyncIterator[None]:
        """Run the body in its turn; `left` are the seconds in which it has to be done, its wait included.

        Raises Overloaded where that will not do; nothing of the body was run then.
        """
        if self.running < self._limit and not self._queue and (self._mean <= left or not self.running):
            self.running += 1
        else:
            await self._queued(left)
        began = self._now()
        try:
            yield
        finally:
            self._mean += _WEIGHT * (self._now() - began - self._mean)
            self.running -= 1
            self._next()

    def expected_wait(self) -> float:
        """Return how long a newcomer would wait for its turn, in seconds."""
        return (len(self._queue) + 1) * self._mean / self._limit

    async def _queued(self, left: float) -> None:
        wait = self.expected_wait()
        if len(self._queue) >= self._longest_queue or _SPARE * (wait + self._mean) > left:
            raise self._refusal(wait)
        waiting = _Waiting(asyncio.get_running_loop().create_future(), self._now() + left)
        self._queue.append(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            # Its turn may have come in the same moment; then the next one's has.
            if waiting.turn.done() and not waiting.turn.cancelled() and waiting.turn.exception() is None:
                self.running -= 1
                self._next()
            raise

    def _next(self) -> None:
        """Let those begin whose turn it is; refuse those that would be too late by now."""
        while self._queue and self.running < self._limit:
            waiting = self._queue.popleft()
            if waiting.turn.done():  # its caller has left
                continue
            if self._now() + self._mean > waiting.deadline:
                waiting.turn.set_exception(self._refusal(self.expected_wait()))
                continue
            self.running += 1
            waiting.turn.set_result(None)

    def _refusal(self, wait: float) -> Overloaded:
        self.refused += 1
        # Those who are refused together return apart from each other, and before the queue has run empty.
        retry_after = max(SHORTEST_RETRY_SECONDS, wait * (0.5 + self._jitter() / 2))
        return Overloaded(
            f"The service has more to do than it can finish in time; nothing was done. Try again in {retry_after:.1f} s.",
            retry_after=retry_after,
        )


class AdmissionMetrics(Collector):
    """`sellergate_admission` (running and waiting) and `sellergate_admission_refused_total`, by the kind of work."""

    def __init__(self, admissions: Mapping[str, Admission]) -> None:
        self._admissions = admissions

    @classmethod
    def register(cls, registry: CollectorRegistry = REGISTRY, **admissions: Admission) -> None:
        """Make the metrics of a process and register them."""
        registry.register(cls(admissions))

    def collect(self) -> Iterator[Metric]:
        """Return the counts as they are now."""
        work = GaugeMetricFamily("sellergate_admission", "Work that is admitted, by state", labels=("work", "state"))
        refused = CounterMetricFamily("sellergate_admission_refused", "Work refused under overload", labels=("work",))
        for name, admission in self._admissions.items():
            work.add_metric((name, "running"), admission.running)
            work.add_metric((name, "waiting"), admission.waiting)
            refused.add_metric((name,), admission.refused)
        yield work
        yield refused
