"""Buckets of quota, reservations in them, and the ports of what counts and what waits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of quota: `rate` calls a second, `burst` at once, unless Amazon has since reported another rate.

    `share` is the part of Amazon's rate that this bucket lets through; `rate` contains it already.
    """

    key: str
    rate: float
    burst: int
    share: float = 1.0
    learns: bool = False
    """It follows the rate that Amazon reports, which is that of a pair of seller and application."""


@dataclass(frozen=True, slots=True, eq=False)
class BucketSet:
    """The buckets that a call passes. Compared by identity, since calls with the same buckets share one set.

    `primary` follows Amazon's reported rate and its 429s. `others` are passed together with it. A call that has to wait at the
    `first_stage` holds a slot there only, and reserves the other slots afterwards, so that it delays no call without a first stage.
    """

    primary: Bucket
    others: tuple[Bucket, ...] = ()
    first_stage: Bucket | None = None
    all: tuple[Bucket, ...] = field(init=False)
    """The buckets in the order of the script: the primary one, the others, the first stage."""

    def __post_init__(self) -> None:
        last = () if self.first_stage is None else (self.first_stage,)
        object.__setattr__(self, "all", (self.primary, *self.others, *last))

    def without_first_stage(self) -> "BucketSet":
        """Return the buckets that are left after the first stage."""
        return BucketSet(self.primary, self.others)


class RateSource(StrEnum):
    """The source of a rate in force."""

    CATALOGUE = "CATALOGUE"
    HEADER = "HEADER"
    BACKOFF = "BACKOFF"


@dataclass(frozen=True, slots=True)
class BucketState:
    """What a bucket holds now. `reset` is in seconds from now."""

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

    `remaining` are the buckets to pass once the slot of the first stage may be used; None: all were passed.
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
    """A call that may be sent now, `waited` seconds after it came. `rate` is that of its primary bucket, in calls a second."""

    waited: float
    rate: float
    reservations: tuple[Reservation, ...] = ()
    admitted_at: float = 0.0
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Reschedule:
    """A change of the waits at some buckets.

    The time left is multiplied by `factor`, then `shift` seconds are added: once, or once for each slot in `after` that was
    reserved before the waiting caller's.
    """

    factor: float = 1.0
    shift: float = 0.0
    after: tuple[int, ...] | None = None

    def __bool__(self) -> bool:
        return self.factor != 1.0 or self.shift != 0.0


class SlotStore(Protocol):
    """The place where slots were reserved. Each method raises what its adapter's library raises while it is unavailable."""

    async def cancel(self, buckets: Sequence[tuple[Bucket, int]]) -> Sequence[float]:
        """Give back so many slots of each bucket; return the seconds by which later slots of each come sooner."""

    async def delay(self, bucket: Bucket, seconds: float) -> None:
        """Count the newest call as sent so many seconds later than its slot said."""


class BucketStore(Protocol):
    """The place where buckets are kept. Each method raises what its adapter's library raises while it is unavailable."""

    async def reserve(self, buckets: BucketSet, longest: float) -> Reservation:
        """Reserve a slot in every bucket. Raises QuotaExceeded, with nothing reserved, where the wait would exceed `longest`."""

    async def update_rate(self, buckets: Sequence[Bucket], rate: float) -> Reschedule:
        """Take Amazon's reported rate into force, in each bucket its share."""

    async def on_throttled(self, bucket: Bucket, seconds: float) -> Reschedule:
        """Record a 429: no call goes for `seconds` at least, and the rate is lowered where the calls since the last one show it."""

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return what a bucket holds now."""


class Limiter(Protocol):
    """The quota of calls."""

    async def acquire(self, buckets: BucketSet, longest: float) -> Admission:
        """Pass all buckets, first come first served, after a wait of `longest` seconds at most.

        Raises QuotaExceeded at once when the wait would be longer. A cancelled caller's slots are given back.
        """

    def cancel(self, admission: Admission) -> None:
        """Give back the slots of a call that is not made. Callers behind it come sooner. Never raises."""

    def on_sent(self, admission: Admission) -> None:
        """Record that a call goes out now: where that is late, the next one has to keep its distance. Never raises."""

    async def update_rate(self, buckets: BucketSet, rate: float) -> None:
        """Take Amazon's reported rate into force; waiting callers are rescheduled."""

    async def on_throttled(self, buckets: BucketSet, seconds: float) -> None:
        """Record a 429; waiting callers are rescheduled."""

    async def peek(self, bucket: Bucket) -> BucketState:
        """Return what a bucket holds now."""
