"""Buckets of quota, reservations in them, and the ports of stores and limiters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of quota: `rate` calls per second, `burst` at once, unless Amazon has since reported another rate.

    `share` is the share of Amazon's rate that this bucket admits; `rate` includes it already.
    """

    key: str
    rate: float
    burst: int
    share: float = 1.0
    learns: bool = False
    """Whether it follows Amazon's reported rate, which is that of a pair of seller and application."""


@dataclass(frozen=True, slots=True, eq=False)
class BucketSet:
    """The buckets of a call. Sets are compared by identity, since calls with the same buckets share one set.

    `primary` follows Amazon's reported rate and its 429s. `others` are passed together with it. A call that waits at the
    `first_stage` holds a slot only there, and reserves the others afterwards, so that it delays no call without a first stage.
    """

    primary: Bucket
    others: tuple[Bucket, ...] = ()
    first_stage: Bucket | None = None
    all: tuple[Bucket, ...] = field(init=False)
    """The buckets in the order of the script: primary, others, first stage."""

    def __post_init__(self) -> None:
        last = () if self.first_stage is None else (self.first_stage,)
        object.__setattr__(self, "all", (self.primary, *self.others, *last))

    def without_first_stage(self) -> "BucketSet":
        """Return the buckets without the first stage."""
        return BucketSet(self.primary, self.others)


class RateSource(StrEnum):
    """The source of a rate in force."""

    CATALOGUE = "CATALOGUE"
    HEADER = "HEADER"
    BACKOFF = "BACKOFF"


@dataclass(frozen=True, slots=True)
class BucketState:
    """The present state of a bucket. `reset` is in seconds from now."""

    rate: float
    remaining: int
    reset: float
    source: RateSource


@dataclass(slots=True)
class Slot:
    """A slot in one bucket, usable `wait` seconds after it was reserved. `number` counts the slots of its bucket."""

    bucket: Bucket
    wait: float
    number: int


@dataclass(slots=True)
class Reservation:
    """Slots that a store has reserved. `rate` is the rate in force of the primary bucket, in calls a second.

    `remaining` are the buckets to pass after the slot of the first stage; None: all were passed.
    """

    store: "SlotStore"
    slots: tuple[Slot, ...]
    rate: float
    remaining: BucketSet | None = None

    @property
    def wait(self) -> float:
        """The seconds until all slots may be used."""
        return max([slot.wait for slot in self.slots])


@dataclass(slots=True)
class Admission:
    """The permission to send a call, `waited` seconds after its arrival. `rate` is its primary bucket's, in calls per second."""

    waited: float
    rate: float
    reservations: tuple[Reservation, ...] = ()
    admitted_at: float = 0.0
    """The time of the slot, in monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Reschedule:
    """A change of the waits at some buckets.

    The remaining time is multiplied by `factor`, then `shift` seconds are added: once, or once for each slot in `after` that was
    reserved before the waiting caller's.
    """

    factor: float = 1.0
    shift: float = 0.0
    after: tuple[int, ...] | None = None

    def __bool__(self) -> bool:
        return self.factor != 1.0 or self.shift != 0.0


class SlotStore(Protocol):
    """The store of reserved slots. Each method raises what its adapter's library raises while it is unavailable."""

    async def cancel(self, buckets: Sequence[tuple[Bucket, int]]) -> Sequence[float]:
        """Cancel the given number of slots in each bucket. Return the seconds by which later slots of each move forward."""

    async def delay(self, bucket: Bucket, seconds: float) -> None:
        """Count the newest call of each bucket as sent the given seconds after its slot."""


class BucketStore(Protocol):
    """A store of buckets. Each method raises what its adapter's library raises while it is unavailable."""

    async def reserve(self, buckets: BucketSet, longest: float) -> Reservation:
        """Reserve a slot in every bucket. Raises QuotaExceeded, with no reservation, if the wait would exceed `longest`."""

    async def update_rate(self, buckets: Sequence[Bucket], rate: float) -> Reschedule:
        """Apply Amazon's reported rate, in each bucket its share."""

    async def on_throttled(self, bucket: Bucket, seconds: float) -> Reschedule:
        """Record a 429: send no call for at least `seconds`, and lower the rate if the calls since the last one prove it."""

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return the present state of a bucket."""


class Limiter(Protocol):
    """The quota of calls."""

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        """Pass all buckets in order of arrival, after a wait of at most `longest` seconds.

        Raises QuotaExceeded at once if the wait would be longer. A cancelled caller's slots are cancelled.
        """

    def cancel(self, admission: Admission) -> None:
        """Cancel the slots of a call that is not made, so that later callers move forward. Never raises."""

    def on_sent(self, admission: Admission) -> None:
        """Record that a call is sent now. If that is late, the next one keeps its distance. Never raises."""

    async def update_rate(self, buckets: BucketSet, rate: float) -> None:
        """Apply Amazon's reported rate, and reschedule waiting callers."""

    async def on_throttled(self, buckets: BucketSet, seconds: float) -> None:
        """Record a 429, and reschedule waiting callers."""

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return the present state of a bucket."""
