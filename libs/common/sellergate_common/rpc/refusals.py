"""Refusals under overload: when the caller is asked to return, and how long it waited for the refusal."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST_RETRY_SECONDS = 0.1
# After an overload has ended, the last caller that was refused is back within this time.
LONGEST_RETRY_SECONDS = 3.0
# Refused callers return this much more slowly than work is finished: most of it belongs to callers that come of their own accord,
# and each refusal costs a part of a call's own work.
_PACE = 4.0
BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0)


class RetryTimes:
    """The times of return that were given out. `jitter` returns a random number in [0, 1)."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._last = 0.0

    def next(self, now: float, wait: float, interval: float) -> float:
        """Return in how many seconds one more caller is to return.

        `wait` is the wait for a turn at present, `interval` the time in which one piece of work is finished. Callers return before
        the queue has run empty, apart from each other, and one after the other where many are refused.
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
    """Refused calls by the time from the arrival of a call to its refusal: a count for each of BUCKETS, and one for the rest."""

    count: int = 0
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def add(self, seconds: float) -> None:
        """Count a refusal."""
        self.count += 1
        self.seconds += seconds
        self.within[bisect_left(BUCKETS, seconds)] += 1
