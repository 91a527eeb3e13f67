"""How much work runs at once on an event loop: as much as is useful, and no more than leaves the loop time to take calls.

gRPC hands a server one call after the other, each after some iterations of the loop. While the work of many calls makes iterations
long, further calls wait inside of gRPC, where no admission sees them and their deadlines run out.
"""

import asyncio
from collections.abc import Callable

# gRPC takes a call in every three iterations or so while others wait inside of it: fewer than this between two calls, and some do.
_ITERATIONS = 9.0
# The weight of the newest value in a mean.
_WEIGHT = 0.05
_LESS, _MORE = 0.95, 0.2
# A pause says that the loop has time; a longer one counts as this, in seconds.
_LONGEST_GAP_SECONDS = 0.05


class Concurrency:
    """A limit between `fewest` and `most`, by what the loop has time for. `now` is monotonic."""

    def __init__(self, fewest: int, most: int, now: Callable[[], float]) -> None:
        self._fewest = fewest
        self._most = most
        self._now = now
        self._value = float(fewest)
        self._iteration = 0.0
        self._gap = _LONGEST_GAP_SECONDS
        self._arrived = now()
        self._probing = False

    @property
    def limit(self) -> int:
        """Pieces of work that may run at once now."""
        return int(self._value)

    def record_arrival(self) -> None:
        """Note that a call was taken in, and change the limit."""
        if self._fewest == self._most:
            return
        now = self._now()
        self._gap += _WEIGHT * (min(now - self._arrived, _LONGEST_GAP_SECONDS) - self._gap)
        self._arrived = now
        if self._gap < _ITERATIONS * self._iteration:
            self._value = max(self._fewest, self._value * _LESS)
        else:
            self._value = min(self._most, self._value + _MORE)
        if not self._probing:
            self._probing = True
            asyncio.get_running_loop().call_soon(self._record_probe, now)

    def record_iteration(self, seconds: float) -> None:
        """Note how long an iteration of the loop took."""
        self._iteration += _WEIGHT * (seconds - self._iteration)

    def _record_probe(self, began: float) -> None:
        self._probing = False
        self.record_iteration(self._now() - began)
