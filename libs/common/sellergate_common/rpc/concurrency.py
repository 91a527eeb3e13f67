"""The concurrency of work on an event loop: as high as useful, while the loop keeps time to accept calls.

gRPC passes calls to a server one after the other, each after some iterations of the loop. If much work makes iterations
long, further calls wait inside gRPC, where no admission sees them and their deadlines pass.
"""

import asyncio
from collections.abc import Callable

# gRPC accepts a call about every three iterations while others wait inside it: fewer iterations than this between two
# calls show that some wait.
_ITERATIONS = 9.0
# The weight of the newest value in a mean.
_WEIGHT = 0.05
_LESS, _MORE = 0.95, 0.2
# A pause shows that the loop has time; a longer one counts as these seconds.
_LONGEST_GAP_SECONDS = 0.05


class Concurrency:
    """A limit between `fewest` and `most`, adapted to the load of the loop. `now` is monotonic."""

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
        """The number of pieces of work that may run concurrently at present."""
        return int(self._value)

    def record_arrival(self) -> None:
        """Record that a call was accepted, and adapt the limit."""
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
        """Record the duration of an iteration of the loop."""
        self._iteration += _WEIGHT * (seconds - self._iteration)

    def _record_probe(self, began: float) -> None:
        self._probing = False
        self.record_iteration(self._now() - began)
