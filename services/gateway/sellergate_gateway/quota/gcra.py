"""Quota: the generic cell rate algorithm (GCRA) as pure functions; time comes in as an argument.

A bucket is one number, its "theoretical arrival time": how far it lies ahead of now is what has been spent and not yet flowed back.
`gcra.lua` does the same arithmetic for all replicas in Redis.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sellergate_common.errors import QuotaExceeded

from sellergate_gateway.quota.ports import Bucket, BucketState, RateSource

# A rate that was cut grows again by this share of itself a second, and no more than this share a call: slowly, for each time it
# grows too high costs calls.
GROWTH, GROWTH_A_CALL = 0.0015, 0.003
# A cut leaves so much at least, and takes so much off what was measured.
LEAST_CUT, CUT_MARGIN, LARGEST_KEPT = 0.3, 0.98, 0.95
# What passes between two 429s tells a rate when they are so many seconds apart, and two intervals.
WINDOW_SECONDS = 2.0
FORGOTTEN_SECONDS = 3600.0
# Microseconds are rounded in Redis, and again when a rate changes.
SAME_SECONDS = 0.000003


@dataclass(slots=True)
class Gauge:
    """The state of one bucket, in seconds of some clock. `interval` is that of the rate by which `tat` was reckoned."""

    tat: float = 0.0
    interval: float = 0.0
    blocked_until: float = 0.0
    learned: float = 0.0
    """Amazon's own word; 0: none."""
    cut: float = 0.0
    """What the rate was lowered to at `cut_at`, after 429s; 0: never."""
    cut_at: float = 0.0
    since: float = 0.0
    """When the last 429 came that began a measurement; 0: none."""
    passed: int = 0
    """Calls since then that were let through and not refused."""

    def rate(self, bucket: Bucket, now: float) -> float:
        """Return the rate in force: Amazon's word or the catalogue's, unless 429s have shown less."""
        base = self.learned or bucket.rate
        if not self.cut:
            return base
        growth = min(GROWTH, GROWTH_A_CALL * self.cut)
        return min(base, self.cut * (1 + growth * (now - self.cut_at)))

    def look(self, bucket: Bucket, now: float) -> tuple[float, float, float]:
        """Return the rate in force, how far `tat` lies ahead in seconds of that rate, and the seconds until the next call may go.

        A changed rate rescales what is owed.
        """
        rate, owed = self.rate(bucket, now), self.tat - now
        debt = (owed / rate / self.interval if self.interval else owed) if owed > 0 else 0.0
        return rate, debt, max(0.0, debt - (bucket.burst - 1) / rate, self.blocked_until - now)

    def take(self, rate: float, debt: float, now: float) -> float:
        """Take one slot, after a look; return what `leave` needs to give it back."""
        self.interval = 1.0 / rate
        self.tat = now + debt + self.interval
        self.passed += 1
        return self.tat

    def leave(self, taken: float) -> None:
        """Give a slot back if it is the newest; the others have been promised what follows theirs."""
        if abs(self.tat - taken) < SAME_SECONDS:
            self.tat -= self.interval

    def throttled(self, bucket: Bucket, now: float, seconds: float) -> float:
        """Note a 429: nobody goes for `seconds`, and what has passed since the last one may show a lower rate.

        Returns by how much everybody who waits is put back; 0 while a 429 of a moment ago has done so already.
        """
        (rate, debt, _), lasted = self.look(bucket, now), now - self.since
        if not self.since or lasted > FORGOTTEN_SECONDS:
            self.since, self.passed = now, 0
        elif lasted < max(WINDOW_SECONDS, 2 / rate):
            self.passed -= 1
        else:
            # From one empty bucket to the next, what passed is what flowed in.
            flowed = max(0, self.passed - 1) / lasted
            self.cut = max(LEAST_CUT * rate, min(CUT_MARGIN * flowed, LARGEST_KEPT * rate))
            self.cut_at, self.since, self.passed = now, now, 0
            debt, rate = debt * rate / self.cut, self.cut
        shift = 0.0
        if now >= self.blocked_until:
            shift, self.blocked_until = seconds, now + seconds
            debt = max(debt, (bucket.burst - 1) / rate) + seconds
        self.tat, self.interval = now + debt, 1 / rate
        return shift

    def state(self, bucket: Bucket, now: float) -> BucketState:
        """Return what is in the bucket."""
        rate, debt, wait = self.look(bucket, now)
        source = RateSource.HEADER if self.learned else RateSource.CATALOGUE
        return state_of(
            bucket, rate, wait, debt, RateSource.BACKOFF if rate < (self.learned or bucket.rate) else source
        )


def state_of(bucket: Bucket, rate: float, wait: float, debt: float, source: RateSource) -> BucketState:
    """Return what is in a bucket of which so much is spent."""
    remaining = 0 if wait > 0 else max(0, int(bucket.burst - debt * rate + 1e-9))
    return BucketState(rate, remaining, max(debt, wait), source)


def refuse(wait: float, max_wait: float) -> QuotaExceeded:
    """Return the error of a call whose turn would come too late."""
    return QuotaExceeded(
        f"The quota of this operation lets the next call go in {wait:.1f} s, and {max_wait:.1f} s is the longest wait allowed.",
        retry_after=wait,
    )


@dataclass(frozen=True, slots=True)
class Moved:
    """How a changed bucket moves those who wait for it: their time left is multiplied, then `shift` seconds are added."""

    factor: float
    shift: float


@dataclass(slots=True)
class Admitted:
    """What was taken: slots that may be used in `wait` seconds. `rate` is that of the first bucket of the call."""

    wait: float
    rate: float
    buckets: tuple[Bucket, ...]
    taken: tuple[str | float, ...]
    """What gives the slots of these buckets back."""
    rest: tuple[Bucket, ...] = ()
    """Buckets to pass after the wait."""


def admit(gauges: Sequence[Gauge], buckets: Sequence[Bucket], now: float, max_wait: float) -> Admitted | float:
    """Take one slot in every bucket; nothing is taken, and the wait returned, where it would be above `max_wait`.

    Who waits at a gate holds that slot alone: slots of the others, taken ahead of time, would make those wait who pass no gate.
    """
    looks, held, rest = (
        [g.look(b, now) for g, b in zip(gauges, buckets, strict=True)],
        tuple(buckets),
        tuple[Bucket, ...](),
    )
    first = looks[0][0]
    if held[-1].gate and looks[-1][2] > 0:
        looks, gauges, held, rest = looks[-1:], gauges[-1:], held[-1:], held[:-1]
    wait = max([wait for _, _, wait in looks])
    if wait > max_wait:
        return wait
    taken = tuple([gauge.take(rate, debt, now) for gauge, (rate, debt, _) in zip(gauges, looks, strict=True)])
    return Admitted(wait, first, held, taken, rest)
