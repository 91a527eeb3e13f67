"""The history of a scenario: each operation with its times and its outcome, as its caller saw it."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# How often it is looked how long processes waited for a processor.
_LOOK_SECONDS = 0.25
# A process that waited for so many seconds in the seconds around an operation had too little of the machine.
_BUSY_SECONDS, _AROUND_SECONDS = 1.0, 5.0


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
    """When processes waited for a processor, or this one's loops were late, and the most seconds of one of them.

    That is a busy machine, and no fault of the services.
    """

    lost: list[str] = field(default_factory=list)
    """What the services can do no longer after a fault."""

    def failed(self) -> Iterator[Operation]:
        """Yield the operations that failed."""
        return (one for one in self.operations if one.ended and not one.is_ok)

    def lateness(self, since: float, until: float) -> float:
        """Return for how many seconds processes waited for a processor in a span."""
        return sum(late for at, late in self.delays if since <= at <= until)

    def most_in_a_second(self, since: float, until: float) -> float:
        """Return the most seconds for which processes waited for a processor in one second that ended in a span."""
        ends = [at for at, _ in self.delays if since <= at <= until]
        return max((self.lateness(end - 1.0, end) for end in ends), default=0.0)

    def was_late(self, one: Operation) -> bool:
        """Return whether this machine was so busy around an operation that the services may have refused it."""
        return self.lateness(one.began - _AROUND_SECONDS, one.ended) > _BUSY_SECONDS

    async def watch(self, waited: Callable[[], dict[int, float]], relays_late: Callable[[], float]) -> None:
        """Note how long this machine keeps processes waiting, until cancelled.

        `waited` returns the seconds of each thread, and `relays_late` by how many the relays' loop was late since the last call. A
        machine that stops as a whole shows only in the lateness of loops, and so does a thread that waits for the interpreter.
        """
        before, due = waited(), time.monotonic() + _LOOK_SECONDS
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now, own = waited(), time.monotonic() - due
            # A thread that has started in between has no earlier value.
            late = max((seconds - before[one] for one, seconds in now.items() if one in before), default=0.0)
            self.delays.append((time.monotonic(), max(late, own, relays_late())))
            before, due = now, time.monotonic() + _LOOK_SECONDS


def waited_of(pids: Iterable[int]) -> dict[int, float]:
    """Return for how many seconds each thread of processes has waited for a processor since its start; see proc(5), schedstat."""
    found = {}
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError, IndexError):
                found[int(file.parent.name)] = int(file.read_text().split()[1]) / 1e9
    return found
