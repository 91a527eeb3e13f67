"""What was acknowledged about one account, by which its tokens are judged."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Acknowledged:
    """What was acknowledged about an account: writes by their time, and the time at which the last one began."""

    grants: list[tuple[float, int]] = field(default_factory=list)
    states: list[tuple[float, bool]] = field(default_factory=lambda: [(0.0, True)])
    last_write_began: float = -1.0
    changes: list[float] = field(default_factory=list)
    """The times at which an operation began or ended that changes credentials or state."""
    causes: list[float] = field(default_factory=list)
    """The times of operations after which the same grant may be exchanged again."""
    exchanging: list[list[float]] = field(default_factory=list)
    """The begin and end of operations that exchange the grant, or drop its token, and let a caller do so in the meantime."""

    @contextmanager
    def may_exchange(self, now: Callable[[], float]) -> Iterator[None]:
        """Count an operation as the cause of two exchanges."""
        period = [now(), math.inf]
        self.exchanging.append(period)
        try:
            yield
        finally:
            period[1] = now()
