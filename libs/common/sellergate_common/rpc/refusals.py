"""Refusals under overload: the time after which the caller should retry, and its wait for the refusal."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST_RETRY_SECONDS = 0.1
# The bound on retry times in seconds: the last refused caller retries this soon after an overload.
LONGEST_RETRY_SECONDS = 3.0
# The factor by which refused callers retry more slowly than work finishes: most capacity belongs to new callers, and
# each refusal costs a part of a call's work.
_PACE = 4.0
BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0)


class RetryTimes:
    """The assigned retry times. `jitter` returns a random number in [0, 1)."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._last = 0.0

    def next(self, now: float, wait: float, interval: float) -> float:
        """Return the seconds after which one more refused caller should retry.

        `wait` is the present wait for a turn, `interval` the mean time between two finished pieces of work. Callers
        retry before the queue is empty, spread over time, and one after the other where many are refused.
        """
        spread = 0.5 + self._jitter() / 2
        soon = max(SHORTEST_RETRY_SECONDS, min(wait, LONGEST_RETRY_SECONDS) * spread)
        turn = max(now, self._last + _PACE * interval)
        if turn > now + LONGEST_RETRY_SECONDS:
            return LONGEST_RETRY_SECONDS * (1 + spread) / 2
        self._last = turn
        return max(soon, turn - now)


@dataclass(slots=True)
class Refusals:
    """Refused calls by the time from arrival to refusal: a count for each of BUCKETS, and one above the last."""

    count: int = 0
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def add(self, seconds: float) -> None:
        """Count a refusal."""
        self.count += 1
        self.seconds += seconds
        self.within[bisect_left(BUCKETS, seconds)] += 1
