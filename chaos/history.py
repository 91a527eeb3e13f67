"""The history of a scenario: each operation with its times and its outcome, as its caller saw it."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

# The load is shown to be stopped by a busy machine from this delay on.
_PAUSE_SECONDS = 0.1
# A machine that was late for so many seconds in the seconds around an operation is busy.
_BUSY_SECONDS, _AROUND_SECONDS = 0.3, 5.0


@dataclass(slots=True)
class Operation:
    """One operation of a caller. Times are of the monotonic clock, in seconds."""

    kind: str
    account: int
    began: float
    seconds: float
    ended: float = 0.0
    outcome: str = ""
    """OK, or the reason of the error."""
    message: str = ""
    token: str = ""
    """The digest of an access token that the caller got."""
    key: str = ""
    """The query or the digest of the body by which an execution at Amazon is found."""
    writes: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether the operation succeeded, or was refused by the quota as it should be."""
        return self.outcome == "OK" or (self.kind == "quota" and self.outcome == "LOCAL_QUOTA_EXCEEDED")


@dataclass(slots=True)
class Grant:
    """A refresh token that a caller stores; `acknowledged` is 0 until Sellergate has acknowledged it."""

    number: int
    digest: str
    sent: float
    acknowledged: float = 0.0


@dataclass
class History:
    """All operations of a scenario, and the changes of each account."""

    operations: list[Operation] = field(default_factory=list)
    changes: dict[int, int] = field(default_factory=dict)
    """Acknowledged changes by account."""
    delays: list[tuple[float, float]] = field(default_factory=list)
    """When this process was late, and by how many seconds: a busy machine and no fault of the services."""

    def failed(self) -> Iterator[Operation]:
        """Yield the operations that failed."""
        return (one for one in self.operations if one.ended and not one.is_ok)

    def lateness(self, since: float, until: float) -> float:
        """Return by how much this process was late in a span, in all."""
        return sum(late for at, late in self.delays if since <= at <= until + late)

    def was_late(self, one: Operation) -> bool:
        """Return whether this machine was so busy around an operation that the services may have refused it."""
        return self.lateness(one.began - _AROUND_SECONDS, one.ended) > _BUSY_SECONDS

    async def watch(self) -> None:
        """Note when this process is late, until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_PAUSE_SECONDS)
            late = time.monotonic() - before - _PAUSE_SECONDS
            if late > _PAUSE_SECONDS:
                self.delays.append((before, late))
