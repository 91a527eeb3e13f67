"""Buckets of quota, and the port of what counts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of quota: `rate` calls a second, `burst` at once, unless Amazon has since told another rate.

    `share` is the part of Amazon's rate that this bucket lets through; `rate` has it in it already.
    """

    key: str
    rate: float
    burst: int
    share: float = 1.0
    learns: bool = False
    """It follows the rate that Amazon tells, which is that of a pair of seller and application."""
    gate: bool = False
    """Whoever must wait here takes a slot of the other buckets only afterwards."""


class RateSource(StrEnum):
    """Where a rate comes from."""

    CATALOGUE = "CATALOGUE"
    HEADER = "HEADER"
    BACKOFF = "BACKOFF"


@dataclass(slots=True)
class Passage:
    """A call that passed its buckets, `waited` seconds after it came. `rate` is that of the first bucket, as it is believed."""

    waited: float
    rate: float
    slots: tuple[Any, ...] = ()
    """What `Quota.leave` needs to give its slots back."""


@dataclass(frozen=True, slots=True)
class BucketState:
    """What is in a bucket now. `reset` is in seconds from now."""

    rate: float
    remaining: int
    reset: float
    source: RateSource


class Quota(Protocol):
    """Buckets of quota, shared by all replicas."""

    async def enter(self, buckets: Sequence[Bucket], longest: float) -> Passage:
        """Pass all buckets, first come first served, after a wait of `longest` seconds at most.

        Raises QuotaExceeded at once when the wait would be longer. Who is cancelled gives its slot back if it was the newest.
        """

    async def leave(self, passage: Passage) -> None:
        """Give back the slots of a call that passed and is not made, where they are the newest. Never raises."""

    async def learn(self, buckets: Sequence[Bucket], rate: float) -> None:
        """Believe the rate that Amazon told, each bucket that learns its share; who waits is moved accordingly."""

    async def throttled(self, buckets: Sequence[Bucket], seconds: float) -> None:
        """Take note of a 429: nobody goes for `seconds`, and the rate may be lowered until it proves right."""

    async def state(self, bucket: Bucket) -> BucketState:
        """Return what is in a bucket now."""
