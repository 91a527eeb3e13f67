"""What was acknowledged about one account, by which its tokens are judged."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Exchanging:
    """An operation that exchanges a grant once, or drops its token. It ends `continues` seconds after its client has left."""

    began: float
    continues: float
    ended: float = math.inf


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
    exchanging: list[Exchanging] = field(default_factory=list)

    @contextmanager
    def may_exchange(self, now: Callable[[], float], continues: float = 0.0) -> Iterator[Exchanging]:
        """Count an operation as the cause of one exchange. It may continue for `continues` seconds without its client."""
        operation = Exchanging(now(), continues)
        self.exchanging.append(operation)
        try:
            yield operation
        finally:
            operation.ended = now() + operation.continues
